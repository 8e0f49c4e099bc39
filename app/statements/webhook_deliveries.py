"""The statements on what waits for webhooks, and on the dead letters.

A delivery is leased by moving on the time from which it may be sent, and by counting the attempt.
Whoever writes its outcome names the number of the attempt: a process that was stopped for so long
that another has the delivery now changes nothing.
"""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from ..sql import (
    AliasedQuery,
    Expression,
    Field,
    Order,
    Parameter,
    Query,
    Statement,
    Table,
    statement,
)

_d, _h, _n = (Table("webhook_deliveries", alias=alias) for alias in ("d", "h", "n"))
_w, _e = Table("webhooks", alias="w"), Table("events", alias="e")
_WEBHOOK, _EVENT = Parameter("webhook_id", "uuid"), Parameter("event_id", "uuid")
_LEASE, _LIMIT = Parameter("lease", "interval"), Parameter("limit", "bigint")
_STATUS, _ERROR = Parameter("status", "bigint"), Parameter("error", "text")
_NOW: Final = Expression("now()")
_NULL: Final = Expression("NULL")
_of_webhook = _d.webhook_id == _WEBHOOK
_waits = _d.dead_since.isnull()
_is_attempt = (
    _of_webhook
    & (_d.event_id == _EVENT)
    & (_d.attempts == Parameter("attempts", "bigint"))
    & _waits
)
_COUNT: Final = Expression("count(*)", alias="count")


class Attempt(msgspec.Struct, frozen=True):
    """A delivery that the caller may send until its lease ends."""

    event_id: UUID
    attempts: int
    """This one is among them."""


class Examined(msgspec.Struct, frozen=True):
    """A delivery that was due; ``leased``: the caller may send it."""

    event_id: UUID
    attempts: int
    leased: bool


_due, _judged, _ranked = (AliasedQuery(name) for name in ("due", "judged", "ranked"))
lease: Final[Statement[Examined]] = statement(
    "webhook_deliveries.lease",
    Query.update(_d)
    .materialized(
        Query.from_(_h)
        .select(_h.event_id, _h.user_id, _h.next_attempt_at)
        .where((_h.webhook_id == _WEBHOOK) & _h.dead_since.isnull() & (_h.next_attempt_at <= _NOW))
        .orderby(_h.next_attempt_at, _h.event_id)
        .limit(_LIMIT)
        .for_update(skip_locked=True),
        "due",
    )
    .with_(
        Query.from_(_due).select(
            _due.event_id,
            _due.next_attempt_at,
            Expression(
                "({})",
                Query.from_(_n)
                .select(_n.next_attempt_at)
                .where(
                    (_n.webhook_id == _WEBHOOK)
                    & (_n.user_id == _due.user_id)
                    & _n.dead_since.isnull()
                    & (_n.event_id < _due.event_id)
                )
                .orderby(_n.event_id)
                .limit(Parameter("one", "bigint")),
                alias="blocked_until",
            ),
        ),
        "judged",
    )
    .with_(
        Query.from_(_judged).select(
            _judged.event_id,
            _judged.blocked_until,
            Expression(
                "count(*) FILTER (WHERE {} IS NULL) OVER (ORDER BY {}, {})",
                _judged.blocked_until,
                _judged.next_attempt_at,
                _judged.event_id,
                alias="place",
            ),
        ),
        "ranked",
    )
    .from_(_ranked)
    .set(
        Field("next_attempt_at"),
        Expression(
            "CASE WHEN {} IS NULL THEN now() + {}"
            " ELSE greatest({}, now()) + interval '1 second' END",
            _ranked.blocked_until,
            _LEASE,
            _ranked.blocked_until,
        ),
    )
    .set(
        Field("attempts"),
        Expression("{} + ({} IS NULL)::integer", _d.attempts, _ranked.blocked_until),
    )
    .where(
        _of_webhook
        & (_d.event_id == _ranked.event_id)
        & (_ranked.blocked_until.notnull() | (_ranked.place <= Parameter("places", "bigint")))
    )
    .returning(
        _d.event_id,
        _d.attempts,
        Expression("{} IS NULL", _ranked.blocked_until, alias="leased"),
    ),
    Examined,
)
"""Of the first ``limit`` deliveries that are due, ``places`` at most are leased, and none before an
earlier one of the same user has gone. Such a one is put off until that is due itself, so that
what cannot be sent is not looked at each time. ``one``: 1."""


