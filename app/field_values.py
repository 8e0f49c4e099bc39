"""From a JSON value to what the driver takes, for additional fields.

Each function raises ValueError, which says what it expected. A value is never converted silently.
"""

import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

import msgspec

from .relation import ColumnType, FieldType


def _string(column_type: ColumnType, max_length: int, value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("string")
    if column_type == "uuid":
        try:
            return msgspec.convert(value, UUID)
        except msgspec.ValidationError:
            raise ValueError("UUID") from None
    if len(value) > max_length:
        raise ValueError(f"string of at most {max_length} characters")
    return value


_INTEGERS: Final[Mapping[ColumnType, int]] = MappingProxyType({"integer": 2**31, "bigint": 2**63})


def _number(column_type: ColumnType, _: int, value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("number")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("number that is finite")
    if column_type == "numeric":
        return Decimal(repr(value))
    limit = _INTEGERS[column_type]
    if value != int(value) or not -limit <= value < limit:
        raise ValueError(f"integer from {-limit} to {limit - 1}")
    return int(value)


def _boolean(_: ColumnType, __: int, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("boolean")
    return value


def _date(column_type: ColumnType, _: int, value: Any) -> date:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("ISO 8601 date") from None
    if isinstance(value, date) and not isinstance(value, datetime):  # as TOML can give it
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    if not isinstance(value, datetime):
        raise ValueError("date")
    try:
        # a time without a zone is UTC; milliseconds are what clients keep
        value = value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    except OverflowError:
        raise ValueError("date of the years 1 to 9999") from None
    value = value.replace(microsecond=value.microsecond // 1000 * 1000)
    return value if column_type == "timestamptz" else value.date()


def _json(_: ColumnType, __: int, value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise ValueError("JSON") from None


def _strings(column_type: ColumnType, max_length: int, value: Any) -> Any:
    if not isinstance(value, list):
        raise ValueError("array")
    strings = [_string("text", max_length, item) for item in value]
    return strings if column_type == "text[]" else _json(column_type, 0, strings)


def _numbers(column_type: ColumnType, _: int, value: Any) -> Any:
    if not isinstance(value, list):
        raise ValueError("array")
    for item in value:
        _number("numeric", 0, item)
    return _json(column_type, 0, value)


CONVERTERS: Final[Mapping[FieldType, Callable[[ColumnType, int, Any], Any]]] = MappingProxyType(
    {
        "string": _string,
        "number": _number,
        "boolean": _boolean,
        "date": _date,
        "string[]": _strings,
        "number[]": _numbers,
        "json": _json,
    }
)
"""By the type of a field: the type of its column, the length of its texts, and the value."""
