"""The applications in examples/, each as a process beside a real Gatepost."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.browser import Browser
from tests.integration.test_running import Dev, dev
from tests.support import (
    KEYS,
    ROOT,
    SECRET,
    Server,
    Service,
    end,
    free_port,
    running_service,
    wait_until,
)

EXAMPLES = ROOT / "examples"
FASTAPI = [sys.executable, "-m", "uvicorn", "main:app", "--port", "{port}"]


@dataclass(frozen=True)
class Signed:
    """Somebody who has signed up."""

    email: str
    cookie: dict[str, str]
    bearer: dict[str, str]


@pytest.fixture(scope="module")
def gatepost(
    one_postgres: Server, one_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    settings = {
        "GATEPOST_SECRET": SECRET,
        "GATEPOST_BASE_URL": "http://127.0.0.1:8000",
        "GATEPOST_TRUSTED_ORIGINS": "http://127.0.0.1:*",
        "GATEPOST_PLUGINS": "bearer,jwt",
        "GATEPOST_RATE_LIMIT": "off",
    }
    log = tmp_path_factory.mktemp("gatepost") / "log"
    with (
        one_postgres.database(one_template) as name,
        running_service(one_postgres.url(name), log, **settings) as service,
    ):
        yield service


def sign_up(service: Service, email: str) -> Signed:
    answer = httpx.post(
        f"{service.url}/api/auth/sign-up/email",
        json={"name": "Ada", "email": email, "password": "correct horse"},
        headers={"Origin": "http://127.0.0.1:8001"},
    ).raise_for_status()
    cookie = answer.headers["set-cookie"].partition(";")[0]
    bearer = {"Authorization": f"Bearer {answer.headers['set-auth-token']}"}
    return Signed(email, {"Cookie": cookie}, bearer)


@contextmanager
def running(
    command: Sequence[str | Path], folder: Path, service: Service | Dev, tmp_path: Path, **more: str
) -> Iterator[str]:
    """An example on a port of its own; its address."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = os.environ | {"GATEPOST_URL": service.url, "PORT": str(port)} | more
    log = tmp_path / "example.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(part).replace("{port}", str(port)) for part in command],
            cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT,
        )  # fmt: skip

    def there() -> bool:
        try:
            return bool(httpx.get(url, timeout=5).status_code)
        except httpx.TransportError:
            return process.poll() is not None

    try:
        wait_until(there, "the example answers")
        assert process.poll() is None, log.read_text()
        yield url
    finally:
        end(process)


def test_django_example_keeps_the_notes_of_each_user(gatepost: Service, tmp_path: Path) -> None:
    ada, bob = sign_up(gatepost, "ada@example.com"), sign_up(gatepost, "bob@example.com")
    with running([sys.executable, "main.py"], EXAMPLES / "django", gatepost, tmp_path) as url:
        assert httpx.get(url).text == "Signed in: nobody\n"
        assert httpx.get(url, headers=ada.cookie).text == "Signed in: ada@example.com\n"
        own = {"Origin": url}
        for headers, status in (
            ({}, 401), (ada.cookie, 403), (ada.cookie | {"Origin": "https://evil.example"}, 403),
            (ada.cookie | own, 200), (ada.bearer, 200),
        ):  # fmt: skip
            answer = httpx.post(f"{url}/notes", headers=headers, content="a note")
            assert answer.status_code == status, answer.text
        assert httpx.get(f"{url}/notes", headers=ada.cookie).json() == {"notes": ["a note"] * 2}
        assert httpx.get(f"{url}/notes", headers=bob.bearer).json() == {"notes": []}
        answer = httpx.post(f"{url}/notes/delete", headers=ada.cookie | own)
        assert answer.json() == {"notes": []}


def test_node_example_checks_tokens_without_asking(
    gatepost: Service, tmp_path: Path, node: Path
) -> None:
    person = sign_up(gatepost, "node@example.com")
    answer = httpx.get(f"{gatepost.url}/api/auth/token", headers=person.bearer)
    token = {"Authorization": f"Bearer {answer.json()['token']}"}
    packages = ROOT / "tests" / "interop" / "auth" / "node" / "node_modules"
    folder = tmp_path / "node"
    folder.mkdir()
    (folder / "main.mjs").write_text((EXAMPLES / "node" / "main.mjs").read_text())
    (folder / "node_modules").symlink_to(packages)
    issuer = {"GATEPOST_ISSUER": "http://127.0.0.1:8000"}
    with running([node, "main.mjs"], folder, gatepost, tmp_path, **issuer) as url:
        assert httpx.get(f"{url}/me", headers=token).json()["email"] == "node@example.com"
        for headers in ({}, person.bearer, {"Authorization": "Bearer a.b.c"}):
            assert httpx.get(f"{url}/me", headers=headers).status_code == 401
    nowhere = issuer | {"GATEPOST_URL": f"http://127.0.0.1:{free_port()}"}
    with running([node, "main.mjs"], folder, gatepost, tmp_path, **nowhere) as url:
        assert httpx.get(f"{url}/me", headers=token).status_code == 503


