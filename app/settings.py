"""The settings: the environment, read once into one frozen Settings.

A bad value raises SettingsError, whose text is one line that names the setting and never its
value, for the value may be a secret.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final, Literal, TypeVar, cast, get_args
from urllib.parse import urlsplit

from app.errors import SettingsError

Scope = Literal["read", "write", "secrets"]
RateLimit = Literal["database", "memory", "off"]
Network = IPv4Network | IPv6Network
Word = TypeVar("Word", bound=str)
_MAX_AGE: Final = 400 * 24 * 3600  # what browsers keep a cookie for
_HOST: Final = r"(\[[0-9A-Fa-f:.]+\]|[^\s/?#@:,\[\]]*)(:[0-9]{1,5})?"
_HOSTS: Final = re.compile(f"{_HOST}(,{_HOST})*")
SCOPES: Final[frozenset[str]] = frozenset(("read", "write", "secrets"))


@dataclass(frozen=True, slots=True)
class ServiceKey:
    """A key of a trusted backend. Only the SHA-256 of the key is known here."""

    name: str
    sha256: str = field(repr=False)
    scopes: frozenset[Scope]


@dataclass(frozen=True, kw_only=True)
class MailSettings:
    """Where mails go: to a server, to a file, or (neither set) nowhere."""

    url: str | None = field(default=None, repr=False)
    """``smtp://user:password@host:587`` (STARTTLS when offered) or ``smtps://…:465``."""
    sender: str = "Gatepost <no-reply@localhost>"
    file: str | None = None
    printed: bool = False
    """Each mail's link on standard output, for development."""

    @property
    def possible(self) -> bool:
        return self.url is not None or self.file is not None or self.printed


