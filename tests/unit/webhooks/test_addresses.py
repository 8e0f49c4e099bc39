"""Which addresses a webhook may have."""

import pytest

from app.webhooks.addresses import host_of, refusal


@pytest.mark.parametrize(
    "url",
    [
        "https://app.example.com/hooks?token=abc",
        "https://app.example.com",
        "https://app.example.com:8443/a%20b",
        "https://[2606:4700::1111]/",
    ],
)
def test_https_will_do(url: str) -> None:
    assert refusal(url, private=False) is None


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "[::1]:8000", "LOCALHOST"])
def test_http_will_do_to_this_machine_where_private_addresses_are_allowed(host: str) -> None:
    url = f"http://{host}/hooks"
    assert refusal(url, private=True) is None
    assert refusal(url, private=False) == "it does not begin with https://"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://app.example.com/", "leads to another machine"),
        ("http://127.0.0.1.example.com/", "leads to another machine"),
        ("http://127.0.0.1@example.com/", "a user or a password"),
        ("https://ada:hunter2@example.com/", "a user or a password"),
        ("https://@example.com/", "a user or a password"),
        ("https://example.com/#top", "a fragment"),
        ("ftp://example.com/", "does not begin with https://"),
        ("file:///etc/passwd", "does not begin with https://"),
        ("https:///path", "does not begin with https://"),
        ("https://", "does not begin with https://"),
        ("example.com", "does not begin with https://"),
        ("", "does not begin with https://"),
        ("https://example.com:port/", "no address"),
        ("https://example.com:99999/", "no address"),
        ("https://[::1/", "no address"),
        ("https://example.com/a b", "percent-encoded"),
        ("https://example.com/\r\nx: y", "percent-encoded"),
        ("https://exämple.com/", "percent-encoded"),
        ("https://example.com/" + "a" * 2048, "longer than 2048"),
    ],
)
def test_other_addresses_are_refused_in_words(url: str, why: str) -> None:
    assert why in (refusal(url, private=True) or "")


def test_host_is_all_that_the_log_has_of_an_address() -> None:
    assert host_of("https://example.com:8443/t0ken?k=s3cret") == "example.com:8443"
