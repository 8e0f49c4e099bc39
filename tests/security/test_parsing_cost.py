"""Whatever a client repeats is read in a time that grows with its length, not with its square."""

from collections.abc import Callable
from time import process_time
from typing import Any, Final

import pytest
from starlette.requests import Request

from app.auth import cookies, endpoint, validation
from app.auth.origins import Origins

ENTRIES: Final = ["https://*.gatepost.test", "*.test", "https://*-*-*.gatepost.test"]
ORIGINS: Final = Origins("https://auth.gatepost.test", ENTRIES)


def query(text: str) -> dict[str, Any]:
    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    return endpoint._query(Request(scope | {"query_string": text.encode()}))


READERS: Final[dict[str, tuple[Callable[[str], object], tuple[str, ...]]]] = {
    "query": (query, ("a&", "a=b&", "&", "%61=%&", "=&")),
    "cookies": (cookies.parse, (";", "a=b;", "=;", "a=%;", 'a="";')),
    "address": (validation.is_email, ("a", "a.", "a-", ".", "@", "a@", "a@b.", "-")),
    "redirect": (
        lambda text: ORIGINS.trusts(f"/{text}", relative=True),
        ("a", "/", "../", "%2e", "?", "#", "\\", "\t"),
    ),
    "origin": (
        lambda text: ORIGINS.trusts(f"https://{text}"),
        ("a", "a.", "a-", "@", ":", "[", "%41"),
    ),
}


def seconds(read: Callable[[str], object], text: str) -> float:
    best = float("inf")
    for _ in range(3):
        started = process_time()
        read(text)
        best = min(best, process_time() - started)
    return best


@pytest.mark.parametrize("reader", READERS)
def test_time_grows_with_the_length(reader: str) -> None:
    read, pieces = READERS[reader]
    for piece in pieces:
        short, long = piece * 2_000, piece * 20_000
        # ten times the text; a square would be a hundred, and a millisecond is no measure
        assert seconds(read, long) < 35 * max(seconds(read, short), 0.001), repr(piece)


def test_query_names_given_twice_become_lists() -> None:
    assert query("a=1&b=2&a=3&a=4&c=") == {"a": ["1", "3", "4"], "b": "2", "c": ""}
