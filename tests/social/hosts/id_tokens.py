"""ID tokens, by the key of a provider or forged."""

import json
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm


class Signer:
    """The keys of a provider, made when they are first needed."""

    def __init__(self) -> None:
        self._current: _Key | None = None
        self._stranger: _Key | None = None

    def rotate(self) -> None:
        """From now on another key signs, and only that one is published."""
        self._current = None

    @property
    def _key(self) -> "_Key":
        self._current = self._current or _Key()
        return self._current

    def key_set(self) -> dict[str, Any]:
        """The JSON Web Key Set that is published."""
        return {"keys": [self._key.public()]}

    def token(
        self, claims: Mapping[str, Any], *, without: Sequence[str], key: str, secret: str
    ) -> str:
        """An ID token that is good for an hour. ``key``: own, stranger, none, hmac."""
        now = int(time.time())
        content = {"iat": now, "exp": now + 3600, **claims}
        content = {name: value for name, value in content.items() if name not in without}
        kid = self._key.id
        if key == "none":
            head = _part(b'{"alg":"none","kid":"%s"}' % kid.encode())
            return f"{head}.{_part(json.dumps(content).encode())}."
        if key == "hmac":
            return jwt.encode(content, secret.ljust(32), "HS256", {"kid": kid})
        signing = self._key
        if key == "stranger":
            signing = self._stranger = self._stranger or _Key()
        return jwt.encode(content, signing.private, "RS256", {"kid": kid})


class _Key:
    def __init__(self) -> None:
        self.id = secrets.token_urlsafe(8)
        self.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def public(self) -> dict[str, Any]:
        key = RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        return {**key, "kid": self.id, "use": "sig", "alg": "RS256"}


def _part(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
