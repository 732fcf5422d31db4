"""A live chat between devices: who is in it, over which connections, and what is said.

entering ──expect──▶ listening ──the partner dials──▶ live ──nobody is left──▶ over
    └──────dial────▶ dialling ──the one dialled──────▲
                                takes me in

Nobody is taken for anyone, and nobody is dialled, on a peer's word: the service says where each is
(``Locate``), and that is compared.
"""

from collections.abc import Iterator
from enum import Enum, auto

from tertulia.clients.device import peer
from tertulia.clients.device.callers import Callers, surplus
from tertulia.clients.device.effects import (
    Came,
    Close,
    Dial,
    Effect,
    NoPlace,
    Over,
    Parting,
    PartnerSaid,
    PeerPlace,
    Send,
    SharesAddress,
    Went,
)
from tertulia.clients.device.exchange import PeerEvent, Quiet, Run, Steps
from tertulia.clients.device.hearing import Hearings
from tertulia.clients.device.hosts import is_same_host
from tertulia.clients.device.links import Links, PeerLink
from tertulia.clients.device.peer import CLASSIC_BYTES, MAX_MEMBERS, Partner
from tertulia.clients.device.whereabouts import Whereabouts, is_same_name
from tertulia.clients.device.wire import MAX_STRING, QUIT, Garbage, string
from tertulia.domain import nicknames

HANDSHAKE_SECONDS = 10.0
"""For a peer to say who it is, and for one who dialled too early to be taken in."""
DIAL_SECONDS = 15.0
"""For a connection to be made, by the owner of the sockets."""
COME_SECONDS = 30.0
"""For the one that I waited for to dial, once the service has told me that it comes."""
TURN_SECONDS = 1.5
"""After which the other role is tried as well: both sides may have been told the same."""
LIST_SECONDS = 1.0
"""For a member's list, of which it is not known whether it comes."""
DOUBT_SECONDS = 2.0
"""After which one more connection from the partner's address is another one's, and no attempt of its own."""
HANDSHAKE_BYTES = 1024
"""That somebody may send before it is known to be who it says: a name and a port are 72 at most."""


class _Phase(Enum):
    ENTERING = auto()
    """The service has not said what to do; a peer that dials is asked to wait."""
    LISTENING = auto()
    DIALLING = auto()
    LIVE = auto()
    OVER = auto()


