"""Listening sockets: made, or the reason why not, and what to do."""

import errno
import os
import socket
from typing import Final

BACKLOG: Final = 4096
"""Connections that may wait to be accepted: a storm of them comes back at once after a failure."""
_KEEPALIVE_IDLE: Final = 60
_KEEPALIVE_INTERVAL: Final = 15
_KEEPALIVE_PROBES: Final = 4


def bind(host: str, port: int) -> socket.socket:
    """Make a listening socket. Raises OSError, which ``explain`` explains."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listening = socket.socket(family, kind, protocol)
    try:
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
        # What asyncio makes of it says the address once more.
        why = os.strerror(error.errno) if error.errno else str(error)
        what = {
            errno.EADDRINUSE: f"stop whatever has it, or set another port in {setting}",
            errno.EADDRNOTAVAIL: f"set host in {setting} to an address of this machine",
            errno.EACCES: f"set a port from 1024 on in {setting}, or grant CAP_NET_BIND_SERVICE",
        }.get(error.errno or 0, f"set another host or port in {setting}")
    return f"{who} can't listen on {host} port {port} ({why}): {what}"
