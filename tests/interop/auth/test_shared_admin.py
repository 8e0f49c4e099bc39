"""Roles, bans and borrowed sessions on one database with Better Auth servers.

One has the admin plugin, one does not know it: neither may trip over what the others write.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.interop.auth.servers import BASE_URL, better_auth, gatepost
from tests.interop.auth.setups import SETUPS
from tests.interop.auth.visitor import PASSWORD, Person, Visitor
from tests.support import Server

NAMES = ("gatepost", "node", "plain")
BOTH_WAYS = pytest.mark.parametrize("way", ["node-gatepost", "gatepost-node"])


@dataclass(frozen=True)
class Place:
    """A visitor of each server, and an administrator."""

    visitors: dict[str, Visitor]
    root: Person

    def of(self, way: str) -> list[Visitor]:
        return [self.visitors[name] for name in way.split("-")]


@pytest.fixture(scope="module")
def running(
    postgres: Server, template: str, node: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, object]]:
    folder, setup = tmp_path_factory.mktemp("shared"), SETUPS["admin"]
    without = replace(setup, admin=None)
    with (
        postgres.database(template) as database,
        gatepost(setup, postgres, database, folder) as one,
        better_auth(setup, postgres, database, folder, node) as other,
        better_auth(without, postgres, database, folder, node, "plain") as third,
    ):
        yield dict(zip(NAMES, (one, other, third), strict=True))


@pytest.fixture
def place(
    running: dict[str, object], postgres: Server, request: pytest.FixtureRequest
) -> Iterator[Place]:
    tag = request.node.name.replace("[", "_").replace("]", "").replace("-", "_")
    visitors = {
        name: Visitor(server, postgres, tag, BASE_URL)  # pyright: ignore[reportArgumentType]
        for name, server in running.items()
    }
    at = visitors["gatepost"]
    root = at.sign_up("root")
    at.quiet_sql(f"UPDATE users SET role = 'admin' WHERE id = '{root.id}'")
    yield Place(visitors, root)
    for visitor in visitors.values():
        visitor.close()
    assert [text for visitor in visitors.values() for text in visitor.unexpected] == []


@BOTH_WAYS
def test_ban_at_one_holds_at_the_other(place: Place, way: str) -> None:
    here, there = place.of(way)
    ada = there.sign_up("ada")
    here.post(200, "/admin/ban-user", {"userId": ada.id}, place.root.cookie)
    assert there.get(200, "/get-session", ada.cookie).json is None
    credentials = {"email": ada.email, "password": PASSWORD}
    assert there.post(403, "/sign-in/email", credentials).json["code"] == "BANNED_USER"
    there.post(200, "/admin/unban-user", {"userId": ada.id}, place.root.cookie)
    here.post(200, "/sign-in/email", credentials)


@BOTH_WAYS
def test_user_object_is_the_same_at_both(place: Place, way: str) -> None:
    here, there = place.of(way)
    ada = here.sign_up("ada")
    here.post(
        200, "/admin/set-role", {"userId": ada.id, "role": ["user", "editor"]}, place.root.cookie
    )
    one, other = (at.get(200, "/get-session", ada.cookie).json for at in (here, there))
    assert one == other
    assert one["user"]["role"] == "user,editor"
    assert one["session"]["impersonatedBy"] is None
    path = f"/admin/list-users?searchValue={ada.email}"
    one, other = (at.get(200, path, place.root.cookie).json for at in (here, there))
    assert one == other
    assert one["total"] == 1


@BOTH_WAYS
def test_session_borrowed_at_one_is_given_back_at_the_other(place: Place, way: str) -> None:
    here, there = place.of(way)
    ada = here.sign_up("ada")
    answer = here.post(200, "/admin/impersonate-user", {"userId": ada.id}, place.root.cookie)
    found = there.get(200, "/get-session", answer.cookie).json
    assert (found["user"]["id"], found["session"]["impersonatedBy"]) == (ada.id, place.root.id)
    back = there.post(200, "/admin/stop-impersonating", {}, answer.cookie)
    assert back.json["user"]["id"] == place.root.id
    assert here.get(200, "/get-session", answer.cookie).json is None


def test_hour_holds_here_where_the_other_server_has_stretched_it(place: Place) -> None:
    here, there = place.of("gatepost-node")
    ada = here.sign_up("ada")
    answer = there.post(200, "/admin/impersonate-user", {"userId": ada.id}, place.root.cookie)
    token = answer.json["session"]["token"]
    alone = f"better-auth.session_token={answer.cookies['better-auth.session_token']}"
    there.get(200, "/get-session", alone)  # without the mark it is refreshed there
    days = "round(extract(epoch FROM expires_at - now()) / 86400)"
    assert here.quiet_sql(f"SELECT {days} FROM sessions WHERE token = '{token}'") == "7"
    assert here.get(200, "/get-session", alone).json["user"]["id"] == ada.id
    here.quiet_sql("ALTER TABLE sessions DISABLE TRIGGER USER")
    here.quiet_sql(
        f"UPDATE sessions SET created_at = now() - interval '61 min' WHERE token = '{token}'"
    )
    here.quiet_sql("ALTER TABLE sessions ENABLE TRIGGER USER")
    assert here.get(200, "/get-session", alone).json is None
    assert here.quiet_sql(f"SELECT count(*) FROM sessions WHERE token = '{token}'") == "0"


def test_server_without_the_plugin_works_on_the_tables(place: Place) -> None:
    at, ours = place.visitors["plain"], place.visitors["gatepost"]
    ada = at.sign_up("ada")
    user = at.get(200, "/get-session", ada.cookie).json["user"]
    assert "role" not in user
    found = ours.get(200, "/get-session", ada.cookie).json
    assert {name: found["user"][name] for name in ("role", "banned", "banReason")} == {
        "role": None, "banned": False, "banReason": None,
    }  # fmt: skip
    assert found["session"]["impersonatedBy"] is None
    ours.post(200, "/admin/ban-user", {"userId": ada.id}, place.root.cookie)
    again = at.sign_in(ada)  # a ban is nothing to it
    assert ours.get(200, "/get-session", again.cookie).json is None
    ours.post(200, "/admin/unban-user", {"userId": ada.id}, place.root.cookie)
    assert ours.get(200, "/get-session", again.cookie).json["user"]["id"] == ada.id
