"""The tables and their rows, in the order of db/schema.sql: the one place that exports the schema.

Each table is a msgspec Struct, the row as selected, and a Relation, which adds what the Struct
cannot say: defaults and keys. The types of rows to insert and to update follow from them. A test
holds every name, type, default, nullability and key against the live catalogue.
"""

import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property
from types import MappingProxyType
from typing import Annotated, Final
from uuid import UUID

import msgspec

from .relation import (
    GUARDED,
    SETTLED,
    AdditionalField,
    ForeignKey,
    Int32,
    Int64,
    Json,
    Relation,
    Secret,
)


class User(msgspec.Struct, frozen=True):
    """A row of ``users``. Times are UTC.

    Whoever changes an address can have a new password mailed to it.
    """

    id: Annotated[UUID, SETTLED]
    name: str
    email: Annotated[str, SETTLED]
    email_verified: Annotated[bool, SETTLED]
    image: str | None
    created_at: datetime
    updated_at: datetime
    role: Annotated[str, GUARDED] | None
    banned: Annotated[bool, GUARDED]
    ban_reason: Annotated[str, GUARDED] | None
    ban_expires: Annotated[datetime, GUARDED] | None


class Session(msgspec.Struct, frozen=True):
    """A row of ``sessions``. Times are UTC."""

    id: Annotated[UUID, SETTLED]
    user_id: Annotated[UUID, GUARDED]
    token: Secret
    expires_at: Annotated[datetime, GUARDED]
    ip_address: str
    user_agent: str
    created_at: datetime
    updated_at: datetime
    impersonated_by: Annotated[UUID, GUARDED] | None


class Account(msgspec.Struct, frozen=True):
    """A row of ``accounts``. Times are UTC."""

    id: Annotated[UUID, SETTLED]
    user_id: Annotated[UUID, GUARDED]
    account_id: Annotated[str, GUARDED]
    provider_id: Annotated[str, GUARDED]
    access_token: Secret | None
    refresh_token: Secret | None
    id_token: Secret | None
    access_token_expires_at: Annotated[datetime, GUARDED] | None
    refresh_token_expires_at: Annotated[datetime, GUARDED] | None
    scope: str | None
    password: Secret | None
    created_at: datetime
    updated_at: datetime


class Verification(msgspec.Struct, frozen=True):
    """A row of ``verifications``. Times are UTC.

    Both texts are secret: Better Auth keeps the token of a password reset in ``identifier`` (who
    reads it takes the account over), and the code that a plugin sent in ``value``.
    """

    id: Annotated[UUID, GUARDED]
    identifier: Secret
    value: Secret
    expires_at: Annotated[datetime, GUARDED]
    created_at: Annotated[datetime, GUARDED]
    updated_at: Annotated[datetime, GUARDED]


class RateLimit(msgspec.Struct, frozen=True):
    """A row of ``rate_limits``. ``last_request`` is in milliseconds since 1970 UTC."""

    id: UUID
    key: str
    count: Int32
    last_request: Int64


class Jwk(msgspec.Struct, frozen=True):
    """A row of ``jwks``, a key that signs tokens. Times are UTC."""

    id: UUID
    public_key: str
    private_key: Secret
    alg: str | None
    crv: str | None
    created_at: datetime
    expires_at: datetime | None


class Event(msgspec.Struct, frozen=True):
    """A row of ``events``: what happened, to whom and by whom. Times are UTC."""

    id: UUID
    """Also the cursor: ordered as the transactions began to write."""
    created_at: datetime
    type: str
    user_id: UUID | None
    session_id: UUID | None
    account_id: UUID | None
    changed: list[str] | None
    before: Json | None
    after: Json | None
    actor_id: UUID | None
    impersonator_id: UUID | None
    key_name: str | None
    ip_address: str | None
    request_id: str | None
    role: str


class Erasure(msgspec.Struct, frozen=True):
    """A row of ``erasures``, the receipt of an erased user. Times are UTC."""

    id: UUID
    user_pseudonym: str
    email_pseudonym: str
    counts: Json
    """Rows deleted by table."""
    erased_at: datetime