def _then_next(name: str, ending: Any) -> Statement[Attempt]:
    """End a delivery and lease the next one of the same user, unless the webhook is paused."""
    ended, following = AliasedQuery("ended"), AliasedQuery("following")
    return statement(
        name,
        Query.update(_h)
        .with_(ending.returning(_d.user_id), "ended")
        .with_(
            Query.from_(_n)
            .select(_n.event_id)
            .where(
                (_n.webhook_id == _WEBHOOK)
                & Expression("{} = ({})", _n.user_id, Query.from_(ended).select(ended.user_id))
                & _n.dead_since.isnull()
                & (_n.event_id != _EVENT)
                & Expression(
                    "EXISTS ({})",
                    Query.from_(_w)
                    .select(_w.id)
                    .where((_w.id == _WEBHOOK) & _w.paused_at.isnull()),
                )
            )
            .orderby(_n.event_id)
            .limit(Parameter("one", "bigint"))
            .for_update(),
            "following",
        )
        .from_(following)
        .set(Field("next_attempt_at"), Expression("now() + {}", _LEASE))
        .set(Field("attempts"), Expression("{} + 1", _h.attempts))
        .where((_h.webhook_id == _WEBHOOK) & (_h.event_id == following.event_id))
        .returning(_h.event_id, _h.attempts),
        Attempt,
    )


delivered: Final = _then_next(
    "webhook_deliveries.delivered", Query.from_(_d).delete().where(_is_attempt)
)
"""The receiver has it."""

died: Final = _then_next(
    "webhook_deliveries.died",
    Query.update(_d)
    .set(Field("dead_since"), _NOW)
    .set(Field("last_status"), _STATUS)
    .set(Field("last_error"), _ERROR)
    .where(_is_attempt),
)
"""It is given up: a dead letter."""

failed: Final = statement(
    "webhook_deliveries.failed",
    Query.update(_d)
    .set(Field("next_attempt_at"), Expression("now() + {}", Parameter("delay", "interval")))
    .set(Field("last_status"), _STATUS)
    .set(Field("last_error"), _ERROR)
    .where(_is_attempt)
    .returning(_d.event_id),
)
"""It is tried again after ``delay``."""

release: Final = statement(
    "webhook_deliveries.release",
    Query.update(_d)
    .set(Field("next_attempt_at"), _NOW)
    .set(Field("attempts"), Expression("{} - 1", _d.attempts))
    .where(_is_attempt)
    .returning(_d.event_id),
)
"""Give a lease back: as far as is known it was not sent."""

_moved = AliasedQuery("moved")
hasten: Final = statement(
    "webhook_deliveries.hasten",
    Query.from_(_moved)
    .select(_COUNT)
    .with_(
        Query.update(_d)
        .set(Field("next_attempt_at"), _NOW)
        .where(_of_webhook & _waits & (_d.next_attempt_at > Expression("now() + {}", _LEASE)))
        .returning(_d.event_id),
        "moved",
    ),
)
"""What waits for longer than a lease, and so is not under way, is due now; gives its number."""

revive: Final = statement(
    "webhook_deliveries.revive",
    Query.from_(_moved)
    .select(_COUNT)
    .with_(
        Query.update(_d)
        .set(Field("dead_since"), _NULL)
        .set(Field("attempts"), Expression("0"))
        .set(Field("next_attempt_at"), _NOW)
        .where(
            _of_webhook
            & _d.dead_since.notnull()
            & Expression(
                "({} IS NULL OR {} = ANY ({}))",
                Parameter("events", "uuid[]"),
                _d.event_id,
                Parameter("events", "uuid[]"),
            )
        )
        .returning(_d.event_id),
        "moved",
    ),
)
"""Dead letters, those of ``events`` or with null all, begin anew; gives their number."""


