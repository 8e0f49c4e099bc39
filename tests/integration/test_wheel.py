"""The package as somebody installs it: what is in the wheel, and what it is in another project."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import httpx
import pytest

import app
from tests.interop.docs.blocks import blocks, reader
from tests.support import IN_CI, ROOT, end, environment, free_port, wait_until


def run(*command: str | Path, cwd: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, env=os.environ | settings, timeout=300,
        check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: setuptools leaves a folder behind."""
    try:
        can_build = int(version("setuptools").partition(".")[0]) >= 80
    except PackageNotFoundError:
        can_build = False
    if not can_build:
        missing = "no setuptools 80: install the extra dev"
        pytest.fail(missing) if IN_CI else pytest.skip(missing)
    source = tmp_path_factory.mktemp("source")
    for name in tracked():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    built = run(
        sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
        "--disable-pip-version-check", "--wheel-dir", source / "dist", source, cwd=source,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    (file,) = (source / "dist").iterdir()
    return file


def tracked() -> list[str]:
    """The files of the packages, and what building them reads."""
    inside = [
        path.relative_to(ROOT)
        for folder in ("app", "db")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    return [*map(str, inside), "pyproject.toml", "README.md", "LICENSE"]


@pytest.fixture(scope="module")
def binaries(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with the wheel in it, which sees the packages of this one."""
    home = tmp_path_factory.mktemp("environment")
    made = run(sys.executable, "-m", "venv", "--without-pip", home, cwd=home)
    assert made.returncode == 0, made.stderr
    python = home / "bin" / "python"
    paths = sysconfig.get_paths(vars={"base": str(home), "platbase": str(home)})
    here = sysconfig.get_path("purelib")
    (Path(paths["purelib"]) / "shared.pth").write_text(f"{here}\n")
    installed = run(
        sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps",
        "--no-index", "--disable-pip-version-check", wheel, cwd=home,
    )  # fmt: skip
    assert installed.returncode == 0, installed.stderr
    return home / "bin"


@pytest.fixture
def installed(binaries: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, and nothing of this checkout is found by another way."""
    monkeypatch.delenv("PYTHONPATH", raising=False)
    return binaries


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with modules of the names that Gatepost's own have in a checkout, and more."""
    folder = tmp_path / "project"
    for name in ("app/__init__.py", "db/__init__.py", "logging.py", "settings.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"raise SystemExit('{name} of the project was imported')\n")
    return folder


def test_wheel_holds_every_file_under_one_name(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
        metadata = f"gatepost-{app.__version__}.dist-info"
        top_level = archive.read(f"{metadata}/top_level.txt").decode().split()
    assert top_level == ["gatepost"]
    assert {name.partition("/")[0] for name in names} == {"gatepost", metadata}
    expected = {
        f"gatepost/{name.removeprefix('app/')}"
        for name in tracked()
        if name.startswith(("app/", "db/"))
    }
    assert {name for name in names if name.startswith("gatepost/")} == expected


def test_licences_of_what_is_bundled_are_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        licences = {name for name in archive.namelist() if "dist-info/licenses/" in name}
    bundled = {
        path.relative_to(ROOT).as_posix()
        for folder in ("app", "db")
        for path in (ROOT / folder).rglob("*LICENSE*")
    }
    assert bundled
    assert {name.partition("/licenses/")[2] for name in licences} == {"LICENSE"} | bundled


def test_command_works_in_project_with_modules_of_its_own(installed: Path, project: Path) -> None:
    shown = run(installed / "gatepost", "--help", cwd=project)
    assert shown.returncode == 0, shown.stderr
    assert "Usage: gatepost" in shown.stdout


def test_metadata_has_the_version_of_the_package(installed: Path, project: Path) -> None:
    asked = "print(gatepost.__version__, importlib.metadata.version('gatepost'))"
    code = f"import gatepost, importlib.metadata; {asked}"
    done = run(installed / "python", "-P", "-c", code, cwd=project)
    assert done.stdout.split() == [app.__version__] * 2, done.stderr


def test_serve_serves_in_project_with_modules_of_its_own(
    installed: Path, project: Path, database_url: str, tmp_path: Path
) -> None:
    port = free_port()
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [installed / "gatepost", "serve"],
            cwd=project, env=environment(database_url) | {"PORT": str(port)},
            stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        ready = f"http://127.0.0.1:{port}/readyz"

        def answered() -> bool:
            try:
                return httpx.get(ready, timeout=5).status_code == 200
            except httpx.TransportError:
                return process.poll() is not None

        wait_until(answered, "the service is ready")
        assert process.poll() is None, log.read_text()
        assert httpx.get(ready).status_code == 200
    finally:
        assert end(process) == 0, log.read_text()


def test_fastapi_application_mounts_the_package(
    installed: Path, database_url: str, tmp_path: Path
) -> None:
    page = blocks(ROOT / "docs" / "how-to" / "mount-in-fastapi.md")
    port = free_port()
    settings = {"PATH": f"{installed}:{os.environ['PATH']}", "DATABASE_URL": database_url}
    program = installed / "uvicorn"
    program.write_text(f'#!/bin/sh\nexec "{installed}/python" -m uvicorn "$@" --port {port}\n')
    program.chmod(0o755)
    with reader(tmp_path, {"8000": port}, settings) as person:
        assert person.follow(page) == len(page) == 5
        url = f"http://127.0.0.1:{port}"
        ann = {"name": "Ann", "email": "ann@example.com", "password": "correct horse"}
        with httpx.Client(base_url=url, headers={"Origin": url}) as http:
            assert http.post("/api/auth/sign-up/email", json=ann).status_code == 200
            assert http.get("/api/auth/get-session").json()["user"]["name"] == "Ann"
            assert http.get("/me").json()["email"] == "ann@example.com"
            assert http.get("/docs").status_code == 200  # FastAPI's own
