"""A key for each purpose, derived from the secret by HKDF (RFC 5869) with SHA-256.

The secret itself signs what a Better Auth server has to verify: cookies, and mail tokens where
there is such a server.
"""

import hmac
from typing import Final

_SALT: Final = b"gatepost"


def derived_key(secret: str, purpose: str) -> bytes:
    """32 bytes, of which nothing follows about the secret or the key of another purpose."""
    extracted = hmac.digest(_SALT, secret.encode(), "sha256")
    return hmac.digest(extracted, purpose.encode() + b"\x01", "sha256")
