"""Requests and answers as both doors take and give them: whole."""

from typing import TypeAlias

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope

Header: TypeAlias = tuple[bytes, bytes]
Answer: TypeAlias = tuple[int, list[Header], bytes]
"""Status, headers, body. The list is this answer's own, so more can be added to it."""


def whole(status: int, body: bytes, *headers: Header) -> Answer:
    """The answer with its length, which one without content does not have."""
    if status == 204:
        return status, list(headers), b""
    return status, [*headers, (b"content-length", b"%d" % len(body))], body


async def whole_body(receive: Receive) -> bytes:
    """The whole body of a request. Raises ClientDisconnect."""
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


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
