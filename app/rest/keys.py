"""Service keys: who calls, and what the key may do.

A key comes as ``Authorization: Bearer KEY`` or ``apikey: KEY``. The service knows only the SHA-256
of each.
"""

import logging
from hashlib import sha256
from typing import Final

from ..errors import RestError, SettingsError
from ..settings import KeyScope, ServiceKey, Settings, keys_in_file
from .errors import not_permitted

_log: Final = logging.getLogger("gatepost")


class ServiceKeys:
    """The keys that are valid now; several can be, so that they can be rotated."""

    def __init__(self, settings: Settings) -> None:
        """Raises SettingsError when the file of keys cannot be used."""
        self._settings = settings
        self._keys = self._read()

    def __len__(self) -> int:
        return len(self._keys)

    def reload(self) -> bool:
        """Read the file of keys again; False when it cannot be used and the old keys stay."""
        try:
            self._keys = self._read()
        except SettingsError as error:
            _log.error("the service keys stay as they were: %s", error)
            return False
        names = ", ".join(key.name for key in self._keys.values())
        _log.info("the service keys were read again: %s", names)
        return True

    def _read(self) -> dict[str, ServiceKey]:
        keys, path = self._settings.service_keys, self._settings.service_keys_file
        if path is not None:
            more = keys_in_file(path)
            if twice := {key.name for key in keys} & {key.name for key in more}:
                raise SettingsError(f"GATEPOST_SERVICE_KEYS has {', '.join(sorted(twice))} as well")
            keys += more
        return {key.sha256: key for key in keys}

    def knows(self, key: str) -> bool:
        """Whether it is a key, whatever it may do."""
        return sha256(key.encode()).hexdigest() in self._keys

    def authenticate(self, headers: list[tuple[bytes, bytes]]) -> ServiceKey:
        """Raises RestError: 401 without a key, or with one that is not known."""
        first = dict(reversed(headers))  # of several headers with one name
        token = first.get(b"apikey", b"")
        scheme, _, credentials = first.get(b"authorization", b"").partition(b" ")
        if scheme.lower() == b"bearer":
            token = credentials.strip()
        if not token:
            raise RestError(
                401,
                "PGRST302",
                "Anonymous access is disabled",
                None,
                "Send a service key: Authorization: Bearer KEY, or apikey: KEY",
            )
        # looked up by digest, so that the time it takes tells nothing about the key
        key = self._keys.get(sha256(token).hexdigest())
        if key is None:
            raise RestError(401, "PGRST301", "The service key is not known")
        return key


def require(key: ServiceKey, scope: KeyScope, relation: str) -> None:
    """Raises RestError 403 when the key lacks the scope."""
    if scope not in key.scopes:
        raise not_permitted("table", relation, f"The key {key.name} lacks the scope {scope}.")
