"""The log names a refused origin once, with what would let it in, and no more of its address."""

import logging
from collections.abc import Iterator

import pytest

from app.auth.origins import Origins
from app.auth.refused_origins import mixed_names

OWN = "http://127.0.0.1:8000"
TRUSTED = ("https://app.example.com", "myapp://")


@pytest.fixture(autouse=True)
def _no_rate_limit() -> Iterator[None]:
    logger = logging.getLogger("gatepost.origins")
    kept, logger.filters = logger.filters, []
    yield
    logger.filters = kept


@pytest.fixture
def origins() -> Origins:
    return Origins(OWN, TRUSTED)


def test_refused_origin_is_named_once(origins: Origins, caplog: pytest.LogCaptureFixture) -> None:
    assert origins.allows("https://app.example.com")
    assert origins.allows("myapp://")
    for _ in range(3):
        assert not origins.allows("https://other.example.com")
        assert not origins.allows("https://user:secret@other.example.com/secret?secret#secret")
    assert not origins.allows("other://")
    assert caplog.messages == [
        f"the origin {origin} is refused: if it is yours, add it to GATEPOST_TRUSTED_ORIGINS"
        for origin in ("https://other.example.com", "other://")
    ]


def test_missing_origin_is_explained_once(
    origins: Origins, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        assert not origins.allows("")
    assert caplog.messages == [
        "a request without an Origin was refused: outside of a browser a client sends an Origin "
        'itself, as in createAuthClient({ fetchOptions: { headers: { Origin: "'
        f'{OWN}" }} }} }})'
    ]


def test_what_is_remembered_has_a_bound(origins: Origins, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(1000):
        assert not origins.allows(f"https://{number}.example.com")
    assert len(caplog.messages) == 1000
    assert len(origins._refused._named) == 100
    assert not origins.allows("https://999.example.com")  # of the last hundred
    assert len(caplog.messages) == 1000
    # neither an address of any length nor what is none
    for given in (
        f"https://{'x' * 300}.example.com",
        "//evil.example",
        "/x",
        "x",
        "http://[",
        "\xff",
    ):
        assert not origins.allows(given)
    assert len(caplog.messages) == 1000


@pytest.mark.parametrize(
    ("own", "origin", "advice"),
    [
        (OWN, "http://localhost:8000", "open http://127.0.0.1:8000, or set "
         "GATEPOST_BASE_URL=http://localhost:8000"),
        (OWN, "http://[::1]:8000/x", "open http://127.0.0.1:8000, or set "
         "GATEPOST_BASE_URL=http://[::1]:8000"),
        ("http://localhost:8000", "http://127.0.0.1:5173", "open http://localhost:5173, or set "
         "GATEPOST_BASE_URL=http://127.0.0.1:8000"),
    ],
)  # fmt: skip
def test_origin_by_another_name_of_this_machine_is_told_what_to_do(
    own: str, origin: str, advice: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert not Origins(own, ()).allows(origin)
    (message,) = caplog.messages
    assert message.endswith(advice)
    same_port = "8000" in origin
    assert (f"is refused: GATEPOST_BASE_URL is {own}." in message) is same_port
    assert ("add it to GATEPOST_TRUSTED_ORIGINS" in message) is not same_port


def test_origin_elsewhere_is_not_told_of_names(caplog: pytest.LogCaptureFixture) -> None:
    for own, origin in (
        (OWN, "http://127.0.0.1:5173"),
        (OWN, "http://localhost.example.com:8000"),
        ("https://auth.example.com", "http://localhost:5173"),
        ("http://[", "http://localhost:5173"),
    ):
        assert not Origins(own, ()).allows(origin)
    assert [message.partition(": ")[2] for message in caplog.messages] == [
        "if it is yours, add it to GATEPOST_TRUSTED_ORIGINS"
    ] * 4


def test_mixed_names_are_found_in_the_settings() -> None:
    given = ["http://localhost:5173", "http://127.0.0.1:5173", "*.example.com", "myapp://", OWN]
    (warning,) = mixed_names(OWN, given)
    assert warning.startswith(f"http://localhost:5173 does not go with GATEPOST_BASE_URL={OWN}. ")
    assert warning.endswith(
        "open http://127.0.0.1:5173, or set GATEPOST_BASE_URL=http://localhost:8000"
    )
    assert mixed_names("https://auth.example.com", given) == []
