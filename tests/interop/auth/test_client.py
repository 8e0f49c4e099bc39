"""The official client (`better-auth/client`) runs every flow against Gatepost.

The scripts are node/client.test.mjs and node/social.test.mjs; here they are given services and run
by Node's test runner.
"""

import os
import re
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tests.interop.auth.provider import provider
from tests.interop.auth.servers import BASE_URL, NODE, subject
from tests.interop.auth.setups import SETUPS, Setup
from tests.interop.auth.visitor import PASSWORD
from tests.interop.social.oidc_provider import NAMES, oidc_provider
from tests.support import ROOT, Server

DEFERRED = Setup(
    settings={"GATEPOST_DEFER_SESSION_REFRESH": "true", "GATEPOST_SESSION_UPDATE_AGE": "0"},
    options={"session": {"deferSessionRefresh": True, "updateAge": 0}},
)


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
            "social": SETUPS["social"],
        }.items()
    }
    with ExitStack() as stack:
        servers = {}
        social = setups["social"].at(stack.enter_context(provider()).url)
        certified = stack.enter_context(oidc_provider(node, BASE_URL, tmp_path / "oidc.log"))
        setups["social"] = replace(
            social,
            providers=[
                *(one for one in social.providers if one["id"] not in NAMES),
                *map(certified.settings, NAMES),
            ],
        )
        for name, setup in setups.items():
            folder = tmp_path / name
            folder.mkdir()
            database = stack.enter_context(postgres.database(template))
            running = subject(setup, postgres, database, folder, node)
            servers[name] = stack.enter_context(running)
        run = subprocess.run(
            [node, "--test", "--test-reporter=spec", "client.test.mjs", "social.test.mjs"],
            cwd=NODE,
            env=os.environ
            | {
                "AUTH_URL": f"http://127.0.0.1:{servers['plain'].port}",
                "AUTH_URL_STRICT": f"http://127.0.0.1:{servers['strict'].port}",
                "AUTH_URL_SOCIAL": f"http://127.0.0.1:{servers['social'].port}",
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
    totals: Counter[str] = Counter()
    for name, count in re.findall(r"(?m)^ *ℹ? ?(calls|tests|skipped) (\d+)$", run.stdout):
        totals[name] += int(count)
    with capsys.disabled():
        sys.stdout.write(f" [{totals['calls']} calls by better-auth/client] ")
    assert totals["tests"] >= 42
    assert totals["skipped"] == 0
    assert totals["calls"] >= 230


def test_client_with_additional_fields_passes(
    postgres: Server, template: str, node: Path, tmp_path: Path
) -> None:
    setup = SETUPS["fields"]
    with postgres.database(template) as database:
        postgres.sql(setup.columns, database)
        with subject(setup, postgres, database, tmp_path, node) as server:
            run = subprocess.run(
                [node, "--test", "--test-reporter=spec", "fields.test.mjs"],
                cwd=NODE,
                env=os.environ
                | {"AUTH_URL": f"http://127.0.0.1:{server.port}", "ORIGIN": BASE_URL},
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
    assert run.returncode == 0, run.stdout.partition("failing tests:")[2] + run.stderr
    totals = dict(re.findall(r"(?m)^ *ℹ? ?(calls|tests|skipped) (\d+)$", run.stdout))
    assert (totals["tests"], totals["skipped"], totals["calls"]) == ("3", "0", "7")


def test_client_of_the_admin_plugin_passes(
    postgres: Server, template: str, node: Path, tmp_path: Path
) -> None:
    with (
        postgres.database(template) as database,
        subject(SETUPS["admin"], postgres, database, tmp_path, node) as server,
    ):
        subprocess.run(
            [sys.executable, "-m", "app.cli", "admin", "create", "root@example.com"],
            cwd=ROOT,
            env=os.environ | {"DATABASE_URL": postgres.url(database)},
            input=PASSWORD,
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
        run = subprocess.run(
            [node, "--test", "--test-reporter=spec", "admin.test.mjs"],
            cwd=NODE,
            env=os.environ
            | {
                "ADMIN_EMAIL": "root@example.com",
                "AUTH_URL": f"http://127.0.0.1:{server.port}",
                "ORIGIN": BASE_URL,
            },
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert run.returncode == 0, run.stdout.partition("failing tests:")[2] + run.stderr
    totals = dict(re.findall(r"(?m)^ *ℹ? ?(calls|tests|skipped) (\d+)$", run.stdout))
    assert (totals["tests"], totals["skipped"]) == ("7", "0")
    assert int(totals["calls"]) >= 40
