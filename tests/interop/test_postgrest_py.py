"""The official Python client of PostgREST (`postgrest` on PyPI), unchanged, on the REST API.

Every test makes its calls through the client's own methods, on the few rows below, which are
inserted through the client too. The same script in JavaScript: node/postgrest.test.mjs.
What is expected is what PostgREST answers, or what docs/API.md says is ours.
"""

# The client types an answer as any JSON: what is looked up in it would need a cast each time.
# pyright: reportIndexIssue=false, reportArgumentType=false, reportOptionalSubscript=false
# pyright: reportCallIssue=false, reportOperatorIssue=false, reportAttributeAccessIssue=false
# pyright: reportOptionalMemberAccess=false

import csv
import io
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from postgrest import (
    DEFAULT_POSTGREST_CLIENT_HEADERS,
    APIError,
    AsyncPostgrestClient,
    SyncPostgrestClient,
)
from postgrest.types import CountMethod, ReturnMethod

from app import schema
from tests.support import Service

pytestmark = pytest.mark.every_server

ADA, BOB, CYD, DAN, EVE = (f"00000000-0000-4000-8000-00000000000{n}" for n in range(1, 6))
GIL, HAL = (f"00000000-0000-4000-8000-0000000000a{n}" for n in range(1, 3))
NOBODY = "00000000-0000-4000-8000-0000000000ff"
CYD_NAME = 'Cyd, "the (quoted) one"'


def picture(name: str) -> str:
    return f"https://img.example.com/{name}.png"


def person(key: str, name: str, email: str, **more: Any) -> dict[str, Any]:
    return {"id": key, "name": name, "email": email, "email_verified": False, "image": None, **more}


def device(user: str, number: int, agent: str) -> dict[str, Any]:
    return {
        "user_id": user,
        "token": f"token-number-{number}-".ljust(32, "x"),
        "expires_at": "2100-01-01T00:00:00Z",
        "ip_address": f"10.0.0.{number}",
        "user_agent": agent,
    }


PEOPLE = [
    person(ADA, "Ada Lovelace", "ada@example.com", email_verified=True, image=picture("ada")),
    person(BOB, "Bob Stone", "bob@example.com"),
    person(CYD, CYD_NAME, "cyd@example.org", email_verified=True),
    person(DAN, "Dan O'Neil_50%", "dan@example.org", image=picture("dan")),
    person(EVE, "Ève 🌍", "eve@example.net", email_verified=True),
]
for _day, _row in enumerate(PEOPLE, 1):
    _row["created_at"] = f"2026-01-0{_day}T09:14:00.123Z"

DEVICES = [
    device(ADA, 1, "Firefox/140"),
    device(ADA, 2, "Safari/19"),
    device(ADA, 3, "Firefox/139"),
    device(BOB, 4, "Chrome/150"),
    device(CYD, 5, ""),
]


# The clients


@dataclass
class Wire:
    """What went over the wire: the distinct requests, and the last answer."""

    calls: set[tuple[str, ...]] = field(default_factory=set)
    answers: list[httpx.Response] = field(default_factory=list)

    def sent(self, request: httpx.Request) -> None:
        headers = (request.headers.get(name, "") for name in ("authorization", "prefer", "accept"))
        self.calls.add((request.method, str(request.url), *headers, request.content.decode()))

    def received(self, response: httpx.Response) -> None:
        self.answers.append(response)

    @property
    def status(self) -> int:
        return self.answers[-1].status_code

    @property
    def headers(self) -> httpx.Headers:
        return self.answers[-1].headers


Client = SyncPostgrestClient
Connect = Callable[..., Client]
Query = Any  # the client's builders, one class for each step of a chain


@pytest.fixture(scope="module")
def wire(module_service: Service) -> Wire:
    """The traffic with one service."""
    return Wire()


@pytest.fixture(scope="module")
def connect(module_service: Service, wire: Wire) -> Iterator[Connect]:
    """Makes a client: `connect(name of the key or None, **headers)`."""
    with ExitStack() as clients:

        def connect(key: str | None, **headers: str) -> Client:
            client = Client(module_service.rest, headers=DEFAULT_POSTGREST_CLIENT_HEADERS | headers)
            clients.enter_context(client)
            client.session.event_hooks = {"request": [wire.sent], "response": [wire.received]}
            return client.auth(module_service.keys[key]) if key else client

        yield connect


@pytest.fixture(scope="module")
def rest(connect: Connect) -> Client:
    """The client with every scope, on a database that holds PEOPLE and DEVICES."""
    client = connect("all")
    client.from_("users").insert(PEOPLE, returning=ReturnMethod.minimal).execute()
    client.from_("sessions").insert(DEVICES, returning=ReturnMethod.minimal).execute()
    return client


@pytest.fixture
def guests(rest: Client) -> Iterator[None]:
    """Two more users, one with a session, for a test that writes; gone afterwards."""
    rest.from_("users").insert(
        [person(GIL, "Gil", "gil@guests.example"), person(HAL, "Hal", "hal@guests.example")]
    ).execute()
    rest.from_("sessions").insert(device(GIL, 9, "Opera/1")).execute()
    yield
    rest.from_("users").delete().like("email", "*@guests.example").execute()


def who(answer: Any) -> str:
    """The people in an answer, in its order: `ada bob`."""
    return " ".join(row["email"].split("@")[0] for row in answer.data)


def guest_names(rest: Client) -> list[str]:
    query = rest.from_("users").select("name").like("email", "*@guests.example").order("email")
    return [row["name"] for row in query.execute().data]


