"""The statements of the auth API and the command line on sessions, and their purge.

Those whose rows a client sees, or writes, are made of the columns that the tables have: with
additional fields by ``SessionStatements.of``, without any they are constants as all the others.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast
from uuid import UUID

import msgspec

from ..relation import Relation
from ..schema import Session, User, sessions, users
from ..sql import (
    Expression,
    Field,
    Order,
    Parameter,
    Query,
    Statement,
    Table,
    named,
    statement,
)
from .fields import given, kept_or_given
from .purges import chunk, row_of

_s, _u = Table("sessions", alias="s"), Table("users", alias="u")
_a = Table("accounts", alias="a")
_seen = Table("session_activity", alias="seen")
_TOKEN, _USER = Parameter("token", "text"), Parameter("user_id", "uuid")
_NOW = Parameter("now", "timestamptz")
_OLD = Parameter("old", "timestamptz")
_EXPIRES_AT = Parameter("expires_at", "timestamptz")


class UserSession(msgspec.Struct, frozen=True):
    """A session and its user."""

    session: Session
    user: User


class PublicSession(msgspec.Struct, frozen=True):
    """A session without its token. Times are UTC."""

    id: UUID
    user_id: UUID
    expires_at: datetime
    ip_address: str
    user_agent: str
    created_at: datetime
    updated_at: datetime
    impersonated_by: UUID | None
    last_seen_at: datetime | None
    """None: not since GATEPOST_LAST_SEEN_EVERY was set, or it is not."""


_TOKENS = Parameter("tokens", "text[]")


def _columns(relation: Relation) -> list[Any]:
    return [_s.field(name) for name in relation.columns]


def _row(relation: Relation) -> Callable[..., Session]:
    return cast("type[Session]", relation.row)


def _user_session(relation: Relation, of_users: Relation) -> Callable[..., UserSession]:
    session, user = _row(relation), cast("type[User]", of_users.row)
    width = len(relation.columns)

    def make(*values: Any) -> UserSession:
        return UserSession(session(*values[:width]), user(*values[width:]))

    return make


def _with_user(relation: Relation, of_users: Relation) -> Any:
    return (
        Query.from_(_s)
        .join(_u)
        .on(Expression("{} = ANY (ARRAY[{}])", _u.id, _s.user_id))
        .select(
            *_columns(relation),
            *(named(_u.field(name), f"user.{name}") for name in of_users.columns),
        )
    )


def _find(relation: Relation, of_users: Relation) -> Statement[UserSession]:
    query = _with_user(relation, of_users).where(
        Expression("{} = ANY (ARRAY(SELECT unnest({})))", _s.token, _TOKENS)
    )
    return statement("sessions.find", query, _user_session(relation, of_users))


def _find_on_shards(relation: Relation, of_users: Relation) -> Statement[UserSession]:
    query = _with_user(relation, of_users).where(Expression("{} = ANY ({})", _s.token, _TOKENS))
    return statement("sessions.find_on_shards", query, _user_session(relation, of_users))


_NEW_ROW: Final = {
    "user_id": _USER,
    "token": _TOKEN,
    "expires_at": _EXPIRES_AT,
    "ip_address": Parameter("ip_address", "text"),
    "user_agent": Parameter("user_agent", "text"),
}


def _new_row(relation: Relation) -> dict[str, Any]:
    fields = [field for field in relation.fields if field.in_new_rows]
    return _NEW_ROW | {field.column: given(field) for field in fields}


def _create(relation: Relation) -> Statement[Session]:
    row = _new_row(relation)
    created = [sessions.table.field(name) for name in relation.columns]
    query = Query.into(sessions.table).columns(*row).insert(*row.values()).returning(*created)
    return statement("sessions.create", query, _row(relation))


def _create_by_password(relation: Relation) -> Statement[Session]:
    row = _new_row(relation)
    return statement(
        "sessions.create_by_password",
        Query.into(sessions.table)
        .columns(*row)
        .from_(_a)
        .select(*row.values())
        .where(
            (_a.provider_id == Parameter("provider", "text"))
            & (_a.account_id == Expression("{}::text", _USER))
            & (_a.password == Parameter("password", "text"))
        )
        .for_update()
        .returning(*(sessions.table.field(name) for name in relation.columns)),
        _row(relation),
    )


def _refresh(relation: Relation) -> Statement[Session]:
    return statement(
        "sessions.refresh",
        Query.update(_s)
        .set(Field("expires_at"), _EXPIRES_AT)
        .where(
            (_s.token == _TOKEN)
            & (_s.expires_at == _OLD)
            & (_s.updated_at == Parameter("updated_at", "timestamptz"))
        )
        .returning(*_columns(relation)),
        _row(relation),
    )


def _of_user(relation: Relation) -> Statement[Session]:
    return statement(
        "sessions.of_user",
        Query.from_(_s)
        .select(*_columns(relation))
        .where((_s.user_id == _USER) & (_s.expires_at > _NOW))
        .orderby(_s.created_at, _s.id)
        .limit(Parameter("limit", "bigint")),
        _row(relation),
    )


def _update(relation: Relation) -> Statement[Session]:
    query = Query.update(_s).where(_s.token == _TOKEN).returning(*_columns(relation))
    for field in relation.fields:
        if field.input:
            query = query.set(Field(field.column), kept_or_given(field, _s))
    return statement("sessions.update", query, _row(relation))


find: Final = _find(sessions, users)
"""Sessions by their tokens, each with its user's columns as ``user.…``.

