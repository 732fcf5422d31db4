"""What this node is in a chat, and how far it has followed it."""

import secrets
from collections import deque
from dataclasses import dataclass, field

import msgspec

from tertulia.domain.position import Position

NOWHERE = Position("", 0)
_REMEMBERED = 4096
"""Entries that a node knows again: more than a Redis that was rewound has lost."""


class Heard(msgspec.Struct, frozen=True):
    """An entry that was delivered: enough to know it again."""

    position: Position
    batch: tuple[str, int]
    """The node that committed it, and its number there; 0 where it was no batch."""

    @property
    def stamp(self) -> str:
        """When it was committed, in microseconds, as the log has it."""
        return str(round(self.position.at * 1e6))


def new_epoch_name() -> str:
    """Make a name for an epoch that this node may have to begin."""
    return secrets.token_hex(6)


@dataclass(slots=True)
class Membership:
    """A node's registration in a chat. Each registration has an id of its own, so no session name recurs."""

    node_id: str
    """As configured."""
    node: str = field(init=False, default="")
    """As registered."""
    former: str = field(init=False, default="")
    """As registered before it was fenced."""
    position: Position = NOWHERE
    """The last entry that was delivered."""
    unread: Position = NOWHERE
    """Up to here the log was trimmed, or begun anew, before this node could read it."""
    letters: int = 0
    """The number of the last letter that was delivered."""
    batch: int = 0
    """The number of the last batch that was sent."""
    delivered_batch: int = 0
    """The number of the last batch of this node whose entry was delivered."""
    answered_batch: int = 0
    """The number of the last batch with ops that was answered in this epoch."""
    heard: deque[Heard] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    """The last entries that were delivered."""
    undone: set[tuple[str, int]] = field(default_factory=set)
    """Batches that were delivered, and that Redis has lost: delivered once is enough."""

    def __post_init__(self) -> None:
        self.rename()

    def rename(self) -> None:
        """Take another id: nothing of the old one is this node's any more."""
        self.former, self.node = self.node, f"{self.node_id}~{secrets.token_hex(3)}"
        self.letters = 0
        self.delivered_batch = 0
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

    def part(self, offset: int) -> None:
        """Go back to where the log and what this node heard part: what it heard past that is undone."""
        self.undone |= {
            it.batch for it in self.heard if it.position.offset > offset and it.batch[1]
        }
        self.position = Position(self.position.epoch, offset)
