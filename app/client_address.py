"""The client's address: the peer's, or what a trusted proxy says.

Only a peer in GATEPOST_TRUSTED_PROXIES is believed. Its X-Forwarded-For is read from the right,
where that proxy wrote, past further trusted proxies; what is no address ends the walk. IPv6 counts
by its first 64 bits, which is what one subscriber has.
"""

import logging
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from starlette.types import Scope

from .settings.environment import Proxy

_LONGEST = 45
"""Characters of an address at most; nothing longer is kept in the cache."""
_log = logging.getLogger("gatepost")


class ClientAddresses:
    """Reads the address from the scope of a request."""

    def __init__(self, proxies: Sequence[Proxy]) -> None:
        self._networks = [proxy for proxy in proxies if not isinstance(proxy, str)]
        self._trusts_sockets = "unix" in proxies
        self._read = lru_cache(maxsize=10_000)(self._parse)
        self._said = False

    def of(self, scope: Scope) -> str | None:
        """The address as it is stored and counted; None when it is not known.

        It is not known when a trusted proxy names none, and behind a Unix socket that
        ``unix`` does not trust: whoever is not known counts as one client.
        """
        client = scope.get("client")
        peer = client[0] if client else None
        if peer and len(peer) <= _LONGEST:
            without_scope = peer.partition("%")[0]  # fe80::1%eth0
            address, trusted = self._read(without_scope)
        else:
            address, trusted = None, False
        if trusted or (address is None and self._trusts_sockets):
            return self._forwarded(scope)
        if not self._said and any(name == b"x-forwarded-for" for name, _ in scope["headers"]):
            self._said = True
            _log.warning(
                "X-Forwarded-For from %s is ignored, and all that it forwards count as one client: "
                "if it is your proxy, name it in GATEPOST_TRUSTED_PROXIES",
                address or "a peer without an address",
            )
        return address

    def _forwarded(self, scope: Scope) -> str | None:
        lines = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        for hop in reversed(b",".join(lines).decode("latin-1").split(",")):
            if not (hop := hop.strip(" \t")):
                continue
            address, trusted = self._read(hop) if len(hop) <= _LONGEST else (None, False)
            if not trusted:
                return address
        return None

    def _parse(self, text: str) -> tuple[str | None, bool]:
        """An address as it is counted, and whether it is a proxy's."""
        address = _address(text)
        if address is None:
            return None, False
        return _counted(address), any(address in network for network in self._networks)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return None if address.scope_id is not None else address.ipv4_mapped or address
    return address


def _counted(address: IPv4Address | IPv6Address) -> str:
    if isinstance(address, IPv4Address):
        return str(address)
    return IPv6Address(int(address) >> 64 << 64).exploded
