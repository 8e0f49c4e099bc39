"""The page of the development server: what it says, and to whom. tests/interop/test_welcome.py has
it in a browser."""

import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from starlette.applications import Starlette

from app.devserver import mails
from app.devserver.welcome import STATIC, development_app
from app.main import create_app
from app.settings import Settings
from tests.integration.test_running import dev
from tests.support import ROOT, SECRET, environment

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
HERE = "http://127.0.0.1:8000"
SIGNED = {"kind": "reset-password", "email": "ann@example.com", "userId": "1", "token": "secret"}


def line(number: int) -> bytes:
    return json.dumps(SIGNED | {"url": f"{HERE}/{number}"}).encode() + b"\n"


def settings(url: str, folder: Path, **more: str) -> Settings:
    given = environment(url) | {
        "GATEPOST_SECRET": SECRET,
        "GATEPOST_BASE_URL": HERE,
        "GATEPOST_RATE_LIMIT": "off",
        "MAIL_FILE": str(folder / "mail.jsonl"),
    }
    return Settings.from_environment(given | more)


def development(url: str, folder: Path, **more: str) -> Starlette:
    return development_app(settings(url, folder, **more), data=None, key_file=None)


@asynccontextmanager
async def visitor(
    app: Starlette, base_url: str = HERE, peer: str = "127.0.0.1"
) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, client=(peer, 4321))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url=base_url, headers=BROWSER) as client,
    ):
        yield client


