"""Check a token here, without asking: what the jwt plugin of the service signs.

Nobody is asked, so what it says holds until the token ends, by default 15 minutes, also when the
session was revoked meanwhile. ``pip install 'gatepost-client[jwt]'``. Source: RFC 8725.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final, Self

import httpx
import jwt

from .credentials import Source, credentials, headers_of
from .errors import GatepostError, UnavailableError, UnexpectedResponseError
from .http import COOKIE_PREFIX, TIMEOUT, unavailable
from .models import Session, user_from_json

ALGORITHMS: Final = ("EdDSA", "ES256", "ES512", "RS256", "PS256")
"""What the plugin can sign with; none of them uses a secret that the checker would share."""
_MAX_KEYS_AGE: Final = 3600.0
_MIN_FETCH_INTERVAL: Final = 30.0
"""Seconds between two fetches for a key that is not known: strangers choose what tokens name."""
_RETRY_INTERVAL: Final = 1.0
"""Seconds until a fetch that failed is tried again."""


class JwtClient:
    """Checks bearer tokens of the jwt plugin. Close it, or use ``async with``.

    ``issuer`` and ``audience`` are what the service writes into them: its public origin, unless set
    otherwise. ``leeway``: seconds by which clocks may differ.
    """

    def __init__(
        self,
        base_url: str,
        *,
        issuer: str | None = None,
        audience: str | Sequence[str] | None = None,
        jwks_path: str = "/api/auth/jwks",
        algorithms: Sequence[str] = ALGORITHMS,
        leeway: float = 0,
        timeout: float = TIMEOUT,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        if not set(algorithms) <= set(ALGORITHMS):
            raise ValueError(f"algorithms must be some of {', '.join(ALGORITHMS)}")
        origin = base_url.rstrip("/")
        self._jwks_url = origin + jwks_path
        self._issuer = issuer or origin
        self._audience = audience or origin
        self._algorithms = list(algorithms)
        self._leeway = leeway
        self._http = http or httpx.AsyncClient(timeout=timeout)
        self._owns_http = http is None
        self._keys: dict[str, jwt.PyJWK] = {}
        self._failure: GatepostError | None = None
        """Why the last fetch failed; the keys that were there stay in use."""
        self._keys_from = self._fetched_at = float("-inf")
        self._fetching = asyncio.Lock()

    async def session(self, request: Source) -> Session | None:
        """The user of a bearer token, as a session without id, token and start; None without a
        good one. Raises UnavailableError while the keys cannot be had."""
        token = credentials(headers_of(request), COOKIE_PREFIX).bearer
        return await self.verify(token) if token else None

    async def verify(self, token: str) -> Session | None:
        """As ``session``, of the token itself."""
        claims = await self.claims(token)
        if claims is None:
            return None
        fields = {name: value for name, value in claims.items() if name not in _REGISTERED}
        try:
            expires_at = datetime.fromtimestamp(claims["exp"], UTC)
            user = user_from_json(fields | {"id": claims["sub"]})
        except (UnexpectedResponseError, OverflowError, OSError, ValueError):
            return None
        return Session(user=user, expires_at=expires_at)

    async def claims(self, token: str) -> dict[str, Any] | None:
        """What a good token says; None for any other."""
        try:
            header = jwt.get_unverified_header(token)
            key = await self._key(header.get("kid"))
            if key is None or header.get("alg") != key.algorithm_name:
                return None
            return jwt.decode(
                token,
                key,
                self._algorithms,
                issuer=self._issuer,
                audience=self._audience,
                leeway=self._leeway,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except (jwt.PyJWTError, OverflowError):
            return None

    async def _key(self, kid: Any) -> jwt.PyJWK | None:
        if not isinstance(kid, str):
            return None
        if self._is_due(kid):
            async with self._fetching:
                if self._is_due(kid):  # another token did not fetch them meanwhile
                    await self._fetch()
        key = self._keys.get(kid)
        if key is None and self._failure is not None:
            raise self._failure  # it may be a new one
        return key

    def _is_due(self, kid: str) -> bool:
        now = time.monotonic()
        if kid in self._keys and now - self._keys_from < _MAX_KEYS_AGE:
            return False
        fails_for_all = self._failure is not None and not self._keys
        return now - self._fetched_at > (_RETRY_INTERVAL if fails_for_all else _MIN_FETCH_INTERVAL)

    async def _fetch(self) -> None:
        try:
            response = await self._http.get(self._jwks_url, follow_redirects=False)
            if response.status_code != 200:
                raise UnavailableError(f"the keys cannot be had: {response.status_code}")
            self._keys = _usable(response.json()["keys"])
            self._keys_from = time.monotonic()
            self._failure = None
        except httpx.HTTPError as error:
            self._failure = unavailable(error)
        except UnavailableError as error:
            self._failure = error
        except (KeyError, TypeError, ValueError):
            self._failure = UnexpectedResponseError(f"there are no keys at {self._jwks_url}")
        self._fetched_at = time.monotonic()

    async def aclose(self) -> None:
        if self._owns_http:
            await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


_REGISTERED: Final = {"iss", "sub", "aud", "exp", "nbf", "iat", "jti"}


def _usable(keys: list[Any]) -> dict[str, jwt.PyJWK]:
    """By id. One that is not understood is as good as absent (RFC 7517, section 5)."""
    found: dict[str, jwt.PyJWK] = {}
    for key in keys:
        if not isinstance(key, dict) or key.get("alg") not in ALGORITHMS:
            continue
        with suppress(jwt.PyJWTError, KeyError, ValueError, TypeError, AttributeError):
            found[key["kid"]] = jwt.PyJWK(key)
    return found
