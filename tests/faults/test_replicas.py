"""Reads from a replica: never older than asked for, and from the primary where it is not there."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from app import doctor
from app.devserver.postgres import EmbeddedPostgres, wheel_binaries
from app.migrations import dbmate
from app.settings import Settings
from tests.faults.clusters import primary_and_standby
from tests.support import KEYS, SECRET, Server, Service, running_service, wait_until

ALL = {"apikey": KEYS["all"]}
LATE = {"Gatepost-Read": "replica"}
DATABASE = "gatepost"


@dataclass(frozen=True)
class Pair:
    primary: Server
    standby: Server
    standby_process: EmbeddedPostgres
    service: Service

    @property
    def users(self) -> str:
        return f"{self.service.rest}/users"

    def create(self, name: str) -> httpx.Response:
        row = {"name": name, "email": f"{name}@example.com"}
        answer = httpx.post(self.users, json=row, headers=ALL)
        assert answer.status_code == 201, answer.text
        return answer

    def named(self, name: str, headers: dict[str, str]) -> httpx.Response:
        answer = httpx.get(f"{self.users}?select=name&name=eq.{name}", headers=ALL | headers)
        assert answer.status_code == 200, answer.text
        return answer

    def pause(self) -> None:
        """Let the standby receive and not show what the primary writes."""
        self.standby.sql("SELECT pg_wal_replay_pause()")
        state = "SELECT pg_get_wal_replay_pause_state()"
        # it pauses at the next record, of which an idle primary writes none
        self.primary.sql("SELECT pg_switch_wal()")
        wait_until(lambda: self.standby.sql(state) == "paused", "paused")

    def resume(self) -> None:
        self.standby.sql("SELECT pg_wal_replay_resume()")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    psql = wheel_binaries() / "psql"
    with primary_and_standby() as (primary, standby):
        asyncio.run(dbmate.up(primary.url(DATABASE)))
        servers = [Server(each.url("postgres"), psql) for each in (primary, standby)]
        log = tmp_path_factory.mktemp("replicas") / "log"
        settings = {
            "GATEPOST_REPLICA_URL": standby.url(DATABASE),
            "GATEPOST_SECRET": SECRET,
            "GATEPOST_BASE_URL": "http://localhost:8000",
            "GATEPOST_PLUGINS": "admin",
            "GATEPOST_ADMIN_PAGE": "true",
        }
        with running_service(primary.url(DATABASE), log, **settings) as service:
            caught_up(servers[0], servers[1])
            yield Pair(servers[0], servers[1], standby, service)


def caught_up(primary: Server, standby: Server) -> None:
    position = primary.sql("SELECT pg_current_wal_insert_lsn()")
    reached = f"SELECT pg_last_wal_replay_lsn() >= '{position}'"
    wait_until(lambda: standby.sql(reached) == "t", "caught up")


def test_replica_answers_who_asks_for_it(pair: Pair) -> None:
    pair.create("asked")
    caught_up(pair.primary, pair.standby)
    answer = pair.named("asked", LATE)
    assert (answer.json(), answer.headers["gatepost-read"]) == ([{"name": "asked"}], "replica")
    plain = pair.named("asked", {})
    assert "gatepost-read" not in plain.headers
    on_standby = pair.standby.sql(
        "SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE '/* gatepost:rest.%'"
    )
    assert on_standby == "t"


def test_position_of_a_write_is_shown_by_the_next_read(pair: Pair) -> None:
    pair.pause()
    try:
        position = pair.create("written").headers["gatepost-wal-position"]
        late = pair.named("written", LATE)
        assert (late.json(), late.headers["gatepost-read"]) == ([], "replica")
        own = pair.named("written", LATE | {"Gatepost-WAL-Position": position})
        assert (own.json(), own.headers["gatepost-read"]) == ([{"name": "written"}], "primary")
    finally:
        pair.resume()
    caught_up(pair.primary, pair.standby)
    for never in ("7FFFFFFF/FFFFFFFF", "FFFFFFFF/FFFFFFFF"):  # also past what the driver takes
        beyond = pair.named("written", LATE | {"Gatepost-WAL-Position": never})
        assert (beyond.json(), beyond.headers["gatepost-read"]) == (
            [{"name": "written"}],
            "primary",
        )
    later = pair.named("written", LATE | {"Gatepost-WAL-Position": position})
    assert (later.json(), later.headers["gatepost-read"]) == ([{"name": "written"}], "replica")


def test_session_that_was_revoked_is_refused_while_the_replica_is_behind(pair: Pair) -> None:
    person: dict[str, Any] = {
        "name": "Ann",
        "email": "ann@example.com",
        "password": "long enough 1",
    }
    with httpx.Client(base_url=f"{pair.service.url}/api/auth") as browser:
        answer = browser.post("/sign-up/email", json=person)
        assert answer.status_code == 200, answer.text
        caught_up(pair.primary, pair.standby)
        pair.pause()
        try:
            assert browser.get("/get-session").json()["user"]["name"] == "Ann"
            cookie = {"Cookie": "; ".join(f"{k}={v}" for k, v in browser.cookies.items())}
            origin = {"Origin": "http://localhost:8000"}
            assert browser.post("/sign-out", json={}, headers=origin).status_code == 200
            browser.cookies.clear()
            assert browser.get("/get-session", headers=cookie).json() is None
        finally:
            pair.resume()


def test_lists_of_the_admin_page_show_what_the_administrator_has_written(pair: Pair) -> None:
    origin = {"Origin": "http://localhost:8000"}
    root = {"name": "Root", "email": "root@example.com", "password": "long enough 1"}

    def listed(browser: httpx.Client, email: str) -> bool:
        answer = browser.get("/admin/users", params={"q": email})
        assert answer.status_code == 200
        return f">{email}</a>" in answer.text

    with httpx.Client(base_url=pair.service.url, headers=origin) as browser:
        assert browser.post("/api/auth/sign-up/email", json=root).status_code == 200
        pair.primary.sql("UPDATE users SET role = 'admin' WHERE name = 'Root'", DATABASE)
        caught_up(pair.primary, pair.standby)
        pair.pause()
        try:
            pair.create("somebody")
            assert not listed(browser, "somebody@example.com")  # by another, so it may be late
            made = {"name": "Eve", "email": "eve@example.com", "password": "long enough 1"}
            answer = browser.post("/api/auth/admin/create-user", json=made)
            assert answer.status_code == 200, answer.text
            assert "better-auth.wal_position=" in answer.headers["set-cookie"]
            assert listed(browser, "eve@example.com")
            assert listed(browser, "somebody@example.com")  # the primary answers
            browser.cookies.delete("better-auth.wal_position")
            assert not listed(browser, "eve@example.com")
            for path in ("", "/sessions", "/events"):
                assert browser.get(f"/admin{path}").status_code == 200
            browser.cookies.set("better-auth.wal_position", "x")
            assert not listed(browser, "eve@example.com")
        finally:
            pair.resume()
        caught_up(pair.primary, pair.standby)
        assert listed(browser, "eve@example.com")
    statements = "SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE '%gatepost:admin%'"
    assert pair.standby.sql(statements) == "t"


@pytest.mark.parametrize(
    ("headers", "named"),
    [
        ({"Gatepost-Read": "nearest"}, "Invalid Gatepost-Read: nearest"),
        (LATE | {"Gatepost-WAL-Position": "0/xyz"}, "Invalid Gatepost-WAL-Position: 0/xyz"),
    ],
)
def test_header_that_says_nothing_is_refused(
    pair: Pair, headers: dict[str, str], named: str
) -> None:
    answer = httpx.get(pair.users, headers=ALL | headers)
    assert (answer.status_code, answer.json()["message"]) == (400, named)


def test_doctor_says_whether_a_replica_answers(pair: Pair) -> None:
    primary = pair.service.database_url
    standby = pair.standby.url(DATABASE)
    for replica, level, text in (
        (standby, "ok", " answers"),
        (primary, "warn", "GATEPOST_REPLICA_URL leads to the primary alone"),
        ("postgres://127.0.0.1:1/x", "warn", "127.0.0.1:1/x: connection refused"),
    ):
        settings = Settings(database_url=primary, database_direct_url=primary, replica_url=replica)
        findings = {found.check: found for found in asyncio.run(doctor.examine(settings))}
        assert findings["replicas"].level == level
        assert text in findings["replicas"].text


def test_primary_answers_when_the_replica_is_gone(pair: Pair) -> None:
    """The last of the module: it ends the standby."""
    pair.create("lonely")
    pair.standby_process.stop()
    for _ in range(3):
        answer = pair.named("lonely", LATE)
        assert (answer.json(), answer.headers["gatepost-read"]) == ([{"name": "lonely"}], "primary")
    metrics = httpx.get(pair.service.metrics).text
    counts = [line for line in metrics.splitlines() if line.startswith("gatepost_replica_reads")]
    assert any('answered="primary"' in line for line in counts), counts
