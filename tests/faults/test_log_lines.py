"""Whatever a process of ours or its libraries log is JSON, and strangers cannot fill the disk."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.support import ROOT, Server, answers, end, environment, free_port, wait_until

FAULTY = """
import asyncio, logging, warnings
from app import main, server

async def fail(request):
    # what only a defect of the service or of a library causes
    asyncio.get_running_loop().call_exception_handler({"message": "a defect", "future": object()})
    warnings.warn("a warning", UserWarning)
    logging.getLogger("some.library").warning("two\\nlines")
    raise LookupError("a defect of an endpoint")

main.livez = fail
server.main()
"""
"""The service as ``gatepost serve`` starts it, with an endpoint that fails."""

COMMANDS = {
    "serve": [sys.executable, "-m", "app.server"],
    "faulty": [sys.executable, "-c", FAULTY],
    "uvicorn": [
        *(sys.executable, "-m", "uvicorn", "app.main:app"),
        *("--http", "app.http_guard:GuardedProtocol", "--no-access-log"),
    ],
}


@contextmanager
def running(
    postgres: Server, template: str, folder: Path, command: str, **settings: str
) -> Iterator[tuple[str, Path]]:
    """Its address, and the file with its standard error."""
    port, errors = free_port(), folder / "errors"
    arguments = COMMANDS[command] + (["--port", str(port)] if command == "uvicorn" else [])
    with postgres.database(template) as database, errors.open("wb") as stderr:
        process = subprocess.Popen(
            arguments, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr,
            env=environment(postgres.url(database)) | {"PORT": str(port)} | settings,
        )  # fmt: skip
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until(lambda: process.poll() is not None or answers(f"{url}/readyz"), "ready")
            yield url, errors
        finally:
            assert end(process) == (-signal.SIGTERM if command == "uvicorn" else 0)


def send(url: str, data: bytes) -> bytes:
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as connection:
        connection.sendall(data)
        return connection.recv(1000)


def lines(errors: Path) -> list[dict[str, Any]]:
    """Every line of standard error, each an object of JSON."""
    found = [json.loads(line) for line in errors.read_text().splitlines()]
    assert all(isinstance(line, dict) and "time" in line for line in found)
    return found


def test_every_line_is_json_from_start_to_stop(
    postgres: Server, template: str, tmp_path: Path
) -> None:
    with running(postgres, template, tmp_path, "faulty") as (url, errors):
        assert httpx.get(f"{url}/livez").status_code == 500
        assert send(url, b"nonsense\r\n\r\n").startswith(b"HTTP/1.1 400")
    found = lines(errors)
    messages = {line["logger"]: line for line in found if "message" in line}
    text = "\n".join(line.get("message", "") for line in found)
    assert "Application startup complete." in text
    assert "Application shutdown complete." in text
    assert {"uvicorn.error", "asyncio", "py.warnings", "some.library", "gatepost.requests"} <= {
        *messages
    }
    traces = [line["exception"] for line in found if "exception" in line]
    assert sum("a defect of an endpoint" in trace for trace in traces) == 2  # ours and uvicorn's
    # no second access log
    assert sum("/livez" in json.dumps(line) for line in found) < 4
    assert [line["path"] for line in found if "path" in line].count("/livez") == 1


def test_what_strangers_cause_is_one_line_and_a_number(
    postgres: Server, template: str, tmp_path: Path
) -> None:
    started = time.monotonic()
    with (
        running(postgres, template, tmp_path, "faulty") as (url, errors),
        httpx.Client() as client,
    ):
        for _ in range(100):
            assert send(url, b"nonsense\r\n\r\n").startswith(b"HTTP/1.1 400")
            assert client.get(f"{url}/livez").status_code == 500
    most = 2 + int((time.monotonic() - started) / 10)
    found = lines(errors)
    for logger, message in (
        ("gatepost.http", "refused a request of"),
        ("gatepost.requests", "request"),
        ("uvicorn.error", "Exception in ASGI application"),
        ("asyncio", "a defect"),
    ):
        of_it = [x for x in found if x.get("logger") == logger and message in x["message"]]
        assert 2 <= len(of_it) <= most, logger
        assert sum(1 + line.get("left_out", 0) for line in of_it) == 100


def test_forwarded_header_of_a_stranger_is_mentioned_once(
    postgres: Server, template: str, tmp_path: Path
) -> None:
    auth = {
        "GATEPOST_SECRET": "a secret for tests of 32 letters or more",
        "GATEPOST_BASE_URL": "http://auth.gatepost.test",
    }
    with running(postgres, template, tmp_path, "serve", **auth) as (url, errors):
        for path in ("/api/auth/get-session", "/rest/v1/users", "/api/auth/ok"):
            httpx.get(f"{url}{path}", headers={"x-forwarded-for": "203.0.113.7"})
    assert errors.read_text().count("GATEPOST_TRUSTED_PROXIES") == 1


def test_uvicorn_by_itself_keeps_its_own_form(
    postgres: Server, template: str, tmp_path: Path
) -> None:
    with running(postgres, template, tmp_path, "uvicorn") as (url, errors):
        send(url, b"nonsense\r\n\r\n")
    text = errors.read_text()
    assert "INFO:     Application startup complete.\n" in text
    assert '"logger":"gatepost.http"' in text
