"""Hostile requests to the REST API, by family.

None of them may give a 5xx, read a secret or change a row.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

from tests.support import KEYS

MARK: Final = "XSECRETX"
"""Stands in every token, and in no request."""
USERS: Final = [UUID(int=n) for n in (1, 2, 3)]
SESSIONS: Final = [UUID(int=n) for n in (11, 12, 13)]
TOKENS: Final = [f"oracle{n}{MARK}{'k' * 24}" for n in range(3)]
LONG_NAME: Final = "a" * 3000

JSON: Final = ("Content-Type", "application/json")
CSV: Final = ("Content-Type", "text/csv")
FORM: Final = ("Content-Type", "application/x-www-form-urlencoded")
ROLLBACK: Final = ("Prefer", "tx=rollback")
MERGE: Final = ("Prefer", "resolution=merge-duplicates,tx=rollback")
RETURN: Final = ("Prefer", "return=representation")

Headers = tuple[tuple[str, str | bytes], ...]


def words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


@dataclass(frozen=True)
class Attack:
    """A request: ``target`` is the path and the query as they stand in the request line."""

    target: str | bytes
    method: str = "GET"
    headers: Headers = ()
    body: bytes = b""
    key: str | None = "backend"
    expected: tuple[int, ...] = ()
    """The statuses that are right; any below 500 when empty."""

    def __str__(self) -> str:
        body = f" {self.body[:200]!r}" if self.body else ""
        return f"{self.method} {self.target!r:.400} {self.headers!r:.200}{body} as {self.key}"


def at(table: str, *parameters: tuple[str, str]) -> str:
    """A target whose parameters are percent-encoded to the last character."""
    query = "&".join(f"{quote(n, safe='')}={quote(v, safe='')}" for n, v in parameters)
    return f"/rest/v1/{table}?{query}"


def user(**columns: Any) -> bytes:
    return json.dumps({"name": "x", "email": "new@n.te"} | columns).encode()


def session(**columns: Any) -> bytes:
    row = {"user_id": str(USERS[0]), "expires_at": "2036-01-01T00:00:00Z"}
    return json.dumps(row | columns).encode()


# --- injection ------------------------------------------------------------------------------------

INJECTIONS: Final = (
    "'", "''", '"', '""', "`", "\\", "\\'", "';", "--", "/*", "*/", "#", ";", "$1", "$$", "%", "*",
    "' OR '1'='1", "' OR 1=1 --", "') OR ('1'='1", '" OR ""="', "1 OR 1=1", "x) OR (1=1",
    "'; DROP TABLE users; --", '"; DROP TABLE users; --', "$$; DROP TABLE sessions; $$",
    "*/ DROP TABLE users /*", "1; SELECT pg_sleep(9)", "(SELECT token FROM sessions LIMIT 1)",
    "x' UNION SELECT token FROM sessions --", "id\" FROM sessions --", "pg_sleep(9)",
    "E'\\x27'", "U&'\\0027'", "\u02bc OR 1=1", "{}", "{0}", "{users}", "{{", "%s", "%(id)s", ":id",
    "?", "../../etc/passwd", "<script>alert(1)</script>", "\r\nX-Injected: 1", "id,token",
    "r.token", "users.id", "a b", "😀", "page.", "embed.", "body.", "source", "xmax", "ctid",
)  # fmt: skip

# § is where the payload goes, percent-encoded.
IN_QUERY: Final = words(
    """
    users?select=§ users?select=id,§ users?select="§" users?select=x:§ users?select=§:id
    users?select="§":id users?select=id::§ users?select=id::text§ users?select=§(id)
    users?select=sessions(§) users?select=§:sessions(id) users?select=sessions!§(id)
    sessions?select=...§(id) sessions?select=...users(§:id) users?order=§ users?order="§"
    users?order=id.§ users?order=id.desc.§ sessions?order=§(id)
    sessions?select=users()&order=users(§) users?§=eq.1 users?§.id=eq.1
    users?select=sessions(id)&sessions.§=eq.1 users?name=§.1 users?name=§ users?name=not.§.1
    users?name=eq(§).{1} users?image=is.§ users?id=eq.§ users?email_verified=eq.§
    users?created_at=gt.§ users?id=in.(§) users?name=eq(any).§ users?name=like(any).{§}
    users?name=like.§ users?name=match.§ users?or=§ users?or=(§) users?and=(§.eq.1)
    users?and=(name.§.1) users?not.§=(id.is.null) users?limit=§ users?offset=§
    users?select=sessions(id)&sessions.limit=§ users?select=sessions(id)&sessions.order=§
    users?columns=§ §
    """
)

IN_HEADERS: Final = words(
    """
    Prefer Accept Range Range-Unit Content-Type Authorization X-Request-Id Content-Profile
    Accept-Profile Host Cookie If-None-Match
    """
)


def injections() -> Iterator[Attack]:
    for place, payload in product(IN_QUERY, INJECTIONS):
        yield Attack("/rest/v1/" + place.replace("§", quote(payload, safe="")))
    for payload in INJECTIONS:
        header = payload.replace("\r\n", " ").encode()  # no server hands on a line break
        for name in IN_HEADERS:
            yield Attack("/rest/v1/users", headers=((name, header),))
        yield Attack(at("users", ("on_conflict", payload)), "POST", (JSON, MERGE), user())
        key = json.dumps({payload: "x", "name": "x", "email": "new@n.te"}).encode()
        yield Attack("/rest/v1/users", "POST", (JSON,), key, expected=(400,))
        yield Attack(at("users", ("id", f"eq.{USERS[0]}")), "PATCH", (JSON,), key, expected=(400,))
        yield Attack("/rest/v1/users", "POST", (CSV,), csv_body([["name", payload], ["x", "y"]]))
        form = f"name=x&email=new%40n.te&{quote(payload, safe='')}=1".encode()
        yield Attack("/rest/v1/users", "POST", (FORM,), form, expected=(400,))
        typed = user(id=payload)
        yield Attack("/rest/v1/users", "POST", (JSON,), typed, expected=(400,))


def csv_body(lines: Iterable[Iterable[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(lines)
    return text.getvalue().encode()


# --- bytes and encodings --------------------------------------------------------------------------

BAD_BYTES: Final = (
    b"\x00", b"a\x00b", b"\xff", b"\x80", b"\xc0\xaf", b"\xc0\x80", b"\xe2\x82", b"\xed\xa0\xbd",
    b"\xed\xa0\xbd\xed\xb8\x80", b"\xf4\x90\x80\x80", b"\xfe\xff\x00a", b"\xf8\x88\x80\x80\x80",
)  # fmt: skip
BAD_ESCAPES: Final = (b"%", b"%2", b"%G1", b"%u0041", b"%%", b"%00%", b"%-1", b"%\xc3\xa9")
BYTES_IN_QUERY: Final = (
    b"/rest/v1/users?select=", b"/rest/v1/users?select=x:", b"/rest/v1/users?order=",
    b"/rest/v1/users?name=eq.", b"/rest/v1/users?name=like.", b"/rest/v1/users?name=match.",
    b"/rest/v1/users?name=in.(", b"/rest/v1/users?or=(name.eq.", b"/rest/v1/users?id=eq.",
    b"/rest/v1/users?limit=", b"/rest/v1/users?", b"/rest/v1/",
)  # fmt: skip
BAD_STRINGS: Final = (
    rb'"\u0000"', rb'"a\u0000b"', rb'"\ud83d"', rb'"\ude00"', rb'"\ude00\ud83d"',
    rb'"\ud83d\u0041"',
    rb'"\uD83Dx"', rb'"\u12"', rb'"\x41"', rb'"\8"', b'"\x00"', b'"\x1f"', b'"\n"', b'"\xff"',
    b'"\xed\xa0\xbd"', b'"\xc0\x80"', b'"\xe2\x82"', b'"\xf4\x90\x80\x80"',
)  # fmt: skip


def encodings() -> Iterator[Attack]:
    for place, bad in product(BYTES_IN_QUERY, BAD_BYTES):
        yield Attack(place + quote(bad, safe="").encode(), expected=(400, 404))
        yield Attack(place + bad.replace(b"\x00", b"\x01"))
    for place, bad in product(BYTES_IN_QUERY, BAD_ESCAPES):
        yield Attack(place + bad)
    for bad in BAD_STRINGS:
        for body in (
            b'{"email":"new@n.te","name":%s}' % bad,
            b'{"name":"x","email":%s}' % bad,
            b'{"email":"new@n.te","name":"x",%s:"x"}' % bad,
        ):
            yield Attack("/rest/v1/users", "POST", (JSON,), body, expected=(400,))
        # in an object the text keeps its escapes, of which \\u0000 is as good as any
        body = b'[{"email":"new@n.te","name":{"deep":[%s]}}]' % bad
        yield Attack("/rest/v1/users", "POST", (JSON, ROLLBACK), body)
    for bad in BAD_BYTES:
        escaped = quote(bad, safe="").encode()
        for headers, body in (
            ((CSV,), b"name,email\r\n" + bad + b",new@n.te\r\n"),
            ((CSV,), b"name,email," + bad + b"\r\nx,new@n.te,y\r\n"),
            ((FORM,), b"email=new%40n.te&name=" + escaped),
            ((FORM,), b"email=new%40n.te&name=x&" + escaped + b"=x"),
            ((FORM,), b"email=new%40n.te&name=" + bad),
            ((JSON,), bad),
        ):
            yield Attack("/rest/v1/users", "POST", headers, body, expected=(400,))
    for encoding in ("utf-16", "utf-32", "utf-7", "utf-8-sig", "cp037"):
        body = user().decode().encode(encoding)
        yield Attack("/rest/v1/users", "POST", (JSON, ROLLBACK), body)
    for bad in BAD_BYTES:
        for name in ("Prefer", "Accept", "Content-Type", "Range", "Authorization"):
            yield Attack("/rest/v1/users", headers=((name, bad.replace(b"\x00", b"")),))


# --- numbers, times, types ------------------------------------------------------------------------

NUMBERS: Final = (
    "-1", "-0", "+1", "00", "1e3", "1.0", "0x10", "1_000", "", " ", "NaN", "Infinity", "null",
    "１２", "٣", "9" * 18, "9" * 19, str(2**31), str(2**63 - 1), str(2**63), str(2**64), "9" * 400,
    "9" * 4000, "9" * 5000, "-" + "9" * 4000, "1;", "1 OR 1",
)  # fmt: skip
RANGES: Final = (
    "0-", "-1", "-", "5-1", "0-0", "a-b", "0-9,20-29", "bytes=0-9", "items=0-9", "1-" + "9" * 30,
    "9" * 30 + "-", "9" * 18 + "-" + "9" * 18, "0--1", "٣-٤", "0-1e9", " 0 - 9 ", "0" * 8000,
)  # fmt: skip
TIMES: Final = (
    "", "never", "0", "1700000000", "1e400", "0000-00-00", "2026-02-30", "2026-13-01T00:00:00Z",
    "2026-01-01T25:00:00Z", "2026-01-01T00:00:00+99:99", "2026-01-01T00:00:00+24:00",
    "10000-01-01", "294277-01-01", "4713-01-01 BC", "0001-01-01T00:00:00+18:00",
    "9999-12-31T23:59:59.9999999-18:00", "9999-12-31T23:59:59-23:59", "infinity", "-infinity",
    "2026-W01-1", "2026-001", "20260101T000000Z", "2026-01-01T00:00:00.1234567890123Z", "now",
    "now()", "2026-01-01T00:00:00[Europe/Paris]", "２０２６-01-01", "2" * 10_000,
)  # fmt: skip
VALUES: Final = (
    b"null", b"true", b"0", b"-1", b"1.5", b"1e999", b"-1e999", b"1e-999", b"1" * 30, b"9" * 400,
    b"9" * 5000, b"18446744073709551616", b"-9223372036854775809", b"[]", b"{}", b'[1,"a"]',
    b'{"a":1}', b'""', b'"x"', b'"null"', b'"{}"', b'"\\u0027"', b'"00000000-0000-0000-0000"',
    b"[" * 60 + b"]" * 60, b'"' + b"x" * 10_000 + b'"',
)  # fmt: skip
COLUMNS: Final = {
    "users": ("id", "name", "email", "email_verified", "image", "created_at", "updated_at"),
    "sessions": ("id", "user_id", "token", "expires_at", "ip_address", "user_agent", "created_at"),
}


def wrong_types() -> Iterator[Attack]:
    for number in NUMBERS:
        for name in ("limit", "offset"):
            yield Attack(at("users", (name, number)))
            yield Attack(at("users", (name, number)), headers=(("Prefer", "count=exact"),))
            embedded = at("users", ("select", "id,sessions(id)"), (f"sessions.{name}", number))
            yield Attack(embedded)
        affected = f"handling=strict,max-affected={number}".encode()
        one = at("users", ("id", f"eq.{USERS[0]}"), ("limit", number), ("order", "id"))
        yield Attack(one, "DELETE", (ROLLBACK, ("Prefer", affected)))
    for given in RANGES:
        for unit in ("items", "bytes"):
            headers = (("Range", given.encode()), ("Range-Unit", unit), ("Prefer", "count=exact"))
            yield Attack("/rest/v1/users", headers=headers)
            yield Attack("/rest/v1/users?limit=1&offset=1", headers=headers)
    for time in TIMES:
        for operator in (f"eq.{time}", f"gt.{time}", f'in.("{time}")', f'lt(any).{{"{time}"}}'):
            yield Attack(at("users", ("created_at", operator)))
        body = session(expires_at=time)
        yield Attack("/rest/v1/sessions", "POST", (JSON, ROLLBACK), body)
    for table, columns in COLUMNS.items():
        base = json.loads(user() if table == "users" else session())
        for column, value in product(columns, VALUES):
            row = {key: json.dumps(item) for key, item in base.items() if key != column}
            row[column] = value.decode()
            body = ",".join(f'"{key}":{item}' for key, item in row.items())
            headers = (JSON, ROLLBACK, RETURN)
            yield Attack(f"/rest/v1/{table}", "POST", headers, f"{{{body}}}".encode(), "all")
        for column, text in product(
            columns, ("", "x", "null", "()", "{}", "9" * 400, "x" * 10_000)
        ):
            for operator in ("eq", "gt", "in", "is", "isdistinct", "like", "match", "eq(any)"):
                yield Attack(at(table, (column, f"{operator}.{text}")), key="all")


# --- size and depth -------------------------------------------------------------------------------


def sizes() -> Iterator[Attack]:
    for depth in (9, 10, 11, 12, 50, 500, 3000):
        for word in ("and", "or", "not.and"):
            nested = f"{word}(" * depth + "id.is.null" + ")" * depth
            yield Attack(at("users", ("and", f"({nested})")))
            yield Attack(at("users", ("or", f"({word}(" * depth)))
        chain = "".join("users(" if level % 2 else "sessions(" for level in range(depth))
        yield Attack(at("users", ("select", chain + "id" + ")" * depth)))
        yield Attack(at("users", ("select", chain)))
        inner = chain.replace("(", "!inner(")
        yield Attack(at("users", ("select", inner + "id" + ")" * depth)))
        path = ".".join("users" if level % 2 else "sessions" for level in range(depth))
        yield Attack(at("users", ("select", "id,sessions(id)"), (f"{path}.id", "is.null")))
        yield Attack(at("users", ("name", "not." * depth + "eq.x")))
        yield Attack(at("users", ("name", f"in.({'(' * depth}")))
    for depth in (100, 900, 1000, 1100, 5000, 100_000):
        for left, right in ((b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]")):
            deep = left * depth + b"1" + right * depth
            yield Attack("/rest/v1/users", "POST", (JSON,), deep, expected=(400,))
            as_name = b'{"email":"new@n.te","name":' + deep + b"}"
            yield Attack("/rest/v1/users", "POST", (JSON, ROLLBACK), as_name)
            yield Attack("/rest/v1/users", "POST", (JSON,), left * depth, expected=(400,))
    for count in (50, 199, 200, 201, 500, 1500):
        yield Attack("/rest/v1/users?" + "&".join(["name=neq.x"] * count))
        yield Attack(at("users", ("or", f"({','.join(['name.eq.x'] * count)})")))
        yield Attack(at("users", ("select", ",".join(f"a{n}:id" for n in range(count)))))
        yield Attack(at("users", ("select", ",".join(f"a{n}:sessions(id)" for n in range(count)))))
        yield Attack(at("users", ("order", ",".join(["name"] * count))))
        yield Attack(at("users", ("id", f"in.({','.join([str(USERS[0])] * count)})")))
        yield Attack(at("users", ("columns", ",".join(["name"] * count))))
        yield Attack("/rest/v1/users?" + "&".join(f"a{n}.id=eq.1" for n in range(count)))
        yield Attack("/rest/v1/users?" + "&" * count)
        yield Attack("/rest/v1/users", headers=(("Prefer", "count=exact," * count),))
        yield Attack("/rest/v1/users", headers=(("Accept", "text/x;q=0.1," * count),))
    for null_filters, depth in ((5, 4), (5, 6), (3, 9)):
        # each test of an embed asks for its own embeds: without a bound they multiply
        names = ["users" if level % 2 else "sessions" for level in range(depth)]
        select = "(".join(names) + "(id" + ")" * depth
        tests = "".join(
            f"&{'.'.join(names[: level + 1])}=not.is.null" * null_filters for level in range(depth)
        )
        yield Attack(f"/rest/v1/users?select={select}{tests}")
        orders = "".join(
            f"&{'.'.join(names[: level + 1])}.order={','.join(['users(id)'] * null_filters)}"
            for level in range(0, depth - 1, 2)
        )
        yield Attack(f"/rest/v1/users?select={select}{orders}")
    for size in (64, 300, 10_000, 40_000, 1_000_000):
        long = "x" * size
        yield Attack(f"/rest/v1/users?{long}")
        yield Attack(f"/rest/v1/users?{long}=eq.1")
        yield Attack(f"/rest/v1/users?name=eq.{long}")
        yield Attack(f"/rest/v1/users?name=like.{'%25' * size}")
        yield Attack(f"/rest/v1/users?name={long}.x")
        yield Attack(f"/rest/v1/users?select={long}")
        yield Attack(f"/rest/v1/users?select={long}:id")
        yield Attack(f"/rest/v1/users?select=id::{long}")
        yield Attack(f"/rest/v1/users?select={long}(id)")
        yield Attack(f"/rest/v1/users?select=sessions!{long}(id)")
        yield Attack(f"/rest/v1/users?order={long}")
        yield Attack(f"/rest/v1/users?limit={'1' * size}")
        yield Attack(f"/rest/v1/{long}", expected=(404, 414))
        for name in ("Prefer", "Accept", "Range", "Content-Type", "Authorization", "X-Request-Id"):
            yield Attack("/rest/v1/users", headers=((name, long),))
        for column in ("email", "image", "id", "created_at", long):
            body = user(**{column: long})
            yield Attack("/rest/v1/users", "POST", (JSON, ROLLBACK), body)
        for column in ("token", "ip_address", "user_agent", "user_id"):
            body = session(**{column: long})
            yield Attack("/rest/v1/sessions", "POST", (JSON, ROLLBACK), body, "all")
        email = user(email=f"{long}@n.te")
        yield (
            Attack("/rest/v1/users", "POST", (JSON,), email) if size > 250 else Attack("/rest/v1/")
        )
    yield Attack("/rest/v1/users", "POST", (JSON, ROLLBACK), user(name="n" * (5 << 20)))
    rows = b"[" + b",".join([user()] * 20_000) + b"]"
    yield Attack("/rest/v1/users", "POST", (JSON,), rows, expected=(409,))
    for headers, body in (
        ((JSON,), user(name="n" * (8 << 20))),
        ((JSON,), b" " * (9 << 20)),
        ((CSV,), b"name,email\r\n" * (1 << 20)),
        ((FORM,), b"name=" + b"x" * (9 << 20)),
    ):
        for method, target in (("POST", "users"), ("PATCH", "users?id=not.is.null")):
            yield Attack(f"/rest/v1/{target}", method, headers, body, expected=(413,))


# --- grammar and media ----------------------------------------------------------------------------

CONTRADICTIONS: Final = words(
    r"""
    limit=1&limit=2 offset=1&offset=2 select=id&select=token order=id&order=name select=id,id
    select=*,* select=id,x:id,x:name select=sessions(id),sessions(id) select=id,...sessions(id,id)
    select=x:sessions(id),x:sessions(id)&x.limit=1 select= select=, select=id, select=,id select=()
    select=(id) select=id() select=sessions select=sessions( select=sessions(id select=sessions)id(
    select=sessions(id)) select=sessions!(id) select=sessions!inner!left(id)
    select=sessions!inner!inner!inner(id) select=sessions!a!b(id) select=... select=...*
    select=...id select=....sessions(id) select=*.* select=users.* select=id::
    select=id::text::text select=id::text[] select=id::pg_catalog.text select=id::regclass
    select=email::regclass select=name::xml select=name::json select=name::int
    select=email_verified::int select=id::oid select=name::bytea select=name->a select=name->>a
    select=count() select=id.count() select=id.sum()::int select=x: select=:id select=::id
    select=a:b:id select="id select="" select=id%20 order= order=, order=id, order=id.
    order=id.desc.asc order=id.nullsfirst.desc order=sessions(id)
    select=sessions(id)&order=sessions(id) order=users( order=() name= name = =eq.x &&& name=eq
    name=eq. name=.eq.x name=not name=not. name=not.not.eq.x name=in. name=in.( name=in.)
    name=in.(a name=in.a name=in.("a) name=in.(a)b name=in.("a"b) name=eq(any).a name=eq(any).{a
    name=eq(some).{a} name=neq(any).{a} name=in(any).{a} name=is(any).{null} name=is.x name=is.true
    id=like.a created_at=match.a email_verified=ilike.t name=fts.a name=cs.{a} name=ov.[1,2]
    name=sl.(1,2) name=plfts(english).a name=match.[ name=match.( name=match.a{9999} name=match.*
    name=match.\ name=match.(%3F<n>a) name=match.***x name=match.[[:foo:]] name=imatch.\y\Z(
    name=like.\ name=like.a\\\ or= or=() or=( or=) or=id.eq.1 or=(id.eq.1 or=(,) or=(id.is.null,)
    or=(id) or=(id.eq) or=(or()) or=(not.id.is.null) and=(()) not.or=(id.is.null
    not.not.or=(id.is.null) not=(id.is.null) or=(name.eq."a) or=(name.eq.a)) sessions.id=eq.1
    sessions.limit=1 sessions=is.null a.b.c.d=eq.1 users.id=eq.1 .id=eq.1 id.=eq.1 ..=eq.1
    select=sessions(id)&sessions..id=eq.1 select=sessions(id)&sessions.sessions.id=eq.1
    select=sessions(id)&sessions=eq.1 select=sessions(id)&sessions=is.true columns= columns=,
    on_conflict=, limit= select="page.":name select="embed.":name select=sessions("embed.":id)
    select="inserted.":name select="count":name,body:id,total:email select=r:id&order=r
    select=...sessions("page.":id)
    """
)
NO_JSON: Final = (
    b"", b" ", b"\n", b"{", b"}", b"[", b"]", b"[]]", b"{}{}", b"{}[]", b"nul", b"null", b"true",
    b"1", b'"x"', b"[1]", b"[null]", b'["x"]', b"[[]]", b"[{},1]", b"[{},[]]", b"{'a':1}", b"{a:1}",
    b'{"a"}', b'{"a":}', b'{"a":1,}', b'{,"a":1}', b'{"a":1 "b":2}', b'{"name":undefined}',
    b'{"name":NaN}', b'{"name":Infinity}', b'{"name":01}', b'{"name":+1}', b'{"name":.5}',
    b'{"name":0x1}', b'{"name":"a" // x\n}', b'{"name":"a"} trailing', b'{"name":"a"',
    b'{"name":"a}',
    b'[{"name":"a","email":"a@b.te"},{"name":"a"}]', b'[{"name":"a","email":"a@b.te"},{}]',
    b"\xef\xbb\xbf{}x", b"<xml/>", b"name=x", b"--x\r\n", b"\x1f\x8b\x08\x00", b"%PDF-1.7",
)  # fmt: skip
NO_CSV: Final = (
    b"", b"\n", b",", b",,\n,,", b"name", b'"name', b'"name"x\n1', b"name,name\na,b",
    b"name,email\na",
    b"name,email\na,b,c", b"name,email\n\"a,b", b'name,email\na,"b"c', b"nope,email\na,b",
    b"name,email\n\x00,b", b"name\temail\na\tb", b"name;email\na;b",
    b"name,email\n" + b"x" * 200_000,
    b'name,email\n"' + b"x" * 200_000 + b'",a@b.te', b" name , email \na,a@b.te",
    b"NAME,EMAIL\na,b",
)  # fmt: skip
MEDIA: Final = (
    "", ";", "/", "*", "*/", "text", "text/plain", "text/html", "application/xml", "image/png",
    "application/", "application/json;", "application/json;charset=utf-16", "application/jsonx",
    "application/json, text/csv", "multipart/form-data", "multipart/form-data; boundary=x",
    "application/octet-stream", "application/vnd.pgrst.plan", "application/vnd.pgrst.plan+json",
    "application/vnd.pgrst.object", "application/vnd.pgrst.object+json;nulls=kept",
    "application/vnd.pgrst.array+json;nulls=stripped", "application/geo+json", "text/csv;q=x",
    "text/csv;q=-1", "text/csv;q=1e999", "text/csv;q=nan", "*/*;q=0", ";;;=;=", "a" * 5000,
    "a/b;" * 900,
    "application/json;q=0.5;q=0.6;q", "application/x-www-form-urlencoded; charset=\xff",
)  # fmt: skip
PREFERENCES: Final = words(
    r"""
    return=everything return= return =minimal count=all count=exact=exact resolution=drop missing=x
    tx=begin handling=strict,tx=begin handling=strict,x handling=strict,handling=lenient,x
    max-affected=x handling=strict,max-affected=-1 handling=strict,max-affected=x
    timezone=Mars/Base handling=strict,timezone=Mars/Base ,,, ; return=minimal;count=exact
    return=minimal,return=representation RETURN=MINIMAL params=single-object
    count=planned,count=exact tx=rollback,tx=commit
    """
)
METHODS: Final = (
    "TRACE", "CONNECT", "PROPFIND", "SEARCH", "COPY", "LOCK", "PURGE", "BREW", "get", "Get",
    "POSTT",
    "G", "GET GET", "DELETE\t", "X" * 5000, "", "DÉLETE", "'; DROP TABLE users; --", "$GET",
)  # fmt: skip


def malformed() -> Iterator[Attack]:
    for query in CONTRADICTIONS:
        encoded = quote(query, safe="=&%")
        yield Attack(f"/rest/v1/users?{encoded}")
        yield Attack(f"/rest/v1/sessions?{encoded}", key="reader")
        yield Attack(f"/rest/v1/users?{encoded}", headers=(("Accept", "text/csv"),))
        yield Attack(f"/rest/v1/users?{encoded}", "HEAD", (("Prefer", "count=planned"),))
        yield Attack(f"/rest/v1/users?{encoded}", "POST", (JSON, ROLLBACK, RETURN), user())
        yield Attack(f"/rest/v1/users?{encoded}", "DELETE", (ROLLBACK, RETURN))
    for body in NO_JSON:
        for method, target in (
            ("POST", "users"),
            ("POST", "sessions"),
            ("POST", "users?columns=name,nope"),
            ("PATCH", f"users?id=eq.{USERS[0]}"),
            ("PUT", f"users?id=eq.{USERS[0]}"),
        ):
            yield Attack(f"/rest/v1/{target}", method, (JSON,), body, expected=(400,))
    for body in NO_CSV:
        for method, target in (("POST", "users"), ("PATCH", f"users?id=eq.{USERS[0]}")):
            yield Attack(f"/rest/v1/{target}", method, (CSV, ROLLBACK), body)
    for media in MEDIA:
        yield Attack("/rest/v1/users", headers=(("Accept", media),))
        yield Attack("/rest/v1/", headers=(("Accept", media),))
        yield Attack("/rest/v1/users", "HEAD", (("Accept", media),))
        for method, target in (("POST", "users"), ("PATCH", f"users?id=eq.{USERS[0]}")):
            headers = (("Content-Type", media), ROLLBACK)
            yield Attack(f"/rest/v1/{target}", method, headers, user())
            yield Attack(f"/rest/v1/{target}", method, headers, b"")
    for preference in PREFERENCES:
        one = f"/rest/v1/users?id=eq.{USERS[0]}"
        yield Attack(one, headers=(("Prefer", preference),))
        headers = (JSON, ("Prefer", "tx=rollback"), ("Prefer", preference))
        yield Attack("/rest/v1/users", "POST", headers, user())
        yield Attack(one, "PATCH", headers, b'{"name":"y"}')
        yield Attack(one, "DELETE", headers)
    for method, target in product(METHODS, ("users", "", f"users?id=eq.{USERS[0]}", "pg_user")):
        yield Attack(f"/rest/v1/{target}", method, (JSON,), user(), expected=(404, 405))


# --- what a key may not ---------------------------------------------------------------------------

ONE: Final = f"id=eq.{SESSIONS[0]}"
NAMES_TOKEN: Final = words(
    r"""
    sessions?select=token sessions?select=id,token sessions?select=x:token
    sessions?select=token::text sessions?select=%22token%22 sessions?select=x:token::text
    sessions?token=like.o* sessions?token=not.is.null sessions?token=gt.a&limit=1
    sessions?token=in.(a) sessions?token=eq(any).{a} sessions?token=match.^o
    sessions?%22token%22=like.o* sessions?or=(token.like.o*,id.is.null)
    sessions?and=(not.or(token.like.p*)) sessions?not.and=(token.like.p*,token.like.q*)
    sessions?order=token sessions?order=token.desc sessions?order=id,token.desc.nullslast
    sessions?select=id&token=isdistinct.x users?select=id,sessions(token)
    users?select=id,...sessions(token) users?select=x:sessions(y:token)
    users?select=sessions(*,token) users?select=id,sessions(id)&sessions.token=like.o*
    users?select=id,sessions(id)&sessions.order=token
    users?select=id,sessions!inner()&sessions.token=like.o*
    users?select=id,sessions()&sessions=not.is.null&sessions.token=like.o*
    users?select=id,sessions(id)&sessions.or=(token.like.o*)
    users?select=id,s:sessions()&s.token=like.o* users?select=id,sessions(users(sessions(token)))
    users?select=id,sessions(users(sessions(id)))&sessions.users.sessions.token=like.o*
    sessions?select=users(sessions(token)) sessions?select=...users(...sessions(token))
    sessions?select=id&limit=1&order=token.asc sessions?select=token,id&id=is.null
    """
)
HIDES_TOKEN: Final = words(
    r"""
    sessions sessions?select=* sessions?select=*,users(*) users?select=*,sessions(*)
    users?select=...sessions(*) users?select=sessions(*,users(sessions(*))) sessions?order=id
    sessions?select=TOKEN sessions?select=Token sessions?select=%22to%22%22ken%22
    sessions?select=r.token sessions?select=r1.token sessions?select=sessions.token
    sessions?select=token%20 sessions?select=%20token sessions?select=tok%E2%80%8Ben
    sessions?select=token%00 sessions?select=id::token sessions?select=*::text sessions?select=x:*
    sessions?select=sessions sessions?select=sessions::text sessions?select=r::text
    sessions?select=users!token(id) sessions?select=token(id) sessions?select=token->a
    sessions?select=token.max() sessions?select=max:token.max() users?order=sessions(token)
    users?select=id,sessions(id)&order=sessions(token) sessions?select=%22page.%22:id
    sessions?select=page.token sessions?columns=token sessions?on_conflict=token sessions?r=eq.x
    sessions?sessions=like.o* sessions?TOKEN=like.o* sessions?token.x=eq.1 sessions?x.token=eq.1
    sessions?not.token=like.o* sessions?select=id,x:user_agent,ip_address
    """
)
WRITES_TOKEN: Final = (
    ("POST", "sessions", session(token="n" * 40)),
    ("POST", "sessions?select=token", session()),
    ("POST", "sessions?select=id,x:token", session()),
    ("POST", "sessions?columns=token,user_id,expires_at", session(token="n" * 40)),
    ("POST", "sessions?on_conflict=token", session()),
    ("PATCH", f"sessions?{ONE}", b'{"token":"' + b"n" * 40 + b'"}'),
    ("PATCH", f"sessions?{ONE}&columns=token", b'{"token":"' + b"n" * 40 + b'"}'),
    ("PATCH", f"sessions?{ONE}&select=token", b'{"user_agent":"x"}'),
    ("PATCH", "sessions?token=like.o*", b'{"user_agent":"x"}'),
    ("PATCH", f"sessions?{ONE}&or=(token.like.o*)", b'{"user_agent":"x"}'),
    ("PATCH", f"sessions?{ONE}&order=token&limit=1", b'{"user_agent":"x"}'),
    ("PUT", f"sessions?{ONE}", session(id=str(SESSIONS[0]), token="n" * 40)),
    ("DELETE", "sessions?token=like.o*", b""),
    ("DELETE", f"sessions?{ONE}&select=token", b""),
    ("DELETE", f"sessions?{ONE}&order=token&limit=1", b""),
    ("DELETE", "users?select=sessions(token)&id=not.is.null", b""),
    ("POST", "users?select=*,sessions(token)", user()),
    ("PATCH", "users?id=not.is.null&select=...sessions(token)", b'{"image":"x"}'),
)
# Refused by the server, whose details would quote the row.
REFUSED: Final = (
    b'{"ip_address":"' + b"1" * 50 + b'"}', b'{"expires_at":"2000-01-01"}',
    b'{"expires_at":"infinity"}',
    b'{"user_id":null}', b'{"expires_at":null}', b'{"ip_address":null}', b'{"user_agent":null}',
    b'{"user_id":"00000000-0000-0000-0000-0000000000ff"}', b'{"id":null}',
    b'{"id":"%s"}' % str(SESSIONS[1]).encode(), b'{"user_agent":"\\u0000"}', b'{"user_id":"x"}',
)  # fmt: skip
FORMS: Final[tuple[Headers, ...]] = (
    (),
    (("Accept", "text/csv"),),
    (("Accept", "application/vnd.pgrst.object+json"),),
    (("Accept", "application/vnd.pgrst.array+json;nulls=stripped"),),
    (("Prefer", "count=exact"),),
    (("Prefer", "count=planned"),),
    (("Prefer", "count=estimated"),),
    (("Range", "0-0"),),
)


def secrets() -> Iterator[Attack]:
    for target, form in product(NAMES_TOKEN, FORMS):
        for method, key in (("GET", "backend"), ("GET", "reader"), ("HEAD", "reader")):
            yield Attack(f"/rest/v1/{target}", method, form, key=key, expected=(403,))
    for target, form, key in product(HIDES_TOKEN, FORMS, ("backend", "reader")):
        yield Attack(f"/rest/v1/{target}", headers=form, key=key)
    for (method, target, body), form in product(WRITES_TOKEN, FORMS):
        expected = (400, 403) if method == "PUT" else (403,)  # PUT takes no Range
        for prefer in ("return=representation", "return=headers-only"):
            headers = (JSON, ("Prefer", f"resolution=merge-duplicates,{prefer}"), *form)
            yield Attack(f"/rest/v1/{target}", method, headers, body, expected=expected)
    for body, form in product(REFUSED, FORMS):
        headers = (JSON, RETURN, *form)
        yield Attack(
            f"/rest/v1/sessions?{ONE}", "PATCH", headers, body, expected=(400, 403, 406, 409)
        )
        upsert = json.dumps(json.loads(session(id=str(SESSIONS[0]))) | json.loads(body)).encode()
        yield Attack("/rest/v1/sessions", "POST", (JSON, MERGE, RETURN, *form), upsert)
    changed = session(id=str(SESSIONS[0]))
    for method, target, body in (
        ("POST", "sessions", changed),
        ("PUT", f"sessions?{ONE}", changed),
        ("PATCH", f"sessions?{ONE}", b'{"user_agent":"x"}'),
        ("DELETE", f"sessions?{ONE}", b""),
        ("POST", "sessions?select=*,users(*,sessions(*))", session()),
        ("PATCH", "sessions?id=not.is.null&select=*,users(sessions(*))", b'{"user_agent":"x"}'),
        ("DELETE", "users?id=not.is.null&select=*,sessions(*)", b""),
    ):
        for form, prefer in product(FORMS, ("", "resolution=merge-duplicates,")):
            headers = (JSON, ("Prefer", f"{prefer}return=representation,tx=rollback"), *form)
            yield Attack(f"/rest/v1/{target}", method, headers, body)


UNFILTERED: Final = (
    "", "?limit=1", "?order=id", "?select=id", "?offset=0", "?select=id&limit=1&order=id",
    "?select=id,sessions(id)&sessions.id=not.is.null", "?select=id,sessions!inner(id)",
    "?limit=1000000", "?&&&",
)  # fmt: skip


def scopes() -> Iterator[Attack]:
    writes = (
        ("POST", "users", user()),
        ("POST", "users", b"[]"),
        ("POST", "users", b"{"),
        ("POST", "users?select=id", user()),
        ("POST", "sessions", session()),
        ("PUT", f"users?id=eq.{USERS[0]}", user(id=str(USERS[0]))),
        ("PATCH", f"users?id=eq.{USERS[0]}", b'{"name":"y"}'),
        ("PATCH", "users?id=not.is.null", b"{}"),
        ("PATCH", f"sessions?{ONE}", b'{"user_agent":"y"}'),
        ("DELETE", f"users?id=eq.{USERS[0]}", b""),
        ("DELETE", "users", b""),
        ("DELETE", "sessions?id=not.is.null", b""),
    )
    prefers = (
        "",
        "return=representation",
        "resolution=merge-duplicates",
        "tx=rollback",
        "missing=default",
    )
    for (method, target, body), prefer, type_ in product(writes, prefers, (JSON, CSV, FORM)):
        headers = (type_, ("Prefer", prefer))
        yield Attack(f"/rest/v1/{target}", method, headers, body, "reader", (403,))
        yield Attack(f"/rest/v1/{target}", method, headers, body, None, (401,))
    for method, target, body in writes:
        if method != "POST":
            headers = (JSON, RETURN)
            yield Attack(f"/rest/v1/{target}", method, headers, body, "writer", (403,))
    for target, form in product(("users", "sessions", "users?select=*,sessions(*)", ""), FORMS):
        refused = (403,) if target else (403, 406)  # the root has one form
        for method in ("GET", "HEAD"):
            yield Attack(f"/rest/v1/{target}", method, form, key="writer", expected=refused)
            yield Attack(f"/rest/v1/{target}", method, form, key=None, expected=(401,))
    for prefer in ("return=representation", "resolution=ignore-duplicates"):
        headers = (JSON, ("Prefer", prefer))
        yield Attack("/rest/v1/users", "POST", headers, user(), "writer", (403,))
    key = KEYS["all"]
    for name, value in (
        ("Authorization", ""), ("Authorization", "Bearer"), ("Authorization", "Bearer "),
        ("Authorization", f"Basic {key}"), ("Authorization", key),
        ("Authorization", f"Bearer {key}x"),
        ("Authorization", f"Bearer {key[:-1]}"), ("Authorization", f"Bearer {key}, {key}"),
        ("Authorization", "Bearer ' OR 1=1 --"), ("Authorization", "Bearer \xff\xfe"),
        ("Authorization", "Bearer " + "x" * 100_000), ("Authorization", f"Bearer {key.upper()}"),
        ("Authorization", f"Bearer\xa0{key}"), ("apikey", ""), ("apikey", "x"),
        ("apikey", f"{key} x"),
        ("apikey", f"Bearer {key}"), ("apikey", "*"), ("apikey", "null"),
        ("Cookie", f"apikey={key}"),
        ("X-API-Key", key), ("Proxy-Authorization", f"Bearer {key}"),
    ):  # fmt: skip
        for method, target in (
            ("GET", "users"),
            ("POST", "users"),
            ("DELETE", "users?id=not.is.null"),
        ):
            headers = (JSON, (name, value))
            yield Attack(f"/rest/v1/{target}", method, headers, user(), None, (401,))
    for target in (f"users?apikey={key}", f"users?Authorization=Bearer%20{key}"):
        yield Attack(f"/rest/v1/{target}", key=None, expected=(401,))
    # without a filter nothing is changed as a whole, whoever asks
    for query in UNFILTERED:
        for method, body in (("PATCH", b'{"name":"y"}'), ("DELETE", b"")):
            yield Attack(f"/rest/v1/users{query}", method, (JSON,), body, "all", (400,))


# --- other tables ---------------------------------------------------------------------------------

OTHERS: Final = words(
    r"""
    schema_migrations pg_user pg_shadow pg_authid pg_class pg_stat_activity pg_catalog.pg_user
    pg_catalog%2Epg_user information_schema.tables public.users %22users%22 Users USERS users%20
    %20users users; users-- users,sessions user usersx use page. source body unnest rpc
    rpc/pg_sleep rpc/version users/1 users/ //users users/../sessions .. ../users %2e%2e %2Fusers .
    users%00 users%2500 users%3Fselect=token accounts.password gatepost postgres * %F0%9F%98%80
    %E2%80%AEusers users%0A __proto__ constructor __class__ - 0
    """
)
TARGETS: Final = words(
    r"""
    schema_migrations pg_user pg_class "pg_catalog" pg_catalog.pg_user identities information_schema
    tables Sessions session id token name created_at sessions_pkey sessions_user_id_fkey
    sessions_token_key users_email_key r r1 page. "embed." source public users
    schema_migrations!inner version *
    """
)


def other_tables() -> Iterator[Attack]:
    for name in OTHERS:
        for method, body in (("GET", b""), ("POST", user()), ("PATCH", b"{}"), ("DELETE", b"")):
            expected = (400, 404, 405)
            target = f"/rest/v1/{name}?id=not.is.null"
            yield Attack(target, method, (JSON,), body, "all", expected)
        yield Attack(f"/rest/v1/{name}", "HEAD", key="all", expected=(400, 404))
    for name in TARGETS:
        for select in (
            f"{name}(*)",
            f"id,x:{name}(*)",
            f"...{name}(*)",
            f"{name}!inner(id)",
            f"sessions({name}(version))",
            f"{name}!id(*)",
        ):
            yield Attack(at("users", ("select", select)))
        yield Attack(at("users", ("select", "id"), (f"{name}.version", "not.is.null")))
        yield Attack(at("users", ("select", "id"), (name, "not.is.null")))
        yield Attack(at("users", ("order", f"{name}(version)")))
        yield Attack(at("users", ("columns", name)), "POST", (JSON, ROLLBACK), user())


FAMILIES: Final[dict[str, tuple[Attack, ...]]] = {
    family.__name__: tuple(family())
    for family in (
        injections,
        encodings,
        wrong_types,
        sizes,
        malformed,
        secrets,
        scopes,
        other_tables,
    )
}
