"""The official client (`better-auth/client`) runs every flow against Gatepost.

The script is node/client.test.mjs; here it is given services and run by Node's test runner.
"""

import os
import re
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tests.interop.auth.servers import BASE_URL, NODE, ON_ONE_POSTGRES, subject
from tests.interop.auth.setups import SETUPS, Setup
from tests.support import Server

DEFERRED = Setup(
    settings={"GATEPOST_DEFER_SESSION_REFRESH": "true", "GATEPOST_SESSION_UPDATE_AGE": "0"},
    options={"session": {"deferSessionRefresh": True, "updateAge": 0}},
)


@ON_ONE_POSTGRES
@pytest.mark.parametrize("better_auth_server", ["plain", "none"])
def test_client_script_passes(
    postgres: Server,
    template: str,
    node: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    better_auth_server: str,
) -> None:
    setups = {
        name: replace(
            setup, settings={**setup.settings, "GATEPOST_BETTER_AUTH_SERVER": better_auth_server}
        )
        for name, setup in {
            "plain": SETUPS["plain"],
            "strict": SETUPS["strict"],
            "deferred": DEFERRED,
        }.items()
    }
    with ExitStack() as stack:
        servers = {}
        for name, setup in setups.items():
            folder = tmp_path / name
            folder.mkdir()
            database = stack.enter_context(postgres.database(template))
            running = subject(setup, postgres, database, folder, node)
            servers[name] = stack.enter_context(running)
        run = subprocess.run(
            [node, "--test", "--test-reporter=spec", "client.test.mjs"],
            cwd=NODE,
            env=os.environ
            | {
                "AUTH_URL": f"http://127.0.0.1:{servers['plain'].port}",
                "AUTH_URL_STRICT": f"http://127.0.0.1:{servers['strict'].port}",
                "AUTH_URL_DEFERRED": f"http://127.0.0.1:{servers['deferred'].port}",
                "MAIL_FILE": str(servers["plain"].mail_file),
                "MAIL_FILE_STRICT": str(servers["strict"].mail_file),
                "ORIGIN": BASE_URL,
            },
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert run.returncode == 0, run.stdout.partition("failing tests:")[2] + run.stderr
    totals = dict(re.findall(r"(?m)^ *ℹ? ?(calls|tests|skipped) (\d+)$", run.stdout))
    with capsys.disabled():
        sys.stdout.write(f" [{totals['calls']} calls by better-auth/client] ")
    assert int(totals["tests"]) >= 30
    assert int(totals["skipped"]) == 0
    assert int(totals["calls"]) >= 120
