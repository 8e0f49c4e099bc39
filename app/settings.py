"""The settings: the environment, read once into one frozen Settings.

A bad value raises SettingsError, whose text is one line that names the setting and never its
value, for the value may be a secret.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, cast
from urllib.parse import urlsplit

Scope = Literal["read", "write", "secrets"]
_HOST: Final = r"(\[[0-9A-Fa-f:.]+\]|[^\s/?#@:,\[\]]*)(:[0-9]{1,5})?"
_HOSTS: Final = re.compile(f"{_HOST}(,{_HOST})*")
SCOPES: Final[frozenset[str]] = frozenset(("read", "write", "secrets"))


class SettingsError(Exception):
    """A setting is missing or not of its form."""


@dataclass(frozen=True, slots=True)
class ServiceKey:
    """A key of a trusted backend. Only the SHA-256 of the key is known here."""

    name: str
    sha256: str = field(repr=False)
    scopes: frozenset[Scope]


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

    @property
    def pooled(self) -> bool:
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
        raise SettingsError(f"{name} is not a PostgreSQL address (postgres://user@host/database)")
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
