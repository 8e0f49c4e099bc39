"""``gatepost users export``, ``erase`` and ``receipt``: what is kept of one user, and its end."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Final, TypeVar
from uuid import UUID

import msgspec
import typer

from ..database import Database, described
from ..errors import DatabaseError, NotFoundError, SettingsError
from ..personal_data_types import Erased, Export, LeftOut, Limit, Link, Receipt
from ..redaction import one_line
from ..settings import Settings
from .database import as_id, connected, find_user
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

if TYPE_CHECKING:
    from ..auth.personal_data import PersonalData

Result = TypeVar("Result")

cli = command_line()

_RECEIPT: Final = shape("RECEIPT", Receipt)


@cli.command(
    "export",
    epilog=epilog(
        "gatepost users export ada@example.com",
        "gatepost users export ada@example.com --include acme_notes --json",
        json="\n".join(
            (
                shape("one line", Export),
                "user, accounts, sessions, tables: rows, without secret columns",
                shape("verifications", Link),
                shape("rate_limits", Limit),
                shape("left_out", LeftOut),
            )
        ),
        codes=(0, 1, 2, 8),
    ),
)
def export_command(
    user: UserArgument,
    include: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TABLE[.COLUMN]",
            help="Show what no file declares, too. Several times.",
            show_default=False,
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="On one line.")] = False,
) -> None:
    """Print all that is kept of a user as JSON, for the user to have.

    Of tables of your own it has what the file of GATEPOST_SCHEMA declares. What is not shown is
    named in "left_out": what is not declared, and tokens, hashes and other declared secrets.
    """
    names = include or []
    try:
        found = asyncio.run(_of_user(user, lambda data, user_id: data.export(user_id, names)))
    except KeyError as error:
        name = printable(str(error.args[0]))
        raise typer.BadParameter(f"--include {name}: no such column, or it is a secret") from None
    if json:
        print_json(found)
    else:
        text = msgspec.json.format(msgspec.json.encode(found), indent=2).decode()
        print("\n".join(map(one_line, text.splitlines())))
    for each in found.left_out:
        say(f"left out: {_left_out(each)}")


def _left_out(each: LeftOut) -> str:
    if each.rows is None:
        return f"{each.table}, which the role of DATABASE_URL may not read"
    return f"{each.table} ({', '.join(map(printable, each.columns))})"


@cli.command(
    "erase",
    epilog=epilog(
        "gatepost users erase ada@example.com",
        "gatepost users erase --yes --json 5f0c3c8e-0d5e-4a52-9d37-3c1f7c1f6a10",
        json=f'{{"receipt": RECEIPT, "kept": {{TABLE: ROWS}}}}\n{_RECEIPT}',
        codes=(0, 1, 2, 8),
    ),
)
def erase_command(
    user: UserArgument,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Delete a user with all that is kept of them, and leave a receipt. There is no way back.

    Besides accounts and sessions, these are mailed links, what is counted, and the rows of your own
    tables whose foreign keys say ON DELETE CASCADE. "kept" are rows that only lost their user.
    """
    check_can_ask(yes=yes)
    with development_database(create=False):
        _check_secret()
        if not yes:
            asyncio.run(_confirm(user))
        done = asyncio.run(_of_user(user, lambda data, user_id: data.erase(user_id)))
    if json:
        print_json(done)
        return
    _print_erased(done)


async def _confirm(text: str) -> None:
    async with connected() as connection:
        found = await find_user(connection, text)
    name = f"{printable(found.name)} <{printable(found.email)}>"
    typer.confirm(f"Erase {name} and all that is kept of them?", abort=True, err=True)


def _print_erased(done: Erased) -> None:
    _print_receipt(done.receipt)
    for table, number in done.kept.items():
        rows = "rows" if number is None else f"{number} rows"
        say(f"{table}: {rows} stay, without their user")


@cli.command(
    "receipt",
    epilog=epilog(
        "gatepost users receipt ada@example.com",
        json=f'{{"receipts": [RECEIPT, …]}}\n{_RECEIPT}',
        codes=(0, 1, 2, 8),
    ),
)
def receipt_command(user: UserArgument, json: JsonOption = False) -> None:
    """Find the receipt of an erased user, by the id or the address that they had last.

    It is found while GATEPOST_SECRET has the secret that was the first one then.
    """
    text = str(as_id(user) or user.lower())
    with development_database(create=False):
        _check_secret()
        found = asyncio.run(_with_data(lambda data: data.receipts(text)))
    if not found:
        raise NotFoundError(f"there is no receipt for {printable(user)}")
    if json:
        print_json({"receipts": found})
        return
    for receipt in found:
        _print_receipt(receipt)


def _print_receipt(receipt: Receipt) -> None:
    print(f"erased   {moment(receipt.erased_at)}")
    print(f"receipt  {receipt.id}")
    rows = [[name, "?" if n is None else str(n)] for name, n in receipt.counts.items()]
    print_table(["table", "rows"], rows)


def _check_secret() -> None:
    if Settings.from_environment(os.environ).auth is None:
        raise SettingsError(
            "GATEPOST_SECRET and GATEPOST_BASE_URL are not set: what stands for the address in a "
            "receipt is made with the secret"
        )


async def _of_user(
    text: str, work: "Callable[[PersonalData, UUID], Awaitable[Result | None]]"
) -> Result:
    async with connected() as connection:
        user = await find_user(connection, text)
    found = await _with_data(lambda data: work(data, user.id))
    if found is None:
        raise NotFoundError(f"there is no user {printable(text)} any more")
    return found


async def _with_data(work: "Callable[[PersonalData], Awaitable[Result]]") -> Result:
    from ..auth.personal_data import PersonalData  # not for a help text

    with development_database(create=False):
        settings = Settings.from_environment(os.environ)
        database = Database(settings)
        await database.open()
        try:
            secrets = settings.auth.secrets if settings.auth else ()
            return await work(PersonalData(database, settings.schema, secrets))
        except DatabaseError as error:
            raise described(error, settings.database_url) from None
        finally:
            await database.close()
