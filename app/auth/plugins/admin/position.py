"""What an administrator has written shows in the lists of the page, also those from a replica.

A cookie says how far the primary had come after their last change.
"""

from contextlib import suppress
from typing import Final

from starlette.responses import Response

from ....database.replica import position_of, read_position
from ....errors import DatabaseError
from ...context import RequestContext

_COOKIE: Final = "wal_position"
_MAX_AGE: Final = 3600
"""Seconds; a replica that is later than this is not one to read lists from."""


async def keep(context: RequestContext, response: Response) -> None:
    """Give the response of a change its cookie."""
    cookies = context.services.cookies
    with suppress(DatabaseError):  # the change is done, whatever becomes of this
        position = await position_of(context.services.database)
        line = cookies.plain(cookies.named(_COOKIE), position, _MAX_AGE)
        response.headers.append("set-cookie", line)


def kept(context: RequestContext) -> int | None:
    """The position of the cookie, when there is one."""
    return read_position(context.cookies.get(context.services.cookies.named(_COOKIE), ""))
