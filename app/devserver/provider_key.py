"""The key of the local provider, and the tokens that it signs. It is made when it is first used."""

import time
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from jwt.algorithms import RSAAlgorithm


@dataclass(frozen=True)
class SigningKey:
    issuer: str

    @cached_property
    def _key(self) -> RSAPrivateKey:
        return generate_private_key(public_exponent=65537, key_size=2048)

    def jwks(self) -> dict[str, Any]:
        """The public part, as a JSON Web Key Set."""
        key = RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return {"keys": [key | {"kid": "local", "use": "sig", "alg": "RS256"}]}

    def signed(self, claims: dict[str, Any], audience: str, lifetime: int) -> str:
        """A token; ``lifetime`` in seconds."""
        now = int(time.time())
        more = {"iss": self.issuer, "aud": audience, "iat": now, "exp": now + lifetime}
        return jwt.encode(claims | more, self._key, "RS256", headers={"kid": "local"})

    def opened(self, token: str, audience: str) -> dict[str, Any] | None:
        """The claims of such a token; None when it is not good."""
        public = self._key.public_key()
        try:
            return jwt.decode(token, public, ["RS256"], audience=audience, issuer=self.issuer)
        except jwt.InvalidTokenError:
            return None
