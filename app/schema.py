"""The tables and their rows, in the order of db/schema.sql: the one place that exports the schema.

Each table is a msgspec Struct, the row as selected, and a Relation, which adds what the Struct
cannot say: defaults and keys. The types of rows to insert and to update follow from them. A test
holds every name, type, default, nullability and key against the live catalogue.
"""

import secrets
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from types import MappingProxyType, NoneType
from typing import Annotated, Any, Final, Literal, get_args
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType
from pypika import Table

ColumnType = Literal[
    "uuid", "text", "boolean", "timestamptz", "date", "integer", "bigint", "numeric", "jsonb",
    "text[]",
]  # fmt: skip

Int32 = Annotated[int, Meta(ge=-(2**31), lt=2**31)]
Int64 = Annotated[int, Meta(ge=-(2**63), lt=2**63)]
Json = Annotated[str, Meta(extra={"json": True})]
"""A ``jsonb`` column: its JSON text, which is how the driver gives it."""

_TYPES: Final[dict[Any, ColumnType]] = {
    UUID: "uuid",
    str: "text",
    bool: "boolean",
    datetime: "timestamptz",
    date: "date",
    Int32: "integer",
    Int64: "bigint",
    Decimal: "numeric",
    Json: "jsonb",
    list[str]: "text[]",
}

ANNOTATIONS: Final[dict[ColumnType, Any]] = {type_: base for base, type_ in _TYPES.items()}
"""What a Struct says of a column of each type."""

SECRET: Final = Meta(extra={"secret": True})
Secret = Annotated[str, SECRET]
"""A column whose value gives access: shown and written only with the scope ``secrets``."""

GUARDED: Final = Meta(extra={"guarded": "always"})
"""A column that says who gets in, or until when: written only with the scope ``secrets``."""

SETTLED: Final = Meta(extra={"guarded": "later"})
"""A column that says who a row is: given to a new row, but changed only with ``secrets``."""


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


@dataclass(frozen=True, slots=True)
class Column:
    """A column as the catalogue has it, and what of it takes the scope ``secrets``."""

    name: str
    type: ColumnType
    nullable: bool
    default: str | None
    """The default as PostgreSQL prints it, or None."""
    secret: bool
    """Seeing it, and all else."""
    guarded: bool
    """Giving it to a new row, and changing it."""
    settled: bool
    """Changing it in a row that is there."""


FieldType = Literal["string", "number", "boolean", "date", "string[]", "number[]", "json"]
"""The types that Better Auth has for fields."""


@dataclass(frozen=True, eq=False, kw_only=True)
class AdditionalField:
    """A column of an application's own as the clients of the auth API know it: an entry of Better
    Auth's ``additionalFields``. app/additional.py makes them.
    """

    name: str
    column: str
    type: FieldType
    column_type: ColumnType
    required: bool
    """A user who signs up gives it."""
    input: bool
    """Clients may write it."""
    returned: bool
    """Clients see it."""
    in_new_rows: bool
    """The auth API writes it into a new row; elsewhere the column's own default holds."""
    default: Any
    """What a new row has that is given nothing, as the driver takes it; None: nothing."""
    convert: Callable[[Any], Any]
    """From a JSON value to what the driver takes. Raises ValueError: what it expected."""
    refused: bool = False
    """A client is told that it may not write it, though there is a default to write instead."""

    @property
    def parameter(self) -> str:
        """The name of its value in a statement."""
        return f"field_{self.column}"


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """``table.column`` refers to ``target``'s primary key; deleting the target deletes the row."""

    name: str
    table: str
    column: str
    target: str
    by_hint: bool = False
    """Embedded only where the request names it, so that another one needs no name."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Relation:
    """A table: its name in PyPika, the Struct of its rows, its defaults and its keys."""

    table: Table
    row: type[msgspec.Struct]
    primary_key: tuple[str, ...] = ("id",)
    unique: tuple[tuple[str, ...], ...] = ()
    """Unique keys besides the primary key."""
    foreign_keys: tuple[ForeignKey, ...] = ()
    defaults: dict[str, str] = field(default_factory=dict)
    default_factories: dict[str, Callable[[], Any]] = field(default_factory=dict)
    """Columns without a database default that the service fills in when a row leaves them out."""
    set_by_trigger: tuple[str, ...] = ()
    """Columns that a trigger keeps, whatever an UPDATE says."""
    fields: tuple[AdditionalField, ...] = ()
    """Columns of the application's own, which come last."""
    read_only: bool = False
    """The REST API reads it, and does not write it."""
    restricted: bool = False
    """Nor may the service change or delete its rows: its role has fewer privileges."""
    served_below: str | None = None
    """An expression: rows whose key is not less may still get others before them."""
    shard_key: str | None = None
    """The column that decides on which machine a row is; None: every machine has all rows."""

    @cached_property
    def name(self) -> str:
        return self.table.get_table_name()

    @cached_property
    def keys(self) -> tuple[tuple[str, ...], ...]:
        """The primary key and every other unique key."""
        return (self.primary_key, *self.unique)

    @cached_property
    def columns(self) -> MappingProxyType[str, Column]:
        return MappingProxyType({f.name: self._column(f) for f in msgspec.structs.fields(self.row)})

    @cached_property
    def insert_type(self) -> type[msgspec.Struct]:
        """A row to insert: what the database fills in may be left out (UNSET)."""
        return self._derived("New", lambda column: column.default is not None or column.nullable)

    @cached_property
    def update_type(self) -> type[msgspec.Struct]:
        """Changes to a row: every column may be left out, and those of the trigger are."""
        return self._derived("Changed", lambda _: True, without=self.set_by_trigger)

    def _derived(
        self, prefix: str, optional: Callable[[Column], bool], without: tuple[str, ...] = ()
    ) -> type[msgspec.Struct]:
        fields: list[tuple[str, Any] | tuple[str, Any, Any]] = [
            (f.name, f.type | UnsetType, UNSET)
            if optional(self.columns[f.name])
            else (f.name, f.type)
            for f in msgspec.structs.fields(self.row)
            if f.name not in without
        ]
        name = prefix + self.row.__name__
        return msgspec.defstruct(name, fields, module=__name__, frozen=True, kw_only=True)

    def _column(self, declared: msgspec.structs.FieldInfo) -> Column:
        options = get_args(declared.type) if NoneType in get_args(declared.type) else ()
        base = next((option for option in options if option is not NoneType), declared.type)
        meta = [m for m in getattr(base, "__metadata__", ()) if isinstance(m, Meta)]
        extra: dict[str, Any] = {}
        for each in meta:
            extra |= each.extra or {}
        secret = bool(extra.get("secret"))
        guarded = secret or extra.get("guarded") == "always"
        return Column(
            name=declared.name,
            type=_TYPES[_unmarked(base)],
            nullable=bool(options),
            default=self.defaults.get(declared.name),
            secret=secret,
            guarded=guarded,
            settled=guarded or extra.get("guarded") == "later",
        )


