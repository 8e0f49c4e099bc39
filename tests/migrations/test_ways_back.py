"""Every migration goes up, down and up again with rows in the tables; db/schema.sql is the sum."""

import itertools
import re
from pathlib import Path

import pytest

from app.migrations import files
from tests.migrations.conftest import dump, gatepost, migrate, plain
from tests.support import Server

STEPS = files.versions()

TABLES = """
    SELECT oid::regclass::text AS name FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'schema_migrations'
    ORDER BY oid
"""
COLUMNS = """
    SELECT a.attname, format_type(a.atttypid, NULL), a.attnotnull AND NOT a.atthasdef,
           (SELECT format(
                '(SELECT %1$I FROM %2$s WHERE %1$I NOT IN (SELECT %3$I FROM %4$s) LIMIT 1)',
                k.attname, k.attrelid::regclass, a.attname, a.attrelid::regclass)
            FROM pg_constraint c
            JOIN pg_attribute k ON k.attrelid = c.confrelid AND k.attnum = c.confkey[1]
            WHERE c.contype = 'f' AND c.conrelid = a.attrelid AND c.conkey = ARRAY[a.attnum])
    FROM pg_attribute a
    WHERE a.attrelid = to_regclass('{}') AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attnum
"""
UNSEEN = (
    "(SELECT id FROM sessions WHERE id NOT IN (SELECT session_id FROM session_activity) LIMIT 1)"
)
SAMPLES = {
    "text": "md5(random()::text)",
    "timestamp with time zone": "now() + interval '7 days'",
    "boolean": "true",
    "uuid": "gen_random_uuid()",
    "integer": "(random() * 1000000000)::integer",
    "bigint": "(random() * 1000000000)::bigint",
    "numeric": "random()",
    "date": "current_date",
    "jsonb": "'{}'",
    "text[]": "'{}'",
}


def columns(postgres: Server, database: str, table: str) -> list[list[str]]:
    return [line.split("|") for line in postgres.sql(COLUMNS.format(table), database).splitlines()]


def fill(postgres: Server, database: str) -> dict[str, list[str]]:
    """A row in every table, made from the catalogue; gives the tables and their columns."""
    tables = {}
    for table in postgres.sql(TABLES, database).split():
        found = columns(postgres, database, table)
        row = {
            name: referenced or SAMPLES[type_]
            for name, type_, required, referenced in found
            if required == "t"
        }
        if "email" in row:
            row["email"] += " || '@example.com'"
        if "url" in row:
            row["url"] = "'https://example.com/' || " + row["url"]
        if table == "session_activity":  # before its foreign key is there
            row["session_id"] = UNSEEN
        names, values = ", ".join(row), ", ".join(row.values())
        postgres.sql(f"INSERT INTO {table} ({names}) VALUES ({values})", database)
        tables[table] = [name for name, *_ in found]
    return tables


def rows(postgres: Server, database: str, tables: dict[str, list[str]]) -> dict[str, str]:
    return {
        table: postgres.sql(f"SELECT {', '.join(names)} FROM {table} ORDER BY 1", database)
        for table, names in tables.items()
    }


def unordered(schema: str) -> list[str]:
    """The lines of a dump: a column that comes back comes back as the last one."""
    return sorted(line.rstrip(",") for line in schema.splitlines())


def there_and_back(postgres: Server, database: str, folder: Path, version: str, tmp: Path) -> None:
    """One step: with rows, up, with rows, down, up; the dumps equal and the rows still there."""
    url = postgres.url(database)
    (name,) = (m.name for m in files.load(folder) if m.version == version)
    form = unordered if "_remove_" in name else str
    before, tables = dump(url, tmp / "before"), fill(postgres, database)
    first = rows(postgres, database, tables)
    migrate(url, folder=folder, to=version)
    after = dump(url, tmp / "after")
    assert after != before
    if "_remove_" in name:  # what it removes is gone; what it leaves is looked at
        left = {t: {row[0] for row in columns(postgres, database, t)} for t in tables}
        tables = {t: [n for n in names if n in left[t]] for t, names in tables.items() if left[t]}
    else:
        assert rows(postgres, database, tables) == first
    fill(postgres, database)
    kept = rows(postgres, database, tables)
    migrate(url, folder=folder, down=True)
    assert form(dump(url, tmp / "back")) == form(before)
    assert rows(postgres, database, tables) == kept
    migrate(url, folder=folder, to=version)
    assert form(dump(url, tmp / "again")) == form(after)
    assert rows(postgres, database, tables) == kept


