"""Histories of concurrent clients, through everything that breaks, and of services with a fault.

HISTORY_SECONDS makes the first two longer (``make history``: five minutes each); HISTORY_SEED
repeats what the clients choose, though not what the machine does with it.
"""

import asyncio
import os
import random
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from contextlib import AsyncExitStack, ExitStack
from functools import partial
from pathlib import Path
from typing import Final

import asyncpg
import msgspec
import pytest

from app.migrations import dbmate
from tests.faults.history import checker
from tests.faults.history.checker import FinalState, Operation, Violation
from tests.faults.history.clients import SETTINGS, Clients, row, session
from tests.faults.history.nemesis import Nemesis, Pair, Rollout, lost_answers, rotation, silence
from tests.faults.history.nodes import (
    DATABASE,
    PGBOUNCER,
    Node,
    PgBouncer,
    ServiceProcess,
    folder_for_servers,
)
from tests.faults.proxy import listening, proxied
from tests.migrations.test_previous_release import check_out, previous
from tests.support import IN_CI, ROOT

# Which server is of no account: what is tested is what the service makes of its failures.

SECONDS: Final = float(os.environ.get("HISTORY_SECONDS") or 0)
SEED: Final = int(os.environ.get("HISTORY_SEED") or random.randrange(1_000_000))
CLIENTS: Final = 8
ATTEMPTS: Final = 20
"""Runs of a second in which a fault has to show; on a quiet machine the first does."""

DONE: Final = frozenset(
    (
        *("sign-up", "sign-in", "create", "write", "rename", "revoke", "sign-out"),
        *("revoke-others", "change-password", "delete", "verify", "refresh", "list"),
    )
)
"""What has to succeed at least once, or the history says little."""


async def recorded(
    nemeses: Mapping[str, Nemesis],
    services: Sequence[ServiceProcess],
    seconds: float,
    pause: float,
    required: Set[str] = DONE,
    seed: int = SEED,
) -> list[Operation]:
    """What the clients did during the rotation, and until they have done ``required``."""
    clients = Clients([one.url for one in services], seed)

    def done() -> set[str]:
        return {one.kind for one in clients.history if one.outcome == "ok"}

    async def trouble() -> None:
        await rotation(nemeses, services, clients.history, seconds, pause)
        async with asyncio.timeout(60):
            while not required <= done():  # noqa: ASYNC110 - the clients do it
                await asyncio.sleep(0.05)

    await clients.run(CLIENTS, trouble())
    return clients.history


async def final_state(url: str) -> FinalState:
    """What the tables hold; the services have ended."""
    connection = await asyncpg.connect(url)
    try:
        items: dict[str, list[float]] = {}
        values: dict[str, str] = {}
        for name, email in await connection.fetch("SELECT name, email FROM users"):
            items.setdefault(f"user {email}", []).append(0)
            values[f"name of {email}"] = name
        found = await connection.fetch("SELECT token, extract(epoch FROM expires_at) FROM sessions")
        for token, expires_at in found:
            items.setdefault(session(token), []).append(float(expires_at))
        for (value,) in await connection.fetch("SELECT value FROM verifications"):
            items.setdefault(row(value), []).append(0)
        return FinalState(items=items, values=values)
    finally:
        await connection.close()


def judged(history: Sequence[Operation], final: FinalState, folder: Path) -> list[Violation]:
    """The violations; the history is kept beside the service's log when there are any."""
    violations = checker.check(history, final)
    counts = Counter((one.kind, one.outcome) for one in history)
    lines = [f"seed {SEED}, {len(history)} operations, {len(violations)} violations"]
    lines.append(", ".join(f"{n} {kind} {what}" for (kind, what), n in sorted(counts.items())))
    broken = (one for one in history if one.kind.startswith("("))
    lines += [f"{one.kind} {one.begin:.2f} to {one.end:.2f}" for one in broken]
    print("\n".join(lines))  # noqa: T201 - shown after a failure, or with -s
    if violations:
        lines = [msgspec.json.encode(one) for one in (*history, final)]
        (folder / "history.jsonl").write_bytes(b"\n".join(lines))
    return violations


def told(violations: Sequence[Violation], folder: Path) -> str:
    shown = "\n".join(map(str, violations[:10]))
    return f"{len(violations)} violations, seed {SEED}, history in {folder}\n{shown}"


def versions(
    folder: Path,
) -> tuple[Callable[[ServiceProcess], None], Callable[[ServiceProcess], None]]:
    """This tree, and the previous release; where that is not to be had, another pool."""
    revision = previous()
    if revision is None:
        return ServiceProcess.start, partial(ServiceProcess.start, GATEPOST_POOL_SIZE="2")
    tree = check_out(revision, folder / "previous")
    shutil.rmtree(tree / "db")
    (tree / "db").symlink_to(ROOT / "db")
    return ServiceProcess.start, partial(ServiceProcess.start, root=tree)


