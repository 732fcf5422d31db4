"""A follower that keeps all that it is told, and notes at once what a store must never do."""

from collections.abc import Iterable, Mapping, Sequence

from tertulia.chat.ports import (
    CloseOp,
    Delivery,
    Entry,
    JoinOp,
    LeaveOp,
    Member,
    Op,
    Outcome,
    RoomJoinOp,
    RoomLeaveOp,
    SayOp,
    WhisperOp,
)
from tertulia.chat.roster import Roster
from tertulia.domain.bans import Ban
from tertulia.domain.events import (
    Closed,
    Joined,
    Left,
    Moderated,
    Present,
    PublicEvent,
    Registered,
    Said,
    Tagged,
    TaggedAlone,
    Undelivered,
    WentAway,
    Whispered,
    encode,
)
from tertulia.domain.moderation import Rules
from tertulia.domain.nicknames import fold
from tertulia.domain.operator_commands import OperatorCommand
from tertulia.domain.position import Position

_EVENTS: dict[type[Op], type[PublicEvent]] = {
    JoinOp: Joined,
    LeaveOp: Left,
    RoomJoinOp: Joined,
    RoomLeaveOp: Left,
    SayOp: Said,
    CloseOp: Closed,
}


class RecordingFollower:
    """What ``chat.ports.Follower`` asks for. A store's mistakes stand in ``broken``."""

    history = 0

    def __init__(self, name: str) -> None:
        self.name = name
        self.calls: list[str] = []
        """What was called, in order; settled ops and events by what they are about."""
        self.entries: list[Entry] = []
        self.letters: list[Delivery] = []
        self.operator_commands: list[OperatorCommand] = []
        self.rules = Rules()
        """As it was told at the last seating, and by the log since."""
        self.bans: list[Ban] = []
        """Those that it was told of at the last seating."""
        self.ops: list[Op] = []
        """Settled ops."""
        self.seatings: list[list[Member]] = []
        """Who was in the room, by the store, each time that it told so."""
        self.told: list[tuple[str, str, str]] = []
        """What a room tells of that: "came" or "went", who, his session."""
        self.here: dict[str, str] = {}
        """The sessions of guests that may hold a nickname, and that nickname, folded."""
        self.held_tokens: list[str] = []
        """The keys of the tokens of the guests that are here."""
        self.roster = Roster()
        self.fencings = 0
        self.refusals = 0
        self.renumberings = 0
        self.gaps: list[Position] = []
        """Up to where something was lost."""
        self.done_with: int | None = None
        """The number of the last letter that is done with; None: all that came."""
        self.before: list[Entry] = []
        self.is_whole = False
        self.trimmed = False
        """Whether the test took entries out of the log, so that offsets may have a gap."""
        self.broken: list[str] = []
        self._seen: set[bytes] = set()
        self._last_letter = 0
        self._inside = False
        self._unflushed = False

    # --- What a store calls ----------------------------------------------------------------------

    def entry(self, entry: Entry) -> None:
        self._enter("entry")
        if self.entries:
            self._check_next(self.entries[-1].position, entry.position)
        if not entry.events and not entry.operator_commands:
            self.broken.append(f"entry {entry.position.offset} is empty")
        self.entries.append(entry)
        self._unflushed = True
        self.operator_commands += entry.operator_commands
        for event in entry.events:
            self.calls.append(f"event {describe(event)}")
            self._seen.add(encode(event))
            if isinstance(event, Joined | Present):  # who an account is, the store finds out
                self._seen.add(encode(_as_asked(event)))
            if (
                isinstance(event, Joined)
                and event.was
                and self.roster.pass_on(event.was, _member(event))
            ):
                self.here.pop(event.was, None)
                key = fold(event.nickname)  # nobody is told in the room; this is about sessions
                self.told += [("went", key, event.was), ("came", key, event.session)]
                continue
            if isinstance(event, Joined | Present):
                holder = self.roster.holder(event.nickname)
                if holder is not None and holder.session != event.session:
                    self._goes(holder.nickname, holder.session)
                if self.roster.add(_member(event)):
                    self.told.append(("came", fold(event.nickname), event.session))
            elif isinstance(event, Left):
                self._goes(event.nickname, event.session)
            elif isinstance(event, Closed):
                for member in list(self.roster):
                    self._goes(member.nickname, member.session)
            elif isinstance(event, WentAway | Registered):
                self.roster.change(event)
            elif isinstance(event, Moderated):
                self.rules.take(event)
        self._inside = False

    def deliveries(self, deliveries: Sequence[Delivery]) -> None:
        self._enter("deliveries")
        if not deliveries:
            self.broken.append("deliveries of nothing")
        for delivery in deliveries:
            if delivery.number != self._last_letter + 1:
                self.broken.append(f"letter {delivery.number} came after {self._last_letter}")
            self._last_letter = delivery.number
            self.letters.append(delivery)
            self.calls.append(f"letter {text_of(delivery)}")
        self._inside = False
        self._unflushed = True

    def flush(self) -> None:
        self._enter("flush")
        self._inside = False
        self._unflushed = False

    def settled(self, ops: Sequence[Op]) -> None:
        self._enter("settled")
        for op in ops:
            if op in self.ops:
                self.broken.append(f"settled twice: {op}")
            if op.outcome is None:
                self.broken.append(f"settled without an outcome: {op}")
            self._check_seen(op)
            self.ops.append(op)
            self.calls.append(f"settled {getattr(op, 'text', op.session)}")
        self._inside = False

    def past(self, entries: Iterable[Entry], epoch: str, *, is_whole: bool) -> None:
        self._enter("past")
        self.before = list(entries)
        self.is_whole = is_whole
        if any(entry.position.epoch != epoch for entry in self.before):
            self.broken.append("a past of another epoch")
        self._inside = False

    @property
    def holders(self) -> Mapping[str, Member]:
        return self.roster.holders

    def confirmed(self) -> int:
        return self._last_letter if self.done_with is None else self.done_with

    def renumbered(self) -> None:
        self._enter("renumbered")
        self.renumberings += 1
        self._last_letter = 0
        self.done_with = None
        self._inside = False

    def seated(self, members: Iterable[Member]) -> None:
        self._enter("seated")
        self.seatings.append(list(members))
        self.roster.replace(self.seatings[-1])
        self._inside = False

    def missed(self, position: Position) -> None:
        self._enter("missed")
        self.gaps.append(position)
        self._inside = False

    def reordered(self, members: Iterable[Member]) -> None:
        self._enter("reordered")
        self.seatings.append(list(members))
        self.roster.reorder(self.seatings[-1])
        self._inside = False

    def banned(self, bans: Iterable[Ban]) -> None:
        self.bans = list(bans)

    def moderated(self, rules: Rules) -> None:
        self.rules = rules

    def present(self) -> Iterable[Member]:
        return list(self.roster)

    def sessions(self) -> Mapping[str, str]:
        return self.here

    def tokens(self) -> Iterable[str]:
        return self.held_tokens

    def refused(self) -> None:
        self._enter("refused")
        self.refusals += 1
        self._inside = False

    def fenced(self) -> None:
        self._enter("fenced")
        self.here.clear()
        self.fencings += 1
        self._last_letter = 0
        self.done_with = None
        self._inside = False

    # --- What the test asks ----------------------------------------------------------------------

    @property
    def events(self) -> list[PublicEvent]:
        """All public events, in order."""
        return [event for entry in self.entries for event in entry.events]

    @property
    def said(self) -> list[str]:
        """The texts of all public messages, in order."""
        return [event.text for event in self.events if isinstance(event, Said)]

    @property
    def letter_texts(self) -> list[str]:
        """The texts of all letters, in order."""
        return [text_of(delivery) for delivery in self.letters]

    @property
    def nicknames(self) -> list[str]:
        """Who is in the room, oldest first."""
        return [member.nickname for member in self.roster]

    def lefts(self) -> list[str]:
        """Return the sessions that were announced as gone, in order."""
        return [event.session for event in self.events if isinstance(event, Left)]

    def joins(self) -> list[str]:
        """Return the sessions that were announced as come, in order."""
        return [event.session for event in self.events if isinstance(event, Joined)]

    def _goes(self, nickname: str, session: str) -> None:
        self.here.pop(session, None)
        if self.roster.remove(nickname, session):
            self.told.append(("went", fold(nickname), session))

    def _enter(self, call: str) -> None:
        if self._inside:
            self.broken.append(f"{call} was called within another call")
        if self._unflushed and call not in ("entry", "deliveries", "settled", "flush"):
            self.broken.append(f"{call} came before what was delivered was flushed")
        self._inside = True
        self.calls.append(call)

    def _check_next(self, before: Position, now: Position) -> None:
        if now.epoch == before.epoch and now.offset != before.offset + 1 and not self.trimmed:
            self.broken.append(f"entry {now.offset} came after {before.offset}")

    def _check_seen(self, op: Op) -> None:
        """Own copies come before answers."""
        kind = _EVENTS.get(type(op))
        if kind is None or op.outcome is not Outcome.DONE:
            return
        event = _event(op)
        seen = encode(event) in self._seen
        if isinstance(event, Joined):  # or others had written it down after Redis lost its data
            named = (event.nickname, event.session, event.dialect, event.number)
            present = Present(*named, about=event.about)
            seen |= encode(present) in self._seen
        if not seen and not self.trimmed:
            self.broken.append(f"settled before its entry came: {op}")


