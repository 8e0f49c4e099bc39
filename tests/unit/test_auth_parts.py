"""The parts of the auth API against values made by Better Auth itself, and by hand."""

import hashlib
import hmac
from base64 import b64encode
from ipaddress import ip_network
from typing import Any
from urllib.parse import quote

import pytest

from app.auth import passwords, validation
from app.auth.cookies import Cookies, Signer, parse
from app.auth.mail import NOTICES, TEXTS, message, notice
from app.auth.origins import Origins
from app.auth.rate_limit import RateLimiter, default_rule
from app.auth.tokens import MailTokens
from app.client_address import ClientAddresses
from app.database import Database
from app.errors import AuthError, TooManyRequestsError
from app.settings import Settings

SECRET = "s" * 32
TOKEN = "t" * 32
SIGNATURE = b64encode(hmac.new(SECRET.encode(), TOKEN.encode(), hashlib.sha256).digest()).decode()


def cookies(**more: Any) -> Cookies:
    settings = {"prefix": "better-auth", "secure": False, "domain": None, "max_age": 604800}
    return Cookies(Signer([SECRET]), **settings | more)


def test_cookies_are_set_and_cleared_as_better_auth_does() -> None:
    value = quote(f"{TOKEN}.{SIGNATURE}", safe="")
    assert cookies().session(TOKEN, remember=True, remembered=True) == [
        f"better-auth.session_token={value}; Max-Age=604800; Path=/; HttpOnly; SameSite=Lax"
    ]
    first, second = cookies(secure=True).session(TOKEN, remember=False, remembered=True)
    assert first == (
        f"__Secure-better-auth.session_token={value}; Path=/; HttpOnly; Secure; SameSite=Lax"
    )
    assert second.startswith("__Secure-better-auth.dont_remember=true.")
    assert "Max-Age" not in second
    lines = cookies(domain=".example.com").session(TOKEN, remember=True, remembered=False)
    assert "; Domain=.example.com; Path=/" in lines[0]
    assert lines[1].startswith("better-auth.dont_remember=; Max-Age=0;")
    for partitioned, end in ((False, "SameSite=None"), (True, "SameSite=None; Partitioned")):
        other = cookies(secure=True, same_site="none", partitioned=partitioned)
        lines = other.session(TOKEN, remember=True, remembered=False)
        assert len(lines) == 2
        # what ends one has the same attributes, or a browser would keep it
        for line in (*lines, *other.all_cleared({})):
            assert line.endswith(f"; Path=/; HttpOnly; Secure; {end}")
    jar = {"better-auth.session_data.0": "x", "other": "y"}
    assert [line.partition("=")[0] for line in cookies().all_cleared(jar)] == [
        "better-auth.session_token",
        "better-auth.session_data",
        "better-auth.session_data.0",
        "better-auth.dont_remember",
    ]
    jar |= {"better-auth.session_data": "", "better-auth.session_data.x": "z"}
    assert [line.partition("=")[0] for line in cookies().stale_cleared(jar)] == [
        "better-auth.session_data.0"
    ]


def test_signer_verifies_with_every_secret_and_refuses_the_rest() -> None:
    old, new = Signer([SECRET]), Signer(["n" * 32, SECRET])
    signed = old.sign(TOKEN)
    assert signed == f"{TOKEN}.{SIGNATURE}"
    assert new.verify(signed) == TOKEN
    assert old.verify(new.sign(TOKEN)) is None
    assert old.verify(old.sign("a.b")) == "a.b"
    for bad in (
        *("", ".", TOKEN, f"{TOKEN}.", f".{SIGNATURE}", f"{TOKEN}x.{SIGNATURE}"),
        *(f"{TOKEN}.{SIGNATURE[:-1]}", f"{TOKEN}.{SIGNATURE[:-1]}x", f"{TOKEN}.{'é' * 43}="),
    ):
        assert old.verify(bad) is None, bad


def test_parse_reads_every_form_of_a_cookie_header() -> None:
    text = 'a=1; b="2"; a=3;c=%C3%A9; d=%FF; e; =f; g=a=b; h=%2B%2F%3D; i=%253D; j=%2f; k="; l=""'
    assert parse(text) == {
        "a": "1",
        "b": "2",
        "c": "é",
        "d": "%FF",
        "": "f",
        "g": "a=b",
        "h": "+/=",
        "i": "%3D",
        "j": "/",
        "k": '"',
        "l": "",
    }


