"""Requests to servers of others: an HTTP client with a limit for everything.

No redirect is followed, every call has one deadline, an answer one greatest size, a server a
number of calls at once. HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE and SSL_CERT_DIR are honoured; a name
that goes through a proxy is looked up there, and so is not checked here.
"""

import asyncio
import logging
import os
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final
from urllib.request import getproxies, proxy_bypass

import httpx
import msgspec

from ..errors import SettingsError
from .public_addresses import PrivateAddressError, PublicTransport

DEADLINE: Final = 10.0
"""Seconds for a call as a whole: the look-up of the name, the connection and the answer."""
MAX_ANSWER: Final = 262_144
MAX_PICTURE: Final = 524_288
MAX_PIECES: Final = 2048
"""Chunks of an answer: each takes as long to read as some kilobytes do."""
MAX_CALLS: Final = 20
"""Calls of one caller at once; a silent server cannot fill the process."""
_CONNECT: Final = 5.0
_decode: Final = msgspec.json.Decoder().decode

for _name in ("httpx", "httpcore"):  # they log addresses and headers, which hold tokens
    logging.getLogger(_name).setLevel(logging.WARNING)


class OutgoingError(Exception):
    """A call failed. The text says why in a few words, for the log: no code, no token and nobody's
    address."""


class PrivateHostError(OutgoingError):
    """A server that is to be public is not."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered; never a redirect."""

    status: int
    body: bytes = field(repr=False)

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The JSON of the body. Raises OutgoingError."""
        try:
            return _decode(self.body)
        except (msgspec.DecodeError, ValueError, RecursionError):
            raise OutgoingError("the answer is not JSON") from None


@dataclass(frozen=True, slots=True)
class Receipt:
    """How a server answered what was sent to it; nothing of the body is read."""

    status: int
    """Also of a redirect, which is not followed."""
    retry_after: str | None
    """The header as it came."""


class Outgoing:
    """A client, of the providers or of the webhooks of a process."""

    def __init__(self) -> None:
        """Raises SettingsError for certificates that cannot be read, or a wrong proxy."""
        check_proxies()
        self._client = httpx.AsyncClient(
            transport=_Transport(tls_context()),
            trust_env=False,  # the transport sees to it; a .netrc is none of a provider's business
            follow_redirects=False,
            timeout=httpx.Timeout(DEADLINE, connect=_CONNECT),
            headers={"user-agent": "Gatepost", "accept-encoding": "identity"},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # none is kept
        )

    async def close(self) -> None:
        await self._client.aclose()

    def caller(self, *, public_only: bool) -> "Caller":
        """What asks one server; ``public_only``: at public addresses alone."""
        return Caller(self._client, public_only=public_only)


class Caller:
    """Asks one server."""

    def __init__(self, client: httpx.AsyncClient, *, public_only: bool) -> None:
        self._client = client
        self._public_only = public_only
        self._calls = 0

    async def ask(
        self,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        limit: int = MAX_ANSWER,
    ) -> Answer:
        """GET, or POST a form. ``limit`` is in bytes. Raises OutgoingError."""
        async with self._limited():
            return await self._ask(url, form, headers or {}, limit)

    async def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> Receipt:
        """POST a body, and hear no more than the head of the answer. Raises OutgoingError."""
        async with self._limited():
            request = self._client.build_request(
                "POST", url, content=body, headers=headers, extensions=self._extensions
            )
            response = await self._client.send(request, stream=True)
            try:
                return Receipt(response.status_code, response.headers.get("retry-after"))
            finally:
                await response.aclose()

    @property
    def _extensions(self) -> dict[str, Any]:
        return {"public_only": self._public_only}

    @asynccontextmanager
    async def _limited(self) -> AsyncIterator[None]:
        """The limits of a call; what goes wrong in it is an OutgoingError."""
        if self._calls >= MAX_CALLS:
            raise OutgoingError(f"{MAX_CALLS} calls are under way already")
        self._calls += 1
        try:
            async with asyncio.timeout(DEADLINE):
                yield
        except TimeoutError:
            raise OutgoingError(f"no answer in {DEADLINE:g} seconds") from None
        except PrivateAddressError as error:
            raise PrivateHostError(str(error)) from None
        except httpx.ConnectError as error:
            verify = isinstance(error.__cause__, ssl.SSLError) or "CERTIFICATE" in str(error)
            why = "its certificate is not trusted" if verify else "no connection"
            raise OutgoingError(why) from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, ValueError) as error:
            raise OutgoingError(type(error).__name__) from None
        finally:
            self._calls -= 1

    async def _ask(
        self, url: str, form: Mapping[str, str] | None, headers: Mapping[str, str], limit: int
    ) -> Answer:
        request = self._client.build_request(
            "GET" if form is None else "POST",
            url,
            data=form,
            headers={"accept": "application/json", **headers},
            extensions=self._extensions,
        )
        response = await self._client.send(request, stream=True)
        try:
            if 300 <= response.status_code < 400:
                raise OutgoingError(f"a redirect (HTTP {response.status_code})")
            if response.headers.get("content-encoding", "identity") != "identity":
                raise OutgoingError("the answer is compressed, which was not asked for")
            body, pieces = bytearray(), 0
            async for chunk in response.aiter_raw():
                body += chunk
                pieces += 1
                if pieces > MAX_PIECES:
                    raise OutgoingError(f"the answer has more than {MAX_PIECES} chunks")
                if len(body) > limit:
                    raise OutgoingError(f"the answer is longer than {limit} bytes")
            return Answer(response.status_code, bytes(body))
        finally:
            await response.aclose()


class _Transport(httpx.AsyncBaseTransport):
    """Through the proxy that the environment names, or directly; decided here once, so that no
    request goes out unchecked because two parts read NO_PROXY differently."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls
        self._direct = self._new()
        self._public = PublicTransport(self._new())
        self._proxies: dict[str, httpx.AsyncHTTPTransport] = {}

    def _new(self, proxy: httpx.Proxy | None = None) -> httpx.AsyncHTTPTransport:
        # a connection that a provider has closed meanwhile would cost somebody their code, which
        # is good once; people sign in too rarely for one to be open still
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        return httpx.AsyncHTTPTransport(
            verify=self._tls, trust_env=False, limits=limits, proxy=proxy
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if proxy := _proxy_of(request.url):
            if proxy not in self._proxies:
                self._proxies[proxy] = self._new(
                    httpx.Proxy(
                        proxy, ssl_context=self._tls if proxy.startswith("https:") else None
                    ),
                )
            return await self._proxies[proxy].handle_async_request(request)
        transport = self._public if request.extensions.get("public_only") else self._direct
        return await transport.handle_async_request(request)

    async def aclose(self) -> None:
        for transport in (self._direct, self._public, *self._proxies.values()):
            await transport.aclose()


def _proxy_of(url: httpx.URL) -> str | None:
    proxies = getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(url.netloc.decode("ascii")):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def check_proxies() -> None:
    """Raises SettingsError for a proxy that cannot be used; it may hold a password."""
    proxies = getproxies()
    for scheme in ("http", "https", "all"):
        proxy = proxies.get(scheme) or "http://unset"
        try:
            url = httpx.URL(proxy if "://" in proxy else f"http://{proxy}")
        except httpx.InvalidURL:
            url = httpx.URL()
        if url.scheme not in ("http", "https") or not url.host:
            raise SettingsError(f"{scheme.upper()}_PROXY must be http://host:port, or https://")


def tls_context() -> ssl.SSLContext:
    """What the certificates of servers are verified with: SSL_CERT_FILE and SSL_CERT_DIR, else
    the authorities that httpx brings. Raises SettingsError."""
    named = ssl.get_default_verify_paths()
    for_file, for_folder = named.openssl_cafile_env, named.openssl_capath_env
    file, folder = os.environ.get(for_file), os.environ.get(for_folder)
    if not file and not folder:
        return httpx.create_ssl_context(trust_env=False)
    try:
        return ssl.create_default_context(cafile=file or None, capath=folder or None)
    except (OSError, ssl.SSLError) as error:
        name, why = for_file if file else for_folder, error.strerror or "no certificates"
        raise SettingsError(f"{name} cannot be read: {why}") from None
