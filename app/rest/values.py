"""Texts and JSON values as the Python values of a column's type, or 400 before the database.

Source of the accepted forms: PostgreSQL 18, "Data Types"; for times its ISO 8601 forms and the
words now, today, tomorrow, yesterday, epoch and (-)infinity. A time without a zone is UTC.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from app.rest.errors import bad_text, bad_value
from app.schema import ColumnType

_UUID: Final = re.compile(r"\{[0-9a-fA-F-]{32,40}\}|[0-9a-fA-F-]{32,40}", re.ASCII)
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}.*|[0-9]{8}", re.ASCII)
_TRUE: Final = frozenset(("true", "tru", "tr", "t", "yes", "ye", "y", "on", "1"))
_FALSE: Final = frozenset(("false", "fals", "fal", "fa", "f", "no", "n", "off", "of", "0"))


def from_text(type_: ColumnType, text: str) -> Any:
    """``text`` as a ``str``, ``UUID``, ``bool`` or aware ``datetime``. Raises RestError 22P02."""
    return READERS[type_](text)


def from_json(type_: ColumnType, value: Any) -> Any:
    """A decoded JSON value for a column; null is None, and what is no string goes by its text."""
    if isinstance(value, str):
        return from_text(type_, value)
    if value is None:
        return None
    return from_text(type_, msgspec.json.encode(value).decode())


def _text(text: str) -> str:
    if "\0" in text:
        raise bad_text()
    return text


def _uuid(text: str) -> UUID:
    try:  # the usual forms, at a quarter of the time
        return msgspec.convert(text, UUID)
    except msgspec.ValidationError:
        value = text.strip()
    try:
        if _UUID.fullmatch(value):
            return UUID(value)
    except ValueError:
        pass
    raise bad_value("uuid", text)


def _boolean(text: str) -> bool:
    value = text.strip().lower()
    if value in _TRUE or value in _FALSE:
        return value in _TRUE
    raise bad_value("boolean", text)


def _timestamptz(text: str) -> datetime:
    moment = _moment(text.strip())
    if moment is None:
        raise bad_value("timestamp with time zone", text)
    return moment


READERS: Final[dict[ColumnType, Callable[[str], Any]]] = {
    "text": _text,
    "uuid": _uuid,
    "boolean": _boolean,
    "timestamptz": _timestamptz,
}
"""From the text of a value of each type."""


def _moment(text: str) -> datetime | None:
    match text.lower():
        case "now":
            return datetime.now(UTC)
        case "today" | "tomorrow" | "yesterday" as word:
            days = {"today": 0, "tomorrow": 1, "yesterday": -1}[word]
            midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
            return midnight + timedelta(days=days)
        case "epoch":
            return datetime.fromtimestamp(0, UTC)
        case "infinity":
            return datetime.max.replace(tzinfo=UTC)
        case "-infinity":
            return datetime.min.replace(tzinfo=UTC)
    if not _TIME.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
