"""Tokens that are sent by mail: random texts and JSON Web Tokens.

A JWT here is HS256 over the header ``{"alg":"HS256"}`` with the claims email, userId, updateTo,
requestType, iat and exp.
"""

import secrets
import string
import time
from collections.abc import Sequence
from typing import Any, Final

import jwt

from app.errors import AuthError

_LETTERS: Final = string.ascii_letters + string.digits
_LOWER: Final = string.digits + string.ascii_lowercase


def reset_token() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(24))


def deletion_token() -> str:
    return "".join(secrets.choice(_LOWER) for _ in range(32))


class MailTokens:
    """Signs with the first secret and verifies with any. Lifetimes are seconds."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._secrets = secrets

    def sign(self, claims: dict[str, str], lifetime: int) -> str:
        now = int(time.time())
        payload = claims | {"iat": now, "exp": now + lifetime}
        return jwt.encode(payload, self._secrets[0], "HS256", headers={"typ": None})

    def read(self, token: str) -> dict[str, Any]:
        """The claims. Raises AuthError 401: TOKEN_EXPIRED or INVALID_TOKEN."""
        for secret in self._secrets:
            try:
                claims = jwt.decode(token, secret, ["HS256"], options={"verify_iat": False})
            except jwt.ExpiredSignatureError:
                raise AuthError(401, "TOKEN_EXPIRED") from None
            except jwt.InvalidSignatureError:
                continue
            except (jwt.InvalidTokenError, ValueError):
                break
            texts = ("email", "userId", "updateTo", "requestType")
            if isinstance(claims.get("email"), str) and all(
                isinstance(claims.get(name, ""), str) for name in texts
            ):
                return claims
            break
        raise AuthError(401, "INVALID_TOKEN")
