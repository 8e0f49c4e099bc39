"""Answers that nobody wants."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse

_FOR_EVER: Final = 3600.0
FAULTS: Final = (
    "slow", "silent", "500", "not_json", "wrong_json", "empty", "redirect", "huge", "nested",
)  # fmt: skip


async def broken(how: str, request: Request) -> Response:
    """The answer of an endpoint that fails as one of ``FAULTS``."""
    match how:
        case "slow":
            return StreamingResponse(_drops(), media_type="application/json")
        case "silent":
            await asyncio.sleep(_FOR_EVER)
            return Response()
        case "500":
            return Response("<h1>Oops</h1>", 500, media_type="text/html")
        case "not_json":
            return Response("<h1>Welcome</h1>", media_type="text/html")
        case "wrong_json":
            return JSONResponse(["one", 2, None])
        case "empty":
            return JSONResponse({})
        case "redirect":
            return RedirectResponse(f"{request.url.path}?followed=1", 307)
        case "huge":
            return StreamingResponse(_flood(), media_type="application/json")
        case "nested":
            return Response("[" * 100_000, media_type="application/json")
        case _:
            raise ValueError(how)


async def _drops() -> AsyncIterator[bytes]:
    while True:
        yield b" "
        await asyncio.sleep(0.5)


async def _flood() -> AsyncIterator[bytes]:
    yield b'{"access_token": "'
    for _ in range(1000):
        yield b"x" * 65536
    yield b'"}'