@dataclass(frozen=True, kw_only=True)
class AuthSettings:
    """What the auth door takes from outside. Durations are whole seconds."""

    secrets: tuple[str, ...] = field(repr=False)
    """The first signs, all verify."""
    base_url: str
    trusted_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[Network, ...] = ()
    rate_limit: RateLimit = "database"
    session_expires_in: int = 7 * 24 * 3600
    session_update_age: int = 24 * 3600
    session_fresh_age: int = 24 * 3600
    defer_session_refresh: bool = False
    require_email_verification: bool = False
    auto_sign_in: bool = True
    send_verification_on_sign_up: bool = False
    auto_sign_in_after_verification: bool = False
    revoke_sessions_on_password_reset: bool = False
    delete_user: bool = False
    delete_user_by_mail: bool = False
    change_email: bool = False
    change_email_without_verification: bool = False
    secure_cookies: bool = False
    cookie_prefix: str = "better-auth"
    cookie_domain: str | None = None
    mail: MailSettings = MailSettings()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "AuthSettings | None":
        """None when neither GATEPOST_SECRET nor GATEPOST_BASE_URL is set."""
        secrets = tuple(s for s in environment.get("GATEPOST_SECRET", "").split(",") if s)
        base_url = environment.get("GATEPOST_BASE_URL", "").rstrip("/")
        if not secrets and not base_url:
            return None
        for name, value in (("GATEPOST_SECRET", secrets), ("GATEPOST_BASE_URL", base_url)):
            if not value:
                raise SettingsError(f"{name} is not set: the auth door needs it")
        if any(len(secret) < 32 for secret in secrets):
            raise SettingsError("GATEPOST_SECRET: each secret must have 32 characters or more")
        if not re.fullmatch(r"https?://[^/?#@\s]+", base_url):
            raise SettingsError(
                "GATEPOST_BASE_URL is not an origin such as https://app.example.com"
            )
        verification = _boolean(environment, "GATEPOST_REQUIRE_EMAIL_VERIFICATION", False)
        secure = {"auto": base_url.startswith("https:"), "on": True, "off": False}
        return cls(
            secrets=secrets,
            base_url=base_url,
            trusted_origins=_origins(environment),
            trusted_proxies=_networks(environment),
            rate_limit=_word(environment, "GATEPOST_RATE_LIMIT", get_args(RateLimit)),
            session_expires_in=_integer(
                environment, "GATEPOST_SESSION_EXPIRES_IN", cls.session_expires_in, 60, _MAX_AGE
            ),
            session_update_age=_integer(
                environment, "GATEPOST_SESSION_UPDATE_AGE", cls.session_update_age, 0, _MAX_AGE
            ),
            session_fresh_age=_integer(
                environment, "GATEPOST_SESSION_FRESH_AGE", cls.session_fresh_age, 0, _MAX_AGE
            ),
            defer_session_refresh=_boolean(environment, "GATEPOST_DEFER_SESSION_REFRESH", False),
            require_email_verification=verification,
            auto_sign_in=_boolean(environment, "GATEPOST_AUTO_SIGN_IN", True),
            send_verification_on_sign_up=_boolean(
                environment, "GATEPOST_SEND_VERIFICATION_ON_SIGN_UP", verification
            ),
            auto_sign_in_after_verification=_boolean(
                environment, "GATEPOST_AUTO_SIGN_IN_AFTER_VERIFICATION", False
            ),
            revoke_sessions_on_password_reset=_boolean(
                environment, "GATEPOST_REVOKE_SESSIONS_ON_PASSWORD_RESET", False
            ),
            delete_user=_boolean(environment, "GATEPOST_DELETE_USER", False),
            delete_user_by_mail=_boolean(environment, "GATEPOST_DELETE_USER_BY_MAIL", False),
            change_email=_boolean(environment, "GATEPOST_CHANGE_EMAIL", False),
            change_email_without_verification=_boolean(
                environment, "GATEPOST_CHANGE_EMAIL_WITHOUT_VERIFICATION", False
            ),
            secure_cookies=secure[
                _word(environment, "GATEPOST_SECURE_COOKIES", ("auto", "on", "off"))
            ],
            cookie_prefix=_matching(
                environment, "GATEPOST_COOKIE_PREFIX", r"[A-Za-z0-9_.-]{1,64}", "a plain word"
            )
            or cls.cookie_prefix,
            cookie_domain=_matching(
                environment, "GATEPOST_COOKIE_DOMAIN", r"\.?[A-Za-z0-9.-]{1,253}", "a domain"
            ),
            mail=_mail(environment),
        )


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything the service takes from outside. Durations are seconds, sizes are bytes."""

    database_url: str = field(repr=False)
    database_direct_url: str = field(repr=False)
    service_keys: tuple[ServiceKey, ...] = ()
    host: str = "127.0.0.1"
    port: int = 8000
    pool_size: int = 10
    acquire_timeout: float = 5.0
    query_timeout: float = 10.0
    request_timeout: float = 30.0
    max_rows: int = 1000
    max_body: int = 10 * 1024 * 1024
    purge_every: int = 3600
    """Between two passes of the background purge; 0: off."""
    auth: "AuthSettings | None" = None
    """None: the auth door is closed."""

    @property
    def behind_pooler(self) -> bool:
        """Whether a pooler stands before the database: prepared statements are not kept then."""
        return self.database_direct_url != self.database_url

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read the settings; raises SettingsError for the first that is not right."""
        url = _database_url(environment, "DATABASE_URL")
        if url is None:
            raise SettingsError(
                "DATABASE_URL is not set: give the database's address, "
                "or run 'make serve' for a database of its own"
            )
        return cls(
            database_url=url,
            database_direct_url=_database_url(environment, "DATABASE_DIRECT_URL") or url,
            service_keys=_service_keys(environment),
            host=environment.get("HOST") or cls.host,
            port=_integer(environment, "PORT", cls.port, 1, 65535),
            pool_size=_integer(environment, "GATEPOST_POOL_SIZE", cls.pool_size, 1, 1000),
            acquire_timeout=_seconds(environment, "GATEPOST_ACQUIRE_TIMEOUT", cls.acquire_timeout),
            query_timeout=_seconds(environment, "GATEPOST_QUERY_TIMEOUT", cls.query_timeout),
            request_timeout=_seconds(environment, "GATEPOST_REQUEST_TIMEOUT", cls.request_timeout),
            max_rows=_integer(environment, "GATEPOST_MAX_ROWS", cls.max_rows, 1, 1_000_000),
            max_body=_integer(environment, "GATEPOST_MAX_BODY", cls.max_body, 1, 1 << 30),
            purge_every=_integer(environment, "GATEPOST_PURGE_EVERY", cls.purge_every, 0, _MAX_AGE),
            auth=AuthSettings.from_environment(environment),
        )


def _database_url(environment: Mapping[str, str], name: str) -> str | None:
    url = environment.get(name)
    if not url:
        return None
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("postgres", "postgresql")
        good = good and _HOSTS.fullmatch(parts.netloc.rpartition("@")[2]) is not None
    except ValueError:
        good = False
    if not good:
        raise SettingsError(
            f"{name} is not a PostgreSQL address (postgres://user:password@host/database; "
            "signs in a password are percent-encoded)"
        )
    return url


