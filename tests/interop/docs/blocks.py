"""The code blocks of a page, and a reader who follows them from the first to the last.

A block whose first line is a comment with a file's name is that file. A block of shell is run, in
one terminal for the whole page; a block of text right after it is what it prints, with … for what
differs. A comment before a block says what else there is to it:

    <!-- until URL answers -->      it goes on running; the next one for this URL takes its place
    <!-- in a browser -->           JavaScript of a page
    <!-- not run: REASON -->        it is not
"""

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from tests.support import ROOT, wait_until

HOW_TO: Final = sorted((ROOT / "docs" / "how-to").glob("*.md"))

PAGES: Final = (
    ROOT / "README.md",
    ROOT / "docs" / "start.md",
    ROOT / "docs" / "tutorial.md",
    *HOW_TO,
)
"""Of these every block is run, or marked with the reason why not."""

_BLOCK: Final = re.compile(
    r"(?:^<!-- (?P<mark>[^\n]*) -->\n+)?^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_FILE: Final = re.compile(r"(?://|#|--|<!--) ([\w./-]+\.\w+)(?: -->)?\n")
_RUNNING: Final = re.compile(r"until (http\S+) answers")
_NOT_RUN: Final = "not run: "
IN_BROWSER: Final = "in a browser"

_KEEP_VARIABLES: Final = (
    "{ declare -p | grep -vE '^declare -([^ ]*r|. (BASH|DIRSTACK|FUNCNAME|GROUPS|PIPESTATUS|_=))';"
    " declare -f; }"
)
"""Prints what a shell knows, as it would be told again: variables, exported or not, functions."""


@dataclass(frozen=True)
class Block:
    """A fenced block, and what the comment before it says."""

    page: str
    line: int
    language: str
    text: str
    mark: str

    @property
    def file(self) -> str | None:
        """The name of the file that the block is."""
        found = _FILE.match(self.text)
        return found and found[1]

    @property
    def reason(self) -> str | None:
        """Why it is not run."""
        return self.mark.removeprefix(_NOT_RUN) if self.mark.startswith(_NOT_RUN) else None

    @property
    def address(self) -> str | None:
        """What answers as long as the block runs."""
        found = _RUNNING.fullmatch(self.mark)
        return found and found[1]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """The page's blocks in their order."""
    text = page.read_text()
    return [
        Block(
            str(page.relative_to(ROOT)),
            text.count("\n", 0, found.start("language")) + 1,
            found["language"],
            found["text"],
            found["mark"] or "",
        )
        for found in _BLOCK.finditer(text)
    ]


class Reader:
    """Follows blocks in ``folder``. ``ports``: those that stand for the ports of the pages."""

    def __init__(
        self,
        folder: Path,
        ports: Mapping[str, int],
        environment: Mapping[str, str],
        in_browser: Callable[[str], None] | None = None,
    ) -> None:
        self._folder = folder
        self._ports = ports
        self._in_browser = in_browser
        self._environment = {**os.environ, **environment}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._terminal = folder / ".terminal"
        self._terminal.mkdir()
        (self._terminal / "where").write_text(f"{folder}\n")
        (self._terminal / "variables").touch()

    def _translated(self, text: str) -> str:
        """``text`` with the ports that are free here."""
        for stands, port in self._ports.items():
            text = re.sub(rf"\b{stands}\b", str(port), text)
        return text

    def follow(self, page: Sequence[Block]) -> int:
        """Follow the blocks; gives how many were run or became files."""
        done = 0
        printed: tuple[Block, str] | None = None
        for block in page:
            if block.reason is not None:
                continue
            done += 1
            match block.language:
                case "text" if printed is not None:
                    self._compare(block, *printed)
                    printed = None
                    continue
                case "sh" if block.address:
                    self.start(self._script(block, keep=False), self._translated(block.address))
                case "sh":
                    printed = (block, self._run(block))
                    continue
                case "js" if block.mark == IN_BROWSER and self._in_browser:
                    self._in_browser(self._translated(block.text))
                case _ if block.file is not None:
                    self._write(block, block.file)
                case _:
                    raise AssertionError(f"{block}: nothing to do with {block.language!r}")
            printed = None
        return done

    def _write(self, block: Block, name: str) -> None:
        path = Path((self._terminal / "where").read_text().rstrip("\n")) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self._translated(block.text))

    def _script(self, block: Block, *, keep: bool) -> list[str]:
        terminal = self._terminal
        text = f"set -eu -o pipefail\n. '{terminal}/variables'\ncd \"$(cat '{terminal}/where')\"\n"
        text += self._translated(block.text)
        if keep:
            text += f"{_KEEP_VARIABLES} >'{terminal}/variables'\npwd >'{terminal}/where'\n"
        return ["bash", "-c", text]

    def _run(self, block: Block) -> str:
        done = subprocess.run(
            self._script(block, keep=True), env=self._environment, timeout=300,
            check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        said = f"{block}\n{block.text}\n{done.stdout}{done.stderr}{self._logs()}"
        assert done.returncode == 0, said
        return done.stdout

    def start(self, command: Sequence[str], address: str) -> None:
        """Run what answers at ``address`` until the end, or until something else is to."""
        if previous := self._running.pop(address, None):
            _end_group(previous)
        with (self._terminal / f"{len(self._running)}.log").open("ab") as log:
            process = subprocess.Popen(
                command, cwd=self._folder, env=self._environment, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self._running[address] = process
        wait_until(lambda: process.poll() is not None or _answers(address), address)
        assert process.poll() is None, self._logs()

    def _logs(self) -> str:
        """What the blocks that went on running have said."""
        return "\n".join(log.read_text() for log in self._terminal.glob("*.log"))

    def _compare(self, expected: Block, ran: Block, printed: str) -> None:
        parts = re.split(r"\s*…\s*", self._translated(expected.text).strip())
        pattern = r"[\s\S]*?".join(map(re.escape, parts))
        assert re.fullmatch(pattern, printed.strip()), f"{expected}: {ran} printed\n{printed}"

    def stop(self) -> None:
        """End whatever goes on running."""
        for process in reversed(self._running.values()):
            _end_group(process)


def _answers(url: str) -> bool:
    """Whether a server is there and ready: an application need not have a page at its root."""
    try:
        return httpx.get(url, timeout=5).status_code < 500
    except httpx.TransportError:
        return False


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM to a shell and what it runs, as Ctrl-C in a terminal reaches both."""

    def gone() -> bool:
        process.poll()  # the shell, too, is there until it is waited for
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return True
        return False

    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    wait_until(gone, "every process of the block has ended")


@contextmanager
def reader(
    folder: Path,
    ports: Mapping[str, int],
    environment: Mapping[str, str],
    in_browser: Callable[[str], None] | None = None,
) -> Iterator[Reader]:
    """A reader whose services end with the block; ``in_browser`` runs the JavaScript of a page."""
    person = Reader(folder, ports, environment, in_browser)
    try:
        yield person
    finally:
        person.stop()
