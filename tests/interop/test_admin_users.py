"""The page ``/admin`` in a real Chromium: the sign-in, the search, one user and every action."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

import httpx
import pytest

from tests.browser import Browser
from tests.integration.test_admin_users import HOSTILE
from tests.integration.test_running import Dev, dev
from tests.support import ROOT, Server, wait_until

PASSWORD: Final = "lovely analytical engine"
TAB, ENTER, BACK, LEFT = "\ue004", "\ue007", "\ue003", "\ue012"
PHONE: Final = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
)
OPEN: Final = "for (const each of document.querySelectorAll('details')) each.open = true"


@dataclass(frozen=True)
class Place:
    """The service and its database."""

    service: Dev
    postgres: Server
    database: str

    def sql(self, text: str) -> str:
        return self.postgres.sql(text, self.database)

    def sign_up(self, email: str, name: str = "Ada", role: str = "user") -> str:
        """The id of somebody new, with one session."""
        body = {"name": name, "email": email, "password": PASSWORD}
        answer = httpx.post(f"{self.service.url}/api/auth/sign-up/email", json=body, timeout=30)
        user_id = answer.raise_for_status().json()["user"]["id"]
        self.sql(f"UPDATE users SET role = '{role}' WHERE id = '{user_id}'")
        return user_id

    def sign_in(self, email: str, agent: str, password: str = PASSWORD) -> httpx.Response:
        body = {"email": email, "password": password}
        path = f"{self.service.url}/api/auth/sign-in/email"
        return httpx.post(path, json=body, headers={"user-agent": agent}, timeout=30)

    def mails(self, email: str) -> list[str]:
        """The kinds of mails to an address."""
        file = self.service.output.parent / ".gatepost" / "mail.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        return [mail["kind"] for mail in map(json.loads, lines) if mail["email"] == email]


@dataclass(frozen=True)
class Page:
    """The page in a browser."""

    browser: Browser
    place: Place

    def open(self, path: str) -> None:
        self.browser.open(f"{self.place.service.url}{path}")

    def sign_in(self, path: str = "/admin/users", email: str = "root@example.com") -> None:
        self.open(path)
        self.browser.field("Email address").fill(email)
        self.browser.field("Password").fill(PASSWORD)
        self.browser.button("Sign in").click()
        self.at(path)

    def at(self, path: str) -> None:
        wait_until(lambda: self.path == path, f"{path}, not {self.browser.url}")

    @property
    def path(self) -> str:
        url = urlsplit(self.browser.url)
        return url.path + (f"?{url.query}" if url.query else "")

    def act(self, action: str) -> None:
        """Open an action with the keyboard."""
        self.browser.run(
            "for (const each of document.querySelectorAll('summary'))"
            "  if (each.textContent === arguments[0]) each.focus()",
            action,
        )
        self.browser.press(ENTER)

    def done(self, text: str) -> None:
        self.browser.waits_for(text, "#done")

    @property
    def shown(self) -> list[str]:
        """The addresses in the list."""
        return self.browser.run(
            "return [...document.querySelectorAll('tbody th')].map((each) => each.innerText)"
        )


@pytest.fixture(scope="module")
def place(
    node: Path,
    postgres: Server,
    module_database_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Place]:
    """``gatepost dev``, which has the page on; axe-core comes with Node's packages."""
    folder = tmp_path_factory.mktemp("dev")
    with dev(folder, PYTHONPATH=str(ROOT), DATABASE_URL=module_database_url) as running:
        assert running.line("Admin").startswith(f"{running.url}/admin ")
        found = Place(running, postgres, urlsplit(module_database_url).path[1:])
        found.sign_up("root@example.com", "Root", "admin")
        yield found


@pytest.fixture
def page(browser: Browser, place: Place) -> Iterator[Page]:
    """The page. At the end it has asked nobody else, and broken no policy."""
    browser.resize(1280)
    yield Page(browser, place)
    asked = browser.requests()
    assert [url for url in asked if not url.startswith(f"{place.service.url}/")] == []
    assert [line for line in browser.console() if "status of 4" not in line] == []


def test_administrator_signs_in_by_keyboard(page: Page) -> None:
    page.open("/admin/users?q=root")
    page.browser.until("return document.activeElement.name === 'email'")
    page.browser.press("root@example.com", TAB, "not the right one", ENTER)
    page.browser.waits_for("Invalid email or password", "#problem")
    page.browser.press(*[BACK] * 17, PASSWORD, ENTER)
    page.at("/admin/users?q=root")
    assert page.shown == ["root@example.com"]
    page.browser.button("Sign out").click()
    page.at("/admin/sign-in")


