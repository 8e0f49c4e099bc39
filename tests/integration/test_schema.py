"""app/schema.py against the live catalogue, and the invariants of the tables."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import NoneType
from typing import Any, get_args
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest

from app.relation import Relation
from app.schema import TABLES, new_token
from app.statements import sessions
from tests import GIVEN_URL

pytestmark = pytest.mark.every_server

COLUMNS = """
    SELECT a.attname AS name, format_type(a.atttypid, NULL) AS type, a.attnotnull AS not_null,
           pg_get_expr(d.adbin, d.adrelid) AS default, col_description(a.attrelid, a.attnum) AS note
    FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
TYPES = {
    "uuid": UUID,
    "text": str,
    "boolean": bool,
    "timestamp with time zone": datetime,
    "date": date,
    "integer": int,
    "bigint": int,
    "numeric": Decimal,
    "jsonb": str,
    "text[]": list[str],
}
TOKEN = "t" * 32


SECRETS = {
    "sessions.token",
    "jwks.private_key",
    "webhooks.secret",
    "webhooks.old_secret",
    "accounts.access_token",
    "accounts.refresh_token",
    "accounts.id_token",
    "accounts.password",
    "verifications.identifier",
    "verifications.value",
}


def fields(struct: type[msgspec.Struct]) -> dict[str, msgspec.structs.FieldInfo]:
    return {field.name: field for field in msgspec.structs.fields(struct)}


def plain(annotation: Any) -> set[type]:
    """The classes of an annotation, without Annotated and UnsetType."""
    options = get_args(annotation) if NoneType in get_args(annotation) else [annotation]
    if msgspec.UnsetType in get_args(annotation):
        options = get_args(annotation)
    return {
        get_args(option)[0] if hasattr(option, "__metadata__") else option for option in options
    } - {msgspec.UnsetType}


async def has_row_times(db: asyncpg.Connection, table: str) -> bool:
    """Whether a trigger keeps created_at and updated_at."""
    return await db.fetchval(
        "SELECT count(*) = 1 FROM pg_trigger"
        " WHERE tgrelid = $1::regclass AND tgfoid = 'set_row_times'::regproc",
        table,
    )


@pytest.mark.parametrize("relation", TABLES, ids=lambda r: r.name)
async def test_structs_and_columns_match_the_catalogue(
    relation: Relation, db: asyncpg.Connection
) -> None:
    live = await db.fetch(COLUMNS, relation.name)
    assert [row["name"] for row in live] == list(relation.columns)
    assert [row["name"] for row in live] == list(fields(relation.row))
    inserted, updated = fields(relation.insert_type), fields(relation.update_type)
    assert set(inserted) == set(relation.columns)
    kept = {"created_at", "updated_at"} if await has_row_times(db, relation.name) else set()
    assert set(updated) == set(relation.columns) - kept
    for row in live:
        name, column = row["name"], relation.columns[row["name"]]
        expected = {TYPES[row["type"]]} | (set() if row["not_null"] else {NoneType})
        assert plain(fields(relation.row)[name].type) == expected, name
        assert plain(inserted[name].type) == expected, name
        assert name not in updated or plain(updated[name].type) == expected, name
        # what the database fills in may be left out, and nothing else
        may_be_left_out = row["default"] is not None or not row["not_null"]
        assert (inserted[name].default is msgspec.UNSET) == may_be_left_out, name
        assert all(field.default is msgspec.UNSET for field in updated.values())
        assert column.nullable == (not row["not_null"]), name
        assert column.default == row["default"], name
        assert row["note"], f"{name} has no comment"


async def test_tables_match_the_catalogue(db: asyncpg.Connection) -> None:
    rows = await db.fetch(
        "SELECT relname, obj_description(oid, 'pg_class') AS note FROM pg_class"
        " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        " AND relname <> 'schema_migrations'"
    )
    assert {row["relname"] for row in rows} == {relation.name for relation in TABLES}
    assert all(row["note"] for row in rows)


