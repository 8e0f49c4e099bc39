"""A plan kept by the shape of a request gets what the parser would make of the request."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import RestError
from app.rest import parser
from app.rest.plan_cache import (
    MAX_PLANS,
    PlanCache,
    decode_values,
    is_cacheable,
    split_values,
)

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
common = st.tuples(
    st.sampled_from(NAMES[:4]), st.sampled_from(OPERATORS[:12]), st.sampled_from(VALUES)
)
paging = st.tuples(st.sampled_from(NAMES[14:18]), st.just(b""), st.sampled_from((b"5", b"10")))
queries = st.lists(st.one_of(common, paging, pair), max_size=5).map(
    lambda pairs: b"&".join(name + b"=" + operator + value for name, operator, value in pairs)
)


def parsed(query: bytes) -> Any:
    try:
        request = parser.parse(query)
    except RestError as error:
        return error.code, error.message
    return request.tree, request.values


def join(parts: tuple[bytes, ...], found: list[bytes]) -> bytes:
    query, rest = parts[0], parts[1:]
    for prefix, value, between in zip(rest[::2], found, rest[1::2], strict=True):
        query += prefix + value + between
    return query.removeprefix(b"&")


@given(queries)
def test_parts_and_values_make_up_the_query_string(query: bytes) -> None:
    assert join(*split_values(query)) == query


@settings(max_examples=1500, deadline=None)
@given(queries, st.data())
def test_shape_gives_what_the_parser_gives(query: bytes, data: st.DataObject) -> None:
    first = parsed(query)
    parts, found = split_values(query)
    if isinstance(first[0], str) or not is_cacheable(query, parser.parse(query)):
        return
    other = join(parts, [data.draw(values) for _ in found])
    if split_values(other)[0] != parts:
        return  # another shape: "limit=" takes digits alone
    try:
        by_shape: Any = first[0], decode_values(split_values(other)[1])
    except RestError as error:
        by_shape = error.code, error.message
    assert by_shape == parsed(other)


@pytest.mark.parametrize(
    ("query", "found"),
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
def test_plain_values_are_split_off(query: bytes, found: list[str]) -> None:
    request = parser.parse(query)
    assert is_cacheable(query, request)
    assert decode_values(split_values(query)[1]) == request.values == found


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
def test_other_values_are_left_to_the_parser(query: bytes) -> None:
    assert not is_cacheable(query, parser.parse(query))


def test_value_in_another_place_does_not_stand_in_for_a_wrong_guess() -> None:
    # it sorts by the column "eq" in descending order, which the parts do not tell from ascending
    query = b"order=eq.desc&or=(name.eq.desc)"
    request = parser.parse(query)
    assert decode_values(split_values(query)[1]) == request.values == ["desc"]
    assert not is_cacheable(query, request)


@pytest.mark.parametrize("name", [b"select", b"limit", b"users.offset", b"order"])
@pytest.mark.parametrize("value", [b"5", b"10"])
def test_parameter_given_twice_is_refused(name: bytes, value: bytes) -> None:
    with pytest.raises(RestError, match="twice"):
        parser.parse(b"%s=%s&%s=%s" % (name, value, name, value))


def test_cache_is_bounded_and_keeps_the_plans_used_last() -> None:
    cache, plan = PlanCache(), Any
    for number in range(MAX_PLANS):
        cache.put((number,), plan)  # type: ignore[arg-type]
    assert cache.get((0,)) is plan
    cache.put(("one more",), plan)  # type: ignore[arg-type]
    assert len(cache) == MAX_PLANS
    assert cache.get((0,)) is plan
    assert cache.get((1,)) is None
