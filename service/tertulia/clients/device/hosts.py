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


def is_loopback(host: str) -> bool:
    """Say whether a host is the machine itself, as far as its name or address tells."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == _LOCALHOST
