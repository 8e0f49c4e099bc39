"""A service with the admin plugin, and its administrators."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import httpx

from tests.security.people import Person, Site

SETTINGS: Final = {"GATEPOST_PLUGINS": "admin,bearer", "GATEPOST_DELETE_USER": "true"}


def admin_site(sites: Callable[..., Site], **settings: str) -> Site:
    """The service with these settings, and no administrator of another test's."""
    at = sites(**SETTINGS, **settings)
    at.sql("UPDATE users SET role = 'user' WHERE role <> 'user'")
    return at


def administrator(at: Site, name: str = "root", role: str = "admin") -> Person:
    person = at.sign_up(name)
    at.sql(f"UPDATE users SET role = '{role}' WHERE id = '{person.id}'")
    return person


def act(person: Person, path: str, **body: Any) -> httpx.Response:
    """POST to an endpoint of the plugin."""
    return person.browser.post(f"/admin/{path}", json=body)


def done(person: Person, path: str, **body: Any) -> Any:
    """What an endpoint of the plugin answers that succeeds."""
    answer = act(person, path, **body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(answer: httpx.Response) -> tuple[int, str | None]:
    """The status and the code of a refusal."""
    assert answer.status_code >= 400, answer.text
    return answer.status_code, answer.json().get("code")


def signed_in(person: Person) -> bool:
    return person.browser.get("/get-session").json() is not None


def again(at: Site, person: Person) -> Person:
    """The same person in another browser."""
    browser = at.browser()
    answer = at.sign_in(person.email, browser=browser)
    assert answer.status_code == 200, answer.text
    return replace(person, browser=browser, token=answer.json()["token"])
