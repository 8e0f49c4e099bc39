"""The commands of developers and operators: real processes, from a copy of the project in a folder
with a space in its name."""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from app.migrations.files import versions
from app.statements import every_statement
from tests.support import (
    KEYS,
    ROOT,
    Server,
    Service,
    answers,
    end,
    environment,
    free_port,
    wait_until,
)

NOWHERE = "postgres://app:hunter2@127.0.0.1:1/gatepost"  # port 1: nothing listens there


@pytest.fixture
def project(open_tmp_path: Path) -> Path:
    """A copy of the project without any state."""
    folder = open_tmp_path / "my project"
    for part in ("app", "db"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture
def empty_url(postgres: Server) -> Iterator[str]:
    """A database without a single table."""
    with postgres.database() as name:
        yield postgres.url(name)


@dataclass(frozen=True)
class Dev:
    """A running ``gatepost dev``, ready to answer."""

    process: subprocess.Popen[bytes]
    url: str
    output: Path
    errors: Path

    @property
    def text(self) -> str:
        return self.output.read_text()

    def line(self, label: str) -> str:
        found = re.search(rf"^{label} +(.*)$", self.text, re.MULTILINE)
        assert found, self.text
        return found[1]

    @property
    def users(self) -> list[str]:
        answer = httpx.get(
            f"{self.url}/rest/v1/users?order=email", headers={"apikey": self.line("Service key")}
        )
        return [user["email"] for user in answer.raise_for_status().json()]

    def add(self, email: str) -> None:
        httpx.post(
            f"{self.url}/rest/v1/users",
            headers={"apikey": self.line("Service key")},
            json={"name": "", "email": email},
        ).raise_for_status()


@contextmanager
def dev(project: Path, option: str | None = None, **settings: str) -> Iterator[Dev]:
    """With the name of an option the port is given by it, and otherwise by PORT."""
    port = free_port()
    given = {} if option else {"PORT": str(port)}
    output, errors = project / "output", project / "errors"
    with output.open("wb") as stdout, errors.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "dev", *([option, str(port)] if option else [])],
            cwd=project, env=os.environ | given | settings,
            stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr,
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: process.poll() is not None or "Try" in output.read_text(), "ready")
        assert process.poll() is None, errors.read_text()
        assert answers(f"{url}/readyz")
        yield Dev(process, url, output, errors)
    finally:
        end(process)


def postmasters(project: Path) -> list[Path]:
    return list(project.glob(".gatepost/**/postmaster.pid"))


