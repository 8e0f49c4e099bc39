"""The keys that sign: which one, how it is made, kept and published.

A private key is a JSON Web Key, encrypted, and the hex text once more in quotes as JSON, which is
how a Better Auth server on the same tables reads it. Source: Better Auth 1.7, observed.
"""

import asyncio
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, get_args
from uuid import UUID

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt import PyJWK, PyJWTError
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from ....database import Database, Transaction
from ....errors import AuthError
from ....schema import Jwk
from ....settings import JwtAlgorithm, JwtSettings
from ....statements import jwks
from ... import cipher
from ...context import utc_now

_LIMIT: Final = 100
"""Keys that are looked at: the newest."""
_LOCK: Final = 0x6761_7465_6A77_6B73
"""The advisory lock of who makes a key."""
_RSA_BITS: Final = 2048

_log = logging.getLogger("gatepost.auth")


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key that can sign now."""

    id: UUID
    alg: str
    private: PyJWK


class SigningKeys:
    """The keys in the database. Nothing is kept but what decrypting a row gave."""

    def __init__(self, database: Database, secrets: Sequence[str], settings: JwtSettings) -> None:
        self._database = database
        self._secrets = secrets
        self._settings = settings
        self._decrypted: dict[UUID, SigningKey] = {}

    async def current(self) -> SigningKey:
        """The newest live key, of the algorithm that is set if there is one; else a new one.

        Raises AuthError 503 when it cannot be decrypted, and DatabaseError.
        """
        rows = await self._database.fetch(jwks.every, _LIMIT)
        row = self.chosen(rows, utc_now()) or await self.create()
        found = self._decrypted.get(row.id)
        if found is None:
            if len(self._decrypted) >= _LIMIT:
                self._decrypted.clear()
            found = self._decrypted[row.id] = self._decrypt(row)
        return found

    async def published(self) -> list[dict[str, Any]]:
        """The public keys of tokens that may be in use, as JSON Web Keys."""
        rows = await self._database.fetch(jwks.every, _LIMIT)
        if not rows:
            rows = [await self.create()]
        oldest = utc_now() - timedelta(seconds=self._settings.grace)
        live = [row for row in rows if row.expires_at is None or row.expires_at > oldest]
        return [key for row in live if (key := self._public(row)) is not None]

    async def create(self, *, rotate: bool = False) -> Jwk:
        """A new key; of several processes that find none, one makes it, and the others take it.

        ``rotate``: also when there is one.
        """
        settings = self._settings
        public, private = await asyncio.to_thread(_new_pair, settings.algorithm)
        sealed = json.dumps(cipher.encrypt(self._secrets[0], _json(private)))
        every = settings.rotate_every

        async def write(transaction: Transaction) -> Jwk:
            await transaction.fetch(jwks.lock, _LOCK)
            there = self.chosen(await transaction.fetch(jwks.every, _LIMIT), utc_now())
            if there is not None and not rotate:
                return there
            expires_at = utc_now() + timedelta(seconds=every) if every else None
            alg, curve = settings.algorithm, public.get("crv")
            made = await transaction.fetchrow(
                jwks.create, _json(public), sealed, alg, curve, expires_at
            )
            if made is None:
                raise LookupError("an INSERT gives its row")
            return made

        return await self._database.transaction("jwks.create", write)

    def chosen(self, rows: Sequence[Jwk], now: datetime) -> Jwk | None:
        """Which of the rows, the newest first, signs."""
        live = [row for row in rows if row.expires_at is None or row.expires_at > now]
        wanted = [
            row for row in live if (row.alg or self._settings.algorithm) == self._settings.algorithm
        ]
        return next(iter(wanted or live), None)

    def _decrypt(self, row: Jwk) -> SigningKey:
        alg = row.alg or self._settings.algorithm
        try:
            text = json.loads(row.private_key)
            if isinstance(text, str):  # else it is a key in plain, of a server that encrypts none
                text = json.loads(cipher.decrypt(self._secrets, text) or "null")
            if alg not in get_args(JwtAlgorithm):  # HS256 among them: its key would be published
                raise ValueError(alg)
            private = PyJWK(text, alg)
            jwt.encode({}, private.key, alg)  # a public half, or a key of another algorithm
            return SigningKey(row.id, alg, private)
        except (PyJWTError, UnsupportedAlgorithm, ValueError, TypeError, AttributeError):
            _log.error(
                "the signing key %s cannot be used: add the secret that made it to "
                "GATEPOST_SECRET as a second one, or run: gatepost jwks retire %s",
                row.id,
                row.id,
            )
            raise AuthError(503, "SIGNING_KEY_UNREADABLE") from None

    def _public(self, row: Jwk) -> dict[str, Any] | None:
        """None for a row that another server wrote and nobody can read."""
        alg = row.alg or self._settings.algorithm
        try:
            return {"alg": alg, **json.loads(row.public_key), "kid": str(row.id)}
        except (ValueError, TypeError):
            _log.error("the public key %s is no JSON Web Key: it is not published", row.id)
            return None


def _new_pair(algorithm: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A public and a private JSON Web Key."""
    to_jwk: Any
    match algorithm:
        case "EdDSA":
            to_jwk, key = OKPAlgorithm.to_jwk, ed25519.Ed25519PrivateKey.generate()
        case "ES256":
            to_jwk, key = ECAlgorithm.to_jwk, ec.generate_private_key(ec.SECP256R1())
        case "ES512":
            to_jwk, key = ECAlgorithm.to_jwk, ec.generate_private_key(ec.SECP521R1())
        case _:
            to_jwk, key = RSAAlgorithm.to_jwk, rsa.generate_private_key(65537, _RSA_BITS)
    public, private = (to_jwk(half, as_dict=True) for half in (key.public_key(), key))
    for half in (public, private):
        half.pop("key_ops", None)
    return public, private


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"))
