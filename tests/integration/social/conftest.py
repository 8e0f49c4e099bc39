"""The provider, and Gatepost with a database of its own."""

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

import pytest

from tests.support import Server, free_port, running_process

from .browser import Application, providers, running

Start = Callable[..., AbstractAsyncContextManager[Application]]


@pytest.fixture(scope="session")
def provider() -> Iterator[str]:
    """Its address."""
    port = free_port()
    command = [sys.executable, "-m", "tests.integration.social.openid_provider", str(port)]
    url = f"http://127.0.0.1:{port}"
    with running_process(command, f"{url}/asked"):
        yield url


@pytest.fixture
def one_database_url(one_postgres: Server, one_template: str) -> Iterator[str]:
    with one_postgres.database(one_template) as name:
        yield one_postgres.url(name)


@pytest.fixture
def start(provider: str, one_database_url: str) -> Start:
    """Starts Gatepost: settings by name, and in ``provider`` what each provider has besides."""

    def starting(
        provided: dict[str, Any] | None = None, **settings: str
    ) -> AbstractAsyncContextManager[Application]:
        return running(one_database_url, providers(provider, **provided or {}), **settings)

    return starting


@pytest.fixture
async def gatepost(start: Start) -> AsyncIterator[Application]:
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(start())
