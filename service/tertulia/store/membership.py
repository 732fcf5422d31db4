"""A node's registration in a chat, and how far the node has followed the chat's log."""

import secrets
from collections import deque
from collections.abc import Set

import msgspec

from tertulia.domain.position import Position

NOWHERE = Position("", 0)
_REMEMBERED = 4096
"""How many entries a node can recognise: more than a Redis that was rewound has lost."""


class Heard(msgspec.Struct, frozen=True):
    """An entry that was delivered: enough of it to recognise it."""

    position: Position
    batch: tuple[str, int]
    """The node that committed it, and the number of its batch; 0 where it was no batch."""

    @property
    def stamp(self) -> str:
        """When it was committed, in microseconds, as the log has it."""
        return str(round(self.position.at * 1e6))


def new_epoch_name() -> str:
    """Make a name for an epoch that this node may have to begin."""
    return secrets.token_hex(6)


class Progress:
    """How far a node has followed a log, and which of its batches there it has heard of.

    Only this class writes its fields: other parts call its methods when something has happened.
    """

    __slots__ = (
        "answered_batch", "delivered_batch", "heard", "node", "position", "undone", "unread",
    )  # fmt: skip
    letters = 0
    """The number of the last letter that was delivered."""

    def __init__(self, node: str, remembered: int) -> None:
        """``remembered``: how many entries it can recognise."""
        self.node = node
        """As registered."""
        self.position = NOWHERE
        """The last entry that was delivered."""
        self.unread = NOWHERE
        """Up to this position the log was trimmed, or begun anew, before this node could read it."""
        self.heard: deque[Heard] = deque(maxlen=remembered)
        """The last entries that were delivered."""
        self.undone: Set[tuple[str, int]] = frozenset()
        """Batches that were delivered and that Redis has lost: they are not delivered again."""
        self.delivered_batch = 0
        """The number of the last batch of this node whose entry was delivered."""
        self.answered_batch = 0
        """The number of the last batch with ops that was answered in this epoch."""

    def answered(self, batch: int) -> None:
        """Note that a batch with ops was answered."""
        self.answered_batch = batch

    def delivered(self, position: Position, node: str, batch: int) -> bool:
        """Note that a node's batch was delivered; return whether it had been before Redis lost it."""
        self.position = position
        if batch and node == self.node:  # a burial is no batch
            self.delivered_batch = batch
        self.heard.append(Heard(position, (node, batch)))
        return (node, batch) in self.undone

    def seated(self, at: Position) -> None:
        """Note that the follower knows the members of the room as of a position."""
        self.position = at

    def missed(self, to: Position) -> None:
        """Note that the log was trimmed up to a position before it was read."""
        self.position = self.unread = to

    def part(self, offset: int) -> None:
        """Go back to the offset up to which the log is what this node heard. Later batches are undone."""
        self.undone = self.undone | {
            entry.batch for entry in self.heard if entry.position.offset > offset and entry.batch[1]
        }
        self.position = Position(self.position.epoch, offset)

    def reseat(self, base: Position, *, is_read: bool) -> None:
        """Begin an epoch at its base; ``is_read``: the epoch before was read up to there."""
        if not is_read:
            self.part(0)
            self.unread = base
        self.position = base

    def begin_epoch(self) -> None:
        """Note that nothing was answered yet in this epoch."""
        self.answered_batch = 0

    @property
    def last_stamp(self) -> str:
        """The stamp of the entry at ``position``, empty where this node has not heard it."""
        last = self.heard[-1] if self.heard else None
        if last is None or (last.position.epoch, last.position.offset) != (
            self.position.epoch,
            self.position.offset,
        ):
            return ""
        return last.stamp


class Membership(Progress):
    """A node's registration in a chat. Each registration has an id of its own, so no session name recurs."""

    def __init__(self, node_id: str) -> None:
        """``node_id`` is as configured."""
        super().__init__("", _REMEMBERED)
        self.node_id = node_id
        self.batch = 0
        """The number of the last batch that was sent, to whichever room of the chat."""
        self.rename()

    def rename(self) -> None:
        """Take another id: nothing that was held under the old one belongs to this node any more."""
        self.former = self.node
        """The id before this one: as registered before the node was fenced."""
        self.node = f"{self.node_id}~{secrets.token_hex(3)}"
        self.letters = 0
        """The number of the last letter that was delivered."""
        self.delivered_batch = self.answered_batch = 0

    def registered(self, letters: int) -> None:
        """Note that this node is registered, and how many letters were ever put into its inbox."""
        self.letters = min(self.letters, letters)

    def next_batch(self) -> int:
        """Return the number of the batch that is to be sent."""
        self.batch += 1
        return self.batch

    def took(self, letter: int) -> None:
        """Note that letters were delivered up to a number."""
        self.letters = letter

    def reseat(self, base: Position, *, is_read: bool) -> None:
        super().reseat(base, is_read=is_read)
        self.letters = 0  # they are numbered anew; better read twice than not at all
