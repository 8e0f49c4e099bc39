"""The tables and their rows, in the order of db/schema.sql: the one place that exports the schema.

Each table is a PyPika table and three msgspec Structs: the row as selected, as inserted (what the
database fills in may be left out) and as updated (everything may). The columns are read off the
Structs; a test holds every name, type, default and nullability against the live catalogue.
"""

import secrets
import string
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from types import MappingProxyType, NoneType
from typing import Annotated, Any, Final, Literal, get_args
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType
from pypika import Table

ColumnType = Literal["uuid", "text", "boolean", "timestamptz", "integer", "bigint"]

Int32 = Annotated[int, Meta(ge=-(2**31), lt=2**31)]
Int64 = Annotated[int, Meta(ge=-(2**63), lt=2**63)]

_TYPES: Final[dict[Any, ColumnType]] = {
    UUID: "uuid",
    str: "text",
    bool: "boolean",
    datetime: "timestamptz",
    Int32: "integer",
    Int64: "bigint",
}

# A column whose value opens something: shown and written only with the scope `secrets`.
Secret = Annotated[str, Meta(extra={"secret": True})]


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A row of ``users`` as selected. Times are UTC."""

    id: UUID
    name: str
    email: str
    email_verified: bool
    image: str | None
    created_at: datetime
    updated_at: datetime


class NewUser(msgspec.Struct, frozen=True, kw_only=True):
    """A row of ``users`` as inserted."""

    name: str
    email: str
    id: UUID | UnsetType = UNSET
    email_verified: bool | UnsetType = UNSET
    image: str | UnsetType | None = UNSET
    created_at: datetime | UnsetType = UNSET
    updated_at: datetime | UnsetType = UNSET


class UserChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What may change in a row of ``users``; the trigger sees to the times."""

    id: UUID | UnsetType = UNSET
    name: str | UnsetType = UNSET
    email: str | UnsetType = UNSET
    email_verified: bool | UnsetType = UNSET
    image: str | UnsetType | None = UNSET


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A row of ``sessions`` as selected. Times are UTC."""

    id: UUID
    user_id: UUID
    token: Secret
    expires_at: datetime
    ip_address: str
    user_agent: str
    created_at: datetime
    updated_at: datetime


class NewSession(msgspec.Struct, frozen=True, kw_only=True):
    """A row of ``sessions`` as inserted."""

    user_id: UUID
    token: Secret
    expires_at: datetime
    id: UUID | UnsetType = UNSET
    ip_address: str | UnsetType = UNSET
    user_agent: str | UnsetType = UNSET
    created_at: datetime | UnsetType = UNSET
    updated_at: datetime | UnsetType = UNSET


class SessionChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What may change in a row of ``sessions``; the trigger sees to the times."""

    id: UUID | UnsetType = UNSET
    user_id: UUID | UnsetType = UNSET
    token: Secret | UnsetType = UNSET
    expires_at: datetime | UnsetType = UNSET
    ip_address: str | UnsetType = UNSET
    user_agent: str | UnsetType = UNSET


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A row of ``accounts`` as selected. Times are UTC."""

    id: UUID
    user_id: UUID
    account_id: str
    provider_id: str
    access_token: Secret | None
    refresh_token: Secret | None
    id_token: Secret | None
    access_token_expires_at: datetime | None
    refresh_token_expires_at: datetime | None
    scope: str | None
    password: Secret | None
    created_at: datetime
    updated_at: datetime


class NewAccount(msgspec.Struct, frozen=True, kw_only=True):
    """A row of ``accounts`` as inserted."""

    user_id: UUID
    account_id: str
    provider_id: str
    id: UUID | UnsetType = UNSET
    access_token: Secret | UnsetType | None = UNSET
    refresh_token: Secret | UnsetType | None = UNSET
    id_token: Secret | UnsetType | None = UNSET
    access_token_expires_at: datetime | UnsetType | None = UNSET
    refresh_token_expires_at: datetime | UnsetType | None = UNSET
    scope: str | UnsetType | None = UNSET
    password: Secret | UnsetType | None = UNSET
    created_at: datetime | UnsetType = UNSET
    updated_at: datetime | UnsetType = UNSET


class AccountChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What may change in a row of ``accounts``; the trigger sees to the times."""

    id: UUID | UnsetType = UNSET
    user_id: UUID | UnsetType = UNSET
    account_id: str | UnsetType = UNSET
    provider_id: str | UnsetType = UNSET
    access_token: Secret | UnsetType | None = UNSET
    refresh_token: Secret | UnsetType | None = UNSET
    id_token: Secret | UnsetType | None = UNSET
    access_token_expires_at: datetime | UnsetType | None = UNSET
    refresh_token_expires_at: datetime | UnsetType | None = UNSET
    scope: str | UnsetType | None = UNSET
    password: Secret | UnsetType | None = UNSET


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """A row of ``verifications`` as selected. Times are UTC.

    Both texts are secret: Better Auth keeps the token of a password reset in ``identifier`` (who
    reads it takes the account over), and the code that a plugin sent in ``value``.
    """

    id: UUID
    identifier: Secret
    value: Secret
    expires_at: datetime
    created_at: datetime
    updated_at: datetime


