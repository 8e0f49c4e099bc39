"""Gatepost on a Citus cluster: what it says of itself, its statements, its purge, a worker away."""

import asyncio
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest

from app.auth.cookies import Signer
from app.database import connect
from app.doctor import examine
from app.explain import explain
from app.migrations import catalogue, files
from app.migrations.runner import migrate
from app.schema import SHARD_KEYS
from app.settings import Settings
from app.statements import every_statement, rate_limits, sessions, verifications
from tests.citus.conftest import Cluster
from tests.integration.test_shard_statements import FILL, READS, USER
from tests.support import KEYS, ROOT, SECRET, Service, running_service

BASE = "http://gatepost.test"
AUTH = {"GATEPOST_SECRET": SECRET, "GATEPOST_BASE_URL": BASE, "GATEPOST_CITUS": "true"}
PASSWORD = "correct horse 77"
SIGNER = Signer([SECRET])


@pytest.fixture(scope="module")
def service(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    cluster.sql(FILL)
    log = tmp_path_factory.mktemp("service") / "log"
    with running_service(cluster.url, log, GATEPOST_SESSION_MAX_AGE="0", **AUTH) as running:
        yield running


@pytest.fixture
def rest(service: Service) -> Iterator[httpx.Client]:
    headers = {"apikey": KEYS["all"], "prefer": "return=representation"}
    with httpx.Client(base_url=service.rest, headers=headers, timeout=60) as client:
        yield client


def cookie(token: str) -> dict[str, str]:
    return {"cookie": f"better-auth.session_token={quote(SIGNER.sign(token), safe='')}"}


def finding(cluster: Cluster, *, citus: bool = True) -> tuple[str, str]:
    given = Settings(database_url=cluster.url, database_direct_url=cluster.url, citus=citus)
    found = {each.check: each for each in asyncio.run(examine(given))}
    if citus:  # without the setting the triggers of events are missed, too
        assert found["schema"].level == "ok", found["schema"].text
    return found["citus"].level, found["citus"].text


# the first two, before the service is there: they take the tables back


def test_distributing_and_taking_back_changes_nothing_but_the_place(
    undistributed: Cluster,
) -> None:
    cluster = undistributed
    assert finding(cluster, citus=False)[0] == "ok"
    assert finding(cluster)[0] == "fail"
    done = gatepost_purge(cluster, GATEPOST_CITUS="true")
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    cluster.sql("INSERT INTO users (name, email) VALUES ('Ann', 'ann@example.com')")
    for _ in range(2):
        cluster.run("distribute.sql")
        cluster.run("distribute.sql")  # again: nothing is left to do
        assert finding(cluster) == (
            "ok", "the tables are spread over the cluster, and every worker answers"
        )  # fmt: skip
        assert finding(cluster, citus=False)[0] == "fail"
        cluster.run("undistribute.sql")
        live = asyncio.run(catalogue.read(cluster.url))
        assert catalogue.compared(live) == ([], [])
        assert cluster.sql("SELECT name FROM users") == "Ann"
        assert cluster.sql("SELECT count(*) FROM citus_tables") == "0"
    cluster.sql("DELETE FROM users")


def test_script_refuses_a_database_without_tables(undistributed: Cluster) -> None:
    undistributed.sql("ALTER TABLE sessions RENAME TO s")
    with pytest.raises(AssertionError, match="run 'gatepost migrate' first"):
        undistributed.run("distribute.sql")
    undistributed.sql("ALTER TABLE s RENAME TO sessions")


def test_migration_on_the_cluster_takes_one_statement_or_a_block(cluster: Cluster) -> None:
    add = "ALTER TABLE sessions ADD CONSTRAINT c CHECK (length(token) < 999) NOT VALID;"
    comment = "COMMENT ON CONSTRAINT c ON sessions IS 'C.';"
    with pytest.raises(AssertionError, match="cannot insert multiple commands"):
        cluster.sql(add + comment)
    with pytest.raises(AssertionError, match="with other subcommands"):
        cluster.sql(f"{add[:-1]}, ADD CONSTRAINT d CHECK (token > '') NOT VALID")
    cluster.sql(f"DO $$ BEGIN {add} {comment} END $$")
    cluster.sql("ALTER TABLE sessions DROP CONSTRAINT c")
    column = "ALTER TABLE sessions ADD COLUMN c text; COMMENT ON COLUMN sessions.c IS 'C.'"
    cluster.sql(column)
    cluster.sql("ALTER TABLE sessions DROP COLUMN c")
    cluster.sql("CREATE TABLE t (id uuid PRIMARY KEY, u uuid REFERENCES users (id))")
    cluster.run("distribute.sql")
    spread = "SELECT citus_table_type FROM citus_tables WHERE table_name = 't'::regclass"
    assert cluster.sql(spread) == "reference"
    cluster.sql("DROP TABLE t")


def test_statements_by_a_key_ask_one_shard(cluster: Cluster) -> None:
    purges = {sessions.purge, verifications.purge, rate_limits.purge}
    reads = [each for each in every_statement() if each not in purges and "." in each.name]
    reads = [each for each in reads if each.name.split(".")[0] not in ("doctor", "migrations")]

    async def plans() -> dict[str, str]:
        async with connect(cluster.url) as connection:
            return {s.name: plan for s, plan in (await explain(connection, reads)).items()}

    found = asyncio.run(plans())
    for name in (
        "sessions.find_on_shards", "sessions.create", "sessions.create_by_password",
        "sessions.refresh", "sessions.expire", "sessions.revoke", "sessions.revoke_own",
        "verifications.create", "verifications.find", "verifications.consume",
        "rate_limits.take", "rate_limits.look", "rate_limits.give_back",
    ):  # fmt: skip
        assert "Task Count: 1" in found[name], found[name]
    assert "Task Count: 32" in found["sessions.find"]


def test_reads_give_what_one_server_gives(
    cluster: Cluster, rest: httpx.Client, tmp_path: Path
) -> None:
    with cluster.coordinator.database() as name:
        url = cluster.coordinator.url(name)
        asyncio.run(migrate(url))
        cluster.coordinator.sql(FILL, name)
        with running_service(url, tmp_path / "log") as plain:
            for path in READS:
                one = httpx.get(f"{plain.rest}/{path}", headers={"apikey": KEYS["all"]}, timeout=60)
                other = rest.get(path)
                assert one.is_success
                assert [without_times(row) for row in one.json()] == [
                    without_times(row) for row in other.json()
                ], path


def without_times(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("created_at", "updated_at")}


def test_writes(cluster: Cluster, rest: httpx.Client) -> None:
    new = {"user_id": USER, "expires_at": "2999-01-01T00:00:00Z"}
    (row,) = rest.post("/sessions", json=new).json()
    two = rest.post("/sessions", json=[new, new]).json()
    assert len({row["token"], two[0]["token"], two[1]["token"]}) == 3
    mine = f"/sessions?id=in.({','.join(each['id'] for each in (row, *two))})"
    merge = {"prefer": "resolution=merge-duplicates,return=representation"}
    again = rest.post("/sessions?on_conflict=token", json=row | {"user_agent": "x"}, headers=merge)
    assert (again.status_code, again.json()[0]["user_agent"]) == (200, "x")
    refused = rest.post("/sessions", json=row | {"token": "t" * 32}, headers=merge)
    assert (refused.status_code, refused.json()["code"]) == (400, "0A000")
    moved = rest.patch(f"/sessions?id=eq.{row['id']}", json={"token": "t" * 32})
    assert (moved.status_code, moved.json()["code"]) == (400, "0A000")
    assert len(rest.patch(f"{mine}&order=id&limit=2", json={"user_agent": "y"}).json()) == 2
    assert len(rest.delete(f"{mine}&order=id&limit=2").json()) == 2
    assert len(rest.delete(mine).json()) == 1
    user = {"name": "Zoe", "email": "zoe@example.com"}
    (zoe,) = rest.post("/users", json=user).json()
    rest.post("/sessions", json=new | {"user_id": zoe["id"]})
    assert rest.delete(f"/users?id=eq.{zoe['id']}&select=name").json() == [{"name": "Zoe"}]
    assert rest.get(f"/sessions?user_id=eq.{zoe['id']}").json() == []


def test_life_of_a_user(service: Service) -> None:
    with httpx.Client(base_url=f"{service.url}/api/auth", headers={"origin": BASE}) as http:
        user = {"name": "Eve", "email": "eve@example.com", "password": PASSWORD}
        assert http.post("/sign-up/email", json=user).is_success
        tokens = []
        for _ in range(3):
            answer = http.post("/sign-in/email", json={**user, "name": None})
            assert answer.is_success, answer.text
            tokens.append(answer.json()["token"])
            http.cookies.clear()  # or the next sign-in would take this session's place

        def session(token: str) -> Any:
            return http.get("/get-session", headers=cookie(token)).json()

        assert all(session(token)["user"]["name"] == "Eve" for token in tokens)
        body = {"token": tokens[0]}
        assert http.post("/revoke-session", json=body, headers=cookie(tokens[1])).is_success
        assert session(tokens[0]) is None
        passwords = {"currentPassword": PASSWORD, "newPassword": "horse correct 77"}
        answer = http.post(
            "/change-password",
            json=passwords | {"revokeOtherSessions": True},
            headers=cookie(tokens[1]),
        )
        assert answer.is_success
        http.cookies.clear()
        assert session(tokens[1]) is session(tokens[2]) is None
        assert session(answer.json()["token"])["user"]["name"] == "Eve"


def gatepost_purge(cluster: Cluster, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app.cli", "purge"],
        cwd=ROOT, env=os.environ | {"DATABASE_URL": cluster.url} | settings, check=False,
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip


EXPIRED = """
    INSERT INTO sessions (user_id, token, created_at, expires_at)
    SELECT u.id, md5(n::text), now() - interval '2 days', now() - interval '1 day'
    FROM (SELECT id FROM users ORDER BY id LIMIT 1) u, generate_series(1, 2000) n;
    INSERT INTO verifications (identifier, value, created_at, expires_at)
    SELECT n, n, now() - interval '2 days', now() - interval '1 day' FROM generate_series(1, 20) n;
    INSERT INTO rate_limits (key, count, last_request) SELECT n, 1, 0 FROM generate_series(1, 9) n;
"""


def test_purge_works_by_shards_and_fails_without_the_setting(
    cluster: Cluster, service: Service
) -> None:
    live = {table: cluster.sql(f"SELECT count(*) FROM {table}") for table in SHARD_KEYS}
    cluster.sql(EXPIRED)
    done = gatepost_purge(cluster)
    assert (done.returncode, done.stdout) == (1, "")
    assert "sessions has rows but no pages of its own" in done.stderr
    done = gatepost_purge(cluster, GATEPOST_CITUS="true")
    assert (done.returncode, done.stderr) == (0, "")
    words = ["sessions", "2000", "verifications", "20", "rate_limits", "9", "events", "0"]
    assert done.stdout.split() == words
    assert {t: cluster.sql(f"SELECT count(*) FROM {t}") for t in SHARD_KEYS} == live


def test_service_role_needs_nothing_more(cluster: Cluster) -> None:
    name = f"gatepost_{secrets.token_hex(4)}"
    script = files.SERVICE_ROLE.read_text() + files.SERVICE_GRANTS.read_text()
    cluster.sql(script.replace("gatepost_service", name))
    parts = urlsplit(cluster.url)
    url = parts._replace(netloc=f"{name}@{parts.netloc.rpartition('@')[2]}").geturl()
    try:
        given = Settings(database_url=url, database_direct_url=cluster.url, citus=True)
        found = {each.check: each for each in asyncio.run(examine(given))}
        assert (found["citus"].level, found["privileges"].level) == ("ok", "ok"), found
        cluster.sql(EXPIRED)
        done = gatepost_purge(cluster, GATEPOST_CITUS="true", DATABASE_URL=url)
        assert (done.returncode, done.stderr) == (0, "")
    finally:
        cluster.sql(f"DROP OWNED BY {name}")
        cluster.sql(f"DROP ROLE {name}")


def test_worker_away_takes_only_its_shards_along(cluster: Cluster, service: Service) -> None:
    worker = cluster.workers[0]
    here = set(
        cluster.sql(
            "SELECT token FROM sessions"
            " WHERE get_shard_id_for_distribution_column('sessions', token)"
            f" IN (SELECT shardid FROM citus_shards WHERE nodeport <> {worker.port})"
        ).splitlines()
    )
    every = cluster.sql("SELECT token FROM sessions").splitlines()
    assert 0 < len(here) < len(every)

    async def ask() -> dict[str, int]:
        async with httpx.AsyncClient(base_url=service.url, timeout=60) as http:
            answers = await asyncio.gather(
                *(http.get("/api/auth/get-session", headers=cookie(token)) for token in every)
            )
        return {
            token: answer.status_code if answer.json() is not None else 0
            for token, answer in zip(every, answers, strict=True)
        }

    assert set(asyncio.run(ask()).values()) == {200}
    with cluster.without(worker):
        found = asyncio.run(ask())
        assert {found[token] for token in here} == {200}
        assert {found[token] for token in every if token not in here} == {503}
        ready = httpx.get(f"{service.url}/readyz", timeout=60)
        assert (ready.status_code, ready.text) == (
            503, "1 of the cluster's workers do not answer"
        )  # fmt: skip
        level, text = finding(cluster)
        assert (level, text.partition(";")[0]) == (
            "fail",
            f"these workers do not answer: 127.0.0.1:{worker.port}",
        )
        done = gatepost_purge(cluster, GATEPOST_CITUS="true")
        assert (done.returncode, done.stdout) == (1, "")
        assert "08006" in done.stderr
        assert done.stderr.count("\n") == 1
    assert set(asyncio.run(ask()).values()) == {200}
    assert httpx.get(f"{service.url}/readyz", timeout=60).status_code == 200
