"""What the line dialects share: bounded lines of bytes in any split, who enters where, texts of several
lines, and the past.

Source: docs/protocols/README.md, "Text": lines end with LF or CRLF; a line longer than 4096 bytes is
refused as a whole, its rest skipped, and the connection stays.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import ClassVar, Final

from tertulia.dialects.contract import ModerationFault, RoomFault
from tertulia.dialects.shared import SharedEncoder
from tertulia.domain.commands import Enter
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.operator_commands import Action
from tertulia.domain.past import PastMessage, Place
from tertulia.domain.position import Position
from tertulia.domain.rooms import MARK, RoomInfo, fold_room, is_room
from tertulia.domain.text import LINE_END, decode

MAX_LINE = 4096
"""The most bytes in a line, without its end."""


class TooLong(Exception):
    """A line was longer than the bound. It is dropped; the next line can be asked for."""


ROOM_MARK: Final = MARK.encode()
"""With what the name of a further room begins."""


def entering(line: bytes) -> Enter:
    """Return what a first line asks for: ``nickname``, ``nickname@room``, each with ``:password`` or without.

    A nickname is not cleaned as texts are: a control in it makes it malformed, not another nickname. So does
    an ``@`` that no room's name follows.
    """
    who, colon, password = line.partition(b":")
    nickname, _, room = who.decode("latin-1").partition("@")
    room = fold_room(MARK + room)
    if not is_room(room):
        nickname, room = who.decode("latin-1"), ""
    return Enter(nickname, decode(password) if colon else None, room=room)


def further_room(recipient: bytes) -> str | None:
    """Return the further room that a recipient is; None where it is none."""
    if not recipient.startswith(ROOM_MARK):
        return None
    room = fold_room(recipient.decode("latin-1"))
    return room if is_room(room) else None


class Lines:
    """A buffer that is fed bytes and asked for lines."""

    most: ClassVar[int] = MAX_LINE
    """The most bytes in a line, without its end."""
    __slots__ = ("_buffer", "_scanned", "_skipping", "_start")

    def __init__(self) -> None:
        self._buffer = b""
        self._start = 0  # where the first line not yet returned begins
        self._scanned = 0  # no line end before here: so a slow sender costs no quadratic search
        self._skipping = False

    @property
    def buffered(self) -> int:
        """How many bytes were fed and not yet returned in a line."""
        return len(self._buffer) - self._start

    def feed(self, data: bytes) -> None:
        """Take bytes in any split."""
        if not self._buffer:  # nothing is left: the places are 0
            self._buffer = data
            return
        self._buffer = self._buffer[self._start :] + data
        self._scanned -= self._start
        self._start = 0

    def next_line(self) -> bytes | None:
        """Return the next line without its end, or None where it is not whole yet.

        Raises TooLong, once, for each line longer than the bound.
        """
        buffer = self._buffer
        if not buffer:
            return None
        end = buffer.find(b"\n", self._scanned)
        if end >= 0 and self._skipping:
            self._skipping = False
            self._start = self._scanned = end + 1
            end = buffer.find(b"\n", self._scanned)
        if end < 0:
            self._keep_partial()
            return None
        start = self._start
        if end + 1 < len(buffer):
            self._start = self._scanned = end + 1
        else:
            # All of it was read: an idle connection keeps nothing of its last read.
            self._buffer, self._start, self._scanned = b"", 0, 0
        if end > start and buffer[end - 1] == 0x0D:
            end -= 1
        if end - start > self.most:
            raise TooLong
        return buffer[start:end]

    def _keep_partial(self) -> None:
        self._scanned = len(self._buffer)
        if self._skipping:
            self._buffer, self._start, self._scanned = b"", 0, 0
        elif self.buffered > self.most + 1:  # the CR of a line of exactly the bound may be there
            self._buffer, self._start, self._scanned = b"", 0, 0
            self._skipping = True
            raise TooLong


class LineEncoder(SharedEncoder):
    """The half of an encoder that is the same in all line dialects: they only read what others do."""

    __slots__ = ()

    rooms: ClassVar[bool] = False
    in_order: ClassVar[bool] = True
    history: int

    @property
    def looks_back(self) -> bool:
        return self.history > 0

    def _line(self, text: str) -> bytes:
        raise NotImplementedError

    def _notice(self, text: str) -> bytes:
        raise NotImplementedError

    def _lines(self, head: str, text: str) -> bytes:
        """Render a text of one line or several: each is a line of the protocol, behind the same words."""
        return b"".join([self._line(head + line) for line in text.split(LINE_END)])

    def batch(self, pieces: Sequence[bytes], position: Position, first: int = 0) -> bytes:
        return b"".join(pieces)

    def past_message(self, message: PastMessage) -> bytes:
        if message.is_redacted:
            return b""
        # By the clock of the node's own system: a reader's zone is not known.
        at, said = datetime.fromtimestamp(message.position.at, UTC).astimezone(), message.said
        head = f"{at:%H:%M} {said.nickname}: "
        return b"".join([self._notice(head + line) for line in said.text.split(LINE_END)])

    def past(self, pieces: Sequence[bytes], epoch: str, before: Place, *, more: bool) -> bytes:
        return b"".join(pieces)

    def found(
        self, text: str, pieces: Sequence[bytes], epoch: str, before: Place, *, more: bool
    ) -> bytes:
        return b""

    def not_moderated(self, action: Action, fault: ModerationFault, tag: int = 0) -> bytes:
        return b""

    def not_joined(self, fault: RoomFault) -> bytes:
        return b""

    def parted(self, reason: Disconnect, words: str = "", by: str = "") -> bytes:
        return b""

    def room_list(self, rooms: Sequence[RoomInfo]) -> bytes:
        return b""

    def mutes(self, mutes: Mapping[str, int]) -> bytes:
        return b""

    def pong(self) -> bytes:
        return b""
