"""``gatepost keys``: service keys for the REST API."""

import os
import secrets
from hashlib import sha256
from typing import Annotated, Any

import typer

from ..errors import SettingsError
from ..settings import keys_in_file, service_keys
from .help import command_line, epilog
from .output import JsonOption, print_json, print_table, say

cli = command_line("keys", description="Service keys for the REST API.")


def entry(name: str, key: str, scopes: str) -> str:
    """What GATEPOST_SERVICE_KEYS has for a key: the service knows only its SHA-256."""
    return f"{name}:{sha256(key.encode()).hexdigest()}:{scopes}"


@cli.command(
    "new",
    epilog=epilog(
        "gatepost keys new billing --read --write",
        "gatepost keys new reports --read --json",
        json='{"name": "billing", "scopes": ["read", "write"], "key": KEY,\n "entry": ENTRY}',
        codes=(0, 2),
    ),
)
def new_command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the log calls the key.")],
    read: Annotated[bool, typer.Option("--read", help="The scope read.")] = False,
    write: Annotated[bool, typer.Option("--write", help="The scope write.")] = False,
    secret: Annotated[
        bool, typer.Option("--secrets", help="The scope secrets: such a key can become any user.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Print a new key, this once, and its entry for GATEPOST_SERVICE_KEYS."""
    wanted = {"read": read, "write": write, "secrets": secret}
    scopes = [scope for scope, given in wanted.items() if given]
    if not scopes:
        raise typer.BadParameter("a key needs a scope: --read, --write, --secrets")
    key = secrets.token_urlsafe(32)
    line = entry(name, key, "+".join(scopes))
    try:
        names = [each.name for each in service_keys("NAME", line)]
    except SettingsError:
        names = []
    if names != [name]:
        raise typer.BadParameter(
            "a name has 1 to 63 letters, digits, dots, hyphens and underscores", param_hint="NAME"
        )
    if json:
        print_json({"name": name, "scopes": scopes, "key": key, "entry": line})
        return
    print(f"Key    {key}\nEntry  {line}")
    say("The key goes to whoever calls and is not shown again; the entry to GATEPOST_SERVICE_KEYS,")
    say("comma-separated, or as a line to GATEPOST_SERVICE_KEYS_FILE.")


@cli.command(
    "list",
    epilog=epilog(
        "gatepost keys list",
        json='{"keys": [{"name": "billing", "scopes": ["read", "write"],\n'
        '           "sha256": "9f86d081", "setting": "GATEPOST_SERVICE_KEYS"}, …]}\n'
        "sha256: its first eight digits",
        codes=(0, 2),
    ),
)
def list_command(
    json: JsonOption = False,
) -> None:
    """List the keys that are set. In GATEPOST_SERVICE_KEYS and GATEPOST_SERVICE_KEYS_FILE."""
    inline, file = "GATEPOST_SERVICE_KEYS", "GATEPOST_SERVICE_KEYS_FILE"
    found = {inline: service_keys(inline, os.environ.get(inline, ""))}
    if path := os.environ.get(file):
        found[file] = keys_in_file(path)
    keys: list[dict[str, Any]] = [
        {
            "name": key.name,
            "scopes": sorted(key.scopes, key=("read", "write", "secrets").index),
            "sha256": key.sha256[:8],
            "setting": setting,
        }
        for setting, entries in found.items()
        for key in entries
    ]
    if json:
        print_json({"keys": keys})
        return
    rows = [[k["name"], "+".join(k["scopes"]), k["sha256"], k["setting"]] for k in keys]
    print_table(["name", "scopes", "sha256", "setting"], rows)
    if not keys:
        say(f"no key in {inline} or {file}: gatepost keys new makes one")