def test_somebody_without_the_role_can_sign_in_as_somebody_else(page: Page) -> None:
    page.place.sign_up("nobody@example.com")
    page.sign_in("/admin/users?q=nobody", "nobody@example.com")
    page.browser.waits_for("whose role may not see this")
    page.browser.button("Sign in as somebody else").click()
    page.at(f"/admin/sign-in?next={quote('/admin/users?q=nobody', safe='/')}")
    page.browser.field("Email address").fill("root@example.com")
    page.browser.field("Password").fill(PASSWORD)
    page.browser.button("Sign in").click()
    page.at("/admin/users?q=nobody")


def test_search_answers_as_one_types_and_leaves_the_focus_alone(page: Page) -> None:
    for number in range(60):
        page.place.sql(f"INSERT INTO users (name, email) VALUES ('n', 'typed{number:02}@a.co')")
    page.sign_in()
    page.browser.find("input[name=q]").click()
    page.browser.press("tyed", LEFT, LEFT, "p")
    page.browser.waits_for("50 users, and more", "#said")
    assert page.shown == [f"typed{number:02}@a.co" for number in range(50)]
    assert page.path == "/admin/users?q=typed"
    state = "const e = document.activeElement; return [e.name, e.selectionStart, e.value]"
    assert page.browser.run(state) == ["q", 3, "typed"]
    page.browser.press("\ue010", "59")  # End
    page.browser.waits_for("1 user", "#said")
    assert page.shown == ["typed59@a.co"]
    page.browser.press("x")
    page.browser.waits_for("Nobody", "#said")
    page.browser.press(BACK, BACK, BACK)
    page.browser.waits_for("50 users", "#said")
    page.browser.link("Next").click()
    page.browser.waits_for("typed59@a.co")
    assert len(page.shown) == 10
    page.browser.link("Back").click()
    page.browser.waits_for("typed00@a.co")
    page.browser.link("Administrators").click()
    page.browser.waits_for("root@example.com", "tbody")
    assert page.browser.find("input[name=q]").value == ""
    page.place.sql("DELETE FROM users WHERE email LIKE 'typed%'")


def test_search_goes_to_the_sign_in_when_the_session_has_ended(page: Page) -> None:
    page.sign_in()
    page.place.sql(
        "DELETE FROM sessions WHERE user_id IN"
        " (SELECT id FROM users WHERE email = 'root@example.com')"
    )
    page.browser.find("input[name=q]").click()
    page.browser.press("a")
    page.browser.field("Password")
    page.at(f"/admin/sign-in?next={quote('/admin/users?q=a', safe='')}")


def test_search_works_without_the_script(page: Page) -> None:
    page.sign_in()
    page.browser.devtools("Emulation.setScriptExecutionDisabled", value=True)
    page.open("/admin/users")
    page.browser.find("input[name=q]").fill("root")
    page.browser.button("Search").click()
    page.at("/admin/users?q=root")
    page.browser.devtools("Emulation.setScriptExecutionDisabled", value=False)


