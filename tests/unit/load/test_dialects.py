"""The words of each dialect: what clients write, and how they enter, whatever the split."""

import json
from collections.abc import Callable

import pytest
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from tertulia.clients.dialects.contract import Handshake, Whole
from tertulia.dialects.browser import BrowserDecoder
from tertulia.dialects.chatte import ChatteDecoder
from tertulia.dialects.contract import Decoder
from tertulia.dialects.protocollo import ProtocolloDecoder
from tertulia.domain.commands import Acknowledge, Command, Say, Whisper
from tertulia_load import dialects

TEXT = b"\tabcd0p1.2.3\txxx"
OURS = ("chatte", "protocollo", "browser")
UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"


def frame(payload: bytes, operation: Opcode = Opcode.TEXT) -> bytes:
    return Frame(operation, payload).serialize(mask=False)


def in_one(entering: Handshake, data: bytes) -> bytes:
    return entering.feed(b"") + entering.feed(data)


def byte_by_byte(entering: Handshake, data: bytes) -> bytes:
    written = entering.feed(b"")
    for index in range(len(data)):
        assert not (entering.refused and index < len(data) - 20)
        if entering.entered or entering.refused:
            entering.rest += data[index:]
            break
        written += entering.feed(data[index : index + 1])
    return written


GREETINGS = {
    "chatte": (b"0 Hello, nickname please.\n200 Welcome to the chatte.\n", b"ana\n"),
    "protocollo": (b"Utenti collegati: bob, carl\n", b"ana\nnull\n\n"),
    "browser": (UPGRADED + frame(b"", Opcode.PING) + frame(b'{"type":"welcome"}'), b""),
    "irc": (
        b"PING :123\r\n:s NOTICE * :hi\r\n:s 001 ana :hi\r\n:s 422 ana :No MOTD\r\n"
        b":ana!u@h JOIN :#lobby\r\n:s 353 ana = #lobby :ana bob\r\n:s 366 ana #lobby :End\r\n",
        b"NICK ana\r\nUSER load 0 * :load\r\nPONG :123\r\nJOIN #lobby\r\n",
    ),
    "nats": (
        b'INFO {"server_id":"x"}\r\nPING\r\nPONG\r\n',
        b'CONNECT {"verbose": false, "pedantic": false, "echo": true}\r\n'
        b"SUB load.room 1\r\nSUB load.to.ana 2\r\nPING\r\nPONG\r\n",
    ),
    "jetstream": (
        b'INFO {"server_id":"x"}\r\nPONG\r\n',
        b'CONNECT {"verbose": false, "pedantic": false, "echo": true}\r\n'
        b"SUB load.room 1\r\nSUB load.to.ana 2\r\nSUB acknowledged.ana 3\r\nPING\r\n",
    ),
    "centrifugo": (
        UPGRADED
        + frame(b'{"id":1,"connect":{"client":"x","ping":25,"pong":true}}\n{}')
        + frame(b'{"id":2,"subscribe":{"epoch":"a"}}\n{"push":{"channel":"load","pub":{}}}')
        + frame(b'{"id":3,"subscribe":{}}'),
        b"",
    ),
}


@pytest.mark.parametrize("feed", [in_one, byte_by_byte])
@pytest.mark.parametrize("name", dialects.NAMES)
def test_it_enters_and_keeps_what_comes_behind(
    name: str, feed: Callable[[Handshake, bytes], bytes]
) -> None:
    greeting, written = GREETINGS[name]
    entering = dialects.by_name(name, "host").entering("ana")
    sent = feed(entering, greeting + b"150 bea just")
    assert entering.entered
    assert entering.refused == ""
    assert entering.rest == b"150 bea just"
    if not greeting.startswith(UPGRADED):
        assert sent == written


@pytest.mark.parametrize(
    ("name", "said", "why"),
    [
        ("chatte", b"0 Hello\n202 Nickname already in use.\n", "202 Nickname already in use."),
        ("protocollo", "il nome già utilizzato\n".encode(), "il nome già utilizzato"),
        ("irc", b":s 433 * ana :Nickname in use\r\n", ":s 433 * ana :Nickname in use"),
        ("irc", b"ERROR :Closing link\r\n", "ERROR :Closing link"),
        ("nats", b"-ERR 'Authorization Violation'\r\n", "-ERR 'Authorization Violation'"),
        ("browser", b"HTTP/1.1 403 Forbidden\r\n\r\n", "HTTP/1.1 403 Forbidden"),
        (
            "browser",
            UPGRADED + frame(b'{"type":"refused","reason":"nickname_taken"}'),
            '{"type":"refused","reason":"nickname_taken"}',
        ),
        (
            "browser",
            UPGRADED + frame(b"\x0f\xa1too_many", Opcode.CLOSE),
            "closed with 4001 too_many",
        ),
        (
            "centrifugo",
            UPGRADED + frame(b'{"id":1,"error":{"code":101,"message":"unauthorized"}}'),
            '{"id":1,"error":{"code":101,"message":"unauthorized"}}',
        ),
    ],
)
def test_it_is_refused_and_tells_why(name: str, said: bytes, why: str) -> None:
    for feed in (in_one, byte_by_byte):
        entering = dialects.by_name(name, "host").entering("ana")
        feed(entering, said)
        assert entering.refused == why
        assert not entering.entered


