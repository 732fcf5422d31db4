"""The service's dialects, without sockets: bytes to commands, and a text on its way to others."""

from collections.abc import Callable, Iterable
from datetime import datetime

from fuzz.target import Pieces, Target, check
from tertulia.dialects.browser import BrowserDecoder, BrowserEncoder
from tertulia.dialects.chatte import ChatteDecoder, ChatteEncoder
from tertulia.dialects.contract import Decoder
from tertulia.dialects.device import DeviceDecoder, Hangup, Reply
from tertulia.dialects.device_framing import MAX_STRING
from tertulia.dialects.irc.capabilities import Capability
from tertulia.dialects.irc.client import MOST_PENDING, IrcServer
from tertulia.dialects.irc.decoder import IrcDecoder
from tertulia.dialects.lines import MAX_LINE
from tertulia.dialects.protocollo import ProtocolloDecoder, ProtocolloEncoder
from tertulia.domain import requests
from tertulia.domain.commands import (
    Command,
    Enter,
    Excerpt,
    JoinRoom,
    LookBack,
    Moderate,
    PartRoom,
    ReadReply,
    Say,
    Search,
    Whisper,
)
from tertulia.domain.events import Said, Whispered
from tertulia.domain.nicknames import is_valid
from tertulia.domain.past import PastMessage
from tertulia.domain.position import Position
from tertulia.domain.rooms import is_room
from tertulia.domain.text import LINE_END, MAX_TEXT, clean, decode

_VOICES: tuple[ChatteEncoder | ProtocolloEncoder, ...] = (
    ChatteEncoder(),
    ChatteEncoder("latin-1", "classic"),
    ProtocolloEncoder(),
    ProtocolloEncoder("classic", "latin-1"),
    ProtocolloEncoder("page", "latin-1"),
)
_WHEN = datetime(2026, 11, 20, 23, 11, 5)  # noqa: DTZ001 (the page's dates have no zone)


def _harmless(command: Command) -> Command:
    """Require that nothing in a text can do anything but be read."""
    if isinstance(command, Say | Whisper):
        text = command.text.replace(
            LINE_END, ""
        )  # nobody can write it: it stands for their line ends
        check(text.replace("\t", "").isprintable() or clean(text) == text, f"not clean: {text!r}")
    for name in _rooms(command):
        is_folded = is_room(name) or not name.isascii() or not is_room(name.lower())
        check(is_folded, f"not folded: {name!r}")
    return command


def _rooms(command: Command) -> Iterable[str]:
    """Return the rooms that a command is about."""
    if isinstance(command, Enter):
        yield from command.rooms
    if isinstance(
        command, Enter | Say | JoinRoom | PartRoom | LookBack | Search | Moderate | Excerpt
    ):
        yield command.room


def _entering(decoder: Decoder, command: Command) -> None:
    if isinstance(command, Enter):
        if is_valid(command.nickname):
            decoder.entered()
        else:
            decoder.refused()


def _lines(make: Callable[[], Decoder]) -> Callable[[Pieces], object]:
    def read(pieces: Pieces) -> object:
        decoder = make()
        told = []
        for piece in pieces:
            decoder.feed(piece)
            while (command := decoder.next_command()) is not None:
                told.append(_harmless(command))
                _entering(decoder, command)
            check(
                decoder.buffered <= MAX_LINE + 1, f"{decoder.buffered} bytes wait for a line's end"
            )
        return told

    return read


def _browser(pieces: Pieces) -> object:
    """Read a message before entering, and after it. The edge takes UTF-8 alone."""
    told = []
    try:
        b"".join(pieces).decode()
    except UnicodeDecodeError:
        return None
    for has_entered in (False, True):
        decoder = BrowserDecoder()
        if has_entered:
            decoder.entered()
        for piece in pieces:
            decoder.feed(piece)
        while (command := decoder.next_command()) is not None:
            told.append(_harmless(command))
            if isinstance(command, Say | Whisper):
                check(len(command.text.encode()) <= MAX_TEXT, "a text is too long")
    return told


def _irc(pieces: Pieces) -> object:
    """Read lines of who enters, and of who is registered and has asked for everything."""
    told: list[object] = []
    for is_registered in (False, True):
        decoder = IrcDecoder(IrcServer(accounts="open"))
        if is_registered:
            decoder.entered()
            decoder.client.nickname, decoder.client.rooms = "andy", {"", "ops"}
            for it in Capability:
                decoder.client.capabilities |= it
        for piece in pieces:
            decoder.feed(piece)
            while (command := decoder.next_command()) is not None:
                if isinstance(command, ReadReply):
                    check(command.text.endswith(b"\r\n"), f"no line: {command.text!r}")
                    check(
                        all(
                            len(it.partition(b" :")[2]) <= 510 for it in command.text.split(b"\r\n")
                        ),
                        f"a long line: {command.text!r}",
                    )
                told.append(type(command) if hasattr(command, "told") else _harmless(command))
                _entering(decoder, command)
            check(
                decoder.buffered <= IrcDecoder.most + 1,
                f"{decoder.buffered} bytes wait for a line's end",
            )
        check(len(decoder.client.pending) <= MOST_PENDING, "too much is pending")
    return told


