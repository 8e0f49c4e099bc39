"""Each rule for migrations names a bad file, its line and itself, and passes a good one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.migrations import files
from tests.migrations.conftest import EXTRA
from tests.support import ROOT

DOWN = "-- migrate:down\nSELECT 1;\n"
TABLE = "CREATE TABLE t (\n    id uuid CONSTRAINT t_pkey PRIMARY KEY{}\n);\n"
NOTES = "COMMENT ON TABLE t IS 'x'; COMMENT ON COLUMN t.id IS 'x'; COMMENT ON COLUMN t.a IS 'x';\n"


def table(column: str) -> str:
    return "-- migrate:up\n" + TABLE.format(f",\n    {column}") + NOTES + DOWN


BAD: dict[str, tuple[str, str]] = {
    # a file's name: its text, and the beginning of its finding after the name
    "two_ups": (
        "-- migrate:up\nSELECT 1;\n-- migrate:up\nSELECT 1;\n" + DOWN,
        "1: one-up-one-down: one migrate:up",
    ),
    "no_down": ("-- migrate:up\nSELECT 1;\n", "1: one-up-one-down: one migrate:up"),
    "down_first": (DOWN + "-- migrate:up\nSELECT 1;\n", "1: one-up-one-down: migrate:down comes"),
    "empty_down": ("-- migrate:up\nSELECT 1;\n-- migrate:down\n-- none\n", "3: one-up-one-down: n"),
    "before_up": ("SELECT 1;\n-- migrate:up\nSELECT 1;\n" + DOWN, "1: one-up-one-down: one"),
    "broken": ("-- migrate:up\nCREATE TABLE;\n" + DOWN, "1: syntax: "),
    "two_alone": (
        "-- migrate:up transaction:false\nSELECT 1;\n-- 'again'; é\nSELECT 2;\n" + DOWN,
        "4: alone-when-transaction-false: one statement",
    ),
    "in_transaction": (
        "-- migrate:up\nCREATE INDEX CONCURRENTLY i ON users (name);\n" + DOWN,
        "1: alone-when-transaction-false: CONCURRENTLY needs",
    ),
    "no_table_comment": (
        table("a text").replace("COMMENT ON TABLE t IS 'x';", ""),
        "2: comments: t has no COMMENT",
    ),
    "no_column_comment": (
        table("a text").replace("COMMENT ON COLUMN t.a IS 'x';", ""),
        "2: comments: t.a has no COMMENT",
    ),
    "no_new_column_comment": (
        "-- migrate:up\n\nALTER TABLE public.users ADD COLUMN b text;\n" + DOWN,
        "3: comments: users.b has no COMMENT",
    ),
    "timestamp": (table("a timestamp(3)"), "2: types: t.a is timestamp: use timestamptz"),
    "varchar": (table("a varchar(9)"), "2: types: t.a is varchar: use text"),
    "serial": (table("a bigserial"), "2: types: t.a is bigserial: use uuid"),
    "enum": ("-- migrate:up\nCREATE TYPE e AS ENUM ('a');\n" + DOWN, "2: types: e is an enum"),
    "unnamed_check": (table("a text CHECK (a > '')"), "2: named-constraint: a constraint of t"),
    "unnamed_unique": (table("a text,\n UNIQUE (a)"), "2: named-constraint: a constraint of t"),
    "unnamed_added": (
        "-- migrate:up\nALTER TABLE users ADD CHECK (name > '') NOT VALID;\n" + DOWN,
        "2: named-constraint: a constraint of users",
    ),
    "no_index": (
        table("b uuid CONSTRAINT t_b_fkey REFERENCES users (id)").replace("t.a", "t.b"),
        "2: index-on-foreign-key: no index begins with t.b",
    ),
    "disguise": (
        "-- migrate:up\nDROP TABLE sessions;\n" + DOWN,
        "2: additions-before-removals: drops the table sessions",
    ),
    "less": (
        "-- migrate:up\nALTER TABLE users DROP COLUMN image;\n" + DOWN,
        "2: additions-before-removals: drops the column image",
    ),
    "other_name": (
        "-- migrate:up\nALTER TABLE users RENAME COLUMN image TO picture;\n" + DOWN,
        "2: additions-before-removals: renames image",
    ),
    "altered_twice": (
        "-- migrate:up\nALTER TABLE users ADD COLUMN b text, ADD COLUMN c text;\n"
        "COMMENT ON COLUMN users.b IS 'x'; COMMENT ON COLUMN users.c IS 'x';\n" + DOWN,
        "2: shards: one subcommand",
    ),
    "altered_with_a_comment": (
        "-- migrate:up\n"
        "ALTER TABLE users ADD CONSTRAINT users_b CHECK (name <> 'b') NOT VALID;\n"
        "COMMENT ON CONSTRAINT users_b ON users IS 'x';\n" + DOWN,
        "2: shards: the only statement",
    ),
    "altered_with_a_comment_down": (
        "-- migrate:up\nSELECT 1;\n-- migrate:down\n"
        "ALTER TABLE users ALTER COLUMN name SET DEFAULT 'x';\nSELECT 1;\n",
        "4: shards: the only statement",
    ),
    "in_a_block": (
        "-- migrate:up\nDO $$\nBEGIN\nALTER TABLE users ADD CHECK (name <> 'b') NOT VALID;\n"
        "SELECT 1;\nEND\n$$;\n" + DOWN,
        "4: named-constraint: a constraint of users",
    ),
    "blocking_index": (
        "-- migrate:up\n\nCREATE INDEX IF NOT EXISTS i ON users (name);\n" + DOWN,
        "3:1: require-concurrent-index-creation",
    ),
}
GOOD: dict[str, str] = {
    **EXTRA,
    "20990101000200_remove_users_nickname.sql": (
        "-- migrate:up\nALTER TABLE users DROP COLUMN nickname;\n"
        "-- migrate:down\nALTER TABLE users ADD COLUMN nickname text;\n"
    ),
    "20990101000250_limit_users_name.sql": (
        "-- migrate:up\nDO $$\nBEGIN\n"
        "    ALTER TABLE users ADD CONSTRAINT users_name_b CHECK (name <> 'b') NOT VALID;\n"
        "    COMMENT ON CONSTRAINT users_name_b ON users IS 'x';\nEND\n$$;\n"
        "-- migrate:down\nALTER TABLE users DROP CONSTRAINT users_name_b;\n"
    ),
    "20990101000300_create_t.sql": (
        table("a uuid CONSTRAINT t_a_fkey REFERENCES users (id)").replace(
            DOWN, "CREATE INDEX t_a_idx ON t (a);\n-- migrate:down\nDROP TABLE t;\n"
        )
    ),
}


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scripts.lint_migrations", folder],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1"}, check=False,
        capture_output=True, text=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The findings on all the bad files."""
    folder = tmp_path_factory.mktemp("db") / "migrations"
    folder.mkdir()
    for number, (name, (text, _)) in enumerate(BAD.items()):
        (folder / f"{20990101000000 + number}_{name}.sql").write_text(text)
    files.write_lock_file(folder)
    done = lint(folder)
    assert done.returncode == 1, done.stderr
    return (done.stdout + done.stderr).splitlines()


@pytest.mark.parametrize("name", BAD)
def test_bad_file_has_exactly_its_finding(name: str, output: list[str]) -> None:
    expected = BAD[name][1]
    of_file = [line.partition(f"_{name}.sql:")[2] for line in output if f"_{name}.sql:" in line]
    if name == "blocking_index":  # squawk puts the rule on the line before
        place, _, rule = expected.rpartition(": ")
        assert place in of_file
        assert any(rule in line for line in output)
    else:
        assert any(line.startswith(expected) for line in of_file), of_file
        own = {line.split(": ")[1] for line in of_file if line.count(": ") > 1}
        assert own == {expected.split(": ")[1]}


def test_good_files_have_no_finding(folder: Path) -> None:
    for name, text in GOOD.items():
        (folder / name).write_text(text)
    files.write_lock_file(folder)
    done = lint(folder)
    assert done.returncode == 0, done.stdout


def test_edited_file_is_found_without_an_update_of_the_lock_file(folder: Path) -> None:
    path = max(folder.glob("*.sql"))
    path.write_text(path.read_text() + "\n")
    done = lint(folder)
    assert done.returncode == 1
    assert f"{path.name}:1: lock: edited since" in done.stdout
