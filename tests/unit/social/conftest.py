"""A provider's server, and what asks it."""

from collections.abc import AsyncIterator

import pytest

from app.outgoing.client import Outgoing
from tests.unit.social.server import ProviderServer, provider_server


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
async def outgoing() -> AsyncIterator[Outgoing]:
    found = Outgoing()
    yield found
    await found.close()
