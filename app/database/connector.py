"""Connections to the one of several hosts that takes writes.

asyncpg gives the first host the whole time that there is to connect, and takes a standby for as
good as a primary. Here each host has its share of the time, the last good one comes first, and a
standby is refused unless the address asks for one (``target_session_attrs``, as libpq has it).
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import monotonic
from typing import Any, Final
from urllib.parse import parse_qs, parse_qsl, quote, urlencode, urlsplit

import asyncpg

from ..statements import server

_CLOSE_TIMEOUT: Final = 2.0
"""Seconds for the server to confirm the end of a connection, which is then terminated."""
_WATCH_EVERY: Final = 1.0
_WATCH_TIMEOUT: Final = 3.0
"""Seconds for an answer to the watch, and for all hosts to be tried."""

# PgBouncer passes these three on; it refuses a start-up parameter that it does not track.
SERVER_SETTINGS: Final = {
    "application_name": "gatepost",
    "timezone": "UTC",
    "datestyle": "ISO, MDY",
}

_NEXT_HOST: Final = (
    OSError,  # TimeoutError too
    asyncpg.TargetServerAttributeNotMatched,
    asyncpg.CannotConnectNowError,
    asyncpg.ConnectionDoesNotExistError,
)
"""What another host may do better. A password that is wrong is wrong everywhere."""


class DriverConnection(asyncpg.Connection):
    """A connection whose end never waits for a server that does not answer."""

    _needs_sync = False

    def note_unfinished(self) -> None:
        """Remember that a statement may have been prepared and not run."""
        self._needs_sync = True

    async def end_unfinished(self) -> None:
        """End what such a statement left open; without one this costs no round trip.

        The driver prepares with a Flush and sends the Sync with the values. If it refuses these,
        or nobody waits any more, there is none: the transaction and its locks would last until the
        next statement, or until a transaction_timeout ends the connection, with all that is
        prepared on it.
        """
        if self._needs_sync:
            self._needs_sync = False
            await self.execute("/* gatepost:pool.sync */ SELECT")

    async def close(self, *, timeout: float | None = None) -> None:
        """Close it; the pool gives no limit for those that it replaces."""
        with suppress(TimeoutError):  # it was terminated
            await super().close(timeout=min(timeout or _CLOSE_TIMEOUT, _CLOSE_TIMEOUT))


class Connector:
    """Connects to the hosts of an address in turn, until one is what the address asks for."""

    def __init__(self, url: str) -> None:
        self._urls = one_host_each(url)
        asked = parse_qs(urlsplit(url).query).get("target_session_attrs", [""])[-1]
        asked = asked or os.environ.get("PGTARGETSESSIONATTRS") or "read-write"
        self._roles = ("standby", "any") if asked == "prefer-standby" else (asked,)

    @property
    def can_fail_over(self) -> bool:
        """Whether the server that takes writes may be on one host now and on another later."""
        return len(self._urls) > 1 and self._roles[0] in ("read-write", "primary")

    async def __call__(self, *_: Any, timeout: float = 10.0, **options: Any) -> Any:
        """A connection within ``timeout`` seconds, of which each host has its share.

        ``options`` are those of asyncpg.connect. Raises what the driver raises.
        """
        return (await self.connect(timeout, **options))[1]

    async def connect(self, timeout: float, **options: Any) -> tuple[str, Any]:
        """The address of the host, and the connection."""
        given = {"connection_class": DriverConnection, "server_settings": SERVER_SETTINGS}
        options = given | options
        deadline = monotonic() + timeout
        tries = [(role, url) for role in self._roles for url in self._urls]
        failure: Exception = TimeoutError()
        for number, (role, url) in enumerate(tries):
            share = (deadline - monotonic()) / (len(tries) - number)
            try:
                options |= {"timeout": max(share, 0.001), "target_session_attrs": role}
                connection = await asyncpg.connect(url, **options)
            except _NEXT_HOST as error:
                # that only standbys answer says more than that others do not
                if not isinstance(failure, asyncpg.TargetServerAttributeNotMatched):
                    failure = error
            else:
                self._urls.sort(key=lambda other: other != url)
                return url, connection
        raise failure

    async def watch(self, moved: Callable[[], Awaitable[None]]) -> None:
        """Ask the server in use every second, and call ``moved`` when another took over.

        A server that was stopped closes no connection: each that is left in the pool would cost a
        statement its whole time.
        """
        used = None
        while True:
            with suppress(Exception):  # whatever it was, it is tried again
                url, connection = await self.connect(_WATCH_TIMEOUT, statement_cache_size=0)
                try:
                    if used not in (None, url):
                        await moved()
                    used = url
                    while await _takes_writes(connection):  # noqa: ASYNC110 - nobody tells us
                        await asyncio.sleep(_WATCH_EVERY)
                finally:
                    connection.terminate()
            self._urls.sort(key=lambda other: other == used)  # it comes last
            await asyncio.sleep(_WATCH_EVERY)


async def _takes_writes(connection: Any) -> bool:
    return not await connection.fetchval(server.in_recovery.text, timeout=_WATCH_TIMEOUT)


def one_host_each(url: str) -> list[str]:
    """The address of each host that an address names."""
    parts = urlsplit(url)
    user, at, hosts = parts.netloc.rpartition("@")
    if "," in hosts:
        return [parts._replace(netloc=f"{user}{at}{host}").geturl() for host in hosts.split(",")]
    query = dict(parse_qsl(parts.query))
    names = query.get("host", "").split(",")
    if hosts or len(names) == 1:
        return [url]
    ports = query.get("port", "").split(",")
    ports = ports if len(ports) == len(names) else ports[:1] * len(names)
    return [
        with_options(url, host=host, port=port) for host, port in zip(names, ports, strict=True)
    ]


def with_options(url: str, **options: str) -> str:
    """An address with these options in its query; an empty one is left out."""
    parts = urlsplit(url)
    query = {
        name: value for name, value in (dict(parse_qsl(parts.query)) | options).items() if value
    }
    # libpq takes a plus for itself and not for a space
    return parts._replace(query=urlencode(query, safe="/", quote_via=quote)).geturl()


def prefer_standby(url: str) -> str:
    """An address of replicas: a standby where there is one, unless it says otherwise."""
    if "target_session_attrs" in url:
        return url
    return with_options(url, target_session_attrs="prefer-standby")