def _answer(request: requests.Request) -> object:
    match request:
        case requests.OpenChat(other=other):
            return (0, 1, 1, 5001)[len(other) % 4]
        case requests.PortOf(name=name):
            return 5001 if len(name) % 2 else 0
        case requests.Online():
            return ["alice", "bob"]
        case requests.Hanging():
            return [("alice", 2, _WHEN)]
        case requests.Show(sender=sender):
            return ["dinner?", "  ", sender] if len(sender) % 2 else []
        case requests.AddressOf():
            return "192.0.2.7"
        case requests.Message(text=text):
            return None if text.startswith("full") else True
    return True


def _device(pieces: Pieces) -> object:
    decoder = DeviceDecoder()
    told: list[object] = []
    for piece in pieces:
        decoder.feed(piece)
        while (command := decoder.next_command()) is not None:
            told.append(command)
            if isinstance(command, Hangup):
                return told
            if not isinstance(command, Reply):
                decoder.answer(_answer(command))
        check(
            decoder.buffered <= MAX_STRING + 4, f"{decoder.buffered} bytes wait for a string's end"
        )
    return told


def _text(pieces: Pieces) -> object:
    """Take a text in, and tell others: one line each, whatever it is."""
    text = decode(b"".join(pieces).replace(b"\n", b" "))
    check(clean(text) == text, f"cleaned again it is another text: {text!r}")
    text.encode()
    for encoder in _VOICES:
        said = encoder.public(Said("andy", "n:1", text))
        whispered = encoder.private(Whispered("andy", "n:1", "bob", text), 1.0)
        past = encoder.past_message(
            PastMessage(Position("e", 1, 1.0), 0, Said("andy", "n:1", text))
        )
        for told in (said, whispered, past):
            check(
                told.count(b"\n") == 1 and told.endswith(b"\n"),
                f"{encoder}: not one line: {told!r}",
            )
            check(b"\r" not in told and b"\x1b" not in told, f"{encoder}: a control: {told!r}")
    return BrowserEncoder().public(Said("andy", "n:1", text))


def _string(text: bytes) -> bytes:
    return len(text).to_bytes(2, "big") + b"\0\0" + text


def _integers(*values: int) -> bytes:
    return b"".join(value.to_bytes(4, "big") for value in values)


