"""The screens of the page /admin in a real Chromium: overview, sessions, events and health."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx
import pytest

from tests.browser import Browser, new_browser
from tests.security.administrators import SETTINGS, administrator
from tests.security.people import BASE, PASSWORD, Person, Site, site
from tests.support import Server

SCREENS: Final = ("/admin", "/admin/sessions", "/admin/events", "/admin/health")
LONG: Final = "x" * 240


@dataclass(frozen=True)
class Page:
    """A browser in which an administrator is signed in."""

    browser: Browser
    site: Site
    administrator: Person

    def open(self, path: str) -> None:
        self.browser.open(f"{BASE}{path}")
        self.browser.find("h1")

    def open_details(self) -> None:
        self.browser.run("document.querySelectorAll('details').forEach((each) => each.open = true)")


@pytest.fixture(scope="module")
def place(
    node: Path, postgres: Server, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """The service, with somebody whose names have no end; axe-core comes with Node's packages."""
    folder = tmp_path_factory.mktemp("admin")
    with site(postgres, template, folder, GATEPOST_ADMIN_PAGE="true", **SETTINGS) as running:
        long = running.sign_up()
        running.sql(
            f"UPDATE sessions SET user_agent = '{LONG}' WHERE user_id = '{long.id}';"
            f"UPDATE users SET name = '{LONG}', email = '{LONG}@x.test' WHERE id = '{long.id}';"
            "INSERT INTO daily_counts (day, type, count)"
            " SELECT (now() AT TIME ZONE 'UTC')::date - n, 'user.created', 1000000000::bigint * n"
            " FROM generate_series(1, 29) n"
        )
        yield running


@contextmanager
def signed_in(place: Site, chromedriver: httpx.Client) -> Iterator[Page]:
    """A browser to which BASE is the service."""
    here = urlsplit(place.service.url).netloc
    rules = f"--host-resolver-rules=MAP {urlsplit(BASE).netloc} {here}"
    secure = f"--unsafely-treat-insecure-origin-as-secure={BASE}"
    root = administrator(place)
    with new_browser(chromedriver, "--window-size=1280,900", rules, secure) as browser:
        browser.open(f"{BASE}/admin")
        browser.field("Email address").fill(root.email)
        browser.field("Password").fill(PASSWORD)
        browser.button("Sign in").click()
        browser.waits_for("Overview", "h1")
        yield Page(browser, place, root)


@pytest.fixture(scope="module")
def shared(place: Site, chromedriver: httpx.Client) -> Iterator[Page]:
    with signed_in(place, chromedriver) as page:
        yield page


@pytest.fixture
def page(shared: Page) -> Iterator[Page]:
    """At the end nobody else was asked, and no policy broken."""
    shared.browser.resize(1280)
    yield shared
    asked = {urlsplit(url).netloc for url in shared.browser.requests()}
    assert asked - {""} == {urlsplit(BASE).netloc}
    assert shared.browser.console() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_screens_are_accessible_and_fit(page: Page, width: int, scheme: str) -> None:
    page.browser.resize(width)
    page.browser.prefer(scheme)
    for path in SCREENS:
        page.open(path)
        page.open_details()
        assert page.browser.accessibility_violations() == [], path
        assert page.browser.overflow == 0, path


ROWS: Final = "return document.querySelectorAll('#events tbody tr').length"


def test_events_come_in_without_taking_the_focus(page: Page) -> None:
    page.open("/admin/events?type=user.created")
    before = page.browser.run(ROWS)
    page.browser.run("document.querySelector('#events tbody a').focus()")
    focused = page.browser.run("return document.activeElement.textContent")
    newest = page.site.sign_up("newcomer")
    page.browser.run(SEEN_AGAIN)
    page.browser.waits_for("1 new event", "#live")
    assert page.browser.run(ROWS) == before + 1
    assert newest.email in page.browser.find("#events tbody tr").text
    assert page.browser.run("return document.activeElement.textContent") == focused
    page.browser.until("return document.querySelector('#pause').offsetParent !== null")


COUNTED: Final = """
const { send } = XMLHttpRequest.prototype;
window.sent = 0;
XMLHttpRequest.prototype.send = function () { window.sent += 1; send.call(this); };
"""
SEEN_AGAIN: Final = """
document.dispatchEvent(new Event("visibilitychange"));
return window.sent;
"""


def test_events_that_are_paused_are_not_asked_for(page: Page) -> None:
    page.open("/admin/events")
    page.browser.run(COUNTED)
    page.browser.button("Pause").click()
    assert page.browser.find("#pause").text == "Pause"
    asked = page.browser.run("return window.sent")
    assert page.browser.run(SEEN_AGAIN) == asked
    page.browser.find("#pause[aria-pressed=true]").click()
    assert page.browser.run(SEEN_AGAIN) == asked + 1


def test_events_end_where_the_session_does(place: Site, chromedriver: httpx.Client) -> None:
    with signed_in(place, chromedriver) as page:
        page.open("/admin/events")
        page.site.sql(f"DELETE FROM sessions WHERE user_id = '{page.administrator.id}'")
        page.browser.run(SEEN_AGAIN)
        page.browser.waits_for("This page may see no more.", "#live")
        assert not page.browser.all("#pause")[0].is_shown


def test_events_are_filtered_by_the_form(page: Page) -> None:
    somebody = page.site.sign_up("filtered")
    page.open("/admin/events")
    page.browser.field("User: id or address").fill(somebody.email)
    page.browser.button("Show").click()
    page.browser.until("return location.search.includes('filtered')")
    texts = [row.text for row in page.browser.all("#events tbody tr")]
    assert len(texts) == 3
    assert all(somebody.email in text for text in texts)


def test_sample_is_copied(page: Page) -> None:
    page.browser.allow_clipboard(BASE)
    page.open("/admin")
    page.open_details()
    page.browser.button("Copy: The users who came last, curl").click()
    page.browser.waits_for("Copied.", "#copied")
    copied = page.browser.run("return navigator.clipboard.readText()")
    assert copied.startswith(f"curl '{BASE}/rest/v1/users?select=id,name,email,created_at&")


def test_plot_is_a_picture_with_a_name_and_a_table(page: Page) -> None:
    page.open("/admin")
    tree = page.browser.devtools("Accessibility.getFullAXTree")["nodes"]
    pictures = [node for node in tree if node.get("role", {}).get("value") in ("image", "img")]
    names = [node["name"]["value"] for node in pictures]
    assert any(
        name.startswith("Sign-ups a day") and "at most 29,000,000,000 a day" in name
        for name in names
    )
    page.open_details()
    assert "29,000,000,000" in page.browser.text("table.numbers")
