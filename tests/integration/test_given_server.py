"""DATABASE_URL reaches the tests as the server to test on, and nothing else of its kind does."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT

SHARED = ("browser.py", "__init__.py", "conftest.py", "support.py")
GIVEN = "postgres://somebody@db.test/postgres"
TESTS = """
import os
import pytest
from tests import GIVEN_URL
from tests.conftest import SERVERS

@pytest.mark.parametrize("number", range(4))
def test_server_is_the_given_one(number):
    assert os.environ.get("PYTEST_XDIST_WORKER", "") in {workers!r}
    assert GIVEN_URL == {url!r}
    assert (SERVERS == ["given"]) is ({url!r} is not None)
    assert not {{"DATABASE_URL", "DATABASE_DIRECT_URL", "PGHOST", "PORT"}} & set(os.environ)
"""


@pytest.mark.parametrize(("workers", "url"), [(0, GIVEN), (2, GIVEN), (2, None)])
def test_given_server_reaches_every_worker(workers: int, url: str | None, tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    for name in SHARED:
        shutil.copy(ROOT / "tests" / name, tmp_path / "tests")
    names = [f"gw{n}" for n in range(workers)] or [""]
    (tmp_path / "tests" / "test_here.py").write_text(TESTS.format(workers=names, url=url))
    inherited = ("DATABASE_", "GATEPOST_", "PYTEST_")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(inherited)}
    environment |= {"PGHOST": "elsewhere", "PORT": "1", "DATABASE_DIRECT_URL": "postgres://other/x"}
    if url:
        environment["DATABASE_URL"] = url
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", str(workers)],
        cwd=tmp_path, env=environment | {"PYTHONPATH": str(ROOT)},
        check=False, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    assert "4 passed" in done.stdout
