"""The statements of the auth API on accounts."""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from app.schema import accounts
from app.sql import (
    ExistsCriterion,
    Expression,
    Field,
    Parameter,
    Query,
    Statement,
    Table,
    statement,
)

_a = Table("accounts", alias="a")
_ID = Parameter("id", "uuid")
_USER = Parameter("user_id", "uuid")
_PROVIDER = Parameter("provider", "text")
_PASSWORD = Parameter("password", "text")
_is_credential = (_a.provider_id == _PROVIDER) & (_a.account_id == Expression("{}::text", _USER))


class PublicAccount(msgspec.Struct, frozen=True):
    """An account without its secrets. Times are UTC."""

    id: UUID
    user_id: UUID
    account_id: str
    provider_id: str
    scope: str | None
    created_at: datetime
    updated_at: datetime


class StoredPassword(msgspec.Struct, frozen=True):
    """The hash of a user's password, or None."""

    password: str | None


of_user: Final[Statement[PublicAccount]] = statement(
    "accounts.of_user",
    Query.from_(_a)
    .select(*(_a.field(name) for name in PublicAccount.__struct_fields__))
    .where(_a.user_id == _USER)
    .orderby(_a.created_at, _a.id),
    PublicAccount,
)
"""A user's accounts, without their secrets."""

password: Final[Statement[StoredPassword]] = statement(
    "accounts.password", Query.from_(_a).select(_a.password).where(_is_credential), StoredPassword
)

change_password: Final = statement(
    "accounts.change_password",
    Query.update(_a).set(Field("password"), _PASSWORD).where(_is_credential).returning(_a.id),
)

_others = Table("accounts", alias="o")
unlink: Final = statement(
    "accounts.unlink",
    Query.from_(_a)
    .delete()
    .where(
        (_a.id == _ID)
        & (_a.user_id == _USER)
        & ExistsCriterion(
            Query.from_(_others)
            .select(_others.id)
            .where((_others.user_id == _USER) & (_others.id != _ID))
        )
    )
    .returning(_a.id),
)
"""Never the last account of a user."""

create_password: Final = statement(
    "accounts.create_password",
    Query.into(accounts.table)
    .columns("user_id", "account_id", "provider_id", "password")
    .insert(_USER, Expression("{}::text", _USER), _PROVIDER, _PASSWORD)
    .returning(accounts.table.field("id")),
)