def _integer(environment: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = environment.get(name)
    if not text:
        return default
    if not re.fullmatch(r"[0-9]{1,12}", text) or not low <= int(text) <= high:
        raise SettingsError(f"{name} must be a whole number from {low} to {high}")
    return int(text)


def _seconds(environment: Mapping[str, str], name: str, default: float) -> float:
    text = environment.get(name)
    if not text:
        return default
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", text) or not float(text) > 0:
        raise SettingsError(f"{name} must be a number of seconds above 0")
    return float(text)


def _boolean(environment: Mapping[str, str], name: str, default: bool) -> bool:
    text = environment.get(name)
    if not text:
        return default
    if text not in ("true", "false"):
        raise SettingsError(f"{name} must be true or false")
    return text == "true"


def _word(environment: Mapping[str, str], name: str, words: Sequence[Word]) -> Word:
    """One of ``words``, the first when it is not set."""
    text = environment.get(name) or words[0]
    for word in words:
        if word == text:
            return word
    raise SettingsError(f"{name} must be one of {', '.join(words)}")


def _matching(environment: Mapping[str, str], name: str, pattern: str, what: str) -> str | None:
    text = environment.get(name)
    if not text:
        return None
    if not re.fullmatch(pattern, text):
        raise SettingsError(f"{name} must be {what}")
    return text


def _list(environment: Mapping[str, str], name: str) -> list[str]:
    return [part.strip() for part in environment.get(name, "").split(",") if part.strip()]


def _origins(environment: Mapping[str, str]) -> tuple[str, ...]:
    entries = _list(environment, "GATEPOST_TRUSTED_ORIGINS")
    for entry in entries:
        if not re.fullmatch(r"([A-Za-z][A-Za-z0-9+.-]*://)?[^\s/]*(/[^\s?#]*)?", entry):
            raise SettingsError(f"GATEPOST_TRUSTED_ORIGINS: {entry!r} is not an origin")
        if "*" not in entry and "?" not in entry and "://" not in entry:
            raise SettingsError(
                f"GATEPOST_TRUSTED_ORIGINS: {entry!r} lacks its scheme, such as https://"
            )
    return tuple(entries)


def _networks(environment: Mapping[str, str]) -> tuple[Network, ...]:
    found = []
    for entry in _list(environment, "GATEPOST_TRUSTED_PROXIES"):
        try:
            found.append(ip_network(entry, strict=False))
        except ValueError:
            raise SettingsError(
                f"GATEPOST_TRUSTED_PROXIES: {entry!r} is not an address or network"
            ) from None
    return tuple(found)


def _mail(environment: Mapping[str, str]) -> MailSettings:
    url = environment.get("MAIL_URL") or None
    if url is not None:
        try:
            parts = urlsplit(url)
            good = parts.scheme in ("smtp", "smtps") and bool(parts.hostname)
            good = good and (parts.port is None or parts.port > 0)
        except ValueError:
            good = False
        if not good:
            raise SettingsError("MAIL_URL is not a mail server (smtp://user:password@host:587)")
        if not environment.get("MAIL_FROM"):
            raise SettingsError("MAIL_FROM is not set: mails need a sender")
    sender = environment.get("MAIL_FROM") or MailSettings.sender
    if not re.fullmatch(r"[^@\r\n]+@[^@\r\n]+", sender):
        raise SettingsError("MAIL_FROM is not an address")
    return MailSettings(
        url=url,
        sender=sender,
        file=environment.get("MAIL_FILE") or None,
        printed=_boolean(environment, "MAIL_PRINT", False),
    )


def _service_keys(environment: Mapping[str, str]) -> tuple[ServiceKey, ...]:
    keys: list[ServiceKey] = []
    for position, part in enumerate(environment.get("GATEPOST_SERVICE_KEYS", "").split(","), 1):
        if not part.strip():
            continue
        match = re.fullmatch(r"([A-Za-z0-9_.-]{1,63}):([0-9a-fA-F]{64}):([a-z+]+)", part.strip())
        if match is None:
            raise SettingsError(
                f"GATEPOST_SERVICE_KEYS: entry {position} is not name:sha256-hex:scope+scope"
            )
        name, digest, scopes = match.groups()
        if not SCOPES.issuperset(scopes.split("+")):
            raise SettingsError(
                f"GATEPOST_SERVICE_KEYS: key {name} has an unknown scope "
                f"(known: {', '.join(sorted(SCOPES))})"
            )
        if any(key.name == name for key in keys):
            raise SettingsError(f"GATEPOST_SERVICE_KEYS: two keys are called {name}")
        scope_set = frozenset(cast("list[Scope]", scopes.split("+")))
        keys.append(ServiceKey(name, digest.lower(), scope_set))
    return tuple(keys)