class LiveChat:
    """A state machine: what sockets, the service, the person and the clock say goes in.

    What is to be done comes out, in order: effects of each call, to be carried out before the next
    one. Times are seconds of a monotonic clock.
    """

    def __init__(self, me: Partner, partner: str, *, classic: bool = False) -> None:
        """``classic``: among those who are in it are old programs, which have little room."""
        self._me = me
        self._room = CLASSIC_BYTES if classic else MAX_STRING
        self._partner = Partner(partner, 0)
        self._phase = _Phase.ENTERING
        self._whereabouts = Whereabouts()
        self._listened = False
        """Whether the partner dialled me, so that it is known by its address alone."""
        self._group = False
        self._invited: set[str] = set()
        self._links = Links()
        self._callers = Callers()
        self._hearings = Hearings()
        self._came = False
        self._turn_at: float | None = None
        self._give_up_at: float | None = None

    @property
    def members(self) -> tuple[str, ...]:
        """The peers that read what I say now, in the order in which they came."""
        return tuple(link.member.name for link in self._links.talking() if link.member)

    @property
    def settled(self) -> bool:
        """Whether all whom I dialled have taken me in, or will not; also once the chat is over."""
        if self._phase is _Phase.OVER:
            return True
        return self._phase is _Phase.LIVE and all(
            link.talking for link in self._links if link.dialled
        )

    @property
    def deadline(self) -> float | None:
        """When ``tick`` is to be called next."""
        times = (self._links.deadline, self._turn_at, self._give_up_at)
        return min((at for at in times if at is not None), default=None)

    # What the service says

    def expect(self, port: int, now: float) -> list[Effect]:
        """Learn that the partner comes: it dials, I listen."""
        self._partner = Partner(self._partner.name, port)
        self._phase = _Phase.LISTENING
        # Not at the same time as the partner, should it listen too.
        self._turn_at = now + TURN_SECONDS * (1 if self._goes_first() else 2)
        self._give_up_at = now + COME_SECONDS
        return [*self._whereabouts.ask(self._partner, port), *self._admit(now)]

    def dial(self, port: int, now: float) -> list[Effect]:
        """Learn that the partner waits for me: I dial, it listens."""
        self._partner = Partner(self._partner.name, port)
        self._phase = _Phase.DIALLING
        self._turn_at = now + TURN_SECONDS
        return list(self._dial(self._partner, peer.dial_partner(self._me), now))

    def located(self, name: str, place: PeerPlace | NoPlace, now: float) -> list[Effect]:
        """Learn where a device is."""
        self._whereabouts.told(name, place, self._partner)
        return list(self._located(name, place, now))

    def invite(self, name: str, now: float) -> list[Effect]:
        """Learn that I have asked a user in: it will dial me."""
        self._invited.add(nicknames.fold(name))
        self._group = True
        return [*self._links.to_all(string(peer.ADDING)), *self._admit(now)]

    # What sockets say

    def accepted(self, host: str, now: float) -> tuple[int, list[Effect]]:
        """Number a connection that somebody made to me, from a host's address."""
        link = self._links.accept(host, now + HANDSHAKE_SECONDS)
        return link.number, list(self._accept(link, now))

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
        if link.run is None:  # a peer that dials is silent until it learns what the chat is
            return list(self._drop(link, Parting.GARBLED, now))
        link.frames.feed(data)
        if link.is_caller and len(link.frames) > HANDSHAKE_BYTES:
            return list(self._drop(link, Parting.GARBLED, now))
        if link.hearing is not None and not self._hearings.take(link.hearing, len(data), now):
            return list(self._drop(link, Parting.TOO_MUCH, now))
        return list(self._advance(link, now))

    def closed(self, number: int, now: float, *, is_deaf: bool = False) -> list[Effect]:
        """Learn that a connection ended, or could not be made; ``is_deaf``: the peer did not read."""
        link = self._links.get(number)
        if link is None:
            return []
        if link.talking:
            return list(self._drop(link, Parting.DEAF if is_deaf else Parting.BROKE, now))
        return list(self._drop(link, Parting.UNREACHABLE if link.dialled else None, now))

    # What the person says

    def say(self, text: str) -> list[Effect]:
        """Tell everybody who is in the chat."""
        return self._links.to_all(peer.message(text, self._room))

    def share(self, name: bytes, content: bytes) -> list[Effect]:
        """Send everybody a file. Raises TooLong."""
        return self._links.to_all(peer.shared(name, content))

    def leave(self) -> list[Effect]:
        """Go, in order."""
        return [*self._links.to_all(string(QUIT)), *self._end()]

    # What the clock says

    def tick(self, now: float) -> list[Effect]:
        """Do what is due."""
        effects: list[Effect] = []
        for link in self._links:
            if link.resume_at is not None and link.resume_at <= now:
                effects += self._resume(link, now)
            if link.deadline is not None and link.deadline <= now and link in self._links:
                effects += self._overdue(link, now)
        if self._turn_at is not None and self._turn_at <= now:
            self._turn_at = None
            effects += self._turn(now)
        if self._give_up_at is not None and self._give_up_at <= now:
            effects += self._give_up()
        return effects

    def _overdue(self, link: PeerLink, now: float) -> Iterator[Effect]:
        if link.run is None:
            if self._is_doubtful(link):
                yield SharesAddress(self._partner.name, link.host)
                self._listened = False  # it has been told
            yield from self._drop(link, None, now)
        elif link.claims is not None:
            yield from self._identify(link, NoPlace("the service does not say in time"), now)
        else:
            link.deadline = None
            try:
                yield from self._carry_out(link, link.run.quiet(), now)
            except Quiet:
                yield from self._drop(link, Parting.SILENT, now)

    def _resume(self, link: PeerLink, now: float) -> Iterator[Effect]:
        link.resume_at = None
        yield from self._advance(link, now)
        if link in self._links:
            yield from link.go_on()

    def _turn(self, now: float) -> Iterator[Effect]:
        """Take the other role: the partner may have been told the same as I.

        It may have come by operation 20, which tells the one who waits to listen and the other as
        well; or the service's word to one of us was lost with a connection, and was asked for again.
        """
        if self._phase is _Phase.LISTENING:
            yield from self._dial(self._partner, peer.dial_partner(self._me), now)
        else:
            yield from self._admit(now)

    # Where the others are

    def _located(self, name: str, place: PeerPlace | NoPlace, now: float) -> Iterator[Effect]:
        awaited = self._phase is _Phase.LISTENING and is_same_name(name, self._partner)
        if awaited and isinstance(place, NoPlace):
            yield Went(self._partner.name, Parting.UNPLACED, place.why)
            yield from self._give_up()
        yield from self._admit(now)
        for link in self._links:
            if link in self._links and is_same_name(name, link.claims):
                yield from self._identify(link, place, now)
            elif link in self._links and link.unplaced and is_same_name(name, link.member):
                yield from self._go(link, place, now)

    def _go(self, link: PeerLink, place: PeerPlace | NoPlace, now: float) -> Iterator[Effect]:
        """Dial somebody where the service says that it is, and nowhere else."""
        if isinstance(place, NoPlace):
            yield from self._drop(link, Parting.UNPLACED, now, place.why)
        else:
            link.unplaced = False
            yield Dial(link.number, place)

    def _identify(self, link: PeerLink, place: PeerPlace | NoPlace, now: float) -> Iterator[Effect]:
        """Take in one who said who it is, if that one is where it dialled from."""
        assert link.claims is not None
        name = link.claims.name
        if isinstance(place, NoPlace):
            yield from self._drop(link, Parting.UNPLACED, now, place.why)
        elif not is_same_host(place.host, link.host):
            yield from self._drop(link, Parting.ELSEWHERE, now, place.host)
        else:
            link.claims = None
            # The port as the service has it: others are told to dial it.
            yield from self._welcome(link, Partner(name, place.port), now)
            yield from self._advance(link, now)

    def _is_doubtful(self, link: PeerLink) -> bool:
        """Say whether one who waits to come into a chat of two may be the partner as well."""
        is_ours = self._phase is _Phase.LIVE and self._listened and not self._group
        return is_ours and self._whereabouts.may_be_partner(link.host)

    # The connections' ways

    def _accept(self, link: PeerLink, now: float) -> Iterator[Effect]:
        if self._phase is _Phase.OVER:
            yield from self._drop(link, None, now)
            return
        # Before, a peer that dials costs only a place, and may be a neighbour of the partner's.
        if self._phase is _Phase.LIVE and self._callers.is_too_fast(link.host, now):
            yield from self._drop(link, Parting.CROWD, now)
        goes = surplus(self._links.callers())
        if goes is not None:
            yield from self._drop(goes, Parting.CROWD, now)
        if self._is_doubtful(link):
            link.deadline = now + DOUBT_SECONDS
        yield from self._admit(now)

    def _admit(self, now: float) -> Iterator[Effect]:
        """Take in those who dialled, if the time has come."""
        dialling_in_vain = self._phase is _Phase.DIALLING and self._turn_at is None
        if self._phase is _Phase.LISTENING or (dialling_in_vain and self._goes_first()):
            yield from self._take_held_partner(now)
        if self._phase is _Phase.LIVE and self._group:
            for link in self._links.held():
                link.run = Run(link.frames, peer.take_newcomer())
                yield from self._advance(link, now)

    def _take_held_partner(self, now: float) -> Iterator[Effect]:
        place = self._whereabouts.of_partner
        if place is None:
            return
        held = self._links.held()
        theirs = [link for link in held if self._whereabouts.may_be_partner(link.host)]
        for link in held if self._phase is _Phase.LISTENING else ():
            if link not in theirs:
                link.claims = self._partner
                yield from self._drop(link, Parting.ELSEWHERE, now, place.host)
        if theirs:
            self._listened = True
            # Another at the partner's address may have sat and waited; the partner has not.
            link = theirs[-1]
            link.run = Run(link.frames, peer.take_partner())
            yield from self._advance(link, now)
            yield from self._live(link, self._partner, now)

    def _advance(self, link: PeerLink, now: float) -> Iterator[Effect]:
        if link.run is not None and link.may_go_on:
            yield from self._carry_out(link, link.run.advance(), now)

    def _carry_out(
        self, link: PeerLink, steps: Iterator[bytes | PeerEvent], now: float
    ) -> Iterator[Effect]:
        try:
            for step in steps:
                if isinstance(step, bytes):
                    yield Send(link.number, step)
                else:
                    link.heard = True
                    yield from self._learn(link, step, now)
                    yield from link.count_step(now)
                if link not in self._links or not link.may_go_on:
                    return
        except Garbage:
            yield from self._drop(link, Parting.GARBLED, now)

    def _learn(self, link: PeerLink, event: PeerEvent, now: float) -> Iterator[Effect]:
        match event:
            case peer.Entered(others=others):
                yield from self._enter(link, others, now)
            case peer.Newcomer(member=member):
                if is_same_name(member.name, self._me):
                    yield from self._drop(link, Parting.GARBLED, now)
                    return
                link.claims = member
                link.deadline = now + HANDSHAKE_SECONDS
                yield from self._whereabouts.ask(member)
            case peer.Met():
                assert link.member is not None
                yield from self._live(link, link.member, now)
                link.deadline = now + LIST_SECONDS
            case peer.ListOver():
                link.deadline = None
            case peer.Leaves():
                yield from self._drop(link, Parting.LEFT, now)
            case peer.Unsaid():
                pass
            case _:
                assert link.member is not None
                yield PartnerSaid(link.member.name, event)
                if isinstance(event, peer.AddsSomebody):
                    self._group = True
                    yield from self._admit(now)

    def _enter(
        self, link: PeerLink, others: tuple[Partner, ...] | None, now: float
    ) -> Iterator[Effect]:
        self._group = self._group or others is not None
        yield from self._live(link, self._partner, now)
        for member in others or ():
            if not (is_same_name(member.name, self._me) or self._links.know(member.name)):
                yield from self._dial(member, peer.dial_member(self._me, member), now)

    def _welcome(self, link: PeerLink, member: Partner, now: float) -> Iterator[Effect]:
        if self._hearings.of(member.name).comes_too_often(now):
            yield from self._drop(link, Parting.OFTEN, now)
            return
        again = False
        for older in self._links.talking():
            if is_same_name(member.name, older.member):
                again = self._links.remove(older)  # it is back before its end was noticed
                yield Close(older.number)
        others = [link.member for link in self._links.talking() if link.member is not None]
        if len(others) + 2 > MAX_MEMBERS:
            link.claims = member
            yield from self._drop(link, Parting.FULL, now)
            return
        invited = nicknames.fold(member.name) in self._invited
        self._invited.discard(nicknames.fold(member.name))
        yield Send(link.number, peer.invitation(others) if invited else peer.introduction(self._me))
        yield from self._live(link, member, now, again=again)

    def _live(
        self, link: PeerLink, member: Partner, now: float, *, again: bool = False
    ) -> Iterator[Effect]:
        """Somebody is in: from here on it reads what I say."""
        link.member, link.talking, link.deadline = member, True, None
        link.hearing = self._hearings.of(member.name)
        first = self._phase is not _Phase.LIVE
        self._phase = _Phase.LIVE
        self._turn_at = None
        self._came = True
        yield Came(member.name, self._group, again)
        if first:
            for other in self._links.held():
                if self._is_doubtful(other):
                    other.deadline = now + DOUBT_SECONDS
            for other in self._links:
                if other.dialled and not other.talking:  # the other role's attempt
                    self._links.remove(other)
                    yield Close(other.number)
            yield from self._admit(now)

    def _drop(
        self, link: PeerLink, parting: Parting | None, now: float, why: str = ""
    ) -> Iterator[Effect]:
        """End a connection. ``parting`` and ``why``: where it is worth telling."""
        if not self._links.remove(link):
            return
        yield Close(link.number, patient=parting is Parting.LEFT)
        # Where a way to the partner fails, there may be the other one, or the end, which is told.
        a_way = link.dialled and self._phase in (_Phase.LISTENING, _Phase.DIALLING)
        if parting is not None and link.is_caller:
            yield from self._callers.turned_away(link, parting, why)
        elif parting in (Parting.GARBLED, Parting.UNPLACED) or (parting and not a_way):
            yield Went(link.member.name if link.member else "", parting, why)
        yield from self._after_loss(link, parting, now)

    def _after_loss(self, link: PeerLink, parting: Parting | None, now: float) -> Iterator[Effect]:
        if self._phase is _Phase.DIALLING and link.dialled:
            yield from self._take_held_partner(now)
            if self._phase is _Phase.DIALLING:
                yield from self._give_up()
        elif self._phase is _Phase.LIVE and not self._invited and not self._links.is_busy():
            if self._give_up_at is not None and parting is Parting.GARBLED and not link.heard:
                # Not the one that I listen for, who may still come.
                self._phase = _Phase.LISTENING
                yield from self._admit(now)
            else:
                yield from self._give_up()

    def _give_up(self) -> Iterator[Effect]:
        self._give_up_at = None
        if self._phase is _Phase.LIVE and (self._invited or self._links.is_busy()):
            return
        yield from self._end()
        yield Over(self._came)

    def _end(self) -> list[Effect]:
        self._phase = _Phase.OVER
        self._turn_at = self._give_up_at = None
        return self._links.clear()

    def _dial(self, member: Partner, steps: Steps[None], now: float) -> Iterator[Effect]:
        link = self._links.dial(member, steps, now + DIAL_SECONDS)
        place = self._whereabouts.of_partner
        if member is self._partner and place is not None:
            yield from self._go(link, place, now)
        else:
            # Of the partner the service has said where it listens.
            yield from self._whereabouts.ask(member, member.port if member is self._partner else 0)

    def _goes_first(self) -> bool:
        """Say which of two that were told the same takes the other role: the two agree on it."""
        return nicknames.fold(self._me.name) < nicknames.fold(self._partner.name)
