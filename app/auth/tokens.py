"""Tokens that are sent by mail: random texts and JSON Web Tokens.

A JWT here is HS256 over the header ``{"alg":"HS256"}`` with the claims email, userId, updateTo,
requestType, jti, iat and exp. Where no Better Auth server reads it, it has a key and a type of its
own.
"""

import secrets
import string
import time
from collections.abc import Sequence
from typing import Any, Final

import jwt
import msgspec

from ..errors import AuthError
from .keys import derived_key

_LETTERS: Final = string.ascii_letters + string.digits
_LOWER: Final = string.digits + string.ascii_lowercase
_OWN_TYPE: Final = "gatepost-mail+jwt"


def reset_token() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(24))


def deletion_token() -> str:
    return "".join(secrets.choice(_LOWER) for _ in range(32))


class _Claims(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """What a mail token says. Any other JWT of the same key says something else."""

    email: str
    exp: int
    iat: int | None = None
    user_id: str | None = None
    update_to: str | None = None
    request_type: str | None = None
    jti: str | None = None


class MailTokens:
    """Signs with the first secret and verifies with any. Lifetimes are seconds.

    ``own_key``: with keys that are derived from the secrets, which no Better Auth server knows.
    """

    def __init__(self, secrets: Sequence[str], *, own_key: bool = False) -> None:
        self._keys = [derived_key(s, "mail token") if own_key else s.encode() for s in secrets]
        self._type = _OWN_TYPE if own_key else None
        self._types = (_OWN_TYPE,) if own_key else (None, "JWT")

    def sign(self, claims: dict[str, str], lifetime: int) -> str:
        now = int(time.time())
        payload = claims | {"iat": now, "exp": now + lifetime}
        return jwt.encode(payload, self._keys[0], "HS256", headers={"typ": self._type})

    def read(self, token: str) -> dict[str, Any]:
        """The claims. Raises AuthError 401: TOKEN_EXPIRED or INVALID_TOKEN."""
        for key in self._keys:
            try:
                found = jwt.decode_complete(token, key, ["HS256"], options={"verify_iat": False})
                header: dict[str, Any] = found["header"]
                if header.get("typ") not in self._types or not header.keys() <= {"alg", "typ"}:
                    break
                msgspec.convert(found["payload"], _Claims)
                return found["payload"]
            except jwt.ExpiredSignatureError:
                raise AuthError(401, "TOKEN_EXPIRED") from None
            except jwt.InvalidSignatureError:
                continue
            except (jwt.InvalidTokenError, msgspec.ValidationError, ValueError):
                break
        raise AuthError(401, "INVALID_TOKEN")
