"""The types that Gatepost writes for its clients: compilers hold programs to them."""

import subprocess
import sys
from pathlib import Path

import pytest

from app import client_types

NODE = Path(__file__).parent / "node"
CONFIG = """{
  "compilerOptions": {
    "strict": true, "noEmit": true, "target": "es2022", "module": "nodenext",
    "moduleResolution": "nodenext", "skipLibCheck": true
  },
  "files": ["usage.ts"]
}"""
USAGE = """
import { PostgrestClient } from "@supabase/postgrest-js";
import type { Database } from "./database.js";

const gatepost = new PostgrestClient<Database>("http://127.0.0.1:8000/rest/v1");
const { data } = await gatepost.from("users").select("name, sessions(id, expires_at)").single();
const name: string | undefined = data?.name;
const expires: string | undefined = data?.sessions[0]?.expires_at;
await gatepost.from("users").insert({ name: "Ada", email: "ada@example.com" });
await gatepost.from("sessions").delete().eq("user_id", "1");
const { data: events } = await gatepost.from("events").select().gt("id", "0").order("id");
const type: string | undefined = events?.[0]?.type;
console.log(name, expires, type);
"""
WRONG = {
    'gatepost.from("nothing")': "nothing",
    'gatepost.from("users").insert({ name: "Ada" })': "email",
    'gatepost.from("users").update({ created_at: "" })': "created_at",
    'gatepost.from("users").eq("nick", "a")': "eq",
    'gatepost.from("events").insert({ type: "user.created" })': "never",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "node_modules").symlink_to(NODE / "node_modules")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "tsconfig.json").write_text(CONFIG)
    (tmp_path / "database.ts").write_text(client_types.typescript())
    return tmp_path


def compiled(node: Path, folder: Path, program: str) -> str:
    """What the compiler says of a program."""
    (folder / "usage.ts").write_text(program)
    done = subprocess.run(
        [node, NODE / "node_modules" / "typescript" / "bin" / "tsc", "-p", folder],
        check=False, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert (done.returncode == 0) == (not done.stdout), done.stderr
    return done.stdout


def test_typescript_compiler_takes_the_types(node: Path, folder: Path) -> None:
    assert compiled(node, folder, USAGE) == ""


def test_typescript_compiler_refuses_what_the_tables_have_not(node: Path, folder: Path) -> None:
    found = compiled(node, folder, USAGE + "".join(f"await {line};\n" for line in WRONG))
    first = USAGE.count("\n") + 1
    for number, (line, word) in enumerate(WRONG.items(), first):
        errors = [each for each in found.splitlines() if f"usage.ts({number}," in each]
        assert errors, f"{line}: {found}"
        assert word in found


def test_python_checker_takes_the_types(tmp_path: Path) -> None:
    (tmp_path / "rows.py").write_text(client_types.python())
    (tmp_path / "good.py").write_text(
        "from rows import ChangedUser, NewUser, User\n"
        'new: NewUser = {"name": "Ada", "email": "ada@example.com"}\n'
        'changed: ChangedUser = {"name": "Ada L."}\n'
        "def name_of(user: User) -> str:\n    return user['name']\n"
    )
    (tmp_path / "bad.py").write_text(
        "from rows import NewUser\n"
        'missing: NewUser = {"name": "Ada"}\n'
        'unknown: NewUser = {"name": "", "email": "", "nick": ""}\n'
    )

    def checked(name: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [Path(sys.executable).with_name("basedpyright"), "--level", "error", name],
            cwd=tmp_path, check=False, capture_output=True, text=True, timeout=120,
        )  # fmt: skip

    assert checked("good.py").returncode == 0
    bad = checked("bad.py")
    assert bad.returncode == 1
    assert bad.stdout.count(" error: ") == 2, bad.stdout
