"""Run before any test is imported: the zone and the environment of the whole run.

Server and client are in the zone of New York, so that a time read or written in the local zone is
hours off and some test fails. Nothing of the caller's environment reaches a test, but the server
it asks for. pytest-xdist's workers inherit the environment that this leaves and run this again.
"""

import os
import time
from typing import Final

os.environ["TZ"] = "America/New_York"
time.tzset()

_KEPT: Final = "GATEPOST_TEST_DATABASE_URL"
"""DATABASE_URL under a name that no program under test reads, for the workers."""

GIVEN_URL: Final = os.environ.get("DATABASE_URL") or os.environ.get(_KEPT)
"""The server to test on instead of our own."""

_KEPT_POOLER: Final = "TEST_POOLER"

POOLER: Final = os.environ.get("GATEPOST_TEST_POOLER") or os.environ.get(_KEPT_POOLER)
"""A program of PgBouncer, to put in front of the database of every service that a test starts."""

for _name in list(os.environ):
    if _name.startswith(("DATABASE_", "DBMATE_", "GATEPOST_", "PG")) or _name in ("HOST", "PORT"):
        del os.environ[_name]

if GIVEN_URL:
    os.environ[_KEPT] = GIVEN_URL
if POOLER:
    os.environ[_KEPT_POOLER] = POOLER
