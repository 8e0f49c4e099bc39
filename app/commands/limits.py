"""``gatepost users limits``: the limits of one user's sessions."""

import asyncio
from typing import Annotated, Final, NamedTuple
from uuid import UUID

import msgspec
import typer

from ..database import Database, Transaction
from ..errors import NotFoundError, SettingsError
from ..schema import SessionPolicy
from ..settings import AuthSettings, Settings
from ..settings.environment import duration, in_units
from ..statements import session_policies, users
from .database import as_id, with_database
from .help import command_line, epilog, shape
from .output import JsonOption, UserArgument, print_json, print_table, printable, say

cli = command_line()

POLICY: Final = shape("POLICY", SessionPolicy)
_LABELS: Final = {"lifetime": "lifetime", "idle_lifetime": "idle", "max_sessions": "sessions"}
"""What a person calls the columns."""


class Numbers(msgspec.Struct, frozen=True):
    """A value for each limit; None: there is none."""

    lifetime: int | None
    idle_lifetime: int | None
    max_sessions: int | None


class Shown(msgspec.Struct, frozen=True):
    """A user's limits, what the settings have, which is None where these are off, and how many
    sessions ended by the change."""

    user_id: UUID
    policy: SessionPolicy | None
    settings: Numbers | None
    ended: int = 0


class _Wanted(NamedTuple):
    lifetime: str | None
    idle: str | None
    sessions: int | None
    reset: bool


@cli.command(
    "limits",
    epilog=epilog(
        "gatepost users limits ada@example.com",
        "gatepost users limits ada@example.com --lifetime 8h --idle 30m --sessions 3",
        "gatepost users limits ada@example.com --reset",
        json='{"user_id": ID, "policy": POLICY, or null without limits of their own,\n'
        f' "settings": {{"lifetime", "idle_lifetime", "max_sessions"}}, "ended": sessions}}\n'
        f"{POLICY}",
        codes=(0, 1, 2, 8),
    ),
)
def limits_command(
    user: UserArgument,
    lifetime: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION", help="A session ends so long after sign-in.", show_default=False
        ),
    ] = None,
    idle: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION",
            help="A session ends that was not used for so long.",
            show_default=False,
        ),
    ] = None,
    sessions: Annotated[
        int | None, typer.Option(help="Live sessions at most.", min=1, show_default=False)
    ] = None,
    reset: Annotated[
        bool, typer.Option("--reset", help="What is not given is as the settings have it.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Show or change the limits of a user's sessions.

    They are stricter than those of the settings, or as strict. Sessions that are too old or too
    many for new ones end at once, the oldest first; an idle limit counts from the change.
    """
    shown = asyncio.run(with_database(_work, user, _Wanted(lifetime, idle, sessions, reset)))
    if json:
        print_json(shown)
        return
    print_limits(shown)
    if shown.ended:
        say(f"{shown.ended} sessions ended")


def print_limits(shown: Shown) -> None:
    """A table of the limits."""
    rows: list[list[str]] = []
    for name, label in _LABELS.items():
        written = str if name == "max_sessions" else in_units
        own, setting = (
            getattr(numbers, name) if numbers else None
            for numbers in (shown.policy, shown.settings)
        )
        known = [value for value in (own, setting) if value is not None]
        values = (own, setting, min(known, default=None))
        rows.append([label, *("-" if value is None else written(value) for value in values)])
    print_table(["limit", "of the user", "of the settings", "holds"], rows)


def print_policy(policy: SessionPolicy) -> None:
    """The limits that are the user's own, a line each."""
    for name, label in _LABELS.items():
        value = getattr(policy, name)
        if value is not None:
            written = str(value) if name == "max_sessions" else in_units(value)
            print(f"{label:<8}  {written} at most")


async def _work(database: Database, settings: Settings, text: str, wanted: _Wanted) -> Shown:
    changes = any(value is not None for value in wanted[:3]) or wanted.reset
    auth = settings.auth
    if changes and auth is None:
        raise SettingsError(
            "GATEPOST_SECRET and GATEPOST_BASE_URL are not set: without the settings of the auth "
            "API nobody knows what they allow"
        )
    if user_id := as_id(text):
        found = await database.fetchrow(users.by_id, user_id)
    else:
        found = await database.fetchrow(users.by_email, text.lower())
    if found is None:
        raise NotFoundError(f"there is no user {printable(text)}")
    numbers = _of_settings(auth)
    if auth is None or not changes:
        return Shown(found.id, await database.fetchrow(session_policies.of_user, found.id), numbers)
    from ..auth import session_limits  # not for a help text

    given = _given(auth, wanted)

    async def write(transaction: Transaction) -> session_limits.Changed:
        if not await transaction.fetch(users.lock, found.id):
            raise NotFoundError(f"there is no user {printable(text)} any more")
        return await session_limits.change(transaction, auth, found.id, given, reset=wanted.reset)

    changed = await database.transaction("users.limits", write)
    return Shown(found.id, changed.policy, numbers, changed.ended)


def _given(auth: AuthSettings, wanted: _Wanted) -> dict[str, int | None]:
    """The limits that options name, by column. Raises SettingsError, BadParameter: beyond what the
    settings allow."""
    from ..auth import session_limits

    greatest = session_limits.greatest(auth)
    given: dict[str, int | None] = {}
    durations = (("lifetime", wanted.lifetime), ("idle_lifetime", wanted.idle))
    for name, text in durations:
        if text is not None:
            parser = duration(session_limits.LEAST, greatest[name])
            given[name] = parser.parse(f"--{_LABELS[name]}", text)
    if wanted.sessions is not None:
        if wanted.sessions > greatest["max_sessions"]:
            raise typer.BadParameter(
                f"--sessions must be at most {greatest['max_sessions']} (GATEPOST_MAX_SESSIONS)"
            )
        given["max_sessions"] = wanted.sessions
    return given


def _of_settings(auth: AuthSettings | None) -> Numbers | None:
    if auth is None:
        return None
    return Numbers(auth.session_max_age or None, auth.session_expires_in, auth.max_sessions)
