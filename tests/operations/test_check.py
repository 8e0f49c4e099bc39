"""``gatepost check``, and what the log of a start says: why the service will not serve."""

import asyncio
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from app import check, start
from app.commands.check import exit_code
from app.doctor import Finding
from app.main import create_app
from app.settings import Settings
from tests.support import ROOT, SECRET, Server, answers, end, environment, free_port, wait_until
from tests.tcp_server import PASSWORD, TcpServer, tcp_server

NOWHERE = "postgres://app:hunter2@127.0.0.1:1/x"
AUTH = {"GATEPOST_SECRET": SECRET, "GATEPOST_BASE_URL": "https://auth.example.com"}


def run(url: str, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app.cli", "check", *arguments],
        cwd=ROOT, env=environment(url) | settings, check=False, capture_output=True, text=True,
        stdin=subprocess.DEVNULL, timeout=120,
    )  # fmt: skip


def examine(url: str, **settings: str) -> list[Finding]:
    return asyncio.run(check.examine(environment(url) | settings))


@pytest.fixture(scope="module")
def tcp() -> Iterator[TcpServer]:
    """A server that asks a role for its password."""
    with tcp_server(tls=False) as server:
        yield server


def test_good_start_passes_in_lines_and_in_json(database_url: str) -> None:
    lines, array = (run(database_url, *form, **AUTH) for form in ((), ("--json",)))
    assert (lines.returncode, lines.stderr) == (0, ""), lines.stdout
    found = json.loads(array.stdout)
    assert array.returncode == 0
    assert [finding["check"] for finding in found][:2] == ["settings", "connection"]
    assert [line[6:20].strip() for line in lines.stdout.splitlines()] == [
        finding["check"] for finding in found
    ]
    assert {finding["level"] for finding in found} <= {"ok", "warn"}


def test_database_without_tables_is_a_fault_and_stays_so(postgres: Server) -> None:
    with postgres.database() as empty:
        done = run(postgres.url(empty))
        assert done.returncode == 7
        assert "; run 'gatepost migrate'\n" in done.stdout
        relations = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        assert postgres.sql(relations, empty) == "0"


def test_wrong_setting_is_the_only_finding(database_url: str) -> None:
    done = run(database_url, PORT="http")
    assert (done.returncode, done.stderr) == (2, "")
    (line,) = done.stdout.splitlines()
    assert line.startswith("fail  settings        PORT must be a whole number")
    (found,) = json.loads(run(database_url, "--json", PORT="http").stdout)
    assert (found["check"], found["level"]) == ("settings", "fail")


UNREACHABLE = [
    ("postgres://app:hunter2@127.0.0.1:1/x", "connection refused; see whether PostgreSQL runs"),
    ("postgres://app:hunter2@nobody.invalid/x", "correct the host in the address"),
    ("postgres://app:hunter2@/x?host=/nowhere", "see whether the paths in the address can be read"),
    ("postgres://secretive:hunter3@TCP/postgres", "correct the password in the address"),
    ("postgres://secretive:hunter2@TCP/none", "or let 'gatepost migrate' make the database"),
    ("postgres://nobody:hunter2@TCP/postgres", "correct the user in the address"),
    ("postgres://secretive:hunter2@TCP/postgres?sslmode=require", "the server has no TLS"),
]


@pytest.mark.parametrize(("url", "said"), UNREACHABLE)
def test_unreachable_database_is_a_failed_connection_with_advice(
    tcp: TcpServer, url: str, said: str
) -> None:
    findings = examine(url.replace("TCP", f"127.0.0.1:{tcp.port}"), **AUTH)
    found = findings[-1]
    assert (found.check, found.level) == ("connection", "fail")
    assert said in found.text
    assert found.next
    assert "hunter" not in found.text
    assert exit_code(findings) == 1


@pytest.mark.parametrize(("url", "said"), UNREACHABLE)
async def test_start_logs_why_the_database_cannot_be_used_and_goes_on(
    tcp: TcpServer, url: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    given = environment(url.replace("TCP", f"127.0.0.1:{tcp.port}")) | AUTH
    app = create_app(Settings.from_environment(given))
    with caplog.at_level(logging.ERROR, "gatepost"):
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as http,
        ):
            assert (await http.get("/livez")).status_code == 200
            assert (await http.get("/readyz")).status_code == 503
    (line,) = [r.getMessage() for r in caplog.records if "answered with 503" in r.getMessage()]
    assert said in line
    assert "hunter" not in line


