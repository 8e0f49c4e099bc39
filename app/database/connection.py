"""A connection that keeps its statements prepared.

The driver has a cache of its own, and finds a statement in it through half a dozen calls for each
time it is run; a quick request would spend a twentieth of its time on that.
"""

from collections.abc import Awaitable, Sequence
from typing import Any

import asyncpg
from asyncpg.prepared_stmt import PreparedStatement


class Connection(asyncpg.Connection):
    """``keeps`` is how many statements stay prepared: 0 behind a pooler that cannot have them."""

    __slots__ = ("_kept", "keeps")

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.keeps = 0
        self._kept: dict[str, PreparedStatement[Any]] = {}

    def row(self, text: str, arguments: Sequence[Any]) -> Awaitable[Any]:
        """The first row of a statement.

        Raises InvalidCachedStatementError when the schema has changed: then it has to be closed.
        """
        kept = self._kept.get(text)
        return self._first(text, arguments) if kept is None else kept.fetchrow(*arguments)

    async def _first(self, text: str, arguments: Sequence[Any]) -> Any:
        if not self.keeps:
            return await self.fetchrow(text, *arguments)
        prepared = await self.prepare(text)
        if len(self._kept) >= self.keeps:
            del self._kept[next(iter(self._kept))]
        self._kept[text] = prepared
        return await prepared.fetchrow(*arguments)
