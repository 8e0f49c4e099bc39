"""The samples of the page /admin say what they are to say, whatever stands in a value."""

import ast
import json
import re
import shlex
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from app.admin_page.try_it import Call, try_it

BASE = "https://auth.example.com"
HOSTILE = [
    "'; rm -rf / #", '"; $(id) `id` \\', "a\nb\r\n\0\t", "</script><img src=x onerror=alert(1)>",
    "${process.exit()}", "{0!r}", "%s %2e%2e", "&x=1#f", "@/etc/passwd", "é \u2028 🙂", "-X",
]  # fmt: skip


def code(call: Call) -> dict[str, str]:
    (made,) = try_it(BASE, call)
    return {sample.language: sample.code for sample in made.samples}


def keywords(text: str) -> tuple[str, dict[str, Any]]:
    """The address and the literal arguments of the one call in a Python sample."""
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    (call,) = [each for each in calls if any(k.arg == "params" for k in each.keywords)]
    literal = {
        k.arg: ast.literal_eval(k.value) for k in call.keywords if k.arg in ("params", "json")
    }
    return ast.literal_eval(call.args[0]), {str(name): value for name, value in literal.items()}


@pytest.mark.parametrize("value", HOSTILE)
def test_value_stays_a_value(value: str) -> None:
    body = {"name": value, "n": None, "ok": True}
    call = Call("t", "/rest/v1/users", {"name": f"eq.{value}"}, method="POST", body=body)
    found = code(call)

    words = shlex.split(found["curl"].replace("\\\n", ""))
    assert words[:3] == ["curl", "-X", "POST"]
    address = urlsplit(words[3])
    assert (address.netloc, address.path) == ("auth.example.com", "/rest/v1/users")
    assert parse_qsl(address.query) == [("name", f"eq.{value}")]
    assert words[4:6] == ["-H", "apikey: $GATEPOST_KEY"]
    assert json.loads(words[words.index("--data-raw") + 1]) == body
    assert len(words) == 10

    url, literal = keywords(found["Python"])
    assert url == f"{BASE}/rest/v1/users"
    assert literal == {"params": {"name": f"eq.{value}"}, "json": body}

    script = found["JavaScript"]
    decode = json.JSONDecoder().raw_decode
    asked, _ = decode(script, script.index("fetch(") + len("fetch("))
    assert asked == words[3]
    sent, end = decode(script, script.index("JSON.stringify(") + len("JSON.stringify("))
    assert sent == body
    assert script[end:].startswith("),\n});")


@pytest.mark.parametrize("value", HOSTILE)
def test_path_stays_a_path(value: str) -> None:
    call = Call("t", f"/api/{value}/x", credential=None)
    url = shlex.split(code(call)["curl"])[1]
    assert re.fullmatch(r"https://auth\.example\.com/api/[^?#\s'\"`$\\]+/x", url)


def test_credential_is_a_name_of_a_variable() -> None:
    by_key, by_session = (code(Call("t", "/x", credential=each)) for each in ("key", "session"))
    assert '-H "apikey: $GATEPOST_KEY"' in by_key["curl"]
    assert 'os.environ["GATEPOST_KEY"]' in by_key["Python"]
    assert "process.env.GATEPOST_KEY" in by_key["JavaScript"]
    assert '-H "authorization: Bearer $GATEPOST_TOKEN"' in by_session["curl"]
    assert "f\"Bearer {os.environ['GATEPOST_TOKEN']}\"" in by_session["Python"]
    assert "`Bearer ${process.env.GATEPOST_TOKEN}`" in by_session["JavaScript"]
