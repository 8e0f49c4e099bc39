"""The limits of a request, in size and in time, and what a flood of connections costs others."""

import asyncio
import json
import resource
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from app.http_guard import MAX_FIELDS, MAX_HEAD, MAX_PIPELINED, MAX_URL
from app.server import listening_socket
from app.settings import Settings
from tests.security.raw import Answer, Connection, auth_service, chunked, talk
from tests.support import KEYS, Server, Service, free_port

MIB = 1 << 20
JSON = b"Content-Type: application/json\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


@pytest.fixture(scope="module")
def service(
    postgres_servers: Callable[[str], Server],
    templates: Callable[[Server], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    """Started with 256 open files allowed, as a shell might; it raises that by itself."""
    log = tmp_path_factory.mktemp("service") / "service.log"
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, allowed[1]))
    try:
        starting = auth_service(postgres_servers, templates, log, GATEPOST_REQUEST_TIMEOUT="3")
        running = starting.__enter__()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, allowed)
    try:
        yield running
    finally:
        starting.__exit__(None, None, None)


def refusals(service: Service, status: int) -> float:
    text = httpx.get(service.metrics).text
    name = f'gatepost_refused_total{{status="{status}"}} '
    return next((float(line.split()[-1]) for line in text.splitlines() if name in line), 0.0)


def assert_refused(answers: list[Answer], status: int) -> None:
    assert [answer.status for answer in answers] == [status]
    assert answers[0].headers["connection"] == "close"
    error = json.loads(answers[0].body)
    assert error.keys() == {"code", "message", "details", "hint"}
    assert error["code"] == str(status)


# --- the head --------------------------------------------------------------------------------


def get(*fields: bytes, path: bytes = b"/livez") -> bytes:
    return b"\r\n".join([b"GET " + path + b" HTTP/1.1", b"Host: a", *fields, b"", b""])


def test_head_of_the_limit_passes_and_more_is_refused(service: Service) -> None:
    before = refusals(service, 431)
    for size, status in ((MAX_HEAD - 100, 200), (MAX_HEAD + 100, 431)):
        request = get(b"X: " + b"a" * (size - 40))
        for packets in ([request], [request[i : i + 5000] for i in range(0, size, 5000)]):
            answers = talk(service.url, *packets, pause=0.001)
            assert answers[0].status == status
            if status == 431:
                assert_refused(answers, 431)
    assert refusals(service, 431) == before + 2


def test_head_of_the_limit_passes_behind_a_long_body(service: Service) -> None:
    body = b"a" * (MAX_HEAD - 1)
    post = b"POST /livez HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)
    request = post + body + get(b"X: " + b"a" * (MAX_HEAD - 100))
    assert [answer.status for answer in talk(service.url, request)] == [405, 200, 200]
    request = post + body + get(b"X: " + b"a" * (MAX_HEAD + 16_384))
    assert [answer.status for answer in talk(service.url, request)] in ([405], [405, 431])


def test_fields(service: Service) -> None:
    fields = [b"X-%d: a" % number for number in range(MAX_FIELDS - 1)]
    assert [answer.status for answer in talk(service.url, get(*fields))] == [200, 200]
    assert_refused(talk(service.url, get(*fields, b"X: a")), 431)


