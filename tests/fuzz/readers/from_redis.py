"""What Redis and Sentinels answer, and what nodes of any version tell each other through Redis."""

import asyncio
import re
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, cast

from fuzz.target import Pieces, Target, check
from tertulia.redis.access import Access, Server
from tertulia.redis.cluster import Cluster
from tertulia.redis.commands import Commands
from tertulia.redis.errors import ErrorReply, StoreAway, failing, translate
from tertulia.redis.hot import HotConnection
from tertulia.redis.masters import identify
from tertulia.redis.sentinel import Sentinels
from tertulia.store import wire


class _Transport(asyncio.Transport):
    """Nowhere."""

    def abort(self) -> None:
        """There is nothing to give up."""


def _replied(pieces: Pieces) -> tuple[list[Any], HotConnection]:
    connection = HotConnection(_Transport())
    for piece in pieces:
        connection.data_received(piece)
    return connection._said, connection


def _replies(pieces: Pieces) -> object:
    """Read replies; what can be none ends the connection."""
    if _HUGE.search(b"".join(pieces)):
        return None  # hiredis makes room for as many as Redis says that there are
    said, connection = _replied(pieces)
    return [
        *((type(it), str(it)) if isinstance(it, ErrorReply) else repr(it) for it in said),
        connection.is_over,
    ]


_HUGE = re.compile(rb"[*%~>|][0-9]{6}")


def _message(pieces: Pieces) -> object:
    try:
        return [wire.parse_message(b"".join(pieces))]
    except wire.Unknown:
        return None


