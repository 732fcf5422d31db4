"""One event to everybody, without work per recipient beyond the write.

The events of an entry are rendered once per voice and joined to one ``bytes``, which is written to every
session of that voice. The few sessions that read something else (who came or went in the middle of the
entry, a sender whose dialect does not echo, a new administrator) have a ``Cut`` each.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from tertulia.dialects.contract import Voice
from tertulia.domain.events import PublicEvent

if TYPE_CHECKING:
    from tertulia.chat.session import Session


class Group:
    """The sessions that listen to one voice."""

    __slots__ = ("lagging", "said", "voice", "writes")

    def __init__(self, voice: Voice) -> None:
        self.voice = voice
        self.writes: dict[Session, Callable[[bytes], None]] = {}
        self.lagging: set[Session] = set()
        """Sessions whose backlog passed the lower bound: the only ones that are looked at one by one."""
        self.said = 0
        """How many public messages were written to this group in all."""


class Cut:
    """How what one session reads of an entry differs from what everybody reads."""

    __slots__ = ("end", "inserts", "prefix", "skips", "start")

    def __init__(self) -> None:
        self.prefix = b""
        self.start = 0
        """The first event that it reads."""
        self.end: int | None = None
        """The first event that it does not read any more."""
        self.skips: list[int] = []
        self.inserts: list[tuple[int, bytes]] = []
        """Bytes to read right after an event."""

    def apply(self, pieces: Sequence[bytes]) -> bytes:
        """Put together what the session reads, of the rendered events."""
        if self.skips or self.inserts:
            pieces = list(pieces)
            for index in self.skips:
                pieces[index] = b""
            for index, text in self.inserts:
                pieces[index] += text
        return self.prefix + b"".join(pieces[self.start : self.end])


def fan_out(group: Group, events: Sequence[PublicEvent], cuts: Mapping["Session", Cut]) -> None:
    """Write events to every session of a group."""
    public = group.voice.public
    pieces = [public(event) for event in events]
    blob = b"".join(pieces)
    if cuts:
        for session, write in group.writes.items():
            cut = cuts.get(session)
            own = blob if cut is None else cut.apply(pieces)
            if own:
                write(own)
    elif blob:
        for write in group.writes.values():
            write(blob)
