"""Texts and JSON values as the Python values that the driver binds; a bad one is 400.

Source of the accepted forms: PostgreSQL 18, "Data Types"; for times and dates its ISO 8601 forms
and the words now, today, tomorrow, yesterday, epoch and (-)infinity. A time without a zone is UTC.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any, Final
from uuid import UUID

import msgspec

from ..relation import ColumnType
from .errors import bad_text, bad_value, out_of_range

_UUID: Final = re.compile(r"\{[0-9a-fA-F-]{32,40}\}|[0-9a-fA-F-]{32,40}", re.ASCII)
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}.*|[0-9]{8}", re.ASCII)
_TRUE: Final = frozenset(("true", "tru", "tr", "t", "yes", "ye", "y", "on", "1"))
_FALSE: Final = frozenset(("false", "fals", "fal", "fa", "f", "no", "n", "off", "of", "0"))
_INTEGER: Final = re.compile(r"[+-]?[0-9]+", re.ASCII)
_NUMERIC: Final = re.compile(
    r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|nan|[+-]?inf(?:inity)?",
    re.ASCII | re.IGNORECASE,
)
_MAX_NUMERIC: Final = 131_072, 16_383
"""Digits before and after the point (PostgreSQL 18, "Numeric Types")."""
# in an array literal: an element in quotes or a plain one, and the comma after it or the end
_ELEMENT: Final = re.compile(
    r'\s*(?:"((?:[^"\\]++|\\.)*+)"|((?:[^",{}\\\s]|\\.)(?:\s*+(?:[^",{}\\\s]|\\.))*+))\s*(,|\Z)',
    re.DOTALL,
)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)

_decode_text: Final = msgspec.json.Decoder(str).decode
_decode_elements: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_skip: Final = msgspec.json.Decoder(msgspec.Raw).decode


def array_literal(values: list[str | None]) -> str:
    """PostgreSQL's text of an array of texts."""
    quoted = ("NULL" if v is None else '"' + re.sub(r'(["\\])', r"\\\1", v) + '"' for v in values)
    return "{" + ",".join(quoted) + "}"


def _text(text: str) -> str:
    if "\0" in text:
        raise bad_text()
    return text


def _uuid(text: str) -> UUID:
    try:  # the usual forms, in a quarter of the time
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


def _integer(text: str) -> int:
    return _whole_number("integer", text, 2**31)


def _bigint(text: str) -> int:
    return _whole_number("bigint", text, 2**63)


def _whole_number(type_: str, text: str, limit: int) -> int:
    value = text.strip()
    if not _INTEGER.fullmatch(value):
        raise bad_value(type_, text)
    digits = value.lstrip("+-").lstrip("0")
    if len(digits) > 19:  # which int() need not see: it refuses some thousands
        raise out_of_range(type_, text)
    number = int(digits or "0") * (-1 if value[0] == "-" else 1)
    if not -limit <= number < limit:
        raise out_of_range(type_, text)
    return number


def _numeric(text: str) -> Decimal:
    value = text.strip()
    if not _NUMERIC.fullmatch(value):
        raise bad_value("numeric", text)
    try:
        number = Decimal(value)
    except InvalidOperation:  # an exponent past all limits
        raise out_of_range("numeric", text) from None
    if number.is_finite():
        before, after = _MAX_NUMERIC
        exponent = int(number.as_tuple().exponent)
        if number.adjusted() >= before or -exponent > after:
            raise out_of_range("numeric", text)
    return number


def _timestamptz(text: str) -> datetime:
    value = text.strip()
    moment = _named_time(value.lower())
    if moment is None and _TIME.fullmatch(value):
        try:
            moment = datetime.fromisoformat(value)
            # a time without a zone is UTC
            moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            moment = None
    if moment is None:
        raise bad_value("timestamp with time zone", text)
    return moment


def _date(text: str) -> date:
    value = text.strip()
    moment = _named_time(value.lower())
    if moment is None and _TIME.fullmatch(value):
        try:
            moment = datetime.fromisoformat(value)  # a time of day and its zone do not count
        except ValueError:
            moment = None
    if moment is None:
        raise bad_value("date", text)
    return moment.date()


def _named_time(word: str) -> datetime | None:
    match word:
        case "now":
            return datetime.now(UTC)
        case "today" | "tomorrow" | "yesterday":
            days = {"today": 0, "tomorrow": 1, "yesterday": -1}[word]
            midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
            return midnight + timedelta(days=days)
        case "epoch":
            return datetime.fromtimestamp(0, UTC)
        case "infinity":
            return datetime.max.replace(tzinfo=UTC)
        case "-infinity":
            return datetime.min.replace(tzinfo=UTC)
    return None


def _jsonb(text: str) -> str:
    try:
        _skip(text.encode())
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        raise bad_value("json", text) from None
    return text


def _text_array(text: str) -> list[str | None]:
    """An array literal of one dimension: ``{a,"b c",NULL}``."""
    value = text.strip()
    if "\0" in value:
        raise bad_text()
    if value[:1] != "{" or value[-1:] != "}" or len(value) < 2:
        raise _malformed_array(text)
    inside = value[1:-1]
    if not inside.strip():
        return []
    found: list[str | None] = []
    position, more = 0, True
    while more:
        match = _ELEMENT.match(inside, position)
        if match is None:
            raise _malformed_array(text)
        quoted, plain, separator = match.groups()
        if quoted is None and plain.upper() == "NULL":
            found.append(None)
        else:
            found.append(_ESCAPED.sub(r"\1", plain if quoted is None else quoted))
        position, more = match.end(), separator == ","
    return found


def _malformed_array(text: str) -> Exception:
    return bad_value("text[]", text)


FROM_TEXT: Final[dict[ColumnType, Callable[[str], Any]]] = {
    "uuid": _uuid,
    "text": _text,
    "boolean": _boolean,
    "timestamptz": _timestamptz,
    "date": _date,
    "integer": _integer,
    "bigint": _bigint,
    "numeric": _numeric,
    "jsonb": _jsonb,
    "text[]": _text_array,
}
"""The functions from the text of a value to the value, by the type of the column."""


def _scalar_from_json(convert: Callable[[str], Any], value: msgspec.Raw) -> Any:
    try:
        text = _decode_text(value)
    except msgspec.ValidationError:  # it is no string, and goes by its text
        text = bytes(value).decode()
        if text == "null":
            return None
    return convert(text)


def _jsonb_from_json(value: msgspec.Raw) -> str | None:
    text = bytes(value).decode()
    return None if text == "null" else text


def _text_array_from_json(value: msgspec.Raw) -> list[str | None] | None:
    if bytes(value)[:1] != b"[":
        return _scalar_from_json(_text_array, value)
    elements = _decode_elements(value)
    if any(bytes(element)[:1] == b"[" for element in elements):
        raise _malformed_array(bytes(value).decode())
    return [_scalar_from_json(_text, element) for element in elements]


FROM_JSON: Final[dict[ColumnType, Callable[[msgspec.Raw], Any]]] = {
    **{type_: partial(_scalar_from_json, convert) for type_, convert in FROM_TEXT.items()},
    "jsonb": _jsonb_from_json,
    "text[]": _text_array_from_json,
}
"""The functions from a JSON value; null is None.

They take it undecoded, so that a number keeps its digits.
"""
