"""The metrics: on a port of their own and nowhere else, and what they say."""

import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import SERVERS
from tests.security.raw import auth_service
from tests.support import (
    KEYS,
    ROOT,
    Server,
    Service,
    environment,
    free_port,
    running_service,
    wait_until,
)

Servers = Callable[[str], Server]
Templates = Callable[[Server], str]

PERSON = {"name": "Ann", "email": "ann@example.com", "password": "correct horse battery"}


@pytest.fixture(scope="module")
def service(
    postgres_servers: Servers, templates: Templates, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    log = tmp_path_factory.mktemp("service") / "service.log"
    with auth_service(postgres_servers, templates, log, GATEPOST_RATE_LIMIT="memory") as service:
        yield service


def value(service: Service, sample: str) -> float | None:
    """The value of a sample, named with its labels; None when it is not exported."""
    text = httpx.get(service.metrics).text
    found = re.search(rf"^{re.escape(sample)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else None


def test_metrics_are_on_their_own_port_and_no_other(service: Service) -> None:
    assert httpx.get(f"{service.url}/metrics").status_code == 404
    answer = httpx.get(service.metrics)
    assert answer.headers["content-type"].startswith("text/plain")
    assert "gatepost_requests_total" in answer.text
    # whoever asks must not learn what became of a request of somebody else
    assert httpx.post(service.metrics).status_code == 405
    assert "access-control-allow-origin" not in answer.headers


def test_without_the_setting_there_are_none(
    postgres_servers: Servers, templates: Templates, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with auth_service(postgres_servers, templates, log, GATEPOST_METRICS_PORT="") as service:
        assert httpx.get(f"{service.url}/metrics").status_code == 404
        try:
            httpx.get(service.metrics)
        except httpx.ConnectError:
            return
        raise AssertionError("something listens on the port of the metrics")


def test_port_that_is_taken_stops_the_start_with_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "app.cli", "serve"],
            cwd=ROOT,
            env=environment("postgres:///none")
            | {"PORT": str(free_port()), "GATEPOST_METRICS_PORT": port},
            check=False, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"gatepost: cannot listen on port {port} of 127.0.0.1 for GATEPOST_METRICS_PORT: "
        "Address already in use"
    ]


def test_pool_in_use_and_waiting(
    postgres_servers: Servers, templates: Templates, tmp_path: Path
) -> None:
    """A table is locked, so that statements stay where they are while the metrics are read."""
    log = tmp_path / "log"
    with auth_service(postgres_servers, templates, log, GATEPOST_POOL_SIZE="2") as service:
        server = postgres_servers(SERVERS[0])
        name = service.database_url.partition("?")[0].rpartition("/")[2]
        assert value(service, "gatepost_pool_size") == 2
        locker = subprocess.Popen(
            [server.psql, "-XqAt", "-d", server.url(name)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert locker.stdin
        assert locker.stdout
        locker.stdin.write("BEGIN; LOCK users; SELECT 'locked';\n")
        locker.stdin.flush()
        assert locker.stdout.readline() == "locked\n"

        def sign_up(number: int) -> None:
            person = PERSON | {"email": f"ann{number}@example.com"}
            httpx.post(f"{service.url}/api/auth/sign-up/email", json=person, timeout=30)

        threads = [threading.Thread(target=sign_up, args=(number,)) for number in range(5)]
        for thread in threads:
            thread.start()
        try:
            wait_until(
                lambda: value(service, 'gatepost_pool_connections{state="in_use"}') == 2, "in use"
            )
            wait_until(lambda: value(service, "gatepost_pool_waiting") == 3, "waiting")
        finally:
            locker.communicate("ROLLBACK;\n")
            for thread in threads:
                thread.join()
        wait_until(
            lambda: value(service, 'gatepost_pool_connections{state="in_use"}') == 0, "given back"
        )
        assert value(service, "gatepost_pool_waiting") == 0
        assert value(service, 'gatepost_pool_connections{state="idle"}') == 2


def test_events_and_rate_limits_are_counted_by_name_and_outcome(service: Service) -> None:
    limited = 'gatepost_security_events_total{event="rate_limited",outcome="refused"}'
    wrong = 'gatepost_security_events_total{event="sign_in",outcome="refused"}'
    assert (value(service, limited), value(service, wrong)) == (0, 0)
    for _ in range(5):
        httpx.post(f"{service.url}/api/auth/sign-in/email", json=PERSON)
    assert (value(service, limited), value(service, wrong)) == (2, 3)
    httpx.get(f"{service.rest}/users")
    refused = 'gatepost_security_events_total{event="service_key_refused",outcome="refused"}'
    assert value(service, refused) == 1


def test_batches_of_the_session_loader(service: Service) -> None:
    assert value(service, "gatepost_session_batch_size_count") == 0
    with httpx.Client(base_url=service.url) as client:
        client.post("/api/auth/sign-up/email", json=PERSON).raise_for_status()
        for _ in range(3):
            assert client.get("/api/auth/get-session").json()["user"]["name"] == "Ann"
    assert value(service, "gatepost_session_batch_size_sum") == 3
    assert value(service, 'gatepost_session_batch_size_bucket{le="1.0"}') == 3


def test_lag_of_the_purge(postgres_servers: Servers, templates: Templates, tmp_path: Path) -> None:
    """What another process finished counts, and no purge at all counts from the start."""
    log = tmp_path / "log"
    server = postgres_servers(SERVERS[0])
    with server.database(templates(server)) as name:
        server.sql(
            "INSERT INTO purges (name, finished_at) VALUES ('expired', now() - interval '30 min')",
            name,
        )
        url = server.url(name)
        with running_service(url, log, GATEPOST_PURGE_EVERY="3600") as service:

            def lag() -> float:
                return value(service, "gatepost_purge_lag_seconds") or 0

            wait_until(lambda: lag() > 1000, "the lag that the database knows")
            assert 1800 <= lag() < 1900
        with running_service(url, log, GATEPOST_PURGE_EVERY="1") as service:
            last = "gatepost_purge_last_success_timestamp_seconds"
            wait_until(lambda: bool(value(service, last)), "a pass")
            wait_until(lambda: 0 < lag() < 60, "the lag after a pass")
        with running_service(url, log) as service:  # GATEPOST_PURGE_EVERY=0
            assert lag() == 0


def test_no_metric_holds_what_a_client_sent(service: Service) -> None:
    marker = "mark3r"
    with httpx.Client(base_url=service.url, headers={"apikey": KEYS["all"]}) as client:
        client.post(
            "/api/auth/sign-up/email", json=PERSON | {"name": marker, "email": "b@example.com"}
        )
        client.get(f"/{marker}", headers={"user-agent": marker, "x-request-id": marker})
        client.get(f"/rest/v1/{marker}", params={marker: marker})
        client.request(marker.upper(), "/api/auth/sign-in/email")
    wait_until(lambda: "users.sign_up" in httpx.get(service.metrics).text, "a statement")
    assert marker not in httpx.get(service.metrics).text.lower()