The join is written so that it cannot be hashed: of a few thousand users PostgreSQL would rather
read all. The sub-select hides how many tokens there are, so a plan for this batch never looks
cheaper than the kept one: PostgreSQL plans five times and no more, without plan_cache_mode, which
is state of a session that a pooler does not know.
"""

find_on_shards: Final = _find_on_shards(sessions, users)
"""The same on a Citus cluster, which asks the shards of the tokens only when it sees how many there
are. Elsewhere it is planned each time, which takes the server half as long again for one token."""

create: Final = _create(sessions)
"""For a transaction that holds what the user has shown, or has just written it."""

create_by_password: Final = _create_by_password(sessions)
"""Only while the stored hash is the one that was checked. The account stays locked until the end of
the transaction: who changes the password afterwards finds this session, and can end it."""

refresh: Final = _refresh(sessions)
"""An UPDATE and no upsert, of the row as it was read and found to be live: what was revoked
meanwhile stays revoked, and of many that refresh at once one writes. None does where the user was
given other limits meanwhile, which moves ``updated_at``."""

of_user: Final = _of_user(sessions)


@dataclass(frozen=True)
class SessionStatements:
    """Those that depend on the columns of sessions, and of users where these are joined."""

    find: Statement[UserSession] = find
    find_on_shards: Statement[UserSession] = find_on_shards
    create: Statement[Session] = create
    create_by_password: Statement[Session] = create_by_password
    refresh: Statement[Session] = refresh
    of_user: Statement[Session] = of_user
    update: Statement[Session] | None = None
    """None: a client may write no field of a session."""

    @classmethod
    def of(cls, relation: Relation, of_users: Relation) -> "SessionStatements":
        if not relation.fields and not of_users.fields:
            return cls()
        writable = any(field.input for field in relation.fields)
        return cls(
            find=_find(relation, of_users),
            find_on_shards=_find_on_shards(relation, of_users),
            create=_create(relation),
            create_by_password=_create_by_password(relation),
            refresh=_refresh(relation),
            of_user=_of_user(relation),
            update=_update(relation) if writable else None,
        )


_newest = Table("sessions", alias="n")
end_replaced: Final = statement(
    "sessions.end_replaced",
    Query.from_(_s)
    .delete()
    .where(
        Expression(
            "{} = ANY (ARRAY({}))",
            _s.id,
            Query.from_(_newest)
            .select(_newest.id)
            .where(
                (_newest.user_id == _USER) & (_newest.expires_at > _NOW) & (_newest.token != _TOKEN)
            )
            .orderby(_newest.created_at, order=Order.desc)
            .orderby(_newest.id, order=Order.desc)
            .offset(Parameter("kept", "bigint")),
        )
        | (_s.token == Parameter("replaced", "text"))
    )
    .returning(_s.id),
)
"""End what a new session replaces: the one of its browser, and those of the user beyond the cap,
of which ``kept`` is the rest. Another sign-in may have begun later, so the new one is left out."""

expire: Final = statement(
    "sessions.expire",
    Query.from_(_s)
    .delete()
    .where(
        (_s.token == _TOKEN)
        & ((_s.expires_at <= _NOW) | (_s.created_at <= Parameter("oldest", "timestamptz")))
    )
    .returning(_s.id),
)
"""Delete a session that was found to have ended, unless it was refreshed meanwhile. ``oldest`` is
when those began that have reached their greatest age, or null."""

_LAST_SEEN: Final = "last_seen_at"


def by_beginning(order: Order) -> Any:
    """The columns of ``PublicSession``, of sessions that are called ``s``."""
    return (
        Query.from_(_s)
        .left_join(_seen)
        .on(_seen.session_id == _s.id)
        .select(
            *(_s.field(name) for name in PublicSession.__struct_fields__ if name != _LAST_SEEN),
            named(_seen.seen_at, _LAST_SEEN),
        )
        .orderby(_s.created_at, order=order)
        .orderby(_s.id, order=order)
        .limit(Parameter("limit", "bigint"))
    )


newest_first: Final = by_beginning(Order.desc)

newest_of_user: Final[Statement[PublicSession]] = statement(
    "sessions.newest_of_user",
    newest_first.where((_s.user_id == _USER) & (_s.expires_at > _NOW)),
    PublicSession,
)
"""What an operator, and the user on a page, sees of a user's sessions."""

