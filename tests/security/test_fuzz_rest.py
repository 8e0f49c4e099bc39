"""The REST API under made-up requests: its grammar, its headers, its bodies.

A write that would be well-formed is rolled back, so what was planted stays to be found.
FUZZ_CASES says how many; the seed is fixed, so the same ones come each time.
"""

import csv
import io
import json
from collections.abc import Iterator
from functools import cache
from typing import Any, Final
from urllib.parse import quote

import pytest
from hypothesis import strategies as st

from app.rest.parser import OPERATORS
from app.schema import RELATIONS
from tests.security.target import (
    VICTIM,
    VICTIMS_ADDRESS,
    Answer,
    Request,
    Target,
    attacked,
    mutated,
)
from tests.support import KEYS

TABLES: Final = tuple(RELATIONS)
COLUMNS: Final = tuple(sorted({c for relation in RELATIONS.values() for c in relation.columns}))
SECRET_COLUMNS: Final = ("token", "password", "access_token", "refresh_token", "id_token")
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")

# --- the grammar ----------------------------------------------------------------------------------

strange_names = st.one_of(
    st.sampled_from(COLUMNS),
    st.sampled_from((*TABLES, "*", "rate_limits", "purges", "users.id", '"id"', "id ", "xmin",
    "ctid")), st.sampled_from(COLUMNS).map(lambda name: f'"{name}"'),
    st.text(max_size=6),
)  # fmt: skip
VALUES: Final = (
    "null", "NULL", "true", "1", "-1", "9" * 30, "1e5", "now", "infinity", "2026-01-01", "x", "*",
    "%", "a*", "", '"', '"a"', "\\", "(", ")", ",", "{", "}", "{a,b}", "(a,b)", "'", "--", "\x00",
    "\ud800", "é", "[", "^a.b$", "a{2}", VICTIMS_ADDRESS, str(VICTIM), "canary*", "canary%",
)  # fmt: skip
values = st.sampled_from(VALUES) | st.text(max_size=8)
operators = st.sampled_from(sorted(OPERATORS)) | st.sampled_from(
    ("fts", "cs", "eq(any)", "eq(all)", "like(any)", "match(all)", "in(any)", "is(any)", "", "EQ")
)
lists = st.lists(values, max_size=4).map(",".join)
operands = st.one_of(
    values, lists.map("({})".format), lists.map("{{{}}}".format), st.sampled_from(("null",
    "not_null"))
)  # fmt: skip


@st.composite
def conditions(draw: st.DrawFn) -> str:
    negated = draw(st.sampled_from(("", "", "not.", "not.not.")))
    return f"{negated}{draw(operators)}.{draw(operands)}"


def names_in(table: str) -> st.SearchStrategy[str]:
    """Mostly columns of the table."""
    if table not in RELATIONS:
        return strange_names
    own = st.sampled_from(tuple(RELATIONS[table].columns))
    return st.integers(0, 4).flatmap(lambda n: own if n else strange_names)


@cache
def logic_in(table: str) -> st.SearchStrategy[str]:
    return st.recursive(
        st.tuples(names_in(table), conditions()).map(".".join),
        lambda inner: st.tuples(
            st.sampled_from(("and", "or", "not.and", "not.or", "xor")),
            st.lists(inner, min_size=1, max_size=3).map(",".join),
        ).map(lambda parts: f"{parts[0]}({parts[1]})"),
        max_leaves=6,
    )


@cache
def selections_in(table: str, depth: int = 0) -> st.SearchStrategy[str]:
    columns = st.tuples(
        st.sampled_from(("", "", "b:")),
        names_in(table),
        st.sampled_from(
            ("", "", "", "", "::text", "::uuid", "::regclass", "->a", ".count()", "::")
        ),
    ).map("".join)
    if depth == 3:
        return columns
    embeds = st.one_of([
        st.tuples(
            st.sampled_from(("", "", "...", "a:", '"page.":')),
            st.just(other),
            st.sampled_from(
                ("", "", "!inner", "!left", "!sessions_user_id_fkey", "!x", "!inner!left")
            ),
            selections_in(other, depth + 1),
        ).map(lambda parts: f"{parts[0]}{parts[1]}{parts[2]}({parts[3]})")
        for other in TABLES
    ])  # fmt: skip
    items = st.integers(0, 3).flatmap(lambda n: columns if n else embeds)
    return st.lists(items, max_size=4).map(",".join)


