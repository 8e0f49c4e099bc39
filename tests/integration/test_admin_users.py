"""``/admin/users``: the list, its search and CSV, one user, what may be done, and the export."""

import asyncio
import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any, Final
from uuid import UUID

import asyncpg
import httpx
import pytest

from app.admin_page.users import MAX_CSV
from app.statements import admin_users
from tests.conftest import SERVERS
from tests.security.administrators import SETTINGS, act, administrator, again, done, refused
from tests.security.people import PASSWORD, Person, Site, cookie, site
from tests.support import Server, wait_until

ROLES: Final = {
    "support": {"user": ["list", "get"]},
    "lister": {"user": ["list"]},
    "warden": {"user": ["list", "get", "ban"], "session": ["list", "revoke"]},
}
HOSTILE: Final = (
    "<script>document.title='ran'</script>",
    "\"'><img src=x onerror=document.title='ran'>",
    "javascript:document.title='ran'",
    "{{ 7 * 7 }}${7*7}{% raw %}",
    "</title></h1></main><svg onload=document.title='ran'>",
    "\u202egnp.exe\u202c\u0007 &lt;b&gt; &#x3c;",
)
FIELDS: Final = """
[users.plan]
type = "string"

[users.settings]
type = "json"
"""
HEAD: Final = [
    "id", "name", "email", "email_verified", "created_at", "updated_at",
    "role", "banned", "ban_reason", "ban_expires",
]  # fmt: skip


