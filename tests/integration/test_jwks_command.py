"""``gatepost jwks``: the keys of the jwt plugin are listed, rotated, retired and deleted."""

from typing import Any

import jwt
import pytest

from tests.integration.test_commands import NOBODY, error, gatepost, result
from tests.integration.test_jwt import BASE, browser, checked
from tests.support import SECRET

SETTINGS: dict[str, Any] = {
    "GATEPOST_SECRET": SECRET,
    "GATEPOST_BASE_URL": BASE,
    "GATEPOST_PLUGINS": "jwt",
}


def listed(url: str) -> list[dict[str, Any]]:
    return result("jwks", "list", url=url, **SETTINGS)["keys"]


def token(client: Any) -> str:
    return client.get("/token").json()["token"]


def kid(token: str) -> str:
    return jwt.get_unverified_header(token)["kid"]


def test_first_token_makes_the_key_that_is_listed(database_url: str) -> None:
    assert listed(database_url) == []
    with browser(database_url) as client:
        made = kid(token(client))
    (key,) = listed(database_url)
    assert (key["kid"], key["alg"], key["signs"]) == (made, "EdDSA", True)
    done = gatepost("jwks", "list", url=database_url, **SETTINGS)
    assert made in done.stdout
    assert "private" not in done.stdout


def test_rotated_key_signs_and_the_one_before_stays_published(database_url: str) -> None:
    with browser(database_url) as client:
        old = token(client)
    new = result("jwks", "rotate", url=database_url, **SETTINGS)["kid"]
    assert [(key["kid"], key["signs"]) for key in listed(database_url)] == [
        (new, True),
        (kid(old), False),
    ]
    with browser(database_url) as client:
        assert kid(token(client)) == new
        assert checked(client, old)["email"]


def test_retired_key_signs_no_more_and_stays_published(database_url: str) -> None:
    with browser(database_url) as client:
        old = token(client)
    done = gatepost("jwks", "retire", kid(old), url=database_url, **SETTINGS)
    assert done.returncode == 0, done.stderr
    assert [key["signs"] for key in listed(database_url)] == [False]
    with browser(database_url) as client:
        assert kid(token(client)) != kid(old)
        assert checked(client, old)["email"]


def test_deleted_key_is_not_published(database_url: str) -> None:
    with browser(database_url) as client:
        old = token(client)
    arguments = ("jwks", "delete", kid(old))
    refused = gatepost(*arguments, url=database_url, **SETTINGS)  # nobody is there to be asked
    assert refused.returncode == 1
    assert len(listed(database_url)) == 1
    done = gatepost(*arguments, "--yes", url=database_url, **SETTINGS)
    assert done.returncode == 0, done.stderr
    assert listed(database_url) == []
    with browser(database_url) as client:
        assert checked(client, token(client))["email"]
        published = [key["kid"] for key in client.get("/jwks").json()["keys"]]
        assert published
        assert kid(old) not in published


@pytest.mark.parametrize("command", [("retire",), ("delete", "--yes")], ids=lambda c: c[0])
def test_key_that_is_not_there_is_an_error(database_url: str, command: tuple[str, ...]) -> None:
    done = gatepost("jwks", *command, NOBODY, url=database_url, **SETTINGS)
    assert NOBODY in error(done, 8)


def test_plugin_that_is_off_is_named(database_url: str) -> None:
    settings: dict[str, Any] = SETTINGS | {"GATEPOST_PLUGINS": "bearer"}
    done = gatepost("jwks", "list", url=database_url, **settings)
    assert "GATEPOST_PLUGINS" in error(done, 2)
