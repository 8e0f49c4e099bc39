"""``gatepost events``: the record of what happened, as lines of JSON."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
import typer

from ..database import Connection
from ..errors import DatabaseUnavailableError, SettingsError
from ..process import exit_on_signals
from ..schema import Event
from ..settings.environment import duration
from ..statements import events
from .database import as_id, connected, find_user
from .help import command_line, epilog, shape
from .output import print_json, say

cli = command_line()

PAGE: Final = 1000
_RECONNECT: Final = 1.0
"""Seconds between two attempts to reach a database that is away."""
_YEARS: Final = 100 * 365 * 24 * 3600
_FIRST: Final = UUID(int=0)


def _moment(text: str) -> datetime:
    """A time in ISO 8601, in UTC unless it says otherwise, or how long ago."""
    try:
        given = datetime.fromisoformat(text)
        return given if given.tzinfo else given.replace(tzinfo=UTC)
    except ValueError:
        pass
    try:
        return datetime.now(UTC) - timedelta(seconds=duration(0, _YEARS).parse("--since", text))
    except SettingsError:
        raise typer.BadParameter(
            "give a time (2026-11-26T10:00:00Z), or how long ago (30m, 1h30m, 7d)"
        ) from None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events, and from where."""

    user: str | None
    types: frozenset[str]
    since: datetime | None
    after: UUID | None
    follow: bool
    interval: float

    def includes(self, event: Event) -> bool:
        """Whether its type and its time are wanted; those of other users are not asked for."""
        if self.since is not None and event.created_at < self.since:
            return False
        return not self.types or not self.types.isdisjoint(
            (event.type, event.type.partition(".")[0])
        )


@cli.command(
    "events",
    epilog=epilog(
        "gatepost events --since 1h",
        "gatepost events --follow --type session.created",
        "gatepost events --user ada@example.com",
        "gatepost events --after 00000000-0000-02f1-0000-00000000002a",
        json=shape("EVENT", Event),
        codes=(0, 1, 2, 8),
    ).replace("With --json", "Each line"),
)
def events_command(
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with those that come.")
    ] = False,
    since: Annotated[
        datetime | None,
        typer.Option(
            parser=_moment,
            metavar="TIME",
            help="From a time, or from 30m, 1h30m, 7d ago. Without it and --after: from the first, "
            "or with --follow from now.",
        ),
    ] = None,
    after: Annotated[
        UUID | None,
        typer.Option(metavar="ID", help="From behind an event: the last one that was seen."),
    ] = None,
    user: Annotated[
        str | None,
        typer.Option(metavar="USER", help="Those of a user: an id, or an address."),
    ] = None,
    type_: Annotated[
        list[str] | None,
        typer.Option(
            "--type",
            metavar="TYPE",
            help="Those of a type, or of all types of user, session or account. Several times: "
            "any of them.",
        ),
    ] = None,
    interval: Annotated[
        float, typer.Option(help="With --follow, seconds between two looks.", min=0.05, max=60)
    ] = 1.0,
) -> None:
    """Print what happened to users, sessions and accounts, a line of JSON each, in order."""
    exit_on_signals()
    if since is not None and after is not None:
        raise typer.BadParameter("give --since or --after")
    wanted = Wanted(user, frozenset(type_ or ()), since, after, follow, interval)
    try:
        asyncio.run(_print(wanted))
    except BrokenPipeError:  # whoever read has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


async def _print(wanted: Wanted) -> None:
    """Print events; when the database goes away while they are followed, wait until it is back."""
    reader: _Reader | None = None
    said = False
    while True:
        try:
            async with connected() as connection:
                reader = reader or await _Reader.begin(connection, wanted)
                async for page in reader.pages(connection):
                    said = False
                    for event in page:
                        if wanted.includes(event):
                            print_json(_as_json(event))
                    sys.stdout.flush()
                return
        except DatabaseUnavailableError as error:
            if reader is None or not wanted.follow:
                raise
            if not said:
                say(f"{error}; waiting for it")
                said = True
        await asyncio.sleep(_RECONNECT)


class _Reader:
    """Where a reader is. What it has yielded it never yields again, on whichever connection."""

    def __init__(self, wanted: Wanted, user_id: UUID | None, after: UUID) -> None:
        self._wanted = wanted
        self._user_id = user_id
        self._after = after

    @classmethod
    async def begin(cls, connection: Connection, wanted: Wanted) -> "_Reader":
        """Raises NotFoundError when nobody has the address; an id may be of a user who is gone."""
        user_id = None
        if wanted.user is not None:
            user_id = as_id(wanted.user) or (await find_user(connection, wanted.user)).id
        after = wanted.after or _FIRST
        if wanted.since is not None:
            horizon = await connection.fetchval(events.horizon)
            first = await connection.fetchval(events.first_since, wanted.since, 1) or horizon
            # one that comes before the first may still be under way, from the horizon on
            after = UUID(int=max(min(first, horizon).int - 1, 0))
        elif wanted.follow and wanted.after is None:
            after = await connection.fetchval(events.horizon)
        return cls(wanted, user_id, after)

    async def pages(self, connection: Connection) -> AsyncIterator[list[Event]]:
        """The events up to now, or with ``follow`` without an end."""
        while True:
            if self._user_id is None:
                page = await connection.fetch(events.page, self._after, PAGE)
            else:
                page = await connection.fetch(events.page_of_user, self._after, self._user_id, PAGE)
            if page:
                self._after = page[-1].id
            yield page
            if len(page) < PAGE:
                if not self._wanted.follow:
                    return
                await asyncio.sleep(self._wanted.interval)


def _as_json(event: Event) -> dict[str, Any]:
    """Its fields, with JSON as JSON and not as text."""
    fields = msgspec.structs.asdict(event)
    return fields | {
        name: msgspec.Raw(fields[name].encode()) if fields[name] else None
        for name in ("before", "after")
    }
