"""Better Auth's own server, as docs/better-auth.md prints it, with pinned packages."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec

from tests.support import ROOT, answers, end, free_port, wait_until

PAGE: Final = ROOT / "docs" / "better-auth.md"
SECRET: Final = "Zq3vR8mT1xY6bN4kW9sL2pH7cJ5dF0gA"

PACKAGES: Final = {
    "1.7": ROOT / "tests" / "interop" / "better-auth",
    "1.6": ROOT / "tests" / "interop" / "better-auth-1.6",
}
"""The folders with a package.json, by the minor version of better-auth in it."""

# What the page leaves to the reader: here a mail is a line of JSON in a file.
MAIL: Final = """
import { appendFileSync } from "node:fs";

export const sendMail = async (to, text) =>
  appendFileSync(process.env.MAIL_FILE, JSON.stringify({ to, text }) + "\\n");
"""


def printed(name: str) -> str:
    """The block of the page whose first line is a comment with the file's name."""
    fenced = r"^```\w+\n((?://|#|--) (\S+)\n.*?)^```$"
    blocks = re.findall(fenced, PAGE.read_text(), re.MULTILINE | re.DOTALL)
    (text,) = [text for text, first in blocks if first == name]
    return text


def install(folder: Path, version: str) -> Path:
    """The page's application in ``folder``, on the packages of ``version``."""
    for name in ("auth.mjs", "server.mjs"):
        (folder / name).write_text(printed(name))
    (folder / "mail.mjs").write_text(MAIL)
    shutil.copy(PACKAGES["1.7"] / "schema.mjs", folder)
    (folder / "node_modules").symlink_to(PACKAGES[version] / "node_modules")
    return folder


def environment(
    database_url: str, folder: Path, base: str = "http://127.0.0.1:3000"
) -> dict[str, str]:
    """What the page's application reads from its environment."""
    return os.environ | {
        "DATABASE_URL": database_url,
        "BETTER_AUTH_URL": base,
        "BETTER_AUTH_SECRET": SECRET,
        "MAIL_FILE": str(folder / "mails"),
    }


@dataclass(frozen=True)
class BetterAuth:
    """A running server of the page's application."""

    url: str
    folder: Path
    version: str

    def browser(self) -> httpx.Client:
        """A client with a cookie jar of its own, as a page of the server's origin has it."""
        return httpx.Client(
            base_url=f"{self.url}/api/auth",
            headers={"Origin": self.url, "User-Agent": "browser"},
            timeout=30,
        )

    def mails(self) -> list[dict[str, Any]]:
        """The mails sent so far: ``to`` and ``text``."""
        file = self.folder / "mails"
        return [msgspec.json.decode(line) for line in file.read_bytes().splitlines()]


@contextmanager
def running_better_auth(
    node: Path, folder: Path, version: str, database_url: str
) -> Iterator[BetterAuth]:
    """The page's server as a process on ``database_url``."""
    install(folder, version)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [node, "server.mjs"],
            cwd=folder, env=environment(database_url, folder, url) | {"PORT": str(port)},
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        ready = f"{url}/api/auth/ok"
        wait_until(lambda: process.poll() is not None or answers(ready), "Better Auth answers")
        assert process.poll() is None, log.read_text()
        yield BetterAuth(url, folder, version)
    finally:
        end(process)
