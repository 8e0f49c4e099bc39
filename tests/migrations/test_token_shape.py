"""The check on a session's token accepts what it accepted before it was made quick."""

import pytest

from tests.migrations.conftest import migrate
from tests.support import Server

pytestmark = pytest.mark.every_server

SHAPE = """
    SELECT pg_get_expr(conbin, conrelid) FROM pg_constraint
    WHERE conname = 'sessions_token_shape' AND convalidated
"""
# Of every length, and with every character up to U+03E8 at the start, in the middle and at the end.
TOKENS = """
    WITH good AS (SELECT repeat('09AZaz_-', 40) AS many),
         characters AS (SELECT many, chr(n) AS c FROM good, generate_series(1, 1000) n)
    SELECT left(many, n) AS token FROM good, generate_series(0, 300) n
    UNION ALL SELECT c || left(many, 31) FROM characters
    UNION ALL SELECT left(many, 99) || c || left(many, 99) FROM characters
    UNION ALL SELECT left(many, 254) || c FROM characters
"""


def test_quick_check_accepts_the_same_tokens(postgres: Server, empty: str) -> None:
    url = postgres.url(empty)
    migrate(url, to="20261122090500")
    old = postgres.sql(SHAPE, empty)
    migrate(url)
    new = postgres.sql(SHAPE, empty)
    assert "{32,255}" in old
    assert "{32,255}" not in new
    found = postgres.sql(
        f"SELECT count(*), count(*) FILTER (WHERE {new}),"
        f" count(*) FILTER (WHERE ({old}) IS DISTINCT FROM ({new}))"
        f' FROM (SELECT token COLLATE "C" AS token FROM ({TOKENS}) made) bytes',
        empty,
    )
    assert found == f"3301|{224 + 3 * 64}|0"
