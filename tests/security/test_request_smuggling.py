"""One request is one answer: raw requests that servers and proxies have read in two ways."""

import re
from collections.abc import Callable, Iterator
from itertools import product

import pytest

from tests.security.raw import PROBE, Answer, Connection, auth_service, chunked, talk
from tests.support import KEYS, Server, Service

SMUGGLED = b"GET /livez HTTP/1.1\r\nHost: a\r\nX-Request-Id: smuggled\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


@pytest.fixture(scope="module")
def service(
    postgres_servers: Callable[[str], Server],
    templates: Callable[[Server], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    log = tmp_path_factory.mktemp("service") / "service.log"
    with auth_service(postgres_servers, templates, log) as running:
        yield running


def head(method: str = "POST", *fields: bytes, path: str = "/api/auth/sign-out") -> bytes:
    lines = [f"{method} {path} HTTP/1.1".encode(), b"Host: a", b"X-Request-Id: first", *fields]
    return b"\r\n".join([*lines, b"", b""])


def assert_one_answer(answers: list[Answer]) -> None:
    """One for the request, one for the probe after it, in this order."""
    assert [answer.id for answer in answers] == ["first", "probe"]


# --- Upgrade ---------------------------------------------------------------------------------

OFFERS = {
    "h2c": (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk"),
    "websocket": (b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13"),
    "anything": (b"connection: keep-alive, uPgRaDe", b"uPgRaDe: anything/1"),
    "two": (b"Upgrade: foo", b"Connection: upgrade", b"Upgrade: websocket", b"Connection: x"),
    "empty": (b"Upgrade:", b"Connection: upgrade"),
}


@pytest.mark.parametrize(
    ("offer", "method", "form", "split"),
    list(product(OFFERS, ("POST", "PUT", "GET", "DELETE"), ("length", "chunked"), (0, 1, 2))),
)
def test_body_of_an_upgrade_is_no_request(
    service: Service, offer: str, method: str, form: str, split: int
) -> None:
    fields = OFFERS[offer]
    if form == "length":
        request = head(method, b"Content-Length: %d" % len(SMUGGLED), *fields)
        body = SMUGGLED
    else:
        request = head(method, *fields, CHUNKED.strip())
        body = chunked(SMUGGLED)
    packets = {
        0: [request + body],
        1: [request, body],
        2: [request[:50], request[50:], body[:4], body[4:9], body[9:]],
    }
    answers = talk(service.url, *packets[split])
    assert_one_answer(answers)


@pytest.mark.parametrize("offer", OFFERS)
def test_offered_upgrade_is_declined_and_the_request_served(service: Service, offer: str) -> None:
    body = b'{"name":"A","email":"%s@example.com","password":"long enough"}' % offer.encode()
    fields = (
        b"Content-Type: application/json",
        b"Content-Length: %d" % len(body),
        *OFFERS[offer],
    )
    request = head("POST", *fields, path="/api/auth/sign-up/email")
    first, _ = answers = talk(service.url, request, body)
    assert_one_answer(answers)
    assert first.status == 200, first
    # one without a body, and another on the same connection
    assert [a.status for a in talk(service.url, head("GET", *OFFERS[offer], path="/livez"))] == [
        200,
        200,
    ]


def test_pipelined_upgrades_are_answered_in_their_order(service: Service) -> None:
    requests = [
        b"GET /livez HTTP/1.1\r\nX-Request-Id: n%d\r\nConnection: upgrade\r\nUpgrade: h2c\r\n"
        b"Content-Length: 4\r\n\r\nbody" % number
        for number in range(15)
    ]
    answers = talk(service.url, b"".join(requests))
    assert [answer.id for answer in answers] == [*(f"n{number}" for number in range(15)), "probe"]


def test_connect_is_refused(service: Service) -> None:
    for target in (b"example.com:443", b"/", b"/livez"):
        answers = talk(service.url, b"CONNECT %s HTTP/1.1\r\n\r\n" % target, SMUGGLED)
        assert [answer.status for answer in answers] == [405]


# --- two ways to say where a body ends --------------------------------------------------------

REFUSED = {
    "CL and TE": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "TE and CL": b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "CL twice": b"Content-Length: 0\r\nContent-Length: 57\r\n\r\n",
    "CL twice, alike": b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n",
    "CL as a list": b"Content-Length: 0, 57\r\n\r\n",
    "CL with a sign": b"Content-Length: +0\r\n\r\n",
    "CL negative": b"Content-Length: -1\r\n\r\n",
    "CL in hex": b"Content-Length: 0x0\r\n\r\n",
    "CL with an underscore": b"Content-Length: 5_7\r\n\r\n",
    "CL with a fraction": b"Content-Length: 0.0\r\n\r\n",
    "CL empty": b"Content-Length:\r\n\r\n",
    "CL in two parts": b"Content-Length: 0 57\r\n\r\n",
    "CL past 64 bits": b"Content-Length: 18446744073709551616\r\n\r\n",
    "CL with a NUL": b"Content-Length: 0\x00\r\n\r\n",
    "TE unknown": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "TE not last": b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "TE twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "TE folded": b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "TE with a space": b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "TE with a tab": b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "TE with a NUL": b"Transfer-Encoding: chunked\x00\r\n\r\n0\r\n\r\n",
    "TE quoted": b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n',
    "folded": b"X: a\r\n b\r\n\r\n",
    "folded with a tab": b"X: a\r\n\tContent-Length: 5\r\n\r\n",
    "first line folded": b" X: a\r\n\r\n",
    "no name": b": a\r\n\r\n",
    "no colon": b"Content-Length\r\n\r\n",
    "NUL in a name": b"X\x00: a\r\n\r\n",
    "NUL in a value": b"X: a\x00b\r\n\r\n",
    "CR in a value": b"X: a\rContent-Length: 57\r\n\r\n",
    "LF in place of CRLF": b"X: a\nContent-Length: 57\n\n",
    "LF at the end": b"X: a\r\n\n",
    "DEL in a value": b"X: \x7f\r\n\r\n",
    "space in a name": b"Content Length: 57\r\n\r\n",
    "chunk size in hex form": CHUNKED + b"\r\n0x0\r\n\r\n",
    "chunk size with a space": CHUNKED + b"\r\n0 \r\n\r\n",
    "chunk size with a sign": CHUNKED + b"\r\n+0\r\n\r\n",
    "chunk size empty": CHUNKED + b"\r\n\r\n\r\n",
    "chunk size past 64 bits": CHUNKED + b"\r\n10000000000000000\r\n\r\n",
    "chunk longer than said": CHUNKED + b"\r\n1\r\nXY\r\n0\r\n\r\n",
    "chunks by LF": CHUNKED + b"\r\n1\nX\n0\n\n",
    "LF after an extension": CHUNKED + b"\r\n1;a\nX\r\n0\r\n\r\n",
    "CR in an extension": CHUNKED + b"\r\n1;a\rb\r\nX\r\n0\r\n\r\n",
    "NUL in an extension": CHUNKED + b"\r\n1;a\x00b\r\nX\r\n0\r\n\r\n",
    "trailer folded": CHUNKED + b"\r\n0\r\nX: a\r\n b\r\n\r\n",
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("split", [False, True])
def test_ambiguous_request_is_refused_and_ends_the_connection(
    service: Service, name: str, split: bool
) -> None:
    request = head("POST").removesuffix(b"\r\n") + REFUSED[name] + SMUGGLED
    packets = re.findall(rb"(?s).{1,40}", request) if split else [request]
    answers = talk(service.url, *packets, pause=0.001)
    assert len(answers) == 1
    (answer,) = answers
    assert answer.status == 400
    assert answer.headers["connection"] == "close"
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert b'"code":"400"' in answer.body


SERVED = {
    "leading zeros": b"Content-Length: 000000000000000000000000000004\r\n\r\nbody",
    "space after": b"Content-Length: 4 \r\n\r\nbody",
    "chunk extensions": CHUNKED + b'\r\n4;a=b;c;d="e"\r\nbody\r\n0;f\r\n\r\n',
    "zeros before a chunk size": CHUNKED + b"\r\n000000000000000000004\r\nbody\r\n000\r\n\r\n",
    "codings before chunked": b"Transfer-Encoding: gzip, chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
    "case": b"tRANSFER-eNCODING: CHUNKED\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
    "a request in a body": b"Content-Length: %d\r\n\r\n%s" % (len(SMUGGLED), SMUGGLED),
    "a request in a chunk": CHUNKED + b"\r\n" + chunked(SMUGGLED),
    "a request in the trailers": CHUNKED + b"\r\n0\r\nX-T: GET /livez HTTP/1.1\r\nX-U: b\r\n\r\n",
}


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("name", SERVED)
@pytest.mark.parametrize("split", [False, True])
def test_unusual_request_is_one_request(
    service: Service, name: str, method: str, split: bool
) -> None:
    request = head(method).removesuffix(b"\r\n") + SERVED[name]
    packets = re.findall(rb"(?s).{1,30}", request) if split else [request]
    assert_one_answer(talk(service.url, *packets, pause=0.002))


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (b"http://evil.example/livez", 200),  # its host is nobody's: none is looked at
        (b"http://evil.example", 400),
        (b"//evil.example/livez", 404),
        (b"*", 404),
        (b"/livez\x00", 400),
        (b"/livez\xff", 400),
        (b" /livez", 200),
        (b"/livez%0d%0aX:%20a", 404),
        (b"/livez?%00%0d%0a", 200),
        (b"", 400),
    ],
)
def test_target_in_another_form(service: Service, target: bytes, status: int) -> None:
    request = b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n"
    first = talk(service.url, request)[0]
    assert first.status == status


@pytest.mark.parametrize(
    "line",
    [
        b"GET /livez HTTP/1.2",
        b"GET /livez HTTP/3.0",
        b"GET /livez http/1.1",
        b"get /livez HTTP/1.1",
        b"PRI * HTTP/2.0",
        b"GET /livez HTTP/1.1 ",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"",
    ],
)
def test_first_line_in_another_form_is_refused(service: Service, line: bytes) -> None:
    answers = talk(service.url, line + b"\r\nHost: a\r\n\r\n" + SMUGGLED)
    assert [answer.status for answer in answers] == [400]


def test_trailers_are_no_headers(service: Service) -> None:
    body = b'[{"name":"A","email":"trailer@example.com"}]'
    request = (
        b"POST /rest/v1/users HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        + CHUNKED
        + b"\r\n"
    )
    trailers = (f"apikey: {KEYS['all']}".encode(), b"X-Request-Id: smuggled", b"X-Last: b")
    rest = chunked(body, trailers=trailers)
    for packets in ([request + rest], [request, rest]):
        answers = talk(service.url, *packets)
        assert [answer.status for answer in answers] == [401, 200]
        assert "smuggled" not in [answer.id for answer in answers]


def test_pipelined_requests_are_answered_in_their_order(service: Service) -> None:
    # the first waits for the database, the others do not
    paths = ["/readyz", "/livez", "/nowhere", "/readyz", "/livez"]
    requests = [
        f"GET {path} HTTP/1.1\r\nHost: a\r\nX-Request-Id: n{number}\r\n\r\n".encode()
        for number, path in enumerate(paths)
    ]
    answers = talk(service.url, b"".join(requests))
    assert [answer.id for answer in answers] == ["n0", "n1", "n2", "n3", "n4", "probe"]


def test_refusal_comes_after_the_answers_before_it(service: Service) -> None:
    with Connection(service.url) as connection:
        connection.send(head("GET", path="/readyz") + b"\x00nonsense\r\n\r\n" + SMUGGLED)
        answers = connection.read_to_end()
    assert [answer.id for answer in answers] == ["first"]
    assert answers[0].status == 200


def test_answered_request_is_not_answered_again_for_its_malformed_body(service: Service) -> None:
    with Connection(service.url) as connection:
        connection.send(head("GET", CHUNKED.strip(), path="/livez"))
        connection.read(1)
        connection.send(b"nonsense\r\n" + SMUGGLED)
        answers = connection.read_to_end()
    assert [answer.id for answer in answers] == ["first"]


def test_nothing_runs_after_a_close(service: Service) -> None:
    request = head("GET", b"Connection: close", path="/livez")
    assert [answer.id for answer in talk(service.url, request + SMUGGLED)] == ["first"]
    old = b"GET /livez HTTP/1.0\r\nX-Request-Id: first\r\n\r\n"
    assert [answer.id for answer in talk(service.url, old + SMUGGLED)] == ["first"]


def test_nothing_smuggled_was_ever_run(service: Service) -> None:
    """The last test of this file: the log of all of the above."""
    talk(service.url, PROBE)
    assert '"request":"smuggled"' not in service.log.read_text()
