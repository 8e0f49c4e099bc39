"""What of a request says who sent it: the session cookie, or a bearer token."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol


class HasHeaders(Protocol):
    """A request of Starlette, FastAPI, Django, Flask, aiohttp, httpx …"""

    @property
    def headers(self) -> Mapping[str, str]: ...


Source = HasHeaders | Mapping[str, str]
"""A request, or its headers alone, by names in any case."""

_PREFIXES: Final = ("__Host-", "__Secure-", "")
_SENDABLE: Final = re.compile(r"[\x21-\x7e]{1,4096}")
"""What a session cookie or token consists of; nothing else is worth a question."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """One of the two: a bearer token wins, for no page of another site can send one."""

    cookies: tuple[str, ...] = field(default=(), repr=False)
    """``name=value`` of the cookies that make a session, as they came."""
    bearer: str | None = field(default=None, repr=False)

    def __bool__(self) -> bool:
        return bool(self.cookies or self.bearer)

    @property
    def headers(self) -> dict[str, str]:
        """What to send on: never another cookie of the application."""
        if self.bearer:
            return {"Authorization": f"Bearer {self.bearer}"}
        return {"Cookie": "; ".join(self.cookies)}


def headers_of(source: Source) -> dict[str, str]:
    """The headers by lower-case names."""
    # Starlette's requests are mappings too, of something else
    headers: Any = getattr(source, "headers", source)
    found: dict[str, str] = {}
    for name, value in headers.items():
        key = name.lower()
        # HTTP/2 may send cookies in several headers
        found[key] = f"{found[key]}; {value}" if key == "cookie" and key in found else value
    return found


def credentials(headers: Mapping[str, str], cookie_prefix: str) -> Credentials:
    """``headers`` by lower-case names."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        token = token.strip()
        return Credentials(bearer=token if _SENDABLE.fullmatch(token) else None)
    tokens = session_cookies(cookie_prefix)
    wanted = (*tokens, *(name.replace("session_token", "dont_remember") for name in tokens))
    pairs = [pair.strip(" \t") for pair in headers.get("cookie", "").split(";")]
    cookies = tuple(
        pair for pair in pairs if pair.partition("=")[0] in wanted and _SENDABLE.fullmatch(pair)
    )
    if not any(pair.partition("=")[0] in tokens for pair in cookies):
        return Credentials()
    return Credentials(cookies=cookies)


def session_cookies(cookie_prefix: str) -> tuple[str, ...]:
    """The names that a session's cookie may have, the one that is hardest to set first."""
    return tuple(f"{prefix}{cookie_prefix}.session_token" for prefix in _PREFIXES)
