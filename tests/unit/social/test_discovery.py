"""Discovery documents: whose they are, and what of them is taken."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.auth.social.discovery import Discovered, read
from app.outgoing.client import OutgoingError

ISSUER = "https://id.example.com/realms/a"
URL = f"{ISSUER}/.well-known/openid-configuration"


def document(**changed: Any) -> dict[str, Any]:
    found = {
        "issuer": ISSUER,
        "authorization_endpoint": f"{ISSUER}/auth",
        "token_endpoint": f"{ISSUER}/token",
        "userinfo_endpoint": f"{ISSUER}/me",
        "jwks_uri": f"{ISSUER}/keys",
        "end_session_endpoint": f"{ISSUER}/end",
        "id_token_signing_alg_values_supported": ["HS256", "none", "ES256", "RS256", 5, "X"],
        "authorization_response_iss_parameter_supported": True,
        **changed,
    }
    return {name: value for name, value in found.items() if value is not None}


def test_document_says_all_that_is_used() -> None:
    assert read(document(), URL, allow_http=False) == Discovered(
        issuer=ISSUER,
        authorization_url=f"{ISSUER}/auth",
        token_url=f"{ISSUER}/token",
        userinfo_url=f"{ISSUER}/me",
        jwks_url=f"{ISSUER}/keys",
        end_session_url=f"{ISSUER}/end",
        algorithms=("RS256", "ES256"),
        requires_iss=True,
    )


def test_document_without_algorithms_is_no_openid_provider() -> None:
    without = document(
        id_token_signing_alg_values_supported=None,
        jwks_uri=None,
        authorization_response_iss_parameter_supported="true",
    )
    found = read(without, URL, allow_http=False)
    assert (found.algorithms, found.jwks_url, found.requires_iss) == ((), None, False)


@pytest.mark.parametrize(
    ("issuer", "url"),
    [
        ("https://h", "https://h/.well-known/openid-configuration"),
        ("https://h/", "https://h/.well-known/openid-configuration"),
        ("https://h/a/", "https://h/a/.well-known/openid-configuration"),
        ("https://h/a", "https://h/.well-known/oauth-authorization-server/a"),
        ("https://h", "https://h/.well-known/oauth-authorization-server"),
    ],
)
def test_document_may_be_where_its_issuer_keeps_it(issuer: str, url: str) -> None:
    assert read(document(issuer=issuer), url, allow_http=False).issuer == issuer


@pytest.mark.parametrize(
    "issuer",
    [None, 5, "", ISSUER.upper(), "https://id.example.com", "https://evil.example/realms/a",
     "http://id.example.com/realms/a", "https://id.example.com/realms/b", "https://[::1", "\0"],
)  # fmt: skip
def test_document_of_another_issuer_is_refused(issuer: Any) -> None:
    with pytest.raises(OutgoingError, match="another issuer") as raised:
        read(document(issuer=issuer), URL, allow_http=False)
    named = str(raised.value).endswith(f"another issuer's, {issuer}")
    assert named == (str(issuer).lower().startswith("http") and "[" not in issuer)


WRONG = (
    "http://id.example.com/", "javascript:1", "/token", "", 5, ["https://h"], "https://",
    "https://u:p@h/", "https://h:99999/", "https://h/\n", "https://é/",
)  # fmt: skip


@pytest.mark.parametrize(
    "name",
    ["authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri",
     "end_session_endpoint"],
)  # fmt: skip
def test_address_in_a_document_is_of_https(name: str) -> None:
    for wrong in WRONG:
        with pytest.raises(OutgoingError, match=f"{name} is not an https address"):
            read(document(**{name: wrong}), URL, allow_http=False)
    assert read(document(**{name: "http://h/"}), URL, allow_http=True)


def test_document_that_leaves_only_weak_signatures_is_refused() -> None:
    for names in (["HS256"], ["none"], "RS256", 5, {"RS256": 1}):
        with pytest.raises(OutgoingError, match="no algorithm of a public key"):
            read(document(id_token_signing_alg_values_supported=names), URL, allow_http=False)
    with pytest.raises(OutgoingError, match="names no keys"):
        read(document(jwks_uri=None), URL, allow_http=False)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@given(st.sampled_from(sorted(document())), _JSON)
def test_any_document_is_read_or_refused(name: str, value: Any) -> None:
    for given_document in (value, {**document(), name: value}):
        try:
            found = read(given_document, URL, allow_http=False)
        except OutgoingError:
            continue
        assert found.issuer == ISSUER