def test_every_action_on_a_user_is_done(page: Page) -> None:
    place, browser = page.place, page.browser
    user_id = place.sign_up("acted@example.com", "Ada")
    place.sign_in("acted@example.com", PHONE)
    row = f"FROM users WHERE id = '{user_id}'"
    page.sign_in(f"/admin/users/{user_id}")

    page.act("Change the name")
    browser.field("Name").fill("Ada Lovelace")
    browser.press(ENTER)
    page.done("The name is changed.")
    assert place.sql(f"SELECT name {row}") == "Ada Lovelace"

    page.act("Change the address")
    browser.field("New address").fill("root@example.com")
    browser.press(ENTER)
    browser.waits_for("User already exists", "#problem")
    browser.field("New address").fill("Lovelace@example.com")
    browser.press(ENTER)
    page.done("The address is changed.")
    assert browser.text("h1") == "lovelace@example.com"

    page.act("Verify the address")
    browser.button("Send the verification mail").click()
    page.done("The mail is on its way.")
    assert place.mails("lovelace@example.com") == ["verify-email"]
    browser.button("Count it as verified").click()
    page.done("The address counts as verified.")
    assert place.sql(f"SELECT email_verified {row}") == "t"

    page.act("New password")
    browser.button("Send the mail to reset it").click()
    page.done("The mail is on its way.")
    assert place.mails("lovelace@example.com")[1:] == ["reset-password"]
    browser.field("New password").fill("short")
    browser.button("Set the password").click()
    browser.waits_for("Password too short", "#problem")
    browser.field("New password").fill("another lovely engine")
    browser.button("Set the password").click()
    page.done("The password is set.")
    browser.waits_for("None.", "#content")
    assert place.sign_in("lovelace@example.com", PHONE, "another lovely engine").is_success
    assert place.sign_in("lovelace@example.com", "curl/8.5.0", "another lovely engine").is_success

    page.open(page.path)
    browser.waits_for("Mobile Safari 18 on iOS 18", "table")
    ends = browser.all("form[data-api='/admin/revoke-device'] button")
    assert len(ends) == 2
    ends[0].click()
    page.done("The session has ended.")
    assert place.sql(f"SELECT user_agent FROM sessions WHERE user_id = '{user_id}'") == PHONE
    browser.button("End all sessions").click()
    page.done("All sessions have ended.")
    assert place.sql(f"SELECT count(*) FROM sessions WHERE user_id = '{user_id}'") == "0"

    page.act("Set the role")
    browser.field("Role, or several with commas").fill("editor, support")
    browser.button("Set the role").click()
    page.done("The role is set.")
    assert place.sql(f"SELECT role {row}") == "editor,support"

    limits = f"FROM session_policies WHERE user_id = '{user_id}'"
    limits = f"SELECT lifetime, idle_lifetime, max_sessions {limits}"
    page.act("Limit the sessions")
    browser.find("select[name=lifetime] option[value='28800']").click()
    browser.find("select[name=idleLifetime] option[value='1800']").click()
    browser.field("Sessions at a time").fill("2")
    browser.button("Limit the sessions").click()
    page.done("The limits are set.")
    assert place.sql(limits) == "28800|1800|2"
    browser.waits_for(
        "At most 2 at a time, each for 8h at most, and for 30m without use", "#content"
    )
    page.act("Limit the sessions")
    for name in ("lifetime", "idleLifetime"):
        browser.find(f"select[name={name}] option[value='']").click()
    browser.field("Sessions at a time").fill("")
    browser.button("Limit the sessions").click()
    page.done("The limits are set.")
    assert place.sql(limits) in ("", "||")

    page.act("Ban")
    browser.field("Reason").fill("spam")
    browser.find("select[name=banExpiresIn] option[value='3600']").click()
    browser.button("Ban the user").click()
    page.done("The user is banned.")
    assert place.sql(f"SELECT banned, ban_reason, ban_expires < now() + '1 h' {row}") == "t|spam|t"
    assert place.sign_in("lovelace@example.com", PHONE, "another lovely engine").status_code == 403
    page.act("Lift the ban")
    browser.button("Lift the ban").click()
    page.done("The ban is lifted.")

    page.act("Export")
    assert browser.link("Download the export").is_shown
    got = browser.run("return fetch(location.pathname + '/export').then((got) => got.json())")
    assert got["user"]["email"] == "lovelace@example.com"

    page.act("Impersonate")
    browser.button("Impersonate the user").click()
    browser.waits_for("You act as lovelace@example.com", ".acting")
    browser.waits_for("whose role may not see this")
    who = "return fetch('/api/auth/get-session').then((got) => got.json())"
    assert browser.run(who)["user"]["id"] == user_id
    browser.button("Stop impersonating").click()
    page.done("You are yourself again.")
    assert browser.run(who)["user"]["email"] == "root@example.com"

    page.act("Delete")
    browser.field("Type the address to confirm").fill("lovelace")
    browser.button("Delete the user").click()
    browser.waits_for("Type lovelace@example.com to confirm.", "#problem")
    assert place.sql(f"SELECT count(*) {row}") == "1"
    browser.field("Type the address to confirm").fill("lovelace@example.com")
    browser.button("Delete the user").click()
    page.done("The user is deleted.")
    page.at("/admin/users")
    assert place.sql(f"SELECT count(*) {row}") == "0"
    assert "lovelace@example.com" not in page.shown


