"""Which texts and JSON values each type of column takes, and what becomes of them."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import RestError
from app.relation import ColumnType
from app.rest.values import FROM_JSON, FROM_TEXT, array_literal

ID = UUID("6f1a2c9e-0000-4000-8000-000000000001")
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = date(2026, 11, 22)


@pytest.mark.parametrize(
    ("type_", "text", "value"),
    [
        ("text", " as it is ", " as it is "),
        ("uuid", str(ID), ID),
        ("uuid", f" {{{str(ID).upper()}}} ", ID),
        ("uuid", ID.hex, ID),
        ("boolean", "t", True),
        ("boolean", " YES ", True),
        ("boolean", "off", False),
        ("boolean", "0", False),
        ("timestamptz", "2026-11-22", NOON - timedelta(hours=12)),
        ("timestamptz", "2026-11-22 12:00", NOON),
        ("timestamptz", "2026-11-22T12:00:00Z", NOON),
        ("timestamptz", "2026-11-22T07:00:00-05:00", NOON),
        ("timestamptz", "2026-11-22T12:00:00.123456+00", NOON.replace(microsecond=123456)),
        ("timestamptz", "epoch", datetime(1970, 1, 1, tzinfo=UTC)),
        ("date", " 2026-11-22 ", DAY),
        ("date", "20261122", DAY),
        ("date", "2026-11-22 23:59:59-05", DAY),
        ("date", "epoch", date(1970, 1, 1)),
        ("date", "infinity", date.max),
        ("date", "-infinity", date.min),
        ("integer", " -7 ", -7),
        ("integer", "+007", 7),
        ("integer", "2147483647", 2**31 - 1),
        ("integer", "-2147483648", -(2**31)),
        ("integer", "0" * 5000, 0),
        ("bigint", "9223372036854775807", 2**63 - 1),
        ("bigint", "-9223372036854775808", -(2**63)),
        ("numeric", " 1.10 ", Decimal("1.10")),
        ("numeric", "-.5", Decimal("-0.5")),
        ("numeric", "5.", Decimal(5)),
        ("numeric", "+1.5E-3", Decimal("0.0015")),
        ("numeric", "0.12345678901234567890123", Decimal("0.12345678901234567890123")),
        ("numeric", "1e131071", Decimal("1e131071")),
        ("numeric", "Infinity", Decimal("inf")),
        ("numeric", "-inf", Decimal("-inf")),
        ("jsonb", ' {"a": [1, null]} ', ' {"a": [1, null]} '),
        ("jsonb", '"text"', '"text"'),
        ("text[]", "{}", []),
        ("text[]", " { } ", []),
        ("text[]", '{a,"b c",NULL}', ["a", "b c", None]),
        ("text[]", '{ a b , "" , null,"null" }', ["a b", "", None, "null"]),
        ("text[]", r'{"a\"b\\c",d\,e}', ['a"b\\c', "d,e"]),
        ("text[]", '{"{}",x}', ["{}", "x"]),
    ],
)
def test_text_of_the_type_is_accepted(type_: ColumnType, text: str, value: Any) -> None:
    assert FROM_TEXT[type_](text) == value
    assert type(FROM_TEXT[type_](text)) is type(value)


def test_numeric_nan_is_accepted() -> None:
    assert FROM_TEXT["numeric"]("NaN").is_nan()


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        ("uuid", ""),
        ("uuid", "1"),
        ("uuid", "urn:uuid:" + str(ID)),
        ("uuid", str(ID)[:-1]),
        ("uuid", str(ID)[:-1] + "g"),
        ("uuid", "-" * 32),
        ("uuid", "٣" * 32),
        ("boolean", ""),
        ("boolean", "2"),
        ("boolean", "o"),
        ("timestamptz", ""),
        ("timestamptz", "yesterday noon"),
        ("timestamptz", "2026-13-01"),
        ("timestamptz", "2026-02-30"),
        ("timestamptz", "2026-11-22T25:00"),
        ("timestamptz", "9999-12-31T23:59:59-14:00"),
        ("timestamptz", "12026-11-22"),
        ("timestamptz", "2026-W47-7"),
        ("timestamptz", "22.11.2026"),
        ("date", ""),
        ("date", "2026-02-30"),
        ("date", "22.11.2026"),
        ("date", "2026-W47-7"),
        ("integer", ""),
        ("integer", "1.0"),
        ("integer", "1e3"),
        ("integer", "1_000"),
        ("integer", "٣"),
        ("integer", "0x10"),
        ("bigint", "- 1"),
        ("bigint", "true"),
        ("numeric", ""),
        ("numeric", "."),
        ("numeric", "1_0.5"),
        ("numeric", "1e"),
        ("numeric", "sNaN"),
        ("numeric", "-nan"),
        ("numeric", "٣"),
        ("jsonb", ""),
        ("jsonb", "{"),
        ("jsonb", "{'a': 1}"),
        ("jsonb", "1 2"),
        ("jsonb", "nan"),
        ("jsonb", "[" * 100_000),
        ("jsonb", "\ud800"),
        ("text[]", ""),
        ("text[]", "a,b"),
        ("text[]", "{a,b"),
        ("text[]", "{"),
        ("text[]", "{a,}"),
        ("text[]", "{,a}"),
        ("text[]", '{a"b"}'),
        ("text[]", '{"a"b}'),
        ("text[]", "{{a},{b}}"),
        ("text[]", "[0:1]={a,b}"),
        ("text[]", "{a}b}"),
    ],
)
def test_text_of_another_type_is_refused(type_: ColumnType, text: str) -> None:
    with pytest.raises(RestError) as refused:
        FROM_TEXT[type_](text)
    assert (refused.value.status, refused.value.code) == (400, "22P02")


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        ("integer", "2147483648"),
        ("integer", "-2147483649"),
        ("integer", "9" * 10_000),
        ("bigint", "9223372036854775808"),
        ("bigint", "-9223372036854775809"),
        ("numeric", "1e131072"),
        ("numeric", "1e-16384"),
        ("numeric", "1e999999999999999999999"),
        ("numeric", "1e-999999999999999999999"),
        ("numeric", "9" * 200_000),
    ],
)
def test_number_out_of_range_is_refused(type_: ColumnType, text: str) -> None:
    with pytest.raises(RestError) as refused:
        FROM_TEXT[type_](text)
    assert (refused.value.status, refused.value.code) == (400, "22003")


@pytest.mark.parametrize(("type_", "text"), [("text", "a\0b"), ("text[]", "{a\0b}")])
def test_nul_is_refused_as_text(type_: ColumnType, text: str) -> None:
    with pytest.raises(RestError) as refused:
        FROM_TEXT[type_](text)
    assert (refused.value.status, refused.value.code) == (400, "22P05")


@pytest.mark.parametrize(
    ("type_", "json", "expected"),
    [
        ("text", "null", None),
        ("text", "7", "7"),
        ("text", "1.50", "1.50"),
        ("text", "true", "true"),
        ("text", '"caf\\u00e9 \\"x\\""', 'café "x"'),
        ("text", '{"a":[1,null]}', '{"a":[1,null]}'),
        ("boolean", "true", True),
        ("boolean", '"no"', False),
        ("boolean", "1", True),
        ("uuid", f'"{ID}"', ID),
        ("integer", "7", 7),
        ("integer", '"7"', 7),
        ("bigint", "9007199254740993", 2**53 + 1),
        ("numeric", "0.12345678901234567890", Decimal("0.12345678901234567890")),
        ("numeric", '"NaN"', "NaN"),
        ("date", '"2026-11-22"', DAY),
        ("jsonb", "null", None),
        ("jsonb", '"null"', '"null"'),
        ("jsonb", '{"a": 0.10}', '{"a": 0.10}'),
        ("text[]", "null", None),
        ("text[]", '["a", null, 5, {"b":1}]', ["a", None, "5", '{"b":1}']),
        ("text[]", '"{a,NULL}"', ["a", None]),
    ],
)
def test_json_value_is_accepted(type_: ColumnType, json: str, expected: Any) -> None:
    value = FROM_JSON[type_](msgspec.Raw(json.encode()))
    assert str(value) == expected if expected == "NaN" else value == expected


@pytest.mark.parametrize(
    ("type_", "json"),
    [
        ("boolean", "2"),
        ("boolean", "[]"),
        ("uuid", "5"),
        ("timestamptz", "5"),
        ("timestamptz", "{}"),
        ("date", "20.5"),
        ("integer", "1.0"),
        ("integer", "2147483648"),
        ("integer", "true"),
        ("numeric", "[]"),
        ("text[]", "5"),
        ("text[]", '[["a"],["b"]]'),
        ("text[]", '"a"'),
    ],
)
def test_json_value_of_another_type_is_refused(type_: ColumnType, json: str) -> None:
    with pytest.raises(RestError):
        FROM_JSON[type_](msgspec.Raw(json.encode()))


def test_named_times_are_in_utc() -> None:
    now, today = FROM_TEXT["timestamptz"]("now"), FROM_TEXT["timestamptz"]("today")
    assert abs(now - datetime.now(UTC)) < timedelta(minutes=1)
    assert (today.hour, today.utcoffset()) == (0, timedelta(0))
    assert FROM_TEXT["timestamptz"]("tomorrow") - today == timedelta(days=1)
    assert FROM_TEXT["timestamptz"]("-infinity") < today < FROM_TEXT["timestamptz"]("infinity")
    assert FROM_TEXT["date"]("today") == today.date()


@given(st.lists(st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\0"))))
def test_array_literal_is_read_as_it_was_written(values: list[str | None]) -> None:
    assert FROM_TEXT["text[]"](array_literal(values)) == values
