"""The jwt plugin: tokens for living sessions, and keys that outlive a rotation."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from starlette.testclient import TestClient

from app.auth import cipher
from app.errors import SettingsError
from app.main import create_app
from app.settings import Settings
from tests.support import SECRET, environment

BASE = "https://auth.example.com"
ALGORITHMS = ["EdDSA", "ES256", "ES512", "RS256", "PS256"]
X = "A" * 42 + "E"
"""32 bytes, in base64url."""
ANN = {"name": "Ann", "email": "ann@example.com", "password": "correct horse"}


def settings(database_url: str, **more: str) -> Settings:
    given = {
        "GATEPOST_SECRET": SECRET,
        "GATEPOST_BASE_URL": BASE,
        "GATEPOST_RATE_LIMIT": "off",
        "GATEPOST_PLUGINS": "jwt,bearer",
    }
    return Settings.from_environment(environment(database_url) | given | more)


@contextmanager
def browser(database_url: str, **more: str) -> Iterator[Any]:
    """Somebody who has signed up."""
    app = create_app(settings(database_url, **more))
    with TestClient(app, base_url=f"{BASE}/api/auth") as client:
        client.headers["origin"] = BASE
        assert client.post("/sign-up/email", json=ANN).status_code in (200, 422)
        assert client.post("/sign-in/email", json=ANN).status_code == 200
        yield client


def checked(client: Any, token: str, audience: str = BASE) -> dict[str, Any]:
    """The claims of a token that the published keys prove."""
    keys = jwt.PyJWKSet.from_dict(client.get("/jwks").json())
    header = jwt.get_unverified_header(token)
    return jwt.decode(token, keys[header["kid"]], ALGORITHMS, audience=audience, issuer=BASE)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_token_is_proved_by_the_published_key(database_url: str, algorithm: str) -> None:
    with browser(database_url, GATEPOST_JWT_ALGORITHM=algorithm) as client:
        token = client.get("/token").json()["token"]
        header = jwt.get_unverified_header(token)
        assert header == {"alg": algorithm, "kid": header["kid"]}
        claims = checked(client, token)
        user = client.get("/get-session").json()["user"]
        assert {name: claims[name] for name in user} == user
        assert (claims["sub"], claims["exp"] - claims["iat"]) == (user["id"], 900)
        (key,) = client.get("/jwks").json()["keys"]
        assert not {"d", "p", "q"} & set(key)


def test_token_is_given_for_a_living_session_only(database_url: str) -> None:
    with browser(database_url) as client:
        token = client.get("/token").json()["token"]
        client.post("/sign-out", json={})
        answer = client.get("/token")
        assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHORIZED")
        assert client.post("/token", json={}).status_code == 404
        for headers in (
            {"authorization": f"Bearer {token}"},
            {"cookie": f"__Secure-better-auth.session_token={token}"},
        ):
            assert client.get("/get-session", headers=headers).json() is None


def test_get_session_gives_a_token_in_its_header(database_url: str) -> None:
    with browser(database_url) as client:
        answer = client.get("/get-session")
        assert checked(client, answer.headers["set-auth-jwt"])["email"] == ANN["email"]
        assert answer.headers["access-control-expose-headers"] == "set-auth-jwt"
        again = client.get("/get-session").headers["set-auth-jwt"]
        assert again == answer.headers["set-auth-jwt"]  # signed once, for a while
        assert "set-auth-jwt" not in client.get("/list-sessions").headers
        client.post("/update-user", json={"name": "Ann B."})
        renamed = client.get("/get-session").headers["set-auth-jwt"]
        assert checked(client, renamed)["name"] == "Ann B."
        client.post("/sign-out", json={})
        assert "set-auth-jwt" not in client.get("/get-session").headers
    with browser(database_url, GATEPOST_JWT_HEADER="false") as client:
        assert "set-auth-jwt" not in client.get("/get-session").headers


def test_claims_are_what_the_settings_say(database_url: str) -> None:
    named = '{"role": "=authenticated", "email": "email", "sub": "email"}'
    more = {"GATEPOST_JWT_CLAIMS": named, "GATEPOST_JWT_AUDIENCE": "api, reports"}
    with browser(database_url, **more) as client:
        claims = checked(client, client.get("/token").json()["token"], audience="reports")
        assert claims == {
            "role": "authenticated", "email": ANN["email"], "sub": ANN["email"],
            "aud": ["api", "reports"], "iss": BASE, "iat": claims["iat"], "exp": claims["exp"],
        }  # fmt: skip


@pytest.mark.parametrize(
    "more",
    [
        {"GATEPOST_JWT_ALGORITHM": "HS256"},
        {"GATEPOST_JWT_ALGORITHM": "none"},
        {"GATEPOST_JWT_EXPIRES_IN": "10"},
        {"GATEPOST_JWT_CLAIMS": "[]"},
        {"GATEPOST_JWT_CLAIMS": "{}"},
        {"GATEPOST_JWT_CLAIMS": '{"exp": "=1"}'},
        {"GATEPOST_JWT_CLAIMS": '{"hash": "password"}'},
        {"GATEPOST_JWT_CLAIMS": '{"a": {"b": 1}}'},
        {"GATEPOST_JWT_GRACE": "60", "GATEPOST_JWT_EXPIRES_IN": "900"},
    ],
    ids=repr,
)
def test_wrong_setting_is_refused_by_name(database_url: str, more: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=next(iter(more))):
        settings(database_url, **more)


async def test_several_processes_that_start_at_once_make_one_key(
    database_url: str, db: Any
) -> None:
    apps = [create_app(settings(database_url)) for _ in range(6)]

    async def keys(app: Any) -> list[Any]:
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as client,
        ):
            return (await client.get("/api/auth/jwks")).json()["keys"]

    first, *others = await asyncio.gather(*map(keys, apps))
    assert len(first) == 1
    assert others == [first] * 5
    assert await db.fetchval("SELECT count(*) FROM jwks") == 1


async def test_private_key_is_encrypted_in_the_table(database_url: str, db: Any) -> None:
    with browser(database_url) as client:
        client.get("/token")
    sealed = await db.fetchval("SELECT private_key FROM jwks")
    assert '"d"' not in sealed
    assert sealed[0] == sealed[-1] == '"'
    assert '"d":' in (cipher.decrypt([SECRET], sealed.strip('"')) or "")
    assert cipher.decrypt(["another secret"], sealed.strip('"')) is None


async def test_key_that_cannot_be_read_ends_no_session(database_url: str, db: Any) -> None:
    with browser(database_url) as client:
        assert client.get("/token").status_code == 200
    new = "bX7tGkQ2wE9rV4nY8cJ1mS6dP3hL5zA0"
    with browser(database_url, GATEPOST_SECRET=new) as client:
        answer = client.get("/get-session")
        assert answer.json()["user"]["email"] == ANN["email"]
        assert "set-auth-jwt" not in answer.headers
        answer = client.get("/token")
        assert (answer.status_code, answer.json()["code"]) == (503, "SIGNING_KEY_UNREADABLE")
        assert client.get("/jwks").status_code == 200
    with browser(database_url, GATEPOST_SECRET=f"{new},{SECRET}") as client:
        assert client.get("/token").status_code == 200
    for broken in ('"abc"', "not json", "null", "[]", '{"kty": "OKP"}', '"$ba$2$00"', '"é"'):
        await db.execute("UPDATE jwks SET private_key = $1", broken)
        with browser(database_url) as client:
            assert client.get("/get-session").json() is not None
            assert client.get("/token").status_code == 503, broken


@pytest.mark.parametrize(
    ("alg", "key"),
    [
        ("EdDSA", {"kty": "OKP", "crv": "Ed25519", "x": X}),  # the public half
        ("RS256", {"kty": "OKP", "crv": "Ed25519", "x": X, "d": X}),
        ("HS256", {"kty": "oct", "k": X}),  # what checks would sign as well
        ("none", {"kty": "oct", "k": X}),
        ("ES256K", {"kty": "EC", "crv": "secp256k1", "x": X, "y": X, "d": X}),
        ("ES256", {"kty": "EC", "crv": "P-256", "x": X, "y": X, "d": X}),
        ("RS256", {"kty": "RSA", "n": "AQAB", "e": "AQAB", "d": "AQAB"}),
    ],
)
async def test_key_that_cannot_sign_ends_no_session(
    database_url: str, db: Any, alg: str, key: dict[str, str]
) -> None:
    statement = "INSERT INTO jwks (public_key, private_key, alg) VALUES ('{}', $1, $2)"
    await db.execute(statement, json.dumps(key), alg)
    with browser(database_url) as client:
        answer = client.get("/get-session")
        assert answer.json()["user"]["email"] == ANN["email"]
        assert "set-auth-jwt" not in answer.headers
        answer = client.get("/token")
        assert (answer.status_code, answer.json()["code"]) == (503, "SIGNING_KEY_UNREADABLE")


@pytest.mark.parametrize("written", ["not json", "null", "[1]", '"text"', ""])
async def test_public_key_that_cannot_be_read_hides_no_other(
    database_url: str, db: Any, written: str
) -> None:
    with browser(database_url) as client:
        token = client.get("/token").json()["token"]
        statement = "INSERT INTO jwks (public_key, private_key, alg) VALUES ($1, 'null', 'EdDSA')"
        await db.execute(statement, written)
        assert checked(client, token)["email"] == ANN["email"]
        assert len(client.get("/jwks").json()["keys"]) == 1


async def test_keys_rotate_and_stay_published_for_their_grace(database_url: str, db: Any) -> None:
    with browser(database_url, GATEPOST_JWT_ROTATE_EVERY="3600") as client:
        old = client.get("/token").json()["token"]
        assert await db.fetchval("SELECT expires_at > now() + interval '59 min' FROM jwks")
        # an hour later
        await db.execute(
            "UPDATE jwks SET created_at = created_at - interval '1 h', expires_at = now()"
        )
        new = client.get("/token").json()["token"]
        kids = {jwt.get_unverified_header(token)["kid"] for token in (old, new)}
        assert {key["kid"] for key in client.get("/jwks").json()["keys"]} == kids
        assert checked(client, old)["email"] == checked(client, new)["email"]
        # and after the grace of thirty days
        await db.execute(
            "UPDATE jwks SET created_at = created_at - interval '31 days',"
            " expires_at = expires_at - interval '31 days' WHERE id::text = $1",
            jwt.get_unverified_header(old)["kid"],
        )
        (key,) = client.get("/jwks").json()["keys"]
        assert key["kid"] == jwt.get_unverified_header(new)["kid"]


OWN_FIELDS = """
[users.sub]
type = "string"

