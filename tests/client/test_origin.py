"""What another site may not send with a user's cookie."""

import pytest
from gatepost_client import GatepostClient, OriginError
from gatepost_client.guard import Guard
from gatepost_client.origin import check_origin

HOST = {"host": "app.example.com"}
TRUSTED = ("https://front.example.com",)

ALLOWED = [
    ("GET", {}),
    ("HEAD", {"origin": "https://evil.example"}),
    ("POST", {"origin": "https://app.example.com"}),
    ("POST", {"origin": "https://APP.example.com"}),
    ("POST", {"origin": "https://front.example.com"}),
    ("POST", {"sec-fetch-site": "same-origin"}),
    ("POST", {"sec-fetch-site": "none"}),
    ("POST", {"sec-fetch-site": "cross-site", "origin": "https://front.example.com"}),
    ("WEBSOCKET", {"origin": "https://app.example.com"}),
]
REFUSED = [
    ("POST", {}),
    ("POST", {"origin": "null"}),
    ("POST", {"origin": ""}),
    ("POST", {"origin": "https://evil.example"}),
    ("POST", {"origin": "https://app.example.com.evil.example"}),
    ("POST", {"origin": "https://app.example.com:8443"}),
    ("POST", {"sec-fetch-site": "cross-site"}),
    ("POST", {"sec-fetch-site": "same-site", "origin": "https://other.example.com"}),
    ("POST", {"sec-fetch-site": "cross-site", "origin": "https://app.example.com"}),
    ("delete", {"origin": "https://evil.example"}),
    ("QUERY", {"origin": "https://evil.example"}),
    ("WEBSOCKET", {"origin": "https://evil.example"}),
    ("WEBSOCKET", {}),
]


@pytest.mark.parametrize(("method", "headers"), ALLOWED, ids=repr)
def test_request_of_the_own_site_passes(method: str, headers: dict[str, str]) -> None:
    check_origin(method, HOST | headers, TRUSTED)


@pytest.mark.parametrize(("method", "headers"), REFUSED, ids=repr)
def test_request_of_another_site_is_refused(method: str, headers: dict[str, str]) -> None:
    with pytest.raises(OriginError):
        check_origin(method, HOST | headers, TRUSTED)


def test_request_without_host_is_refused() -> None:
    with pytest.raises(OriginError):
        check_origin("POST", {"origin": "https://"}, ())


def test_origins_as_one_text_are_refused() -> None:
    """Every part of it would be trusted."""
    with pytest.raises(TypeError, match="list"):
        Guard(GatepostClient("https://auth.example.com"), "https://app.example.com")
