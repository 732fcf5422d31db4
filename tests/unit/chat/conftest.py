"""Rooms without I/O, and clients whose connections keep what is written."""

from collections.abc import Iterator
from typing import Protocol

import pytest

from fakes.encoder import PlainEncoder
from fakes.house import Client, House
from tertulia.chat.room import Room
from tertulia.dialects.contract import Encoder


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def room(house: House) -> Room:
    return house.room()


class Connect(Protocol):
    """Connects a client, to the room unless told otherwise."""

    def __call__(self, encoder: Encoder | None = None, *, room: Room | None = None) -> Client: ...


class Enter(Protocol):
    """Connects a client and lets it in, which may happen to take a while."""

    def __call__(
        self, nickname: str, encoder: Encoder | None = None, *, room: Room | None = None
    ) -> Client: ...


@pytest.fixture
def connect(house: House, room: Room) -> Iterator[Connect]:
    """Connect clients; in the end, nothing may have been written to who was closed."""
    clients: list[Client] = []
    default = room

    def connect(encoder: Encoder | None = None, *, room: Room | None = None) -> Client:
        where = default if room is None else room
        clients.append(Client(house, where, encoder or PlainEncoder()))
        return clients[-1]

    yield connect
    house.clock.advance(100.0)
    for client in clients:
        assert client.outbox.written_after_close == b""
        assert (client.closed is not None) is (client.session.state.name == "ENDED")


@pytest.fixture
def enter(connect: Connect) -> Enter:
    """Let clients in: they have read their welcome."""

    def enter(nickname: str, encoder: Encoder | None = None, *, room: Room | None = None) -> Client:
        client = connect(encoder, room=room)
        client.enter(nickname)
        lines = client.read()
        assert lines[0].split()[:2] == ["welcome", nickname]
        return client

    return enter
