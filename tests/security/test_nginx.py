"""Visitors behind a real nginx, with its websocket snippet and kept connections to the service."""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import SERVERS
from tests.security.raw import Connection, auth_service, chunked, sign_in
from tests.support import IN_CI, Server, Service, answers, end, free_port, wait_until

VICTIMS = 200
ROUNDS = 10  # requests of each victim

CONFIGURATION = """
daemon off;
worker_processes 1;
pid nginx.pid;
error_log error.log warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_max_body_size 2m;
    client_body_buffer_size 2m;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
    upstream gatepost {{ server {upstream}; keepalive 4; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://gatepost;
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
        }}
    }}
}}
"""


@pytest.fixture(scope="module")
def nginx() -> str:
    program = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if program is None:
        (pytest.fail if IN_CI else pytest.skip)("no nginx: apt-get install nginx-light")
    return program


@contextmanager
def proxied(program: str, service: Service, folder: Path) -> Iterator[str]:
    """nginx before ``service``; yields its address."""
    port = free_port()
    upstream = service.url.removeprefix("http://")
    configuration = folder / "nginx.conf"
    configuration.write_text(CONFIGURATION.format(upstream=upstream, port=port))
    command = [program, "-p", f"{folder}/", "-c", str(configuration), "-e", "error.log"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: process.poll() is not None or answers(f"{url}/readyz"), "nginx")
        assert process.poll() is None, (folder / "error.log").read_text()
        yield url
    finally:
        end(process)


def smuggle(number: int, cookie: bytes) -> bytes:
    """A request with an Upgrade, whose body asks for the session of the attacker.

    Most bodies begin with line ends, which a parser skips before a request: they are longer than
    what the service reads at a time, so that the rest comes in a packet of its own.
    """
    inner = b"GET /api/auth/get-session HTTP/1.1\r\nHost: a\r\nCookie: " + cookie + b"\r\n\r\n"
    body = b"\r\n" * (0, 140_000, 280_000, 350_000)[number % 4] + inner * (1 + number % 3)
    method, path = ((b"GET", b"/readyz"), (b"PUT", b"/readyz"), (b"POST", b"/livez"))[number % 3]
    protocol = (b"h2c", b"websocket", b"anything", b"h2c", b"TLS/1.3")[number % 5]
    framing = b"Content-Length: %d" % len(body)
    if number % 7 == 0:
        framing, body = b"Transfer-Encoding: chunked", chunked(body)
    head = (
        b"%s %s HTTP/1.1" % (method, path),
        *(b"Host: a", b"Connection: Upgrade", b"Upgrade: " + protocol, framing),
    )
    return b"\r\n".join([*head, b"", body])


def test_no_visitor_gets_the_answer_of_another(
    nginx: str,
    postgres_servers: Callable[[str], Server],
    templates: Callable[[Server], str],
    tmp_path: Path,
) -> None:
    with (
        auth_service(postgres_servers, templates, tmp_path / "service.log") as service,
        proxied(nginx, service, tmp_path) as url,
    ):
        names = [f"victim{number}" for number in range(VICTIMS)]
        cookies = sign_in(postgres_servers(SERVERS[0]), service, [*names, "attacker"])
        stolen = cookies.pop("attacker")
        attacks, wrong = [0], []
        busy = True

        def attack() -> None:
            while busy:
                attacks[0] += 1
                with Connection(url) as connection:
                    connection.send(smuggle(attacks[0], stolen))
                    (answer,) = connection.read(1)
                # its own, which is never a session
                if answer.body != b"ok" and b'"405"' not in answer.body:
                    wrong.append(("attacker", answer))

        def visit(name: str) -> None:
            request = (
                b"GET /api/auth/get-session HTTP/1.1\r\nHost: a\r\nCookie: %s\r\n\r\n"
                % cookies[name]
            )
            with Connection(url) as connection:
                for number in range(ROUNDS):
                    connection.send(request)
                    answer = connection.read(number + 1)[-1]
                    if f'"email":"{name}@example.com"'.encode() not in answer.body:
                        wrong.append((name, answer))
                        return
                    time.sleep(0.005)

        with ThreadPoolExecutor(4) as attackers, ThreadPoolExecutor(8) as visitors:
            attacking = [attackers.submit(attack) for _ in range(4)]
            try:
                visiting = [visitors.submit(visit, name) for name in names]
                for task in visiting:
                    task.result()
            finally:
                busy = False
            for task in attacking:
                task.result()
    assert not wrong, f"{len(wrong)} answers to somebody else: {wrong[:3]}"
    assert attacks[0] > 100
