"""The fixtures: PostgreSQL servers, databases cloned from a migrated template, the service."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import asyncpg
import httpx
import pytest

from app.devserver.postgres import scratch, wheel_binaries
from app.main import create_app
from app.migrations import dbmate
from app.settings import Settings
from tests import GIVEN_URL
from tests.browser import Browser, driver, missing_program, new_browser
from tests.support import IN_CI, KEYS, ROOT, Server, Service, environment, running_service

DEBIAN = {
    f"pg{folder.parent.name}": folder
    for folder in sorted(Path("/usr/lib/postgresql").glob("1[567]/bin"))
    if (folder / "initdb").exists()
}
"""The programs of Debian's servers that Gatepost supports and the embedded pg_dump can read."""

SERVERS = ["given"] if GIVEN_URL else os.environ.get("SERVERS", "").split() or ["pg18", *DEBIAN]

LONG = (
    "test_differential.py",
    "test_shared_social.py",
    "test_ways_back.py",
    "test_rest_model.py",
    "test_previous_release.py",
    "test_better_auth_schema.py",
    "test_races.py",
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that is marked so runs on every server, any other on the first of them."""
    if "postgres" in metafunc.fixturenames:
        servers = SERVERS if metafunc.definition.get_closest_marker("every_server") else SERVERS[:1]
        metafunc.parametrize("postgres", servers, indirect=True, scope="session")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take minutes come first, or a worker would be left alone with one of them."""
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))


# pytest ends a fixture when its parameter changes, which it does with every file: so a server and
# its template are kept by these two, and last until the end.


@pytest.fixture(scope="session")
def postgres_servers() -> Iterator[Callable[[str], Server]]:
    """A server by one of the names in SERVERS, started when it is first asked for."""
    psql = wheel_binaries() / "psql"
    with ExitStack() as stack:

        @cache
        def start(name: str) -> Server:
            if name == "given":
                assert GIVEN_URL
                return Server(GIVEN_URL, psql)
            server = stack.enter_context(scratch(DEBIAN.get(name)))
            return Server(server.url("postgres"), psql)

        yield start


@pytest.fixture(scope="session")
def templates(postgres_servers: Callable[[str], Server]) -> Iterator[Callable[[Server], str]]:
    """The template of a server, made when it is first asked for."""
    with ExitStack() as stack:

        @cache
        def make(server: Server) -> str:
            name = stack.enter_context(server.database())
            asyncio.run(dbmate.up(server.url(name)))
            return name

        yield make


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest, postgres_servers: Callable[[str], Server]) -> Server:
    """A PostgreSQL server: the embedded 18, each of Debian's, or the one in DATABASE_URL."""
    return postgres_servers(request.param)


@pytest.fixture(scope="session")
def template(postgres: Server, templates: Callable[[Server], str]) -> str:
    """The name of a database with every migration applied; clone it, leave it as it is."""
    return templates(postgres)


@pytest.fixture(scope="session")
def one_postgres(postgres_servers: Callable[[str], Server]) -> Server:
    """The first of them, for what is the same on each."""
    return postgres_servers(SERVERS[0])


@pytest.fixture(scope="session")
def one_template(one_postgres: Server, templates: Callable[[Server], str]) -> str:
    """As ``template``, on ``one_postgres``."""
    return templates(one_postgres)


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
    """Node's program, with the packages of every folder that has some installed."""
    program = shutil.which("node")
    locks = (
        lock
        for folder in ("scripts/assets", "tests/interop/*", "tests/interop/*/node")
        for lock in ROOT.glob(f"{folder}/package-lock.json")
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


@pytest.fixture(scope="session")
def chromedriver() -> Iterator[httpx.Client]:
    """What starts browsers, for tests that give one arguments of its own."""
    if name := missing_program():
        (pytest.fail if IN_CI else pytest.skip)(f"no {name}")
    with driver() as client:
        yield client


@pytest.fixture
def browser(chromedriver: httpx.Client) -> Iterator[Browser]:
    """A Chromium with a new profile."""
    with new_browser(chromedriver) as chromium:
        yield chromium
