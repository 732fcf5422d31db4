"""One read never keeps the event loop long, whatever it holds: of every dialect, what costs least to send."""

import time

from websockets.frames import Frame, Opcode

from fakes.wire import ENTER, HANDSHAKE, ONE_READ, WiredClient, masked
from harness.cases import each
from tertulia.edge.proxy_header import HeaderReader
from tertulia.edge.pump import COMMANDS_AT_ONCE
from tertulia.settings.sections import LimitSettings

MOST_SECONDS = 0.01
UNBOUND = LimitSettings(
    commands_per_second=1e9, commands_burst=10**9, bytes_per_second=10**9, bytes_burst=10**9,
    messages_per_second=1e9, messages_burst=10**9,
)  # fmt: skip
SLOW = LimitSettings(commands_per_second=10, commands_burst=100)
TURNS = 60


MARKS = "\u0301\u200d" * 800
"""Text that takes long to look at."""
FLOODS: dict[str, tuple[str, bytes, bytes]] = {
    "chatte: nothing": ("chatte", ENTER["chatte"], b"\n"),
    "chatte: short acknowledgements": ("chatte", ENTER["chatte"], b"101\n"),
    "chatte: acknowledgements": ("chatte", ENTER["chatte"], b"101 Message received.\n"),
    "chatte: acknowledgements that end now so, now so": (
        "chatte", ENTER["chatte"], b"101 Message received.\n101 Message received.\r\n",
    ),
    "chatte: messages": ("chatte", ENTER["chatte"], b"100 \n"),
    "chatte: whispers": ("chatte", ENTER["chatte"], b"102 b x\n"),
    "chatte: marks": ("chatte", ENTER["chatte"], b"102 ! %s\n" % MARKS.encode()),
    "chatte: no line": ("chatte", ENTER["chatte"], b"x"),
    "protocollo: nothing": ("protocollo", ENTER["protocollo"], b"\n"),
    "protocollo: readiness": ("protocollo", ENTER["protocollo"], b"null\n\n"),
    "protocollo: messages": ("protocollo", ENTER["protocollo"], b"G\n\n"),
    "classic: nothing": ("protocollo classic", ENTER["protocollo classic"], b"\n"),
    "classic: messages": ("protocollo classic", ENTER["protocollo classic"], b"G\n\n"),
    "device: lines": ("device", ENTER["device"], b"\n"),
    "device: strings": ("device", ENTER["device binary"], b"\0\0\0\0"),
    "browser: pings": ("browser", ENTER["browser"], masked(Opcode.PING)),
    "browser: pongs": ("browser", ENTER["browser"], masked(Opcode.PONG)),
    "browser: full pings": ("browser", ENTER["browser"], masked(Opcode.PING, b"x" * 125)),
    "browser: empty messages": ("browser", ENTER["browser"], masked(Opcode.TEXT)),
    "browser: nested": ("browser", ENTER["browser"], masked(Opcode.TEXT, b"[" * 16_000)),
    "browser: messages": (
        "browser", ENTER["browser"], masked(Opcode.TEXT, b'{"type":"say","text":""}'),
    ),
    "browser: pings before entering": ("browser", HANDSHAKE, masked(Opcode.PING)),
}  # fmt: skip
floods = each("flood", list(FLOODS))