def test_hashed_is_scrypt_of_the_nfkc_password() -> None:
    salt = "000102030405060708090a0b0c0d0e0f"
    ligature = "ﬁle-password"  # NFKC makes it "file-password"
    assert passwords.hashed(ligature, salt) == passwords.hashed("file-password", salt)
    by_hand = hashlib.scrypt(
        b"file-password", salt=salt.encode(), n=16384, r=16, p=1, maxmem=1 << 26, dklen=64
    )
    assert passwords.hashed("file-password", salt) == f"{salt}:{by_hand.hex()}"
    assert passwords.hashed("\ud83d", salt) == passwords.hashed("\ufffd", salt)


def test_length_counts_utf16_code_units() -> None:
    assert [passwords.length(text) for text in ("", "abc", "é", "😀" * 4)] == [0, 3, 1, 8]


@pytest.mark.parametrize(
    ("address", "good"),
    [
        ("a@b.co", True),
        ("o'neil+x_y-z.w@sub.example.com", True),
        ("A@EXAMPLE.COM", True),
        ("a@localhost", False),
        ("jürgen@example.com", False),
        (" a@b.co", False),
        ("a@b.co\n", False),
        (".a@b.co", False),
        ("a.@b.co", False),
        ("a'@b.co", False),
        ("a..b@c.co", False),
        ("a@-b.co", False),
        ("a@b.c", False),
        ("@b.co", False),
    ],
)
def test_is_email_accepts_what_better_auth_accepts(address: str, good: bool) -> None:
    assert validation.is_email(address) is good


def test_validation_names_each_problem_by_its_field() -> None:
    check = validation.fields(
        {
            "name": validation.string,
            "email": validation.email,
            "password": validation.non_empty_string,
        }
    )
    assert check("body", {"name": None, "email": "x", "password": ""}) == [
        "[body.name] Invalid input: expected string, received null",
        "[body.email] Invalid email address",
        "[body.password] Too small: expected string to have >=1 characters",
    ]
    assert check("body", validation.UNDEFINED) == [
        "[body] Invalid input: expected object, received undefined"
    ]
    for value, kind in ((1, "number"), (True, "boolean"), ([], "array"), ({}, "object")):
        expected = f"[body.x] Invalid input: expected string, received {kind}"
        assert validation.string("body.x", value) == [expected]


@pytest.mark.parametrize(
    ("url", "relative", "trusted"),
    [
        ("http://ours.example", False, True),
        ("HTTP://OURS.example:80/x", False, True),
        ("http://ours.example:81", False, False),
        ("https://ours.example", False, False),
        ("https://a.example", False, True),
        ("https://x.wild.example/path", False, True),
        ("https://x.y.wild.example", False, True),
        ("https://wild.example", False, False),
        ("https://evil.example/.wild.example", False, False),
        ("https://evil.example?.wild.example", False, False),
        ("https://evil.example\\.wild.example", False, False),
        ("http://10.0.0.1234", False, False),
        ("http://h.host.example:8080", False, True),
        ("javascript:alert(1)", False, False),
        ("data:text/html,x", False, False),
        ("myapp://callback", False, True),
        ("myapp2://callback", False, False),
        ("dashboard", True, False),
        ("/dashboard?x=http://evil", True, True),
        ("/dashboard", False, False),
        ("//evil.example", True, False),
        ("/\\evil.example", True, False),
        ("/%2fevil.example", True, False),
        ("/a/../b#c", True, True),
        ("/a\tb", True, False),
        ("http://[::1", False, False),
    ],
)
def test_origins_trusts_by_the_parsed_address(url: str, relative: bool, trusted: bool) -> None:
    origins = Origins(
        "http://ours.example",
        ["https://a.example", "https://*.wild.example", "*.host.example:8080", "myapp://"],
    )
    assert origins.trusts(url, relative=relative) is trusted


@pytest.mark.parametrize(
    ("forwarded", "proxies", "address"),
    [
        ("", (), None),
        ("203.0.113.7", (), "203.0.113.7"),
        ("203.0.113.7, 10.0.0.1", (), "10.0.0.1"),
        ("203.0.113.7, 10.0.0.1", ("10.0.0.0/8",), "203.0.113.7"),
        ("198.51.100.1, 203.0.113.7,10.0.0.1", ("10.0.0.0/8",), "203.0.113.7"),
        ("evil, 203.0.113.7, 10.0.0.1", ("10.0.0.0/8",), "203.0.113.7"),
        ("203.0.113.7, evil, 10.0.0.1", ("10.0.0.0/8",), None),
        ("10.0.0.2, 10.0.0.1", ("10.0.0.0/8",), None),
        ("::ffff:203.0.113.7", (), "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", (), "2001:0db8:0001:0002:0000:0000:0000:0000"),
        ("fe80::1%eth0", (), None),
        ("203.0.113.7:80", (), None),
    ],
)
def test_client_ip_reads_the_header_from_the_right(
    forwarded: str, proxies: tuple[str, ...], address: str | None
) -> None:
    addresses = ClientAddresses([ip_network(p) for p in ("192.0.2.1", *proxies)])
    headers = [(b"x-forwarded-for", forwarded.encode())]
    assert addresses.of({"client": ("192.0.2.1", 1), "headers": headers}) == address


