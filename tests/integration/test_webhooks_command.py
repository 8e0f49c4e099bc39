"""``gatepost webhooks``: what operators do with webhooks, from the secret to the dead letters."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from standardwebhooks import Webhook

from tests.integration.test_commands import NOBODY, error, gatepost, result, usage_error
from tests.integration.webhooks.place import SETTINGS
from tests.support import Server, free_port

WITH: Final[dict[str, Any]] = SETTINGS
URL: Final = "https://app.example.com/hooks?token=t0ken"
A_USER: Final = "INSERT INTO users (name, email) VALUES ('', 'ann@example.com')"
QUEUE: Final = """
    INSERT INTO webhook_deliveries (webhook_id, event_id, user_id, attempts, last_status,
                                    last_error, dead_since, next_attempt_at)
    SELECT w.id, e.id, e.user_id, 10, 500, 'HTTP 500', {}, now() + '1 day'
    FROM webhooks w, events e
"""


class Place:
    def __init__(self, server: Server, url: str) -> None:
        self.url = url
        self._server = server

    def sql(self, text: str) -> str:
        return self._server.sql(text, urlsplit(self.url).path[1:])

    def add(self, url: str = URL, *types: str) -> dict[str, Any]:
        options = [word for each in types for word in ("--type", each)]
        return result("webhooks", "add", url, *options, url=self.url, **WITH)

    def run(self, *arguments: str, **more: Any) -> Any:
        return gatepost("webhooks", *arguments, url=self.url, **WITH | more)

    def result(self, *arguments: str) -> Any:
        return result("webhooks", *arguments, url=self.url, **WITH)


@pytest.fixture
def place(postgres: Server, module_database_url: str) -> Place:
    found = Place(postgres, module_database_url)
    found.sql("DELETE FROM webhooks; DELETE FROM users; DELETE FROM events")
    return found


@contextmanager
def listening(status: int) -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """A receiver with one answer; gives its address and what came."""
    seen: list[tuple[dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            seen.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/", seen
        finally:
            server.shutdown()


def test_secret_of_a_new_webhook_is_shown_once_and_kept_encrypted(place: Place) -> None:
    made = place.add(URL, "user", "session.ended", "user")
    hook, secret = made["webhook"], made["secret"]
    assert secret.startswith("whsec_")
    assert (hook["url"], hook["types"]) == (URL, ["user", "session.ended"])
    (listed,) = place.result("list")["webhooks"]
    assert listed == hook
    shown = place.result("show", hook["id"])
    assert shown == {"webhook": hook, "failed": []}
    for text in (
        json.dumps(listed),
        place.run("list").stdout,
        place.run("show", hook["id"]).stdout,
    ):
        assert hook["id"] in text
        assert "secret" not in text.replace("old_secret_until", "")
    stored = place.sql("SELECT secret FROM webhooks")
    assert secret.removeprefix("whsec_") not in stored
    plain = place.run("add", URL)
    assert plain.stdout.startswith("Webhook  ")
    assert "\nSecret   whsec_" in plain.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("http://app.example.com/",), "leads to another machine"),
        (("https://ada:hunter2@example.com/",), "a user or a password"),
        (("nonsense",), "does not begin with https://"),
        ((URL, "--type", "user.create"), "there is no type user.create"),
        ((URL, "--type", ""), "there is no type"),
    ],
)
def test_wrong_address_or_type_is_refused(
    place: Place, arguments: tuple[str, ...], said: str
) -> None:
    message = usage_error(place.run("add", *arguments))
    assert said in message
    assert "hunter2" not in message
    assert place.result("list") == {"webhooks": []}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"GATEPOST_SECRET": "", "GATEPOST_BASE_URL": ""}, "needs GATEPOST_SECRET"),
        ({"GATEPOST_CITUS": "true"}, "on a Citus cluster"),
    ],
)
def test_settings_with_which_there_can_be_no_webhooks_are_named(
    place: Place, settings: dict[str, str], said: str
) -> None:
    for on in ("true", "false"):
        given = settings | {"GATEPOST_WEBHOOKS": on}
        for arguments in (("add", URL), ("deliver",)):
            assert said in error(place.run(*arguments, **given), 2)


def test_http_to_this_machine_needs_the_setting(place: Place) -> None:
    url = "http://127.0.0.1:8000/hooks"
    refused = place.run("add", url, GATEPOST_WEBHOOKS_PRIVATE_ADDRESSES="false")
    assert "does not begin with https://" in usage_error(refused)
    assert place.add(url)["webhook"]["url"] == url


def test_ping_is_signed_and_says_what_came_of_it(place: Place) -> None:
    with listening(204) as (url, seen):
        made = place.add(url)
        answer = place.result("test", made["webhook"]["id"])
        assert answer == {"delivered": True, "status": 204, "error": None}
        rotated = place.result("rotate", made["webhook"]["id"])
        assert place.run("test", made["webhook"]["id"]).stdout == "HTTP 204\n"
    (first, body), (second, again) = seen
    message: Any = Webhook(made["secret"]).verify(body, first)
    assert (message["type"], message["data"]) == ("ping", {"webhook_id": made["webhook"]["id"]})
    assert first["webhook-signature"].count("v1,") == 1
    for secret in (made["secret"], rotated["secret"]):  # for a day both sign
        assert Webhook(secret).verify(again, second)
    until = place.sql("SELECT old_secret_until > now() + '23 h' FROM webhooks")
    assert until == "t"
    failed = place.run("test", made["webhook"]["id"])
    assert (failed.returncode, failed.stdout) == (1, "")
    assert "not delivered: no connection" in failed.stderr


def test_ping_to_a_private_address_is_refused_without_the_setting(place: Place) -> None:
    hook = place.add(f"https://localhost:{free_port()}/")["webhook"]["id"]
    done = place.run("test", hook, GATEPOST_WEBHOOKS_PRIVATE_ADDRESSES="false")
    assert "the host is in a private network" in done.stderr
    assert done.returncode == 1


def test_paused_webhook_is_resumed_with_what_waits(place: Place) -> None:
    hook = place.add()["webhook"]["id"]
    place.sql(A_USER)
    place.sql(QUEUE.format("NULL"))
    assert place.run("pause", hook).returncode == 0
    assert place.run("pause", hook).returncode == 0
    (listed,) = place.result("list")["webhooks"]
    assert (listed["pause_reason"], listed["waiting"], listed["dead"]) == ("by an operator", 1, 0)
    assert "paused" in place.run("list").stdout
    shown = place.result("show", hook)
    assert [each["last_error"] for each in shown["failed"]] == ["HTTP 500"]
    assert "HTTP 500" in place.run("show", hook).stdout
    assert place.run("resume", hook).returncode == 0
    assert place.result("list")["webhooks"][0]["paused_at"] is None
    assert place.sql("SELECT next_attempt_at <= now() FROM webhook_deliveries") == "t"


def test_dead_letters_are_listed_and_begin_anew(place: Place) -> None:
    hook, other = (place.add()["webhook"]["id"] for _ in range(2))
    place.sql(A_USER)
    place.sql("UPDATE users SET name = 'Ann'")
    place.sql(QUEUE.format("now()"))
    every = place.result("dead")["dead"]
    assert len(every) == 4
    mine = place.result("dead", "--webhook", hook)["dead"]
    assert {each["webhook_id"] for each in mine} == {hook}
    assert {each["type"] for each in mine} == {"user.created", "user.updated"}
    assert len(place.result("dead", "--limit", "1")["dead"]) == 1
    assert mine[0]["event_id"] in place.run("dead").stdout
    one = mine[0]["event_id"]
    assert place.result("retry", hook, one) == {"revived": 1, "hastened": 0}
    assert "no dead letters" in error(place.run("retry", hook, one), 8)
    place.sql("UPDATE webhook_deliveries SET next_attempt_at = now() + '1 h'")
    assert place.result("retry", hook) == {"revived": 1, "hastened": 1}
    states = place.sql(
        "SELECT webhook_id, attempts, dead_since IS NULL, next_attempt_at <= now()"
        " FROM webhook_deliveries ORDER BY dead_since IS NOT NULL"
    ).splitlines()
    assert states == [*[f"{hook}|0|t|t"] * 2, *[f"{other}|10|f|f"] * 2]


def test_removed_webhook_is_gone_with_what_waits(place: Place) -> None:
    hook = place.add()["webhook"]["id"]
    place.sql(A_USER)
    place.sql(QUEUE.format("NULL"))
    assert "add --yes" in usage_error(place.run("remove", hook))
    assert len(place.result("list")["webhooks"]) == 1
    assert place.run("remove", hook, "--yes").returncode == 0
    assert place.result("list") == {"webhooks": []}
    assert place.sql("SELECT count(*) FROM webhook_deliveries") == "0"


@pytest.mark.parametrize(
    "arguments",
    [("show",), ("pause",), ("resume",), ("rotate",), ("test",), ("retry",), ("remove", "--yes")],
    ids=lambda each: each[0],
)
def test_webhook_that_is_not_there_is_an_error(place: Place, arguments: tuple[str, ...]) -> None:
    command, *options = arguments
    assert NOBODY in error(place.run(command, NOBODY, *options), 8)


def test_check_says_what_cannot_work(place: Place) -> None:
    def found(**more: str) -> list[tuple[str, str]]:
        given: dict[str, Any] = WITH | more
        done = gatepost("check", "--json", url=place.url, **given)
        return [
            (each["level"], each["text"])
            for each in json.loads(done.stdout)
            if each["check"] == "webhook"
        ]

    assert found() == [("ok", "there are none: gatepost webhooks add makes one")]
    assert found(GATEPOST_WEBHOOKS="false") == []
    hook = place.add("http://127.0.0.1:1/")["webhook"]["id"]
    place.sql(A_USER)
    assert found() == [("ok", f"{hook} (127.0.0.1:1): 0 events wait")]
    ((level, text),) = found(GATEPOST_WEBHOOKS_PRIVATE_ADDRESSES="false")
    assert (level, "the address is refused" in text) == ("fail", True)
    ((level, text),) = found(GATEPOST_SECRET=WITH["GATEPOST_SECRET"][::-1])
    assert (level, "encrypted with another GATEPOST_SECRET" in text) == ("fail", True)
    place.sql("UPDATE events SET created_at = now() - interval '1 h'")
    for on in ("true", "false"):
        level, text = found(GATEPOST_WEBHOOKS=on)[0]
        assert (level, "no process has looked at events for 36" in text) == ("warn", True)
    place.sql("UPDATE webhooks SET queued_to = (SELECT id FROM events ORDER BY id DESC LIMIT 1)")
    for change, said in (
        (QUEUE.format("now()"), "1 dead letters"),
        ("UPDATE webhooks SET failing_since = now()", "fails since 20"),
        ("UPDATE webhooks SET paused_at = now(), pause_reason = 'x'", "is paused"),
    ):
        place.sql(change)
        ((level, text),) = found()
        assert (level, said in text) == ("warn", True), text
