"""Says in the log which origin was refused and which setting would let it in, once for each.

A page of that origin only learns that it may not read the response, whatever the reason.
"""

import logging
from collections.abc import Iterable
from typing import Final

from ada_url import URL

from ..logs import RATE_LIMIT

_log: Final = logging.getLogger("gatepost.origins")
_log.addFilter(RATE_LIMIT)
_MOST: Final = 100
"""Origins that are remembered; strangers can send any number of them."""
_LONGEST: Final = 300  # characters of an address with an origin worth naming
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


class RefusedOrigins:
    """The origins that were named last."""

    def __init__(self, own: str) -> None:
        self._own = own
        self._named: dict[str, None] = {}

    def name(self, given: str) -> None:
        """``given``: the Origin of a request, or else its Referer; empty without either."""
        origin = given if given in ("", "null") else _origin_alone(given)
        if origin is None or origin in self._named:
            return
        if len(self._named) >= _MOST:
            del self._named[next(iter(self._named))]
        self._named[origin] = None
        if not origin:
            _log.warning("a request without an Origin was refused: %s", missing_origin(self._own))
        else:
            _log.warning("the origin %s is refused: %s", origin, self._reason(origin))

    def _reason(self, origin: str) -> str:
        if origin == "null":
            return "a file, a sandboxed frame or a redirect from another site has no other"
        reason = "if it is yours, add it to GATEPOST_TRUSTED_ORIGINS"
        if (advice := mixed_loopback(self._own, origin)) is None:
            return reason
        if origin == _moved(self._own, origin):
            reason = f"GATEPOST_BASE_URL is {self._own}"
        return f"{reason}. {advice}"


def missing_origin(own: str) -> str:
    """What a client that is no browser has to do."""
    return (
        "outside of a browser a client sends an Origin itself, as in "
        f'createAuthClient({{ fetchOptions: {{ headers: {{ Origin: "{own}" }} }} }})'
    )


def mixed_loopback(own: str, origin: str) -> str | None:
    """What to do about an origin that calls this machine otherwise than ``own`` does, or None."""
    ours, theirs = _hostname(own), _hostname(origin)
    if ours == theirs or not {ours, theirs} <= _LOOPBACK:
        return None
    return (
        f"To a browser {ours} and {theirs} are two sites, and it does not send the cookies of one "
        f"with requests of the other: open {_moved(origin, own)}, "
        f"or set GATEPOST_BASE_URL={_moved(own, origin)}"
    )


def mixed_names(own: str, origins: Iterable[str]) -> list[str]:
    """A warning for each origin that calls this machine otherwise than ``own`` does."""
    return [
        f"{origin} does not go with GATEPOST_BASE_URL={own}. {advice}"
        for origin in origins
        if (advice := mixed_loopback(own, origin))
    ]


def _parsed(url: str) -> URL | None:
    try:
        return URL(url)
    except ValueError:
        return None


def _hostname(url: str) -> str | None:
    parsed = _parsed(url)
    return parsed.hostname if parsed else None


def _moved(url: str, to: str) -> str | None:
    """The origin of ``url`` with the host name of ``to``."""
    parsed, hostname = _parsed(url), _hostname(to)
    if parsed is None or not hostname:
        return None
    parsed.hostname = hostname
    return parsed.origin


def _origin_alone(url: str) -> str | None:
    """The origin of an address without the rest, which may hold a secret."""
    parsed = _parsed(url) if len(url) <= _LONGEST and "://" in url else None
    return f"{parsed.protocol}//{parsed.host}" if parsed else None
