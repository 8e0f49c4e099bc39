"""A provider's tokens as the columns of an account, and what shows of them."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from app.auth import cipher
from app.auth.social.provider import InvalidCodeError, Tokens
from app.auth.social.token_store import TokenStore, UnreadableTokenError
from app.statements.accounts import StoredTokens
from tests.support import SECRET

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TOKENS = Tokens(
    access_token="the access",
    refresh_token="the refresh",
    id_token="the id",
    access_token_expires_at=NOW,
    scopes=("read", "write"),
)


def row(**columns: object) -> StoredTokens:
    one = UUID(int=1)
    given = {"id": one, "user_id": one, "account_id": "7", "provider_id": "github"}
    rest = dict.fromkeys(StoredTokens.__struct_fields__)
    return StoredTokens(**rest | given | {"scope": "read,write"} | columns)  # type: ignore[arg-type]


@pytest.mark.parametrize("encrypt", [False, True])
def test_tokens_come_back(*, encrypt: bool) -> None:
    store = TokenStore([SECRET, "an older secret"], encrypt=encrypt)
    sealed = store.sealed(TOKENS)
    assert store.opened(row(**sealed)) == TOKENS
    assert cipher.is_encrypted(sealed["access_token"]) is encrypt
    assert cipher.is_encrypted(sealed["refresh_token"]) is encrypt
    assert (sealed["id_token"], sealed["access_token_expires_at"]) == ("the id", NOW)
    assert store.sealed(Tokens()) == dict.fromkeys(sealed)


def test_older_secret_opens_and_a_lost_one_is_an_error() -> None:
    sealed = TokenStore(["an older secret"], encrypt=True).sealed(TOKENS)
    assert TokenStore([SECRET, "an older secret"], encrypt=True).opened(row(**sealed)) == TOKENS
    with pytest.raises(UnreadableTokenError):
        TokenStore([SECRET], encrypt=True).opened(row(**sealed))


@pytest.mark.parametrize("token", ["x" * 65_537, "nul\0", "snowman ☃", "half \ud800"])
def test_token_that_no_column_takes_is_refused(token: str) -> None:
    for encrypt in (False, True):
        store = TokenStore([SECRET], encrypt=encrypt)
        for name in ("access_token", "refresh_token", "id_token"):
            with pytest.raises(InvalidCodeError):
                store.sealed(Tokens(**{name: token}))  # type: ignore[arg-type]
    with pytest.raises(InvalidCodeError):  # it is stored twice as long
        TokenStore([SECRET], encrypt=True).sealed(Tokens(access_token="x" * 40_000))


def test_no_token_is_in_a_repr() -> None:
    sealed = TokenStore([SECRET], encrypt=False).sealed(TOKENS)
    shown = repr(row(**sealed)) + repr(TOKENS)
    assert "github" in shown
    assert "the " not in shown
