"""A live chat between devices: who is in it, over which connections, and what is said.

entering ──expect──▶ listening ──somebody dials────▶ live ──nobody is left──▶ over
    └──────dial────▶ dialling ──the one dialled──────▲
                                takes me in
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from tertulia.clients.device import peer
from tertulia.clients.device.effects import (
    Came,
    Close,
    Dial,
    Effect,
    Over,
    Parting,
    Said,
    Send,
    Went,
)
from tertulia.clients.device.exchange import Event, Quiet, Run, Steps
from tertulia.clients.device.peer import CLASSIC_BYTES, MAX_MEMBERS, Member
from tertulia.clients.device.wire import MAX_STRING, QUIT, Frames, Garbage, string
from tertulia.domain import nicknames

HANDSHAKE_SECONDS = 10.0
"""For a peer to say who it is, and for one who dialled too early to be taken in."""
DIAL_SECONDS = 15.0
"""For a connection to be made, by whoever owns the sockets."""
COME_SECONDS = 30.0
"""For the one that I waited for to dial, once the service has told me that it comes."""
TURN_SECONDS = 1.5
"""After which the other role is tried as well: both sides may have been told the same."""
LIST_SECONDS = 1.0
"""For a member's list, of which it is not known whether it comes."""


class _Phase(Enum):
    ENTERING = auto()
    """The service has not told what to do; who dials is asked to wait."""
    LISTENING = auto()
    DIALLING = auto()
    LIVE = auto()
    OVER = auto()


@dataclass(slots=True, eq=False)
class _Link:
    number: int
    frames: Frames
    run: Run[None] | None = None
    """None while it is held: it has dialled and nobody knows yet what it is."""
    member: Member | None = None
    dialled: bool = False
    talking: bool = False
    heard: bool = False
    """Whether it said anything that a device says."""
    deadline: float | None = None


