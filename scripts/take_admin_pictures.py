"""Take the pictures of the page /admin in docs/images, on a database that is filled for them.

    python -m scripts.take_admin_pictures [--users N] [--sessions N] [PATH …]

A PATH is a screen, such as /admin/users, or /admin/user for that of one user; without any all of
``SCREENS`` are taken. ``make images`` runs it. It needs Chromium and its chromedriver.
"""

import argparse
import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import httpx

from app.devserver.postgres import scratch, wheel_binaries
from app.migrations import dbmate, files
from scripts.take_pictures import ADA, IMAGES
from tests.browser import Browser, driver, new_browser
from tests.support import ROOT, SECRET, Server, Service, free_port, running_service, wait_until

ONE_USER: Final = "/admin/user"
SCREENS: Final = (
    "/admin", "/admin/users", ONE_USER, "/admin/sessions", "/admin/events", "/admin/health",
)  # fmt: skip
DARK: Final = ("/admin", "/admin/events")
"""Those that are also taken in the dark."""
WIDE: Final = (1280, 900)
TALL: Final = (1280, 1560)
GRACE: Final = {"email": "grace.hopper@example.com", "password": "correct horse battery"}
"""Whose screen is taken."""

FILL: Final = """
SET session_replication_role = replica; -- no triggers: the events are made below, as they were then
SET synchronous_commit = off;
SELECT setseed(0.42);
INSERT INTO users (name, email, email_verified, created_at, updated_at)
SELECT name, lower(name) || '.' || n || '@example.com', n % 5 <> 0, at, at
FROM (SELECT n, (ARRAY['Ada', 'Grace', 'Alan', 'Edsger', 'Barbara', 'Donald', 'Margaret', 'Tony',
                       'Frances', 'Niklaus', 'Radia', 'Leslie'])[1 + (random() * 11)::int] AS name,
             now() - interval '400 days' * (1 - sqrt(n / {users}.0)) AS at
      FROM generate_series(1, {users}) n) made;
CREATE TEMPORARY TABLE numbered AS SELECT row_number() OVER () AS n, id, email, name FROM users;
CREATE UNIQUE INDEX ON numbered (n);
INSERT INTO sessions (user_id, token, expires_at, ip_address, user_agent, created_at, updated_at)
SELECT id, translate(encode(sha256(i::text::bytea), 'base64'), '+/=' || chr(10), 'ab'),
       at + interval '7 days', '203.0.113.' || i % 250, agent, at, at
FROM (SELECT i, now() - interval '9 days' * (1 - i / {sessions}.0) AS at,
             (1 + (random() * ({users} - 1))::int) AS n,
             (ARRAY[{agents}])[1 + (random() * 3)::int] AS agent
      FROM generate_series(1, {sessions}) i) made JOIN numbered USING (n);
INSERT INTO events (created_at, type, user_id, session_id, changed, before, after, actor_id,
                    ip_address, request_id)
SELECT at, type, id, CASE WHEN type LIKE 'session%' THEN gen_random_uuid() END,
       CASE WHEN type = 'user.updated' THEN '{{banned,ban_reason}}'::text[] END,
       CASE type WHEN 'user.updated' THEN '{{"banned": false, "ban_reason": null}}'
                 WHEN 'session.ended' THEN '{{"ip_address": "203.0.113.9"}}' END::jsonb,
       CASE type WHEN 'user.updated' THEN '{{"banned": true, "ban_reason": "spam"}}'
                 WHEN 'user.created' THEN jsonb_build_object('name', name, 'email', email)
                 WHEN 'session.created' THEN '{{"ip_address": "203.0.113.9"}}' END::jsonb,
       id, '203.0.113.' || i % 250, md5(i::text)
FROM (SELECT i, now() - interval '29.9 days' * (1 - i / {events}.0)
                - interval '6 hours' * abs(sin(i * 100 / {events}.0)) AS at,
             (1 + (random() * ({users} - 1))::int) AS n,
             (ARRAY['user.created', 'session.ended', 'session.created', 'session.created',
                    'session.created', 'session.ended', 'session.created',
                    CASE WHEN i % 40 = 0 THEN 'user.updated' WHEN i % 90 = 0 THEN 'user.deleted'
                         ELSE 'session.created' END])[1 + (random() * 7)::int] AS type
      FROM generate_series(1, {events}) i) made JOIN numbered USING (n)
ORDER BY at;
INSERT INTO daily_counts (day, type, count)
SELECT (now() AT TIME ZONE 'UTC')::date - n, 'sign_in.refused',
       ({sessions} / 100 * (1 + random() + CASE WHEN n IN (11, 12) THEN 4 ELSE 0 END))::int
FROM generate_series(0, 29) n;
"""
NAME_SERVER: Final = r"""
for (const each of document.querySelectorAll("td")) {
  each.textContent.startsWith("/tmp/") && each.replaceChildren("db.example.com:5432/shop answers");
}
"""
"""The server's socket is in a folder that has another name each time."""
AGENTS: Final = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 "
    "Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
    "Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:143.0) Gecko/20100101 Firefox/143.0",
    "curl/8.16.0",
)


