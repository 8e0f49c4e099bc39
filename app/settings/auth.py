"""The settings of the auth API."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from importlib.util import find_spec
from typing import Any, Final, Literal, get_args

from ..errors import SettingsError
from .admin import AdminSettings
from .environment import (
    BOOLEAN,
    DAY,
    MAX_AGE,
    ORIGIN,
    duration,
    integer,
    one_of,
    origin_list,
    read,
    secret_list,
    setting,
    some_of,
    text,
)
from .jwt import JwtSettings
from .mail import MailSettings
from .providers import SocialSettings, has_packages

BetterAuthServer = Literal["plain", "hashed", "none"]
PluginName = Literal["admin", "bearer", "expo", "jwt"]
RateLimitMode = Literal["database", "memory", "off"]
SameSite = Literal["lax", "none"]


@dataclass(frozen=True, kw_only=True)
class AuthSettings:
    """The auth API. It is on when ``GATEPOST_SECRET`` and ``GATEPOST_BASE_URL`` are set.

    Durations are in seconds, or as `7d`, `1h30m`, `15m`, `500ms`.
    """

    # fmt: off
    secrets: tuple[str, ...] = setting("GATEPOST_SECRET", secret_list, secret=True,
        doc="Signs cookies and mail tokens: the first secret signs, all verify, "
            "and a Better Auth server on the same tables has the same ones.")
    base_url: str = setting("GATEPOST_BASE_URL", ORIGIN,
        doc="The public origin of the service: it is trusted, and links in mails begin with it.")
    better_auth_server: BetterAuthServer = setting(
        "GATEPOST_BETTER_AUTH_SERVER", one_of(*get_args(BetterAuthServer)), default="plain",
        doc="Whether a Better Auth server uses the same tables: `plain` and `hashed` are its "
            "`verification.storeIdentifier`, `none`: there is no such server, and "
            "[nothing is left as it would need it](SECURITY.md#what-a-leak-of-the-database-opens).")
    trusted_origins: tuple[str, ...] = setting("GATEPOST_TRUSTED_ORIGINS", origin_list, default=(),
        doc="Other [origins](ORIGINS.md) that may send requests, and that redirects may lead to.")
    plugins: tuple[PluginName, ...] = setting(
        "GATEPOST_PLUGINS", some_of(*get_args(PluginName)), default=(),
        doc="The [plugins](PLUGINS.md) that are on.")
    rate_limit: RateLimitMode = setting(
        "GATEPOST_RATE_LIMIT", one_of(*get_args(RateLimitMode)), default="database",
        doc="Where requests are counted: across all processes, in each process, or not at all.")
    session_expires_in: int = setting(
        "GATEPOST_SESSION_EXPIRES_IN", duration(60, MAX_AGE), default=7 * DAY,
        doc="How long a session lives that is not used: the time after its last refresh.")
    session_update_age: int = setting(
        "GATEPOST_SESSION_UPDATE_AGE", duration(0, MAX_AGE), default=DAY,
        documented_default="`1d`, or half of `GATEPOST_SESSION_EXPIRES_IN` if that is less",
        doc="How long after a refresh the next one is due; less than "
            "`GATEPOST_SESSION_EXPIRES_IN`.")
    session_max_age: int = setting(
        "GATEPOST_SESSION_MAX_AGE", duration(0, MAX_AGE), default=30 * DAY,
        documented_default="`30d`, or `GATEPOST_SESSION_EXPIRES_IN` if that is more",
        doc="How long after sign-in a session ends, however often it is used; 0: never.")
    max_sessions: int = setting(
        "GATEPOST_MAX_SESSIONS", integer(1, 10_000), default=100,
        doc="Live sessions of a user at most; a further sign-in ends the oldest.")
    session_fresh_age: int = setting(
        "GATEPOST_SESSION_FRESH_AGE", duration(0, MAX_AGE), default=DAY,
        doc="How long after sign-in a session counts as fresh; 0: always.")
    last_seen_every: int = setting(
        "GATEPOST_LAST_SEEN_EVERY", duration(0, DAY), default=0,
        doc="How often a process writes [which sessions it has seen](SESSIONS.md#last-seen), such "
            "as `1m`; 0: nobody records it.")
    defer_session_refresh: bool = setting(
        "GATEPOST_DEFER_SESSION_REFRESH", BOOLEAN, default=False,
        doc="`GET /get-session` never writes, and the client refreshes with `POST`.")
    refuse_common_passwords: bool = setting(
        "GATEPOST_REFUSE_COMMON_PASSWORDS", BOOLEAN, default=True,
        doc="Refuse a new password that is among the 10,000 most common ones.")
    require_email_verification: bool = setting(
        "GATEPOST_REQUIRE_EMAIL_VERIFICATION", BOOLEAN, default=False,
        doc="Refuse sign-in with a password until the email address is verified; a provider has a "
            "`require_email_verification` of its own.")
    auto_sign_in: bool = setting("GATEPOST_AUTO_SIGN_IN", BOOLEAN, default=True,
        doc="Sign users in when they sign up.")
    send_verification_on_sign_up: bool = setting(
        "GATEPOST_SEND_VERIFICATION_ON_SIGN_UP", BOOLEAN, default=False,
        documented_default="as `GATEPOST_REQUIRE_EMAIL_VERIFICATION`",
        doc="Send the verification mail when users sign up.")
    auto_sign_in_after_verification: bool = setting(
        "GATEPOST_AUTO_SIGN_IN_AFTER_VERIFICATION", BOOLEAN, default=False,
        doc="Sign users in when they follow the link of the verification mail.")
    revoke_sessions_on_password_reset: bool = setting(
        "GATEPOST_REVOKE_SESSIONS_ON_PASSWORD_RESET", BOOLEAN, default=True,
        doc="End all sessions of a user whose password is reset.")
    delete_user: bool = setting("GATEPOST_DELETE_USER", BOOLEAN, default=False,
        doc="Let users delete their own account.")
    delete_user_by_mail: bool = setting("GATEPOST_DELETE_USER_BY_MAIL", BOOLEAN, default=False,
        doc="Delete an account only when its user follows a mailed link.")
    change_email: bool = setting("GATEPOST_CHANGE_EMAIL", BOOLEAN, default=False,
        doc="Let users change their email address by following a link mailed to the new one.")
    change_email_without_verification: bool = setting(
        "GATEPOST_CHANGE_EMAIL_WITHOUT_VERIFICATION", BOOLEAN, default=False,
        doc="Change an address that is not verified at once, without that link.")
    secure_cookies: bool = setting(
        "GATEPOST_SECURE_COOKIES", one_of("auto", "on", "off"), default=False,
        documented_default="`auto`",
        doc="Whether cookies are `Secure`; `auto`: when the base URL is https.")
    host_cookies: bool = setting(
        "GATEPOST_HOST_COOKIES", one_of("auto", "on", "off"), default=False,
        documented_default="`auto`",
        doc="Whether the names of cookies begin with `__Host-`, so that no subdomain can set them; "
            "`auto`: when they are secure, have no domain, and `GATEPOST_BETTER_AUTH_SERVER` is "
            "`none`. A change signs everybody out.")
    cookie_prefix: str = setting(
        "GATEPOST_COOKIE_PREFIX",
        text("1 to 64 letters, digits, dots, hyphens or underscores", r"[A-Za-z0-9_.-]{1,64}"),
        default="better-auth",
        doc="The first part of the names of the cookies.")
    cookie_domain: str | None = setting(
        "GATEPOST_COOKIE_DOMAIN", text("a domain", r"\.?[A-Za-z0-9.-]{1,253}"), default=None,
        doc="The `Domain` of the cookies, to share them between "
            "[subdomains](ORIGINS.md#subdomains).")
    cookie_same_site: SameSite = setting(
        "GATEPOST_COOKIE_SAME_SITE", one_of(*get_args(SameSite)), default="lax",
        doc="The `SameSite` of the cookies; `none`: also for trusted pages on "
            "[another site](ORIGINS.md#another-site), with an https base URL.")
    partitioned_cookies: bool = setting(
        "GATEPOST_PARTITIONED_COOKIES", BOOLEAN, default=False,
        doc="Cookies are `Partitioned`, which browsers that block third-party cookies keep; needs "
            "`GATEPOST_COOKIE_SAME_SITE=none`.")
    # fmt: on
    mail: MailSettings = field(default_factory=MailSettings)
    jwt: JwtSettings = field(default_factory=JwtSettings)
    admin: AdminSettings = field(default_factory=AdminSettings)
    social: SocialSettings = field(default_factory=SocialSettings)

    @cached_property
    def greatest_session_age(self) -> timedelta | None:
        """``session_max_age`` as get-session compares it, once a request; None: there is none."""
        return timedelta(seconds=self.session_max_age) if self.session_max_age else None

    @cached_property
    def greatest_impersonation_age(self) -> timedelta:
        """The same of a session in which an administrator acts as its user."""
        age = timedelta(seconds=self.admin.impersonation_expires_in)
        return min(age, self.greatest_session_age or age)

    @cached_property
    def refresh_window(self) -> timedelta:
        """How long before its expiry a session is due for a refresh."""
        return timedelta(seconds=self.session_expires_in - self.session_update_age)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "AuthSettings | None":
        """None when neither GATEPOST_SECRET nor GATEPOST_BASE_URL is set.

        The other settings are checked all the same: a wrong one is not to be found on the day when
        these two are set.
        """
        required = {"GATEPOST_SECRET": ",", "GATEPOST_BASE_URL": "/"}  # with what is not a value
        missing = [name for name in required if not environment.get(name, "").strip(required[name])]
        given = {name: value for name, value in environment.items() if name not in missing}
        values, mail = read(cls, given), MailSettings.from_environment(given)
        jwt = JwtSettings.from_environment(given)
        admin = AdminSettings.from_environment(given)
        social = SocialSettings.from_environment(given)
        _check_lifetimes(values)
        if len(missing) == len(required):
            return None
        if missing:
            raise SettingsError(f"{missing[0]} is not set: the auth API needs it{_HOW[missing[0]]}")
        verifies = values.get("require_email_verification", False)
        values.setdefault("send_verification_on_sign_up", verifies)
        secure = {"auto": values["base_url"].startswith("https:"), "on": True, "off": False}
        values["secure_cookies"] = secure[values.get("secure_cookies", "auto")]
        values["host_cookies"] = _has_host_cookies(values)
        _check_same_site(values)
        if "jwt" in values.get("plugins", ()) and find_spec("cryptography") is None:
            raise SettingsError("GATEPOST_PLUGINS has jwt: it needs pip install 'gatepost[jwt]'")
        if admin.page and "admin" not in values.get("plugins", ()):
            raise SettingsError("GATEPOST_ADMIN_PAGE needs the plugin admin in GATEPOST_PLUGINS")
        if admin.page and find_spec("jinja2") is None:
            raise SettingsError(
                "GATEPOST_ADMIN_PAGE needs the extra admin: "
                "pip install 'PATH_OF_THE_CHECKOUT[admin]', or -r requirements/admin.txt"
            )
        if social.providers and not has_packages():
            raise SettingsError(
                "GATEPOST_PROVIDERS needs the extra social: "
                "pip install 'PATH_OF_THE_CHECKOUT[social]', or -r requirements/social.txt"
            )
        found = cls(**values, mail=mail, jwt=jwt, admin=admin, social=social)
        if found.delete_user and found.delete_user_by_mail and not mail.possible:
            raise SettingsError(
                "GATEPOST_DELETE_USER_BY_MAIL is on, but no mail can be sent: "
                "set MAIL_URL and MAIL_FROM"
            )
        return found


_HOW: Final = {
    "GATEPOST_SECRET": "; take the output of: openssl rand -hex 32",
    "GATEPOST_BASE_URL": "; it is the origin that browsers see, such as https://app.example.com",
}


def _has_host_cookies(values: dict[str, Any]) -> bool:
    possible = values["secure_cookies"] and "cookie_domain" not in values
    wanted = values.get("host_cookies", "auto")
    if wanted == "on" and not possible:
        raise SettingsError(
            "GATEPOST_HOST_COOKIES is on: it needs secure cookies and no GATEPOST_COOKIE_DOMAIN"
        )
    alone = values.get("better_auth_server") == "none"
    return wanted == "on" or (wanted == "auto" and possible and alone)


def _check_same_site(values: dict[str, Any]) -> None:
    """Refuse cookies that no browser would keep."""
    cross_site = values.get("cookie_same_site") == "none"
    if cross_site and not values["secure_cookies"]:
        raise SettingsError(
            "GATEPOST_COOKIE_SAME_SITE is none: browsers keep such cookies only when they are "
            "Secure, so GATEPOST_BASE_URL must begin with https:// (and GATEPOST_SECURE_COOKIES "
            "not be off)"
        )
    if values.get("partitioned_cookies") and not cross_site:
        raise SettingsError(
            "GATEPOST_PARTITIONED_COOKIES is true: it needs GATEPOST_COOKIE_SAME_SITE=none, "
            "without which no other site gets the cookies"
        )


def _check_lifetimes(values: dict[str, Any]) -> None:
    """Fill in what depends on the lifetime of a session; refuse what contradicts it."""
    expires_in = values.setdefault("session_expires_in", 7 * DAY)
    if values.setdefault("session_update_age", min(DAY, expires_in // 2)) >= expires_in:
        raise SettingsError(
            "GATEPOST_SESSION_UPDATE_AGE must be less than GATEPOST_SESSION_EXPIRES_IN: "
            "a session would expire before its refresh is due"
        )
    if 0 < values.setdefault("session_max_age", max(30 * DAY, expires_in)) < expires_in:
        raise SettingsError(
            "GATEPOST_SESSION_MAX_AGE must not be less than GATEPOST_SESSION_EXPIRES_IN: "
            "a session would outlive its greatest age"
        )
