"""jwt: tokens that other services check alone, as Better Auth's plugin has them.

``GET /token`` for a session, ``GET /jwks`` for whoever checks, and the header ``set-auth-jwt`` with
each session that get-session finds. A token is good until it ends, whatever becomes of the session.
"""

import logging
import time
from typing import Any, Final

import jwt
import msgspec
from starlette.responses import Response
from starlette.routing import BaseRoute

from ....errors import AuthError, DatabaseError
from ... import answers, serializers
from ...context import PREFIX, RequestContext, Services
from ...endpoint import get
from .. import Plugin as Base
from .. import expose
from .keys import SigningKeys

_REUSE: Final = 30
"""Seconds for which get-session gives the token it signed for the same session and user."""
_MAX_REUSED: Final = 1000
_HEADER: Final = "set-auth-jwt"
_MAX_HEADER: Final = 4096
"""Characters; a proxy has no room for much more."""
_REGISTERED: Final = ("aud", "exp", "iat", "iss", "jti", "nbf", "sub")
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder().decode
_GET_SESSION: Final = f"{PREFIX}/get-session"

_log = logging.getLogger("gatepost.auth")


class Plugin(Base):
    """Signs for living sessions only."""

    def __init__(self, services: Services) -> None:
        self._settings = services.settings.jwt
        self._issuer = self._settings.issuer or services.settings.base_url
        audience = self._settings.audience or (services.settings.base_url,)
        self._audience = audience[0] if len(audience) == 1 else list(audience)
        self._keys = SigningKeys(services.database, services.settings.secrets, self._settings)
        self._signed: dict[Any, tuple[float, str]] = {}

    @property
    def routes(self) -> list[BaseRoute]:
        return [
            get(
                "/token",
                self.token,
                session="session",
                looks_up=True,
                errors={"SIGNING_KEY_UNREADABLE": 503},
            ),
            get("/jwks", self.jwks),
        ]

    async def token(self, context: RequestContext) -> answers.Token:
        """Make a token for the session of the request."""
        return {"token": await self._sign(context)}

    async def jwks(self, _: RequestContext) -> answers.PublicKeys:
        """List the public keys, for whoever checks tokens."""
        return {"keys": await self._keys.published()}

    async def after(self, context: RequestContext, response: Response) -> None:
        """Give get-session its header. A key that cannot be used takes no session away."""
        path = context.request.scope["path"]
        if not self._settings.header or context.current is None or path != _GET_SESSION:
            return
        user, session = context.current.user, context.current.session
        about = (session.id, user.updated_at)
        now = time.monotonic()
        signed_at, token = self._signed.get(about, (0.0, ""))
        if not token or now - signed_at > min(_REUSE, self._settings.expires_in / 2):
            try:
                token = await self._sign(context)
            except (AuthError, DatabaseError) as error:
                _log.warning("no token for a session: %s", error)
                return
            if len(token) > _MAX_HEADER:
                return
            if len(self._signed) >= _MAX_REUSED:
                self._signed.clear()
            self._signed[about] = (now, token)
        expose(response, _HEADER, token)

    async def _sign(self, context: RequestContext) -> str:
        key = await self._keys.current()
        now = int(time.time())
        user = context.current_session.user
        # decoded again, for a field may be JSON text that is encoded already
        fields = _decode(_encode(serializers.user(user, context.services.user_fields.shown)))
        if named := self._settings.claims:
            about = {name: claim.of(fields) for name, claim in named.items()}
        else:  # a user's own field does not say who it is, or until when
            about = {name: value for name, value in fields.items() if name not in _REGISTERED}
        subject = about.get("sub")
        claims = {
            **about,
            "sub": str(user.id if subject is None else subject),
            "iat": now,
            "exp": now + self._settings.expires_in,
            "iss": self._issuer,
            "aud": self._audience,
        }
        headers: dict[str, Any] = {"kid": str(key.id), "typ": None}
        return jwt.encode(claims, key.private.key, key.alg, headers=headers)
