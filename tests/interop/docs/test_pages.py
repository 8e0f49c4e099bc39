"""A reader follows the README, the first steps, the tutorial and the how-tos, block by block."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from app.devserver.postgres import wheel_binaries
from tests.browser import Browser
from tests.interop.docs.blocks import HOW_TO, IN_BROWSER, PAGES, blocks, reader
from tests.support import ROOT, SECRET, Server, free_ports, running_service, wait_until

PACKAGES = Path(__file__).parent / "node_modules"
BINARIES = Path(sys.executable).parent  # uvicorn and python, as in a virtual environment in use

NOT_RUN = {
    ("README.md", "it is what runs this page"): 1,
    (
        "docs/tutorial.md",
        "the tests have these packages already, by the versions that are locked",
    ): 1,
    ("docs/how-to/deploy.md", "needs Docker"): 1,
    (
        "docs/how-to/fail-over.md",
        "needs a cluster of Patroni; tests/faults/test_patroni.py has one and does this",
    ): 1,
}
"""How many blocks of a page are not run, and why: another one is a change here."""


def test_every_block_is_run_or_says_why_not() -> None:
    found: dict[tuple[str, str], int] = {}
    for page in PAGES:
        for block in blocks(page):
            if block.reason is not None:
                found[block.page, block.reason] = found.get((block.page, block.reason), 0) + 1
            else:
                assert block.mark in ("", IN_BROWSER) or block.address, f"{block}: {block.mark}"
    assert found == NOT_RUN


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_fence_is_a_block(page: Path) -> None:
    text = page.read_text()
    assert len(re.findall(r"^ *```", text, re.MULTILINE)) == 2 * len(blocks(page)) > 0


def test_every_file_of_a_page_is_used() -> None:
    for page in PAGES:
        text = page.read_text()
        for block in blocks(page):
            if name := block.file:
                module = name.partition(".")[0]
                used = rf"{re.escape(name)}|\b{module}:app\b"
                assert re.search(used, text.replace(block.text, "")), f"{block}: {name}"


@pytest.mark.parametrize("command", ["pip install", "npm install"])
def test_packages_that_pages_install_are_the_locked_ones(command: str) -> None:
    constraints = (ROOT / "constraints.txt").read_text()
    lock = json.loads(PACKAGES.with_name("package-lock.json").read_text())
    locked = {
        "pip install": re.findall(r"^([\w-]+)==", constraints, re.MULTILINE),
        "npm install": [name.removeprefix("node_modules/") for name in lock["packages"]],
    }[command]
    lines = [
        found[1].split()
        for page in PAGES
        for found in re.finditer(
            rf"{command} ((?:'[./]+/clients/python\[[\w,]+\]' )?(?:[\w@/-]+ ?)+)", page.read_text()
        )
    ]
    assert len(lines) >= 2
    ours = ("clients/python", "PATH_OF_THE_CHECKOUT")
    names = {
        name.lower() for line in lines for name in line if not any(each in name for each in ours)
    }
    assert names <= {name.lower() for name in locked}


def project(folder: Path) -> Path:
    """A checkout whose virtual environment is this one."""
    for part in ("app", "db"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / part, folder / part, ignore=ignored, dirs_exist_ok=True)
    for name in (
        "Makefile", "pyproject.toml", "constraints.txt", "requirements/dev.txt",
        "clients/python/pyproject.toml",
    ):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    program = gatepost(folder / ".venv" / "bin")
    (program.parent.parent / "installed").touch()
    return folder


def gatepost(folder: Path, root: Path | None = None) -> Path:
    """The command line as an installation has it: of the checkout one is in, or of ``root``."""
    folder.mkdir(parents=True)
    program = folder / "gatepost"
    path = f"PYTHONPATH='{root}' " if root else ""
    program.write_text(f'#!/bin/sh\n{path}exec "{sys.executable}" -m app.cli "$@"\n')
    program.chmod(0o755)
    return program


@pytest.fixture
def ports() -> dict[str, int]:
    """Those that stand for the ports of the pages: Gatepost's, and three applications'."""
    return dict(zip(("8000", "8001", "8002", "8003"), free_ports(4), strict=True))


@pytest.fixture
def served(ports: dict[str, int], tmp_path: Path) -> Iterator[Path]:
    """A folder whose files are at the first application's port."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", ports["8001"]), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield folder
        server.shutdown()
        thread.join()