newest: Final[Statement[PublicSession]] = statement(
    "sessions.newest",
    newest_first.where(
        Expression(
            "({}, {}) < ({}, {})",
            _s.created_at,
            _s.id,
            Parameter("before", "timestamptz"),
            Parameter("before_id", "uuid"),
        )
        & (_s.expires_at > _NOW)
    ),
    PublicSession,
)
"""The same of all users, from before a session on."""

created_at: Final = statement(
    "sessions.created_at",
    Query.from_(_s).select(_s.created_at).where(_s.id == Parameter("id", "uuid")),
)

hold: Final = statement(
    "sessions.hold",
    Query.from_(_s).select(_s.id).where((_s.token == _TOKEN) & (_s.user_id == _USER)).for_update(),
)
"""A session that is the user's still, and until the end of the transaction."""

revoke_by_id: Final = statement(
    "sessions.revoke_by_id",
    Query.from_(_s).delete().where(_s.id == Parameter("id", "uuid")).returning(_s.id),
)

revoke: Final = statement(
    "sessions.revoke",
    Query.from_(_s).delete().where(_s.token == _TOKEN).returning(_s.user_id, _s.expires_at),
)

revoke_own: Final = statement(
    "sessions.revoke_own",
    Query.from_(_s).delete().where((_s.token == _TOKEN) & (_s.user_id == _USER)).returning(_s.id),
)
"""End a session if it is the user's."""

revoke_own_by_id: Final = statement(
    "sessions.revoke_own_by_id",
    Query.from_(_s)
    .delete()
    .where((_s.id == Parameter("id", "uuid")) & (_s.user_id == _USER))
    .returning(_s.id),
)

revoke_all: Final = statement(
    "sessions.revoke_all", Query.from_(_s).delete().where(_s.user_id == _USER).returning(_s.id)
)

revoke_others: Final = statement(
    "sessions.revoke_others",
    Query.from_(_s).delete().where((_s.user_id == _USER) & (_s.token != _TOKEN)).returning(_s.id),
)

at_address: Final = statement(
    "sessions.at_address",
    Query.from_(_u)
    .join(_s)
    .on(_s.user_id == _u.id)
    .select(_s.id)
    .where(
        (_u.email == Parameter("email", "text"))
        & (_s.ip_address == Parameter("ip_address", "text"))
        & (_s.expires_at > _NOW)
    )
    .limit(Parameter("limit", "bigint")),
)
"""The sessions of the user of a mail address that began at a client's address."""

addresses_of_user: Final = statement(
    "sessions.addresses_of_user", Query.from_(_s).select(_s.ip_address).where(_s.user_id == _USER)
)

any_row: Final = row_of(sessions)

purge: Final = chunk(sessions, lambda row: row.expires_at < Expression("now()"))
