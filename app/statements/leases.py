"""The statements on leases: who does what one process shall do at a time.

A lease is a row of verifications that expires, so it is purged with the others; its id, which the
caller derives from what is leased, makes it the only one. All times are the database's.
"""

from typing import Final

import msgspec

from ..schema import verifications
from ..sql import Expression, Parameter, Query, Statement, Table, statement

_v = Table("verifications", alias="v")
_ID, _IDENTIFIER = Parameter("id", "uuid"), Parameter("identifier", "text")
_OWNER = Parameter("owner", "text")
_is_it = (_v.identifier == _IDENTIFIER) & (_v.id == _ID)
_has_expired = _v.expires_at <= Expression("now()")


class Lease(msgspec.Struct, frozen=True):
    """Whether a lease has expired that nobody gave back."""

    expired: bool


end_expired: Final = statement(
    "leases.end_expired",
    Query.from_(_v).delete().where(_is_it & _has_expired).returning(_v.id),
)

take: Final = statement(
    "leases.take",
    Query.into(verifications.table)
    .columns("id", "identifier", "value", "expires_at")
    .insert(_ID, _IDENTIFIER, _OWNER, Expression("now() + {}", Parameter("length", "interval")))
    .on_conflict()
    .do_nothing()
    .returning(verifications.table.field("id")),
)
"""No row: somebody has it."""

look: Final[Statement[Lease]] = statement(
    "leases.look",
    Query.from_(_v).select(Expression("{}", _has_expired, alias="expired")).where(_is_it),
    Lease,
)

release: Final = statement(
    "leases.release",
    Query.from_(_v).delete().where(_is_it & (_v.value == _OWNER)).returning(_v.id),
)
"""Give it back, unless it expired and is another's now."""
