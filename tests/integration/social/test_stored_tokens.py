"""A provider's tokens after the sign-in: who gets them, how they are kept, and refreshed once."""

import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.auth import cipher
from tests.integration.social.place import PAST, SOON, Place, place, sign_up
from tests.integration.social.token_provider import TokenProvider, running_provider
from tests.support import SECRET, Server, Service, wait_until

BOB = {"name": "Bob", "email": "bob@example.com", "password": "correct horse"}


@pytest.fixture(scope="module")
def provider() -> Iterator[TokenProvider]:
    with running_provider() as provider:
        yield provider


@pytest.fixture(scope="module")
def one(
    postgres: Server,
    template: str,
    provider: TokenProvider,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Place]:
    """A service that keeps tokens as they are."""
    with place(postgres, template, provider, tmp_path_factory.mktemp("one")) as made:
        yield made


@pytest.fixture(autouse=True)
def fresh(provider: TokenProvider) -> None:
    provider.set()


def test_token_that_lasts_is_given_as_it_is(one: Place) -> None:
    account_id = one.account(expires=SOON)
    answer = one.ask("get-access-token", account_id).json()
    assert answer.pop("accessTokenExpiresAt").endswith("Z")
    scopes = ["read:user", "user:email"]
    assert answer == {"accessToken": "access-0", "scopes": scopes, "idToken": "id-0"}
    one.account(expires="NULL", id_token=None, access_token=None, scope="")
    answer = one.ask("get-access-token", one.kept("id")[0])
    assert answer.json() == {"accessToken": "", "scopes": []}
    assert one.provider.calls == []


@pytest.mark.parametrize("expires", [PAST, "now() + interval '3 seconds'"])
def test_token_is_refreshed_when_it_expires(one: Place, expires: str) -> None:
    answer = one.ask("get-access-token", one.account(expires=expires)).json()
    assert (answer["accessToken"], answer["idToken"]) == ("access-1", "id-1")
    assert answer["scopes"] == ["read:user", "user:email"]
    assert one.kept() == ["access-1", "refresh-1", "id-1", "read:user,user:email"]
    assert one.kept("access_token_expires_at > now(), refresh_token_expires_at > now()") == [
        "t", "t",
    ]  # fmt: skip
    assert one.ask("get-access-token", one.kept("id")[0]).json()["accessToken"] == "access-1"
    assert one.provider.calls == ["refresh-0"]
    assert one.leases == 0


def test_expired_token_without_refresh_token_is_given_with_its_date(one: Place) -> None:
    answer = one.ask("get-access-token", one.account(refresh_token=None))
    assert answer.json()["accessToken"] == "access-0"
    assert answer.json()["accessTokenExpiresAt"] < "2027"
    assert one.provider.calls == []


def test_refresh_gives_new_tokens_each_time(one: Place) -> None:
    account_id = one.account(expires=SOON)
    answer = one.ask("refresh-token", account_id).json()
    times = [answer.pop(name) for name in ("accessTokenExpiresAt", "refreshTokenExpiresAt")]
    assert all(time.endswith("Z") for time in times)
    assert answer == {
        "accessToken": "access-1",
        "refreshToken": "refresh-1",
        "scope": "read:user,user:email",
        "idToken": "id-1",
        "providerId": "plain",
        "accountId": account_id,
    }
    assert one.ask("refresh-token", account_id).json()["accessToken"] == "access-2"
    assert one.provider.calls == ["refresh-0", "refresh-1"]


def test_what_a_provider_leaves_out_stays(one: Place) -> None:
    one.provider.set("kept")
    answer = one.ask("refresh-token", one.account(scope=None)).json()
    assert one.kept() == ["access-1", "refresh-0", "id-0", ""]
    assert answer == {
        "accessToken": "access-1",
        "refreshToken": "refresh-0",
        "refreshTokenExpiresAt": None,
        "scope": None,
        "idToken": "id-0",
        "providerId": "plain",
        "accountId": one.kept("id")[0],
    }


@pytest.mark.parametrize("mode", ["broken", "html", "list", "numbers", "empty", "elsewhere"])
def test_provider_that_fails_is_a_400_and_changes_nothing(one: Place, mode: str) -> None:
    one.provider.set(mode)
    account_id = one.account()
    before = one.kept("*")
    failed = 400, "FAILED_TO_GET_ACCESS_TOKEN"
    assert one.code("get-access-token", account_id) == failed
    assert one.code("account-info", account_id) == failed
    assert one.code("refresh-token", account_id) == (400, "FAILED_TO_REFRESH_ACCESS_TOKEN")
    assert one.kept("*") == before
    assert one.leases == 0
    log = one.services[0].log.read_text()
    assert "provider plain: failed_to_refresh" in log
    assert "refresh-0" not in log


