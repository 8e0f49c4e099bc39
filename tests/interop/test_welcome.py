"""The page of the development server in a real Chromium, and the bundle of the official client."""

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path

import httpx
import pytest

from app.devserver.welcome import STATIC
from tests.browser import Browser, new_browser
from tests.integration.test_running import Dev, dev
from tests.support import ROOT

PASSWORD = "lovely analytical engine"
FOCUS = "return document.activeElement.id === arguments[0]"
_numbers = count(1)


@dataclass(frozen=True)
class Page:
    """The page in a browser, and the service that it belongs to."""

    browser: Browser
    service: Dev
    folder: Path

    def sign_up(self, name: str = "Ada Lovelace") -> str:
        """Sign somebody up by the form; gives the address."""
        email = f"ada{next(_numbers)}@example.com"
        self.browser.field("Name").fill(name)
        self.browser.field("Email address").fill(email)
        self.browser.field("Password").fill(PASSWORD)
        self.browser.button("Sign up").click()
        self.browser.waits_for("You are signed up, and signed in.", "#message")
        return email

    def sign_in(self, email: str, password: str = PASSWORD) -> None:
        self.browser.label("Sign in").click()
        self.browser.field("Email address").fill(email)
        self.browser.field("Password").fill(password)
        self.browser.button("Sign in").click()

    @contextmanager
    def other_device(self, email: str, agent: str) -> Iterator[httpx.Client]:
        """A second session of the same person, of another client."""
        headers = {"User-Agent": agent}
        with httpx.Client(base_url=self.service.url, headers=headers, timeout=30) as client:
            body = {"email": email, "password": PASSWORD}
            client.post("/api/auth/sign-in/email", json=body).raise_for_status()
            yield client

    def open_mail(self, subject: str, email: str, link: str) -> None:
        """Follow the link of the newest mail, which must be this one."""
        self.browser.waits_for(subject, "#mails")
        newest = self.browser.find("#mails li").text
        assert newest.startswith(f"{subject}\nto {email}\n")
        self.browser.link(link).click()


@pytest.fixture(scope="module")
def service(
    node: Path, module_database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Dev]:
    """``gatepost dev`` in a folder of its own; axe-core comes with Node's packages."""
    folder = tmp_path_factory.mktemp("dev")
    with dev(folder, PYTHONPATH=str(ROOT), DATABASE_URL=module_database_url) as running:
        yield running


@pytest.fixture
def page(browser: Browser, service: Dev) -> Iterator[Page]:
    """The page, just opened. At the end it has asked nobody else, and broken no policy."""
    browser.resize(1280)
    browser.open(service.url)
    browser.button("Sign up")
    yield Page(browser, service, service.output.parent)
    asked = browser.requests()
    assert f"{service.url}/dev/page.js" in asked
    assert [url for url in asked if not url.startswith(f"{service.url}/")] == []
    assert browser.console() == []


def test_person_signs_up_out_and_in(page: Page) -> None:
    email = page.sign_up()
    assert page.browser.text("#user-name") == "Signed in as Ada Lovelace"
    assert email in page.service.users
    page.browser.button("Sign out").click()
    page.browser.waits_for("You are signed out.", "#message")
    assert page.browser.run("return fetch('/api/auth/get-session').then(r => r.json())") is None
    page.sign_in(email)
    page.browser.waits_for("You are signed in.", "#message")
    assert page.browser.text("#user-email") == email
    page.browser.open(page.service.url)  # the session is a cookie's, and not the page's
    page.browser.waits_for("Signed in as Ada Lovelace", "#user-name")


def test_wrong_password_is_said(page: Page) -> None:
    page.sign_in("nobody@example.com", "not the right one")
    page.browser.waits_for("Invalid email or password", "#message.failed")
    assert page.browser.field("Email address").value == "nobody@example.com"
    assert any("401" in line for line in page.browser.console())


