"""ID tokens: every way in which one can be wrong, and keys that change."""

import asyncio
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

import jwt
import pytest

from app.auth.social import id_token as module
from app.auth.social.id_token import BadIdTokenError, IdTokens
from app.auth.social.provider import IdTokenRules
from app.outgoing.client import Outgoing, OutgoingError
from tests.unit.social.server import ProviderServer, json_reply, reply
from tests.unit.social.tokens import CLIENT_ID, NONCE, SigningKey, claims

ISSUER = "https://id.example.com"
KEY = SigningKey("one")
SECOND = SigningKey("two")
CURVE = SigningKey("curve", "ES256")
STRANGER = SigningKey("one")
SHORT = SigningKey("short", bits=1024)


def published(*keys: SigningKey) -> Any:
    return json_reply({"keys": [key.public for key in keys]})


@pytest.fixture
def rules(server: ProviderServer) -> IdTokenRules:
    server.answers["/keys"] = published(KEY, CURVE, SHORT)
    return IdTokenRules(
        issuers=(ISSUER,), jwks_url=f"{server.url}/keys", algorithms=("RS256", "ES256")
    )


@pytest.fixture
def id_tokens(rules: IdTokenRules, outgoing: Outgoing) -> IdTokens:
    return IdTokens(rules, [CLIENT_ID, "second"], outgoing.caller(public_only=False))


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"aud": [CLIENT_ID]},
        {"aud": "second"},
        {"aud": [CLIENT_ID, "other"], "azp": CLIENT_ID},
        {"exp": -20.0},
        {"iat": 20.0},
        {"nbf": 20.0},
        {"azp": "an app of the same project"},
    ],
)
async def test_good_token_gives_its_claims(id_tokens: IdTokens, changed: dict[str, Any]) -> None:
    now = time.time()  # when the test runs, which is long after the list was made
    times = {name: now + value for name, value in changed.items() if isinstance(value, float)}
    expected = claims(ISSUER, **changed | times)
    for key in (KEY, CURVE):
        assert await id_tokens.verify(key.sign(expected), nonce=NONCE) == expected


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"iss": "https://other.example.com"}, "another issuer"),
        ({"iss": f"{ISSUER}/"}, "another issuer"),
        ({"iss": None}, "a claim is missing"),
        ({"iss": [ISSUER]}, "another issuer"),
        ({"sub": None}, "a claim is missing"),
        ({"sub": 5}, "malformed"),
        ({"aud": "other"}, "another audience"),
        ({"aud": None}, "a claim is missing"),
        ({"aud": []}, "a claim is missing"),
        ({"aud": [CLIENT_ID, "other"]}, "another was authorized"),
        ({"aud": [CLIENT_ID, "other"], "azp": "other"}, "another was authorized"),
        ({"exp": None}, "a claim is missing"),
        ({"exp": 1}, "expired"),
        ({"exp": "soon"}, "malformed"),
        ({"exp": float("inf")}, "malformed"),
        ({"exp": float("nan")}, "malformed"),
        ({"iat": None}, "a claim is missing"),
        ({"iat": 2**40}, "not good yet|future"),
        ({"iat": "now"}, "malformed"),
        ({"nbf": 2**40}, "not good yet"),
        ({"nonce": None}, "another nonce"),
        ({"nonce": ""}, "another nonce"),
        ({"nonce": "other"}, "another nonce"),
        ({"nonce": [NONCE]}, "another nonce"),
        ({"nonce": sha256(NONCE.encode()).hexdigest()}, "another nonce"),
        ({"name": "a\0b"}, "malformed"),
        ({"name": "\ud800"}, "malformed"),
    ],
)
async def test_token_with_a_wrong_claim_is_refused(
    id_tokens: IdTokens, changed: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadIdTokenError, match=said):
        await id_tokens.verify(KEY.sign(claims(ISSUER, **changed)), nonce=NONCE)


