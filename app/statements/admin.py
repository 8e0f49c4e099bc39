"""The statements of the admin plugin, and of ``gatepost admin``.

Those whose rows a client sees are made of the columns that the tables have.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

import msgspec

from ..relation import Relation
from ..schema import Session, User, users
from ..sql import (
    Case,
    Expression,
    Field,
    Parameter,
    Query,
    Record,
    Statement,
    Subquery,
    Table,
    statement,
)
from .fields import kept_or_given
from .users import new_user

_u, _s = Table("users", alias="u"), Table("sessions", alias="s")
_ID, _USER = Parameter("id", "uuid"), Parameter("user_id", "uuid")
_LIMIT = Parameter("limit", "bigint")
_NULL = Expression("NULL")
has_role: Final = Expression(
    "{} <> 'user' AND string_to_array({}, ',') && {}",
    _u.role,
    _u.role,
    Parameter("roles", "text[]"),
)
"""A user ``u`` with one of the roles, none of which may be ``user``."""
_is_administrator = has_role & Expression("(NOT {} OR {} <= now())", _u.banned, _u.ban_expires)


class Standing(msgspec.Struct, frozen=True):
    """What a user may do, and until when it is nothing. Times are UTC."""

    role: str | None
    banned: bool
    ban_expires: datetime | None


hold: Final[Statement[Standing]] = statement(
    "admin.hold",
    Query.from_(_u)
    .select(*(_u.field(name) for name in Standing.__struct_fields__))
    .where(_u.id == _ID)
    .for_update(),
    Standing,
)
"""Of two transactions that ban a user and begin a session the later one sees what the other did."""

standing: Final[Statement[Standing]] = statement(
    "admin.standing",
    Query.from_(_u)
    .select(*(_u.field(name) for name in Standing.__struct_fields__))
    .where(_u.id == _ID),
    Standing,
)

lift_ban: Final = statement(
    "admin.lift_ban",
    Query.update(_u)
    .set(Field("banned"), Expression("false"))
    .set(Field("ban_reason"), _NULL)
    .set(Field("ban_expires"), _NULL)
    .where(_u.id == _ID)
    .returning(_u.id),
)

hold_administrators: Final = statement(
    "admin.hold_administrators",
    Query.from_(_u)
    .select(_u.id)
    .where(_is_administrator)
    .orderby(_u.id)
    .limit(_LIMIT)
    .for_update(),
)
"""The first ones, who are not banned. All who ask wait for the first, so that two who each take one
away see what the other has left."""

administrators: Final[Statement[User]] = statement(
    "admin.administrators",
    Query.from_(_u)
    .select(*(_u.field(name) for name in users.columns))
    .where(_is_administrator & (_u.id > Parameter("after", "uuid")))
    .orderby(_u.id)
    .limit(_LIMIT),
    User,
)

set_role: Final[Statement[User]] = statement(
    "admin.set_role",
    Query.update(_u)
    .set(Field("role"), Parameter("role", "text"))
    .where(_u.id == _ID)
    .returning(*(_u.field(name) for name in users.columns)),
    User,
)

end_sessions: Final = statement(
    "admin.end_sessions",
    Query.from_(_s)
    .delete()
    .where((_s.user_id == _USER) | (_s.impersonated_by == _USER))
    .returning(_s.id),
)
"""Those of a user, and those in which they act as somebody else."""

end_impersonations: Final = statement(
    "admin.end_impersonations",
    Query.from_(_s).delete().where(_s.impersonated_by == _USER).returning(_s.id),
)


def _row(relation: Relation) -> Callable[..., User]:
    return cast("type[User]", relation.row)


def _columns(relation: Relation) -> list[Any]:
    return [_u.field(name) for name in relation.columns]


def _update(relation: Relation) -> Statement[User]:
    query = Query.update(_u).where(_u.id == _ID).returning(*_columns(relation))
    for name, type_ in CORE.items():
        is_given, value = Parameter(f"set_{name}", "boolean"), Parameter(name, type_)
        query = query.set(Field(name), Case().when(is_given, value).else_(_u.field(name)))
    for field in relation.fields:
        query = query.set(Field(field.column), kept_or_given(field, _u))
    return statement("admin.update", query, _row(relation))


CORE: Final = {"name": "text", "email": "text", "email_verified": "boolean", "image": "text"}
"""What an update may change besides the additional fields, by column."""


def _sessions_of(relation: Relation) -> Statement[Session]:
    return statement(
        "admin.sessions_of",
        Query.from_(_s)
        .select(*(_s.field(name) for name in relation.columns))
        .where(_s.user_id == _USER)
        .orderby(_s.created_at, _s.id)
        .limit(_LIMIT),
        cast("type[Session]", relation.row),
    )


@dataclass(frozen=True)
class AdminStatements:
    """Those that depend on the columns of users or sessions."""

    by_id: Statement[User]
    create: Statement[User]
    """A user without a password. No row: somebody has the address."""
    update: Statement[User]
    sessions_of: Statement[Session]
    """Also those that have expired."""

    @classmethod
    def of(cls, relation: Relation, of_sessions: Relation) -> "AdminStatements":
        by_id = Query.from_(_u).select(*_columns(relation)).where(_u.id == _ID)
        return cls(
            by_id=statement("admin.by_id", by_id, _row(relation)),
            create=statement("admin.create", new_user(relation), _row(relation)),
            update=_update(relation),
            sessions_of=_sessions_of(of_sessions),
        )


Match = tuple[str, str, str]
"""A condition of a search: the column, its type, and one of ``OPERATORS``. Its value is the
parameter ``value_N``, N being its place; the range of a prefix also has ``end_N``."""

OPERATORS: Final = {
    "eq": "{} = {}",
    "ne": "{} <> {}",
    "lt": "{} < {}",
    "lte": "{} <= {}",
    "gt": "{} > {}",
    "gte": "{} >= {}",
    "in": "{} = ANY ({})",
    "not_in": "{} <> ALL ({})",
    "like": "{} LIKE {}",
}


def search(
    relation: Relation, matches: tuple[Match, ...], order: str, *, descending: bool
) -> tuple[Statement[User], Statement[Record]]:
    """A page of the users that match, and how many these are, up to ``most``."""
    found = Query.from_(_u)
    for number, match in enumerate(matches):
        found = found.where(_condition(number, match))
    direction = Expression("{} DESC, {} DESC" if descending else "{}, {}", _u.field(order), _u.id)
    page = (
        found.select(*_columns(relation))
        .orderby(direction)
        .limit(_LIMIT)
        .offset(Parameter("offset", "bigint"))
    )
    some = found.select(_u.id).limit(Parameter("most", "bigint"))
    count = Query.from_(Subquery("found", some)).select(Expression("count(*)", alias="total"))
    return (
        statement("admin.search", page, _row(relation)),
        statement("admin.search_count", count),
    )


def _condition(number: int, match: Match) -> Any:
    column, type_, operator = match
    term, value = _u.field(column), f"value_{number}"
    if operator == "prefix":
        end = Parameter(f"end_{number}", type_)
        return (term >= Parameter(value, type_)) & (term < end)
    many = "[]" if operator in ("in", "not_in") else ""
    return Expression(OPERATORS[operator], term, Parameter(value, type_ + many))
