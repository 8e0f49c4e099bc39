"""The statements of the auth API and the command line on users.

Those whose rows a client sees, or writes, are made of the columns that the table has: with
additional fields by ``UserStatements.of``, without any they are constants as all the others.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

import msgspec

from ..relation import Relation
from ..schema import User, accounts, users
from ..sql import Case, Expression, Field, Parameter, Query, Statement, Table, named, statement
from .accounts import TOKENS
from .fields import given, kept_or_given

_u, _a = Table("users", alias="u"), Table("accounts", alias="a")
_columns = [_u.field(name) for name in users.columns]
_ID, _EMAIL = Parameter("id", "uuid"), Parameter("email", "text")
_PROVIDER = Parameter("provider", "text")
_unverified = Expression("NOT {}", _u.email_verified)


class Credential(msgspec.Struct, frozen=True):
    """A user and its stored password; None for a user without one."""

    user: User
    password: str | None


by_id: Final[Statement[User]] = statement(
    "users.by_id", Query.from_(_u).select(*_columns).where(_u.id == _ID), User
)

by_email: Final[Statement[User]] = statement(
    "users.by_email", Query.from_(_u).select(*_columns).where(_u.email == _EMAIL), User
)

lock: Final[Statement[User]] = statement(
    "users.lock", Query.from_(_u).select(*_columns).where(_u.id == _ID).for_update(), User
)
"""Until the transaction ends nothing can begin to refer to the user."""

by_prefix: Final[Statement[User]] = statement(
    "users.by_prefix",
    Query.from_(_u)
    .select(*_columns)
    .where(
        (_u.email >= Parameter("first", "text"))
        & (_u.email < Parameter("end", "text"))
        & (_u.email > Parameter("after", "text"))
    )
    .orderby(_u.email)
    .limit(Parameter("limit", "bigint")),
    User,
)
"""A page of the users whose addresses begin alike: from ``first`` until before ``end``."""

verify_email: Final[Statement[User]] = statement(
    "users.verify_email",
    Query.update(_u)
    .set(Field("email_verified"), Parameter("verified", "boolean"))
    .where((_u.id == _ID) & (_u.email == _EMAIL) & _unverified)
    .returning(*_columns),
    User,
)
"""Only of the address that the mail went to."""

change_unverified_email: Final[Statement[User]] = statement(
    "users.change_unverified_email",
    Query.update(_u)
    .set(Field("email"), Parameter("new_email", "text"))
    .where((_u.id == _ID) & (_u.email == _EMAIL) & _unverified)
    .returning(*_columns),
    User,
)
"""The new address has not been shown to be the user's, so the old one must not have been either."""

take_profile: Final = statement(
    "users.take_profile",
    Query.update(_u)
    .set(Field("name"), Parameter("name", "text"))
    .set(Field("image"), Parameter("image", "text"))
    .set(Field("email"), _EMAIL)
    .set(Field("email_verified"), Parameter("verified", "boolean"))
    .where((_u.id == _ID) & (_u.email == Parameter("old_email", "text")))
    .returning(_u.id),
)
"""What a provider says of a user, while they have the address with which they were found."""

delete: Final = statement(
    "users.delete", Query.from_(_u).delete().where(_u.id == _ID).returning(_u.id)
)
"""The sessions and accounts go with the user."""


def _row(relation: Relation) -> Callable[..., User]:
    return cast("type[User]", relation.row)


