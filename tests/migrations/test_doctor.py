"""``gatepost doctor``: every check passes on a good database, and each has one that fails it."""

import asyncio
import json
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from app import additional, doctor
from app.database import connect
from app.doctor import Finding, judge_version
from app.errors import StatementError
from app.migrations import catalogue, files
from app.settings import Settings
from app.sql import raw_statement
from tests.migrations.conftest import INDEX, NICKNAME, gatepost, migrate
from tests.support import KEYS, Server, running_service

ROLE_SQL = files.SERVICE_ROLE.read_text() + files.SERVICE_GRANTS.read_text()
CHECKS = [
    "connection", "server version", "primary", "pooler", "time zone", "clock", "privileges",
    "events", "idle limit", "dbmate", "migrations", "schema", "indexes",
]  # fmt: skip


def settings(url: str, direct: str | None = None) -> Settings:
    return Settings(database_url=url, database_direct_url=direct or url)


def examine(given: Settings, **more: Callable[[], datetime]) -> list[Finding]:
    found = asyncio.run(doctor.examine(given, **more))
    for finding in found:  # one that is not ok says what to do next
        assert (finding.level == "ok") is (finding.next is None), finding
        assert finding.text.endswith(finding.next or ""), finding
    return found


def checked(given: Settings, check: str, **more: Callable[[], datetime]) -> Finding:
    """The outcome of one check; all the others are run too."""
    found = {finding.check: finding for finding in examine(given, **more)}
    assert list(found) == CHECKS
    return found[check]


@contextmanager
def role(postgres: Server, database: str, script: str = ROLE_SQL) -> Iterator[str]:
    """The documented role under a unique name; yields its address of the database."""
    name, password = f"gatepost_{secrets.token_hex(4)}", secrets.token_hex(8)
    postgres.sql(script.replace("gatepost_service", name), database)
    postgres.sql(f"ALTER ROLE {name} PASSWORD '{password}'", database)
    parts = urlsplit(postgres.url(database))
    host = parts.netloc.rpartition("@")[2]
    try:
        yield parts._replace(netloc=f"{name}:{password}@{host}").geturl()
    finally:
        postgres.sql(f"DROP OWNED BY {name}", database)
        postgres.sql(f"DROP ROLE {name}", database)


