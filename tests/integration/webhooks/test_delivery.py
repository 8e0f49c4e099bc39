"""Webhooks delivered in this process: what arrives, in which order, and what does not."""

import asyncio
import json
import logging
import random
import re
from datetime import datetime

import asyncpg
import httpx
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from app.auth.personal_data import PersonalData
from app.database import Database
from app.main import create_app
from app.purge import purge_now
from app.schema import Schema, new_token
from app.statements.events import TYPES
from app.webhooks import deliverer
from app.webhooks.signing import Vault, new_secret
from tests.integration.webhooks.place import (
    A_USER,
    add,
    all_delivered,
    data,
    delivery,
    eventually,
    hurry,
    ids,
    settings,
    waiting,
)
from tests.support import KEYS, ROOT, SECRET
from tests.unit.social.server import Answer, ProviderServer, Seen, json_reply, reply, silence

LOGGER = "gatepost.webhooks"


async def test_every_event_arrives_as_the_rest_api_gives_it_and_without_any_secret(
    db: asyncpg.Connection, module_database_url: str, receiver: ProviderServer
) -> None:
    receiver.answers["/"] = reply("")
    hook = await add(db, f"{receiver.url}/")
    ann, token, marker = await db.fetchval(A_USER, "ann@example.com"), new_token(), "s3cret-mark"
    for statement in (
        f"INSERT INTO sessions (user_id, token, expires_at) VALUES ($1, '{token}', now() + '1 d')",
        "INSERT INTO accounts (user_id, account_id, provider_id, password, access_token)"
        f" VALUES ($1, ($1::uuid)::text, 'credential', '{marker}1', '{marker}2')",
        "UPDATE users SET name = 'Ann', email_verified = true WHERE id = $1",
        "UPDATE sessions SET user_agent = 'curl' WHERE user_id = $1",
        f"UPDATE accounts SET password = '{marker}3' WHERE user_id = $1",
        "UPDATE accounts SET scope = 'email' WHERE user_id = $1",
        "INSERT INTO session_policies (user_id, max_sessions) VALUES ($1, 3)",
        "UPDATE session_policies SET max_sessions = 2 WHERE user_id = $1",
        "DELETE FROM session_policies WHERE user_id = $1",
        "DELETE FROM users WHERE id = $1",
    ):
        await db.execute(statement, ann)
    await db.execute(
        "TRUNCATE session_policies; TRUNCATE accounts;"
        "TRUNCATE sessions CASCADE; TRUNCATE users CASCADE"
    )
    recorded = await db.fetch("SELECT id::text, type FROM events ORDER BY id")
    assert {each["type"] for each in recorded} == set(TYPES)
    async with delivery(module_database_url):
        await eventually(lambda: len(receiver.seen) >= len(recorded), "all of them")
    of_one = [each for each in receiver.seen if data(each)["user_id"]]
    assert ids(of_one) == [e["id"] for e in recorded if not e["type"].endswith("truncated")]
    assert sorted(ids(receiver.seen)) == sorted(e["id"] for e in recorded)
    app = create_app(settings(module_database_url, GATEPOST_WEBHOOKS="false"))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://gatepost.test",
            headers={"apikey": KEYS["all"]},
        ) as rest,
    ):  # fmt: skip
        rows = {row["id"]: row for row in (await rest.get("/rest/v1/events")).json()}
    for seen in receiver.seen:
        message = hook.verified(seen)
        row = rows[message["data"]["id"]]
        assert message["data"] == row
        assert (message["type"], seen.headers["webhook-id"]) == (row["type"], row["id"])
        time = datetime.fromisoformat(message["timestamp"])
        assert time == datetime.fromisoformat(row["created_at"])
        assert message["timestamp"].endswith("Z")
        assert not re.search(f"{token}|{marker}|{SECRET}|whsec_", seen.body.decode())
    assert await waiting(db) == []


def test_types_are_those_of_the_page() -> None:
    page = (ROOT / "docs" / "EVENTS.md").read_text()
    assert set(re.findall(r"`((?:user|session|session_policy|account)\.[a-z_]+)`", page)) == set(
        TYPES
    )


def by_user(seen: list[Seen]) -> dict[str, list[str]]:
    """The ids that came for each user, each the first time."""
    found: dict[str, list[str]] = {}
    for each in seen:
        came = found.setdefault(data(each)["user_id"], [])
        if data(each)["id"] not in came:
            came.append(data(each)["id"])
    return found