def _unsigned(algorithm: str, signature: str = "", kid: str = '"one"') -> str:
    body = KEY.sign(claims(ISSUER)).split(".")[1]
    header = f'{{"alg":"{algorithm}","kid":{kid}}}'.encode()
    return f"{urlsafe_b64encode(header).decode().rstrip('=')}.{body}.{signature}"


def _with_hmac(secret: bytes) -> str:
    return jwt.encode(claims(ISSUER), secret, "HS256", headers={"kid": "one"})


def _tampered() -> str:
    head, _, signature = KEY.sign(claims(ISSUER)).split(".")
    body = KEY.sign(claims(ISSUER, sub="somebody else")).split(".")[1]
    return f"{head}.{body}.{signature}"


FORGED: dict[str, tuple[Callable[[], str], str]] = {
    "a stranger's key": (lambda: STRANGER.sign(claims(ISSUER)), "signature is wrong"),
    "another body": (_tampered, "signature is wrong"),
    "none": (lambda: _unsigned("none"), "another algorithm"),
    "None": (lambda: _unsigned("None"), "another algorithm"),
    "no signature": (lambda: _unsigned("RS256"), "signature is wrong"),
    "a short signature": (lambda: _unsigned("ES256", "AAAA"), "malformed"),
    "HMAC with the secret": (lambda: _with_hmac(b"the secret of the client" * 2), "another alg"),
    "HMAC with the key": (lambda: _with_hmac(str(KEY.public["n"]).encode()), "another alg"),
    "RS512": (lambda: KEY.sign(claims(ISSUER), alg="RS512"), "another algorithm"),
    "PS256": (lambda: KEY.sign(claims(ISSUER), alg="PS256"), "another algorithm"),
    "a key of another kind": (lambda: CURVE.sign(claims(ISSUER), kid="one"), "malformed"),
    "a short key": (lambda: SHORT.sign(claims(ISSUER)), "malformed"),
    "crit": (lambda: KEY.sign(claims(ISSUER), crit=["x"], x=1), "malformed|not a JSON"),
    "a kid that is no text": (lambda: _unsigned("RS256", kid="5"), "not a JSON"),
    "a list for a header": (lambda: "W10.W10.W10", "not a JSON"),
    "nothing": (str, "not a JSON"),
    "three letters": (lambda: "a.b.c", "not a JSON"),
    "two dots": (lambda: "..", "not a JSON"),
    "no ASCII": (lambda: "é.ü.ö", "not a JSON"),
    "half a pair": (lambda: "\ud800.a.b", "not a JSON"),
    "64 KiB": (lambda: "a" * 70_000, "longer than 64 KiB"),
}


@pytest.mark.parametrize("name", FORGED)
async def test_token_that_the_provider_has_not_signed_is_refused(
    id_tokens: IdTokens, name: str
) -> None:
    make, said = FORGED[name]
    token = make()
    with pytest.raises(BadIdTokenError, match=said) as raised:
        await id_tokens.verify(token)
    assert len(token) < 9 or token not in str(raised.value)


async def test_token_from_a_client_is_young_and_may_hash_its_nonce(
    rules: IdTokenRules, outgoing: Outgoing
) -> None:
    rules = replace(rules, max_age=3600, hashed_nonce=True)
    id_tokens = IdTokens(rules, [CLIENT_ID], outgoing.caller(public_only=False))
    hashed = sha256(NONCE.encode()).hexdigest()
    old = KEY.sign(claims(ISSUER, iat=int(time.time()) - 3700, nonce=hashed))
    await id_tokens.verify(old, nonce=NONCE)
    with pytest.raises(BadIdTokenError, match="too long ago"):
        await id_tokens.verify(old, nonce=NONCE, from_client=True)
    without = KEY.sign(claims(ISSUER, nonce=None))
    await id_tokens.verify(without, from_client=True)
    with pytest.raises(BadIdTokenError, match="another nonce"):
        await id_tokens.verify(without, nonce="", from_client=True)


async def test_keys_are_fetched_once_for_all_who_wait(
    server: ProviderServer, id_tokens: IdTokens
) -> None:
    token = KEY.sign(claims(ISSUER))
    await asyncio.gather(*(id_tokens.verify(token) for _ in range(30)))
    await id_tokens.verify(CURVE.sign(claims(ISSUER)))
    assert len(server.asked("/keys")) == 1