@pytest.fixture
async def page(database_url: str, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    (tmp_path / "mail.jsonl").write_bytes(line(1))
    async with visitor(development(database_url, tmp_path)) as client:
        yield client


async def state(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.get("/dev/state")
    assert answer.status_code == 200, answer.text
    return answer.json()


SHARED = ROOT / "app/static"

# ---- whom it answers ----


async def test_browser_on_this_machine_gets_the_page_and_what_it_loads(
    page: httpx.AsyncClient,
) -> None:
    answer = await page.get("/")
    assert "<h1>Gatepost is running</h1>" in answer.text
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; ")
    assert "unsafe" not in policy
    for name in ("base.css", "page.css", "page.js", "better-auth-client.js", "icon.svg"):
        loaded = await page.get(f"/dev/{name}", headers={"Sec-Fetch-Site": "same-origin"})
        folder = SHARED if name in ("base.css", "icon.svg") else STATIC
        assert loaded.content == (folder / name).read_bytes()
        assert loaded.headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in loaded.headers


STRANGERS = [
    {"Host": "evil.example"},
    {"Host": "127.0.0.1.evil.example:8000"},
    {"Host": "localhost.evil.example"},
    {"Host": "evil.example:127.0.0.1"},
    {"Host": "[::1"},
    {"Host": "192.0.2.1:8000"},
    {"X-Forwarded-For": "192.0.2.1"},
    {"X-Forwarded-Host": "app.example.com"},
    {"Forwarded": "for=192.0.2.1"},
]


@pytest.mark.parametrize("headers", STRANGERS, ids=str)
async def test_request_by_another_name_or_through_a_proxy_is_refused(
    page: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    answer = await page.get("/dev/state", headers=headers)
    assert answer.status_code == 403
    assert "ann@example.com" not in answer.text
    plain = await page.get("/", headers=BROWSER | headers)
    assert plain.status_code == 200
    assert "A browser on its own machine sees more of it." in plain.text
    assert "<script" not in plain.text
    assert plain.headers["content-security-policy"].startswith("default-src 'none'; base-uri")


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_request_of_another_page_is_refused(page: httpx.AsyncClient, site: str) -> None:
    for path in ("/dev/state", "/dev/page.js"):
        answer = await page.get(path, headers={"Sec-Fetch-Site": site})
        assert answer.status_code == 403


@pytest.mark.parametrize("peer", ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"])
async def test_another_machine_is_refused(database_url: str, tmp_path: Path, peer: str) -> None:
    async with visitor(development(database_url, tmp_path), peer=peer) as client:
        assert (await client.get("/dev/state")).status_code == 403
        assert "<script" not in (await client.get("/")).text


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
async def test_this_machine_is_known_by_each_of_its_addresses(
    database_url: str, tmp_path: Path, peer: str
) -> None:
    async with visitor(development(database_url, tmp_path), peer=peer) as client:
        assert (await client.get("/dev/state")).status_code == 200


async def test_line_stays_for_what_is_no_browser(page: httpx.AsyncClient) -> None:
    answer = await page.get("/", headers={"Accept": "*/*"})
    assert answer.text == "Gatepost\n"


async def test_failed_link_ends_on_the_page_that_says_so(page: httpx.AsyncClient) -> None:
    answer = await page.get("/?error=INVALID_TOKEN")
    assert "This link did nothing" in answer.text


async def test_another_name_of_this_machine_leads_to_the_one_that_can_sign_in(
    database_url: str, tmp_path: Path
) -> None:
    app = development(database_url, tmp_path)
    async with visitor(app, "http://localhost:8000") as client:
        answer = await client.get("/?token=a%26b")
        assert (answer.status_code, answer.headers["location"]) == (307, f"{HERE}/?token=a%26b")
        assert not (await state(client))["signInHere"]
        for host in ("localhost", "localhost:99999"):  # there is no other page to lead to
            assert (await client.get("/", headers={"Host": host})).status_code == 200


async def test_name_that_is_trusted_keeps_its_visitors(database_url: str, tmp_path: Path) -> None:
    other = "http://localhost:8000"
    app = development(database_url, tmp_path, GATEPOST_TRUSTED_ORIGINS=other)
    async with visitor(app, other) as client:
        assert "<h1>Gatepost is running</h1>" in (await client.get("/")).text
        assert (await state(client))["signInHere"]


@pytest.mark.parametrize("base_url", ["https://app.example.com", "http://localhost:5173"])
async def test_page_does_not_lead_to_a_front_end(
    database_url: str, tmp_path: Path, base_url: str
) -> None:
    async with visitor(development(database_url, tmp_path, GATEPOST_BASE_URL=base_url)) as client:
        assert "<h1>Gatepost is running</h1>" in (await client.get("/")).text
        shown = await state(client)
        assert (shown["signInHere"], shown["baseUrl"]) == (False, base_url)


async def test_production_has_none_of_it(database_url: str, tmp_path: Path) -> None:
    async with visitor(create_app(settings(database_url, tmp_path))) as client:
        assert "<script" not in (await client.get("/")).text
        for path in ("/dev/state", "/dev/page.js", "/dev/", "/dev"):
            assert (await client.get(path)).status_code == 404


# ---- what it says ----


async def test_state_says_what_runs(page: httpx.AsyncClient, db: asyncpg.Connection) -> None:
    await db.execute("INSERT INTO users (name, email) VALUES ('Ann', 'ann@example.com')")
    shown = await state(page)
    database = shown["database"]
    version = await db.fetchval("SHOW server_version")
    assert database["version"] == version.split()[0]
    assert database["applied"] == await db.fetchval("SELECT count(*) FROM schema_migrations")
    assert database["pending"] == []
    assert database["users"] == {"count": 1, "exact": True}
    assert database["sessions"] == {"count": 0, "exact": True}
    assert shown["keys"] == ["all", "backend", "reader", "writer"]


async def test_many_rows_are_estimated(page: httpx.AsyncClient, db: asyncpg.Connection) -> None:
    await db.execute(
        "INSERT INTO users (name, email) SELECT '', n || '@example.com'"
        " FROM generate_series(1, 1500) n"
    )
    assert (await state(page))["database"]["users"] == {"count": 1001, "exact": False}
    await db.execute("ANALYZE users")
    assert (await state(page))["database"]["users"] == {"count": 1500, "exact": False}


async def test_migration_that_is_missing_is_named(
    page: httpx.AsyncClient, db: asyncpg.Connection
) -> None:
    newest = await db.fetchval(
        "DELETE FROM schema_migrations WHERE version = (SELECT max(version) FROM schema_migrations)"
        " RETURNING version"
    )
    assert (await state(page))["database"]["pending"] == [newest]


async def test_page_is_there_without_a_database(tmp_path: Path) -> None:
    nowhere = "postgres://app:hunter2@127.0.0.1:1/gatepost"
    async with visitor(development(nowhere, tmp_path)) as client:
        assert (await client.get("/")).status_code == 200
        shown = await state(client)
    assert shown["database"]["place"] == "127.0.0.1:1/gatepost"
    assert shown["database"]["error"]
    assert "hunter2" not in json.dumps(shown)


async def test_links_lead_to_what_is_there(page: httpx.AsyncClient) -> None:
    links = [path for path, _ in (await state(page))["links"]]
    assert "/readyz" in links
    for path in links:
        assert (await page.get(path)).status_code == 200, path


def test_commands_work_in_the_folder_and_hold_no_key(open_tmp_path: Path) -> None:
    with dev(open_tmp_path, PYTHONPATH=str(ROOT)) as running:
        running.add("ann@example.com")
        answer = httpx.get(f"{running.url}/dev/state")
        assert running.line("Service key") not in answer.text
        commands = answer.json()["commands"]
        for name, more in (("rest", ""), ("tables", " -c 'TABLE users'")):
            done = subprocess.run(
                ["bash", "-c", commands[name] + more], cwd=open_tmp_path,
                check=False, capture_output=True, text=True, timeout=60,
            )  # fmt: skip
            assert "ann@example.com" in done.stdout, done.stderr
        place = answer.json()["database"]["place"]
        assert (open_tmp_path / place).resolve() == Path(running.line("Data")).resolve()


# ---- the mails ----


def test_newest_mail_is_first_and_only_ten_are_shown(tmp_path: Path) -> None:
    file = tmp_path / "mails"
    file.write_bytes(b"".join(map(line, range(2000))))
    assert file.stat().st_size > 2 * 64 * 1024
    shown = mails.newest(file)
    assert [mail["url"] for mail in shown] == [f"{HERE}/{n}" for n in range(1999, 1989, -1)]
    assert {key: shown[0][key] for key in ("subject", "to", "link")} == {
        "subject": "Reset your password",
        "to": "ann@example.com",
        "link": "Choose a new password",
    }


def test_notice_has_no_link(tmp_path: Path) -> None:
    (tmp_path / "mails").write_text('{"kind": "password-changed", "email": "a@example.com"}\n')
    [mail] = mails.newest(tmp_path / "mails")
    assert mail["subject"] == "Your password was changed"
    assert (mail["link"], mail["url"]) == (None, None)


def test_what_is_no_mail_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "mails"
    file.write_bytes(b'{"kind": 1}\n\n[]\n\xff\n' + line(1) + b'{"kind": "verify-')
    assert [mail["url"] for mail in mails.newest(file)] == [f"{HERE}/1"]


def test_long_first_line_is_no_mail(tmp_path: Path) -> None:
    file = tmp_path / "mails"
    file.write_bytes(b"x" * 200_000 + b"\n" + line(1))
    assert [mail["url"] for mail in mails.newest(file)] == [f"{HERE}/1"]


@pytest.mark.parametrize("path", ["missing", ".", "/dev/stdout", "/dev/null"])
def test_what_is_no_file_has_no_mails(tmp_path: Path, path: str) -> None:
    assert mails.newest(tmp_path / path) == []


async def test_token_is_shown_in_the_link_alone(page: httpx.AsyncClient) -> None:
    shown = await state(page)
    assert [mail["url"] for mail in shown["mails"]] == [f"{HERE}/1"]
    assert "secret" not in json.dumps(shown)


# ---- providers ----


async def test_configured_providers_are_named(database_url: str, tmp_path: Path) -> None:
    given = [{"id": name, "client_id": "a", "client_secret": "b"} for name in ("github", "google")]
    generic = {name: f"https://id.example.com/{name}" for name in PROVIDER_URLS}
    given.append({"id": "acme", "client_id": "a", "client_secret": "hidden"} | generic)
    app = development(database_url, tmp_path, GATEPOST_PROVIDERS=json.dumps(given))
    async with visitor(app) as client:
        answer = await client.get("/dev/state")
        named = [["github", "GitHub"], ["google", "Google"], ["acme", "Acme"]]
        assert answer.json()["providers"] == named
        assert "hidden" not in answer.text


PROVIDER_URLS = ("authorization_url", "token_url", "userinfo_url")


async def test_failed_sign_in_with_a_provider_leads_back_to_the_page(
    page: httpx.AsyncClient,
) -> None:
    back = await page.get("/?provider=local&error=account_not_linked")
    assert "<h1>Gatepost is running</h1>" in back.text
    assert "<h1>Gatepost is running</h1>" not in (await page.get("/?error=account_not_linked")).text