@pytest.mark.parametrize("version", STEPS)
def test_each_migration_goes_up_down_and_up_with_rows(
    version: str, postgres: Server, empty: str, tmp_path: Path
) -> None:
    folder = files.MIGRATIONS
    url = postgres.url(empty)
    if version == STEPS[0]:  # dbmate's own table is there before and after
        migrate(url, folder=folder, to=version)
        migrate(url, folder=folder, down=True)
    else:
        migrate(url, folder=folder, to=STEPS[STEPS.index(version) - 1])
    there_and_back(postgres, empty, folder, version, tmp_path)


@pytest.mark.every_server
def test_column_index_and_removal_go_up_down_and_up_with_rows(
    postgres: Server, empty: str, later: Path, tmp_path: Path
) -> None:
    """The same with a new column, a concurrent build and a removal: the test itself is tested."""
    (limit,) = files.MIGRATIONS.glob("*_limit_users_lengths.sql")
    comment = re.search(r"COMMENT ON CONSTRAINT users_image_length [^;]*;", limit.read_text())
    assert comment is not None
    (later / "20990101000200_remove_users_image.sql").write_text(
        "-- migrate:up\nALTER TABLE users DROP COLUMN image;\n-- migrate:down\n"
        "ALTER TABLE users ADD COLUMN image text,"
        " ADD CONSTRAINT users_image_length CHECK (length(image) <= 262144);\n"
        "COMMENT ON COLUMN users.image IS"
        " 'Address of a picture, or null. Written by the user and by trusted backends.';\n"
        f"{comment[0]}\n"
    )
    files.write_lock_file(later)
    versions = files.versions(later)
    migrate(postgres.url(empty), folder=later, to=STEPS[-1])
    for version in versions[len(STEPS) :]:
        there_and_back(postgres, empty, later, version, tmp_path)


def test_incomplete_way_back_is_found(
    postgres: Server, empty: str, folder: Path, tmp_path: Path
) -> None:
    bad = folder / "20990101000000_add_users_nickname.sql"
    bad.write_text(
        "-- migrate:up\nALTER TABLE users ADD COLUMN nickname text;\n-- migrate:down\nSELECT 1;\n"
    )
    files.write_lock_file(folder)
    migrate(postgres.url(empty), folder=folder, to=STEPS[-1])
    with pytest.raises(AssertionError):
        there_and_back(postgres, empty, folder, bad.name[:14], tmp_path)


@pytest.mark.every_server
def test_all_migrations_go_down_to_nothing_and_up_again(
    postgres: Server, empty: str, tmp_path: Path
) -> None:
    url = postgres.url(empty)
    dumps = {}
    for version in STEPS:
        migrate(url, to=version)
        dumps[version] = dump(url, tmp_path / version)
        fill(postgres, empty)
    for version, older in itertools.pairwise(reversed(STEPS)):
        assert dump(url, tmp_path / version) == dumps[version]
        migrate(url, to=older, down=True)
    migrate(url, down=True)
    assert postgres.sql(TABLES, empty) == ""
    migrate(url)
    assert dump(url, tmp_path / "top") == dumps[STEPS[-1]]


@pytest.mark.every_server
def test_schema_sql_is_the_dump_of_the_migrations(
    postgres: Server, template: str, tmp_path: Path
) -> None:
    committed = files.MIGRATIONS.with_name("schema.sql").read_text()
    assert plain(committed) == dump(postgres.url(template), tmp_path / "schema.sql")


def test_schema_sql_makes_the_same_database(postgres: Server, empty: str, tmp_path: Path) -> None:
    committed = files.MIGRATIONS.with_name("schema.sql").read_text()
    postgres.sql(plain(committed).replace("SET transaction_timeout = 0;", ""), empty)
    assert dump(postgres.url(empty), tmp_path / "schema.sql") == plain(committed)
    done = gatepost(postgres.url(empty), "migrate", "--status")
    assert done.returncode == 0


def test_lock_file_is_up_to_date() -> None:
    assert files.lock_file().read_text() == files.lock_file_text()
