"""What this node is in a chat, and how far it has followed it."""

import secrets
from dataclasses import dataclass, field

from tertulia.chat.position import Position

NOWHERE = Position("", 0)


def new_epoch_name() -> str:
    """Make a name for an epoch that this node may have to begin."""
    return secrets.token_hex(6)


@dataclass(slots=True)
class Membership:
    """A node's registration in a chat. Each registration has an id of its own, so no session name recurs."""

    node_id: str
    """As configured."""
    node: str = field(init=False)
    """As registered."""
    position: Position = NOWHERE
    """The last entry that was delivered."""
    letters: int = 0
    """The number of the last letter that was delivered."""
    batch: int = 0
    """The number of the last batch that was sent."""
    delivered_batch: int = 0
    """The number of the last batch of this node whose entry was delivered."""

    def __post_init__(self) -> None:
        self.rename()

    def rename(self) -> None:
        """Take another id: nothing of the old one is this node's any more."""
        self.node = f"{self.node_id}~{secrets.token_hex(3)}"
        self.letters = 0
        self.delivered_batch = 0
