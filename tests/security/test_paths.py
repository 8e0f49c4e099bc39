"""Another spelling of a path is another path, and no way around a rate limit."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.security.target import BASE, FUZZERS_ADDRESS, PASSWORD, Request, Target, attacked

JSON: Final = ((b"content-type", b"application/json"), (b"origin", BASE.encode()))
SIGN_IN: Final = f'{{"email":"{FUZZERS_ADDRESS}","password":"{PASSWORD}"}}'.encode()

SPELLINGS: Final = (
    b"/api/auth//sign-in/email", b"//api/auth/sign-in/email", b"/api//auth/sign-in/email",
    b"/api/auth/sign-in/email/", b"/api/auth/sign-in/email//", b"/api/auth/sign-in%2femail",
    b"/api/auth/sign-in%2Femail", b"/api/auth%2fsign-in/email", b"/api%2fauth/sign-in/email",
    b"/api/auth/./sign-in/email", b"/api/auth/x/../sign-in/email", b"/api/auth/%2e/sign-in/email",
    b"/API/auth/sign-in/email", b"/api/auth/Sign-In/email", b"/api/auth/%73ign-in/email",
    b"/%61pi/auth/sign-in/email", b"/api/auth/sign-in/email;x", b"/api/auth;x/sign-in/email",
    b"/api/auth/sign-in/email%00", b"/api/auth/sign-in/email%20", b"/api/auth/sign-in/email.json",
    b"/api/auth/sign-in/email%3f", b"/api/auth/sign-in/email%23", b"/api/auth\\sign-in\\email",
    b"/api/auth/api/auth/sign-in/email", b"/api/auth/sign-in/email%0a",
)  # fmt: skip
OVERRIDES: Final = (b"x-http-method-override", b"x-http-method", b"x-method-override")


@pytest.fixture
def target(database_url: str, tmp_path: Path) -> Iterator[Target]:
    with attacked(database_url, tmp_path, GATEPOST_RATE_LIMIT="memory") as target:
        yield target


def test_another_spelling_is_another_path(target: Target) -> None:
    for path in SPELLINGS:
        answer = target.wire.send(Request("POST", path, JSON, SIGN_IN))
        assert answer.status == 404, path
        assert not answer.all("set-cookie"), path
    for name in OVERRIDES:
        for method in ("GET", "PUT", "PATCH", "DELETE"):
            body = None if method == "GET" else SIGN_IN
            headers = (*JSON, (name, b"POST"))
            answer = target.wire.send(Request(method, b"/api/auth/sign-in/email", headers, body))
            assert answer.status in (404, 429), (name, method)  # they count as a path, too
            assert not answer.all("set-cookie"), (name, method)


def test_token_in_a_path_does_not_part_the_limit(target: Target) -> None:
    answers = [
        target.wire.send(Request("GET", b"/api/auth/reset-password/%024d?callbackURL=/" % number))
        for number in range(110)
    ]
    assert [answer.status for answer in answers] == [302] * 100 + [429] * 10
