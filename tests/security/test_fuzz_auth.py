"""The auth API under made-up requests: every endpoint, every field, cookies, headers, paths.

FUZZ_CASES says how many; the seed is fixed, so the same ones come each time.
"""

import json
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote, quote_from_bytes

import pytest
from hypothesis import strategies as st
from starlette.routing import Mount

from app.auth.endpoint import AuthRoute, Endpoint
from app.auth.validation import Check
from app.main import create_app
from app.settings import Settings
from tests.security.target import (
    BASE,
    CASES,
    FUZZERS_ADDRESS,
    PASSWORD,
    SECRET,
    TRUSTED,
    VICTIM,
    VICTIMS_ADDRESS,
    Answer,
    Request,
    Target,
    attacked,
    mutated,
    signed,
)
from tests.support import environment

PREFIX: Final = "/api/auth"
Headers = tuple[tuple[bytes, bytes], ...]


# --- what there is to attack ----------------------------------------------------------------------


class Spy(dict[str, Any]):
    """An object that notes which fields a check asks it for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.asked.add(key)
        return default


def fields_of(check: Check | None) -> tuple[str, ...]:
    spy = Spy()
    if check is not None:
        check("body", spy)
    return tuple(sorted(spy.asked))


def endpoints() -> list[tuple[str, str, Endpoint]]:
    """Method, path and endpoint of every route of the auth API."""
    given = {"GATEPOST_SECRET": SECRET, "GATEPOST_BASE_URL": BASE}
    given |= {"GATEPOST_PLUGINS": "bearer"}
    app = create_app(Settings.from_environment(environment("postgresql://x/x") | given))
    found = []
    for mount in app.routes:
        if isinstance(mount, Mount) and mount.path == PREFIX:
            for route in mount.routes:
                if isinstance(route, AuthRoute) and isinstance(route.endpoint, Endpoint):
                    found += [
                        (method, PREFIX + route.path, route.endpoint) for method in route.methods
                    ]
    return found


ENDPOINTS: Final = endpoints()


def test_endpoints_and_their_fields_are_found() -> None:
    found = {(method, path): endpoint for method, path, endpoint in ENDPOINTS}
    assert len(found) >= 30
    assert fields_of(found["POST", f"{PREFIX}/sign-in/email"].body) == (
        "callbackURL", "email", "password", "rememberMe",
    )  # fmt: skip
    assert fields_of(found["GET", f"{PREFIX}/verify-email"].query) == ("callbackURL", "token")


# --- values ---------------------------------------------------------------------------------------

LINKS: Final = (
    "/", "/welcome", f"{TRUSTED}/x", BASE, "//evil.test", "/.//evil.test", "/%2e//evil.test",
    "/\\evil.test", "https://evil.test", "https:evil.test", "https://app.gatepost.test@evil.test",
    "javascript:alert(1)", "/\t/evil.test", "\r\nX-Injected: 1", "/x\r\nSet-Cookie: a=b",
    "http://auth.gatepost.test.evil.test", "http://auth.gatepost.test:80@evil.test/", "/x?a=b#c",
    "data:text/html,x", "/é", "\x00", "http://[::1", "",
)  # fmt: skip
ADDRESSES: Final = (
    FUZZERS_ADDRESS, FUZZERS_ADDRESS.upper(), VICTIMS_ADDRESS, VICTIMS_ADDRESS.upper(),
    "new@new.test", f" {VICTIMS_ADDRESS}", f"{VICTIMS_ADDRESS}\x00",
    "victim@victims.test\r\nBcc: a@b.test", "vıctim@victims.test", "ｖictim@victims.test",
    "victim@victims.ｔest", "a@b", "@", "a" * 300 + "@b.test", "a." * 3000 + "@b.test",
    "K@victims.test",
)  # fmt: skip
TEXTS: Final = (
    "", "x", "\x00", "a\x00b", "\ud800", "\udc00\ud800", "é", "ﷺ" * 40, "a" * 70_000, "\u202e",
    "' OR 1=1 --", "{}", "null", "true", "-1", "../../etc/passwd", "${jndi:ldap://evil.test}",
    "\n{\"time\":\"now\"}\n", "%00", "%0d%0a",
)  # fmt: skip
text = st.sampled_from(TEXTS) | st.text(max_size=40)
scalars = st.one_of(
    st.none(), st.booleans(), text, st.integers(), st.floats(),
    st.sampled_from((10**30, 10**400, -(10**4000), 1e308, 2**53 + 1, -0.0)),
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=8,
)
tokens = st.sampled_from(
    ("a" * 24, "b" * 32, "eyJhbGciOiJub25lIn0.eyJlbWFpbCI6InZpY3RpbUB2aWN0aW1zLnRlc3QifQ.", "a.b.c",
    "\x00", "é")
) | text  # fmt: skip


def likely(name: str) -> st.SearchStrategy[Any]:
    """What a field of that name is meant to hold, more or less."""
    lower = name.lower()
    if "url" in lower or lower == "redirectto":
        return st.sampled_from(LINKS)
    if "email" in lower:
        return st.sampled_from(ADDRESSES)
    if "password" in lower:
        return st.sampled_from((PASSWORD, "wrong password", "short", "é" * 128, "x" * 129)) | text
    if lower in ("rememberme", "revokeothersessions", "disableredirect", "useaccountcookie"):
        return st.booleans()
    if lower in ("userid", "accountid"):
        return st.sampled_from((str(VICTIM), "00000000-0000-0000-0000-0000000000f2", "x"))
    return tokens


@st.composite
def objects(draw: st.DrawFn, names: tuple[str, ...]) -> dict[str, Any]:
    """A body with likely fields, of which some are not."""
    found: dict[str, Any] = {}
    for name in names:
        match draw(st.integers(0, 9)):
            case 0:
                continue
            case 1 | 2:
                found[name] = draw(values)
            case _:
                found[name] = draw(likely(name))
    if draw(st.integers(0, 5)) == 0:
        other = draw(
            st.sampled_from(("__proto__", "id", "role", "emailVerified", "createdAt")) | text
        )
        found[other] = draw(values)
    return found


def encoded(value: Any) -> bytes:
    """JSON with lone surrogates as escapes, NaN and whole numbers of any length included."""
    return json.dumps(value).encode()


RAW: Final = (
    b"", b"{", b"[]", b"null", b"\xff\xfe{\x00}\x00", b"\x00", b"{}{}", b"[" * 3000,
    b'{"a":' * 3000, b"NaN", b"1" * 6000, b"\xef\xbb\xbf{}",
    b'{"email":"a@b.test","email":"victim@victims.test"}', b"%", b"a=b&a=c", b"=" * 500,
    b"&" * 2000, b'{"email":"\xed\xa0\x80"}', b'{"email":"\\ud800"}',
)  # fmt: skip
MEDIA: Final = (
    b"application/json", b"application/json; charset=utf-16", b"APPLICATION/JSON", b"text/plain",
    b"application/xml", b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=x",
    b"application/json,text/plain", b"application/jsonp", b"text/plain;application/json", b"", b";",
    b"\xff", b"application/json;" * 50,
)  # fmt: skip


@st.composite
def bodies(draw: st.DrawFn, names: tuple[str, ...]) -> tuple[bytes | None, bytes | None]:
    """A body and its content type."""
    match draw(st.integers(0, 11)):
        case 0:
            return None, draw(st.none() | st.sampled_from(MEDIA))
        case 1:
            return draw(st.sampled_from(RAW) | st.binary(max_size=60)), draw(st.sampled_from(MEDIA))
        case 2:
            return encoded(draw(values)), b"application/json"
        case 3:
            given = draw(objects(names))
            pairs = (
                quote(n, safe="", errors="surrogatepass")
                + "="
                + quote(str(v), errors="surrogatepass")
                for n, v in given.items()
            )
            return "&".join(pairs).encode(), b"application/x-www-form-urlencoded"
        case 4:
            twice = encoded(draw(objects(names)))[:-1] + b"," + encoded(draw(objects(names)))[1:]
            return twice, b"application/json"
        case 5:
            return encoded(draw(objects(names))), draw(st.sampled_from(MEDIA))
        case _:
            return encoded(draw(objects(names))), b"application/json"


# --- cookies, headers, queries --------------------------------------------------------------------

OWN: Final = "§own§"
"""Stands for FUZZER's cookie, which is known when the request is sent."""
COOKIES: Final = (
    "better-auth.session_token=x.y", "better-auth.session_token=", "better-auth.session_token", "=",
    'better-auth.session_token="§own§"', " better-auth.session_token = §own§ ",
    "better-auth.session_token=§own§x", "Better-Auth.Session_Token=§own§",
    "__Secure-better-auth.session_token=§own§", "a=b", ";", "\xa0a=\xa0b",
    "__Host-better-auth.session_token=§own§", "\x85better-auth.session_token=x",
    "better-auth.session_token=%ff%fe", "better-auth.session_token=%00.%00",
    "better-auth.session_data=x", "better-auth.session_data.0=x", "better-auth.session_data.٣=x",
    "better-auth.dont_remember=x", "better-auth.state=x", "x=" + "y" * 5000,
    "better-auth.dont_remember=" + quote(signed("true"), safe=""),
    "better-auth.session_token=" + quote(signed("nobody" * 6), safe=""),
    "better-auth.session_token=" + quote(signed("\x00"), safe=""),
    "better-auth.session_token=" + quote(signed("é'"), safe=""),
)  # fmt: skip
cookies = st.lists(
    st.one_of(
        st.just(f"better-auth.session_token={OWN}"),
        st.sampled_from(COOKIES),
        st.text(
            st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"),
            max_size=30,
        ),
    ),
    max_size=4,
).map("; ".join)
field_text = st.text(
    st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=60
).map(lambda value: value.encode("latin-1").strip())
SITES: Final = (
    BASE,
    TRUSTED,
    "https://evil.test",
    "null",
    f"{BASE}.evil.test",
    "http://[::1",
    "",
    "\xff",
    f"{BASE}/x",
)
HEADERS: Final[dict[str, tuple[str, ...]]] = {
    "origin": SITES,
    "referer": SITES,
    "host": ("evil.test", "auth.gatepost.test:80", "", "[::1]:80", "a b"),
    "x-forwarded-host": ("evil.test",),
    "x-forwarded-proto": ("https", "javascript"),
    "x-forwarded-for": ("1.2.3.4", "1.2.3.4, 5.6.7.8", "::ffff:1.2.3.4", "fe80::1%eth0", "x",
    "1" * 5000), "forwarded": ("for=1.2.3.4;host=evil.test",),
    "authorization": (f"Bearer {OWN}", "Bearer", "Bearer x", "Basic eDp5", "bearer  \xff",
    "Bearer " + "x" * 5000), "user-agent": ("x" * 9000, "\xff\xfe", '"}\\n{"time":1}', "é"),
    "accept": ("*/*", "text/html", ";;;", "a" * 2000),
    "accept-encoding": ("gzip, br", "identity;q=0"),
    "content-encoding": ("gzip", "x"),
    "sec-fetch-site": ("same-origin", "cross-site", "none", "\xff"),
    "sec-fetch-mode": ("cors", "navigate"),
    "sec-fetch-dest": ("empty", "document"),
    "x-http-method-override": ("DELETE", "POST"),
    "x-request-id": ("abc", "a\tb", "x" * 65, '"}'),
    "access-control-request-method": ("POST", "x"),
    "access-control-request-headers": ("x-a", "x" * 3000, "\xff"),
    "if-none-match": ("*",),
    "range": ("bytes=0-1", "x"),
    "expect": ("100-continue",),
}  # fmt: skip


