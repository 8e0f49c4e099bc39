"""One message to one receiver, over real sockets: whatever it answers, there is an outcome."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from app.outgoing import client
from app.webhooks.sender import Outcome, Sender
from app.webhooks.signing import new_secret
from tests.support import free_port
from tests.unit.social.server import (
    Answer,
    ProviderServer,
    crumbs,
    drops,
    flood,
    provider_server,
    reply,
    silence,
)

BODY = b'{"type":"ping"}'
SECRET = new_secret()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
async def server() -> AsyncIterator[ProviderServer]:
    async with provider_server() as found:
        yield found


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    found = Sender(private=True)
    yield found
    await found.close()


async def sent(sender: Sender, url: str) -> Outcome:
    return await sender.send(url, [SECRET], "m1", BODY)


async def test_message_is_posted_and_can_be_verified(
    server: ProviderServer, sender: Sender
) -> None:
    server.answers["/hook"] = reply("", 204)
    assert await sent(sender, f"{server.url}/hook?a=b") == Outcome(204)
    (seen,) = server.seen
    assert (seen.method, seen.target, seen.body) == ("POST", "/hook?a=b", BODY)
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["user-agent"] == "Gatepost"
    assert "cookie" not in seen.headers
    assert Webhook(SECRET).verify(seen.body, dict(seen.headers)) == {"type": "ping"}


@pytest.mark.parametrize("answer", [drops, flood, crumbs, reply(b" " * 1_000_000)])
async def test_receiver_that_has_it_is_believed_whatever_it_says_then(
    server: ProviderServer, sender: Sender, answer: Answer
) -> None:
    server.answers["/"] = answer
    assert await sent(sender, f"{server.url}/") == Outcome(200)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (reply("", 500), Outcome(500, "HTTP 500")),
        (reply("", 404), Outcome(404, "HTTP 404")),
        (reply("", 410), Outcome(410, "HTTP 410")),
        (reply("", 302, location="https://example.com/"), Outcome(302, "a redirect, HTTP 302")),
        (reply("", 307, location="/other"), Outcome(307, "a redirect, HTTP 307")),
        (reply("", 304), Outcome(304, "a redirect, HTTP 304")),
        (reply("", 503, retry_after="7"), Outcome(503, "HTTP 503", timedelta(seconds=7))),
        (reply("", 429, retry_after="7"), Outcome(429, "HTTP 429", timedelta(seconds=7))),
        (reply("", 500, retry_after="7"), Outcome(500, "HTTP 500")),
        (reply("", 503, retry_after="soon"), Outcome(503, "HTTP 503")),
        (silence, Outcome(None, "no answer in 0.5 seconds")),
        (reply("", 200, content_length="x"), Outcome(None, "RemoteProtocolError")),
    ],
)
async def test_other_answer_is_a_failure_in_words(
    server: ProviderServer,
    sender: Sender,
    monkeypatch: pytest.MonkeyPatch,
    answer: Answer,
    outcome: Outcome,
) -> None:
    monkeypatch.setattr(client, "DEADLINE", 0.5 if answer is silence else 60)
    server.answers["/"] = answer
    assert await sent(sender, f"{server.url}/") == outcome
    assert len(server.seen) == 1  # no redirect was followed


async def test_answer_without_an_end_of_its_head_is_a_failure(
    server: ProviderServer, sender: Sender
) -> None:
    async def headers(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 x\r\n")
        while True:
            writer.write(b"a: " + b"b" * 10_000 + b"\r\n")
            await writer.drain()

    server.answers["/"] = headers
    outcome = await sent(sender, f"{server.url}/")
    assert (outcome.status, outcome.error) == (None, "RemoteProtocolError")


async def test_receiver_that_is_not_there_is_a_failure(sender: Sender) -> None:
    nobody = await sent(sender, f"http://127.0.0.1:{free_port()}/")
    assert nobody == Outcome(None, "no connection")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "10.1.2.3"])
async def test_private_address_is_not_connected_to(server: ProviderServer, host: str) -> None:
    sender = Sender(private=False)
    port = server.url.rpartition(":")[2]
    outcome = await sent(sender, f"https://{host}:{port}/")
    assert outcome == Outcome(None, "the host is in a private network")
    plain = await sent(sender, f"http://{host}:{port}/")
    assert plain == Outcome(None, "the address is refused: it does not begin with https://")
    await sender.close()
    assert server.seen == []


async def test_timestamp_is_that_of_the_attempt(server: ProviderServer) -> None:
    now = datetime(2026, 11, 26, tzinfo=UTC)
    sender = Sender(private=True, clock=lambda: now)
    await sent(sender, f"{server.url}/")
    now += timedelta(hours=1)
    await sent(sender, f"{server.url}/")
    await sender.close()
    times = [int(each.headers["webhook-timestamp"]) for each in server.seen]
    assert times == [int(now.timestamp()) - 3600, int(now.timestamp())]


async def test_nothing_of_a_message_is_logged(
    server: ProviderServer, sender: Sender, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        await sent(sender, f"{server.url}/t0ken?k=s3cret")
    assert "t0ken" not in caplog.text
    assert "s3cret" not in caplog.text
    assert "v1," not in caplog.text
