"""Webhooks delivered by processes that are killed, to a receiver that is killed, too."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from standardwebhooks import Webhook

from tests.integration.webhooks.place import (
    A_USER,
    SETTINGS,
    Added,
    add,
    all_delivered,
    eventually,
    hurry,
)
from tests.support import ROOT, end, environment, free_port, running_service, wait_until


class Receiver:
    """A receiver that can be killed and started again on its port."""

    def __init__(self, file: Path) -> None:
        self.port = free_port()
        self.file = file
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        module = "tests.integration.webhooks.receiver"
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, str(self.port), str(self.file)], cwd=ROOT
        )

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def seen(self) -> list[dict[str, Any]]:
        """What came; the last line may be half written when it was killed."""
        text = self.file.read_text() if self.file.exists() else ""
        return [json.loads(line) for line in text.split("\n")[:-1] if line.endswith("}")]


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    found = Receiver(tmp_path / "seen")
    found.start()
    yield found
    found.kill()


@contextmanager
def deliverer(url: str, log: Path, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "webhooks", "deliver"], cwd=ROOT,
            env=environment(url) | SETTINGS | more, stdin=subprocess.DEVNULL,
            stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            yield process
        finally:
            end(process)


def checked_order(hook: Added, receiver: Receiver, expected: dict[str, list[str]]) -> None:
    """Each event came, each user's in order, whoever was killed; each is signed."""
    first_successes: dict[str, list[str]] = {}
    for each in receiver.seen():
        verified: Any = Webhook(hook.secret).verify(each["body"], each["headers"])
        event = verified["data"]
        came = first_successes.setdefault(event["user_id"], [])
        if each["status"] == 200 and event["id"] not in came:
            came.append(event["id"])
    assert first_successes == expected


async def recorded(db: asyncpg.Connection) -> dict[str, list[str]]:
    rows = await db.fetch(
        "SELECT user_id::text, array_agg(id::text ORDER BY id) AS ids FROM events GROUP BY 1"
    )
    return {row["user_id"]: row["ids"] for row in rows}


async def test_every_event_arrives_in_order_though_processes_and_receiver_are_killed(
    db: asyncpg.Connection, module_database_url: str, receiver: Receiver, tmp_path: Path
) -> None:
    hook = await add(db, f"{receiver.url}/slow")
    url = module_database_url

    async def write(number: int) -> None:
        user = await db.fetchval(A_USER, f"u{number}@example.com")
        for name in "ab":
            await db.execute("UPDATE users SET name = $1 WHERE id = $2", name, user)

    with ExitStack() as stack:
        first = stack.enter_context(deliverer(url, tmp_path / "first"))
        stack.enter_context(deliverer(url, tmp_path / "second"))
        for number in range(30):
            await write(number)
        await eventually(lambda: len(receiver.seen()) > 15, "some have come")
        first.send_signal(signal.SIGKILL)
        first.wait()
        receiver.kill()
        for number in range(30, 40):
            await write(number)

        async def fails() -> bool:
            return bool(await db.fetchval("SELECT failing_since FROM webhooks"))

        await eventually(fails, "the receiver is missed")
        receiver.start()
        stack.enter_context(deliverer(url, tmp_path / "third"))

        async def done() -> bool:
            # the leases of the process that was killed end, and hours go by
            await db.execute(
                "UPDATE webhook_deliveries SET next_attempt_at = now()"
                " WHERE next_attempt_at > now() + interval '3 s'"
            )
            return await all_delivered(db)

        await eventually(done, "all have come")
    checked_order(hook, receiver, await recorded(db))
    text = "".join((tmp_path / name).read_text() for name in ("second", "third"))
    assert text.count(" fails: ") == 1
    assert "Traceback" not in text
    assert "whsec_" not in text


async def test_service_delivers_and_counts_and_ends_in_time(
    db: asyncpg.Connection, module_database_url: str, receiver: Receiver, tmp_path: Path
) -> None:
    hook = await add(db, f"{receiver.url}/flaky")
    log = tmp_path / "log"

    def value(sample: str) -> float | None:
        found = re.search(
            rf"^{re.escape(sample)} (\S+)$", httpx.get(service.metrics).text, re.MULTILINE
        )
        return float(found[1]) if found else None

    with running_service(module_database_url, log, **SETTINGS) as service:
        assert value('gatepost_webhook_attempts_total{outcome="dead"}') == 0
        for number in range(12):
            await db.execute(A_USER, f"u{number}@example.com")

        async def done() -> bool:
            await hurry(db)
            return await all_delivered(db)

        await eventually(done, "all have come")
        await eventually(
            lambda: value('gatepost_webhook_attempts_total{outcome="delivered"}') == 12, "counted"
        )
        assert value('gatepost_webhook_attempts_total{outcome="failed"}')
        assert value("gatepost_webhooks_waiting") is not None
        assert value("gatepost_webhooks_dead") == 0
        assert value("gatepost_webhooks_oldest_seconds") is not None
        service.process.terminate()
        assert service.process.wait(20) == 0
    checked_order(hook, receiver, await recorded(db))
    assert '"exception"' not in log.read_text()


@pytest.mark.parametrize("end_by", [signal.SIGTERM, signal.SIGINT])
def test_process_that_delivers_ends_by_a_signal(
    postgres: object, module_database_url: str, tmp_path: Path, end_by: signal.Signals
) -> None:
    log = tmp_path / "log"
    port = str(free_port())
    with deliverer(module_database_url, log, GATEPOST_METRICS_PORT=port) as process:
        wait_until(lambda: "delivers" in log.read_text(), "it has begun")
        assert "gatepost_webhooks_waiting" in httpx.get(f"http://127.0.0.1:{port}/metrics").text
        process.send_signal(end_by)
        assert process.wait(20) == 0
    assert log.read_text() == "Gatepost delivers webhooks\n"


def test_nothing_of_it_is_imported_where_it_is_off(module_database_url: str) -> None:
    code = (
        "import sys; from app.main import create_app; create_app(); names = ('app.webhooks',"
        " 'app.outgoing', 'httpx'); print([n for n in sys.modules if n.startswith(names)])"
    )
    given = environment(module_database_url) | SETTINGS
    for on, printed in (("false", "[]"), ("true", "app.webhooks.deliverer")):
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=given | {"GATEPOST_WEBHOOKS": on},
            check=True, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert printed in done.stdout