def test_a_websocket_server_takes_the_browsers_beginning() -> None:
    entering = dialects.by_name("browser", "chat.example").entering("ana")
    server = ServerProtocol()
    server.receive_data(entering.feed(b""))
    (request,) = server.events_received()
    assert isinstance(request, Request)
    assert (request.path, request.headers["Host"]) == ("/ws", "chat.example")
    server.send_response(server.accept(request))
    server.receive_data(entering.feed(b"".join(server.data_to_send())))
    (first,) = server.events_received()
    assert isinstance(first, Frame)
    assert json.loads(bytes(first.data)) == {"type": "enter", "nickname": "ana"}


def texts_written(written: bytes) -> list[object]:
    """Return the JSON in what a client writes behind its HTTP, a line each."""
    server = ServerProtocol()
    server.receive_data(_handshake() + written)
    _, *frames = server.events_received()
    found: list[object] = []
    for it in frames:
        assert isinstance(it, Frame)
        found += map(json.loads, bytes(it.data).splitlines())
    return found


def test_a_browser_goes_into_its_rooms_and_keeps_what_comes_meanwhile() -> None:
    entering = dialects.by_name("browser", "host").entering("ana", ["a", "b"])
    entering.feed(b"")
    assert texts_written(entering.feed(UPGRADED)) == [{"type": "enter", "nickname": "ana"}]
    joins = entering.feed(frame(b'{"type":"welcome","history":0}'))
    assert texts_written(joins) == [{"type": "join", "room": "a"}, {"type": "join", "room": "b"}]
    early = frame(b'{"type":"events","room":"a","events":[{"type":"joined","nickname":"bea"}]}')
    early = frame(b'{"type":"slowed","seconds":1}') + early
    entering.feed(frame(b'{"type":"room","room":"a","history":50}'))
    entering.feed(frame(b'{"type":"past","room":"a","events":[]}') + early)
    assert not entering.entered
    entering.feed(frame(b'{"type":"room","room":"b"}') + b"rest")
    assert entering.entered
    assert entering.rest == early + b"rest"


def test_a_room_that_is_not_joined_refuses() -> None:
    entering = dialects.by_name("browser", "host").entering("ana", ["a"])
    failed = '{"type":"failed","action":"join","room":"a","reason":"full"}'
    byte_by_byte(entering, UPGRADED + frame(b'{"type":"welcome"}') + frame(failed.encode()))
    assert (entering.entered, entering.refused) == (False, failed)


@pytest.mark.parametrize("feed", [in_one, byte_by_byte])
def test_a_client_of_irc_goes_into_its_channels_and_keeps_what_comes_meanwhile(
    feed: Callable[[Handshake, bytes], bytes],
) -> None:
    entering = dialects.by_name("irc", "host").entering("ana", ["a", "b"])
    early = b":bea!bea@h JOIN #lobby\r\n:bea!bea@h PRIVMSG #a :" + TEXT + b"\r\n"
    welcome = (
        b":s 001 ana :hi\r\n:ana!ana@h JOIN #lobby\r\n:s 366 ana #lobby :End\r\n",
        early,
        b":ana!ana@h JOIN #a\r\n:s 366 ana #a :End\r\n:s 366 ana #b :End\r\n",
    )
    written = feed(entering, b"".join(welcome) + b"rest")
    assert written.endswith(b"JOIN #lobby\r\nJOIN #a\r\nJOIN #b\r\n")
    assert (entering.entered, entering.refused) == (True, "")
    assert entering.rest == early + b"rest"
    assert dialects.by_name("irc", "host").say(TEXT, "a") == b"PRIVMSG #a :" + TEXT + b"\r\n"