@cache
def orders_in(table: str) -> st.SearchStrategy[str]:
    names = names_in(table)
    return st.lists(
        st.tuples(
            names | st.tuples(strange_names, names).map("{0[0]}({0[1]})".format),
            st.sampled_from(("", ".asc", ".desc", ".nullsfirst", ".desc.nullslast", ".asc.desc")),
        ).map("".join),
        max_size=3,
    ).map(",".join)


numbers = st.sampled_from(("0", "1", "10", "-1", "9" * 18, "9" * 40, "+1", "01", "1.0", "", "x"))


@st.composite
def parameters(draw: st.DrawFn, table: str) -> tuple[str, str]:
    paths = ("", "", "", "", "", "", "sessions.", "users.", "a.", "sessions.users.", ".")
    path, names = draw(st.sampled_from(paths)), names_in(table)
    match draw(st.integers(0, 8)):
        case 0 | 1:
            return "select", draw(selections_in(table))
        case 2:
            return f"{path}order", draw(orders_in(table))
        case 3:
            return path + draw(st.sampled_from(("limit", "offset"))), draw(numbers)
        case 4:
            word = draw(st.sampled_from(("and", "or", "not.and", "not.or")))
            return (
                path + word,
                f"({','.join(draw(st.lists(logic_in(table), min_size=1, max_size=3)))})",
            )
        case 5:
            word = draw(st.sampled_from(("columns", "on_conflict")))
            return word, ",".join(draw(st.lists(names, max_size=4)))
        case _:
            return path + draw(names), draw(conditions())


@st.composite
def query_strings(draw: st.DrawFn, table: str) -> bytes:
    pairs = draw(st.lists(parameters(table), max_size=draw(st.sampled_from((1, 2, 5)))))
    safe = draw(st.sampled_from(("", '().,*:!{}"', "().,*:!")))
    query = "&".join(
        "=".join(quote(part, safe=safe, errors="surrogatepass") for part in pair) for pair in pairs
    )
    if query and draw(st.integers(0, 3)) == 0:  # a slip of the pen
        at = draw(st.integers(0, len(query)))
        slip = draw(
            st.sampled_from(
                ("(", ")", ",", ".", "%", "%0", "&", "=", '"', "%22", "\\", "%00", "%ff", "+")
            )
        )
        query = query[:at] + slip + query[at + draw(st.integers(0, 2)) :]
    return query.encode()


# --- bodies and headers ---------------------------------------------------------------------------

MEDIA: Final = (
    "application/json", "text/csv", "application/x-www-form-urlencoded",
    "application/vnd.pgrst.object+json", "application/vnd.pgrst.array+json;nulls=stripped",
    "text/plain", "", ";", "*/*", "application/openapi+json",
    "text/csv;q=0.5, application/json;q=nan", "a" * 500,
)  # fmt: skip
cells = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.sampled_from(VALUES),
    st.text(max_size=8), st.sampled_from((10**400, {}, [], {"a": [1, {"b": None}]}, [[1], [2]],
    "x" * 3000)),
)  # fmt: skip
rows = st.dictionaries(st.sampled_from(COLUMNS) | st.text(max_size=5), cells, max_size=6)
GOOD: Final[dict[str, dict[str, Any]]] = {
    "users": {"name": "x", "email": "new@new.test"},
    "sessions": {"user_id": str(VICTIM), "expires_at": "2036-01-01T00:00:00Z"},
    "accounts": {"user_id": str(VICTIM), "account_id": "x", "provider_id": "y"},
    "verifications": {"identifier": "x", "value": "y", "expires_at": "2036-01-01T00:00:00Z"},
}
RAW: Final = (
    b"",
    b"{",
    b"[",
    b"[1]",
    b"null",
    b"\xff",
    b"[{}]",
    b"[" * 2000,
    b"{}{}",
    b"NaN",
    b"\x00",
    b"a,b\n1",
    b"a=b&a=c",
)