def refusal(query: Query) -> APIError:
    with pytest.raises(APIError) as caught:
        query.execute()
    return caught.value


# Filters: each operator, alone and joined by logic

FILTERS: dict[str, tuple[Callable[[Query], Query], str]] = {
    "eq": (lambda q: q.eq("name", "Bob Stone"), "bob"),
    "eq a boolean": (lambda q: q.eq("email_verified", True), "ada cyd eve"),
    "eq a uuid": (lambda q: q.eq("id", UUID(CYD)), "cyd"),
    "eq is not trimmed or unquoted": (lambda q: q.eq("name", CYD_NAME), "cyd"),
    "eq any script": (lambda q: q.eq("name", "Ève 🌍"), "eve"),
    "neq": (lambda q: q.neq("email", "bob@example.com"), "ada cyd dan eve"),
    "neq leaves nulls out": (lambda q: q.neq("image", picture("ada")), "dan"),
    "gt": (lambda q: q.gt("created_at", "2026-01-04T09:14:00.122Z"), "dan eve"),
    "gt a datetime": (lambda q: q.gt("created_at", datetime(2026, 1, 5, tzinfo=UTC)), "eve"),
    "gte": (lambda q: q.gte("email", "dan@example.org"), "dan eve"),
    "lt": (lambda q: q.lt("created_at", "2026-01-02T04:14:00.123-05:00"), "ada"),
    "lte": (lambda q: q.lte("email", "bob@example.com"), "ada bob"),
    "a range": (lambda q: q.gt("email", "b").lt("email", "d"), "bob cyd"),
    "like with %": (lambda q: q.like("name", "%Stone"), "bob"),
    "like with *": (lambda q: q.like("email", "*@example.org"), "cyd dan"),
    "like minds case": (lambda q: q.like("name", "ada*"), ""),
    "like escaped": (lambda q: q.like("name", r"%\_50\%"), "dan"),
    "like_all_of": (lambda q: q.like_all_of("name", "A%,%lace"), "ada"),
    "like_any_of": (lambda q: q.like_any_of("name", "Ada*,Bob*"), "ada bob"),
    "ilike": (lambda q: q.ilike("name", "%STONE"), "bob"),
    "ilike_all_of": (lambda q: q.ilike_all_of("name", "a%,%LACE"), "ada"),
    "ilike_any_of": (lambda q: q.ilike_any_of("name", "ADA*,bob*"), "ada bob"),
    "match": (lambda q: q.filter("name", "match", "^[AB]"), "ada bob"),
    "imatch": (lambda q: q.filter("name", "imatch", "^[ab].*E$"), "ada bob"),
    "is null": (lambda q: q.is_("image", None), "bob cyd eve"),
    "is not null": (lambda q: q.not_.is_("image", None), "ada dan"),
    "is not_null": (lambda q: q.is_("image", "not_null"), "ada dan"),
    "is true": (lambda q: q.is_("email_verified", True), "ada cyd eve"),
    "is false": (lambda q: q.is_("email_verified", False), "bob dan"),
    "is unknown": (lambda q: q.is_("email_verified", "unknown"), ""),
    "in": (lambda q: q.in_("email", ["ada@example.com", "eve@example.net", "x@y.z"]), "ada eve"),
    "in with quotes": (lambda q: q.in_("name", [CYD_NAME, "Bob Stone"]), "bob cyd"),
    "in nothing": (lambda q: q.in_("email", []), ""),
    "not in": (lambda q: q.not_.in_("id", [ADA, BOB, CYD]), "dan eve"),
    "isdistinct": (lambda q: q.filter("image", "isdistinct", picture("ada")), "bob cyd dan eve"),
    "not isdistinct": (lambda q: q.not_.filter("image", "isdistinct", picture("ada")), "ada"),
    "eq(any)": (lambda q: q.filter("id", "eq(any)", f"{{{ADA},{EVE}}}"), "ada eve"),
    "gte(all)": (lambda q: q.filter("email", "gte(all)", "{b,d}"), "dan eve"),
    "not like(any)": (lambda q: q.not_.like_any_of("email", "*.com,*.net"), "cyd dan"),
    "match a dict": (lambda q: q.match({"email_verified": True, "name": "Ada Lovelace"}), "ada"),
    "or": (lambda q: q.or_("name.eq.Bob Stone,image.not.is.null"), "ada bob dan"),
    "or beside a filter": (
        lambda q: q.eq("email_verified", True).or_("email.like.a*,email.like.b*"),
        "ada",
    ),
    "or, nested": (
        lambda q: q.or_(
            "and(email_verified.is.true,image.is.null),"
            "and(email_verified.is.false,or(email.like.*.com,email.like.*.net))"
        ),
        "bob cyd eve",
    ),
    "or with not.and": (
        lambda q: q.or_(f"id.eq.{ADA},not.and(email_verified.is.true,email.gt.a)"),
        "ada bob dan",
    ),
    "not or": (lambda q: q.not_.or_("email.like.a*,email_verified.is.false"), "cyd eve"),
    "two ors": (
        lambda q: q.or_("email.lt.c,email.gt.e").or_("image.is.null,email.gt.e"),
        "bob eve",
    ),
    "or with a quoted value": (
        lambda q: q.or_('name.eq."Cyd, \\"the (quoted) one\\"",email.eq.nobody'),
        "cyd",
    ),
    "or with in and like(any)": (
        lambda q: q.or_(f"id.in.({ADA},{BOB}),email.like(any).{{dan*,eve*}}"),
        "ada bob dan eve",
    ),
}


