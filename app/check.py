"""``gatepost check``: whether a start would serve, without starting or changing anything.

First the settings, then each host of the addresses, then what the doctor asks, then the providers
and the webhooks.
"""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from . import doctor
from .database import connect
from .database.connector import one_host_each, with_options
from .doctor import NETWORK, Finding, finding
from .errors import DatabaseError, DatabaseUnavailableError, SettingsError
from .redaction import redacted_url, without_password
from .settings import Settings
from .start import notices, settings_to_serve
from .statements import doctor as statements

_WEBHOOKS_DELAY: Final = timedelta(minutes=5)
"""What a process that delivers may be behind, or away for a deployment."""


async def examine(environment: Mapping[str, str]) -> list[Finding]:
    """Every finding; after a setting that is wrong the rest is skipped."""
    try:
        settings = settings_to_serve(environment)
    except SettingsError as error:
        return [finding("settings", "fail", str(error), "see docs/OPERATIONS.md")]
    findings = [finding("settings", "warn", *notice) for notice in notices(settings)]
    findings = findings or [finding("settings", "ok", "every one is right")]
    hosts, database = await _hosts(settings), await doctor.examine(settings)
    providers, webhooks = await _providers(settings), await _webhooks(settings)
    return [*findings, *hosts, *database, *providers, *webhooks]


async def _hosts(settings: Settings) -> list[Finding]:
    """Of an address that names several hosts, whether each answers."""
    urls = (settings.database_url, settings.database_direct_url, settings.replica_url or "")
    each = [one_host_each(url) for url in urls]
    several = dict.fromkeys(host for hosts in each if len(hosts) > 1 for host in hosts)
    return await asyncio.gather(*map(_host, several))


async def _host(url: str) -> Finding:
    try:
        async with connect(with_options(url, target_session_attrs="any")) as connection:
            standby = await connection.fetchval(statements.read_only)
    except DatabaseUnavailableError as error:
        reason = without_password(str(error), url)
        return finding("host", "warn", f"{redacted_url(url)}: {reason}", error.advice or NETWORK)
    return finding("host", "ok", f"{redacted_url(url)} takes {'no ' if standby else ''}writes")


async def _providers(settings: Settings) -> list[Finding]:
    """Whether each provider answers and knows this client, and what to register there."""
    if settings.auth is None or not settings.auth.social.providers:
        return []
    from .auth.social.trial import try_providers  # its packages are an extra

    try:
        return [finding("provider", *trial) for trial in await try_providers(settings.auth)]
    except SettingsError as error:
        return [finding("settings", "fail", str(error), "see docs/PROVIDERS.md")]


async def _webhooks(settings: Settings) -> list[Finding]:
    """Whether some process delivers, and each webhook can be sent to; nothing when the database
    has said before why it cannot be asked."""
    found: list[Finding] = []
    try:
        async with connect(settings.database_url) as connection:
            age = await connection.fetchval(statements.webhooks_behind)
        if age is not None and age > _WEBHOOKS_DELAY:
            text = f"no process has looked at events for {age.total_seconds():.0f} s"
            step = "set GATEPOST_WEBHOOKS for the service, or run 'gatepost webhooks deliver'"
            found.append(finding("webhook", "warn", text, step))
        if settings.webhooks.deliver:
            from .webhooks.trial import try_webhooks  # its packages are an extra

            found += [finding("webhook", *trial) for trial in await try_webhooks(settings)]
    except SettingsError as error:
        found.append(finding("settings", "fail", str(error), "see docs/WEBHOOKS.md"))
    except DatabaseError:
        return found
    return found
