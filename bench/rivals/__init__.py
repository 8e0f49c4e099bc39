"""The session lookups of others: how each is installed, filled, started and called.

    install()
    rival.prepare(url)                       # its own tables, in an empty database
    command, environment = rival.start(url, port)
    rival.requests(10_000)                   # once the server is up

Each runs as one process in the best configuration for production that its documentation has:

- better-auth on Node: Gatepost's own tables, with the options of docs/better-auth.md; NODE_ENV is
  production, telemetry and logger are off, pg's pool has its 10 connections. By default it queries
  the session and then the user. With ``joins`` it makes one query, as its pages on databases
  advise; with its cookie cache it makes none for five minutes, as its page on performance advises.
- better-auth-server: FastAPI and its SQLAlchemy adapter on asyncpg, the first of the stacks it
  documents. It has no joins: two queries, each with a connection and a transaction of its own.
- fastapi-users: its database strategy with the SQLAlchemy adapter on asyncpg, and a cookie.
  ``/users/me`` is what it has for a session lookup. It has no rate limits.

The two in Python run on uvicorn with uvloop, httptools and no access log; their pools hold 10
connections and open no more, because SQLAlchemy closes any further one after each use.

Both Better Auths limit rates in memory, which is their default in production. At each request they
go through all client addresses of the last 10 seconds, so ``ADDRESSES`` is as small as possible.
"""

import asyncio
import http.client
import json
import os
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import asyncpg

from app.auth.cookies import Signer

HERE: Final = Path(__file__).parent
INSTALLED: Final = HERE.parents[1] / ".gatepost" / "bench"

USERS: Final = 100_000
SESSIONS: Final = 500_000
ADDRESSES: Final = 500
"""From how many addresses lookups come; each may send 100 requests in 10 seconds."""

SECRET: Final = "a secret for the bench of 32 letters or more"
PASSWORD: Final = "correct horse battery staple"
"""Of every user that signs in; compare.py creates their accounts with it."""

Headers = dict[str, str]


def install() -> None:
    """Put the packages of the rivals into ``.gatepost/bench``, unless these very ones are there.

    Raises CalledProcessError when pip or npm fails; they have said why.
    """
    if not shutil.which("npm"):
        raise SystemExit("npm is not installed: the bench needs Node 20 or later")
    _install(HERE / "requirements.txt", INSTALLED / "python", _pip)
    _install(HERE / "node" / "package-lock.json", INSTALLED / "node", _npm)
    shutil.copy(HERE / "node" / "server.mjs", INSTALLED / "node")


def _install(pins: Path, folder: Path, installer: Callable[[Path], None]) -> None:
    done = folder / ".installed"
    if done.exists() and done.read_bytes() == pins.read_bytes():
        return
    folder.mkdir(parents=True, exist_ok=True)
    installer(folder)
    shutil.copy(pins, done)


def _pip(folder: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    pip = [folder / "bin" / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, "-r", HERE / "requirements.txt"], check=True)


def _npm(folder: Path) -> None:
    for name in (".npmrc", "package.json", "package-lock.json"):
        shutil.copy(HERE / "node" / name, folder)
    subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=folder, check=True)


class Rival(ABC):
    """One server to measure. ``start`` remembers where it is, for what follows."""

    name: str
    path: str
    """The path of a lookup."""
    query: str
    """Its live sessions' tokens and user ids, $1 of them, from all over the table."""

    def __init__(self) -> None:
        self._url, self._port = "", 0
        self._users: dict[str, str] = {}

    @abstractmethod
    def prepare(self, url: str, *, users: int = USERS, sessions: int = SESSIONS) -> None:
        """Make and fill its tables in the empty database at ``url``.

        They are good for a day: older sessions are prolonged when they are looked up.
        """

    def start(self, url: str, port: int) -> tuple[list[str], dict[str, str]]:
        """The command and the complete environment of a server on ``port`` of 127.0.0.1."""
        self._url, self._port = url, port
        inherited = {name: value for name, value in os.environ.items() if name != "TEST"}
        return self._command(), inherited | self._environment()

    @abstractmethod
    def _command(self) -> list[str]: ...

    def _environment(self) -> dict[str, str]:
        return {
            "DATABASE_URL": self._url,
            "BETTER_AUTH_SECRET": SECRET,
            "BETTER_AUTH_URL": f"http://127.0.0.1:{self._port}",
            "NODE_ENV": "production",
            "PORT": str(self._port),
        }

    def requests(self, n: int) -> list[tuple[str, Headers]]:
        """``n`` lookups as path and headers, each of another session."""
        found = _fetch(self._url, self.query, n)
        if len(found) < n:
            raise ValueError(f"{self.name}: {len(found)} sessions where {n} are needed")
        cookies = [self._cookie(token) for token, _ in found]
        self._users = dict(zip(cookies, (user for _, user in found), strict=True))
        return [(self.path, _from(i % ADDRESSES, Cookie=c)) for i, c in enumerate(cookies)]

    @abstractmethod
    def _cookie(self, token: str) -> str:
        """The Cookie header of a session."""

    def check(self, body: bytes, headers: Headers | None = None) -> bool:
        """Whether ``body`` is the session of the right user.

        The user of the request with ``headers``, or any of those that ``requests`` last gave.
        """
        users = [self._users[headers["Cookie"]]] if headers else self._users.values()
        try:
            return self._user(json.loads(body)) in users
        except (KeyError, TypeError, ValueError):  # null, or an error
            return False

    def _user(self, answer: Any) -> str:
        """The id of the user that is signed in."""
        return answer["user"]["id"]


