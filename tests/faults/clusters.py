"""Two PostgreSQL servers, the second a standby of the first, that can be stopped and promoted."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from app.devserver.postgres import THROWAWAY, EmbeddedPostgres
from tests.support import wait_until


class Node(EmbeddedPostgres):
    """A server; with ``primary`` it begins as a standby of that one."""

    def __init__(self, home: Path, primary: "Node | None" = None) -> None:
        super().__init__(home, options={**THROWAWAY, "hot_standby": "on"})
        self._primary = primary

    def _initialise(self) -> None:
        if self._primary is None:
            super()._initialise()
            return
        new = Path(tempfile.mkdtemp(prefix="new-", dir=self.home))
        self._user.own(new)
        self._run(
            "pg_basebackup", "--pgdata", str(new), "--host", str(self._primary.sockets),
            "--username", "postgres", "--write-recovery-conf", "--checkpoint", "fast",
        )  # fmt: skip
        (new / "postmaster.pid").unlink(missing_ok=True)
        new.rename(self.data)

    def promote(self) -> None:
        """Make a standby the primary, and wait until it is."""
        self._run("pg_ctl", "promote", "--pgdata", str(self.data), "--wait")

    def pause(self) -> None:
        """Stop every process of the server; the kernel keeps accepting connections."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on as if nothing had been."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        lines = self._pid_file()
        if not lines:  # it was stopped for good
            return
        postmaster = int(lines[0])
        os.kill(postmaster, number)
        for child in Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split():
            with suppress(ProcessLookupError):
                os.kill(int(child), number)


@contextmanager
def primary_and_standby() -> Iterator[tuple[Node, Node]]:
    """Two servers on new data, removed at the end."""
    with ExitStack() as stack:
        nodes: list[Node] = []
        for _ in range(2):
            home = Path(tempfile.mkdtemp(prefix="gatepost-"))
            home.chmod(0o711)  # for the user the server runs as
            node = Node(home, *nodes)
            stack.callback(_remove, node, home)
            stack.enter_context(node)
            stack.callback(node.resume)
            nodes.append(node)
        yield nodes[0], nodes[1]


def _remove(node: Node, home: Path) -> None:
    for folder in {home, node.home}:
        shutil.rmtree(folder)


def replicated(standby: Node, sql: str, expected: str) -> None:
    """Wait until a query on the standby gives what it should."""
    command = ["psql", "-XqAt", "-d", standby.url("gatepost"), "-c", sql]
    command[0] = str(standby.binaries / "psql")
    wait_until(lambda: standby._execute(command).stdout.strip() == expected, sql)
