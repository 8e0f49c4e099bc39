"""What a request leads to: by host and path to a provider's endpoint, on 127.0.0.1 to the control.

The control, in plain HTTP:

- ``GET /ready``
- ``POST /reset/<provider>``: nobody has ever asked it; its keys stay
- ``PATCH /people/<provider>``: fields of ``Person`` for who signs in from now on
- ``PUT /faults/<provider>/<endpoint>`` ``{"how", "times"}``, ``DELETE``; an endpoint is
  authorize, token, keys, discovery, or the last part of a profile's path
- ``POST /keys/<provider>``: another key from now on
- ``POST /id-tokens/<provider>``: an ID token of the person; the body has ``nonce`` and ``aud``
- ``POST /access-tokens/<provider>``: an access token of theirs, as an app has one
- ``GET /requests/<provider>``: ``[{method, host, path, endpoint, query, headers, form}]``
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Host, Mount, Route, Router
from starlette.types import Receive, Scope, Send

from tests.social.hosts import flow
from tests.social.hosts.faults import FAULTS, broken
from tests.social.hosts.stand_in import Answer, Fault, Grant, Memory, Person, StandIn


class Hosts:
    """Every host of the providers, as one ASGI application."""

    def __init__(self, stand_ins: list[StandIn]) -> None:
        self._endpoints: dict[tuple[str, str], tuple[StandIn, str, Answer | None]] = {}
        for stand_in in stand_ins:
            self._add(stand_in, stand_in.authorize, "authorize")
            self._add(stand_in, stand_in.token, "token")
            for url in stand_in.keys:
                self._add(stand_in, url, "keys")
            if stand_in.discovery:
                self._add(stand_in, stand_in.discovery, "discovery")
            for url, answer in {**stand_in.profiles, **stand_in.open_profiles}.items():
                self._add(stand_in, url, url.rpartition("/")[2], answer)

    def _add(
        self, stand_in: StandIn, url: str, endpoint: str, answer: Answer | None = None
    ) -> None:
        parts = urlsplit(url)
        self._endpoints[parts.hostname or "", parts.path] = (stand_in, endpoint, answer)

    @property
    def names(self) -> set[str]:
        return {host for host, _ in self._endpoints}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        found = self._endpoints.get((request.url.hostname or "", scope["path"]))
        response = Response("no such page", 404) if found is None else await _ask(request, *found)
        await response(scope, receive, send)


async def _ask(
    request: Request, stand_in: StandIn, endpoint: str, answer: Answer | None
) -> Response:
    memory, record = stand_in.memory, await _record(request, endpoint)
    memory.requests.append(record)
    kind, _, bearer = request.headers.get("authorization", "").partition(" ")
    grant = memory.access_tokens.get(bearer) if kind == "Bearer" else None
    behind = grant or memory.codes.get(dict(record["form"]).get("code", ""))
    if behind and (how := behind.person.faults.get(endpoint)):
        return await broken(how, request)
    if fault := memory.faults.get(endpoint):
        if fault.times == 1:
            del memory.faults[endpoint]
        fault.times -= 1
        return await broken(fault.how, request)
    if request.method != ("POST" if endpoint == "token" else "GET"):
        return Response("method not allowed", 405)
    match endpoint:
        case "authorize":
            return flow.authorize(stand_in, request)
        case "token":
            return await flow.token(stand_in, request)
        case "keys":
            return JSONResponse(stand_in.signer.key_set())
        case "discovery":
            return JSONResponse(_discovery(stand_in))
    assert answer
    is_open = answer in stand_in.open_profiles.values()
    if grant is None and not is_open:
        return JSONResponse({"error": "invalid_token"}, 401)
    if not all(request.headers.get(name) for name in stand_in.headers):
        return JSONResponse({"message": "Request forbidden by administrative rules"}, 403)
    given = answer(stand_in, grant or Grant(stand_in.memory.person, {}), request)
    return given if isinstance(given, Response) else JSONResponse(given)


async def _record(request: Request, endpoint: str) -> dict[str, Any]:
    return {
        "method": request.method,
        "host": request.url.hostname,
        "path": request.url.path,
        "endpoint": endpoint,
        "query": list(request.query_params.multi_items()),
        "headers": dict(request.headers),
        "form": parse_qsl((await request.body()).decode("latin-1"), keep_blank_values=True),
    }


def _discovery(stand_in: StandIn) -> Mapping[str, Any]:
    (userinfo,) = stand_in.profiles
    return {
        "issuer": stand_in.issuer,
        "authorization_endpoint": stand_in.authorize,
        "token_endpoint": stand_in.token,
        "userinfo_endpoint": userinfo,
        "end_session_endpoint": f"{stand_in.issuer}/end",
        "jwks_uri": stand_in.keys[0],
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
        "authorization_response_iss_parameter_supported": True,
    }


class Control:
    """What a test tells the providers."""

    def __init__(self, stand_ins: list[StandIn]) -> None:
        self._stand_ins: Final = {stand_in.id: stand_in for stand_in in stand_ins}

    def routes(self) -> list[Route]:
        provider = "{provider}"
        return [
            Route("/ready", self.ready),
            Route(f"/reset/{provider}", self.reset, methods=["POST"]),
            Route(f"/people/{provider}", self.person, methods=["PATCH"]),
            Route(f"/faults/{provider}/{{endpoint}}", self.fault, methods=["PUT", "DELETE"]),
            Route(f"/keys/{provider}", self.keys, methods=["POST"]),
            Route(f"/id-tokens/{provider}", self.id_token, methods=["POST"]),
            Route(f"/access-tokens/{provider}", self.access_token, methods=["POST"]),
            Route(f"/requests/{provider}", self.requests),
        ]

    def _of(self, request: Request) -> StandIn:
        return self._stand_ins[request.path_params["provider"]]

    async def ready(self, _: Request) -> Response:
        return JSONResponse(list(self._stand_ins))

    async def reset(self, request: Request) -> Response:
        self._of(request).memory = Memory()
        return Response(status_code=204)

    async def person(self, request: Request) -> Response:
        memory = self._of(request).memory
        memory.person = dataclasses.replace(memory.person, **await request.json())
        return JSONResponse(dataclasses.asdict(memory.person))

    async def fault(self, request: Request) -> Response:
        faults, endpoint = self._of(request).memory.faults, request.path_params["endpoint"]
        if request.method == "DELETE":
            faults.pop(endpoint, None)
        else:
            faults[endpoint] = Fault(**await request.json())
            assert faults[endpoint].how in FAULTS
        return Response(status_code=204)

    async def keys(self, request: Request) -> Response:
        self._of(request).signer.rotate()
        return Response(status_code=204)

    async def id_token(self, request: Request) -> Response:
        stand_in, asked = self._of(request), await request.json()
        person: Person = stand_in.memory.person
        if "aud" in asked:
            person = dataclasses.replace(person, claims={"aud": asked["aud"], **person.claims})
        grant = Grant(person, {"scope": "openid", "nonce": asked.get("nonce", "")})
        return JSONResponse(stand_in.new_id_token(grant))

    async def access_token(self, request: Request) -> Response:
        stand_in = self._of(request)
        grant = Grant(stand_in.memory.person, {"scope": " ".join(stand_in.scopes)})
        return JSONResponse(stand_in.new_tokens(grant)["access_token"])

    async def requests(self, request: Request) -> Response:
        return JSONResponse(self._of(request).memory.requests)


def application(stand_ins: list[StandIn], **options: Any) -> Starlette:
    """The control on 127.0.0.1, and the hosts under every other name."""
    control = Router(Control(stand_ins).routes())
    return Starlette(routes=[Host("127.0.0.1", control), Mount("/", Hosts(stand_ins))], **options)
