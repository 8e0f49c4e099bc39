"""Whether a page of another site may have sent a request with the user's cookie (CSRF).

A browser says in ``Sec-Fetch-Site`` and ``Origin`` where a request comes from, and no page can
change that. Sources: the Fetch Metadata and Fetch specifications; OWASP's cheat sheet on CSRF.
"""

from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import urlsplit

from .errors import OriginError

_SAFE: Final = ("GET", "HEAD", "OPTIONS", "TRACE")


def check_origin(
    method: str, headers: Mapping[str, str], trusted_origins: Collection[str] = ()
) -> None:
    """Raise OriginError for a request with a cookie that another site may have sent.

    ``headers`` by lower-case names; ``method`` is ``"WEBSOCKET"`` for a handshake, which is checked
    always: it is a GET that browsers send to any site, with its cookies. A method that changes
    nothing is let through. A client that is no browser sends a bearer token, or an Origin.
    """
    if method.upper() in _SAFE:
        return
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if origin in trusted_origins and origin is not None:
        return
    if site is not None:
        if site in ("same-origin", "none"):
            return
        raise OriginError(f"a page of another origin sent this request: {origin or site}")
    if origin is None:
        raise OriginError("a request with a session cookie needs the header Origin")
    host = urlsplit(origin).netloc
    if not host or host.lower() != headers.get("host", "").lower():
        raise OriginError(f"a page of another origin sent this request: {origin}")
