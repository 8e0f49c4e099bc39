"""Requests made of the grammar's own parts: none is a 500, shows a secret or becomes SQL text.

By hypothesis. The statements of many are made in this process; some are run on a database.
``GRAMMAR_EXAMPLES`` multiplies how many of both.
"""

import json
import os
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote_from_bytes

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.errors import RestError
from app.rest import media, preferences
from app.rest.api import PLANS
from app.rest.plan import Limits, Plan
from app.rest.plan_cache import is_cacheable
from app.rest.request import ApiRequest, RequestHeaders
from app.schema import RELATIONS
from app.settings import ServiceKey
from tests.integration.hostile import Attack
from tests.integration.test_rest_hostile import App, app

__all__ = ["app"]  # a fixture

TIMES: Final = int(os.environ.get("GRAMMAR_EXAMPLES", "1"))
SLOW: Final = (HealthCheck.too_slow, HealthCheck.function_scoped_fixture)
CANARY: Final = "k4n4ry'\"$1"
BACKEND: Final = ServiceKey("backend", "0" * 64, frozenset(("read", "write")))
ALL: Final = ServiceKey("all", "1" * 64, frozenset(("read", "write", "secrets")))

columns = st.sampled_from(
    sorted({name for relation in RELATIONS.values() for name in relation.columns})
)
tables = st.sampled_from(sorted(RELATIONS))
junk = st.text("ab1.,()\"{}*%+=:!-_ \\\0é$'", max_size=8)
names = st.one_of(
    columns,
    tables,
    st.sampled_from(["*", "x", "a.b", '"q"', "and", "not", "count", "count()"]),
    junk,
)
operators = st.sampled_from(
    [
        *("eq", "neq", "gt", "gte", "lt", "lte", "like", "ilike", "match", "imatch", "in", "is"),
        *("isdistinct", "eq(any)", "like(all)", "gt(any)", "fts", "cs", "EQ", ""),
    ]
)
values = st.one_of(
    st.just(CANARY),
    st.sampled_from(["null", "not_null", "true", "now", "5", "-1", "(a,b)", '("a,b")', "{a,b}"]),
    st.sampled_from(["infinity", "epoch", "00000000-0000-0000-0000-000000000001", "*a*", "(", "["]),
    junk,
)
conditions = st.builds(
    lambda no, operator, value: f"{no}{operator}.{value}",
    st.sampled_from(["", "", "not.", "not.not."]),
    operators,
    values,
)
logic = st.recursive(
    st.builds(lambda column, condition: f"{column}.{condition}", names, conditions),
    lambda inner: st.builds(
        lambda word, parts: f"{word}({','.join(parts)})",
        st.sampled_from(["and", "or", "not.and", "not.or"]),
        st.lists(inner, max_size=3),
    ),
    max_leaves=6,
)
items = st.recursive(
    st.builds(
        lambda alias, name, cast: alias + name + cast,
        st.sampled_from(["", "", "x:", "token:", '"y":', "...", f'"{CANARY[:6]}":']),
        names,
        st.sampled_from(["", "", "::text", "::int", "::x", ".count()", ".sum()", "->a"]),
    ),
    lambda inner: st.builds(
        lambda before, table, hint, parts: f"{before}{table}{hint}({','.join(parts)})",
        st.sampled_from(["", "", "...", "z:"]),
        tables,
        st.sampled_from(["", "", "!inner", "!left", "!user_id", "!sessions_user_id_fkey"]),
        st.lists(inner, max_size=3),
    ),
    max_leaves=8,
)
orders = st.builds(
    lambda name, more: name + more,
    st.one_of(names, st.just("users(name)"), st.just("sessions(token)")),
    st.sampled_from(["", ".desc", ".asc.nullslast", ".desc.nullsfirst", ".x"]),
)
paths = st.one_of(
    st.just(""), st.lists(tables, min_size=1, max_size=3).map(lambda p: f"{'.'.join(p)}.")
)
parameters = st.one_of(
    st.builds(lambda parts: ("select", ",".join(parts)), st.lists(items, max_size=4)),
    st.builds(lambda path, name, value: (path + name, value), paths, names, conditions),
    st.builds(
        lambda path, word, parts: (path + word, f"({','.join(parts)})"),
        paths,
        st.sampled_from(["and", "or", "not.and", "not.or"]),
        st.lists(logic, min_size=1, max_size=3),
    ),
    st.builds(lambda path, o: (f"{path}order", ",".join(o)), paths, st.lists(orders, max_size=3)),
    st.tuples(st.sampled_from(["limit", "offset", "sessions.limit"]), values),
    st.tuples(
        st.sampled_from(["columns", "on_conflict"]), st.lists(names, max_size=3).map(",".join)
    ),
    st.tuples(junk, junk),
)
queries = st.lists(parameters, max_size=5)
raw = st.binary(max_size=60)
methods = st.sampled_from(["GET", "GET", "GET", "HEAD", "POST", "PATCH", "DELETE", "PUT"])
headers = st.builds(
    RequestHeaders,
    st.sampled_from([None, b"text/csv", b"*/*;q=x", b"application/vnd.pgrst.object+json"]),
    st.sampled_from([None, b"public"]),
    st.sampled_from([None, b"public"]),
    st.sampled_from([None, b"text/csv", b"application/json"]),
    st.sampled_from(
        [
            None,
            b"count=exact",
            b"return=representation, resolution=merge-duplicates",
            b"tx=rollback",
        ]
    ),
    st.sampled_from([None, b"0-4", b"5-", b"9-1", b"x"]),
)


