"""Results that come by a callback, for what is too quick to be worth a task.

``ask(done)`` gives back how to give it up, or None when it does not take it. Otherwise ``done`` is
called once and never before ``ask`` is over: with a result and None, or with None and the failure.
"""

import asyncio
from collections.abc import Callable
from typing import Any, TypeAlias

Done: TypeAlias = Callable[[Any, Exception | None], None]
GiveUp: TypeAlias = Callable[[], None]


async def awaited(ask: Callable[[Done], GiveUp | None]) -> Any:
    """The result, or the failure raised; None when it is not taken."""
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def done(result: Any, failure: Exception | None) -> None:
        if future.done():  # nobody waits any more
            return
        if failure is None:
            future.set_result(result)
        else:
            future.set_exception(failure)

    give_up = ask(done)
    if give_up is None:
        return None
    try:
        return await future
    except asyncio.CancelledError:
        give_up()
        raise


def nothing() -> None:
    """Giving up what ends by itself."""
