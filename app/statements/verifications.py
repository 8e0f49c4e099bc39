"""The statements of the auth API on verifications, and their purge."""

from datetime import datetime
from typing import Final

import msgspec

from ..schema import verifications
from ..sql import Expression, Order, Parameter, Query, Statement, Table, statement
from .purges import chunk, row_of

_v = Table("verifications", alias="v")
_IDENTIFIER = Parameter("identifier", "text")
_is_one = _v.identifier == Expression("ANY ({})", Parameter("identifiers", "text[]"))


class Proof(msgspec.Struct, frozen=True):
    """What an identifier stands for, and until when. Times are UTC."""

    identifier: str
    value: str
    expires_at: datetime
    created_at: datetime


_proof = [_v.field(name) for name in Proof.__struct_fields__]

create: Final = statement(
    "verifications.create",
    Query.into(verifications.table)
    .columns("identifier", "value", "expires_at")
    .insert(_IDENTIFIER, Parameter("value", "text"), Parameter("expires_at", "timestamptz"))
    .returning(verifications.table.field("id")),
)

find: Final[Statement[Proof]] = statement(
    "verifications.find",
    Query.from_(_v)
    .select(*_proof)
    .where(_is_one)
    .orderby(_v.created_at, order=Order.desc)
    .limit(Parameter("limit", "bigint")),
    Proof,
)
"""The newest of the identifiers."""

consume: Final[Statement[Proof]] = statement(
    "verifications.consume",
    Query.from_(_v).delete().where(_is_one).returning(*_proof),
    Proof,
)
"""All of the identifiers, so that they are good once: of many callers one gets the rows."""

_is_of_user = (
    (_v.value == Parameter("user_id", "text")) & Expression("length({}) = 36", _v.value)
) | _is_one

of_user: Final[Statement[Proof]] = statement(
    "verifications.of_user",
    Query.from_(_v).select(*_proof).where(_is_of_user).orderby(_v.created_at),
    Proof,
)

end_of_user: Final[Statement[Proof]] = statement(
    "verifications.end_of_user",
    Query.from_(_v).delete().where(_is_of_user).returning(*_proof),
    Proof,
)
"""All that stand for a user, whose id is their value, and those of the identifiers."""

any_row: Final = row_of(verifications)

purge: Final = chunk(verifications, lambda row: row.expires_at < Expression("now()"))