@pytest.fixture(scope="module")
def place(
    postgres_servers: Callable[[str], Server],
    templates: Callable[[Server], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    server = postgres_servers(SERVERS[0])
    folder = tmp_path_factory.mktemp("place")
    fields = folder / "fields.toml"
    fields.write_text(FIELDS)
    more = {"GATEPOST_ROLES": json.dumps(ROLES), "GATEPOST_SCHEMA": str(fields)}
    on = SETTINGS | {"GATEPOST_ADMIN_PAGE": "true"} | more
    with site(server, templates(server), folder, **on) as found:
        found.sql("ALTER TABLE users ADD plan text, ADD settings jsonb")
        yield found


@pytest.fixture(scope="module")
def root(place: Site) -> Person:
    return administrator(place)


def get(place: Site, person: Person, path: str, **query: str) -> httpx.Response:
    return person.browser.get(f"{place.service.url}/admin/{path}", params=query)


def shown(answer: httpx.Response) -> list[str]:
    """The addresses in a list, in their order."""
    assert answer.status_code == 200, answer.text
    return [
        unescape(found)
        for found in re.findall(r'<th scope="row">(?:<a href="[^"]*">)?([^<\n]+)', answer.text)
    ]


def link(answer: httpx.Response, rel: str) -> str | None:
    found = re.search(rf'<a href="/admin/([^"]*)" rel="{rel}">', answer.text)
    return unescape(found[1]) if found else None


def follow(place: Site, person: Person, answer: httpx.Response, rel: str) -> httpx.Response:
    path = link(answer, rel)
    assert path is not None
    return person.browser.get(f"{place.service.url}/admin/{path}")


def fill(place: Site, start: str, number: int, **columns: str) -> list[str]:
    """Users whose addresses begin so, each a second younger than the one before."""
    names = "".join(f", {name}" for name in columns)
    values = "".join(f", {value}" for value in columns.values())
    place.sql(
        f"INSERT INTO users (name, email, created_at{names}) SELECT 'n', '{start}' ||"
        " lpad(n::text, 5, '0') || '@example.com', timestamptz '2020-01-01Z' + n * interval '1 s'"
        f"{values} FROM generate_series(1, {number}) n"
    )
    return [f"{start}{n:05}@example.com" for n in range(1, number + 1)]


# ---- the list ----


def test_search_finds_by_the_beginning_of_an_address_and_by_id(place: Site, root: Person) -> None:
    ada = place.sign_up("ada.search")
    assert shown(get(place, root, "users", q="ada.sea")) == [ada.email]
    assert shown(get(place, root, "users", q=" ADA.SEA ")) == [ada.email]
    assert shown(get(place, root, "users", q=ada.email)) == [ada.email]
    assert shown(get(place, root, "users", q=ada.id.upper())) == [ada.email]
    for nobody in ("da.sea", "%", "_", "ada.sea%", "00000000-0000-0000-0000-000000000000"):
        answer = get(place, root, "users", q=nobody)
        assert shown(answer) == []
        assert "Nobody has an address that begins so." in answer.text


def test_pages_go_on_and_back_over_every_user_once(place: Site, root: Person) -> None:
    expected = fill(place, "paged", 120)
    pages = [get(place, root, "users", q="paged")]
    assert link(pages[0], "prev") is None
    while link(pages[-1], "next"):
        pages.append(follow(place, root, pages[-1], "next"))
    assert [len(shown(page)) for page in pages] == [50, 50, 20]
    assert [email for page in pages for email in shown(page)] == expected
    back = follow(place, root, pages[-1], "prev")
    assert shown(back) == shown(pages[1])
    back = follow(place, root, back, "prev")
    assert shown(back) == shown(pages[0])
    assert link(back, "prev") is None


def test_list_without_a_search_has_the_newest_first(place: Site, root: Person) -> None:
    fill(place, "newest", 101)  # of 2020, so that these are the last pages
    ada, eve = place.sign_up("ada"), place.sign_up("eve")
    page = get(place, root, "users")
    assert shown(page)[:2] == [eve.email, ada.email]
    found = shown(page)
    while link(page, "next"):
        page = follow(place, root, page, "next")
        found += shown(page)
    assert sorted(found) == place.sql('SELECT email FROM users ORDER BY email COLLATE "C"').split()
    earlier = follow(place, root, page, "prev")
    assert not {*shown(earlier)} & {*shown(page)}


def test_banned_and_administrators_are_shown_alone(place: Site, root: Person) -> None:
    banned = fill(place, "banned", 60, banned="true", ban_reason="'x'")
    other = administrator(place, "other.root")
    support = administrator(place, "some.support", "support")
    both = administrator(place, "both", "support,admin")
    first = get(place, root, "users", show="banned")
    second = follow(place, root, first, "next")
    assert shown(first) + shown(second) == banned[::-1]
    assert link(follow(place, root, second, "prev"), "prev") is None
    found = shown(get(place, root, "users", show="administrators"))
    assert found[:2] == [both.email, other.email]
    assert root.email in found
    assert support.email not in found


def test_list_says_the_state_of_a_user(place: Site, root: Person) -> None:
    place.sql(
        "INSERT INTO users (name, email, email_verified, role, banned, ban_expires) VALUES"
        " ('a', 'state1@example.com', true, 'editor', true, NULL),"
        " ('a', 'state2@example.com', false, 'user', true, now() - interval '1 h')"
    )
    rows = get(place, root, "users", q="state").text.partition("<tbody>")[2].split("</tr>")
    assert "banned" in rows[0]
    assert "verified" in rows[0]
    assert "<td>editor</td>" in rows[0]
    assert "banned" not in rows[1]  # that one is over
    assert "verified" not in rows[1]


ODD: Final = [
    {"q": "\0"}, {"q": "a" * 256}, {"show": "everybody"}, {"q": "a", "show": "banned"},
    {"after": "x"}, {"after": "1.x"}, {"after": f"{'9' * 200}.{UUID(int=0)}"},
    {"before": "-1"}, {"after": "1", "before": "1"}, {"after": "\0"}, {"before": "a" * 1001},
    {"after": f"1e3.{UUID(int=0)}", "show": "banned"},
]  # fmt: skip


@pytest.mark.parametrize("query", ODD, ids=repr)
@pytest.mark.parametrize("path", ["users", "users.csv"])
def test_odd_query_is_a_page_that_says_so(
    place: Site, root: Person, path: str, query: dict[str, str]
) -> None:
    answer = get(place, root, path, **query)
    if path == "users.csv" and not query.keys() & {"q", "show"}:
        assert answer.status_code == 200  # a CSV begins at the beginning
        return
    expected = 200 if path == "users.csv" and query.keys() == {"after", "show"} else 400
    assert answer.status_code == expected, answer.text
    if expected == 400:
        assert "That did not work" in answer.text


@pytest.mark.parametrize("query", ["q=a&q=b", "show=banned&show=", "q=%ff%fe", "q=%ED%A0%80", "%"])
def test_query_that_no_form_sends_is_no_error_of_the_service(
    place: Site, root: Person, query: str
) -> None:
    answer = root.browser.get(f"{place.service.url}/admin/users?{query}")
    assert answer.status_code == (400 if "&" in query else 200)


# ---- the CSV ----


def rows(answer: httpx.Response) -> list[list[str]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.reader(io.StringIO(answer.text), strict=True))


def test_csv_has_what_a_search_finds(place: Site, root: Person) -> None:
    expected = fill(place, "csv", 1234)
    answer = get(place, root, "users.csv", q="csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="users.csv"'
    head, *found = rows(answer)
    assert head == HEAD
    assert [row[2] for row in found] == expected
    assert found[0][4:6] == ["2020-01-01T00:00:01+00:00", found[0][5]]
    assert found[0][3] == "false"
    assert found[0][7] == "false"
    assert [row[2] for row in rows(get(place, root, "users.csv", show="banned"))[1:]] == place.sql(
        "SELECT email FROM users WHERE banned ORDER BY created_at DESC, id DESC"
    ).split()


def test_csv_ends_at_its_bound(place: Site, root: Person) -> None:
    fill(place, "bound", MAX_CSV + 1)
    found = rows(get(place, root, "users.csv", q="bound"))
    assert len(found) == MAX_CSV + 1  # with the head
    assert found[-1][2] == f"bound{MAX_CSV:05}@example.com"
    place.sql("DELETE FROM users WHERE email LIKE 'bound%'")
    assert "of the first 10,000" in get(place, root, "users").text


def test_csv_runs_no_formula(place: Site, root: Person) -> None:
    names = ["=1+1", "+1", "-1", "@a", "\t=1", "\r=1", "\n=1", " =1", "＝1", "a=1", 'a"b,c\nd']
    for number, name in enumerate(names):
        place.sql(
            f"INSERT INTO users (name, email) VALUES ($x${name}$x$, 'formula{number:02}@a.co')"
        )
    found = [row[1] for row in rows(get(place, root, "users.csv", q="formula"))[1:]]
    assert found == [*(f"'{name}" for name in names[:-2]), *names[-2:]]


def test_download_is_refused_to_the_page_of_another_site(place: Site, root: Person) -> None:
    for path in ("users.csv", f"users/{root.id}/export"):
        url = f"{place.service.url}/admin/{path}"
        for from_there, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 200)):
            answer = root.browser.get(url, headers={"sec-fetch-site": from_there})
            assert answer.status_code == status


# ---- one user ----


def test_user_is_shown_with_everything_and_no_secret(place: Site, root: Person) -> None:
    ada = place.sign_up("ada")
    expired = place.session(ada, "-8 days", "-1 h")
    place.sql(
        "UPDATE users SET plan = 'gold', settings = '{\"theme\": \"dark\"}'"
        f" WHERE id = '{ada.id}';"
        "INSERT INTO accounts (user_id, provider_id, account_id, access_token, refresh_token,"
        f" id_token, scope) VALUES ('{ada.id}', 'github', '4711', 'TOKEN1', 'TOKEN2', 'TOKEN3',"
        " 'read:user')"
    )
    answer = get(place, root, f"users/{ada.id}")
    text = unescape(answer.text)
    assert answer.status_code == 200
    for part in (
        ada.email, ada.id, "gold", '{"theme": "dark"}', "github", "4711", "read:user", "credential",
        "python-httpx", "expired", "user.created", "session.created",
    ):  # fmt: skip
        assert part in text, part
    hashes = place.sql("SELECT password FROM accounts WHERE password IS NOT NULL").split()
    tokens = place.sql("SELECT token FROM sessions").split()
    assert expired in tokens
    for secret in (*hashes, *tokens, "TOKEN1", "TOKEN2", "TOKEN3", PASSWORD):
        assert secret not in text


def test_events_of_a_user_are_paged(place: Site, root: Person) -> None:
    ada = place.sign_up("ada")
    for number in range(45):
        place.sql(f"UPDATE users SET name = 'name {number}' WHERE id = '{ada.id}'")
    pages = [get(place, root, f"users/{ada.id}")]
    while link(pages[-1], "next"):
        pages.append(follow(place, root, pages[-1], "next"))
    found = [re.findall(r"→</span> <bdi>name (\d+)</bdi>", page.text) for page in pages]
    assert [int(each) for page in found for each in page] == list(reversed(range(45)))
    assert len(pages) == 3
    back = follow(place, root, pages[-1], "prev")
    assert re.findall(r"→</span> <bdi>name (\d+)</bdi>", back.text) == found[1]


@pytest.mark.parametrize("user_id", ["x", "0", "00000000-0000-0000-0000-000000000000", "%00"])
def test_user_who_is_not_there_is_a_page_that_says_so(
    place: Site, root: Person, user_id: str
) -> None:
    for path in (f"users/{user_id}", f"users/{user_id}/export"):
        answer = root.browser.get(f"{place.service.url}/admin/{path}")
        assert answer.status_code == 404
        assert "There is nothing here." in answer.text
    for query in ({"after": "x"}, {"before": "\0"}, {"after": "1", "before": "2"}):
        assert get(place, root, f"users/{root.id}", **query).status_code == 400


def actions(answer: httpx.Response) -> set[str]:
    """The endpoints that a screen asks, and the export."""
    main = answer.text.partition("<main")[2]
    found = {*re.findall(r'data-api="/(?:admin/)?([^"]*)"', main)}
    return found | ({"export"} if "/export" in main else set())


EVERYTHING: Final = {
    "update-user", "send-verification-email", "request-password-reset", "set-user-password",
    "set-role", "ban-user", "impersonate-user", "remove-user", "revoke-device",
    "revoke-user-sessions", "set-session-policy", "export",
}  # fmt: skip
MAILS: Final = {"send-verification-email", "request-password-reset"}


def test_actions_that_the_role_does_not_grant_are_not_shown(place: Site, root: Person) -> None:
    ada = place.sign_up("ada")
    path = f"users/{ada.id}"
    assert actions(get(place, root, path)) == EVERYTHING
    support = administrator(place, "support", "support")
    answer = get(place, support, path)
    assert actions(answer) == MAILS
    assert "127.0.0.1" not in answer.text
    assert "Events" not in answer.text.partition("<main")[2]
    warden = administrator(place, "warden", "warden")
    sessions = {"revoke-device", "revoke-user-sessions"}
    assert actions(get(place, warden, path)) == MAILS | sessions | {"ban-user"}
    lister = administrator(place, "lister", "lister")
    answer = get(place, lister, "users", q=ada.email)
    assert shown(answer) == [ada.email]
    assert f"/admin/{path}" not in answer.text
    assert get(place, lister, path).status_code == 403
    for person in (support, warden, lister):
        assert get(place, person, f"{path}/export").status_code == 403


def test_ban_is_shown_with_its_end_and_can_be_lifted(place: Site, root: Person) -> None:
    ada = place.sign_up("ada")
    done(root, "ban-user", userId=ada.id, banReason="spam & eggs", banExpiresIn=3600)
    answer = get(place, root, f"users/{ada.id}")
    assert "spam &amp; eggs" in answer.text
    assert "until <time" in answer.text
    assert "unban-user" in actions(answer)
    assert "ban-user" not in actions(answer)


def test_session_is_ended_by_its_id(place: Site, root: Person) -> None:
    ada, eve = place.sign_up("ada"), place.sign_up("eve")
    of_ada = place.sql(f"SELECT id FROM sessions WHERE user_id = '{ada.id}'")
    done(root, "revoke-device", userId=eve.id, id=of_ada)
    assert ada.browser.get("/get-session").json() is not None
    assert done(root, "revoke-device", userId=ada.id, id=of_ada) == {"success": True}
    assert ada.browser.get("/get-session").json() is None
    assert done(root, "revoke-device", userId=ada.id, id=of_ada) == {"success": True}
    assert eve.browser.get("/get-session").json() is not None


def test_end_of_ones_own_session_clears_its_cookies(place: Site, root: Person) -> None:
    second = again(place, root)
    ids = {
        token: place.sql(f"SELECT id FROM sessions WHERE token = '{token}'")
        for token in (root.token, second.token)
    }
    answer = act(second, "revoke-device", userId=second.id, id=ids[second.token])
    assert answer.status_code == 200
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert get(place, second, "users").status_code == 303
    third = again(place, root)
    answer = act(third, "revoke-device", userId=place.sign_up().id, id=ids[root.token])
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("session_id", ["x", "", None, 1, [], "\0"])
def test_session_with_an_odd_id_is_refused(place: Site, root: Person, session_id: Any) -> None:
    assert act(root, "revoke-device", userId=root.id, id=session_id).status_code == 400


def test_action_is_refused_to_another_origin_and_another_role(place: Site, root: Person) -> None:
    ada = place.sign_up("ada")
    of_ada = place.sql(f"SELECT id FROM sessions WHERE user_id = '{ada.id}'")
    body = {"userId": ada.id, "id": of_ada}
    evil = {"origin": "https://evil.example"}
    answer = root.browser.post("/admin/revoke-device", json=body, headers=evil)
    assert refused(answer) == (403, "INVALID_ORIGIN")
    support = administrator(place, "support", "support")
    answer = act(support, "revoke-device", **body)
    assert refused(answer) == (403, "YOU_ARE_NOT_ALLOWED_TO_REVOKE_USERS_SESSIONS")
    assert place.browser().post("/admin/revoke-device", json=body).status_code == 401
    assert ada.browser.get("/get-session").json() is not None


# ---- the export ----


def test_export_is_a_file_and_an_event(place: Site, root: Person) -> None:
    ada = place.sign_up("ada")
    answer = get(place, root, f"users/{ada.id}/export")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    disposition = f'attachment; filename="user-{ada.id}.json"'
    assert answer.headers["content-disposition"] == disposition
    found = answer.json()
    assert found["user"]["email"] == ada.email
    assert len(found["sessions"]) == 1
    assert ada.token not in answer.text
    assert get(place, ada, f"users/{ada.id}/export").status_code == 403

    def logged() -> bool:
        lines = place.service.log.read_text().splitlines()
        events = [json.loads(line) for line in lines if line.startswith("{") and "event" in line]
        return any(
            (each.get("event"), each.get("user"), each.get("target"))
            == ("user_exported", root.id, ada.id)
            for each in events
        )

    wait_until(logged, "the event of the export")
    assert ada.email not in place.service.log.read_text()


# ---- hostile texts ----


def test_no_field_that_a_user_can_fill_is_markup(place: Site, root: Person) -> None:
    for number, text in enumerate(HOSTILE):
        quoted = f"$x${text}$x$"
        email = f'hostile{number}<script>"@example.com'
        place.sql(
            f"""
            WITH u AS (
                INSERT INTO users (name, email, image, plan, settings, role, banned, ban_reason)
                VALUES ({quoted}, $x${email}$x$, {quoted}, {quoted},
                        jsonb_build_object({quoted}, {quoted}), {quoted}, true, {quoted})
                RETURNING id),
            a AS (
                INSERT INTO accounts (user_id, provider_id, account_id, scope)
                SELECT id, {quoted}, {quoted}, {quoted} FROM u)
            INSERT INTO sessions (user_id, token, expires_at, ip_address, user_agent)
            SELECT id, md5(id::text), now() + interval '1 h', left({quoted}, 45), {quoted} FROM u
            """
        )
    listed = get(place, root, "users", q="hostile")
    assert shown(listed) == [f'hostile{n}<script>"@example.com' for n in range(len(HOSTILE))]
    answers = [listed]
    ids = place.sql("SELECT id FROM users WHERE email LIKE 'hostile%' ORDER BY email").split()
    answers += [get(place, root, f"users/{user_id}") for user_id in ids]
    for answer in answers:
        assert answer.status_code == 200
        tags = {*re.findall(r"<(\w+)", answer.text)}
        assert tags.isdisjoint({"img", "svg", "iframe", "object", "style"})
        own = re.findall(r'<script(?: type="module")? src="/admin/static/[a-z-]+\.js"', answer.text)
        assert answer.text.count("<script") == len(own)
        assert not re.search(r"<[^>]*\son\w+=", re.sub(r'"[^"]*"', '""', answer.text))
        assert not re.search(r'(?:href|src|action)="(?!/admin|#content)', answer.text)
        assert "49" not in re.findall(r"<bdi>(.*?)</bdi>", answer.text)
    texts = [unescape(answer.text) for answer in answers[1:]]
    for text, shown_text in zip(HOSTILE, texts, strict=True):
        assert shown_text.count(text) >= 8, text
    evil = HOSTILE[1]
    echoed = get(place, root, "users", q=evil)
    assert evil not in echoed.text
    assert evil in unescape(echoed.text)


def test_long_text_does_not_make_a_long_page(place: Site, root: Person) -> None:
    user_id = place.sql(
        "INSERT INTO users (name, email, image, plan) VALUES (repeat('n', 30000),"
        " 'long@example.com', repeat('i', 200000), repeat('p', 30000)) RETURNING id"
    )
    page, listed = get(place, root, f"users/{user_id}"), get(place, root, "users", q="long@")
    assert "n" * 30000 in page.text  # once, to be changed
    assert len(page.text) < 50_000
    assert len(listed.text) < 5_000


def test_hostile_search_and_cookie_are_harmless(place: Site) -> None:
    for value in ("x", cookie("nobody"), "better-auth.session_token=%00", "a=<script>"):
        answer = place.browser(value).get(f"{place.service.url}/admin/users?q=<script>")
        assert answer.status_code == 303
        assert "<script>" not in answer.headers["location"]


# ---- plans ----

MANY: Final = """
    INSERT INTO users (name, email, role, banned, created_at)
    SELECT 'n', n || '@example.com', CASE WHEN n % 9999 = 1 THEN 'admin' ELSE 'user' END,
        n % 100 = 0, now() - n * interval '1 s' FROM generate_series(1, 20000) n;
    ANALYZE;
"""
MIDDLE: Final = """
    SELECT u.id AS user_id, u.created_at AS time, e.id
    FROM users u JOIN events e ON e.user_id = u.id WHERE u.email = '15000@example.com'
"""


def test_page_walks_the_index_of_its_order_and_no_table(
    one_postgres: Server, one_template: str
) -> None:
    expected = {
        admin_users.newest: "users_created_at_id_idx",
        admin_users.newest_back: "users_created_at_id_idx",
        admin_users.banned: "users_banned_created_at_id_idx",
        admin_users.banned_back: "users_banned_created_at_id_idx",
        admin_users.administrators: "users_roles_idx",
        admin_users.administrators_back: "users_roles_idx",
        admin_users.by_address: "users_email_key",
        admin_users.by_address_back: "users_email_key",
        admin_users.events_of: "events_user_id_id_idx",
        admin_users.events_of_back: "events_user_id_id_idx",
    }
    values = {"roles": ["admin"], "limit": 51, "first": "1", "end": "2", "email": "15@example.com"}

    async def plans(url: str) -> dict[Any, str]:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(MANY)
            middle = await connection.fetchrow(MIDDLE)
            assert middle is not None
            given, found = values | dict(middle), {}
            for each in expected:
                lines = await connection.fetch(f"EXPLAIN {each.text}", *each.arguments(given))
                found[each] = "\n".join(line[0] for line in lines)
            return found
        finally:
            await connection.close()

    with one_postgres.database(one_template) as name:
        found = asyncio.run(plans(one_postgres.url(name)))
    for statement, plan in found.items():
        assert expected[statement] in plan, plan
        assert "Seq Scan" not in plan, plan
        if expected[statement].endswith(("created_at_id_idx", "email_key")):
            assert "Sort" not in plan, plan
