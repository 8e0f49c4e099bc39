"""The page at /docs in a real Chromium."""

import json
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import pytest

from tests.browser import Browser, new_browser
from tests.support import KEYS, SECRET, Service, running_service

BASE: Final = "http://auth.gatepost.test"
"""Chromium is told that this is where the service is."""
PASSWORD: Final = "correct horse battery"


@pytest.fixture(scope="module")
def service(
    module_database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    log = tmp_path_factory.mktemp("docs") / "service.log"
    settings = {"GATEPOST_SECRET": SECRET, "GATEPOST_BASE_URL": BASE, "GATEPOST_DOCS": "true"}
    with running_service(module_database_url, log, **settings) as service:
        yield service


@pytest.fixture
def page(service: Service, chromedriver: httpx.Client) -> Iterator[Browser]:
    """A browser to which BASE is the service."""
    here = f"127.0.0.1:{urlsplit(service.url).port}"
    rules = f"--host-resolver-rules=MAP {urlsplit(BASE).netloc} {here}"
    with new_browser(chromedriver, "--window-size=1200,900", rules) as browser:
        yield browser


FILL: Final = """
const field = document.querySelector(arguments[0]);
if (!field) return false;
const { set } = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(field), "value");
set.call(field, arguments[1]);
field.dispatchEvent(new Event("input", { bubbles: true }));
return true;
"""
"""What React takes for typing."""
CLICK: Final = """
const found = document.querySelector(arguments[0]);
if (found) found.click();
return !!found;
"""
RESPONSE: Final = """
const shown = document.querySelector(arguments[0] + " .live-responses-table .response");
const status = shown?.querySelector(".response-col_status")?.innerText;
const body = shown?.querySelector(".highlight-code code, .highlight-code pre")?.innerText;
return status && body && [parseInt(status), JSON.parse(body)];
"""


def call(browser: Browser, operation: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
    """Try an operation on the page; gives the status and the JSON that it shows."""
    block = f"#operations-{operation}"
    browser.until(CLICK, f"{block} .opblock-summary-control")
    if body is not None:
        browser.until(FILL, f"{block} textarea.body-param__text", json.dumps(body))
    browser.until(CLICK, f"{block} .btn.execute")
    status, shown = browser.until(RESPONSE, block)
    return status, shown


def test_page_calls_both_apis_and_no_other_host(page: Browser) -> None:
    page.open(f"{BASE}/docs")
    person = {"name": "Ada", "email": "ada@example.com", "password": PASSWORD}
    assert call(page, "auth-signUpEmail", person)[0] == 200
    # the browser has the cookie now
    status, current = call(page, "auth-getSession")
    assert (status, current["user"]["name"]) == (200, "Ada")
    assert not page.run("return document.querySelector('#operations-users-read_users')")

    page.until(CLICK, ".btn.authorize")
    page.until(FILL, "#api_key_value", KEYS["backend"])
    page.until(CLICK, ".modal-ux .btn.modal-btn.auth.authorize")
    page.until(CLICK, ".modal-ux .btn-done")
    status, rows = call(page, "users-read_users")
    assert (status, [row["name"] for row in rows]) == (200, ["Ada"])

    asked = {urlsplit(url)[:2] for url in page.requests()}
    assert asked <= {tuple(urlsplit(BASE)[:2]), ("data", "")}
    assert page.console() == []