def test_a_channel_that_is_not_joined_refuses_and_no_other_lets_in() -> None:
    entering = dialects.by_name("irc", "host").entering("ana", ["a"])
    entering.feed(b":s 366 ana #lobby :End\r\n:s 366 ana #c :End\r\n:s 366\r\n")
    assert not entering.entered
    full = ":s 471 ana #a :Cannot join channel (+l)"
    entering.feed(full.encode() + b"\r\n:s 366 ana #a :End\r\n")
    assert (entering.entered, entering.refused) == (False, full)


def test_a_line_client_names_its_room_and_speaks_there_as_ever() -> None:
    chatte, protocollo = (dialects.by_name(it, "host") for it in ("chatte", "protocollo"))
    assert in_one(chatte.entering("ana", ["ops"]), b"0 Hello\n") == b"ana@ops\n"
    assert in_one(protocollo.entering("ana", ["ops"]), b"") == b"ana@ops\n"
    assert chatte.say(TEXT, "ops") == b"100 %s\n" % TEXT
    assert protocollo.say(TEXT, "ops") == b"G\n%s\n" % TEXT


def test_what_centrifugo_is_written() -> None:
    dialect = dialects.by_name("centrifugo", "host")
    entering = dialect.entering("ana", ["a", "b"])
    entering.feed(b"")
    assert texts_written(entering.feed(UPGRADED)) == [{"id": 1, "connect": {}}]
    assert texts_written(entering.feed(frame(b'{"id":1,"connect":{}}\n{}'))) == [
        {"id": 2, "subscribe": {"channel": "a"}},
        {"id": 3, "subscribe": {"channel": "b"}},
        {},
    ]
    said = {"channel": "a", "data": TEXT.decode()}
    assert texts_written(dialect.say(TEXT, "a")) == [{"id": 2_000, "publish": said}]
    kept = {"channel": "to.bea", "data": TEXT.decode()}
    assert texts_written(dialect.whisper(b"bea", TEXT)) == [{"id": 2_001, "publish": kept}]
    ping = dialect.whole(frame(b'{"push":{}}\n{}') + frame(b"{}"))
    assert texts_written(ping.reply) == [{}, {}]


def commands(name: str, written: bytes) -> list[Command]:
    """Return what the service understands of what a client writes."""
    readers: dict[str, Callable[[], Decoder]] = {
        "chatte": ChatteDecoder,
        "protocollo": ProtocolloDecoder,
        "browser": BrowserDecoder,
    }
    reader = readers[name]()
    reader.entered()
    if name == "browser":
        server = ServerProtocol()
        server.receive_data(_handshake() + written)
        _, *frames = server.events_received()
        for it in frames:
            assert isinstance(it, Frame)
            reader.feed(bytes(it.data))
    else:
        reader.feed(written)
    found = []
    while (command := reader.next_command()) is not None:
        found.append(command)
    return found


def _handshake() -> bytes:
    return dialects.by_name("browser", "host").entering("ana").feed(b"")


@pytest.mark.parametrize("name", OURS)
def test_the_service_understands_what_is_written(name: str) -> None:
    dialect = dialects.by_name(name, "host")
    long = TEXT + b"y" * 4000
    written = dialect.say(TEXT) + dialect.whisper(b"bea", TEXT) + dialect.say(long[:4000])
    understood = commands(name, written)
    assert [type(it) for it in understood] == [Say, Whisper, Say]
    said, whispered, longest = understood
    assert isinstance(said, Say) and isinstance(whispered, Whisper) and isinstance(longest, Say)
    assert said.text.encode() == whispered.text.encode() == TEXT
    assert whispered.recipient == "bea"
    assert longest.text.encode() == long[:4000]


def test_acknowledgements_are_understood() -> None:
    chatte, browser = (dialects.by_name(it, "host") for it in ("chatte", "browser"))
    assert commands("chatte", chatte.acknowledgement * 2) == [Acknowledge(1)] * 2
    assert chatte.received(3) == b""
    assert commands("browser", browser.received(3)) == [Acknowledge(3)]
    assert browser.received(0) == browser.acknowledgement == b""


def test_ids_of_the_browser_rise() -> None:
    browser = dialects.by_name("browser", "host")
    written = browser.say(b"a") + browser.whisper(b"bea", b"b") + browser.say(b"c")
    tags = [it.tag for it in commands("browser", written) if isinstance(it, Say | Whisper)]
    assert tags == sorted(set(tags))
    assert tags[0] >= 1


