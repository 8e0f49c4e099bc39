"""Every fixed statement, one module a table. The REST door's are made per request shape."""

from typing import Final

from app.sql import Statement
from app.statements import (
    accounts,
    catalogue,
    migrations,
    purges,
    rate_limits,
    sessions,
    users,
    verifications,
)

ALL: Final[tuple[Statement, ...]] = tuple(
    value
    for module in (
        *(users, sessions, accounts, verifications, rate_limits, purges),
        *(catalogue, migrations),
    )
    for value in vars(module).values()
    if isinstance(value, Statement)
)
