"""Every security event appears, with who, where and what came of it, and holds no secret."""

import json
import logging
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.security_events import security_event
from tests.support import KEYS, LOCAL_PROXY, ROOT, SECRET, Server, Service, running_service

BASE = "http://auth.gatepost.test"
PASSWORD, NEW_PASSWORD, WRONG = "correct horse", "battery staple", "Tr0ub4dor and 3"
ADDRESS, AGENT = "203.0.113.7", "Agent/1.0 " + "x" * 300
SETTINGS = {
    "GATEPOST_SECRET": SECRET,
    "GATEPOST_BASE_URL": BASE,
    "GATEPOST_RATE_LIMIT": "off",
    "GATEPOST_CHANGE_EMAIL": "true",
    "GATEPOST_DELETE_USER": "true",
    "GATEPOST_DELETE_USER_BY_MAIL": "true",
    **LOCAL_PROXY,
}


class Visitor:
    """A browser, the mails, and the log of the service that it visits."""

    def __init__(self, service: Service, mails: Path) -> None:
        self.service, self._mails = service, mails
        self.secrets: set[str] = {PASSWORD, NEW_PASSWORD, WRONG, SECRET, *KEYS.values()}
        headers = {"origin": BASE, "user-agent": AGENT, "x-forwarded-for": ADDRESS}
        self.http = httpx.Client(base_url=f"{service.url}/api/auth", headers=headers)

    def post(self, path: str, body: Any = None, status: int = 200) -> httpx.Response:
        response = self.http.post(path, json={} if body is None else body)
        assert response.status_code == status, f"{path}: {response.text}"
        self.secrets |= set(self.http.cookies.values())
        if response.content and response.json().get("token"):
            self.secrets.add(response.json()["token"])
        return response

    def get(self, url: str, status: int) -> None:
        response = self.http.get(url.replace(BASE, self.service.url))
        assert response.status_code == status, response.text

    def mail(self) -> dict[str, str]:
        mail = json.loads(self._mails.read_text().splitlines()[-1])
        self.secrets.add(mail["token"])
        return mail


@contextmanager
def visitor(postgres: Server, template: str, folder: Path, **settings: str) -> Iterator[Visitor]:
    folder.mkdir(exist_ok=True)
    given = SETTINGS | {"MAIL_FILE": str(folder / "mails")} | settings
    with (
        postgres.database(template) as database,
        running_service(postgres.url(database), folder / "log", **given) as service,
    ):
        at = Visitor(service, folder / "mails")
        with at.http:
            yield at


def events(log: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if "event" in line]


def documented() -> set[str]:
    section = (ROOT / "docs" / "OPERATIONS.md").read_text().partition("| event | when |")[2]
    return set(re.findall(r"(?m)^\| `(\w+)` \|", section.partition("\n\n")[0]))


def live(at: Visitor) -> str:
    """A life with everything in it that is an event; gives the user's id."""
    ann = {"name": "Ann", "email": "Ann@Example.com", "password": PASSWORD}
    user_id = at.post("/sign-up/email", ann).json()["user"]["id"]
    at.post("/sign-up/email", ann, 422)
    at.post("/sign-in/email", ann | {"password": WRONG}, 401)
    at.post("/sign-in/email", ann | {"email": "nobody@example.com"}, 401)
    other = at.post("/sign-in/email", ann).json()["token"]
    at.post("/verify-password", {"password": WRONG}, 400)
    at.post("/verify-password", {"password": PASSWORD})
    at.post("/send-verification-email", {"email": "ann@example.com"})
    at.get(at.mail()["url"], 302)
    at.get(f"{BASE}/api/auth/verify-email?token=nonsense&callbackURL=/x", 302)
    at.post("/sign-in/email", ann)
    at.post("/revoke-session", {"token": other})
    at.post("/revoke-other-sessions")
    change = {"currentPassword": WRONG, "newPassword": NEW_PASSWORD}
    at.post("/change-password", change, 400)
    at.post("/change-password", change | {"currentPassword": PASSWORD})
    at.post("/change-email", {"newEmail": "ann@example.org"})
    at.get(at.mail()["url"], 302)
    at.post("/request-password-reset", {"email": "ann@example.org"})
    reset = {"newPassword": PASSWORD, "token": at.mail()["token"]}
    at.post("/reset-password", reset)
    at.post("/reset-password", reset, 400)
    at.post("/sign-out")
    ann["email"] = "ann@example.org"
    at.post("/sign-in/email", ann)
    at.post("/revoke-sessions")
    at.post("/sign-in/email", ann)
    at.post("/unlink-account", {"accountId": user_id}, 400)
    at.http.headers["origin"] = "https://evil.example"
    at.post("/update-user", {"name": "Eve"}, 403)
    at.http.headers["origin"] = BASE
    at.post("/delete-user")
    at.get(at.mail()["url"], 302)
    row = {"name": "Bob", "email": "bob@example.com"}
    written = httpx.post(f"{at.service.rest}/users", headers={"apikey": KEYS["all"]}, json=row)
    assert written.status_code == 201
    for key in ({"apikey": "not a key of ours"}, {}):
        given = {"x-forwarded-for": ADDRESS, **key}
        assert httpx.get(f"{at.service.rest}/users", headers=given).status_code == 401
    return user_id