def test_each_of_several_hosts_is_tried(database_url: str) -> None:
    several = database_url.replace("host=", "host=/nowhere,")
    findings = examine(several, **AUTH)
    hosts = [(found.level, found.text) for found in findings if found.check == "host"]
    name = urlsplit(database_url).path
    assert [level for level, _ in hosts] == ["warn", "ok"]
    assert f"/nowhere{name}: no such file or directory" in hosts[0][1]
    assert hosts[1][1].endswith(f"{name} takes writes")
    assert exit_code(findings) == 0


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({**AUTH}, []),
        (dict.fromkeys(AUTH, ""), ["the auth API is off: set GATEPOST_SECRET"]),
        ({**AUTH, "GATEPOST_SERVICE_KEYS": ""}, ["the REST API refuses every request, for there"]),
        (
            {**AUTH, "GATEPOST_REQUIRE_EMAIL_VERIFICATION": "true"},
            ["no mail can be sent, which GATEPOST_REQUIRE_EMAIL_VERIFICATION would need: set MAIL"],
        ),
        (
            {
                **AUTH,
                "GATEPOST_SEND_VERIFICATION_ON_SIGN_UP": "true",
                "GATEPOST_CHANGE_EMAIL": "true",
            },
            [
                "no mail can be sent, which GATEPOST_SEND_VERIFICATION_ON_SIGN_UP and "
                "GATEPOST_CHANGE_EMAIL would need: set MAIL_URL and MAIL_FROM"
            ],
        ),
        ({**AUTH, "GATEPOST_REQUIRE_EMAIL_VERIFICATION": "true", "MAIL_FILE": "mails"}, []),
    ],
)
def test_notices_name_what_is_off_and_what_cannot_work(
    settings: dict[str, str], said: list[str]
) -> None:
    notices = list(start.notices(Settings.from_environment(environment(NOWHERE) | settings)))
    assert len(notices) == len(said)
    assert all(str(notice).startswith(text) for notice, text in zip(notices, said, strict=True))


WAYS = {
    "serve": ("app.server",),
    "uvicorn": ("uvicorn", "app.main:app", "--no-access-log"),
    "factory": ("uvicorn", "--factory", "app.main:create_app", "--no-access-log"),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_start_says_the_same(way: str, tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "log"
    address = () if way == "serve" else ("--port", str(port))
    settings = {"PORT": str(port), "DATABASE_URL": NOWHERE, "GATEPOST_SERVICE_KEYS": ""}
    settings |= AUTH | {"GATEPOST_REQUIRE_EMAIL_VERIFICATION": "true"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *WAYS[way], *address],
            cwd=ROOT, env=os.environ | settings, stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            url = f"http://127.0.0.1:{port}/livez"
            wait_until(lambda: process.poll() is not None or answers(url), "ready")
        finally:
            end(process)
    lines = [line for line in log.read_text().splitlines() if '"logger":"gatepost"' in line]
    said = [(json.loads(line)["level"], json.loads(line)["message"]) for line in lines]
    assert [(level, message.partition(":")[0]) for level, message in said] == [
        ("warning", "no mail can be sent, which GATEPOST_REQUIRE_EMAIL_VERIFICATION would need"),
        ("warning", "the REST API refuses every request, for there are no service keys"),
        ("error", "127.0.0.1"),
    ]
    assert said[2][1] == (
        "127.0.0.1:1/x: connection refused; see whether PostgreSQL runs there, and whether host, "
        "port and firewall fit; until then what needs the database is answered with 503"
    )


def test_password_of_the_role_is_the_one_that_works(tcp: TcpServer) -> None:
    """What the cases above show is of the password, and not of the server."""
    findings = examine(tcp.url("postgres", user=f"secretive:{PASSWORD}"), **AUTH)
    assert next(found for found in findings if found.check == "connection").level == "ok"