@pytest.mark.parametrize("name", FILTERS)
def test_filter_keeps_matching_rows(rest: Client, name: str) -> None:
    narrow, expected = FILTERS[name]
    assert who(narrow(rest.from_("users").select("email")).order("email").execute()) == expected


# What is selected


def test_star_is_every_column_in_json_types(rest: Client) -> None:
    row = rest.from_("users").select().eq("id", EVE).single().execute().data
    assert row == dict.fromkeys(schema.users.columns) | PEOPLE[4] | {
        "banned": False,
        "created_at": "2026-01-05T09:14:00.123+00:00",
        "updated_at": row["updated_at"],
    }
    assert datetime.fromisoformat(row["updated_at"]).tzinfo is not None


def test_alias_and_cast_shape_the_row(rest: Client) -> None:
    columns = "key:id", "who:name", "checked:email_verified::text"
    answer = rest.from_("users").select(*columns).eq("id", ADA).execute()
    assert answer.data == [{"key": ADA, "who": "Ada Lovelace", "checked": "true"}]


def test_order_puts_nulls_first_or_last(rest: Client) -> None:
    users = rest.from_("users").select("email").is_("email_verified", True)
    by_image = users.order("image", nullsfirst=True).order("email", desc=True)
    assert who(by_image.execute()) == "eve cyd ada"
    users = rest.from_("users").select("email")
    by_image = users.order("image", desc=True, nullsfirst=False).order("email")
    assert who(by_image.execute()) == "dan ada bob cyd eve"


def test_stripped_rows_have_no_nulls(rest: Client) -> None:
    users = rest.from_("users").select("name,image").in_("id", [BOB, DAN]).order("email")
    assert users.strip_nulls().execute().data == [
        {"name": "Bob Stone"},
        {"name": "Dan O'Neil_50%", "image": picture("dan")},
    ]
    bob = rest.from_("users").select("name,image").eq("id", BOB).strip_nulls().single()
    assert bob.execute().data == {"name": "Bob Stone"}


def test_csv_holds_the_rows(rest: Client, wire: Wire) -> None:
    users = rest.from_("users").select("name,email_verified,image").in_("id", [ADA, CYD])
    text = users.order("email").csv().execute().data
    assert list(csv.reader(io.StringIO(text))) == [
        ["name", "email_verified", "image"],
        ["Ada Lovelace", "t", picture("ada")],
        [CYD_NAME, "t", ""],
    ]
    assert wire.headers["content-type"] == "text/csv; charset=utf-8"


# Singular


def test_single_gives_one_object(rest: Client, wire: Wire) -> None:
    answer = rest.from_("users").select("email").eq("id", ADA).single().execute()
    assert answer.data == {"email": "ada@example.com"}
    assert wire.headers["content-type"].startswith("application/vnd.pgrst.object+json")


def test_maybe_single_gives_a_row_or_none(rest: Client) -> None:
    users = rest.from_("users").select("email")
    assert users.eq("id", NOBODY).maybe_single().execute() is None
    users = rest.from_("users").select("email")
    assert users.eq("id", BOB).maybe_single().execute().data == {"email": "bob@example.com"}


# Pages and counts


@pytest.mark.parametrize("method", [CountMethod.exact, CountMethod.estimated])
def test_page_has_the_total_count(rest: Client, wire: Wire, method: CountMethod) -> None:
    answer = rest.from_("users").select("email", count=method).order("email").limit(2).execute()
    assert (who(answer), answer.count, wire.status) == ("ada bob", 5, 206)
    assert wire.headers["content-range"] == "0-1/5"


def test_planned_count_is_the_planners(rest: Client) -> None:
    users = rest.from_("users").select("email", count=CountMethod.planned).eq("id", ADA)
    assert users.execute().count == 1  # a look-up by a unique key is planned as one row


def test_pages_follow_each_other(rest: Client, wire: Wire) -> None:
    pages = []
    for start in (0, 2, 4):
        users = rest.from_("users").select("email", count=CountMethod.exact)
        pages.append(who(users.order("email").range(start, start + 1).execute()))
    assert pages == ["ada bob", "cyd dan", "eve"]
    assert wire.headers["content-range"] == "4-4/5"


def test_limit_and_offset_select_a_page(rest: Client, wire: Wire) -> None:
    users = rest.from_("users").select("email").order("email")
    assert who(users.offset(3).limit(1).execute()) == "dan"
    assert (wire.status, wire.headers["content-range"]) == (200, "3-3/*")


@pytest.mark.parametrize("page", [lambda q: q.limit(0), lambda q: q.range(5, 9)])
def test_empty_page_is_no_error(rest: Client, wire: Wire, page: Callable[[Query], Query]) -> None:
    answer = page(rest.from_("users").select("email", count=CountMethod.exact)).execute()
    assert (answer.data, answer.count, wire.status) == ([], 5, 206)
    assert wire.headers["content-range"] == "*/5"


def test_head_counts_without_rows(rest: Client, wire: Wire) -> None:
    users = rest.from_("users").select("*", count=CountMethod.exact, head=True)
    answer = users.eq("email_verified", True).execute()
    assert (answer.data, answer.count, wire.status) == ([], 3, 200)


def test_range_header_selects_a_page(connect: Connect, rest: Client, wire: Wire) -> None:
    ranged = connect("all", **{"Range-Unit": "items", "Range": "1-2"})
    users = ranged.from_("users").select("email", count=CountMethod.exact)
    assert who(users.order("email").execute()) == "bob cyd"
    assert (wire.status, wire.headers["content-range"]) == (206, "1-2/5")


