"""What stands for a mail address where the address itself must not: in keys of limits, in the log.

A plain hash of an address can be found by trying addresses; this one is keyed by the first secret.
"""

import hmac
from typing import Final

from .keys import derived_key

_LENGTH: Final = 16
"""Bytes that are kept."""


class Pseudonyms:
    """Keyed hashes of mail addresses, alike for one address as long as the secret stays."""

    def __init__(self, secret: str, purpose: str = "pseudonyms") -> None:
        """``purpose``: those of another cannot be told to stand for the same address."""
        self._key = derived_key(secret, purpose)

    def of(self, email: str, *more: str) -> str:
        """32 hexadecimal digits for an address in lower case, and what is tried of it."""
        text = "\0".join((email, *more)).encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, text, "sha256")[:_LENGTH].hex()
