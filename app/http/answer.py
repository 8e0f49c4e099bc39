"""An answer as both doors give it: whole, before any of it is sent."""

from collections.abc import Callable
from typing import TypeAlias

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope

Header: TypeAlias = tuple[bytes, bytes]
Answer: TypeAlias = tuple[int, list[Header], bytes]
"""Status, headers, body. The list is this answer's own, so more can be added to it."""
Done: TypeAlias = Callable[[Answer | None], None]
"""Takes an answer once it is there, or None when it has to be found another way."""


def whole(status: int, body: bytes, *headers: Header) -> Answer:
    """The answer with its length, which one without content does not have."""
    if status == 204:
        return status, list(headers), b""
    return status, [*headers, (b"content-length", b"%d" % len(body))], body


def of(response: Response) -> Answer:
    """The answer that a Response is."""
    return response.status_code, response.raw_headers, bytes(response.body)


async def collected(app: ASGIApp, scope: Scope, receive: Receive) -> Answer:
    """The answer that an ASGI application sends."""
    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, send)
    start, *parts = messages
    return start["status"], list(start["headers"]), b"".join(part["body"] for part in parts)
