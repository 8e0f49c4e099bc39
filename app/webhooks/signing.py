"""Signatures as Standard Webhooks has them, and the secrets that make them.

Source: github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md.
"""

import base64
import hmac
import secrets as random
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from ..auth import cipher
from ..auth.keys import derived_key

PREFIX: Final = "whsec_"
_BYTES: Final = 32
_PURPOSE: Final = "webhooks"


def new_secret() -> str:
    """A secret as a receiver gets it: the prefix, and 32 random bytes in base64."""
    return PREFIX + base64.b64encode(random.token_bytes(_BYTES)).decode()


def headers(secrets: Sequence[str], message_id: str, time: datetime, body: bytes) -> dict[str, str]:
    """The headers of a message that each of the secrets signs."""
    timestamp = str(int(time.timestamp()))
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{_signature(secret, signed)}" for secret in secrets),
    }


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    return base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


class Vault:
    """How the secrets of webhooks are kept: encrypted, with a key of their own."""

    def __init__(self, secrets: Sequence[str]) -> None:
        """``secrets``: those of the service; the first encrypts."""
        self._keys = [derived_key(secret, _PURPOSE).hex() for secret in secrets]
        self._opened: dict[str, str | None] = {}

    def seal(self, secret: str) -> str:
        return cipher.encrypt(self._keys[0], secret)

    def open(self, sealed: str) -> str | None:
        """The secret; None when it was encrypted with a secret of the service that is unknown."""
        if sealed not in self._opened:
            if len(self._opened) > 1000:  # of webhooks that are no more
                self._opened.clear()
            self._opened[sealed] = cipher.decrypt(self._keys, sealed)
        return self._opened[sealed]