@pytest.mark.parametrize("relation", TABLES, ids=lambda r: r.name)
async def test_keys_match_the_catalogue(relation: Relation, db: asyncpg.Connection) -> None:
    unique = await db.fetch(
        "SELECT array_agg(a.attname::text ORDER BY array_position(c.conkey, a.attnum)) AS columns"
        " FROM pg_constraint c"
        " JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)"
        " WHERE c.conrelid = $1::regclass AND c.contype IN ('p', 'u') GROUP BY c.oid",
        relation.name,
    )
    assert {tuple(row["columns"]) for row in unique} == set(relation.keys)
    foreign = await db.fetch(
        "SELECT c.conname, a.attname, c.confrelid::regclass::text AS target, c.confdeltype,"
        " EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.conrelid"
        "         AND i.indkey[0] = a.attnum) AS indexed"
        " FROM pg_constraint c JOIN pg_attribute a"
        " ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]"
        " WHERE c.conrelid = $1::regclass AND c.contype = 'f'",
        relation.name,
    )
    assert {(row["conname"], row["attname"], row["target"]) for row in foreign} == {
        (key.name, key.column, key.target) for key in relation.foreign_keys
    }
    assert all(row["confdeltype"] == b"c" for row in foreign), "deleting a user cascades"
    assert all(row["indexed"] for row in foreign)


def test_secret_columns_are_secret_in_each_struct() -> None:
    assert {
        f"{relation.name}.{column.name}"
        for relation in TABLES
        for column in relation.columns.values()
        if column.secret
    } == SECRETS
    for relation in TABLES:
        for struct in (relation.insert_type, relation.update_type):
            marked = {
                name for name, field in fields(struct).items() if "secret" in repr(field.type)
            }
            assert marked == {c.name for c in relation.columns.values() if c.secret}


async def user(db: asyncpg.Connection, email: str = "ann@example.com", **more: Any) -> UUID:
    names = ", ".join(["name", "email", *more])
    marks = ", ".join(f"${n}" for n in range(1, len(more) + 3))
    return await db.fetchval(
        f"INSERT INTO users ({names}) VALUES ({marks}) RETURNING id", "Ann", email, *more.values()
    )


async def insert(db: asyncpg.Connection, table: str, row: dict[str, Any]) -> UUID:
    names = ", ".join(row)
    marks = ", ".join(f"${n}" for n in range(1, len(row) + 1))
    return await db.fetchval(
        f"INSERT INTO {table} ({names}) VALUES ({marks}) RETURNING id", *row.values()
    )


async def session(db: asyncpg.Connection, **given: Any) -> UUID:
    row = {"token": TOKEN, "expires_at": datetime.now(UTC) + timedelta(days=7)} | given
    return await insert(db, "sessions", row)


async def account(db: asyncpg.Connection, user_id: UUID, **given: Any) -> UUID:
    row = {"user_id": user_id, "provider_id": "github", "account_id": "1"} | given
    return await insert(db, "accounts", row)


async def credential(db: asyncpg.Connection, user_id: UUID, **given: Any) -> UUID:
    own = {"provider_id": "credential", "account_id": str(user_id), "password": "salt:key"}
    return await account(db, user_id, **own | given)


async def verification(db: asyncpg.Connection, **given: Any) -> UUID:
    row = {"identifier": "reset-password:t", "value": "v"}
    later = datetime.now(UTC) + timedelta(hours=1)
    return await insert(db, "verifications", row | {"expires_at": later} | given)


@pytest.mark.parametrize(
    ("email", "constraint"),
    [
        ("Ann@example.com", "users_email_lower_case"),
        ("ann", "users_email_shape"),
        ("ann@example", "users_email_shape"),
        ("a nn@example.com", "users_email_shape"),
        ("ann@@example.com", "users_email_shape"),
        ("", "users_email_shape"),
        ("a" * 243 + "@example.com", "users_email_length"),
    ],
)
async def test_malformed_email_is_refused(
    db: asyncpg.Connection, email: str, constraint: str
) -> None:
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await user(db, email)
    assert refused.value.constraint_name == constraint


async def test_second_user_with_an_email_is_refused(db: asyncpg.Connection) -> None:
    await user(db)
    with pytest.raises(asyncpg.UniqueViolationError) as refused:
        await user(db)
    assert refused.value.constraint_name == "users_email_key"


async def test_empty_name_is_accepted(db: asyncpg.Connection) -> None:
    assert await db.fetchval(
        "INSERT INTO users (name, email) VALUES ('', 'x@example.com') RETURNING name = ''"
    )


@pytest.mark.parametrize(
    ("given", "constraint"),
    [
        ({"token": "short"}, "sessions_token_shape"),
        ({"token": "t" * 31 + " "}, "sessions_token_shape"),
        ({"token": "t" * 31}, "sessions_token_shape"),
        ({"token": "t" * 31 + "é"}, "sessions_token_shape"),
        ({"token": "t" * 256}, "sessions_token_shape"),
        ({"token": "t" * 32 + "\n"}, "sessions_token_shape"),
        ({"expires_at": datetime(2020, 1, 1, tzinfo=UTC)}, "sessions_expires_after_created"),
        ({"ip_address": "1" * 46}, "sessions_ip_address_length"),
    ],
)
async def test_malformed_session_is_refused(
    db: asyncpg.Connection, given: dict[str, Any], constraint: str
) -> None:
    owner = await user(db)
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await session(db, user_id=owner, **given)
    assert refused.value.constraint_name == constraint


