"""Random requests: each answer is well-formed and somebody's own, none a failure, none a hang.

FUZZ_CASES and FUZZ_SEED in the environment choose how many and which.
"""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.conftest import SERVERS
from tests.security.http_fuzz import run
from tests.security.raw import Connection, auth_service, sign_in
from tests.support import Server, answers

THREADS = 4


def test_random_requests(
    postgres_servers: Callable[[str], Server], templates: Callable[[Server], str], tmp_path: Path
) -> None:
    cases = int(os.environ.get("FUZZ_CASES", "1200"))
    seed = int(os.environ.get("FUZZ_SEED", "13"))
    with auth_service(postgres_servers, templates, tmp_path / "service.log") as service:
        cookie = sign_in(postgres_servers(SERVERS[0]), service, ["canary"])["canary"]
        request = b"GET /api/auth/get-session HTTP/1.1\r\nHost: a\r\nCookie: %s\r\n\r\n" % cookie
        done, crossed = threading.Event(), []

        def visit() -> None:
            """Somebody with a session, whose answers are to be its own."""
            while not done.wait(0.01):
                with Connection(service.url) as connection:
                    connection.send(request)
                    (answer,) = connection.read(1)
                if b'"email":"canary@example.com"' not in answer.body:
                    crossed.append(answer)

        with ThreadPoolExecutor(THREADS + 1) as pool:
            visitor = pool.submit(visit)
            try:
                reports = list(
                    pool.map(
                        lambda thread: run(
                            service.url, cases // THREADS, seed * 1000 + thread, b"canary@example"
                        ),
                        range(THREADS),
                    )
                )
            finally:
                done.set()
            visitor.result()
        assert answers(f"{service.url}/readyz")
        log = service.log.read_text()
    faults = [fault for report in reports for fault in report.faults]
    statuses = sum((report.statuses for report in reports[1:]), reports[0].statuses)
    summary = f"{cases} connections, {statuses.total()} answers: {dict(sorted(statuses.items()))}"
    assert not faults, "\n".join([summary, *faults[:20]])
    assert not crossed
    assert '"status":500' not in log
    assert "Traceback" not in log
    assert {200, 400, 401, 404, 405} <= set(statuses), summary
    (tmp_path / "summary").write_text(summary)
