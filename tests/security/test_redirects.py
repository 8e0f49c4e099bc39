"""Nothing leads off the trusted origins, however the address is written.

Node's URL is what a browser does with an address: each form is refused, or each place that the
service sends a browser to because of it is on a trusted origin.
"""

import http.client
import json
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest

from app.auth.origins import Origins
from tests.security.redirect_forms import BASE_URL, FORMS, LANDINGS, STANDARD, TRUSTED
from tests.support import IN_CI, running_service, wait_until

PASSWORD = "correct horse battery"
Landings = Callable[[list[str]], list[str]]
_PROGRAM = """
const landing = (place) => {
  const url = new URL(place, process.argv[1]);
  return /^(https?|wss?|ftp|file):$/.test(url.protocol) ? url.origin : url.protocol;
};
const places = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
console.log(JSON.stringify(places.map((place) => URL.canParse(place, process.argv[1])
  ? landing(place) : "nowhere")));
"""


@pytest.fixture(scope="module")
def landings() -> Landings:
    """Where a browser on ``BASE_URL`` comes out by each address: an origin, or an app's scheme."""
    node = shutil.which("node")
    if node is None and IN_CI:
        pytest.fail("no node")
    if node is None:
        pytest.skip("no node")

    def land(places: list[str]) -> list[str]:
        done = subprocess.run(
            [node, "-e", _PROGRAM, BASE_URL],
            input=json.dumps(places), check=True, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        return json.loads(done.stdout)

    return land


def is_safe(landing: str) -> bool:
    return landing in (*LANDINGS, "myapp:", "nowhere")


def off_site(landings: Landings, places: dict[str, str]) -> dict[str, str]:
    """Of the places by the forms that led there, those off the trusted origins, as one lands."""
    landed = landings(list(places.values()))
    found = zip(places.items(), landed, strict=True)
    return {f"{form!r} → {place!r}": at for (form, place), at in found if not is_safe(at)}


def test_there_are_five_hundred_forms_and_more() -> None:
    assert len(FORMS) > 500
    assert len(set(STANDARD)) > 400


@pytest.mark.parametrize("way", ["header", "back", "absolute", "back_with", "back_with_error"])
def test_every_way_back_stays_on_trusted_origins(landings: Landings, way: str) -> None:
    origins = Origins(BASE_URL, TRUSTED)
    ways: dict[str, Callable[[str], str]] = {
        "header": origins.header,
        "back": origins.back,
        "absolute": origins.absolute,
        "back_with": lambda url: origins.back_with(url, "token", "t"),
        "back_with_error": lambda url: origins.back_with_error(url, "E", "why"),
    }
    trusted = [form for form in FORMS if origins.trusts(form, relative=True)]
    assert len(trusted) > 60  # the corpus reaches what is behind the check
    assert off_site(landings, {form: ways[way](form) for form in trusted}) == {}


def test_what_is_given_back_as_it_came_stays_on_trusted_origins(landings: Landings) -> None:
    origins = Origins(BASE_URL, TRUSTED)
    trusted = {form: form for form in FORMS if origins.trusts(form, relative=True)}
    assert off_site(landings, trusted) == {}


@pytest.mark.parametrize(
    "form",
    [
        "/.//evil.example", "/..//evil.example", "/%2e//evil.example", "/a/..//evil.example",
        "/%2E%2e//evil.example", "/a/%2e%2e//evil.example", "http://example.com\\@evil.example",
        "http://example.com\t", "http://example.com\x00",
    ],
)  # fmt: skip
def test_what_two_readers_may_take_for_two_places_is_refused(form: str) -> None:
    assert not Origins(BASE_URL, TRUSTED).trusts(form, relative=True)


@pytest.fixture(scope="module")
def site(
    module_database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator["tuple[httpx.Client, Path]"]:
    """A client of a service whose base URL is ``BASE_URL``, and the file of its mails."""
    folder = tmp_path_factory.mktemp("redirects")
    settings = {
        "GATEPOST_SECRET": secrets.token_hex(32),
        "GATEPOST_BASE_URL": BASE_URL,
        "GATEPOST_TRUSTED_ORIGINS": ",".join(TRUSTED),
        "GATEPOST_RATE_LIMIT": "off",
        "GATEPOST_DELETE_USER": "true",
        "GATEPOST_DELETE_USER_BY_MAIL": "true",
        "GATEPOST_CHANGE_EMAIL": "true",
        "MAIL_FILE": str(folder / "mails"),
    }
    with (
        running_service(module_database_url, folder / "log", **settings) as service,
        httpx.Client(base_url=f"{service.url}/api/auth", headers={"origin": BASE_URL}) as client,
    ):
        yield client, folder / "mails"


def ask(client: httpx.Client, method: str, path: str, **rest: Any) -> httpx.Response:
    client.cookies.clear()
    answer = client.request(method, path, **rest)
    assert answer.status_code < 500, (path, rest, answer.text)
    return answer


def follow(client: httpx.Client, path: str) -> tuple[int, str | None]:
    """Status and Location of a link. httpx itself fails by an address that it cannot read."""
    connection = http.client.HTTPConnection(client.base_url.host, client.base_url.port or 80)
    with closing(connection):
        connection.request("GET", f"/api/auth{path}")
        answer = connection.getresponse()
        return answer.status, answer.getheader("location")


@pytest.mark.parametrize(
    "path",
    ["/verify-email?token=x", "/reset-password/none?", "/error?error=a", "/callback/x?state=a"],
)
def test_a_link_leads_nowhere_else(
    site: tuple[httpx.Client, Path], landings: Landings, path: str
) -> None:
    client, _ = site
    places: dict[str, str] = {}
    for form in FORMS:
        value = quote(form, safe="")
        both = f"&callbackURL={value}&errorCallbackURL={value}&redirectTo={value}"
        status, place = follow(client, f"{path}{both}&newUserCallbackURL={value}")
        assert status in (302, 400, 401, 403)
        if place is not None:
            places[form] = place
    assert len(places) > 60
    assert off_site(landings, places) == {}


@pytest.mark.parametrize(
    "field", ["callbackURL", "redirectTo", "errorCallbackURL", "newUserCallbackURL"]
)
def test_an_address_in_a_body_is_judged_alike_by_every_endpoint(
    site: tuple[httpx.Client, Path], field: str
) -> None:
    client, _ = site
    origins = Origins(BASE_URL, TRUSTED)
    paths = ("/sign-out", "/sign-in/social")
    for form in FORMS:
        is_trusted = not form or origins.trusts(form, relative=True)
        for path in paths:
            answer = ask(client, "POST", path, json={field: form, "provider": "x"})
            # a NUL is refused before anything is looked at
            refused = answer.status_code == (400 if "\0" in form else 403)
            assert refused is not is_trusted, (path, form)
        if field == "callbackURL" and "\0" not in form:
            url = f"/sign-out?callbackURL={quote(form, safe='')}"
            assert (ask(client, "POST", url, json={}).status_code != 403) is is_trusted, form


def test_a_sign_in_leads_nowhere_else(site: tuple[httpx.Client, Path], landings: Landings) -> None:
    client, _ = site
    body = {"email": "ann@example.org", "password": PASSWORD}
    assert ask(client, "POST", "/sign-up/email", json=body | {"name": "Ann"}).status_code == 200
    origins = Origins(BASE_URL, TRUSTED)
    headers: dict[str, str] = {}
    urls: dict[str, str] = {}
    # a password is hashed for each that is trusted, so every third of those is enough here
    trusted = [form for form in FORMS if origins.trusts(form, relative=True)][::3]
    for form in trusted:
        answer = ask(client, "POST", "/sign-in/email", json=body | {"callbackURL": form})
        assert answer.status_code == 200
        headers[form], urls[form] = answer.headers["location"], answer.json()["url"]
    assert off_site(landings, headers) == {}
    assert off_site(landings, urls) == {}


def mail(mails: Path, kind: str, email: str) -> dict[str, str]:
    """The mail of a kind to an address, once it is there."""

    def sent() -> list[dict[str, str]]:
        lines = mails.read_text().splitlines() if mails.exists() else []
        return [m for m in map(json.loads, lines) if (m["kind"], m["email"]) == (kind, email)]

    wait_until(lambda: bool(sent()), f"a mail {kind}")
    return sent()[-1]


@pytest.mark.parametrize("form", ["/.//evil.example", "/a/..//evil.example", "//evil.example"])
def test_a_link_of_a_mail_leads_nowhere_else(site: tuple[httpx.Client, Path], form: str) -> None:
    """Each flow to its end, with a token that is good: the address was changed in the link."""
    client, mails = site
    email = f"{secrets.token_hex(6)}@example.org"
    body = {"email": email, "password": PASSWORD, "name": "Bo"}
    signed_up = ask(client, "POST", "/sign-up/email", json=body)
    cookie = signed_up.headers["set-cookie"].partition(";")[0]
    asked = {
        "reset-password": ("/request-password-reset", {"email": email, "redirectTo": "/ok"}),
        "verify-email": ("/send-verification-email", {"email": email, "callbackURL": "/ok"}),
        "delete-account": ("/delete-user", {"callbackURL": "/ok"}),
    }
    for kind, (path, fields) in asked.items():
        for name in ("redirectTo", "callbackURL"):
            wrong = fields | {name: form}
            refused = ask(client, "POST", path, json=wrong, headers={"cookie": cookie})
            assert refused.status_code == 403
        sent = ask(client, "POST", path, json=fields, headers={"cookie": cookie})
        assert sent.status_code == 200, sent.text
        link = urlsplit(mail(mails, kind, email)["url"])
        there = f"{link.path.removeprefix('/api/auth')}?{link.query}"
        bad = there.replace("callbackURL=%2Fok", f"callbackURL={quote(form, safe='')}")
        assert bad != there
        assert ask(client, "GET", bad, headers={"cookie": cookie}).status_code == 403
        good = ask(client, "GET", there, headers={"cookie": cookie})
        assert good.status_code == 302
        assert urlsplit(good.headers["location"]).path == "/ok"
