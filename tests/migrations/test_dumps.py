"""The form in which dumps are compared: what the schema means, not what one server writes."""

from pathlib import Path

import pytest

from tests.migrations.conftest import dump, plain
from tests.support import Server

pytestmark = pytest.mark.every_server

TABLE = "CREATE TABLE public.users (\n    id uuid NOT NULL\n);"
SET = "ALTER TABLE ONLY public.users ALTER COLUMN id SET"


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        (f"{SET} (pg_attver=26503288);", ""),
        ('ALTER TABLE ONLY public."a b" ALTER COLUMN "c d" SET (pg_attver=1);', ""),
        (f"{SET} (pg_attver=26503288, n_distinct=5);", f"{SET} (n_distinct=5);"),
        (f"{SET} (n_distinct=-0.5, pg_attver=1);", f"{SET} (n_distinct=-0.5);"),
        (f"{SET} (n_distinct_inherited=5);", f"{SET} (n_distinct_inherited=5);"),
        (f"{SET} STATISTICS 5;", f"{SET} STATISTICS 5;"),
        ("-- Name: users; Type: TABLE", ""),
        ("\\restrict dbmate", ""),
    ],
)
def test_plain_dump_keeps_all_but_what_the_server_wrote(line: str, kept: str) -> None:
    assert plain(f"{TABLE}\n{line}\n") == "\n".join(filter(None, (TABLE, kept)))


@pytest.mark.parametrize(
    "change",
    [
        "ALTER COLUMN email SET (n_distinct = -1)",
        "ALTER COLUMN email SET STATISTICS 500",
        "ALTER COLUMN email SET STORAGE EXTERNAL",
        "ALTER COLUMN email SET COMPRESSION pglz",
        "SET (fillfactor = 71)",
        "REPLICA IDENTITY FULL",
    ],
)
def test_plain_dump_shows_a_changed_option(
    change: str, postgres: Server, template: str, tmp_path: Path
) -> None:
    before = dump(postgres.url(template), tmp_path / "before")
    with postgres.database(template) as name:
        assert dump(postgres.url(name), tmp_path / "same") == before
        postgres.sql(f"ALTER TABLE users {change}", name)
        assert dump(postgres.url(name), tmp_path / "after") != before


def test_plain_dump_is_the_same_after_a_change_and_its_way_back(
    postgres: Server, template: str, tmp_path: Path
) -> None:
    before = dump(postgres.url(template), tmp_path / "before")
    with postgres.database(template) as name:
        postgres.sql("ALTER TABLE users ALTER email DROP NOT NULL", name)
        assert dump(postgres.url(name), tmp_path / "changed") != before
        postgres.sql("ALTER TABLE users ALTER email SET NOT NULL", name)
        assert dump(postgres.url(name), tmp_path / "back") == before
