"""A limit for the body of a request, kept before it is read."""

from starlette.types import Message, Receive, Scope

from .errors import RequestTooLargeError


def limited(scope: Scope, receive: Receive, limit: int) -> Receive:
    """``receive``, which raises RequestTooLargeError for a body of more than ``limit`` bytes.

    It does so before it reads what was declared to be longer.
    """
    declared = next((v for n, v in scope["headers"] if n == b"content-length"), b"")
    digits = declared.strip().lstrip(b"0")
    too_large = digits.isdigit() and int(digits[:20]) > limit
    received = 0

    async def receive_limited() -> Message:
        nonlocal received
        if too_large:
            raise RequestTooLargeError(limit)
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit:
            raise RequestTooLargeError(limit)
        return message

    return receive_limited
