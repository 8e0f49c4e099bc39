"""Lookups of one session at the same time share requests, and never one that was sent before."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import pytest
from gatepost_client import GatepostClient, Session, UnavailableError

from tests.client.conftest import Authority

HEADERS: Final = {"Cookie": "better-auth.session_token=a.b"}


def session_of(name: str) -> bytes:
    time = "2030-01-01T00:00:00.000Z"
    user = {"id": "1", "name": name, "email": "a@example.com", "emailVerified": True}
    session = {"id": "2", "token": "t", "expiresAt": time, "createdAt": time}
    return json.dumps({"session": session, "user": user}).encode()


class Service:
    """A server whose answers the test gives, one for each request."""

    def __init__(self) -> None:
        self.requests: asyncio.Queue[asyncio.Future[tuple[int, bytes]]] = asyncio.Queue()
        self.number = 0
        self.connections: list[asyncio.Task[None] | None] = []

    async def request(self) -> asyncio.Future[tuple[int, bytes]]:
        """The next request that has come, to be answered with status and body."""
        return await asyncio.wait_for(self.requests.get(), 30)

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.append(asyncio.current_task())
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                self.number += 1
                answer = asyncio.get_running_loop().create_future()
                await self.requests.put(answer)
                status, body = await answer
                writer.write(b"HTTP/1.1 %d x\r\nContent-Length: %d\r\n\r\n" % (status, len(body)))
                writer.write(body)
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def asked() -> AsyncIterator[tuple[Service, GatepostClient]]:
    service = Service()
    server = await asyncio.start_server(service.connected, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        async with GatepostClient(url) as client:
            yield service, client
        await asyncio.wait([each for each in service.connections if each], timeout=30)


async def names(*lookups: asyncio.Task[Session | None]) -> list[str | None]:
    found = await asyncio.wait_for(asyncio.gather(*lookups), 30)
    return [each and each.user.name for each in found]


async def test_lookups_that_begin_together_share_one_request() -> None:
    async with asked() as (service, client):
        lookups = [asyncio.create_task(client.session(HEADERS)) for _ in range(20)]
        (await service.request()).set_result((200, session_of("Ada")))
        assert await names(*lookups) == ["Ada"] * 20
        assert service.number == 1
        # and nothing of it is kept
        again = asyncio.create_task(client.session(HEADERS))
        (await service.request()).set_result((200, b"null"))
        assert await names(again) == [None]


async def test_lookup_never_joins_a_request_that_was_sent_before() -> None:
    async with asked() as (service, client):
        first = asyncio.create_task(client.session(HEADERS))
        sent = await service.request()
        # now the session is revoked, and whoever revoked it knows
        later = [asyncio.create_task(client.session(HEADERS)) for _ in range(20)]
        next_ = await service.request()  # though the first has no answer
        next_.set_result((200, b"null"))
        assert await names(*later) == [None] * 20
        sent.set_result((200, session_of("Ada")))
        assert await names(first) == ["Ada"]
        assert service.number == 2


async def test_lookup_that_is_cancelled_leaves_the_others_their_answer() -> None:
    async with asked() as (service, client):
        lookups = [asyncio.create_task(client.session(HEADERS)) for _ in range(3)]
        request = await service.request()
        lookups[0].cancel()
        request.set_result((200, session_of("Ada")))
        assert await names(*lookups[1:]) == ["Ada", "Ada"]
        assert lookups[0].cancelled()


async def test_failure_is_for_each_that_shares_it_and_not_for_the_next() -> None:
    async with asked() as (service, client):
        lookups = [asyncio.create_task(client.session(HEADERS)) for _ in range(3)]
        (await service.request()).set_result((503, b""))
        failures = await asyncio.gather(*lookups, return_exceptions=True)
        assert [type(each) for each in failures] == [UnavailableError] * 3
        later = asyncio.create_task(client.session(HEADERS))
        (await service.request()).set_result((200, session_of("Ada")))
        assert await names(later) == ["Ada"]


async def test_each_person_is_told_who_they_are(authority: Authority) -> None:
    people = [authority.sign_up() for _ in range(4)]
    asking = [person.cookie for person in people] + [person.bearer for person in people]
    async with GatepostClient(authority.url) as client:
        found = await asyncio.gather(*(client.session(headers) for headers in asking * 5))
    assert [each and each.user.email for each in found] == [p.email for p in people] * 10
    assert None not in found


@pytest.mark.parametrize("way", ["cookie", "bearer"])
async def test_session_that_ended_is_refused_while_others_ask(
    authority: Authority, way: str
) -> None:
    person = authority.sign_up()
    headers = getattr(person, way)
    async with GatepostClient(authority.url) as client:
        asking = [asyncio.create_task(client.session(headers)) for _ in range(10)]
        await asyncio.to_thread(person.sign_out)
        assert await client.session(headers) is None
        await asyncio.gather(*asking)
