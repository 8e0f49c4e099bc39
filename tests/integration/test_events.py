"""The record of what happens: written by triggers, whoever writes, and never with a secret."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from app import doctor
from app.database import Actor, Database
from app.migrations import catalogue
from app.purge import purge, purge_now
from app.schema import RECORDED, RELATIONS, TABLES, new_token
from app.settings import Settings
from app.sql import Statement
from app.statements import accounts, events, every_statement, sessions, users
from tests.migrations.test_doctor import role
from tests.support import KEYS, ROOT, SECRET, Server, running_service

pytestmark = pytest.mark.every_server

PASSWORD = "correct horse battery"
BASE = "http://127.0.0.1:8000"
AUTH = {"GATEPOST_SECRET": SECRET, "GATEPOST_BASE_URL": BASE, "GATEPOST_DELETE_USER": "true"}
MANY_USERS = (
    "INSERT INTO users (name, email) SELECT '', n || '@example.com' FROM generate_series(1, {}) n"
)
HASH = f"{'5a' * 16}:{'c3' * 64}"
Row = dict[str, Any]


async def recorded(db: asyncpg.Connection, after: UUID = UUID(int=0)) -> list[Row]:
    """The events since one, with JSON decoded."""
    rows = await db.fetch("SELECT * FROM events WHERE id > $1 ORDER BY id", after)
    return [
        {n: json.loads(v) if n in ("before", "after") and v else v for n, v in dict(row).items()}
        for row in rows
    ]


async def new_events(db: asyncpg.Connection, change: str, *arguments: Any) -> list[Row]:
    """What a statement adds."""
    newest = await db.fetchval("SELECT id FROM events ORDER BY id DESC LIMIT 1")
    await db.execute(change, *arguments)
    return await recorded(db, newest or UUID(int=0))


async def a_user(db: asyncpg.Connection, email: str = "ada@example.com") -> UUID:
    text = "INSERT INTO users (name, email) VALUES ('Ada', $1) RETURNING id"
    return await db.fetchval(text, email)


async def a_session(db: asyncpg.Connection, user: UUID, token: str | None = None) -> UUID:
    return await db.fetchval(
        "INSERT INTO sessions (user_id, token, expires_at, ip_address, user_agent)"
        " VALUES ($1, $2, now() + '7 days', '203.0.113.7', 'Firefox') RETURNING id",
        user,
        token or new_token(),
    )


async def test_hand_in_psql_is_recorded_with_what_changed_and_by_which_role(
    db: asyncpg.Connection,
) -> None:
    user = await a_user(db)
    (created,) = await recorded(db)
    assert (created["type"], created["user_id"]) == ("user.created", user)
    shown = {"name": "Ada", "email": "ada@example.com", "email_verified": False}
    assert (created["before"], created["changed"]) == (None, None)
    assert {name: created["after"][name] for name in shown} == shown
    assert created["role"] == await db.fetchval("SELECT session_user::text")
    assert {created[name] for name in ("actor_id", "key_name", "ip_address")} == {None}
    (changed,) = await new_events(
        db, "UPDATE users SET email = 'a@example.com', image = 'https://x.example/a.png'"
    )
    assert (changed["type"], changed["changed"]) == ("user.updated", ["email", "image"])
    assert changed["before"] == {"email": "ada@example.com"}
    assert changed["after"] == {"email": "a@example.com"}
    (deleted,) = await new_events(db, "DELETE FROM users")
    assert (deleted["type"], deleted["user_id"]) == ("user.deleted", user)
    assert (deleted["before"]["email"], deleted["after"]) == ("a@example.com", None)
    assert await new_events(db, "UPDATE users SET name = name") == []


async def test_session_is_recorded_when_it_begins_and_when_it_is_ended(
    db: asyncpg.Connection,
) -> None:
    user = await a_user(db)
    session = await a_session(db, user)
    began = (await recorded(db))[-1]
    assert (began["type"], began["user_id"], began["session_id"]) == (
        "session.created", user, session
    )  # fmt: skip
    shown = {"expires_at", "ip_address", "user_agent", "impersonated_by"}
    assert began["after"].keys() == shown
    assert began["after"]["expires_at"].endswith("+00:00")  # whatever the client's zone
    (ended,) = await new_events(db, "DELETE FROM sessions")
    assert (ended["type"], ended["session_id"]) == ("session.ended", session)
    assert ended["before"] == began["after"]


async def test_refresh_adds_nothing_and_every_other_change_does(db: asyncpg.Connection) -> None:
    ada, bob = await a_user(db), await a_user(db, "bob@example.com")
    await a_session(db, ada)
    refresh = "UPDATE sessions SET expires_at = expires_at + interval '1 day', updated_at = now()"
    assert await new_events(db, refresh) == []
    assert await new_events(db, "UPDATE sessions SET updated_at = now()") == []
    for change, named in (
        ("expires_at = expires_at - interval '1 hour'", "expires_at"),
        (f"expires_at = expires_at + interval '1 day', token = '{new_token()}'", "token"),
        (f"user_id = '{bob}'", "user_id"),
        ("ip_address = '::1'", "ip_address"),
        ("user_agent = 'curl'", "user_agent"),
    ):
        (event,) = await new_events(db, f"UPDATE sessions SET {change}")
        assert (event["type"], named in event["changed"]) == ("session.updated", True)
    assert event["user_id"] == bob
    await db.execute("ALTER TABLE sessions ADD theme text")  # of an application's own
    (event,) = await new_events(db, "UPDATE sessions SET theme = 'dark'")
    assert (event["changed"], event["before"], event["after"]) == (["theme"], None, None)


async def test_session_that_expired_ends_without_an_event(db: asyncpg.Connection) -> None:
    await a_session(db, await a_user(db))
    await db.execute(
        "UPDATE sessions SET created_at = now() - interval '9 days',"
        " expires_at = clock_timestamp() + interval '1 ms'"
    )
    await asyncio.sleep(0.01)
    assert await new_events(db, "DELETE FROM sessions") == []


async def test_credential_is_recorded_when_it_is_set_changed_and_removed(
    db: asyncpg.Connection,
) -> None:
    user = await a_user(db)
    (created,) = await new_events(
        db,
        "INSERT INTO accounts (user_id, account_id, provider_id, password)"
        " VALUES ($1, $2, 'credential', $3)",
        user,
        str(user),
        HASH,
    )
    assert created["type"] == "account.created"
    assert created["after"]["provider_id"] == "credential"
    (changed,) = await new_events(db, "UPDATE accounts SET password = 'other:hash'")
    assert (changed["type"], changed["changed"]) == ("account.password_changed", ["password"])
    assert (changed["before"], changed["after"]) == (None, None)
    provider = (
        "INSERT INTO accounts (user_id, account_id, provider_id, access_token)"
        " VALUES ($1, '1', 'github', 'gho_secret')"
    )
    assert len(await new_events(db, provider, user)) == 1
    tokens = (
        "UPDATE accounts SET access_token = 'gho_new', access_token_expires_at = now()"
        " WHERE provider_id = 'github'"
    )
    assert await new_events(db, tokens) == []  # every sign-in by it brings some
    (scope,) = await new_events(
        db, "UPDATE accounts SET scope = 'repo' WHERE provider_id = 'github'"
    )
    assert (scope["type"], scope["after"]) == ("account.updated", {"scope": "repo"})
    (removed,) = await new_events(db, "DELETE FROM accounts WHERE provider_id = 'github'")
    assert (removed["type"], removed["account_id"]) == ("account.deleted", scope["account_id"])


async def test_deleted_user_leaves_the_record_of_everything(db: asyncpg.Connection) -> None:
    user = await a_user(db)
    await a_session(db, user)
    await db.execute(
        "INSERT INTO accounts (user_id, account_id, provider_id) VALUES ($1, '1', 'github')", user
    )
    gone = await new_events(db, "DELETE FROM users")
    kinds = {"user.deleted", "session.ended", "account.deleted"}
    assert {event["type"] for event in gone} == kinds
    assert {event["user_id"] for event in await recorded(db)} == {user}


@pytest.mark.parametrize("table", sorted(RECORDED))
async def test_truncation_is_recorded(db: asyncpg.Connection, table: str) -> None:
    kinds = [event["type"] for event in await new_events(db, f"TRUNCATE {table} CASCADE")]
    kind = "session_policy" if table == "session_policies" else table.removesuffix("s")
    assert f"{kind}.truncated" in kinds


async def test_change_that_is_rolled_back_leaves_no_event(db: asyncpg.Connection) -> None:
    transaction = db.transaction()
    await transaction.start()
    await a_user(db)
    await transaction.rollback()
    with pytest.raises(asyncpg.UniqueViolationError):
        await db.execute(f"{MANY_USERS.format(2)}; {MANY_USERS.format(2)}")
    await db.execute(
        "INSERT INTO users (name, email) VALUES ('', 'a@example.com'), ('', 'a@example.com')"
        " ON CONFLICT DO NOTHING"
    )
    assert [event["after"]["email"] for event in await recorded(db)] == ["a@example.com"]


async def test_no_secret_of_the_schema_is_ever_in_an_event(db: asyncpg.Connection) -> None:
    """Every column whose value gives access, in rows that come, change and go."""
    user = await a_user(db)
    secrets = {
        (table.name, column.name): f"secret-{column.name}-{'x' * 32}"
        for table in TABLES
        if table.name in RECORDED
        for column in table.columns.values()
        if column.secret
    }
    assert ("sessions", "token") in secrets
    names = [name for table, name in secrets if table == "accounts"]
    await db.execute(
        "INSERT INTO sessions (user_id, token, expires_at) VALUES ($1, $2, now() + '1 day')",
        user,
        secrets["sessions", "token"].replace("_", "-"),
    )
    columns = ", ".join(f"{name}" for name in names)
    values = ", ".join(f"'{secrets['accounts', name]}'" for name in names)
    await db.execute(
        f"INSERT INTO accounts (user_id, account_id, provider_id, {columns})"
        f" VALUES ($1, ($1::uuid)::text, 'credential', {values})",
        user,
    )
    for (table, name), value in secrets.items():
        await db.execute(f"UPDATE {table} SET {name} = '{value.replace('_', '-')}-new'")
    await db.execute("DELETE FROM users")
    text = await db.fetchval("SELECT string_agg(events::text, ' ') FROM events")
    assert "account.password_changed" in text
    assert "secret-" not in text


async def test_who_may_write_users_alone_is_recorded_and_cannot_touch_the_record(
    postgres: Server, db: asyncpg.Connection, database_url: str
) -> None:
    """As a Better Auth server's role that was granted its tables before there was a record."""
    name = f"node_{uuid4().hex[:8]}"
    await db.execute(
        f"CREATE ROLE {name}; GRANT SELECT, INSERT, UPDATE, DELETE ON users TO {name};"
        f"SET SESSION AUTHORIZATION {name}"
    )
    try:
        await db.execute("INSERT INTO users (name, email) VALUES ('Ada', 'ada@example.com')")
        for forged in (
            "INSERT INTO events (type) VALUES ('user.created')",
            "DELETE FROM events",
            "SELECT purge_events('0', 1000)",
            "SELECT setval('events_offset', 1)",
            "SELECT nextval('events_number')",
            "CREATE TEMP TABLE mine (id uuid, user_id uuid);"
            "CREATE TRIGGER forged AFTER INSERT ON mine FOR EACH ROW"
            " EXECUTE FUNCTION record_event('user', '{}')",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await db.execute(forged)
    finally:
        await db.execute("RESET SESSION AUTHORIZATION")
    (event,) = await recorded(db)
    assert (event["type"], event["role"]) == ("user.created", name)
    await db.execute(f"REVOKE ALL ON users FROM {name}; DROP ROLE {name}")


async def privileges(url: str, direct_url: str) -> tuple[str, str]:
    found = await doctor.examine(Settings(database_url=url, database_direct_url=direct_url))
    (finding,) = (each for each in found if each.check == "privileges")
    return finding.level, finding.text.partition(" ")[2]


async def test_service_role_reads_the_record_and_deletes_the_oldest_alone(
    postgres: Server, db: asyncpg.Connection, database_url: str
) -> None:
    await a_user(db)
    await a_user(db, "old@example.com")
    await db.execute(
        "UPDATE events SET created_at = now() - interval '31 days'"
        " WHERE after ->> 'email' = 'ada@example.com'"
    )
    with role(postgres, urlsplit(database_url).path[1:]) as url:
        assert await privileges(url, database_url) == ("ok", "reads and writes rows, nothing more")
        service = await asyncpg.connect(url)
        try:
            assert await service.fetchval("SELECT count(*) FROM events") == 2
            for forbidden in (
                "INSERT INTO events (type) VALUES ('user.created')",
                "UPDATE events SET type = ''",
                "DELETE FROM events",
                "TRUNCATE events",
            ):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await service.execute(forbidden)
            assert await service.fetchval("SELECT purge_events('0', 1000)") == 1
            assert await service.fetchval("SELECT purge_events('0', 1000)") == 0
        finally:
            await service.close()
        await db.execute(f"GRANT DELETE ON events TO {urlsplit(url).username}")
        level, text = await privileges(url, database_url)
        assert (level, "may write events" in text) == ("warn", True)
    assert [event["after"]["email"] for event in await recorded(db)] == ["old@example.com"]


async def test_purge_deletes_the_events_that_are_too_old(
    db: asyncpg.Connection, database_url: str
) -> None:
    await db.execute(MANY_USERS.format(5000))
    await db.execute(
        "UPDATE events SET created_at = now() - interval '401 days'"
        " WHERE id <= (SELECT id FROM events ORDER BY id OFFSET 4499 LIMIT 1)"
    )
    settings = Settings(database_url=database_url, database_direct_url=database_url)
    assert (await purge_now(settings))["events"] == 4500
    assert (await purge_now(settings))["events"] == 0
    assert len(await recorded(db)) == 500
    database = Database(settings)
    await database.open()
    try:  # without a retention they stay
        await db.execute("UPDATE events SET created_at = now() - interval '401 days'")
        assert "events" not in (await purge(database, 3600, forced=True) or {"events": 1})
    finally:
        await database.close()
    assert len(await recorded(db)) == 500


# --- who did it -----------------------------------------------------------------------------------


@asynccontextmanager
async def opened(database_url: str) -> AsyncIterator[Database]:
    database = Database(Settings(database_url=database_url, database_direct_url=database_url))
    await database.open()
    try:
        yield database
    finally:
        await database.close()


def test_every_statement_that_writes_a_recorded_table_can_say_who_writes() -> None:
    writes = ("INSERT INTO", "UPDATE", "DELETE FROM")
    marks = [f'{verb} "{table}"' for verb in writes for table in RECORDED]
    found = [s for s in every_statement() if any(mark in s.text for mark in marks)]
    assert len(found) >= 20
    assert {s.name for s in found if s.recorded is None} == set()
    others = [s for s in every_statement() if s not in found]
    assert {s.name for s in others if s.recorded is not None} == set()


@pytest.mark.parametrize(
    ("statement", "arguments"),
    [
        (sessions.revoke_all, lambda user: (user,)),
        (users.delete, lambda user: (user,)),
        (users.verify_email, lambda user: (True, user, "ada@example.com")),
        (accounts.create_password, lambda user: (user, "credential", HASH)),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
async def test_statement_hands_over_who_writes_and_gives_the_same_rows(
    db: asyncpg.Connection,
    database_url: str,
    statement: Statement[Any],
    arguments: Callable[[UUID], tuple[Any, ...]],
) -> None:
    user = await a_user(db)
    await a_session(db, user)
    newest = await db.fetchval("SELECT id FROM events ORDER BY id DESC LIMIT 1")
    actor = Actor(user=uuid4(), impersonator=uuid4(), ip="203.0.113.9", request="r-1")
    async with opened(database_url) as database:
        rows = await database.acting(actor).fetch(statement, *arguments(user))
        assert len(rows) == 1
        if statement.row is not None:
            assert type(rows[0]) is statement.row
        found = await recorded(db, newest)
        assert found
        for event in found:
            assert (event["actor_id"], event["impersonator_id"]) == (actor.user, actor.impersonator)
            assert (event["ip_address"], event["request_id"]) == ("203.0.113.9", "r-1")
        # nothing of it is left on the connection
        await database.fetch(users.sign_up, "Bob", "bob@example.com", None, "credential", HASH)
    assert (await recorded(db))[-1]["actor_id"] is None
    assert (await recorded(db))[-1]["request_id"] is None


def test_requests_are_recorded_with_user_address_and_id(
    postgres: Server, database_url: str, tmp_path: Path
) -> None:
    name = urlsplit(database_url).path[1:]

    def newest(columns: str) -> list[str]:
        text = f"SELECT {columns} FROM events ORDER BY id DESC LIMIT 1"
        return postgres.sql(text, name).split("|")

    user = {"name": "Ada", "email": "ada@example.com", "password": PASSWORD}
    with running_service(database_url, tmp_path / "log", **AUTH) as service:
        auth = httpx.Client(base_url=f"{service.url}/api/auth", headers={"Origin": BASE})
        with auth as http:
            answer = http.post("/sign-up/email", json=user)
            user_id = answer.json()["user"]["id"]
            every = "SELECT type, request_id, ip_address FROM events ORDER BY id"
            rid = answer.headers["x-request-id"]
            assert postgres.sql(every, name).split("\n") == [
                f"{kind}|{rid}|127.0.0.1"
                for kind in ("user.created", "account.created", "session.created")
            ]
            answer = http.post("/sign-in/email", json={k: user[k] for k in ("email", "password")})
            assert answer.status_code == 200
            rid = answer.headers["x-request-id"]
            sessions_of_both = postgres.sql(
                f"SELECT type, actor_id FROM events WHERE request_id = '{rid}' ORDER BY id", name
            )  # the browser's old session ends with the new one
            assert sessions_of_both.split("\n") == [
                f"session.created|{user_id}", f"session.ended|{user_id}"
            ]  # fmt: skip
            answer = http.post("/update-user", json={"name": "Ada L"})
            assert newest("type, actor_id, after ->> 'name'") == ["user.updated", user_id, "Ada L"]
            answer = http.post(
                "/change-password", json={"currentPassword": PASSWORD, "newPassword": "other " * 4}
            )
            assert answer.status_code == 200
            assert newest("type, changed, actor_id") == [
                "account.password_changed", "{password}", user_id
            ]  # fmt: skip
            assert http.get("/get-session").json()["user"]["id"] == user_id
        backend = httpx.Client(base_url=service.rest, headers={"apikey": KEYS["all"]})
        with backend as rest:
            changed = {"name": "Augusta"}
            answer = rest.patch(f"/users?id=eq.{user_id}", json=changed)
            rid = answer.headers["x-request-id"]
            assert newest("type, key_name, request_id, actor_id") == [
                "user.updated",
                "all",
                rid,
                "",
            ]
            preferring = {"Prefer": "return=representation"}
            body = {"name": "Bob", "email": "bob@example.com"}
            (bob,) = rest.post("/users", json=body, headers=preferring).json()
            assert newest("type, key_name, user_id") == ["user.created", "all", bob["id"]]
            assert bob.keys() == RELATIONS["users"].columns.keys()
            answer = rest.delete(f"/users?id=eq.{user_id}", headers=preferring)
            assert [row["id"] for row in answer.json()] == [user_id]
            mine = "SELECT DISTINCT key_name FROM events WHERE request_id = '{}'"
            assert postgres.sql(mine.format(answer.headers["x-request-id"]), name) == "all"


async def test_events_page_has_the_index_of_its_order(
    db: asyncpg.Connection, database_url: str
) -> None:
    await db.execute(MANY_USERS.format(20_000))
    await db.execute("ANALYZE events")
    user = await db.fetchval("SELECT id FROM users LIMIT 1")
    since = datetime.now(UTC) - timedelta(hours=1)
    for statement, arguments, index in (
        (events.page, (UUID(int=0), 10), "events_pkey"),
        (events.page_of_user, (UUID(int=0), user, 10), "events_user_id_id_idx"),
        (events.first_since, (since + timedelta(hours=1), 1), "events_created_at_id_idx"),
    ):
        plan = await db.fetch(f"EXPLAIN {statement.text}", *arguments)
        assert index in "\n".join(row[0] for row in plan), statement.name


async def test_scripts_of_citus_drop_the_triggers_and_make_the_same_again(
    db: asyncpg.Connection, database_url: str
) -> None:
    scripts = ROOT / "deploy" / "citus"
    spread = (scripts / "distribute.sql").read_text()
    drop = spread.partition("records constant text[] := ARRAY(")[2]
    found = await db.fetch(drop.partition(");\n")[0])
    assert len(found) == 11
    for (statement,) in found:
        await db.execute(statement)
    assert await new_events(db, MANY_USERS.format(1)) == []
    settings = Settings(database_url=database_url, database_direct_url=database_url)
    for citus, level in ((True, "ok"), (False, "fail")):
        outcome = await doctor.schema(replace(settings, citus=citus), database_url)
        assert outcome[0] == level, outcome
    make = (scripts / "undistribute.sql").read_text().partition("-- begin of the triggers")[2]
    await db.execute(make.partition("-- end of the triggers")[0])
    assert catalogue.compared(await catalogue.read(database_url)) == ([], [])
