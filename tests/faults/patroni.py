"""Three nodes of PostgreSQL under Patroni with etcd, and haproxy, from the files of deploy/patroni.

What differs from three machines is in the variables alone: every address is one of 127.0.0.1.
"""

import os
import random
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from string import Template
from typing import Final

import httpx

from app.devserver.system_user import SystemUser
from tests.support import ROOT, end, wait_until

DEPLOY: Final = ROOT / "deploy/patroni"
BINARIES: Final = Path("/usr/lib/postgresql/15/bin")
PROGRAMS: Final = {
    "patroni": "patroni python3-etcd python3-idna",
    "patronictl": "patroni",
    "etcd": "etcd-server",
    "haproxy": "haproxy",
    "openssl": "openssl",
    str(BINARIES / "initdb"): "postgresql-15",
}
"""What is run, and its package in Debian 12."""

NAMES: Final = ("node1", "node2", "node3")
_PATH: Final = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"


def missing() -> list[str]:
    """The packages of the programs that are not installed."""
    return [p for program, p in PROGRAMS.items() if shutil.which(program, path=_PATH) is None]


def variables(text: str) -> dict[str, str]:
    """The lines NAME=value of an environment file."""
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


def unused_addresses() -> Iterator[str]:
    """Addresses of 127.0.0.1 whose ports no outgoing connection is given, nor a test that asks
    the kernel for one: between here and the start of the last program there are seconds."""
    ports = list(range(20_000, 32_000))
    random.shuffle(ports)
    for port in ports:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            yield f"127.0.0.1:{port}"


