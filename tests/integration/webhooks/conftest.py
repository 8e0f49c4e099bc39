"""A receiver in the test's own process, and an empty database for each test."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from app import logs
from app.webhooks import deliverer
from tests.unit.social.server import ProviderServer, provider_server


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy is between, nothing waits for long when there is nothing to do, and no line is left
    out for one of the test before."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setattr(deliverer, "POLL", 0.02)
    monkeypatch.setattr(logs.RATE_LIMIT, "_kinds", {})


@pytest.fixture
async def receiver() -> AsyncIterator[ProviderServer]:
    async with provider_server() as found:
        yield found


@pytest.fixture
async def db(module_database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the database of the module, with nothing left of the test before."""
    connection = await asyncpg.connect(module_database_url)
    try:
        await connection.execute("DELETE FROM webhooks; DELETE FROM users; DELETE FROM events")
        yield connection
    finally:
        await connection.close()
