"""The purge: deleting a chunk of a table, and the lease that lets one process purge at a time.

All times are the database's: a service with a wrong clock must not delete valid sessions.
"""

from collections.abc import Callable
from typing import Any, Final

from ..relation import Relation
from ..schema import purges
from ..sql import Expression, Field, Parameter, Query, Record, Statement, Table, statement


def chunk(relation: Relation, has_expired: Callable[[Any], Any]) -> Statement[Record]:
    """Delete what has expired from the row address ``first`` up to ``end``, and count it.

    There is no index for this: with one on expires_at, every refresh of a session would have to
    update all indexes of the table. Rows that another transaction has locked are skipped.
    """
    row, old = (Table(relation.name, alias=alias) for alias in ("r", "o"))
    gone = Table("gone")
    found = (
        Query.from_(old)
        .select(old.ctid)
        .where(
            (old.ctid >= Parameter("first", "tid"))
            & (old.ctid < Parameter("end", "tid"))
            & has_expired(old)
        )
        .for_update(skip_locked=True)
    )
    deleted = (
        Query.from_(row)
        .delete()
        .where(Expression("{} = ANY (ARRAY({}))", row.ctid, found) & has_expired(row))
        .returning(row.ctid)
    )
    return statement(
        f"{relation.name}.purge",
        Query.from_(gone).select(Expression("count(*)", alias="deleted")).with_(deleted, "gone"),
    )


def row_of(relation: Relation) -> Statement[Record]:
    """A row of a table, if it has one, wherever that may be; ``limit``: 1."""
    row = Table(relation.name, alias="r")
    key = row.field(relation.primary_key[0])
    query = Query.from_(row).select(key).orderby(key).limit(Parameter("limit", "bigint"))
    return statement(f"{relation.name}.any_row", query)


_p = Table("purges", alias="p")
_RELATION = Parameter("relation", "text")
_is_it = _p.field("name") == Parameter("name", "text")
_is_ours = _is_it & (_p.leased_until == Parameter("lease", "timestamptz"))
_NOW: Final = Expression("now()")
_until = Expression("now() + {}", Parameter("length", "interval"))
_default = Expression("DEFAULT")

create: Final = statement(
    "purges.create",
    Query.into(purges.table)
    .columns("name")
    .insert(Parameter("name", "text"))
    .on_conflict("name")
    .do_nothing(),
)

claim: Final = statement(
    "purges.claim",
    Query.update(_p)
    .set(Field("leased_until"), _until)
    .where(
        _is_it
        & (_p.leased_until.isnull() | (_p.leased_until <= _NOW))
        & (
            _p.finished_at.isnull()
            | (_p.finished_at <= Expression("now() - {}", Parameter("interval", "interval")))
            | Parameter("forced", "boolean")
        )
    )
    .returning(_p.relation, _p.next_page, _p.leased_until),
)
"""Take the lease. No row: another process holds it, or no pass is due."""

pages: Final = statement(
    "purges.pages",
    Query.select(
        Expression(
            "pg_relation_size({}::regclass) / current_setting('block_size')::bigint",
            _RELATION,
            alias="pages",
        )
    ),
)

advance: Final = statement(
    "purges.advance",
    Query.update(_p)
    .set(Field("relation"), _RELATION)
    .set(Field("next_page"), Parameter("next_page", "bigint"))
    .set(Field("leased_until"), _until)
    .where(_is_ours)
    .returning(_p.leased_until),
)
"""Record the progress and extend the lease. No row: it lapsed, and another process took it."""

finish: Final = statement(
    "purges.finish",
    Query.update(_p)
    .set(Field("relation"), _default)
    .set(Field("next_page"), _default)
    .set(Field("leased_until"), _default)
    .set(Field("finished_at"), _NOW)
    .where(_is_ours)
    .returning(_p.finished_at),
)

age: Final = statement(
    "purges.age",
    Query.from_(_p).select(Expression("now() - {}", _p.finished_at, alias="age")).where(_is_it),
)
"""How long ago the last pass ended; null: none has."""

last: Final = statement(
    "purges.last", Query.from_(_p).select(_p.relation, _p.finished_at).where(_is_it)
)
"""The table that the pass under way has come to, and when the last one ended."""

release: Final = statement(
    "purges.release",
    Query.update(_p).set(Field("leased_until"), _default).where(_is_ours).returning(_p.name),
)
"""Give the lease back before the end of the pass, so that another process can continue it."""
