"""The client's address, from X-Forwarded-For.

A header with one valid address is taken. A chain is read from the right, and the trusted proxies
in it are skipped; without trusted proxies a chain says nothing. IPv6 counts by its first 64 bits,
which is what one subscriber has.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from socket import AF_INET, inet_pton

Network = IPv4Network | IPv6Network


def client_ip(forwarded: str, proxies: Sequence[Network]) -> str | None:
    """The address as it is stored and counted, or None when it is not known."""
    if not proxies:
        return None if "," in forwarded else _address(forwarded.strip())
    hops = [hop.strip() for hop in forwarded.split(",")]
    for hop in filter(None, reversed(hops)):
        address = _parsed(hop)
        if address is None:
            return None
        if not any(address in network for network in proxies):
            return _normal(address)
    return None


def _address(text: str) -> str | None:
    try:
        inet_pton(AF_INET, text)  # which takes the one form that is normal, and quickly
    except (OSError, ValueError):
        address = _parsed(text)
        return _normal(address) if address else None
    return text


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return None
        return address.ipv4_mapped or address
    return address


def _normal(address: IPv4Address | IPv6Address) -> str:
    if isinstance(address, IPv4Address):
        return str(address)
    masked = IPv6Address(int(address) >> 64 << 64)
    return masked.exploded