def gatepost(project: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return run([sys.executable, "-m", "app.cli", *arguments], project, settings)


def run(
    command: Sequence[str], project: Path, settings: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=project, env=os.environ | settings, timeout=60,
        check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def one_line(done: subprocess.CompletedProcess[str], code: int) -> str:
    """The error message of a failed command, which must be one line."""
    assert done.returncode == code, done.stderr
    assert re.fullmatch(r"gatepost: [^\n]+\n", done.stderr), done.stderr
    return done.stderr


class TestDev:
    def test_start_says_what_it_is_at(self, project: Path) -> None:
        with dev(project) as running:
            said = running.errors.read_text().splitlines()[:2]
        first = "the first time it makes the data, which takes a moment"
        assert said == [
            f"Starting PostgreSQL in .gatepost/postgres: {first}",
            "Applying the migrations",
        ]

    def test_mixed_names_of_this_machine_are_a_warning(self, project: Path) -> None:
        pages = "http://localhost:5173"
        with dev(project, GATEPOST_TRUSTED_ORIGINS=pages) as running:
            said = running.errors.read_text().splitlines()
            base_url = running.url
        other = base_url.replace("127.0.0.1", "localhost")
        assert said[0].startswith(f"Warning: {pages} does not go with GATEPOST_BASE_URL={base_url}")
        assert said[0].endswith(f"open http://127.0.0.1:5173, or set GATEPOST_BASE_URL={other}")

    def test_no_rate_limit_is_in_the_way(self, project: Path) -> None:
        wrong = {"email": "ann@example.com", "password": "a wrong one"}
        with dev(project) as running, httpx.Client(timeout=30) as http:
            path = f"{running.url}/api/auth/sign-in/email"
            assert {http.post(path, json=wrong).status_code for _ in range(5)} == {401}
        asked = {"GATEPOST_RATE_LIMIT": "database"}
        with dev(project, **asked) as running, httpx.Client(timeout=30) as http:
            path = f"{running.url}/api/auth/sign-in/email"
            assert {http.post(path, json=wrong).status_code for _ in range(5)} == {401, 429}

    def test_printed_command_works(self, project: Path) -> None:
        with dev(project) as running:
            assert running.line("Gatepost") == running.url
            assert (Path(running.line("Data")) / "PG_VERSION").exists()
            command = running.text.partition("Try")[2]
            assert shlex.split(command)[0] == "curl"
            if shutil.which("curl") is None:
                pytest.skip("no curl")
            for _ in range(2):
                done = subprocess.run(
                    ["bash", "-c", f"{command.strip()} -sS --fail"],
                    check=True, capture_output=True, text=True, timeout=30,
                )  # fmt: skip
                [user] = json.loads(done.stdout)
                assert user["email"] in running.users

    def test_operators_commands_find_the_database_here(self, project: Path) -> None:
        assert "DATABASE_URL is not set" in one_line(gatepost(project, "users", "find"), 2)
        assert not (project / ".gatepost").exists()
        with dev(project) as running:
            running.add("there@example.com")
            found = gatepost(project, "users", "find", "--json")
            assert found.returncode == 0, found.stderr
            assert found.stderr == (
                "DATABASE_URL is not set: using the database in .gatepost/postgres\n"
            )
            assert [user["email"] for user in json.loads(found.stdout)["users"]] == running.users
        # also while nothing serves
        deleted = gatepost(project, "users", "delete", "there@example.com", "--yes")
        assert deleted.returncode == 0, deleted.stderr
        assert json.loads(gatepost(project, "users", "find", "--json").stdout)["users"] == []
        assert postmasters(project) == []

    def test_check_looks_at_the_settings_and_the_database_here(self, project: Path) -> None:
        (project / ".env.local").write_text("GATEPOST_PROVIDERS=providers.toml")
        entry = '[[providers]]\nid = "own"\nclient_id = "gatepost"\nclient_secret = "hunter2"\n'
        with dev(project, GATEPOST_PROVIDERS="") as running:
            url = f"{running.url}/dev/provider/.well-known/openid-configuration"
            (project / "providers.toml").write_text(
                f'{entry}discovery_url = "{url}"\nallow_private_addresses = true\n'
            )
            done = gatepost(project, "check", PORT=running.url.rpartition(":")[2])
        assert done.returncode == 7, done.stderr
        levels = {line[6:20].strip(): line[:4] for line in done.stdout.splitlines()}
        assert [levels[name] for name in ("settings", "connection", "migrations", "provider")] == [
            "ok  ", "ok  ", "ok  ", "fail",
        ]  # fmt: skip
        assert "own does not know this client: HTTP 401 invalid_client" in done.stdout
        assert "hunter2" not in done.stdout + done.stderr

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_signal_stops_the_service_and_its_database(self, project: Path, number: int) -> None:
        with dev(project) as running:
            assert len(postmasters(project)) == 1
            running.process.send_signal(number)
            assert running.process.wait(30) == 0
            assert "Traceback" not in running.errors.read_text()
        assert postmasters(project) == []

    def test_second_start_uses_the_same_database_and_key(self, project: Path) -> None:
        with dev(project) as first:
            first.add("kept@example.com")
            key = first.line("Service key")
        with dev(project) as second:
            assert second.users == ["kept@example.com"]
            assert second.line("Service key") == key
        assert (project / ".gatepost" / "service-key").stat().st_mode & 0o777 == 0o600

    def test_start_after_kill_9_succeeds(self, project: Path) -> None:
        with dev(project) as first:
            first.add("kept@example.com")
            first.process.kill()
        assert len(postmasters(project)) == 1
        with dev(project) as second:
            assert second.users == ["kept@example.com"]
        assert postmasters(project) == []

    def test_start_after_kill_9_of_the_database_succeeds(self, project: Path) -> None:
        with dev(project) as first:
            first.add("kept@example.com")
            first.process.kill()
        [file] = postmasters(project)
        os.kill(int(file.read_text().split()[0]), signal.SIGKILL)
        with dev(project) as second:
            assert second.users == ["kept@example.com"]
        assert postmasters(project) == []

    def test_given_database_is_used_and_none_is_started(
        self, project: Path, empty_url: str
    ) -> None:
        with dev(project, DATABASE_URL=empty_url) as running:
            running.add("a@example.com")
            assert running.users == ["a@example.com"]
            assert "DATABASE_URL" in running.line("Data")
            assert not (project / ".gatepost" / "postgres").exists()

    def test_given_keys_are_used_and_none_is_created(self, project: Path, empty_url: str) -> None:
        keys = environment(empty_url)["GATEPOST_SERVICE_KEYS"]
        with dev(project, DATABASE_URL=empty_url, GATEPOST_SERVICE_KEYS=keys) as running:
            users = f"{running.url}/rest/v1/users"
            assert httpx.get(users, headers={"apikey": KEYS["reader"]}).json() == []
            assert not (project / ".gatepost" / "service-key").exists()
            assert "GATEPOST_SERVICE_KEYS" in running.line("Service key")

    def test_environment_overrides_dotenv(self, project: Path, empty_url: str) -> None:
        (project / ".env").write_text(f"DATABASE_URL={empty_url}\nPORT=1\n")
        with dev(project) as running:
            assert running.users == []
            assert not (project / ".gatepost" / "postgres").exists()

    def test_dotenv_of_ones_own_comes_before_the_one_in_version_control(
        self, project: Path, empty_url: str
    ) -> None:
        (project / ".env.local").write_text(f"DATABASE_URL={empty_url}\n")
        (project / ".env").write_text(f"DATABASE_URL={NOWHERE}\n")
        with dev(project) as running:
            assert running.users == []

    def test_taken_port_is_reported_before_a_database_is_created(self, project: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            message = one_line(gatepost(project, "dev", PORT=str(port)), 1)
        assert f"port {port} of 127.0.0.1 is taken" in message
        suggested = re.search(r"--port (\d+), or PORT=(\d+) in the environment$", message)
        assert suggested
        assert suggested[1] == suggested[2] != str(port)
        assert not (project / ".gatepost" / "postgres").exists()

    def test_port_option_wins_over_the_environment(self, project: Path, empty_url: str) -> None:
        with dev(project, option="--port", PORT="1", DATABASE_URL=empty_url) as running:
            assert running.line("Gatepost") == running.url

    def test_address_of_another_machine_is_an_error(self, project: Path) -> None:
        message = one_line(gatepost(project, "dev", HOST="192.0.2.1", PORT=str(free_port())), 1)
        assert "of 192.0.2.1: Cannot assign requested address" in message

    def test_unreachable_database_is_an_error(self, project: Path) -> None:
        done = gatepost(project, "dev", DATABASE_URL=NOWHERE, PORT=str(free_port()))
        said, message = done.stderr.splitlines()
        assert said.startswith("Applying the migrations to ")
        assert (done.returncode, message.startswith("gatepost: ")) == (1, True)
        assert "127.0.0.1:1/gatepost" in message
        assert "connection refused" in message
        assert "hunter2" not in done.stderr

    def test_unknown_database_user_is_an_error(self, project: Path, empty_url: str) -> None:
        url = urlsplit(empty_url)
        ghost = url._replace(netloc=f"ghost:hunter2@{url.netloc.rpartition('@')[2]}").geturl()
        done = gatepost(project, "dev", DATABASE_URL=ghost, PORT=str(free_port()))
        said, message = done.stderr.splitlines()
        assert said.startswith("Applying the migrations to ")
        assert (done.returncode, message.startswith("gatepost: ")) == (1, True)
        assert "ghost" in message
        assert "hunter2" not in done.stderr

    def test_malformed_address_is_not_repeated(self, project: Path) -> None:
        url = "postgres://app:hunter2/more@db/gatepost"
        message = one_line(gatepost(project, "dev", DATABASE_URL=url, PORT=str(free_port())), 2)
        assert message.startswith("gatepost: DATABASE_URL is not a PostgreSQL address")
        assert "percent-encoded" in message
        assert "hunter2" not in message


class TestMigrate:
    def test_migrate_applies_what_is_pending(self, project: Path, empty_url: str) -> None:
        done = gatepost(project, "migrate", DATABASE_URL=empty_url)
        assert done.returncode == 0, done.stderr
        assert re.findall(r"Applying (\d+)", done.stdout) == versions()
        again = gatepost(project, "migrate", DATABASE_URL=empty_url)
        assert (again.returncode, again.stdout) == (0, "Nothing to do\n")

    def test_migrate_prefers_the_direct_address(self, project: Path, empty_url: str) -> None:
        done = gatepost(project, "migrate", DATABASE_URL=NOWHERE, DATABASE_DIRECT_URL=empty_url)
        assert done.returncode == 0, done.stderr

    def test_broken_migration_is_named(self, project: Path, empty_url: str) -> None:
        broken = project / "db" / "migrations" / "20991231235959_broken.sql"
        broken.write_text("-- migrate:up\nCREATE TABLE;\n-- migrate:down\n")
        assert gatepost(project, "migration", "lock").returncode == 0
        done = gatepost(project, "migrate", DATABASE_URL=empty_url)
        assert done.returncode == 5
        assert done.stderr.startswith(f"gatepost: {broken.name}: ")
        assert "syntax error" in done.stderr


class TestServe:
    @pytest.mark.parametrize("option", [False, True])
    def test_serve_does_not_migrate(self, project: Path, empty_url: str, option: bool) -> None:
        port = free_port()
        options = ["--host", "127.0.0.1", "--port", str(port)] if option else []
        address = {"HOST": "192.0.2.1", "PORT": "1"} if option else {"PORT": str(port)}
        process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "serve", *options],
            cwd=project, env=environment(empty_url) | address,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        with process:
            try:
                url = f"http://127.0.0.1:{port}"
                wait_until(lambda: answers(f"{url}/livez"), "alive")
                ready = httpx.get(f"{url}/readyz")
                assert ready.status_code == 503
                assert versions()[0] in ready.text
            finally:
                process.terminate()
            assert process.wait(30) == 0

    def test_serve_requires_a_database(self, project: Path) -> None:
        assert "DATABASE_URL is not set" in one_line(gatepost(project, "serve"), 2)
        assert not (project / ".gatepost").exists()


UVICORN = {
    "application": [sys.executable, "-m", "uvicorn", "app.main:app"],
    "factory": [sys.executable, "-m", "uvicorn", "--factory", "app.main:create_app"],
}


@contextmanager
def uvicorn(command: Sequence[str], database_url: str, log: Path) -> Iterator[str]:
    """The service run by uvicorn's own command; yields its address."""
    port = free_port()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--port", str(port)], cwd=ROOT, env=environment(database_url),
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: process.poll() is not None or answers(f"{url}/readyz"), "ready")
        assert process.poll() is None, log.read_text()
        yield url
    finally:
        end(process)


def response_to(url: str, path: str) -> tuple[int, str, dict[str, str]]:
    """Status, body and headers, without those that differ between servers and requests."""
    answer = httpx.get(f"{url}{path}", headers={"apikey": KEYS["reader"]})
    changing = {"date", "server", "x-request-id"}
    headers = {name: value for name, value in answer.headers.items() if name not in changing}
    return answer.status_code, answer.text, headers


def test_uvicorn_gives_the_same_responses_as_serve(service: Service, tmp_path: Path) -> None:
    with ExitStack() as stack:
        urls = [
            stack.enter_context(uvicorn(command, service.database_url, tmp_path / name))
            for name, command in UVICORN.items()
        ]
        for path, status in (
            ("/livez", 200),
            ("/readyz", 200),
            ("/rest/v1/users", 200),
            ("/rest/v1/users?id=eq.1", 400),
            ("/nowhere", 404),
        ):
            expected = response_to(service.url, path)
            assert expected[0] == status
            assert [response_to(url, path) for url in urls] == [expected, expected]


LOADED = "import sys, app.server, app.main; print(*sys.modules)"
LOADED_BY_COMMAND = """
import atexit, sys
atexit.register(lambda: print("loaded", *sys.modules))
sys.argv[0] = "gatepost"
from app.cli import main
main()
"""


def test_server_imports_only_what_it_runs() -> None:
    done = run([sys.executable, "-c", LOADED], ROOT, {})
    assert done.returncode == 0, done.stderr
    assert {"app", "asyncpg"} <= {*done.stdout.split()}
    unused = ("app.devserver", "app.cli", "typer", "httpx", "jinja2", "ua_parser")
    off = ("app.admin_page", "app.webhooks", "app.webhook_queue", "app.statements.webhooks")
    assert {*done.stdout.split()}.isdisjoint((*unused, *off, "app.auth.sightings"))


@pytest.mark.parametrize(
    ("command", "loaded", "unused"),
    [
        (["--version"], "app.cli", ("app.commands.serve", "app.settings", "rich")),
        (["serve", "--help"], "app.commands.serve", ("app.settings", "app.server")),
        (["migrate", "--help"], "asyncpg", ("app.devserver", "app.purge", "starlette", "uvicorn")),
        (["users", "find", "--help"], "asyncpg", ("app.auth", "starlette")),
        (["dev", "--help"], "asyncpg", ("app.devserver", "uvicorn")),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_command_imports_only_what_it_runs(
    command: list[str], loaded: str, unused: Sequence[str]
) -> None:
    done = run([sys.executable, "-c", LOADED_BY_COMMAND, *command], ROOT, {})
    assert done.returncode == 0, done.stderr
    modules = {*done.stdout.partition("loaded ")[2].split()}
    assert loaded in modules
    assert modules.isdisjoint({"app.main", "app.devserver.postgres", *unused})


BAD = [
    ("PORT", "http"),
    ("DATABASE_URL", "mysql://app:hunter2@db/gatepost"),
    ("GATEPOST_SERVICE_KEYS", "hunter2"),
    ("GATEPOST_MAX_ROWS", "0"),
]


@pytest.mark.parametrize(("name", "value"), BAD)
@pytest.mark.parametrize("command", ["dev", "serve", "migrate", *UVICORN])
def test_bad_setting_is_one_line_that_names_it(
    project: Path, command: str, name: str, value: str
) -> None:
    settings = {"DATABASE_URL": NOWHERE, name: value}
    if command in UVICORN:
        message = one_line(run(UVICORN[command], project, settings), 2)
    else:
        message = one_line(gatepost(project, command, **settings), 2)
    assert name in message
    assert "hunter2" not in message


def test_statements_prints_each_with_its_plan(project: Path) -> None:
    done = gatepost(project, "statements")
    assert done.returncode == 0, done.stderr
    for statement in every_statement():
        head = f"{statement.name}\n\n{statement.text}\n\n"
        assert head in done.stdout
        assert "(cost=" in done.stdout.partition(head)[2].splitlines()[0]
    assert postmasters(project) == []
