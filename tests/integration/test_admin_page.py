"""The page ``/admin``: who sees it, how one signs in, and what it is made of."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from html import unescape
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest

from app.commands import development
from app.settings import AuthSettings
from tests.conftest import SERVERS
from tests.security.administrators import SETTINGS, administrator, done
from tests.security.people import BASE, SECRET, Person, Site, site
from tests.support import ROOT, Server, environment

PATHS = [
    *("/admin", "/admin/users", "/admin/users.csv"),
    *("/admin/sessions", "/admin/events", "/admin/health"),
]
SIGN_IN = "/admin/sign-in"


@pytest.fixture(scope="module")
def place(
    postgres_servers: Callable[[str], Server],
    templates: Callable[[Server], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    server = postgres_servers(SERVERS[0])
    folder = tmp_path_factory.mktemp("place")
    with site(server, templates(server), folder, GATEPOST_ADMIN_PAGE="true", **SETTINGS) as found:
        yield found


@pytest.fixture(scope="module")
def root(place: Site) -> Person:
    return administrator(place)


def screen(place: Site, person: Person, path: str) -> httpx.Response:
    return person.browser.get(f"{place.service.url}{path}")


@pytest.mark.parametrize("path", PATHS)
def test_screen_leads_strangers_to_the_sign_in(place: Site, path: str) -> None:
    answer = place.browser().get(f"{place.service.url}{path}?a=%20b")
    assert answer.status_code == 303
    target = f"{path}?a=%20b".replace("%", "%25").replace("/", "%2F").replace("?", "%3F")
    assert answer.headers["location"] == f"/admin/sign-in?next={target.replace('=', '%3D')}"


@pytest.mark.parametrize("path", PATHS)
def test_screen_is_refused_without_the_role(place: Site, path: str) -> None:
    somebody = place.sign_up()
    answer = screen(place, somebody, path)
    assert answer.status_code == 403
    assert "whose role may not see this" in answer.text
    assert "Sign in as somebody else" in answer.text
    assert "/admin/users" not in answer.text.partition("<main")[0]


@pytest.mark.parametrize("path", [*PATHS, SIGN_IN, "/admin/nowhere", "/admin/users/x"])
def test_every_page_has_the_headers_that_let_it_run_nothing_else(
    place: Site, root: Person, path: str
) -> None:
    answer = screen(place, root, path)
    policy = answer.headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", "script-src 'self'", "style-src 'self'"} <= {*policy}
    assert {"frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} <= {*policy}
    assert {"require-trusted-types-for 'script'", "trusted-types 'none'"} <= {*policy}
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"<script(?!( type=.module.)? src)|\sstyle=|<style|\son\w+=", answer.text)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_screen_takes_no_other_method(place: Site, root: Person, method: str) -> None:
    for path in (*PATHS, SIGN_IN):
        answer = root.browser.request(method, f"{place.service.url}{path}")
        assert answer.status_code == 405


def test_form_without_the_script_puts_nothing_into_an_address(place: Site, root: Person) -> None:
    texts = [place.browser().get(f"{place.service.url}{SIGN_IN}").text]
    texts += [screen(place, root, path).text for path in ("/admin", f"/admin/users/{root.id}")]
    forms = [form for text in texts for form in re.findall(r"<form[^>]*>", text)]
    asking = [form for form in forms if "data-api" in form]
    assert len(asking) > 5
    assert [form for form in asking if 'method="post"' not in form] == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("/admin", "/admin"),
        ("/admin/users?q=a%40b&show=", "/admin/users?q=a%40b&show="),
        ("/administrators", "/admin"),
        ("//evil.example/admin", "/admin"),
        ("https://evil.example/admin", "/admin"),
        ("/admin/../../evil", "/admin"),
        ("/admin/%2e%2E/evil", "/admin"),
        ("/admin/./%2e", "/admin"),
        ("/admin//evil.example", "/admin"),
        ("/admin\\evil", "/admin"),
        ("/admin/a\r\nset-cookie: a=b", "/admin"),
        ("javascript:alert(1)", "/admin"),
        ("", "/admin"),
    ],
)
def test_sign_in_leads_back_to_a_screen_alone(
    place: Site, root: Person, given: str, expected: str
) -> None:
    page = place.browser().get(f"{place.service.url}{SIGN_IN}", params={"next": given})
    assert page.status_code == 200
    found = re.search(r'data-next="([^"]*)"', page.text)
    assert found is not None
    assert unescape(found[1]) == expected
    signed_in = root.browser.get(f"{place.service.url}{SIGN_IN}", params={"next": given})
    assert (signed_in.status_code, signed_in.headers["location"]) == (303, expected)


def test_error_of_a_provider_is_said_in_words_of_our_own(place: Site) -> None:
    def said(error: str) -> str:
        query = {"error": error, "error_description": "<b>call 555</b>"}
        answer = place.browser().get(f"{place.service.url}{SIGN_IN}", params=query)
        assert answer.status_code == 200
        assert "555" not in answer.text
        found = re.search(r'role="alert">([^<]+)<', answer.text)
        assert found is not None
        return found[1]

    assert said("access_denied") == "You have not agreed at the provider."
    assert said("<script>alert(1)</script>") == "The sign-in with the provider failed."
    assert "banned" in said("banned")


@pytest.mark.parametrize("query", ["next=a&next=b", "error=%00", "next=" + "a" * 3000])
def test_odd_query_is_a_page_that_says_so(place: Site, query: str) -> None:
    answer = place.browser().get(f"{place.service.url}{SIGN_IN}?{query}")
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("path", ["/admin/nowhere", "/admin/a/b", "/admin/users/", "/admin/%00"])
def test_address_without_a_screen_is_a_page_that_says_so(
    place: Site, root: Person, path: str
) -> None:
    answer = screen(place, root, path)
    assert answer.status_code == 404
    assert "There is nothing here." in answer.text


def test_address_with_a_slash_at_its_end_leads_to_the_page(place: Site, root: Person) -> None:
    answer = screen(place, root, "/admin/")
    assert (answer.status_code, answer.headers["location"]) == (308, "/admin")


def test_ban_and_demotion_hold_at_the_next_screen(place: Site) -> None:
    root, other = administrator(place), administrator(place, "other")
    assert screen(place, other, "/admin").status_code == 200
    done(root, "set-role", userId=other.id, role="user")
    assert screen(place, other, "/admin").status_code == 403
    done(root, "ban-user", userId=other.id)
    assert screen(place, other, "/admin").status_code == 303


def test_screen_offers_the_way_back_to_whom_an_administrator_acts_as(place: Site) -> None:
    root, ada = administrator(place), place.sign_up()
    assert "Stop impersonating" not in screen(place, root, "/admin").text
    done(root, "impersonate-user", userId=ada.id)
    answer = screen(place, root, "/admin")
    assert answer.status_code == 403
    assert f"You act as <strong>{ada.email}</strong>" in answer.text
    assert 'data-api="/admin/stop-impersonating"' in answer.text
    assert f'data-next="/admin/users/{ada.id}"' in answer.text
    done(root, "stop-impersonating")
    assert screen(place, root, "/admin").status_code == 200


# ---- switched on and off ----

AUTH = {"GATEPOST_SECRET": SECRET, "GATEPOST_BASE_URL": BASE}
ON = {"GATEPOST_ADMIN_PAGE": "true", "GATEPOST_PLUGINS": "admin"}


def started(code: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT, env=environment("postgres://127.0.0.1:1/none") | AUTH | settings,
        check=False, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
    )  # fmt: skip


LOADED = "import sys, app.main; app.main.create_app(); print(*sys.modules)"


def test_page_is_imported_when_it_is_on_alone() -> None:
    modules = {"app.admin_page", "jinja2", "app.statements.admin_users"}
    off = started(LOADED, GATEPOST_PLUGINS="bearer")
    assert off.returncode == 0, off.stderr
    assert modules.isdisjoint(off.stdout.split())
    plugin_alone = started(LOADED, GATEPOST_PLUGINS="admin")
    assert {"app.admin_page", "jinja2"}.isdisjoint(plugin_alone.stdout.split())
    on = started(LOADED, **ON)
    assert modules <= {*on.stdout.split()}, on.stderr


@pytest.mark.parametrize(
    ("code", "settings", "said"),
    [
        ("", {"GATEPOST_PLUGINS": "bearer"}, "needs the plugin admin in GATEPOST_PLUGINS"),
        (
            "import importlib.util as u; f = u.find_spec;"
            "u.find_spec = lambda name, *a: None if name == 'jinja2' else f(name, *a);",
            {},
            "needs the extra admin: pip install 'PATH_OF_THE_CHECKOUT[admin]'",
        ),
    ],
    ids=["plugin", "extra"],
)
def test_page_without_what_it_needs_is_refused_at_the_start(
    code: str, settings: dict[str, str], said: str
) -> None:
    refused = started(f"{code}from app.main import app", **ON | settings)
    assert refused.returncode == 2, refused.stderr
    assert re.fullmatch(r"gatepost: GATEPOST_ADMIN_PAGE [^\n]+\n", refused.stderr), refused.stderr
    assert said in refused.stderr


def test_page_is_not_there_without_the_auth_api() -> None:
    assert find_spec("jinja2") is not None
    assert AuthSettings.from_environment(ON) is None


@pytest.mark.parametrize(
    ("given", "has_package", "expected"),
    [
        ({}, True, ("admin", "true")),
        ({"GATEPOST_PLUGINS": "bearer, admin"}, True, ("bearer, admin", "true")),
        ({"GATEPOST_PLUGINS": "bearer"}, True, ("bearer", None)),
        ({"GATEPOST_PLUGINS": ""}, True, ("", None)),
        ({"GATEPOST_ADMIN_PAGE": "false"}, True, ("admin", "false")),
        ({}, False, (None, None)),
    ],
)
def test_development_has_it_on_where_nothing_else_is_said(
    given: dict[str, str],
    has_package: bool,
    expected: tuple[str | None, str | None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clean = {"GATEPOST_SERVICE_KEYS": "x", "MAIL_FILE": "x"} | AUTH
    monkeypatch.setattr("os.environ", clean | given)
    monkeypatch.setattr(development, "find_spec", lambda _: object() if has_package else None)
    assert development.set_defaults() is None
    found = (os.environ.get("GATEPOST_PLUGINS"), os.environ.get("GATEPOST_ADMIN_PAGE"))
    assert found == expected


def test_static_files_are_served_and_nothing_beside_them(place: Site) -> None:
    folder = Path(ROOT / "app/admin_page/static")
    for file in folder.iterdir():
        answer = place.browser().get(f"{place.service.url}/admin/static/{file.name}")
        assert (answer.status_code, answer.content) == (200, file.read_bytes())
    for path in ("", "../page.py", "%2e%2e/page.py", "..%2fpage.py"):
        answer = place.browser().get(f"{place.service.url}/admin/static/{path}")
        assert answer.status_code in (303, 404)  # a client may resolve the dots: no screen
