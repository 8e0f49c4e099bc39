"""No token of a path or a query is in a log, whoever writes it."""

import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from app.redaction import redact_server_logs, safe_path
from tests.support import (
    ROOT,
    SECRET,
    Server,
    answers,
    end,
    environment,
    free_port,
    running_service,
    wait_until,
)

AUTH = {"GATEPOST_SECRET": SECRET, "GATEPOST_BASE_URL": "http://auth.gatepost.test"}
TOKEN = "Zk3bQ9xW2mN7pR4tY8vB1cD6"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJlbWFpbCI6ImFubkBleGFtcGxlLmNvbSJ9.c2lnbmF0dXJl-x_YZ0123456"
SHORT = "shorttoken"
TARGETS = [
    f"/api/auth/reset-password/{TOKEN}?callbackURL=/x",
    f"/api/auth/reset-password/{SHORT}?callbackURL=/x",
    f"/api/auth/reset%2Dpassword/{TOKEN}?callbackURL=/x",
    f"/api/auth/reset-password/{TOKEN}/more/{SHORT}",
    f"/api/auth/reset-pasword/{TOKEN}",
    f"/api/auth/verify-email?token={JWT}&callbackURL=/x",
    f"/api/auth/verify-email/{JWT}",
    f"/api/auth/delete-user/callback?token={TOKEN}",
    f"/api/auth/callback/{TOKEN}?code={SHORT}&state={TOKEN}",
    f"/rest/v1/sessions?token=eq.{TOKEN}",
    f"/rest/v1/{TOKEN}",
    f"/{TOKEN}?{SHORT}",
    f"/livez?{SHORT}",
    f"/nowhere%0Aa line of its own {SHORT}?".replace(" ", "%20").replace(SHORT, "x"),
]

COMMANDS = {
    "access log": ["app.main:app"],
    "factory": ["--factory", "app.main:create_app"],
    "trace": ["app.main:app", "--log-level", "trace"],
}


@contextmanager
def uvicorn(database_url: str, log: Path, arguments: list[str]) -> Iterator[str]:
    port = free_port()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", *arguments, "--port", str(port)],
            cwd=ROOT, env=environment(database_url) | AUTH,
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: process.poll() is not None or answers(f"{url}/readyz"), "ready")
        assert process.poll() is None, log.read_text()
        yield url
    finally:
        end(process)


def visit(url: str) -> None:
    with httpx.Client(base_url=url) as client:
        for target in TARGETS:
            client.get(target)
        client.post(f"/api/auth/reset-password?token={TOKEN}", json={"newPassword": "x"})
        # a path or query that asks for a websocket
        upgrade = {
            "connection": "upgrade", "upgrade": "websocket", "sec-websocket-version": "13",
            "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        }  # fmt: skip
        client.get(f"/api/auth/reset-password/{TOKEN}?token={JWT}", headers=upgrade)


def check(log: Path) -> str:
    text = log.read_text()
    for secret in (TOKEN, JWT, JWT.partition(".")[2], SHORT, TOKEN[4:20]):
        assert secret not in text
    assert not any(line.startswith("a line of its own") for line in text.splitlines())
    return text


def test_service_logs_no_token(postgres: Server, template: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with (
        postgres.database(template) as database,
        running_service(postgres.url(database), log, **AUTH) as service,
    ):
        visit(service.url)
    assert "/api/auth/reset-password/:token" in check(log)


@pytest.mark.parametrize("command", COMMANDS)
def test_uvicorn_logs_no_token(
    postgres: Server, template: str, tmp_path: Path, command: str
) -> None:
    log = tmp_path / "log"
    with (
        postgres.database(template) as database,
        uvicorn(postgres.url(database), log, COMMANDS[command]) as url,
    ):
        visit(url)
    text = check(log)
    # it is uvicorn's own line that was looked at
    assert '"GET /api/auth/reset-password/%3Atoken?… HTTP/1.1" 302' in text.replace(
        "/:token", "/%3Atoken"
    )


@pytest.mark.parametrize(
    ("path", "safe"),
    [
        ("/api/auth/get-session", "/api/auth/get-session"),
        ("/api/auth/request-password-reset", "/api/auth/request-password-reset"),
        ("/api/auth/send-verification-email", "/api/auth/send-verification-email"),
        ("/rest/v1/verifications", "/rest/v1/verifications"),
        (f"/reset-password/{SHORT}", "/reset-password/:token"),
        (f"/x/{TOKEN}/y", "/x/:token/y"),
        (f"/x/{JWT}", "/x/:token.:token.:token"),
        ("/x/3f2504e0-4f89-41d3-9a0c-0305e82c3301", "/x/3f2504e0-4f89-41d3-9a0c-0305e82c3301"),
        (f"/x/3f2504e0-4f89-41d3-9a0c-0305e82c3301{TOKEN}", "/x/:token"),
        ("/x\n2026 GET /y", "/x%0A2026%20GET%20/y"),
    ],
)
def test_path_is_shown_without_its_token(path: str, safe: str) -> None:
    assert safe_path(path) == safe


def test_filter_is_there_once_and_leaves_other_records_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for _ in range(3):
        redact_server_logs()
    logger = logging.getLogger("uvicorn.error")
    assert len(logger.filters) == 1
    with caplog.at_level(logging.INFO, "uvicorn.error"):
        logger.info("started %s on %d", "server", 8000)
        logger.info("nothing")
        logger.info("%(a)s", {"a": 1})
    assert [record.getMessage() for record in caplog.records] == [
        "started server on 8000", "nothing", "1",
    ]  # fmt: skip
