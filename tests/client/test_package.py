"""The package as ``pip install ./clients/python`` makes it, and README's block with it."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import httpx
import pytest

from tests.client.conftest import Authority
from tests.interop.docs.blocks import blocks
from tests.support import ROOT, end, free_port, wait_until


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """An environment with the package installed, which sees the packages of this one."""
    home, source = tmp_path / "environment", tmp_path / "source"
    shutil.copytree(
        ROOT / "clients/python", source, ignore=shutil.ignore_patterns("*.egg-info", "build")
    )
    run(sys.executable, "-m", "venv", "--without-pip", home)
    paths = sysconfig.get_paths(vars={"base": str(home), "platbase": str(home)})
    (Path(paths["purelib"]) / "shared.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    run(
        sys.executable, "-m", "pip", "--python", home / "bin/python", "install", "--quiet",
        "--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check", source,
    )  # fmt: skip
    shutil.rmtree(source)
    return home / "bin" / "python"


def run(*command: str | Path) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_block_of_the_readme_runs_with_the_installed_package(
    python: Path, gatepost_authority: Authority, tmp_path: Path
) -> None:
    sql = run(python, "-m", "gatepost_client.database")  # a file that is no module comes along
    assert "GRANT SELECT" in sql

    (block,) = (each for each in blocks(ROOT / "README.md") if each.file == "main.py")
    (folder := tmp_path / "fresh").mkdir()
    assert "http://127.0.0.1:8000" in block.text
    text = block.text.replace("http://127.0.0.1:8000", gatepost_authority.url)
    (folder / "main.py").write_text(text)
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [python, "-m", "uvicorn", "main:app", "--port", str(port)], cwd=folder,
            env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip

    def answers() -> bool:
        try:
            return process.poll() is not None or httpx.get(url, timeout=5).status_code == 401
        except httpx.TransportError:
            return False

    url = f"http://127.0.0.1:{port}/me"
    try:
        wait_until(answers, "the application answers")
        assert process.poll() is None, (tmp_path / "log").read_text()
        person = gatepost_authority.sign_up()
        assert httpx.get(url, headers=person.cookie).json()["email"] == person.email
        assert httpx.get(url, headers=person.bearer).json()["email"] == person.email
    finally:
        end(process)
