"""Somebody with a browser: the whole way through a sign-in, one redirect at a time."""

import itertools
import ssl
from dataclasses import dataclass, field
from html.parser import HTMLParser
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx

from tests.social.running_hosts import RunningHosts

_MOST_STEPS: Final = 20
_ADDRESSES: Final = itertools.count(1)


@dataclass(frozen=True)
class Step:
    """One request of the browser."""

    method: str
    url: str
    status: int
    set_cookies: list[str] = field(repr=False)


@dataclass(frozen=True)
class Danced:
    """How a sign-in went: the provider's address, and each step from there."""

    url: str
    location: str
    """Where the browser is in the end, as the last redirect has it."""
    steps: list[Step]

    @property
    def authorization(self) -> dict[str, str]:
        """The parameters of the provider's address."""
        return {name: value for name, (value,) in parse_qs(urlsplit(self.url).query).items()}

    @property
    def error(self) -> str | None:
        """What the application is told that went wrong."""
        return parse_qs(urlsplit(self.location).query).get("error", [None])[0]

    @property
    def callback(self) -> str:
        """The last address of the provider's answer."""
        return [step.url for step in self.steps if "/callback/" in step.url][-1]


class Visitor:
    """A browser with cookies of its own, and an address of its own for the rate limits.

    Cookies are SameSite=Lax: what another site posts brings none.
    """

    def __init__(self, service: str, hosts: RunningHosts | None = None) -> None:
        self.service = service
        trust: ssl.SSLContext | bool = True
        mounts: dict[str, httpx.AsyncBaseTransport | None] = {}
        if hosts is not None:
            trust = ssl.create_default_context(cafile=hosts.authority)
            mounts["https://"] = httpx.AsyncHTTPTransport(verify=trust, proxy=hosts.proxy)
        number = next(_ADDRESSES)
        options: dict[str, Any] = {
            "headers": {"x-forwarded-for": f"10.1.{number // 250}.{number % 250 + 1}"},
            "mounts": mounts, "trust_env": False, "timeout": 60,
        }  # fmt: skip
        self.http = httpx.AsyncClient(**options)
        self._bare = httpx.AsyncClient(**options)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        await self.http.aclose()
        await self._bare.aclose()

    async def post(self, path: str, body: Any = None) -> httpx.Response:
        """As a page of the application itself."""
        url, origin = f"{self.service}/api/auth{path}", {"origin": self.service}
        return await self.http.post(url, json=body or {}, headers=origin)

    async def get(self, path: str) -> httpx.Response:
        return await self.http.get(f"{self.service}/api/auth{path}")

    async def session(self) -> dict[str, Any] | None:
        """Who is signed in."""
        return (await self.get("/get-session")).json()

    async def begin(self, provider: str, path: str = "/sign-in/social", **body: Any) -> str:
        """The provider's address."""
        places = {"callbackURL": "/welcome", "errorCallbackURL": "/oops"}
        response = await self.post(path, {"provider": provider, **places, **body})
        assert response.status_code == 200, response.text
        return response.json()["url"]

    async def dance(self, provider: str, path: str = "/sign-in/social", **body: Any) -> Danced:
        """Begin and go through to the end."""
        return await self.follow(await self.begin(provider, path, **body))

    async def link(self, provider: str, **body: Any) -> Danced:
        return await self.dance(provider, "/link-social", **body)

    async def follow(self, url: str) -> Danced:
        """From the provider's address to the last redirect, which leads to the application."""
        steps: list[Step] = []
        at = url
        answer = await self._step(steps, self.http.build_request("GET", at))
        while len(steps) < _MOST_STEPS:
            if answer.is_redirect:
                location = answer.headers["location"]
                at = urljoin(at, location)
                if self._is_application(at):
                    return Danced(url, location, steps)
                answer = await self._step(steps, self.http.build_request("GET", at))
                continue
            form = Form.on(answer.text)
            assert form, f"{at}: {answer.status_code} {answer.text[:300]}"
            origin, at = at, urljoin(at, form.action)
            same_site = urlsplit(origin).netloc == urlsplit(at).netloc
            client = self.http if same_site else self._bare
            scheme, host = urlsplit(origin)[:2]
            request = client.build_request(
                "POST", at, data=form.fields, headers={"origin": f"{scheme}://{host}"}
            )
            answer = await self._step(steps, request, client)
        raise AssertionError(f"no end: {steps}")

    async def come_back(self, callback: str) -> str:
        """Ask a callback's address again; gives where it leads."""
        answer = await self.http.get(callback)
        assert answer.status_code == 302, answer.text
        return answer.headers["location"]

    async def up_to_callback(self, url: str) -> str:
        """The callback's address that the provider sends the browser to, which is not asked yet."""
        answer = await self.http.get(url)
        if form := Form.on(answer.text):
            origin = {"origin": f"https://{urlsplit(url).netloc}"}
            answer = await self._bare.post(form.action, data=form.fields, headers=origin)
        assert answer.status_code in (302, 303), answer.text
        return answer.headers["location"]

    async def _step(
        self, steps: list[Step], request: httpx.Request, client: httpx.AsyncClient | None = None
    ) -> httpx.Response:
        answer = await (client or self.http).send(request)
        cookies = answer.headers.get_list("set-cookie")
        steps.append(Step(request.method, str(request.url), answer.status_code, cookies))
        return answer

    def _is_application(self, url: str) -> bool:
        here = url.startswith(self.service)
        return here and "/api/auth/callback/" not in url


class Form(HTMLParser):
    """A form on a page, as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.action: str = ""
        self.fields: dict[str, str] = {}
        self._found = False

    @classmethod
    def on(cls, page: str) -> "Form | None":
        form = cls()
        form.feed(page)
        return form if form._found else None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self._found, self.action = True, given.get("action") or ""
        elif tag == "input" and (name := given.get("name")):
            self.fields[name] = given.get("value") or ""