def test_mail_tokens_refuse_what_was_not_signed_for_mail() -> None:
    old, new = MailTokens([SECRET]), MailTokens(["n" * 32, SECRET])
    token = old.sign({"email": "a@b.co"}, 60)
    assert token.startswith("eyJhbGciOiJIUzI1NiJ9.")
    assert new.read(token)["email"] == "a@b.co"
    for text, code in (
        (new.sign({"email": "a@b.co"}, 60), "INVALID_TOKEN"),
        (old.sign({"email": "a@b.co"}, -60), "TOKEN_EXPIRED"),
        (old.sign({"userId": "1"}, 60), "INVALID_TOKEN"),
        (token[:-2], "INVALID_TOKEN"),
        ("eyJhbGciOiJub25lIn0.eyJlbWFpbCI6ImFAYi5jbyJ9.", "INVALID_TOKEN"),
        ("x", "INVALID_TOKEN"),
        ("é.é.é", "INVALID_TOKEN"),
    ):
        with pytest.raises(AuthError) as refused:
            old.read(text)
        assert (refused.value.status, refused.value.code) == (401, code)


async def check(limiter: RateLimiter, address: str, path: str) -> None:
    await limiter.check(address, path, default_rule(path))


async def test_rate_limiter_counts_in_memory_by_address_and_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moment = 1_000_000_000
    monkeypatch.setattr("time.time_ns", lambda: moment)
    database = Database(Settings(database_url="postgres:", database_direct_url="postgres:"))
    limiter = RateLimiter("memory", database)
    for _ in range(3):
        await check(limiter, "a", "/sign-in/email")
        moment += 4_000_000_000
    with pytest.raises(TooManyRequestsError) as refused:
        await check(limiter, "a", "/sign-in/email")
    assert refused.value.retry_after == 6
    await check(limiter, "b", "/sign-in/email")
    await check(limiter, "a", "/get-session")
    # a refused request does not extend the block
    moment += 6_001_000_000
    await check(limiter, "a", "/sign-in/email")
    for _ in range(100):
        await check(limiter, "c", "/get-session")
    with pytest.raises(TooManyRequestsError):
        await check(limiter, "c", "/get-session")


async def test_rate_limiter_forgets_keys_after_a_window_and_stays_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start = 1_000_000_000
    at = 0
    monkeypatch.setattr("time.time_ns", lambda: (start + at) * 1_000_000_000)
    monkeypatch.setattr("app.auth.rate_limit._MAX_KEYS", 50)
    database = Database(Settings(database_url="postgres:", database_direct_url="postgres:"))
    limiter = RateLimiter("memory", database)

    async def passes(address: str) -> bool:
        try:
            await check(limiter, address, "/request-password-reset")
        except TooManyRequestsError:
            return False
        return True

    assert await passes("first")
    at = 59
    assert [await passes("a") for _ in range(4)] == [True, True, True, False]
    for at in (61, 100, 118):  # the generation of before still counts
        assert not await passes("a")
        assert await passes(f"other at {at}")
    at = 120
    assert await passes("a")
    at = 1000
    for number in range(1000):
        assert await passes(f"{number}")
    assert len(limiter._paths._counts) + len(limiter._paths._previous) <= 100


@pytest.mark.parametrize("kind", TEXTS)
def test_message_has_its_link_as_text_and_as_html(kind: Any) -> None:
    mail = message(kind, "a@b.co", "https://x.example/?a=1&b=<2>")
    text, html = mail.iter_parts()
    assert "https://x.example/?a=1&b=<2>" in text.get_content()
    assert 'href="https://x.example/?a=1&amp;b=&lt;2&gt;"' in html.get_content()
    assert mail["To"] == "a@b.co"
    assert mail["Subject"] == TEXTS[kind][0]


@pytest.mark.parametrize("kind", NOTICES)
def test_notice_is_a_text_without_a_link(kind: Any) -> None:
    mail = notice(kind, "a@b.co", provider="google")
    assert (mail["To"], mail["Subject"]) == ("a@b.co", NOTICES[kind][0])
    assert mail.get_content_type() == "text/plain"
    assert "http" not in mail.get_content()
    assert ("google" in mail.get_content()) == (kind == "account-linked")