class LiveChat:
    """A state machine: what sockets, the service, the person and the clock say goes in.

    What is to be done comes out, in order: effects of each call, to be carried out before the next
    one. Times are seconds of a monotonic clock.
    """

    def __init__(self, me: Member, partner: str, *, classic: bool = False) -> None:
        """``classic``: among those who are in it are old programs, which have little room."""
        self._me = me
        self._room = CLASSIC_BYTES if classic else MAX_STRING
        self._partner = Member(partner, 0)
        self._phase = _Phase.ENTERING
        self._group = False
        self._invited: set[str] = set()
        self._links: dict[int, _Link] = {}
        self._numbers = itertools.count(1)
        self._came = False
        self._turn_at: float | None = None
        self._give_up_at: float | None = None

    @property
    def members(self) -> tuple[str, ...]:
        """Who reads what I say now, in the order in which they came."""
        return tuple(link.member.name for link in self._talking() if link.member)

    @property
    def settled(self) -> bool:
        """Whether all whom I dialled have taken me in, or will not; also once the chat is over."""
        if self._phase is _Phase.OVER:
            return True
        return self._phase is _Phase.LIVE and all(
            link.talking for link in self._links.values() if link.dialled
        )

    @property
    def deadline(self) -> float | None:
        """When ``tick`` is to be called next."""
        times = [link.deadline for link in self._links.values()]
        times += [self._turn_at, self._give_up_at]
        return min((at for at in times if at is not None), default=None)

    # What the service says

    def expect(self, port: int, now: float) -> list[Effect]:
        """Learn that the partner comes: it dials, I listen."""
        self._partner = Member(self._partner.name, port)
        self._phase = _Phase.LISTENING
        # Not at the same time as the partner, should it listen too.
        self._turn_at = now + TURN_SECONDS * (1 if self._goes_first() else 2)
        self._give_up_at = now + COME_SECONDS
        return list(self._admit(now))

    def dial(self, port: int, now: float) -> list[Effect]:
        """Learn that the partner waits for me: I dial, it listens."""
        self._partner = Member(self._partner.name, port)
        self._phase = _Phase.DIALLING
        self._turn_at = now + TURN_SECONDS
        return [self._dial(self._partner, peer.dial_partner(self._me), now)]

    def invite(self, name: str, now: float) -> list[Effect]:
        """Learn that I have asked a user in: it will dial me."""
        self._invited.add(nicknames.fold(name))
        self._group = True
        return [*self._to_all(string(peer.ADDING)), *self._admit(now)]

    # What sockets say

    def accepted(self, now: float) -> tuple[int, list[Effect]]:
        """Number a connection that somebody made to me."""
        link = self._link(_Link(next(self._numbers), Frames()), now + HANDSHAKE_SECONDS)
        if self._phase is _Phase.OVER or len(self._links) > MAX_MEMBERS:
            return link.number, list(self._drop(link, None, now))
        return link.number, list(self._admit(now))

    def connected(self, number: int, now: float) -> list[Effect]:
        """Learn that a connection is made that I asked for."""
        link = self._links.get(number)
        if link is None:
            return []
        link.deadline = now + HANDSHAKE_SECONDS
        return list(self._advance(link, now))

    def received(self, number: int, data: bytes, now: float) -> list[Effect]:
        """Take what came over a connection, in any split."""
        link = self._links.get(number)
        if link is None:
            return []
        if link.run is None:  # whoever dials is silent until it is told what the chat is
            return list(self._drop(link, Parting.GARBLED, now))
        link.frames.feed(data)
        return list(self._advance(link, now))

    def closed(self, number: int, now: float) -> list[Effect]:
        """Learn that a connection ended, or could not be made."""
        link = self._links.get(number)
        if link is None:
            return []
        if link.talking:
            return list(self._drop(link, Parting.BROKE, now))
        return list(self._drop(link, Parting.UNREACHABLE if link.dialled else None, now))

    # What the person says

    def say(self, text: str) -> list[Effect]:
        """Tell everybody who is in the chat."""
        return self._to_all(peer.message(text, self._room))

    def share(self, name: bytes, content: bytes) -> list[Effect]:
        """Send everybody a file. Raises TooLong."""
        return self._to_all(peer.shared(name, content))

    def leave(self) -> list[Effect]:
        """Go, in order."""
        effects = self._to_all(string(QUIT))
        effects += [Close(number) for number in self._links]
        self._end()
        return effects

    # What the clock says

    def tick(self, now: float) -> list[Effect]:
        """Do what is due."""
        effects: list[Effect] = []
        for link in list(self._links.values()):
            if link.deadline is not None and link.deadline <= now and link.number in self._links:
                effects += self._overdue(link, now)
        if self._turn_at is not None and self._turn_at <= now:
            self._turn_at = None
            effects += self._turn(now)
        if self._give_up_at is not None and self._give_up_at <= now:
            effects += self._give_up()
        return effects

    def _overdue(self, link: _Link, now: float) -> Iterator[Effect]:
        if link.run is None:
            yield from self._drop(link, None, now)
            return
        link.deadline = None
        try:
            yield from self._carry_out(link, link.run.quiet(), now)
        except Quiet:
            yield from self._drop(link, Parting.SILENT, now)

    def _turn(self, now: float) -> Iterator[Effect]:
        """Take the other role: the partner may have been told the same as I.

        It may have come by operation 20, which tells the one who waits to listen and the other as
        well; or the service's word to one of us was lost with a connection, and was asked for again.
        """
        if self._phase is _Phase.LISTENING:
            yield self._dial(self._partner, peer.dial_partner(self._me), now)
        else:
            yield from self._admit(now)

    # The connections' ways

    def _admit(self, now: float) -> Iterator[Effect]:
        """Take in those who dialled, if the time has come."""
        dialling_in_vain = self._phase is _Phase.DIALLING and self._turn_at is None
        if self._phase is _Phase.LISTENING or (dialling_in_vain and self._goes_first()):
            yield from self._take_held_partner(now)
        if self._phase is _Phase.LIVE and self._group:
            for link in self._held():
                link.run = Run(link.frames, peer.take_newcomer())
                yield from self._advance(link, now)

    def _take_held_partner(self, now: float) -> Iterator[Effect]:
        held = self._held()
        if not held:
            return
        link = held[0]
        link.run = Run(link.frames, peer.take_partner())
        yield from self._advance(link, now)
        yield from self._live(link, self._partner, now)

    def _advance(self, link: _Link, now: float) -> Iterator[Effect]:
        if link.run is not None:
            yield from self._carry_out(link, link.run.advance(), now)

    def _carry_out(
        self, link: _Link, steps: Iterator[bytes | Event], now: float
    ) -> Iterator[Effect]:
        try:
            for step in steps:
                if isinstance(step, bytes):
                    yield Send(link.number, step)
                else:
                    link.heard = True
                    yield from self._learn(link, step, now)
                if link.number not in self._links:
                    return
        except Garbage:
            yield from self._drop(link, Parting.GARBLED, now)

    def _learn(self, link: _Link, event: Event, now: float) -> Iterator[Effect]:
        match event:
            case peer.Entered(others=others):
                yield from self._enter(link, others, now)
            case peer.Newcomer(member=member):
                yield from self._welcome(link, member, now)
            case peer.Met():
                assert link.member is not None
                yield from self._live(link, link.member, now)
                link.deadline = now + LIST_SECONDS
            case peer.ListOver():
                link.deadline = None
            case peer.Leaves():
                yield from self._drop(link, Parting.LEFT, now)
            case _:
                assert link.member is not None
                yield Said(link.member.name, event)
                if isinstance(event, peer.AddsSomebody):
                    self._group = True
                    yield from self._admit(now)

    def _enter(
        self, link: _Link, others: tuple[Member, ...] | None, now: float
    ) -> Iterator[Effect]:
        self._group = self._group or others is not None
        yield from self._live(link, self._partner, now)
        for member in others or ():
            if not self._knows(member.name):
                yield self._dial(member, peer.dial_member(self._me, member), now)

    def _welcome(self, link: _Link, member: Member, now: float) -> Iterator[Effect]:
        name = nicknames.fold(member.name)
        if name == nicknames.fold(self._me.name):
            yield from self._drop(link, Parting.GARBLED, now)
            return
        for older in self._talking():
            if older.member is not None and nicknames.fold(older.member.name) == name:
                # It is back before its end was noticed.
                del self._links[older.number]
                yield Close(older.number)
        others = [it.member for it in self._talking() if it.member is not None]
        if len(others) + 2 > MAX_MEMBERS:
            link.member = member
            yield from self._drop(link, Parting.FULL, now)
            return
        invited = name in self._invited
        self._invited.discard(name)
        yield Send(link.number, peer.invitation(others) if invited else peer.introduction(self._me))
        yield from self._live(link, member, now)

    def _live(self, link: _Link, member: Member, now: float) -> Iterator[Effect]:
        """Somebody is in: from here on it reads what I say."""
        link.member, link.talking, link.deadline = member, True, None
        first = self._phase is not _Phase.LIVE
        self._phase = _Phase.LIVE
        self._turn_at = None
        self._came = True
        yield Came(member.name, self._group)
        if first:
            for other in list(self._links.values()):
                if other.dialled and not other.talking:  # the other role's attempt
                    del self._links[other.number]
                    yield Close(other.number)
            yield from self._admit(now)

    def _drop(self, link: _Link, parting: Parting | None, now: float) -> Iterator[Effect]:
        """End a connection. ``parting``: why, where it is worth telling."""
        if self._links.pop(link.number, None) is None:
            return
        yield Close(link.number, patient=parting is Parting.LEFT)
        # Where a way to the partner fails, there may be the other one, or the end, which is told.
        a_way = link.dialled and self._phase in (_Phase.LISTENING, _Phase.DIALLING)
        if parting is not None and (parting is Parting.GARBLED or not a_way):
            yield Went(link.member.name if link.member else "", parting)
        yield from self._after_loss(link, parting, now)

    def _after_loss(self, link: _Link, parting: Parting | None, now: float) -> Iterator[Effect]:
        if self._phase is _Phase.DIALLING and link.dialled:
            yield from self._take_held_partner(now)
            if self._phase is _Phase.DIALLING:
                yield from self._give_up()
        elif self._phase is _Phase.LIVE and not self._invited and not self._busy():
            if self._give_up_at is not None and parting is Parting.GARBLED and not link.heard:
                # Not the one that I listen for, who may still come.
                self._phase = _Phase.LISTENING
                yield from self._admit(now)
            else:
                yield from self._give_up()

    def _give_up(self) -> Iterator[Effect]:
        self._give_up_at = None
        if self._phase is _Phase.LIVE and (self._invited or self._busy()):
            return
        for number in list(self._links):
            yield Close(number)
        self._end()
        yield Over(self._came)

    def _end(self) -> None:
        self._links.clear()
        self._phase = _Phase.OVER
        self._turn_at = self._give_up_at = None

    def _dial(self, member: Member, steps: Steps[None], now: float) -> Dial:
        frames = Frames()
        link = _Link(next(self._numbers), frames, Run(frames, steps), member, dialled=True)
        self._link(link, now + DIAL_SECONDS)
        return Dial(link.number, member)

    def _link(self, link: _Link, deadline: float) -> _Link:
        link.deadline = deadline
        self._links[link.number] = link
        return link

    def _to_all(self, data: bytes) -> list[Effect]:
        return [Send(link.number, data) for link in self._talking()]

    def _talking(self) -> list[_Link]:
        return [link for link in self._links.values() if link.talking]

    def _held(self) -> list[_Link]:
        return [link for link in self._links.values() if link.run is None]

    def _busy(self) -> bool:
        """Whether anybody is in, or on the way in."""
        return any(link.run is not None for link in self._links.values())

    def _goes_first(self) -> bool:
        """Say which of two that were told the same takes the other role: the two agree on it."""
        return nicknames.fold(self._me.name) < nicknames.fold(self._partner.name)

    def _knows(self, name: str) -> bool:
        known = {self._me.name, *(it.member.name for it in self._links.values() if it.member)}
        return nicknames.fold(name) in map(nicknames.fold, known)
