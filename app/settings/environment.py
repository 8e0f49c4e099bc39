"""Dataclass fields that are read from environment variables, and parsers of their values.

A bad value raises SettingsError: one line with the name of the setting, what is allowed and,
unless it may hold a secret, the value.
"""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from decimal import Decimal
from fnmatch import fnmatchcase
from ipaddress import IPv4Network, IPv6Network, ip_network
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Generic, Literal, TypeVar, get_args, get_type_hints
from urllib.parse import SplitResult, parse_qs, urlsplit

from ..errors import SettingsError

Proxy = IPv4Network | IPv6Network | Literal["unix"]
T = TypeVar("T")
DAY: Final = 24 * 3600
MAX_AGE: Final = 400 * DAY  # what browsers keep a cookie for


@dataclass(frozen=True)
class Parser(Generic[T]):
    """The form of a value in words, what makes the value of a setting's name and text, and how
    the documentation writes a value."""

    form: str
    parse: Callable[[str, str], T]
    write: Callable[[Any], str] = str


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


def held(cls: Any) -> dict[str, Any]:
    """The classes of further settings that a class's fields hold, by field."""
    hints = get_type_hints(cls)
    return {
        item.name: type_
        for item in fields(cls)
        if "setting" not in item.metadata
        for type_ in (hints[item.name], *get_args(hints[item.name]))
        if is_dataclass(type_)
    }


def groups(cls: Any) -> list[Any]:
    """A class of settings, and those that it holds."""
    return [cls, *(group for type_ in held(cls).values() for group in groups(type_))]


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


def quoted(text: str) -> str:
    """A value as an error shows it: on one line, and never long."""
    return repr(text if len(text) <= 40 else f"{text[:40]}…")


def matching(
    form: str,
    pattern: str,
    convert: Callable[[str], T],
    accept: Callable[[T], bool] | None = None,
    *,
    secret: bool = False,
) -> Parser[T]:
    """A text that matches the pattern and whose value is acceptable; errors quote no secret."""

    @parser(form)
    def parse(name: str, text: str) -> T:
        if re.fullmatch(pattern, text):
            value = convert(text)
            if accept is None or accept(value):
                return value
        raise SettingsError(f"{name} must be {form}" + ("" if secret else f", not {quoted(text)}"))

    return parse


def text(form: str, pattern: str = r"[^\x00-\x1f\x7f]*") -> Parser[str]:
    return matching(form, pattern, str)


def one_of(*words: str) -> Parser[Any]:
    return matching(f"one of {', '.join(words)}", "|".join(words), str)


def integer(low: int, high: int) -> Parser[int]:
    form = f"a whole number from {low} to {high}"
    return matching(form, "[0-9]{1,12}", int, lambda number: low <= number <= high)


_UNITS: Final = {"d": 86_400, "h": 3600, "m": 60, "s": 1, "ms": Decimal("0.001")}
_AMOUNT: Final = r"[0-9]{1,8}(?:\.[0-9]{1,6})?"
_DURATION: Final = (
    # each unit once, the greatest first; or seconds without one
    f"(?=.*[a-z]){''.join(f'(?:{_AMOUNT}{unit}(?![a-z]))?' for unit in _UNITS)}|{_AMOUNT}"
)


def _seconds(text: str) -> Decimal:
    parts = re.findall(rf"({_AMOUNT})([a-z]*)", text)
    return sum((Decimal(amount) * _UNITS[unit or "s"] for amount, unit in parts), Decimal(0))


def in_units(seconds: float) -> str:
    """A duration as people write it: 604800 is 7d, 0.5 is 500ms."""
    for unit, size in _UNITS.items():
        amount = Decimal(str(seconds)) / size
        if amount >= 1 and amount == int(amount):
            return f"{int(amount)}{unit}"
    return f"{seconds:g}"


def _duration(
    form: str, accept: Callable[[Decimal], bool], convert: Callable[[Decimal], T]
) -> Parser[T]:
    seconds = matching(form, _DURATION, _seconds, accept)
    return Parser(form, lambda name, text: convert(seconds.parse(name, text)), in_units)


def duration(low: int, high: int) -> Parser[int]:
    """A duration in whole seconds."""
    return _duration(
        f"a duration from {in_units(low)} to {in_units(high)} (7d, 1h30m, or seconds)",
        lambda seconds: low <= seconds <= high and seconds == int(seconds),
        int,
    )


