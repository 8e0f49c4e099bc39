"""Cookies and origins of any form: what was not signed or is not trusted is never taken for it."""

import string

from ada_url import URL
from hypothesis import given, settings
from hypothesis import strategies as st

from app.auth import cookies
from app.auth.cookies import Cookies, Signer
from app.auth.origins import Origins

OWN = "https://auth.example"
TRUSTED = ("https://app.example", "https://*.wild.example:8443", "*.host.example", "myapp://")
NAME = "__Secure-better-auth.session_token"

signer = Signer(["first secret" * 3, "second secret" * 3])
jar = Cookies(signer, prefix="better-auth", secure=True, domain=None, max_age=60)
origins = Origins(OWN, TRUSTED)

latin = st.text(st.characters(max_codepoint=255))
labels = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=8)
odd = st.sampled_from(
    (
        "", "/", "//", "\\", ".", "..", "%2e", "%2f", "%5c", "%00", "@", ":", ":80", ":443", "?",
        "#", "\t", "\n", "\r", "\0", " ", ";", "\u3002", "\uff0f", "\u2028", "\u00ad", "[::1]",
        "//a", "https:", "http://", "javascript:", "myapp:", "//evil.example", "evil.example",
        ".example", "auth.example", "https://auth.example", "https://app.example",
        "x.wild.example:8443",
    )
)  # fmt: skip
addresses = st.lists(odd | labels | st.text(max_size=3), max_size=8).map("".join)


def is_trusted(url: str) -> bool:
    """Whether an address, read on a page of ``OWN``, is a place of ours or of the app's scheme."""
    parsed = URL(url, OWN)
    host = parsed.hostname
    return (
        parsed.protocol == "myapp:"
        or parsed.origin in (OWN, "https://app.example")
        or (parsed.protocol == "https:" and parsed.port == "8443" and host[-13:] == ".wild.example")
        or (parsed.protocol in ("http:", "https:") and host.endswith(".host.example"))
    )


@given(addresses)
@settings(max_examples=3000)
def test_a_redirect_stays_on_trusted_origins(url: str) -> None:
    if not origins.trusts(url, relative=True):
        return
    ways = (
        url,
        origins.header(url),
        origins.back(url),
        origins.absolute(url),
        origins.back_with(url, "token", "t"),
        origins.back_with_error(url, "E", "why"),
    )
    for place in ways:
        assert is_trusted(place), place
        assert place.isascii() or place == url


@given(
    scheme=st.sampled_from(["http", "https", "ws", "ftp", "HTTPS"]),
    host=st.lists(labels, min_size=1, max_size=3).map(".".join),
    end=st.sampled_from([".evil", "-app.example", "app.example.evil", ".example.evil", ".com"]),
    rest=st.sampled_from(["", "/", ":8443", ":443", "/x?y=https://app.example", "#@app.example"]),
)
def test_an_origin_of_another_host_is_never_trusted(
    scheme: str, host: str, end: str, rest: str
) -> None:
    assert not origins.trusts(f"{scheme}://{host}{end}{rest}")
    assert not origins.trusts(f"{scheme}://app.example@{host}{end}{rest}")


@given(latin)
@settings(max_examples=1000)
def test_no_cookie_header_is_taken_for_a_session(header: str) -> None:
    found = cookies.parse(header)
    assert all(jar.signed_value(found, name) is None for name in found)


@given(latin)
def test_no_text_is_taken_for_a_signed_value(text: str) -> None:
    assert not jar.is_signed(text)


@given(value=latin.filter(bool), at=st.integers(0), other=st.characters(max_codepoint=255))
def test_a_signed_value_that_was_changed_is_no_value(value: str, at: int, other: str) -> None:
    signed = signer.sign(value)
    assert signer.verify(signed) == value
    at %= len(signed)
    changed = signed[:at] + other + signed[at + 1 :]
    assert changed == signed or signer.verify(changed) is None
    assert signer.verify(signed[:at]) is None


@given(before=latin, after=latin)
@settings(max_examples=1000)
def test_no_other_name_is_taken_for_the_name_of_the_session(before: str, after: str) -> None:
    """A browser lets any site of the domain set a name that is not quite a ``__Secure-`` one."""
    value = signer.sign("t" * 32)
    name = f"{before}{NAME}{after}"
    found = cookies.parse(f"{name}={value}")
    sent = {part.strip(" \t").partition("=")[0].rstrip(" \t") for part in name.split(";")}
    if NAME not in sent:
        assert NAME not in found


def test_only_spaces_and_tabs_are_around_a_name() -> None:
    for space in ("\x85", "\xa0", "\x1c", "\x1f", "\x0b", "\x0c"):
        for name in (f"{space}{NAME}", f"{NAME}{space}"):
            assert NAME not in cookies.parse(f"a=b; {name}=c"), space
    assert cookies.parse(f" \t{NAME}\t = c ;a=b") == {NAME: "c", "a": "b"}
