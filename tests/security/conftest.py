"""The services that the tests visit, one for each set of settings in a file."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache

import pytest

from tests.conftest import SERVERS
from tests.security.people import Site, site
from tests.support import Server


@pytest.fixture(scope="module")
def sites(
    postgres_servers: Callable[[str], Server],
    templates: Callable[[Server], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., Site]]:
    """Start a service with these settings, or give the one that has them."""
    server = postgres_servers(SERVERS[0])
    template = templates(server)
    with ExitStack() as stack:

        @cache
        def start(**settings: str) -> Site:
            folder = tmp_path_factory.mktemp("site")
            return stack.enter_context(site(server, template, folder, **settings))

        yield start