def test_session_of_another_device_is_ended(page: Page) -> None:
    email = page.sign_up()
    with page.other_device(email, "curl/8.5.0") as other:
        assert other.get("/api/auth/get-session").json()["user"]["email"] == email
        page.browser.button("Refresh").click()
        page.browser.waits_for("curl", "#devices")
        devices = [element.text.splitlines()[0] for element in page.browser.all("#devices li")]
        assert devices == ["curl", "Chrome on Linux"]
        page.browser.button("End session of curl").click()
        page.browser.waits_for("The session of curl has ended.", "#message")
        assert other.get("/api/auth/get-session").json() is None
    assert [element.text.splitlines()[0] for element in page.browser.all("#devices li")] == [
        "Chrome on Linux"
    ]
    assert page.browser.text("#user-email") == email


def test_address_is_verified_by_the_link_of_its_mail(page: Page) -> None:
    email = page.sign_up()
    assert page.browser.text("#user-verified") == "not verified"
    page.browser.button("Send a verification mail").click()
    page.open_mail("Verify your email address", email, "Verify this address")
    page.browser.waits_for("The address is verified.", "#message")
    assert page.browser.text("#user-verified") == "verified"
    assert page.browser.url == f"{page.service.url}/"


def test_password_is_reset_by_the_link_of_its_mail(page: Page) -> None:
    email = page.sign_up()
    page.browser.button("Sign out").click()
    page.browser.waits_for("You are signed out.", "#message")
    page.browser.label("Sign in").click()
    page.browser.button("Forgot the password?").click()
    page.open_mail("Reset your password", email, "Choose a new password")
    page.browser.field("New password").fill("another analytical engine")
    assert page.browser.url == f"{page.service.url}/"  # the token has left the address
    page.browser.button("Change the password").click()
    page.browser.waits_for("The password is changed. Sign in with the new one.", "#message")
    page.sign_in(email, "another analytical engine")
    page.browser.waits_for("You are signed in.", "#message")
    assert page.browser.text("#user-email") == email


# ---- the local provider ----


def at_provider(
    page: Page, email: str, *, name: str = "Ada Lovelace", verified: bool = True
) -> None:
    """Fill in the form of the local provider."""
    page.browser.waits_for("believes whatever you type")
    page.browser.field("Name").fill(name)
    page.browser.field("Email address").fill(email)
    if not verified:
        page.browser.label("The provider says that this address is verified").click()
    page.browser.button("Continue").click()


def test_person_signs_in_with_the_local_provider(page: Page) -> None:
    email = f"ada{next(_numbers)}@example.com"
    for _ in range(2):  # a new user, and the same one again
        page.browser.button("The local provider").click()
        at_provider(page, email)
        page.browser.waits_for("You are signed in.", "#message")
        assert page.browser.text("#user-name") == "Signed in as Ada Lovelace"
        assert page.browser.text("#user-email") == email
        assert page.browser.text("#user-verified") == "verified"
        assert page.browser.text("#accounts li").startswith("The local provider\nsince ")
        assert page.browser.url == f"{page.service.url}/"
        page.browser.button("Sign out").click()
        page.browser.waits_for("You are signed out.", "#message")
    assert page.service.users.count(email) == 1


def test_account_is_linked_and_unlinked(page: Page) -> None:
    email = page.sign_up()
    assert [each.text.splitlines()[0] for each in page.browser.all("#accounts li")] == ["Password"]
    page.browser.button("Link the local provider").click()
    at_provider(page, email)
    page.browser.waits_for("The local provider", "#accounts")
    assert page.browser.text("#user-email") == email
    page.browser.button("Unlink The local provider").click()
    page.browser.waits_for("The local provider is unlinked.", "#message")
    page.browser.waits_for("the only one", "#accounts")
    assert [each.text.splitlines()[0] for each in page.browser.all("#accounts li")] == ["Password"]
    page.browser.button("Link the local provider").click()
    at_provider(page, "else@example.com")
    text = "The local provider did not sign you in: email does not match."
    page.browser.waits_for(text, "#message.failed")