@st.composite
def bodies(draw: st.DrawFn, table: str) -> tuple[bytes, str]:
    good = GOOD.get(table, {})
    row = good | (draw(rows) if draw(st.integers(0, 2)) else {})
    match draw(st.integers(0, 7)):
        case 0:
            return draw(st.sampled_from(RAW) | st.binary(max_size=40)), draw(st.sampled_from(MEDIA))
        case 1:
            lines = [list(row), [str(cell) for cell in row.values()]]
            out = io.StringIO(newline="")
            csv.writer(out).writerows(lines * draw(st.integers(1, 2)))
            return out.getvalue().encode("utf-8", "surrogatepass"), "text/csv"
        case 2:
            pairs = (
                quote(k, safe="", errors="surrogatepass")
                + "="
                + quote(str(v), safe="", errors="surrogatepass")
                for k, v in row.items()
            )
            return "&".join(pairs).encode(), "application/x-www-form-urlencoded"
        case 3:
            return json.dumps([row, good]).encode(), "application/json"
        case 4:
            return json.dumps(draw(cells)).encode(), "application/json"
        case _:
            return json.dumps(row).encode(), "application/json"


PREFERENCES: Final = (
    "return=representation", "return=minimal", "return=headers-only", "count=exact",
    "count=planned", "count=estimated", "resolution=merge-duplicates",
    "resolution=ignore-duplicates", "missing=default", "handling=strict", "max-affected=1",
    "tx=commit", "x=y", "timezone=UTC",
)  # fmt: skip
ROLLBACK: Final = "tx=rollback"  # first, and the first of two counts


@st.composite
def requests(draw: st.DrawFn) -> tuple[Request, str]:
    """A request, and the name of the key that it has."""
    key = draw(st.sampled_from(("reader", "writer", "backend", "backend", "backend", "none")))
    method = draw(st.sampled_from(METHODS + ("GET",) * 6))
    table = draw(
        st.sampled_from(
            TABLES * 4
            + ("", "rate_limits", "rpc/x", "users/", "Users", "%75sers", "a/b", "x" * 300)
        )
    )
    target = f"/rest/v1/{table}".encode()
    if draw(st.integers(0, 4)) and not (method == "POST" and draw(st.booleans())):
        target += b"?" + draw(query_strings(table))
    preferences = ", ".join([ROLLBACK, *draw(st.lists(st.sampled_from(PREFERENCES), max_size=3))])
    headers = [(b"prefer", preferences.encode())]
    if key != "none":
        sent = KEYS[key].encode()
        headers.append(
            draw(st.sampled_from(((b"apikey", sent), (b"authorization", b"Bearer " + sent))))
        )
    if draw(st.integers(0, 3)) == 0:
        headers.append((b"accept", draw(st.sampled_from(MEDIA)).encode()))
    if draw(st.integers(0, 5)) == 0:
        headers.append(
            (
                b"range",
                draw(
                    st.sampled_from(("0-1", "5-1", "x", "0-", "bytes=0-1", "9" * 40 + "-"))
                ).encode(),
            )
        )
    if draw(st.integers(0, 9)) == 0:
        profile = draw(st.sampled_from((b"accept-profile", b"content-profile")))
        headers.append((profile, draw(st.sampled_from((b"public", b"pg_catalog", b"\xff")))))
    if method in ("GET", "HEAD", "DELETE"):
        return Request(method, target, tuple(headers)), key
    body, media = draw(bodies(table))
    headers.append((b"content-type", media.encode()))
    return Request(method, target, tuple(headers), body, chunked=draw(st.booleans())), key


# --- the tests ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def target(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with attacked(module_database_url, tmp_path_factory.mktemp("attacked")) as target:
        yield target


def check_shape(request: Request, answer: Answer) -> None:
    if request.method == "HEAD":
        assert answer.body == b"", str(request)
    elif answer.status >= 400:
        error = answer.json
        assert error.keys() == {"code", "message", "details", "hint"}, str(request)
        assert all(isinstance(error[name], str | None) for name in ("details", "hint")), str(
            request
        )


REFUSED: Final = {
    "none": METHODS,
    "reader": ("POST", "PUT", "PATCH", "DELETE"),
    "writer": ("GET", "HEAD", "PUT", "PATCH", "DELETE"),
    "backend": (),
}


def check_scopes(request: Request, key: str, answer: Answer) -> None:
    if request.method in REFUSED[key]:
        assert answer.status >= 400, str(request)
    assert (answer.status == 401) == (key == "none"), str(request)


def test_table_withstands_whatever_it_is_asked(target: Target) -> None:
    statuses: set[int] = set()

    def attack(given: tuple[Request, str]) -> None:
        example, key = given
        for request in mutated(example):
            answer = target.wire.send(request)
            target.check(request, answer, secrets_only=True)
            check_shape(request, answer)
            check_scopes(request, key, answer)
            statuses.add(answer.status)

    target.attack(requests(), attack)
    assert {200, 400, 401, 403, 404} <= statuses
