"""Whether webhooks can be delivered, for ``gatepost check``; nothing is sent."""

from typing import Literal
from uuid import UUID

from ..database import connect
from ..settings import Settings
from ..statements import webhook_deliveries, webhooks
from .addresses import host_of, refusal
from .signing import Vault

Outcome = tuple[Literal["ok", "warn", "fail"], str, str]
"""Level, text, and what to do next ("" when it is ok)."""

_MOST = 1000


async def try_webhooks(settings: Settings) -> list[Outcome]:
    """An outcome for each webhook; one for all when there are none. Raises SettingsError and
    DatabaseError."""
    vault = Vault(settings.check_webhooks("GATEPOST_WEBHOOKS is on").secrets)
    async with connect(settings.database_url) as connection:
        rows = await connection.fetch(webhooks.every, _MOST)
        if not rows:
            return [("ok", "there are none: gatepost webhooks add makes one", "")]
        found: list[Outcome] = []
        for row in rows:
            name = f"{row.id} ({host_of(row.url)})"
            load = (await connection.fetch(webhook_deliveries.load_of, row.id))[0]
            why = refusal(row.url, private=settings.webhooks.private_addresses)
            if why is not None:
                step = (
                    "add it anew with another address, or set GATEPOST_WEBHOOKS_PRIVATE_ADDRESSES"
                )
                found.append(("fail", f"{name}: the address is refused: {why}", step))
            elif vault.open(row.secret) is None:
                text = f"{name}: its secret is encrypted with another GATEPOST_SECRET"
                step = "name that one, too, or 'gatepost webhooks rotate'"
                found.append(("fail", text, step))
            elif row.paused_at is not None:
                text = f"{name} is paused, {load.waiting} events wait: {row.pause_reason}"
                found.append(("warn", text, f"'gatepost webhooks resume {row.id}'"))
            elif row.failing_since is not None:
                text = f"{name} fails since {row.failing_since:%Y-%m-%dT%H:%M:%SZ}"
                found.append(("warn", text, _look(row.id)))
            elif load.dead:
                text = f"{name}: {load.dead} dead letters"
                found.append(("warn", text, f"'gatepost webhooks dead --webhook {row.id}'"))
            else:
                found.append(("ok", f"{name}: {load.waiting} events wait", ""))
        return found


def _look(webhook_id: UUID) -> str:
    return f"'gatepost webhooks show {webhook_id}'"
