"""The statements of the auth API on accounts."""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from app.schema import accounts
from app.sql import (
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

replace_password: Final = statement(
    "accounts.replace_password",
    Query.update(_a)
    .set(Field("password"), _PASSWORD)
    .where(_is_credential & (_a.password == Parameter("old", "text")))
    .returning(_a.id),
)
"""Only while the stored hash is the one that was checked."""

_all, _gone = Table("accounts", alias="o"), Table("gone")
_locked = Table("locked")
unlink: Final = statement(
    "accounts.unlink",
    Query.from_(_gone)
    .select(_gone.id)
    .with_(
        Query.from_(_all)
        .select(_all.id)
        .where(_all.user_id == _USER)
        .orderby(_all.id)
        .for_update(),
        "locked",
    )
    .with_(
        Query.from_(_a)
        .delete()
        .where(
            (_a.id == _ID)
            & (_a.user_id == _USER)
            & Expression("({}) > 1", Query.from_(_locked).select(Expression("count(*)")))
        )
        .returning(_a.id),
        "gone",
    ),
)
"""Never the last account of a user: all are locked first, and those that are left then count."""

create_password: Final = statement(
    "accounts.create_password",
    Query.into(accounts.table)
    .columns("user_id", "account_id", "provider_id", "password")
    .insert(_USER, Expression("{}::text", _USER), _PROVIDER, _PASSWORD)
    .returning(accounts.table.field("id")),
)