@contextmanager
def between(
    url: str, change: Callable[[bytes], bytes], back: Callable[[bytes], bytes]
) -> Iterator[str]:
    """A proxy before the server that edits what passes, as a pooler does; yields its address."""
    parts = urlsplit(url)
    folder = parse_qs(parts.query).get("host")
    listener = socket.create_server(("127.0.0.1", 0))
    open_sockets: list[socket.socket] = [listener]

    def pump(source: socket.socket, target: socket.socket, edit: Callable[[bytes], bytes]) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(edit(data))
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            if folder:
                server = socket.socket(socket.AF_UNIX)
                server.connect(f"{folder[0]}/.s.PGSQL.5432")
            else:
                server = socket.create_connection((parts.hostname, parts.port or 5432))
            open_sockets.extend((client, server))
            for ends in ((client, server, change), (server, client, back)):
                threading.Thread(target=pump, args=ends, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    user = parts.netloc.rpartition("@")[0] or "postgres"
    port = listener.getsockname()[1]
    try:
        yield f"postgres://{user}@127.0.0.1:{port}{parts.path}?sslmode=disable"
    finally:
        for each in open_sockets:
            each.close()


def same(data: bytes) -> bytes:
    return data


def other_pid(data: bytes) -> bytes:
    """BackendKeyData with a process id of the pooler's own."""
    at = data.find(b"K\0\0\0\x0c")
    return data if at < 0 else data[: at + 5] + b"\0\0\0\x01" + data[at + 9 :]


@pytest.mark.every_server
def test_migrated_database_passes_every_check(database_url: str) -> None:
    found = examine(settings(database_url))
    assert [finding.check for finding in found] == CHECKS
    assert "fail" not in {finding.level for finding in found}, found


def test_doctor_prints_lines_or_json_and_exits_with_7_on_a_fault(
    postgres: Server, database_url: str, empty: str
) -> None:
    well = gatepost(database_url, "doctor")
    assert well.returncode == 0
    assert [line[6:20].strip() for line in well.stdout.splitlines()] == CHECKS
    ill = gatepost(postgres.url(empty), "doctor", "--json")
    assert ill.returncode == 7
    levels = {finding["check"]: finding["level"] for finding in json.loads(ill.stdout)}
    assert levels["migrations"] == "fail"


def test_connection_fails_when_the_server_is_unreachable(tmp_path: Path) -> None:
    url = f"postgres://postgres:s3cret@/x?host={tmp_path}&sslmode=disable"
    (found,) = examine(settings(url))
    assert (found.check, found.level) == ("connection", "fail")
    assert "s3cret" not in found.text


@pytest.mark.parametrize(("major", "level"), [(14, "fail"), (15, "ok"), (18, "ok"), (19, "warn")])
def test_server_version_is_judged_by_what_was_tested(major: int, level: str) -> None:
    assert judge_version(major)[0] == level


def test_pooler_is_detected_by_its_process_id(database_url: str) -> None:
    with between(database_url, same, other_pid) as pooled:
        assert "DATABASE_DIRECT_URL" in checked(settings(pooled), "pooler").text
        assert checked(settings(pooled), "pooler").level == "fail"
        undeclared = checked(settings(pooled, database_url), "pooler")
        assert (undeclared.level, "GATEPOST_POOLER" in undeclared.text) == ("fail", True)
        declared = replace(settings(pooled, database_url), pooler="transaction")
        assert checked(declared, "pooler").level == "ok"
        twice = replace(declared, database_direct_url=f"{pooled}&application_name=x")
        assert checked(twice, "pooler").level == "fail"
    with between(database_url, same, same) as proxied:
        assert checked(settings(proxied), "pooler").level == "ok"


def test_server_that_takes_no_writes_is_named(postgres: Server, database_url: str) -> None:
    assert checked(settings(database_url), "primary").level == "ok"
    name = urlsplit(database_url).path[1:]
    postgres.sql(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    found = checked(settings(f"{database_url}&target_session_attrs=any"), "primary")
    assert found.level == "fail"
    (found,) = examine(settings(database_url))
    assert (found.check, found.level) == ("connection", "fail")
    assert "no writes" in found.text


@pytest.mark.every_server
def test_role_that_leaves_locks_behind_is_warned_of(postgres: Server, database_url: str) -> None:
    with role(postgres, urlsplit(database_url).path[1:]) as url:
        assert checked(settings(url, database_url), "idle limit").level == "ok"
        # as the role was made before this setting came
        postgres.sql(f"ALTER ROLE {urlsplit(url).username} RESET client_connection_check_interval")
        found = checked(settings(url, database_url), "idle limit")
        assert found.level == "warn"
        assert found.text.startswith("client_connection_check_interval is off; ")
    found = checked(settings(database_url), "idle limit")
    assert found.level == "warn"
    both = "client_connection_check_interval and idle_in_transaction_session_timeout are off"
    assert found.text.startswith(f"{both}; ")


@pytest.mark.every_server
def test_time_zone_must_be_utc(postgres: Server, database_url: str) -> None:
    def elsewhere(data: bytes) -> bytes:
        return data.replace(b"timezone\0UTC\0", b"timezone\0+08\0")

    database = urlsplit(database_url).path[1:]
    postgres.sql(f"ALTER DATABASE \"{database}\" SET timezone = 'Europe/Paris'")
    assert checked(settings(database_url), "time zone").level == "warn"
    postgres.sql(f"ALTER DATABASE \"{database}\" SET timezone = 'UTC'")
    assert checked(settings(database_url), "time zone").level == "ok"
    with between(database_url, elsewhere, same) as proxied:
        found = checked(settings(proxied), "time zone")
    assert (found.level, "+08" in found.text) == ("fail", True)


@pytest.mark.parametrize(("seconds", "level"), [(0, "ok"), (5, "warn"), (60, "fail")])
@pytest.mark.parametrize("sign", [1, -1])
def test_clock_skew_is_measured_in_both_directions(
    database_url: str, seconds: int, sign: int, level: str
) -> None:
    def clock() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=sign * seconds)

    assert checked(settings(database_url), "clock", clock=clock).level == level


def test_migrations_fail_when_pending_or_unknown(postgres: Server, database_url: str) -> None:
    migrate(database_url, down=True)
    found = checked(settings(database_url), "migrations")
    assert found.level == "fail"
    assert files.load()[-1].name in found.text
    migrate(database_url)
    version = "INSERT INTO schema_migrations VALUES ('20200101000000')"
    postgres.sql(version, urlsplit(database_url).path[1:])
    found = checked(settings(database_url), "migrations")
    assert (found.level, found.text[:14]) == ("fail", "20200101000000")


def test_newer_schema_is_a_warning(database_url: str, later: Path) -> None:
    migrate(database_url, folder=later)
    found = checked(settings(database_url), "migrations")
    assert (found.level, NICKNAME in found.text, INDEX in found.text) == ("warn", True, True)
    schema = checked(settings(database_url), "schema")
    assert (schema.level, "column users.nickname" in schema.text) == ("ok", True)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ("ALTER TABLE users DROP COLUMN image", "- column users.image: text"),
        ("ALTER TABLE users ALTER name DROP NOT NULL", "+ column users.name: text --"),
        ("DROP INDEX sessions_user_id_idx", "- index sessions.sessions_user_id_idx"),
        (
            "ALTER TABLE users DROP CONSTRAINT users_email_length",
            "- constraint users.users_email_l",
        ),
        (
            "ALTER TABLE users DISABLE TRIGGER users_set_row_times",
            "- trigger users.users_set_row_t",
        ),
        ("ALTER TABLE sessions SET (fillfactor = 70)", "fillfactor=70"),
        (
            "ALTER TABLE sessions RESET (fillfactor)",
            "+ table sessions: WITH (autovacuum_vacuum_sc",
        ),
        ("ALTER TABLE users SET (autovacuum_enabled = off)", "+ table users: WITH (autovacuum_e"),
        ("COMMENT ON COLUMN users.id IS NULL", "- column users.id"),
        (
            "CREATE OR REPLACE FUNCTION set_row_times() RETURNS trigger LANGUAGE plpgsql"
            " AS $$ BEGIN RETURN NEW; END $$",
            "- function set_row_times()",
        ),
    ],
)
def test_schema_names_each_difference(
    postgres: Server, database_url: str, change: str, line: str
) -> None:
    postgres.sql(change, urlsplit(database_url).path[1:])
    found = checked(settings(database_url), "schema")
    assert found.level == "fail"
    assert line in found.text


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("ALTER TABLE users ADD COLUMN extra text", "column users.extra"),
        ("ALTER TABLE users ADD COLUMN extra text NOT NULL DEFAULT 'x'", "column users.extra"),
        ("CREATE VIEW v AS SELECT 1", "other v"),
        ("CREATE TABLE mine (a int NOT NULL)", "table mine, column mine.a"),
        ("CREATE INDEX mine ON users (name)", "index users.mine"),
        ("ALTER TABLE users ADD CONSTRAINT mine CHECK (name <> 'x')", "constraint users.mine"),
        ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "function f()"),
    ],
)
def test_schema_is_not_disturbed_by_what_is_beside_it(
    postgres: Server, database_url: str, change: str, named: str
) -> None:
    postgres.sql(change, urlsplit(database_url).path[1:])
    found = checked(settings(database_url), "schema")
    assert found.level == "ok"
    assert found.text.startswith(f"as in db/schema.sql, and beside it {named}")


