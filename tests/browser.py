"""A real Chromium, driven over the W3C WebDriver protocol by Debian's chromedriver.

What a person sees is found by what it is called: ``browser.button("Sign up")``. It is waited for,
so no test has to sleep.

    def test_page_greets(browser: Browser) -> None:
        browser.open("http://127.0.0.1:8000/")
        assert browser.text("h1") == "Gatepost is running"
"""

import json
import os
import shutil
import signal
import subprocess
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from tests.support import ROOT, wait_until

PROGRAMS: Final = ("chromium", "chromedriver")
_AXE: Final = ROOT / "tests" / "interop" / "browser" / "node_modules" / "axe-core" / "axe.min.js"
_ELEMENT: Final = "element-6066-11e4-a52e-4f735466cecf"
"""The key of a reference to an element, from the standard."""
_ARGUMENTS: Final = (
    "--headless=new", "--disable-gpu", "--disable-background-networking", "--disable-sync",
    "--disable-component-update", "--disable-dev-shm-usage", "--no-first-run",
)  # fmt: skip


def missing_program() -> str | None:
    """What a browser needs and this machine does not have."""
    return next((name for name in PROGRAMS if shutil.which(name) is None), None)


class Element:
    """Something on the page."""

    def __init__(self, browser: "Browser", reference: str) -> None:
        self._browser = browser
        self._reference = reference

    def _get(self, what: str) -> Any:
        return self._browser.command("GET", f"/element/{self._reference}/{what}")

    @property
    def text(self) -> str:
        """As it is shown."""
        return self._get("text")

    @property
    def is_shown(self) -> bool:
        return self._get("displayed")

    @property
    def value(self) -> str:
        """What is in a field."""
        return self._get("property/value")

    def click(self) -> None:
        self._browser.command("POST", f"/element/{self._reference}/click", {})

    def fill(self, text: str) -> None:
        """Type a text in place of what was there."""
        self._browser.command("POST", f"/element/{self._reference}/clear", {})
        self._browser.command("POST", f"/element/{self._reference}/value", {"text": text})


