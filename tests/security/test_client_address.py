"""Who asks: the peer, or what a trusted proxy says; rate limits cannot be voided by a header."""

import asyncio
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from app.client_address import ClientAddresses
from tests.support import SECRET, Server, Service, running_service

BASE = "http://auth.gatepost.test"
WRONG = {"email": "nobody@example.com", "password": "wrong password"}
ANN = {"name": "Ann", "email": "ann@example.com", "password": "correct horse"}
SIGN_IN = "/api/auth/sign-in/email"


@contextmanager
def service(postgres: Server, template: str, log: Path, **settings: str) -> Iterator[Service]:
    given = {"GATEPOST_SECRET": SECRET, "GATEPOST_BASE_URL": BASE, **settings}
    with (
        postgres.database(template) as database,
        running_service(postgres.url(database), log, **given) as running,
    ):
        yield running


def statuses(running: Service, chains: list[str | None]) -> list[int]:
    """Of sign-ins, each with such a X-Forwarded-For."""
    with httpx.Client(base_url=running.url) as client:
        return [
            client.post(
                SIGN_IN, json=WRONG, headers={"x-forwarded-for": chain} if chain else {}
            ).status_code
            for chain in chains
        ]


@pytest.mark.parametrize("mode", ["database", "memory"])
def test_invented_addresses_do_not_void_the_limit(
    postgres: Server, template: str, tmp_path: Path, mode: str
) -> None:
    with service(postgres, template, tmp_path / "log", GATEPOST_RATE_LIMIT=mode) as running:
        invented: list[str | None] = [f"203.0.113.{number}" for number in range(8)]
        assert statuses(running, invented) == [401] * 3 + [429] * 5
        log = running.log.read_text()
    assert log.count("GATEPOST_TRUSTED_PROXIES") == 1
    assert "X-Forwarded-For from 127.0.0.1 is ignored" in log


def test_behind_a_trusted_proxy_each_client_counts_for_itself(
    postgres: Server, template: str, tmp_path: Path
) -> None:
    proxies = {"GATEPOST_TRUSTED_PROXIES": "127.0.0.1,10.0.0.0/8"}
    with service(postgres, template, tmp_path / "log", **proxies) as running:
        # what a client invents stands left of what the proxies add
        chains: list[str | None] = [f"192.0.2.{n}, 203.0.113.7, 10.0.0.1" for n in range(5)]
        assert statuses(running, chains) == [401] * 3 + [429] * 2
        assert statuses(running, ["203.0.113.8"] * 4) == [401] * 3 + [429]
        # several lines are one list
        with httpx.Client(base_url=running.url) as client:
            lines = [("x-forwarded-for", "203.0.113.9"), ("x-forwarded-for", "203.0.113.7")]
            assert client.post(SIGN_IN, json=WRONG, headers=lines).status_code == 429
        # IPv6 by /64
        subscriber: list[str | None] = [f"2001:db8:1:2::{n:x}" for n in range(1, 5)]
        assert statuses(running, subscriber) == [401] * 3 + [429]
        assert statuses(running, ["2001:db8:1:3::1"]) == [401]
        # what is no address ends the walk: such clients count as one
        broken: list[str | None] = ["203.0.113.1, nonsense", "203.0.113.2:80", "x", "", None]
        assert statuses(running, broken) == [401] * 3 + [429] * 2
        assert "is ignored" not in running.log.read_text()


def test_session_has_the_address_that_counts(
    postgres: Server, template: str, tmp_path: Path
) -> None:
    headers = {"x-forwarded-for": "203.0.113.7"}
    for proxies, address in (("", "127.0.0.1"), ("127.0.0.0/8", "203.0.113.7")):
        settings = {"GATEPOST_TRUSTED_PROXIES": proxies}
        with (
            service(postgres, template, tmp_path / "log", **settings) as running,
            httpx.Client(base_url=running.url, headers=headers) as client,
        ):
            client.post("/api/auth/sign-up/email", json=ANN)
            session = client.get("/api/auth/get-session").json()["session"]
            assert session["ipAddress"] == address


