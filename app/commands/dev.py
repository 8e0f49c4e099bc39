"""``gatepost dev``: the service for development, with a database of its own unless there is one."""

import asyncio
import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..migrations import files, runner
from ..process import exit_on_signals
from ..redaction import redacted_url
from ..settings import MailSettings, Settings
from ..settings.providers import has_packages
from .address import HostOption, PortOption, use_address
from .development import STATE, development_database, load_settings, set_defaults
from .grant import grants, run_script
from .help import command_line, epilog
from .output import Progress, say

if TYPE_CHECKING:
    from ..devserver.provider import LocalProvider

cli = command_line()


@cli.command(
    "dev",
    epilog=epilog("gatepost dev", "gatepost dev --port 8001", codes=(0, 1, 2, 3, 4, 5)),
)
def dev_command(host: HostOption = None, port: PortOption = None) -> None:
    """Serve for development. Every setting has a default, and .env.local and .env are read.

    Unless DATABASE_URL is set there is an embedded PostgreSQL, with its data in .gatepost. The
    migrations are applied, a secret and a service key made, and mails printed.
    """
    from ..devserver.welcome import development_app
    from ..server import base_url, listening_socket, run

    use_address(host, port)
    load_settings()
    exit_on_signals()
    key = set_defaults()
    # the settings are checked, and the port is taken, before a database is started
    url = os.environ.get("DATABASE_URL") or "postgres:"
    settings = Settings.from_environment(os.environ | {"DATABASE_URL": url})
    for warning in _mixed_names(settings, base_url(settings)):
        say(f"Warning: {warning}")
    with listening_socket(settings) as listener, development_database() as data:
        settings = Settings.from_environment(os.environ)
        to = "" if data is not None else f" to {redacted_url(settings.direct_url())}"
        say(f"Applying the migrations{to}")
        with Progress() as progress:
            asyncio.run(
                runner.migrate(settings.direct_url(), own=settings.migrations, report=progress)
            )
        if data is not None:
            settings = asyncio.run(_with_service_role(settings))
        settings, provider = _with_provider(settings)
        key_file = STATE / "service-key" if key else None
        make_app = partial(development_app, data=data, key_file=key_file, provider=provider)
        run(settings, listener, _welcome(settings, base_url(settings), data, key), make_app)


def _with_provider(settings: Settings) -> tuple[Settings, "LocalProvider | None"]:
    """The settings with a provider that needs no account anywhere, where its packages are."""
    if not has_packages():
        return settings, None
    from ..devserver.provider import local_provider

    provider = local_provider(settings)
    if provider is None or settings.auth is None:
        return settings, None
    social = settings.auth.social
    social = replace(social, providers=(*social.providers, provider.settings))
    return replace(settings, auth=replace(settings.auth, social=social)), provider


async def _with_service_role(settings: Settings) -> Settings:
    """The settings of a service that has no more privileges than it needs."""
    owner = settings.database_direct_url
    await run_script(owner, files.SERVICE_ROLE.read_text())
    await run_script(owner, grants(settings))
    url = urlsplit(owner)._replace(netloc=f"{files.SERVICE_ROLE_NAME}@").geturl()
    return replace(settings, database_url=url, database_direct_url=url)


def _mixed_names(settings: Settings, listening: str) -> list[str]:
    """What goes wrong in a browser when this machine is called by two names."""
    from ..auth.refused_origins import mixed_names

    if settings.auth is None:
        return []
    return mixed_names(settings.auth.base_url, [listening, *settings.auth.trusted_origins])


def _welcome(settings: Settings, url: str, data: Path | None, key: str | None) -> str:
    mail = settings.auth.mail if settings.auth else MailSettings()
    mails = mail.file or "to the server in MAIL_URL"
    docs = f"{url}/docs" if settings.docs else "off, by GATEPOST_DOCS"
    has_page = settings.auth is not None and settings.auth.admin.page
    page = f"{url}/admin   for whom you make one: gatepost admin create ada@example.com"
    return f"""\
Gatepost     {url}
Docs         {docs}
Admin        {page if has_page else "off, by GATEPOST_ADMIN_PAGE"}
Data         {data or "in the database of DATABASE_URL"}
Mails        {mails}
Service key  {key or "one of GATEPOST_SERVICE_KEYS"}
Try          curl '{url}/rest/v1/users?on_conflict=email' -H 'apikey: {key or "KEY"}' \\
               -H 'Content-Type: application/json' \\
               -H 'Prefer: resolution=merge-duplicates, return=representation' \\
               -d '{{"name": "Try", "email": "try@example.com"}}'"""
