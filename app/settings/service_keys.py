"""The keys of trusted backends."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, cast, get_args

from ..errors import SettingsError
from .environment import parser

KeyScope = Literal["read", "write", "secrets"]
SCOPES: Final[frozenset[KeyScope]] = frozenset(get_args(KeyScope))


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


SERVICE_KEYS: Final = parser(
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
