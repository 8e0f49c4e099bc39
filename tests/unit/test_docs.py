"""The pages say what the code does."""

import ast
import inspect
import re
from dataclasses import dataclass, fields
from typing import Any

import pytest

from app import __version__, errors
from app.auth import api
from app.auth.errors import MESSAGES
from app.cli import COMMANDS
from app.errors import (
    AuthError,
    DatabaseError,
    GatepostError,
    InlinedValueError,
    RequestTooLargeError,
    RestError,
)
from app.rest import parser
from app.settings import SCOPES, Settings
from app.settings.environment import (
    BOOLEAN,
    TIMEOUT,
    declared,
    groups,
    held,
    integer,
    setting,
    text,
)
from scripts.document_settings import PAGE, document, section
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


@pytest.mark.parametrize("cls", groups(Settings))
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
    wait: float = setting("EXAMPLE_WAIT", TIMEOUT, doc="It lasts.", default=2.0)
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
| `EXAMPLE_WAIT` | a duration above 0, below 1000000s (15s, 500ms, or seconds) | `2s` | It lasts. |
| `EXAMPLE_ABSENT` | a word | none | It is. |
| `EXAMPLE_OTHER` | a whole number from 3 to 4 | as `EXAMPLE_FLAG` | It depends. |
"""
    assert section(Example) == table


def test_settings_tables_are_up_to_date() -> None:
    assert PAGE.read_text() == document(), f"{PAGE.name} is behind: make docs"


def test_every_environment_variable_is_declared_once() -> None:
    names = [setting.name for cls in groups(Settings) for setting in declared(cls).values()]
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


def listed(heading: str, column: int = 0) -> list[str]:
    """What a column of a table of docs/ERRORS.md names, and whatever that says of ``heading``."""
    section = page("ERRORS.md").partition(f"## {heading}\n")[2].partition("\n## ")[0]
    cells = [line.split(" | ")[column] for line in section.splitlines() if line.startswith("| ")]
    return [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]


def constants(package: str) -> set[str]:
    """Every text in the code of a package."""
    return {
        node.value
        for module in (ROOT / "app" / package).rglob("*.py")
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_every_code_of_the_auth_api_is_among_the_errors() -> None:
    codes = {text for text in constants("auth") if re.fullmatch(r"[A-Z]+(_[A-Z]+)+", text)}
    names = listed("The auth API")
    assert len(names) == len(set(names))
    assert set(names) == codes | MESSAGES.keys()


def test_every_code_of_the_rest_api_is_among_the_errors() -> None:
    sqlstate = r"(?=.*\d)[0-9A-Z]{5}"
    codes = {text for text in constants("rest") if re.fullmatch(rf"PGRST\d+|{sqlstate}", text)}
    names = listed("The REST API")
    assert len(names) == len(set(names))
    assert set(names) == codes


def test_every_exception_that_ends_a_command_is_among_the_errors() -> None:
    answered = {RestError, AuthError, RequestTooLargeError}  # by the two APIs
    internal = {GatepostError, DatabaseError, InlinedValueError}
    ends = {
        name
        for name, cls in inspect.getmembers(errors, inspect.isclass)
        if cls not in internal and not issubclass(cls, tuple(answered))
    }
    names = listed("The service does not start", 1)
    assert set(names) == ends
    section = page("ERRORS.md").partition("## The service does not start\n")[2]
    for code, cells in re.findall(r"^\| (\d) \| ([^|]+) \|", section, re.MULTILINE):
        for name in re.findall(r"`(\w+)`", cells):
            assert getattr(errors, name).exit_code == int(code), name


def test_version_is_stated_once() -> None:
    assert f"## Unreleased: {__version__}\n" in (ROOT / "CHANGELOG.md").read_text()
    stated = re.compile(rf"version[^\n]*{re.escape(__version__)}", re.IGNORECASE)
    files = [ROOT / "pyproject.toml", ROOT / "Dockerfile", *(ROOT / "app").rglob("*.py")]
    assert [file for file in files if stated.search(file.read_text())] == [
        ROOT / "app" / "__init__.py"
    ]


def test_every_link_leads_somewhere() -> None:
    for file in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", file.read_text()):
            assert (file.parent / target).exists(), f"{file.name}: {target}"


def test_modules_are_the_ones_in_architecture() -> None:
    text = page("ARCHITECTURE.md")
    for module in (ROOT / "app").glob("*.py"):
        assert module.name == "__init__.py" or module.name in text
    # the modules of endpoints are listed in app/auth/api.py, those of commands in app/cli.py;
    # "one module each" stands for them
    endpoints = {f"{name}.py" for name in re.findall(r"\*(\w+)\.routes", inspect.getsource(api))}
    assert "sign_in.py" in endpoints
    listed = {"__init__.py", *(f"{name}.py" for name in COMMANDS)} | endpoints
    for package in ("rest", "auth", "auth/social", "database", "commands"):
        for module in (ROOT / "app" / package).glob("*.py"):
            assert module.name in listed or module.name in text
