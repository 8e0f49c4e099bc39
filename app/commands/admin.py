"""``gatepost admin``: who has the role of an administrator of the admin plugin."""

import asyncio
import os
import secrets
from typing import Annotated, Any, Final
from uuid import UUID

import typer

from ..database import Database, Transaction
from ..errors import LastAdministratorError, NotFoundError
from ..schema import User
from ..settings import AdminSettings, Settings
from ..statements import admin, users
from .database import as_id, with_database
from .help import command_line, epilog, shape
from .output import JsonOption, print_json, print_table, printable, say
from .users import UserArgument, read_password, sign_up

cli = command_line("admin", description="Make, list and remove administrators.")

_SHAPE: Final = shape("USER", User)
_FIRST: Final = UUID(int=0)


@cli.command(
    "create",
    epilog=epilog(
        "gatepost admin create ada@example.com",
        "gatepost admin create ada@example.com --name Ada < password.txt",
        "gatepost admin create ada@example.com --generate-password",
        json='{"user": USER, "created": whether the user is new,\n'
        ' "password": the one that was generated, or null}\n'
        f"{_SHAPE}",
        codes=(0, 1, 2, 8),
    ),
)
def create_command(
    user: Annotated[
        str,
        typer.Argument(
            metavar="EMAIL", help="The address, or the id of a user.", show_default=False
        ),
    ],
    name: Annotated[
        str | None, typer.Option(help="The name of a new user; otherwise the address.")
    ] = None,
    generate_password: Annotated[
        bool, typer.Option("--generate-password", help="Make a password, and print it once.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Make an administrator: of the user with this address, or a new one.

    Of a user whose address is not verified it takes the id, for anybody may have signed up with it.
    A new user's password is asked for, or is the first line of standard input where that is no
    terminal. The address of a new user counts as verified.
    """
    done = asyncio.run(with_database(_create, user, name, generate_password))
    made, created, password = done
    if json:
        print_json({"user": made, "created": created, "password": password})
        return
    say(f"{printable(made.email)} is an administrator{', and new' if created else ''}")
    print(password or made.id)


async def _create(
    database: Database, settings: Settings, text: str, name: str | None, generates: bool
) -> tuple[User, bool, str | None]:
    address, administrators = text.lower(), _roles(settings)
    made, password = None, None
    if user_id := as_id(text):
        found = await database.fetchrow(users.by_id, user_id)
        if found is None:
            raise NotFoundError(f"there is no user {user_id}")
        address = found.email
    else:
        found = await database.fetchrow(users.by_email, address)
        if found is not None and not found.email_verified:
            raise typer.BadParameter(
                f"the address of this user is not verified: give the id, {found.id}, "
                "if you know that nobody else has signed up with it"
            )
    if found is None:
        password = secrets.token_urlsafe(18) if generates else None
        made = sign_up(settings, name or address, address, password or read_password())

    async def write(transaction: Transaction) -> User:
        if made is not None:
            await transaction.fetch(made[0], *made[1])
        user = await transaction.fetchrow(users.by_email, address)
        if user is None:
            raise NotFoundError(f"there is no user {printable(address)} any more")
        if made is not None:
            await transaction.fetch(users.verify_email, True, user.id, address)
        roles = [] if user.role is None else user.role.split(",")
        if set(roles).isdisjoint(administrators.roles):
            roles = [role for role in roles if role and role != administrators.default_role]
            text = ",".join([*roles, administrators.roles[0]])
            user = await transaction.fetchrow(admin.set_role, text, user.id) or user
        return await transaction.fetchrow(users.by_id, user.id) or user

    user = await database.transaction("admin.create_administrator", write)
    if settings.auth is None or "admin" not in settings.auth.plugins:
        say("GATEPOST_PLUGINS does not have admin: the role opens nothing yet")
    return user, made is not None, password


@cli.command(
    "list",
    epilog=epilog(
        "gatepost admin list",
        json=f'{{"administrators": [USER, …], "next": ID for --after, or null}}\n{_SHAPE}',
    ),
)
def list_command(
    limit: Annotated[int, typer.Option(help="Users at most.", min=1, max=1000)] = 100,
    after: Annotated[
        UUID, typer.Option(metavar="ID", help="Begin after this one.", show_default=False)
    ] = _FIRST,
    json: JsonOption = False,
) -> None:
    """List the administrators who are not banned, in the order of their ids."""
    found = asyncio.run(with_database(_list, limit + 1, after))
    more, found = len(found) > limit, found[:limit]
    following = found[-1].id if more else None
    if json:
        print_json({"administrators": found, "next": following})
        return
    rows: list[Any] = [[str(user.id), user.email, user.name, user.role or ""] for user in found]
    print_table(["id", "email", "name", "role"], rows)
    if following:
        say(f"there are more: --after {following}")
    elif not found:
        say("no administrator: gatepost admin create you@example.com")


async def _list(database: Database, settings: Settings, limit: int, after: UUID) -> list[User]:
    return await database.fetch(admin.administrators, list(_roles(settings).roles), after, limit)


@cli.command(
    "remove",
    epilog=epilog(
        "gatepost admin remove ada@example.com",
        json=f'{{"user": USER}}\n{_SHAPE}',
        codes=(0, 1, 2, 8),
    ),
)
def remove_command(user: UserArgument, json: JsonOption = False) -> None:
    """Take the role of an administrator away. The user stays, and so does the last administrator.

    Sessions in which the administrator acts as somebody else end.
    """
    changed = asyncio.run(with_database(_remove, user))
    if json:
        print_json({"user": changed})
    else:
        print(f"{changed.id} is no administrator")


async def _remove(database: Database, settings: Settings, text: str) -> User:
    administrators = _roles(settings)

    async def write(transaction: Transaction) -> User:
        held = await transaction.fetch(admin.hold_administrators, list(administrators.roles), 2)
        user_id = as_id(text)
        if user_id is not None:
            user = await transaction.fetchrow(users.by_id, user_id)
        else:
            user = await transaction.fetchrow(users.by_email, text.lower())
        if user is None or not administrators.is_administrator(user.role):
            raise NotFoundError(f"there is no administrator {printable(text)}")
        if [row["id"] for row in held] == [user.id]:
            raise LastAdministratorError(
                f"{printable(text)} is the last administrator: make another one first"
            )
        kept = [r for r in administrators.roles_of(user.role) if r not in administrators.roles]
        role = ",".join(kept) or administrators.default_role
        await transaction.fetch(admin.end_impersonations, user.id)
        return await transaction.fetchrow(admin.set_role, role, user.id) or user

    return await database.transaction("admin.remove_administrator", write)


def _roles(settings: Settings) -> AdminSettings:
    """The same also where no secret is set, without which the auth API is off."""
    if settings.auth is not None:
        return settings.auth.admin
    return AdminSettings.from_environment(os.environ)
