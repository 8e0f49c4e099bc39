"""``/admin/health``: what the doctor finds, and how this process fares.

Only administrators see it: it names hosts and settings. No password is in an address.
"""

import asyncio
import time
from collections.abc import Mapping
from platform import python_version
from typing import Any, Final

from starlette.responses import Response

from ..auth.context import RequestContext, utc_now
from ..daily_counts import NAME as COUNTS
from ..doctor import Finding, examine, finding
from ..purge import NAME as EXPIRED
from ..settings import Settings
from ..statements import daily_counts, migrations, purges
from .page import Screen, render
from .try_it import Call, try_it

_KEPT: Final = 15.0
"""Seconds for which the doctor's findings are shown again: an examination opens connections."""
_DEADLINE: Final = 10.0
"""Seconds for an examination."""

_CALLS: Final = (
    Call("Whether the service is ready", "/readyz", credential=None),
    Call("Whether the process answers", "/livez", credential=None),
)


class Health:
    """The screen, and what the doctor found last."""

    def __init__(self, settings: Settings, version: str) -> None:
        self._settings = settings
        self._version = version
        self._lock = asyncio.Lock()
        self._findings: list[Finding] = []
        self._examined = float("-inf")

    async def show(self, context: RequestContext) -> Mapping[str, Any] | Response:
        if not context.settings.admin.is_administrator(context.user.role):
            return render(context, "refused.html", {}, 403)
        database, state = context.services.database, context.request.app.state
        applied = {row["version"] for row in await database.fetch(migrations.applied)}
        passes = await database.fetch(purges.last, EXPIRED)
        place = await database.fetchrow(daily_counts.place, COUNTS)
        findings = await self._examine()
        return {
            "findings": findings,
            "worst": max((_ORDER.index(each.level) for each in findings), default=0),
            "age": round(time.monotonic() - self._examined),
            "version": self._version,
            "python": python_version(),
            "plugins": context.settings.plugins,
            "providers": [each.id for each in context.settings.social.providers],
            "applied": len(applied),
            "pending": sorted(state.migrations - applied),
            "purge_every": self._settings.purge_every,
            "purge": passes[0] if passes else None,
            "counted_at": place.read_at if place else None,
            "load": database.load,
            "now": utc_now(),
            "calls": try_it(context.settings.base_url, *_CALLS),
        }

    async def _examine(self) -> list[Finding]:
        """What the doctor finds; those who ask at the same time share an examination."""
        async with self._lock:
            if time.monotonic() - self._examined > _KEPT:
                try:
                    async with asyncio.timeout(_DEADLINE):
                        self._findings = await examine(self._settings)
                except TimeoutError:
                    text = f"the examination has not ended within {_DEADLINE:.0f} s"
                    step = "run 'gatepost doctor', and see whether the server has much to do"
                    self._findings = [finding("doctor", "fail", text, step)]
                self._examined = time.monotonic()
            return self._findings


_ORDER: Final = ("ok", "warn", "fail")


def health_screen(settings: Settings, version: str) -> Screen:
    return Screen(Health(settings, version).show, "health.html")