async def test_nothing_is_lost_or_comes_back_whatever_breaks(tmp_path: Path) -> None:
    """Two nodes: the standby is synchronous, for an asynchronous one may lose what it never got."""
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(folder_for_servers())
        primary = Node(folder / "node1")
        await asyncio.to_thread(primary.start)
        pair = Pair(folder, primary, primary, {})
        stack.callback(pair.end)
        await dbmate.up(primary.server.url(DATABASE))
        pair.standby = await asyncio.to_thread(Node.standby, folder / "node2", primary)
        for node in (primary, pair.standby):
            pair.proxies[node.socket] = await stack.enter_async_context(listening(node.socket))
        proxies = tuple(pair.proxies.values())
        hosts = ",".join(f"127.0.0.1:{one.port}" for one in proxies)
        url = f"postgres://postgres@{hosts}/{DATABASE}?sslmode=disable&target_session_attrs=primary"
        services = [ServiceProcess(url, tmp_path / f"service{n}.log", SETTINGS) for n in (1, 2)]
        rollout = Rollout(services, versions(tmp_path))
        for service in services:
            stack.callback(service.kill)
        await asyncio.gather(*(asyncio.to_thread(one.start) for one in services))
        nemeses: dict[str, Nemesis] = {
            "SIGKILL to a backend": pair.kill_a_backend,
            "failover": pair.failover,
            "silence": partial(silence, proxies),
            "lost answers": partial(lost_answers, proxies),
            "rolling deploy": rollout.roll,
            "SIGKILL to PostgreSQL": pair.crash,
            "SIGKILL to a service": rollout.kill_one,
            "switchover": pair.switchover,
        }
        history = await recorded(nemeses, services, SECONDS, pause=0.4)
        await asyncio.gather(*(asyncio.to_thread(one.terminate) for one in services))
        final = await final_state(pair.primary.server.url(DATABASE))
    violations = judged(history, final, tmp_path)
    assert not violations, told(violations, tmp_path)


async def test_nothing_is_lost_or_comes_back_when_a_pooler_restarts(
    database_url: str, tmp_path: Path
) -> None:
    if PGBOUNCER is None:
        if IN_CI:
            pytest.fail("no pgbouncer")
        pytest.skip("no pgbouncer: apt-get install pgbouncer")
    with ExitStack() as stack:
        folder = stack.enter_context(folder_for_servers())
        pooler = PgBouncer(database_url, folder)
        stack.callback(pooler.kill)
        pooler.start()
        direct = {"DATABASE_DIRECT_URL": database_url, "GATEPOST_POOLER": "transaction"}
        settings = SETTINGS | direct
        service = ServiceProcess(pooler.url, tmp_path / "service.log", settings)
        stack.callback(service.kill)
        await asyncio.to_thread(service.start)

        async def restart() -> None:
            await asyncio.to_thread(pooler.kill)
            await asyncio.to_thread(pooler.start)

        nemeses = {"SIGKILL to the pooler": restart, "and again": restart}
        history = await recorded(nemeses, [service], SECONDS, pause=0.7)
        await asyncio.to_thread(service.terminate)
        final = await final_state(database_url)
    violations = judged(history, final, tmp_path)
    assert not violations, told(violations, tmp_path)


@pytest.mark.parametrize(
    ("fault", "rules"),
    [
        ("cache", {checker.REVOKED}),
        ("upsert", {checker.REVOKED}),
        ("retry", {checker.TWICE, checker.REFUSED}),
    ],
)
async def test_fault_in_the_service_is_caught(
    fault: str, rules: set[str], database_url: str, tmp_path: Path
) -> None:
    command = (str(Path(__file__).with_name("seeded.py")), fault)
    async with proxied(database_url) as (proxy, url):
        settings = SETTINGS | {"PYTHONPATH": str(ROOT)}
        service = ServiceProcess(url, tmp_path / "service.log", settings)
        try:
            await asyncio.to_thread(partial(service.start, command=command))
            lost = {f"lost answers {n}": partial(lost_answers, [proxy]) for n in range(3)}
            nemeses = lost if fault == "retry" else {}
            for attempt in range(ATTEMPTS):
                history = await recorded(
                    nemeses, [service], 1.0, pause=0.3, required=frozenset(), seed=SEED + attempt
                )
                violations = judged(history, await final_state(database_url), tmp_path)
                if rules & {one.rule for one in violations}:
                    break
            else:
                pytest.fail(f"not caught in {ATTEMPTS} runs, seed {SEED}")
        finally:
            await asyncio.to_thread(service.kill)
