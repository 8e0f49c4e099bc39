"""``gatepost users``: what an operator sees and does of users. Nobody's hash or token is shown."""

import asyncio
import os
import sys
from typing import Annotated, Any, Final
from uuid import UUID

import typer

from ..errors import AlreadyExistsError, AuthError, NotFoundError
from ..schema import User
from ..settings import Settings
from ..sql import Statement
from ..statements import accounts, session_policies, users
from ..statements.accounts import PublicAccount
from ..statements.users import UserStatements
from . import limits, personal_data
from .database import as_id, connected, find_user, sessions_of
from .development import development_database
from .help import command_line, epilog, shape
from .output import (
    JsonOption,
    UserArgument,
    YesOption,
    check_can_ask,
    moment,
    print_json,
    print_table,
    printable,
    say,
)
from .sessions import print_sessions

cli = command_line(
    "users", description="Find, show, create, limit, delete, export and erase users."
)

_GREATEST: Final = "\U0010ffff"
"""The character that comes after all others in the order of the addresses."""
_SHOWN_SESSIONS: Final = 100
_PASSWORD_BYTES: Final = 4096
_SHAPE: Final = shape("USER", User)


@cli.command(
    "find",
    epilog=epilog(
        "gatepost users find ada@",
        "gatepost users find --limit 1000 --after ada@example.com",
        json=f'{{"users": [USER, …], "next": ADDRESS for --after, or null}}\n{_SHAPE}',
    ),
)
def find_command(
    text: Annotated[
        str, typer.Argument(metavar="TEXT", help="How the address begins, or an id.")
    ] = "",
    limit: Annotated[int, typer.Option(help="Users at most.", min=1, max=1000)] = 20,
    after: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Begin after this one.", show_default=False)
    ] = "",
    json: JsonOption = False,
) -> None:
    """List users in the order of their addresses.

    All of them, those whose address begins with TEXT, or the one with that id.
    """
    found = asyncio.run(_find(text, limit + 1, after))
    more, found = len(found) > limit, found[:limit]
    following = found[-1].email if more else None
    if json:
        print_json({"users": found, "next": following})
        return
    rows = [
        [str(user.id), user.email, _yes(user.email_verified), user.name, moment(user.created_at)]
        for user in found
    ]
    print_table(["id", "email", "verified", "name", "created"], rows)
    if following:
        say(f"there are more: --after {printable(following)}")
    elif not found:
        say("no user")


async def _find(text: str, limit: int, after: str) -> list[User]:
    async with connected() as connection:
        if user_id := as_id(text):
            return await connection.fetch(users.by_id, user_id)
        first = text.lower()
        arguments = (first, first + _GREATEST, after.lower(), limit)
        return await connection.fetch(users.by_prefix, *arguments)


@cli.command(
    "show",
    epilog=epilog(
        "gatepost users show ada@example.com",
        json='{"user": USER, "accounts": [ACCOUNT, …], "sessions": [SESSION, …],\n'
        ' "policy": POLICY, or null}\n'
        f"{_SHAPE}\n"
        f"{shape('ACCOUNT', PublicAccount)}\n"
        "SESSION: as of sessions list; the newest hundred\n"
        "POLICY: as of users limits",
        codes=(0, 1, 2, 8),
    ),
)
def show_command(user: UserArgument, json: JsonOption = False) -> None:
    """Show a user with accounts, sessions, and limits of these that are the user's own."""
    asyncio.run(_show(user, json))


async def _show(text: str, json: bool) -> None:
    async with connected() as connection:
        user = await find_user(connection, text)
        linked = await connection.fetch(accounts.of_user, user.id)
        sessions = await sessions_of(connection, user.id, _SHOWN_SESSIONS)
        own = await connection.fetch(session_policies.of_user, user.id)
    policy = own[0] if own else None
    if json:
        print_json({"user": user, "accounts": linked, "sessions": sessions, "policy": policy})
        return
    _print_user(user)
    if policy is not None:
        print()
        limits.print_policy(policy)
    print()
    _print_accounts(linked)
    print()
    print_sessions(sessions)


