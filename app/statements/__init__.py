"""Every fixed statement, one module a table. The REST API builds its own for each request shape."""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from ..schema import Schema
from ..sql import Statement
from .admin import AdminStatements
from .sessions import SessionStatements
from .users import UserStatements


def every_statement(schema: Schema = Schema()) -> Iterator[Statement[Any]]:
    """The fixed statements that every server can plan, for tests and ``gatepost statements``."""
    constants = set[Statement[Any]]()
    for module in iter_modules(__path__):
        if module.name == "citus":
            continue
        for value in vars(import_module(f"{__name__}.{module.name}")).values():
            if isinstance(value, Statement):
                constants.add(value)
                yield value
    for made in (
        UserStatements.of(schema.users),
        SessionStatements.of(schema.sessions, schema.users),
        AdminStatements.of(schema.users, schema.sessions),
    ):
        for value in vars(made).values():
            if isinstance(value, Statement) and value not in constants:
                yield value
