"""The command line: ``gatepost dev | serve | migrate | migration | purge | doctor | statements``.

Exit codes: 0, also after SIGINT and SIGTERM; 1 the database or the port is not available;
2 a setting or an option is wrong; 3 migration files are refused; 4 a lock was not available in
time, or another purge is running; 5 a migration failed; 6 `migrate --status` found pending ones;
7 `doctor` found a fault.
"""

import asyncio
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

import msgspec
import typer
from dotenv import load_dotenv

from app import doctor, purge
from app.database import connect
from app.errors import GatepostError
from app.explain import explain
from app.migrations import files, runner
from app.migrations.runner import LockOptions, Status
from app.process import exit_on_signals, exit_with
from app.settings import MailSettings, Settings
from app.statements import every_statement

PROJECT: Final = Path(__file__).resolve().parents[1]
STATE: Final = PROJECT / ".gatepost"
"""The state of a developer's service: the database and its keys. Git-ignored."""

# exit codes of commands that worked; those of errors stand in app/errors.py
PENDING: Final = 6
FAULT: Final = 7

cli = typer.Typer(
    help="Users and sessions on PostgreSQL.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run a command; an error outside of the program is one line, not a traceback."""
    try:
        cli()
    except GatepostError as error:
        exit_with(error)


@cli.command("dev")
def dev_command() -> None:
    """Serve for development: embedded database unless DATABASE_URL is set, migrations, a key."""
    from app.server import base_url, listening_socket, run

    load_dotenv(PROJECT / ".env")
    exit_on_signals()
    key = None
    if not os.environ.get("GATEPOST_SERVICE_KEYS"):
        key = _load_or_create_secret("service-key")
        digest = sha256(key.encode()).hexdigest()
        os.environ["GATEPOST_SERVICE_KEYS"] = f"development:{digest}:read+write+secrets"
    _set_auth_defaults()
    # the settings are checked, and the port is taken, before a database is started
    url = os.environ.get("DATABASE_URL") or "postgres:"
    settings = Settings.from_environment(os.environ | {"DATABASE_URL": url})
    with listening_socket(settings) as listener, _development_database() as data:
        settings = Settings.from_environment(os.environ)
        if data is not None:
            _say("Applying the migrations")
        asyncio.run(runner.migrate(settings.direct_url()))
        if data is not None:
            settings = asyncio.run(_with_service_role(settings))
        run(settings, listener, _welcome(settings, base_url(settings), data, key))


@cli.command("serve")
def serve_command() -> None:
    """Serve on the database in DATABASE_URL, as it is."""
    sys.stdout.flush()
    # replaces this process, for the service needs none of the command line (app/server.py)
    os.execv(sys.executable, [sys.executable, "-m", "app.server"])  # noqa: S606 - no shell


@cli.command("migrate")
def migrate_command(
    to: Annotated[str | None, typer.Option(help="Stop at this version; it stays.")] = None,
    down: Annotated[bool, typer.Option("--down", help="Take back the newest instead.")] = False,
    status: Annotated[bool, typer.Option("--status", help="List them; 6 when pending.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print the steps.")] = False,
    wait: Annotated[
        float, typer.Option(help="Seconds for another migration to end.")
    ] = LockOptions.wait,
    lock_timeout: Annotated[
        float, typer.Option(help="Seconds for a table lock, per attempt.")
    ] = LockOptions.lock_timeout,
    attempts: Annotated[
        int, typer.Option(help="Attempts to get a table lock.", min=1)
    ] = LockOptions.attempts,
    folder: Annotated[Path, typer.Option(help="Where the files are.")] = files.MIGRATIONS,
) -> None:
    """Apply the pending migrations to DATABASE_DIRECT_URL, or else DATABASE_URL."""
    exit_on_signals(128)
    url = Settings.from_environment(os.environ).direct_url()
    if to is not None and to not in [m.version for m in files.load_verified(folder)]:
        raise typer.BadParameter(f"{to} is not the version of a migration", param_hint="--to")
    if status or dry_run:
        state = asyncio.run(runner.status(url, folder=folder))
        if dry_run:
            for migration in runner.plan(state, to=to, down=down):
                print(f"Would {'take back' if down else 'apply'} {migration.name}")
        else:
            _print_status(state)
            raise typer.Exit(PENDING if state.pending else 0)
        return
    options = LockOptions(wait=wait, lock_timeout=lock_timeout, attempts=attempts)
    report = partial(print, flush=True)
    asyncio.run(
        runner.migrate(url, folder=folder, to=to, down=down, options=options, report=report)
    )


def _print_status(state: Status) -> None:
    for migration in state.migrations:
        print(f"[{'X' if migration.version in state.applied else ' '}] {migration.name}")
    for version in state.ahead:
        print(f"[X] {version}, of a newer release")
    print(f"{len(state.applied)} applied, {len(state.pending)} pending")


migration_cli = typer.Typer(no_args_is_help=True, help="Migration files and their lock file.")
cli.add_typer(migration_cli, name="migration")


@migration_cli.command("new")
def migration_new_command(name: str) -> None:
    """Create a file with both directions, and add it to db/migrations.lock."""
    try:
        print(os.path.relpath(files.create(name)))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="NAME") from None


