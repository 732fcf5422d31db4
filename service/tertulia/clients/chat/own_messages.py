"""One's own messages of a room, from being written until it is known what became of them.

    waiting ──sent──▶ underway ──answer──▶ (gone from here)
       ▲                 │  ├──own copy came──▶ seen ──answer──▶ (gone)
       └─not carried out─┘  └──carried out, answer lost──▶ done ──own copy, or time──▶ (gone)

The page does the same: service/tertulia/web/chat/outbox.js.
"""

from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import Enum, auto


class Progressing(Enum):
    """How far a message is."""

    WAITING = auto()
    UNDERWAY = auto()
    SEEN = auto()
    DONE = auto()


@dataclass(slots=True, eq=False)
class OwnMessage:
    """A message; ``to`` is empty for everybody, ``room`` is where it was written."""

    id: int
    to: str
    text: str
    room: str
    at: int
    state: Progressing = Progressing.WAITING
    sent_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Settled:
    """Messages of which nothing more will be learnt, after a session was resumed."""

    unanswered: list[OwnMessage]
    """They were carried out; the answer was lost."""
    refused: list[OwnMessage]
    """They were not; why was lost."""
    unsure: list[OwnMessage]
    """Nobody knows: the service has forgotten even what it had acknowledged."""


class OwnMessages:
    """Messages in the order of their numbers, which several of these share."""

    def __init__(self, ids: Iterator[int]) -> None:
        self._ids = ids
        self._entries: dict[int, OwnMessage] = {}
        self._unanswered: deque[OwnMessage] = deque()
        self._acknowledged = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def oldest_sent_at(self) -> float | None:
        """When the message that has waited longest for its answer was sent."""
        return self._unanswered[0].sent_at if self._unanswered else None

    @property
    def pending(self) -> list[OwnMessage]:
        """The messages in their order; those whose own copy was seen are left out."""
        return [it for it in self._entries.values() if it.state is not Progressing.SEEN]

    @property
    def has_done(self) -> bool:
        """Whether there are messages that were carried out and whose own copy has not come."""
        return any(it.state is Progressing.DONE for it in self._entries.values())

    def add(self, to: str, text: str, at: int, room: str) -> None:
        """Take a message."""
        entry = OwnMessage(next(self._ids), to, text, room, at)
        self._entries[entry.id] = entry

    def take_waiting(self, now: float) -> list[OwnMessage]:
        """Return what has to be sent on this connection, and take it as sent."""
        waiting = [it for it in self._entries.values() if it.state is Progressing.WAITING]
        for entry in waiting:
            entry.state = Progressing.UNDERWAY
            entry.sent_at = now
        self._unanswered.extend(waiting)
        return waiting

    def heard(self, id: int) -> None:
        """Note that a public message of one's own came by in the log."""
        entry = self._entries.get(id)
        if entry is None or entry.to or entry.state is Progressing.WAITING:
            return
        if entry.state is Progressing.DONE:
            del self._entries[id]
        else:
            entry.state = Progressing.SEEN

    def answered(self, id: int, is_kept: bool) -> OwnMessage | None:
        """Note the answer to a message, and return the message."""
        entry = self._entries.pop(id, None)
        if entry is None:
            return None
        # Answers come in the order of what they answer: whatever is before it was answered, too.
        if entry in self._unanswered:
            while self._unanswered.popleft() is not entry:
                pass
        if is_kept:
            self._acknowledged = max(self._acknowledged, id)
        return entry

    def interrupted(self) -> None:
        """Note that the connection is gone."""
        self._unanswered.clear()

    def resumed(self, done: int, refused_ids: Collection[int], is_known: bool) -> Settled:
        """Learn from a welcome what was carried out. Everything later waits to be sent again."""
        has_forgotten = not is_known or done < self._acknowledged
        settled = Settled([], [], [])
        for entry in list(self._entries.values()):
            if entry.state is Progressing.WAITING:
                continue
            if entry.state is Progressing.SEEN:
                del self._entries[entry.id]  # whatever became of its answer: it is never said twice
            elif has_forgotten:
                del self._entries[entry.id]
                settled.unsure.append(entry)
            elif entry.id > done:
                entry.state = Progressing.WAITING
            elif entry.id in refused_ids:
                del self._entries[entry.id]
                settled.refused.append(entry)
            elif not entry.to:
                entry.state = Progressing.DONE
            else:
                del self._entries[entry.id]
                settled.unanswered.append(entry)
        self._acknowledged = min(self._acknowledged, done)
        return settled

    def take_done(self) -> list[OwnMessage]:
        """Give up waiting for the own copies of what was carried out, and return those messages."""
        done = [it for it in self._entries.values() if it.state is Progressing.DONE]
        for entry in done:
            del self._entries[entry.id]
        return done

    def end(self) -> list[OwnMessage]:
        """Empty this, and return the messages of which it is not known that they were kept."""
        lost = self.pending
        self._entries.clear()
        self._unanswered.clear()
        self._acknowledged = 0
        return lost
