"""DatabaseClient: the same answers as get-session, by a role that may only read."""

import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import asyncpg
import pytest
from gatepost_client import GatepostClient, UnavailableError
from gatepost_client.database import DatabaseClient

from tests.client.conftest import Authority
from tests.support import Server, free_port


@pytest.fixture(scope="module")
def reader_url(gatepost_authority: Authority, one_postgres: Server) -> Iterator[str]:
    """The database, as the role that the package's SQL makes."""
    url = gatepost_authority.database_url
    printed = subprocess.run(
        [sys.executable, "-m", "gatepost_client.database"],
        check=True, capture_output=True, text=True, timeout=60,
    ).stdout  # fmt: skip
    database = urlsplit(url).path.strip("/")
    for _ in range(2):  # it may be run again
        one_postgres.sql(printed, database)
    address = urlsplit(url)
    yield address._replace(netloc=f"gatepost_reader@{address.netloc.rpartition('@')[2]}").geturl()
    one_postgres.sql("DROP OWNED BY gatepost_reader", database)
    one_postgres.sql("DROP ROLE gatepost_reader")


@pytest.mark.parametrize("way", ["cookie", "bearer"])
async def test_session_is_the_one_that_the_service_finds(
    gatepost_authority: Authority, reader_url: str, way: str
) -> None:
    person = gatepost_authority.sign_up()
    headers = getattr(person, way)
    async with (
        GatepostClient(gatepost_authority.url) as by_http,
        DatabaseClient(reader_url, gatepost_authority.secret) as by_database,
    ):
        expected, found = await by_http.session(headers), await by_database.session(headers)
        assert expected is not None
        assert found is not None
        assert found.user.email == person.email
        assert (found.id, found.token, found.user.id) == (
            expected.id,
            expected.token,
            expected.user.id,
        )
        person.sign_out()
        assert await by_database.session(headers) is None


async def test_session_without_a_good_signature_is_none(
    gatepost_authority: Authority, reader_url: str
) -> None:
    person = gatepost_authority.sign_up()
    token = person.bearer["Authorization"].removeprefix("Bearer ")
    bare = token.rpartition(".")[0]
    async with (
        DatabaseClient(reader_url, gatepost_authority.secret) as right,
        DatabaseClient(reader_url, "another secret of thirty-two letters") as wrong,
        DatabaseClient(reader_url, ["old secret", gatepost_authority.secret]) as rotated,
    ):
        assert await rotated.session(person.bearer) is not None
        assert await wrong.session(person.bearer) is None
        for forged in (bare, f"{bare}.", f"{bare}.x", f"{token}x", f"x{token}", "a%00b.c", "%ff.x"):
            for headers in (
                {"Authorization": f"Bearer {forged}"},
                {"Cookie": f"better-auth.session_token={forged}"},
            ):
                assert await right.session(headers) is None, headers


async def test_cookie_that_a_subdomain_can_set_does_not_count(
    gatepost_authority: Authority, reader_url: str
) -> None:
    attacker, victim = gatepost_authority.sign_up(), gatepost_authority.sign_up()
    own, theirs = (
        person.cookie["Cookie"].partition(";")[0].partition("=")[2] for person in (attacker, victim)
    )
    name = "better-auth.session_token"
    async with DatabaseClient(reader_url, gatepost_authority.secret) as database:
        for weak, strong in (("", "__Secure-"), ("", "__Host-"), ("__Secure-", "__Host-")):
            found = await database.session(
                {"Cookie": f"{weak}{name}={own}; {strong}{name}={theirs}"}
            )
            assert found is not None
            assert found.user.email == victim.email
        for nested in ("__Secure-__Host-", "__Host-__Secure-"):
            assert await database.session({"Cookie": f"{nested}{name}={own}"}) is None


async def test_session_past_its_age_is_none(gatepost_authority: Authority, reader_url: str) -> None:
    person = gatepost_authority.sign_up()
    secret = gatepost_authority.secret
    async with DatabaseClient(reader_url, secret, session_max_age=60) as database:
        assert await database.session(person.cookie) is not None
    connection = await asyncpg.connect(gatepost_authority.database_url)
    try:
        await connection.execute(
            "UPDATE sessions SET expires_at = created_at + interval '1 ms' WHERE user_id ="
            " (SELECT id FROM users WHERE email = $1)",
            person.email,
        )
    finally:
        await connection.close()
    async with DatabaseClient(reader_url, secret, session_max_age=0) as database:
        assert await database.session(person.cookie) is None


async def test_role_may_read_no_hash_and_write_nothing(reader_url: str) -> None:
    connection = await asyncpg.connect(reader_url)
    try:
        for statement in (
            "SELECT password FROM accounts",
            "SELECT * FROM verifications",
            "DELETE FROM sessions",
            "UPDATE users SET name = ''",
        ):
            with pytest.raises(asyncpg.PostgresError):
                await connection.execute(statement)
            await connection.execute("SET default_transaction_read_only = off")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
            await connection.execute("RESET default_transaction_read_only")
    finally:
        await connection.close()


async def test_database_that_is_not_there_is_no_sign_out(gatepost_authority: Authority) -> None:
    person = gatepost_authority.sign_up()
    nowhere = f"postgres://app:hunter2@127.0.0.1:{free_port()}/gatepost"
    async with DatabaseClient(nowhere, gatepost_authority.secret, timeout=1) as database:
        with pytest.raises(UnavailableError) as caught:
            await database.session(person.cookie)
    assert "hunter2" not in str(caught.value)


def test_client_without_a_secret_is_refused() -> None:
    for secrets in ("", " , ", []):
        with pytest.raises(ValueError, match="secret"):
            DatabaseClient("postgres://127.0.0.1/gatepost", secrets)
