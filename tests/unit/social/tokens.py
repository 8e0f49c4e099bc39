"""Keys of a provider, and the ID tokens that it signs with them."""

import json
import time
import warnings
from dataclasses import dataclass, field
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from jwt.warnings import InsecureKeyLengthWarning

CLIENT_ID: Final = "client"
NONCE: Final = "nonce-of-ours"


@dataclass(frozen=True)
class SigningKey:
    kid: str
    algorithm: str = "RS256"
    bits: int = 2048
    private: Any = field(init=False)

    def __post_init__(self) -> None:
        if self.algorithm.startswith("ES"):
            key: Any = ec.generate_private_key(ec.SECP256R1())
        else:
            key = rsa.generate_private_key(65537, self.bits)
        object.__setattr__(self, "private", key)

    @property
    def public(self) -> dict[str, Any]:
        """As a JSON Web Key."""
        kind = ECAlgorithm if self.algorithm.startswith("ES") else RSAAlgorithm
        found = json.loads(kind.to_jwk(self.private.public_key()))
        return {**found, "kid": self.kid, "use": "sig"}

    def sign(self, claims: dict[str, Any], **headers: Any) -> str:
        found = {name: value for name, value in claims.items() if value is not None}
        algorithm = headers.pop("alg", self.algorithm)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InsecureKeyLengthWarning)
            return jwt.PyJWS().encode(  # as jwt.encode, which refuses claims of a wrong type
                json.dumps(found).encode(),
                self.private,
                algorithm,
                headers={"kid": self.kid, **headers},
            )


def claims(issuer: str, **changed: Any) -> dict[str, Any]:
    """Good claims, some of them changed; None leaves one out."""
    now = int(time.time())
    return {
        "iss": issuer,
        "sub": "subject",
        "aud": CLIENT_ID,
        "exp": now + 300,
        "iat": now,
        "nonce": NONCE,
        "email": "Ann@Example.com",
        "email_verified": True,
        "name": "Ann",
        **changed,
    }
