"""The statements of the auth door on verifications, and their purge."""

from typing import Final

from app.schema import verifications
from app.sql import Expression, Parameter, Query, Table, statement
from app.statements.purges import chunk

_v = Table("verifications", alias="v")
_IDENTIFIER = Parameter("identifier", "text")

create: Final = statement(
    "verifications.create",
    Query.into(verifications.table)
    .columns("identifier", "value", "expires_at")
    .select(_IDENTIFIER, Parameter("value", "text"), Parameter("expires_at", "timestamptz"))
    .returning(verifications.table.field("id")),
)

find: Final = statement(
    "verifications.find",
    Query.from_(_v)
    .select(_v.value, _v.expires_at)
    .where(Expression("{} = {}", _v.identifier, _IDENTIFIER))
    .orderby(Expression("{} DESC", _v.created_at))
    .limit(Parameter("limit", "bigint")),
)
"""The newest of an identifier."""

consume: Final = statement(
    "verifications.consume",
    Query.from_(_v)
    .delete()
    .where(Expression("{} = {}", _v.identifier, _IDENTIFIER))
    .returning(_v.value, _v.expires_at, _v.created_at),
)
"""All of an identifier, so that it is good once: of many callers one gets the rows."""

purge: Final = chunk(verifications, lambda row: Expression("{} < now()", row.expires_at))