class DeadLetter(msgspec.Struct, frozen=True):
    """An event that a webhook did not get; times are UTC."""

    webhook_id: UUID
    event_id: UUID
    type: str | None
    """None: the event is not kept any more."""
    user_id: UUID
    attempts: int
    last_status: int | None
    last_error: str | None
    dead_since: datetime


dead: Final[Statement[DeadLetter]] = statement(
    "webhook_deliveries.dead",
    Query.from_(_d)
    .select(
        _d.webhook_id,
        _d.event_id,
        Expression(
            "({})",
            Query.from_(_e).select(_e.type).where(_e.id == _d.event_id),
            alias="type",
        ),
        _d.user_id,
        _d.attempts,
        _d.last_status,
        _d.last_error,
        _d.dead_since,
    )
    .where(
        _d.dead_since.notnull()
        & Expression("({} IS NULL OR {} = {})", _WEBHOOK, _d.webhook_id, _WEBHOOK)
    )
    .orderby(_d.dead_since, _d.webhook_id, _d.event_id, order=Order.desc)
    .limit(_LIMIT),
    DeadLetter,
)
"""The newest dead letters, of a webhook or with null of all."""


class Load(msgspec.Struct, frozen=True):
    """What waits, and what is dead."""

    waiting: int
    dead: int
    oldest: timedelta | None
    """The age of the oldest event that waits."""


def _load(name: str, *, one: bool) -> Statement[Load]:
    """The counts of a webhook, or of all together."""

    def count(condition: Any) -> Any:
        return Query.from_(_d).select(Expression("count(*)")).where(some(_d, condition))

    def some(table: Any, condition: Any) -> Any:
        return condition & (table.webhook_id == _WEBHOOK) if one else condition

    # min() of uuid is not in PostgreSQL before 18; the text has the same order
    first = (
        Query.from_(_n)
        .select(Expression("min({}::text)::uuid", _n.event_id))
        .where(some(_n, _n.dead_since.isnull()))
    )
    age = Query.from_(_e).select(Expression("now() - {}", _e.created_at))
    return statement(
        name,
        Query.select(
            Expression("({})", count(_waits), alias="waiting"),
            Expression("({})", count(_d.dead_since.notnull()), alias="dead"),
            Expression("({})", age.where(Expression("{} = ({})", _e.id, first)), alias="oldest"),
        ),
        Load,
    )


load: Final = _load("webhook_deliveries.load", one=False)
load_of: Final = _load("webhook_deliveries.load_of", one=True)


class Failure(msgspec.Struct, frozen=True):
    """A delivery that has failed and is tried again. Times are UTC."""

    event_id: UUID
    attempts: int
    next_attempt_at: datetime
    last_status: int | None
    last_error: str


first_failed: Final[Statement[Failure]] = statement(
    "webhook_deliveries.first_failed",
    Query.from_(_d)
    .select(*(_d.field(name) for name in Failure.__struct_fields__))
    .where(_of_webhook & _waits & _d.last_error.notnull())
    .orderby(_d.event_id)
    .limit(_LIMIT),
    Failure,
)
"""The oldest of a webhook."""

_old = Table("webhook_deliveries", alias="o")
_gone = AliasedQuery("gone")
purge: Final = statement(
    "webhook_deliveries.purge",
    Query.from_(_gone)
    .select(Expression("count(*)", alias="deleted"))
    .with_(
        Query.from_(_d)
        .delete()
        .where(
            Expression(
                "{} = ANY (ARRAY({}))",
                _d.ctid,
                Query.from_(_old)
                .select(_old.ctid)
                .where(Expression("{} < now() - {}", _old.dead_since, Parameter("age", "interval")))
                .orderby(_old.dead_since)
                .limit(_LIMIT)
                .for_update(skip_locked=True),
            )
            & _d.dead_since.notnull()
        )
        .returning(_d.event_id),
        "gone",
    ),
)
"""Delete the oldest ``limit`` dead letters that are older than that."""
