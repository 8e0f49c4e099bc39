"""``gatepost webhooks``: where events are sent to."""

import asyncio
from datetime import datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
import typer

from ..database import Database
from ..errors import NotFoundError
from ..schema import Webhook
from ..settings import Settings
from ..statements import events, webhook_deliveries, webhooks
from ..statements.webhook_deliveries import Failure, Load
from .database import with_database
from .help import command_line, epilog, shape
from .output import (
    JsonOption,
    YesOption,
    check_can_ask,
    moment,
    print_json,
    print_table,
    printable,
    say,
)
from .webhook import EXAMPLE, IdArgument, found, vault_of
from .webhook_deliveries import cli as on_deliveries

cli = command_line("webhooks", description="Send events to receivers of your own.")

_MOST: Final = 1000
_OLD_SECRET_GRACE: Final = timedelta(days=1)


class Shown(msgspec.Struct, frozen=True):
    """A webhook as the commands show it: without its secrets. Times are UTC."""

    id: UUID
    url: str
    types: list[str]
    created_at: datetime
    old_secret_until: datetime | None
    failing_since: datetime | None
    paused_at: datetime | None
    pause_reason: str | None
    waiting: int
    dead: int
    oldest_seconds: float | None
    """Age of the oldest event that waits."""


_SHAPE: Final = shape("WEBHOOK", Shown)