def test_what_other_servers_are_written() -> None:
    irc, nats, stored = (dialects.by_name(it, "host") for it in ("irc", "nats", "jetstream"))
    assert irc.say(TEXT) == b"PRIVMSG #lobby :" + TEXT + b"\r\n"
    assert irc.whisper(b"load_0-3", TEXT) == b"PRIVMSG load_0-3 :" + TEXT + b"\r\n"
    assert b"NICK load_0-3\r\n" in irc.entering("load_0-3").feed(b"")
    assert nats.say(TEXT) == b"PUB load.room 16\r\n" + TEXT + b"\r\n"
    assert nats.whisper(b"bea", TEXT) == b"PUB load.to.bea 16\r\n" + TEXT + b"\r\n"
    # The sender's number, which the text has, is where it reads the acknowledgement.
    assert stored.say(TEXT) == b"PUB load.room acknowledged.1 16\r\n" + TEXT + b"\r\n"
    assert b"SUB acknowledged.1 3\r\n" in stored.entering("load_0-1").feed(b"INFO {}\r\n")


@pytest.mark.parametrize(
    ("name", "ping", "pong"),
    [("irc", b"PING :x y\r\n", b"PONG :x y\r\n"), ("nats", b"PING\r\n", b"PONG\r\n")],
)
def test_a_ping_among_lines_is_answered(name: str, ping: bytes, pong: bytes) -> None:
    dialect = dialects.by_name(name, "host")
    lines = b":a PRIVMSG #lobby :" + TEXT + b"\r\n"
    assert dialect.whole(lines + ping + lines + ping[:3]) == Whole(2 * len(lines) + len(ping), pong)
    assert dialect.whole(lines) == Whole(len(lines))


def test_an_error_of_irc_says_farewell() -> None:
    whole = dialects.by_name("irc", "host").whole(b"ERROR :Closing link: (flood)\r\n")
    assert whole.farewell == "ERROR :Closing link: (flood)"


def test_a_number_that_is_none_of_irc_is_skipped() -> None:
    entering = dialects.by_name("irc", "host").entering("ana")
    entering.feed(b":s " + b"4" * 5_000 + b" x\r\n:s 366 ana #lobby :End\r\n")
    assert entering.entered
    assert not entering.refused


@pytest.mark.parametrize("name", ["chatte", "protocollo", "irc", "nats"])
def test_lines_are_whole_up_to_the_last_end(name: str) -> None:
    dialect = dialects.by_name(name, "host")
    assert dialect.whole(b"one\ntwo\nthr") == Whole(8)
    assert dialect.whole(b"thr") == Whole(0)


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_frames_are_whole_with_their_last_byte(size: int) -> None:
    browser = dialects.by_name("browser", "host")
    one = frame(b"x" * size)
    for end in {0, 1, 2, 3, 4, 9, 10, len(one) // 2, len(one) - 1} & set(range(len(one))):
        assert browser.whole(one[:end]) == Whole(0)
        assert browser.whole(one + one[:end]) == Whole(len(one))
    assert browser.whole(one * 2) == Whole(2 * len(one))


def test_a_ping_among_frames_is_answered() -> None:
    browser = dialects.by_name("browser", "host")
    data = frame(b"{}") + frame(b"hey", Opcode.PING) + frame(b"{}")
    whole = browser.whole(data)
    assert whole.end == len(data)
    server = ServerProtocol()
    server.receive_data(_handshake() + whole.reply)
    _, pong = server.events_received()
    assert isinstance(pong, Frame)
    assert (pong.opcode, bytes(pong.data)) == (Opcode.PONG, b"hey")


def test_a_close_frame_says_farewell() -> None:
    browser = dialects.by_name("browser", "host")
    assert (
        browser.whole(frame(b"\x0f\xa0drained", Opcode.CLOSE)).farewell
        == "closed with 4000 drained"
    )
    assert browser.whole(frame(b"", Opcode.CLOSE)).farewell == "closed without a reason"


@pytest.mark.parametrize(
    ("name", "notice"),
    [
        ("chatte", b"150 load_0-12 just join to the chat\n"),
        ("irc", b":load_0-12!~load@127.0.0.1 JOIN :#lobby\r\n"),
        ("protocollo", "G.@g> load_0-12 si è unito\n".encode()),
        ("protocollo", b"G.@G> Membro entrato nella chat: Benvenuto load_0-12\n\n"),
        (
            "browser",
            frame(b'{"type":"events","events":[{"type":"joined","nickname":"load_0-12"}]}'),
        ),
    ],
)
def test_a_notice_of_who_came_is_counted_once(name: str, notice: bytes) -> None:
    marks = dialects.by_name(name, "host").joined(b"load_0-")
    assert sum(notice.count(mark) for mark in marks) == 1
    other = notice.replace(b"load_0", b"load_1")
    assert sum(other.count(mark) for mark in marks) == 0
