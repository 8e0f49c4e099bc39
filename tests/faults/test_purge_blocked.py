"""The purge never takes a table that it cannot purge for one with nothing to delete."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import ROOT, Server, running_service, wait_until

# The rows are elsewhere than in the table's own pages, as in a distributed or a partitioned one.
ELSEWHERE = """
    INSERT INTO users (name, email) VALUES ('Ann', 'ann@example.com');
    ALTER TABLE sessions RENAME TO elsewhere;
    CREATE TABLE sessions (LIKE elsewhere INCLUDING DEFAULTS) PARTITION BY HASH (token);
    ALTER TABLE sessions ATTACH PARTITION elsewhere FOR VALUES WITH (MODULUS 1, REMAINDER 0);
    INSERT INTO sessions (user_id, token, created_at, expires_at)
    SELECT id, md5(''), now() - interval '2 days', now() - interval '1 day' FROM users;
"""
MESSAGE = "sessions has rows but no pages of its own"


@pytest.fixture
def name(postgres: Server, template: str) -> Iterator[str]:
    with postgres.database(template) as name:
        postgres.sql(ELSEWHERE, name)
        yield name


def test_command_fails(postgres: Server, name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", "purge"],
        cwd=ROOT, env=os.environ | {"DATABASE_URL": postgres.url(name)}, check=False,
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stdout == ""
    assert MESSAGE in done.stderr
    assert done.stderr.count("\n") == 1
    assert postgres.sql("SELECT leased_until IS NULL FROM purges", name) == "t"


def test_service_logs_an_error_and_goes_on(postgres: Server, name: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with running_service(postgres.url(name), log, GATEPOST_PURGE_EVERY="1"):
        wait_until(lambda: log.read_text().count(MESSAGE) > 1, "two passes")
    lines = [json.loads(line) for line in log.read_text().splitlines() if MESSAGE in line]
    assert {line["level"] for line in lines} == {"error"}
    assert "Traceback" not in log.read_text()
