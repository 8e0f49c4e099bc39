"""The generated and the hand-written pages about the schema are what the database and code say."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.commands.help import EXIT_CODES, PENDING
from app.errors import GatepostError
from app.migrations import catalogue, files
from app.statements.catalogue import SchemaObject
from scripts.document_schema import PAGE, diagram, document
from tests.migrations.conftest import migrate
from tests.support import Server

pytestmark = pytest.mark.every_server


@pytest.fixture
def objects(postgres: Server, template: str) -> list[SchemaObject]:
    return asyncio.run(catalogue.read(postgres.url(template)))


def test_page_is_up_to_date(objects: list[SchemaObject]) -> None:
    assert PAGE.read_text() == document(objects), "run 'make docs'"


def test_page_shows_a_new_column(postgres: Server, empty: str, later: Path) -> None:
    migrate(postgres.url(empty), folder=later)
    changed = document(asyncio.run(catalogue.read(postgres.url(empty))))
    assert changed.count("nickname") > PAGE.read_text().count("nickname")


def test_diagram_has_every_table_column_and_reference(objects: list[SchemaObject]) -> None:
    drawn = diagram(objects)
    for item in objects:
        if item.kind == "table":
            assert f"    {item.table} {{\n" in drawn
        if item.kind == "column":
            assert f" {item.name}" in drawn.partition(f"    {item.table} {{\n")[2].partition("}")[0]
        if item.target:
            assert f"    {item.target} ||--o{{ {item.table} : {item.columns[0]}\n" in drawn


def test_every_object_has_a_comment(objects: list[SchemaObject]) -> None:
    kinds = {"table", "column", "constraint", "index", "function"}
    without = [item.name for item in objects if item.kind in kinds and not item.comment]
    assert without == []


def test_every_way_back_is_documented() -> None:
    text = PAGE.with_name("MIGRATIONS.md").read_text()
    for migration in files.load():
        in_page = f"| `{migration.name.removesuffix('.sql')}` |" in text
        down = migration.content.partition(b"-- migrate:down")[2]
        assert in_page or re.search(rb"^-- Lost: \S", down, re.MULTILINE), (
            f"what is lost by rolling {migration.name} back?"
        )


def exit_codes(error: type[GatepostError] = GatepostError) -> Iterator[int]:
    yield error.exit_code
    for each in error.__subclasses__():
        yield from exit_codes(each)


def test_every_exit_code_is_documented() -> None:
    assert {*exit_codes()} <= {*EXIT_CODES} == {*range(10)}
    text = PAGE.with_name("MIGRATIONS.md").read_text()
    for code in range(PENDING + 1):
        assert f"| {code} |" in text