async def test_events_of_a_user_arrive_in_order_while_every_other_attempt_fails(
    db: asyncpg.Connection, module_database_url: str, receiver: ProviderServer
) -> None:
    rng = random.Random(7)
    received: list[Seen] = []

    async def answer(writer: asyncio.StreamWriter) -> None:
        seen = receiver.seen[-1]
        await asyncio.sleep(rng.random() / 500)
        good = rng.random() < 0.5
        if good:
            received.append(seen)
        await reply("", 200 if good else 500)(writer)

    receiver.answers["/"] = answer
    await add(db, f"{receiver.url}/")
    for number in range(12):
        user = await db.fetchval(A_USER, f"u{number}@example.com")
        for name in "abc":
            await db.execute("UPDATE users SET name = $1 WHERE id = $2", name, user)
    expected = await db.fetch(
        "SELECT user_id::text, array_agg(id::text ORDER BY id) AS ids FROM events GROUP BY 1"
    )

    async def done() -> bool:
        await hurry(db)
        # none is to be given up
        await db.execute("UPDATE webhook_deliveries SET attempts = 1 WHERE attempts = 8")
        return await all_delivered(db)

    async with delivery(module_database_url):
        await eventually(done, "all have arrived")
    assert len(receiver.seen) > len(received) >= 48
    assert by_user(received) == {each["user_id"]: each["ids"] for each in expected}


async def test_later_event_of_a_user_waits_for_one_that_fails_and_others_do_not(
    db: asyncpg.Connection, module_database_url: str, receiver: ProviderServer
) -> None:
    first = await db.fetchval(A_USER, "first@example.com")

    async def answer(writer: asyncio.StreamWriter) -> None:
        is_first = data(receiver.seen[-1])["user_id"] == str(first)
        await reply("", 500 if is_first else 200)(writer)

    receiver.answers["/"] = answer
    await add(db, f"{receiver.url}/")
    for name in "ab":
        await db.execute("UPDATE users SET name = $1 WHERE id = $2", name, first)
    other = await db.fetchval(A_USER, "other@example.com")
    async with delivery(module_database_url):
        await eventually(lambda: str(other) in by_user(receiver.seen), "the other's")

        async def failed_twice() -> bool:
            await hurry(db)
            return len(ids(receiver.seen)) >= 4

        await eventually(failed_twice, "attempts")
    left = await waiting(db)
    assert [each["user_id"] for each in left] == [first, first]
    assert by_user(receiver.seen)[str(first)] == [str(left[0]["event_id"])]
    assert left[1]["attempts"] == 0


