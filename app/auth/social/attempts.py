"""A write in one transaction that another request may overtake, and what it is refused for."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from ...database import Transaction
from ...errors import StatementError
from ..context import RequestContext
from .provider import InvalidCodeError
from .refusals import RefusedError

_MOST: Final = 3
_OVERTAKEN: Final = ("23503", "23505")
"""A user is gone, or an address or account is taken, since they were looked up."""
Result = TypeVar("Result")


@dataclass(slots=True)
class Failure:
    """The code if the database refuses what is written now; the write sets it as it goes on."""

    code: str = "unable_to_create_session"


async def attempt(
    context: RequestContext,
    name: str,
    write: Callable[[Transaction, Failure], Awaitable[Result | None]],
) -> Result:
    """What ``write`` gives in a transaction; once more when it gives None, or the database says
    that another request has been faster. Raises RefusedError and DatabaseError."""
    failure = Failure()

    async def work(transaction: Transaction) -> Result:
        for _ in range(_MOST):
            found = await write(transaction, failure)
            if found is not None:
                return found
        raise RefusedError(failure.code)

    for number in range(1, _MOST + 1):
        try:
            return await context.database.transaction(name, work)
        except InvalidCodeError:  # a token that no column takes
            raise RefusedError(failure.code) from None
        except StatementError as error:
            if error.sqlstate[:2] not in ("22", "23"):  # not about what was given
                raise
            if error.sqlstate not in _OVERTAKEN or number == _MOST:
                raise RefusedError(failure.code) from error
    raise RefusedError(failure.code)
