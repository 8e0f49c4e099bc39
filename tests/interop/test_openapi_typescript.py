"""Types that openapi-typescript makes of /openapi.json, and openapi-fetch with them."""

import subprocess
from pathlib import Path
from typing import Final

import httpx

from tests.support import KEYS, SECRET, running_service

FOLDER: Final = Path(__file__).parent / "openapi"
BASE: Final = "http://auth.gatepost.test"
STRICT: Final = (
    *("--strict", "--noUncheckedIndexedAccess", "--exactOptionalPropertyTypes"),
    *("--module", "nodenext", "--target", "es2023"),
)


def run(node: Path, folder: Path, *command: str) -> str:
    """The output of a program of Node."""
    done = subprocess.run(
        [node, *command], cwd=folder, check=False, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_typescript_client_compiles_and_runs(node: Path, database_url: str, tmp_path: Path) -> None:
    settings = {"GATEPOST_SECRET": SECRET, "GATEPOST_BASE_URL": BASE, "GATEPOST_DOCS": "true"}
    (tmp_path / "node_modules").symlink_to(FOLDER / "node_modules")
    for name in ("client.ts", "package.json"):
        (tmp_path / name).write_text((FOLDER / name).read_text())
    with running_service(database_url, tmp_path / "service.log", **settings) as service:
        key = {"apikey": KEYS["backend"]}
        document = httpx.get(f"{service.url}/openapi.json", headers=key).raise_for_status()
        (tmp_path / "openapi.json").write_bytes(document.content)
        bins = "node_modules/openapi-typescript/bin/cli.js"
        run(node, tmp_path, bins, "openapi.json", "-o", "schema.ts")
        run(node, tmp_path, "node_modules/typescript/bin/tsc", *STRICT, "client.ts")
        output = run(node, tmp_path, "client.js", service.url, BASE, KEYS["backend"])
    assert output == "all calls made\n"
