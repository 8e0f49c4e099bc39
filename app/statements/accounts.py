"""The statements of the auth door on accounts."""

from typing import Final

from app.schema import accounts
from app.sql import Expression, Field, Parameter, Query, Table, statement

_a = Table("accounts", alias="a")
_USER = Parameter("user_id", "uuid")
_PROVIDER = Parameter("provider", "text")
_PASSWORD = Parameter("password", "text")
_public = [_a.field(c.name) for c in accounts.columns.values() if not c.secret]
_is_credential = Expression("{} = {}", _a.provider_id, _PROVIDER) & Expression(
    "{} = {}::text", _a.account_id, _USER
)

of_user: Final = statement(
    "accounts.of_user",
    Query.from_(_a)
    .select(*_public)
    .where(Expression("{} = {}", _a.user_id, _USER))
    .orderby(_a.created_at, _a.id),
)
"""A user's accounts, without their secrets."""

password: Final = statement(
    "accounts.password", Query.from_(_a).select(_a.password).where(_is_credential)
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
        Expression("{} = {}", _a.id, Parameter("id", "uuid"))
        & Expression("{} = {}", _a.user_id, _USER)
        & Expression(
            "EXISTS ({})",
            Query.from_(_others)
            .select(_others.id)
            .where(
                Expression("{} = {}", _others.user_id, _USER)
                & Expression("{} <> {}", _others.id, Parameter("id", "uuid"))
            ),
        )
    )
    .returning(_a.id),
)
"""Never the last account of a user."""

create_password: Final = statement(
    "accounts.create_password",
    Query.into(accounts.table)
    .columns("user_id", "account_id", "provider_id", "password")
    .select(_USER, Expression("{}::text", _USER), _PROVIDER, _PASSWORD)
    .returning(accounts.table.field("id")),
)
