"""The settings: one field for each, which declares its variable, form, default and meaning.

They are read once, at the start. `make docs` writes the tables of docs/OPERATIONS.md from these
fields and the docstrings of their classes.
"""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal, cast, get_args

from .admin_settings import AdminSettings
from .environment import (
    BOOLEAN,
    ORIGIN,
    SMTP_URL,
    TIMEOUT,
    Proxy,
    duration,
    folder_list,
    integer,
    one_of,
    origin_list,
    parser,
    postgres_url,
    proxy_list,
    read,
    secret_list,
    setting,
    some_of,
    text,
    texts,
)
from .errors import SettingsError
from .misspelt import check_names
from .provider_settings import SocialSettings, has_packages
from .schema import Schema
from .webhook_settings import WebhookSettings
from .webhook_settings import has_packages as has_webhook_packages

KeyScope = Literal["read", "write", "secrets"]
PluginName = Literal["admin", "bearer", "expo", "jwt"]
JwtAlgorithm = Literal["EdDSA", "ES256", "ES512", "RS256", "PS256"]
Pooler = Literal["none", "transaction", "prepared"]
RateLimitMode = Literal["database", "memory", "off"]
SameSite = Literal["lax", "none"]
BetterAuthServer = Literal["plain", "hashed", "none"]
SCOPES: Final[frozenset[KeyScope]] = frozenset(get_args(KeyScope))
_DAY: Final = 24 * 3600
_MAX_AGE: Final = 400 * _DAY  # what browsers keep a cookie for


@dataclass(frozen=True, slots=True)
class ServiceKey:
    """A key of a trusted backend. Only the SHA-256 of the key is known here."""

    name: str
    sha256: str = field(repr=False)
    scopes: frozenset[KeyScope]


def service_keys(name: str, text: str) -> tuple[ServiceKey, ...]:
    """The keys in a text; ``name`` says where it is from. Raises SettingsError."""
    keys: dict[str, ServiceKey] = {}
    for position, entry in enumerate(re.split(r"[,\n]", text), 1):
        if not entry.strip():
            continue
        match = re.fullmatch(r"([A-Za-z0-9_.-]{1,63}):([0-9a-fA-F]{64}):([a-z+]+)", entry.strip())
        if match is None:
            raise SettingsError(f"{name}: entry {position} is not name:sha256-hex:scope+scope")
        key, digest, scopes = match[1], match[2].lower(), frozenset(match[3].split("+"))
        if not scopes <= SCOPES:
            known = ", ".join(sorted(SCOPES))
            raise SettingsError(f"{name}: key {key} has an unknown scope (known: {known})")
        if key in keys:
            raise SettingsError(f"{name}: two keys are called {key}")
        keys[key] = ServiceKey(key, digest, cast("frozenset[KeyScope]", scopes))
    return tuple(keys.values())


_service_keys = parser(
    "`name:sha256-hex:scope+scope`, comma-separated; scopes `read`, `write`, `secrets`"
)(service_keys)


def keys_in_file(path: str) -> tuple[ServiceKey, ...]:
    """The keys in a file, one a line; a line that begins with # is none. Raises SettingsError."""
    try:
        lines = Path(path).read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text"
        raise SettingsError(f"GATEPOST_SERVICE_KEYS_FILE: {path}: {reason}") from None
    text = "\n".join("" if line.lstrip().startswith("#") else line for line in lines)
    keys = service_keys(f"GATEPOST_SERVICE_KEYS_FILE: {path}", text)
    if not keys:
        raise SettingsError(f"GATEPOST_SERVICE_KEYS_FILE: {path}: no key is in it")
    return keys


@parser("a path")
def _schema_file(name: str, path: str) -> Schema:
    from .additional import load  # what is off is not imported

    return load(name, path)


