"""The devices on which a user is signed in: sessions by their ids, for a page to show and end.

Better Auth's list-sessions gives their tokens, which a page has no use for. What a User-Agent is
called comes from ua-parser, where it is installed; its patterns take 20 MB from the first list on.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable
from functools import cache
from typing import Final
from uuid import UUID

from ..statements import sessions as statements
from ..statements.sessions import PublicSession
from . import answers
from .context import RequestContext, utc_now
from .endpoint import get, post
from .serializers import timestamp
from .sessions import has_ended
from .validation import Check, fields, string

_MAX_LISTED: Final = 100

Names = tuple[str | None, str | None]
"""A browser and a system; None where that is not known."""


async def list_devices(context: RequestContext) -> list[answers.Device]:
    """List where the user is signed in, the newest first, without any token.

    `browser` and `system` are what the User-Agent says, or null where that is not known, and always
    without `pip install 'gatepost[devices]'`.
    """
    current = context.current_session
    now = utc_now()
    arguments = (current.user.id, now, _MAX_LISTED)
    found = await context.database.fetch(statements.newest_of_user, *arguments)
    live = [
        session
        for session in found
        if session.impersonated_by is None and not has_ended(context.settings, session, now)
    ]
    names = await names_of({session.user_agent for session in live})
    return [
        {
            "id": str(session.id),
            "current": session.id == current.session.id,
            "browser": names[session.user_agent][0],
            "system": names[session.user_agent][1],
            "userAgent": session.user_agent,
            "ipAddress": session.ip_address,
            "createdAt": timestamp(session.created_at),
            "updatedAt": timestamp(session.updated_at),
            "expiresAt": timestamp(session.expires_at),
            "lastSeenAt": _last_seen(context, session),
        }
        for session in live
    ]


def _last_seen(context: RequestContext, session: PublicSession) -> str | None:
    sightings = context.services.sightings
    seen = sightings and sightings.last(session.id, session.last_seen_at)
    return timestamp(seen) if seen else None


async def revoke_device(context: RequestContext) -> answers.Done:
    """End one of the user's own sessions, by its id."""
    session_id = UUID(context.body["id"])
    await context.database.fetch(statements.revoke_own_by_id, session_id, context.user.id)
    if session_id == context.current_session.session.id:
        context.clear_cookies()
    return {"status": True}


async def names_of(user_agents: Collection[str]) -> dict[str, Names]:
    """What each User-Agent is called."""
    # the patterns take half a second to be made
    return await asyncio.to_thread(_names, user_agents)


def _names(user_agents: Iterable[str]) -> dict[str, Names]:
    names = _namer()
    return {user_agent: names(user_agent) for user_agent in user_agents}


@cache
def _namer() -> Callable[[str], Names]:
    try:
        # the parser in Python takes up to 25 ms for a User-Agent that is made for it; this one is
        # linear
        from ua_parser import Domain, Parser
        from ua_parser.loaders import load_builtins
        from ua_parser.regex import Resolver
    except ImportError:
        return lambda _: (None, None)
    browsers, systems, _ = load_builtins()
    parser, wanted = Parser(Resolver((browsers, systems, []))), Domain.USER_AGENT | Domain.OS

    def names(user_agent: str) -> Names:
        found = parser(user_agent, wanted)
        browser, system = found.user_agent, found.os
        return (
            _name(browser.family, browser.major) if browser else None,
            _name(system.family, system.major) if system else None,
        )

    return names


def _name(family: str, version: str | None) -> str:
    return f"{family} {version}" if version else family


def _is_id(path: str, value: object) -> list[str]:
    wrong = string(path, value)
    if wrong:
        return wrong
    try:
        UUID(str(value))
    except ValueError:
        return [f"[{path}] Invalid UUID"]
    return []


SESSION_ID: Final = Check(_is_id, {"type": "string", "format": "uuid"})

routes: Final = [
    get("/list-devices", list_devices, session="fresh"),
    post(
        "/revoke-device",
        revoke_device,
        body=fields({"id": SESSION_ID}),
        session="session",
        event="session_revoked",
    ),
]