class Webhook(msgspec.Struct, frozen=True):
    """A row of ``webhooks``: where events are sent to. Times are UTC."""

    id: UUID
    url: str
    types: list[str]
    """Those that it wants, or their first words; none: all."""
    secret: Secret
    old_secret: Secret | None
    old_secret_until: datetime | None
    queued_to: UUID
    """The last event that was looked at."""
    created_at: datetime
    failing_since: datetime | None
    paused_at: datetime | None
    pause_reason: str | None


class WebhookDelivery(msgspec.Struct, frozen=True):
    """A row of ``webhook_deliveries``: an event that waits, or was given up. Times are UTC."""

    webhook_id: UUID
    event_id: UUID
    user_id: UUID
    """0: nobody."""
    attempts: Int64
    next_attempt_at: datetime
    """While it is sent: when others may."""
    last_status: Int64 | None
    last_error: str | None
    dead_since: datetime | None


class SessionPolicy(msgspec.Struct, frozen=True):
    """A row of ``session_policies``, the limits of one user's sessions: lifetimes in seconds, and
    None where the setting holds. Times are UTC."""

    user_id: UUID
    lifetime: Int64 | None
    idle_lifetime: Int64 | None
    max_sessions: Int64 | None
    created_at: datetime
    updated_at: datetime


class SessionActivity(msgspec.Struct, frozen=True):
    """A row of ``session_activity``. Times are UTC."""

    session_id: UUID
    seen_at: datetime


class Purge(msgspec.Struct, frozen=True):
    """The row of ``purges``. Times are UTC."""

    name: str
    relation: str | None
    next_page: Int64
    leased_until: datetime | None
    finished_at: datetime | None


class DailyCount(msgspec.Struct, frozen=True):
    """A row of ``daily_counts``: how often something happened on a day, in UTC."""

    day: date
    type: str
    count: Int64


class EventReader(msgspec.Struct, frozen=True):
    """A row of ``event_readers``: how far one of them has come. Times are UTC."""

    name: str
    last_event_id: UUID
    read_at: datetime


_ALPHABET: Final = (string.ascii_letters + string.digits).encode()
_CHARACTER: Final = bytes(_ALPHABET[byte % 62] for byte in range(256))
_BIASED: Final = bytes(range(248, 256))  # bytes from 4 × 62 on are rejected to avoid modulo bias


def new_token() -> str:
    """A session token: 32 letters and digits from the system's random source (190 bits)."""
    token = b""
    while len(token) < 32:
        token += secrets.token_bytes(40).translate(_CHARACTER, _BIASED)
    return token[:32].decode()


_TIMES: Final = ("created_at", "updated_at")
_ROW_DEFAULTS: Final = {
    "id": "gen_random_uuid()",
    "created_at": "now()",
    "updated_at": "now()",
}

users: Final = Relation(
    name="users",
    row=User,
    unique=(("email",),),
    defaults=_ROW_DEFAULTS | {"email_verified": "false", "banned": "false"},
    set_by_trigger=_TIMES,
)

sessions: Final = Relation(
    name="sessions",
    row=Session,
    unique=(("token",),),
    foreign_keys=(
        ForeignKey("sessions_user_id_fkey", "sessions", "user_id", "users"),
        ForeignKey(
            "sessions_impersonated_by_fkey", "sessions", "impersonated_by", "users", by_hint=True
        ),
    ),
    defaults=_ROW_DEFAULTS | {"ip_address": "''::text", "user_agent": "''::text"},
    default_factories={"token": new_token},
    set_by_trigger=_TIMES,
)

accounts: Final = Relation(
    name="accounts",
    row=Account,
    unique=(("provider_id", "account_id"),),
    foreign_keys=(ForeignKey("accounts_user_id_fkey", "accounts", "user_id", "users"),),
    defaults=_ROW_DEFAULTS,
    set_by_trigger=_TIMES,
)

verifications: Final = Relation(
    name="verifications",
    row=Verification,
    defaults=_ROW_DEFAULTS,
    set_by_trigger=_TIMES,
)

rate_limits: Final = Relation(
    name="rate_limits",
    row=RateLimit,
    unique=(("key",),),
    defaults={"id": "gen_random_uuid()"},
)

purges: Final = Relation(
    name="purges",
    row=Purge,
    primary_key=("name",),
    defaults={"next_page": "0"},
)

