"""What pyproject.toml says is in the wheel: all that the installed service imports and reads."""

import tomllib
from fnmatch import fnmatch
from typing import Any

import pytest

from tests.support import ROOT


@pytest.fixture(scope="module")
def given() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]


def test_every_package_is_listed(given: dict[str, Any]) -> None:
    folders = {path.parent.relative_to(ROOT) for path in (ROOT / "app").rglob("__init__.py")}
    names = {".".join(("gatepost", *folder.parts[1:])) for folder in folders}
    assert set(given["packages"]) == names | {"gatepost.db", "gatepost.db.migrations"}


def test_every_file_beside_the_modules_is_taken_along(given: dict[str, Any]) -> None:
    patterns = ["*.py", *given["package-data"]["*"]]
    whole = {
        "gatepost": ["static/*"],
        "gatepost.admin_page": ["static/*", "templates/*"],
        "gatepost.devserver": ["static/*"],
    }
    assert whole.items() <= given["package-data"].items()
    taken = {
        ROOT / "app" / name.removeprefix("gatepost").removeprefix(".") / pattern.removesuffix("/*")
        for name, found in whole.items()
        for pattern in found
    }
    listed = {folder for folder in (ROOT / "app").rglob("*") if folder.is_dir()}
    folders = [ROOT / "app", ROOT / "db", ROOT / "db/migrations", *listed]
    left = [
        str(path.relative_to(ROOT))
        for folder in folders
        if folder.name != "__pycache__" and folder not in taken
        for path in folder.iterdir()
        if path.is_file() and not any(fnmatch(path.name, pattern) for pattern in patterns)
    ]
    assert left == []
