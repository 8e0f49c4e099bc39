"""The receivers of docs/WEBHOOKS.md, in Python and in Node, with the official libraries."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from app.webhooks.signing import new_secret
from tests.integration.test_webhooks_command import Place
from tests.interop.docs.blocks import blocks
from tests.support import ROOT, Server, end, free_port, wait_until

HERE = Path(__file__).parent
PAGE = blocks(ROOT / "docs" / "WEBHOOKS.md")


@pytest.fixture(params=["receiver.py", "receiver.mjs"])
def command(request: pytest.FixtureRequest, tmp_path: Path) -> list[str | Path]:
    """What runs a receiver of the page."""
    (text,) = [block.text for block in PAGE if block.file == request.param]
    (tmp_path / request.param).write_text(text)
    if request.param.endswith(".py"):
        return [sys.executable, tmp_path / request.param]
    node: Path = request.getfixturevalue("node")
    (tmp_path / "node_modules").symlink_to(HERE / "node_modules")
    return [node, tmp_path / request.param]


@contextmanager
def receiving(command: list[str | Path], port: int, secret: str, log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=os.environ | {"PORT": str(port), "WEBHOOK_SECRET": secret},
            stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        )  # fmt: skip
        try:
            wait_until(lambda: process.poll() is not None or _listens(port), "the receiver")
            assert process.poll() is None, log.read_text()
            yield
        finally:
            end(process)


def _listens(port: int) -> bool:
    try:
        httpx.get(f"http://127.0.0.1:{port}/", timeout=5)
    except httpx.ConnectError:
        return False
    except httpx.TransportError:
        return True
    return True


def test_receiver_of_the_page_takes_what_is_signed_and_nothing_else(
    command: list[str | Path], postgres: Server, module_database_url: str, tmp_path: Path
) -> None:
    place, port, log = Place(postgres, module_database_url), free_port(), tmp_path / "log"
    made = place.add(f"http://127.0.0.1:{port}/")
    hook, secret = made["webhook"]["id"], made["secret"]

    def status(with_secret: str) -> int:
        with receiving(command, port, with_secret, log):
            done = place.run("test", hook, "--json")
            return json.loads(done.stdout)["status"]

    assert status(secret) == 204
    assert 'ping {"webhook_id"' in log.read_text().replace("'", '"')
    assert status(new_secret()) == 400
    rotated = place.result("rotate", hook)["secret"]
    assert status(secret) == 204  # for a day
    assert status(rotated) == 204
    place.sql("UPDATE webhooks SET old_secret_until = now() - interval '1 s'")
    assert status(secret) == 400
    assert status(rotated) == 204


def test_every_program_of_the_page_is_run(postgres: object) -> None:
    assert [block.file for block in PAGE] == ["receiver.py", "receiver.mjs"]
