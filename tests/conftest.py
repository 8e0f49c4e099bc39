"""The fixtures: PostgreSQL servers, databases cloned from a migrated template, the service."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from app.main import create_app
from app.operations import dbmate
from app.operations.embedded import scratch, wheel_binaries
from app.settings import Settings
from tests import GIVEN_URL
from tests.support import IN_CI, KEYS, ROOT, Server, Service, environment, running_service

DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")

if GIVEN_URL:
    SERVERS = ["given"]
elif DEBIAN_15.is_dir() or IN_CI:
    SERVERS = ["pg18", "pg15"]
else:
    SERVERS = ["pg18"]


@pytest.fixture(scope="session", params=SERVERS)
def postgres(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A PostgreSQL server: the embedded 18, Debian's 15, or the one in DATABASE_URL."""
    psql = wheel_binaries() / "psql"
    if request.param == "given":
        assert GIVEN_URL
        yield Server(GIVEN_URL, psql)
        return
    if request.param == "pg15" and not DEBIAN_15.is_dir():
        pytest.fail("no PostgreSQL 15: apt-get install postgresql-15")
    with scratch(DEBIAN_15 if request.param == "pg15" else None) as server:
        yield Server(server.url("postgres"), psql)


@pytest.fixture(scope="session")
def template(postgres: Server) -> Iterator[str]:
    """The name of a database with every migration applied; clone it, leave it as it is."""
    with postgres.database() as name:
        dbmate.up(postgres.url(name))
        yield name


@pytest.fixture
def database_url(postgres: Server, template: str) -> Iterator[str]:
    """A migrated, empty database of the test's own."""
    with postgres.database(template) as name:
        yield postgres.url(name)


@pytest.fixture(scope="module")
def module_database_url(postgres: Server, template: str) -> Iterator[str]:
    """A migrated database that the tests of one module share."""
    with postgres.database(template) as name:
        yield postgres.url(name)


@pytest.fixture(scope="session")
def keys() -> dict[str, str]:
    """Service keys by name: all, backend, reader, writer."""
    return KEYS


@pytest.fixture
def service(database_url: str, tmp_path: Path) -> Iterator[Service]:
    """The service as a process, on ``database_url``."""
    with running_service(database_url, tmp_path / "service.log") as running:
        yield running


@pytest.fixture(scope="module")
def module_service(
    module_database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """The service as a process, on ``module_database_url``."""
    log = tmp_path_factory.mktemp("service") / "service.log"
    with running_service(module_database_url, log) as running:
        yield running


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to ``database_url``."""
    connection = await asyncpg.connect(database_url)
    try:
        yield connection
    finally:
        await connection.close()


@pytest.fixture
async def client(database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """The application in this process, on ``database_url``, called with every scope."""
    app = create_app(Settings.from_environment(environment(database_url)))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://gatepost.test",
            headers={"apikey": KEYS["all"]},
        ) as http,
    ):
        yield http


@pytest.fixture
def open_tmp_path() -> Iterator[Path]:
    """Like tmp_path, but the user that PostgreSQL runs as may enter it, and a space is in it."""
    folder = Path(tempfile.mkdtemp(prefix="gatepost tests "))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def node() -> Path:
    """Node's program, with the packages of every folder in tests/interop installed."""
    program = shutil.which("node")
    locks = (
        lock
        for pattern in ("*/package-lock.json", "*/node/package-lock.json")
        for lock in ROOT.glob(f"tests/interop/{pattern}")
    )
    folders = [lock.parent.relative_to(ROOT) for lock in locks]
    bare = [folder for folder in folders if not (ROOT / folder / "node_modules").is_dir()]
    missing = None
    if program is None:
        missing = "no node"
    elif bare:
        missing = f"no node_modules: run 'make test', or 'npm ci' in {bare[0]}"
    if missing and IN_CI:
        pytest.fail(missing)
    if missing or program is None:
        pytest.skip(missing or "no node")
    return Path(program)