class Browser:
    """A window with a profile of its own."""

    def __init__(self, driver: httpx.Client, session: str) -> None:
        self._driver = driver
        self._session = session

    def command(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """A command of the protocol, below the session."""
        return _value(self._driver.request(method, f"/session/{self._session}{path}", json=body))

    def devtools(self, name: str, **parameters: Any) -> Any:
        """A command of the DevTools protocol."""
        body = {"cmd": name, "params": parameters}
        return self.command("POST", "/goog/cdp/execute", body)

    def open(self, url: str) -> None:
        self.command("POST", "/url", {"url": url})

    @property
    def url(self) -> str:
        return self.command("GET", "/url")

    def cookies(self) -> dict[str, str]:
        """Those of the page, HttpOnly ones too."""
        return {name: cookie["value"] for name, cookie in self.cookie_details().items()}

    def cookie_details(self) -> dict[str, dict[str, Any]]:
        """The same with their attributes, as the protocol has them."""
        return {cookie["name"]: cookie for cookie in self.command("GET", "/cookie")}

    def press(self, *texts: str) -> None:
        """Type where the focus is; keys without a character are those of the standard."""
        keys = [
            {"type": kind, "value": key} for key in "".join(texts) for kind in ("keyDown", "keyUp")
        ]
        self.command("POST", "/actions", {"actions": [{"type": "key", "id": "k", "actions": keys}]})

    def allow_clipboard(self, origin: str) -> None:
        """Let the pages of an origin read it, which asks a person otherwise."""
        permissions = ["clipboardReadWrite", "clipboardSanitizedWrite"]
        self.devtools("Browser.grantPermissions", origin=origin, permissions=permissions)

    def run(self, script: str, *arguments: Any) -> Any:
        """The value that the body of a function gives, or the promise it returns."""
        body = {"script": script, "args": [*arguments]}
        return self.command("POST", "/execute/sync", body)

    def run_async(self, script: str, *arguments: Any) -> Any:
        """What the body of an async function gives; its arguments are ``args``."""
        return self.run(
            f"const args = arguments; return (async () => {{ {script} }})()", *arguments
        )

    def until(self, script: str, *arguments: Any) -> Any:
        """What the body of a function gives, once it is true."""
        found: list[Any] = []

        def look() -> bool:
            found[:] = [self.run(script, *arguments)]
            return bool(found[0])

        wait_until(look, script)
        return found[0]

    # ---- what is on the page ----

    def all(self, selector: str) -> list[Element]:
        """What a CSS selector finds now, shown or not."""
        return self._find("css selector", selector)

    def find(self, selector: str) -> Element:
        """The first that is shown of what a CSS selector finds."""
        return self._shown("css selector", selector)

    def text(self, selector: str) -> str:
        return self.find(selector).text

    def button(self, name: str) -> Element:
        """The button that is called ``name``: by its label, or else by what is on it."""
        path = f"//button[@aria-label={_quoted(name)} or normalize-space()={_quoted(name)}]"
        return self._shown("xpath", path)

    def link(self, name: str) -> Element:
        return self._shown("xpath", f"//a[normalize-space()={_quoted(name)}]")

    def label(self, text: str) -> Element:
        """A label, to click where what it belongs to is drawn by it."""
        return self._shown("xpath", f"//label[normalize-space()={_quoted(text)}]")

    def field(self, label: str) -> Element:
        """The field that a label belongs to, or contains."""
        of = f"//label[normalize-space()={_quoted(label)}]"
        return self._shown("xpath", f"//input[@id={of}/@for] | {of}//input")

    def waits_for(self, text: str, selector: str = "body") -> None:
        """Wait until a text is shown."""

        def look() -> bool:
            return any(text in element.text for element in self.all(selector))

        wait_until(_while_it_changes(look), f"{text!r} in {selector}")

    def _find(self, using: str, value: str) -> list[Element]:
        found = self.command("POST", "/elements", {"using": using, "value": value})
        return [Element(self, reference[_ELEMENT]) for reference in found]

    def _shown(self, using: str, value: str) -> Element:
        found: list[Element] = []

        def look() -> bool:
            found[:] = [element for element in self._find(using, value) if element.is_shown]
            return bool(found)

        wait_until(_while_it_changes(look), f"{value} is shown")
        return found[0]

    # ---- how it is shown ----

    def resize(self, width: int, height: int = 900) -> None:
        """The size of what is visible of a page, in CSS pixels."""
        self.devtools(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip

    def prefer(self, scheme: str) -> None:
        """``light`` or ``dark``."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.devtools("Emulation.setEmulatedMedia", features=features)

    @property
    def overflow(self) -> int:
        """By how many pixels the page is wider than the window."""
        return self.run(
            "const {scrollWidth, clientWidth} = document.documentElement;"
            "return scrollWidth - clientWidth"
        )

    def screenshot(self, file: Path) -> None:
        """A PNG of what is visible."""
        shot = self.devtools("Page.captureScreenshot")
        file.write_bytes(b64decode(shot["data"]))

    # ---- what went on ----

    def console(self) -> list[str]:
        """Errors and warnings since the last call, violations of a policy among them."""
        entries = self.command("POST", "/se/log", {"type": "browser"})
        return [entry["message"] for entry in entries if entry["level"] in ("WARNING", "SEVERE")]

    def requests(self) -> list[str]:
        """The addresses that were asked for since the last call."""
        urls = []
        for entry in self.command("POST", "/se/log", {"type": "performance"}):
            event = json.loads(entry["message"])["message"]
            if event["method"] == "Network.requestWillBeSent":
                urls.append(event["params"]["request"]["url"])
        return urls

    def accessibility_violations(self) -> list[str]:
        """What axe-core finds, one line a violation: its rule, and where."""
        self.run(_AXE.read_text())
        found = self.run("return axe.run().then(({ violations }) => violations)")
        return [
            f"{violation['id']}: {', '.join(str(node['target']) for node in violation['nodes'])}"
            for violation in found
        ]


@contextmanager
def driver() -> Iterator[httpx.Client]:
    """A chromedriver, for as many browsers as one likes."""
    with subprocess.Popen(
        ["chromedriver", "--port=0"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout
            started = "started successfully on port "
            line = next(line for line in process.stdout if started in line)
            port = line.rpartition(started)[2].strip(" .\n")
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
                yield client
        finally:
            os.killpg(process.pid, signal.SIGTERM)  # the browsers that are left, too


@contextmanager
def new_browser(driver: httpx.Client, *more: str, **preferences: Any) -> Iterator[Browser]:
    """A Chromium with a new profile, which is gone at the end; ``more`` are its arguments."""
    arguments = [*_ARGUMENTS, *more, *(["--no-sandbox"] if os.geteuid() == 0 else ())]
    capabilities = {
        "browserName": "chrome",
        "goog:chromeOptions": {
            "args": arguments,
            "binary": shutil.which("chromium"),
            "prefs": preferences,
        },
        "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
    }
    body = {"capabilities": {"alwaysMatch": capabilities}}
    session = _value(driver.post("/session", json=body))["sessionId"]
    try:
        yield Browser(driver, session)
    finally:
        driver.delete(f"/session/{session}")


class StaleElementError(AssertionError):
    """The page has changed, and what was found is not on it any more."""


def _value(response: httpx.Response) -> Any:
    value = response.json()["value"]
    if isinstance(value, dict) and "error" in value and response.is_error:
        kind = StaleElementError if "stale" in value["error"] else AssertionError
        raise kind(f"{value['error']}: {value['message']}")
    return value


def _while_it_changes(look: Callable[[], bool]) -> Callable[[], bool]:
    def again() -> bool:
        try:
            return look()
        except StaleElementError:
            return False

    return again


def _quoted(text: str) -> str:
    """A literal of XPath, which has no escapes."""
    quote = '"' if "'" in text else "'"
    return f"{quote}{text}{quote}"