def test_silent_provider_is_given_up_and_never_asked_again_unbidden(one: Place) -> None:
    one.provider.set("silent")
    account_id = one.account()
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: one.code("get-access-token", account_id), range(3)))
    assert found == [(400, "FAILED_TO_GET_ACCESS_TOKEN")] * 3
    assert one.provider.calls == ["refresh-0"]
    assert one.leases == 0


def test_accounts_are_those_of_the_session_and_of_configured_providers(one: Place) -> None:
    cookie, bob = sign_up(one.clients[0], BOB)
    account_id = one.account(expires=SOON)
    for path in ("get-access-token", "refresh-token", "account-info"):
        assert one.code(path, account_id, cookie=cookie) == (400, "ACCOUNT_NOT_FOUND")
        assert one.code(path, account_id, cookie="") == (401, "")
        for unknown in (bob, "7", "plain", "", account_id.upper()):
            assert one.code(path, unknown) == (400, "ACCOUNT_NOT_FOUND")
    body = {"accountId": account_id, "userId": one.user_id}
    another = one.clients[0].post("/get-access-token", json=body, headers={"cookie": cookie})
    assert another.json()["code"] == "ACCOUNT_NOT_FOUND"
    gone = one.account(provider_id="no-more")
    password = one.sql(
        f"SELECT id FROM accounts WHERE provider_id = 'credential' AND user_id = '{one.user_id}'"
    )
    for other in (gone, password):
        for path in ("get-access-token", "refresh-token"):
            assert one.code(path, other) == (400, "PROVIDER_NOT_SUPPORTED")
        assert one.code("account-info", other) == (400, "PROVIDER_NOT_CONFIGURED")
    message = one.ask("get-access-token", gone).json()["message"]
    assert message == "Provider no-more is not supported."
    body = {"useAccountCookie": True}  # which the reference knows without a database only
    answer = one.clients[0].post("/refresh-token", json=body, headers={"cookie": one.cookie})
    assert answer.json()["code"] == "ACCOUNT_NOT_FOUND"
    assert one.provider.calls == []


def test_refresh_needs_a_refresh_token(one: Place) -> None:
    for none in (None, ""):
        account_id = one.account(refresh_token=none)
        assert one.code("refresh-token", account_id) == (400, "REFRESH_TOKEN_NOT_FOUND")
    one.provider.set(good="another")
    account_id = one.account()
    assert one.code("refresh-token", account_id) == (400, "FAILED_TO_REFRESH_ACCESS_TOKEN")


def test_account_info_is_the_provider_s_profile(one: Place) -> None:
    account_id = one.account()
    answer = one.ask("account-info", account_id).json()
    assert answer["user"] == {"name": "Ann", "email": "ann@example.com", "emailVerified": True}
    assert answer["data"]["more"] == {"deep": ["access-1"]}  # refreshed first
    assert answer["account"] == {"id": account_id, "providerId": "plain", "accountId": "7"}
    account_id = one.account(access_token=None, expires="NULL")
    assert one.code("account-info", account_id) == (400, "ACCESS_TOKEN_NOT_FOUND")
    account_id = one.account(access_token="another", expires=SOON)
    assert one.code("account-info", account_id) == (401, "FAILED_TO_GET_USER_INFO")
    account_id = one.account(account_id="8", expires=SOON)  # the token is somebody else's
    assert one.code("account-info", account_id) == (401, "FAILED_TO_GET_USER_INFO")


def test_account_info_outlasts_the_id_token(one: Place) -> None:
    # an ID token that nobody can verify any more: userinfo is asked
    stale = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiI3IiwiZXhwIjoxfQ.c2ln"
    account_id = one.account(provider_id="openid", expires=SOON, id_token=stale)
    assert one.ask("account-info", account_id).json()["data"]["sub"] == "7"
    other = stale.replace("eyJzdWIiOiI3IiwiZXhwIjoxfQ", "eyJzdWIiOiI4IiwiZXhwIjoxfQ")
    account_id = one.account(provider_id="openid", expires=SOON, id_token=other)
    assert one.code("account-info", account_id) == (401, "FAILED_TO_GET_USER_INFO")


