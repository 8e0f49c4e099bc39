"""``gatepost admin``: the first administrator, and who the others are."""

from collections.abc import Callable, Iterator

import pytest

from tests.conftest import SERVERS
from tests.integration.test_commands import NOBODY, error, gatepost, result, usage_error
from tests.security.administrators import SETTINGS, done
from tests.security.people import NEW, PASSWORD, Person, Site, site
from tests.support import Server

PLUGINS = "GATEPOST_PLUGINS does not have admin"


@pytest.fixture(scope="module")
def place(
    postgres_servers: Callable[[str], Server],
    templates: Callable[[Server], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    server = postgres_servers(SERVERS[0])
    folder = tmp_path_factory.mktemp("place")
    with site(server, templates(server), folder, **SETTINGS) as found:
        yield found


@pytest.fixture
def url(place: Site) -> str:
    place.sql("UPDATE users SET role = 'user' WHERE role <> 'user'")
    return place.service.database_url


def signed_in(place: Site, email: str, password: str) -> Person:
    browser = place.browser()
    answer = place.sign_in(email, password, browser)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    return Person(browser, found["user"]["id"], email, found["token"])


def test_new_administrator_can_sign_in_and_act(place: Site, url: str) -> None:
    made = result("admin", "create", "First@Example.com", url=url, stdin=NEW)
    assert (made["created"], made["password"]) == (True, None)
    assert (made["user"]["role"], made["user"]["email_verified"]) == ("admin", True)
    root = signed_in(place, "first@example.com", NEW)
    assert root.browser.get("/admin/list-users").status_code == 200


def test_generated_password_is_printed_once(place: Site, url: str) -> None:
    done_ = gatepost("admin", "create", "generated@example.com", "--generate-password", url=url)
    assert done_.returncode == 0, done_.stderr
    password = done_.stdout.strip()
    assert PLUGINS in done_.stderr
    assert password not in done_.stderr
    assert signed_in(place, "generated@example.com", password)


def test_user_who_is_there_gets_the_role_beside_others(place: Site, url: str) -> None:
    ada = place.sign_up()
    place.sql(f"UPDATE users SET role = 'editor', email_verified = true WHERE id = '{ada.id}'")
    made = result("admin", "create", ada.email, url=url)
    assert (made["created"], made["user"]["role"]) == (False, "editor,admin")
    assert result("admin", "create", ada.email, url=url)["user"]["role"] == "editor,admin"
    done(ada, "set-role", userId=ada.id, role="admin")


def test_address_that_is_not_verified_makes_no_administrator(place: Site, url: str) -> None:
    eve = place.sign_up("eve")
    message = usage_error(gatepost("admin", "create", eve.email, url=url))
    assert "not verified" in message
    assert place.sql(f"SELECT role FROM users WHERE id = '{eve.id}'") == "user"
    assert result("admin", "create", eve.id, url=url)["user"]["role"] == "admin"
    error(gatepost("admin", "create", NOBODY, url=url), 8)


def test_rules_are_those_of_sign_up(url: str) -> None:
    for email, password in (("no-address", PASSWORD), ("weak@example.com", "password1")):
        done_ = gatepost("admin", "create", email, url=url, stdin=password)
        assert done_.returncode == 2


def test_list_goes_on_after_a_page(place: Site, url: str) -> None:
    people = [place.sign_up(name) for name in ("a", "b", "c")]
    for person in people:
        place.sql(f"UPDATE users SET role = 'user,admin' WHERE id = '{person.id}'")
    place.sql(f"UPDATE users SET banned = true WHERE id = '{people[0].id}'")
    wanted = sorted(person.id for person in people[1:])
    first = result("admin", "list", "--limit", "1", url=url)
    assert ([user["id"] for user in first["administrators"]], first["next"]) == (
        wanted[:1], wanted[0],
    )  # fmt: skip
    rest = result("admin", "list", "--after", wanted[0], url=url)
    assert ([user["id"] for user in rest["administrators"]], rest["next"]) == (wanted[1:], None)
    assert people[1].email in gatepost("admin", "list", url=url).stdout


def test_removed_administrator_is_a_user(place: Site, url: str) -> None:
    one, two = place.sign_up("one"), place.sign_up("two")
    message = error(gatepost("admin", "remove", one.email, url=url), 8)
    assert "no administrator" in message
    for person, role in ((one, "editor,admin"), (two, "admin")):
        place.sql(f"UPDATE users SET role = '{role}' WHERE id = '{person.id}'")
    assert result("admin", "remove", one.email, url=url)["user"]["role"] == "editor"
    assert one.browser.get("/admin/list-users").status_code == 403
    assert "the last administrator" in error(gatepost("admin", "remove", two.id, url=url), 1)
    assert two.browser.get("/admin/list-users").status_code == 200