def encoded(query: list[tuple[str, str]]) -> bytes:
    return "&".join(
        "=".join(quote_from_bytes(part.encode(), safe=".,()*:!\"'{}") for part in pair)
        for pair in query
    ).encode()


def planned(key: ServiceKey, table: str, method: str, given: RequestHeaders, query: bytes) -> Plan:
    request = ApiRequest.parse(key, RELATIONS[table], method, given, query)
    is_cacheable(query, request.query)
    return PLANS[method](request, RELATIONS, Limits(1000, 1.0))


def answered(work: Callable[[], Any]) -> Any:
    """What ``work`` gives, or "" when it refuses the request."""
    try:
        return work()
    except RestError as error:
        if not 300 <= error.status < 500:
            raise
    return ""


def texts(plan: Plan) -> str:
    """The statements that a plan has."""
    statements = [value for value in vars(plan).values() if hasattr(value, "statement")]
    return " ".join(each.statement.text for each in statements)


@settings(max_examples=3000 * TIMES, deadline=None, suppress_health_check=SLOW)
@given(st.one_of(queries.map(encoded), raw), tables, methods, headers)
def test_request_is_refused_or_becomes_a_statement_without_values(
    query: bytes, table: str, method: str, given: RequestHeaders
) -> None:
    for key in (BACKEND, ALL):
        text = answered(lambda key=key: texts(planned(key, table, method, given, query)))
        assert CANARY not in text, query
        if key is BACKEND:
            for secret in ("token", "password", "identifier", "value", "access_token"):
                returned = text.partition("RETURNING")[0] if "RETURNING" in text else text
                assert f'."{secret}"' not in returned, (query, text)


@settings(max_examples=3000 * TIMES, deadline=None)
@given(st.text("abq=.;,*/ \"'\t5", max_size=80), st.text("abct=;,- 5\"'\t", max_size=80))
def test_headers_are_read_or_refused(accept: str, prefer: str) -> None:
    answered(lambda: media.negotiate(accept))
    answered(lambda: preferences.parse(prefer))


@settings(max_examples=400 * TIMES, deadline=None, suppress_health_check=SLOW)
@given(
    query=queries.map(encoded),
    table=tables,
    key=st.sampled_from(["backend", "reader", "writer"]),
    prefer=st.sampled_from(["", "count=exact", "count=planned", "count=estimated"]),
    accept=st.sampled_from(["", "text/csv", "application/vnd.pgrst.object+json;nulls=stripped"]),
)
def test_request_is_answered(
    app: App, query: bytes, table: str, key: str, prefer: str, accept: str
) -> None:
    given = tuple((n, v) for n, v in (("Prefer", prefer), ("Accept", accept)) if v)
    app.withstands(Attack(f"/rest/v1/{table}?".encode() + query, headers=given, key=key))


@settings(max_examples=200 * TIMES, deadline=None, suppress_health_check=SLOW)
@given(
    query=queries.map(encoded),
    table=tables,
    method=st.sampled_from(["POST", "PATCH", "DELETE", "PUT"]),
    body=st.dictionaries(columns, st.one_of(values, st.none(), st.booleans()), max_size=4),
)
def test_write_that_is_rolled_back_changes_nothing(
    app: App, query: bytes, table: str, method: str, body: dict[str, object]
) -> None:
    given = (("Prefer", "tx=rollback, return=representation"), ("Content-Type", "application/json"))
    data = json.dumps(body).encode()
    target = f"/rest/v1/{table}?".encode() + query
    app.withstands(Attack(target, method, given, data, key="backend"))