_NAMES = _string(b"andy"), _string(b"bob"), _string(b"alice")
TARGETS = (
    Target(
        "text",
        _text,
        (
            b"Hola!",
            "¿hay alguien aquí?".encode(),
            "così è".encode("cp1252"),
            "e\u0301a\u0308".encode(),
        ),
        ("\u0300".encode(), "\u200d".encode(), "\u0661".encode(), "\u2260".encode(), "漢".encode()),
        is_cut=False,
    ),
    Target(
        "chatte",
        _lines(ChatteDecoder),
        (
            b"andy\n100 Hola!\n102 bob hi\n101 Message received.\n",
            b"andy:secret\r\n101\r\n666 x\r\n102 bob\r\n",
            b"andy\n100 " + b"x" * MAX_LINE + b"\n101 Message received.\n",
            b"andy@ops:secret\n100 hi\n102 #dev hi\n102 #OPS hi\n",
        ),
        (b"100 ", b"101 ", b"102 ", b"#ops", b"@ops", b"andy", b"x" * 4_090, b"\n"),
    ),
    Target(
        "protocollo",
        _lines(ProtocolloDecoder),
        (
            b"andy\nG\nciao\nbob\nhi\nfine\n",
            b"G\nandy:secret\nnull\n\nstop\n" + b"y" * 4_097 + b"\nG\nx\n",
            b"andy@ops:secret\nG\nciao\n#dev\nciao\n",
        ),
        (b"G\n", b"#ops\n", b"@ops", b"fine\n", b"stop\n", b"null\n\n", b"x" * 4_090, b"\n"),
    ),
    Target(
        "irc",
        _irc,
        (
            b"CAP LS 302\r\nNICK andy\r\nUSER andy 0 * :Andy\r\nCAP REQ :sasl batch -foo\r\nCAP END\r\n",
            b"CAP REQ sasl\nAUTHENTICATE PLAIN\nAUTHENTICATE AGFuZHkAc2VjcmV0\nPASS x\nNICK andy\nPING 1\n",
            b"@label=1 JOIN #ops,#lobby key\nPRIVMSG #ops :hi\nNOTICE bob :\x01ACTION waves\x01\nPART #ops\n",
            b"BATCH +1 draft/multiline #ops\n@batch=1 PRIVMSG #ops :\x02a\x034,5b\n"
            b"@batch=1;draft/multiline-concat PRIVMSG #ops :c\nBATCH -1\n",
            b"MODE #ops +oq-m+n bob bob!*@*\nKICK #ops bob,al :out\nTOPIC #ops :x\nREDACT #ops e-7-0 :y\n",
            b"CHATHISTORY BETWEEN #ops msgid=e-7-0 timestamp=2026-11-30T10:20:30.123Z 50\nLIST #ops\n",
            b"WHO b*b %tna,42\nWHOIS bob\nISON a b\nUSERHOST a b\nAWAY :x\nREGISTER * * secret\nHELP\n",
        ),
        (
            b"@batch=1 ",
            b"@label=x ",
            b"PRIVMSG ",
            b"#ops ",
            b"BATCH ",
            b"CAP REQ :",
            b"AUTHENTICATE ",
            b"CHATHISTORY ",
            b"msgid=e-1-1",
            b"\x01",
            b"\x02",
            b" :",
            b"x" * 390,
            b"x" * 4_090,
            b"\r\n",
        ),
    ),
    Target(
        "browser messages",
        _browser,
        (
            b'{"type":"enter","nickname":"andy","password":"secret"}',
            b'{"type":"enter","nickname":"andy","resume":{"token":"x","epoch":"e","offset":7}}',
            b'{"type":"say","text":"hi","id":1}',
            b'{"type":"whisper","to":"bob","text":"h\\u00e9","id":9007199254740991}',
            b'{"type":"received","count":3}',
            b'{"type":"leave"}',
            b'{"type":"close"}',
            b'{"type":"enter","nickname":"andy","rooms":{"ops":{"epoch":"e","offset":7}}}',
            b'{"type":"join","room":"ops","resume":{"epoch":"e","offset":7}}',
            b'{"type":"part","room":"ops"}',
            b'{"type":"rooms"}',
            b'{"type":"say","text":"hi","id":1,"room":"#Ops"}',
            b'{"type":"history","before":7,"room":"ops"}',
            b'{"type":"search","text":"hi","room":"ops"}',
            b'{"type":"moderate","action":"appoint","nickname":"bob","room":"ops"}',
            b'{"type":"moderate","action":"outsiders","on":true,"room":"ops"}',
        ),
        (
            b'"type":',
            b'"text":',
            b'"room":',
            b"null",
            b"\\ud83d",
            b"\\ude00",
            b"\\u0000",
            b"1e308",
            b"true",
            b"{}",
        ),
        is_cut=False,
    ),
    Target(
        "device binary",
        _device,
        (
            _integers(1) + _NAMES[0] + _string(b"secret") + _integers(5001),
            _integers(2) + _NAMES[0] + _string(b"secret") + _integers(5001),
            _integers(3) + _NAMES[0],
            _integers(10) + _NAMES[0] + _NAMES[1] + _string(b"dinner?") + _string(b"\\q"),
            _integers(10) + _NAMES[0] + _NAMES[2] + _integers(200) + _NAMES[0] + _NAMES[2],
            _integers(12) + _NAMES[0] + _NAMES[1],
            _integers(20) + _NAMES[1] + _NAMES[0],
            _integers(30) + _NAMES[0],
            _integers(100) + _NAMES[0],
            _integers(200) + _NAMES[0] + _NAMES[1],
        ),
        (
            *_NAMES,
            _integers(10),
            _integers(200),
            _integers(1024),
            b"\0\0\0\0",
            b"\xff\xff\0\0",
            _string(b"\\q"),
        ),
    ),
    Target(
        "device text",
        _device,
        (
            b"1\nandy\nsecret\n5001\n",
            b"10\nandy\nbob\nhi\n\\q\n",
            b"10\nandy\nalice\n\\q\nmore\n",
            b"20\nbob\nandy\n",
            b"100\nandy\n",
            b"200\nandy\nbob\n",
            b"12\r\nandy\r\nbob\r\n",
        ),
        (b"10\n", b"200\n", b"andy\n", b"\\q\n", b"0", b"9" * 11, b"x" * 4_090),
    ),
)