def bundled(script: str, folder: Path) -> None:
    """A page that runs ``script``, with its packages in it."""
    (folder / "page.js").write_text(script)
    done = subprocess.run(
        [PACKAGES / ".bin" / "esbuild", "page.js", "--bundle", "--format=esm",
         "--target=es2022", "--outfile=bundle.js", "--log-level=warning"],
        cwd=folder, env=os.environ | {"NODE_PATH": str(PACKAGES)},
        check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    page = "<!doctype html><body></body><script type=module src=bundle.js></script>"
    (folder / "index.html").write_text(page)


@pytest.mark.usefixtures("node")
def test_readme_does_what_it_says(
    open_tmp_path: Path, ports: dict[str, int], served: Path, browser: Browser
) -> None:
    origin = f"http://127.0.0.1:{ports['8001']}"
    settings = {"PORT": str(ports["8000"]), "GATEPOST_TRUSTED_ORIGINS": origin}
    folder = project(open_tmp_path / "gatepost")

    def in_browser(script: str) -> None:
        bundled(script, served)
        browser.open(origin)
        browser.waits_for("Hello Ada")

    with reader(folder, ports, settings, in_browser) as person:
        assert person.follow(blocks(ROOT / "README.md")) == 3
        cookies = browser.cookies()
        port = str(ports["8002"])  # the page is at 8001
        command = [sys.executable, "-m", "uvicorn", "main:app", "--port", port]
        person.start(command, f"http://127.0.0.1:{port}/docs")
        me = f"http://127.0.0.1:{port}/me"
        assert httpx.get(me).status_code == 401
        sent = {"cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
        assert httpx.get(me, headers=sent).json()["email"] == "ada@example.com"


def test_first_steps_can_be_followed(
    node: Path, open_tmp_path: Path, ports: dict[str, int]
) -> None:
    folder = project(open_tmp_path / "gatepost")
    (folder / "node_modules").symlink_to(PACKAGES)
    settings = {
        "PORT": str(ports["8000"]),
        "PATH": f"{BINARIES}:{node.parent}:{os.environ['PATH']}",
    }
    page = blocks(ROOT / "docs" / "start.md")
    with reader(folder, ports, settings) as person:
        assert person.follow(page) == len(page) > 10


def test_tutorial_makes_an_application(
    node: Path, open_tmp_path: Path, ports: dict[str, int], browser: Browser
) -> None:
    project(open_tmp_path / "gatepost")
    (open_tmp_path / "node_modules").symlink_to(PACKAGES)
    settings = {"PORT": str(ports["8000"]), "PATH": f"{node.parent}:{os.environ['PATH']}"}
    page = blocks(ROOT / "docs" / "tutorial.md")
    [installation] = [index for index, block in enumerate(page) if block.reason]
    with reader(open_tmp_path, ports, settings) as person:
        person.follow(page[:installation])
        (open_tmp_path / "guestbook" / ".venv").symlink_to(BINARIES.parent)
        person.follow(page[installation:])

        def says(text: str, selector: str = "#who") -> None:
            wait_until(lambda: browser.text(selector) == text, f"{selector}: {text}")

        browser.open(f"http://127.0.0.1:{ports['8001']}")
        says("Nobody")
        browser.find("#write").click()
        says("Nobody is signed in")
        for field, text in (
            ("name", "Ada"),
            ("email", "ada@example.com"),
            ("password", "correct horse battery staple"),
        ):
            browser.find(f"input[name={field}]").fill(text)
        browser.find("button[value=up]").click()
        says("You are Ada")
        browser.find("#write").click()
        says("Script was here\nAda was here", "#entries")
        browser.find("#out").click()
        says("Nobody")
        browser.find("#write").click()
        says("Nobody is signed in")
        browser.find("button[value=in]").click()
        says("You are Ada")


Settings = Callable[[Server, str], dict[str, str]]


def plain(_: Server, database: str) -> dict[str, str]:
    return {"DATABASE_DIRECT_URL": database}


def signing(postgres: Server, database: str) -> dict[str, str]:
    """With the auth API on."""
    return {
        **plain(postgres, database),
        "DATABASE_URL": database,
        "GATEPOST_SECRET": SECRET,
        "GATEPOST_BASE_URL": "https://auth.example.com",
    }


def several_hosts(postgres: Server, database: str) -> dict[str, str]:
    """An address of two servers, of which the first does not answer."""
    several = database.replace("?host=/", "?host=/nowhere,/")
    assert several != database
    return {**signing(postgres, database), "SEVERAL_HOSTS": several}


FOLLOWED: dict[str, tuple[bool, Settings]] = {
    "another-origin.md": (True, signing),
    "back-up.md": (True, plain),
    "deploy.md": (False, plain),
    "fail-over.md": (True, several_hosts),
    "migrate.md": (False, plain),
    "rotate-keys-and-secret.md": (True, signing),
}
"""Whether the database of a how-to is migrated, and what is set for it."""

ELSEWHERE = {
    "protect-a-route.md": "below",
    "own-fields.md": "tests/interop/test_own_fields.py",
    "mount-in-fastapi.md": "tests/integration/test_wheel.py, with the installed package",
}


def test_every_how_to_is_followed() -> None:
    assert FOLLOWED.keys() | ELSEWHERE.keys() == {page.name for page in HOW_TO}


@pytest.mark.parametrize("name", FOLLOWED)
def test_how_to_can_be_followed(
    name: str, postgres: Server, template: str, tmp_path: Path, ports: dict[str, int]
) -> None:
    migrated, settings = FOLLOWED[name]
    binaries = gatepost(tmp_path / "bin", ROOT).parent
    page = blocks(ROOT / "docs" / "how-to" / name)
    with postgres.database(template if migrated else None) as database:
        environment = {
            "PORT": str(ports["8000"]),
            "PATH": f"{binaries}:{wheel_binaries()}:{BINARIES}:{os.environ['PATH']}",
            "GATEPOST": str(ROOT),
            **settings(postgres, postgres.url(database)),
        }
        with reader(tmp_path, ports, environment) as person:
            try:
                done = person.follow(page)
            finally:
                postgres.drop("restored")  # the copy of back-up.md
        assert done == sum(block.reason is None for block in page) >= 2


def test_routes_are_protected(database_url: str, tmp_path: Path, ports: dict[str, int]) -> None:
    page = blocks(ROOT / "docs" / "how-to" / "protect-a-route.md")
    settings = {
        "GATEPOST_SECRET": SECRET,
        "GATEPOST_BASE_URL": "http://127.0.0.1",
        "GATEPOST_PLUGINS": "bearer",
    }
    log = tmp_path / "service.log"
    environment = {"PATH": f"{BINARIES}:{os.environ['PATH']}"}
    with running_service(database_url, log, **settings) as service:
        ports |= {"8000": int(service.url.rpartition(":")[2])}
        with reader(tmp_path, ports, environment) as person:
            assert person.follow(page) == len(page) == 12
            applications = [
                f"http://127.0.0.1:{ports[port]}/me" for port in ("8001", "8002", "8003")
            ]
            ann = {"name": "Ann", "email": "ann@example.com", "password": "correct horse"}
            signed_up = httpx.post(f"{service.url}/api/auth/sign-up/email", json=ann)
            bearer = {"authorization": f"Bearer {signed_up.headers['set-auth-token']}"}
            for url in applications:
                assert httpx.get(url, headers=bearer).json()["name"] == "Ann", url
            service.process.terminate()
            service.process.wait(30)
            for url in applications:
                answer = httpx.get(url, headers=bearer)
                assert (answer.status_code, answer.headers["retry-after"]) == (503, "1"), url