@cli.command(
    "create",
    epilog=epilog(
        "gatepost users create --name Ada --email ada@example.com",
        "gatepost users create --name Ada --email ada@example.com < password.txt",
        json=f'{{"user": USER}}\n{_SHAPE}',
        codes=(0, 1, 2, 9),
    ),
)
def create_command(
    name: Annotated[str, typer.Option(help="The name.", show_default=False)],
    email: Annotated[str, typer.Option(help="The address.", show_default=False)],
    json: JsonOption = False,
) -> None:
    """Create a user with a password, by the rules of sign-up.

    The password is asked for, or is the first line of standard input where that is no terminal.
    """
    with development_database(create=False):
        settings = Settings.from_environment(os.environ)
        user = asyncio.run(_create(settings, name, email, read_password()))
    if json:
        print_json({"user": user})
    else:
        _print_user(user)


def read_password() -> str:
    if sys.stdin.isatty():
        return typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    try:
        text = sys.stdin.buffer.readline(_PASSWORD_BYTES).decode()
    except UnicodeDecodeError:
        raise typer.BadParameter("the password on standard input is not UTF-8") from None
    return text.removesuffix("\n").removesuffix("\r")


async def _create(settings: Settings, name: str, email: str, password: str) -> User:
    statement, arguments = sign_up(settings, name, email, password)
    async with connected() as connection:
        created = await connection.fetch(statement, *arguments)
    if not created:
        raise AlreadyExistsError(f"there is a user {email.lower()} already")
    return created[0]


def sign_up(
    settings: Settings, name: str, email: str, password: str
) -> tuple[Statement[User], tuple[Any, ...]]:
    """The statement that creates a user, and its arguments.

    Raises BadParameter for what the rules of sign-up refuse.
    """
    from ..auth import passwords, validation
    from ..auth import sign_up as sign_ups
    from ..auth.context import CREDENTIAL
    from ..auth.errors import MESSAGES
    from ..auth.fields import Fields

    refuses_common = settings.auth is None or settings.auth.refuse_common_passwords
    refused = passwords.common_passwords() if refuses_common else frozenset[str]()
    try:
        given = {"name": name, "email": email, "password": password}
        validation.raise_if_invalid(sign_ups.FIELDS("user", given))
        passwords.check_new(password, refused)
    except AuthError as error:
        raise typer.BadParameter(error.message or MESSAGES[error.code or ""]) from None
    address, relation = email.lower(), settings.schema.users
    statement = UserStatements.of(relation).sign_up
    values = Fields(relation.fields).defaults | {"name": name, "email": address, "image": None}
    values |= {"provider": CREDENTIAL, "password": passwords.newly_hashed(password)}
    return statement, statement.arguments(values)


@cli.command(
    "delete",
    epilog=epilog(
        "gatepost users delete ada@example.com",
        "gatepost users delete --yes --json 5f0c3c8e-0d5e-4a52-9d37-3c1f7c1f6a10",
        json=f'{{"user": USER}}, as it was\n{_SHAPE}',
        codes=(0, 1, 2, 8),
    ),
)
def delete_command(
    user: UserArgument,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Delete a user with all accounts and sessions. There is no way back."""
    check_can_ask(yes=yes)
    with development_database(create=False):
        deleted = asyncio.run(_find_one(user))
        if not yes:
            name = f"{printable(deleted.name)} <{printable(deleted.email)}>"
            typer.confirm(f"Delete {name} with all accounts and sessions?", abort=True, err=True)
        asyncio.run(_delete(deleted.id))
    if json:
        print_json({"user": deleted})
    else:
        print(f"deleted {deleted.id}")


async def _find_one(text: str) -> User:
    async with connected() as connection:
        return await find_user(connection, text)


async def _delete(user_id: UUID) -> None:
    async with connected() as connection:
        if not await connection.fetch(users.delete, user_id):
            raise NotFoundError(f"there is no user {user_id} any more")


cli.add_typer(personal_data.cli)
cli.add_typer(limits.cli)


def _print_user(user: User) -> None:
    lines = {
        "id": str(user.id),
        "name": user.name,
        "email": user.email,
        "verified": _yes(user.email_verified),
        "created": moment(user.created_at),
        "updated": moment(user.updated_at),
    }
    for label, value in lines.items():
        print(f"{label:<8}  {printable(value)}".rstrip())


def _print_accounts(linked: list[PublicAccount]) -> None:
    rows: list[Any] = [
        [str(account.id), account.provider_id, account.account_id, moment(account.created_at)]
        for account in linked
    ]
    print_table(["account", "provider", "id there", "created"], rows)


def _yes(flag: bool) -> str:
    return "yes" if flag else "no"
