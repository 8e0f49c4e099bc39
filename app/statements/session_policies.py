"""The statements on the limits of a user's sessions, and on the sessions that these limit.

All times are the database's, as those of the purge.
"""

from typing import Any, Final

from ..schema import SessionPolicy, session_policies
from ..sql import Expression, Field, Order, Parameter, Query, Statement, Table, statement

_p, _s = Table("session_policies", alias="p"), Table("sessions", alias="s")
_newest = Table("sessions", alias="n")
_USER = Parameter("user_id", "uuid")
_LIMITS: Final = ("lifetime", "idle_lifetime", "max_sessions")
_NOW: Final = Expression("now()")

of_user: Final[Statement[SessionPolicy]] = statement(
    "session_policies.of_user",
    Query.from_(_p)
    .select(*(_p.field(name) for name in session_policies.columns))
    .where(_p.user_id == _USER),
    SessionPolicy,
)


def _put() -> Statement[SessionPolicy]:
    given = [Parameter(name, "bigint") for name in _LIMITS]
    query = (
        Query.into(session_policies.table)
        .columns("user_id", *_LIMITS)
        .insert(_USER, *given)
        .on_conflict("user_id")
    )
    for name in _LIMITS:
        query = query.do_update(name, Expression(f'EXCLUDED."{name}"'))
    columns = (session_policies.table.field(name) for name in session_policies.columns)
    return statement("session_policies.put", query.returning(*columns), SessionPolicy)


put: Final = _put()
"""Give a user these limits, whatever there were."""

remove: Final = statement(
    "session_policies.remove",
    Query.from_(_p).delete().where(_p.user_id == _USER).returning(_p.user_id),
)

_LIFETIME = Parameter("lifetime", "interval")
_IDLE = Parameter("idle_lifetime", "interval")

end: Final = statement(
    "session_policies.end",
    Query.from_(_s)
    .delete()
    .where(
        Expression(
            "{} = ANY (ARRAY({}))",
            _s.id,
            Query.from_(_newest)
            .select(_newest.id)
            .where((_newest.user_id == _USER) & (_newest.expires_at > _NOW))
            .orderby(_newest.created_at, order=Order.desc)
            .orderby(_newest.id, order=Order.desc)
            .offset(Parameter("kept", "bigint")),
        )
        | (
            (_s.user_id == _USER)
            & (_s.expires_at > _NOW)
            & Expression("{} + {} <= now()", _s.created_at, _LIFETIME)
        )
    )
    .returning(_s.id),
)
"""End what is older than a user's sessions may get, and the oldest beyond ``kept``."""

shorten: Final = statement(
    "session_policies.shorten",
    Query.update(_s)
    .set(
        Field("expires_at"),
        Expression(
            "LEAST({}, now() + {}, {} + {})", _s.expires_at, _IDLE, _s.created_at, _LIFETIME
        ),
    )
    .where((_s.user_id == _USER) & (_s.expires_at > _NOW))
    .returning(_s.id),
)
"""Let a user's sessions end within these limits. Each is written, also one that ends soon enough:
a refresh under way that knew other limits then finds no longer what it has read."""


def _enforce() -> Statement[Any]:
    chunk = (
        Query.from_(_p)
        .select(_p.user_id)
        .where(_p.user_id > Parameter("after", "uuid"))
        .orderby(_p.user_id)
        .limit(Parameter("limit", "bigint"))
    )
    users, shortened = Table("limited"), Table("shortened")
    ends = Expression(
        "(SELECT LEAST(now() + make_interval(secs => p.idle_lifetime),"
        " {} + make_interval(secs => p.lifetime)) FROM session_policies p WHERE p.user_id = {})",
        _s.created_at,
        _s.user_id,
    )
    update = (
        Query.update(_s)
        .set(Field("expires_at"), ends)
        .where(
            Expression("{} = ANY (ARRAY({}))", _s.user_id, Query.from_(users).select(users.user_id))
            & (_s.expires_at > _NOW)
            & Expression("{} > {} + interval '1 minute'", _s.expires_at, ends)
        )
        .returning(_s.id)
    )
    query = (
        Query.from_(users)
        .select(
            Expression("max({}::text)::uuid", users.user_id, alias="last"),
            Expression("(SELECT count(*) FROM {})", shortened, alias="shortened"),
        )
        .with_(chunk, "limited")
        .with_(update, "shortened")
    )
    return statement("session_policies.enforce", query)


enforce: Final = _enforce()
"""Shorten what another server has prolonged beyond the limits of the next ``limit`` users; gives
the ``last`` of these, or null. A minute more than allowed is left alone: clocks differ."""
