"""The file of GATEPOST_SCHEMA: what it makes of the tables, and what is said of a wrong one."""

import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest

from app.errors import SettingsError
from app.relation import ANNOTATIONS
from app.rest.query_tree import EmbedItem
from app.rest.relationships import find_relationship
from app.schema import RELATIONS, TABLES, Schema, User
from app.settings import Settings
from tests.support import ROOT, environment

INVOICES = """
[tables.invoices]
key = ["id"]
unique = [["number"]]

[tables.invoices.columns]
id = { type = "uuid", database_default = "gen_random_uuid()" }
user_id = { type = "uuid", references = "users" }
number = { type = "integer", update = false }
amount = { type = "numeric", insert = false }
note = { type = "text", nullable = true, secret = true }
"""


def read(tmp_path: Path, text: str) -> Schema:
    path = tmp_path / "gatepost.toml"
    path.write_text(text)
    given = environment("postgres:") | {"GATEPOST_SCHEMA": str(path)}
    return Settings.from_environment(given).schema


def test_unset_setting_leaves_the_tables_as_they_are() -> None:
    schema = Settings.from_environment(environment("postgres:")).schema
    assert schema.relations == RELATIONS
    assert schema.tables == TABLES


def test_field_becomes_a_column_that_comes_last(tmp_path: Path) -> None:
    users = read(tmp_path, "[users.planName]\ntype = 'string'\n").users
    assert list(users.columns) == [*RELATIONS["users"].columns, "plan_name"]
    assert users.columns["plan_name"].nullable
    assert issubclass(users.row, User)
    (field,) = users.fields
    assert (field.name, field.column, field.column_type) == ("planName", "plan_name", "text")
    assert not field.required
    assert field.input
    assert field.returned


def test_file_leaves_the_tables_of_others_alone(tmp_path: Path) -> None:
    read(tmp_path, "[users.plan]\ntype = 'string'\n")
    assert "plan" not in RELATIONS["users"].columns


@pytest.mark.parametrize("secret", ["true", "false"])
@pytest.mark.parametrize("column_type", sorted(ANNOTATIONS))
def test_column_of_a_table_has_its_type(tmp_path: Path, column_type: str, secret: str) -> None:
    text = f"[tables.t]\nkey=['id']\n[tables.t.columns]\nid='uuid'\nmarked={{type='{column_type}'"
    text += f", secret={secret}, nullable=true}}\nplain='{column_type}'"
    (table,) = read(tmp_path, text).own
    for name in ("plain", "marked"):
        assert table.columns[name].type == column_type
        assert table.columns[name].nullable == (name == "marked")
    assert table.columns["marked"].secret == (secret == "true")


def test_table_has_keys_defaults_and_scopes(tmp_path: Path) -> None:
    schema = read(tmp_path, INVOICES)
    (invoices,) = schema.own
    assert invoices.keys == (("id",), ("number",))
    assert invoices.columns["id"].default == "gen_random_uuid()"
    scopes = {c.name: (c.secret, c.guarded, c.settled) for c in invoices.columns.values()}
    assert scopes["user_id"] == (False, False, False)
    assert scopes["number"] == (False, False, True)
    assert scopes["amount"] == (False, True, True)
    assert scopes["note"] == (True, True, True)
    item = EmbedItem("invoices", None, None, "left", False, ())
    found = find_relationship(schema.relations, schema.users, item)
    assert (found.name, found.column, found.target_column) == (
        "invoices_user_id_fkey", "id", "user_id",
    )  # fmt: skip
    unserved = [
        *("rate_limits", "purges", "jwks", "webhooks", "webhook_deliveries", "session_activity"),
        *("daily_counts", "event_readers"),
    ]
    assert [table.name for table in schema.tables[-8:]] == unserved


