"""The pages say what the code does."""

import re

from app.rest import parser
from app.settings import SCOPES, Settings
from tests.support import ROOT


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text()


def test_every_setting_is_documented_and_no_other() -> None:
    code = (ROOT / "app" / "settings.py").read_text()
    read = set(re.findall(r'"((?:GATEPOST_|DATABASE_|MAIL_)[A-Z_]+|HOST|PORT)"', code))
    rows = [line for line in page("OPERATIONS.md").splitlines() if line.startswith("| `")]
    documented = {name for row in rows for name in re.findall(r"`([A-Z_]{4,})`", row.split("|")[1])}
    assert read == documented
    assert len(read) > 8


def test_defaults_are_the_documented_ones() -> None:
    text = page("OPERATIONS.md")
    for name, value in (
        ("GATEPOST_POOL_SIZE", Settings.pool_size),
        ("GATEPOST_ACQUIRE_TIMEOUT", Settings.acquire_timeout),
        ("GATEPOST_QUERY_TIMEOUT", Settings.query_timeout),
        ("GATEPOST_REQUEST_TIMEOUT", Settings.request_timeout),
        ("GATEPOST_MAX_ROWS", Settings.max_rows),
        ("GATEPOST_MAX_BODY", Settings.max_body),
        ("GATEPOST_PURGE_EVERY", Settings.purge_every),
    ):
        assert f"| `{name}` | {value:g} |" in text or f"| `{name}` | {value} |" in text


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
    for package in ("rest", "auth"):
        for module in (ROOT / "app" / package).glob("*.py"):
            assert module.name == "__init__.py" or module.name in text
