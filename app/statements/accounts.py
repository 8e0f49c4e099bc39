"""The statements of the auth API and the command line on accounts."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from ..schema import accounts
from ..sql import (
    Expression,
    Field,
    Order,
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


class StoredTokens(msgspec.Struct, frozen=True):
    """An account with its provider's tokens as they are kept. Times are UTC."""

    id: UUID
    user_id: UUID
    account_id: str
    provider_id: str
    access_token: str | None
    refresh_token: str | None
    id_token: str | None
    access_token_expires_at: datetime | None
    refresh_token_expires_at: datetime | None
    scope: str | None
    updated_at: datetime

    def __repr__(self) -> str:
        return f"StoredTokens(id={self.id!r}, provider_id={self.provider_id!r})"


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

_KEY = (_a.provider_id == _PROVIDER) & (_a.account_id == Parameter("account_id", "text"))
TOKENS: Final = {
    "access_token": "text",
    "refresh_token": "text",
    "id_token": "text",
    "access_token_expires_at": "timestamptz",
    "refresh_token_expires_at": "timestamptz",
    "scope": "text",
}
"""What a provider gave, by column."""


class AccountKey(msgspec.Struct, frozen=True):
    """Whose account of a provider it is, and what the user has agreed to there."""

    id: UUID
    user_id: UUID
    scope: str | None


by_key: Final[Statement[AccountKey]] = statement(
    "accounts.by_key",
    Query.from_(_a)
    .select(*(_a.field(name) for name in AccountKey.__struct_fields__))
    .where(_KEY)
    .for_update(),
    AccountKey,
)

link: Final = statement(
    "accounts.link",
    Query.into(accounts.table)
    .columns("user_id", "provider_id", "account_id", *TOKENS)
    .insert(
        _USER,
        _PROVIDER,
        Parameter("account_id", "text"),
        *(Parameter(name, type_) for name, type_ in TOKENS.items()),
    )
    .on_conflict("provider_id", "account_id")
    .do_nothing()
    .returning(accounts.table.field("id")),
)
"""No row: it is somebody's already."""


def _update_tokens() -> Statement[Any]:
    query = Query.update(_a).where(_KEY).returning(_a.id)
    for name, type_ in TOKENS.items():
        given = Parameter(name, type_)
        query = query.set(Field(name), Expression("coalesce({}, {})", given, _a.field(name)))
    return statement("accounts.update_tokens", query)


update_tokens: Final = _update_tokens()
"""What is null stays as it is."""

end_others: Final = statement(
    "accounts.end_others",
    Query.from_(_a)
    .delete()
    .where(
        (_a.user_id == _USER)
        & Expression(
            "NOT ({} AND {})",
            _a.provider_id == _PROVIDER,
            _a.account_id == Parameter("account_id", "text"),
        )
    )
    .returning(_a.id),
)
"""Every other way that a user signs in."""

end_unproved: Final = statement(
    "accounts.end_unproved",
    Query.from_(_a)
    .delete()
    .where(
        (_a.user_id == _USER)
        & Expression("{} <> ALL ({})", _a.provider_id, Parameter("kept", "text[]"))
    )
    .returning(_a.id),
)
"""Every way that a user signs in, but those of the providers ``kept``."""

_tokens: Final = [_a.field(name) for name in StoredTokens.__struct_fields__]

tokens: Final[Statement[StoredTokens]] = statement(
    "accounts.tokens",
    Query.from_(_a).select(*_tokens).where((_a.id == _ID) & (_a.user_id == _USER)),
    StoredTokens,
)
"""An account of the user's own."""

tokens_of_user: Final[Statement[StoredTokens]] = statement(
    "accounts.tokens_of_user",
    Query.from_(_a)
    .select(*_tokens)
    .where(_a.user_id == _USER)
    .orderby(_a.updated_at, _a.id, order=Order.desc),
    StoredTokens,
)
"""All of the user's, the one that was written last at first."""


def _refresh_tokens() -> Statement[StoredTokens]:
    query = Query.update(_a)
    for name, type_ in TOKENS.items():
        if name != "scope":
            query = query.set(Field(name), Parameter(name, type_))
    mine = (_a.id == _ID) & (_a.user_id == _USER)
    still_there = _a.refresh_token == Parameter("used", "text")
    returning = query.where(mine & still_there).returning(*_tokens)
    return statement("accounts.refresh_tokens", returning, StoredTokens)


refresh_tokens: Final = _refresh_tokens()
"""Write what a provider gave for the refresh token ``used``, as it is kept, while it is there."""

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

unlink_any: Final = statement(
    "accounts.unlink_any",
    Query.from_(_a).delete().where((_a.user_id == _USER) & (_a.id == _ID)).returning(_a.id),
)

create_password: Final = statement(
    "accounts.create_password",
    Query.into(accounts.table)
    .columns("user_id", "account_id", "provider_id", "password")
    .insert(_USER, Expression("{}::text", _USER), _PROVIDER, _PASSWORD)
    .returning(accounts.table.field("id")),
)