@st.composite
def headers(draw: st.DrawFn) -> Headers:
    found: list[tuple[bytes, bytes]] = []
    for name in draw(st.lists(st.sampled_from(sorted(HEADERS)), max_size=4)):
        if name == "expect":
            continue
        if draw(st.integers(0, 4)) == 0:
            found.append((name.encode(), draw(field_text)))
        else:
            found.append((name.encode(), draw(st.sampled_from(HEADERS[name])).encode("latin-1")))
    if draw(st.integers(0, 2)):
        found.append((b"origin", BASE.encode()))
    if draw(st.integers(0, 2)):
        found.append((b"cookie", draw(cookies).encode("latin-1", "replace")))
    if draw(st.integers(0, 20)) == 0:
        found.append((b"x-" + draw(st.sampled_from((b"a", b"_b", b"c.d"))), draw(field_text)))
    return tuple(found)


@st.composite
def queries(draw: st.DrawFn, names: tuple[str, ...]) -> bytes:
    if not names and draw(st.integers(0, 3)):
        return b""
    names += ("callbackURL", "disableRefresh", "error", "token")
    parts = []
    for name in draw(st.lists(st.sampled_from(names), max_size=5)):
        if draw(st.integers(0, 4)):
            value = draw(likely(name))
            text_value = value if isinstance(value, str) else str(value)
            parts.append(
                f"{name}={quote(text_value, safe='', errors='surrogatepass')[:9000]}".encode()
            )
        else:
            raw = draw(st.binary(max_size=20))
            parts.append(name.encode() + b"=" + quote_from_bytes(raw, safe="").encode())
    return b"?" + b"&".join(parts) if parts else b""


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """A request to an endpoint, somewhere between what it expects and what it does not."""
    method, path, endpoint = draw(st.sampled_from(ENDPOINTS))
    if "{" in path:
        start, _, rest = path.partition("{")
        path = (
            start
            + quote(draw(tokens), safe="", errors="surrogatepass")[:9000]
            + rest.partition("}")[2]
        )
    given = draw(headers())
    target = path.encode() + draw(queries(fields_of(endpoint.query)))
    if method == "GET":
        return Request("GET", target, given)
    body, media = draw(bodies(fields_of(endpoint.body)))
    if media is not None:
        given = (*given, (b"content-type", media))
    return Request(method, target, given, body, chunked=bool(body) and draw(st.booleans()))


