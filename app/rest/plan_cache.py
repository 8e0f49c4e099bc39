"""Plans kept by the shape of a request: everything in it but its body and the values it compares.

Parsing a query string and rendering a statement take longer than running it, so requests that
differ in their values alone share a plan. ``split_values`` finds the plain values without the
parser. That is a guess, and ``is_cacheable`` holds it against the parser: given marks in place of
the values, it must find the same tree and the marks as its values. Where the guess is wrong, as
for ``in.(…)``, the request is parsed, and its tree is the last part of its shape.
"""

import re
from collections import OrderedDict
from random import getrandbits
from typing import Final

from ..errors import RestError
from . import parser
from .plan import Plan
from .query_tree import ParsedQuery, Value

MAX_PLANS: Final = 1000

Shape = tuple[object, ...]
"""Holds no value of a request, and no service key but its SHA-256."""

# column=eq.VALUE and the like, limit=DIGITS and offset=DIGITS; the value is the second group
_VALUE: Final = re.compile(
    rb"(&(?:"
    rb"[^&=]*=(?:not\.)?(?:n?eq|[gl]te?|i?like|i?match|isdistinct)\.|"
    rb"(?:[^&=]*\.)?(?:limit|offset)=(?=[0-9]{1,18}(?:&|\Z))"
    rb"))([^&]*)"
)
_UNENCODED: Final = re.compile(rb"[A-Za-z0-9_.:@-]*")


def split_values(query: bytes) -> tuple[tuple[bytes, ...], list[bytes]]:
    """The query string between what look like its values, and these, still encoded."""
    parts = _VALUE.split(b"&" + query)  # so that the first parameter begins like the others
    values = parts[2::3]
    del parts[2::3]
    return tuple(parts), values


def decode_values(values: list[bytes]) -> list[Value]:
    """The values as the parser gives them. Raises RestError 22021 for bytes that are no text."""
    if _UNENCODED.fullmatch(b"".join(values)):
        return list(map(bytes.decode, values))
    return [parser.decode(value) for value in values]


def is_cacheable(query: bytes, parsed: ParsedQuery) -> bool:
    """Whether ``split_values`` found the values of the query string and nothing else.

    Then every query string with the same parts has the same tree.
    """
    values = split_values(query)[1]
    if decode_values(values) != parsed.values:
        return False
    # random, so that no query string has them elsewhere; digits, for a limit takes nothing else
    marks = [b"9%018d" % getrandbits(59) for _ in values]
    each = iter(marks)
    try:
        marked = parser.parse(_VALUE.sub(lambda found: found[1] + next(each), b"&" + query))
    except RestError:
        return False
    return marked.values == decode_values(marks) and marked.tree == parsed.tree


class PlanCache:
    """The plans used last."""

    def __init__(self) -> None:
        self._plans: OrderedDict[Shape, Plan] = OrderedDict()

    def __len__(self) -> int:
        return len(self._plans)

    def clear(self) -> None:
        self._plans.clear()

    def get(self, shape: Shape) -> Plan | None:
        plan = self._plans.get(shape)
        if plan is not None:
            self._plans.move_to_end(shape)
        return plan

    def put(self, shape: Shape, plan: Plan) -> None:
        self._plans[shape] = plan
        if len(self._plans) > MAX_PLANS:
            self._plans.popitem(last=False)
