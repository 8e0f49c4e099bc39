"""When sessions were last seen: noted in memory, and written now and then."""

import asyncio
import secrets
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from app.auth import sightings
from app.auth.sightings import Sightings
from app.database import Database
from app.errors import SettingsError
from app.settings import Settings
from app.statements import session_activity
from tests.conftest import SERVERS
from tests.integration.test_commands import result
from tests.security.people import BASE, SECRET, Person, Site, cookie, site
from tests.support import ROOT, Server, end, environment, wait_until

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def make_site(
    postgres_servers: Callable[[str], Server],
    templates: Callable[[Server], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., Any]:
    server = postgres_servers(SERVERS[0])
    return lambda **settings: site(
        server, templates(server), tmp_path_factory.mktemp("site"), **settings
    )


@pytest.fixture(scope="module")
def place(make_site: Callable[..., Any]) -> Iterator[Site]:
    """A service that writes what it has seen every second."""
    with make_site(GATEPOST_LAST_SEEN_EVERY="1") as running:
        yield running


def seen(at: Site, token: str) -> str:
    return at.sql(
        "SELECT seen_at FROM session_activity JOIN sessions ON id = session_id"
        f" WHERE token = '{token}'"
    )


def use(at: Site, token: str) -> Any:
    with at.browser(cookie(token)) as browser:
        return browser.get("/get-session").json()


def devices(person: Person) -> list[Any]:
    return person.browser.get("/list-devices").json()


# --- the service ----------------------------------------------------------------------------------


def test_session_that_was_used_is_written_and_moves_forwards(place: Site) -> None:
    person = place.sign_up()
    idle = place.session(person)
    before = place.sql("SELECT now()")
    assert use(place, person.token) is not None
    wait_until(lambda: seen(place, person.token) != "", "the first time")
    first = seen(place, person.token)
    assert before < first <= place.sql("SELECT now()")
    assert use(place, person.token) is not None
    wait_until(lambda: seen(place, person.token) > first, "the second time")
    assert seen(place, idle) == ""
    updates = f"FROM events WHERE type LIKE 'session.%' AND user_id = '{person.id}'"
    assert place.sql(f"SELECT count(*) {updates}") == "2"  # both began


def test_devices_and_operators_see_when(place: Site) -> None:
    person = place.sign_up()
    place.session(person)
    assert use(place, person.token) is not None
    wait_until(lambda: seen(place, person.token) != "", "the first time")
    found = {each["current"]: each["lastSeenAt"] for each in devices(person)}
    assert found[False] is None
    assert found[True] > datetime.now(UTC).strftime("%Y-%m-%d")
    listed = result("sessions", "list", person.id, url=place.service.database_url)["sessions"]
    assert {each["last_seen_at"] is None for each in listed} == {True, False}


def test_ended_session_takes_along_when_it_was_seen(place: Site) -> None:
    person = place.sign_up()
    assert use(place, person.token) is not None
    wait_until(lambda: seen(place, person.token) != "", "the first time")
    rows = place.sql("SELECT count(*) FROM session_activity")
    assert person.browser.post("/sign-out", json={}).status_code == 200
    assert int(place.sql("SELECT count(*) FROM session_activity")) < int(rows)


def test_nothing_is_recorded_without_the_setting(make_site: Callable[..., Any]) -> None:
    with make_site() as at:
        person = at.sign_up()
        assert use(at, person.token) is not None
        at.sql("INSERT INTO session_activity SELECT id, now() FROM sessions")  # from before
        assert [each["lastSeenAt"] for each in devices(person)] == [None]
        end(at.service.process)
        assert int(at.sql("SELECT count(*) FROM session_activity")) == 1


def test_module_is_not_imported_without_the_setting() -> None:
    text = (
        "import sys; from app.main import create_app; app = create_app();"
        "print('app.auth.sightings' in sys.modules)"
    )
    given = environment("postgres://nowhere/x") | {
        "GATEPOST_SECRET": SECRET,
        "GATEPOST_BASE_URL": BASE,
    }
    found = [
        subprocess.run(
            [sys.executable, "-c", text], cwd=ROOT, env=given | more, check=True,
            capture_output=True, text=True, timeout=60,
        ).stdout
        for more in ({}, {"GATEPOST_LAST_SEEN_EVERY": "1m"})
    ]  # fmt: skip
    assert found == ["False\n", "True\n"]


def test_stopped_service_writes_what_it_has_seen_and_a_killed_one_does_not(
    make_site: Callable[..., Any],
) -> None:
    kept: dict[signal.Signals, str] = {}
    for how in (signal.SIGTERM, signal.SIGKILL):
        # the first write is at a random moment of the first day
        with make_site(GATEPOST_LAST_SEEN_EVERY="1d") as at:
            person = at.sign_up()
            assert use(at, person.token) is not None
            assert seen(at, person.token) == ""
            at.service.process.send_signal(how)
            at.service.process.wait(60)
            kept[how] = seen(at, person.token)
            assert at.sessions(person) == {person.token}
    assert kept[signal.SIGTERM] != ""
    assert kept[signal.SIGKILL] == ""


def test_setting_is_refused_on_a_cluster() -> None:
    given = environment("postgres://nowhere/x") | {
        "GATEPOST_SECRET": SECRET,
        "GATEPOST_BASE_URL": BASE,
        "GATEPOST_CITUS": "true",
        "GATEPOST_LAST_SEEN_EVERY": "1m",
    }
    with pytest.raises(SettingsError, match="GATEPOST_LAST_SEEN_EVERY must be 0 with"):
        Settings.from_environment(given)


# --- the statement --------------------------------------------------------------------------------


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(Settings(database_url=database_url, database_direct_url=database_url))
    await database.open()
    yield database
    await database.close()


async def some_sessions(db: asyncpg.Connection, number: int) -> list[UUID]:
    await db.execute("INSERT INTO users (name, email) VALUES ('Ada', 'ada@example.com')")
    rows = await db.fetch(
        "INSERT INTO sessions (user_id, token, expires_at)"
        " SELECT id, md5(n::text), now() + interval '1 day'"
        " FROM users, generate_series(1, $1) n RETURNING id",
        number,
    )
    return [row["id"] for row in rows]


async def test_times_move_forwards_only_and_the_gone_are_left_out(
    db: asyncpg.Connection, database: Database
) -> None:
    one, two, gone = await some_sessions(db, 3)
    await db.execute("DELETE FROM sessions WHERE id = $1", gone)

    async def record(*sightings: tuple[UUID, int]) -> dict[UUID, int]:
        times = [NOW + timedelta(seconds=second) for _, second in sightings]
        await database.fetch(session_activity.record, [each for each, _ in sightings], times)
        rows = await db.fetch("SELECT * FROM session_activity")
        return {row["session_id"]: (row["seen_at"] - NOW).seconds for row in rows}

    assert await record((one, 5), (gone, 5), (uuid4(), 5)) == {one: 5}
    assert await record((one, 3), (two, 3)) == {one: 5, two: 3}
    assert await record((two, 9), (one, 9), (gone, 9)) == {one: 9, two: 9}


async def test_processes_that_write_at_once_do_not_lock_each_other_out(
    db: asyncpg.Connection, database: Database
) -> None:
    """Each in another order, while half of the rows are new and sessions end."""
    ids = await some_sessions(db, 2000)
    deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    await database.fetch(session_activity.record, ids[::2], [NOW] * 1000)

    async def write(process: int) -> None:
        for turn in range(1, 4):
            mine = ids[process::2] + ids[::-1] if turn % 2 else sorted(ids, reverse=process % 2 > 0)
            mine = list(dict.fromkeys(mine))
            time = NOW + timedelta(seconds=10 * turn + process)
            await database.fetch(session_activity.record, mine, [time] * len(mine))

    async def end_some() -> None:
        for session_id in ids[:50]:
            await db.execute("DELETE FROM sessions WHERE id = $1", session_id)

    await asyncio.gather(*(write(process) for process in range(4)), end_some())
    rows = await db.fetch("SELECT session_id, seen_at FROM session_activity")
    assert {row["session_id"] for row in rows} == set(ids[50:])
    assert {row["seen_at"] for row in rows} == {NOW + timedelta(seconds=33)}
    await db.execute("SELECT pg_stat_force_next_flush()")
    assert await db.fetchval(deadlocks) == 0


async def test_write_of_many_is_hot_and_leaves_the_sessions_alone(
    db: asyncpg.Connection,
) -> None:
    ids = await some_sessions(db, 3000)
    record = session_activity.record.text
    await db.fetch(record, ids, [NOW] * len(ids))
    locked = await db.fetchval("SELECT count(*) FROM sessions WHERE xmax <> 0")
    for turn in range(1, 4):
        await db.fetch(record, ids, [NOW + timedelta(minutes=turn)] * len(ids))
    assert await db.fetchval("SELECT count(*) FROM sessions WHERE xmax <> 0") == locked
    await db.execute("SELECT pg_stat_force_next_flush()")
    updated, hot = await db.fetchrow(
        "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables"
        " WHERE relname = 'session_activity'"
    ) or (0, 0)
    assert updated == 9000
    assert hot >= 0.9 * updated


# --- what is noted --------------------------------------------------------------------------------


async def test_what_is_noted_is_bounded_and_written_when_it_is_full(
    db: asyncpg.Connection, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sightings, "MOST", 5)
    ids = await some_sessions(db, 8)
    noted = Sightings(database, 86_400)
    for session_id in ids:
        noted.note(session_id, NOW)
    noted.note(ids[0], NOW + timedelta(seconds=1))
    assert [noted.last(each, None) is not None for each in ids] == [True] * 5 + [False] * 3
    assert noted.last(ids[7], NOW) == NOW
    async with noted.running():
        for _ in range(1000):
            if await db.fetchval("SELECT count(*) FROM session_activity") == 5:
                break
            await asyncio.sleep(0.01)
        noted.note(ids[7], NOW)
    assert await db.fetchval("SELECT count(*) FROM session_activity") == 6
    newest = await db.fetchval("SELECT max(seen_at) FROM session_activity")
    assert newest == NOW + timedelta(seconds=1)


async def test_what_could_not_be_written_is_written_later(
    db: asyncpg.Connection, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    one, two = await some_sessions(db, 2)
    noted = Sightings(database, 86_400)
    await db.execute("ALTER TABLE session_activity RENAME TO elsewhere")
    noted.note(one, NOW)
    assert not await noted._write()
    assert "not written yet: StatementError" in caplog.text
    await db.execute("ALTER TABLE elsewhere RENAME TO session_activity")
    noted.note(two, NOW)
    async with noted.running():
        pass
    rows = await db.fetch("SELECT session_id FROM session_activity")
    assert {row["session_id"] for row in rows} == {one, two}


def test_many_visitors_at_once_are_all_seen(place: Site) -> None:
    people = [place.sign_up(secrets.token_hex(4)) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lambda person: use(place, person.token), people * 5))
    for person in people:
        wait_until(lambda token=person.token: seen(place, token) != "", "everybody")
