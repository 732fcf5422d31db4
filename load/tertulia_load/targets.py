"""The servers to load: addresses, and whether this machine alone is meant."""

import ipaddress
import socket
from collections.abc import Sequence
from typing import Final

import msgspec

from tertulia.clients.targets import TargetError, split
from tertulia.domain import addresses
from tertulia_load import dialects

CLIENTS_PER_SOURCE: Final = 20_000
"""Clients of one source address. A source has some 28,000 ports for one service, and some are taken."""
DEVICE: Final = "device"
"""The dialect without connections that stay: it is loaded by itself."""
MAX_SOURCES: Final = 200
"""Source addresses in 127.0.0.0/24 from which clients come when there are many."""


class Target(msgspec.Struct, frozen=True):
    """One address on which clients of one dialect are accepted."""

    dialect: str
    name: str
    """The host as it was given."""
    address: str
    """The one it was found to be: looked up once, so that what was checked is what is loaded."""
    port: int

    def __str__(self) -> str:
        return f"{self.dialect} {self.place}"

    @property
    def place(self) -> str:
        """Host and port, as given."""
        return addresses.host_port(self.name, self.port)

    @property
    def family(self) -> socket.AddressFamily:
        """IPv4 or IPv6."""
        return socket.AF_INET6 if ":" in self.address else socket.AF_INET

    def source(self, client: int) -> str | None:
        """Return the address from which a client should come; None where that does not matter."""
        block = client // CLIENTS_PER_SOURCE
        if not block or self.family is not socket.AF_INET or not _is_loopback(self.address):
            return None
        return f"127.0.0.{1 + block % MAX_SOURCES}"


def target(value: str, mine: Sequence[str] = ()) -> Target:
    """Read DIALECT=HOST:PORT and look the host up.

    Raises TargetError where it is malformed or unknown, or is not this machine and is not one of the
    hosts that were named as one's own.
    """
    dialect, bare, number = split(value, (*dialects.NAMES, DEVICE))
    address = _look_up(bare, number)
    if not _is_loopback(address) and bare not in mine:
        raise TargetError(
            f"{value!r} is {address}, which is not this machine. A load test can take a service down: if "
            f"it is yours, and may be, add --yes-this-is-my-service {bare}"
        )
    return Target(dialect, bare, address, number)


def _look_up(host: str, port: int) -> str:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise TargetError(f"{host} is unknown: {getattr(error, 'strerror', error)}") from None
    return str(found[0][4][0])


def _is_loopback(address: str) -> bool:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(parsed, "ipv4_mapped", None)
    return (mapped or parsed).is_loopback
