"""``irc``, of the service and of other servers: RFC 2812; one channel is the lobby, the others are rooms.

Clients ask for no capability, so that a sender does not read its own messages. Limits on flooding have to be
off, or they are what is measured.
"""

from collections.abc import Sequence
from typing import ClassVar, Final

from tertulia.clients.dialects.contract import LineHandshake, Whole, whole_lines

_LOBBY: Final = b"#lobby"
"""The service has its clients join it by themselves; who joins it once more is told nothing."""
_NO_MOTD: Final = b"422"


class _Entering(LineHandshake):
    """Register, and then join the channels. The ends of all their lists of members are the welcome."""

    def __init__(self, nickname: str, rooms: Sequence[str]) -> None:
        name = nickname.encode()
        super().__init__(b"NICK %s\r\nUSER load 0 * :load\r\n" % name)
        self._channels = [_LOBBY, *map(_channel, rooms)]
        self._to_come = set(self._channels)
        self._own = b":%s!" % name
        self._early = b""  # what came of others between two lists

    def line(self, line: bytes) -> bytes:
        words = line.split(b" ", 4)
        is_from_somebody = line.startswith(b":") and len(words) > 1
        command = words[1] if is_from_somebody else words[0]
        if command == b"PING":
            return _pong(line)
        if command == b"001":
            return b"".join(b"JOIN %s\r\n" % it for it in self._channels)
        if command in (b"JOIN", b"PRIVMSG") and not line.startswith(self._own):
            self._early += line + b"\r\n"
        elif command == b"366" and len(words) > 3:
            self._to_come.discard(words[3])
            self.entered = not self._to_come
            if self.entered:
                self.rest = self._early + self.rest
        elif command == b"ERROR" or _is_error(command):
            return self.refuse(line)
        return b""


class Irc:
    """The words of IRC."""

    name: ClassVar[str] = "irc"
    echoes: ClassVar[bool] = False
    announces: ClassVar[bool] = True
    one_order: ClassVar[bool] = True
    most_rooms: ClassVar[int] = 1000
    has_lobby: ClassVar[bool] = True
    mark: ClassVar[bytes] = b"\t"
    acknowledgement: ClassVar[bytes] = b""
    answers: ClassVar[tuple[bytes, ...]] = ()
    # No such nickname; can't send to the channel. No text of ours has a space in it.
    refusals: ClassVar[tuple[bytes, ...]] = (b" 401 ", b" 404 ")
    slowed: ClassVar[bytes] = b""

    def entering(self, nickname: str, rooms: Sequence[str] = ()) -> _Entering:
        return _Entering(nickname, rooms)

    def say(self, text: bytes, room: str = "") -> bytes:
        return b"PRIVMSG %s :%s\r\n" % (_channel(room) if room else _LOBBY, text)

    def whisper(self, recipient: bytes, text: bytes) -> bytes:
        return b"PRIVMSG %s :%s\r\n" % (recipient, text)

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
        return (b":" + prefix,)


def _channel(room: str) -> bytes:
    return b"#%s" % room.encode()


def _pong(ping: bytes) -> bytes:
    return b"PONG %s\r\n" % ping.partition(b"PING ")[2]


def _is_error(command: bytes) -> bool:
    return len(command) == 3 and command[:1] in b"45" and command.isdigit() and command != _NO_MOTD
