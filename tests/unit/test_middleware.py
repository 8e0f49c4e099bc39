"""The layer around every request: ids, limits, deadline, the log."""

import asyncio
import json
import logging
from functools import partial

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from app.http.answer import collected
from app.http.middleware import RequestMiddleware
from app.http.telemetry import Telemetry


async def _echo(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


async def _slow(_: Request) -> Response:
    await asyncio.sleep(60)
    return PlainTextResponse("late")


async def _broken(_: Request) -> Response:
    raise LookupError("a secret")


def client(
    timeout: float = 5, max_body: int = 100, telemetry: Telemetry | None = None
) -> httpx.AsyncClient:
    routes = [
        Route("/echo", _echo, methods=["POST"]),
        Route("/slow", _slow),
        Route("/broken", _broken),
    ]
    app = Starlette(routes=routes)
    layer = RequestMiddleware(
        partial(collected, app),
        app,
        telemetry=telemetry or Telemetry(),
        timeout=timeout,
        max_body=max_body,
    )
    return httpx.AsyncClient(transport=httpx.ASGITransport(layer), base_url="http://gatepost.test")


async def test_a_body_of_the_limit_passes_and_one_byte_more_does_not() -> None:
    async def chunks(size: int):
        for _ in range(size):
            yield b"x"

    async with client() as http:
        for content in (lambda n: b"x" * n, chunks):
            assert (await http.post("/echo", content=content(100))).text == "100"
            answer = await http.post("/echo", content=content(101))
            assert (answer.status_code, answer.json()["code"]) == (413, "413")
        answer = await http.post("/echo", headers={"content-length": "9" * 30})
        assert answer.status_code == 413


async def test_past_the_deadline() -> None:
    async with client(timeout=0.05) as http:
        answer = await http.get("/slow")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json()["message"] == "No answer within 0.05 s"


@pytest.mark.parametrize(("given", "kept"), [("abc-1", True), ("a b", False), ("x" * 65, False)])
async def test_the_request_id_is_taken_over_or_made(given: str, kept: bool) -> None:
    async with client() as http:
        answer = await http.post("/echo", headers={"X-Request-Id": given})
    assert (answer.headers["x-request-id"] == given) is kept
    assert answer.headers["x-request-id"]


async def test_what_nobody_caught_is_in_the_log_and_not_in_the_answer(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("gatepost"), "propagate", True)
    async with client() as http:
        answer = await http.get("/broken")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.headers["x-request-id"] in caplog.text
    assert "LookupError" in caplog.text


async def test_the_access_log_has_no_query(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("gatepost"), "propagate", True)
    caplog.set_level(logging.INFO, "gatepost.access")
    telemetry = Telemetry()
    async with client(telemetry=telemetry) as http:
        await http.post("/echo?token=eq.hidden", headers={"apikey": "hidden"})
        telemetry.write()
        line = json.loads(caplog.messages[-1])
        assert (line["method"], line["path"], line["status"]) == ("POST", "/echo", 200)
        assert line["time"].endswith("Z")
        await http.get("/api/auth/reset-password/hidden")
        telemetry.write()
    line = json.loads(caplog.messages[-1])
    assert line["path"] == "/api/auth/reset-password/:token"
    assert "hidden" not in caplog.text