DEFAULTS = {
    "type='string', default='free'": "free",
    "type='string', column_type='uuid', default='11111111-2222-3333-4444-555555555555'": UUID(
        "11111111-2222-3333-4444-555555555555"
    ),
    "type='number', default=5.0": 5,
    "type='number', column_type='numeric', default=0.1": Decimal("0.1"),
    "type='boolean', default=false": False,
    "type='date', default=2001-02-03": datetime(2001, 2, 3, tzinfo=UTC),
    "type='date', default=2001-02-03T04:05:06.7899+02:00": datetime(
        2001, 2, 3, 2, 5, 6, 789_000, UTC
    ),
    "type='date', column_type='date', default='2001-02-03'": date(2001, 2, 3),
    "type='string[]', default=['a']": '["a"]',
    "type='string[]', column_type='text[]', default=['a']": ["a"],
    "type='number[]', default=[1, 2.5]": "[1, 2.5]",
    "type='json', default={a=[1]}": '{"a": [1]}',
}


@pytest.mark.parametrize("declared", DEFAULTS)
def test_default_is_what_the_driver_takes(tmp_path: Path, declared: str) -> None:
    schema = read(tmp_path, f"[users]\nx = {{{declared}}}\n[sessions]\nx = {{{declared}}}\n")
    for relation in (schema.users, schema.sessions):
        (field,) = relation.fields
        assert field.default == DEFAULTS[declared]
        assert type(field.default) is type(DEFAULTS[declared])
        assert relation.default_factories["x"]() == DEFAULTS[declared]
        assert field.in_new_rows


@pytest.mark.parametrize(
    ("table", "more", "written"),
    [
        ("users", "", True),
        ("users", "input = false", False),
        ("users", "input = false\ndefault = 'x'", True),
        ("sessions", "", False),
        ("sessions", "default = 'x'", True),
    ],
)
def test_new_row_is_given_what_a_client_or_the_file_says(
    tmp_path: Path, table: str, more: str, written: bool
) -> None:
    schema = read(tmp_path, f"[{table}.x]\ntype = 'string'\n{more}\n")
    (field,) = schema.relations[table].fields
    assert field.in_new_rows == written