@migration_cli.command("lock")
def migration_lock_command() -> None:
    """Write db/migrations.lock from the files as they are."""
    files.write_lock_file()
    print(os.path.relpath(files.lock_file()))


@cli.command("purge")
def purge_command() -> None:
    """Delete what has expired in DATABASE_URL now; the service does it in the background."""
    exit_on_signals(128)
    deleted = asyncio.run(purge.purge_now(Settings.from_environment(os.environ)))
    for table, count in deleted.items():
        print(f"{table:<13}  {count}")


@cli.command("doctor")
def doctor_command(
    json: Annotated[bool, typer.Option("--json", help="A JSON array instead of lines.")] = False,
) -> None:
    """Check the database of DATABASE_URL against what this version needs."""
    findings = asyncio.run(doctor.examine(Settings.from_environment(os.environ)))
    if json:
        print(msgspec.json.encode(findings).decode())
    else:
        for finding in findings:
            print(f"{finding.level:<4}  {finding.check:<14}  {finding.text}")
    raise typer.Exit(FAULT if any(finding.level == "fail" for finding in findings) else 0)


@cli.command("statements")
def statements_command() -> None:
    """Print every fixed statement: name, text and plan."""
    load_dotenv(PROJECT / ".env")
    with _development_database() as data:
        asyncio.run(_print_statements(Settings.from_environment(os.environ), data is not None))


async def _print_statements(settings: Settings, migrate: bool) -> None:
    if migrate:
        await runner.migrate(settings.direct_url())
    async with connect(settings.database_url) as connection:
        plans = await explain(connection, every_statement())
    for statement, plan in plans.items():
        print(f"{statement.name}\n\n{statement.text}\n\n{plan}\n\n")


@contextmanager
def _development_database() -> Iterator[Path | None]:
    """Unless DATABASE_URL is set, start the embedded database and set it; yields its folder."""
    if os.environ.get("DATABASE_URL"):
        yield None
        return
    from app.devserver.postgres import EmbeddedPostgres

    home = STATE / "postgres"
    first = "" if home.exists() else ": the first time it makes the data, which takes a moment"
    _say(f"Starting PostgreSQL in {os.path.relpath(home)}{first}")
    with EmbeddedPostgres(home) as server:
        os.environ["DATABASE_URL"] = os.environ["DATABASE_DIRECT_URL"] = server.url()
        yield server.data


def _say(text: str) -> None:
    """Say what a start is at: on standard error, for the output is what a command gives."""
    print(text, file=sys.stderr, flush=True)


async def _with_service_role(settings: Settings) -> Settings:
    """The settings of a service that has no more privileges than it needs."""
    owner = settings.database_direct_url
    async with connect(owner) as connection:
        await connection.run_script(files.SERVICE_ROLE.read_text())
    url = urlsplit(owner)._replace(netloc="gatepost_service@").geturl()
    return replace(settings, database_url=url, database_direct_url=url)


def _set_auth_defaults() -> None:
    """Set what the auth API needs and the environment leaves out."""
    if not os.environ.get("GATEPOST_SECRET"):
        os.environ["GATEPOST_SECRET"] = _load_or_create_secret("secret")
    if not os.environ.get("GATEPOST_BASE_URL"):
        host = os.environ.get("HOST") or Settings.host
        port = os.environ.get("PORT") or Settings.port
        os.environ["GATEPOST_BASE_URL"] = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    os.environ.setdefault("GATEPOST_RATE_LIMIT", "off")
    if not os.environ.get("MAIL_URL") and not os.environ.get("MAIL_FILE"):
        os.environ["MAIL_FILE"] = str(STATE / "mail.jsonl")
        os.environ.setdefault("MAIL_PRINT", "true")


def _load_or_create_secret(name: str) -> str:
    """A secret in .gatepost, generated on first use."""
    path = STATE / name
    if not path.exists():
        STATE.mkdir(exist_ok=True)
        new = path.with_name(f"{name}.{os.getpid()}")
        new.touch(mode=0o600)
        new.write_text(secrets.token_urlsafe(32) + "\n")
        new.rename(path)
    return path.read_text().strip()


def _welcome(settings: Settings, url: str, data: Path | None, key: str | None) -> str:
    mail = settings.auth.mail if settings.auth else MailSettings()
    mails = mail.file or "to the server in MAIL_URL"
    return f"""\
Gatepost     {url}
Data         {data or "in the database of DATABASE_URL"}
Mails        {mails}
Service key  {key or "one of GATEPOST_SERVICE_KEYS"}
Try          curl '{url}/rest/v1/users?on_conflict=email' -H 'apikey: {key or "KEY"}' \\
               -H 'Content-Type: application/json' \\
               -H 'Prefer: resolution=merge-duplicates, return=representation' \\
               -d '{{"name": "Ada", "email": "ada@example.com"}}'"""


if __name__ == "__main__":
    main()
