"""The command line: ``gatepost dev | serve | migrate | migration | purge | doctor | statements``.

Exit codes: 0, also after SIGINT and SIGTERM; 1 the database or the port is not to be had;
2 a setting or an option is wrong; 3 migration files are refused; 4 a lock was not to be had in
time, or another purge is running; 5 a migration failed; 6 `migrate --status` found pending ones;
7 `doctor` found a fault.
"""

import asyncio
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
from dotenv import load_dotenv

from app import statements as statements_
from app.database import DatabaseUnavailableError, explain
from app.errors import SettingsError
from app.operations import doctor, migrations
from app.operations.dbmate import DbmateError
from app.operations.embedded import EmbeddedPostgres, EmbeddedPostgresError
from app.operations.migrate import BusyError, MigrationError, Patience, Status, migrate, plan
from app.operations.migrate import status as migration_status
from app.operations.purge import PurgeBusyError, purge_now
from app.server import ListenError, address, end_on_signals, leave, listening, run
from app.settings import MailSettings, Settings

PROJECT: Final = Path(__file__).resolve().parents[1]
STATE: Final = PROJECT / ".gatepost"
"""What a developer's service keeps: the database and its key. Git-ignored."""

cli = typer.Typer(
    help="Users and sessions on PostgreSQL.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run a command; what is wrong outside of the program is one line, not a traceback."""
    try:
        cli()
    except SettingsError as error:
        leave(error, 2)
    except (DatabaseUnavailableError, DbmateError, EmbeddedPostgresError, ListenError) as error:
        leave(error, 1)
    except migrations.RefusedError as error:
        leave(error, 3)
    except (BusyError, PurgeBusyError) as error:
        leave(error, 4)
    except MigrationError as error:
        leave(error, 5)


@cli.command()
def dev() -> None:
    """Serve for development: embedded database unless DATABASE_URL is set, migrations, a key."""
    load_dotenv(PROJECT / ".env")
    end_on_signals()
    key = None
    if not os.environ.get("GATEPOST_SERVICE_KEYS"):
        key = _kept("service-key")
        digest = sha256(key.encode()).hexdigest()
        os.environ["GATEPOST_SERVICE_KEYS"] = f"development:{digest}:read+write+secrets"
    _open_auth_door()
    given = os.environ.get("DATABASE_URL") or "postgres:"  # settings are checked before all else
    settings = Settings.from_environment(os.environ | {"DATABASE_URL": given})
    with listening(settings) as listener, _development_database() as data:
        settings = Settings.from_environment(os.environ)
        migrate(settings.database_direct_url)
        run(settings, listener, _welcome(settings, data, key))


@cli.command()
def serve() -> None:
    """Serve on the database in DATABASE_URL, as it is."""
    sys.stdout.flush()
    # in place of this process: what reads a command line would be a seventh of the service's memory
    os.execv(sys.executable, [sys.executable, "-m", "app.server"])  # noqa: S606 - no shell


@cli.command("migrate")
def migrate_(
    to: Annotated[str | None, typer.Option(help="Stop at this version; it stays.")] = None,
    down: Annotated[bool, typer.Option("--down", help="Take back the newest instead.")] = False,
    status: Annotated[bool, typer.Option("--status", help="List them; 6 when pending.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")] = False,
    wait: Annotated[float, typer.Option(help="Seconds for another one to end.")] = Patience.turn,
    lock_timeout: Annotated[
        float, typer.Option(help="Seconds for a table lock, each time.")
    ] = Patience.lock,
    attempts: Annotated[int, typer.Option(help="How often.", min=1)] = Patience.attempts,
    folder: Annotated[Path, typer.Option(help="Where the files are.")] = migrations.MIGRATIONS,
) -> None:
    """Apply the pending migrations to DATABASE_DIRECT_URL, or else DATABASE_URL."""
    end_on_signals(128)
    url = Settings.from_environment(os.environ).database_direct_url
    if to is not None and to not in [m.version for m in migrations.trusted(folder)]:
        raise typer.BadParameter(f"{to} is not the version of a migration", param_hint="--to")
    if status or dry_run:
        state = migration_status(url, folder=folder)
        if dry_run:
            for migration in plan(state, to=to, down=down):
                print(f"Would {'take back' if down else 'apply'} {migration.name}")
        else:
            _print_status(state)
            raise typer.Exit(6 if state.pending else 0)
        return
    patience = Patience(turn=wait, lock=lock_timeout, attempts=attempts)
    migrate(url, folder=folder, to=to, down=down, patience=patience, say=_say)


def _print_status(state: Status) -> None:
    for migration in state.migrations:
        print(f"[{'X' if migration.version in state.applied else ' '}] {migration.name}")
    for version in state.ahead:
        print(f"[X] {version}, of a newer release")
    print(f"{len(state.applied)} applied, {len(state.pending)} pending")


migration = typer.Typer(no_args_is_help=True, help="Migration files: make one, vouch for them.")
cli.add_typer(migration, name="migration")


@migration.command("new")
def migration_new(name: str) -> None:
    """Make a file with a way up and a way back, and enter it in db/migrations.lock."""
    try:
        print(os.path.relpath(migrations.new(name)))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="NAME") from None


