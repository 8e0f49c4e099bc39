"""Which origins and callback addresses are trusted, and how one is led back to them.

An entry is an origin (``https://app.example.com``), one with wildcards (``https://*.example.com``;
without ``://`` it is matched against host and port alone), or an app's own scheme
(``myapp://``). ``*`` also crosses dots, ``?`` is one character.

Addresses are parsed by the WHATWG URL Standard (Ada, the parser that Node uses) and judged after
the parse, so that what is checked here is where a browser goes.
"""

import re
from collections.abc import Iterable
from ipaddress import IPv4Address
from typing import Final
from urllib.parse import quote

from ada_url import URL, URLSearchParams

from .refused_origins import RefusedOrigins

_HTTP: Final = ("http:", "https:")
_AMBIGUOUS: Final = re.compile(r"[\x00-\x1f\x7f\\]")
"""What browsers drop or take for a slash, and other readers do not."""
_MAX_HOST: Final = 260
"""Characters of a name and a port. Entries with several wildcards take long for a longer one."""
_ENCODED_SLASH: Final = re.compile(r"%(2f|5c)", re.IGNORECASE)


def _parsed(url: str, base: str | None = None) -> URL | None:
    try:
        return URL(url, base) if base else URL(url)
    except ValueError:
        return None


def origin_of(url: str) -> str | None:
    """Scheme, host and port of an http address, or None."""
    parsed = _parsed(url)
    return parsed.origin if parsed is not None and parsed.protocol in _HTTP else None


class Origins:
    """The trusted entries; the first is the service's own origin."""

    def __init__(self, base_url: str, entries: Iterable[str]) -> None:
        self.own: Final = origin_of(base_url) or base_url
        self._entries = (self.own, *entries)
        self._refused = RefusedOrigins(self.own)

    def allows(self, origin: str) -> bool:
        """Whether a request may come from ``origin``, its Origin or else its Referer."""
        if origin not in ("", "null") and self.trusts(origin):
            return True
        self._refused.name(origin)
        return False

    def trusts(self, url: str, *, relative: bool = False) -> bool:
        """Whether ``url`` leads to a trusted place; ``relative``: a path of our own will do."""
        if _AMBIGUOUS.search(url):
            return False
        if url.startswith("/"):
            return relative and self._is_own_path(url)
        parsed = _parsed(url)
        if parsed is None or len(parsed.host) > _MAX_HOST:
            return False
        return any(_matches(parsed, entry) for entry in self._entries)

    def _is_own_path(self, url: str) -> bool:
        parsed = _parsed(url, self.own)
        if parsed is None or parsed.origin != self.own or url.startswith("//"):
            return False
        # without its dots `/.//evil.example` is another site's address
        path = parsed.pathname
        return not path.startswith("//") and _ENCODED_SLASH.search(path) is None

    @staticmethod
    def header(url: str) -> str:
        """An address as it was given, with what a header cannot carry percent-encoded."""
        return quote(url, safe="".join(chr(c) for c in range(0x21, 0x7F)))

    def back(self, url: str) -> str:
        """A trusted callback as a Location: ASCII, resolved, encoded; a path stays one."""
        parsed = _parsed(url, self.own)
        return self.own if parsed is None else _relative(url, parsed)

    def absolute(self, url: str) -> str:
        """A trusted callback with its origin."""
        parsed = _parsed(url, self.own)
        return self.own if parsed is None else parsed.href

    def back_with_error(self, url: str, error: str, description: str = "") -> str:
        """A callback with ``error`` and its description after what its query holds already."""
        parsed = _parsed(url, self.own)
        if parsed is None:
            return self.own
        added = URLSearchParams("")
        added.append("error", error)
        if description:
            added.append("error_description", description)
        parsed.search += f"{'&' if parsed.search else '?'}{added}"
        # a fragment without a text is one, too
        return _relative(url, parsed) + ("#" if url.endswith("#") else "")

    def back_with(self, url: str, name: str, value: str) -> str:
        """A callback, absolute, with a parameter set in its query."""
        parsed = _parsed(url, self.own)
        if parsed is None:
            return self.own
        parameters = URLSearchParams(parsed.search)
        parameters.set(name, value)
        parsed.search = str(parameters)
        return parsed.href


def _relative(given: str, parsed: URL) -> str:
    if given.startswith("/") and not parsed.pathname.startswith("//"):
        return parsed.pathname + parsed.search + parsed.hash
    return parsed.href


def _matches(url: URL, entry: str) -> bool:
    scheme, separator, rest = entry.lower().partition("://")
    http = url.protocol in _HTTP
    if "*" not in entry and "?" not in entry:
        trusted = _parsed(entry)
        if http:
            return trusted is not None and url.origin == trusted.origin
        host, _, path = rest.partition("/")
        return url.protocol == f"{scheme}:" and host in ("", url.host) and _is_below(url, path)
    if not separator:
        return http and _like_host(entry.lower(), url.host)
    if http:
        return _like(entry.lower(), url.origin) and _is_numeric_alike(rest, url)
    host, _, path = rest.partition("/")
    return url.protocol == f"{scheme}:" and _like(host, url.host) and _is_below(url, path)


def _is_below(url: URL, path: str) -> bool:
    prefix = f"/{path}".rstrip("/")
    return not prefix or url.pathname == prefix or url.pathname.startswith(f"{prefix}/")


def _like_host(pattern: str, host: str) -> bool:
    if not re.search(r"[^0-9.*?:]", pattern) and not _is_ipv4(host):
        return False
    return _like(pattern, host)


def _is_numeric_alike(pattern: str, url: URL) -> bool:
    return bool(re.search(r"[^0-9.*?:]", pattern)) or _is_ipv4(url.host)


def _is_ipv4(host: str) -> bool:
    try:
        IPv4Address(host.partition(":")[0])
    except ValueError:
        return False
    return True


def _like(pattern: str, text: str) -> bool:
    parts = (".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)
    return re.fullmatch("".join(parts), text) is not None
