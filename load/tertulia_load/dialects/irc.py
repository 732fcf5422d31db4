"""``irc``, of other servers: RFC 2812; one channel is the room.

Their limits on flooding have to be off, or they are what is measured.
"""

from typing import ClassVar, Final

from tertulia.clients.dialects.contract import LineHandshake, Whole, whole_lines

_ROOM: Final = b"#load"
_NO_MOTD: Final = b"422"
_NOT_ALLOWED: Final = bytes.maketrans(b".+", b"__")
"""What a nickname of the load tool has that one of IRC can't have (RFC 2812, 2.3.1)."""


class _Entering(LineHandshake):
    """Register, and then join the channel. The end of the list of members is the welcome."""

    def __init__(self, nickname: str) -> None:
        name = _allowed(nickname.encode())
        super().__init__(b"NICK %s\r\nUSER load 0 * :load\r\n" % name)

    def line(self, line: bytes) -> bytes:
        words = line.split(b" ", 2)
        command = words[1] if line.startswith(b":") and len(words) > 1 else words[0]
        if command == b"PING":
            return _pong(line)
        if command == b"001":
            return b"JOIN %s\r\n" % _ROOM
        if command == b"366":
            self.entered = True
        elif command == b"ERROR" or _is_error(command):
            return self.refuse(line)
        return b""


class Irc:
    """The words of IRC."""

    name: ClassVar[str] = "irc"
    echoes: ClassVar[bool] = False
    announces: ClassVar[bool] = True
    one_order: ClassVar[bool] = True
    mark: ClassVar[bytes] = b"\t"
    acknowledgement: ClassVar[bytes] = b""
    answers: ClassVar[tuple[bytes, ...]] = ()
    # No such nickname; can't send to the channel. No text of ours has a space in it.
    refusals: ClassVar[tuple[bytes, ...]] = (b" 401 ", b" 404 ")
    slowed: ClassVar[bytes] = b""

    def entering(self, nickname: str) -> _Entering:
        return _Entering(nickname)

    def say(self, text: bytes) -> bytes:
        return b"PRIVMSG %s :%s\r\n" % (_ROOM, text)

    def whisper(self, recipient: bytes, text: bytes) -> bytes:
        return b"PRIVMSG %s :%s\r\n" % (_allowed(recipient), text)

    def received(self, private: int) -> bytes:
        return b""

    def whole(self, data: bytes) -> Whole:
        end = whole_lines(data).end
        if b"PING " not in data and b"ERROR " not in data:
            return Whole(end)
        reply, farewell = b"", ""
        for line in data[:end].splitlines():
            if line.startswith(b"PING "):
                reply += _pong(line)
            elif line.startswith(b"ERROR "):
                farewell = line.decode(errors="replace")
        return Whole(end, reply, farewell)

    def joined(self, prefix: bytes) -> tuple[bytes, ...]:
        return (b":" + _allowed(prefix),)


def _allowed(nickname: bytes) -> bytes:
    return nickname.translate(_NOT_ALLOWED)


def _pong(ping: bytes) -> bytes:
    return b"PONG %s\r\n" % ping.partition(b"PING ")[2]


def _is_error(command: bytes) -> bool:
    return len(command) == 3 and command[:1] in b"45" and command.isdigit() and command != _NO_MOTD
