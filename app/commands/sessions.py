"""``gatepost sessions``: what an operator sees and ends of sessions. No token is shown."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Final
from uuid import UUID

import typer

from ..errors import NotFoundError
from ..statements import sessions
from ..statements.sessions import PublicSession
from .database import connected, find_user, sessions_of
from .help import command_line, epilog, shape
from .output import JsonOption, moment, print_json, print_table, say

cli = command_line("sessions", description="List and revoke sessions.")

_END: Final = (datetime(9999, 1, 1, tzinfo=UTC), UUID(int=0))
"""Where the newest sessions begin."""


@cli.command(
    "list",
    epilog=epilog(
        "gatepost sessions list ada@example.com",
        "gatepost sessions list --limit 20",
        "gatepost sessions list --before 5f0c3c8e-0d5e-4a52-9d37-3c1f7c1f6a10",
        json='{"sessions": [SESSION, …], "next": ID for --before, or null}\n'
        f"{shape('SESSION', PublicSession)}",
        codes=(0, 1, 2, 8),
    ),
)
def list_command(
    user: Annotated[
        str | None,
        typer.Argument(metavar="[USER]", help="An id or an address.", show_default=False),
    ] = None,
    limit: Annotated[int, typer.Option(help="Sessions at most.", min=1, max=10_000)] = 100,
    before: Annotated[
        UUID | None,
        typer.Option(
            metavar="SESSION", help="Of all users: begin after this one.", show_default=False
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """List the sessions of a user, or of all, the newest first. What has expired is left out.

    "refreshed" is the last refresh, which is due every GATEPOST_SESSION_UPDATE_AGE; a session whose
    user did not want to be remembered has none. "last seen" is known with GATEPOST_LAST_SEEN_EVERY.
    """
    if user is not None and before is not None:
        raise typer.BadParameter("give a user, or --before")
    if user is not None:
        found = asyncio.run(_list(user, limit + 1))
    else:
        found = asyncio.run(_newest(limit + 1, before))
    more, found = len(found) > limit, found[:limit]
    following = found[-1].id if more and user is None else None
    if json:
        print_json({"sessions": found, "next": following})
    else:
        print_sessions(found, with_users=user is None)
    if following:
        say(f"there are more: --before {following}")
    elif more:
        say(f"there are more than {limit}: --limit")


async def _list(text: str, limit: int) -> list[PublicSession]:
    async with connected() as connection:
        user = await find_user(connection, text)
        return await sessions_of(connection, user.id, limit)


async def _newest(limit: int, before: UUID | None) -> list[PublicSession]:
    async with connected() as connection:
        moment, session_id = _END
        if before is not None:
            moment = await connection.fetchval(sessions.created_at, before)
            session_id = before
        if moment is None:
            raise NotFoundError(f"there is no session {before}")
        now = datetime.now(UTC)
        return await connection.fetch(sessions.newest, moment, session_id, now, limit)


def print_sessions(found: Sequence[PublicSession], *, with_users: bool = False) -> None:
    """A table of sessions, or a word that there is none."""
    rows = [
        [
            str(session.id),
            *([str(session.user_id)] if with_users else []),
            moment(session.created_at),
            moment(session.updated_at),
            moment(session.last_seen_at) if session.last_seen_at else "-",
            moment(session.expires_at),
            session.ip_address or "-",
            session.user_agent or "-",
        ]
        for session in found
    ]
    head = ["session", *(["user"] if with_users else []), "created", "refreshed", "last seen"]
    print_table([*head, "expires", "address", "browser"], rows)
    if not rows:
        say("no session")


@cli.command(
    "revoke",
    epilog=epilog(
        "gatepost sessions revoke 5f0c3c8e-0d5e-4a52-9d37-3c1f7c1f6a10",
        "gatepost sessions revoke --user ada@example.com",
        json='{"revoked": [ID, …]}',
        codes=(0, 1, 2, 8),
    ),
)
def revoke_command(
    session: Annotated[
        UUID | None, typer.Argument(metavar="SESSION", help="The id of a session.")
    ] = None,
    user: Annotated[
        str | None,
        typer.Option(metavar="USER", help="All sessions of this user: an id or an address."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """End a session, or all of a user. The service refuses its next request."""
    if (session is None) == (user is None):
        raise typer.BadParameter("give the id of a session, or --user")
    revoked = asyncio.run(_revoke(session, user))
    if json:
        print_json({"revoked": revoked})
    else:
        print(f"{len(revoked)} revoked")


async def _revoke(session_id: UUID | None, user: str | None) -> list[UUID]:
    async with connected() as connection:
        if user is not None:
            found = await find_user(connection, user)
            return await connection.fetchcol(sessions.revoke_all, found.id)
        revoked = await connection.fetchcol(sessions.revoke_by_id, session_id)
    if not revoked:
        raise NotFoundError(f"there is no session {session_id}")
    return revoked
