"""Connections to public addresses only, so that a provider's configuration, its discovery document
or the address of a webhook cannot make the service ask what is in its own network (SSRF).

The name is looked up once, every address is checked, and the connection goes to a checked address:
what the name means a moment later does not matter. TLS still verifies the name.
"""

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

import httpx

_MOST_ADDRESSES: Final = 4
"""Addresses of a name that are tried."""
_EMBEDDING: Final = ip_network("64:ff9b::/96")
"""NAT64: an IPv4 address in the last four bytes."""
_REFUSED: Final = tuple(
    map(
        ip_network,
        (
            "168.63.129.16/32",  # Azure's metadata, on an address that is public by its number
            "192.0.0.0/24",
            "192.88.99.0/24",
            "64:ff9b:1::/48",
            "fec0::/10",
        ),
    )
)


class PrivateAddressError(httpx.ConnectError):
    """A name means an address that is not public."""


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address, and the one that it embeds, belongs to the internet."""
    if isinstance(address, IPv6Address):
        teredo = address.teredo
        embedded = [address.ipv4_mapped, address.sixtofour, *(teredo or ())]
        if address in _EMBEDDING:
            embedded.append(IPv4Address(address.packed[-4:]))
        found = [each for each in embedded if each is not None]
        if found:
            return all(is_public(each) for each in found)
        if address.scope_id is not None:
            return False
    if address.is_multicast or address.is_reserved or not address.is_global:
        return False
    return not any(address in network for network in _REFUSED if network.version == address.version)


async def public_addresses(host: str, port: int) -> list[str]:
    """The addresses of a name. Raises PrivateAddressError when one of them is not public, and
    httpx.ConnectError when there is none."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise httpx.ConnectError("the name of the host is not known") from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not all(is_public(ip_address(address)) for address in addresses):
        raise PrivateAddressError("the host is in a private network")
    return addresses


class PublicTransport(httpx.AsyncBaseTransport):
    """Connects to public addresses only. It keeps no connection: one is known by its address,
    and was verified for one of the names that share it."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        """``transport`` keeps no connection alive."""
        self._transport = transport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        port = url.port or (443 if url.scheme == "https" else 80)
        addresses = (await public_addresses(url.host, port))[:_MOST_ADDRESSES]
        extensions = {**request.extensions, "sni_hostname": url.raw_host.decode("ascii")}
        for position, address in enumerate(addresses, 1):
            direct = httpx.Request(
                request.method,
                url.copy_with(host=address),
                headers=request.headers,  # its Host is the name's
                stream=request.stream,
                extensions=extensions,
            )
            try:
                return await self._transport.handle_async_request(direct)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if position == len(addresses):
                    raise
        raise httpx.ConnectError("the name of the host has no address")

    async def aclose(self) -> None:
        await self._transport.aclose()