LATE_STATE = """
const ask = window.fetch;
window.fetch = async (...given) => {
  if (given[0] === "/dev/state") await new Promise((resolve) => setTimeout(resolve, 1000));
  return ask(...given);
};
// which would have the page ask once more
window.addEventListener("focus", (event) => event.stopImmediatePropagation());
"""


def test_account_has_the_name_of_its_provider_whichever_answer_comes_first(page: Page) -> None:
    page.browser.button("The local provider").click()
    at_provider(page, f"ada{next(_numbers)}@example.com")
    page.browser.waits_for("You are signed in.", "#message")
    name = "Page.addScriptToEvaluateOnNewDocument"
    added = page.browser.devtools(name, source=LATE_STATE)
    try:
        page.browser.open(page.service.url)
        page.browser.waits_for("The local provider", "#accounts")
    finally:
        page.browser.devtools(name.replace("add", "remove"), **added)


def test_address_that_nobody_has_verified_joins_nobody(page: Page) -> None:
    email = page.sign_up()
    page.browser.button("Sign out").click()
    page.browser.waits_for("You are signed out.", "#message")
    page.browser.button("The local provider").click()
    at_provider(page, email)
    text = "The local provider did not sign you in: account not linked."
    page.browser.waits_for(text, "#message.failed")
    page.browser.button("The local provider").click()
    page.browser.button("Cancel").click()
    page.browser.waits_for("did not sign you in: access denied.", "#message.failed")
    page.browser.button("The local provider").click()
    at_provider(page, f"new{email}", verified=False)
    page.browser.waits_for("You are signed in.", "#message")
    assert page.browser.text("#user-verified") == "not verified"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_of_the_local_provider_is_accessible(page: Page, scheme: str) -> None:
    page.browser.prefer(scheme)
    page.browser.resize(320)
    page.browser.button("The local provider").click()
    page.browser.waits_for("believes whatever you type")
    assert page.browser.accessibility_violations() == []
    assert page.browser.overflow == 0
    email = f"ada{next(_numbers)}@example.com"
    page.browser.until(FOCUS, "email")
    page.browser.press(email, "\ue007")  # Enter
    page.browser.waits_for("You are signed in.", "#message")
    assert page.browser.accessibility_violations() == []
    assert page.browser.overflow == 0


MARKUP = "<img src=x onerror='document.title=1'><b>bold</b>"


def test_markup_of_people_is_shown_as_text(page: Page) -> None:
    email = page.sign_up(name=MARKUP)
    mail = {"kind": MARKUP, "email": MARKUP, "url": "javascript:document.title=1"}
    with (page.folder / ".gatepost" / "mail.jsonl").open("a") as file:
        file.write(json.dumps(mail) + "\n")
    with page.other_device(email, MARKUP):
        page.browser.button("Refresh").click()
        page.browser.waits_for(MARKUP, "#devices")
    page.browser.waits_for(MARKUP, "#mails")
    assert page.browser.text("#user-name") == f"Signed in as {MARKUP}"
    assert page.browser.text("#devices li strong") == MARKUP
    assert page.browser.text("#mails li").splitlines() == [MARKUP, f"to {MARKUP}"]
    assert page.browser.all("main img, main b") == []
    assert page.browser.all("a[href^=javascript]") == []
    assert page.browser.run("return document.title") == "Gatepost is running"


def test_policy_stops_a_script_that_got_into_the_page(page: Page) -> None:
    page.browser.run(
        "const s = document.createElement('script'); try { s.textContent = 'window.bad = 1' }"
        "catch {} document.body.append(s)"
    )
    assert page.browser.run("return window.bad") is None
    assert any("Trusted" in line for line in page.browser.console())


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_is_accessible(page: Page, scheme: str) -> None:
    page.browser.prefer(scheme)
    assert page.browser.accessibility_violations() == []
    email = page.sign_up()
    with page.other_device(email, "curl/8.5.0"):
        page.browser.button("Send a verification mail").click()
        page.browser.waits_for(f"to {email}", "#mails")
    page.browser.run("for (const each of document.querySelectorAll('details')) each.open = true")
    assert page.browser.accessibility_violations() == []