@dataclass(frozen=True, kw_only=True)
class MailSettings:
    """Mail. The auth API sends none unless ``MAIL_URL``, ``MAIL_FILE`` or ``MAIL_PRINT`` is set."""

    # fmt: off
    url: str | None = setting("MAIL_URL", SMTP_URL, default=None, secret=True,
        doc="The mail server: `smtp` uses STARTTLS when offered, `smtps` (port 465) always TLS.")
    sender: str = setting(
        "MAIL_FROM", text("a mail address", r"[^@\r\n]+@[^@\r\n]+"),
        default="Gatepost <no-reply@localhost>",
        doc="The sender; required with `MAIL_URL`.")
    file: str | None = setting("MAIL_FILE", text("a path"), default=None,
        doc="A file that gets each mail as a line of JSON: kind, email, userId, url, token.")
    printed: bool = setting("MAIL_PRINT", BOOLEAN, default=False,
        doc="Print the link of each mail on standard output, for development.")
    # fmt: on

    @property
    def possible(self) -> bool:
        return self.url is not None or self.file is not None or self.printed

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "MailSettings":
        values = read(cls, environment)
        if "url" in values and "sender" not in values:
            raise SettingsError("MAIL_FROM is not set: mails need a sender")
        return cls(**values)


_USER_FIELDS: Final = ("id", "name", "email", "emailVerified", "image", "createdAt", "updatedAt")
_OWN_CLAIMS: Final = ("aud", "exp", "iat", "iss", "jti", "nbf")


@dataclass(frozen=True, slots=True)
class Claim:
    """What a token says: a constant, or a field of its user."""

    field: str | None
    constant: Any = None

    def of(self, user: Mapping[str, Any]) -> Any:
        return self.constant if self.field is None else user.get(self.field)


@parser('a JSON object: for each claim a field of the user, or a constant that begins with "="')
def _claims(name: str, text: str) -> dict[str, Claim]:
    try:
        given = json.loads(text)
    except ValueError:
        given = None
    if not isinstance(given, dict) or not given:
        raise SettingsError(f'{name} must be a JSON object, such as {{"role": "=authenticated"}}')
    claims: dict[str, Claim] = {}
    for claim, value in given.items():
        if claim in _OWN_CLAIMS:
            raise SettingsError(f"{name}: the service itself sets {claim!r}")
        if isinstance(value, str) and value.startswith("="):
            claims[claim] = Claim(None, value[1:])
        elif isinstance(value, str):
            claims[claim] = Claim(value)
        else:
            raise SettingsError(f"{name}: {claim!r} must be the name of a field, or begin with =")
    return claims


