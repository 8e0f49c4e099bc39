"""Sign-in with a provider at a Better Auth server and Gatepost on one database.

Every test runs in both directions, and with the state in the database and in an encrypted cookie,
where tokens are encrypted, too.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.interop.auth import dance
from tests.interop.auth.provider import Provider, made_up, provider
from tests.interop.auth.servers import (
    BASE_URL,
    Running,
    better_auth,
    gatepost,
)
from tests.interop.auth.social_setups import SOCIAL_SETUPS
from tests.interop.auth.test_shared import BOTH_WAYS, Both
from tests.interop.auth.visitor import Answer, Visitor
from tests.support import Server

pytestmark = BOTH_WAYS

ENCRYPTED = "social, state in a cookie"
PLACES = {"callbackURL": "/in", "errorCallbackURL": "/oops", "newUserCallbackURL": "/new"}
TOKENS = {"expires_in": 3600, "scope": "read write"}


@pytest.fixture(scope="module", params=["social", ENCRYPTED])
def servers(
    request: pytest.FixtureRequest,
    postgres: Server,
    template: str,
    node: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[dict[str, Running], Provider, str]]:
    folder = tmp_path_factory.mktemp("shared")
    with provider() as asked, postgres.database(template) as database:
        setup = SOCIAL_SETUPS[request.param].at(asked.url)
        with (
            better_auth(setup, postgres, database, folder, node) as one,
            gatepost(setup, postgres, database, folder) as other,
        ):
            yield {"node": one, "gatepost": other}, asked, request.param


@pytest.fixture
def both(
    servers: tuple[dict[str, Running], Provider, str],
    way: str,
    request: pytest.FixtureRequest,
    postgres: Server,
) -> Iterator[Both]:
    running, asked, _ = servers
    tag = f"{request.function.__name__[5:]}_{way}"
    here, there = (
        Visitor(running[name], postgres, tag, BASE_URL, provider=asked) for name in way.split("-")
    )
    pair = Both(here, there)
    yield pair
    for at in (here, there):
        at.close()
    pair.check()


def across(
    both: Both, provider: str, profile: dict[str, Any], cookie: str | None = None, **more: Any
) -> Answer:
    """A dance that begins here and ends there."""
    path = "/link-social" if cookie else "/sign-in/social"
    start = dance.begin(both.here, provider, cookie, path=path, **PLACES)
    if provider == "oidc":
        more["claims"] = profile
    given = dance.grant(both.here, start, profile, **more)
    answer = dance.back(both.there, start, {"code": given.code})
    assert given.asked, "the provider was not asked"
    return answer


@pytest.mark.parametrize("provider_id", ["plain", "oidc"])
def test_sign_in_begins_at_one_and_ends_at_the_other(both: Both, provider_id: str) -> None:
    who = dance.person(both.here, f"ada-{provider_id}")
    answer = across(both, provider_id, who, answer=TOKENS)
    assert answer.header("location") == "/new"
    one, other = both.at_both("/get-session", dance.session_of(answer.cookie))
    assert one == other
    assert (one["user"]["email"], one["user"]["emailVerified"]) == (who["email"], True)
    again = across(both, provider_id, who)
    assert again.header("location") == "/in"
    assert both.at_both("/get-session", again.cookie)[0]["user"]["id"] == one["user"]["id"]


def test_state_is_used_once(both: Both) -> None:
    start = dance.begin(both.here, "plain", **PLACES)
    given = dance.grant(both.here, start, dance.person(both.here, "ada"))
    first = dance.back(both.there, start, {"code": given.code})
    assert first.header("location") == "/new"
    for at in (both.here, both.there):
        again = dance.back(at, start, {"code": given.code})
        assert again.cookies.keys().isdisjoint({"better-auth.session_token"})
        assert "error=" in again.header("location")


def test_error_of_a_provider_is_brought_back_by_either(both: Both) -> None:
    start = dance.begin(both.here, "plain", **PLACES)
    answer = dance.back(both.there, start, {"error": "access_denied"})
    assert answer.header("location") == "/oops?error=access_denied"


def test_link_begins_at_one_and_ends_at_the_other(both: Both) -> None:
    ada = dance.member(both.here, "ada")
    answer = across(both, "plain", dance.person(both.here, "ada"), ada.cookie)
    assert answer.header("location") == "/in"
    one, other = both.at_both("/list-accounts", ada.cookie)
    assert one == other
    assert {account["providerId"] for account in one} == {"credential", "plain"}


def test_link_of_a_session_that_the_other_ended_is_refused(both: Both) -> None:
    ada = dance.member(both.here, "ada")
    second = both.here.sign_in(ada)
    start = dance.link(both.here, "plain", second.cookie, **PLACES)
    given = dance.grant(both.here, start, dance.person(both.here, "ada"))
    both.there.post(200, "/sign-out", {}, second.cookie)
    answer = dance.back(both.there, start, {"code": given.code})
    assert answer.header("location") == "/oops?error=unable_to_link_account"


def test_tokens_are_shared(both: Both, servers: tuple[dict[str, Running], Provider, str]) -> None:
    tokens = {**TOKENS, "access_token": made_up(), "refresh_token": made_up()}
    renewed = {"expires_in": 7200, "access_token": made_up(), "refresh_token": made_up()}
    who = dance.person(both.here, "ada")
    answer = across(both, "plain", who, answer=tokens, refreshed=[renewed, None])
    cookie = dance.session_of(answer.cookie)
    row = dance.account_id(both.here, cookie, "plain")
    stored = both.here.quiet_sql(f"SELECT access_token FROM accounts WHERE id = '{row}'")
    assert (stored == tokens["access_token"]) is (servers[2] != ENCRYPTED)
    assert dance.opened(stored) in (tokens["access_token"], f"encrypted: {tokens['access_token']}")
    body = {"accountId": row}
    for at in (both.here, both.there):
        given = at.post(200, "/get-access-token", body, cookie).json
        assert given["accessToken"] == tokens["access_token"]
    refreshed = both.here.post(200, "/refresh-token", body, cookie).json
    assert refreshed["accessToken"] == renewed["access_token"]
    for at in (both.here, both.there):
        given = at.post(200, "/get-access-token", body, cookie).json
        assert given["accessToken"] == renewed["access_token"]
    both.there.post(400, "/refresh-token", body, cookie)
    one, other = both.at_both(f"/account-info?accountId={row}", cookie)
    assert one["user"] == other["user"]


def test_account_that_one_unlinks_is_gone_at_the_other(both: Both) -> None:
    ada = dance.member(both.here, "ada")
    across(both, "plain", dance.person(both.here, "ada"), ada.cookie)
    row = dance.account_id(both.here, ada.cookie, "plain")
    both.there.post(200, "/unlink-account", {"accountId": row}, ada.cookie)
    assert [account["providerId"] for account in both.here.get(200, "/list-accounts",
            ada.cookie).json] == ["credential"]  # fmt: skip


def test_id_token_signs_in_the_same_user_at_both(both: Both) -> None:
    token = dance.provider_of(both.here).id_token(dance.person(both.here, "ada"))
    body = {"provider": "oidc", "idToken": {"token": token}}
    users = [at.post(200, "/sign-in/social", body).json["user"] for at in (both.here, both.there)]
    assert users[0] == users[1]


def test_sign_out_at_the_provider_is_shared(both: Both) -> None:
    who = dance.person(both.here, "ada")
    answer = across(both, "oidc", who)
    out = both.here.post(200, "/sign-out", {}, dance.session_of(answer.cookie)).json
    assert out["url"].startswith(f"{dance.provider_of(both.here).url}/oidc/logout?id_token_hint=")
    again = across(both, "oidc", who)
    url = both.there.post(200, "/sign-out", {}, dance.session_of(again.cookie)).json["url"]
    assert url.startswith(f"{dance.provider_of(both.here).url}/oidc/logout?id_token_hint=")
