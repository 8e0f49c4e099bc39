"""Random requests over sockets against a running service; test_http_fuzz.py runs it."""

import random
import re
import socket
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from tests.security.raw import PROBE, Answer, Connection, MalformedAnswerError, chunked

_PATHS: Final = (
    *(b"/livez", b"/readyz", b"/nowhere", b"/api/auth/ok", b"/api/auth/get-session"),
    *(b"/api/auth/sign-in/email", b"/api/auth/sign-out", b"/api/auth/list-sessions"),
    *(b"/rest/v1/users", b"/rest/v1/sessions?select=token", b"/rest/v1/", b"/metrics"),
)
_METHODS: Final = (*(b"GET", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"), b"CONNECT")
_FIELDS: Final = (
    *(b"Host: a", b"Connection: close", b"Connection: keep-alive", b"Expect: 100-continue"),
    *(b"Content-Type: application/json", b"Content-Type: text/plain", b"Accept: */*"),
    *(b"Content-Length: 0", b"Content-Length: 5", b"Content-Length: 00", b"Content-Length: 9999"),
    *(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", b"TE: trailers"),
    *(b"Connection: Upgrade", b"Upgrade: h2c", b"Upgrade: websocket", b"HTTP2-Settings: AAMAAABk"),
    *(
        b"X-Forwarded-For: 1.2.3.4",
        b"X-Request-Id: smuggled",
        b"Range: 0-9",
        b"Prefer: count=exact",
    ),
    *(b"Cookie: better-auth.session_token=a.b", b"Authorization: Bearer a", b"apikey: a"),
    *(b"Origin: http://evil.example", b"X: " + b"a" * 3000, b"Upgrade-Insecure-Requests: 1"),
)
_BODIES: Final = (
    *(b"", b"{}", b"hello", b'{"email":"a@example.com","password":"secret secret"}', b"[" * 2000),
    *(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n", b"0\r\n\r\n", b"a=b&c=d", b"\x00\xff\xfe"),
)
_BITS: Final = (
    *(b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\x00", b"\xff", b" ", b"\t", b":", b";", b",", b"%00"),
    *(
        b"0",
        b"-1",
        b"ffffffffffffffff",
        b"18446744073709551616",
        b"chunked",
        b"HTTP/1.1",
        b"?",
        b"#",
    ),
    *(b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"Upgrade: h2c\r\n", b"\x7f"),
    *(b"Connection: Upgrade\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\xc3\xa9", b"a" * 70_000),
)


@dataclass
class Report:
    """What came of the cases."""

    cases: int = 0
    answers: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def _request(rng: random.Random) -> bytes:
    body = rng.choice(_BODIES)
    fields = rng.sample(_FIELDS, rng.randint(0, 6))
    match rng.randrange(4):
        case 0:
            fields.append(b"Content-Length: %d" % len(body))
        case 1:
            fields.append(b"Transfer-Encoding: chunked")
            trailers = rng.sample(_FIELDS, rng.randint(0, 2))
            body = chunked(*(b for b in (body[:3], body[3:]) if b), trailers=trailers)
        case 2:
            fields.insert(0, b"Content-Length: %d" % len(body))
            fields += [b"Connection: Upgrade", b"Upgrade: h2c"]
        case _:
            body = rng.choice((b"", body))
    version = rng.choice((b"HTTP/1.1",) * 8 + (b"HTTP/1.0", b"HTTP/2.0", b"HTTP/0.9"))
    line = b"%s %s %s" % (rng.choice(_METHODS), rng.choice(_PATHS), version)
    return b"\r\n".join([line, *fields, b"", body])


def _mutated(data: bytes, rng: random.Random) -> bytes:
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3, 8))):
        at = rng.randint(0, len(data))
        end = min(len(data), at + rng.choice((0, 1, 1, 2, 8, 40)))
        match rng.randrange(5):
            case 0:
                data = data[:at] + rng.choice(_BITS) + data[at:]
            case 1:
                data = data[:at] + rng.choice(_BITS) + data[end:]
            case 2:
                data = data[:at] + data[end:]
            case 3:
                data = data[:end] + data[at:end] * rng.choice((1, 2, 50)) + data[end:]
            case _:
                data = data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
    return data


def _packets(data: bytes, rng: random.Random) -> list[bytes]:
    cuts = sorted(rng.randint(0, len(data)) for _ in range(rng.choice((0, 0, 1, 1, 2, 5))))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def _well_formed(number: int, rng: random.Random) -> bytes:
    """A request that every server takes for one, whatever its body looks like."""
    body = b"".join(rng.choices(_BODIES, k=rng.randint(1, 4))) * rng.choice((1, 1, 1, 400))
    fields = [b"Host: a", b"X-Request-Id: n%d" % number]
    if rng.random() < 0.5:
        protocol = rng.choice((b"h2c", b"websocket", b"anything", b"TLS/1.0, HTTP/2.0"))
        fields += [b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: " + protocol]
    rng.shuffle(fields)
    if rng.random() < 0.5:
        fields.append(b"Content-Length: %s%d" % (rng.choice((b"", b"000")), len(body)))
    else:
        fields.insert(rng.randint(0, len(fields)), b"Transfer-Encoding: chunked")
        size = rng.choice((len(body) // 50 + 1, len(body) // 3 + 1, len(body) + 1))
        chunks = [body[at : at + size] for at in range(0, len(body), size)]
        trailers = (b"X-Request-Id: smuggled", b"Cookie: a=b")[: rng.randint(0, 2)]
        body = chunked(*chunks, trailers=trailers)
    line = b"%s %s HTTP/1.1" % (rng.choice(_METHODS[:-1]), rng.choice(_PATHS[:3]))
    return b"\r\n".join([line, *fields, b"", body])


def _most_requests(data: bytes) -> int:
    """No reading of ``data`` has more requests than first lines, with or without a version."""
    return len(re.findall(rb"HTTP/|ICE/|RTSP/|[A-Z] +[^\s]+ *\r\n", data))


def run(url: str, cases: int, seed: int, canary: bytes) -> Report:
    """Send ``cases`` connections of up to three requests; ``canary`` is in no answer."""
    report, rng = Report(), random.Random(seed)
    for number in range(cases):
        count = rng.choice((1, 1, 2, 3))
        expected = None
        if number % 4 == 0:
            data = b"".join(_well_formed(index, rng) for index in range(count))
            expected = [*(f"n{index}" for index in range(count)), "probe"]
        else:
            data = b"".join(_mutated(_request(rng), rng) for _ in range(count))
        answers, fault = _exchange(url, _packets(data, rng), patient=expected is not None)
        report.cases += 1
        report.answers += len(answers)
        report.statuses.update(answer.status for answer in answers)
        if any(answer.status >= 500 for answer in answers):
            fault = fault or "a failure of the service"
        if len(answers) > _most_requests(data) + 1:
            fault = fault or "more answers than requests"
        if any(canary in answer.body for answer in answers):
            fault = fault or "the canary"
        if expected is not None and [answer.id for answer in answers] != expected:
            fault = fault or f"not the answers to {expected}"
        if fault:
            statuses = [(answer.status, answer.id) for answer in answers]
            report.faults.append(
                f"case {number} of seed {seed}: {fault}: {statuses} {data[:400]!r}"
            )
    return report


def _exchange(url: str, packets: list[bytes], *, patient: bool) -> tuple[list[Answer], str | None]:
    """The answers to ``packets`` and a probe after them, and what was wrong."""
    with Connection(url, 20) as connection:
        try:
            connection.send(*packets, PROBE, pause=0.0005)
            connection.socket.settimeout(20 if patient else 0.15)
            try:
                connection.read(last="probe")
            except TimeoutError:
                if patient:
                    return connection.answers, "a hang"
                # it waits for the rest of a head or of a body, which ends by its limit of time; or
                # for a database: then the end of the connection must be what ends it
                connection.socket.settimeout(20)
                connection.socket.shutdown(socket.SHUT_WR)
                connection.read_to_end()
        except TimeoutError:
            return connection.answers, "a hang"
        except OSError:
            pass
        except (MalformedAnswerError, KeyError, ValueError) as error:
            return connection.answers, f"a malformed answer, {error!r}"
        return connection.answers, None