async def test_new_key_is_found_and_a_withdrawn_one_forgotten(
    server: ProviderServer, id_tokens: IdTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = KEY.sign(claims(ISSUER)), SECOND.sign(claims(ISSUER))
    await id_tokens.verify(old)
    server.answers["/keys"] = published(SECOND)
    for _ in range(3):  # asked for moments ago
        with pytest.raises(BadIdTokenError, match="key that is not known"):
            await id_tokens.verify(new)
    assert len(server.asked("/keys")) == 1
    monkeypatch.setattr(module, "REFETCH", 0)
    await id_tokens.verify(new)
    assert len(server.asked("/keys")) == 2
    with pytest.raises(BadIdTokenError, match="key that is not known"):
        await id_tokens.verify(old)


async def test_keys_grow_old_also_while_they_cannot_be_fetched(
    server: ProviderServer, id_tokens: IdTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, unknown = KEY.sign(claims(ISSUER)), SECOND.sign(claims(ISSUER))
    await id_tokens.verify(good)
    server.answers["/keys"] = reply("", 500)
    monkeypatch.setattr(module, "REFETCH", 0)
    monkeypatch.setattr(module, "KEPT", 0.5)
    await asyncio.sleep(0.6)
    for token in (unknown, good):  # whoever sends the first must not keep the keys for the second
        with pytest.raises(OutgoingError):
            await id_tokens.verify(token)


async def test_token_without_a_kid_is_good_when_one_key_fits(
    server: ProviderServer, rules: IdTokenRules, outgoing: Outgoing
) -> None:
    token = jwt.encode(claims(ISSUER), KEY.private, "RS256")
    first, other = (
        IdTokens(rules, [CLIENT_ID], outgoing.caller(public_only=False)) for _ in range(2)
    )
    server.answers["/keys"] = published(KEY)
    await first.verify(token)
    server.answers["/keys"] = published(KEY, SECOND)
    with pytest.raises(BadIdTokenError, match="key that is not known"):
        await other.verify(token)


async def test_key_that_cannot_be_read_hides_no_other(
    server: ProviderServer, id_tokens: IdTokens
) -> None:
    unreadable: list[Any] = [
        5, {}, {"kty": "RSA", "kid": "two"}, {"kty": "oct", "k": "AAAA", "kid": "one"},
        {"kty": "EC", "crv": "P-999", "kid": []}, {"kty": ["RSA"], "kid": "one"},
    ]  # fmt: skip
    server.answers["/keys"] = json_reply({"keys": [*unreadable, KEY.public]})
    assert await id_tokens.verify(KEY.sign(claims(ISSUER)))
    with pytest.raises(BadIdTokenError, match="malformed"):
        await id_tokens.verify(SECOND.sign(claims(ISSUER)))


async def test_private_part_of_a_key_is_not_read(
    server: ProviderServer, id_tokens: IdTokens
) -> None:
    """PyJWT would look for the primes, in the event loop."""
    server.answers["/keys"] = json_reply({"keys": [KEY.public | {"d": "AQAB"}]})
    assert await id_tokens.verify(KEY.sign(claims(ISSUER)))


@pytest.mark.parametrize(
    "answer", [reply("", 500), reply("<html>"), json_reply([]), json_reply({"keys": {}})]
)
async def test_keys_that_cannot_be_had_are_asked_for_again(
    server: ProviderServer, id_tokens: IdTokens, answer: Any
) -> None:
    good, token = server.answers["/keys"], KEY.sign(claims(ISSUER))
    server.answers["/keys"] = answer
    results = await asyncio.gather(
        *(id_tokens.verify(token) for _ in range(5)), return_exceptions=True
    )
    assert all(isinstance(result, OutgoingError) for result in results)
    assert len(server.asked("/keys")) == 1
    server.answers["/keys"] = good
    assert await id_tokens.verify(token)
