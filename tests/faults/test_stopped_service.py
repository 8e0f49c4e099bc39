"""What a service that hangs or was killed has left: its role in the database ends it."""

import signal
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.migrations.test_doctor import role
from tests.support import SECRET, Server, running_service, wait_until

SETTINGS = {
    "GATEPOST_SECRET": SECRET,
    "GATEPOST_BASE_URL": "http://app.example.com",
    "GATEPOST_RATE_LIMIT": "off",
    "GATEPOST_POOL_SIZE": "1",
}
WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND wait_event_type = 'Lock'"
)


@pytest.mark.parametrize(
    ("limit", "seconds"),
    [("idle_in_transaction_session_timeout", "10s"), ("transaction_timeout", "30s")],
)
def test_stopped_service_does_not_keep_its_row_locks(
    limit: str, seconds: str, postgres: Server, database_url: str, tmp_path: Path
) -> None:
    if limit == "transaction_timeout" and postgres.version < 17:
        pytest.skip("older servers do not have it")
    database = urlsplit(database_url).path[1:]
    with role(postgres, database) as url:
        name = urlsplit(url).username
        limits = f"SELECT setconfig FROM pg_db_role_setting WHERE setrole = '{name}'::regrole"
        assert f"{limit}={seconds}" in postgres.sql(limits, database)
        postgres.sql(f"ALTER ROLE {name} SET {limit} = '2s'")
        with running_service(url, tmp_path / "log", **SETTINGS) as service:
            if limit != "transaction_timeout":
                # the next one has no statement to parse, in whose middle it would not be idle
                assert sign_up(service.url, "ben") == 200
            # sign-up inserts the user, and then waits for this lock
            lock = "BEGIN; LOCK TABLE sessions IN EXCLUSIVE MODE; SELECT pg_sleep(2)"
            locked = threading.Thread(target=postgres.sql, args=(lock, database))
            locked.start()
            signing_up = threading.Thread(target=sign_up, args=(service.url, "ann"))
            signing_up.start()
            wait_until(lambda: postgres.sql(WAITING, database) == "1", "waiting for the lock")
            service.process.send_signal(signal.SIGSTOP)
            try:
                locked.join()
                started = time.monotonic()
                user = "INSERT INTO users (name, email) VALUES ('Ann', 'ann@example.com')"
                postgres.sql(f"SET lock_timeout = '30s'; {user}", database)
                assert time.monotonic() - started < 20
            finally:
                service.process.send_signal(signal.SIGCONT)
            signing_up.join()


def test_statement_of_a_killed_service_ends_while_it_waits_for_a_lock(
    postgres: Server, database_url: str, tmp_path: Path
) -> None:
    database = urlsplit(database_url).path[1:]
    with (
        role(postgres, database) as url,
        running_service(url, tmp_path / "log", **SETTINGS) as service,
    ):
        lock = "BEGIN; LOCK TABLE sessions IN EXCLUSIVE MODE; SELECT pg_sleep(15)"
        locked = threading.Thread(target=postgres.sql, args=(lock, database))
        locked.start()

        def give_up() -> None:
            with pytest.raises(httpx.HTTPError):
                sign_up(service.url, "ann")

        signing_up = threading.Thread(target=give_up)
        signing_up.start()
        wait_until(lambda: postgres.sql(WAITING, database) == "1", "waiting for the lock")
        service.process.kill()
        signing_up.join()
        wait_until(lambda: postgres.sql(WAITING, database) == "0", "nobody waits any more")
        assert locked.is_alive()
        locked.join()


def sign_up(url: str, name: str) -> int:
    headers = {"origin": "http://app.example.com"}
    user = {"name": name, "email": f"{name}@example.com", "password": "correct horse battery"}
    return httpx.post(
        f"{url}/api/auth/sign-up/email", json=user, headers=headers, timeout=60
    ).status_code
