"""Ask the service with GET get-session, after each look began: what was revoked is refused."""

import re
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final, Self

import httpx

from .credentials import Credentials, Source, credentials, headers_of
from .errors import UnavailableError, UnexpectedResponseError
from .models import Session, session_from_json
from .sharing import SharedRequests

COOKIE_PREFIX: Final = "better-auth"
TIMEOUT: Final = 5.0
"""Seconds that an answer may take in all steps: connect, send, each read."""
_MAX_RETRY_AFTER: Final = 3600


class _Lookup:
    """What the asynchronous and the synchronous client share: the request, and its answer.

    The request is made here and not by the HTTP client, which would add the cookies that it was
    given for others.
    """

    def __init__(
        self,
        base_url: str,
        *,
        base_path: str,
        cookie_prefix: str,
        service_key: str | None,
        timeout: float,
    ) -> None:
        url = httpx.URL(base_url)
        if url.scheme not in ("http", "https") or not url.host:
            raise ValueError(f"base_url must begin with http:// or https://, not {base_url!r}")
        self._url = str(url).rstrip("/") + base_path.rstrip("/") + "/get-session"
        self.cookie_prefix = cookie_prefix
        self._own = {"Accept": "application/json"} | (
            {"apikey": service_key} if service_key else {}
        )
        self._extensions = {"timeout": httpx.Timeout(timeout).as_dict()}

    def credentials(self, source: Source) -> Credentials:
        return credentials(headers_of(source), self.cookie_prefix)

    def request(self, found: Credentials) -> httpx.Request:
        return httpx.Request(
            "GET",
            self._url,
            # a refresh comes with a cookie, which would not reach the browser
            params={"disableCookieCache": "true", "disableRefresh": "true"},
            headers=self._own | found.headers,
            extensions=self._extensions,
        )

    @staticmethod
    def read(response: httpx.Response) -> Session | None:
        status = response.status_code
        if status == 429 or status >= 500:
            raise UnavailableError(f"the service answered {status}", retry_after(response))
        if status == 401:  # revoked while it was looked at
            return None
        if status != 200:
            raise UnexpectedResponseError(f"{response.url.path} answered {status}")
        try:
            value = response.json()
        except ValueError as error:
            raise UnexpectedResponseError(f"{response.url.path} is not JSON") from error
        return None if value is None else session_from_json(value)


def retry_after(response: httpx.Response) -> int:
    text = response.headers.get("retry-after") or response.headers.get("x-retry-after") or ""
    seconds = int(text) if re.fullmatch(r"[0-9]{1,9}", text) else 1
    return min(seconds, _MAX_RETRY_AFTER)


def no_cookies() -> CookieJar:
    """A jar that keeps none: what one user is given is nothing for the next."""
    return CookieJar(DefaultCookiePolicy(allowed_domains=[]))


def unavailable(error: httpx.HTTPError) -> UnavailableError:
    """With the host and not the whole address, in which there may be a password."""
    url = error.request.url
    host = f"{url.host}:{url.port}" if url.port else url.host
    return UnavailableError(f"{host} did not answer: {type(error).__name__}")


class GatepostClient:
    """Asks a Gatepost or Better Auth server whose a request is. Close it, or use ``async with``.

    ``base_url`` is the address of the service, ``cookie_prefix`` what its setting says. With a
    ``service_key`` of Gatepost's REST API forged tokens do not count for this backend's address.
    ``http``: a client of your own, for proxies and certificates, which you close yourself.

    Lookups of one session at the same time share requests that are sent after they began.
    """

    def __init__(
        self,
        base_url: str,
        *,
        base_path: str = "/api/auth",
        cookie_prefix: str = COOKIE_PREFIX,
        service_key: str | None = None,
        timeout: float = TIMEOUT,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self._lookup = _Lookup(
            base_url,
            base_path=base_path,
            cookie_prefix=cookie_prefix,
            service_key=service_key,
            timeout=timeout,
        )
        self._http = http or httpx.AsyncClient(cookies=no_cookies())
        self._owns_http = http is None
        self._requests = SharedRequests(self._http)

    @property
    def cookie_prefix(self) -> str:
        return self._lookup.cookie_prefix

    async def session(self, request: Source) -> Session | None:
        """The session of a request, or of its headers; None when nobody is signed in.

        Raises UnavailableError and UnexpectedResponseError, never for a user who is signed out.
        """
        found = self._lookup.credentials(request)
        if not found:
            return None
        try:
            answer = await self._requests.send(found, self._lookup.request(found))
        except httpx.HTTPError as error:
            raise unavailable(error) from error
        return self._lookup.read(answer)

    async def aclose(self) -> None:
        if self._owns_http:
            await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class SyncGatepostClient:
    """``GatepostClient`` for code without asyncio. Threads may share it."""

    def __init__(
        self,
        base_url: str,
        *,
        base_path: str = "/api/auth",
        cookie_prefix: str = COOKIE_PREFIX,
        service_key: str | None = None,
        timeout: float = TIMEOUT,
        http: httpx.Client | None = None,
    ) -> None:
        self._lookup = _Lookup(
            base_url,
            base_path=base_path,
            cookie_prefix=cookie_prefix,
            service_key=service_key,
            timeout=timeout,
        )
        self._http = http or httpx.Client(cookies=no_cookies())
        self._owns_http = http is None

    @property
    def cookie_prefix(self) -> str:
        return self._lookup.cookie_prefix

    def session(self, request: Source) -> Session | None:
        """As GatepostClient.session."""
        found = self._lookup.credentials(request)
        if not found:
            return None
        question = self._lookup.request(found)
        try:
            answer = self._http.send(question, follow_redirects=False)
        except httpx.HTTPError as error:
            raise unavailable(error) from error
        return self._lookup.read(answer)

    def close(self) -> None:
        if self._owns_http:
            self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