async def test_peer_of_ipv6_counts_by_its_64_bits() -> None:
    seen: list[str | None] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(ClientAddresses([]).of(scope))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    with socket.socket(socket.AF_INET6) as listener:
        try:
            listener.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 here")
        config = uvicorn.Config(app, lifespan="off", log_config=None, proxy_headers=False)
        server = uvicorn.Server(config)
        listener.listen()
        serving = asyncio.create_task(server.serve([listener]))
        async with httpx.AsyncClient() as client:
            await client.get(f"http://[::1]:{listener.getsockname()[1]}/")
        server.should_exit = True
        await serving
    assert seen == ["0000:0000:0000:0000:0000:0000:0000:0000"]


def scope(peer: str | None, *chains: str) -> dict[str, Any]:
    headers = [(b"x-forwarded-for", chain.encode("latin-1")) for chain in chains]
    return {"client": (peer, 1) if peer is not None else None, "headers": headers}


@pytest.mark.parametrize(
    ("peer", "chains", "address"),
    [
        ("203.0.113.7", (), "203.0.113.7"),
        ("203.0.113.7", ("192.0.2.1",), "203.0.113.7"),
        ("::ffff:203.0.113.7", (), "203.0.113.7"),
        ("fe80::1%eth0", (), "fe80:0000:0000:0000:0000:0000:0000:0000"),
        ("10.0.0.1", ("192.0.2.1",), "192.0.2.1"),
        ("::ffff:10.0.0.1", ("192.0.2.1",), "192.0.2.1"),
        ("10.0.0.1", ("192.0.2.1", "192.0.2.2"), "192.0.2.2"),
        ("10.0.0.1", ("192.0.2.1, 10.0.0.3", "10.0.0.2"), "192.0.2.1"),
        ("10.0.0.1", (), None),
        ("10.0.0.1", ("10.0.0.2",), None),
        ("10.0.0.1", ("192.0.2.1, \xff",), None),
        ("10.0.0.1", ("192.0.2.1, " + "1" * 60_000,), None),
        ("10.0.0.1", ("192.0.2.1," + "10.0.0.2," * 5000,), "192.0.2.1"),
        ("unknown", ("192.0.2.1",), None),
        (None, ("192.0.2.1",), None),
        (None, (), None),
    ],
)
def test_address_is_the_peer_unless_it_is_a_proxy(
    peer: str | None, chains: tuple[str, ...], address: str | None
) -> None:
    assert ClientAddresses([ip_network("10.0.0.0/8")]).of(scope(peer, *chains)) == address


def test_peer_of_a_unix_socket_is_believed_when_a_setting_says_so() -> None:
    addresses = ClientAddresses(["unix"])
    assert addresses.of(scope(None, "192.0.2.1")) == "192.0.2.1"
    assert addresses.of(scope(None)) is None
    assert addresses.of(scope("203.0.113.7", "192.0.2.1")) == "203.0.113.7"


def test_cache_of_addresses_is_bounded() -> None:
    addresses = ClientAddresses([ip_network("10.0.0.0/8")])
    for number in range(30_000):
        addresses.of(scope("10.0.0.1", f"192.{number >> 16}.{number >> 8 & 255}.{number & 255}"))
    assert addresses._read.cache_info().currsize <= 10_000


def test_header_that_is_ignored_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    addresses = ClientAddresses([ip_network("10.0.0.0/8")])
    with caplog.at_level(logging.WARNING, "gatepost"):
        addresses.of(scope("203.0.113.7"))
        assert caplog.records == []
        for peer in ("203.0.113.7", "203.0.113.8", None):
            addresses.of(scope(peer, "192.0.2.1\r\nspoofed"))
    (record,) = caplog.records
    assert "GATEPOST_TRUSTED_PROXIES" in record.getMessage()
    assert "spoofed" not in record.getMessage()
