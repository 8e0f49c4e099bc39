"""The statements of the auth door on users."""

from typing import Final

from app.schema import accounts, users
from app.sql import Expression, Field, Parameter, Query, Table, named, statement

_u, _a = Table("users", alias="u"), Table("accounts", alias="a")
_columns = [_u.field(name) for name in users.columns]
_ID, _EMAIL = Parameter("id", "uuid"), Parameter("email", "text")

by_id: Final = statement(
    "users.by_id", Query.from_(_u).select(*_columns).where(Expression("{} = {}", _u.id, _ID))
)

by_email: Final = statement(
    "users.by_email",
    Query.from_(_u).select(*_columns).where(Expression("{} = {}", _u.email, _EMAIL)),
)

with_password: Final = statement(
    "users.with_password",
    Query.from_(_u)
    .left_join(_a)
    .on(
        Expression("{} = {}", _a.provider_id, Parameter("provider", "text"))
        & Expression("{} = {}::text", _a.account_id, _u.id)
    )
    .select(*_columns, named(_a.password, "password"))
    .where(Expression("{} = {}", _u.email, _EMAIL)),
)
"""The user of an address, and the stored password or null."""

# One statement writes a user and its password, so that there is never the one without the other.
# A foreign key is checked when the whole statement ends.
_new_user = (
    Query.into(users.table)
    .columns("name", "email", "image")
    .select(Parameter("name", "text"), _EMAIL, Parameter("image", "text"))
    .returning(*(users.table.field(name) for name in users.columns))
)
_created = Table("created")
_new_account = (
    Query.into(accounts.table)
    .columns("user_id", "account_id", "provider_id", "password")
    .from_(_created)
    .select(
        _created.id,
        Expression("{}::text", _created.id),
        Parameter("provider", "text"),
        Parameter("password", "text"),
    )
    .returning(accounts.table.field("id"))
)

sign_up: Final = statement(
    "users.sign_up",
    Query.from_(_created)
    .select(*(_created.field(name) for name in users.columns))
    .with_(_new_user, "created")
    .with_(_new_account, "account"),
)

update_profile: Final = statement(
    "users.update_profile",
    Query.update(_u)
    .set(
        Field("name"),
        Expression(
            "CASE WHEN {} THEN {} ELSE {} END",
            Parameter("set_name", "boolean"),
            Parameter("name", "text"),
            _u.name,
        ),
    )
    .set(
        Field("image"),
        Expression(
            "CASE WHEN {} THEN {} ELSE {} END",
            Parameter("set_image", "boolean"),
            Parameter("image", "text"),
            _u.image,
        ),
    )
    .where(Expression("{} = {}", _u.id, _ID))
    .returning(*_columns),
)

verify_email: Final = statement(
    "users.verify_email",
    Query.update(_u)
    .set(Field("email_verified"), Parameter("verified", "boolean"))
    .where(Expression("{} = {}", _u.email, _EMAIL))
    .returning(*_columns),
)

change_email: Final = statement(
    "users.change_email",
    Query.update(_u)
    .set(Field("email"), Parameter("new_email", "text"))
    .where(Expression("{} = {}", _u.id, _ID) & Expression("{} = {}", _u.email, _EMAIL))
    .returning(*_columns),
)
"""Only while the user still has the old address: a change is good once."""

delete: Final = statement(
    "users.delete",
    Query.from_(_u).delete().where(Expression("{} = {}", _u.id, _ID)).returning(_u.id),
)
"""The sessions and accounts go with the user."""
