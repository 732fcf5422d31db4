"""Where a peer's device may listen, as far as the service tells."""

import ipaddress
from collections.abc import Sequence

_LOCALHOST = "localhost"


def likely_hosts(told: str, partner_host: str, service_host: str) -> Sequence[str]:
    """Return hosts to dial, the likeliest first.

    ``told``: the service's answer to operation 12, empty where it may not say, as of the other
    members of a group. Those may be where the partner is, or where the service is.
    """
    if told:
        # A device beside the service has told it a loopback address, which is another one's here.
        return [service_host if is_loopback(told) and not is_loopback(service_host) else told]
    return list(dict.fromkeys(host for host in (partner_host, service_host) if host))


def is_one_address(host: str) -> bool:
    """Say whether a host is a single address, not all of a machine's, and not a name."""
    try:
        return not ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Say whether a host is the machine itself, as far as its name or address tells."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == _LOCALHOST
