"""``gatepost users export``, ``erase`` and ``receipt``, on a database with tables of its own."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import pytest

from tests.conftest import SERVERS
from tests.integration.test_commands import (
    NOBODY,
    error,
    gatepost,
    on_terminal,
    result,
    usage_error,
)
from tests.migrations.test_doctor import role
from tests.security.people import BASE, PASSWORD, SECRET, Person, Site, site
from tests.support import KEYS, Server

SCHEMA: Final = """
[users.plan]
type = "string"
column = "acme_plan"

[tables.acme_notes]
key = ["id"]
[tables.acme_notes.columns]
id = { type = "uuid", database_default = "gen_random_uuid()" }
user_id = { type = "uuid", references = "users" }
text = "text"
pin = { type = "text", nullable = true, secret = true }
"""
TABLES: Final = """
    ALTER TABLE users ADD COLUMN acme_plan text, ADD COLUMN acme_phone text;
    CREATE TABLE acme_notes (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
        text text NOT NULL, pin text);
    CREATE TABLE acme_posts (
        id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
        author text REFERENCES users (email) ON UPDATE CASCADE ON DELETE SET NULL,
        editor uuid REFERENCES users ON DELETE SET NULL);
    CREATE SCHEMA acme;
    CREATE TABLE acme.factors (
        user_id uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE, secret text);
    CREATE TABLE acme_orders (user_id uuid REFERENCES users);
