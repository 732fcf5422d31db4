"""What a client's system has of what was written to it: more than that our own has taken it."""

import asyncio
import fcntl
import socket
import struct
import termios
from typing import Final

_CLOSED: Final = 7  # TCP_CLOSE in the kernel's tcp_states.h
_POLL_SECONDS: Final = 0.01


async def wait_delivered(transport: asyncio.Transport, seconds: float) -> bool:
    """Wait until the other system has acknowledged everything that was written, for so long.

    False where it has not, and where the connection is broken. A client whose process has ended never
    acknowledges: its system answers with a reset.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while (delivered := look_delivered(transport)) is None:
        if loop.time() >= deadline:
            return False
        await asyncio.sleep(_POLL_SECONDS)  # the kernel tells nobody when an acknowledgement comes
    return delivered


def look_delivered(transport: asyncio.Transport) -> bool | None:
    """Return whether everything is acknowledged, or never will be; None where nobody knows yet."""
    sock = transport.get_extra_info("socket")
    if sock is None or sock.fileno() < 0:
        return False
    if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        return False
    on_the_way = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4))
    if transport.get_write_buffer_size() == 0 and struct.unpack("i", on_the_way) == (0,):
        return True
    is_reset = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _CLOSED
    return False if is_reset else None