def test_url(service: Service) -> None:
    path = b"/livez?" + b"a" * (MAX_URL - 7)
    assert [answer.status for answer in talk(service.url, get(path=path))] == [200, 200]
    assert_refused(talk(service.url, get(path=path + b"a")), 414)


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"", b"\r\n"),
        (b"", b"A"),
        (b"GET /", b"a"),
        (b"GET / HTTP/1.1\r\n", b"a"),
        (b"GET / HTTP/1.1\r\nX: ", b"a"),
        (b"GET / HTTP/1.1\r\nX:", b" "),
        (b"GET / HTTP/1.1\r\n", b"a: b\r\n"),
    ],
)
def test_head_without_an_end_is_refused_soon(service: Service, start: bytes, piece: bytes) -> None:
    with Connection(service.url) as connection:
        connection.send(start, *[piece * (16384 // len(piece))] * 64, pause=0)
        answers = connection.read_to_end()
    assert len(answers) == 1
    assert answers[0].status in (400, 431)


def test_pipeline_is_limited(service: Service) -> None:
    with Connection(service.url) as connection:
        connection.send(get() * 10_000)
        answers = connection.read_to_end()
    assert {answer.status for answer in answers} == {200}
    assert MAX_PIPELINED < len(answers) <= MAX_PIPELINED + 2


# --- the body --------------------------------------------------------------------------------

AUTH_LIMIT = 64 * 1024
SIGN_IN = b"POST /api/auth/sign-in/email HTTP/1.1\r\nHost: a\r\n" + JSON


def sign_in_body(size: int) -> bytes:
    text = b'{"email":"a@example.com","password":"%s"}'  # 400 PASSWORD_TOO_LONG
    return text % (b"a" * (size - len(text) + 2))


@pytest.mark.parametrize("form", ["length", "zeros", "chunked"])
def test_body_of_the_auth_api(service: Service, form: str) -> None:
    for size, status in ((AUTH_LIMIT, 400), (AUTH_LIMIT + 1, 413), (9 * MIB, 413)):
        body = sign_in_body(size)
        if form == "chunked":
            request = SIGN_IN + CHUNKED + b"\r\n"
            body = chunked(*(body[i : i + 9000] for i in range(0, size, 9000)))
        else:
            zeros = b"0" * (30 if form == "zeros" else 0)
            request = SIGN_IN + b"Content-Length: %s%d\r\n\r\n" % (zeros, size)
        answers = talk(service.url, request + body)
        assert answers[0].status == status
        if status == 413:
            assert json.loads(answers[0].body)["code"] == "PAYLOAD_TOO_LARGE"


def test_too_long_body_of_the_auth_api_is_refused_before_it_is_sent(service: Service) -> None:
    with Connection(service.url) as connection:
        connection.send(SIGN_IN + b"Content-Length: %d\r\n\r\n" % (9 * MIB))
        (answer,) = connection.read(1)
        assert answer.status == 413
        # as clients do that did not wait for it
        body = sign_in_body(9 * MIB)
        connection.send(body, get())
        assert [answer.status for answer in connection.read(2)] == [413, 200]


@pytest.mark.parametrize("zeros", [0, 30])
def test_too_long_body_of_the_rest_api(service: Service, zeros: int) -> None:
    head = b"POST /rest/v1/users HTTP/1.1\r\nHost: a\r\napikey: %s\r\n" % KEYS["all"].encode()
    length = b"0" * zeros + b"%d" % (11 * MIB)
    with Connection(service.url) as connection:
        connection.send(head + JSON + b"Content-Length: " + length + b"\r\n\r\n")
        assert [answer.status for answer in connection.read(1)] == [413]


@pytest.mark.parametrize(
    "body",
    [
        b"1;" + b"a" * 20 * MIB,
        b"1;a=" + b"a" * 20 * MIB,
        b"1\r\nX\r\n" * (2 * MIB),
        b"0" * 20 * MIB,
        b"0\r\n" + b"X: a\r\n" * MIB,
        b"0\r\nX: " + b"a" * 20 * MIB,
    ],
    ids=["extension", "value of one", "chunks of a byte", "size", "trailers", "trailer"],
)
def test_body_that_is_mostly_framing_is_refused(service: Service, body: bytes) -> None:
    with Connection(service.url) as connection:
        connection.send(SIGN_IN + CHUNKED + b"\r\n")
        connection.send(*(body[i : i + MIB] for i in range(0, len(body), MIB)), pause=0)
        answers = connection.read_to_end()
    assert_refused(answers, 400)


# --- time ------------------------------------------------------------------------------------


def drip(service: Service, start: bytes, piece: bytes) -> tuple[float, list[Answer]]:
    """Send a piece each half second; after how many seconds the connection ended, and how."""
    began = time.monotonic()
    with Connection(service.url, 0.5) as connection:
        connection.send(start)
        while not connection.closed:
            try:
                connection.read_to_end()
            except TimeoutError:
                connection.send(piece)
            if time.monotonic() - began > 40:
                break
        return time.monotonic() - began, connection.answers


SLOW = {
    "nothing": (b"", b"", []),
    "line ends": (b"", b"\r\n", [408]),
    "a first line": (b"GET /livez", b"a", [408]),
    "fields": (b"GET /livez HTTP/1.1\r\n", b"X: a\r\n", [408]),
    "fields of a second request": (get() + b"GET /livez HTTP/1.1\r\n", b"X: a\r\n", [200, 408]),
    "a body": (SIGN_IN + b"Content-Length: 1000\r\n\r\n", b" ", [408]),
    "chunks": (SIGN_IN + CHUNKED + b"\r\n", b"1\r\n \r\n", [408]),
    "an extension": (SIGN_IN + CHUNKED + b"\r\n1;", b"a", [408]),
    "an Upgrade's body": (
        SIGN_IN + b"Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 99\r\n\r\n", b" ", [408],
    ),
    "a body that nobody reads": (
        b"POST /livez HTTP/1.1\r\nContent-Length: 1000\r\n\r\n", b" ", [405],
    ),
    "a body of a GET": (b"GET /livez HTTP/1.1\r\nContent-Length: 1000\r\n\r\n", b" ", [200]),
    "a body that is too long": (SIGN_IN + b"Content-Length: 1000000\r\n\r\n", b" ", [413]),
}  # fmt: skip


def test_what_does_not_come_in_time_ends_the_connection(service: Service) -> None:
    with ThreadPoolExecutor(len(SLOW)) as pool:
        tasks = {
            n: pool.submit(drip, service, start, piece) for n, (start, piece, _) in SLOW.items()
        }
        for name, task in tasks.items():
            seconds, answers = task.result()
            assert [answer.status for answer in answers] == SLOW[name][2], name
            assert seconds < 30, name
            if name.endswith(("body", "chunks", "an extension")):  # GATEPOST_REQUEST_TIMEOUT
                assert seconds > 2, name
            else:
                assert seconds > 8, name


def test_connection_that_a_proxy_keeps_is_kept(service: Service) -> None:
    """Also when the answer came before the body, which sets another timer."""
    post = b"POST /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"
    with Connection(service.url) as used, Connection(service.url) as answered_early:
        used.send(get())
        answered_early.send(post)
        answered_early.read(1)
        answered_early.send(b"body")
        used.read(1)
        time.sleep(13)
        for connection, before in ((used, 200), (answered_early, 405)):
            connection.send(get())
            assert [answer.status for answer in connection.read(2)] == [before, 200]


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux has it")
def test_client_that_never_reads_is_dropped_by_the_system() -> None:
    """An answer that is not read would else keep its connection for ever, closed or not."""
    settings = {"DATABASE_URL": "postgres://app@127.0.0.1/x", "PORT": str(free_port())}
    with (
        listening_socket(Settings.from_environment(settings)) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000


# --- many ------------------------------------------------------------------------------------


def waits(url: str, path: bytes = b"/livez", count: int = 100) -> list[float]:
    """How long each of some requests took, on connections of their own."""
    seconds = []
    for _ in range(count):
        began = time.perf_counter()
        with Connection(url) as connection:
            connection.send(get(path=path))
            assert connection.read(1)[0].status == 200
        seconds.append(time.perf_counter() - began)
    return seconds


def test_others_are_served_beside_2000_slow_connections_and_memory_stays_flat(
    service: Service,
) -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most[1] < 3000:
        pytest.skip("the system allows fewer than 3,000 open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (most[1], most[1]))
    process = psutil.Process(service.process.pid)

    async def wave() -> tuple[float, int]:
        """2,000 connections: idle, in the middle of a head, or of a body."""
        host, port = service.url.removeprefix("http://").split(":")
        starts = [b"", b"GET / HTTP/1.1\r\nX:", SIGN_IN + b"Content-Length: 1000\r\n\r\n", get()]
        writers = []
        try:
            for number in range(2000):
                _, writer = await asyncio.open_connection(host, int(port))
                writer.write(starts[number % 4])
                writers.append(writer)
            seconds = await asyncio.to_thread(waits, service.url, b"/api/auth/ok")
            return statistics.median(seconds), process.memory_info().rss
        finally:
            for writer in writers:
                writer.transport.abort()

    try:
        before = process.memory_info().rss
        waves = [asyncio.run(wave()) for _ in range(4)]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, most)
    assert max(median for median, _ in waves) < 0.1
    assert waves[0][1] - before < 100 * MIB  # 50 KiB a connection
    assert waves[-1][1] - waves[0][1] < 15 * MIB


def test_others_are_served_beside_floods(service: Service) -> None:
    """Each of these held the process, or its memory, for as long as it went on."""
    # what is declared is sent at once, and then again on the next connection
    floods = [
        get() * 14_000,
        SIGN_IN + b"Content-Length: %d\r\n\r\n" % (9 * MIB) + b'{"a":' * (9 * MIB // 5),
        SIGN_IN + CHUNKED + b"\r\n" + b"1\r\n[\r\n" * MIB,
        get(*[b"X: " + b"a" * 600] * 90),
        b"GET /" + b"a" * 8 * MIB,
    ]
    process = psutil.Process(service.process.pid)
    before = process.memory_info().rss
    stop = time.monotonic() + 4

    def flood(data: bytes) -> None:
        while time.monotonic() < stop:
            with Connection(service.url) as connection:
                connection.send(data)
                connection.read(1)

    with ThreadPoolExecutor(len(floods)) as pool:
        tasks = [pool.submit(flood, data) for data in floods]
        seconds = waits(service.url)
        for task in tasks:
            task.result()
    assert statistics.median(seconds) < 0.1
    assert process.memory_info().rss - before < 50 * MIB


def test_log_is_not_flooded_and_quotes_nothing(service: Service, tmp_path: Path) -> None:
    before = service.log.read_text().count("refused a request of")
    for _ in range(200):
        with Connection(service.url) as connection:
            connection.send(b"nonsense with a secret\r\n\r\n")
            assert_refused(connection.read_to_end(), 400)
    text = service.log.read_text()
    assert text.count("refused a request of") - before < 20
    assert "a secret" not in text
    assert "Traceback" not in text
    assert "Invalid HTTP request" not in text
