"""The receipts of erased users."""

from typing import Final

from ..schema import Erasure, erasures
from ..sql import Expression, Parameter, Query, Statement, Table, statement

_e = Table("erasures", alias="e")

create: Final[Statement[Erasure]] = statement(
    "erasures.create",
    Query.into(erasures.table)
    .columns("user_pseudonym", "email_pseudonym", "counts")
    .insert(
        Parameter("user_pseudonym", "text"),
        Parameter("email_pseudonym", "text"),
        Parameter("counts", "jsonb"),
    )
    .returning(*(erasures.table.field(name) for name in erasures.columns)),
    Erasure,
)

_PSEUDONYMS = Parameter("pseudonyms", "text[]")

find: Final[Statement[Erasure]] = statement(
    "erasures.find",
    Query.from_(_e)
    .select(*(_e.field(name) for name in erasures.columns))
    .where(
        Expression("{} = ANY ({})", _e.user_pseudonym, _PSEUDONYMS)
        | Expression("{} = ANY ({})", _e.email_pseudonym, _PSEUDONYMS)
    )
    .orderby(_e.erased_at, _e.id),
    Erasure,
)
"""Those of an id or an address, by what stands for it under each secret."""