def test_what_the_plugin_refuses_is_said(page: Page) -> None:
    place, browser = page.place, page.browser
    root = place.sql("SELECT id FROM users WHERE email = 'root@example.com'")
    page.sign_in(f"/admin/users/{root}")
    page.act("Set the role")
    browser.field("Role, or several with commas").fill("user")
    browser.button("Set the role").click()
    browser.waits_for("administrator", "#problem")
    page.act("Ban")
    browser.button("Ban the user").click()
    browser.waits_for("You cannot ban yourself", "#problem")
    page.act("Delete")
    browser.field("Type the address to confirm").fill("root@example.com")
    browser.button("Delete the user").click()
    browser.waits_for("You cannot remove yourself", "#problem")
    assert place.sql(f"SELECT role, banned FROM users WHERE id = '{root}'") == "admin|f"


def test_hostile_texts_run_nothing_and_break_nothing(page: Page) -> None:
    place, browser = page.place, page.browser
    page.sign_in()
    for number, text in enumerate(HOSTILE):
        quoted = f"$x${text}$x$"
        user_id = place.sql(
            f"""
            WITH u AS (
                INSERT INTO users (name, email, image, role, banned, ban_reason)
                VALUES ({quoted}, $x$evil{number}"><script>@example.com$x$, {quoted}, {quoted},
                        true, {quoted}) RETURNING id),
            a AS (
                INSERT INTO accounts (user_id, provider_id, account_id, scope)
                SELECT id, {quoted}, {quoted}, {quoted} FROM u),
            s AS (
                INSERT INTO sessions (user_id, token, expires_at, ip_address, user_agent)
                SELECT id, md5(id::text), now() + interval '1 h', left({quoted}, 45), {quoted}
                FROM u)
            SELECT id FROM u
            """
        )
        page.open(f"/admin/users/{user_id}")
        browser.waits_for(f'evil{number}"><script>@example.com', "h1")
        browser.run(OPEN)
        assert browser.run("return document.title").startswith(f"evil{number}")
        assert browser.run("return document.querySelectorAll('main img, main svg').length") == 0
        scripts = browser.run("return [...document.scripts].map((each) => each.src)")
        static = f"{place.service.url}/admin/static"
        assert scripts == [f"{static}/admin.js", f"{static}/try-it.js"]
        assert browser.run("return document.querySelectorAll('main').length") == 1
        browser.field("Type the address to confirm")
    page.open("/admin/users")
    browser.find("input[name=q]").fill("evil")
    browser.waits_for(f"{len(HOSTILE)} users", "#said")
    assert page.shown[0] == 'evil0"><script>@example.com'
    browser.find("input[name=q]").fill(HOSTILE[1])
    browser.waits_for("Nobody", "#said")
    assert browser.run("return document.title") == "Users · Gatepost"
    place.sql("DELETE FROM users WHERE email LIKE 'evil%'")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_screens_are_accessible_and_no_wider_than_the_window(page: Page, scheme: str) -> None:
    place, browser = page.place, page.browser
    browser.prefer(scheme)
    user_id = place.sign_up(f"{scheme}.{'a' * 50}@example.com", "A" * 60)
    place.sign_in(f"{scheme}.{'a' * 50}@example.com", "x" * 200)
    place.sql(
        f"UPDATE users SET image = '{'i' * 300}', role = '{'r' * 100}' WHERE id = '{user_id}';"
        "INSERT INTO sessions (user_id, token, user_agent, created_at, expires_at)"
        f" VALUES ('{user_id}', md5('{user_id}'), 'old', now() - interval '2 h',"
        " now() - interval '1 h')"
    )
    root = place.sql("SELECT id FROM users WHERE email = 'root@example.com'")

    def check() -> None:
        for width in (320, 1280):
            browser.resize(width)
            browser.run(OPEN)
            assert browser.overflow == 0, (browser.url, width)
            assert browser.accessibility_violations() == [], (browser.url, width)
        browser.resize(1280)

    page.open("/admin/sign-in?error=banned")
    check()
    page.sign_in()
    for path in (
        "/admin/users",
        "/admin/users?q=nobody.at.all",
        f"/admin/users/{user_id}",
        f"/admin/users/{root}",
        "/admin/nowhere",
    ):
        page.open(path)
        check()
    page.open(f"/admin/users/{user_id}")
    page.act("Impersonate")
    browser.button("Impersonate the user").click()
    browser.waits_for("You act as", ".acting")
    check()
