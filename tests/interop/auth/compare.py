"""Compare two transcripts: what a server makes up gets a name, everything else must be equal.

Ids and tokens are named by where they first appear, so that the same value in two places is the
same name in two places. A time must have three fractional digits and Z; it is named by the
request during which the clock showed it, plus whole hours: ``<POST /sign-in/email +168 h>``.
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote, unquote

from tests.interop.auth.servers import SECRET
from tests.interop.auth.visitor import Answer, Entry, signature

HEADERS: Final = (
    "content-type",
    "location",
    "cache-control",
    "pragma",
    "access-control-expose-headers",
    "allow",
    "www-authenticate",
)
"""The headers that are compared, beside Set-Cookie, Set-Auth-Token and X-Retry-After."""

SAFER: Final = {"cache-control": ["no-store"]}
"""What Gatepost sends with every response, where Better Auth sends nothing: each may hold a
person's data, which no cache is to keep."""

HINTED: Final = "MISSING_OR_NULL_ORIGIN"
"""The code of the error that has a field ``hint`` besides, for a developer whose client is no
browser: Better Auth leaves him with a message that says what is missing and not where to put it."""

OWN_STATE: Final = re.compile(r"\S+state_[\w-]{32}=")
"""The cookie that each state has of its own, so that a second tab ends no sign-in of the first;
the one beside it, which Better Auth has too, lives as long as the state: five minutes more."""

_VOLATILE: Final = re.compile(
    r"(?P<jwt>eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+)"
    r"|(?P<time>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[\d.]*(?:Z|[+-]\d\d(?::?\d\d)?)?)"
    r"|(?P<id>\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b)"
    r"|(?P<code>(?:(?<=\.code\.)|(?<=\.access\.)|(?<=\.refresh\.))[\w-]{22})"
    r"|(?P<box>\b[0-9a-f]{82,}\b)"
    r"|(?P<random>(?<![\w-])(?=[\w-]*[a-z])(?=[\w-]*[A-Z])(?:[\w-]{128}|[\w-]{43}|[\w-]{32})(?![\w-]))"
    r"|(?P<token>(?<![A-Za-z0-9])(?:[A-Za-z0-9]{32}|[A-Za-z0-9]{24})(?![A-Za-z0-9]))"
)
# Gatepost verifies the ID tokens that these give for a code, and binds them to the sign-in
_OWN_NONCE: Final = re.compile(
    r"(https://(?:accounts\.google|login\.microsoftonline|appleid\.apple)\.com/\S*?"
    r"|https://id\.twitch\.tv/\S*?)&nonce=[\w-]{32}"
)
_OWN_NONCE_ISSUERS: Final = (
    r"https://(accounts\.google\.com|login\.microsoftonline\.com|appleid\.apple\.com"
    r"|id\.twitch\.tv)\b"
)
_AUTHORIZATION: Final = re.compile(r"(https?://[^\s?]+\?)(response_type=\S+)")
"""Where a browser is sent, at a provider. The parameters have no order (RFC 6749 §4.1.1)."""
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_SLACK: Final = 0.002  # seconds: milliseconds are cut off or rounded


@dataclass(frozen=True)
class Difference:
    """One thing that is not the same."""

    entry: str
    what: str
    expected: Any
    got: Any

    def __str__(self) -> str:
        return f"{self.entry}: {self.what}\n    expected {self.expected}\n    got      {self.got}"


