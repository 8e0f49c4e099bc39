"""Parsing takes time in proportion to what is parsed, whatever its shape.

Where time grows with the square of the length, four times the length takes sixteen times as long.
"""

from collections.abc import Callable
from contextlib import suppress
from itertools import product
from time import process_time
from typing import Final

import pytest

from app.errors import RestError
from app.rest import media, plan_cache, preferences
from app.rest.api import PLANS
from app.rest.parser import MAX_QUERY
from app.rest.plan import Limits
from app.rest.request import ApiRequest, RequestHeaders
from app.rest.values import FROM_TEXT
from app.schema import RELATIONS
from app.settings import ServiceKey

KEY: Final = ServiceKey("all", "0" * 64, frozenset(("read", "write", "secrets")))
NO_HEADERS: Final = RequestHeaders(None, None, None, None, None, None)

UNITS: Final = (
    *("a.", "a.a=eq.1&", "(", "(and(", "and=(and(", ",", "%28", "%", "%2", "%c3%a9", "é", "+", "&"),
    *('"', '""', '\\"', '"\\', "\\", '"a".', '"a', "->", "a->", "a:", "a,", "a!", "a()", "a(),"),
    *(
        "a(",
        "...",
        "*,",
        "a.eq.1,",
        "not.",
        "not.and(",
        "=",
        "a=",
        "=eq.",
        "limit=1&",
        "a.limit=1&",
    ),
    *("a.order=id&", "a.order=", " ", "-", " a", "a -", "$", "{", "{a,", "NULL,", "1", "::", "a::"),
    *("a.asc,", "a(b),", "in.(", "id=in.(", '{"', '("', "eq.", ".limit="),
)
BEFORE: Final = (
    *("", "a.", '"', "select=", "select=id,sessions(", 'select="', "order=", "columns=", "limit="),
    *("on_conflict=", "and=(", 'and=("', "and=(id.in.(", 'and=(id.eq.(any)."{', "id=", "id=eq."),
    *("id=in.(", "id=eq(any).{", "sessions.order="),
)
AFTER: Final = ("", "=eq.1", ")", '"')
HEADERS: Final = (
    *(",", ";", "a,", "a;", "a=b,", "a=b;", "q=1;", "*/*,", "text/csv;q=0.5,", "=", "a", '"', "1"),
    *("return=minimal,", "max-affected=1,", "handling=strict,a,", " ", "\t", "é"),
)
VALUES: Final = (
    "{",
    "{a,",
    "a ",
    "a,",
    '"',
    '\\"',
    '"\\',
    "\\",
    "[",
    "1",
    "-",
    "1e",
    " ",
    "2026-",
    ".",
)


def read(query: bytes) -> None:
    """What the first request of its shape costs besides its statement."""
    plan_cache.split_values(query)
    request = ApiRequest.parse(KEY, RELATIONS["users"], "GET", NO_HEADERS, query)
    plan_cache.is_cacheable(query, request.query)
    PLANS["GET"](request, RELATIONS, Limits(1000, 1.0))


def seconds(work: Callable[[], object], times: int) -> float:
    """The least of several, of the processor: what other processes take does not count."""
    taken = []
    for _ in range(times):
        started = process_time()
        with suppress(RestError, ValueError):
            work()
        taken.append(process_time() - started)
    return min(taken)


def check_linear(make: Callable[[int], Callable[[], object]], length: int, what: object) -> None:
    """Fail when a quarter of the length takes less than an eighth of the time."""
    if seconds(make(length), 2) < 0.02:  # quadratic, it would take seconds
        return
    ratios: list[float] = []
    while len(ratios) < 3 and (not ratios or min(ratios) >= 8):  # another process may take turns
        ratios.append(seconds(make(length), 3) / seconds(make(length // 4), 3))
    assert min(ratios) < 8, (what, ratios)


def filled(before: str, unit: str, after: str, length: int) -> bytes:
    count = (length - len(before) - len(after)) // len(unit.encode())
    return (before + unit * count + after).encode()


@pytest.mark.parametrize("before", BEFORE)
def test_query_strings_are_parsed_in_linear_time(before: str) -> None:
    for unit, after in product(UNITS, AFTER):

        def make(length: int, unit: str = unit, after: str = after) -> Callable[[], object]:
            query = filled(before, unit, after, length)
            return lambda: read(query)

        check_linear(make, MAX_QUERY, (before, unit, after))


@pytest.mark.parametrize("parse", [media.negotiate, preferences.parse])
def test_headers_are_parsed_in_linear_time(parse: Callable[[str], object]) -> None:
    for unit in HEADERS:

        def make(length: int, unit: str = unit) -> Callable[[], object]:
            header = unit * (length // len(unit))
            return lambda: parse(header)

        check_linear(make, 64 * 1024, unit)


@pytest.mark.parametrize("type_", sorted(FROM_TEXT))
def test_values_are_converted_in_linear_time(type_: str) -> None:
    convert = FROM_TEXT[type_]  # type: ignore[index]
    for unit, (before, after) in product(VALUES, [("", ""), ("{", "}"), ("{", '"}'), ('{"', "}")]):

        def make(
            length: int, unit: str = unit, before: str = before, after: str = after
        ) -> Callable[[], object]:
            text = before + unit * (length // len(unit)) + after
            return lambda: convert(text)

        check_linear(make, 400_000, (before, unit, after))