# Embedding, along the foreign key in both directions


def test_embed_to_many_gives_a_list(rest: Client) -> None:
    users = rest.from_("users").select("email,sessions(ip_address,user_agent)")
    answer = users.lte("email", "bob@example.com").order("email")
    answer = answer.order("ip_address", foreign_table="sessions").execute()
    assert [row["sessions"] for row in answer.data] == [
        [
            {"ip_address": "10.0.0.1", "user_agent": "Firefox/140"},
            {"ip_address": "10.0.0.2", "user_agent": "Safari/19"},
            {"ip_address": "10.0.0.3", "user_agent": "Firefox/139"},
        ],
        [{"ip_address": "10.0.0.4", "user_agent": "Chrome/150"}],
    ]


def test_embed_to_one_gives_an_object(rest: Client) -> None:
    sessions = rest.from_("sessions").select("ip_address,users(name,email_verified)")
    assert sessions.eq("ip_address", "10.0.0.4").execute().data == [
        {"ip_address": "10.0.0.4", "users": {"name": "Bob Stone", "email_verified": False}}
    ]


@pytest.mark.parametrize(
    "embed", ["owner:users(name)", "owner:users!sessions_user_id_fkey(name)", "owner:user_id(name)"]
)
def test_embed_takes_alias_and_hint(rest: Client, embed: str) -> None:
    session = rest.from_("sessions").select(embed).eq("ip_address", "10.0.0.4").single()
    assert session.execute().data == {"owner": {"name": "Bob Stone"}}


def test_embed_nests_there_and_back(rest: Client) -> None:
    session = rest.from_("sessions").select("users(name,sessions(user_agent))")
    session = session.eq("ip_address", "10.0.0.2")
    session = session.order("user_agent", desc=True, foreign_table="users.sessions").single()
    agents = [{"user_agent": agent} for agent in ("Safari/19", "Firefox/140", "Firefox/139")]
    assert session.execute().data == {"users": {"name": "Ada Lovelace", "sessions": agents}}


def test_embed_of_no_rows_is_an_empty_list(rest: Client) -> None:
    user = rest.from_("users").select("name,sessions(id)").eq("id", EVE).single()
    assert user.execute().data == {"name": "Ève 🌍", "sessions": []}


def test_inner_embed_keeps_rows_that_match(rest: Client) -> None:
    users = rest.from_("users").select("email,sessions!inner(user_agent)")
    answer = users.like("sessions.user_agent", "Firefox/*").execute()
    assert who(answer) == "ada"
    assert {s["user_agent"] for s in answer.data[0]["sessions"]} == {"Firefox/140", "Firefox/139"}


def test_filter_on_a_left_embed_keeps_every_row(rest: Client) -> None:
    users = rest.from_("users").select("email,sessions!left(user_agent)").order("email")
    answer = users.eq("sessions.user_agent", "Chrome/150").execute()
    assert who(answer) == "ada bob cyd dan eve"
    assert [len(row["sessions"]) for row in answer.data] == [0, 1, 0, 0, 0]


def test_filter_on_the_other_side_keeps_matching_rows(rest: Client) -> None:
    sessions = rest.from_("sessions").select("ip_address,users!inner()").order("ip_address")
    answer = sessions.eq("users.email_verified", False).execute()
    assert answer.data == [{"ip_address": "10.0.0.4"}]


@pytest.mark.parametrize(("null", "expected"), [(True, "dan eve"), (False, "ada bob cyd")])
def test_null_filter_on_an_embed_keeps_rows_with_or_without(
    rest: Client, null: bool, expected: str
) -> None:
    users = rest.from_("users").select("email,sessions()").order("email")
    answer = (users if null else users.not_).is_("sessions", None).execute()
    assert who(answer) == expected
    assert all(row.keys() == {"email"} for row in answer.data)


def test_or_combines_an_embed_and_a_column(rest: Client) -> None:
    users = rest.from_("users").select("email,sessions()").order("email")
    answer = users.or_("sessions.is.null,image.not.is.null").execute()
    assert who(answer) == "ada dan eve"


def test_or_filters_inside_an_embed(rest: Client) -> None:
    user = rest.from_("users").select("sessions(ip_address)").eq("id", ADA)
    user = user.or_("user_agent.eq.Safari/19,ip_address.eq.10.0.0.3", reference_table="sessions")
    answer = user.order("ip_address", foreign_table="sessions").single().execute()
    assert [s["ip_address"] for s in answer.data["sessions"]] == ["10.0.0.2", "10.0.0.3"]


def test_count_counts_rows_and_embedded_rows(rest: Client) -> None:
    assert rest.from_("users").select("count()").execute().data == [{"count": 5}]
    users = rest.from_("users").select("name,sessions(count)").in_("id", [ADA, EVE]).order("email")
    assert [user["sessions"] for user in users.execute().data] == [[{"count": 3}], [{"count": 0}]]
    verified = rest.from_("users").select("email_verified,count()").order("email_verified")
    assert verified.execute().data == [
        {"email_verified": False, "count": 2},
        {"email_verified": True, "count": 3},
    ]


def test_embed_takes_order_limit_and_offset(rest: Client) -> None:
    user = rest.from_("users").select("devices:sessions(ip_address)").eq("id", ADA)
    user = user.order("ip_address", desc=True, foreign_table="devices")
    answer = user.limit(1, foreign_table="devices").single().execute()
    assert answer.data == {"devices": [{"ip_address": "10.0.0.3"}]}
    user = rest.from_("users").select("sessions(ip_address)").eq("id", ADA)
    user = user.order("ip_address", foreign_table="sessions").range(1, 2, foreign_table="sessions")
    answer = user.single().execute()
    assert [s["ip_address"] for s in answer.data["sessions"]] == ["10.0.0.2", "10.0.0.3"]