@dataclass
class Names:
    """Names for what one server made up in the course of one transcript."""

    transcript: Sequence[Entry]
    _known: dict[str, str] = field(default_factory=dict)
    _entry: str = ""
    _in_entry: int = 0

    def entry(self, entry: Entry) -> dict[str, Any]:
        """What is compared of an entry, by what it is."""
        self._entry, self._in_entry = entry.name, 0
        answer = entry.answer
        if not isinstance(answer, Answer):
            return {"value": self.value(answer)}
        compared: dict[str, Any] = {"status": answer.status}
        compared |= {name: [self.text(value) for value in answer.all(name)] for name in HEADERS}
        compared["x-retry-after"] = [self.rest(wait, entry) for wait in answer.all("x-retry-after")]
        compared["set-auth-token"] = [self.signed(mark) for mark in answer.all("set-auth-token")]
        compared["set-cookie"] = [
            self.cookie(line) for line in answer.all("set-cookie") if not OWN_STATE.match(line)
        ]
        if compared["content-type"] == ["application/json"] and answer.body:
            body = json.loads(answer.body)
            if isinstance(body, dict) and body.get("code") == HINTED:
                body.pop("hint", None)
            compared["json"] = self.value(body)
        else:
            compared["body"] = self.text(answer.body.decode())
        return compared

    def rest(self, wait: str, entry: Entry) -> str:
        """Seconds to wait: what is left of a window that began in the course of the transcript."""
        for window in (10, 60):
            if 0 <= window - int(wait) <= entry.received - self.transcript[0].sent:
                return f"<the rest of {window} s>"
        return wait

    def value(self, value: Any) -> Any:
        """A JSON value; the members of an object have no order."""
        if isinstance(value, dict):
            if isinstance(value.get("iat"), int):
                value = self._claims(value)
            return {key: self.value(value[key]) for key in sorted(value)}
        if isinstance(value, list):
            if all(isinstance(item, dict) and "createdAt" in item for item in value):
                value = sorted(value, key=lambda row: row["createdAt"])  # rows come in any order
            return [self.value(item) for item in value]
        return self.text(value) if isinstance(value, str) else value

    def _claims(self, claims: Mapping[str, Any]) -> dict[str, Any]:
        """Those of a token, without the seconds that are never the same."""
        given = dict(claims)
        if re.match(_OWN_NONCE_ISSUERS, str(given.get("iss"))):
            given.pop("nonce", None)
        given["exp"] = f"{given.get('exp', 0) - given['iat']:+d} s"
        began, ended = self.transcript[0].sent - 1, self.transcript[-1].received
        given["iat"] = "then" if began <= given["iat"] <= ended else "at another time"
        return given

    def cookie(self, line: str) -> str:
        """A Set-Cookie header; a good signature is named, and its value."""
        pair, separator, attributes = line.partition(";")
        name, _, raw = pair.partition("=")
        if name.endswith(".state"):
            attributes = attributes.replace("Max-Age=600;", "Max-Age=300;")
        encoded = "" if quote(unquote(raw), safe="-_.!~*'()") == raw else "<badly encoded>"
        return f"{name}={encoded}{self.signed(unquote(raw))}{separator}{attributes}"

    def signed(self, text: str) -> str:
        """A value and its signature; where that is good, it is named."""
        value, _, mark = text.rpartition(".")
        if value and hmac.compare_digest(mark, signature(value)):
            return f"<signed {self.text(value)}>"
        return self.text(text)

    def text(self, text: str) -> str:
        """A text with names for what was made up."""
        text = _AUTHORIZATION.sub(_in_order, _OWN_NONCE.sub(r"\1", text))
        return _VOLATILE.sub(self._name, text)

    def _name(self, match: re.Match[str]) -> str:
        kind, text = match.lastgroup, match[0]
        if kind == "time":
            return self._time(text)
        if kind == "jwt":
            return self._jwt(text)
        if text not in self._known:
            self._in_entry += 1
            self._known[text] = f"<{kind} {self._in_entry} of {self._entry}>"
        return self._known[text]

    def _time(self, text: str) -> str:
        if not _TIME.fullmatch(text):
            return f"<a time of another form: {re.sub('[0-9]', '9', text)}>"
        stamp = datetime.fromisoformat(text).timestamp()
        for entry in reversed(self.transcript):
            hours = round((stamp - entry.sent) / 3600)
            clock = stamp - 3600 * hours
            if entry.sent - _SLACK <= clock <= entry.received + _SLACK:
                return f"<{entry.name} {hours:+d} h>"
        return f"<a time of no request: {text}>"

    def _jwt(self, text: str) -> str:
        """A token by mail: header, claims and whether the signature is right."""
        head, body, mark = text.split(".")
        digest = hmac.new(SECRET.encode(), f"{head}.{body}".encode(), hashlib.sha256).digest()
        good = "signed" if base64.urlsafe_b64encode(digest).decode().rstrip("=") == mark else "bad"
        try:
            header, claims = (
                json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
                for part in (head, body)
            )
        except (ValueError, binascii.Error):
            return f"<no JWT: {text}>"
        if "kid" in header:
            header["kid"] = "…"
        if isinstance(claims, dict):
            # Gatepost's own, by which a link is ended; clients and Better Auth do not read it
            claims.pop("jti", None)
        return f"<{good} JWT {header} {self.value(claims)}>"


def _in_order(match: re.Match[str]) -> str:
    return match[1] + "&".join(sorted(match[2].split("&")))


def differences(
    expected: Sequence[Entry],
    got: Sequence[Entry],
    safer: Mapping[str, list[str]] = MappingProxyType({}),
) -> Iterator[Difference]:
    """Everything in which the second transcript is not like the first.

    Where the first lacks a header in ``safer``, the second must have it.
    """
    theirs, ours = Names(expected), Names(got)
    for one, other in zip(expected, got, strict=False):
        if one.name != other.name:
            yield Difference(one.name, "what was asked", one.name, other.name)
            return
        left, right = theirs.entry(one), ours.entry(other)
        for header in safer.keys() & left.keys():
            left[header] = left[header] or safer[header]
        for what in left.keys() | right.keys():
            yield from _unequal(one.name, what, left.get(what), right.get(what))
    if len(expected) != len(got):
        left, right = (entries[-1].name for entries in (expected, got))
        yield Difference("the end", f"{len(expected)} entries, {len(got)} here", left, right)


def _unequal(entry: str, what: str, expected: Any, got: Any) -> Iterator[Difference]:
    if isinstance(expected, dict) and isinstance(got, dict):
        for key in sorted(expected.keys() | got.keys()):
            one, other = expected.get(key, "absent"), got.get(key, "absent")
            yield from _unequal(entry, f"{what}.{key}", one, other)
    elif isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        for number, (one, other) in enumerate(zip(expected, got, strict=True)):
            yield from _unequal(entry, f"{what}[{number}]", one, other)
    elif expected != got or type(expected) is not type(got):
        yield Difference(entry, what, expected, got)
