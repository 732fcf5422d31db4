"""One read never keeps the event loop long, whatever it holds: of every dialect, what costs least to send."""

import time
from pathlib import Path
from typing import Any, cast

from websockets.frames import Frame, Opcode

from fakes.wire import ENTER, HANDSHAKE, ONE_READ, WiredClient, masked
from harness.cases import each
from harness.slowness import slowness
from tertulia.chat.session import Session
from tertulia.edge.proxy_header import HeaderReader
from tertulia.edge.pump import COMMANDS_AT_ONCE
from tertulia.edge.word_filter import load
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
    "irc: nothing": ("irc", ENTER["irc"], b"\n"),
    "irc: a letter": ("irc", ENTER["irc"], b"x\n"),
    "irc: pongs": ("irc", ENTER["irc"], b"PONG\n"),
    "irc: pings": ("irc", ENTER["irc"], b"PING x\n"),
    "irc: capabilities": ("irc", ENTER["irc"], b"CAP LS 302\n"),
    "irc: tags and nothing": ("irc", ENTER["irc"], b"@" + b";" * 4000 + b" x\n"),
    "irc: tags": ("irc", ENTER["irc"], b"@" + b"a=\\:;" * 800 + b" TAGMSG #lobby\n"),
    "irc: messages": ("irc", ENTER["irc"], b"PRIVMSG #lobby :\x02x\n"),
    "irc: joins": ("irc", ENTER["irc"], b"JOIN " + b"#a," * 150 + b"#b\n"),
    "irc: parts": ("irc", ENTER["irc"], b"PART " + b"#a," * 150 + b"#b\n"),
    "irc: before entering": ("irc", b"", b"CAP LS\nNICK\n"),
    "irc: no line": ("irc", ENTER["irc"], b"x"),
    "irc by WebSocket: nothing": (
        "irc by WebSocket", ENTER["irc by WebSocket"], masked(Opcode.TEXT),
    ),
    "irc by WebSocket: pongs": (
        "irc by WebSocket", ENTER["irc by WebSocket"], masked(Opcode.TEXT, b"PONG"),
    ),
    "irc by WebSocket: many lines": (
        "irc by WebSocket", ENTER["irc by WebSocket"], masked(Opcode.TEXT, b"PONG\n" * 3_000),
    ),
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
    tries = [client.longest]
    while min(tries) >= MOST_SECONDS and len(tries) < 9:
        tries.append(flooded(flood, UNBOUND).longest / slowness())
    assert min(tries) < MOST_SECONDS, tries


@each("asks", [b"NAMES #lobby\n", b"WHO *\n", b"LUSERS\n", b"PART #lobby\nJOIN #lobby\n"])
def test_everybody_has_a_turn_behind_what_may_be_answered_with_a_line_for_each_person(
    asks: bytes,
) -> None:
    client = WiredClient("irc", UNBOUND)
    client.enter(ENTER["irc"])
    client.send(asks * 100)
    client.go_on(TURNS)
    assert client.most_in_turn == asks.count(b"\n")
    assert len(client.commands) > TURNS


def test_private_messages_have_one_turn_though_each_looks_whether_its_reader_is_away() -> None:
    client = WiredClient("irc", UNBOUND)
    client.enter(ENTER["irc"])
    client.send(b"PRIVMSG bruno :tea\n" * 10)
    client.go_on(1)
    assert client.most_in_turn == 20


@each("length", [4000, 40, 400])
@each("pattern", ["(a|b)*a(a|b){480}c", "a{490}z", "(a?){240}z", "a.{0,50}z", "((a|b)*a){150}z"])
def test_nor_does_a_filter(tmp_path: Path, pattern: str, length: int) -> None:
    """Of the patterns that a listener may have, those that take longest: a turn has one long text of them."""
    (tmp_path / "words").write_text(pattern)
    refuses = load(tmp_path / "words")

    def longest() -> float:
        client = WiredClient("chatte", UNBOUND, refuses)
        client.enter(ENTER["chatte"])
        client.send(b"100 %s\n" % (b"a" * length) * (60_000 // length))
        client.go_on(9)
        assert len(client.commands) > 9
        return client.longest

    def one_text() -> float:
        began = time.thread_time()
        refuses("a" * 4_600)
        return time.thread_time() - began

    # Both on this machine, at this moment: it may be slow, or busy.
    turns, texts = list[float](), list[float]()
    while not turns or (min(turns) >= 1.5 * max(texts) + 0.003 and len(turns) < 9):
        turns.append(longest())
        texts.append(one_text())
    assert min(turns) < 1.5 * max(texts) + 0.003, (turns, texts)


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
        took = []
        for _ in range(9):
            began = time.thread_time()
            header = HeaderReader().feed(head + b"\n" * ONE_READ)
            took.append(time.thread_time() - began)
            assert header is not None
            assert len(header.rest) == ONE_READ
        assert min(took) / slowness() < MOST_SECONDS


def test_who_is_paused_by_a_command_is_not_read_until_it_goes_on() -> None:
    client = WiredClient("chatte", UNBOUND)
    client.enter(ENTER["chatte"])
    session = cast(Session, client.connection.pump.session)
    host = cast(Any, client.connection.listener.host)
    host.command = lambda it, _: it.pause()
    client.send(b"100 tea\n")
    assert not client.wire.reading
    session.go_on()
    client.connection.proceed()
    assert client.wire.reading


def test_so_many_messages_are_not_committed_and_no_more_is_read() -> None:
    most = UNBOUND.uncommitted_commands
    client = WiredClient("chatte", UNBOUND)
    client.enter(ENTER["chatte"])
    for i in range(most):
        assert client.wire.reading, i
        client.connection.data_received(b"102 anna tea\n")
    assert not client.wire.reading
    client.clock.run()
    assert client.wire.reading