def test_every_event_appears_with_who_where_and_outcome(
    postgres: Server, template: str, tmp_path: Path
) -> None:
    with visitor(postgres, template, tmp_path) as at:
        user_id = live(at)
    with visitor(postgres, template, tmp_path / "limited", GATEPOST_RATE_LIMIT="memory") as limited:
        for status in (401, 401, 401, 429):
            body = {"email": "nobody@example.com", "password": WRONG}
            limited.post("/sign-in/email", body, status)
    found = events(tmp_path / "log") + events(tmp_path / "limited" / "log")
    outcomes: dict[str, set[str]] = defaultdict(set)
    for event in found:
        outcomes[event["event"]].add(event["outcome"])
        assert event["event"] == "rest_write" or event["ip"] == ADDRESS
        assert event["request"]
        assert len(event.get("agent", "")) <= 200
    assert outcomes == {
        "account_unlinked": {"refused"},
        "email_change_requested": {"ok"},
        "email_changed": {"ok"},
        "email_verification_requested": {"ok"},
        "email_verified": {"ok", "refused"},
        "password_changed": {"ok", "refused"},
        "password_reset": {"ok", "refused"},
        "password_reset_requested": {"ok"},
        "password_verified": {"ok", "refused"},
        "rate_limited": {"refused"},
        "request_refused": {"refused"},
        "rest_write": {"ok"},
        "service_key_refused": {"refused"},
        "session_revoked": {"ok"},
        "sessions_revoked": {"ok"},
        "sign_in": {"ok", "refused"},
        "sign_out": {"ok"},
        "sign_up": {"ok", "refused"},
        "user_deleted": {"ok"},
        "user_deletion_requested": {"ok"},
    }
    # that one needs a provider: tests/integration/social/test_start.py
    assert outcomes.keys() | {"account_linked"} == documented()
    of_ann = [event for event in found if event.get("user") == user_id]
    assert {event["event"] for event in of_ann} >= outcomes.keys() - {
        "rate_limited", "service_key_refused", "sign_out", "request_refused",
        "password_reset_requested", "rest_write",
    }  # fmt: skip
    # a mail address is a pseudonym: the same one for the same address, in whatever case
    accounts = {event["account"] for event in found if event["event"] == "sign_in"}
    assert len(accounts) == 3
    assert all(re.fullmatch("[0-9a-f]{32}", account) for account in accounts)
    # none holds a secret or an address, and neither does the rest of the log
    text = (tmp_path / "log").read_text()
    for secret in at.secrets:
        assert secret not in text
    assert "example." not in re.sub(r"Uvicorn.*", "", text).replace("evil.example", "")


def test_client_cannot_begin_a_line(postgres: Server, template: str, tmp_path: Path) -> None:
    with visitor(postgres, template, tmp_path) as at:
        at.http.headers["user-agent"] = 'x", "event": "sign_in", "y": "'
        at.post("/sign-in/email", {"email": 'a"@b.co', "password": WRONG}, 400)
        at.post("/sign-in/email", {"email": "nobody@example.com", "password": WRONG}, 401)
    found = events(tmp_path / "log")
    assert [(event["event"], event["outcome"]) for event in found] == [("sign_in", "refused")] * 2


def test_event_is_readable_by_any_handler(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "gatepost.security"):
        security_event("sign_in", outcome="ok", user=None, agent="a\nb")
    (record,) = caplog.records
    assert record.name == "gatepost.security"
    assert record.getMessage() == 'sign_in {"outcome":"ok","agent":"a\\nb"}'
    assert vars(record)["event"] == "sign_in"
    assert vars(record)["fields"] == {"outcome": "ok", "agent": "a\nb"}
