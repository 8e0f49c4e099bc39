"""What must not be guessed: how long it is, and where it comes from."""

import math
import secrets
from collections.abc import Callable
from typing import Final

import pytest

from app.auth.tokens import deletion_token, reset_token
from app.schema import new_token

TOKENS: Final[dict[str, tuple[Callable[[], str], int]]] = {
    "session": (new_token, 62),
    "reset": (reset_token, 62),
    "deletion": (deletion_token, 36),
}
"""What makes them, and of how many letters."""


@pytest.mark.parametrize("kind", TOKENS)
def test_tokens_have_the_length_of_128_bits_and_more(kind: str) -> None:
    make, letters = TOKENS[kind]
    made = [make() for _ in range(2000)]
    assert len(set(made)) == len(made)
    assert all(token.isascii() and token.isalnum() for token in made)
    assert min(map(len, made)) * math.log2(letters) >= 128
    counts = [sum(token.count(letter) for token in made) for letter in set("".join(made))]
    assert len(counts) == letters
    mean = sum(map(len, made)) / letters
    # a letter that came as often as two would be 100 % off; chance makes some 15 % of it
    assert all(0.7 * mean < count < 1.3 * mean for count in counts)


@pytest.mark.parametrize("kind", TOKENS)
def test_tokens_are_of_the_systems_generator(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the system's generator")

    monkeypatch.setattr(secrets, "choice", refuse)
    monkeypatch.setattr(secrets, "token_bytes", refuse)
    with pytest.raises(AssertionError, match="the system's generator"):
        TOKENS[kind][0]()
