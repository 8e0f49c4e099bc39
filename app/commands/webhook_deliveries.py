"""``gatepost webhooks``: what became of the events, and the process that delivers them."""

import asyncio
import os
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID, uuid4

import typer

from ..database import Database
from ..errors import NotFoundError, SettingsError
from ..settings import Settings
from ..statements import webhook_deliveries, webhooks
from ..statements.webhook_deliveries import DeadLetter
from .database import with_database
from .help import command_line, epilog, shape
from .output import JsonOption, moment, print_json, print_table, say
from .webhook import EXAMPLE, IdArgument, found, vault_of

cli = command_line()


@cli.command(
    "test",
    epilog=epilog(
        f"gatepost webhooks test {EXAMPLE}",
        json='{"delivered": true, "status": 200, "error": null}',
        codes=(0, 1, 2, 8),
    ),
)
def ping_command(webhook: IdArgument, json: JsonOption = False) -> None:
    """Send a message of the type ping from here, once, and say what came of it."""
    status, error = asyncio.run(with_database(_test, webhook))
    if json:
        print_json({"delivered": error is None, "status": status, "error": error})
    elif error is None:
        print(f"HTTP {status}")
    else:
        say(f"not delivered: {error}")
    raise typer.Exit(0 if error is None else 1)


async def _test(
    database: Database, settings: Settings, webhook_id: UUID
) -> tuple[int | None, str | None]:
    vault = vault_of(settings)
    from ..webhooks.messages import PING, message
    from ..webhooks.sender import Sender

    row = found(await database.fetch(webhooks.by_id, webhook_id), webhook_id)
    secret = vault.open(row.secret)
    if secret is None:
        raise SettingsError(
            "its secret is encrypted with another GATEPOST_SECRET: name that one, too"
        )
    now = datetime.now(UTC)
    is_good = row.old_secret_until is not None and row.old_secret_until > now
    old = vault.open(row.old_secret) if row.old_secret and is_good else None
    body = message(PING, now, {"webhook_id": row.id})
    sender = Sender(private=settings.webhooks.private_addresses)
    try:
        outcome = await sender.send(row.url, [secret, old] if old else [secret], str(uuid4()), body)
    finally:
        await sender.close()
    return outcome.status, outcome.error


@cli.command(
    "dead",
    epilog=epilog(
        "gatepost webhooks dead",
        f"gatepost webhooks dead --webhook {EXAMPLE} --json",
        json=f'{{"dead": [LETTER, …]}}\n{shape("LETTER", DeadLetter)}',
    ),
)
def dead_command(
    webhook: Annotated[
        UUID | None, typer.Option(metavar="WEBHOOK", help="Those of one webhook.")
    ] = None,
    limit: Annotated[int, typer.Option(help="Dead letters at most.", min=1, max=1000)] = 100,
    json: JsonOption = False,
) -> None:
    """List the dead letters, the newest first: events that were given up."""
    letters: list[DeadLetter] = asyncio.run(with_database(_dead, webhook, limit))
    if json:
        print_json({"dead": letters})
        return
    rows = [
        [
            str(d.webhook_id),
            str(d.event_id),
            d.type or "?",
            moment(d.dead_since),
            d.last_error or "",
        ]
        for d in letters
    ]
    print_table(["webhook", "event", "type", "dead since", "why"], rows)
    if not letters:
        say("there is none")


async def _dead(
    database: Database, _: Settings, webhook_id: UUID | None, limit: int
) -> list[DeadLetter]:
    return await database.fetch(webhook_deliveries.dead, webhook_id, limit)


@cli.command(
    "retry",
    epilog=epilog(
        f"gatepost webhooks retry {EXAMPLE}",
        f"gatepost webhooks retry {EXAMPLE} 00000000-0000-02f1-0000-00000000002a",
        json='{"revived": 2, "hastened": 0}',
        codes=(0, 1, 2, 8),
    ),
)
def retry_command(
    webhook: IdArgument,
    events: Annotated[
        list[UUID] | None,
        typer.Argument(
            metavar="[EVENT]...", help="Dead letters of these events.", show_default=False
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Send dead letters again: those that are named, or all, and what waits for a later attempt."""
    revived, hastened = asyncio.run(with_database(_retry, webhook, events or None))
    if json:
        print_json({"revived": revived, "hastened": hastened})
        return
    say(f"{revived} dead letters and {hastened} events that waited are due now")


async def _retry(
    database: Database, _: Settings, webhook_id: UUID, events: list[UUID] | None
) -> tuple[int, int]:
    from ..webhooks.schedule import LEASE

    found(await database.fetch(webhooks.by_id, webhook_id), webhook_id)
    revived = await database.fetchrow(webhook_deliveries.revive, webhook_id, events)
    count = revived["count"] if revived else 0
    if events is not None:
        if count < len(set(events)):
            raise NotFoundError(
                f"{len(set(events)) - count} of these events are no dead letters of it; "
                f"{count} are due now"
            )
        return count, 0
    hastened = await database.fetchrow(webhook_deliveries.hasten, webhook_id, LEASE)
    return count, hastened["count"] if hastened else 0


@cli.command("deliver", epilog=epilog("gatepost webhooks deliver"))
def deliver_command() -> None:
    """Deliver webhooks until a signal comes: what GATEPOST_WEBHOOKS does beside the service.

    Any number of processes may do it at once. Metrics are shown as those of the service are.
    """
    from ..logs import log_as_json
    from ..server import serve_metrics

    settings = Settings.from_environment(os.environ)
    settings.check_webhooks("webhooks cannot be delivered")
    from ..webhooks.deliverer import check  # its packages are an extra

    check(settings)
    serve_metrics(settings)
    log_as_json()
    asyncio.run(_deliver(settings))


async def _deliver(settings: Settings) -> None:
    import signal

    from ..database.pool_metrics import export_pool
    from ..logs import logging_in_batches
    from ..telemetry import Telemetry
    from ..webhooks.deliverer import delivering

    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    database = Database(settings)
    async with logging_in_batches(Telemetry()):
        await database.open()
        export_pool(database)
        try:
            async with delivering(database, settings):
                print("Gatepost delivers webhooks", flush=True)
                await stopped.wait()
        finally:
            await database.close()
