"""docs/SCHEMA.md and docs/schema.svg are what the catalogue says."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from app.database import Direct
from app.operations import catalogue, migrations
from app.operations.migrate import migrate
from scripts.document_schema import PAGE, PICTURE, documents, picture
from tests.support import ROOT, Server


@pytest.fixture
def entries(postgres: Server, template: str) -> list[catalogue.Entry]:
    with Direct(postgres.url(template), search_path="public") as database:
        return catalogue.read(database)


def test_the_page_and_the_picture_are_up_to_date(entries: list[catalogue.Entry]) -> None:
    for file, content in documents(entries).items():
        assert file.read_text() == content, f"{file.name} is behind: make docs"


def test_a_new_column_shows_in_both(postgres: Server, empty: str, later: Path) -> None:
    migrate(postgres.url(empty), folder=later)
    with Direct(postgres.url(empty), search_path="public") as database:
        changed = documents(catalogue.read(database))
    for file, content in changed.items():
        assert content.count("nickname") > file.read_text().count("nickname")


def test_everything_says_why_it_is_there(entries: list[catalogue.Entry]) -> None:
    kinds = {"table", "column", "constraint", "index", "function"}
    silent = [entry.line for entry in entries if entry.kind in kinds and not entry.comment]
    assert silent == []


def test_the_picture_holds_every_column_within_its_frame(entries: list[catalogue.Entry]) -> None:
    root = ET.fromstring(picture(entries))  # noqa: S314 - ours
    assert root.get("viewBox") == f"0 0 {root.get('width')} {root.get('height')}"
    words = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    for entry in entries:
        if entry.kind in ("table", "column"):
            assert (entry.name or entry.table) in words
    for element in root.iter("{http://www.w3.org/2000/svg}text"):
        assert 0 <= float(element.get("x", "-1")) <= float(root.get("width", "0"))
        assert 0 <= float(element.get("y", "-1")) <= float(root.get("height", "0"))
    edges = [e for e in root.iter() if e.get("stroke") == "#0969da"]
    assert len(edges) == sum(bool(entry.target) for entry in entries)
    assert PICTURE.read_text().startswith("<svg")


def test_every_way_back_and_every_exit_code_is_documented() -> None:
    text = PAGE.with_name("MIGRATIONS.md").read_text()
    for migration in migrations.read():
        assert f"| `{migration.name.removesuffix('.sql')}` |" in text, (
            f"what does {migration.name} lose?"
        )
    command_line = (ROOT / "app" / "cli.py").read_text()
    codes = set(re.findall(r"leave\(error, (\d)\)|typer\.Exit\((\d)", command_line))
    assert len(codes) > 5
    for code in ("".join(pair) for pair in codes):
        assert f"| {code} |" in text
