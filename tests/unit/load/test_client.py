"""One client's socket: where it comes from, and what the kernel does not take at once."""

import contextlib
import select
import socket
from collections.abc import Iterator

import pytest

from tertulia_load import dialects, targets
from tertulia_load.client import Client, Sockets, State
from tertulia_load.targets import Target


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        yield server


def client(listening: socket.socket, sockets: Sockets, id_: int = 0) -> Client:
    target = Target("protocollo", "localhost", "127.0.0.1", listening.getsockname()[1])
    made = Client(id_, target, dialects.by_name("protocollo", ""), sockets)
    made.begin("ana")
    return made


def connected(
    listening: socket.socket, sockets: Sockets, id_: int = 0
) -> tuple[Client, socket.socket]:
    made = client(listening, sockets, id_)
    made.connect()
    peer, _ = listening.accept()
    peer.settimeout(30)
    ((file, events),) = sockets.poll.poll(5)
    assert sockets.owners[file] is made
    assert events & select.EPOLLOUT
    made.connected()
    return made, peer


def test_it_connects_and_says_how_it_begins(listening: socket.socket) -> None:
    sockets = Sockets()
    made, peer = connected(listening, sockets)
    with peer:
        assert made.state is State.ENTERING
        assert peer.recv(100) == b"ana\n"
        assert sockets.poll.poll(0) == []
        made.drop()
        assert peer.recv(100) == b""
    assert (made.state, sockets.owners) == (State.APART, {})
    made.drop()


def test_many_come_from_several_addresses(
    listening: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(targets, "CLIENTS_PER_SOURCE", 1)
    sockets = Sockets()
    for id_, source in ((0, "127.0.0.1"), (1, "127.0.0.2"), (2, "127.0.0.3")):
        made, peer = connected(listening, sockets, id_)
        with peer:
            assert peer.getpeername()[0] == source
        made.drop()


def test_what_the_kernel_does_not_take_is_kept_and_sent_in_order(
    listening: socket.socket,
) -> None:
    sockets = Sockets()
    made, peer = connected(listening, sockets)
    blocks = [bytes([65 + n]) * 500_000 for n in range(20)]
    for block in blocks:
        made.write(block)
    assert made.out
    received = bytearray()
    with peer:
        while len(received) < 4 + sum(map(len, blocks)):
            received += peer.recv(1_000_000)
            if any(events & select.EPOLLOUT for _, events in sockets.poll.poll(0)):
                made.flush()
    assert bytes(received) == b"ana\n" + b"".join(blocks)
    assert not made.out
    made.drop()


def test_a_connection_that_is_refused_is_told(listening: socket.socket) -> None:
    sockets = Sockets()
    made = client(listening, sockets)
    listening.close()
    with contextlib.suppress(ConnectionRefusedError):  # at once, or when it is looked at
        made.connect()
        sockets.poll.poll(5)
        with pytest.raises(ConnectionRefusedError):
            made.connected()
    made.drop()
    assert sockets.owners == {}