def _unmarked(annotation: Any) -> Any:
    """A type without what it says of scopes."""
    marks = {"secret", "guarded"}
    kept = [
        m for m in getattr(annotation, "__metadata__", ()) if not marks & (m.extra or {}).keys()
    ]
    plain = get_args(annotation)[0] if hasattr(annotation, "__metadata__") else annotation
    return Annotated[(plain, *kept)] if kept else plain


_TIMES: Final = ("created_at", "updated_at")
_ROW_DEFAULTS: Final = {
    "id": "gen_random_uuid()",
    "created_at": "now()",
    "updated_at": "now()",
}

users: Final = Relation(
    table=Table("users"),
    row=User,
    unique=(("email",),),
    defaults=_ROW_DEFAULTS | {"email_verified": "false", "banned": "false"},
    set_by_trigger=_TIMES,
)

sessions: Final = Relation(
    table=Table("sessions"),
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
    table=Table("accounts"),
    row=Account,
    unique=(("provider_id", "account_id"),),
    foreign_keys=(ForeignKey("accounts_user_id_fkey", "accounts", "user_id", "users"),),
    defaults=_ROW_DEFAULTS,
    set_by_trigger=_TIMES,
)

verifications: Final = Relation(
    table=Table("verifications"),
    row=Verification,
    defaults=_ROW_DEFAULTS,
    set_by_trigger=_TIMES,
)

rate_limits: Final = Relation(
    table=Table("rate_limits"),
    row=RateLimit,
    unique=(("key",),),
    defaults={"id": "gen_random_uuid()"},
)

purges: Final = Relation(
    table=Table("purges"),
    row=Purge,
    primary_key=("name",),
    defaults={"next_page": "0"},
)

daily_counts: Final = Relation(
    table=Table("daily_counts"), row=DailyCount, primary_key=("day", "type")
)

event_readers: Final = Relation(
    table=Table("event_readers"), row=EventReader, primary_key=("name",)
)

jwks: Final = Relation(
    table=Table("jwks"),
    row=Jwk,
    defaults={"id": "gen_random_uuid()", "created_at": "now()"},
)

events: Final = Relation(
    table=Table("events"),
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
    table=Table("erasures"),
    row=Erasure,
    defaults={"id": "gen_random_uuid()", "erased_at": "now()"},
    read_only=True,
    restricted=True,
)

session_policies: Final = Relation(
    table=Table("session_policies"),
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
    table=Table("session_activity"),
    row=SessionActivity,
    primary_key=("session_id",),
    foreign_keys=(
        ForeignKey(
            "session_activity_session_id_fkey", "session_activity", "session_id", "sessions"
        ),
    ),
)

webhooks: Final = Relation(
    table=Table("webhooks"),
    row=Webhook,
    defaults={"id": "gen_random_uuid()", "types": "'{}'::text[]", "created_at": "now()"},
)

webhook_deliveries: Final = Relation(
    table=Table("webhook_deliveries"),
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