def test_axe_finds_what_is_wrong(page: Page) -> None:
    page.browser.run("document.querySelector('label[for=email]').remove()")
    assert page.browser.accessibility_violations() == ["label: ['#email']"]


@pytest.mark.parametrize("width", [320, 768, 1920])
def test_page_is_no_wider_than_the_window(page: Page, width: int) -> None:
    page.browser.resize(width)
    assert page.browser.overflow == 0
    email = page.sign_up(name="A" * 60)
    with page.other_device(email, "x" * 200):
        page.browser.button("Send a verification mail").click()
        page.browser.waits_for(f"to {email}", "#mails")
    page.browser.run("for (const each of document.querySelectorAll('details')) each.open = true")
    assert page.browser.overflow == 0


def test_page_is_used_by_keyboard_alone(page: Page) -> None:
    email = f"ada{next(_numbers)}@example.com"
    page.browser.press("\ue004")  # Tab, to the switch
    page.browser.press("\ue004", "Ada", "\ue004", email, "\ue004", PASSWORD, "\ue007")  # Enter
    page.browser.waits_for("You are signed up, and signed in.", "#message")
    # the next Tab goes on from there
    page.browser.until(FOCUS, "user-name")
    page.browser.press("\ue004", "\ue004", " ")  # past the verification mail
    page.browser.waits_for("You are signed out.", "#message")
    page.browser.until(FOCUS, "email")


def test_copy_button_copies_the_command(page: Page) -> None:
    page.browser.allow_clipboard(page.service.url)
    page.browser.button("Copy the command for the REST API").click()
    page.browser.waits_for("Copied", ".copy")
    copied = page.browser.until("return navigator.clipboard.readText()")
    assert copied == page.browser.text("#command-rest")
    assert copied.startswith(f"curl '{page.service.url}/rest/v1/users?")


# ---- strangers ----


@contextmanager
def another_site() -> Iterator[str]:
    """An empty page on another port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()


READ = """
    const [url, mode] = arguments;
    return fetch(url, { mode, credentials: "include" }).then((r) => r.text(), () => "refused");
"""


def test_page_of_another_site_cannot_read_the_mails(browser: Browser, service: Dev) -> None:
    state = f"{service.url}/dev/state"
    with another_site() as url:
        browser.open(url)
        for mode in ("cors", "no-cors"):
            assert browser.run(READ, state, mode) == "refused"
        browser.console()
        browser.run(
            "const f = document.createElement('iframe'); f.src = arguments[0];"
            "document.body.append(f); return new Promise((done) => f.onload = done)",
            service.url,
        )
        assert any("frame-ancestors" in line for line in browser.console())
    browser.open(service.url)
    assert "mailFile" in browser.run(READ, state, "cors")


def test_name_of_a_stranger_that_leads_here_shows_nothing(
    chromedriver: httpx.Client, service: Dev
) -> None:
    port = service.url.rpartition(":")[2]
    with new_browser(chromedriver, "--host-resolver-rules=MAP evil.example 127.0.0.1") as browser:
        browser.open(f"http://evil.example:{port}/")
        browser.waits_for("A browser on its own machine sees more of it.")
        browser.open(f"http://evil.example:{port}/readyz")  # a page without a policy of its own
        read = browser.run(READ, "/dev/state", "same-origin")
    assert read == "Only a browser on the service's own machine may see this.\n"


# ---- the bundle ----


def test_bundle_is_what_its_packages_give(node: Path, tmp_path: Path) -> None:
    subprocess.run(
        [node, ROOT / "scripts" / "assets" / "build.mjs", tmp_path], check=True, timeout=120
    )
    built = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert built == {file.name: file.read_bytes() for file in STATIC.glob("better-auth-client*")}, (
        "make assets"
    )
    version = json.loads((ROOT / "scripts" / "assets" / "package.json").read_text())
    assert version["devDependencies"]["better-auth"].encode() in built["better-auth-client.js"]
    assert b"MIT" in built["better-auth-client.LICENSE.txt"]