async def test_event_that_is_not_received_is_a_dead_letter_and_can_be_sent_again(
    db: asyncpg.Connection,
    module_database_url: str,
    receiver: ProviderServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await add(db, f"{receiver.url}/hook?k=s3cret")
    receiver.answers["/hook"] = reply("", 500)
    user = await db.fetchval(A_USER, "ann@example.com")
    await db.execute("UPDATE users SET name = 'Ann'")
    attempts: list[int] = []

    async def is_dead() -> bool:
        rows = await waiting(db)
        attempts.extend(each["attempts"] for each in rows[:1])
        if rows and rows[0]["dead_since"] is None and rows[0]["last_error"] is not None:
            await db.execute(
                "UPDATE webhook_deliveries SET next_attempt_at = now(), last_error = NULL"
                " WHERE event_id = $1",
                rows[0]["event_id"],
            )
        return bool(rows) and rows[0]["dead_since"] is not None

    async with delivery(module_database_url):
        await eventually(is_dead, "a dead letter")
        dead, following = await waiting(db)
        assert (dead["attempts"], dead["last_status"], dead["last_error"]) == (10, 500, "HTTP 500")
        await eventually(lambda: str(following["event_id"]) in ids(receiver.seen), "the next")
        assert ids(receiver.seen).count(str(dead["event_id"])) == 10
        line = f"{dead['event_id']}, which is a dead letter now: HTTP 500"
        await eventually(lambda: line in caplog.text, "a line in the log")
        receiver.answers["/hook"] = reply("")
        await db.execute(
            "UPDATE webhook_deliveries SET dead_since = NULL, attempts = 0, next_attempt_at = now()"
            " WHERE dead_since IS NOT NULL"
        )

        async def both_came() -> bool:
            await hurry(db)
            return await all_delivered(db)

        await eventually(both_came, "both are delivered")
    assert set(attempts) <= set(range(11))
    assert str(dead["event_id"]) in ids(receiver.seen)[11:]
    assert "s3cret" not in caplog.text
    assert "/hook" not in caplog.text
    assert str(user) not in caplog.text


async def test_failure_and_recovery_are_one_line_each(
    db: asyncpg.Connection,
    module_database_url: str,
    receiver: ProviderServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    hook = await add(db, f"{receiver.url}/")
    receiver.answers["/"] = reply("", 503)
    for number in range(6):
        await db.execute(A_USER, f"u{number}@example.com")

    def lines() -> list[str]:
        return [each.message for each in caplog.records if each.name == LOGGER]

    async with delivery(module_database_url), delivery(module_database_url):

        async def each_failed_twice() -> bool:
            await db.execute(
                "UPDATE webhook_deliveries SET next_attempt_at = now() WHERE attempts = 1"
                " AND last_error IS NOT NULL"
            )
            rows = await waiting(db)
            return len(rows) == 6 and all(each["attempts"] >= 2 for each in rows)

        await eventually(each_failed_twice, "attempts that fail")
        assert await db.fetchval("SELECT failing_since FROM webhooks")
        receiver.answers["/"] = reply("")

        async def is_well() -> bool:
            await hurry(db)  # also what was under way, and has failed since
            return len(lines()) == 2

        await eventually(is_well, "well again")
    host = receiver.url.removeprefix("http://")
    assert lines()[0] == f"webhook {hook.id} ({host}) fails: HTTP 503"
    assert lines()[1].startswith(f"webhook {hook.id} ({host}) is well again, it failed since 20")
    assert await waiting(db) == []
    assert await db.fetchval("SELECT failing_since FROM webhooks") is None


async def test_webhook_gets_the_types_that_it_wants(
    db: asyncpg.Connection, module_database_url: str, receiver: ProviderServer
) -> None:
    for path in ("/all", "/users", "/deleted"):
        receiver.answers[path] = reply("")
    await add(db, f"{receiver.url}/all")
    await add(db, f"{receiver.url}/users", "user")
    await add(db, f"{receiver.url}/deleted", "user.deleted", "session.ended")
    user = await db.fetchval(A_USER, "ann@example.com")
    await db.execute(
        "INSERT INTO sessions (user_id, token, expires_at) VALUES ($1, $2, now() + '1 day')",
        user,
        new_token(),
    )
    await db.execute("DELETE FROM sessions; DELETE FROM users")
    async with delivery(module_database_url):
        await eventually(lambda: len(receiver.seen) == 4 + 2 + 2, "all")

    def came(path: str) -> list[str]:
        return [json.loads(each.body)["type"] for each in receiver.asked(path)]

    every = ["user.created", "session.created", "session.ended", "user.deleted"]
    assert came("/all") == every
    assert came("/users") == ["user.created", "user.deleted"]
    assert came("/deleted") == ["session.ended", "user.deleted"]
    cursors = {each["queued_to"] for each in await db.fetch("SELECT queued_to FROM webhooks")}
    assert cursors == {await db.fetchval("SELECT id FROM events ORDER BY id DESC LIMIT 1")}


async def test_new_webhook_gets_nothing_of_the_past(
    db: asyncpg.Connection, module_database_url: str, receiver: ProviderServer
) -> None:
    receiver.answers["/"] = reply("")
    await db.execute(A_USER, "before@example.com")
    await add(db, f"{receiver.url}/")
    later = await db.fetchval(A_USER, "later@example.com")
    async with delivery(module_database_url):
        await eventually(lambda: receiver.seen, "an event")
    assert list(by_user(receiver.seen)) == [str(later)]


async def test_gone_pauses_the_webhook_and_its_events_wait(
    db: asyncpg.Connection,
    module_database_url: str,
    receiver: ProviderServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    receiver.answers["/"] = reply("", 410)
    await add(db, f"{receiver.url}/")
    await db.execute(A_USER, "first@example.com")

    async def is_paused() -> bool:
        return await db.fetchval("SELECT pause_reason FROM webhooks") is not None

    async with delivery(module_database_url):
        await eventually(is_paused, "a pause")
        line = "is paused: the receiver answered 410 Gone"
        await eventually(lambda: line in caplog.text, "a line in the log")
        await db.execute(A_USER, "second@example.com")

        async def both_wait() -> bool:
            await hurry(db)
            return len(await waiting(db)) == 2

        await eventually(both_wait, "the second, too")
        number = len(receiver.seen)
        receiver.answers["/"] = reply("")
        await db.execute("UPDATE webhooks SET paused_at = NULL, pause_reason = NULL")
        await hurry(db)
        await eventually(lambda: len(receiver.seen) >= number + 2, "both")
    assert number == 1
    assert await waiting(db) == []


@pytest.mark.parametrize(
    ("answer", "least", "most"),
    [
        (reply("", 503, retry_after="3600"), 3590, 3600 * 1.1),
        (reply("", 429, retry_after="999999"), 24 * 3590, 24 * 3600 * 1.1),
        (reply("", 503, retry_after="1"), 1, 5.5),
        (reply("", 500, retry_after="3600"), 1, 5.5),
    ],
)
async def test_receiver_that_is_busy_is_left_alone(
    db: asyncpg.Connection,
    module_database_url: str,
    receiver: ProviderServer,
    answer: Answer,
    least: float,
    most: float,
) -> None:
    receiver.answers["/"] = answer
    await add(db, f"{receiver.url}/")
    await db.execute(A_USER, "ann@example.com")
    delays: list[float] = []

    async def has_failed() -> bool:
        rows = await db.fetch(
            "SELECT extract(epoch FROM next_attempt_at - now())::float8 AS delay"
            " FROM webhook_deliveries WHERE last_error IS NOT NULL"
        )
        delays.extend(each["delay"] for each in rows)
        return bool(rows)

    async with delivery(module_database_url):
        await eventually(has_failed, "an attempt")
    assert least - 2 <= delays[0] <= most


async def test_slow_receivers_hold_up_nobody(
    db: asyncpg.Connection, module_database_url: str, receiver: ProviderServer
) -> None:
    receiver.answers |= {"/slow": silence, "/quick": reply("")}
    await add(db, f"{receiver.url}/slow")
    await add(db, f"{receiver.url}/quick")
    for number in range(40):
        await db.execute(A_USER, f"u{number}@example.com")
    async with delivery(module_database_url):
        await eventually(lambda: len(receiver.asked("/quick")) == 40, "all at the quick one")
        assert len(receiver.asked("/slow")) == deliverer.MAX_MESSAGES_TO_ONE


async def test_process_that_ends_gives_back_what_is_under_way(
    db: asyncpg.Connection,
    module_database_url: str,
    receiver: ProviderServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deliverer, "GRACE", 0.1)
    receiver.answers["/"] = silence
    await add(db, f"{receiver.url}/")
    await db.execute(A_USER, "ann@example.com")
    async with delivery(module_database_url):
        await receiver.has_seen(1)
        (row,) = await waiting(db)
        assert row["attempts"] == 1
    due = "SELECT attempts, next_attempt_at <= now() AS due FROM webhook_deliveries"
    assert tuple(await db.fetchrow(due) or ()) == (0, True)
    receiver.answers["/"] = reply("")
    async with delivery(module_database_url):
        await receiver.has_seen(2)
    assert await waiting(db) == []
    assert len(set(ids(receiver.seen))) == 1


async def test_two_secrets_sign_after_a_rotation_and_one_when_the_day_is_over(
    db: asyncpg.Connection, module_database_url: str, receiver: ProviderServer
) -> None:
    receiver.answers["/"] = reply("")
    old, new = await add(db, f"{receiver.url}/"), new_secret()
    await db.execute(
        "UPDATE webhooks SET old_secret = secret, old_secret_until = now() + '1 day', secret = $1",
        Vault([SECRET]).seal(new),
    )
    async with delivery(module_database_url):
        await db.execute(A_USER, "first@example.com")
        await receiver.has_seen(1)
        await db.execute("UPDATE webhooks SET old_secret_until = now() - interval '1 s'")
        await db.execute(A_USER, "second@example.com")
        await receiver.has_seen(2)
    first, second = receiver.seen
    for seen in (first, second):
        assert Webhook(new).verify(seen.body, dict(seen.headers))
    assert old.verified(first)
    with pytest.raises(WebhookVerificationError):
        old.verified(second)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(first.body, dict(first.headers))


async def test_webhook_whose_secret_cannot_be_read_says_so_and_signs_nothing(
    db: asyncpg.Connection,
    module_database_url: str,
    receiver: ProviderServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await add(db, f"{receiver.url}/")
    await db.execute(A_USER, "ann@example.com")
    async with delivery(module_database_url, GATEPOST_SECRET=SECRET[::-1]):
        await eventually(lambda: "fails: its secret is encrypted" in caplog.text, "a line")
    assert receiver.seen == []


async def test_erasure_reaches_what_waits(
    db: asyncpg.Connection, module_database_url: str, receiver: ProviderServer
) -> None:
    receiver.answers["/"] = reply("", 500)
    await add(db, f"{receiver.url}/")
    user = await db.fetchval(A_USER, "ann@example.com")
    given = settings(module_database_url)
    database = Database(given)
    await database.open()

    async def has_failed() -> bool:
        return bool(await db.fetch("SELECT FROM webhook_deliveries WHERE last_error <> ''"))

    try:
        async with delivery(module_database_url):
            await eventually(has_failed, "an attempt before")
            assert b"ann@example.com" in receiver.seen[0].body
            await PersonalData(database, Schema(), [SECRET]).erase(user)
            receiver.answers["/"] = reply("")
            await hurry(db)
            await receiver.has_seen(3)
    finally:
        await database.close()
    for seen in receiver.seen[1:]:
        assert b"ann@example.com" not in seen.body
        assert (data(seen)["user_id"], data(seen)["before"], data(seen)["after"]) == (
            str(user), None, None,
        )  # fmt: skip
    assert {json.loads(seen.body)["type"] for seen in receiver.seen} == {
        "user.created", "user.deleted",
    }  # fmt: skip


async def test_purge_loses_no_event_without_a_word(
    db: asyncpg.Connection,
    module_database_url: str,
    receiver: ProviderServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nobody delivered for longer than events are kept: they are dead letters, and their age."""
    receiver.answers["/"] = reply("")
    await add(db, f"{receiver.url}/")
    await db.execute(A_USER, "old@example.com")
    await db.execute("UPDATE events SET created_at = now() - interval '401 days'")
    await db.execute(A_USER, "new@example.com")
    # a dead letter that is as old goes with the events
    await db.execute(
        "INSERT INTO webhook_deliveries (webhook_id, event_id, user_id, dead_since)"
        " SELECT id, gen_random_uuid(), id, now() - interval '401 days' FROM webhooks"
    )
    deleted = await purge_now(settings(module_database_url))
    assert deleted["events"] == 1
    assert len(await waiting(db)) == 2
    async with delivery(module_database_url):

        async def is_dead() -> bool:
            return [each["last_error"] for each in await waiting(db)] == [
                "the event is not kept any more"
            ]

        await eventually(is_dead, "a dead letter")
        line = "a dead letter now: the event is not kept any more"
        await eventually(lambda: line in caplog.text, "a line in the log")
    assert [data(seen)["after"]["email"] for seen in receiver.seen] == ["new@example.com"]


async def test_removed_webhook_takes_along_what_waits(
    db: asyncpg.Connection, module_database_url: str, receiver: ProviderServer
) -> None:
    receiver.answers |= {"/slow": silence, "/": json_reply(1)}
    await add(db, f"{receiver.url}/slow")
    await db.execute(A_USER, "ann@example.com")
    async with delivery(module_database_url):
        await receiver.has_seen(1)
        await db.execute("DELETE FROM webhooks")
        await add(db, f"{receiver.url}/")
        await db.execute(A_USER, "bob@example.com")
        await receiver.has_seen(2)
    assert await waiting(db) == []


async def test_delivery_goes_on_when_the_database_was_away(
    db: asyncpg.Connection,
    module_database_url: str,
    receiver: ProviderServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    receiver.answers["/"] = reply("")
    await add(db, f"{receiver.url}/")
    async with delivery(module_database_url):
        for number in range(3):
            await db.fetch(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            await db.execute(A_USER, f"u{number}@example.com")
            await receiver.has_seen(number + 1)
    assert "Traceback" not in caplog.text
    assert not [each for each in caplog.records if each.levelno > logging.WARNING]
