"""Lookups of one session that come while its request is under way share the next one.

A page asks a backend for several things at once, and each of them asks who it is. A lookup never
joins a request that was sent before it began: what was revoked by then is refused. Nothing is kept.
"""

import asyncio
from typing import Final

import httpx

from .credentials import Credentials

MAX_WAIT: Final = 0.05
"""Seconds that lookups wait for the request before theirs; then the two run side by side."""

_Outcome = httpx.Response | httpx.HTTPError


class SharedRequests:
    """Sends the requests of an HTTP client, at best one at a time for each session."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._waiting: dict[Credentials, asyncio.Task[_Outcome]] = {}
        """Those that are not sent yet, and can be joined."""
        self._sent: dict[Credentials, asyncio.Task[_Outcome]] = {}

    async def send(self, whose: Credentials, request: httpx.Request) -> httpx.Response:
        """The answer to ``request``, or to one for the same session that is sent after this call.

        Raises httpx.HTTPError. One caller that is cancelled leaves the others their answer.
        """
        task = self._waiting.get(whose)
        if task is None or task.done():
            task = self._waiting[whose] = asyncio.create_task(self._send(whose, request))
        await asyncio.wait([task])
        outcome = task.result()
        if isinstance(outcome, httpx.HTTPError):
            raise outcome
        return outcome

    async def _send(self, whose: Credentials, request: httpx.Request) -> _Outcome:
        if before := self._sent.get(whose):
            await asyncio.wait([before], timeout=MAX_WAIT)
        this = self._sent[whose] = self._waiting.pop(whose)
        try:
            return await self._http.send(request, follow_redirects=False)
        except httpx.HTTPError as error:  # given, for perhaps nobody waits for it any more
            return error
        finally:
            if self._sent.get(whose) is this:  # or a later one, which did not wait
                del self._sent[whose]