"""
SECRETS: Final = ("a PIN of ada's", "a factor of ada's", "a token of ada's")


@pytest.fixture(scope="module")
def place(
    postgres_servers: Callable[[str], Server],
    templates: Callable[[Server], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    """A service whose application has tables of its own; only one is in its GATEPOST_SCHEMA."""
    server, folder = postgres_servers(SERVERS[0]), tmp_path_factory.mktemp("site")
    (folder / "schema.toml").write_text(SCHEMA)
    with server.database(templates(server)) as template:
        server.sql(TABLES, template)
        settings = {
            "GATEPOST_SCHEMA": str(folder / "schema.toml"),
            "GATEPOST_RATE_LIMIT": "database",
        }
        with site(server, template, folder, **settings) as running:
            yield running


@pytest.fixture
def person(place: Site) -> Person:
    """Somebody with rows in every table."""
    place.sql("DELETE FROM rate_limits")  # everybody comes from one address
    person = place.sign_up()
    assert place.sign_in(person.email).status_code == 200
    assert place.sign_in(person.email, f"{PASSWORD}!").status_code == 401
    place.browser().post("/request-password-reset", json={"email": person.email})
    place.mail(person.email, "reset-password")
    place.sql(
        f"""
        INSERT INTO accounts (user_id, account_id, provider_id, access_token)
        VALUES ('{person.id}', '{person.id}', 'github', 'a token of ada''s');
        UPDATE users SET acme_plan = 'free', acme_phone = '555-0100' WHERE id = '{person.id}';
        INSERT INTO acme_notes (user_id, text, pin)
        VALUES ('{person.id}', E'a note\\u009b', 'a PIN of ada''s');
        INSERT INTO acme_posts (author, editor)
        VALUES ('{person.email}', NULL), (NULL, '{person.id}'), (NULL, NULL);
        INSERT INTO session_policies (user_id, max_sessions) VALUES ('{person.id}', 50);
        INSERT INTO session_activity
        SELECT id, now() FROM sessions WHERE user_id = '{person.id}' ORDER BY created_at LIMIT 1;
        INSERT INTO acme.factors VALUES ('{person.id}', 'a factor of ada''s');
        """
    )
    return person


@pytest.fixture
def options(place: Site, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    file = next(tmp_path_factory.getbasetemp().glob("site*/schema.toml"))
    return {
        "url": place.service.database_url,
        "GATEPOST_SECRET": SECRET,
        "GATEPOST_BASE_URL": BASE,
        "GATEPOST_SCHEMA": str(file),
    }


def database(place: Site) -> str:
    return urlsplit(place.service.database_url).path[1:]


def left_out(export: Any) -> dict[str, tuple[list[str], int | None]]:
    return {each["table"]: (each["columns"], each["rows"]) for each in export["left_out"]}


class TestExport:
    def test_export_has_every_row_of_the_user_and_no_secret(
        self, place: Site, person: Person, options: dict[str, Any]
    ) -> None:
        place.sign_up("eve")
        found = result("users", "export", person.email.upper(), **options)
        assert (found["user"]["id"], found["user"]["email"]) == (person.id, person.email)
        assert found["user"]["acme_plan"] == "free"
        assert {each["provider_id"] for each in found["accounts"]} == {"credential", "github"}
        assert len(found["sessions"]) == 2
        assert all(each["ip_address"] == "127.0.0.1" for each in found["sessions"])
        assert [each["kind"] for each in found["verifications"]] == ["reset-password"]
        kinds = {"sign-in", "known address"}
        assert {each["kind"] for each in found["rate_limits"]} == kinds
        names = {"acme_notes", "session_policies", "session_activity"}
        assert found["tables"].keys() == names
        (limits,) = found["tables"]["session_policies"]
        assert (limits["user_id"], limits["max_sessions"]) == (person.id, 50)
        (seen,) = found["tables"]["session_activity"]
        assert seen["session_id"] == found["sessions"][0]["id"]
        [note] = found["tables"]["acme_notes"]
        assert (note["user_id"], note["text"]) == (person.id, "a note\u009b")
        stored = place.sql(f"SELECT password FROM accounts WHERE user_id = '{person.id}'").strip()
        links = place.sql(f"SELECT identifier FROM verifications WHERE value = '{person.id}'")
        for secret in (*SECRETS, stored, links, *place.sessions(person)):
            assert secret not in json.dumps(found)

    def test_what_is_left_out_is_named(self, person: Person, options: dict[str, Any]) -> None:
        found = left_out(result("users", "export", person.id, **options))
        assert found == {
            "users": (["acme_phone"], 1),
            "accounts": (["access_token", "refresh_token", "id_token", "password"], 2),
            "acme_notes": (["pin"], 1),
            "acme_posts": (["id", "author", "editor"], 2),
            "sessions": (["token"], 2),
            "acme.factors": (["user_id", "secret"], 1),
        }
        done = gatepost("users", "export", person.id, **options)
        assert "left out: acme.factors (user_id, secret)\n" in done.stderr
        assert json.loads(done.stdout)["user"]["id"] == person.id
        assert "\n  " in done.stdout
        assert "\u009b" not in done.stdout

    def test_included_columns_are_shown(self, person: Person, options: dict[str, Any]) -> None:
        include = [f"--include={name}" for name in ("users.acme_phone", "acme_posts")]
        found = result("users", "export", person.id, *include, **options)
        assert found["user"]["acme_phone"] == "555-0100"
        posts = found["tables"]["acme_posts"]
        assert [(each["author"], each["editor"]) for each in posts] == [
            (person.email, None),
            (None, person.id),
        ]
        assert left_out(found).keys() == {"accounts", "acme_notes", "sessions", "acme.factors"}

    def test_secret_and_unknown_columns_cannot_be_included(
        self, person: Person, options: dict[str, Any]
    ) -> None:
        for name in ("acme_notes.pin", "accounts.none", "none"):
            done = gatepost("users", "export", person.id, "--include", name, **options)
            assert f"--include {name}: no such column, or it is a secret" in usage_error(done)

    def test_table_that_the_role_may_not_read_is_named(
        self, place: Site, person: Person, options: dict[str, Any]
    ) -> None:
        with role(place.postgres, database(place)) as url:
            found = result("users", "export", person.id, **options | {"url": url})
        assert found["user"]["id"] == person.id
        assert left_out(found)["acme.factors"] == (["user_id", "secret"], None)

    def test_export_needs_no_secret(self, person: Person, options: dict[str, Any]) -> None:
        found = result("users", "export", person.id, url=options["url"])
        assert found["user"]["email"] == person.email
        assert found["rate_limits"] == []

    def test_export_has_the_events(self, person: Person, options: dict[str, Any]) -> None:
        found = result("users", "export", person.id, **options)["events"]
        assert {each["user_id"] for each in found} == {person.id}
        assert found[0]["type"] == "user.created"
        assert found[0]["after"]["email"] == person.email


class TestErase:
    def test_erased_user_leaves_a_receipt_and_nothing_else(
        self, place: Site, person: Person, options: dict[str, Any]
    ) -> None:
        other = place.sign_up("eve")
        done = result("users", "erase", person.email, "--yes", **options)
        receipt = done["receipt"]
        assert receipt["counts"] == {
            "users": 1,
            "accounts": 2,
            "sessions": 2,
            "session_policies": 1,
            "session_activity": 1,
            "verifications": 1,
            "rate_limits": 2,
            "acme_notes": 1,
            "acme.factors": 1,
            "acme_orders": 0,
        }
        assert done["kept"] == {"acme_posts": 2}
        assert person.browser.get("/get-session").json() is None
        assert other.browser.get("/get-session").json()["user"]["id"] == other.id
        tables = place.sql(
            "SELECT c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
            " WHERE relkind = 'r' AND nspname IN ('public', 'acme') AND relname <> 'events'"
        )
        dump = place.sql("; ".join(f"SELECT t FROM {table} t" for table in tables.split()))
        assert other.email in dump
        assert receipt["id"] in dump
        for trace in (person.id, person.email):
            assert trace not in dump
        for text in (person.id, person.email.upper()):
            assert result("users", "receipt", text, **options) == {"receipts": [receipt]}

    def test_events_of_an_erased_user_keep_neither_values_nor_addresses(
        self, place: Site, person: Person, options: dict[str, Any]
    ) -> None:
        with pytest.raises(AssertionError, match="the user is still there"):
            place.sql(f"SELECT redact_events('{person.id}')")
        of_user = f"FROM events WHERE user_id = '{person.id}'"
        before = int(place.sql(f"SELECT count(*) {of_user} AND after IS NOT NULL"))
        assert before >= 3
        result("users", "erase", person.id, "--yes", **options)
        assert int(place.sql(f"SELECT count(*) {of_user}")) > before
        with_values = "coalesce(before::text, after::text, ip_address) IS NOT NULL"
        assert place.sql(f"SELECT type {of_user} AND {with_values}").strip() == ""
        assert person.email not in place.sql("SELECT e FROM events e")

    def test_receipt_is_found_after_the_secret_was_rotated(
        self, person: Person, options: dict[str, Any]
    ) -> None:
        receipt = result("users", "erase", person.id, "--yes", **options)["receipt"]
        new = "another secret for tests of 32 letters"
        rotated: dict[str, Any] = options | {"GATEPOST_SECRET": f"{new},{SECRET}"}
        assert result("users", "receipt", person.email, **rotated)["receipts"] == [receipt]
        forgotten: dict[str, Any] = options | {"GATEPOST_SECRET": new}
        assert person.email in error(gatepost("users", "receipt", person.email, **forgotten), 8)

    def test_receipt_is_read_by_a_backend_and_written_by_none(
        self, place: Site, person: Person, options: dict[str, Any]
    ) -> None:
        receipt = result("users", "erase", person.id, "--yes", **options)["receipt"]
        url, key = f"{place.service.rest}/erasures", {"apikey": KEYS["all"]}
        [found] = httpx.get(f"{url}?id=eq.{receipt['id']}", headers=key).json()
        assert found["counts"] == receipt["counts"]
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            answer = httpx.request(method, f"{url}?id=eq.{receipt['id']}", headers=key, json={})
            assert answer.status_code == 405
            assert answer.headers["allow"] == "OPTIONS,GET,HEAD"

    def test_role_of_the_service_erases_and_cannot_change_a_receipt(
        self, place: Site, person: Person, options: dict[str, Any]
    ) -> None:
        with role(place.postgres, database(place)) as url:
            done = result("users", "erase", person.id, "--yes", **options | {"url": url})
            assert done["receipt"]["counts"]["acme.factors"] is None
            for change in ("UPDATE erasures SET counts = '{}'", "DELETE FROM erasures"):
                with pytest.raises(AssertionError, match="permission denied"):
                    place.postgres.sql(
                        f"SET ROLE {urlsplit(url).username}; {change}",
                        database(place),
                    )
        assert place.sql(f"SELECT count(*) FROM acme.factors WHERE user_id = '{person.id}'") == "0"

    def test_nothing_is_erased_that_a_table_holds_on_to(
        self, place: Site, person: Person, options: dict[str, Any]
    ) -> None:
        place.sql(f"INSERT INTO acme_orders VALUES ('{person.id}')")
        message = error(gatepost("users", "erase", person.id, "--yes", **options), 1)
        assert "acme_orders" in message
        assert person.browser.get("/get-session").json()["user"]["id"] == person.id
        kept = f"SELECT count(*) FROM verifications WHERE value = '{person.id}'"
        assert place.sql(kept) == "1"

    def test_nobody_is_erased_unasked(self, person: Person, options: dict[str, Any]) -> None:
        assert "--yes" in usage_error(gatepost("users", "erase", person.id, **options))
        question = [("[y/N]: ", "n")]
        code, shown = on_terminal("users", "erase", person.email, **options, answers=question)
        assert code == 1
        assert person.email in shown
        assert person.browser.get("/get-session").json() is not None
        question = [("[y/N]: ", "y")]
        code, shown = on_terminal("users", "erase", person.email, **options, answers=question)
        assert code == 0, shown
        assert re.search(r"receipt  [0-9a-f-]{36}\r\n", shown)
        assert "acme_posts: 2 rows stay, without their user" in shown
        assert person.browser.get("/get-session").json() is None

    def test_receipt_without_a_secret_is_refused(self, options: dict[str, Any]) -> None:
        done = gatepost("users", "erase", "--yes", NOBODY, url=options["url"])
        assert "GATEPOST_SECRET" in error(done, 2)

    @pytest.mark.parametrize("command", [["export"], ["erase", "--yes"], ["receipt"]], ids=" ".join)
    def test_unknown_user_has_an_exit_code_of_its_own(
        self, options: dict[str, Any], command: list[str]
    ) -> None:
        assert NOBODY in error(gatepost("users", *command, NOBODY, **options), 8)
