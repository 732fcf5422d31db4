"""One connection of a device: what it is doing, and what it was told."""

import asyncio
from dataclasses import InitVar, dataclass, field
from typing import NamedTuple, Protocol

from tertulia.chat.ports import Outbox
from tertulia.chat.receipts import Receipts
from tertulia.dialects.device import DeviceDecoder
from tertulia.dialects.device_framing import MAX_STRING
from tertulia.domain.disconnects import Disconnect


class Shown(NamedTuple):
    """What goes when the device closes in order; as in ``Forget``."""

    key: str
    sender: str
    number: int
    shown: int = 0


class DeviceOutbox(Outbox, Protocol):
    """The way back to a device, which may say what nobody answers."""

    unheard: bool
    """Whether something that it said may not be taken: where the connection is aborted, it is reset."""

    def cut(self, reason: Disconnect) -> None:
        """Do as ``close`` does, with both halves: what the device says from here on is refused."""
        ...

    def part(self) -> None:
        """Close our half, and go on reading what the device says until it has noticed, for a moment.

        One that has not closed the other half by then is reset, so that it knows that it was not heard.
        """
        ...


@dataclass(slots=True, eq=False)
class DeviceSession:
    """One connection of a device."""

    name: str
    outbox: DeviceOutbox
    address: str
    answer_bytes: InitVar[int]
    since: float
    room: int = field(init=False)
    """The most bytes that an answer of messages may have."""
    decoder: DeviceDecoder = field(init=False)
    receipts: Receipts = field(default_factory=lambda: Receipts(acknowledges_all=False))
    asking: asyncio.Task[None] | None = None
    summons: int | None = None
    """A port that the device is to be told when what it asked is answered."""
    tellable_at: float = field(init=False)
    """When it has had the time for the operation that it goes on with."""
    patience: asyncio.TimerHandle | None = None
    """Ends a connection whose device may close."""
    showing: Shown | None = None
    """What goes to ``shown`` with the answer."""
    shown: list[Shown] = field(default_factory=list)
    waiting_as: str = ""
    """The account for which this connection waits, onchat."""
    is_gone: bool = False
    """Whether the device has closed, and what it said is not taken yet."""
    is_parting: bool = False
    """Whether it waits, and its node drains."""
    is_parted: bool = False
    """Whether our half is closed since: what it says is still taken, for a moment."""
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self, answer_bytes: int) -> None:
        self.room = answer_bytes or MAX_STRING
        self.decoder = DeviceDecoder(answer_bytes)
        self.tellable_at = self.since

    @property
    def is_over(self) -> bool:
        """Whether nothing that it says is heard any more."""
        return self.over.is_set()

    @property
    def takes_commands(self) -> bool:
        """Whether there is nothing to be answered first."""
        return self.asking is None and not self.is_over

    @property
    def awaiting(self) -> int:
        """How many requests are not answered."""
        return 0 if self.asking is None else 1

    @property
    def is_in_hurry(self) -> bool:
        """Whether the device has to say something soon: 30 s of silence end an operation."""
        return self.asking is None and not (self.decoder.is_waiting or self.decoder.is_done)

    @property
    def is_active(self) -> bool:
        """Never: a device enters no room."""
        return False

    @property
    def is_held(self) -> bool:
        """Never: a device reads everything at once."""
        return False

    @property
    def awaits_end(self) -> bool:
        """Whether the device's end is worth waiting for: what was shown goes with it."""
        return bool(self.shown)

    @property
    def leaves_messages(self) -> bool:
        """Whether it says what no answer tells it was taken."""
        return self.waiting_as != "" or self.is_parted