def test_token_of_a_later_sign_in_is_not_overwritten(one: Place) -> None:
    one.provider.set("slow")
    account_id = one.account()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(one.ask, "get-access-token", account_id)
        wait_until(lambda: one.provider.calls == ["refresh-0"], "the provider was asked")
        one.sql(
            "UPDATE accounts SET access_token = 'access-new', refresh_token = 'refresh-new', "
            f"access_token_expires_at = {SOON} WHERE id = '{account_id}'"
        )
        assert asked.result().json()["accessToken"] == "access-new"
    assert one.kept()[:2] == ["access-new", "refresh-new"]


def test_account_that_is_removed_meanwhile_is_not_found(one: Place) -> None:
    one.provider.set("slow")
    account_id = one.account()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(one.code, "get-access-token", account_id)
        wait_until(lambda: one.provider.calls == ["refresh-0"], "the provider was asked")
        one.sql(f"DELETE FROM accounts WHERE id = '{account_id}'")
        assert asked.result() == (400, "ACCOUNT_NOT_FOUND")


def test_answer_is_kept_when_the_caller_has_gone(one: Place) -> None:
    one.provider.set("slow")
    account_id = one.account()
    with pytest.raises(httpx.ReadTimeout):
        one.clients[0].post(
            "/get-access-token",
            json={"accountId": account_id},
            headers={"cookie": one.cookie},
            timeout=0.3,
        )
    wait_until(lambda: one.kept()[1] == "refresh-1", "the new tokens are kept")
    assert one.ask("get-access-token", account_id).json()["accessToken"] == "access-1"


def together(made: Place, path: str, account_id: str, number: int = 10) -> list[httpx.Response]:
    """Calls at once, at the processes in turn."""

    def call(position: int) -> httpx.Response:
        return made.ask(path, account_id, at=position % len(made.clients))

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(call, range(number)))


@pytest.fixture(scope="module")
def two(
    postgres: Server,
    template: str,
    provider: TokenProvider,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Place]:
    """Two processes that encrypt, each with two connections: fewer than there are callers."""
    folder, settings = tmp_path_factory.mktemp("two"), provider.settings(encrypt=True)
    settings |= {"GATEPOST_POOL_SIZE": "2"}
    with place(postgres, template, provider, folder, 2, **settings) as made:
        yield made


@pytest.mark.parametrize("path", ["get-access-token", "refresh-token", "account-info"])
def test_ten_at_once_in_two_processes_ask_the_provider_once(two: Place, path: str) -> None:
    two.provider.set("slow")
    account_id = two.account()
    found = together(two, path, account_id)
    assert [answer.status_code for answer in found] == [200] * 10
    assert two.provider.calls == ["refresh-0"]
    if path != "account-info":
        assert {answer.json()["accessToken"] for answer in found} == {"access-1"}
    assert two.leases == 0
    # what was given works: the next one brings the refresh token that was kept
    assert two.ask("refresh-token", account_id, at=1).json()["accessToken"] == "access-2"


def test_ten_at_once_in_two_processes_learn_of_a_failure_by_one_question(two: Place) -> None:
    two.provider.set("silent")
    found = together(two, "get-access-token", two.account())
    assert {(a.status_code, a.json()["code"]) for a in found} == {
        (400, "FAILED_TO_GET_ACCESS_TOKEN")
    }
    assert two.provider.calls == ["refresh-0"]
    assert two.leases == 0


def test_no_connection_is_held_while_providers_are_slow(two: Place) -> None:
    two.provider.set("silent")
    first = two.account()
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(two.code, "refresh-token", first) for _ in range(4)]
        wait_until(lambda: two.provider.calls == ["refresh-0"], "the provider was asked")
        for _ in range(5):
            answer = two.clients[0].get("/list-accounts", headers={"cookie": two.cookie})
            assert answer.status_code == 200
        assert not any(each.done() for each in asked)
        idle = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"
        assert two.sql(idle) == "0"
    assert {each.result()[0] for each in asked} == {400}


def test_tokens_are_encrypted_at_rest_and_the_id_token_is_not(two: Place) -> None:
    account_id = two.account()  # in clear, from before encryption was switched on
    assert two.ask("get-access-token", account_id).json()["accessToken"] == "access-1"
    access, refresh, id_token, _ = two.kept()
    assert cipher.decrypt([SECRET], access) == "access-1"
    assert cipher.decrypt([SECRET], refresh) == "refresh-1"
    assert id_token == "id-1"
    answer = two.ask("refresh-token", account_id).json()
    assert (answer["accessToken"], answer["refreshToken"]) == ("access-2", "refresh-2")


