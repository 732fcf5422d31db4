"""What the device program reads: the service, other devices, its own files."""

from collections.abc import Callable
from pathlib import Path

from fuzz.target import Pieces, Target, check, folder
from tertulia.clients.device import operations, peer
from tertulia.clients.device.effects import PeerPlace
from tertulia.clients.device.exchange import Run, Steps
from tertulia.clients.device.history import History
from tertulia.clients.device.live_chat import LiveChat
from tertulia.clients.device.peer import Partner
from tertulia.clients.device.wire import MAX_STRING, FrameDecoder, Garbage, integer, string

_ME, _BOB = Partner("andy", 5001), Partner("bob", 5002)
_FRAME = MAX_STRING + 4
_EXCHANGES: tuple[Callable[[], Steps[object]], ...] = (
    lambda: operations.sign_up("andy", "secret", 5001),
    lambda: operations.log_out("andy"),
    lambda: operations.enter_chat("andy", "bob"),
    lambda: operations.wait_for_peer(),
    lambda: operations.show("andy", "bob"),
    lambda: operations.show_before_writing("andy", "bob"),
    lambda: operations.hanging("andy"),
    lambda: operations.address("andy", "bob"),
    lambda: operations.online_users(),
    lambda: operations.add_user("bob", "andy"),
    lambda: operations.leave_chat("andy"),
    lambda: peer.take_partner(),
    lambda: peer.dial_partner(_ME),
    lambda: peer.take_newcomer(),
    lambda: peer.dial_member(_ME, _BOB),
)


def _exchange(pieces: Pieces) -> object:
    """Run the exchange that the first byte says on the others."""
    whole = b"".join(pieces)
    if not whole:
        return None
    frames = FrameDecoder()
    run = Run(frames, _EXCHANGES[whole[0] % len(_EXCHANGES)]())
    told: list[object] = list(run.advance())
    skip = 1
    for piece in pieces:
        frames.feed(piece[skip:])
        skip = 0
        try:
            told.extend(run.advance())
        except Garbage:
            return [*told, "garbage"]
        if run.done:
            return [*told, run.result]
        check(len(frames) < _FRAME, "more than a frame waits for its end")
    return told


def _live_chat(pieces: Pieces) -> object:
    """Have the one who is waited for dial, and say that."""
    chat = LiveChat(_ME, "bob")
    told: list[object] = [chat.expect(5002, 0.0)]
    told += chat.located("bob", PeerPlace("192.0.2.1", 5002), 0.0)
    number, effects = chat.accepted("192.0.2.1", 0.0)
    told += effects
    for piece in pieces:
        told += chat.received(number, piece, 1.0)
    told += chat.closed(number, 2.0)
    return told


class _Histories:
    """A history's file, written by a hand."""

    def __init__(self) -> None:
        # Kept for as long as the tests run, and away when they end.
        self._folder = folder()
        self._history = History(Path(self._folder.name), "bob")

    def read(self, pieces: Pieces) -> object:
        self._history.path.write_bytes(b"".join(pieces))
        messages = self._history.read()
        for message in messages:
            check("\x1b" not in message.shown(), "a control is shown")
        return [len(messages)]


_EXCHANGED = (
    bytes((0,)) + integer(1) + integer(0) * 3,
    bytes((2,)) + integer(1) + integer(5002),
    bytes((3,)) + integer(5002),
    bytes((4,)) + integer(1) * 2 + string("dinner?\nat eight\n"),
    bytes((5,)) + integer(1) * 2 + integer(5002),
    bytes((6,)) + integer(1) + string("bob: 2 messaggi, 20-11-2026 23:11:05\n"),
    bytes((7,)) + integer(1) + string("192.0.2.7"),
    bytes((8,)) + string("bob,carol,"),
    bytes((9,)) + integer(5002),
    bytes((11,))
    + string("hi")
    + string("share x")
    + string("x")
    + string("content")
    + string(r"\q"),
    bytes((12,)) + integer(1) + integer(1) + string("carol") + integer(5003) + string("hi"),
    bytes((13,)) + string("carol") + integer(5003) + string(r"\u") + string(r"\q"),
    bytes((14,)) + integer(1) + integer(1) + string("carol") + string("hi") + string(r"\q"),
)
TARGETS = (
    Target(
        "device exchanges",
        _exchange,
        _EXCHANGED,
        (
            integer(1),
            integer(0),
            integer(5002),
            string("bob"),
            string(r"\q"),
            b"\xff\xff\0\0",
            b"messaggi",
            b": ",
        ),
    ),
    Target(
        "live chats",
        _live_chat,
        tuple(it[1:] for it in _EXCHANGED[9:]),
        (
            string(r"\q"),
            string(r"\u"),
            string("share x"),
            string("***"),
            integer(1),
            b"\xff\xff\0\0",
        ),
    ),
    Target(
        "histories",
        _Histories().read,
        (
            b"*\t2026-11-20T23:11:05+00:00\tandy\thi\n**\t2026-11-20T23:11:05+00:00\tandy\tx\n.\t2026-11-20\tbob\ty\n",
        ),
        (b"\t", b"*\t", b".\t", b"2026-11-20T23:11:05+00:00", b"+25:00"),
        is_cut=False,
    ),
)
