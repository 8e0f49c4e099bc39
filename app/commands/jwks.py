"""``gatepost jwks``: the keys of the jwt plugin that sign tokens. No private key is shown."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import typer

from ..database import Database
from ..errors import NotFoundError, SettingsError
from ..schema import Jwk
from ..settings import AuthSettings, Settings
from ..statements import jwks
from .database import with_database
from .help import command_line, epilog
from .output import JsonOption, YesOption, moment, print_json, print_table, say

cli = command_line("jwks", description="Keys that sign the tokens of the jwt plugin.")

KidArgument = Annotated[UUID, typer.Argument(metavar="KID", help="The id of the key.")]

_SHAPE = 'KEY: {"kid", "alg", "created_at", "expires_at", "signs"}'


@cli.command("list", epilog=epilog("gatepost jwks list", json=f'{{"keys": [KEY, …]}}\n{_SHAPE}'))
def list_command(json: JsonOption = False) -> None:
    """List the keys, the newest first. The first that has not expired signs."""
    keys = asyncio.run(with_database(_list))
    if json:
        print_json({"keys": keys})
        return
    rows = [
        [str(key["kid"]), key["alg"], moment(key["created_at"]), _end(key), "signs" * key["signs"]]
        for key in keys
    ]
    print_table(["kid", "alg", "created", "expires", ""], rows)
    if not keys:
        say("there is no key: the first token makes one")


@cli.command("rotate", epilog=epilog("gatepost jwks rotate", json=_SHAPE))
def rotate_command(json: JsonOption = False) -> None:
    """Make a new key, which signs from now on. The others stay published."""
    made = asyncio.run(with_database(_rotate))
    if json:
        print_json(_about(made, signs=True))
    else:
        print(made.id)


@cli.command(
    "retire",
    epilog=epilog("gatepost jwks retire 5f0c3c8e-0d5e-4a52-9d37-3c1f7c1f6a10", codes=(0, 1, 2, 8)),
)
def retire_command(kid: KidArgument) -> None:
    """Let a key sign no more. It is published until GATEPOST_JWT_GRACE is over."""
    asyncio.run(with_database(_retire, kid))
    say("it signs no more; if no other key can, the next token makes one")


@cli.command(
    "delete",
    epilog=epilog(
        "gatepost jwks delete 5f0c3c8e-0d5e-4a52-9d37-3c1f7c1f6a10 --yes", codes=(0, 1, 2, 8)
    ),
)
def delete_command(kid: KidArgument, yes: YesOption = False) -> None:
    """Delete a key that is no longer to be trusted: what it signed is refused.

    Whoever checks tokens keeps the keys for a while, an hour in gatepost-client.
    """
    if not yes:
        typer.confirm("Delete it? Tokens that it signed are refused then", abort=True, err=True)
    asyncio.run(with_database(_delete, kid))


async def _list(database: Database, settings: Settings) -> list[dict[str, Any]]:
    rows = await database.fetch(jwks.every, 100)
    signing = _keys(database, settings).chosen(rows, datetime.now(UTC))
    return [_about(row, signs=row is signing) for row in rows]


async def _rotate(database: Database, settings: Settings) -> Jwk:
    return await _keys(database, settings).create(rotate=True)


async def _retire(database: Database, _: Settings, kid: UUID) -> None:
    _found(await database.fetch(jwks.retire, kid), kid)


async def _delete(database: Database, _: Settings, kid: UUID) -> None:
    _found(await database.fetch(jwks.delete, kid), kid)


def _found(rows: Sequence[Any], kid: UUID) -> None:
    if not rows:
        raise NotFoundError(f"there is no key {kid}")


def _keys(database: Database, settings: Settings) -> Any:
    auth = _auth(settings)
    from ..auth.plugins.jwt.keys import SigningKeys  # its packages are an extra

    return SigningKeys(database, auth.secrets, auth.jwt)


def _auth(settings: Settings) -> AuthSettings:
    if settings.auth is None or "jwt" not in settings.auth.plugins:
        raise SettingsError("GATEPOST_PLUGINS does not have jwt: there are no keys to sign with")
    return settings.auth


def _about(row: Jwk, *, signs: bool) -> dict[str, Any]:
    return {
        "kid": row.id,
        "alg": row.alg,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "signs": signs,
    }


def _end(key: dict[str, Any]) -> str:
    return moment(key["expires_at"]) if key["expires_at"] else "never"
