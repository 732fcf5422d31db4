"""Making listening sockets; if one can't be made, say why and what to do."""

import asyncio
import errno
import os
import socket
from typing import Any, Final

BACKLOG: Final = 4096
"""Connections that may wait to be accepted: a storm of them comes back at once after a failure."""
_KEEPALIVE_IDLE: Final = 60
_KEEPALIVE_INTERVAL: Final = 15
_KEEPALIVE_PROBES: Final = 4
_NOT_HERE: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


class Servers(list[asyncio.Server]):
    """What accepts on all addresses of a host, as one."""

    @property
    def sockets(self) -> list[socket.socket]:
        """Those of all of them."""
        return [sock for server in self for sock in server.sockets]

    def close(self) -> None:
        """Accept nobody any more."""
        for server in self:
            server.close()


def bind_all(host: str, port: int) -> list[socket.socket]:
    """Make a listening socket for each address of a host, all of them on one port.

    Raises OSError, which ``explain`` explains: also where one is taken. One that this machine does not
    have is left out, if it has another: many call ``::1`` localhost, whether there is IPv6 or not.
    """
    bound: list[socket.socket] = []
    missing: OSError | None = None
    for family, address in _addresses(host, port):
        try:
            bound.append(_listen(family, (address[0], port, *address[2:])))
        except OSError as error:
            if error.errno not in _NOT_HERE:
                for sock in bound:
                    sock.close()
                raise
            missing = error
        else:
            port = bound[0].getsockname()[1]
    if missing is not None and not bound:
        raise missing
    return bound


def bind(host: str, port: int) -> socket.socket:
    """Make a listening socket for the first address of a host. Raises as ``bind_all``."""
    return _listen(*_addresses(host, port)[0])


def _addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, tuple[Any, ...]]]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((family, address) for family, _, _, _, address in found))


def _listen(family: socket.AddressFamily, address: tuple[Any, ...]) -> socket.socket:
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        if family is socket.AF_INET6:  # "::" takes IPv4 as well, for any system default
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted sockets inherit these: a client whose machine vanished is noticed in two minutes.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE_IDLE)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _KEEPALIVE_INTERVAL)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _KEEPALIVE_PROBES)
        listening.bind(address)
        listening.listen(BACKLOG)
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening


def explain(error: OSError, who: str, host: str, port: int, setting: str) -> str:
    """Say in a line why nobody can listen there, and what to do. ``setting`` has the host and the port."""
    if isinstance(error, socket.gaierror):
        why, what = error.strerror, f"set host in {setting} to an address of this machine"
    else:
        # asyncio's own text says the address once more.
        why = os.strerror(error.errno) if error.errno else str(error)
        what = {
            errno.EADDRINUSE: f"stop whatever has it, or set another port in {setting}",
            errno.EADDRNOTAVAIL: f"set host in {setting} to an address of this machine",
            errno.EACCES: f"set a port from 1024 on in {setting}, or grant CAP_NET_BIND_SERVICE",
        }.get(error.errno or 0, f"set another host or port in {setting}")
    return f"{who} can't listen on {host} port {port} ({why}): {what}"
