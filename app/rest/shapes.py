"""A request's shape: all of it but its body and the plain values of its query string.

Requests of one shape are answered by one exchange, made for the first of them. A shape is the key,
the method, the path, the headers that ask for something, and the query string between its values.

Which parts of a query string are values is the grammar's to say. What is taken out here without it
is a guess, and it holds when the grammar, given marks in the place of the values, gives back these
marks as the values and the same tree.
"""

import re
from collections import OrderedDict
from random import getrandbits
from typing import Final

from app.rest import grammar
from app.rest.errors import RestError
from app.rest.exchange import Exchange
from app.rest.tree import Request, Value

MAX_SHAPES: Final = 1000

Shape = tuple[object, ...]
"""Strings and bytes alone: no value, and no key but by its SHA-256."""

# column=eq.VALUE and its like, limit=DIGITS and offset=DIGITS; the value is the second group
_VALUE: Final = re.compile(
    rb"(&(?:"
    rb"[^&=]*=(?:not\.)?(?:n?eq|[gl]te?|i?like|i?match|isdistinct)\.|"
    rb"(?:[^&=]*\.)?(?:limit|offset)=(?=[0-9]{1,18}(?:&|\Z))"
    rb"))([^&]*)"
)
_PLAIN: Final = re.compile(rb"[A-Za-z0-9_.:@-]*")


def take_apart(query: bytes) -> tuple[tuple[bytes, ...], list[bytes]]:
    """The query string between what look like its values, and these, still encoded."""
    parts = _VALUE.split(b"&" + query)  # so that all of them begin alike, and are found sooner
    values = parts[2::3]
    del parts[2::3]
    return tuple(parts), values


def decoded(values: list[bytes]) -> list[Value]:
    """The values as the grammar would give them. Raises RestError: 22021 for what is no text."""
    if _PLAIN.fullmatch(b"".join(values)):
        return list(map(bytes.decode, values))
    return [grammar.decoded(value) for value in values]


def holds(query: bytes, parsed: Request) -> bool:
    """Whether what is taken out of the query string are its values, and they alone.

    Then every query string with the same parts has the tree of this one.
    """
    values = take_apart(query)[1]
    if decoded(values) != parsed.values:
        return False
    # drawn anew, so that no query string has them elsewhere; digits, for a limit takes nothing else
    marks = [b"9%018d" % getrandbits(59) for _ in values]
    each = iter(marks)
    try:
        marked = grammar.parse(_VALUE.sub(lambda found: found[1] + next(each), b"&" + query))
    except RestError:
        return False
    return marked.values == decoded(marks) and marked.tree == parsed.tree


class Shapes:
    """The exchanges of the shapes seen last."""

    def __init__(self) -> None:
        self._exchanges: OrderedDict[Shape, Exchange] = OrderedDict()

    def __len__(self) -> int:
        return len(self._exchanges)

    def get(self, shape: Shape) -> Exchange | None:
        exchange = self._exchanges.get(shape)
        if exchange is not None:
            self._exchanges.move_to_end(shape)
        return exchange

    def keep(self, shape: Shape, exchange: Exchange) -> None:
        self._exchanges[shape] = exchange
        if len(self._exchanges) > MAX_SHAPES:
            self._exchanges.popitem(last=False)
