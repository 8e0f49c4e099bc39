"""The plans of the fixed statements, for ``gatepost statements`` and the tests."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from .database import Connection
from .sql import Statement

SAMPLES: Final[dict[str, Any]] = {
    "bigint": 1,
    "boolean": True,
    "date": date(2026, 1, 1),
    "integer": 1,
    "interval": timedelta(hours=1),
    "jsonb": "{}",
    "numeric": Decimal(1),
    "pg_lsn": 0,
    "text": "",
    "tid": (0, 1),  # page and row
    "timestamptz": datetime(2026, 1, 1, tzinfo=UTC),
    "uuid": UUID(int=0),
}
"""A value of each type: what the plans are made with."""


async def explain(
    connection: Connection, statements: Iterable[Statement[Any]]
) -> dict[Statement[Any], str]:
    """The plan of each statement. None of them is executed."""
    plans = {}
    for statement in statements:
        plan = Statement[Any](f"{statement.name}.plan", f"EXPLAIN {statement.text}")
        arguments = [_sample(type_) for _, type_ in statement.parameters]
        plans[statement] = "\n".join(await connection.fetchcol(plan, *arguments))
    return plans


def _sample(type_: str) -> Any:
    return [SAMPLES[type_[:-2]]] if type_.endswith("[]") else SAMPLES[type_]