def flooded(flood: str, limits: LimitSettings) -> WiredClient:
    kind, enter, each = FLOODS[flood]
    client = WiredClient(kind, limits)
    client.enter(enter)
    client.send((each * (ONE_READ // len(each) + 1))[:ONE_READ])
    client.go_on(TURNS)
    return client


@floods
def test_a_read_is_carried_out_in_steps(flood: str) -> None:
    client = flooded(flood, UNBOUND)
    assert client.most_in_turn <= COMMANDS_AT_ONCE
    # What the machine does meanwhile is not what is measured, but for its caches.
    longest = min(client.longest, *(flooded(flood, UNBOUND).longest for _ in range(4)))
    assert longest < MOST_SECONDS


def test_everybody_else_has_a_turn_and_nothing_of_a_read_is_lost() -> None:
    client = WiredClient("chatte", UNBOUND)
    client.enter(ENTER["chatte"])
    client.send(b"\n" * 1000)
    assert not client.wire.reading
    turns = 1
    while not client.wire.reading:
        assert len(client.commands) == turns * COMMANDS_AT_ONCE
        client.go_on(1)
        turns += 1
    assert len(client.commands) == 1000


def test_what_was_read_is_carried_out_before_a_node_that_drains_lets_go() -> None:
    client = WiredClient("chatte", SLOW)
    client.enter(ENTER["chatte"])
    client.send(b"\n" * 1000)
    client.connection.stop_reading()
    assert not client.connection.is_quiet
    client.clock.run()
    assert client.connection.is_quiet
    assert len(client.commands) == 1000


FRAMES = {
    "pings": masked(Opcode.PING),
    "pongs": masked(Opcode.PONG),
    "fragments": masked(Opcode.CONT, fin=False),
    "empty messages": masked(Opcode.TEXT),
}


@each("frame", list(FRAMES))
@each("size", ["in one read", "each in a read of its own"])
def test_every_frame_is_a_command(frame: str, size: str) -> None:
    client = WiredClient("browser", SLOW)
    client.enter(ENTER["browser"])
    if frame == "fragments":
        client.send(masked(Opcode.TEXT, fin=False))
    each = FRAMES[frame]
    for _ in range(110):
        if size == "in one read":
            client.send(each * 110)
            client.go_on(10)
            break
        client.send(each)
    assert not client.wire.reading
    assert client.house.counted("reads_paused_total", limit="commands") == 1
    assert len(client.commands) == 100  # beside that of who has entered
    client.clock.advance(1.0)
    if size == "in one read":
        assert 109 <= len(client.commands) <= 111
    else:
        assert client.wire.reading


def test_pings_are_bytes_like_all_else() -> None:
    client = WiredClient("browser", LimitSettings(bytes_per_second=1000, bytes_burst=10_000))
    client.enter(ENTER["browser"])
    client.send(masked(Opcode.PING, b"x" * 125) * 80)
    assert not client.wire.reading
    assert client.house.counted("reads_paused_total", limit="bytes") == 1


def test_who_does_not_read_the_answers_to_its_pings_is_not_read_either() -> None:
    client = WiredClient("browser", UNBOUND)
    client.enter(ENTER["browser"])
    client.wire.written.clear()
    client.send(masked(Opcode.PING, b"?") * 1000)
    client.wire.waiting = UNBOUND.outbox_pause_bytes + 1
    client.connection.pause_writing()
    client.clock.run()
    assert not client.wire.reading
    pong = Frame(Opcode.PONG, b"?").serialize(mask=False)
    assert 0 < b"".join(client.wire.written).count(pong) < 2 * COMMANDS_AT_ONCE
    client.wire.waiting = 0
    client.connection.resume_writing()
    client.clock.run()
    assert client.wire.reading
    assert b"".join(client.wire.written) == pong * 1000


def test_a_close_is_answered_after_what_was_said_before_it() -> None:
    """Also where that is paid for only by and by."""
    client = WiredClient("browser", SLOW)
    client.enter(ENTER["browser"])
    client.send(masked(Opcode.PING) * 120 + masked(Opcode.CLOSE, b"\x03\xe8"))
    client.go_on(10)
    close = Frame(Opcode.CLOSE, b"\x03\xe8").serialize(mask=False)
    assert close not in client.wire.written
    client.clock.advance(3.0)
    assert close in client.wire.written


def test_a_proxy_header_is_found_in_one_read_whatever_follows() -> None:
    for head in (b"PROXY UNKNOWN\r\n", b"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"):
        began = time.thread_time()
        header = HeaderReader().feed(head + b"\n" * ONE_READ)
        assert time.thread_time() - began < MOST_SECONDS
        assert header is not None
        assert len(header.rest) == ONE_READ
