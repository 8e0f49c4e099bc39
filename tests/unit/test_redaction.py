"""Addresses and error texts are printed without their secrets."""

import pytest

from app.redaction import redacted_url, without_password


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgres://app:s3cret@db:5432/gatepost?sslmode=require", "db:5432/gatepost"),
        ("postgres://app:s3cret@one:1,two:2/gatepost", "one:1,two:2/gatepost"),
        ("postgres://app:s3%40cret@[::1]:5432/gatepost", "[::1]:5432/gatepost"),
        ("postgres://app@/gatepost?host=/run/postgresql", "/run/postgresql/gatepost"),
        ("postgres:///gatepost", "localhost/gatepost"),
    ],
)
def test_redacted_url_shows_only_host_and_database(url: str, expected: str) -> None:
    assert redacted_url(url) == expected


def test_without_password_masks_both_spellings() -> None:
    url = "postgres://app:s3%40cret@db/gatepost"
    assert without_password("bad s3%40cret, bad s3@cret", url) == "bad ***, bad ***"


def test_without_password_leaves_text_of_an_address_without_one() -> None:
    assert without_password("no such host", "postgres://db/gatepost") == "no such host"