def test_token_that_does_not_decrypt_is_no_token(two: Place) -> None:
    stranger = cipher.encrypt("a secret that the service does not have", "access-0")
    failed = 400, "FAILED_TO_GET_ACCESS_TOKEN"
    account_id = two.account(access_token=stranger, expires=SOON)
    assert two.code("get-access-token", account_id) == failed
    assert two.code("account-info", account_id) == failed
    account_id = two.account(refresh_token=stranger)
    assert two.code("get-access-token", account_id) == failed
    assert two.code("refresh-token", account_id) == (400, "FAILED_TO_REFRESH_ACCESS_TOKEN")
    assert two.provider.calls == []
    log = "".join(service.log.read_text() for service in two.services)
    assert "cannot be decrypted" in log
    assert stranger not in log


def test_tokens_that_were_encrypted_are_read_without_encryption(one: Place) -> None:
    sealed = cipher.encrypt(SECRET, "access-0"), cipher.encrypt(SECRET, "refresh-0")
    account_id = one.account(access_token=sealed[0], expires=SOON)
    assert one.ask("get-access-token", account_id).json()["accessToken"] == "access-0"
    account_id = one.account(refresh_token=sealed[1])
    assert one.ask("get-access-token", account_id).json()["accessToken"] == "access-1"
    assert one.kept()[1] == "refresh-1"
    plain = "0123456789abcdef" * 4  # GitLab's own tokens have this form
    account_id = one.account(access_token=plain, expires=SOON)
    assert one.ask("get-access-token", account_id).json()["accessToken"] == plain


@pytest.mark.parametrize("signal_name", ["SIGKILL", "SIGTERM"])
def test_refresh_goes_on_after_its_process_has_ended(
    postgres: Server,
    template: str,
    provider: TokenProvider,
    tmp_path: Path,
    signal_name: str,
) -> None:
    with place(postgres, template, provider, tmp_path, 2) as made:
        provider.set("slow")
        account_id = made.account()
        with ThreadPoolExecutor(2) as pool:
            lost = pool.submit(made.ask, "get-access-token", account_id, at=0)
            wait_until(lambda: provider.calls == ["refresh-0"], "the provider was asked")
            made.services[0].process.send_signal(signal.Signals[signal_name])
            after = pool.submit(made.ask, "get-access-token", account_id, at=1)
            answer = after.result()
            if signal_name == "SIGTERM":  # it waits for the answer and keeps it
                assert answer.json()["accessToken"] == "access-1"
                assert provider.calls == ["refresh-0"]
                return
            with pytest.raises(httpx.TransportError):
                lost.result()
        # the answer went to nobody, and the refresh token is used up: that is said, once the lease
        # of the dead process is over, and nobody hangs or asks twice
        assert (answer.status_code, answer.json()["code"]) == (400, "FAILED_TO_GET_ACCESS_TOKEN")
        assert provider.calls == ["refresh-0", "refresh-0"]
        assert made.leases == 0
        assert "invalid_grant" in made.services[1].log.read_text()
        # a provider that still takes the old one works again
        provider.set(good="refresh-0")
        assert made.ask("get-access-token", account_id, at=1).json()["accessToken"] == "access-1"


def test_new_tokens_are_kept_when_the_database_was_away(
    postgres: Server, template: str, provider: TokenProvider, tmp_path: Path
) -> None:
    with place(postgres, template, provider, tmp_path) as made:
        provider.set("slow")
        account_id = made.account()
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(made.ask, "get-access-token", account_id)
            wait_until(lambda: provider.calls == ["refresh-0"], "the provider was asked")
            with unreachable(postgres, made.database):
                wait_until(lambda: failed_logins(made.services) > 0, "it has tried to write")
            assert asked.result().json()["accessToken"] == "access-1"
        assert made.kept()[1] == "refresh-1"


@contextmanager
def unreachable(postgres: Server, database: str) -> Iterator[None]:
    """A database that takes no connections and ends those that it has."""
    postgres.sql(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS false')
    try:
        postgres.sql(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"
        )
        yield
    finally:
        postgres.sql(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS true')


def failed_logins(services: Sequence[Service]) -> int:
    """Statements that have failed to write new tokens so far."""
    text = httpx.get(services[0].metrics).text
    name = 'gatepost_statement_seconds_count{statement="accounts.refresh_tokens"}'
    counts: list[Any] = [line.split()[-1] for line in text.splitlines() if line.startswith(name)]
    return int(float(counts[0])) if counts else 0
