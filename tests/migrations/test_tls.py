"""One rule for TLS to the database: as libpq's ``prefer`` where the address does not say."""

import asyncio
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app import doctor
from app.doctor import Finding
from app.migrations import files
from app.settings import Settings
from tests.migrations.conftest import gatepost
from tests.support import ROOT, running_service
from tests.tcp_server import TcpServer, tcp_server

VERSION = "20990101000000"


@pytest.fixture(scope="module")
def plain() -> Iterator[TcpServer]:
    """A server without TLS."""
    with tcp_server(tls=False) as server:
        yield server


@pytest.fixture(scope="module")
def encrypted() -> Iterator[TcpServer]:
    """A server that takes no connection without TLS."""
    with tcp_server(tls=True) as server:
        yield server


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one migration and its lock file."""
    folder = tmp_path_factory.mktemp("db") / "migrations"
    folder.mkdir()
    (folder / f"{VERSION}_create_t.sql").write_text(
        "-- migrate:up\nCREATE TABLE t (a int);\n-- migrate:down\nDROP TABLE t;\n"
    )
    files.write_lock_file(folder)
    return folder


def new_name() -> str:
    return f"gatepost_{secrets.token_hex(4)}"


def dbmate_up(url: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """dbmate as a deploy pipeline runs it."""
    program = Path(sys.executable).with_name("dbmate")
    return subprocess.run(
        [program, "--migrations-dir", folder, "--no-dump-schema", "up"],
        cwd=ROOT, env=os.environ | {"DATABASE_URL": url}, check=False, capture_output=True,
        text=True, timeout=120,
    )  # fmt: skip


def found_of_dbmate(url: str) -> Finding:
    settings = Settings(database_url=url, database_direct_url=url)
    findings = asyncio.run(doctor.examine(settings))
    return next(finding for finding in findings if finding.check == "dbmate")


@pytest.mark.parametrize("query", ["", "sslmode=disable", "sslmode=allow", "sslmode=prefer"])
def test_migrate_works_on_a_server_without_tls(plain: TcpServer, short: Path, query: str) -> None:
    name = new_name()
    done = gatepost(plain.url(name, query=query), "migrate", "--folder", short)
    assert done.returncode == 0, done.stderr
    assert plain.sql("SELECT version FROM schema_migrations", name) == VERSION


@pytest.mark.parametrize("query", ["", "sslmode=allow", "sslmode=prefer", "sslmode=require"])
def test_migrate_works_on_a_server_that_wants_tls(
    encrypted: TcpServer, short: Path, query: str
) -> None:
    name = new_name()
    done = gatepost(encrypted.url(name, query=query), "migrate", "--folder", short)
    assert done.returncode == 0, done.stderr
    assert encrypted.sql("SELECT version FROM schema_migrations", name) == VERSION


def test_sslmode_of_the_environment_counts_where_the_address_has_none(
    encrypted: TcpServer, short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGSSLMODE", "disable")
    migrate = ("migrate", "--folder", short)
    done = gatepost(encrypted.url(new_name()), *migrate)
    assert done.returncode == 1
    assert "no encryption" in done.stderr
    assert gatepost(encrypted.url(new_name(), query="sslmode=require"), *migrate).returncode == 0


def test_certificate_is_verified_where_the_address_asks_for_it(
    encrypted: TcpServer, plain: TcpServer, short: Path
) -> None:
    def verify(query: str) -> subprocess.CompletedProcess[str]:
        url = encrypted.url(new_name(), query=f"sslmode=verify-full{query}")
        return gatepost(url, "migrate", "--folder", short)

    assert verify(f"&sslrootcert={encrypted.authority}").returncode == 0
    for query, said in (
        (f"&sslrootcert={plain.authority}", "the server's certificate is refused: "),
        (f"&sslrootcert={plain.folder}/none.crt", "no such file or directory; see whether the "),
        ("", "the certificate that sslrootcert names cannot be read"),
    ):
        done = verify(query)
        (line,) = done.stderr.splitlines()
        assert (done.returncode, said in line, "sslrootcert" in line) == (1, True, True), line


def test_tls_that_the_server_does_not_have_is_one_line(plain: TcpServer) -> None:
    done = gatepost(plain.url(new_name(), query="sslmode=require"), "migrate")
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1
    assert "the server has no TLS, and sslmode asks for it; " in line


def test_service_and_doctor_connect_as_migrate_does(
    plain: TcpServer, encrypted: TcpServer, tmp_path: Path
) -> None:
    for number, server in enumerate((plain, encrypted)):
        url = server.url(new_name())
        assert gatepost(url, "migrate").returncode == 0
        with running_service(url, tmp_path / f"log{number}", GATEPOST_POOLER="none") as service:
            assert httpx.get(f"{service.url}/readyz").text == "ok"
        assert gatepost(url, "doctor").returncode == 0


def test_doctor_says_what_dbmate_by_itself_needs(
    plain: TcpServer, encrypted: TcpServer, short: Path
) -> None:
    name = new_name()
    url = plain.url(name)
    assert gatepost(url, "migrate", "--folder", short).returncode == 0
    found = found_of_dbmate(url)
    assert (found.level, "?sslmode=disable" in (found.next or "")) == ("warn", True), found
    failed = dbmate_up(url, short)  # it is so
    assert failed.returncode != 0
    assert "SSL is not enabled on the server" in failed.stderr
    named = found_of_dbmate(f"{url}?application_name=x")
    assert "&sslmode=disable" in named.text
    for better in (f"{url}?sslmode=disable", f"{url}?sslmode=prefer"):
        assert found_of_dbmate(better).level == "ok"
        assert dbmate_up(better, short).returncode == 0
    url = encrypted.url(name)
    assert gatepost(url, "migrate", "--folder", short).returncode == 0
    assert found_of_dbmate(url).level == "ok"
    assert dbmate_up(url, short).returncode == 0


def test_trying_dbmate_changes_nothing(plain: TcpServer) -> None:
    name = new_name()
    plain.sql(f"CREATE DATABASE {name}")
    assert found_of_dbmate(plain.url(name, query="sslmode=disable")).level == "ok"
    assert plain.sql("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace",
                     name) == "0"  # fmt: skip
