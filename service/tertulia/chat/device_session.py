"""One connection of a device: what it is doing, and what it was shown."""

import asyncio
from dataclasses import InitVar, dataclass, field
from typing import NamedTuple, Protocol

from tertulia.chat.ports import Outbox
from tertulia.chat.receipts import Receipts
from tertulia.dialects.device import DeviceDecoder
from tertulia.dialects.device_framing import MAX_STRING
from tertulia.domain.disconnects import Disconnect


class Shown(NamedTuple):
    """Messages that are removed when the device closes in order; as in ``ForgetOp``."""

    key: str
    sender: str
    number: int
    shown: int = 0


class DeviceOutbox(Outbox, Protocol):
    """The way back to a device, which may send what nobody answers."""

    unheard: bool
    """Whether something that it sent may be lost: then an aborted connection is reset."""

    def cut(self, reason: Disconnect) -> None:
        """Do as ``close`` does, with both halves: what the device sends from now on is refused."""
        ...

    def part(self) -> None:
        """Close our half, and for a moment go on reading what the device sends until it has noticed.

        A device that has not closed the other half by then is reset: so it knows that it was not heard.
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
    """The most bytes that an answer made of messages may have."""
    decoder: DeviceDecoder = field(init=False)
    receipts: Receipts = field(default_factory=lambda: Receipts(acknowledges_all=False))
    asking: asyncio.Task[None] | None = None
    summons: int | None = None
    """A port that is to be sent to the device once its request is answered."""
    tellable_at: float = field(init=False)
    """When the device has had enough time to begin its next operation."""
    patience: asyncio.TimerHandle | None = None
    """The timer that ends a connection whose device may close."""
    showing: Shown | None = None
    """What moves to ``shown`` when the answer is written."""
    shown: list[Shown] = field(default_factory=list)
    waiting_as: str = ""
    """The account for which this connection waits, onchat."""
    is_gone: bool = False
    """Whether the device has closed, and what it sent is not taken yet."""
    is_parting: bool = False
    """Whether the device waits, and its node drains."""
    is_parted: bool = False
    """Whether our half is closed since then: what the device sends is still taken, for a moment."""
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self, answer_bytes: int) -> None:
        self.room = answer_bytes or MAX_STRING
        self.decoder = DeviceDecoder(answer_bytes)
        self.tellable_at = self.since

    @property
    def is_over(self) -> bool:
        """Whether nothing that the device sends is taken any more."""
        return self.over.is_set()

    @property
    def takes_commands(self) -> bool:
        """Whether no request has to be answered first."""
        return self.asking is None and not self.is_over

    @property
    def awaiting(self) -> int:
        """How many requests are not answered."""
        return 0 if self.asking is None else 1

    @property
    def is_in_hurry(self) -> bool:
        """Whether the device has to send something soon: 30 s of silence end an operation."""
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
        """Whether to wait for the device's end: what was shown is removed with it."""
        return bool(self.shown)

    @property
    def leaves_messages(self) -> bool:
        """Whether the device sends messages, which no answer confirms."""
        return self.waiting_as != "" or self.is_parted