def _with_password(relation: Relation) -> Statement[Credential]:
    user = _row(relation)

    def credential(password: str | None, *values: Any) -> Credential:
        return Credential(user(*values), password)

    return statement(
        "users.with_password",
        Query.from_(_u)
        .left_join(_a)
        .on((_a.provider_id == _PROVIDER) & (_a.account_id == Expression("{}::text", _u.id)))
        .select(named(_a.password, "password"), *(_u.field(name) for name in relation.columns))
        .where(_u.email == _EMAIL),
        credential,
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


def new_user(relation: Relation) -> Any:
    """The INSERT of a user; no row: somebody has the address."""
    fields = [field for field in relation.fields if field.in_new_rows]
    return (
        Query.into(users.table)
        .columns("name", "email", "image", *(field.column for field in fields))
        .insert(Parameter("name", "text"), _EMAIL, Parameter("image", "text"), *map(given, fields))
        .on_conflict("email")
        .do_nothing()
        .returning(*(users.table.field(name) for name in relation.columns))
    )


def _sign_up(relation: Relation) -> Statement[User]:
    # One statement writes a user and its password, so that there is never one without the other.
    # A foreign key is checked when the whole statement ends.
    return statement(
        "users.sign_up",
        Query.from_(_created)
        .select(*(_created.field(name) for name in relation.columns))
        .with_(new_user(relation), "created")
        .with_(_new_account, "account"),
        _row(relation),
    )


def _by_account(relation: Relation) -> Statement[User]:
    return statement(
        "users.by_account",
        Query.from_(_a)
        .join(_u)
        .on(_u.id == _a.user_id)
        .select(*(_u.field(name) for name in relation.columns))
        .where((_a.provider_id == _PROVIDER) & (_a.account_id == Parameter("account_id", "text"))),
        _row(relation),
    )


def _sign_up_by_provider(relation: Relation) -> Statement[User]:
    # nobody is asked for a required field: it is up to the column whether it can be without
    fields = [
        field
        for field in relation.fields
        if field.in_new_rows and not (field.required and field.default is None)
    ]
    new_user = (
        Query.into(users.table)
        .columns("name", "email", "email_verified", "image", *(field.column for field in fields))
        .insert(
            Parameter("name", "text"),
            _EMAIL,
            Parameter("verified", "boolean"),
            Parameter("image", "text"),
            *map(given, fields),
        )
        .on_conflict("email")
        .do_nothing()
        .returning(*(users.table.field(name) for name in relation.columns))
    )
    new_account = (
        Query.into(accounts.table)
        .columns("user_id", "provider_id", "account_id", *TOKENS)
        .from_(_created)
        .select(
            _created.id,
            _PROVIDER,
            Parameter("account_id", "text"),
            *(Parameter(name, type_) for name, type_ in TOKENS.items()),
        )
        .returning(accounts.table.field("id"))
    )
    return statement(
        "users.sign_up_by_provider",
        Query.from_(_created)
        .select(*(_created.field(name) for name in relation.columns))
        .with_(new_user, "created")
        .with_(new_account, "account"),
        _row(relation),
    )


def _update_profile(relation: Relation) -> Statement[User]:
    query = (
        Query.update(_u)
        .set(
            Field("name"),
            Case().when(Parameter("set_name", "boolean"), Parameter("name", "text")).else_(_u.name),
        )
        .set(
            Field("image"),
            Case()
            .when(Parameter("set_image", "boolean"), Parameter("image", "text"))
            .else_(_u.image),
        )
        .where(_u.id == _ID)
        .returning(*(_u.field(name) for name in relation.columns))
    )
    for field in relation.fields:
        if field.input:
            query = query.set(Field(field.column), kept_or_given(field, _u))
    return statement("users.update_profile", query, _row(relation))


def _change_email(relation: Relation) -> Statement[User]:
    return statement(
        "users.change_email",
        Query.update(_u)
        .set(Field("email"), Parameter("new_email", "text"))
        .where((_u.id == _ID) & (_u.email == _EMAIL))
        .returning(*(_u.field(name) for name in relation.columns)),
        _row(relation),
    )


with_password: Final = _with_password(users)
"""The user of an address, and its stored password."""

sign_up: Final = _sign_up(users)
"""No row: somebody has the address."""

by_account: Final = _by_account(users)
"""The user of an account of a provider."""

sign_up_by_provider: Final = _sign_up_by_provider(users)
"""A user and the account of a provider. No row: somebody has the address."""

update_profile: Final = _update_profile(users)

change_email: Final = _change_email(users)
"""Only while the user still has the old address: a change is good once."""


@dataclass(frozen=True)
class UserStatements:
    """Those that depend on the columns of users."""

    with_password: Statement[Credential] = with_password
    sign_up: Statement[User] = sign_up
    by_account: Statement[User] = by_account
    sign_up_by_provider: Statement[User] = sign_up_by_provider
    update_profile: Statement[User] = update_profile
    change_email: Statement[User] = change_email

    @classmethod
    def of(cls, relation: Relation) -> "UserStatements":
        if not relation.fields:
            return cls()
        return cls(
            with_password=_with_password(relation),
            sign_up=_sign_up(relation),
            by_account=_by_account(relation),
            sign_up_by_provider=_sign_up_by_provider(relation),
            update_profile=_update_profile(relation),
            change_email=_change_email(relation),
        )
