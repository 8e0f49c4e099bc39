"""The recipes of docs/ARCHITECTURE.md, "How to add", followed in a scratch copy of the project.

A test edits only the files that its recipe names, regenerates what the project's scripts generate,
and shows with a migrated database and a running service that what it added works. Afterwards the
project's own tests of schema, statements and pages pass in the copy.
"""

import hashlib
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.support import KEYS, ROOT, SECRET, Server, environment, running_service

# Code against code: which server is of no account.

GENERATED: Final = {
    "db/migrations.lock",
    "db/schema.sql",
    "db/catalogue.txt",
    "db/service_grants.sql",
    "docs/COMMANDS.md",
    "docs/SCHEMA.md",
    "docs/OPERATIONS.md",
}
SCHEMA_TESTS: Final = (
    "tests/integration/test_schema.py::test_structs_and_columns_match_the_catalogue",
    "tests/integration/test_schema.py::test_tables_match_the_catalogue",
    "tests/integration/test_schema.py::test_keys_match_the_catalogue",
    "tests/integration/test_statements.py",
    "tests/migrations/test_documents.py",
    "tests/unit/test_docs.py",
)
IGNORED: Final = shutil.ignore_patterns("node_modules", "__pycache__", ".*")


class Copy:
    """A copy of the project, what was edited in it by hand, and a database of its own."""

    def __init__(self, folder: Path, postgres: Server, database: str) -> None:
        self.folder = folder
        self.database_url = postgres.url(database)
        self._server_url = postgres.url("postgres")
        for path in ROOT.iterdir():
            if path.is_dir() and not path.name.startswith((".", "build", "site")):
                shutil.copytree(path, folder / path.name, ignore=IGNORED)
            elif path.is_file() and path.name not in (".env.local", ".git"):
                shutil.copy(path, folder)
        self._before = self._checksums()

    def replace(self, path: str, old: str, new: str) -> None:
        """Edit a file, where ``old`` stands once."""
        text = (self.folder / path).read_text()
        assert text.count(old) == 1, f"{path}: {old}"
        (self.folder / path).write_text(text.replace(old, new))

    def write(self, path: str, text: str) -> None:
        """Write a new file."""
        assert not (self.folder / path).exists()
        (self.folder / path).write_text(text)

    def write_migration(self, name: str, up: str, down: str) -> None:
        """Make a migration as the project does, and fill it in."""
        self.run("-m", "app.cli", "migration", "new", name)
        (path,) = (self.folder / "db" / "migrations").glob(f"*_{name}.sql")
        path.write_text(f"-- migrate:up\n{up}\n-- migrate:down\n{down}")

    def edited(self) -> set[str]:
        """The files that were written by hand; a migration without its version."""
        now = self._checksums()
        changed = {path for path, digest in now.items() if self._before.get(path) != digest}
        assert self._before.keys() <= now.keys()
        return {re.sub(r"/\d{14}_", "/", path) for path in changed - GENERATED}

    def run(self, *arguments: str, **settings: str) -> str:
        """Run Python in the copy; its output."""
        environ = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE_")}
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder, env=environ | {"PYTHONPATH": str(self.folder)} | settings,
            check=False, capture_output=True, text=True, timeout=600,
        )  # fmt: skip
        assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    def make_schema(self) -> None:
        """``make schema docs`` and ``gatepost migrate``."""
        self.run("-m", "scripts.dump_schema")
        self.make_docs()
        self.run("-m", "scripts.document_schema")
        self.run("-m", "app.cli", "migrate", DATABASE_URL=self.database_url)

    def make_docs(self) -> None:
        self.run("-m", "scripts.document_settings")
        self.run("-m", "scripts.document_commands")

    def lint(self) -> None:
        """What ``make lint`` says of the migrations and the code."""
        self.run("-m", "scripts.lint_migrations")
        self.run("-m", "ruff", "check", "--no-cache", "app")
        self.run("-m", "ruff", "format", "--no-cache", "--check", "app")

    def test(self, *tests: str) -> None:
        """Run tests of the project, on the server that this test uses."""
        arguments = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0")
        output = self.run(*arguments, *tests, DATABASE_URL=self._server_url)
        assert re.search(r"\d+ passed", output)

    def doctor(self) -> dict[str, str]:
        """The level of each check of ``gatepost doctor``, which passes."""
        output = self.run("-m", "app.cli", "doctor", "--json", **environment(self.database_url))
        return {finding["check"]: finding["level"] for finding in json.loads(output)}

    @contextmanager
    def client(self, **settings: str) -> Iterator[httpx.Client]:
        """The service of the copy as a process, called with every scope of the REST API."""
        given = {
            "GATEPOST_SECRET": SECRET,
            "GATEPOST_BASE_URL": "http://gatepost.test",
        }
        log = self.folder / "service.log"
        with (
            running_service(self.database_url, log, self.folder, **given, **settings) as it,
            httpx.Client(
                base_url=it.url,
                headers={
                    "apikey": KEYS["all"],
                    "prefer": "return=representation",
                    "origin": "http://gatepost.test",
                },
            ) as client,
        ):
            yield client

    def _checksums(self) -> dict[str, str]:
        return {
            path.relative_to(self.folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in self.folder.rglob("*")
            if path.is_file() and path.suffix in (".py", ".sql", ".md", ".lock", ".txt", ".toml")
        }


@pytest.fixture
def copy(postgres: Server, template: str, tmp_path: Path) -> Iterator[Copy]:
    with postgres.database(template) as database:
        folder = tmp_path / "project"
        folder.mkdir()
        yield Copy(folder, postgres, database)


def ok(response: httpx.Response) -> Any:
    assert response.is_success, response.text
    return response.json()


def sign_up(client: httpx.Client) -> dict[str, Any]:
    body = {
        "name": "Ann",
        "email": f"{secrets.token_hex(4)}@example.com",
        "password": "correct horse",
    }
    return ok(client.post("/api/auth/sign-up/email", json=body))["user"] | body


def test_column_recipe_touches_two_files(copy: Copy) -> None:
    copy.write_migration(
        "add_users_locale",
        "ALTER TABLE users ADD COLUMN locale text;\n"
        "COMMENT ON COLUMN users.locale IS 'Language tag, or null. Written by backends.';\n",
        "-- Lost: every user's language.\nALTER TABLE users DROP COLUMN locale;\n",
    )
    copy.replace(
        "app/schema.py",
        "    ban_expires: Annotated[datetime, GUARDED] | None\n",
        "    ban_expires: Annotated[datetime, GUARDED] | None\n    locale: str | None\n",
    )
    copy.make_schema()
    assert copy.edited() == {"db/migrations/add_users_locale.sql", "app/schema.py"}
    with copy.client() as client:
        row = {"name": "Ann", "email": "ann@example.com", "locale": "de-CH"}
        (written,) = ok(client.post("/rest/v1/users", json=row))
        assert written["locale"] == "de-CH"
        query = {"locale": "eq.de-CH", "select": "email,locale"}
        assert ok(client.get("/rest/v1/users", params=query)) == [
            {"email": "ann@example.com", "locale": "de-CH"}
        ]
        assert "locale" in ok(client.get("/rest/v1/"))["definitions"]["users"]["properties"]
        user = sign_up(client)
        assert "locale" not in user
        query = {"email": f"eq.{user['email']}", "select": "locale"}
        assert ok(client.get("/rest/v1/users", params=query)) == [{"locale": None}]
    assert copy.doctor()["schema"] == "ok"
    copy.lint()
    copy.test(*SCHEMA_TESTS)


MEMBERSHIPS = """\
CREATE TABLE memberships (
    user_id uuid NOT NULL,
    team_number bigint NOT NULL,
    role text NOT NULL DEFAULT 'member',
    share numeric,
    joined_on date NOT NULL DEFAULT CURRENT_DATE,
    tags text[] NOT NULL DEFAULT '{}',
    CONSTRAINT memberships_pkey PRIMARY KEY (user_id, team_number),
    CONSTRAINT memberships_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id)
    ON DELETE CASCADE,
    CONSTRAINT memberships_role_length CHECK (length(role) <= 100)
);
COMMENT ON TABLE memberships IS 'Who is in which team. Written by backends.';
COMMENT ON COLUMN memberships.user_id IS 'The member.';
COMMENT ON COLUMN memberships.team_number IS 'The number of the team.';
COMMENT ON COLUMN memberships.role IS 'What the member may do.';
COMMENT ON COLUMN memberships.share IS 'The share of the member, or null.';
COMMENT ON COLUMN memberships.joined_on IS 'The first day.';
COMMENT ON COLUMN memberships.tags IS 'Labels.';
COMMENT ON CONSTRAINT memberships_pkey ON memberships IS
    'A user is in a team once; serves the teams of a user and the cascade.';
COMMENT ON CONSTRAINT memberships_user_id_fkey ON memberships IS
    'Deleting a user ends the memberships.';
COMMENT ON CONSTRAINT memberships_role_length ON memberships IS
    'What a client fills has a length.';
"""


def test_table_recipe_touches_two_files(copy: Copy) -> None:
    copy.write_migration(
        "create_memberships",
        MEMBERSHIPS,
        "-- Lost: every membership.\nDROP TABLE memberships;\n",
    )
    dates = "from datetime import date, datetime\n"
    copy.replace("app/schema.py", dates, f"{dates}from decimal import Decimal\n")
    copy.replace(
        "app/schema.py",
        "class RateLimit(",
        "class Membership(msgspec.Struct, frozen=True):\n"
        '    """A row of ``memberships``."""\n\n'
        "    user_id: UUID\n    team_number: Int64\n    role: str\n    share: Decimal | None\n"
        "    joined_on: date\n    tags: list[str]\n\n\nclass RateLimit(",
    )
    copy.replace(
        "app/schema.py",
        "rate_limits: Final = Relation(",
        "memberships: Final = Relation(\n"
        '    name="memberships",\n'
        "    row=Membership,\n"
        '    primary_key=("user_id", "team_number"),\n'
        '    foreign_keys=(ForeignKey("memberships_user_id_fkey", "memberships", "user_id",'
        ' "users"),),\n'
        '    defaults={"role": "\'member\'::text", "joined_on": "CURRENT_DATE",'
        ' "tags": "\'{}\'::text[]"},\n)\n\n'
        "rate_limits: Final = Relation(",
    )
    copy.replace(
        "app/schema.py",
        "            session_policies,\n        )\n",
        "            session_policies,\n            memberships,\n        )\n",
    )
    copy.run("-m", "ruff", "format", "-q", "--no-cache", "app/schema.py")
    copy.make_schema()
    assert copy.edited() == {"db/migrations/create_memberships.sql", "app/schema.py"}
    with copy.client() as client:
        ann, bob = sign_up(client), sign_up(client)
        rows = [
            {"user_id": ann["id"], "team_number": 2**40, "share": 0.25, "tags": ["a", "b,c"]},
            {"user_id": bob["id"], "team_number": 2**40, "share": None, "tags": []},
        ]
        written = ok(client.post("/rest/v1/memberships", json=rows))
        assert [(row["team_number"], row["role"], row["tags"]) for row in written] == [
            (2**40, "member", ["a", "b,c"]),
            (2**40, "member", []),
        ]
        key = {"user_id": f"eq.{bob['id']}", "team_number": f"eq.{2**40}"}
        (changed,) = ok(client.patch("/rest/v1/memberships", params=key, json={"role": "owner"}))
        assert changed["role"] == "owner"
        query = {"select": "share,user:users(name)", "role": "eq.member"}
        found = ok(client.get("/rest/v1/memberships", params=query))
        assert found == [{"share": 0.25, "user": {"name": "Ann"}}]
        query = {"select": "email,memberships!inner(role,tags)", "memberships.role": "eq.member"}
        assert ok(client.get("/rest/v1/users", params=query)) == [
            {"email": ann["email"], "memberships": [{"role": "member", "tags": ["a", "b,c"]}]}
        ]
        merge = {"prefer": "resolution=merge-duplicates, return=representation"}
        again = [rows[0] | {"share": 1}]
        (merged,) = ok(client.post("/rest/v1/memberships", json=again, headers=merge))
        assert merged["share"] == 1
    assert copy.doctor()["schema"] == "ok"
    copy.lint()
    copy.test(*SCHEMA_TESTS)


NOTES = """\
CREATE TABLE notes (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL,
    body text NOT NULL,
    created_at timestamptz(3) NOT NULL DEFAULT now(),
    CONSTRAINT notes_pkey PRIMARY KEY (id),
    CONSTRAINT notes_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT notes_body_length CHECK (length(body) <= 1000),
    CONSTRAINT notes_times_finite CHECK (isfinite(created_at))
);
CREATE INDEX notes_user_id_created_at_idx ON notes (user_id, created_at);
COMMENT ON TABLE notes IS 'What users write down. Written by the auth API.';
COMMENT ON COLUMN notes.id IS 'Primary key. Made by the database.';
COMMENT ON COLUMN notes.user_id IS 'Whose note it is.';
COMMENT ON COLUMN notes.body IS 'The note.';
COMMENT ON COLUMN notes.created_at IS 'When it was written, UTC, in milliseconds.';
COMMENT ON CONSTRAINT notes_pkey ON notes IS 'A name for a note.';
COMMENT ON CONSTRAINT notes_user_id_fkey ON notes IS 'Deleting a user deletes the notes.';
COMMENT ON CONSTRAINT notes_body_length ON notes IS 'What a client fills has a length.';
COMMENT ON CONSTRAINT notes_times_finite ON notes IS 'infinity is no time in JSON.';
COMMENT ON INDEX notes_user_id_created_at_idx IS
    'Serves the notes of a user in order, and the cascade.';
"""

NOTE_STATEMENTS = '''\
"""The statements of the auth API on notes."""

from typing import Final

from app.schema import Note, notes
from app.sql import Parameter, Query, Statement, Table, statement

_n = Table("notes", alias="n")
_USER = Parameter("user_id", "uuid")

create: Final[Statement[Note]] = statement(
    "notes.create",
    Query.into(notes.table)
    .columns("user_id", "body")
    .insert(_USER, Parameter("body", "text"))
    .returning(*(notes.table.field(name) for name in notes.columns)),
    Note,
)

of_user: Final[Statement[Note]] = statement(
    "notes.of_user",
    Query.from_(_n)
    .select(*(_n.field(name) for name in notes.columns))
    .where(_n.user_id == _USER)
    .orderby(_n.created_at, _n.id),
    Note,
)
'''

NOTE_ENDPOINTS = '''\
"""GET and POST /notes: what a user writes down."""

from typing import Any, Final

from app.auth.context import RequestContext
from app.auth.endpoint import get, post
from app.auth.rate_limit import Rule
from app.auth.serializers import timestamp
from app.auth.validation import fields, non_empty_string
from app.errors import AuthError
from app.schema import Note
from app.statements import notes

_MAX_LENGTH: Final = 1000


async def create_note(context: RequestContext) -> Any:
    body = context.body["body"]
    if len(body) > _MAX_LENGTH:
        raise AuthError(400, "NOTE_TOO_LONG", "Note is too long")
    created = await context.database.fetch(notes.create, context.user.id, body)
    return {"note": _note(created[0])}


async def list_notes(context: RequestContext) -> Any:
    found = await context.database.fetch(notes.of_user, context.user.id)
    return {"notes": [_note(row) for row in found]}


def _note(row: Note) -> dict[str, Any]:
    return {"id": str(row.id), "body": row.body, "createdAt": timestamp(row.created_at)}


_FIELDS: Final = fields({"body": non_empty_string})

routes: Final = [
    get("/notes", list_notes, session="session"),
    post("/notes", create_note, body=_FIELDS, session="session", rate_limit=Rule(60, 5)),
]
'''


def test_endpoint_recipe_touches_seven_files(copy: Copy) -> None:
    copy.write_migration("create_notes", NOTES, "-- Lost: every note.\nDROP TABLE notes;\n")
    copy.replace(
        "app/schema.py",
        "class RateLimit(",
        "class Note(msgspec.Struct, frozen=True):\n"
        '    """A row of ``notes``. Times are UTC."""\n\n'
        "    id: UUID\n    user_id: UUID\n    body: str\n    created_at: datetime\n\n\n"
        "class RateLimit(",
    )
    copy.replace(
        "app/schema.py",
        "rate_limits: Final = Relation(",
        "notes: Final = Relation(\n"
        '    name="notes",\n'
        "    row=Note,\n"
        '    foreign_keys=(ForeignKey("notes_user_id_fkey", "notes", "user_id", "users"),),\n'
        '    defaults={"id": "gen_random_uuid()", "created_at": "now()"},\n)\n\n'
        "rate_limits: Final = Relation(",
    )
    copy.replace("app/schema.py", "    rate_limits,\n", "    notes,\n    rate_limits,\n")
    copy.write("app/statements/notes.py", NOTE_STATEMENTS)
    copy.write("app/auth/notes.py", NOTE_ENDPOINTS)
    copy.replace("app/auth/api.py", "    no_providers,\n", "    no_providers,\n    notes,\n")
    copy.replace(
        "app/auth/api.py", "*accounts.routes,\n", "*accounts.routes,\n        *notes.routes,\n"
    )
    copy.replace(
        "docs/better-auth.md",
        "There are sign-up,",
        "`GET` and `POST /api/auth/notes` are Gatepost's own.\n\nThere are sign-up,",
    )
    copy.replace(
        "docs/ERRORS.md",
        "| `PASSWORD_COMPROMISED`",
        "| `NOTE_TOO_LONG` | 1,000 characters |\n| `PASSWORD_COMPROMISED`",
    )
    copy.make_schema()
    assert copy.edited() == {
        "db/migrations/create_notes.sql",
        "app/schema.py",
        "app/statements/notes.py",
        "app/auth/notes.py",
        "app/auth/api.py",
        "docs/better-auth.md",
        "docs/ERRORS.md",
    }
    path = "/api/auth/notes"
    with copy.client() as client:
        refused = client.get(path)
        assert (refused.status_code, refused.json()["code"]) == (401, "UNAUTHORIZED")
        sign_up(client)
        assert ok(client.get(path)) == {"notes": []}
        note = ok(client.post(path, json={"body": "Milk"}))["note"]
        assert (note["body"], note["createdAt"][-1]) == ("Milk", "Z")
        assert ok(client.get(path)) == {"notes": [note]}
        wrong = client.post(path, json={})
        assert (wrong.status_code, wrong.json()["code"]) == (400, "VALIDATION_ERROR")
        wrong = client.post(path, json={"body": "x" * 1001})
        assert wrong.status_code == 400
        assert wrong.json() == {"code": "NOTE_TOO_LONG", "message": "Note is too long"}
        for _ in range(2):
            ok(client.post(path, json={"body": "Bread"}))
        assert client.post(path, json={"body": "More"}).status_code == 429
        client.cookies.clear()
        sign_up(client)
        assert ok(client.get(path)) == {"notes": []}
        # in TABLES alone, so the REST API does not serve it
        assert client.get("/rest/v1/notes").status_code == 404
    assert copy.doctor()["schema"] == "ok"
    copy.lint()
    copy.test(*SCHEMA_TESTS)


def test_command_recipe_touches_two_files(copy: Copy) -> None:
    copy.write("app/commands/tables.py", TABLES_COMMAND)
    copy.replace("app/cli.py", '    "statements",\n', '    "statements",\n    "tables",\n')
    copy.make_docs()
    assert copy.edited() == {"app/cli.py", "app/commands/tables.py"}
    assert "## gatepost tables\n" in (copy.folder / "docs" / "COMMANDS.md").read_text()
    assert "sessions\n" in copy.run("-m", "app.cli", "tables")
    copy.lint()
    copy.test("tests/unit/test_docs.py", "tests/integration/test_commands.py::TestHelp")


TABLES_COMMAND: Final = '''\
"""``gatepost tables``."""

from .help import command_line, epilog

cli = command_line()


@cli.command("tables", epilog=epilog("gatepost tables", codes=[0]))
def tables_command() -> None:
    """List the tables that the REST API serves."""
    from ..schema import RELATIONS

    for name in RELATIONS:
        print(name)
'''


def test_setting_recipe_touches_two_files(copy: Copy) -> None:
    copy.replace(
        "app/settings/auth.py",
        "    delete_user: bool = setting(",
        "    revoke_sessions_on_password_change: bool = setting(\n"
        '        "GATEPOST_REVOKE_SESSIONS_ON_PASSWORD_CHANGE", BOOLEAN, default=False,\n'
        '        doc="End all other sessions of a user who changes the password.")\n'
        "    delete_user: bool = setting(",
    )
    copy.replace(
        "app/auth/password_change.py",
        '    revoke = body.get("revokeOtherSessions") is True\n',
        '    revoke = body.get("revokeOtherSessions") is True\n'
        "    revoke = revoke or context.settings.revoke_sessions_on_password_change\n",
    )
    copy.make_docs()
    assert copy.edited() == {"app/settings/auth.py", "app/auth/password_change.py"}
    page = (copy.folder / "docs" / "OPERATIONS.md").read_text()
    assert (
        page.replace(
            "| `GATEPOST_REVOKE_SESSIONS_ON_PASSWORD_CHANGE` | true or false | `false` | "
            "End all other sessions of a user who changes the password. |\n",
            "",
        )
        == (ROOT / "docs" / "OPERATIONS.md").read_text()
    )
    assert other_session_survives_password_change(copy, "false")
    assert not other_session_survives_password_change(copy, "true")
    copy.lint()
    copy.test("tests/unit/test_docs.py", "tests/unit/test_auth_settings.py")


def other_session_survives_password_change(copy: Copy, revoke: str) -> bool:
    with copy.client(GATEPOST_REVOKE_SESSIONS_ON_PASSWORD_CHANGE=revoke) as client:
        user = sign_up(client)
        other = dict(client.cookies)
        client.cookies.clear()
        ok(client.post("/api/auth/sign-in/email", json=user))
        change = {"currentPassword": user["password"], "newPassword": "battery staple"}
        ok(client.post("/api/auth/change-password", json=change))
        assert ok(client.get("/api/auth/get-session"))["user"]["email"] == user["email"]
        client.cookies.clear()
        client.cookies.update(other)
        return ok(client.get("/api/auth/get-session")) is not None


def test_doctor_check_recipe_touches_two_files(copy: Copy) -> None:
    copy.replace(
        "app/doctor.py",
        '            await check("privileges", privileges(settings.schema, service))\n',
        '            await check("privileges", privileges(settings.schema, service))\n'
        '            await check("clients", clients(settings))\n',
    )
    copy.replace(
        "app/doctor.py",
        "async def migrations(settings: Settings, direct_url: str)",
        "async def clients(settings: Settings) -> Outcome:\n"
        '    """Without a service key or a secret both APIs refuse every request."""\n'
        "    if settings.service_keys or settings.auth:\n"
        '        return ok("at least one API has clients")\n'
        '    step = "set GATEPOST_SERVICE_KEYS or GATEPOST_SECRET"\n'
        '    return "warn", "no service key, and the auth API is off", step\n\n\n'
        "async def migrations(settings: Settings, direct_url: str)",
    )
    copy.replace(
        "tests/migrations/test_doctor.py",
        '"clock", "privileges",\n',
        '"clock", "privileges", "clients",\n',
    )
    copy.replace(
        "tests/migrations/test_doctor.py",
        "def test_migrated_database_passes_every_check(",
        "def test_service_without_clients_is_a_warning(database_url: str) -> None:\n"
        '    assert checked(settings(database_url), "clients").level == "warn"\n\n\n'
        "def test_migrated_database_passes_every_check(",
    )
    assert copy.edited() == {"app/doctor.py", "tests/migrations/test_doctor.py"}
    assert copy.doctor()["clients"] == "ok"
    copy.lint()
    name = "test_service_without_clients_is_a_warning"
    copy.test(f"tests/migrations/test_doctor.py::{name}")


READ_PROFILE = """
from app.auth.social.providers import declaration_of
from app.settings.providers import ProviderSettings
declared = declaration_of(ProviderSettings(id="codeberg", client_id="x"))
raw = {"id": 7, "login": "ada", "full_name": "", "email": "Ada@Example.com", "avatar_url": "a"}
found = declared.profile(raw)
print(found.subject, found.name, found.email, found.email_verified, found.image)
"""


def test_provider_recipe_touches_three_files(copy: Copy) -> None:
    recipe = (ROOT / "docs" / "PROVIDERS.md").read_text().partition("## Add a provider")[2]
    code = re.search(r"```python\n(.*?)```", recipe, re.DOTALL)
    assert code is not None
    declaration = textwrap.dedent(code[1])
    assert len(declaration.split("def _profile")[0].splitlines()) <= 20
    module = "app/auth/social/providers/codeberg.py"
    copy.write(module, declaration)
    copy.replace("app/settings/providers.py", '"twitter",\n]', '"twitter", "codeberg",\n]')
    copy.replace(
        "docs/PROVIDERS.md",
        "| `discord` |",
        "| `codeberg` | codeberg.org/user/settings/applications | `read:user` | yes | nothing |\n"
        "| `discord` |",
    )
    assert copy.edited() == {module, "app/settings/providers.py", "docs/PROVIDERS.md"}
    copy.lint()
    copy.test("tests/unit/test_provider_docs.py", "tests/unit/test_provider_settings.py")
    assert copy.run("-c", READ_PROFILE) == "7 ada ada@example.com False a\n"
    copy.run("-m", "app.cli", "migrate", DATABASE_URL=copy.database_url)
    given = [{"id": "codeberg", "client_id": "x", "client_secret": "y"}]
    with copy.client(GATEPOST_PROVIDERS=json.dumps(given)) as client:
        body = {"provider": "codeberg", "callbackURL": "/in"}
        url = httpx.URL(ok(client.post("/api/auth/sign-in/social", json=body))["url"])
        assert str(url).startswith("https://codeberg.org/login/oauth/authorize?")
        assert url.params["redirect_uri"] == "http://gatepost.test/api/auth/callback/codeberg"
        assert url.params["scope"] == "read:user"
        assert url.params["code_challenge_method"] == "S256"
