"""Hostile requests to the REST API: none gives a 5xx, reads a secret or changes a row.

Each is sent to the application itself, as the bytes that a server would hand on. The last part
sends broken HTTP to the service over a socket.
"""

import asyncio
import csv
import io
import json
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote, unquote

import asyncpg
import httpx
import pytest

from app.main import create_app
from app.settings import Settings
from tests.integration.hostile import (
    CSV,
    FAMILIES,
    FORM,
    INJECTIONS,
    JSON,
    LONG_NAME,
    MARK,
    RETURN,
    SESSIONS,
    TOKENS,
    USERS,
    Attack,
    at,
    csv_body,
)
from tests.support import KEYS, Service, environment


@dataclass(frozen=True)
class Answer:
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def header(self, name: bytes) -> str:
        return next((value.decode() for key, value in self.headers if key == name), "")


class App:
    """The application in this process, with a look at its tables past it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._loop = asyncio.new_event_loop()
        self._stack = AsyncExitStack()

    def start(self) -> None:
        self._loop.run_until_complete(self._start())
        self.before = self.digest()

    async def _start(self) -> None:
        self.db = await asyncpg.connect(self._url)
        await self._fill()
        settings = {"GATEPOST_QUERY_TIMEOUT": "2", "GATEPOST_MAX_BODY": str(8 << 20)}
        self.app = create_app(Settings.from_environment(environment(self._url) | settings))
        await self._stack.enter_async_context(self.app.router.lifespan_context(self.app))

    async def _fill(self) -> None:
        await self.db.execute("TRUNCATE users CASCADE")
        start = datetime(2026, 1, 1, tzinfo=UTC)
        times = (start, start)
        names = ("Ann", "Bob", LONG_NAME)
        users = zip(USERS, names, ("ann@a.te", "bob@b.te", "c@c.te"), strict=True)
        await self.db.copy_records_to_table(
            "users",
            columns=["id", "name", "email", "created_at", "updated_at"],
            records=[(*user, *times) for user in users],
        )
        await self.db.copy_records_to_table(
            "sessions",
            columns=[
                *("id", "user_id", "token", "expires_at", "ip_address", "user_agent"),
                *("created_at", "updated_at"),
            ],
            records=[
                (id_, user, token, start + timedelta(days=3650), "10.0.0.1", "agent", *times)
                for id_, user, token in zip(SESSIONS, USERS, TOKENS, strict=True)
            ],
        )

    def stop(self) -> None:
        self._loop.run_until_complete(self._stack.aclose())
        self._loop.run_until_complete(self.db.close())
        self._loop.close()

    def digest(self) -> list[str]:
        """What each table holds, whole."""
        return [
            self._loop.run_until_complete(
                self.db.fetchval(f"SELECT md5(string_agg(t::text, ';' ORDER BY id)) FROM {table} t")
            )
            for table in ("users", "sessions")
        ]

    def send(self, attack: Attack) -> Answer:
        return self._loop.run_until_complete(self._send(attack))

    async def _send(self, attack: Attack) -> Answer:
        target = attack.target
        raw = target.encode("latin-1") if isinstance(target, str) else target
        path, _, query = raw.partition(b"?")
        headers = [(n.lower().encode(), _bytes(value)) for n, value in attack.headers]
        if attack.key:
            headers.append((b"apikey", KEYS[attack.key].encode()))
        headers.append((b"content-length", str(len(attack.body)).encode()))
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": attack.method,
            "scheme": "http",
            "path": unquote(path.decode("latin-1")),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        sent: list[dict[str, Any]] = []
        incoming = [{"type": "http.request", "body": attack.body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            return incoming.pop() if incoming else {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self.app(scope, receive, send)  # type: ignore[arg-type]
        body = b"".join(message.get("body", b"") for message in sent)
        return Answer(sent[0]["status"], sent[0]["headers"], body)

    def withstands(self, attack: Attack) -> Answer:
        """Send a request that must change nothing, and check all that holds for any answer."""
        answer = self.send(attack)
        if self.digest() != self.before:
            self._loop.run_until_complete(self._fill())  # so that the next one stands alone
            raise AssertionError(f"rows changed, status {answer.status}: {attack}")
        check(attack, answer)
        return answer


def _bytes(value: str | bytes) -> bytes:
    return value.encode("latin-1") if isinstance(value, str) else value


def check(attack: Attack, answer: Answer) -> None:
    assert answer.status in attack.expected or (not attack.expected and answer.status < 500), (
        f"{answer.status} {answer.body[:500]!r} for {attack}"
    )
    everything = answer.body + b"".join(name + value for name, value in answer.headers)
    if attack.key != "all":
        assert MARK.encode() not in everything, f"a secret in the answer to {attack}"
    assert not any(b"\r" in value or b"\n" in value for _, value in answer.headers), str(attack)
    if attack.method == "HEAD":
        return
    if answer.status >= 400:
        assert answer.header(b"content-type").startswith("application/json"), str(attack)
        error = json.loads(answer.body)
        assert error.keys() == {"code", "message", "details", "hint"}, str(attack)
        assert isinstance(error["code"], str), str(attack)
        assert isinstance(error["message"], str), str(attack)
        assert all(isinstance(error[key], str | None) for key in ("details", "hint")), str(attack)
    elif "json" in answer.header(b"content-type"):
        json.loads(answer.body)


@pytest.fixture(scope="module")
def app(module_database_url: str) -> Iterator[App]:
    log = logging.getLogger("gatepost.access")
    before = log.level
    log.setLevel(logging.WARNING)  # pytest would keep thousands of lines
    app = App(module_database_url)
    app.start()
    try:
        yield app
    finally:
        app.stop()
        log.setLevel(before)


def in_quotes(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


# A value that is compared: whatever it holds, it is only a name that nobody has.
AS_VALUE: Final[dict[str, Callable[[str], str]]] = {
    "value": lambda p: at("users", ("name", f"eq.{p}")),
    "quoted in a list": lambda p: at("users", ("name", f"in.({in_quotes(p)},x)")),
    "quoted in an array": lambda p: at("users", ("name", f"eq(any).{{{in_quotes(p)}}}")),
    "quoted in logic": lambda p: at("users", ("or", f"(name.eq.{in_quotes(p)},name.eq.x)")),
    "in an embed": lambda p: at(
        "users", ("select", "id,sessions!inner(id)"), ("sessions.user_agent", f"eq.{p}")
    ),
}


def test_attacks_are_two_thousand_different_ones() -> None:
    assert len({attack for family in FAMILIES.values() for attack in family}) >= 2000


@pytest.mark.parametrize("family", FAMILIES)
def test_hostile_request_is_withstood(app: App, family: str) -> None:
    failures = []
    for attack in FAMILIES[family]:
        try:
            app.withstands(attack)
        except AssertionError as error:
            failures.append(str(error)[:700])
    assert not failures, f"{len(failures)} of {len(FAMILIES[family])}:\n" + "\n".join(failures)


@pytest.mark.parametrize("place", AS_VALUE)
def test_hostile_value_matches_no_row(app: App, place: str) -> None:
    for payload in INJECTIONS:
        answer = app.withstands(Attack(AS_VALUE[place](payload), expected=(200,)))
        assert json.loads(answer.body) == [], payload


# --- hostile texts that are good values -----------------------------------------------------------

TEXTS: Final = (
    *INJECTIONS, "'; drop table users; --", "Robert'); DROP TABLE students;--", " ", "\t", "\n",
    "\r\n",
    "null", "NULL", "true", "\u202egnirts", "\ufeffbom", "a\u0300", "\U0010ffff", "\ufffe", "\x7f",
    "\x01", "ﷺ" * 100, "=cmd|'/c calc'!A1", '"quoted","csv"', "a,b;c\td", "{\"a\":1}", "[]",
    "e" * 10_000,
)  # fmt: skip


@pytest.mark.parametrize("form", ["json", "csv", "form"])
def test_hostile_text_comes_back_as_it_was_written(app: App, form: str) -> None:
    for text in TEXTS:
        if form == "csv" and text == "NULL":
            continue  # that is how a CSV body says null
        email = "round@trip.te"
        headers, body = {
            "json": (JSON, json.dumps({"name": text, "image": text, "email": email}).encode()),
            "csv": (CSV, csv_body([["name", "image", "email"], [text, text, email]])),
            "form": (
                FORM,
                f"name={quote(text, safe='')}&image={quote(text, safe='')}&email={email}".encode(),
            ),
        }[form]
        created = app.send(
            Attack("/rest/v1/users?select=id,name,image", "POST", (headers, RETURN), body)
        )
        assert created.status == 201, (text, created)
        (row,) = json.loads(created.body)
        assert (row["name"], row["image"]) == (text, text)
        for query in (f"eq.{text}", f"in.({in_quotes(text)})", f"eq(any).{{{in_quotes(text)}}}"):
            target = at("users", ("select", "id"), ("name", query))
            found = app.send(Attack(target))
            if len(target) < 32_000:
                assert json.loads(found.body) == [{"id": row["id"]}], (text, query, found)
        table = app.send(Attack(at("users", ("id", f"eq.{row['id']}"), ("select", "name,image")),
                                 headers=(("Accept", "text/csv"),)))  # fmt: skip
        lines = list(csv.reader(io.StringIO(table.body.decode(), newline="")))
        assert lines == [["name", "image"], [text, text]]
        one = f"/rest/v1/users?id=eq.{row['id']}"
        changed = json.dumps({"name": text + text}).encode()
        assert app.send(Attack(one, "PATCH", (JSON,), changed)).status == 204
        stored = app._loop.run_until_complete(
            app.db.fetchval("SELECT name FROM users WHERE id = $1::text::uuid", row["id"])
        )
        assert stored == text + text
        assert app.send(Attack(one, "DELETE")).status == 204
        assert app.digest() == app.before


# --- patterns that are slow -----------------------------------------------------------------------

PATTERNS: Final = (
    "match.(a*)*b", "match.(a+)+$b", "match.^(a|a)*$b", "match.(a|aa)+$b",
    "match.^(a?){500}a{500}$",
    "match.(.*)\\1(.*)\\2(.*)\\3b$", "match.^(.*)(.*)(.*)(.*)\\1\\2\\3\\4x$",
    "match.((a{1,100}){1,100}){1,100}b",
    "match.(x+x+)+y", "imatch.(A*)*(A*)*(A*)*B", "match.^(a*)*\\1$c",
    "match.((((((((((a*)*)*)*)*)*)*)*)*)*b",
    "match.(?=a*b)(?=a*c)a*d", "match.([a-z]+)*\\1\\1b", "match." + "(" * 2000 + "a" + ")" * 2000,
    "match.a{255}{255}{255}", "match." + "a*" * 1000 + "b", "like." + "%a" * 500 + "b",
    "ilike." + "%A_" * 300 + "b",
    "like(all).{" + ",".join(["%a%a%a%a%b"] * 100) + "}",
    "match(any).{" + ",".join(["(a*)*b"] * 100) + "}",
)  # fmt: skip


def test_slow_pattern_ends_at_the_deadline_of_a_query(app: App) -> None:
    for pattern in PATTERNS:
        answer = app.send(Attack(at("users", ("name", pattern), ("select", "id"))))
        assert answer.status in (200, 400, 504), (pattern, answer)
        assert json.loads(answer.body) is not None
        after = app.withstands(Attack("/rest/v1/users?select=id", expected=(200,)))
        assert len(json.loads(after.body)) == len(USERS)


# --- broken HTTP ----------------------------------------------------------------------------------

HOST: Final = b"Host: gatepost.test\r\n"
AUTH: Final = b"apikey: " + KEYS["all"].encode() + b"\r\n"
END: Final = b"\r\n"
USERS_LINE: Final = b"GET /rest/v1/users HTTP/1.1\r\n"
GET: Final = USERS_LINE + HOST + AUTH
POST: Final = (
    b"POST /rest/v1/users HTTP/1.1\r\n" + HOST + AUTH + b"Content-Type: application/json\r\n"
)
CHUNKED: Final = POST + b"Transfer-Encoding: chunked\r\n\r\n"
BIG: Final = 11 << 20  # more than the body limit

BROKEN: Final[dict[str, bytes]] = {
    "nothing": b"",
    "NUL": b"\x00",
    "noise": bytes(range(256)) * 8,
    "TLS": bytes.fromhex("16030100a5010000a10303") + b"\x00" * 160,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/0.9": b"GET /rest/v1/users\r\n",
    "HTTP/9.9": b"GET /rest/v1/users HTTP/9.9\r\n" + HOST + END,
    "no version": b"GET /rest/v1/users \r\n\r\n",
    "no path": b"GET HTTP/1.1\r\n" + HOST + END,
    "spaces": b"GET  /rest/v1/users  HTTP/1.1\r\n" + HOST + END,
    "line feeds alone": b"GET /rest/v1/users HTTP/1.1\nHost: x\n\n",
    "carriage returns alone": b"GET /rest/v1/users HTTP/1.1\rHost: x\r\r",
    "method of noise": b"\xff\xfe /rest/v1/users HTTP/1.1\r\n" + HOST + END,
    "long method": b"G" * 100_000 + b" / HTTP/1.1\r\n" + HOST + END,
    "bytes in the path": b"GET /rest/v1/\xff\xfe HTTP/1.1\r\n" + HOST + AUTH + END,
    "bytes in the query": b"GET /rest/v1/users?name=eq.\xff HTTP/1.1\r\n" + HOST + AUTH + END,
    "NUL in the path": b"GET /rest/v1/users\x00 HTTP/1.1\r\n" + HOST + AUTH + END,
    "long path": b"GET /rest/v1/" + b"a" * 200_000 + b" HTTP/1.1\r\n" + HOST + AUTH + END,
    "long query": b"GET /rest/v1/users?" + b"a" * 200_000 + b" HTTP/1.1\r\n" + HOST + AUTH + END,
    "absolute": b"GET http://evil.test/rest/v1/users HTTP/1.1\r\n" + HOST + AUTH + END,
    "asterisk": b"OPTIONS * HTTP/1.1\r\n" + HOST + AUTH + END,
    "CONNECT": b"CONNECT evil.test:443 HTTP/1.1\r\n" + HOST + AUTH + END,
    "fragment": b"GET /rest/v1/users#x HTTP/1.1\r\n" + HOST + AUTH + END,
    "no host": USERS_LINE + AUTH + b"\r\n",
    "two hosts": USERS_LINE + HOST * 2 + AUTH + b"\r\n",
    "folded header": USERS_LINE + HOST + b"X: a\r\n b\r\n\r\n",
    "header without a colon": USERS_LINE + HOST + b"nonsense\r\n\r\n",
    "header without a name": USERS_LINE + HOST + b": x\r\n\r\n",
    "NUL in a header": GET + b"X: a\x00b\r\n\r\n",
    "bytes in a header": GET + b"Prefer: \xff\r\n\r\n",
    "many headers": GET + b"X: y\r\n" * 20_000 + b"\r\n",
    "one huge header": USERS_LINE + HOST + b"X: " + b"y" * 2_000_000 + b"\r\n\r\n",
    "headers that never end": USERS_LINE + HOST + b"X: y\r\n",
    "websocket": GET + b"Connection: Upgrade\r\n"
    b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==\r\n\r\n",
    "length below zero": POST + b"Content-Length: -1\r\n\r\n{}",
    "length of words": POST + b"Content-Length: many\r\n\r\n{}",
    "length past 64 bits": POST + b"Content-Length: 99999999999999999999999\r\n\r\n{}",
    "length of 64 bits": POST + b"Content-Length: 18446744073709551615\r\n\r\n{}",
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
    "length and chunks": POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunk of words": CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n",
    "chunk below zero": CHUNKED + b"-2\r\n{}\r\n0\r\n\r\n",
    "chunk past 64 bits": CHUNKED + b"fffffffffffffffff\r\n{}\r\n",
    "chunks without an end": CHUNKED + b"2\r\n{}\r\n",
    "chunk extensions": CHUNKED + b"2;" + b"x" * 100_000 + b"\r\n{}\r\n0\r\n\r\n",
    "unknown coding": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "gzip": POST + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00",
    "body cut off": POST + b'Content-Length: 1000\r\n\r\n{"name":"x","email":"cut@off.te"}',
    "body of one byte": POST + b"Content-Length: 1000\r\n\r\n{",
    "too long by its length": POST + b"Content-Length: %d\r\n\r\n" % BIG,
    "too long": POST + b"Content-Length: %d\r\n\r\n" % BIG + b" " * BIG,
    "too long in chunks": CHUNKED + (b"10000\r\n" + b" " * 65536 + b"\r\n") * (BIG >> 16),
    "too long, expecting": POST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % BIG,
    "unknown expectation": POST + b"Expect: a-miracle\r\nContent-Length: 2\r\n\r\n{}",
    "a pipeline": (GET + END) * 50,
    "a smuggled request": POST
    + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG",
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_http_leaves_the_service_running(
    app: App, module_service: Service, case: str
) -> None:
    port = int(module_service.url.rpartition(":")[2])
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        try:
            connection.sendall(BROKEN[case])
            connection.shutdown(socket.SHUT_WR)
            while chunk := connection.recv(1 << 16):
                received += chunk
        except (ConnectionError, TimeoutError):
            pass  # the service may hang up whenever it likes
    assert b"HTTP/1.1 5" not in received
    assert httpx.get(f"{module_service.url}/livez", timeout=10).text == "ok"
    assert module_service.process.poll() is None
    assert app.digest() == app.before


def test_slow_body_does_not_delay_other_requests(app: App, module_service: Service) -> None:
    port = int(module_service.url.rpartition(":")[2])
    slow = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(30)]
    try:
        for connection in slow:
            connection.sendall(POST + b"Content-Length: 1000\r\n\r\n{")
        headers = {"apikey": KEYS["all"]}
        for _ in range(10):
            rows = httpx.get(f"{module_service.rest}/users?select=id", headers=headers, timeout=10)
            assert len(rows.json()) == len(USERS)
            for connection in slow:
                connection.sendall(b" ")
    finally:
        for connection in slow:
            connection.close()
    assert httpx.get(f"{module_service.url}/livez", timeout=10).text == "ok"
    assert app.digest() == app.before
