"""Every fixed statement, one module a table. The REST API builds its own for each request shape."""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from app.sql import Statement


def every_statement() -> Iterator[Statement[Any]]:
    """The fixed statements that every server can plan, for tests and ``gatepost statements``."""
    for module in iter_modules(__path__):
        if module.name == "citus":
            continue
        for value in vars(import_module(f"{__name__}.{module.name}")).values():
            if isinstance(value, Statement):
                yield value
