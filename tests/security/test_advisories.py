"""What Better Auth's published advisories describe, tried on Gatepost (docs/ASVS.md lists them)."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.security.target import (
    BASE,
    FUZZER,
    FUZZERS_ADDRESS,
    PASSWORD,
    VICTIM,
    Answer,
    Request,
    Target,
    attacked,
)
from tests.support import wait_until


@pytest.fixture(scope="module")
def target(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with attacked(module_database_url, tmp_path_factory.mktemp("attacked")) as target:
        yield target


@pytest.fixture(autouse=True)
def signed_in(target: Target) -> Iterator[None]:
    """FUZZER has a session at the start, and VICTIM has what it had at the end."""
    target.sign_in()
    before = target.victim()
    yield
    assert target.victim() == before


def post(target: Target, path: str, body: Any, *headers: tuple[bytes, bytes]) -> Answer:
    cookie = f"better-auth.session_token={target.own_cookie}".encode()
    given = ((b"content-type", b"application/json"), (b"origin", BASE.encode()), *headers)
    request = Request("POST", f"/api/auth{path}".encode(), (*given, (b"cookie", cookie)),
                      json.dumps(body).encode())  # fmt: skip
    answer = target.wire.send(request)
    target.check(request, answer)
    return answer


def mailed(target: Target, kind: str) -> dict[str, Any]:
    def mails() -> list[dict[str, Any]]:
        lines = target.mails.read_text().splitlines() if target.mails.exists() else []
        return [mail for line in lines if (mail := json.loads(line))["kind"] == kind]

    wait_until(lambda: bool(mails()), f"a mail {kind}")
    return mails()[-1]


def test_links_in_mails_lead_to_the_base_url_whatever_host_a_request_names(target: Target) -> None:
    """GHSA-569q-mpph-wgww: the address came from the first request."""
    names = (b"host", b"x-forwarded-host", b"x-original-host", b"x-host")
    headers = [(name, b"evil.test") for name in names]
    headers += [(b"forwarded", b"host=evil.test;proto=http"), (b"x-forwarded-proto", b"javascript")]
    body = {"email": FUZZERS_ADDRESS, "redirectTo": "/new"}
    assert post(target, "/request-password-reset", body, *headers).status == 200
    assert mailed(target, "reset-password")["url"].startswith(f"{BASE}/api/auth/reset-password/")


@pytest.mark.parametrize("name", ["error", "error_description", "state", "callbackURL"])
def test_text_of_a_link_is_no_markup(target: Target, name: str) -> None:
    """GHSA-9x4v-xfq5-m8x5: the error page showed a parameter as HTML."""
    for path in ("/error", "/callback/github", "/verify-email", "/reset-password/x"):
        query = f"?{name}=%3Cscript%3Ealert(1)%3C/script%3E&token=x"
        request = Request("GET", f"/api/auth{path}{query}".encode())
        answer = target.wire.send(request)
        target.check(request, answer)
        assert "html" not in answer.header("content-type")
        assert b"<script" not in answer.body + repr(answer.headers).encode()


def test_what_is_somebody_elses_is_not_found(target: Target) -> None:
    """GHSA-4vcf-q4xf-f48m, GHSA-99h5-pjcv-gr6v: an id in the body decided whose it was."""
    victims = target.canaries["session token"]
    account = str(target.run("SELECT id FROM accounts WHERE user_id = $1 LIMIT 1", VICTIM))
    post(target, "/revoke-session", {"token": victims, "userId": str(VICTIM)})
    for path in ("/unlink-account", "/get-access-token", "/refresh-token"):
        answer = post(target, path, {"accountId": account, "userId": str(VICTIM)})
        assert answer.status == 400, (path, answer)
    for path, body in (
        ("/update-user", {"name": "Fuzzer", "id": str(VICTIM), "userId": str(VICTIM)}),
        ("/change-password", {"newPassword": PASSWORD, "currentPassword": PASSWORD,
                              "userId": str(VICTIM)}),
        ("/revoke-other-sessions", {"userId": str(VICTIM)}),
        ("/revoke-sessions", {"userId": str(VICTIM)}),
    ):  # fmt: skip
        target.sign_in()
        assert post(target, path, body).status == 200, path


def test_token_of_one_purpose_is_none_of_another(target: Target) -> None:
    """GHSA-965c-763c-88jm: a record of one flow was taken by another."""
    post(target, "/request-password-reset", {"email": FUZZERS_ADDRESS, "redirectTo": "/new"})
    reset = mailed(target, "reset-password")["token"]
    post(target, "/send-verification-email", {"email": FUZZERS_ADDRESS})
    verification = mailed(target, "verify-email")["token"]
    for token in (verification, target.own_token, f"reset-password:{reset}", "", "%", "*"):
        body = {"newPassword": "another password", "token": token}
        assert post(target, "/reset-password", body).status == 400, token
    for token in (reset, target.own_token, verification.rpartition(".")[0]):
        answer = target.wire.send(Request("GET", f"/api/auth/verify-email?token={token}".encode()))
        assert answer.status == 401, token
    for token in (reset, verification, target.own_token):
        assert post(target, "/delete-user", {"token": token}).status in (400, 404), token
    assert target.run("SELECT count(*) FROM users WHERE id = $1", FUZZER) == 1


def test_deleted_user_has_no_session_left(target: Target) -> None:
    """GHSA-2vg6-77g8-24mp: sessions outlived their user."""
    answer = post(target, "/delete-user", {"password": PASSWORD})
    assert answer.status == 200, answer
    cookie = f"better-auth.session_token={target.own_cookie}".encode()
    request = Request("GET", b"/api/auth/get-session", ((b"cookie", cookie),))
    assert target.wire.send(request).json is None
    assert target.run("SELECT count(*) FROM sessions WHERE user_id = $1", FUZZER) == 0