def declaring(url: str, folder: Path, text: str) -> Settings:
    path = folder / "gatepost.toml"
    path.write_text(text)
    return replace(settings(url), schema=additional.load("GATEPOST_SCHEMA", str(path)))


def test_column_that_nobody_writes_is_a_fault(
    postgres: Server, database_url: str, tmp_path: Path
) -> None:
    database = urlsplit(database_url).path[1:]
    postgres.sql("ALTER TABLE users ADD COLUMN plan text NOT NULL", database)
    found = checked(settings(database_url), "schema")
    assert (found.level, found.text[:25]) == ("fail", "nobody writes users.plan:")
    for more, level in (("", "fail"), ("required = true", "ok"), ("default = 'free'", "ok")):
        given = declaring(database_url, tmp_path, f"[users.plan]\ntype = 'string'\n{more}\n")
        by_check = {finding.check: finding for finding in examine(given)}
        assert by_check["schema"].level == level, more
        assert by_check["own schema"].level == "ok"


INVOICES = """
[tables.invoices]
key = ["id"]
[tables.invoices.columns]
id = { type = "uuid", database_default = "gen_random_uuid()" }
user_id = { type = "uuid", references = "users" }
amount = "numeric"
"""
INVOICES_SQL = """
    CREATE TABLE invoices (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
        amount numeric(10, 2) NOT NULL,
        undeclared text
    );
"""


