"""What is kept by a request's shape is what the grammar would make of the request."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.rest import grammar
from app.rest.errors import RestError
from app.rest.shapes import MAX_SHAPES, Shapes, decoded, holds, take_apart

NAMES = (
    b"id", b"user_id", b"users.email", b'"a.b".c', b"na%6de", b"a+b", b"", b"xlimit",
    b"select", b"columns", b"on_conflict", b"order", b"users.order", b"%6cimit",
    b"limit", b"offset", b"users.limit", b"users.offset", b"and", b"or", b"not.and", b"users.or",
)  # fmt: skip
OPERATORS = (
    b"eq.", b"neq.", b"gt.", b"gte.", b"lt.", b"lte.", b"like.", b"ilike.", b"match.", b"imatch.",
    b"isdistinct.", b"not.eq.", b"not.not.eq.", b"is.", b"not.is.", b"in.", b"eq(any).",
    b"not.like(all).", b"fts.", b"EQ.", b"e%71.", b"eq", b"",
)  # fmt: skip
VALUES = (
    b"", b"5", b"050", b"-1", b"+1", b"9" * 18, b"9" * 19, b"null", b"a.b@example.com", b"a=b=c",
    b"a%40b", b"a+b", b"%c3%a4", b"%ff", b"%c3", b"%00", b"%26limit%3D5", b"*", b"a*", b"(1,2)",
    b'("a,b")', b"{1,2}", b'"x"', b"(id.eq.5)", b"(id.eq.5,or(name.like.a*))", b"id.desc,name",
    b"*,users(*)",
    b"eq.5", b"id", b"x\n", b"desc", b"(name.eq.desc)", b"\xc3\xa4",
)  # fmt: skip
values = st.one_of(
    st.sampled_from(VALUES),
    st.integers(0, 99).map(lambda number: b"%d" % number),
    st.text('ab1.,()"{}*%+=:-_ \\').map(str.encode),
)
pair = st.tuples(st.sampled_from(NAMES), st.sampled_from(OPERATORS), values)
usual = st.tuples(
    st.sampled_from(NAMES[:4]), st.sampled_from(OPERATORS[:12]), st.sampled_from(VALUES)
)
paging = st.tuples(st.sampled_from(NAMES[14:18]), st.just(b""), st.sampled_from((b"5", b"10")))
queries = st.lists(st.one_of(usual, paging, pair), max_size=5).map(
    lambda pairs: b"&".join(name + b"=" + operator + value for name, operator, value in pairs)
)


def parsed(query: bytes) -> Any:
    try:
        request = grammar.parse(query)
    except RestError as error:
        return error.code, error.message
    return request.tree, request.values


def put_together(parts: tuple[bytes, ...], taken: list[bytes]) -> bytes:
    query, rest = parts[0], parts[1:]
    for prefix, value, between in zip(rest[::2], taken, rest[1::2], strict=True):
        query += prefix + value + between
    return query.removeprefix(b"&")


@given(queries)
def test_the_parts_and_the_values_are_the_query_string(query: bytes) -> None:
    assert put_together(*take_apart(query)) == query


@settings(max_examples=1500, deadline=None)
@given(queries, st.data())
def test_a_shape_gives_what_the_grammar_gives(query: bytes, data: st.DataObject) -> None:
    first = parsed(query)
    parts, taken = take_apart(query)
    if isinstance(first[0], str) or not holds(query, grammar.parse(query)):
        return
    other = put_together(parts, [data.draw(values) for _ in taken])
    if take_apart(other)[0] != parts:
        return  # another shape: "limit=" takes digits alone
    try:
        by_shape: Any = first[0], decoded(take_apart(other)[1])
    except RestError as error:
        by_shape = error.code, error.message
    assert by_shape == parsed(other)


@pytest.mark.parametrize(
    ("query", "taken"),
    [
        (b"", []),
        (b"select=id,name&order=name.desc", []),
        (b"id=eq.5", ["5"]),
        (b"id=not.eq.", [""]),
        (b"email=eq.a%2Bb%40example.com&limit=5&offset=010", ["a+b@example.com", "5", "010"]),
        (b"name=like.a*&id=is.null&name=isdistinct.b", ["a*", "b"]),
        (b"select=id,users(*)&users.email=eq.a&users.limit=1&id=gt.2", ["a", "1", "2"]),
        (b"id=gte.1&id=lt.2&id=eq.eq.3", ["1", "2", "eq.3"]),
    ],
)
def test_plain_values_are_taken_out(query: bytes, taken: list[str]) -> None:
    request = grammar.parse(query)
    assert holds(query, request)
    assert decoded(take_apart(query)[1]) == request.values == taken


@pytest.mark.parametrize(
    "query",
    [
        b"id=in.(1,2)",
        b"id=eq(any).{1,2}",
        b"or=(id.eq.5,name.eq.x)",
        b"limit=-1",
        b"limit=%35",
        b"l%69mit=5",
        b"id=e%71.5",
        b"id=eq.1&or=(id.eq.2)",
    ],
)
def test_other_values_are_left_to_the_grammar(query: bytes) -> None:
    assert not holds(query, grammar.parse(query))


def test_a_value_elsewhere_does_not_make_up_for_one_that_is_none() -> None:
    # one sorts by the column "eq", downwards; the parts do not tell it from upwards
    query = b"order=eq.desc&or=(name.eq.desc)"
    request = grammar.parse(query)
    assert decoded(take_apart(query)[1]) == request.values == ["desc"]
    assert not holds(query, request)


@pytest.mark.parametrize("name", [b"select", b"limit", b"users.offset", b"order"])
@pytest.mark.parametrize("value", [b"5", b"10"])
def test_what_stands_once_is_refused_twice(name: bytes, value: bytes) -> None:
    with pytest.raises(RestError, match="twice"):
        grammar.parse(b"%s=%s&%s=%s" % (name, value, name, value))


def test_shapes_are_bounded_and_the_last_ones_stay() -> None:
    shapes, exchange = Shapes(), Any
    for number in range(MAX_SHAPES):
        shapes.keep((number,), exchange)  # type: ignore[arg-type]
    assert shapes.get((0,)) is exchange
    shapes.keep(("one more",), exchange)  # type: ignore[arg-type]
    assert len(shapes) == MAX_SHAPES
    assert shapes.get((0,)) is exchange
    assert shapes.get((1,)) is None
