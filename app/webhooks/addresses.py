"""Which addresses a webhook may have, and how the log names one."""

from typing import Final
from urllib.parse import urlsplit

MAX_LENGTH: Final = 2048
_LOCAL: Final = frozenset(("127.0.0.1", "localhost", "::1"))


def refusal(url: str, *, private: bool) -> str | None:
    """Why an address is none that is sent to, in a few words; None: it is one.

    ``private``: http to this machine will do. Where a name leads is looked at when it is sent.
    """
    if len(url) > MAX_LENGTH:
        return f"it is longer than {MAX_LENGTH} characters"
    if not url.isascii() or not url.isprintable() or " " in url:
        return "it has characters that are to be percent-encoded"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "it is no address"
    if not host or parts.scheme not in ("http", "https"):
        return "it does not begin with https:// and the name of a host"
    if "@" in parts.netloc:
        return "it has a user or a password in it"
    if "#" in url:
        return "it has a fragment (#), which is never sent"
    if parts.scheme == "http" and not private:
        return "it does not begin with https://"
    if parts.scheme == "http" and host not in _LOCAL:
        return "it begins with http:// and leads to another machine"
    return None


def host_of(url: str) -> str:
    """The host of an address: its path and its query may be secret."""
    return urlsplit(url).netloc