class Filled(NamedTuple):
    """A service on a database with many rows, and its administrator ``ADA``."""

    service: Service
    postgres: Server


@contextmanager
def filled_service(users: int, sessions: int, events: int) -> Iterator[Filled]:
    """The service, for as long as the block lasts."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = {
        "PORT": str(port),
        "GATEPOST_SECRET": SECRET,
        "GATEPOST_BASE_URL": url,
        "GATEPOST_PLUGINS": "admin,bearer",
        "GATEPOST_ADMIN_PAGE": "true",
        "GATEPOST_RATE_LIMIT": "off",
        "GATEPOST_PURGE_EVERY": "86400",
    }
    with scratch() as embedded, tempfile.TemporaryDirectory(prefix="gatepost-") as folder:
        postgres = Server(embedded.url("postgres"), wheel_binaries() / "psql")
        postgres.create("shop")
        database_url = postgres.url("shop")
        asyncio.run(dbmate.up(database_url))
        scripts = [files.SERVICE_ROLE.read_text(), files.SERVICE_GRANTS.read_text()]
        asyncio.run(execute(database_url, *scripts, "ALTER DATABASE shop SET timezone = 'UTC'"))
        agents = ", ".join(f"'{agent}'" for agent in AGENTS)
        fill = FILL.format(users=users, sessions=sessions, events=events, agents=agents)
        asyncio.run(execute(database_url, fill, "VACUUM ANALYZE"))
        settings["DATABASE_DIRECT_URL"] = database_url
        service_url = database_url.replace("//postgres@", f"//{files.SERVICE_ROLE_NAME}@")
        with running_service(service_url, Path(folder, "log"), **settings) as service:
            body = ADA | {"name": "Ada Lovelace"}
            httpx.post(f"{url}/api/auth/sign-up/email", json=body).raise_for_status()
            postgres.sql("UPDATE users SET role = 'admin' WHERE name = 'Ada Lovelace'", "shop")
            sign_in_everywhere(f"{url}/api/auth")
            counted = """
                SELECT sum(count) >= (SELECT count(*) FROM events) - 100 FROM daily_counts
                WHERE type <> 'sign_in.refused'
            """
            wait_until(lambda: postgres.sql(counted, "shop") == "t", "every event is counted")
            yield Filled(service, postgres)


def sign_in_everywhere(api: str) -> None:
    """Let ``GRACE`` sign up, sign in on other devices, and change her name."""
    first, *others = AGENTS[:3]

    def ask(agent: str, path: str, body: dict[str, str], cookies: httpx.Cookies) -> httpx.Response:
        headers = {"origin": api.removesuffix("/api/auth"), "user-agent": agent}
        with httpx.Client(headers=headers, cookies=cookies) as client:
            return client.post(f"{api}{path}", json=body).raise_for_status()

    device = ask(first, "/sign-up/email", GRACE | {"name": "Grace"}, httpx.Cookies())
    for agent in others:
        ask(agent, "/sign-in/email", GRACE, httpx.Cookies())
    ask(first, "/update-user", {"name": "Grace Hopper"}, device.cookies)


async def execute(url: str, *texts: str) -> None:
    """Run statements that take their time."""
    import asyncpg

    connection = await asyncpg.connect(url)
    try:
        for text in texts:
            await connection.execute(text)
    finally:
        await connection.close()


def take(page: Browser, url: str, path: str, name: str, size: tuple[int, int] = WIDE) -> None:
    """The picture of a screen, and where it helps a dark one."""
    for scheme in ("light", "dark") if path in DARK else ("light",):
        page.prefer(scheme)
        page.resize(*size)
        page.open(f"{url}{path}")
        page.find("h1")
        page.run(NAME_SERVER)
        suffix = "-dark" if scheme == "dark" else ""
        page.screenshot(IMAGES / f"{name}{suffix}.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="*", default=SCREENS, metavar="PATH")
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--sessions", type=int, default=50_000)
    given = parser.parse_args()
    IMAGES.mkdir(exist_ok=True)
    with (
        filled_service(given.users, given.sessions, 4 * given.sessions) as filled,
        driver() as started,
        new_browser(started) as page,
    ):
        page.devtools("Emulation.setScrollbarsHidden", hidden=True)
        page.open(f"{filled.service.url}/admin")
        page.field("Email address").fill(ADA["email"])
        page.field("Password").fill(ADA["password"])
        page.button("Sign in").click()
        page.waits_for("Overview", "h1")
        grace = filled.postgres.sql("SELECT id FROM users WHERE name = 'Grace Hopper'", "shop")
        for path in given.paths:
            if path == ONE_USER:
                take(page, filled.service.url, f"/admin/users/{grace}", "admin-user", TALL)
            else:
                name = "admin-overview" if path == "/admin" else path.strip("/").replace("/", "-")
                take(page, filled.service.url, path, name)
    for picture in sorted(IMAGES.glob("admin-*.png")):
        print(f"{picture.stat().st_size // 1024:>4} KiB  {picture.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
