"""Traces, received as OTLP by a collector of the test's own."""

import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.conftest import SERVERS
from tests.security.raw import auth_service
from tests.support import KEYS, ROOT, Server, Service, end, environment, wait_until

PASSWORD: Final = "correct horse battery"
PERSON: Final = {"name": "Ann", "email": "ann@example.com", "password": PASSWORD}


class Collector:
    """What a collector has received."""

    def __init__(self) -> None:
        self.requests: list[ExportTraceServiceRequest] = []
        self.raw = b""
        self.url = ""

    @property
    def spans(self) -> list[Span]:
        return [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def named(self, name: str) -> list[Span]:
        """The spans of a name, once there are some."""
        wait_until(lambda: any(span.name == name for span in self.spans), f"a span {name}")
        return [span for span in self.spans if span.name == name]

    def children(self, parent: Span) -> list[str]:
        return sorted(s.name for s in self.spans if s.parent_span_id == parent.span_id)


def attributes(span: Span) -> dict[str, Any]:
    return {
        pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "string_value")
        for pair in span.attributes
    }


@contextmanager
def collecting() -> Iterator[Collector]:
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.path == "/v1/traces":
                collector.raw += body
                collector.requests.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield collector
        server.shutdown()
        thread.join()


def settings(endpoint: str, **more: str) -> dict[str, str]:
    return {
        "GATEPOST_TRACING": "true",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        **more,
    }


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture(scope="module")
def service(
    collector: Collector,
    postgres_servers: Callable[[str], Server],
    templates: Callable[[Server], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    log = tmp_path_factory.mktemp("service") / "service.log"
    options = settings(collector.url)
    with auth_service(postgres_servers, templates, log, **options) as service:
        yield service


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[httpx.Client]:
    """Somebody who is signed in."""
    with httpx.Client(base_url=service.url) as client:
        client.post("/api/auth/sign-up/email", json=PERSON).raise_for_status()
        yield client


def test_request_and_its_statements(
    collector: Collector, client: httpx.Client, service: Service
) -> None:
    (signing_up,) = collector.named("POST /api/auth/sign-up/email")
    assert signing_up.kind == Span.SPAN_KIND_SERVER
    assert signing_up.parent_span_id == b""
    found = attributes(signing_up)
    assert found.pop("gatepost.request_id")
    assert found == {
        "http.request.method": "POST",
        "http.route": "/api/auth/sign-up/email",
        "http.response.status_code": 200,
        "url.path": "/api/auth/sign-up/email",
        "url.scheme": "http",
        "network.protocol.version": "1.1",
    }
    assert collector.children(signing_up) == ["users.by_email", "users.sign_up"]
    inner, transaction = sorted(
        collector.named("users.sign_up"), key=lambda span: span.parent_span_id == signing_up.span_id
    )
    assert inner.parent_span_id == transaction.span_id
    (lookup,) = collector.named("users.by_email")
    assert lookup.kind == Span.SPAN_KIND_CLIENT
    assert attributes(lookup) == {
        "db.system.name": "postgresql",
        "db.query.summary": "users.by_email",
    }
    assert signing_up.start_time_unix_nano <= lookup.start_time_unix_nano
    assert lookup.end_time_unix_nano <= signing_up.end_time_unix_nano
    resource = collector.requests[0].resource_spans[0].resource
    names = {pair.key: pair.value.string_value for pair in resource.attributes}
    assert names["service.name"] == "gatepost"


def test_parent_comes_from_traceparent_also_where_lookups_share_a_query(
    collector: Collector, client: httpx.Client, service: Service
) -> None:
    traces = [secrets.token_hex(16) for _ in range(24)]
    cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())

    def ask(trace: str) -> None:
        parent = f"00-{trace}-00f067aa0ba902b7-01"
        headers = {"traceparent": parent, "cookie": cookie}
        with httpx.Client(base_url=service.url) as one:
            assert one.get("/api/auth/get-session", headers=headers).json()["user"]

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(ask, traces))

    def of_the_traces() -> dict[str, list[Span]]:
        found: dict[str, list[Span]] = {trace: [] for trace in traces}
        for span in collector.spans:
            if span.trace_id.hex() in found:
                found[span.trace_id.hex()].append(span)
        return found

    wait_until(lambda: all(len(spans) > 1 for spans in of_the_traces().values()), "every span")
    for spans in of_the_traces().values():
        (request,) = (s for s in spans if s.kind == Span.SPAN_KIND_SERVER)
        assert request.name == "GET /api/auth/get-session"
        assert request.parent_span_id.hex() == "00f067aa0ba902b7"
        (lookup,) = (s for s in spans if s.kind == Span.SPAN_KIND_CLIENT)
        assert (lookup.name, lookup.parent_span_id) == ("sessions.find", request.span_id)


