"""The service's role: all that the service needs of the database, and nothing more.

db/service_role.sql makes it, db/service_grants.sql says what it may do.
"""

import asyncio
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from app.database import connect
from app.errors import StatementError
from app.migrations import files
from app.schema import WRITTEN
from app.sql import raw_statement
from scripts.generated import with_granted_tables
from tests.migrations.conftest import gatepost
from tests.migrations.test_doctor import ROLE_SQL, checked, role, settings
from tests.support import KEYS, ROOT, SECRET, Server, running_service

pytestmark = pytest.mark.every_server

PASSWORD = "correct horse battery"


def test_script_names_the_tables_of_the_schema() -> None:
    script = files.SERVICE_GRANTS.read_text()
    assert script == with_granted_tables(script, [t.name for t in WRITTEN]), "run 'make schema'"
    assert "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL" not in ROLE_SQL
    assert "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT" not in ROLE_SQL
    assert "GRANT" not in files.SERVICE_ROLE.read_text()


@pytest.fixture
def restricted(postgres: Server, database_url: str) -> Iterator[tuple[str, str]]:
    """The address of the database with the service's role, and the role."""
    with role(postgres, urlsplit(database_url).path[1:]) as url:
        yield url, urlsplit(url).username or ""


def run(postgres: Server, url: str, text: str) -> None:
    postgres.sql(text, urlsplit(url).path[1:])


@pytest.mark.parametrize(
    ("more", "back", "said"),
    [
        ("ALTER ROLE {} SUPERUSER", "ALTER ROLE {} NOSUPERUSER", "is a superuser"),
        ("ALTER ROLE {} CREATEROLE", "ALTER ROLE {} NOCREATEROLE", "may create roles"),
        ("ALTER ROLE {} CREATEDB", "ALTER ROLE {} NOCREATEDB", "may create databases"),
        ("ALTER ROLE {} REPLICATION", "ALTER ROLE {} NOREPLICATION", "may replicate"),
        ("ALTER ROLE {} BYPASSRLS", "ALTER ROLE {} NOBYPASSRLS", "bypasses row security"),
        ("GRANT postgres TO {}", "REVOKE postgres FROM {}", "may become"),
        (
            "GRANT pg_read_server_files TO {}",
            "REVOKE pg_read_server_files FROM {}",
            "may become pg_read_server_files",
        ),
        ("GRANT pg_write_all_data TO {}", "REVOKE pg_write_all_data FROM {}", "pg_write_all_data"),
        (
            "GRANT CREATE ON SCHEMA public TO {}",
            "REVOKE CREATE ON SCHEMA public FROM {}",
            "may create tables",
        ),
        (
            "ALTER TABLE sessions OWNER TO {}",
            "ALTER TABLE sessions OWNER TO postgres",
            "owns sessions",
        ),
        (
            "GRANT TRUNCATE ON users TO {}",
            "REVOKE TRUNCATE ON users FROM {}",
            "may truncate, refer to or put triggers on users",
        ),
        (
            "CREATE TABLE other (); GRANT SELECT ON other TO {}",
            "REVOKE ALL ON other FROM {}",
            "may use other",
        ),
        (
            "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT INSERT ON TABLES TO {}",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE INSERT ON TABLES FROM {}",
            "gets privileges on tables to come",
        ),
    ],
)
def test_doctor_names_what_the_role_can_do_beyond_its_work(
    postgres: Server,
    database_url: str,
    restricted: tuple[str, str],
    more: str,
    back: str,
    said: str,
) -> None:
    url, name = restricted
    given = settings(url, database_url)
    assert checked(given, "privileges").level == "ok"
    run(postgres, url, more.format(name))
    try:
        found = checked(given, "privileges")
        assert (found.level, said in found.text) == ("warn", True), found.text
    finally:
        run(postgres, url, back.format(name))
    if "OWNER" not in more:  # the new owner was granted what an owner has
        assert checked(given, "privileges").level == "ok"