@cli.command(
    "add",
    epilog=epilog(
        "gatepost webhooks add https://app.example.com/hooks",
        "gatepost webhooks add https://app.example.com/hooks --type user --type session.ended",
        json=f'{{"webhook": WEBHOOK, "secret": "whsec_…"}}\n{_SHAPE}',
    ),
)
def add_command(
    url: Annotated[str, typer.Argument(metavar="URL", help="What gets a POST for each event.")],
    types: Annotated[
        list[str] | None,
        typer.Option(
            "--type",
            metavar="TYPE",
            help="Events of a type, or of all types of user, session or account. Several times: "
            "any of them; without it: every event.",
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Add a webhook, and print the secret that its receiver verifies with, this once.

    It gets the events that come from now on.
    """
    wanted = list(dict.fromkeys(types or ()))
    for each in wanted:
        if each not in (*events.KINDS, *events.TYPES):
            raise typer.BadParameter(
                f"there is no type {printable(each)}: docs/EVENTS.md has them", param_hint="--type"
            )
    made, secret = asyncio.run(with_database(_add, url, wanted))
    if json:
        print_json({"webhook": made, "secret": secret})
        return
    print(f"Webhook  {made.id}\nSecret   {secret}")
    say("The secret is not shown again. The receiver verifies the signature with it.")


async def _add(
    database: Database, settings: Settings, url: str, types: list[str]
) -> tuple[Shown, str]:
    from ..webhooks.addresses import refusal
    from ..webhooks.signing import new_secret

    vault = vault_of(settings)
    if why := refusal(url, private=settings.webhooks.private_addresses):
        # without the address, in which there may be a password
        raise typer.BadParameter(why, param_hint="URL")
    secret = new_secret()
    row = await database.fetchrow(webhooks.create, url, types, vault.seal(secret))
    if row is None:
        raise NotFoundError("the webhook is gone again")
    if not settings.webhooks.deliver:
        say("GATEPOST_WEBHOOKS is not set here: see that some process delivers")
    return await _shown(database, row), secret


@cli.command(
    "list",
    epilog=epilog("gatepost webhooks list", json=f'{{"webhooks": [WEBHOOK, …]}}\n{_SHAPE}'),
)
def list_command(json: JsonOption = False) -> None:
    """List the webhooks, the oldest first."""
    listed: list[Shown] = asyncio.run(with_database(_list))
    if json:
        print_json({"webhooks": listed})
        return
    print_table(
        ["id", "url", "types", "waiting", "dead", "state"],
        [
            [str(w.id), w.url, ",".join(w.types) or "all", str(w.waiting), str(w.dead), _state(w)]
            for w in listed
        ],
    )
    if not listed:
        say("there is none: gatepost webhooks add https://app.example.com/hooks")


async def _list(database: Database, _: Settings) -> list[Shown]:
    return [await _shown(database, row) for row in await database.fetch(webhooks.every, _MOST)]


def _state(webhook: Shown) -> str:
    if webhook.paused_at:
        return "paused"
    return "failing" if webhook.failing_since else "ok"


@cli.command(
    "show",
    epilog=epilog(
        f"gatepost webhooks show {EXAMPLE}",
        json=f'{{"webhook": WEBHOOK, "failed": [FAILURE, …]}}\n{_SHAPE}\n'
        f"{shape('FAILURE', Failure)}",
        codes=(0, 1, 2, 8),
    ),
)
def show_command(webhook: IdArgument, json: JsonOption = False) -> None:
    """Show a webhook, and the first events that it did not get yet."""
    shown, failures = asyncio.run(with_database(_show, webhook))
    if json:
        print_json({"webhook": shown, "failed": failures})
        return
    fields = msgspec.structs.asdict(shown)
    width = max(map(len, fields))
    for name, value in fields.items():
        print(f"{name:<{width}}  {_cell(value)}")
    rows = [
        [str(f.event_id), str(f.attempts), moment(f.next_attempt_at), f.last_error]
        for f in failures
    ]
    if rows:
        print()
    print_table(["event", "attempts", "next attempt", "why"], rows)


async def _show(database: Database, _: Settings, webhook_id: UUID) -> tuple[Shown, list[Failure]]:
    row = found(await database.fetch(webhooks.by_id, webhook_id), webhook_id)
    failures = await database.fetch(webhook_deliveries.first_failed, webhook_id, 10)
    return await _shown(database, row), failures


def _cell(value: Any) -> str:
    match value:
        case datetime():
            return moment(value)
        case list():
            return printable(",".join(value)) or "all"
        case float():
            return f"{value:.0f}"
        case None:
            return "-"
    return printable(str(value))


@cli.command("pause", epilog=epilog(f"gatepost webhooks pause {EXAMPLE}", codes=(0, 1, 2, 8)))
def pause_command(webhook: IdArgument) -> None:
    """Send nothing to a webhook until it is resumed. Its events wait."""
    asyncio.run(with_database(_pause, webhook))
    say("paused: its events wait")


async def _pause(database: Database, _: Settings, webhook_id: UUID) -> None:
    found(await database.fetch(webhooks.by_id, webhook_id), webhook_id)
    await database.fetch(webhooks.pause, "by an operator", webhook_id)


@cli.command("resume", epilog=epilog(f"gatepost webhooks resume {EXAMPLE}", codes=(0, 1, 2, 8)))
def resume_command(webhook: IdArgument) -> None:
    """Send to a webhook again, and now what waits for a later attempt."""
    asyncio.run(with_database(_resume, webhook))
    say("it is sent to again")


async def _resume(database: Database, _: Settings, webhook_id: UUID) -> None:
    from ..webhooks.schedule import LEASE

    found(await database.fetch(webhooks.resume, webhook_id), webhook_id)
    await database.fetch(webhook_deliveries.hasten, webhook_id, LEASE)


@cli.command(
    "rotate",
    epilog=epilog(
        f"gatepost webhooks rotate {EXAMPLE}",
        json=f'{{"webhook": WEBHOOK, "secret": "whsec_…"}}\n{_SHAPE}',
        codes=(0, 1, 2, 8),
    ),
)
def rotate_command(webhook: IdArgument, json: JsonOption = False) -> None:
    """Give a webhook a new secret, and print it, this once. For a day the old one signs, too."""
    changed, secret = asyncio.run(with_database(_rotate, webhook))
    if json:
        print_json({"webhook": changed, "secret": secret})
        return
    print(secret)
    say(f"The old secret signs beside it until {moment(changed.old_secret_until)}.")


async def _rotate(database: Database, settings: Settings, webhook_id: UUID) -> tuple[Shown, str]:
    from ..webhooks.signing import new_secret

    vault, secret = vault_of(settings), new_secret()
    rows = await database.fetch(webhooks.rotate, _OLD_SECRET_GRACE, vault.seal(secret), webhook_id)
    return await _shown(database, found(rows, webhook_id)), secret


@cli.command(
    "remove",
    epilog=epilog(f"gatepost webhooks remove {EXAMPLE} --yes", codes=(0, 1, 2, 8)),
)
def remove_command(webhook: IdArgument, yes: YesOption = False) -> None:
    """Remove a webhook, with all that waits for it and its dead letters."""
    check_can_ask(yes=yes)
    if not yes:
        typer.confirm("Remove it, with all that waits for it?", abort=True, err=True)
    asyncio.run(with_database(_remove, webhook))
    say("removed")


async def _remove(database: Database, _: Settings, webhook_id: UUID) -> None:
    found(await database.fetch(webhooks.delete, webhook_id), webhook_id)


async def _shown(database: Database, row: Webhook) -> Shown:
    load = await database.fetchrow(webhook_deliveries.load_of, row.id) or Load(0, 0, None)
    return Shown(
        row.id,
        row.url,
        row.types,
        row.created_at,
        row.old_secret_until,
        row.failing_since,
        row.paused_at,
        row.pause_reason,
        load.waiting,
        load.dead,
        load.oldest.total_seconds() if load.oldest else None,
    )


cli.add_typer(on_deliveries)  # after the others, as the help lists them
