"""The official JavaScript client of PostgREST (`@supabase/postgrest-js`) on the REST API.

The script is node/postgrest.test.mjs; here it is given a service and run by Node's test runner.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import Service

SCRIPT = Path(__file__).parent / "node" / "postgrest.test.mjs"


def test_client_script_passes(
    node: Path, module_service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = {f"GATEPOST_KEY_{name.upper()}": key for name, key in module_service.keys.items()}
    run = subprocess.run(
        [node, "--test", "--test-reporter=spec", SCRIPT.name],
        cwd=SCRIPT.parent,
        env=os.environ | keys | {"GATEPOST_URL": module_service.rest},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stdout.partition("failing tests:")[2] + run.stderr
    totals = dict(re.findall(r"(?m)^ *ℹ (distinct calls|tests|skipped):? (\d+)$", run.stdout))
    with capsys.disabled():
        sys.stdout.write(f" [{totals['distinct calls']} distinct calls by postgrest-js] ")
    assert int(totals["tests"]) >= 40
    assert int(totals["skipped"]) == 0
    assert int(totals["distinct calls"]) >= 40