[users.prefs]
type = "json"
"""


async def test_field_of_a_user_does_not_say_who_it_is(
    database_url: str, db: Any, tmp_path: Path
) -> None:
    await db.execute("ALTER TABLE users ADD COLUMN sub text, ADD COLUMN prefs jsonb")
    schema = tmp_path / "gatepost.toml"
    schema.write_text(OWN_FIELDS)
    with browser(database_url, GATEPOST_SCHEMA=str(schema)) as client:
        change = {"sub": "somebody else", "prefs": {"a": [1, None]}}
        assert client.post("/update-user", json=change).status_code == 200
        user = client.get("/get-session").json()["user"]
        assert user["sub"] == "somebody else"
        claims = checked(client, client.get("/token").json()["token"])
        assert (claims["sub"], claims["prefs"]) == (user["id"], {"a": [1, None]})


def test_token_that_no_header_holds_is_given_by_its_endpoint_alone(database_url: str) -> None:
    with browser(database_url) as client:
        client.post("/update-user", json={"image": "x" * 8000})
        answer = client.get("/get-session")
        assert answer.json()["user"]["image"] == "x" * 8000
        assert "set-auth-jwt" not in answer.headers
        assert checked(client, client.get("/token").json()["token"])["image"] == "x" * 8000


def test_plugin_that_is_off_has_no_endpoint(database_url: str) -> None:
    with browser(database_url, GATEPOST_PLUGINS="bearer") as client:
        for path in ("/token", "/jwks"):
            assert client.get(path).status_code == 404


def test_subject_that_a_user_lacks_is_the_id(database_url: str) -> None:
    with browser(database_url, GATEPOST_JWT_CLAIMS='{"sub": "image"}') as client:
        claims = checked(client, client.get("/token").json()["token"])
        assert claims["sub"] == client.get("/get-session").json()["user"]["id"]


async def test_row_level_security_takes_the_claims(database_url: str, db: Any) -> None:
    """As PostgREST and Neon hand them to policies: in a setting of the transaction."""
    with browser(database_url, GATEPOST_JWT_CLAIMS='{"role": "=app_user"}') as client:
        claims = checked(client, client.get("/token").json()["token"])
    await db.execute("""
        CREATE ROLE app_user;
        CREATE TABLE notes (owner uuid, text text);
        INSERT INTO notes SELECT id, 'mine' FROM users;
        INSERT INTO notes VALUES (gen_random_uuid(), 'of somebody else');
        ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
        CREATE POLICY own ON notes USING
            (owner = (current_setting('request.jwt.claims', true)::jsonb ->> 'sub')::uuid);
        GRANT SELECT ON notes TO app_user;
    """)
    try:
        async with db.transaction():
            await db.execute("SELECT set_config('request.jwt.claims', $1, true)", json_of(claims))
            await db.execute(f'SET LOCAL ROLE "{claims["role"]}"')
            assert [row["text"] for row in await db.fetch("SELECT text FROM notes")] == ["mine"]
    finally:
        await db.execute("DROP OWNED BY app_user; DROP ROLE app_user")


def json_of(claims: dict[str, Any]) -> str:
    return httpx.Response(200, json=claims).text