def test_embed_twice_takes_two_aliases(rest: Client) -> None:
    user = rest.from_("users").select("foxes:sessions(ip_address),others:sessions(ip_address)")
    user = user.eq("id", ADA).order("ip_address", foreign_table="foxes")
    user = user.like("foxes.user_agent", "Firefox/*").not_.like("others.user_agent", "Firefox/*")
    assert user.single().execute().data == {
        "foxes": [{"ip_address": "10.0.0.1"}, {"ip_address": "10.0.0.3"}],
        "others": [{"ip_address": "10.0.0.2"}],
    }


def test_order_by_the_other_side_sorts_rows(rest: Client) -> None:
    sessions = rest.from_("sessions").select("ip_address,users(email)")
    answer = sessions.order("users(email)", desc=True).order("ip_address").execute()
    assert [row["ip_address"][-1] for row in answer.data] == ["5", "4", "1", "2", "3"]


def test_spread_to_one_gives_columns(rest: Client) -> None:
    session = rest.from_("sessions").select("ip_address,...users(owner:email)")
    answer = session.eq("ip_address", "10.0.0.5").single().execute()
    assert answer.data == {"ip_address": "10.0.0.5", "owner": "cyd@example.org"}


def test_spread_to_many_gives_arrays(rest: Client) -> None:
    user = rest.from_("users").select("name,...sessions(addresses:ip_address)").eq("id", ADA)
    answer = user.order("ip_address", foreign_table="sessions").single().execute()
    assert answer.data["addresses"] == ["10.0.0.1", "10.0.0.2", "10.0.0.3"]


# Insert


def test_insert_one_fills_in_defaults(rest: Client, wire: Wire, guests: None) -> None:
    new = {"name": "Ivy", "email": "ivy@guests.example"}
    (row,) = rest.from_("users").insert(new).execute().data
    assert wire.status == 201
    assert row == row | new | {"email_verified": False, "image": None}
    assert UUID(row["id"]).version == 4
    assert row["created_at"] == row["updated_at"]


def test_insert_takes_python_types(rest: Client, guests: None) -> None:
    made = datetime(2026, 11, 22, 4, 14, 0, 123000, tzinfo=UTC)
    new = {"id": UUID(NOBODY), "name": "Ivy", "email": "ivy@guests.example", "created_at": made}
    row = rest.from_("users").insert(new).select("id,created_at").single().execute().data
    assert row == {"id": NOBODY, "created_at": "2026-11-22T04:14:00.123+00:00"}


def test_minimal_insert_returns_no_row(rest: Client, wire: Wire, guests: None) -> None:
    new = {"name": "Ivy", "email": "ivy@guests.example"}
    answer = rest.from_("users").insert(new, returning=ReturnMethod.minimal).execute()
    assert (answer.data, wire.status) == ([], 201)
    assert guest_names(rest) == ["Gil", "Hal", "Ivy"]


def test_bulk_insert_counts_its_rows(rest: Client, wire: Wire, guests: None) -> None:
    new = [{"name": f"Guest {n}", "email": f"{n}@guests.example"} for n in range(50)]
    answer = rest.from_("users").insert(new, count=CountMethod.exact).select("name").execute()
    assert answer.data == [{"name": row["name"]} for row in new]
    assert (answer.count, wire.status) == (50, 201)


def test_bulk_insert_of_nothing_inserts_nothing(rest: Client, wire: Wire) -> None:
    assert rest.from_("users").insert([]).execute().data == []
    assert wire.status == 201


def test_bulk_insert_fills_missing_columns_with_null_or_default(rest: Client, guests: None) -> None:
    new = [
        {"name": "Ivy", "email": "ivy@guests.example", "email_verified": True},
        {"name": "Jon", "email": "jon@guests.example"},
    ]
    error = refusal(rest.from_("users").insert(new))
    assert error.code == "23502"  # email_verified of the second row is null
    answer = rest.from_("users").insert(new, default_to_null=False).execute()
    assert [row["email_verified"] for row in answer.data] == [True, False]


def test_insert_returns_an_embed(rest: Client, guests: None) -> None:
    new = device(HAL, 8, "Edge/1")
    answer = rest.from_("sessions").insert(new).select("user_agent,users(name)").execute()
    assert answer.data == [{"user_agent": "Edge/1", "users": {"name": "Hal"}}]


def test_session_without_a_token_gets_one(rest: Client, guests: None) -> None:
    new = [{"user_id": user, "expires_at": "2100-01-01T00:00:00Z"} for user in (GIL, HAL)]
    answer = rest.from_("sessions").insert(new).select("token,ip_address").execute()
    tokens = {row["token"] for row in answer.data}
    assert len(tokens) == 2
    assert all(len(token) == 32 and token.isalnum() for token in tokens)
    assert [row["ip_address"] for row in answer.data] == ["", ""]


# Upsert


def test_upsert_merges_by_primary_key(rest: Client, wire: Wire, guests: None) -> None:
    row = person(GIL, "Gil II", "gil@guests.example")
    assert rest.from_("users").upsert(row).execute().data[0]["name"] == "Gil II"
    assert wire.status == 200  # nothing was inserted
    assert guest_names(rest) == ["Gil II", "Hal"]


