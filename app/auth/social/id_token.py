"""ID tokens verified (OpenID Connect Core §3.1.3.7), with keys that are fetched and kept."""

import hmac
import time
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final

import jwt
from jwt import PyJWK

from ...outgoing.client import Caller, OutgoingError
from .profiles import checked
from .provider import IdTokenRules, RawProfile, UserInfoError
from .shared import Shared

LEEWAY: Final = 30
"""Seconds that two clocks may differ."""
REFETCH: Final = 30
"""Seconds after which an unknown key is asked for again."""
KEPT: Final = 3600
"""Seconds after which keys are fetched again, so that one which was withdrawn is forgotten."""
_MAX_TOKEN: Final = 65_536
_MAX_KEYS: Final = 100
_TYPES: Final = ("RSA", "EC", "OKP")
_PUBLIC: Final = ("kty", "kid", "alg", "n", "e", "crv", "x", "y")
"""What is read of a key. To find the primes of a private one would take minutes."""
_REQUIRED: Final = ["iss", "sub", "aud", "exp", "iat"]
ALGORITHMS: Final = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
)  # fmt: skip
"""Those that can be allowed: with a public key, which nobody who verifies can sign with."""


class BadIdTokenError(Exception):
    """An ID token is not good. The text says why, without the token."""


class IdTokens:
    """The ID tokens of one provider."""

    def __init__(self, rules: IdTokenRules, client_ids: Sequence[str], caller: Caller) -> None:
        self.rules = rules
        self._client_ids = tuple(client_ids)
        self.caller = caller
        self._keys = Shared(self._fetch_keys)

    async def verify(
        self, token: str, *, nonce: str | None = None, from_client: bool = False
    ) -> RawProfile:
        """The claims of a good token. ``nonce`` None: it is not looked at; ``from_client``: one
        sent it. Raises BadIdTokenError, and OutgoingError when the keys cannot be had."""
        algorithm, key = await self._key(token)
        rules = self.rules
        try:
            claims = jwt.decode(
                token,
                PyJWK(key, algorithm),
                algorithms=[algorithm],
                audience=[*self._client_ids, *rules.audiences],
                leeway=LEEWAY,
                options={
                    "require": _REQUIRED,
                    "verify_iss": False,  # below: an issuer may be by its tenant
                    "enforce_minimum_key_length": True,
                },
            )
            self._check(claims, nonce, from_client=from_client)
            return checked(claims)
        except (jwt.PyJWTError, UserInfoError) as error:
            raise BadIdTokenError(_reason(error)) from None
        except (ValueError, TypeError, ArithmeticError, RecursionError) as error:
            raise BadIdTokenError(f"malformed: {type(error).__name__}") from None

    def _check(self, claims: dict[str, Any], nonce: str | None, *, from_client: bool) -> None:
        rules = self.rules
        if rules.issuers and claims["iss"] not in rules.issuers:
            raise BadIdTokenError("another issuer")
        if rules.accepts is not None and not rules.accepts(claims):
            raise BadIdTokenError("another tenant, issuer or domain")
        audience = claims["aud"]
        several = isinstance(audience, list) and len(audience) > 1
        if several and claims.get("azp") not in self._client_ids:
            raise BadIdTokenError("for several audiences, and another was authorized")
        issued_at = claims["iat"]
        if not isinstance(issued_at, int | float) or issued_at > time.time() + LEEWAY:
            raise BadIdTokenError("issued in the future")
        if from_client and rules.max_age and issued_at < time.time() - rules.max_age - LEEWAY:
            raise BadIdTokenError("issued too long ago")
        if nonce is not None and not self._is_nonce(claims.get("nonce"), nonce):
            raise BadIdTokenError("another nonce")

    def _is_nonce(self, found: Any, nonce: str) -> bool:
        good = [nonce]
        if self.rules.hashed_nonce:
            good.append(sha256(nonce.encode(errors="replace")).hexdigest())
        return isinstance(found, str) and any(
            hmac.compare_digest(found.encode(errors="replace"), each.encode(errors="replace"))
            for each in good
        )

    async def _key(self, token: str) -> tuple[str, dict[str, Any]]:
        """The algorithm that a token names, and the key that fits."""
        if len(token) > _MAX_TOKEN:
            raise BadIdTokenError("longer than 64 KiB")
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise BadIdTokenError("not a JSON Web Token") from None
        algorithm, kid = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or algorithm not in self.rules.algorithms:
            raise BadIdTokenError("signed with another algorithm")
        now = time.monotonic()
        if self._keys.value is not None and now - self._keys.fetched_at < KEPT:
            if found := _fitting(self._keys.value, algorithm, kid):
                return algorithm, found
            if now - self._keys.tried_at < REFETCH:
                raise BadIdTokenError("signed with a key that is not known")
        if found := _fitting(await self._keys.fetch(), algorithm, kid):
            return algorithm, found
        raise BadIdTokenError("signed with a key that is not known")

    async def _fetch_keys(self) -> list[dict[str, Any]]:
        answer = await self.caller.ask(self.rules.jwks_url)
        if not answer.is_success:
            raise OutgoingError(f"its keys: HTTP {answer.status}")
        found = answer.json()
        keys = found.get("keys") if isinstance(found, dict) else None
        if not isinstance(keys, list):
            raise OutgoingError("its keys are not a JSON Web Key Set")
        return [
            {name: key[name] for name in _PUBLIC if name in key}
            for key in keys[:_MAX_KEYS]
            if isinstance(key, dict) and key.get("kty") in _TYPES and key.get("use", "sig") == "sig"
        ]


def _fitting(keys: list[dict[str, Any]], algorithm: str, kid: str | None) -> dict[str, Any] | None:
    """The key of that name; without a name the only one that the algorithm leaves."""
    fitting = [key for key in keys if key.get("alg", algorithm) == algorithm]
    if kid is None:
        return fitting[0] if len(fitting) == 1 else None
    return next((key for key in fitting if key.get("kid") == kid), None)


_REASONS: Final = {
    jwt.ExpiredSignatureError: "expired",
    jwt.ImmatureSignatureError: "not good yet",
    jwt.InvalidAudienceError: "for another audience",
    jwt.InvalidSignatureError: "the signature is wrong",
    jwt.MissingRequiredClaimError: "a claim is missing",
}


def _reason(error: Exception) -> str:
    return _REASONS.get(type(error), f"malformed: {type(error).__name__}")


def is_jwt(token: str) -> bool:
    """Whether a token has the form of one, and not that of an access token."""
    try:
        return bool(jwt.get_unverified_header(token))
    except (jwt.PyJWTError, ValueError, RecursionError):
        return False


def unverified(token: str) -> RawProfile:
    """The claims of a token that was verified when it was stored. Raises BadIdTokenError."""
    try:
        return checked(jwt.decode(token, options={"verify_signature": False}))
    except (jwt.PyJWTError, UserInfoError, ValueError, TypeError, RecursionError):
        raise BadIdTokenError("not a JSON Web Token") from None
