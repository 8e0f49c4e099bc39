"""The settings of the jwt plugin."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from ..errors import SettingsError
from .environment import BOOLEAN, DAY, MAX_AGE, duration, one_of, parser, read, setting, text, texts

JwtAlgorithm = Literal["EdDSA", "ES256", "ES512", "RS256", "PS256"]
_OWN_CLAIMS: Final = ("aud", "exp", "iat", "iss", "jti", "nbf")


@dataclass(frozen=True, slots=True)
class Claim:
    """What a token says: a constant, or a field of its user."""

    field: str | None
    constant: Any = None

    def of(self, user: Mapping[str, Any]) -> Any:
        return self.constant if self.field is None else user.get(self.field)


@parser('a JSON object: for each claim a field of the user, or a constant that begins with "="')
def _claims(name: str, text: str) -> dict[str, Claim]:
    try:
        given = json.loads(text)
    except ValueError:
        given = None
    if not isinstance(given, dict) or not given:
        raise SettingsError(f'{name} must be a JSON object, such as {{"role": "=authenticated"}}')
    claims: dict[str, Claim] = {}
    for claim, value in given.items():
        if claim in _OWN_CLAIMS:
            raise SettingsError(f"{name}: the service itself sets {claim!r}")
        if isinstance(value, str) and value.startswith("="):
            claims[claim] = Claim(None, value[1:])
        elif isinstance(value, str):
            claims[claim] = Claim(value)
        else:
            raise SettingsError(f"{name}: {claim!r} must be the name of a field, or begin with =")
    return claims


@dataclass(frozen=True, kw_only=True)
class JwtSettings:
    """The tokens of the [jwt plugin](PLUGINS.md#jwt), when `GATEPOST_PLUGINS` names it."""

    # fmt: off
    algorithm: JwtAlgorithm = setting(
        "GATEPOST_JWT_ALGORITHM", one_of(*get_args(JwtAlgorithm)), default="EdDSA",
        doc="What a new key signs with. A key that is there goes on until it is rotated.")
    expires_in: int = setting("GATEPOST_JWT_EXPIRES_IN", duration(30, DAY), default=900,
        doc="How long a token is good: also after its session has ended.")
    issuer: str | None = setting("GATEPOST_JWT_ISSUER", text("a text"), default=None,
        documented_default="`GATEPOST_BASE_URL`",
        doc="The claim `iss`.")
    audience: tuple[str, ...] = setting("GATEPOST_JWT_AUDIENCE", texts, default=(),
        documented_default="`GATEPOST_BASE_URL`",
        doc="The claim `aud`: who may take the tokens.")
    claims: dict[str, Claim] | None = setting("GATEPOST_JWT_CLAIMS", _claims, default=None,
        documented_default="every field of the user",
        doc='What a token says of its user, instead of everything: `{"role": "=authenticated", '
            '"email": "email"}`; `sub` is the id unless it is named and the user has it.')
    header: bool = setting("GATEPOST_JWT_HEADER", BOOLEAN, default=True,
        doc="Give a token with each `GET /get-session`, in the header `set-auth-jwt`.")
    rotate_every: int = setting("GATEPOST_JWT_ROTATE_EVERY", duration(0, MAX_AGE), default=0,
        doc="How long a new key signs until the next is made; 0: until it is retired.")
    grace: int = setting("GATEPOST_JWT_GRACE", duration(0, MAX_AGE), default=30 * DAY,
        doc="How long a key is published after it signs no more.")
    # fmt: on

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "JwtSettings":
        values = read(cls, environment)
        expires_in, grace = (values.get(n, getattr(cls, n)) for n in ("expires_in", "grace"))
        if grace < expires_in:
            raise SettingsError(
                "GATEPOST_JWT_GRACE must not be less than GATEPOST_JWT_EXPIRES_IN: "
                "tokens would outlive the key that proves them"
            )
        return cls(**values)
