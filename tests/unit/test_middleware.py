"""RequestMiddleware: ids, limits, the deadline, the log and the metrics."""

import asyncio
import logging
import time
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from app.errors import RequestTooLargeError
from app.main import http_error, internal_error, request_too_large
from app.middleware import RequestMiddleware
from app.telemetry import Telemetry


async def _echo(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


async def _slow(_: Request) -> Response:
    await asyncio.sleep(60)
    return PlainTextResponse("late")


async def _queued(request: Request) -> Response:
    for read in (request.is_disconnected, request.body, request.is_disconnected):
        await read()
    return await _slow(request)


async def _broken(_: Request) -> Response:
    raise LookupError("a secret")


TELEMETRY = Telemetry()


async def _timeout(_: Request) -> Response:
    raise TimeoutError


def client(timeout: float = 5, max_body: int = 100) -> httpx.AsyncClient:
    app = Starlette(
        routes=[
            Route("/echo", _echo, methods=["POST"]),
            Route("/slow", _slow),
            Route("/queued", _queued, methods=["POST"]),
            Route("/broken", _broken),
            Route("/timeout", _timeout),
            Route("/api/auth/reset-password/{token}", _echo),
        ],
        middleware=[
            Middleware(RequestMiddleware, telemetry=TELEMETRY, timeout=timeout, max_body=max_body)
        ],
        exception_handlers={
            HTTPException: http_error,
            RequestTooLargeError: request_too_large,
            Exception: internal_error,
        },
    )
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://gatepost.test")


@pytest.fixture
def records(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    TELEMETRY.flush()  # what another test has left
    caplog.set_level(logging.INFO, "gatepost.access")
    return caplog


async def test_body_of_the_limit_passes_and_one_byte_more_answers_413() -> None:
    async def chunks(size: int):
        for _ in range(size):
            yield b"x"

    async with client() as http:
        for content in (lambda n: b"x" * n, chunks):
            assert (await http.post("/echo", content=content(100))).text == "100"
            answer = await http.post("/echo", content=content(101))
            assert (answer.status_code, answer.json()["code"]) == (413, "413")
            assert answer.json()["message"] == "the body is longer than 100 bytes"
        for length in ("9" * 30, "0" * 30 + "101", "101 "):
            answer = await http.post("/echo", headers={"content-length": length})
            assert answer.status_code == 413
        answer = await http.post("/echo", content=b"x", headers={"content-length": "0" * 30 + "1"})
        assert answer.text == "1"


async def test_body_past_the_deadline_answers_408() -> None:
    async def body():
        yield b"x"
        await asyncio.sleep(60)

    async with client(timeout=0.05) as http:
        answer = await http.post("/echo", content=body())
    assert (answer.status_code, answer.headers["connection"]) == (408, "close")
    assert answer.json()["message"] == "The body did not come within 0.05 s"


async def test_request_past_the_deadline_answers_503() -> None:
    async with client(timeout=0.05) as http:
        answers = [await http.get("/slow"), await http.post("/queued", content=b"x")]
    for answer in answers:
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.json()["message"] == "No answer within 0.05 s"
        assert answer.headers["x-request-id"]


async def test_timeout_error_of_a_handler_is_no_deadline() -> None:
    async with client() as http:
        answer = await http.get("/timeout")
    assert answer.status_code == 500


async def test_cancelled_request_stays_cancelled() -> None:
    async with client() as http:
        task = asyncio.create_task(http.get("/slow"))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.parametrize(("given", "kept"), [("abc-1", True), ("a b", False), ("x" * 65, False)])
async def test_request_id_is_taken_over_or_made(given: str, kept: bool) -> None:
    async with client() as http:
        answer = await http.post("/echo", headers={"X-Request-Id": given})
    assert (answer.headers["x-request-id"] == given) is kept
    assert answer.headers["x-request-id"]


async def test_unexpected_error_is_logged_and_not_answered(
    records: pytest.LogCaptureFixture,
) -> None:
    async with client() as http:
        answer = await http.get("/broken")
    TELEMETRY.flush()
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.json()["details"] == answer.headers["x-request-id"]
    assert f"request {answer.headers['x-request-id']} failed" in records.text
    assert "LookupError" in records.text
    (line,) = (r for r in records.records if r.name == "gatepost.access")
    assert vars(line)["status"] == 500


async def test_log_has_one_record_for_each_request_without_query_and_headers(
    records: pytest.LogCaptureFixture,
) -> None:
    async with client() as http:
        answer = await http.post(
            "/echo?token=eq.hidden", headers={"apikey": "hidden", "x-request-id": "abc"}
        )
        await http.get("/api/auth/reset-password/hidden")
    TELEMETRY.flush()
    first, second = (vars(r) for r in records.records if r.name == "gatepost.access")
    wanted = ("request", "method", "path", "status", "key")
    assert [first[name] for name in wanted] == ["abc", "POST", "/echo", 200, None]
    assert first["ms"] >= 0
    assert second["path"] == "/api/auth/reset-password/:token"
    assert "hidden" not in records.text
    assert answer.headers["x-request-id"] == "abc"


def _counted(**labels: Any) -> float:
    return REGISTRY.get_sample_value("gatepost_requests_total", labels) or 0


async def test_many_requests_are_recorded_without_waiting_for_a_flush(
    records: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.telemetry._MAX_WAITING", 3)
    async with client() as http:
        for number in range(3):
            assert len(records.records) == 0
            await http.post("/echo", headers={"x-request-id": str(number)})
    assert [vars(record)["request"] for record in records.records] == ["0", "1", "2"]
    created = [record.created for record in records.records]
    assert created == sorted(created)
    assert time.time() - 60 < created[0] < time.time()


async def test_metrics_count_by_api_method_and_status() -> None:
    auth = {"api": "auth", "method": "GET", "status": "200"}
    odd = {"api": "other", "method": "other", "status": "405"}
    TELEMETRY.flush()
    before = _counted(**auth), _counted(**odd)
    async with client() as http:
        await http.get("/api/auth/reset-password/x")
        await http.request("BREW", "/echo")
    TELEMETRY.flush()
    assert (_counted(**auth), _counted(**odd)) == (before[0] + 1, before[1] + 1)
