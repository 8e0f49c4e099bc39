"""Requests to providers: what each limit is for, over real sockets."""

import asyncio
import logging
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

import pytest

from app.errors import SettingsError
from app.outgoing import client as module
from app.outgoing.client import MAX_ANSWER, MAX_CALLS, Outgoing, OutgoingError
from app.outgoing.public_addresses import is_public
from tests.support import free_port
from tests.unit.social.server import (
    Answer,
    ProviderServer,
    crumbs,
    drops,
    flood,
    json_reply,
    reply,
    silence,
)

TOKEN = "hunter2"


async def failure(outgoing: Outgoing, url: str, *, public_only: bool = False) -> str:
    caller = outgoing.caller(public_only=public_only)
    with pytest.raises(OutgoingError) as raised:
        (await caller.ask(f"{url}?code={TOKEN}", headers={"authorization": TOKEN})).json()
    assert TOKEN not in str(raised.value)
    return str(raised.value)


async def test_request_says_what_it_is_and_nothing_else(
    server: ProviderServer, outgoing: Outgoing
) -> None:
    server.answers["/"] = reply("{}", set_cookie="a=b; Path=/")
    caller = outgoing.caller(public_only=False)
    assert (await caller.ask(f"{server.url}/")).json() == {}
    await caller.ask(f"{server.url}/", form={"code": "a b&c"})
    get, post = server.seen
    assert get.headers["user-agent"] == "Gatepost"
    assert (get.method, get.headers["accept"]) == ("GET", "application/json")
    assert (post.method, post.form) == ("POST", {"code": "a b&c"})
    assert not any("cookie" in request.headers for request in server.seen)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (silence, "no answer in 0.5 seconds"),
        (drops, "no answer in 0.5 seconds"),
        (flood, "longer than 262144 bytes"),
        (crumbs, "more than 2048 chunks"),
        (reply(b" " * (MAX_ANSWER + 1)), "longer than 262144 bytes"),
        (reply("", 302, location="https://example.com/"), "a redirect (HTTP 302)"),
        (reply("", 307, location="/other"), "a redirect (HTTP 307)"),
        (reply("{}", content_encoding="gzip"), "compressed"),
        (reply("<html>"), "not JSON"),
        (reply(b"\xff\xfe"), "not JSON"),
        (reply("[" * 100_000), "not JSON"),
        (reply("1" * 100_000 + "e"), "not JSON"),
        (reply("{}", content_length="x"), "RemoteProtocolError"),
    ],
)
async def test_answer_that_is_none_fails_in_words(
    server: ProviderServer,
    outgoing: Outgoing,
    monkeypatch: pytest.MonkeyPatch,
    answer: Answer,
    said: str,
) -> None:
    monkeypatch.setattr(module, "DEADLINE", 0.5 if "seconds" in said else 60)
    server.answers["/"] = answer
    assert said in await failure(outgoing, f"{server.url}/")
    assert len(server.seen) == 1


async def test_server_that_is_not_there_fails_in_words(outgoing: Outgoing) -> None:
    assert await failure(outgoing, f"http://127.0.0.1:{free_port()}/") == "no connection"
    assert await failure(outgoing, "http://nobody.invalid/", public_only=True) == "no connection"
    for wrong in ("http://[::1", "ftp://127.0.0.1/", "http://" + "a" * 300 + ".example/", "x"):
        assert await failure(outgoing, wrong)


async def test_silent_provider_is_not_asked_beyond_its_calls(
    server: ProviderServer, outgoing: Outgoing, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answers |= {"/silent": silence, "/": json_reply(1)}
    monkeypatch.setattr(module, "DEADLINE", 60)
    caller, other = (outgoing.caller(public_only=False) for _ in range(2))
    waiting = [asyncio.create_task(caller.ask(f"{server.url}/silent")) for _ in range(MAX_CALLS)]
    await server.has_seen(MAX_CALLS)
    with pytest.raises(OutgoingError, match="under way already"):
        await caller.ask(f"{server.url}/")
    assert (await other.ask(f"{server.url}/")).json() == 1
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    assert (await caller.ask(f"{server.url}/")).json() == 1


async def test_no_address_of_a_call_is_logged(
    server: ProviderServer, outgoing: Outgoing, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        await outgoing.caller(public_only=False).ask(f"{server.url}/?input_token={TOKEN}")
    assert TOKEN not in caplog.text


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("::ffff:8.8.8.8", True),
        ("2002:808:808::1", True),
        ("64:ff9b::8.8.8.8", True),
        ("127.0.0.1", False),
        ("127.9.9.9", False),
        ("0.0.0.0", False),  # noqa: S104
        ("10.0.0.1", False),
        ("172.16.0.1", False),
        ("192.168.0.1", False),
        ("100.64.0.1", False),
        ("100.100.100.200", False),
        ("169.254.169.254", False),
        ("168.63.129.16", False),
        ("192.0.0.192", False),
        ("192.0.2.1", False),
        ("198.18.0.1", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("::127.0.0.1", False),
        ("64:ff9b::10.0.0.1", False),
        ("64:ff9b:1::1", False),
        ("2002:7f00:1::", False),
        ("2002:a00:1::", False),
        ("2001:0:7f00:1::", False),
        ("2001:db8::1", False),
        ("fc00::1", False),
        ("fd00:ec2::254", False),
        ("fe80::1", False),
        ("fe80::1%1", False),
        ("fec0::1", False),
        ("ff02::1", False),
    ],
)
def test_address_is_public_or_not(address: str, public: bool) -> None:
    assert is_public(ip_address(address)) is public


@pytest.mark.parametrize(
    "host",
    ["localhost", "127.0.0.1", "127.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]",
     "169.254.169.254", "10.1.2.3", "0", "[::]", "[::ffff:a9fe:a9fe]", "LOCALHOST"],
)  # fmt: skip
async def test_private_address_is_not_connected_to(
    server: ProviderServer, outgoing: Outgoing, host: str
) -> None:
    port = server.url.rpartition(":")[2]
    said = await failure(outgoing, f"http://{host}:{port}/", public_only=True)
    assert said == "the host is in a private network"
    assert server.seen == []


async def test_proxy_is_used_unless_the_host_is_excepted(
    server: ProviderServer, outgoing: Outgoing, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answers["/me"] = json_reply("me")
    caller = outgoing.caller(public_only=True)
    monkeypatch.setenv("HTTP_PROXY", server.url)
    # the proxy looks the name up, and so it alone knows where that leads
    assert (await caller.ask("http://id.invalid/me")).json() == "me"
    assert server.seen[0].target == "http://id.invalid/me"
    monkeypatch.setenv("NO_PROXY", "localhost,.invalid")
    port = server.url.rpartition(":")[2]
    assert "private" in await failure(outgoing, f"http://localhost:{port}/me", public_only=True)
    assert await failure(outgoing, "http://id.invalid/me", public_only=True) == "no connection"
    assert len(server.seen) == 1


@pytest.mark.parametrize("make", [lambda path: path / "absent.pem", lambda path: path])
def test_certificates_that_cannot_be_read_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], Path]
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(make(tmp_path)))
    with pytest.raises(SettingsError, match=r"^SSL_CERT_FILE cannot be read"):
        Outgoing()


@pytest.mark.parametrize("value", ["socks5://127.0.0.1:1", "http://u:hunter2@[::1", "https://"])
def test_proxy_that_cannot_be_used_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", value)
    with pytest.raises(SettingsError, match=r"^HTTPS_PROXY must be") as raised:
        Outgoing()
    assert "hunter2" not in str(raised.value)