def test_upsert_merges_by_another_unique_column(rest: Client, wire: Wire, guests: None) -> None:
    rows = [
        {"name": "Gil III", "email": "gil@guests.example"},
        {"name": "Ivy", "email": "ivy@guests.example"},
    ]
    answer = rest.from_("users").upsert(rows, on_conflict="email").select("id,name").execute()
    assert answer.data[0] == {"id": GIL, "name": "Gil III"}
    assert (wire.status, guest_names(rest)) == (201, ["Gil III", "Hal", "Ivy"])


def test_upsert_can_ignore_duplicates(rest: Client, guests: None) -> None:
    rows = [
        {"name": "Other", "email": "gil@guests.example"},
        {"name": "Ivy", "email": "ivy@guests.example"},
    ]
    users = rest.from_("users")
    answer = users.upsert(rows, on_conflict="email", ignore_duplicates=True).execute()
    assert [row["name"] for row in answer.data] == ["Ivy"]
    assert guest_names(rest) == ["Gil", "Hal", "Ivy"]


def test_insert_with_upsert_merges(rest: Client, guests: None) -> None:
    rest.from_("users").insert(person(HAL, "Hal II", "hal@guests.example"), upsert=True).execute()
    assert guest_names(rest) == ["Gil", "Hal II"]


# Update and delete


def test_update_changes_matching_rows(rest: Client, wire: Wire, guests: None) -> None:
    before = rest.from_("users").select("*").eq("id", GIL).single().execute().data
    answer = rest.from_("users").update({"name": "Gilbert"}).eq("id", GIL).execute()
    (after,) = answer.data
    assert wire.status == 200
    assert after == before | {"name": "Gilbert", "updated_at": after["updated_at"]}
    assert after["updated_at"] > before["updated_at"]


def test_update_counts_its_rows(rest: Client, guests: None) -> None:
    users = rest.from_("users").update({"image": picture("guest")}, count=CountMethod.exact)
    answer = users.like("email", "*@guests.example").is_("image", None).select("image").execute()
    assert (answer.data, answer.count) == ([{"image": picture("guest")}] * 2, 2)


def test_update_takes_null_and_logic(rest: Client, guests: None) -> None:
    rest.from_("users").update({"image": "x"}).in_("id", [GIL, HAL]).execute()
    users = rest.from_("users").update({"image": None})
    answer = users.or_("name.eq.Gil,name.eq.Nobody").select("name,image").execute()
    assert answer.data == [{"name": "Gil", "image": None}]


def test_minimal_update_returns_no_row(rest: Client, wire: Wire, guests: None) -> None:
    users = rest.from_("users").update({"name": "G"}, returning=ReturnMethod.minimal)
    assert users.eq("id", GIL).execute().data == []
    assert (wire.status, guest_names(rest)) == (204, ["G", "Hal"])


def test_empty_update_changes_nothing(rest: Client, wire: Wire) -> None:
    assert rest.from_("users").update({}).eq("id", ADA).execute().data == []
    assert wire.status == 200


def test_update_without_matches_changes_nothing(rest: Client, wire: Wire) -> None:
    assert rest.from_("users").update({"name": "x"}).eq("id", NOBODY).execute().data == []
    assert wire.status == 200


def test_delete_removes_the_sessions_of_a_user(rest: Client, wire: Wire, guests: None) -> None:
    sessions = rest.from_("sessions").select("id", count=CountMethod.exact).eq("user_id", GIL)
    assert sessions.execute().count == 1
    assert who(rest.from_("users").delete().eq("id", GIL).execute()) == "gil"
    assert wire.status == 200
    assert sessions.execute().count == 0


def test_delete_counts_its_rows(rest: Client, wire: Wire, guests: None) -> None:
    users = rest.from_("users").delete(count=CountMethod.exact, returning=ReturnMethod.minimal)
    answer = users.like("email", "*@guests.example").gt("email", "h").execute()
    assert (answer.data, answer.count, wire.status) == ([], 1, 204)
    assert guest_names(rest) == ["Gil"]


# Preferences that stop a write


def test_max_affected_limits_a_write(rest: Client, wire: Wire, guests: None) -> None:
    everyone = rest.from_("users").delete().like("email", "*@guests.example").max_affected(1)
    assert (refusal(everyone).code, wire.status) == ("PGRST124", 400)
    assert guest_names(rest) == ["Gil", "Hal"]
    one = rest.from_("users").update({"name": "G"}).eq("id", GIL).max_affected(1)
    assert one.execute().data[0]["name"] == "G"
    assert "max-affected=1" in wire.headers["preference-applied"]


def test_single_write_of_several_rows_is_undone(rest: Client, wire: Wire, guests: None) -> None:
    both = rest.from_("users").update({"name": "x"}).in_("id", [GIL, HAL]).single()
    assert (refusal(both).code, wire.status) == ("PGRST116", 406)
    assert guest_names(rest) == ["Gil", "Hal"]


def test_rollback_undoes_a_write(connect: Connect, rest: Client, wire: Wire, guests: None) -> None:
    trial = connect("all", Prefer="return=representation,tx=rollback")
    assert trial.from_("users").update({"name": "x"}).eq("id", GIL).execute().data[0]["name"] == "x"
    assert "tx=rollback" in wire.headers["preference-applied"]
    assert guest_names(rest) == ["Gil", "Hal"]


def test_strict_refuses_an_unknown_preference(connect: Connect, rest: Client, wire: Wire) -> None:
    strict = connect("all", Prefer="handling=strict,colour=blue")
    error = refusal(strict.from_("users").select("id"))
    assert (error.code, wire.status) == ("PGRST122", 400)
    assert "colour=blue" in error.details
    lenient = connect("all", Prefer="handling=lenient,colour=blue")
    assert who(lenient.from_("users").select("email").eq("id", ADA).execute()) == "ada"


