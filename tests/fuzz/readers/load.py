"""What the load tool reads of a service, or of the servers that it is compared with."""

from collections.abc import Callable

from fuzz.target import Pieces, Target, check
from tertulia.clients.dialects.browser import Browser
from tertulia.clients.dialects.chatte import Chatte
from tertulia.clients.dialects.contract import Dialect
from tertulia.clients.dialects.protocollo import Protocollo
from tertulia_load import texts
from tertulia_load.dialects.centrifugo import Centrifugo
from tertulia_load.dialects.irc import Irc
from tertulia_load.dialects.nats import Nats
from tertulia_load.texts import Kind


def _reading(make: Callable[[], Dialect]) -> Callable[[Pieces], object]:
    def read(pieces: Pieces) -> object:
        dialect = make()
        entering = dialect.entering("load-1")
        entering.feed(b"")  # it connected
        written = carry = whole = replies = b""
        farewell = ""
        for piece in pieces:
            if not (entering.entered or entering.refused):
                written += entering.feed(piece)
                piece, entering.rest = (
                    (entering.rest, b"") if entering.entered else (b"", entering.rest)
                )
            if entering.refused:
                return [written, entering.refused]
            if entering.entered:
                carry += piece
                found = dialect.whole(carry)
                check(0 <= found.end <= len(carry), "it ends where nothing is")
                whole, carry = whole + carry[: found.end], carry[found.end :]
                replies += found.reply
                farewell = farewell or found.farewell
                if farewell:
                    break
        if farewell:
            return [written, True]  # what stands behind it is read or not, as it came
        return [written, entering.entered, replies, carry, texts.find(whole)]

    return read


_TEXT = texts.text(texts.token(b"abcd0", Kind.PUBLIC, 1, 2, 3), 60)


def _framed(payload: bytes, first: int = 0x81) -> bytes:
    return bytes((first, len(payload))) + payload


_UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
TARGETS = (
    Target(
        "load: chatte",
        _reading(Chatte),
        (
            b"0 Hello, nickname please.\n200 Welcome to the chatte.\n100 bob "
            + _TEXT
            + b"\n101 Message sent.\n",
        ),
        (b"200 ", b"0 ", b"\n", _TEXT),
    ),
    Target(
        "load: protocollo",
        _reading(Protocollo),
        (b"Utenti collegati: bob\nbob.@g> " + _TEXT + b"\n",),
        (b"Utenti collegati:", b"\n", _TEXT),
    ),
    Target(
        "load: browser",
        _reading(lambda: Browser("127.0.0.1")),
        (
            _UPGRADED + _framed(b'{"type":"welcome"}') + _framed(b"x", 0x89) + _framed(_TEXT[:40]),
            _UPGRADED + _framed(b'{"type":"welcome"}') + _framed(b"\x03\xe8bye", 0x88),
            _UPGRADED
            + b"\x81\x7e\0\x12"
            + b'{"type":"welcome"}'
            + b"\x81\x7f"
            + (4).to_bytes(8, "big")
            + b"abcd",
            _UPGRADED + _framed(b'{"type":"welcome","history":5}') + _framed(b'{"type":"past"}'),
        ),
        (_UPGRADED, b"\x81\x7e", b"\x81\x7f", b"\xff" * 8, _framed(b"", 0x89), b'"type":"welcome"'),
    ),
    Target(
        "load: irc",
        _reading(Irc),
        (
            b":x 001 load :hi\r\nPING :1\r\n:x 366 load #load :End\r\n:bob!b@x PRIVMSG #load :"
            + _TEXT
            + b"\r\nPING x\r\n",
            b":x 433 * load :taken\r\n",
        ),
        (b"PING ", b"ERROR ", b" 366 ", b":x 4", b"\r\n"),
    ),
    Target(
        "load: nats",
        _reading(Nats),
        (b"INFO {}\r\nPONG\r\nMSG load.room 1 60\r\n" + _TEXT + b"\r\nPING\r\n", b"-ERR 'no'\r\n"),
        (b"INFO ", b"PONG\r\n", b"PING\r\n", b"-ERR ", _TEXT),
    ),
    Target(
        "load: centrifugo",
        _reading(lambda: Centrifugo("127.0.0.1")),
        (
            _UPGRADED
            + _framed(b'{"connect":{}}')
            + _framed(b'{"subscribe":{}}') * 2
            + _framed(b"{}")
            + _framed(_TEXT[:40]),
            _UPGRADED + _framed(b'{"error":{}}'),
        ),
        (_UPGRADED, b"\x81\x7e", b"{}", b"\n", b'"connect":', b'"subscribe":', b'"error":'),
    ),
)
