"""An OpenID provider to try sign-in with, where nobody needs an account: it believes what is typed.

With the service it is as strict as a real one (PKCE, codes that are good once, signed ID tokens),
and it answers this machine alone. Its key and codes are in memory: a restart forgets them.
"""

import hashlib
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from ..auth.validation import is_email
from ..settings import ProviderSettings, Settings
from .local import LOCAL_HOST, OnThisMachine, headers_of_pages
from .provider_key import SigningKey
from .provider_pages import form, page

ID: Final = "local"
PATH: Final = "/dev/provider"
_CLIENT_ID: Final = "gatepost"
_CODE_LIFETIME: Final = 60  # seconds
_TOKEN_LIFETIME: Final = 3600
_REFRESH_LIFETIME: Final = 30 * 24 * 3600
# a browser applies form-action to the redirects after a form, and they end at an application
_HEADERS: Final = headers_of_pages(form_action="'self' http: https:")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grant:
    """What a code stands for until it is exchanged."""

    claims: dict[str, Any]
    nonce: str | None
    challenge: str
    scope: str
    expires_at: float


@dataclass(frozen=True, kw_only=True)
class LocalProvider:
    """The provider, and the one client it has."""

    issuer: str
    redirect_uri: str
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    grants: dict[str, _Grant] = field(default_factory=dict, repr=False)

    @cached_property
    def key(self) -> SigningKey:
        return SigningKey(self.issuer)

    @property
    def settings(self) -> ProviderSettings:
        """What the service has to know of it."""
        return ProviderSettings(
            id=ID,
            client_id=_CLIENT_ID,
            client_secret=self.secret,
            discovery_url=f"{self.issuer}/.well-known/openid-configuration",
            scopes=["openid", "profile", "email"],
            allow_private_addresses=True,
        )

    def routes(self, trusts: Callable[[str], bool]) -> list[BaseRoute]:
        """``trusts``: whether a sign-out may lead to an address."""

        async def end_session(request: Request) -> Response:
            back = request.query_params.get("post_logout_redirect_uri")
            if back is None or not trusts(back):
                return page("Signed out", "<p>The local provider keeps nobody signed in.</p>")
            state = request.query_params.get("state")
            return RedirectResponse(_with(back, {"state": state} if state else {}))

        asked = [
            Route("/.well-known/openid-configuration", self.discovery),
            Route("/jwks", self.jwks),
            Route("/sign-in", self.sign_in, methods=["POST"]),
            Route("/token", self.token, methods=["POST"]),
            Route("/userinfo", self.userinfo),
        ]
        links = [Middleware(OnThisMachine, headers=_HEADERS, links=True)]
        return [
            Route(f"{PATH}/authorize", self.authorize, middleware=links),
            Route(f"{PATH}/end-session", end_session, middleware=links),
            Mount(PATH, routes=asked, middleware=[Middleware(OnThisMachine, headers=_HEADERS)]),
        ]

    async def discovery(self, _: Request) -> Response:
        """OpenID Connect Discovery 1.0."""
        return JSONResponse(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "userinfo_endpoint": f"{self.issuer}/userinfo",
                "jwks_uri": f"{self.issuer}/jwks",
                "end_session_endpoint": f"{self.issuer}/end-session",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "token_endpoint_auth_methods_supported": ["client_secret_post"],
                "code_challenge_methods_supported": ["S256"],
                "authorization_response_iss_parameter_supported": True,
            }
        )

    async def jwks(self, _: Request) -> Response:
        return JSONResponse(self.key.jwks())

    async def authorize(self, request: Request) -> Response:
        """Ask who one wants to be."""
        query = dict(request.query_params)
        if (refused := self._refused(query)) is not None:
            return refused
        return form(_action(query), query.get("login_hint", ""))

    async def sign_in(self, request: Request) -> Response:
        """The form of that page."""
        query = dict(request.query_params)
        if (refused := self._refused(query)) is not None:
            return refused
        typed = await _typed(request)
        if "cancel" in typed:
            return self._back(query, error="access_denied")
        email = typed.get("email", "").strip().lower()
        if not is_email(email):
            return form(_action(query), email, typed.get("name", ""), error="This is no address.")
        claims = {
            "sub": hashlib.sha256(email.encode()).hexdigest()[:32],
            "name": typed.get("name", "").strip() or email.partition("@")[0],
            "email": email,
            "email_verified": "verified" in typed,
        }
        now = time.monotonic()
        for code in [code for code, grant in self.grants.items() if grant.expires_at <= now]:
            del self.grants[code]
        code = secrets.token_urlsafe(32)
        self.grants[code] = _Grant(
            claims=claims,
            nonce=query.get("nonce"),
            challenge=query["code_challenge"],
            scope=query["scope"],
            expires_at=now + _CODE_LIFETIME,
        )
        return self._back(query, code=code)

    async def token(self, request: Request) -> Response:
        """Exchange a code, or a refresh token."""
        typed = await _typed(request)
        given, own = typed.get("client_secret", "").encode(), self.secret.encode()
        if typed.get("client_id") != _CLIENT_ID or not secrets.compare_digest(given, own):
            return _error("invalid_client", HTTPStatus.UNAUTHORIZED)
        match typed.get("grant_type"):
            case "authorization_code":
                grant = self.grants.pop(typed.get("code", ""), None)
                digest = hashlib.sha256(typed.get("code_verifier", "").encode()).digest()
                if (
                    grant is None
                    or grant.expires_at <= time.monotonic()
                    or typed.get("redirect_uri") != self.redirect_uri
                    or urlsafe_b64encode(digest).rstrip(b"=").decode() != grant.challenge
                ):
                    return _error("invalid_grant")
                nonce = {} if grant.nonce is None else {"nonce": grant.nonce}
                return self._tokens(grant.claims, grant.scope, nonce)
            case "refresh_token":
                told = self.key.opened(typed.get("refresh_token", ""), "refresh")
                if told is None:
                    return _error("invalid_grant")
                return self._tokens(told["claims"], told["scope"], {})
        return _error("unsupported_grant_type")

    async def userinfo(self, request: Request) -> Response:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        told = self.key.opened(token, "userinfo") if scheme.lower() == "bearer" else None
        if told is None:
            return _error("invalid_token", HTTPStatus.UNAUTHORIZED)
        return JSONResponse(told["claims"])

    def _refused(self, query: dict[str, str]) -> Response | None:
        """What is wrong with a request for authorization; without a known client there is nowhere
        to send the browser back to."""
        known = query.get("client_id") == _CLIENT_ID
        if not known or query.get("redirect_uri") != self.redirect_uri:
            text = "<p>This client, or its redirect address, is not the service's own.</p>"
            return page("Nothing to sign in to", text, HTTPStatus.BAD_REQUEST)
        if query.get("response_type") != "code":
            return self._back(query, error="unsupported_response_type")
        if "openid" not in query.get("scope", "").split():
            return self._back(query, error="invalid_scope")
        if query.get("code_challenge_method") != "S256" or not query.get("code_challenge"):
            return self._back(query, error="invalid_request")
        return None

    def _back(self, query: dict[str, str], **answer: str) -> Response:
        state = {"state": query["state"]} if "state" in query else {}
        url = _with(self.redirect_uri, answer | state | {"iss": self.issuer})
        return RedirectResponse(url, HTTPStatus.SEE_OTHER)

    def _tokens(self, claims: dict[str, Any], scope: str, nonce: dict[str, str]) -> Response:
        told = {"claims": claims, "scope": scope}
        answer = {
            "access_token": self.key.signed(told, "userinfo", _TOKEN_LIFETIME),
            "refresh_token": self.key.signed(told, "refresh", _REFRESH_LIFETIME),
            "id_token": self.key.signed(claims | nonce, _CLIENT_ID, _TOKEN_LIFETIME),
            "token_type": "Bearer",
            "expires_in": _TOKEN_LIFETIME,
            "scope": scope,
        }
        return JSONResponse(answer, headers={"cache-control": "no-store"})


def local_provider(settings: Settings) -> LocalProvider | None:
    """The provider at the address of the service on this machine; None where it has none there, or
    no auth API, or another provider of this name."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    here = f"[{host}]:{settings.port}" if ":" in host else f"{host}:{settings.port}"
    auth = settings.auth
    if auth is None or any(provider.id == ID for provider in auth.social.providers):
        return None
    if not all(map(LOCAL_HOST.fullmatch, (here, urlsplit(auth.base_url).netloc))):
        return None
    callback = f"{auth.base_url}/api/auth/callback/{ID}"
    return LocalProvider(issuer=f"http://{here}{PATH}", redirect_uri=callback)


def _error(error: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> Response:
    """RFC 6749 §5.2."""
    return JSONResponse({"error": error}, status)


def _action(query: dict[str, str]) -> str:
    return f"{PATH}/sign-in?{urlencode(query)}"


def _with(url: str, parameters: dict[str, str]) -> str:
    parts = urlsplit(url)
    query = "&".join(filter(None, (parts.query, urlencode(parameters))))
    return parts._replace(query=query).geturl()


async def _typed(request: Request) -> dict[str, str]:
    body = await request.body()  # the service limits it
    return dict(parse_qsl(body.decode("utf-8", "replace")))