async def test_shortest_and_longest_token_are_accepted(db: asyncpg.Connection) -> None:
    owner = await user(db)
    for token in ("09_-azAZ" * 4, "t" * 255):
        await session(db, user_id=owner, token=token)


async def older_transactions_end(db: asyncpg.Connection) -> None:
    """Wait for other tests on this server and for autovacuum: what they may see is not pruned."""
    now = await db.fetchval("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
    oldest = (
        "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint - coalesce("
        " (SELECT max(age(backend_xmin)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()), 0)"
    )
    while await db.fetchval(oldest) < now:
        pass


async def test_refresh_is_a_hot_update(db: asyncpg.Connection) -> None:
    """The new row beside the old one, and no index written to, from full pages on."""
    await db.execute(
        "INSERT INTO sessions (user_id, token, expires_at, user_agent)"
        " SELECT $1, md5(n::text), now() + interval '1 day', repeat('x', 100)"
        " FROM generate_series(1, 1000) n",
        await user(db),
    )
    rows = await db.fetch(
        "SELECT expires_at + interval '7 days', token, expires_at, updated_at FROM sessions"
    )
    for row in rows:
        assert await db.fetch(sessions.refresh.text, *row)
        await older_transactions_end(db)
    await db.execute("SELECT pg_stat_force_next_flush()")
    counted = await db.fetchrow(
        "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'sessions'"
    )
    assert counted == (1000, 1000)


@pytest.mark.parametrize(
    ("table", "column"),
    [
        (relation.name, column.name)
        for relation in TABLES
        for column in relation.columns.values()
        if column.type == "timestamptz"
    ],
)
async def test_infinite_time_is_refused(db: asyncpg.Connection, table: str, column: str) -> None:
    # a table of the same checks, whose rows need no other value
    await db.execute(f"CREATE TEMP TABLE checks (LIKE {table} INCLUDING CONSTRAINTS)")
    for name in await db.fetch(COLUMNS, "checks"):
        await db.execute(f"ALTER TABLE checks ALTER {name['name']} DROP NOT NULL")
    await db.execute(f"INSERT INTO checks ({column}) VALUES (now())")
    value = "-infinity" if column == "created_at" else "infinity"
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await db.execute(f"UPDATE checks SET {column} = '{value}'")
    names = (f"{table}_times_finite", f"{table}_{column}_finite")
    assert refused.value.constraint_name in names


@pytest.mark.parametrize(
    ("given", "constraint"),
    [
        ({"password": None}, "accounts_credential_password"),
        ({"account_id": "ann@example.com"}, "accounts_credential_account_id"),
        ({"provider_id": "github"}, "accounts_credential_password"),
    ],
)
async def test_malformed_account_is_refused(
    db: asyncpg.Connection, given: dict[str, Any], constraint: str
) -> None:
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await credential(db, await user(db), **given)
    assert refused.value.constraint_name == constraint


async def test_account_of_two_users_is_refused(db: asyncpg.Connection) -> None:
    ann, bob = await user(db), await user(db, "bob@example.com")
    await account(db, ann)
    with pytest.raises(asyncpg.UniqueViolationError) as refused:
        await account(db, bob)
    assert refused.value.constraint_name == "accounts_provider_id_account_id_key"


async def test_user_has_one_password_and_several_other_accounts(
    db: asyncpg.Connection,
) -> None:
    ann = await user(db)
    await credential(db, ann)
    for account_id in ("1", "2"):  # two of one provider: Better Auth allows it
        await account(db, ann, account_id=account_id)
    with pytest.raises(asyncpg.UniqueViolationError):
        await credential(db, ann)


async def test_credential_of_another_user_is_refused(db: asyncpg.Connection) -> None:
    ann, bob = await user(db), await user(db, "bob@example.com")
    await credential(db, ann)
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await db.execute("UPDATE accounts SET user_id = $1", bob)
    assert refused.value.constraint_name == "accounts_credential_account_id"


async def test_account_is_deleted_with_its_user(db: asyncpg.Connection) -> None:
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await account(db, uuid4())
    ann, bob = await user(db), await user(db, "bob@example.com")
    await credential(db, ann)
    await account(db, ann)
    kept = await credential(db, bob)
    await db.execute("DELETE FROM users WHERE id = $1", ann)
    assert [row["id"] for row in await db.fetch("SELECT id FROM accounts")] == [kept]


async def test_verification_without_a_lifetime_is_refused(db: asyncpg.Connection) -> None:
    now = datetime.now(UTC)
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await verification(db, created_at=now, expires_at=now)
    assert refused.value.constraint_name == "verifications_expires_after_created"


async def test_repeated_identifier_is_accepted(db: asyncpg.Connection) -> None:
    await verification(db)
    await verification(db)
    assert await db.fetchval("SELECT count(DISTINCT identifier) FROM verifications") == 1


@pytest.mark.parametrize(
    ("query", "value", "index"),
    [
        ("SELECT 1 FROM accounts WHERE user_id = $1", uuid4(), "accounts_user_id_idx"),
        (
            "SELECT 1 FROM accounts WHERE provider_id = 'github' AND account_id = $1",
            "1",
            "accounts_provider_id_account_id_key",
        ),
        (
            "SELECT 1 FROM verifications WHERE identifier = $1 ORDER BY created_at DESC LIMIT 1",
            "x1",
            "verifications_identifier_created_at_idx",
        ),
        (
            "DELETE FROM verifications WHERE expires_at < $1",
            datetime(2026, 1, 1, tzinfo=UTC),
            "verifications_expires_at_idx",
        ),
    ],
)
async def test_better_auth_query_uses_its_index(
    db: asyncpg.Connection, query: str, value: Any, index: str
) -> None:
    await db.execute(
        "INSERT INTO users (name, email)"
        " SELECT '', i || '@example.com' FROM generate_series(1, 2000) i"
    )
    await db.execute(
        "INSERT INTO accounts (user_id, provider_id, account_id, password)"
        " SELECT id, 'credential', id::text, 'salt:key' FROM users"
    )
    await db.execute(
        "INSERT INTO verifications (identifier, value, expires_at)"
        " SELECT 'x' || i, 'v', now() + i * interval '1 hour' FROM generate_series(1, 2000) i"
    )
    await db.execute("ANALYZE")
    plan = [row[0] for row in await db.fetch(f"EXPLAIN {query}", value)]
    assert index in "\n".join(plan)
    assert not any("Sort" in line for line in plan)


async def test_session_without_a_user_is_refused(db: asyncpg.Connection) -> None:
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await session(db, user_id=uuid4())


async def test_deleted_user_loses_all_sessions_and_no_other_user(db: asyncpg.Connection) -> None:
    ann, bob = await user(db), await user(db, "bob@example.com")
    for owner, count in ((ann, 3), (bob, 2)):
        for _ in range(count):
            await session(db, user_id=owner, token=new_token())
    await db.execute("DELETE FROM users WHERE id = $1", ann)
    rows = await db.fetch("SELECT user_id FROM sessions")
    assert [row["user_id"] for row in rows] == [bob, bob]


async def test_update_sets_updated_at_and_keeps_created_at(
    db: asyncpg.Connection,
) -> None:
    past = datetime(2020, 1, 1, tzinfo=UTC)
    owner = await user(db, created_at=past, updated_at=past)
    before = datetime.now(UTC) - timedelta(seconds=1)
    # even who names them: updated_at to the past, created_at to the future
    row = await db.fetchrow(
        "UPDATE users SET name = 'Anna', updated_at = $2, created_at = now() WHERE id = $1"
        " RETURNING created_at, updated_at",
        owner,
        past,
    )
    assert row is not None
    assert row["created_at"] == past
    assert row["updated_at"] > before


async def test_ids_and_times_have_defaults_in_utc(db: asyncpg.Connection) -> None:
    owner = await user(db)
    row = await db.fetchrow("SELECT *, now() AS now FROM users WHERE id = $1", owner)
    assert row is not None
    assert row["id"].version == 4
    assert row["email_verified"] is False
    assert row["image"] is None
    assert abs(row["created_at"] - datetime.now(UTC)) < timedelta(minutes=5)
    assert row["created_at"] == row["updated_at"]
    assert row["created_at"].microsecond % 1000 == 0


async def test_server_and_process_are_not_in_utc(db: asyncpg.Connection) -> None:
    """What makes every other test one of time zones too."""
    assert datetime.now().astimezone().utcoffset() != timedelta(0)
    if not GIVEN_URL:  # that one is where it is
        assert await db.fetchval("SHOW timezone") == "America/New_York"


def test_new_tokens_are_alphanumeric_and_unique() -> None:
    tokens = {new_token() for _ in range(2000)}
    assert len(tokens) == 2000
    assert all(len(token) == 32 and token.isalnum() and token.isascii() for token in tokens)
    assert len(set("".join(tokens))) == 62
