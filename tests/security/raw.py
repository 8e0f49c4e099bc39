"""A client that sends bytes as they are and reads answers strictly."""

import re
import secrets
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

from app.auth.cookies import Signer
from tests.conftest import SERVERS
from tests.support import Server, Service, running_service

SECRET: Final = "a secret of the tests with 32 letters or more"
PROBE: Final = b"GET /livez HTTP/1.1\r\nHost: a\r\nX-Request-Id: probe\r\n\r\n"
PATIENCE: Final = 60.0  # seconds: a bound for what hangs, not a measure
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.1 ([1-5]\d\d) ([ -~]*)")
_HEADER: Final = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ([ -~]*)")


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers.get("x-request-id", "")


class MalformedAnswerError(Exception):
    """What came is not HTTP."""


class Connection:
    """A socket to a service; ``answers`` are the final ones that came so far."""

    def __init__(self, url: str, patience: float = PATIENCE) -> None:
        address = urlsplit(url)
        self.socket = socket.create_connection((address.hostname, address.port), patience)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.answers: list[Answer] = []
        self.closed = False
        self._received = b""

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, *packets: bytes, pause: float = 0.01) -> None:
        """Send each as a packet of its own; what the server no longer takes is let go."""
        for number, packet in enumerate(packets):
            if number:
                time.sleep(pause)
            try:
                self.socket.sendall(packet)
            except (BrokenPipeError, ConnectionResetError):
                return

    def read(self, count: int | None = None, last: str | None = None) -> list[Answer]:
        """Read until there are ``count`` answers, or one with the id ``last``, or the end."""
        while not (
            self.closed
            or (count is not None and len(self.answers) >= count)
            or (last is not None and self.answers and self.answers[-1].id == last)
        ):
            answer = self._answer()
            if answer is not None and answer.status >= 200:
                self.answers.append(answer)
        return self.answers

    def read_to_end(self) -> list[Answer]:
        return self.read()

    def _answer(self) -> Answer | None:
        """The next answer; None at the end of the connection, between two answers."""
        while (end := self._received.find(b"\r\n\r\n")) < 0:
            if not self._more():
                if self._received:
                    raise MalformedAnswerError(self._received[:500])
                return None
        lines = self._received[:end].split(b"\r\n")
        self._received = self._received[end + 4 :]
        status = _STATUS_LINE.fullmatch(lines[0])
        fields = [_HEADER.fullmatch(line) for line in lines[1:]]
        if status is None or None in fields:
            raise MalformedAnswerError(lines)
        headers = {f[1].decode().lower(): f[2].decode() for f in fields if f is not None}
        code = int(status[1])
        if code < 200 or code in (204, 304):
            return Answer(code, headers, b"")
        if headers.get("transfer-encoding") == "chunked":
            return Answer(code, headers, self._chunks())
        return Answer(code, headers, self._take(int(headers["content-length"])))

    def _chunks(self) -> bytes:
        body = b""
        while True:
            while b"\r\n" not in self._received:
                self._more()
            size, _, self._received = self._received.partition(b"\r\n")
            chunk = self._take(int(size, 16) + 2)[:-2]
            if not chunk:
                return body
            body += chunk

    def _take(self, size: int) -> bytes:
        while len(self._received) < size:
            if not self._more():
                raise MalformedAnswerError("the body is cut off")
        taken, self._received = self._received[:size], self._received[size:]
        return taken

    def _more(self) -> bool:
        try:
            data = self.socket.recv(1 << 16)
        except ConnectionResetError:
            data = b""
        self._received += data
        self.closed = not data
        return not self.closed


def talk(url: str, *packets: bytes, pause: float = 0.01) -> list[Answer]:
    """What a connection answers to ``packets`` and to a probe after them."""
    with Connection(url) as connection:
        connection.send(*packets, PROBE, pause=pause)
        return connection.read(last="probe")


def chunked(*chunks: bytes, trailers: Iterable[bytes] = ()) -> bytes:
    """A body in chunks."""
    parts = [b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks]
    return b"".join(parts) + b"0\r\n" + b"".join(t + b"\r\n" for t in trailers) + b"\r\n"


@contextmanager
def auth_service(
    servers: Callable[[str], Server],
    templates: Callable[[Server], str],
    log: Path,
    **settings: str,
) -> Iterator[Service]:
    """The service with its auth API, on a database of its own; nothing is rate-limited."""
    server = servers(SERVERS[0])
    auth = {
        "GATEPOST_SECRET": SECRET,
        "GATEPOST_BASE_URL": "http://127.0.0.1:8000",
        "GATEPOST_RATE_LIMIT": "off",
    }
    with (
        server.database(templates(server)) as name,
        running_service(server.url(name), log, **auth | settings) as service,
    ):
        yield service


def sign_in(server: Server, service: Service, names: Iterable[str]) -> dict[str, bytes]:
    """Users with a session each, put into the database; their cookies by the name of the user."""
    tokens = {name: secrets.token_hex(16) for name in names}
    rows = ",".join(f"('{name}','{name}@example.com','{token}')" for name, token in tokens.items())
    server.sql(
        f"WITH given (name, email, token) AS (VALUES {rows}), added AS (INSERT INTO users (name, "
        "email) SELECT name, email FROM given RETURNING id, email) INSERT INTO sessions (user_id, "
        "token, expires_at) SELECT id, token, now() + interval '7 days' FROM added JOIN given "
        "USING (email)",
        urlsplit(service.database_url).path.removeprefix("/"),
    )
    signer = Signer([SECRET])
    return {
        name: f"better-auth.session_token={quote(signer.sign(token), safe='')}".encode()
        for name, token in tokens.items()
    }