@pytest.mark.parametrize(
    ("change", "level", "text"),
    [
        ("", "ok", "as in the file of GATEPOST_SCHEMA"),
        ("DROP TABLE invoices", "fail", "invoices.id is declared, and not in the database"),
        (
            "ALTER TABLE invoices ALTER amount TYPE text",
            "fail",
            "invoices.amount is declared as numeric, and is text",
        ),
        (
            "ALTER TABLE invoices DROP CONSTRAINT invoices_pkey",
            "fail",
            "invoices has no unique key (id)",
        ),
        (
            "ALTER TABLE invoices DROP CONSTRAINT invoices_user_id_fkey",
            "fail",
            "invoices.user_id has no foreign key to users",
        ),
        (
            "ALTER TABLE invoices ALTER id DROP DEFAULT",
            "warn",
            "invoices.id: its database_default is none, not gen_random_uuid()",
        ),
    ],
)
def test_declared_table_is_compared_with_the_database(
    postgres: Server, database_url: str, tmp_path: Path, change: str, level: str, text: str
) -> None:
    postgres.sql(INVOICES_SQL + change, urlsplit(database_url).path[1:])
    given = declaring(database_url, tmp_path, INVOICES)
    found = {finding.check: finding for finding in examine(given)}
    assert found.keys() == {*CHECKS, "own schema"}
    assert (found["own schema"].level, found["own schema"].text[: len(text)]) == (level, text)


@pytest.mark.parametrize(
    ("column", "declared", "level", "text"),
    [
        ("plan text", "type='string'", "ok", ""),
        ("plan varchar(10)", "type='string'", "ok", ""),
        ("plan integer", "type='string'", "fail", "users.plan is declared as text, and is integer"),
        ("other text", "type='string'", "fail", "users.plan is declared, and not in the database"),
        (
            "plan text DEFAULT 'x'",
            "type='string'",
            "warn",
            "users.plan: sign-up writes null and not 'x'::text: declare the default",
        ),
        ("plan text DEFAULT 'x'", "type='string', default='x'", "ok", ""),
        (
            "plan text DEFAULT 'x'",
            "type='string', input=false",
            "warn",
            "users.plan: declare the default 'x'::text, which shows who is registered",
        ),
        ("plan text DEFAULT 'x'", "type='string', input=false, returned=false", "ok", ""),
        ("plan timestamptz(3)", "type='date'", "ok", ""),
        (
            "plan text[]",
            "type='string[]'",
            "fail",
            "users.plan is declared as jsonb, and is text[]",
        ),
    ],
)
def test_declared_field_is_compared_with_the_database(
    postgres: Server,
    database_url: str,
    tmp_path: Path,
    column: str,
    declared: str,
    level: str,
    text: str,
) -> None:
    postgres.sql(f"ALTER TABLE users ADD {column}", urlsplit(database_url).path[1:])
    given = declaring(database_url, tmp_path, f"[users]\nplan = {{{declared}}}\n")
    found = {finding.check: finding for finding in examine(given)}["own schema"]
    assert (found.level, found.text[: len(text)]) == (level, text)


def test_grant_that_a_table_needs_is_said_and_stays(
    postgres: Server, database_url: str, tmp_path: Path
) -> None:
    database = urlsplit(database_url).path[1:]
    postgres.sql(INVOICES_SQL, database)
    schema = declaring(database_url, tmp_path, INVOICES).schema
    with role(postgres, database) as url:
        given = replace(settings(url, database_url), schema=schema)

        def privileges() -> Finding:
            return {finding.check: finding for finding in examine(given)}["privileges"]

        found = privileges()
        assert found.level == "fail"
        statement = (found.next or "").removeprefix("run ")
        assert statement.startswith("GRANT SELECT, INSERT, UPDATE, DELETE ON invoices TO ")
        postgres.sql(statement, database)
        assert privileges().level == "ok"
        # what a deployment runs with every release takes nothing of it back
        postgres.sql(ROLE_SQL.replace("gatepost_service", urlsplit(url).username or ""), database)
        assert privileges().level == "ok"


@pytest.mark.every_server
def test_schema_ignores_the_order_of_storage_parameters(
    postgres: Server, database_url: str
) -> None:
    for size in (70, 90):
        change = f"ALTER TABLE sessions SET (fillfactor = {size})"
        postgres.sql(change, urlsplit(database_url).path[1:])
    assert checked(settings(database_url), "schema").level == "ok"


