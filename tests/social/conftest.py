"""The providers' hosts, the service that signs people in with them, and its rows."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.social.running_hosts import PLAYED, RunningHosts, provider_settings, running_hosts
from tests.social.visitor import Visitor
from tests.support import LOCAL_PROXY, SECRET, Server, Service, free_port, running_service


@pytest.fixture(scope="session")
def session_hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHosts]:
    """The hosts of all providers, for the whole run."""
    with running_hosts(tmp_path_factory.mktemp("hosts")) as hosts:
        yield hosts


@pytest.fixture
def hosts(session_hosts: RunningHosts) -> RunningHosts:
    """The hosts, which nobody has asked anything yet."""
    session_hosts.reset()
    return session_hosts


RunService = Callable[..., AbstractContextManager[Service]]


@pytest.fixture(scope="module")
def run_service(
    one_postgres: Server,
    one_template: str,
    session_hosts: RunningHosts,
    tmp_path_factory: pytest.TempPathFactory,
) -> RunService:
    """Start the service on a database of its own.

    ``providers``: what is added to the entry of a provider, or entries; ``settings``: variables.
    """

    @contextmanager
    def run(
        providers: dict[str, dict[str, Any]] | None = None,
        extra: list[dict[str, Any]] | None = None,
        **settings: str,
    ) -> Iterator[Service]:
        further = providers or {}
        entries = [provider_settings(each, **further.get(each, {})) for each in PLAYED]
        port = free_port()
        given = {
            "PORT": str(port),
            "GATEPOST_BASE_URL": f"http://127.0.0.1:{port}",
            "GATEPOST_SECRET": SECRET,
            "GATEPOST_PROVIDERS": json.dumps(entries + (extra or [])),
            "GATEPOST_RATE_LIMIT": "off",
            **LOCAL_PROXY,
            **session_hosts.proxied_environment(),
        }
        log = tmp_path_factory.mktemp("service") / "service.log"
        with (
            one_postgres.database(one_template) as name,
            running_service(one_postgres.url(name), Path(log), **given | settings) as service,
        ):
            yield service

    return run


@pytest.fixture(scope="module")
def service(run_service: RunService) -> Iterator[Service]:
    """The service with every provider, for the tests of a module; each has users of its own."""
    with run_service() as running:
        yield running


@dataclass(frozen=True)
class Rows:
    """What the service has written."""

    connection: asyncpg.Connection

    async def account(self, provider: str, subject: str) -> asyncpg.Record | None:
        """A provider's account with its user: ``user_name``, ``email``, …"""
        return await self.connection.fetchrow(
            "SELECT a.*, u.name AS user_name, u.email, u.email_verified, u.image FROM accounts a"
            " JOIN users u ON u.id = a.user_id WHERE a.provider_id = $1 AND a.account_id = $2",
            provider, subject,
        )  # fmt: skip

    async def user(self, email: str) -> asyncpg.Record | None:
        return await self.connection.fetchrow("SELECT * FROM users WHERE email = $1", email)

    async def counts(self) -> tuple[int, int, int]:
        """Users, accounts, sessions."""
        row = await self.connection.fetchrow(
            "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM accounts),"
            " (SELECT count(*) FROM sessions)"
        )
        assert row
        return tuple(row)


@pytest.fixture
async def rows(service: Service) -> AsyncIterator[Rows]:
    """The database of ``service``, which is emptied first."""
    connection = await asyncpg.connect(service.database_url)
    try:
        await connection.execute("TRUNCATE users, accounts, sessions, verifications CASCADE")
        yield Rows(connection)
    finally:
        await connection.close()


@pytest.fixture
async def visitor(service: Service, hosts: RunningHosts) -> AsyncIterator[Visitor]:
    """Somebody who has never been there."""
    async with Visitor(service.url, hosts) as somebody:
        yield somebody