def test_nightly_example_ends_the_sessions_of_whoever_has_too_many(
    gatepost: Service,
) -> None:
    person = sign_up(gatepost, "many@example.com")
    for _ in range(3):
        httpx.post(
            f"{gatepost.url}/api/auth/sign-in/email",
            json={"email": person.email, "password": "correct horse"},
            headers={"Origin": "http://127.0.0.1:8001"},
        ).raise_for_status()

    def job(*arguments: str, key: str | None = KEYS["backend"]) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"GATEPOST_URL": gatepost.url}
        return subprocess.run(
            [sys.executable, "main.py", *arguments], cwd=EXAMPLES / "nightly",
            env=environment | ({"GATEPOST_KEY": key} if key else {}),
            check=False, capture_output=True, text=True, timeout=60,
        )  # fmt: skip

    done = job("--most", "3")
    assert (done.returncode, done.stdout) == (1, "many@example.com: 4 live sessions\n")
    done = job("--most", "3", "--end")
    assert done.stdout == "many@example.com: 4 live sessions, 4 ended\n"
    session = httpx.get(f"{gatepost.url}/api/auth/get-session", headers=person.bearer)
    assert session.json() is None
    assert (job().returncode, job().stdout) == (0, "nobody has more than 5 live sessions\n")
    assert job(key=None).returncode == job(key="wrong").returncode == 2


@pytest.fixture
def fastapi_folder(tmp_path: Path, node: Path) -> Path:
    """The FastAPI example with its page's script."""
    folder = shutil.copytree(
        EXAMPLES / "fastapi", tmp_path / "app", ignore=shutil.ignore_patterns("node_modules")
    )
    (folder / "node_modules").symlink_to(ROOT / "tests" / "interop" / "docs" / "node_modules")
    subprocess.run(["npm", "run", "--silent", "build"], cwd=folder, check=True, timeout=60)
    return folder


def test_fastapi_example_signs_up_and_ends_a_device(
    gatepost: Service, tmp_path: Path, fastapi_folder: Path, browser: Browser
) -> None:
    with running(FASTAPI, fastapi_folder, gatepost, tmp_path) as url:
        browser.open(url)
        browser.waits_for("Hello, whoever you are")
        browser.find("input[name=email]").fill("eve@example.com")
        browser.find("input[name=password]").fill("correct horse")
        browser.button("Sign up").click()
        browser.waits_for("Hello eve")
        browser.find("input[name=text]").fill("<b>milk</b>")
        browser.button("Keep").click()
        browser.waits_for("<b>milk</b>", "#notes")
        elsewhere = httpx.post(
            f"{gatepost.url}/api/auth/sign-in/email",
            json={"email": "eve@example.com", "password": "correct horse"},
            headers={"Origin": url, "User-Agent": "A phone"},
        )
        bearer = {"Authorization": f"Bearer {elsewhere.headers['set-auth-token']}"}
        assert httpx.get(f"{url}/notes", headers=bearer).json() == ["<b>milk</b>"]
        browser.open(url)
        browser.waits_for("A phone", "#devices")
        browser.button("End").click()
        wait_until(
            lambda: httpx.get(f"{url}/notes", headers=bearer).status_code == 401, "it is ended"
        )
        browser.button("Sign out").click()
        browser.waits_for("Hello, whoever you are")
    assert browser.console() == []


def test_fastapi_example_signs_in_with_a_provider(
    database_url: str, tmp_path: Path, fastapi_folder: Path, browser: Browser
) -> None:
    settings = {
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": database_url,
        "GATEPOST_TRUSTED_ORIGINS": "http://127.0.0.1:*",
        "GATEPOST_PROVIDERS": '[{"id": "github", "client_id": "a", "client_secret": "b"}]',
    }
    with (
        dev(tmp_path, **settings) as service,
        running(FASTAPI, fastapi_folder, service, tmp_path, PROVIDERS="local,github,x") as url,
    ):

        def at_provider(email: str) -> None:
            browser.field("Name").fill("Ada Lovelace")
            browser.field("Email address").fill(email)
            browser.button("Continue").click()

        browser.open(url)
        browser.button("Sign in with the x provider").click()
        browser.waits_for("Provider not found", "#greeting")
        assert any("404" in line for line in browser.console())
        browser.button("Sign in with the local provider").click()
        at_provider("ada@example.com")
        browser.waits_for("Hello Ada Lovelace", "#greeting")
        assert browser.text("#accounts") == "the local provider"
        browser.button("Sign out").click()
        browser.waits_for("Hello, whoever you are", "#greeting")

        browser.find("input[name=email]").fill("eve@example.com")
        browser.find("input[name=password]").fill("correct horse")
        browser.button("Sign up").click()
        browser.waits_for("Hello eve", "#greeting")
        browser.button("Link the local provider").click()
        at_provider("ada@example.com")
        browser.waits_for("That did not work: email does not match", "#greeting")
        browser.button("Link the local provider").click()
        at_provider("eve@example.com")
        browser.waits_for("the local provider", "#accounts")
        browser.button("Unlink").click()
        browser.until("return document.querySelectorAll('#accounts button').length === 0")
        assert len(browser.all("#accounts li")) == 1
        assert browser.console() == []
        browser.button("Sign out").click()
        browser.requests()
        browser.devtools("Network.enable")
        browser.devtools("Network.setBlockedURLs", urls=["https://github.com/*"])
        browser.button("Sign in with GitHub").click()
        wait_until(lambda: any(GITHUB in each for each in browser.requests()), "GitHub is asked")


GITHUB = "https://github.com/login/oauth/authorize?response_type=code&client_id=a&"
