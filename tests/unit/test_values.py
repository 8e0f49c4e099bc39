"""What a text may be for each type of column."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from app.rest.errors import RestError
from app.rest.values import from_json, from_text
from app.schema import ColumnType

ID = UUID("6f1a2c9e-0000-4000-8000-000000000001")
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


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
    ],
)
def test_a_text_that_is_of_the_type(type_: ColumnType, text: str, value: Any) -> None:
    assert from_text(type_, text) == value


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        ("uuid", ""),
        ("uuid", "1"),
        ("uuid", "urn:uuid:" + str(ID)),
        ("uuid", str(ID)[:-1]),
        ("uuid", str(ID)[:-1] + "g"),
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
    ],
)
def test_a_text_that_is_not(type_: ColumnType, text: str) -> None:
    with pytest.raises(RestError) as refused:
        from_text(type_, text)
    assert (refused.value.status, refused.value.code) == (400, "22P02")


def test_nul_cannot_be_text() -> None:
    with pytest.raises(RestError) as refused:
        from_text("text", "a\0b")
    assert (refused.value.status, refused.value.code) == (400, "22P05")


@pytest.mark.parametrize(
    ("type_", "value", "expected"),
    [
        ("text", None, None),
        ("text", 7, "7"),
        ("text", 1.5, "1.5"),
        ("text", True, "true"),
        ("text", {"a": [1, None]}, '{"a":[1,null]}'),
        ("boolean", True, True),
        ("boolean", "no", False),
        ("boolean", 1, True),
        ("uuid", str(ID), ID),
    ],
)
def test_json(type_: ColumnType, value: Any, expected: Any) -> None:
    assert from_json(type_, value) == expected


@pytest.mark.parametrize(
    ("type_", "value"),
    [("boolean", 2), ("boolean", []), ("uuid", 5), ("timestamptz", 5), ("timestamptz", {})],
)
def test_json_of_the_wrong_type(type_: ColumnType, value: Any) -> None:
    with pytest.raises(RestError):
        from_json(type_, value)


def test_words_for_times_are_in_utc() -> None:
    now, today = from_text("timestamptz", "now"), from_text("timestamptz", "today")
    assert abs(now - datetime.now(UTC)) < timedelta(minutes=1)
    assert (today.hour, today.utcoffset()) == (0, timedelta(0))
    assert from_text("timestamptz", "tomorrow") - today == timedelta(days=1)
    assert from_text("timestamptz", "-infinity") < today < from_text("timestamptz", "infinity")
