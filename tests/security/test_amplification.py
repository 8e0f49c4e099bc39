"""An answer does not grow with what a stranger repeats."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.security.target import BASE, Request, Target, attacked


@pytest.fixture
def target(database_url: str, tmp_path: Path) -> Iterator[Target]:
    with attacked(database_url, tmp_path) as target:
        yield target


def test_not_every_wrong_item_is_named(target: Target) -> None:
    headers = ((b"content-type", b"application/json"), (b"origin", BASE.encode()))
    body = b'{"provider":"x","scopes":[' + b"1," * 30_000 + b"1]}"
    answer = target.wire.send(Request("POST", b"/api/auth/link-social", headers, body))
    assert answer.status == 400
    assert b"[body.scopes.0] Invalid input" in answer.body
    assert len(answer.body) < 4096


def test_cookies_that_a_subdomain_sets_make_no_answer_too_long_for_a_proxy(target: Target) -> None:
    """A browser keeps 180 of a site; nginx refuses a head of more than 4 KiB."""
    names = {f"better-auth.session_data.{number}" for number in range(180)}
    answers = 0
    while names:
        header = "; ".join(f"{name}=x" for name in sorted(names)).encode()
        request = Request("GET", b"/api/auth/get-session", ((b"cookie", header),))
        lines = target.wire.send(request).all("set-cookie")
        assert sum(map(len, lines)) < 3072
        cleared = {line.partition("=")[0] for line in lines}
        assert cleared & names  # so that it comes to an end
        names -= cleared
        answers += 1
    assert answers < 20