PIECES: Final = (
    *("/", "//", "/./", "/../", "%2f", "%2F", "%00", "%", ";x", "%20", "%c0%af", "\\", ".json"),
    *("%0d%0a", "%e9", "*", ":", "@", "#", "+", "%25"),
)


@st.composite
def variants(draw: st.DrawFn) -> Request:
    """A request to an endpoint by another method, or another spelling of its path."""
    method, path, endpoint = draw(st.sampled_from(ENDPOINTS))
    path = path.replace("{token}", "x").replace("{id}", "x")
    for _ in range(draw(st.integers(1, 3))):
        cut = draw(st.integers(1, len(path)))
        piece = draw(st.sampled_from(PIECES))
        path = draw(st.sampled_from((path[:cut] + piece + path[cut:], path.upper(), path + piece)))
    if draw(st.integers(0, 2)) == 0:
        methods = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")
        method = draw(st.sampled_from(methods))
    given = draw(headers())
    body, media = draw(bodies(fields_of(endpoint.body)))
    if media is not None:
        given = (*given, (b"content-type", media))
    target = path.encode("utf-8").replace(b"#", b"%23")
    return Request(method, target, given, body if method not in ("GET", "HEAD") else None)


# --- the tests ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def target(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with attacked(module_database_url, tmp_path_factory.mktemp("attacked")) as target:
        yield target


def send(target: Target, request: Request) -> Answer:
    """Send it as FUZZER where it has their cookie."""
    own = [OWN.encode("latin-1") in value for _, value in request.headers]
    if any(own):
        target.sign_in()
        cookie = target.own_cookie.encode()
        named = tuple((n, v.replace(OWN.encode("latin-1"), cookie)) for n, v in request.headers)
        request = Request(request.method, request.target, named, request.body, request.chunked)
    answer = target.wire.send(request)
    target.check(request, answer)
    return answer


def test_endpoint_withstands_whatever_it_is_sent(target: Target) -> None:
    statuses: set[int] = set()

    def attack(example: Request) -> None:
        for request in mutated(example):
            statuses.add(send(target, request).status)

    target.attack(requests(), attack)
    assert {200, 302, 400, 401, 403} <= statuses  # or they are all turned away at the first check


def test_another_spelling_of_a_path_is_no_endpoint(target: Target) -> None:
    def attack(example: Request) -> None:
        for request in mutated(example):
            send(target, request)

    target.attack(variants(), attack, CASES // 3)
