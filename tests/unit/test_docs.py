"""The pages say what the code does."""

import inspect
import re
from dataclasses import dataclass, fields
from typing import Any

import pytest

from app.auth import api
from app.environment import BOOLEAN, SECONDS, declared, integer, setting, text
from app.rest import parser
from app.settings import SCOPES
from scripts.document_settings import PAGE, document, groups, held, section
from tests.support import ROOT


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text()


def undocumented(cls: Any) -> list[str]:
    """The fields that say nothing of what they are: neither a documented setting nor a group."""
    documented = {
        name
        for name, setting in declared(cls).items()
        if setting.parser.form and re.fullmatch(r"[A-Z`].*\.", setting.doc)
    }
    return [item.name for item in fields(cls) if item.name not in documented | {*held(cls)}]


@pytest.mark.parametrize("cls", groups())
def test_every_setting_has_a_meaning(cls: Any) -> None:
    assert declared(cls)
    assert undocumented(cls) == []
    assert inspect.getdoc(cls)


@dataclass
class Example:
    """An example."""

    required: str = setting("EXAMPLE_REQUIRED", text("a word"), doc="It has no default.")
    silent: int = setting("EXAMPLE_SILENT", integer(1, 2), doc="", default=1)
    plain: int = 1
    flag: bool = setting("EXAMPLE_FLAG", BOOLEAN, doc="It is on.", default=True)
    wait: float = setting("EXAMPLE_WAIT", SECONDS, doc="It lasts.", default=2.0)
    absent: str | None = setting("EXAMPLE_ABSENT", text("a word"), doc="It is.", default=None)
    other: int = setting(
        "EXAMPLE_OTHER",
        integer(3, 4),
        doc="It depends.",
        default=3,
        documented_default="as `EXAMPLE_FLAG`",
    )


def test_field_without_meaning_is_found() -> None:
    assert undocumented(Example) == ["silent", "plain"]


def test_settings_table_shows_form_default_and_meaning() -> None:
    table = """\
An example.

| setting | value | default | meaning |
| --- | --- | --- | --- |
| `EXAMPLE_REQUIRED` | a word | required | It has no default. |
| `EXAMPLE_SILENT` | a whole number from 1 to 2 | `1` |  |
| `EXAMPLE_FLAG` | true or false | `true` | It is on. |
| `EXAMPLE_WAIT` | a number of seconds above 0 | `2` | It lasts. |
| `EXAMPLE_ABSENT` | a word | none | It is. |
| `EXAMPLE_OTHER` | a whole number from 3 to 4 | as `EXAMPLE_FLAG` | It depends. |
"""
    assert section(Example) == table


def test_settings_tables_are_up_to_date() -> None:
    assert PAGE.read_text() == document(), f"{PAGE.name} is behind: make docs"


def test_every_environment_variable_is_declared_once() -> None:
    names = [setting.name for cls in groups() for setting in declared(cls).values()]
    assert len(names) == len(set(names)) > 8


def test_every_operator_scope_and_error_code_is_documented() -> None:
    text = page("API.md")
    for operator in parser.OPERATORS:
        assert re.search(rf"\b{operator}\b", text), operator
    for scope in SCOPES:
        assert f"| `{scope}` |" in text
    raised = {
        code
        for module in (ROOT / "app" / "rest").glob("*.py")
        for code in re.findall(r'"(PGRST\d{3})"', module.read_text())
    }
    for code in raised - {"PGRST114", "PGRST115"}:
        assert code in text, code


def test_every_link_leads_somewhere() -> None:
    for file in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", file.read_text()):
            assert (file.parent / target).exists(), f"{file.name}: {target}"


def test_modules_are_the_ones_in_architecture() -> None:
    text = page("ARCHITECTURE.md")
    for module in (ROOT / "app").glob("*.py"):
        assert module.name == "__init__.py" or module.name in text
    # the modules of endpoints are listed in app/auth/api.py; "one module each" stands for them
    endpoints = {f"{name}.py" for name in re.findall(r"\*(\w+)\.routes", inspect.getsource(api))}
    assert "sign_in.py" in endpoints
    for package in ("rest", "auth", "database"):
        for module in (ROOT / "app" / package).glob("*.py"):
            assert module.name in {"__init__.py"} | endpoints or module.name in text
