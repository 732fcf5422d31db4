"""Short messages are taken past the protocol, which would make the same of them."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, State
from websockets.server import ServerProtocol

from tertulia.dialects.browser import MAX_FRAME
from tertulia.edge.frames import Frames


def masked(data: bytes, opcode: Opcode = Opcode.TEXT, *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin=fin).serialize(mask=True)


def said(size: int) -> bytes:
    return masked(bytes(97 + at % 26 for at in range(size)))


def longer_than_it_needs(data: bytes) -> bytes:
    """Return a frame that says its length in two bytes where one would do."""
    plain = masked(data)
    return plain[:1] + b"\xfe" + len(data).to_bytes(2) + plain[2:]


SIZES = (0, 1, 2, 30, 124, 125, 126, 127, 300, 375, 376, 384, 385, 1000)
FRAMES: dict[str, Callable[[], bytes]] = {
    **{f"{size} bytes": lambda size=size: said(size) for size in SIZES},  # type: ignore[misc]
    "ping": lambda: masked(b"are you there", Opcode.PING),
    "parts": lambda: masked(b"one ", fin=False) + masked(b"two", Opcode.CONT),
    "ping among parts": lambda: (
        masked(b"a", fin=False) + masked(b"", Opcode.PING) + masked(b"b", Opcode.CONT)
    ),
    "a length in too many bytes": lambda: longer_than_it_needs(b"ciao"),
}
ENDS = {
    "none": b"",
    "not masked": Frame(Opcode.TEXT, b"ciao, ciao").serialize(mask=False),
    "not UTF-8": masked(b"\xff\xfe\xfd"),
    "binary": masked(b"ciao", Opcode.BINARY),
    "a reserved bit": bytes([0xC1]) + masked(b"ciao")[1:],
    "a message amid another": masked(b"a", fin=False) + masked(b"ciao, ciao"),
    "close": masked(b"\x03\xe8", Opcode.CLOSE),
}


class Messages:
    """A reader to which each message is a command."""

    buffered = 0

    def feed(self, data: bytes) -> None:
        self._message = data

    def next_command(self) -> Any:
        return self._message


def taken(reads: list[bytes], *, shortly: bool) -> tuple[list[Any], State, list[bytes]]:
    """Return what is taken from what was read, the protocol's state, and what it sends."""
    protocol = ServerProtocol(max_size=MAX_FRAME, state=State.OPEN)
    frames = Frames(protocol, Messages())
    found: list[Any] = []
    for read in reads:
        frames.feed(read)
        while (command := frames.next_command() if shortly else _by_protocol(frames)) is not None:
            found.append(command)
    return found, protocol.state, protocol.data_to_send()


def _by_protocol(frames: Frames) -> Any:
    frames._half_read += 1  # so that no message seems to begin
    try:
        return frames.next_command()
    finally:
        frames._half_read -= 1


@pytest.mark.parametrize("end", ENDS)
def test_the_protocol_makes_the_same_of_what_a_client_sends(end: str) -> None:
    chance = random.Random(end)
    for _ in range(60):
        data = b"".join(FRAMES[chance.choice(list(FRAMES))]() for _ in range(6)) + ENDS[end]
        data += said(20)
        cuts = sorted(chance.randrange(len(data)) for _ in range(chance.randrange(6)))
        reads = [
            data[first:last] for first, last in zip([0, *cuts], [*cuts, len(data)], strict=True)
        ]
        reads = [read for read in reads if read]
        assert taken(reads, shortly=True) == taken(reads, shortly=False)


@pytest.mark.parametrize("size", [2, 125, 126, 384])
def test_a_short_message_goes_past_the_protocol(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(Protocol, "receive_data")
    reads = [said(size) + said(3), said(size)]
    found, _, _ = taken(reads, shortly=True)
    assert [len(message) for message in found] == [size, 3, size]
