"""Where devices are: what the service tells, what a connection shows, and when the two agree."""

import ipaddress

from tertulia.domain.networks import parsed

_LOCALHOST = "localhost"
_THIS_MACHINE = frozenset(map(ipaddress.ip_address, ("127.0.0.1", "::1")))
"""Two families' names for one place. The other loopback addresses are told apart."""


def told_host(told: str, service_address: str) -> str:
    """Return the one host where a device is to be dialled, and from which it dials.

    ``told``: the service's answer to operation 12. Empty where that names no single host, as of a device
    of which I am not to know. ``service_address``: where the service is, as seen from here.
    """
    address = parsed(told)
    if address is None or address.is_unspecified or address.is_multicast:
        return ""
    if address.is_loopback and not is_loopback(service_address):
        # A device beside the service has told it a loopback address, which is another one's here.
        return service_address
    return str(address)


def is_same_host(one: str, other: str) -> bool:
    """Say whether two addresses are one host's, in whatever form: ``::ffff:10.0.0.7`` is ``10.0.0.7``."""
    first, second = parsed(one), parsed(other)
    if first is None or second is None:
        return False
    return first == second or (first in _THIS_MACHINE and second in _THIS_MACHINE)


def source_for(host: str | None, service_host: str) -> str | None:
    """Return the address to call the service from, which it tells to others; None: any.

    That is the one to listen on, unless that is a name, all of the machine's, or one from which the
    service can't be reached.
    """
    if host is None or (is_loopback(host) and not is_loopback(service_host)):
        return None
    try:
        return None if ipaddress.ip_address(host).is_unspecified else host
    except ValueError:
        return None


def source_to(own: str, host: str) -> str | None:
    """Return the address to dial a peer from: the one that the service has of me, by which it knows me.

    None, any, where that can't lead there.
    """
    mine, theirs = parsed(own), parsed(host)
    if mine is None or theirs is None or mine.version != theirs.version:
        return None
    return str(mine) if mine.is_loopback == theirs.is_loopback else None


def is_loopback(host: str) -> bool:
    """Say whether a host is the machine itself, as far as its name or address tells."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == _LOCALHOST
