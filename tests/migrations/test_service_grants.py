"""The two scripts of the service's role: who makes it, and who grants it what it needs."""

import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlsplit

import httpx
import pytest

from app.migrations import files
from tests.migrations.conftest import gatepost, migrate
from tests.migrations.test_doctor import checked, settings
from tests.support import KEYS, ROOT, Server, running_service

pytestmark = pytest.mark.every_server

PASSWORD = "correct horse battery"


class Owned(NamedTuple):
    """A database whose owner is no superuser; addresses, and the names of owner and service."""

    url: str
    service_url: str
    owner: str
    service: str

    def script(self, path: Path) -> str:
        return path.read_text().replace("gatepost_service", self.service)


@pytest.fixture(params=["NOCREATEROLE", "CREATEROLE"])
def owned(request: pytest.FixtureRequest, postgres: Server) -> Iterator[Owned]:
    """The database of an owner who may create roles, or may not, before any migration."""
    suffix = secrets.token_hex(4)
    owner, service = f"owner_{suffix}", f"gatepost_{suffix}"
    postgres.sql(f"CREATE ROLE {owner} LOGIN {request.param} PASSWORD '{PASSWORD}'")
    with postgres.database() as name:
        postgres.sql(f'ALTER DATABASE "{name}" OWNER TO {owner}')
        # what somebody else has in the same schema, as an extension may
        postgres.sql("CREATE TABLE other (); CREATE VIEW others AS SELECT 1 AS one", name)
        url = postgres.url(name)
        yield Owned(url_of(url, owner), url_of(url, service), owner, service)
    postgres.sql(f"DROP ROLE IF EXISTS {service}")
    postgres.sql(f"DROP ROLE {owner}")


def url_of(url: str, name: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{name}:{quote(PASSWORD)}@{host}").geturl()


def psql(postgres: Server, url: str, script: str) -> subprocess.CompletedProcess[str]:
    """What the comment of a script says to run."""
    return subprocess.run(
        [postgres.psql, "-X", "-d", url, "-v", "ON_ERROR_STOP=1", "-f", "-"], input=script,
        check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_owner_grants_whether_or_not_it_may_create_roles(
    postgres: Server, owned: Owned, later: Path, tmp_path: Path
) -> None:
    grants, role_script = owned.script(files.SERVICE_GRANTS), owned.script(files.SERVICE_ROLE)
    early = psql(postgres, owned.url, grants)
    assert early.returncode == 3
    assert f"there is no role {owned.service}: who may create roles runs" in early.stderr

    made = psql(postgres, owned.url, role_script)
    if made.returncode:  # then somebody who may
        assert "permission denied to create role" in made.stderr
        made = psql(postgres, postgres.url("postgres"), role_script)
    assert (made.returncode, made.stderr) == (0, "")
    postgres.sql(f"ALTER ROLE {owned.service} PASSWORD '{PASSWORD}'")

    early = psql(postgres, owned.url, grants)
    assert early.returncode == 3
    assert f"{owned.owner} does not own the tables" in early.stderr

    given = settings(owned.service_url, owned.url)
    migrate(owned.url)
    assert checked(given, "privileges").level == "fail"
    for _ in range(2):
        done = psql(postgres, owned.url, grants)
        assert (done.returncode, done.stderr) == (0, "")
    assert checked(given, "privileges").level == "ok"
    assert checked(given, "idle limit").level == "ok"

    # the next release
    migrate(owned.url, folder=later)
    done = psql(postgres, owned.url, grants)
    assert (done.returncode, done.stderr) == (0, "")
    with running_service(owned.service_url, tmp_path / "log") as service:
        rest = {"apikey": KEYS["all"]}
        user = {"name": "Ann", "email": "ann@example.com"}
        assert httpx.post(f"{service.rest}/users", json=user, headers=rest).status_code == 201
    assert gatepost(owned.service_url, "purge").returncode == 0


@pytest.fixture
def project(tmp_path: Path, owned: Owned) -> Path:
    """A copy of the project whose scripts have the name of the test's role."""
    for part in ("app", "db"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    grants = tmp_path / "db" / "service_grants.sql"
    grants.write_text(owned.script(grants))
    return tmp_path


def test_command_grants_by_the_owner_and_says_what_is_missing(
    postgres: Server, owned: Owned, project: Path
) -> None:
    def grant() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "app.cli", "grant"],
            cwd=project, env=os.environ | {"DATABASE_URL": owned.url},
            check=False, capture_output=True, text=True, timeout=60,
        )  # fmt: skip

    early = grant()
    assert early.returncode == 1
    assert re.fullmatch(r"gatepost: 42704: there is no role \S+: who may .*\n", early.stderr)
    postgres.sql(owned.script(files.SERVICE_ROLE))
    postgres.sql(f"ALTER ROLE {owned.service} PASSWORD '{PASSWORD}'")
    migrate(owned.url)
    done = grant()
    assert (done.returncode, done.stderr) == (0, "")
    assert checked(settings(owned.service_url, owned.url), "privileges").level == "ok"
