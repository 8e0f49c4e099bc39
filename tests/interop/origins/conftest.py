"""What the tests of this folder need, or are skipped without."""

import shutil

import pytest

from tests.browser import missing_program
from tests.support import IN_CI


@pytest.fixture(scope="session")
def nginx() -> str:
    """nginx's program, where a browser is there too."""
    program = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    missing = missing_program() or (None if program else "nginx")
    if missing or program is None:
        (pytest.fail if IN_CI else pytest.skip)(
            f"no {missing}: apt-get install chromium chromium-driver nginx-light"
        )
    return program