def test_script_run_again_takes_back_what_it_once_granted(
    postgres: Server, database_url: str, restricted: tuple[str, str]
) -> None:
    url, name = restricted
    run(
        postgres,
        url,
        f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {name};"
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO {name}",
    )
    given = settings(url, database_url)
    assert checked(given, "privileges").level == "warn"
    run(postgres, url, ROLE_SQL.replace("gatepost_service", name))
    assert checked(given, "privileges").level == "ok"
    run(postgres, url, "CREATE TABLE later (a int)")

    async def read() -> None:
        async with connect(url) as connection:
            await connection.fetch(raw_statement("test", "SELECT a FROM later"))

    with pytest.raises(StatementError, match="42501"):
        asyncio.run(read())


def test_whole_service_works_with_the_role(restricted: tuple[str, str], tmp_path: Path) -> None:
    url, mails = restricted[0], tmp_path / "mails"
    given = {
        "GATEPOST_SECRET": SECRET,
        "GATEPOST_BASE_URL": "http://127.0.0.1:8000",
        "GATEPOST_DELETE_USER": "true",
        "MAIL_FILE": str(mails),
    }
    user = {"name": "Ann", "email": "ann@example.com", "password": PASSWORD}
    with running_service(url, tmp_path / "log", **given) as service:
        origin = {"Origin": "http://127.0.0.1:8000"}
        with httpx.Client(base_url=f"{service.url}/api/auth", headers=origin) as http:

            def post(path: str, **body: object) -> httpx.Response:
                answer = http.post(path, json=body)
                assert answer.status_code == 200, answer.text
                return answer

            post("/sign-up/email", **user)
            assert http.get("/get-session").json()["user"]["name"] == "Ann"
            post("/update-user", name="Anna")
            assert len(http.get("/list-sessions").json()) == 1
            assert len(http.get("/list-accounts").json()) == 1
            post("/sign-out")
            post("/request-password-reset", email=user["email"], redirectTo="/")
            token = json.loads(mails.read_text().splitlines()[-1])["token"]
            post("/reset-password", newPassword=f"{PASSWORD}!", token=token)
            post("/sign-in/email", email=user["email"], password=f"{PASSWORD}!")
            post("/change-password", currentPassword=f"{PASSWORD}!", newPassword=PASSWORD)
            post("/delete-user", password=PASSWORD)
        rest = {"apikey": KEYS["all"]}
        with httpx.Client(base_url=service.rest, headers=rest) as http:
            assert http.get("/users").json() == []
            assert http.post("/users", json={"name": "B", "email": "b@b.te"}).status_code == 201
            assert http.get("/").status_code == 200
        assert httpx.get(f"{service.url}/readyz").status_code == 200
    assert gatepost(url, "purge").returncode == 0
    assert gatepost(url, "migrate", "--status").returncode == 0


def test_compose_file_makes_the_role_with_its_password(
    postgres: Server, database_url: str, tmp_path: Path
) -> None:
    """The commands of its step ``role``, run here under another name."""
    step = re.search(r"      - \|\n((?:        .*\n)+)", (ROOT / "compose.yaml").read_text())
    assert step
    name = f"gatepost_{os.getpid()}"
    script = tmp_path / "service_role.sql"
    script.write_text(files.SERVICE_ROLE.read_text().replace("gatepost_service", name))
    commands = step[1].replace("/service_role.sql", str(script)).replace("gatepost_service", name)
    commands = commands.replace("psql ", f'"{postgres.psql}" -Xq -d "$DATABASE_URL" ')
    env = {"DATABASE_URL": database_url, "SERVICE_PASSWORD": 'it\'s $HOME \\ "x"'}
    try:
        for _ in range(2):  # each release runs it
            done = subprocess.run(
                ["sh", "-ec", commands], check=False, env=env, capture_output=True, text=True,
                timeout=60,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
        stored = f"SELECT rolpassword FROM pg_authid WHERE rolname = '{name}'"
        assert postgres.sql(stored).startswith("SCRAM-SHA-256$")
    finally:
        postgres.sql(f"DROP ROLE {name}")
