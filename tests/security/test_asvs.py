"""docs/ASVS.md names every requirement of its chapters, and tests that exist."""

import re
from functools import cache
from typing import Final

from tests.support import ROOT

PAGE: Final = (ROOT / "docs" / "ASVS.md").read_text()
STATES: Final = {"met", "partly", "not met", "documented", "deployer", "n/a"}
SECTIONS: Final = {
    3: (1, 3, 5, 8, 8, 1, 5),
    6: (3, 12, 8, 6, 8, 4, 2, 4),
    7: (3, 4, 2, 5, 3, 2),
    11: (4, 5, 5, 4, 2, 2, 2),
    16: (1, 5, 4, 3, 4),
}
"""How many requirements ASVS 5.0.0 has in each section of a chapter."""
NUMBERS: Final = [
    f"{chapter}.{section}.{number}"
    for chapter, sizes in SECTIONS.items()
    for section, size in enumerate(sizes, 1)
    for number in range(1, size + 1)
]
_TEST: Final = re.compile(r"`((?:\w+/)*\w+\.py)::(\w+)`")


def rows() -> list[list[str]]:
    """The cells of every requirement."""
    lines = re.findall(r"^\| (\d+\.\d+\.\d+ \|.*) \|$", PAGE, re.MULTILINE)
    return [[cell.strip() for cell in line.split(" |")] for line in lines]


@cache
def source(path: str) -> str:
    file = ROOT / "tests" / path
    return file.read_text() if file.exists() else ""


def test_every_requirement_is_there_once() -> None:
    assert [row[0] for row in rows()] == NUMBERS


def test_every_state_is_one_of_six_and_what_is_met_has_a_test() -> None:
    for number, asked, state, how, *tests in rows():
        assert asked, number
        assert state in STATES, number
        named = _TEST.findall(" ".join(tests))
        assert named or state != "met", number
        assert how or named or state in ("not met", "n/a", "deployer"), number


def test_every_test_that_is_named_exists() -> None:
    named = _TEST.findall(PAGE)
    assert len(named) > 80
    missing = {
        f"{path}::{name}"
        for path, name in named
        if not re.search(rf"^(async )?def {name}\(", source(path), re.MULTILINE)
    }
    assert not missing


def test_no_advisory_is_listed_twice() -> None:
    found = re.findall(r"GHSA(?:-[0-9a-z]{4}){3}", PAGE)
    assert len(found) == len(set(found)) >= 36