@pytest.mark.every_server
def test_catalogue_file_is_up_to_date(database_url: str) -> None:
    objects = asyncio.run(catalogue.read(database_url))
    assert catalogue.EXPECTED.read_text() == catalogue.render(objects)


def test_invalid_index_is_named(postgres: Server, database_url: str) -> None:
    database = urlsplit(database_url).path[1:]
    postgres.sql("INSERT INTO users (name, email) SELECT 'same', n || '@example.com'"
                 " FROM generate_series(1, 2) n", database)  # fmt: skip
    with pytest.raises(AssertionError, match="could not create unique index"):
        postgres.sql("CREATE UNIQUE INDEX CONCURRENTLY broken ON users (name)", database)
    found = checked(settings(database_url), "indexes")
    assert found.level == "fail"
    assert "DROP INDEX CONCURRENTLY broken" in found.text


def test_privileges_warn_of_excess_and_fail_when_missing(
    postgres: Server, database_url: str
) -> None:
    database = urlsplit(database_url).path[1:]
    owner = checked(settings(database_url), "privileges")
    assert owner.level == "warn"
    assert "owns" in owner.text
    with role(postgres, database) as url:
        name = urlsplit(url).username
        given = settings(url, database_url)
        found = checked(given, "privileges")
        assert (found.level, found.text.split()[0]) == ("ok", name)
        assert {f.level for f in examine(given) if f.check != "time zone"} == {"ok"}
        postgres.sql(f"GRANT INSERT ON schema_migrations TO {name}", database)
        assert checked(given, "privileges").level == "warn"
        postgres.sql(f"REVOKE INSERT ON schema_migrations FROM {name}", database)
        postgres.sql(f"REVOKE DELETE ON sessions FROM {name}", database)
        found = checked(given, "privileges")
        assert (found.level, "DELETE on sessions" in found.text) == ("fail", True)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (a int)",
        "ALTER TABLE users ADD COLUMN mine text",
        "DROP TABLE sessions",
        "DROP INDEX sessions_user_id_idx",
        "CREATE INDEX mine ON users (name)",
        "TRUNCATE users CASCADE",
        "ALTER TABLE users DISABLE TRIGGER ALL",
        "CREATE OR REPLACE FUNCTION set_row_times() RETURNS trigger LANGUAGE sql AS 'SELECT 1'",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE SCHEMA mine",
        "DELETE FROM schema_migrations",
        "INSERT INTO schema_migrations VALUES ('1')",
        "COMMENT ON TABLE users IS 'mine'",
    ],
)
async def test_service_role_cannot_change_the_schema(
    statement: str, postgres: Server, template: str
) -> None:
    with postgres.database(template) as database, role(postgres, database) as url:
        async with connect(url) as connection:
            with pytest.raises(StatementError, match="42501"):
                await connection.fetch(raw_statement("test", statement))


async def insert_into_t(url: str) -> int:
    async with connect(url) as connection:
        return await connection.fetchval(
            raw_statement("test", "INSERT INTO t VALUES (1) RETURNING a")
        )


def test_service_works_with_the_service_role(
    postgres: Server, database_url: str, later: Path, tmp_path: Path
) -> None:
    database = urlsplit(database_url).path[1:]
    with role(postgres, database) as url, running_service(url, tmp_path / "log") as service:
        made = later / "20990101000200_create_t.sql"
        made.write_text("-- migrate:up\nCREATE TABLE t (a int);\n-- migrate:down\nDROP TABLE t;\n")
        files.write_lock_file(later)
        migrate(database_url, folder=later)  # what later migrations make is not granted by itself
        with pytest.raises(StatementError, match="42501"):
            asyncio.run(insert_into_t(url))
        with httpx.Client(base_url=service.rest, headers={"apikey": KEYS["all"]}) as http:
            user = {"name": "Ann", "email": "ann@example.com"}
            there = {"Prefer": "return=representation"}
            answer = http.post("/users", json=user, headers=there)
            assert answer.status_code == 201, answer.text
            id_ = answer.json()[0]["id"]
            session = {"user_id": id_, "expires_at": "2999-01-01T00:00:00Z"}
            assert http.post("/sessions", json=session).status_code == 201
            changed = http.patch(f"/users?id=eq.{id_}", json={"name": "Anna"}, headers=there)
            assert changed.json()[0]["name"] == "Anna"
            assert http.delete(f"/users?id=eq.{id_}").status_code == 204
            assert http.get("/sessions").json() == []
