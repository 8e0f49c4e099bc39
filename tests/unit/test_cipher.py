"""What is encrypted with the secret. tests/interop holds it against Better Auth's own."""

import pytest

from app.auth import cipher

SECRETS = ["the newest secret of the service", "the one before it, still good"]


@pytest.mark.parametrize("text", ["", "ya29.a0Af", "æøå 𝄞", "x" * 65_536])
def test_text_comes_back(text: str) -> None:
    sealed = cipher.encrypt(SECRETS[0], text)
    assert cipher.is_encrypted(sealed)
    assert len(sealed) == 2 * len(text.encode()) + 80
    assert cipher.decrypt(SECRETS, sealed) == text


def test_nonce_is_another_each_time() -> None:
    nonces = {cipher.encrypt(SECRETS[0], "token")[:48] for _ in range(1000)}
    assert len(nonces) == 1000


def test_every_secret_decrypts_and_a_strangers_does_not() -> None:
    old = cipher.encrypt(SECRETS[1], "token")
    assert cipher.decrypt(SECRETS, old) == "token"
    assert cipher.decrypt(SECRETS, f"$ba$7${old}") == "token"
    assert cipher.decrypt(SECRETS, old.upper()) == "token"
    assert cipher.decrypt(["a stranger's secret, of some length"], old) is None


@pytest.mark.parametrize("sealed", ["", "$ba$", "$ba$1$", "$ba$x$00", "00", "0" * 79, "0" * 80])
def test_what_nobody_encrypted_does_not_decrypt(sealed: str) -> None:
    assert cipher.decrypt(SECRETS, sealed) is None


def test_changed_text_does_not_decrypt() -> None:
    sealed = cipher.encrypt(SECRETS[0], "token")
    changed = sealed[:-1] + ("0" if sealed[-1] != "0" else "1")
    assert cipher.decrypt(SECRETS, changed) is None


@pytest.mark.parametrize(
    ("text", "encrypted"),
    [
        ("", False),
        ("gho_16C7e42F", False),
        ("0" * 64, False),  # a token of GitLab's: too short for nonce and tag
        ("0" * 81, False),
        ("aB" * 40, True),
        ("$ba$2$00", True),
    ],
)
def test_form_is_that_of_hex_or_of_a_versioned_box(text: str, *, encrypted: bool) -> None:
    assert cipher.is_encrypted(text) is encrypted


def test_each_purpose_has_a_key_of_its_own() -> None:
    sealed = cipher.encrypt(SECRETS[0], "state", "oauth-state-cookie")
    assert cipher.decrypt(SECRETS, sealed, "oauth-state-cookie") == "state"
    assert cipher.decrypt(SECRETS, sealed, "oauth-link-session-token") is None
    assert cipher.decrypt(SECRETS, sealed) is None
