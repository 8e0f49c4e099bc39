"""The statements of the auth API on users."""

from typing import Any, Final

import msgspec

from app.schema import User, accounts, users
from app.sql import Case, Expression, Field, Parameter, Query, Statement, Table, named, statement

_u, _a = Table("users", alias="u"), Table("accounts", alias="a")
_columns = [_u.field(name) for name in users.columns]
_ID, _EMAIL = Parameter("id", "uuid"), Parameter("email", "text")
_PROVIDER = Parameter("provider", "text")
_unverified = Expression("NOT {}", _u.email_verified)


class Credential(msgspec.Struct, frozen=True):
    """A user and its stored password; None for a user without one."""

    user: User
    password: str | None


def _credential(password: str | None, *user: Any) -> Credential:
    return Credential(User(*user), password)


by_id: Final[Statement[User]] = statement(
    "users.by_id", Query.from_(_u).select(*_columns).where(_u.id == _ID), User
)

by_email: Final[Statement[User]] = statement(
    "users.by_email", Query.from_(_u).select(*_columns).where(_u.email == _EMAIL), User
)

with_password: Final[Statement[Credential]] = statement(
    "users.with_password",
    Query.from_(_u)
    .left_join(_a)
    .on((_a.provider_id == _PROVIDER) & (_a.account_id == Expression("{}::text", _u.id)))
    .select(named(_a.password, "password"), *_columns)
    .where(_u.email == _EMAIL),
    _credential,
)
"""The user of an address, and its stored password."""

# One statement writes a user and its password, so that there is never one without the other.
# A foreign key is checked when the whole statement ends.
_new_user = (
    Query.into(users.table)
    .columns("name", "email", "image")
    .insert(Parameter("name", "text"), _EMAIL, Parameter("image", "text"))
    .on_conflict("email")
    .do_nothing()
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
        _PROVIDER,
        Parameter("password", "text"),
    )
    .returning(accounts.table.field("id"))
)

sign_up: Final[Statement[User]] = statement(
    "users.sign_up",
    Query.from_(_created)
    .select(*(_created.field(name) for name in users.columns))
    .with_(_new_user, "created")
    .with_(_new_account, "account"),
    User,
)
"""No row: somebody has the address."""

update_profile: Final[Statement[User]] = statement(
    "users.update_profile",
    Query.update(_u)
    .set(
        Field("name"),
        Case().when(Parameter("set_name", "boolean"), Parameter("name", "text")).else_(_u.name),
    )
    .set(
        Field("image"),
        Case().when(Parameter("set_image", "boolean"), Parameter("image", "text")).else_(_u.image),
    )
    .where(_u.id == _ID)
    .returning(*_columns),
    User,
)

verify_email: Final[Statement[User]] = statement(
    "users.verify_email",
    Query.update(_u)
    .set(Field("email_verified"), Parameter("verified", "boolean"))
    .where((_u.id == _ID) & (_u.email == _EMAIL) & _unverified)
    .returning(*_columns),
    User,
)
"""Only of the address that the mail went to."""

change_email: Final[Statement[User]] = statement(
    "users.change_email",
    Query.update(_u)
    .set(Field("email"), Parameter("new_email", "text"))
    .where((_u.id == _ID) & (_u.email == _EMAIL))
    .returning(*_columns),
    User,
)
"""Only while the user still has the old address: a change is good once."""

change_unverified_email: Final[Statement[User]] = statement(
    "users.change_unverified_email",
    Query.update(_u)
    .set(Field("email"), Parameter("new_email", "text"))
    .where((_u.id == _ID) & (_u.email == _EMAIL) & _unverified)
    .returning(*_columns),
    User,
)
"""The new address has not been shown to be the user's, so the old one must not have been either."""

delete: Final = statement(
    "users.delete", Query.from_(_u).delete().where(_u.id == _ID).returning(_u.id)
)
"""The sessions and accounts go with the user."""
