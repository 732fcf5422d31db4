"""A device without a person: operations run over a plain socket, for what no good device does."""

import contextlib
import socket
from collections.abc import Iterator
from typing import TypeVar

from tertulia.clients.device.exchange import Run, Steps
from tertulia.clients.device.operations import LoginAnswer, enter_chat, online_users, sign_up
from tertulia.clients.device.wire import FrameDecoder

T = TypeVar("T")

WITHIN = 60.0


class DeviceSocket:
    """A device that is signed up under a name, and listens for peers."""

    def __init__(self, server: str, name: str, host: str = "127.0.0.1") -> None:
        """``host``: the address to listen on, and to come from."""
        self.name = name
        self.host = host
        self._server = server
        self._listening = socket.create_server((host, 0))
        self._listening.settimeout(WITHIN)
        self.port: int = self._listening.getsockname()[1]
        assert self.asks(sign_up(name, "s3cret", self.port)) is LoginAnswer.DONE

    def asks(self, steps: Steps[T]) -> T:
        """Run an operation on a connection of its own."""
        return ask(self._server, steps, self.host)

    @contextlib.contextmanager
    def waiting_for(self, dest: str) -> Iterator[int]:
        """Stay in a chat with somebody, and give the service's answer."""
        with connection(self._server, self.host) as service:
            yield run(service, enter_chat(self.name, dest))

    def accept(self) -> socket.socket:
        """Return the connection of the next peer that dials."""
        peer, _ = self._listening.accept()
        peer.settimeout(WITHIN)
        return peer

    def close(self) -> None:
        """Listen no more."""
        self._listening.close()


def connection(address: str, source: str | None = None) -> socket.socket:
    """Connect to HOST:PORT; ``source`` is the address to come from."""
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), WITHIN, (source, 0) if source else None)


def run(sock: socket.socket, steps: Steps[T]) -> T:
    """Run an exchange to its end."""
    frames = FrameDecoder()
    exchange = Run(frames, steps)
    while True:
        for step in exchange.advance():
            assert isinstance(step, bytes)
            sock.sendall(step)
        if exchange.done:
            return exchange.result
        data = sock.recv(65_536)
        assert data, "the service hung up"
        frames.feed(data)


def ask(address: str, steps: Steps[T], source: str | None = None) -> T:
    """Run an operation on a connection of its own, to the end: the service has done all of it."""
    with connection(address, source) as service:
        result = run(service, steps)
        service.shutdown(socket.SHUT_WR)
        while service.recv(65_536):
            pass
        return result


def online(address: str) -> tuple[str, ...]:
    """Return who is logged in."""
    return ask(address, online_users())
