"""XChaCha20-Poly1305 as Better Auth encrypts: hex of nonce, ciphertext and tag.

The key is the SHA-256 of a text: the secret, or one that is derived from it for one purpose.
Source: draft-irtf-cfrg-xchacha-03, and Better Auth 1.7, observed.
"""

import re
import secrets as random
import struct
from collections.abc import Sequence
from hashlib import sha256
from typing import Final, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

Purpose = Literal["oauth-state-cookie", "oauth-link-session-token"]

_NONCE: Final = 24
_TAG: Final = 16
_CONSTANTS: Final = struct.unpack("<4I", b"expand 32-byte k")


def encrypt(secret: str, text: str, purpose: Purpose | None = None) -> str:
    """``text`` as lower-case hex, 80 characters longer than twice its bytes."""
    nonce = random.token_bytes(_NONCE)
    sealed = _cipher(_key_text(secret, purpose), nonce).encrypt(_rest(nonce), text.encode(), None)
    return (nonce + sealed).hex()


def decrypt(secrets: Sequence[str], sealed: str, purpose: Purpose | None = None) -> str | None:
    """The text, with whichever secret fits; None when none does."""
    # with several secrets Better Auth says which one: $ba$VERSION$
    data = re.sub(r"^\$ba\$[0-9]+\$", "", sealed)
    if not _is_hex(data):
        return None
    raw = bytes.fromhex(data)
    nonce, body = raw[:_NONCE], raw[_NONCE:]
    if len(body) < _TAG:
        return None
    for secret in secrets:
        try:
            return (
                _cipher(_key_text(secret, purpose), nonce)
                .decrypt(_rest(nonce), body, None)
                .decode()
            )
        except (InvalidTag, UnicodeDecodeError):
            continue
    return None


def is_encrypted(text: str) -> bool:
    """Whether it has the form of what ``encrypt`` gives, here or at a Better Auth server."""
    return text.startswith("$ba$") or (len(text) >= 2 * (_NONCE + _TAG) and _is_hex(text))


def _key_text(secret: str, purpose: Purpose | None) -> str:
    """The secret itself, or what stands in for it where a purpose has a key of its own."""
    if purpose is None:
        return secret
    salt, info = b"better-auth:oauth-encryption:v1", f"better-auth:{purpose}:v1".encode()
    return HKDF(hashes.SHA256(), 32, salt, info).derive(secret.encode()).hex()


def _is_hex(text: str) -> bool:
    return len(text) % 2 == 0 and re.fullmatch(r"[0-9A-Fa-f]+", text) is not None


def _cipher(secret: str, nonce: bytes) -> ChaCha20Poly1305:
    return ChaCha20Poly1305(_subkey(sha256(secret.encode()).digest(), nonce[:16]))


def _rest(nonce: bytes) -> bytes:
    return bytes(4) + nonce[16:]


def _subkey(key: bytes, nonce: bytes) -> bytes:
    """HChaCha20: ChaCha20's block without the addition of its input at the end, taken off again."""
    block = Cipher(algorithms.ChaCha20(key, nonce), None).encryptor().update(bytes(64))
    words = struct.unpack("<16I", block)
    added = _CONSTANTS + struct.unpack("<4I", nonce)
    return struct.pack(
        "<8I", *(a - b & 0xFFFFFFFF for a, b in zip(words[:4] + words[12:], added, strict=True))
    )
