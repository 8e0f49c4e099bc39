"""Dataclass fields that are read from environment variables, and parsers of their values.

A bad value raises SettingsError: one line that names the setting and never quotes a secret.
"""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import MISSING, dataclass, field, fields
from ipaddress import IPv4Network, IPv6Network, ip_network
from itertools import pairwise
from typing import Any, Final, Generic, Literal, TypeVar
from urllib.parse import SplitResult, urlsplit

from app.errors import SettingsError

Proxy = IPv4Network | IPv6Network | Literal["unix"]
T = TypeVar("T")


@dataclass(frozen=True)
class Parser(Generic[T]):
    """The form of a value in words, and what makes the value of a setting's name and text."""

    form: str
    parse: Callable[[str, str], T]


@dataclass(frozen=True)
class Setting:
    """What a field declares; it is kept in the field's metadata."""

    name: str
    parser: Parser[Any]
    doc: str
    documented_default: str | None


def setting(
    name: str,
    parser: Parser[T],
    *,
    doc: str,
    default: Any = MISSING,
    documented_default: str | None = None,
    secret: bool = False,
) -> T:
    """Declare a dataclass field that is read from the environment variable ``name``.

    ``documented_default`` is for a default that other settings decide. A secret is not in the repr.
    """
    declaration = Setting(name, parser, doc, documented_default)
    return field(default=default, repr=not secret, metadata={"setting": declaration})


def declared(cls: Any) -> dict[str, Setting]:
    """What the fields of a dataclass declare; a field that is not a setting is left out."""
    return {f.name: f.metadata["setting"] for f in fields(cls) if "setting" in f.metadata}


def read(cls: Any, environment: Mapping[str, str]) -> dict[str, Any]:
    """The values of a dataclass's settings; a variable that is missing or empty is left out."""
    return {
        field_name: declaration.parser.parse(declaration.name, text)
        for field_name, declaration in declared(cls).items()
        if (text := environment.get(declaration.name))
    }


def parser(form: str) -> Callable[[Callable[[str, str], T]], Parser[T]]:
    """Make a Parser of the decorated function."""
    return lambda parse: Parser(form, parse)


def matching(
    form: str, pattern: str, convert: Callable[[str], T], accept: Callable[[T], bool] | None = None
) -> Parser[T]:
    """A text that matches the pattern and whose value is acceptable."""

    @parser(form)
    def parse(name: str, text: str) -> T:
        if re.fullmatch(pattern, text):
            value = convert(text)
            if accept is None or accept(value):
                return value
        raise SettingsError(f"{name} must be {form}")

    return parse


def text(form: str, pattern: str = r"[\s\S]*") -> Parser[str]:
    return matching(form, pattern, str)


def one_of(*words: str) -> Parser[Any]:
    return matching(f"one of {', '.join(words)}", "|".join(words), str)


def integer(low: int, high: int) -> Parser[int]:
    form = f"a whole number from {low} to {high}"
    return matching(form, "[0-9]{1,12}", int, lambda number: low <= number <= high)


SECONDS: Final = matching(
    "a number of seconds above 0", r"[0-9]{1,6}(\.[0-9]{1,6})?", float, lambda number: number > 0
)
BOOLEAN: Final = matching("true or false", "true|false", lambda text: text == "true")


def url(form: str, accept: Callable[[SplitResult], object]) -> Parser[str]:
    """A URL whose parts are acceptable."""

    @parser(form)
    def parse(name: str, text: str) -> str:
        with suppress(ValueError):  # a malformed port or IPv6 address
            if accept(urlsplit(text)):
                return text
        raise SettingsError(f"{name} is not {form}")

    return parse


_HOST: Final = r"(\[[0-9A-Fa-f:.]+\]|[^\s/?#@:,\[\]]*)(:[0-9]{1,5})?"
POSTGRES_URL: Final = url(
    "a PostgreSQL address (postgres://user:password@host/database; "
    "signs in a password are percent-encoded)",
    lambda parts: (
        parts.scheme in ("postgres", "postgresql")
        and re.fullmatch(f"{_HOST}(,{_HOST})*", parts.netloc.rpartition("@")[2])
    ),
)
SMTP_URL: Final = url(
    "a mail server (smtp://user:password@host:587)",
    lambda parts: parts.scheme in ("smtp", "smtps") and parts.hostname and parts.port != 0,
)
ORIGIN: Final = matching(
    "an origin such as https://app.example.com",
    r"https?://[^/?#@\s]+/*",
    lambda url: url.rstrip("/"),
)


def _entries(text: str) -> list[str]:
    return [entry.strip() for entry in text.split(",") if entry.strip()]


@parser("origins, comma-separated: `https://app.example.com`, `https://*.example.com`, `myapp://`")
def origin_list(name: str, text: str) -> tuple[str, ...]:
    entries = _entries(text)
    for entry in entries:
        if not re.fullmatch(r"([A-Za-z][A-Za-z0-9+.-]*://)?[^\s/]*(/[^\s?#]*)?", entry):
            raise SettingsError(f"{name}: {entry!r} is not an origin")
        if "*" not in entry and "?" not in entry and "://" not in entry:
            raise SettingsError(f"{name}: {entry!r} lacks its scheme, such as https://")
    return tuple(entries)


@parser("addresses and networks, comma-separated; `unix` for a Unix socket")
def proxy_list(name: str, text: str) -> tuple[Proxy, ...]:
    proxies: list[Proxy] = []
    for entry in _entries(text):
        try:
            proxies.append("unix" if entry == "unix" else ip_network(entry, strict=False))
        except ValueError:
            raise SettingsError(f"{name}: {entry!r} is not an address or network") from None
    return tuple(proxies)


def some_of(*words: str) -> Parser[tuple[Any, ...]]:
    """Words of a list, each once, in the list's order."""
    known = ", ".join(f"`{word}`" for word in words)

    @parser(f"names, comma-separated: {known}")
    def parse(name: str, text: str) -> tuple[Any, ...]:
        entries = _entries(text)
        for entry in entries:
            if entry not in words:
                raise SettingsError(f"{name}: {entry!r} is not known (known: {', '.join(words)})")
        return tuple(word for word in words if word in entries)

    return parse


_PUBLISHED: Final = re.compile(
    "(change|replace)(it|me|this)|(your|my|super|betterauth|gatepost)[a-z]{0,20}secret|"
    "secret(key|value)?here|placeholder|insecure|donotuse|notasecret|opensslrand|xxxxxxxx"
)
"""Better Auth's default secret, and what stands for one in examples; without signs and case."""


def _weakness(secret: str) -> str | None:
    """Why a secret can be guessed, or None."""
    if len(secret) < 32:
        return "must have 32 characters or more"
    if _PUBLISHED.search(re.sub(r"[\W_]", "", secret.lower())):
        return "is a published default or placeholder"
    half = range(1, len(secret) // 2 + 1)
    if any(secret[period:] == secret[:-period] for period in half):
        return "repeats itself"
    # of 32 random decimal digits one in ten million has so few different ones
    steps = sum(abs(ord(a) - ord(b)) <= 1 for a, b in pairwise(secret))
    if len(set(secret)) < 6 or steps > len(secret) * 3 // 4:
        return "is not random"
    return None


@parser("32 random characters or more; several are comma-separated")
def secret_list(name: str, text: str) -> tuple[str, ...]:
    secrets = tuple(secret for secret in text.split(",") if secret)
    for secret in secrets:
        if weakness := _weakness(secret):
            raise SettingsError(
                f"{name}: {'a secret' if len(secrets) > 1 else 'it'} {weakness}; "
                "take the output of: openssl rand -hex 32"
            )
    return secrets