class NewVerification(msgspec.Struct, frozen=True, kw_only=True):
    """A row of ``verifications`` as inserted."""

    identifier: Secret
    value: Secret
    expires_at: datetime
    id: UUID | UnsetType = UNSET
    created_at: datetime | UnsetType = UNSET
    updated_at: datetime | UnsetType = UNSET


class VerificationChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What may change in a row of ``verifications``; the trigger sees to the times."""

    id: UUID | UnsetType = UNSET
    identifier: Secret | UnsetType = UNSET
    value: Secret | UnsetType = UNSET
    expires_at: datetime | UnsetType = UNSET


class RateLimit(msgspec.Struct, frozen=True, kw_only=True):
    """A row of ``rate_limits`` as selected. ``last_request`` is in milliseconds since 1970 UTC."""

    id: UUID
    key: str
    count: Int32
    last_request: Int64


class NewRateLimit(msgspec.Struct, frozen=True, kw_only=True):
    """A row of ``rate_limits`` as inserted."""

    key: str
    count: Int32
    last_request: Int64
    id: UUID | UnsetType = UNSET


class RateLimitChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What may change in a row of ``rate_limits``."""

    id: UUID | UnsetType = UNSET
    key: str | UnsetType = UNSET
    count: Int32 | UnsetType = UNSET
    last_request: Int64 | UnsetType = UNSET


class Purge(msgspec.Struct, frozen=True, kw_only=True):
    """The row of ``purges`` as selected. Times are UTC."""

    name: str
    relation: str | None
    next_page: Int64
    leased_until: datetime | None
    finished_at: datetime | None


class NewPurge(msgspec.Struct, frozen=True, kw_only=True):
    """The row of ``purges`` as inserted."""

    name: str
    relation: str | UnsetType | None = UNSET
    next_page: Int64 | UnsetType = UNSET
    leased_until: datetime | UnsetType | None = UNSET
    finished_at: datetime | UnsetType | None = UNSET


class PurgeChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What may change in the row of ``purges``."""

    name: str | UnsetType = UNSET
    relation: str | UnsetType | None = UNSET
    next_page: Int64 | UnsetType = UNSET
    leased_until: datetime | UnsetType | None = UNSET
    finished_at: datetime | UnsetType | None = UNSET


_LETTERS: Final = (string.ascii_letters + string.digits).encode()
_LETTER: Final = bytes(_LETTERS[byte % 62] for byte in range(256))
_UNEVEN: Final = bytes(range(248, 256))  # 248 is 4 × 62: above it some letters would come oftener


def new_token() -> str:
    """A session token: 32 letters and digits from the system's random source (190 bits)."""
    token = b""
    while len(token) < 32:
        token += secrets.token_bytes(40).translate(_LETTER, _UNEVEN)
    return token[:32].decode()


