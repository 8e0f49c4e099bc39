"""What the screens of the page /admin show: overview, sessions, events and health."""

import html
import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from html.parser import HTMLParser
from typing import Final
from urllib.parse import quote

import httpx
import pytest

from tests.conftest import SERVERS
from tests.security.administrators import SETTINGS, administrator
from tests.security.people import SECRET, Person, Site, site
from tests.support import KEYS, Server

SCREENS: Final = ("/admin", "/admin/sessions", "/admin/events", "/admin/health")
ROLES: Final = {
    "lister": {"user": ["list"]},
    "desk": {"session": ["list"]},
    "both": {"user": ["list"], "session": ["list"]},
}
MakeSite = Callable[..., AbstractContextManager[Site]]
EVIL: Final = """'"><x-evil onclick=alert(1)>{{7919*7919}}</textarea></title><!--"""


@pytest.fixture(scope="module")
def make_site(
    postgres_servers: Callable[[str], Server],
    templates: Callable[[Server], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> MakeSite:
    server = postgres_servers(SERVERS[0])
    given = SETTINGS | {"GATEPOST_ADMIN_PAGE": "true", "GATEPOST_ROLES": json.dumps(ROLES)}
    return lambda **more: site(
        server, templates(server), tmp_path_factory.mktemp("site"), **given | more
    )


@pytest.fixture(scope="module")
def place(make_site: MakeSite) -> Iterator[Site]:
    with make_site() as running:
        yield running


@pytest.fixture(scope="module")
def root(place: Site) -> Person:
    return administrator(place)


def get(place: Site, person: Person, path: str) -> httpx.Response:
    return person.browser.get(f"{place.service.url}{path}")


def page(place: Site, person: Person, path: str) -> str:
    answer = get(place, person, path)
    assert answer.status_code == 200, answer.text
    return answer.text


def link(text: str, kind: str) -> str | None:
    """Where the page after it is (``next``), or the one before it (``prev``)."""
    found = re.search(rf'href="([^"]+)" rel="{kind}"', text)
    return html.unescape(found[1]) if found else None


def walk(place: Site, person: Person, path: str, each: str) -> list[str]:
    """What a pattern finds on all pages from ``path`` on."""
    found: list[str] = []
    following: str | None = path
    while following:
        text = page(place, person, following)
        found += re.findall(each, text)
        following = link(text, "next")
    return found


# ---- who may see what ----


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        ("admin", SCREENS),
        ("lister", ("/admin",)),
        ("desk", ("/admin/sessions",)),
        ("both", ("/admin", "/admin/sessions", "/admin/events")),
    ],
)
def test_role_sees_what_it_may_list(place: Site, role: str, allowed: tuple[str, ...]) -> None:
    person = administrator(place, "somebody", role)
    statuses = {path: get(place, person, path).status_code for path in SCREENS}
    assert statuses == {path: 200 if path in allowed else 403 for path in SCREENS}


def test_role_that_may_not_end_sessions_has_no_button(place: Site, root: Person) -> None:
    other = administrator(place, "desk", "desk")
    assert 'data-api="/admin/revoke-device"' not in page(place, other, "/admin/sessions")
    assert 'data-api="/admin/revoke-device"' in page(place, root, "/admin/sessions")


# ---- what a stranger has written ----