def _member(event: Joined | Present) -> Member:
    away = event.away if isinstance(event, Present) else ""
    named = (event.nickname, event.session, event.dialect)
    return Member(*named, event.number, event.is_account, away, event.about)


def _as_asked(event: Joined | Present) -> PublicEvent:
    kind = type(event)
    named = (event.nickname, event.session, event.dialect)
    return kind(*named, number=event.number, about=event.about)


def said(op: SayOp) -> Said | Tagged:
    """Return the event that comes of what somebody says."""
    if op.tags and not op.text:
        return Tagged(op.nickname, op.session, op.tags, op.tag, op.is_account)
    who = op.nickname, op.session
    return Said(*who, op.text, op.tag, op.is_account, op.is_notice, op.tags, op.splits)


def whispered(op: WhisperOp) -> Whispered | TaggedAlone:
    """Return the letter that comes of what somebody says to one person."""
    if op.tags and not op.text:
        return TaggedAlone(op.nickname, op.session, op.tags, op.tag, op.is_account)
    return Whispered(
        op.nickname, op.session, op.recipient, op.text, op.tag, op.is_account, op.is_notice, op.tags,
        op.splits,
    )  # fmt: skip


def _event(op: Op) -> PublicEvent:
    match op:
        case JoinOp():
            return Joined(op.nickname, op.session, op.dialect, about=op.about)
        case RoomJoinOp():
            named = (op.nickname, op.session, op.dialect)
            return Joined(*named, number=op.number, about=op.about)
        case LeaveOp() | RoomLeaveOp():
            is_gone = isinstance(op, RoomLeaveOp) and op.is_gone
            return Left(op.nickname, op.session, is_gone, op.words)
        case SayOp():
            return said(op)
        case CloseOp():
            return Closed(op.nickname, op.session)
    raise TypeError(f"no event comes of {type(op).__name__}")


def text_of(delivery: Delivery) -> str:
    """Return a letter's text, empty where it has none."""
    return delivery.event.text if isinstance(delivery.event, Whispered | Undelivered) else ""


def describe(event: PublicEvent) -> str:
    """Say in a word or two what an event is about."""
    kind = type(event).__name__.lower()
    return f"{kind} {event.text}" if isinstance(event, Said) else f"{kind} {event.nickname}"
