"""The connections of a live chat, and how far each has got."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

from tertulia.clients.device.effects import Close, Effect, Pause, ReadOn, Send, Slowed
from tertulia.clients.device.exchange import Run, Steps
from tertulia.clients.device.hearing import Hearing
from tertulia.clients.device.peer import Partner
from tertulia.clients.device.wire import FrameDecoder
from tertulia.domain import nicknames


@dataclass(slots=True, eq=False)
class PeerLink:
    """A connection with a peer."""

    number: int
    host: str = ""
    """Where it was dialled from; empty: I dial."""
    frames: FrameDecoder = field(default_factory=FrameDecoder)
    run: Run[None] | None = None
    """None while it is held: it has dialled and nobody knows yet what it is."""
    member: Partner | None = None
    dialled: bool = False
    unplaced: bool = False
    """Whether it waits to be dialled until the service has said where."""
    claims: Partner | None = None
    """Who it says it is, until the service has said where that one is."""
    talking: bool = False
    heard: bool = False
    """Whether it said anything that a device says."""
    deadline: float | None = None
    hearing: Hearing | None = None
    """What it says is counted there, from when it is in."""
    resume_at: float | None = None
    """When more of what it says may be shown; None: at once."""
    paused: bool = False

    @property
    def is_caller(self) -> bool:
        """Whether it dialled and is not in."""
        return not self.dialled and not self.talking

    @property
    def may_go_on(self) -> bool:
        """Whether what it has sent is to be read now."""
        return self.run is not None and self.claims is None and self.resume_at is None

    def count_step(self, now: float) -> Iterator[Effect]:
        """Count that it said something, and read no more of it for a moment where that is too much."""
        hearing = self.hearing
        if hearing is None:
            return
        hearing.said(now)
        if hearing.open_at <= now:
            return
        self.resume_at = hearing.open_at
        if not self.paused:
            self.paused = True
            yield Pause(self.number)
        if hearing.is_fast and not hearing.is_told and self.member is not None:
            hearing.is_told = True
            yield Slowed(self.member.name)

    def go_on(self) -> Iterator[Effect]:
        """Read on, if all that it had sent has been read."""
        if self.resume_at is None:
            self.paused = False
            yield ReadOn(self.number)


class Links:
    """All connections of a chat."""

    def __init__(self) -> None:
        self._links: dict[int, PeerLink] = {}
        self._numbers = itertools.count(1)

    def __contains__(self, link: PeerLink) -> bool:
        return link.number in self._links

    def __iter__(self) -> Iterator[PeerLink]:
        """Give those that there are at this moment: meanwhile some may go."""
        return iter(list(self._links.values()))

    def get(self, number: int) -> PeerLink | None:
        """Return a connection, if it is still there."""
        return self._links.get(number)

    def accept(self, host: str, deadline: float) -> PeerLink:
        """Number a connection that somebody made to me."""
        return self._add(PeerLink(next(self._numbers), host, deadline=deadline))

    def dial(self, member: Partner, steps: Steps[None], deadline: float) -> PeerLink:
        """Number a connection that I shall make, once it is known where to."""
        link = PeerLink(next(self._numbers), member=member, dialled=True, unplaced=True)
        link.run = Run(link.frames, steps)
        link.deadline = deadline
        return self._add(link)

    def _add(self, link: PeerLink) -> PeerLink:
        self._links[link.number] = link
        return link

    def remove(self, link: PeerLink) -> bool:
        """Forget a connection; return whether it was there."""
        return self._links.pop(link.number, None) is not None

    def clear(self) -> list[Effect]:
        """Close and forget all."""
        closing: list[Effect] = [Close(number) for number in self._links]
        self._links.clear()
        return closing

    def to_all(self, data: bytes) -> list[Effect]:
        """Send something to everybody who is in the chat."""
        return [Send(link.number, data) for link in self.talking()]

    def talking(self) -> list[PeerLink]:
        """Return those who are in the chat."""
        return [link for link in self if link.talking]

    def held(self) -> list[PeerLink]:
        """Return the peers that dialled and have had no answer."""
        return [link for link in self if link.run is None]

    def callers(self) -> list[PeerLink]:
        """Return those who dialled and are not in."""
        return [link for link in self if link.is_caller]

    def is_busy(self) -> bool:
        """Say whether anybody is in, or on the way in."""
        return any(link.run is not None for link in self)

    def know(self, name: str) -> bool:
        """Say whether somebody is in or dialled under a name."""
        known = (nicknames.fold(link.member.name) for link in self if link.member)
        return nicknames.fold(name) in known

    @property
    def deadline(self) -> float | None:
        """When something is due with one of them."""
        times = [at for link in self for at in (link.deadline, link.resume_at) if at is not None]
        return min(times, default=None)