WRONG = [
    ("x = ", "not TOML: "),
    ("user = 1", "the file: Object contains unknown field 'user'"),
    ("users = 1", "users: Expected 'object', got 'int'"),
    ("[accounts.x]", "the file: Object contains unknown field 'accounts'"),
    ("[users.plan]", "users.plan: Object missing required field 'type'"),
    ("[users]\nplan = 'string'", "users.plan: Expected 'object', got 'str'"),
    ("[users.plan]\ntype = 'text'", "users.plan.type: Invalid enum value 'text'"),
    ("[users.plan]\ntype = 'string'\nrequire = true", "users.plan: Object contains unknown field"),
    ("[users.plan]\ntype = 'string'\nrequired = 1", "users.plan.required: Expected 'bool'"),
    ("[users.plan]\ntype = 'string'\nmax_length = 0", "users.plan.max_length: Expected 'int' >= 1"),
    (
        "[users.plan]\ntype = 'string'\ncolumn_type = 'integer'",
        "users.plan.column_type: a string is kept in one of text, uuid",
    ),
    ("[users.plan]\ntype = 'string'\ndefault = 1", "users.plan.default: expected string"),
    ("[users.plan]\ntype = 'number'\ndefault = 1.5", "users.plan.default: expected integer from"),
    ("[users.plan]\ntype = 'number'\ndefault = nan", "users.plan.default: expected number that is"),
    ("[users.plan]\ntype = 'json'\ndefault = [2001-02-03]", "users.plan.default: expected JSON"),
    ("[users.plan]\ntype = 'date'\ndefault = 12:00:00", "users.plan.default: expected date"),
    (
        "[users.plan]\ntype = 'string'\nrequired = true\ninput = false",
        "users.plan.required: a client may not give it: it needs a default",
    ),
    (
        "[sessions.plan]\ntype = 'string'\nrequired = true",
        "sessions.plan.required: nobody gives it at sign-in: it needs a default",
    ),
    ("[users.'a b']\ntype = 'string'", "users.a b: a name has letters"),
    ("[users.email]\ntype = 'string'", "users.email: email is Gatepost's own"),
    ("[users.emailVerified]\ntype = 'boolean'", "users.emailVerified: emailVerified is Gatepost's"),
    ("[users.password]\ntype = 'string'", "users.password: password is Gatepost's own"),
    (
        "[users.plan]\ntype = 'string'\ncolumn = 'image'",
        "users.plan: users has a column image of Gatepost's own",
    ),
    ("[users.plan]\ntype = 'string'\ncolumn = 'Plan'", "users.plan: 'Plan' is no column"),
    (
        "[users.planName]\ntype = 'string'\n[users.plan_name]\ntype = 'string'",
        "users.plan_name: another field has the column plan_name",
    ),
    ("[sessions.token]\ntype = 'string'", "sessions.token: token is Gatepost's own"),
    ("[users.'a\\nb']\ntype = 'string'", "users.a\\nb: a name has letters"),
    ("[users.plan]\ntype = 'string'\ncolumn = '__init__'", "users.plan: '__init__' is no column"),
    ("[tables.users]", "tables.users: the name users is taken"),
    ("[tables.purges]", "tables.purges: the name purges is taken"),
    ("[tables.schema_migrations]", "tables.schema_migrations: the name"),
    ("[tables.Invoices]", "tables.Invoices: 'Invoices' is no name of a table"),
    ("[tables.t]\ncolumns = {id='uuid'}", "tables.t: Object missing required field 'key'"),
    (
        "[tables.t]\nkey = []\ncolumns = {id='uuid'}",
        "tables.t.key: Expected 'array' of length >= 1",
    ),
    ("[tables.t]\nkey = ['a']\ncolumns = {id='uuid'}", "tables.t.key: the table has no column a"),
    (
        "[tables.t]\nkey = ['id']\nunique = [['a']]\ncolumns = {id='uuid'}",
        "tables.t.unique: the table has no column a",
    ),
    (
        "[tables.t]\nkey = ['id']\ncolumns = {id={type='uuid', nullable=true}}",
        "tables.t.key: id is nullable",
    ),
    (
        "[tables.t]\nkey = ['id']\ncolumns = {id='serial'}",
        "tables.t.columns.id.type: Invalid enum value 'serial'",
    ),
    (
        "[tables.t]\nkey = ['id']\ncolumns = {id={type='uuid', default='x'}}",
        "tables.t.columns.id: Object contains unknown field 'default'",
    ),
    (
        "[tables.t]\nkey = ['id']\ncolumns = {id={type='uuid', references='people'}}",
        "tables.t.columns.id.references: 'people' is not known (known: users, sessions,",
    ),
    (
        "[tables.t]\nkey = ['id']\ncolumns = {id={type='text', references='users'}}",
        "tables.t.columns.id.type: the key of users is uuid",
    ),
    (
        "[tables.t]\nkey=['a', 'b']\ncolumns={a='uuid', b={type='uuid', references='t'}}",
        "tables.t.columns.b.references: the key of t has several columns",
    ),
]


@pytest.mark.parametrize(("text", "problem"), WRONG)
def test_wrong_file_is_a_line_that_names_the_key(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(SettingsError) as raised:
        read(tmp_path, text)
    message = str(raised.value)
    assert message.startswith(f"GATEPOST_SCHEMA: {tmp_path}/gatepost.toml: {problem}")
    assert "\n" not in message


def test_service_with_a_wrong_file_ends_with_2_and_a_line(tmp_path: Path) -> None:
    path = tmp_path / "gatepost.toml"
    path.write_text("[users.plan]\ntype = 'text'\n")
    given = environment("postgres://127.0.0.1/none") | {"GATEPOST_SCHEMA": str(path)}
    command = [sys.executable, "-m", "app.server"]
    done = subprocess.run(
        command, cwd=ROOT, env=given, check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "GATEPOST_SCHEMA" in line
    assert "users.plan.type: Invalid enum value 'text'" in line


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    given = environment("postgres:")
    with pytest.raises(SettingsError, match=r"GATEPOST_SCHEMA: /none\.toml: No such file"):
        Settings.from_environment(given | {"GATEPOST_SCHEMA": "/none.toml"})
    (tmp_path / "binary.toml").write_bytes(b"\xff")
    with pytest.raises(SettingsError, match="not a text"):
        Settings.from_environment(given | {"GATEPOST_SCHEMA": str(tmp_path / "binary.toml")})