class BetterAuth(Rival):
    """better-auth on Node, on the tables that the driver has made and filled.

    With ``cached`` the requests carry what the server signed for them, which is good for five
    minutes: make ``requests`` anew before each round.
    """

    path = "/api/auth/get-session"
    query = """
        SELECT token, user_id::text FROM sessions WHERE expires_at > now()
        ORDER BY hashtext(token) LIMIT $1
    """

    def __init__(self, name: str, *, joins: bool = False, cached: bool = False) -> None:
        super().__init__()
        self.name, self._joins, self._cached = name, joins, cached

    def prepare(self, url: str, *, users: int = USERS, sessions: int = SESSIONS) -> None:
        """Nothing: the driver did."""

    def _command(self) -> list[str]:
        return ["node", str(INSTALLED / "node" / "server.mjs")]

    def _environment(self) -> dict[str, str]:
        return super()._environment() | {
            "COOKIE_CACHE": "on" if self._cached else "off",
            "JOINS": "on" if self._joins else "off",
        }

    def _cookie(self, token: str) -> str:
        return _signed(token)

    def requests(self, n: int) -> list[tuple[str, Headers]]:
        requests = super().requests(n)
        if self._cached:
            self._add_copies(requests)
        return requests

    def _add_copies(self, requests: list[tuple[str, Headers]]) -> None:
        """Put the signed copy of its session into each request."""
        server = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        for number, (path, headers) in enumerate(requests):
            alone = headers["Cookie"]
            elsewhere = ADDRESSES + number % ADDRESSES  # lookups' addresses keep their 100
            server.request("GET", path, headers=_from(elsewhere, Cookie=alone))
            answer = server.getresponse()
            answer.read()
            lines = answer.headers.get_all("Set-Cookie", [])
            copies = [line.partition(";")[0] for line in lines if ".session_data=" in line]
            if not copies:
                raise ValueError(f"{self.name}: {answer.status} and no copy of a session")
            headers["Cookie"] = "; ".join([alone, *copies])
            self._users[headers["Cookie"]] = self._users.pop(alone)
        server.close()

    def sign_in(self, n: int) -> list[tuple[str, Headers, bytes]]:
        """``n`` sign-ins with PASSWORD as path, headers and body, each of another user.

        Each comes from an address of its own, which may sign in three times in 10 seconds.
        """
        query = """
            SELECT email FROM users JOIN accounts ON accounts.user_id = users.id
            WHERE provider_id = 'credential' ORDER BY hashtext(email) LIMIT $1
        """
        found = _fetch(self._url, query, n)
        kept = {"Content-Type": "application/json", "Origin": f"http://127.0.0.1:{self._port}"}
        return [
            (
                "/api/auth/sign-in/email",
                _from(number) | kept,
                json.dumps({"email": email, "password": PASSWORD}).encode(),
            )
            for number, (email,) in enumerate(found)
        ]


class Asgi(Rival):
    """A rival in Python: the module ``application`` in ``python/``."""

    application: str

    def prepare(self, url: str, *, users: int = USERS, sessions: int = SESSIONS) -> None:
        _, environment = self.start(url, 0)
        module = HERE / "python" / f"{self.application}.py"
        command = [INSTALLED / "python" / "bin" / "python", module, str(users), str(sessions)]
        subprocess.run(command, env=environment, check=True)

    def _command(self) -> list[str]:
        return [
            *(str(INSTALLED / "python" / "bin" / "python"), "-m", "uvicorn"),
            *("--app-dir", str(HERE / "python"), f"{self.application}:app"),
            *("--host", "127.0.0.1", "--port", str(self._port)),
            *("--loop", "uvloop", "--http", "httptools"),
            *("--no-access-log", "--log-level", "warning"),
        ]


class BetterAuthServer(Asgi):
    """better-auth-server, a port of Better Auth to Python, on its own tables."""

    name = "better-auth-server"
    application = "better_auth_server_app"
    path = "/api/auth/get-session"
    query = 'SELECT token, "userId" FROM session ORDER BY hashtext(token) LIMIT $1'

    def _cookie(self, token: str) -> str:
        return _signed(token)


class FastapiUsers(Asgi):
    """fastapi-users on its own tables."""

    name = "fastapi-users"
    application = "fastapi_users_app"
    path = "/users/me"
    query = "SELECT token, user_id::text FROM accesstoken ORDER BY hashtext(token) LIMIT $1"

    def _cookie(self, token: str) -> str:
        return f"fastapiusersauth={token}"

    def _user(self, answer: Any) -> str:
        return answer["id"]


RIVALS: Final[tuple[Rival, ...]] = (
    BetterAuth("better-auth"),
    BetterAuth("better-auth, joins", joins=True),
    BetterAuth("better-auth, cookie cache", cached=True),
    BetterAuthServer(),
    FastapiUsers(),
)


def _signed(token: str) -> str:
    value = quote(Signer([SECRET]).sign(token), safe="")
    return f"better-auth.session_token={value}"


def _from(number: int, **headers: str) -> Headers:
    """Headers of a request from an address of its own."""
    address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    return {"X-Forwarded-For": address, **headers}


def _fetch(url: str, query: str, *arguments: object) -> list[asyncpg.Record]:
    async def rows() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(url, timeout=60)
        try:
            return await connection.fetch(query, *arguments, timeout=60)
        finally:
            await connection.close()

    with ThreadPoolExecutor(1) as thread:  # the caller may be in an event loop
        return thread.submit(asyncio.run, rows()).result()
