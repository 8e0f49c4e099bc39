"""Service keys: who calls, and what the key may do.

A key is known by its SHA-256 alone. It comes as ``Authorization: Bearer KEY`` or ``apikey: KEY``.
"""

from hashlib import sha256

from app.rest.errors import RestError
from app.settings import KeyScope, ServiceKey


class Keys:
    """The keys that are valid now; several can be, so that they can be rotated."""

    def __init__(self, keys: tuple[ServiceKey, ...]) -> None:
        self._keys = {key.sha256: key for key in keys}

    def caller(self, authorization: bytes, apikey: bytes) -> ServiceKey:
        """The caller's key, by the values of these headers.

        Raises RestError: 401 without one, or with one that is not known.
        """
        token = apikey
        if authorization:
            scheme, _, given = authorization.decode("latin-1").partition(" ")
            if scheme.lower() == "bearer":
                token = given.strip().encode("latin-1")
        if not token:
            raise RestError(
                401,
                "PGRST302",
                "Anonymous access is disabled",
                None,
                "Send a service key: Authorization: Bearer KEY, or apikey: KEY",
            )
        # looked up by digest: the time tells nothing about the key
        key = self._keys.get(sha256(token).hexdigest())
        if key is None:
            raise RestError(401, "PGRST301", "The service key is not known")
        return key


def require(key: ServiceKey, scope: KeyScope, relation: str) -> None:
    """Raises RestError: 403 when the key lacks the scope."""
    if scope not in key.scopes:
        raise RestError(
            403,
            "42501",
            f"permission denied for table {relation}",
            None,
            f"The key {key.name} lacks the scope {scope}.",
        )