@dataclass(frozen=True, slots=True)
class Column:
    """A column as the catalogue has it, and whether it is secret."""

    name: str
    type: ColumnType
    nullable: bool
    default: str | None
    """The default as PostgreSQL prints it, or None."""
    secret: bool


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """``table.column`` refers to ``target``'s primary key; deleting the target deletes the row."""

    name: str
    table: str
    column: str
    target: str


@dataclass(frozen=True, eq=False)
class Relation:
    """A table: its PyPika name, its rows, its columns and its keys."""

    table: Table
    row: type[msgspec.Struct]
    new: type[msgspec.Struct]
    changes: type[msgspec.Struct]
    defaults: dict[str, str]
    unique: tuple[tuple[str, ...], ...]
    foreign_keys: tuple[ForeignKey, ...] = ()
    made: dict[str, Callable[[], Any]] = field(default_factory=dict)
    """Columns without a database default that the service fills in when a row leaves them out."""

    @cached_property
    def name(self) -> str:
        return self.table.get_table_name()

    @cached_property
    def columns(self) -> MappingProxyType[str, Column]:
        return MappingProxyType({f.name: self._column(f) for f in msgspec.structs.fields(self.row)})

    def _column(self, declared: msgspec.structs.FieldInfo) -> Column:
        options = get_args(declared.type) if NoneType in get_args(declared.type) else ()
        base = next((option for option in options if option is not NoneType), declared.type)
        meta = [m for m in getattr(base, "__metadata__", ()) if isinstance(m, Meta)]
        plain = get_args(base)[0] if meta else base
        return Column(
            name=declared.name,
            type=_TYPES[base] if base in _TYPES else _TYPES[plain],
            nullable=bool(options),
            default=self.defaults.get(declared.name),
            secret=any((m.extra or {}).get("secret") for m in meta),
        )


_ROW_DEFAULTS: Final = {
    "id": "gen_random_uuid()",
    "created_at": "now()",
    "updated_at": "now()",
}

users: Final = Relation(
    table=Table("users"),
    row=User,
    new=NewUser,
    changes=UserChanges,
    defaults=_ROW_DEFAULTS | {"email_verified": "false"},
    unique=(("id",), ("email",)),
)

sessions: Final = Relation(
    table=Table("sessions"),
    row=Session,
    new=NewSession,
    changes=SessionChanges,
    defaults=_ROW_DEFAULTS | {"ip_address": "''::text", "user_agent": "''::text"},
    unique=(("id",), ("token",)),
    foreign_keys=(ForeignKey("sessions_user_id_fkey", "sessions", "user_id", "users"),),
    made={"token": new_token},
)

accounts: Final = Relation(
    table=Table("accounts"),
    row=Account,
    new=NewAccount,
    changes=AccountChanges,
    defaults=_ROW_DEFAULTS,
    unique=(("id",), ("provider_id", "account_id")),
    foreign_keys=(ForeignKey("accounts_user_id_fkey", "accounts", "user_id", "users"),),
)

verifications: Final = Relation(
    table=Table("verifications"),
    row=Verification,
    new=NewVerification,
    changes=VerificationChanges,
    defaults=_ROW_DEFAULTS,
    unique=(("id",),),
)

rate_limits: Final = Relation(
    table=Table("rate_limits"),
    row=RateLimit,
    new=NewRateLimit,
    changes=RateLimitChanges,
    defaults={"id": "gen_random_uuid()"},
    unique=(("id",), ("key",)),
)

purges: Final = Relation(
    table=Table("purges"),
    row=Purge,
    new=NewPurge,
    changes=PurgeChanges,
    defaults={"next_page": "0"},
    unique=(("name",),),
)

RELATIONS: Final[MappingProxyType[str, Relation]] = MappingProxyType(
    {relation.name: relation for relation in (users, sessions, accounts, verifications)}
)
"""The tables that the REST door serves."""

TABLES: Final[tuple[Relation, ...]] = (*RELATIONS.values(), rate_limits, purges)
"""All of them."""

SECRETS: Final[frozenset[str]] = frozenset(
    column.name
    for relation in RELATIONS.values()
    for column in relation.columns.values()
    if column.secret
)
"""The names of all secret columns."""
