"""The last messages of a room, as newcomers read them: kept on each node, and rendered once for all."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from typing import Final

import msgspec

from tertulia.chat.ports import Entry
from tertulia.chat.unshown import Unshown
from tertulia.dialects.contract import Encoder
from tertulia.domain.events import Said
from tertulia.domain.past import PastMessage, Place, messages, since_closed
from tertulia.domain.position import Position

MOST_SIZE: Final = 262_144
"""How much is kept at most: characters of the texts, and ``_MESSAGE`` for each message."""
_MESSAGE: Final = 128


class _Talk(msgspec.Struct):
    """Consecutive messages of an entry."""

    position: Position
    first: int
    said: Sequence[Said]
    size: int


@dataclass(slots=True)
class _Rendered:
    """The past in the words of one encoder."""

    pieces: deque[bytes | None]
    """None for what can't be shown."""
    end: int
    """Up to which message it is rendered: they are counted on and on."""
    text: bytes = b""
    count: int = 0
    """How many lines ``text`` has, where it has lines."""
    is_fresh: bool = False
    """Whether ``text`` holds the pieces as they are."""


_SILENCE: Final[deque[_Talk]] = deque()
"""Stands for an empty ring, as most rooms are silent for most of the time. Nothing is added to it."""


@dataclass(slots=True)
class RecentTalk:
    """A ring of messages. It costs a call for each entry, and what newcomers read is made when one comes."""

    most: int
    """How many messages are kept."""
    seconds: float
    """For how long they are kept: as long as the log keeps them."""
    unshown: Unshown
    """Where it is noted that a dialect fails on one."""
    _ring: deque[_Talk] = field(default_factory=lambda: _SILENCE)
    _epoch: str = ""
    _count: int = 0
    _size: int = 0
    _end: int = 0
    """How many messages were ever added."""
    _is_whole: bool = True
    """Whether nothing was said before what is kept: since the chat was closed, or the epoch began."""
    _redacted: Set[tuple[int, int]] = frozenset()
    _rendered: dict[Encoder, _Rendered] = field(default_factory=dict)

    def fill(self, entries: Iterable[Entry], epoch: str, *, is_whole: bool) -> None:
        """Begin with these entries, the oldest first; ``is_whole``: the epoch's log has none before them."""
        self.clear(epoch, is_whole=is_whole)
        for entry in entries:
            said, first, was_closed = since_closed(entry.events)
            if was_closed:
                self.clear(epoch)
            if said:
                self.add(entry.position, said, first)

    def add(self, position: Position, said: Sequence[Said], first: int = 0) -> None:
        """Add consecutive messages of an entry; ``first`` is the index of the first one."""
        if position.epoch != self._epoch:
            self.clear(position.epoch)
        count = len(said)
        size = _MESSAGE * count
        for message in said:
            size += len(message.text)
        if self._ring is _SILENCE:
            self._ring = deque()
        self._ring.append(_Talk(position, first, said, size))
        self._count += count
        self._end += count
        self._size += size
        while (self._count > self.most and self._count - len(self._ring[0].said) >= self.most) or (
            self._size > MOST_SIZE and len(self._ring) > 1
        ):
            self._drop()

    def clear(self, epoch: str, *, is_whole: bool = True) -> None:
        """Forget everything: the chat was closed, another epoch has begun, or somebody was erased.

        ``is_whole``: nothing that is missing here was said since then.
        """
        self._ring, self._redacted = _SILENCE, frozenset()
        self._epoch, self._count, self._size, self._is_whole = epoch, 0, 0, is_whole
        self._render_anew()

    def redact(self, offset: int, index: int) -> None:
        """Show no more than that there was a message, at this place."""
        if self._ring and offset >= self._ring[0].position.offset:
            self._redacted |= {(offset, index)}
            self._render_anew()

    def as_read(self, encoder: Encoder, here: Position) -> tuple[bytes, int]:
        """Return what a newcomer reads of it, and in how many lines. ``here``: where it comes in."""
        if not encoder.history:
            return b"", 0
        if here.epoch != self._epoch:
            self.clear(here.epoch)
        while self._ring and self._ring[0].position.at < here.at - self.seconds:
            self._drop()
            self._render_anew()
        if not self._ring:
            return self._put_together((), encoder, here), 0
        it = self._rendered.get(encoder)
        if it is None:
            pieces = deque[bytes | None](maxlen=encoder.history)
            it = self._rendered[encoder] = _Rendered(pieces, self._end - self._count)
        if it.end < self._end:
            new = self._last(min(self._end - it.end, encoder.history))
            it.pieces.extend(self._piece(encoder, message) for message in new)
            it.end, it.is_fresh = self._end, False
        while len(it.pieces) > self._count:  # they were too large
            it.pieces.popleft()
            it.is_fresh = False
        if not it.is_fresh:
            it.text = self._put_together(it.pieces, encoder, here)
            # Who acknowledges everything does so with each line; to others the number says nothing.
            it.count, it.is_fresh = (
                sum(piece.count(b"\n") for piece in filter(None, it.pieces)),
                True,
            )
        if None in it.pieces:
            before = msgspec.structs.replace(here, offset=here.offset - 1)
            return it.text + encoder.missed(before), it.count + 1
        return it.text, it.count

    def _piece(self, encoder: Encoder, message: PastMessage) -> bytes | None:
        try:
            return encoder.past_message(message)
        except Exception:
            self.unshown.note(encoder)
            return None

    def _put_together(
        self, pieces: Sequence[bytes | None], encoder: Encoder, here: Position
    ) -> bytes:
        before = Place(here.offset + 1)
        for first in self._last(len(pieces)):
            before = Place(first.position.offset, first.index)
            break
        more = not self._is_whole or len(pieces) < self._count
        return encoder.past(list(filter(None, pieces)), here.epoch, before, more=more)

    def _last(self, count: int) -> Iterator[PastMessage]:
        """Yield the last so many messages, the oldest first."""
        talks: list[_Talk] = []
        for talk in reversed(self._ring):
            if count <= 0:
                break
            talks.append(talk)
            count -= len(talk.said)
        for talk in reversed(talks):
            for message in messages(talk.position, talk.said, talk.first):
                if count < 0:
                    count += 1
                elif (talk.position.offset, message.index) in self._redacted:
                    yield msgspec.structs.replace(message, is_redacted=True)
                else:
                    yield message

    def _drop(self) -> None:
        """Forget the oldest messages."""
        talk = self._ring.popleft()
        self._count -= len(talk.said)
        self._size -= talk.size
        self._is_whole = False
        if self._redacted:
            self._redacted = {place for place in self._redacted if place[0] >= talk.position.offset}

    def _render_anew(self) -> None:
        self._rendered.clear()