TIMEOUT: Final = _duration(
    "a duration above 0, below 1000000s (15s, 500ms, or seconds)",
    lambda seconds: 0 < seconds < 1_000_000,
    float,
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
_OPTIONS: Final = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "target_session_attrs": (
        "any",
        "primary",
        "standby",
        "prefer-standby",
        "read-write",
        "read-only",
    ),
}
"""The options of libpq's that the service depends on."""
_POSTGRES: Final = url(
    "a PostgreSQL address (postgres://user:password@host/database; "
    "signs in a password are percent-encoded)",
    lambda parts: (
        parts.scheme in ("postgres", "postgresql")
        and re.fullmatch(f"{_HOST}(,{_HOST})*", parts.netloc.rpartition("@")[2])
    ),
)


@parser(_POSTGRES.form)
def postgres_url(name: str, text: str) -> str:
    parts = urlsplit(_POSTGRES.parse(name, text))
    options = parse_qs(parts.query)
    hosts = parts.netloc.rpartition("@")[2]
    if "@" in parts.path:  # the rest of a password that is not percent-encoded
        raise SettingsError(f"{name} is not {_POSTGRES.form}")
    if any(not 0 < int(port) < 65536 for port in re.findall(r":([0-9]+)(?=,|$)", hosts)):
        raise SettingsError(f"{name}: a port must be a number from 1 to 65535")
    for option, words in _OPTIONS.items():
        if options.get(option, words[:1])[-1] not in words:
            raise SettingsError(f"{name}: {option} must be one of {', '.join(words)}")
    return text


SMTP_URL: Final = url(
    "a mail server (smtp://user:password@host:587)",
    lambda parts: parts.scheme in ("smtp", "smtps") and parts.hostname and parts.port != 0,
)
ORIGIN: Final = matching(
    "an origin such as https://app.example.com",
    r"https?://[^/?#@\s]+/*",
    lambda url: url.rstrip("/"),
    secret=True,  # a user and a password before the host
)


def _entries(text: str) -> list[str]:
    return [entry.strip() for entry in text.split(",") if entry.strip()]


def _check_wildcards(name: str, entry: str) -> None:
    """Refuse an entry for the web that a stranger's host can match: ``*`` crosses dots.

    One of digits, such as ``10.0.0.*``, matches IPv4 addresses alone.
    """
    scheme, separator, rest = entry.rpartition("://")
    host = rest.partition("/")[0].partition(":")[0]
    if separator and not any(fnmatchcase(each, scheme.lower()) for each in ("http", "https")):
        return
    if re.fullmatch(r"[.*?]*[*?][.*?]*", host):
        raise SettingsError(
            f"{name}: {entry!r} trusts every site there is: name yours, such as "
            "https://app.example.com or https://*.example.com"
        )
    *wild, end = re.split(r"[*?]", host.rstrip("."))
    ends_in_a_domain = end.startswith(".") or end.count(".") > 1
    if wild and not ends_in_a_domain and re.search(r"[^0-9.*?]", host):
        raise SettingsError(
            f"{name}: {entry!r} trusts hosts of strangers too: after * and ? comes the domain that "
            "is yours, as in https://*.example.com; for any port https://example.com:*"
        )


@parser("origins, comma-separated: `https://app.example.com`, `https://*.example.com`, `myapp://`")
def origin_list(name: str, text: str) -> tuple[str, ...]:
    entries = _entries(text)
    for entry in entries:
        if "@" in entry:
            raise SettingsError(f"{name}: an origin has no user and no password")
        if not re.fullmatch(r"([A-Za-z][A-Za-z0-9+.-]*://)?[^\s/]*(/[^\s?#]*)?", entry):
            raise SettingsError(f"{name}: {entry!r} is not an origin")
        if "*" not in entry and "?" not in entry and "://" not in entry:
            raise SettingsError(f"{name}: {entry!r} lacks its scheme, such as https://")
        _check_wildcards(name, entry)
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


@parser("folders, comma-separated")
def folder_list(name: str, text: str) -> tuple[Path, ...]:
    folders = tuple(Path(entry).resolve() for entry in _entries(text))
    for folder in folders:
        if not folder.is_dir():
            raise SettingsError(f"{name}: {folder} is no folder")
    return folders


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


@parser("texts, comma-separated")
def texts(_: str, text: str) -> tuple[str, ...]:
    return tuple(_entries(text))


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
