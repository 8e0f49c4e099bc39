"""AdminClient against the REST API."""

from collections.abc import Iterator

import pytest
from gatepost_client import SyncGatepostClient, UnavailableError, admin
from gatepost_client.admin import AdminClient, RefusedError

from tests.client.conftest import Authority
from tests.support import KEYS, Server, free_port, running_service


@pytest.fixture(scope="module")
def authority(
    one_postgres: Server, one_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Authority]:
    log = tmp_path_factory.mktemp("admin") / "log"
    secret = "a secret for tests of 32 letters or more"
    settings = {
        "GATEPOST_SECRET": secret,
        "GATEPOST_BASE_URL": "https://app.example.com",
        "GATEPOST_PLUGINS": "bearer",
        "GATEPOST_RATE_LIMIT": "off",
    }
    with (
        one_postgres.database(one_template) as database,
        running_service(one_postgres.url(database), log, **settings) as service,
    ):
        yield Authority("admin", service.url, service.database_url, secret)


@pytest.fixture
def client(authority: Authority) -> Iterator[AdminClient]:
    with AdminClient(authority.url, KEYS["backend"]) as client:
        yield client


def test_every_user_is_listed_once_over_pages(
    authority: Authority, client: AdminClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = {authority.sign_up().email for _ in range(5)}
    monkeypatch.setattr(admin, "PAGE", 2)
    found = [user.email for user in client.users()]
    assert people <= set(found)
    assert len(found) == len(set(found))


def test_user_is_found_by_a_part_of_the_address(authority: Authority, client: AdminClient) -> None:
    person = authority.sign_up()
    assert person.email in [user.email for user in client.users(search=person.email[2:12])]
    user = client.user_by_email(person.email.upper())
    assert user is not None
    assert client.user(user.id) == user
    assert user.created_at is not None
    for search in ('"', "\\", "a,b)", "*", "%", "(", "nobody-has-this"):
        assert [u for u in client.users(search=search) if u.email == person.email] in ([], [user])
    assert client.user_by_email("nobody@example.com") is None


def test_session_that_was_ended_is_refused_at_once(
    authority: Authority, client: AdminClient
) -> None:
    person = authority.sign_up()
    user = client.user_by_email(person.email)
    assert user is not None
    (session,) = client.sessions(user.id)
    assert session.is_live
    with SyncGatepostClient(authority.url) as look:
        assert look.session(person.cookie) is not None
        assert client.revoke(session.id)
        assert not client.revoke(session.id)
        assert look.session(person.cookie) is None
    assert client.revoke_sessions(user.id) == 0


def test_export_has_no_secret(authority: Authority, client: AdminClient) -> None:
    person = authority.sign_up()
    user = client.user_by_email(person.email)
    assert user is not None
    export = client.export(user.id)
    assert export is not None
    assert export["user"]["email"] == person.email
    assert (len(export["accounts"]), len(export["sessions"])) == (1, 1)
    token = person.bearer["Authorization"].removeprefix("Bearer ").partition(".")[0]
    assert token not in repr(export)
    assert "password" not in repr(export)
    assert client.export("00000000-0000-0000-0000-000000000000") is None


def test_refusal_says_why(authority: Authority) -> None:
    with AdminClient(authority.url, "wrong") as client, pytest.raises(RefusedError) as caught:
        list(client.users())
    assert caught.value.status == 401
    with AdminClient(authority.url, KEYS["reader"]) as client:
        with pytest.raises(RefusedError) as caught:
            client.revoke("00000000-0000-0000-0000-000000000000")
        assert caught.value.status == 403
        with pytest.raises(RefusedError) as caught:
            client.user("not a uuid")
        assert (caught.value.status, caught.value.code) == (400, "22P02")


def test_service_that_is_not_there_is_unavailable() -> None:
    with (
        AdminClient(f"http://127.0.0.1:{free_port()}", "key") as client,
        pytest.raises(UnavailableError),
    ):
        list(client.users())