def test_caller_decides_that_its_request_is_not_recorded(
    collector: Collector, client: httpx.Client
) -> None:
    trace = secrets.token_hex(16)
    headers = {"traceparent": f"00-{trace}-00f067aa0ba902b7-00"}
    assert client.get("/api/auth/get-session", headers=headers).status_code == 200
    client.get("/api/auth/ok")
    collector.named("GET /api/auth/ok")
    assert trace not in {span.trace_id.hex() for span in collector.spans}


def test_no_span_holds_a_secret(
    collector: Collector, client: httpx.Client, service: Service
) -> None:
    token = secrets.token_urlsafe(24)
    client.get(f"/api/auth/reset-password/{token}", params={"callbackURL": "/x"})
    client.get("/api/auth/verify-email", params={"token": token})
    client.get(f"/{token}", headers={"authorization": f"Bearer {token}"})
    client.get("/rest/v1/sessions", params={"token": f"eq.{token}"}, headers={"apikey": token})
    rest = {"apikey": KEYS["all"]}
    client.get("/rest/v1/sessions", params={"token": f"eq.{token}"}, headers=rest)
    bad = {"name": token, "email": "not-a-uuid", "id": token}
    client.post("/rest/v1/users", json=bad, headers=rest)
    (reset,) = collector.named("GET /api/auth/reset-password/{token}")
    assert attributes(reset)["url.path"] == "/api/auth/reset-password/:token"
    (refused,) = collector.named("POST /rest/v1/users")
    assert attributes(refused)["http.response.status_code"] == 400
    time.sleep(0.5)
    session_cookie = next(iter(client.cookies.values()))
    for secret in (token, PASSWORD, PERSON["email"], session_cookie, session_cookie[:32]):
        assert secret.encode() not in collector.raw


def test_failure_of_the_database_is_an_error_without_its_text(
    postgres_servers: Callable[[str], Server],
    templates: Callable[[Server], str],
    tmp_path: Path,
) -> None:
    with collecting() as collector:
        options = settings(collector.url, OTEL_SERVICE_NAME="accounts")
        log = tmp_path / "log"
        with auth_service(postgres_servers, templates, log, **options) as service:
            server = postgres_servers(SERVERS[0])
            name = service.database_url.partition("?")[0].rpartition("/")[2]
            server.drop(name)
            assert httpx.get(f"{service.rest}/users", headers={"apikey": KEYS["all"]}).is_error
            (request,) = collector.named("GET /rest/v1/users")
            assert request.status.code == Status.STATUS_CODE_ERROR
            assert attributes(request)["error.type"] == "503"
            (statement,) = collector.named("rest.users.select")
            assert statement.status.code == Status.STATUS_CODE_ERROR
            assert statement.status.message == ""
            assert not statement.events
            assert attributes(statement)["error.type"].endswith("Error")
            assert name.encode() not in collector.raw
            assert b"accounts" in collector.raw  # the name given by OpenTelemetry's own variable


@pytest.mark.parametrize("answers", ["nothing", "silence"])
def test_collector_that_is_down_hinders_nothing(
    answers: str,
    postgres_servers: Callable[[str], Server],
    templates: Callable[[Server], str],
    tmp_path: Path,
) -> None:
    log = tmp_path / "log"
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        if answers == "silence":
            silent.listen()
        options = settings(f"http://127.0.0.1:{silent.getsockname()[1]}")
        with auth_service(postgres_servers, templates, log, **options) as service:
            for _ in range(5):
                assert httpx.get(f"{service.url}/readyz").status_code == 200
            time.sleep(0.5)  # it is sending
            started = time.monotonic()
            assert end(service.process, 15) == 0
            assert time.monotonic() - started < 8
    for line in log.read_text().splitlines()[1:]:
        assert line.startswith("{"), line


def test_what_is_off_is_not_imported_and_what_is_missing_is_named() -> None:
    given = environment("postgres:///none") | {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}
    code = (
        "import sys; from app.main import app; "
        "assert not [name for name in sys.modules if name.startswith(('opentelemetry', 'google'))]"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=given, check=True, timeout=60)
    code = "import sys; sys.modules['opentelemetry'] = None; from app.main import app"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT, env=given | {"GATEPOST_TRACING": "true"},
        check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "gatepost: GATEPOST_TRACING is on: it needs pip install 'gatepost[otel]'"
    ]