def _logged(pieces: Pieces) -> object:
    """Read what stands in the log, as fields of an entry."""
    fields = b"".join(pieces).split(b"\0")
    return [wire.parse_logged("e", b"7-0", fields[: len(fields) // 2 * 2])]


def _letters(pieces: Pieces) -> object:
    """Read an inbox. Every letter begins with its number, whichever version wrote it."""
    lines = [b"7 " + it for it in b"".join(pieces).split(b"\n")]
    letters = wire.parse_letters(lines)
    check(len(letters) == len(lines), "a letter lost its place")
    return [letters]


def _bans(pieces: Pieces) -> object:
    data = b"".join(pieces)
    return [wire.parse_bans([b"x", data, b"y", data])]


def _refusal(pieces: Pieces) -> object:
    away = translate(ErrorReply(b"".join(pieces).decode(errors="replace")))
    return [away.cause.value, away.is_final]


class _Asked:
    """Access to one that answers so."""

    def __init__(self, url: str, said: list[Any]) -> None:
        self.url = Access.to(url).url
        self._said = said

    @asynccontextmanager
    async def visit(self, server: Server, *_: object) -> AsyncIterator[Commands]:
        with failing(server):
            yield Commands(self._ask)

    async def _ask(self, *commands: object) -> list[Any]:
        if len(self._said) < len(commands):
            raise TimeoutError("nothing came")
        answers = [self._said.pop(0) for _ in commands]
        for answer in answers:
            if isinstance(answer, ErrorReply):
                raise answer
        return answers

    async def identify(self) -> object:
        """Look at what answers as at a master."""
        async with self.visit(_SERVER) as redis:
            return await identify(redis, _SERVER, is_cluster=False)


_SERVER = Server("127.0.0.1", 6379)


def _done(work: Coroutine[Any, Any, object]) -> object:
    """Do what waits for nothing. What can't be used is StoreAway."""
    try:
        work.send(None)
    except StopIteration as done:
        return [done.value]
    except StoreAway as away:
        return away.cause.value
    raise AssertionError("it waits for something")


def _found(pieces: Pieces) -> object:
    """Give what is read to those who look for a master, and look at the one that they found."""
    said = [] if _HUGE.search(b"".join(pieces)) else _replied(pieces)[0]
    came = []
    for url in ("redis+sentinel://127.0.0.1/main", "redis+cluster://127.0.0.1"):
        access = cast(Access, _Asked(url, list(said)))
        finder = (
            Sentinels(access, 1.0) if "sentinel" in url else Cluster(access, 1.0, "{main}:meta")
        )
        came.append(_done(finder._ask(_SERVER)))
    came.append(_done(_Asked("redis://127.0.0.1", list(said)).identify()))
    return came


def _array(*items: bytes) -> bytes:
    bulk = b"".join(b"$%d\r\n%s\r\n" % (len(it), it) for it in items)
    return b"*%d\r\n%s" % (len(items), bulk)


_INFO = b"# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\nrun_id:0123456789abcdef\r\n"
_SAID = b'{"t":"said","n":"andy","s":"n:1","x":"hi"}'
_WHISPERED = b'{"t":"whispered","n":"andy","s":"n:1","r":"bob","x":"hi"}'
_ORDERED = b'{"t":"ordered","i":"7","b":"me@host","a":"kick","o":"bob"}'
_NUMBERS = (b"9" * 330, b"-1", b"1_0", b" 1", b"1.5", "١".encode(), b"0x1")
_JSON = (b'"t":"joined"', b'"t":"left"', b'"t":"closed"', b'"t":"later"', b"null", *_NUMBERS)
TARGETS = (
    Target(
        "Redis' replies",
        _replies,
        (
            b"+OK\r\n:7\r\n$-1\r\n*0\r\n",
            _array(b"message", b"{main}:room", b"1 p e 7"),
            b"*2\r\n*2\r\n:1\r\n$1\r\nx\r\n*-1\r\n-NOPERM no\r\n",
            b"-ERR Error running script (call to f_12): @user_script:3: @user_script: 3: -OOM x\r\n",
            b"%1\r\n+a\r\n#t\r\n~1\r\n,1.5\r\n_\r\n=8\r\ntxt:abcd\r\n(12345678901234567890\r\n>1\r\n:1\r\n",
        ),
        (
            b"\r\n",
            b"*1\r\n",
            b"$5\r\n",
            b":-1\r\n",
            b"%1\r\n",
            b"~1\r\n",
            b"|1\r\n",
            b">2\r\n",
            b"-MOVED 1 x:1\r\n",
        ),
    ),
    Target(
        "who finds a master",
        _found,
        (
            _array(b"ip", b"127.0.0.1", b"port", b"6379", b"config-epoch", b"1", b"flags", b"x"),
            b"*1\r\n*3\r\n:0\r\n:16383\r\n" + _array(b"127.0.0.1", b"6379", b"abc"),
            _array(b"master", b"0") + b"$%d\r\n%s\r\n" % (len(_INFO), _INFO),
        ),
        (
            b"*1\r\n",
            b":0\r\n",
            b"$-1\r\n",
            b"port",
            b"$1\r\n?\r\n",
            b"redis_version:x.y\r\n",
            b"-ERR x\r\n",
        ),
        is_cut=False,
    ),
    Target(
        "the bus",
        _message,
        (
            b"1 r e 7 1700000000000000 n 3\n" + _SAID + b"\n" + _ORDERED,
            b"1 i e\n7 n:1 1700000000000 " + _WHISPERED,
            b"1 p e 7",
            b"2 r e 8",
        ),
        (_SAID, _WHISPERED, _ORDERED, b"1 r ", b"1 i ", b"1 p ", *_JSON),
        is_cut=False,
    ),
    Target(
        "the log",
        _logged,
        (
            b"p\x001700000000000000\0b\0n 3\0e\0" + _SAID,
            b"v\x002\0x\0y",
            b"v\x001\0p\x001\0b\0n 1\0e\0" + _ORDERED,
        ),
        (b"\0", b"p\0", b"b\0", b"e\0", _SAID, _ORDERED, *_JSON),
        is_cut=False,
    ),
    Target(
        "letters",
        _letters,
        (b"n:1 1700000000000 " + _WHISPERED, b'n:1 1700000000000 {"t":"summoned","p":5001}\nlater'),
        (b"\n", b" ", _WHISPERED, *_JSON),
        is_cut=False,
    ),
    Target(
        "bans",
        _bans,
        (b'{"kind":"network","subject":"192.0.2.0/24","until":7,"reason":"x","by":"y","since":1}',),
        (b'"kind":', b'"nickname"', *_JSON),
        is_cut=False,
    ),
    Target(
        "Redis' refusals",
        _refusal,
        (
            b"NOPERM x",
            b"MOVED 3999 127.0.0.1:6381",
            b"ERR Error running script (call to f_1): @user_script:1: x",
        ),
        (b"OOM ", b"@user_script:", b"ERR "),
        is_cut=False,
    ),
)