daily_counts: Final = Relation(name="daily_counts", row=DailyCount, primary_key=("day", "type"))

event_readers: Final = Relation(name="event_readers", row=EventReader, primary_key=("name",))

jwks: Final = Relation(
    name="jwks",
    row=Jwk,
    defaults={"id": "gen_random_uuid()", "created_at": "now()"},
)

events: Final = Relation(
    name="events",
    row=Event,
    defaults={
        "id": "new_event_id()",
        "created_at": "clock_timestamp()",
        "role": "SESSION_USER",
    },
    served_below="events_horizon()",
    read_only=True,
    restricted=True,
)

erasures: Final = Relation(
    name="erasures",
    row=Erasure,
    defaults={"id": "gen_random_uuid()", "erased_at": "now()"},
    read_only=True,
    restricted=True,
)

session_policies: Final = Relation(
    name="session_policies",
    row=SessionPolicy,
    primary_key=("user_id",),
    foreign_keys=(
        ForeignKey("session_policies_user_id_fkey", "session_policies", "user_id", "users"),
    ),
    defaults={"created_at": "now()", "updated_at": "now()"},
    set_by_trigger=_TIMES,
    # a row alone would leave the sessions there are as they are (app/auth/session_limits.py)
    read_only=True,
)

session_activity: Final = Relation(
    name="session_activity",
    row=SessionActivity,
    primary_key=("session_id",),
    foreign_keys=(
        ForeignKey(
            "session_activity_session_id_fkey", "session_activity", "session_id", "sessions"
        ),
    ),
)

webhooks: Final = Relation(
    name="webhooks",
    row=Webhook,
    defaults={"id": "gen_random_uuid()", "types": "'{}'::text[]", "created_at": "now()"},
)

webhook_deliveries: Final = Relation(
    name="webhook_deliveries",
    row=WebhookDelivery,
    primary_key=("webhook_id", "event_id"),
    foreign_keys=(
        ForeignKey(
            "webhook_deliveries_webhook_id_fkey", "webhook_deliveries", "webhook_id", "webhooks"
        ),
    ),
    defaults={"attempts": "0", "next_attempt_at": "now()"},
)

RELATIONS: Final[MappingProxyType[str, Relation]] = MappingProxyType(
    {
        relation.name: relation
        for relation in (
            users,
            sessions,
            accounts,
            verifications,
            events,
            erasures,
            session_policies,
        )
    }
)
"""The tables that the REST API serves."""


@dataclass(frozen=True, kw_only=True)
class Schema:
    """The tables of a deployment: these, with its additional fields, and tables of its own."""

    users: Relation = users
    sessions: Relation = sessions
    own: tuple[Relation, ...] = ()

    @property
    def fields(self) -> tuple[AdditionalField, ...]:
        return self.users.fields + self.sessions.fields

    @cached_property
    def relations(self) -> Mapping[str, Relation]:
        """What the REST API serves."""
        changed = {each.name: each for each in (self.users, self.sessions, *self.own)}
        return MappingProxyType({**RELATIONS, **changed})

    @cached_property
    def tables(self) -> tuple[Relation, ...]:
        """All of them."""
        unserved = (each for each in TABLES if each.name not in self.relations)
        return (*self.relations.values(), *unserved)


RECORDED: Final = frozenset({"users", "sessions", "accounts", "session_policies"})
"""The tables whose triggers write events."""

SHARD_KEYS: Final[Mapping[str, str]] = MappingProxyType(
    {"sessions": "token", "verifications": "identifier", "rate_limits": "key"}
)
"""The columns by which deploy/citus/distribute.sql spreads tables over a Citus cluster."""


def sharded(relations: Mapping[str, Relation]) -> Mapping[str, Relation]:
    """The tables as they are on a Citus cluster."""
    return MappingProxyType(
        {n: replace(each, shard_key=SHARD_KEYS.get(n)) for n, each in relations.items()}
    )


TABLES: Final[tuple[Relation, ...]] = (
    *RELATIONS.values(),
    rate_limits,
    purges,
    jwks,
    webhooks,
    webhook_deliveries,
    session_activity,
    daily_counts,
    event_readers,
)
"""All of them."""

WRITTEN: Final = tuple(table for table in TABLES if not table.restricted)
"""Those whose rows the service writes, and deletes."""