def accepts(address: str) -> bool:
    """Whether a program takes connections at host:port."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True


class Node:
    """One of the machines: its etcd, its Patroni, and the PostgreSQL that Patroni runs."""

    def __init__(self, cluster: "Cluster", values: dict[str, str]) -> None:
        self.cluster = cluster
        self.name = values["NAME"]
        self.postgres = values["POSTGRES"]
        self.api = f"https://{values['PATRONI']}"
        self.etcd_address = values["ETCD"]
        self.data = Path(values["POSTGRES_DATA"])
        self.folder = self.data.parent
        self.configuration = cluster.render("patroni.yml", values, self.folder)
        self._etcd_environment = variables(
            cluster.render("etcd.env", values, self.folder).read_text()
        )
        self.etcd: subprocess.Popen[bytes] | None = None
        self.patroni: subprocess.Popen[bytes] | None = None

    def start_etcd(self) -> None:
        self.etcd = self.cluster.spawn(["etcd"], self.folder / "etcd.log", self._etcd_environment)

    def start(self) -> None:
        """Start Patroni, as the machine does when it boots."""
        command = ["patroni", str(self.configuration)]
        self.patroni = self.cluster.spawn(command, self.folder / "patroni.log")

    def postmaster(self) -> int | None:
        """The process id of the running server."""
        with suppress(OSError, ValueError, IndexError):
            pid = int((self.data / "postmaster.pid").read_text().split()[0])
            if f"{self.data}".encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
        return None

    def kill_patroni(self) -> None:
        if self.patroni is not None:
            self.patroni.kill()
            self.patroni.wait()
            self.patroni = None

    def kill(self) -> None:
        """SIGKILL to Patroni and to the server."""
        self.kill_patroni()
        if (pid := self.postmaster()) is not None:
            os.kill(pid, signal.SIGKILL)

    def send(self, number: int) -> None:
        """Send a signal to Patroni and to each process of the server: SIGSTOP makes them silent."""
        pids = [self.patroni.pid] if self.patroni is not None else []
        if (pid := self.postmaster()) is not None:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            pids += [pid, *map(int, children)]
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def stop_etcd(self) -> None:
        assert self.etcd is not None
        end(self.etcd)

    def is_(self, role: str) -> bool:
        """Whether Patroni says that it is ``primary``, ``replica`` or ``synchronous``."""
        with suppress(httpx.TransportError):
            return self.cluster.http.get(f"{self.api}/{role}").status_code == 200
        return False


class Cluster:
    """The nodes, and haproxy on the machine of the service."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._user = SystemUser.owning(folder / "not there yet")
        self._user.own(folder)
        unused = unused_addresses()
        addresses = {
            f"{node}_{what}": next(unused)
            for node in ("NODE1", "NODE2", "NODE3")
            for what in ("POSTGRES", "PATRONI", "ETCD", "ETCD_PEER")
        }
        self.primary_address = next(unused)
        self.replicas_address = next(unused)
        self.password = secrets.token_hex(24)
        given = variables((DEPLOY / "machine.env").read_text())
        self._shared = given | {
            **{k: v for k, v in addresses.items() if k in given},
            **{
                f"{n}_PATRONI_PORT": addresses[f"{n}_PATRONI"].rpartition(":")[2]
                for n in ("NODE1", "NODE2", "NODE3")
            },
            **{name: secrets.token_hex(24) for name, value in given.items() if not value},
            "SUPERUSER_PASSWORD": self.password,
            "PRIMARY": self.primary_address,
            "REPLICAS": self.replicas_address,
            "TLS": str(self._certificates()),
            "POSTGRES_BIN": str(BINARIES),
        }
        self.ca = Path(self._shared["TLS"], "ca.crt")
        self.http = httpx.Client(verify=ssl.create_default_context(cafile=str(self.ca)), timeout=3)
        self.nodes = [self._node(name, addresses) for name in NAMES]
        self._haproxy: subprocess.Popen[bytes] | None = None

    def _node(self, name: str, addresses: dict[str, str]) -> Node:
        folder = self.folder / name
        folder.mkdir()
        self._user.own(folder)
        own = {
            what: addresses[f"{name.upper()}_{what}"]
            for what in ("POSTGRES", "PATRONI", "ETCD", "ETCD_PEER")
        }
        paths = {
            "POSTGRES_DATA": str(folder / "data"),
            "POSTGRES_SOCKETS": str(folder),
            "ETCD_DATA": str(folder / "etcd"),
        }
        return Node(self, self._shared | own | paths | {"NAME": name})

    def _certificates(self) -> Path:
        folder = self.folder / "tls"
        folder.mkdir()
        subprocess.run(
            [DEPLOY / "certificates.sh", "127.0.0.1"],
            cwd=folder, check=True, capture_output=True, timeout=60,
        )  # fmt: skip
        (folder / "127.0.0.1.crt").rename(folder / "node.crt")
        (folder / "127.0.0.1.key").rename(folder / "node.key")
        for path in (folder, *folder.iterdir()):
            self._user.own(path)
        return folder

    def render(self, template: str, values: dict[str, str], folder: Path) -> Path:
        """Fill in a file of deploy/patroni, as envsubst does; an unknown variable fails."""
        path = folder / template
        path.write_text(Template((DEPLOY / template).read_text()).substitute(values))
        path.chmod(0o600)
        self._user.own(path)
        return path

    def spawn(
        self, command: list[str], log: Path, environment: dict[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Run a program as the system user of the tests' servers, which is never root."""
        user = self._user
        with log.open("ab") as output:
            return subprocess.Popen(
                command, cwd=self.folder, env={"PATH": _PATH} | (environment or {}),
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                user=user.uid, group=user.gid, extra_groups=None if user.uid is None else [],
            )  # fmt: skip

    def ctl(self, *arguments: str) -> str:
        """Run patronictl, as root on a machine would, and give what it prints."""
        configuration = str(self.nodes[0].configuration)
        done = subprocess.run(
            ["patronictl", "-c", configuration, *arguments],
            cwd=self.folder, env={"PATH": _PATH, "LC_ALL": "C.UTF-8"}, check=False,
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def url(self, role: str, hosts: str) -> str:
        """The address of the database, for a role with ``password``."""
        tls = f"sslmode=verify-full&sslrootcert={self.ca}"
        return f"postgres://{role}:{self.password}@{hosts}/gatepost?{tls}"

    def start(self) -> None:
        for node in self.nodes:
            node.start_etcd()
        for node in self.nodes:  # or Patroni would look for it again after five seconds
            wait_until(lambda node=node: accepts(node.etcd_address), "etcd")
            node.start()
        configuration = self.render("haproxy.cfg", self._shared, self.folder)
        command = ["haproxy", "-db", "-f", str(configuration)]
        self._haproxy = self.spawn(command, self.folder / "haproxy.log")
        self.wait_until_whole()

    def wait_until_whole(self) -> None:
        """Until there is one primary, and two replicas, one of them synchronous."""

        def whole() -> bool:
            return all(
                sum(node.is_(role) for node in self.nodes) == count
                for role, count in (("primary", 1), ("replica", 2), ("synchronous", 1))
            )

        wait_until(whole, "one primary and two replicas")

    def primary(self) -> Node:
        """The node that holds the lock of the leader."""
        found: list[Node] = []
        wait_until(
            lambda: bool(found.extend(node for node in self.nodes if node.is_("primary")) or found),
            "a primary",
        )
        return found[0]

    def logs(self) -> str:
        """The last lines of each program."""
        return "\n".join(
            f"{log}:\n" + "\n".join(log.read_text(errors="replace").splitlines()[-15:])
            for log in sorted(self.folder.rglob("*.log"))
        )

    def stop(self) -> None:
        self.http.close()
        for node in self.nodes:
            node.kill_patroni()
            if (pid := node.postmaster()) is not None:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGQUIT)
        for process in (self._haproxy, *(node.etcd for node in self.nodes)):
            if process is not None:
                process.kill()
                process.wait()
        for node in self.nodes:
            wait_until(lambda node=node: node.postmaster() is None, "the server has ended")


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """A cluster that is whole; its folder is removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="gatepost-patroni-"))
    folder.chmod(0o755)
    cluster = Cluster(folder)
    try:
        cluster.start()
        yield cluster
    except AssertionError as error:
        error.add_note(cluster.logs())
        raise
    finally:
        cluster.stop()
        shutil.rmtree(folder)
