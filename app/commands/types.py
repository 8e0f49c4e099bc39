"""``gatepost types``: the rows of the REST API as types of its clients."""

import os
from collections.abc import Mapping

from ..client_types import python, typescript
from ..relation import Relation
from ..schema import RELATIONS
from .help import command_line, epilog

cli = command_line("types", description="Write the rows of the REST API as types.")


@cli.command("typescript", epilog=epilog("gatepost types typescript", codes=(0, 2)))
def typescript_command() -> None:
    """Print a module with the type Database, for PostgrestClient<Database> of postgrest-js."""
    print(typescript(_relations()), end="")


@cli.command("python", epilog=epilog("gatepost types python", codes=(0, 2)))
def python_command() -> None:
    """Print a module with a TypedDict for each row as selected, to insert and to update."""
    print(python(_relations()), end="")


def _relations() -> Mapping[str, Relation]:
    """Gatepost's tables, and with GATEPOST_SCHEMA what is declared there."""
    path = os.environ.get("GATEPOST_SCHEMA")
    if not path:
        return RELATIONS
    from ..additional import load

    return load("GATEPOST_SCHEMA", path).relations