@dataclass(frozen=True, kw_only=True)
class JwtSettings:
    """The tokens of the [jwt plugin](PLUGINS.md#jwt), when `GATEPOST_PLUGINS` names it."""

    # fmt: off
    algorithm: JwtAlgorithm = setting(
        "GATEPOST_JWT_ALGORITHM", one_of(*get_args(JwtAlgorithm)), default="EdDSA",
        doc="What a new key signs with. A key that is there goes on until it is rotated.")
    expires_in: int = setting("GATEPOST_JWT_EXPIRES_IN", duration(30, _DAY), default=900,
        doc="How long a token is good: also after its session has ended.")
    issuer: str | None = setting("GATEPOST_JWT_ISSUER", text("a text"), default=None,
        documented_default="`GATEPOST_BASE_URL`",
        doc="The claim `iss`.")
    audience: tuple[str, ...] = setting("GATEPOST_JWT_AUDIENCE", texts, default=(),
        documented_default="`GATEPOST_BASE_URL`",
        doc="The claim `aud`: who may take the tokens.")
    claims: dict[str, Claim] | None = setting("GATEPOST_JWT_CLAIMS", _claims, default=None,
        documented_default="every field of the user",
        doc='What a token says of its user, instead of everything: `{"role": "=authenticated", '
            '"email": "email"}`; `sub` is the id unless it is named and the user has it.')
    header: bool = setting("GATEPOST_JWT_HEADER", BOOLEAN, default=True,
        doc="Give a token with each `GET /get-session`, in the header `set-auth-jwt`.")
    rotate_every: int = setting("GATEPOST_JWT_ROTATE_EVERY", duration(0, _MAX_AGE), default=0,
        doc="How long a new key signs until the next is made; 0: until it is retired.")
    grace: int = setting("GATEPOST_JWT_GRACE", duration(0, _MAX_AGE), default=30 * _DAY,
        doc="How long a key is published after it signs no more.")
    # fmt: on

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "JwtSettings":
        values = read(cls, environment)
        expires_in, grace = (values.get(n, getattr(cls, n)) for n in ("expires_in", "grace"))
        if grace < expires_in:
            raise SettingsError(
                "GATEPOST_JWT_GRACE must not be less than GATEPOST_JWT_EXPIRES_IN: "
                "tokens would outlive the key that proves them"
            )
        return cls(**values)


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
        "GATEPOST_SESSION_EXPIRES_IN", duration(60, _MAX_AGE), default=7 * _DAY,
        doc="How long a session lives that is not used: the time after its last refresh.")
    session_update_age: int = setting(
        "GATEPOST_SESSION_UPDATE_AGE", duration(0, _MAX_AGE), default=_DAY,
        documented_default="`1d`, or half of `GATEPOST_SESSION_EXPIRES_IN` if that is less",
        doc="How long after a refresh the next one is due; less than "
            "`GATEPOST_SESSION_EXPIRES_IN`.")
    session_max_age: int = setting(
        "GATEPOST_SESSION_MAX_AGE", duration(0, _MAX_AGE), default=30 * _DAY,
        documented_default="`30d`, or `GATEPOST_SESSION_EXPIRES_IN` if that is more",
        doc="How long after sign-in a session ends, however often it is used; 0: never.")
    max_sessions: int = setting(
        "GATEPOST_MAX_SESSIONS", integer(1, 10_000), default=100,
        doc="Live sessions of a user at most; a further sign-in ends the oldest.")
    session_fresh_age: int = setting(
        "GATEPOST_SESSION_FRESH_AGE", duration(0, _MAX_AGE), default=_DAY,
        doc="How long after sign-in a session counts as fresh; 0: always.")
    last_seen_every: int = setting(
        "GATEPOST_LAST_SEEN_EVERY", duration(0, _DAY), default=0,
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
    mail: MailSettings = MailSettings()
    jwt: JwtSettings = JwtSettings()
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
    expires_in = values.setdefault("session_expires_in", 7 * _DAY)
    if values.setdefault("session_update_age", min(_DAY, expires_in // 2)) >= expires_in:
        raise SettingsError(
            "GATEPOST_SESSION_UPDATE_AGE must be less than GATEPOST_SESSION_EXPIRES_IN: "
            "a session would expire before its refresh is due"
        )
    if 0 < values.setdefault("session_max_age", max(30 * _DAY, expires_in)) < expires_in:
        raise SettingsError(
            "GATEPOST_SESSION_MAX_AGE must not be less than GATEPOST_SESSION_EXPIRES_IN: "
            "a session would outlive its greatest age"
        )


def _check_claims(settings: "Settings") -> None:
    """Refuse a claim that says what a user does not have."""
    claims = settings.auth.jwt.claims if settings.auth else None
    own = [field.name for field in settings.schema.users.fields if field.returned]
    known = (*_USER_FIELDS, *own)
    for name, claim in (claims or {}).items():
        if claim.field is not None and claim.field not in known:
            raise SettingsError(
                f"GATEPOST_JWT_CLAIMS: {name!r} must be one of {', '.join(known)}, or begin with ="
            )


def _has_opentelemetry() -> bool:
    with suppress(ModuleNotFoundError):
        return find_spec("opentelemetry.exporter.otlp.proto.http.trace_exporter") is not None
    return False


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The service and the REST API.

    Durations are in seconds, or as `1h30m`, `15s`, `500ms`; sizes are in bytes.
    """

    # fmt: off
    database_url: str = setting("DATABASE_URL", postgres_url, secret=True,
        doc="The database; of [several hosts](#several-hosts), separated by commas, the one that "
            "takes writes.")
    database_direct_url: str = setting("DATABASE_DIRECT_URL", postgres_url, secret=True,
        documented_default="as `DATABASE_URL`",
        doc="The server's own address, for migrations and the doctor: required for them when "
            "`DATABASE_URL` leads to a pooler.")
    pooler: Pooler = setting("GATEPOST_POOLER", one_of(*get_args(Pooler)),
        default="none",
        doc="What `DATABASE_URL` leads to: `none`: the server itself; `transaction`: "
            "[a pooler](#behind-a-pooler), to which the service sends no named prepared "
            "statement; `prepared`: one that keeps these apart itself, such as PgBouncer 1.21 and "
            "later with `max_prepared_statements`, which is faster.")
    replica_url: str | None = setting(
        "GATEPOST_REPLICA_URL", postgres_url, default=None, secret=True,
        doc="Replicas, for the reads of the REST API that "
            "[may be late](API.md#reads-from-a-replica).")
    service_keys: tuple[ServiceKey, ...] = setting(
        "GATEPOST_SERVICE_KEYS", _service_keys, default=(),
        doc="The keys of the REST API and what each is allowed.")
    service_keys_file: str | None = setting(
        "GATEPOST_SERVICE_KEYS_FILE", text("a path"), default=None,
        doc="A file with more keys, one a line, which is read again at SIGHUP.")
    schema: Schema = setting(
        "GATEPOST_SCHEMA", _schema_file, default=Schema(), documented_default="none",
        doc="A TOML file with [fields and tables of your own](how-to/own-fields.md).")
    migrations: tuple[Path, ...] = setting("GATEPOST_MIGRATIONS", folder_list, default=(),
        doc="Folders with [migrations of your own](how-to/own-fields.md), beside Gatepost's.")
    host: str = setting("HOST", text("a host name or address"), default="127.0.0.1",
        doc="The address to listen on.")
    port: int = setting("PORT", integer(1, 65535), default=8000,
        doc="The port to listen on.")
    metrics_port: int | None = setting(
        "GATEPOST_METRICS_PORT", integer(1, 65535), default=None,
        doc="The port on which `gatepost serve` shows Prometheus [its metrics](#metrics); without "
            "it they are nowhere.")
    metrics_host: str = setting(
        "GATEPOST_METRICS_HOST", text("a host name or address"), default="127.0.0.1",
        doc="The address of that port. It asks for no key: never one that strangers reach.")
    tracing: bool = setting("GATEPOST_TRACING", BOOLEAN, default=False,
        doc="Send [traces](#traces) by OpenTelemetry; needs `pip install 'gatepost[otel]'`.")
    docs: bool = setting("GATEPOST_DOCS", BOOLEAN, default=False,
        doc="Serve [the description of both APIs](API.md#the-description) at `/openapi.json`, and "
            "as a page at `/docs`, which needs `pip install 'gatepost[docs]'`. `gatepost dev` has "
            "it on.")
    trusted_proxies: tuple[Proxy, ...] = setting(
        "GATEPOST_TRUSTED_PROXIES", proxy_list, default=(),
        doc="The peers whose `X-Forwarded-For` is believed: [behind a proxy](#behind-a-proxy) all "
            "clients count as one without it.")
    pool_size: int = setting("GATEPOST_POOL_SIZE", integer(1, 1000), default=10,
        doc="Connections to the database that a process opens at most.")
    acquire_timeout: float = setting("GATEPOST_ACQUIRE_TIMEOUT", TIMEOUT, default=5.0,
        doc="How long a request waits for a connection.")
    query_timeout: float = setting("GATEPOST_QUERY_TIMEOUT", TIMEOUT, default=10.0,
        doc="How long a statement may run before it is cancelled on the server.")
    rest_query_timeout: float = setting("GATEPOST_REST_QUERY_TIMEOUT", TIMEOUT, default=4.0,
        doc="How long a statement of the REST API may run, at most as long as any other.")
    request_timeout: float = setting("GATEPOST_REQUEST_TIMEOUT", TIMEOUT, default=30.0,
        doc="How long a request may take in all.")
    max_rows: int = setting("GATEPOST_MAX_ROWS", integer(1, 1_000_000), default=1000,
        doc="Rows of a page at most, and of each relation embedded in a row.")
    max_body: int = setting("GATEPOST_MAX_BODY", integer(1, 1 << 30), default=1024 * 1024,
        doc="Size of a request's body at most.")
    citus: bool = setting("GATEPOST_CITUS", BOOLEAN, default=False,
        doc="The tables are spread over [a Citus cluster](CITUS.md).")
    purge_every: int = setting("GATEPOST_PURGE_EVERY", duration(0, _MAX_AGE), default=3600,
        doc="The time between two passes of [the purge](#the-purge) in the background; 0: none.")
    events_retention: int = setting(
        "GATEPOST_EVENTS_RETENTION", duration(30 * _DAY, 36_500 * _DAY), default=400 * _DAY,
        doc="How long [events](EVENTS.md) are kept until the purge deletes them.")
    # fmt: on
    auth: AuthSettings | None = None
    """None: the auth API is off."""
    webhooks: WebhookSettings = field(default_factory=WebhookSettings)

    def direct_url(self) -> str:
        """``database_direct_url`` for what needs the server itself. Raises SettingsError."""
        if self.pooler != "none" and self.database_direct_url == self.database_url:
            raise SettingsError(
                "DATABASE_DIRECT_URL is not set: behind a pooler (GATEPOST_POOLER) "
                "this needs the server's own address"
            )
        return self.database_direct_url

    def check_webhooks(self, what: str) -> AuthSettings:
        """The settings whose secrets keep those of webhooks. Raises SettingsError, which begins
        with ``what``, when there can be no webhooks."""
        if self.auth is None:
            raise SettingsError(f"{what}: it needs GATEPOST_SECRET and GATEPOST_BASE_URL")
        if self.citus:
            raise SettingsError(f"{what}: on a Citus cluster no events are recorded to be sent")
        if not has_webhook_packages():
            raise SettingsError(
                f"{what}: it needs the extra webhooks: "
                "pip install 'PATH_OF_THE_CHECKOUT[webhooks]', or -r requirements/social.txt"
            )
        return self.auth

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read the settings; raises SettingsError for the first that is wrong."""
        if not environment.get("DATABASE_URL"):
            raise SettingsError(
                "DATABASE_URL is not set: give the database's address, or run 'gatepost dev' "
                "(in a checkout: make serve) for a database of its own"
            )
        check_names(cls, environment)
        values = read(cls, environment)
        values.setdefault("database_direct_url", values["database_url"])
        if path := values.get("service_keys_file"):
            keys_in_file(path)  # one that cannot be used stops the start
        if values.get("tracing") and not _has_opentelemetry():
            raise SettingsError("GATEPOST_TRACING is on: it needs pip install 'gatepost[otel]'")
        found = cls(
            **values,
            auth=AuthSettings.from_environment(environment),
            webhooks=WebhookSettings.from_environment(environment),
        )
        if found.webhooks.deliver:
            found.check_webhooks("GATEPOST_WEBHOOKS is on")
        if found.auth is not None and "admin" in found.auth.plugins:
            from .admin_fields import with_admin  # what is off is not imported

            default_role = found.auth.admin.default_role
            found = replace(found, schema=with_admin(found.schema, default_role))
        if found.citus and found.auth is not None and found.auth.last_seen_every:
            raise SettingsError(
                "GATEPOST_LAST_SEEN_EVERY must be 0 with GATEPOST_CITUS: on a cluster no foreign "
                "key would delete what is recorded of a session that has ended"
            )
        _check_claims(found)
        return found