class Tags(HTMLParser):
    """The tags of a page, and the names of their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.comments = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_comment(self, data: str) -> None:
        self.comments += 1


@pytest.fixture(scope="module")
def stranger(place: Site) -> Person:
    """Somebody who has put markup wherever they can, and an administrator who did, too."""
    browser = place.browser()
    browser.headers["user-agent"] = EVIL
    email = '"><x-evil>"@example.com'
    body = {"name": EVIL, "email": "evil@example.com", "password": "correct horse battery"}
    answer = browser.post("/sign-up/email", json=body | {"image": f"https://x.test/{EVIL}"})
    assert answer.status_code == 200, answer.text
    user = answer.json()["user"]["id"]
    quoted = EVIL.replace("'", "''")
    place.sql(
        f"UPDATE users SET ban_reason = '{quoted}', email = '{email}' WHERE id = '{user}';"
        f"UPDATE sessions SET ip_address = '\"><x-evil>' WHERE user_id = '{user}';"
        "INSERT INTO events (type, user_id, key_name, request_id, ip_address, changed, after)"
        f" VALUES ('user.updated', '{user}', '{quoted}', '{quoted}', '<x-evil>', '{{<x-evil>,a}}',"
        f""" '{{"<x-evil>": "<x-evil>", "list": ["<x-evil>"], "none": null}}')"""
    )
    return Person(browser, user, email, answer.json()["token"])


@pytest.mark.parametrize("path", SCREENS)
def test_what_strangers_write_is_text(
    place: Site, root: Person, stranger: Person, path: str
) -> None:
    queries = [""]
    if path == "/admin/events":
        queries = ["", f"?user={quote(EVIL)}", f"?user={stranger.id}", f"?type={quote(EVIL)}"]
    for query in queries:
        text = get(place, root, f"{path}{query}").text
        found = Tags()
        found.feed(text)
        assert "x-evil" not in found.tags
        assert not found.comments
        assert not any(name.startswith("on") or name == "style" for name in found.attributes)
        assert "62710561" not in text


def test_markup_is_shown_as_it_was_written(place: Site, root: Person, stranger: Person) -> None:
    shown = html.unescape(page(place, root, "/admin/sessions"))
    assert EVIL in shown
    assert stranger.email in shown
    shown = html.unescape(page(place, root, f"/admin/events?user={stranger.id}"))
    assert "became" in shown
    assert EVIL in shown


def test_no_page_has_a_secret(place: Site, root: Person, stranger: Person) -> None:
    secrets = {SECRET, *KEYS.values(), *place.sql("SELECT token FROM sessions").split()}
    secrets |= set(place.sql("SELECT password FROM accounts").split())
    secrets |= set(place.sql("SELECT split_part(password, ':', 2) FROM accounts").split())
    for path in (*SCREENS, f"/admin/events?user={stranger.id}"):
        text = page(place, root, path)
        assert [secret for secret in secrets if secret in text] == []


# ---- odd queries ----

ODD: Final = [
    "", "%00", "-1", "0", "null", "undefined", "'", '"', "\\", "%ff", "%", "é", "🙂", "a" * 5000,
    "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "{00000000-0000-0000-0000-000000000000}", "urn:uuid:00000000-0000-0000-0000-000000000000",
    "a@example.com", "a%00@example.com", "session.created", "2026-01-01_x",
    "2026-01-01T00:00:00+00:00_00000000-0000-0000-0000-000000000000",
    "0001-01-01T00:00:00+23:59_00000000-0000-0000-0000-000000000000",
    "9999-12-31T23:59:59-23:59_00000000-0000-0000-0000-000000000000",
    "infinity_00000000-0000-0000-0000-000000000000", "１２", "9" * 400,
]  # fmt: skip
QUERIES: Final = {
    "/admin": ["x", "before"],
    "/admin/sessions": ["before", "after", "x"],
    "/admin/events": ["type", "user", "after", "since", "type=a&type"],
    "/admin/health": ["x"],
}


@pytest.mark.parametrize("path", QUERIES)
def test_odd_query_is_answered(place: Site, root: Person, path: str) -> None:
    for name in QUERIES[path]:
        for value in ODD:
            answer = get(place, root, f"{path}?{name}={value}")
            assert answer.status_code in (200, 400), (name, value)
            assert answer.headers["content-type"].startswith("text/html")
    assert get(place, root, f"{path}?a=1&a=2&=&&;").status_code == 200


# ---- pages ----


def test_sessions_of_all_pages_are_each_of_them_once(place: Site, root: Person) -> None:
    person = place.sign_up()
    place.sql(
        "INSERT INTO sessions (user_id, token, expires_at, created_at)"
        f" SELECT '{person.id}', translate(md5(n::text), '-', ''), now() + interval '1 day',"
        " now() - interval '1 hour' * (n / 40) FROM generate_series(1, 120) n"
    )
    seen = walk(place, root, "/admin/sessions", 'name="id" value="([^"]+)"')
    newest = "SELECT id FROM sessions WHERE expires_at > now() ORDER BY created_at DESC, id DESC"
    own = place.sql(f"SELECT id FROM sessions WHERE token = '{root.token}'")
    assert len(seen) > 120
    assert seen == [id_ for id_ in place.sql(newest).split() if id_ != own]
    pages = [page(place, root, "/admin/sessions")]
    while (following := link(pages[-1], "next")) is not None:
        pages.append(page(place, root, following))
    back = [pages[-1]]
    while (before := link(back[-1], "prev")) is not None:
        back.append(page(place, root, before))
    each = 'name="id" value="([^"]+)"'
    assert [re.findall(each, text) for text in back] == [
        re.findall(each, text) for text in reversed(pages)
    ]


def test_session_that_has_expired_cannot_be_ended(place: Site, root: Person) -> None:
    person = place.sign_up()
    place.session(person, created="-8 days", expires="-1 days")
    place.sql(f"DELETE FROM sessions WHERE user_id = '{person.id}' AND expires_at > now()")
    rows = [
        row
        for row in walk(place, root, "/admin/sessions", "(?s)<tr>(.*?)</tr>")
        if person.id in row
    ]
    assert len(rows) == 1
    assert "expired" in rows[0]
    assert "<form" not in rows[0]


def test_session_says_whose_it_is_and_what_ends_it(place: Site, root: Person) -> None:
    person = place.sign_up()
    id_ = place.sql(f"SELECT id FROM sessions WHERE user_id = '{person.id}'")
    text = page(place, root, "/admin/sessions")
    (row,) = [row for row in re.findall("(?s)<tr>(.*?)</tr>", text) if id_ in row]
    assert f'<a href="/admin/users/{person.id}">{person.email}</a>' in row
    field = '<input type="hidden" name="(.*?)" value="(.*?)">'
    form = re.findall(f'<form method="post" data-api="([^"]+)" [^>]*>|{field}', row)
    assert form == [
        ("/admin/revoke-device", "", ""),
        ("", "userId", person.id),
        ("", "id", id_),
    ]
    assert f'aria-label="End the session of {person.email} in ' in row


EVENT = 'id="event-([^"]+)"'


def test_events_of_all_pages_are_each_of_them_once(place: Site, root: Person) -> None:
    person = place.sign_up()
    place.sql(
        "INSERT INTO events (type, user_id) SELECT (ARRAY['session.created', 'session.ended',"
        f" 'user.updated'])[1 + n % 3], '{person.id}' FROM generate_series(1, 200) n"
    )
    for condition, query in [
        ("true", ""),
        (f"user_id = '{person.id}'", f"?user={person.id}"),
        (f"user_id = '{person.id}'", f"?user={person.email.upper()}"),
        ("type = 'session.created'", "?type=session.created"),
        ("type = 'user.updated'", "?type=user.updated"),
        (
            f"type = 'session.ended' AND user_id = '{person.id}'",
            f"?type=session.ended&user={person.id}",
        ),
    ]:
        ids = place.sql(f"SELECT id FROM events WHERE {condition} ORDER BY id DESC").split()
        assert len(ids) > 50
        assert walk(place, root, f"/admin/events{query}", EVENT) == ids, query


def test_rare_event_among_many_is_found_by_going_on(place: Site, root: Person) -> None:
    person = place.sign_up()
    place.sql(
        f"INSERT INTO events (type, user_id) SELECT 'session.ended', '{person.id}'"
        " FROM generate_series(1, 20100)"
    )
    path = f"/admin/events?type=user.created&user={person.id}"
    text = page(place, root, path)
    assert "These are all among 20,000 events" in text
    assert not re.findall(EVENT, text)
    wanted = f"user_id = '{person.id}' AND type = 'user.created'"
    ids = place.sql(f"SELECT id FROM events WHERE {wanted}").split()
    assert walk(place, root, path, EVENT) == ids
    assert (
        walk(place, root, "/admin/events?type=session.created", EVENT)[:1]
        == place.sql(
            "SELECT id FROM events WHERE type = 'session.created' ORDER BY id DESC LIMIT 1"
        ).split()
    )


def test_what_came_after_an_event_is_asked_for_once(place: Site, root: Person) -> None:
    text = page(place, root, "/admin/events?type=user.created")
    last = re.findall('data-last="([^"]+)"', text)[0]
    assert place.sql("SELECT id FROM events ORDER BY id DESC LIMIT 1") == last
    person = place.sign_up()
    text = page(place, root, f"/admin/events?type=user.created&since={last}")
    ids = place.sql(f"SELECT id FROM events WHERE user_id = '{person.id}' ORDER BY id").split()
    assert re.findall(EVENT, text) == ids[:1]
    assert re.findall('data-last="([^"]+)"', text) == ids[-1:]
    text = page(place, root, f"/admin/events?since={last}")
    assert re.findall(EVENT, text) == ids[::-1]
    assert not re.findall(EVENT, page(place, root, f"/admin/events?since={ids[-1]}"))


def test_change_is_shown_with_both_values(place: Site, root: Person) -> None:
    person = place.sign_up("Ada")
    changes = {"name": "Countess", "image": "https://example.com/a.png"}
    assert person.browser.post("/update-user", json=changes).status_code == 200
    text = page(place, root, f"/admin/events?user={person.id}&type=user.updated")
    plain = " ".join(re.sub("<[^>]+>", " ", text).split())
    assert "name Ada → Countess" in plain
    assert "image changed; its value is not kept" in plain
    assert "the user" in plain
    assert "example.com/a.png" not in text


# ---- overview and health ----


def test_overview_draws_what_was_counted(place: Site, root: Person) -> None:
    place.sql(
        "INSERT INTO daily_counts (day, type, count) SELECT day, type, count FROM (VALUES"
        " (now() - interval '3 days', 'user.created', 1234), (now() - interval '40 days',"
        " 'user.created', 99999), (now() - interval '4 days', 'sign_in.refused', 77))"
        " made (at, type, count), LATERAL (SELECT (at AT TIME ZONE 'UTC')::date AS day) d"
        " ON CONFLICT (day, type) DO UPDATE SET count = excluded.count"
    )
    text = page(place, root, "/admin")
    for number, title in enumerate(("Sign-ups", "Refused sign-ins", "Sessions begun"), start=1):
        assert f'<title id="plot-{number}-title">{title} a day</title>' in text
        assert f'aria-labelledby="plot-{number}-title plot-{number}-text"' in text
    descriptions = re.findall(r'<desc id="plot-\d-text">(.*?)</desc>', text)
    assert len(descriptions) == 6
    assert "at most 1,234 a day" in descriptions[0]
    assert "77" in descriptions[1]
    assert "99,999" not in text
    assert "<td>1,234</td>" in text
    day = place.sql("SELECT (now() AT TIME ZONE 'UTC')::date - 4")
    assert f"Refused sign-ins are counted since {day}." in text
    assert "<td>not counted</td>" in text


def test_overview_says_that_events_are_still_being_counted(place: Site, root: Person) -> None:
    note = "Events are still being counted: those since"
    place.sql(
        "INSERT INTO events (type, created_at) VALUES ('user.updated', now() - interval '1 hour');"
        "INSERT INTO event_readers SELECT 'daily_counts', max(id::text)::uuid, 'tomorrow'"
        " FROM events WHERE id < (SELECT id FROM events ORDER BY id DESC LIMIT 1)"
        " ON CONFLICT (name) DO UPDATE"
        " SET last_event_id = excluded.last_event_id, read_at = excluded.read_at"
    )  # none counts before tomorrow
    assert note in page(place, root, "/admin")
    newest = "SELECT id FROM events ORDER BY id DESC LIMIT 1"
    place.sql(f"UPDATE event_readers SET last_event_id = ({newest})")
    assert note not in page(place, root, "/admin")


def test_overview_counts_few_rows_and_estimates_many(place: Site, root: Person) -> None:
    text = page(place, root, "/admin")
    active = place.sql("SELECT count(*) FROM sessions WHERE expires_at > now()")
    assert f'<dd class="number">{active}</dd>' in re.sub(r"\s*\n\s*", "", text).replace(",", "")
    place.sql(
        "SET session_replication_role = replica; INSERT INTO users (name, email)"
        " SELECT 'n', 'many' || n || '@example.com' FROM generate_series(1, 10100) n"
    )
    place.sql("ANALYZE users")
    text = page(place, root, "/admin")
    estimate = int(place.sql("SELECT reltuples::bigint FROM pg_class WHERE relname = 'users'"))
    assert f"about {estimate:,}" in text
    assert "the database&#39;s estimate" in text


def test_health_has_what_the_doctor_finds(place: Site, root: Person) -> None:
    text = page(place, root, "/admin/health")
    for check in ("connection", "server version", "migrations", "schema", "indexes"):
        assert f'<th scope="row">{check}</th>' in text
    count = place.sql("SELECT count(*) FROM schema_migrations")
    assert f"{count} applied, none pending" in text
    assert "admin, bearer" in text


def test_health_shows_no_password_of_an_address(make_site: MakeSite) -> None:
    direct = "postgresql://owner:hunter2hunter2@127.0.0.1:1/shop"
    with make_site(DATABASE_DIRECT_URL=direct) as at:
        text = page(at, administrator(at), "/admin/health")
    assert "127.0.0.1:1/shop" in text
    assert '<span class="tag fail">fail</span>' in text
    assert "hunter2" not in text
