"""The statements of the auth API on sessions, and their purge."""

from typing import Any, Final

import msgspec

from app.schema import Session, User, sessions, users
from app.sql import (
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
from app.statements.purges import chunk, row_of

_s, _u = Table("sessions", alias="s"), Table("users", alias="u")
_a = Table("accounts", alias="a")
_columns = [_s.field(name) for name in sessions.columns]
_TOKEN, _USER = Parameter("token", "text"), Parameter("user_id", "uuid")
_NOW = Parameter("now", "timestamptz")
_OLD = Parameter("old", "timestamptz")
_EXPIRES_AT = Parameter("expires_at", "timestamptz")
_WIDTH: Final = len(sessions.columns)


class UserSession(msgspec.Struct, frozen=True):
    """A session and its user."""

    session: Session
    user: User


def _user_session(*values: Any) -> UserSession:
    return UserSession(Session(*values[:_WIDTH]), User(*values[_WIDTH:]))


_TOKENS = Parameter("tokens", "text[]")
_with_user = (
    Query.from_(_s)
    .join(_u)
    .on(Expression("{} = ANY (ARRAY[{}])", _u.id, _s.user_id))
    .select(*_columns, *(named(_u.field(name), f"user.{name}") for name in users.columns))
)

find: Final[Statement[UserSession]] = statement(
    "sessions.find",
    _with_user.where(Expression("{} = ANY (ARRAY(SELECT unnest({})))", _s.token, _TOKENS)),
    _user_session,
)
"""Sessions by their tokens, each with its user's columns as ``user.…``.

The join is written so that it cannot be hashed: of a few thousand users PostgreSQL would rather
read all. The sub-select hides how many tokens there are, so a plan for this batch never looks
cheaper than the kept one: PostgreSQL plans five times and no more, without plan_cache_mode, which
is state of a session that a pooler does not know.
"""

find_on_shards: Final[Statement[UserSession]] = statement(
    "sessions.find_on_shards",
    _with_user.where(Expression("{} = ANY ({})", _s.token, _TOKENS)),
    _user_session,
)
"""The same on a Citus cluster, which asks the shards of the tokens only when it sees how many there
are. Elsewhere it is planned each time, which takes the server half as long again for one token."""

_new_row = (
    _USER,
    _TOKEN,
    _EXPIRES_AT,
    Parameter("ip_address", "text"),
    Parameter("user_agent", "text"),
)
_into = Query.into(sessions.table).columns(
    "user_id", "token", "expires_at", "ip_address", "user_agent"
)
_created = [sessions.table.field(name) for name in sessions.columns]

create: Final[Statement[Session]] = statement(
    "sessions.create", _into.insert(*_new_row).returning(*_created), Session
)
"""For a transaction that holds what the user has shown, or has just written it."""

create_by_password: Final[Statement[Session]] = statement(
    "sessions.create_by_password",
    _into.from_(_a)
    .select(*_new_row)
    .where(
        (_a.provider_id == Parameter("provider", "text"))
        & (_a.account_id == Expression("{}::text", _USER))
        & (_a.password == Parameter("password", "text"))
    )
    .for_update()
    .returning(*_created),
    Session,
)
"""Only while the stored hash is the one that was checked. The account stays locked until the end of
the transaction: who changes the password afterwards finds this session, and can end it."""

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

refresh: Final[Statement[Session]] = statement(
    "sessions.refresh",
    Query.update(_s)
    .set(Field("expires_at"), _EXPIRES_AT)
    .where((_s.token == _TOKEN) & (_s.expires_at == _OLD))
    .returning(*_columns),
    Session,
)
"""An UPDATE and no upsert, of the row as it was read and found to be live: what was revoked
meanwhile stays revoked, and of many that refresh at once one writes."""

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

of_user: Final[Statement[Session]] = statement(
    "sessions.of_user",
    Query.from_(_s)
    .select(*_columns)
    .where((_s.user_id == _USER) & (_s.expires_at > _NOW))
    .orderby(_s.created_at, _s.id)
    .limit(Parameter("limit", "bigint")),
    Session,
)

revoke: Final = statement(
    "sessions.revoke", Query.from_(_s).delete().where(_s.token == _TOKEN).returning(_s.id)
)

revoke_own: Final = statement(
    "sessions.revoke_own",
    Query.from_(_s).delete().where((_s.token == _TOKEN) & (_s.user_id == _USER)).returning(_s.id),
)
"""End a session if it is the user's."""

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

any_row: Final = row_of(sessions)

purge: Final = chunk(sessions, lambda row: row.expires_at < Expression("now()"))