@migration.command("lock")
def migration_lock() -> None:
    """Write db/migrations.lock from the files as they are."""
    migrations.lock()
    print(os.path.relpath(migrations.lock_file()))


@cli.command()
def purge() -> None:
    """Delete what has expired in DATABASE_URL now; the service does it in the background."""
    end_on_signals(128)
    deleted = asyncio.run(purge_now(Settings.from_environment(os.environ)))
    for table, count in deleted.items():
        print(f"{table:<13}  {count}")


@cli.command("doctor")
def doctor_(
    json: Annotated[bool, typer.Option("--json", help="A JSON array instead of lines.")] = False,
) -> None:
    """Check the database of DATABASE_URL against what this version needs."""
    findings = list(doctor.examine(Settings.from_environment(os.environ)))
    if json:
        print(msgspec.json.encode(findings).decode())
    else:
        for finding in findings:
            print(f"{finding.level:<4}  {finding.check:<14}  {finding.text}")
    raise typer.Exit(7 if any(finding.level == "fail" for finding in findings) else 0)


@cli.command()
def statements() -> None:
    """Print every fixed statement: name, text and plan."""
    load_dotenv(PROJECT / ".env")
    with _development_database() as data:
        settings = Settings.from_environment(os.environ)
        if data is not None:
            migrate(settings.database_direct_url)
        for statement, plan in asyncio.run(explain(settings.database_url, statements_.ALL)):
            print(f"{statement.name}\n\n{statement.text}\n\n{plan}\n\n")


@contextmanager
def _development_database() -> Iterator[Path | None]:
    """Set DATABASE_URL to the embedded database when it is not set; gives where the data is."""
    if os.environ.get("DATABASE_URL"):
        yield None
        return
    with EmbeddedPostgres(STATE / "postgres") as server:
        os.environ["DATABASE_URL"] = os.environ["DATABASE_DIRECT_URL"] = server.url()
        yield server.data


def _open_auth_door() -> None:
    """Set what the auth door needs and the environment does not say."""
    if not os.environ.get("GATEPOST_SECRET"):
        os.environ["GATEPOST_SECRET"] = _kept("secret")
    if not os.environ.get("GATEPOST_BASE_URL"):
        host, port = (
            os.environ.get("HOST") or Settings.host,
            os.environ.get("PORT") or Settings.port,
        )
        os.environ["GATEPOST_BASE_URL"] = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    if not os.environ.get("MAIL_URL") and not os.environ.get("MAIL_FILE"):
        os.environ["MAIL_FILE"] = str(STATE / "mail.jsonl")
        os.environ.setdefault("MAIL_PRINT", "true")


def _kept(name: str) -> str:
    """A secret in .gatepost, made once."""
    path = STATE / name
    if not path.exists():
        STATE.mkdir(exist_ok=True)
        new = path.with_name(f"{name}.{os.getpid()}")
        new.touch(mode=0o600)
        new.write_text(secrets.token_urlsafe(32) + "\n")
        new.rename(path)
    return path.read_text().strip()


def _say(text: str) -> None:
    print(text, flush=True)


def _welcome(settings: Settings, data: Path | None, key: str | None) -> str:
    mail = settings.auth.mail if settings.auth else MailSettings()
    mails = mail.file or "to the server in MAIL_URL"
    users = f"{address(settings)}/rest/v1/users?on_conflict=email"
    return f"""\
Gatepost     {address(settings)}
Data         {data or "in the database of DATABASE_URL"}
Mails        {mails}
Service key  {key or "one of GATEPOST_SERVICE_KEYS"}
Try          curl '{users}' -H 'apikey: {key or "KEY"}' \\
               -H 'Content-Type: application/json' \\
               -H 'Prefer: resolution=merge-duplicates, return=representation' \\
               -d '{{"name": "Ada", "email": "ada@example.com"}}'"""


if __name__ == "__main__":
    main()
