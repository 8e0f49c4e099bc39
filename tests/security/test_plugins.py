"""Plugins are off unless they are named: what a browser is given it cannot read."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from app.auth.cookies import Signer
from tests.support import ROOT, SECRET, Server, environment, running_service

BASE = "http://auth.gatepost.test"
ANN = {"name": "Ann", "email": "ann@example.com", "password": "correct horse"}


@contextmanager
def browser(postgres: Server, template: str, log: Path, plugins: str) -> Iterator[httpx.Client]:
    settings = {
        "GATEPOST_SECRET": SECRET,
        "GATEPOST_BASE_URL": BASE,
        "GATEPOST_RATE_LIMIT": "off",
        "GATEPOST_PLUGINS": plugins,
        "GATEPOST_TRUSTED_ORIGINS": "https://app.example.com",
    }
    with (
        postgres.database(template) as database,
        running_service(postgres.url(database), log, **settings) as service,
        httpx.Client(
            base_url=f"{service.url}/api/auth", headers={"origin": "https://app.example.com"}
        ) as client,
    ):
        yield client


def test_bearer_is_off_unless_it_is_named(postgres: Server, template: str, tmp_path: Path) -> None:
    for plugins, given in (("", False), ("bearer", True)):
        with browser(postgres, template, tmp_path / "log", plugins) as client:
            answers = [
                client.post("/sign-up/email", json=ANN),
                client.post("/sign-in/email", json=ANN),
                client.post("/update-user", json={"name": "Ann B."}),
            ]
            token = answers[1].json()["token"]
            for answer in answers:
                assert answer.status_code == 200
                assert ("set-auth-token" in answer.headers) is given
                exposed = answer.headers.get("access-control-expose-headers")
                assert exposed == ("set-auth-token" if given else None)
            client.cookies.clear()
            bearer = {"authorization": f"Bearer {Signer([SECRET]).sign(token)}"}
            found = client.get("/get-session", headers=bearer).json()
            assert (found is not None) is given
            assert client.get("/list-sessions", headers=bearer).status_code == (
                200 if given else 401
            )


def started(plugins: str, code: str = "import app.main; app.main.create_app()") -> str:
    settings = {
        "GATEPOST_SECRET": SECRET,
        "GATEPOST_BASE_URL": BASE,
        "GATEPOST_PLUGINS": plugins,
    }
    names = ("bearer", "expo")
    code += (
        f"; import sys; print(*(n for n in {names} if f'app.auth.plugins.{{n}}' in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT, env=environment("postgres://127.0.0.1:1/none") | settings,
        check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    return (done.stdout + done.stderr).strip()


def test_plugin_that_is_off_is_not_imported() -> None:
    assert started("") == ""
    assert started("bearer") == "bearer"
    assert started("expo") == "expo"


@pytest.mark.parametrize("plugins", ["oauth", "bearer,oauth", "Bearer", "../bearer", "__init__"])
def test_unknown_plugin_is_refused_at_the_start(plugins: str) -> None:
    message = started(plugins)
    assert message.startswith("gatepost: GATEPOST_PLUGINS: ")
    assert message.endswith("is not known (known: admin, bearer, expo, jwt)")
    assert "\n" not in message
