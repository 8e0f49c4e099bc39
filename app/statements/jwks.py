"""The statements of the jwt plugin on its keys. The table has a few rows."""

from typing import Final

from ..schema import Jwk, jwks
from ..sql import Expression, Field, Order, Parameter, Query, Statement, Table, statement

_k = Table("jwks", alias="k")
_columns = [_k.field(name) for name in jwks.columns]
_written = [jwks.table.field(name) for name in jwks.columns]
_LIMIT = Parameter("limit", "bigint")

every: Final[Statement[Jwk]] = statement(
    "jwks.every",
    Query.from_(_k).select(*_columns).orderby(_k.created_at, _k.id, order=Order.desc).limit(_LIMIT),
    Jwk,
)
"""The newest first."""

create: Final[Statement[Jwk]] = statement(
    "jwks.create",
    Query.into(jwks.table)
    .columns("public_key", "private_key", "alg", "crv", "expires_at")
    .insert(
        Parameter("public_key", "text"),
        Parameter("private_key", "text"),
        Parameter("alg", "text"),
        Parameter("crv", "text"),
        Parameter("expires_at", "timestamptz"),
    )
    .returning(*_written),
    Jwk,
)

retire: Final[Statement[Jwk]] = statement(
    "jwks.retire",
    Query.update(_k)
    .set(Field("expires_at"), Expression("greatest(now(), {} + interval '1 ms')", _k.created_at))
    .where(_k.id == Parameter("id", "uuid"))
    .returning(*_columns),
    Jwk,
)
"""It signs no more from now on, and is published until its grace is over."""

delete: Final = statement(
    "jwks.delete",
    Query.from_(_k).delete().where(_k.id == Parameter("id", "uuid")).returning(_k.id),
)
"""What it signed is refused at once, by whoever asks for the keys anew."""

lock: Final = statement(
    "jwks.lock",
    Query.select(Expression("pg_advisory_xact_lock({})", Parameter("key", "bigint"), alias="lock")),
)
"""For a transaction that makes a key: of several at once one does, and the others find it."""
