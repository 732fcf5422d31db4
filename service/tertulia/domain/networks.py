"""Where clients come from: the plain form of an address, and the network that counts as one client."""

import ipaddress
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_IPV6_NETWORK: Final = 64
"""Bits. One household or machine has a whole network of this size to connect from."""


def parsed(address: str) -> Address | None:
    """Read a socket's address: without its interface, and as IPv4 where it is IPv4 mapped into IPv6.

    None for a text that is no address, as a Unix socket's.
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found


def network_of(address: str) -> str:
    """Return the network of a client: its IPv4 address, or the first 64 bits of its IPv6 address."""
    if ":" not in address:
        return address  # IPv4, which has only one spelling, or a Unix socket's: nothing to parse
    found = parsed(address)
    if found is None:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    rest = 128 - _IPV6_NETWORK
    return f"{ipaddress.IPv6Address(int(found) >> rest << rest)}/{_IPV6_NETWORK}"
