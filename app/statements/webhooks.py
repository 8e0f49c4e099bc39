"""The statements on webhooks, a few rows, and the one that queues events for them.

All times are the database's, so processes whose clocks differ agree on what is due.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from ..schema import Webhook, events, webhook_deliveries, webhooks
from ..sql import AliasedQuery, Expression, Field, Parameter, Query, Statement, Table, statement

_w, _d, _e = (
    Table("webhooks", alias="w"),
    Table("webhook_deliveries", alias="d"),
    Table("events", alias="e"),
)
_columns = [_w.field(name) for name in webhooks.columns]
_ID, _LIMIT = Parameter("id", "uuid"), Parameter("limit", "bigint")
_is_it = _w.id == _ID
_NOW: Final = Expression("now()")
_of_it = _d.webhook_id == _w.id
_waits = _of_it & _d.dead_since.isnull()
_is_old_secret_good = Expression("{} > now()", _w.old_secret_until)
_is_new = Expression("{} < {}", _e.id, Expression(events.served_below or ""))


class Work(msgspec.Struct, frozen=True):
    """A webhook, and whether there is anything to do for it."""

    id: UUID
    url: str
    secret: str
    """Encrypted."""
    old_secret: str | None
    """None also when it signs no more."""
    failing: bool
    paused: bool
    behind: bool
    """Events are to be queued."""
    due: bool
    """Something waits that is due."""


work: Final[Statement[Work]] = statement(
    "webhooks.work",
    Query.from_(_w)
    .select(
        _w.id,
        _w.url,
        _w.secret,
        Expression(
            "CASE WHEN {} THEN {} END", _is_old_secret_good, _w.old_secret, alias="old_secret"
        ),
        Expression("{} IS NOT NULL", _w.failing_since, alias="failing"),
        Expression("{} IS NOT NULL", _w.paused_at, alias="paused"),
        Expression(
            "EXISTS ({})",
            Query.from_(_e).select(_e.id).where((_e.id > _w.queued_to) & _is_new),
            alias="behind",
        ),
        # not EXISTS, for which the whole table might be read until one is found
        Expression(
            "coalesce(({}) <= now(), false)",
            Query.from_(_d)
            .select(_d.next_attempt_at)
            .where(_waits)
            .orderby(_d.next_attempt_at)
            .limit(Parameter("one", "bigint")),
            alias="due",
        ),
    )
    .orderby(_w.id),
    Work,
)
"""What there is to do, whoever asks. Events are queued for a webhook that is paused, too. ``one``:
1."""

_hook, _page, _queued = AliasedQuery("hook"), AliasedQuery("page"), AliasedQuery("queued")
_NOBODY = Expression("'00000000-0000-0000-0000-000000000000'::uuid")
_is_wanted = Expression(
    "({} = '{{}}' OR {} = ANY ({}) OR split_part({}, '.', 1) = ANY ({}))",
    _hook.types,
    _page.type,
    _hook.types,
    _page.type,
    _hook.types,
)


class Queued(msgspec.Struct, frozen=True):
    """How many events were looked at, and how many of them are wanted."""

    seen: int
    queued: int


queue: Final[Statement[Queued]] = statement(
    "webhooks.queue",
    Query.update(_w)
    .materialized(
        Query.from_(_w)
        .select(_w.id, _w.types, _w.queued_to)
        .where(_is_it)
        .for_update(skip_locked=True),
        "hook",
    )
    .materialized(
        # not a join, for which the index would be read from its beginning
        Query.from_(_e)
        .select(_e.id, _e.type, _e.user_id)
        .where(Expression("{} > ({})", _e.id, Query.from_(_hook).select(_hook.queued_to)) & _is_new)
        .orderby(_e.id)
        .limit(_LIMIT),
        "page",
    )
    .with_(
        Query.into(webhook_deliveries.table)
        .columns("webhook_id", "event_id", "user_id")
        .from_(_page)
        .join(_hook)
        .on(_is_wanted)
        .select(_hook.id, _page.id, Expression("coalesce({}, {})", _page.user_id, _NOBODY))
        .on_conflict()
        .do_nothing()
        .returning(webhook_deliveries.table.event_id),
        "queued",
    )
    .from_(_hook)
    .set(Field("queued_to"), Expression("(SELECT id FROM page ORDER BY id DESC LIMIT 1)"))
    .where((_w.id == _hook.id) & Expression("EXISTS (SELECT FROM page)"))
    .returning(
        Expression("(SELECT count(*) FROM page)", alias="seen"),
        Expression("(SELECT count(*) FROM queued)", alias="queued"),
    ),
    Queued,
)
"""Queue the next events of a webhook and move its cursor on. No row: there is none, or another
process is at it. The cursor is read under the lock, so no event is queued twice; what the statement
does not see yet is on a later page."""

create: Final[Statement[Webhook]] = statement(
    "webhooks.create",
    Query.into(webhooks.table)
    .columns("url", "types", "secret", "queued_to")
    .insert(
        Parameter("url", "text"),
        Parameter("types", "text[]"),
        Parameter("secret", "text"),
        Expression(events.served_below or ""),
    )
    .returning(*(webhooks.table.field(name) for name in webhooks.columns)),
    Webhook,
)
"""It gets the events that come from now on."""

by_id: Final[Statement[Webhook]] = statement(
    "webhooks.by_id", Query.from_(_w).select(*_columns).where(_is_it), Webhook
)

every: Final[Statement[Webhook]] = statement(
    "webhooks.every",
    Query.from_(_w).select(*_columns).orderby(_w.created_at, _w.id).limit(_LIMIT),
    Webhook,
)

delete: Final = statement(
    "webhooks.delete", Query.from_(_w).delete().where(_is_it).returning(_w.id)
)

pause: Final[Statement[Webhook]] = statement(
    "webhooks.pause",
    Query.update(_w)
    .set(Field("paused_at"), _NOW)
    .set(Field("pause_reason"), Parameter("reason", "text"))
    .where(_is_it & _w.paused_at.isnull())
    .returning(*_columns),
    Webhook,
)
"""No row: it is paused, or not there."""

resume: Final[Statement[Webhook]] = statement(
    "webhooks.resume",
    Query.update(_w)
    .set(Field("paused_at"), Expression("NULL"))
    .set(Field("pause_reason"), Expression("NULL"))
    .where(_is_it)
    .returning(*_columns),
    Webhook,
)

rotate: Final[Statement[Webhook]] = statement(
    "webhooks.rotate",
    Query.update(_w)
    .set(Field("old_secret"), _w.secret)
    .set(Field("old_secret_until"), Expression("now() + {}", Parameter("grace", "interval")))
    .set(Field("secret"), Parameter("secret", "text"))
    .where(_is_it)
    .returning(*_columns),
    Webhook,
)

failing: Final = statement(
    "webhooks.failing",
    Query.update(_w)
    .set(Field("failing_since"), _NOW)
    .where(_is_it & _w.failing_since.isnull())
    .returning(_w.id),
)
"""A row for the first of all processes that says so."""


class Well(msgspec.Struct, frozen=True):
    """A webhook that fails no more."""

    id: UUID
    failed_since: datetime


_b, _failed = Table("webhooks", alias="b"), Table("webhook_deliveries", alias="f")
_before = AliasedQuery("before")
well: Final[Statement[Well]] = statement(
    "webhooks.well",
    Query.update(_w)
    .materialized(
        Query.from_(_b).select(_b.id, _b.failing_since).where(_b.id == _ID).for_update(), "before"
    )
    .from_(_before)
    .set(Field("failing_since"), Expression("NULL"))
    .where(
        (_w.id == _before.id)
        & _before.failing_since.notnull()
        & Expression(
            "NOT EXISTS ({})",
            Query.from_(_failed)
            .select(_failed.event_id)
            .where(
                (_failed.webhook_id == _before.id)
                & _failed.dead_since.isnull()
                & _failed.last_error.notnull()
            ),
        )
    )
    .returning(_w.id, Expression("{}", _before.failing_since, alias="failed_since")),
    Well,
)
"""When nothing that failed waits any more; a row for the first of all processes that says so."""