# Errors: status and code of each

ERRORS: dict[str, tuple[Callable[[Client], Query], int, str]] = {
    "no such table": (lambda c: c.from_("pets").select("*"), 404, "PGRST205"),
    "no such function": (lambda c: c.rpc("hello", {}), 404, "PGRST202"),
    "no such schema": (lambda c: c.schema("private").from_("users").select("*"), 406, "PGRST106"),
    "no such column": (lambda c: c.from_("users").select("colour"), 400, "42703"),
    "filter on no such column": (
        lambda c: c.from_("users").select("id").eq("colour", "blue"),
        400,
        "42703",
    ),
    "order by no such column": (
        lambda c: c.from_("users").select("id").order("colour"),
        400,
        "42703",
    ),
    "write to no such column": (
        lambda c: c.from_("users").insert([{"colour": "blue"}]),
        400,
        "PGRST204",
    ),
    "update no such column": (
        lambda c: c.from_("users").update({"colour": "blue"}).eq("id", ADA),
        400,
        "PGRST204",
    ),
    "no such relation": (lambda c: c.from_("users").select("id,pets(*)"), 400, "PGRST200"),
    "filter on no embed": (
        lambda c: c.from_("users").select("id").eq("sessions.ip_address", "10.0.0.1"),
        400,
        "PGRST108",
    ),
    "order by a to-many embed": (
        lambda c: c.from_("users").select("id,sessions(id)").order("sessions(ip_address)"),
        400,
        "PGRST118",
    ),
    "compare an embed": (
        lambda c: c.from_("users").select("id,sessions(id)").eq("sessions", "1"),
        400,
        "PGRST120",
    ),
    "broken logic": (lambda c: c.from_("users").select("id").or_("and(name.eq.x"), 400, "PGRST100"),
    "broken select": (lambda c: c.from_("users").select("id,sessions("), 400, "PGRST100"),
    "no such operator": (
        lambda c: c.from_("users").select("id").filter("name", "sounds", "bob"),
        400,
        "PGRST100",
    ),
    "is something else": (
        lambda c: c.from_("users").select("id").is_("email_verified", "maybe"),
        400,
        "PGRST100",
    ),
    "not a uuid": (lambda c: c.from_("users").select("id").eq("id", "bob"), 400, "22P02"),
    "not a boolean": (
        lambda c: c.from_("users").select("id").eq("email_verified", "perhaps"),
        400,
        "22P02",
    ),
    "not a uuid in a body": (
        lambda c: c.from_("users").insert({"id": "bob", "name": "", "email": "x@guests.example"}),
        400,
        "22P02",
    ),
    "aggregate": (lambda c: c.from_("users").select("id.max()"), 400, "PGRST123"),
    "JSON path": (lambda c: c.from_("users").select("image->>size"), 400, "PGRST127"),
    "text search": (
        lambda c: c.from_("users").select("id").text_search("name", "ada"),
        400,
        "PGRST127",
    ),
    "array operator": (
        lambda c: c.from_("users").select("id").contains("name", ["ada"]),
        400,
        "PGRST127",
    ),
    "range operator": (
        lambda c: c.from_("users").select("id").range_adjacent("name", ("a", "b")),
        400,
        "PGRST127",
    ),
    "past the last page": (
        lambda c: c.from_("users").select("id", count=CountMethod.exact).range(10, 19),
        416,
        "PGRST103",
    ),
    "negative limit": (lambda c: c.from_("users").select("id").limit(-1), 416, "PGRST103"),
    "single of none": (
        lambda c: c.from_("users").select("id").eq("id", NOBODY).single(),
        406,
        "PGRST116",
    ),
    "single of several": (lambda c: c.from_("users").select("id").single(), 406, "PGRST116"),
    "query plan": (lambda c: c.from_("users").select("id").explain(), 406, "PGRST107"),
    "unique": (
        lambda c: c.from_("users").insert({"name": "", "email": "ada@example.com"}),
        409,
        "23505",
    ),
    "foreign key": (lambda c: c.from_("sessions").insert(device(NOBODY, 7, "")), 409, "23503"),
    "not null": (lambda c: c.from_("users").insert({"email": "x@guests.example"}), 400, "23502"),
    "check": (
        lambda c: c.from_("users").insert({"name": "", "email": "UPPER@X.ORG"}),
        400,
        "23514",
    ),
    "check of two columns": (
        lambda c: c.from_("sessions").insert(
            device(ADA, 7, "") | {"expires_at": "1999-01-01T00:00:00Z"}
        ),
        400,
        "23514",
    ),
    "conflict on no unique column": (
        lambda c: c.from_("users").upsert(
            {"name": "x", "email": "x@guests.example"}, on_conflict="name"
        ),
        400,
        "42P10",
    ),
    "delete without a filter": (lambda c: c.from_("users").delete(), 400, "21000"),
    "update without a filter": (lambda c: c.from_("users").update({"name": "x"}), 400, "21000"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_error_has_code_and_message(rest: Client, wire: Wire, name: str) -> None:
    call, status, code = ERRORS[name]
    error = refusal(call(rest))
    assert (wire.status, error.code) == (status, code)
    assert error.message
    assert wire.answers[-1].json().keys() == {"code", "message", "details", "hint"}


def test_error_of_head_is_in_a_header(rest: Client, wire: Wire) -> None:
    error = refusal(rest.from_("users").select("colour", head=True))
    assert (wire.status, error.code) == (400, "42703")
    assert wire.headers["proxy-status"] == "PostgREST; error=42703"


def test_no_error_changed_a_row(rest: Client) -> None:
    users = rest.from_("users").select("id,name,email,email_verified,image").order("email")
    expected = [{k: v for k, v in row.items() if k != "created_at"} for row in PEOPLE]
    assert users.execute().data == expected
    sessions = rest.from_("sessions").select("id", count=CountMethod.exact, head=True)
    assert sessions.execute().count == len(DEVICES)


# Keys and their scopes

FORBIDDEN: dict[str, tuple[str, Callable[[Client], Query]]] = {
    "reader inserts": ("reader", lambda c: c.from_("users").insert(person(NOBODY, "", "x@y.zz"))),
    "reader upserts": ("reader", lambda c: c.from_("users").upsert(person(ADA, "", "x@y.zz"))),
    "reader updates": ("reader", lambda c: c.from_("users").update({"name": ""}).eq("id", ADA)),
    "reader deletes": ("reader", lambda c: c.from_("users").delete().eq("id", ADA)),
    "writer reads": ("writer", lambda c: c.from_("users").select("*")),
    "token selected": ("backend", lambda c: c.from_("sessions").select("id,token")),
    "token filtered": ("backend", lambda c: c.from_("sessions").select("id").like("token", "t*")),
    "token in logic": ("backend", lambda c: c.from_("sessions").select("id").or_("token.gt.a")),
    "token ordered": ("backend", lambda c: c.from_("sessions").select("id").order("token")),
    "token embedded": ("backend", lambda c: c.from_("users").select("id,sessions(token)")),
    "token written": ("backend", lambda c: c.from_("sessions").insert(device(ADA, 7, ""))),
    "token changed": (
        "backend",
        lambda c: c.from_("sessions").update({"token": "t" * 32}).eq("user_id", ADA),
    ),
}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_missing_scope_is_forbidden(connect: Connect, rest: Client, wire: Wire, name: str) -> None:
    key, call = FORBIDDEN[name]
    error = refusal(call(connect(key)))
    assert (wire.status, error.code) == (403, "42501")


def test_missing_and_wrong_key_are_unauthorized(connect: Connect, rest: Client, wire: Wire) -> None:
    error = refusal(connect(None).from_("users").select("id"))
    assert (wire.status, error.code) == (401, "PGRST302")
    assert wire.headers["www-authenticate"].startswith("Bearer")
    error = refusal(connect(None).auth("wrong").from_("users").select("id"))
    assert (wire.status, error.code) == (401, "PGRST301")


def test_apikey_header_authenticates(
    connect: Connect, module_service: Service, rest: Client
) -> None:
    by_header = connect(None, apikey=module_service.keys["reader"])
    assert who(by_header.from_("users").select("email").eq("id", ADA).execute()) == "ada"


def test_star_leaves_secrets_out(connect: Connect, rest: Client) -> None:
    backend = connect("backend")
    (row,) = backend.from_("sessions").select("*").eq("user_id", BOB).execute().data
    assert "token" not in row
    user = backend.from_("users").select("sessions(*)").eq("id", BOB).single().execute().data
    assert user == {"sessions": [row]}
    (full,) = rest.from_("sessions").select("*").eq("user_id", BOB).execute().data
    assert full == row | {"token": DEVICES[3]["token"]}


def test_backend_changes_a_session_it_cannot_read(
    connect: Connect, rest: Client, wire: Wire, guests: None
) -> None:
    new = {"user_id": HAL, "expires_at": "2100-01-01T00:00:00Z"}
    assert refusal(connect("backend").from_("sessions").insert(new)).code == "42501"
    assert wire.status == 403
    rest.from_("sessions").insert(new).execute()
    agents = connect("backend").from_("sessions").update({"user_agent": "Other/1"})
    (row,) = agents.eq("user_id", HAL).execute().data
    assert (row["user_id"], row["user_agent"]) == (HAL, "Other/1")
    assert "token" not in row


def test_refusal_holds_no_secret(connect: Connect, rest: Client, wire: Wire) -> None:
    sessions = connect("backend").from_("sessions").update({"ip_address": "1" * 46})
    assert refusal(sessions.eq("user_id", BOB)).code == "23514"  # PostgreSQL's detail is the row
    assert DEVICES[3]["token"] not in wire.answers[-1].text


def test_writer_writes_without_reading(
    connect: Connect, rest: Client, wire: Wire, guests: None
) -> None:
    new = {"name": "Ivy", "email": "ivy@guests.example"}
    connect("writer").from_("users").insert(new, returning=ReturnMethod.minimal).execute()
    assert (wire.status, guest_names(rest)) == (201, ["Gil", "Hal", "Ivy"])


# The other client of the package, on the same wire


async def test_async_client_reads_rows(module_service: Service, rest: Client) -> None:
    async with AsyncPostgrestClient(module_service.rest) as client:
        client.auth(module_service.keys["reader"])
        users = client.from_("users").select("email", count=CountMethod.exact).order("email")
        answer = await users.range(1, 2).execute()
    assert (who(answer), answer.count) == ("bob cyd", 5)


# Last: how much of the client this was


def test_client_scripts_make_at_least_40_calls(
    wire: Wire, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    if sum(item.path == request.path for item in request.session.items) < 40:
        pytest.skip("a part of the script was chosen")
    with capsys.disabled():
        sys.stdout.write(f" [{len(wire.calls)} distinct calls by postgrest] ")
    assert len(wire.calls) >= 40
