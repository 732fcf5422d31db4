"""Histories seen as sessions, and each session's public events named so that all agree on them.

Who lost its connection and went on at another one is one session: what it read on all of them, put
together, has to be as whole as what somebody read who stayed. Where it was told that something is
missing, another session begins.

A public message is named by its author and text. The coming and going of a nickname that was
entered once is named by the nickname; where a nickname was entered again, its comings and goings
are counted, and an observer that came later is lined up with the others by the events around.
"""

from bisect import bisect
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from history.record import (
    Acked,
    AckedPrivate,
    Disconnected,
    EnterSent,
    GivenUp,
    History,
    NodeLost,
    R,
    ReceivedPublic,
    Record,
    Refused,
    RefusedPublic,
    Resumed,
    SawJoined,
    SawLeft,
    SentPrivate,
    SentPublic,
    Welcomed,
)
from history.rooms import LOBBY, Outside, of_lobby, of_room


def fold(nickname: str) -> str:
    """Return the form under which nicknames are compared: without case."""
    return nickname.lower()


class Seen(NamedTuple):
    """A public event as an observer saw it: ``said``, ``joined`` or ``left``."""

    kind: str
    nickname: str
    text: str = ""
    at: float = 0.0

    def __str__(self) -> str:
        what = f"said {self.text!r}" if self.kind == "said" else self.kind
        return f"{self.nickname} {what}"


class Name(NamedTuple):
    """A public event's name, the same for all observers."""

    kind: str
    nickname: str
    text: str = ""
    change: int = 0

    def __str__(self) -> str:
        if self.kind == "said":
            return f"{self.nickname} said {self.text!r}"
        return f"{self.nickname} {self.kind}" + (f" (change {self.change})" if self.change else "")


class Kept(NamedTuple):
    """A public message that the server promised to keep."""

    sent_at: float
    at: float
    """When it was acknowledged, or said to be done."""


class Return(NamedTuple):
    """A session went on at another connection, and read what it had missed."""

    lost_at: float | None
    """When its client ended or gave up the connection before; None where its client did not."""
    back_at: float
    first: int
    """How many public events it had read before."""
    is_node_lost: bool
    """Whether a node that may have held it was lost meanwhile."""


@dataclass(slots=True)
class Session:
    """Who was welcomed under a nickname, over all the connections on which it went on."""

    client: str
    """The client id of its first connection."""
    person: str
    """The same for all sessions of somebody who went on, and missed something in between."""
    nickname: str
    entered_at: float
    welcomed_at: float
    others: tuple[str, ...] = ()
    """Who was there already, as far as it was told."""
    echoes: bool = True
    reads: bool = True
    """Whether it is shown this room."""
    sees_people: bool = True
    """Whether it is told here who comes and who goes."""
    ended_at: float | None = None
    ended_by: str = ""
    lost_at: float | None = None
    seen: list[Seen] = field(default_factory=list)
    """Its public events in order; the first is its own joining."""
    early: list[Seen] = field(default_factory=list)
    """Public events that came before the welcome: there must be none."""
    names: list[Name] = field(default_factory=list)
    """The names of ``seen``."""
    proven_at: float = 0.0
    """The last moment at which it certainly still held its nickname, as far as it sent."""
    records: list[Record] = field(default_factory=list)
    kept: dict[str, Kept] = field(default_factory=dict)
    returns: list[Return] = field(default_factory=list)
    joined_place: int | None = None
    """Where in ``seen`` its own last joining is that others saw; None where it is not there."""
    is_here: bool = True
    """Whether it has read of itself that it came, and not since that it went."""
    goes_on: bool = False
    """Whether another session of the same person took its seat."""

    @property
    def folded(self) -> str:
        return fold(self.nickname)

    @property
    def stays(self) -> bool:
        """Whether it was connected to a living node until the observation's end."""
        return self.ended_at is None and self.lost_at is None

    def of(self, kind: type[R]) -> Iterator[R]:
        """Iterate over the records of one kind."""
        return (record for record in self.records if isinstance(record, kind))

    def is_unbroken_since(self, at: float) -> bool:
        """Say whether it stayed on one connection from a point of time on."""
        return self.stays and not any(it.back_at > at for it in self.returns)


class Observation:
    """All sessions in one room of a chat between two points of time. Every client must be among them."""

    def __init__(self, histories: Iterable[History], room: str = LOBBY) -> None:
        of_chat = list(histories)
        if len({history.client for history in of_chat}) != len(of_chat):
            raise ValueError("two histories have one client id")
        self.ended_at = max((h.records[-1].at for h in of_chat if h.records), default=0.0)
        outside: list[Outside] = []
        if room == LOBBY:
            self.histories = of_lobby(of_chat)
        else:
            self.histories, outside = of_room(of_chat, room)
        self.persons = _persons(self.histories)
        """The histories of everybody, in the order in which one went on from another."""
        self.authors = self._find_authors()
        """Nickname and text to the person."""
        self.from_outside, self.strays = self._look_outside(outside)
        """What was said by who had no seat here, and to whom it was promised; and who read what had none."""
        self.sessions = [session for person in self.persons for session in _sessions(person)]
        self.askers = Counter(
            fold(record.nickname)
            for history in self.histories
            if not any(history.of(Refused))
            for record in history.of(EnterSent)
        )
        """How often each nickname may have been given: asked for and not refused."""
        self._name_events()

    def unanswered(self) -> Iterator[str]:
        """Iterate over nicknames whose askers were neither answered nor disconnected."""
        for history in self.histories:
            asked = [record.nickname for record in history.of(EnterSent)]
            if asked and not any(
                isinstance(record, Welcomed | Refused | Disconnected | NodeLost)
                for record in history.records
            ):
                yield asked[-1]

    def _find_authors(self) -> dict[tuple[str, str], str]:
        authors: dict[tuple[str, str], str] = {}
        for person in self.persons:
            nickname = ""
            sent: dict[str, int] = {}
            for record in _records(person):
                if isinstance(record, EnterSent):
                    nickname = fold(record.nickname)
                elif isinstance(record, SentPublic):
                    is_again = record.number and sent.get(record.text) == record.number
                    if (nickname, record.text) in authors and not is_again:
                        raise ValueError(f"{nickname} said twice: {record.text!r}")
                    authors[nickname, record.text] = person[0].client
                    sent[record.text] = record.number
        return authors

    def _look_outside(
        self, outside: Iterable[Outside]
    ) -> tuple[dict[Name, Kept | None], list[tuple[str, Record]]]:
        said: dict[Name, Kept | None] = {}
        strays: list[tuple[str, Record]] = []
        for it in outside:
            sent: dict[str, float] = {}
            for record in it.records:
                if isinstance(record, SentPublic):
                    sent[record.text] = record.at
                    said[Name("said", fold(it.nickname), record.text)] = None
                    self.authors[fold(it.nickname), record.text] = it.client
                elif isinstance(record, Acked) and record.text in sent:
                    name = Name("said", fold(it.nickname), record.text)
                    said[name] = Kept(sent[record.text], record.at)
                elif isinstance(record, ReceivedPublic | SawJoined | SawLeft | Welcomed):
                    strays.append((it.client, record))
        return said, strays

    def _name_events(self) -> None:
        reused = {nickname for nickname, times in self.askers.items() if times > 1}
        for session in self.sessions:
            session.names = [_plain_name(seen) for seen in session.seen]
        tracks = [_Track(session, reused) for session in self.sessions] if reused else []
        for nickname in reused:
            _count_changes(nickname, tracks)


def _persons(histories: Sequence[History]) -> list[list[History]]:
    """Put together the histories of which each goes on from the one before."""
    known = {history.client: history for history in histories}
    next_of: dict[str, History] = {}
    firsts: list[History] = []
    for history in histories:
        after = next((it.after for it in history.of(EnterSent) if it.after), "")
        if not after:
            firsts.append(history)
        elif after not in known or after in next_of:
            raise ValueError(f"{history.client} can't go on from {after}: it is unknown, or taken")
        else:
            next_of[after] = history
            if any(not isinstance(it, Resumed) for it in history.of(Welcomed)):
                firsts.append(history)  # the server took it for a newcomer
    persons = []
    stops = {history.client for history in firsts}
    for first in firsts:
        person = [first]
        while (follows := next_of.get(person[-1].client)) and follows.client not in stops:
            person.append(follows)
        persons.append(person)
    return persons


def _records(person: Iterable[History]) -> Iterator[Record]:
    return (record for history in person for record in history.records)


def _sessions(person: Sequence[History]) -> list[Session]:
    """Return somebody's session: one, or another one after each time when something was missed."""
    sessions: list[Session] = []
    early: list[Seen] = []
    sent: dict[str, SentPublic | SentPrivate] = {}
    before: list[Record] = []
    entered_at, lost_at = 0.0, None
    is_node_lost = False
    for history in person:
        is_given_up = False
        for record in history.records:
            session = sessions[-1] if sessions else None
            (before if session is None else session.records).append(record)
            match record:
                case EnterSent(at=at, after=after):
                    entered_at = at if not after or session is None else entered_at
                case Resumed(at=at) if session is not None and record.whole:
                    session.returns.append(
                        Return(lost_at, at, 0 if record.unread else len(session.seen), is_node_lost)
                    )
                    session.ended_at = session.lost_at = None
                    session.proven_at, is_node_lost = at, False
                    _take_done(session, record, sent)
                case Welcomed(at=at, nickname=nickname):
                    session = Session(
                        history.client, person[0].client, nickname, entered_at, at,
                        record.others or (), history.echoes, history.reads_lobby or bool(record.room),
                        not (history.quits_once and record.room), early=early, proven_at=at,
                        records=[] if sessions else before,
                    )  # fmt: skip
                    if sessions:
                        sessions[-1].goes_on = True
                    sessions.append(session)
                    is_node_lost = False
                    if isinstance(record, Resumed):
                        _take_done(session, record, sent)
                    else:
                        session.seen.append(Seen("joined", nickname, at=at))
                        session.joined_place = 0
                case ReceivedPublic() | SawJoined() | SawLeft() if not is_given_up:
                    seen = _seen(record)
                    early.append(seen) if session is None else _take(session, seen)
                case SentPublic(text=text) | SentPrivate(text=text):
                    sent.setdefault(text, record)
                case Acked(text=text) | AckedPrivate(text=text) if session is not None:
                    if text not in sent:
                        raise ValueError(
                            f"{history.client} never sent what was acknowledged: {text!r}"
                        )
                    session.proven_at = max(session.proven_at, sent[text].at)
                    if isinstance(record, Acked):
                        session.kept.setdefault(text, Kept(sent[text].at, record.at))
                case NodeLost(at=at):
                    is_node_lost = True
                    if session is not None and session.lost_at is None:
                        session.lost_at = at
                case Disconnected(at=at, by=by):
                    if session is not None and session.ended_at is None:
                        session.ended_at, session.ended_by = at, by
                    if any(history.of(Welcomed)) and not is_given_up:
                        lost_at = at if by == "client" else None
                case GivenUp(at=at) if not is_given_up:
                    is_given_up = True
                    if any(history.of(Welcomed)) and not any(history.of(Disconnected)):
                        lost_at = at
                case _:
                    pass
    return sessions


def _seen(record: ReceivedPublic | SawJoined | SawLeft) -> Seen:
    match record:
        case ReceivedPublic(at=at, nickname=nickname, text=text):
            return Seen("said", nickname, text, at)
        case SawJoined(at=at, nickname=nickname):
            return Seen("joined", nickname, at=at)
        case SawLeft(at=at, nickname=nickname):
            return Seen("left", nickname, at=at)


def _take(session: Session, seen: Seen) -> None:
    """Add what a session saw; of its own joining only what others saw as well."""
    if session.returns and fold(seen.nickname) == session.folded and seen.kind != "said":
        is_here, session.is_here = session.is_here, seen.kind == "joined"
        last = session.returns[-1]
        if not last.first and session.is_here:
            # Its first entry came as a whole, with what was before its join.
            del session.seen[1:]
            session.returns[-1] = last._replace(first=1)
            return
        if session.is_here and is_here:
            return  # it is back in its seat, and nobody else is told
        if session.is_here:
            session.joined_place = len(session.seen)
    session.seen.append(seen)


def _take_done(
    session: Session, resumed: Resumed, sent: dict[str, SentPublic | SentPrivate]
) -> None:
    """Take what was done before for acknowledged, unless it was refused.

    Who can't speak, by moderation, may have messages that are done and came to nothing: an
    observation with resumed sessions has no such people.
    """
    refused = {record.text for record in session.of(RefusedPublic)}
    for text, message in sent.items():
        is_done = 0 < message.number <= resumed.done
        if is_done and isinstance(message, SentPublic) and text not in refused:
            session.kept.setdefault(text, Kept(message.at, resumed.at))


def _plain_name(seen: Seen) -> Name:
    return Name(seen.kind, fold(seen.nickname), seen.text)


class _Track:
    """Where in one session what happened, for lining it up with others."""

    def __init__(self, session: Session, reused: set[str]) -> None:
        self.session = session
        self.changes: dict[str, list[int]] = defaultdict(list)
        """The places at which reused nicknames came and went."""
        self.anchors: dict[Name, int] = {}
        """The places of everything whose name is clear by itself."""
        for place, name in enumerate(session.names):
            if name.kind != "said" and name.nickname in reused:
                self.changes[name.nickname].append(place)
            else:
                self.anchors.setdefault(name, place)

    def change(self, nickname: str, number: int) -> Seen:
        """Return a change as it was seen."""
        return self.session.seen[self.changes[nickname][number]]

    def anchors_near(self, place: int) -> Iterator[Name]:
        """Iterate over the anchors before a place, the nearest first, then over those after it."""
        names = self.session.names
        for near in (*range(place - 1, -1, -1), *range(place + 1, len(names))):
            if self.anchors.get(names[near]) == near:
                yield names[near]

    def before(self, nickname: str, anchor: Name) -> int:
        """Count a nickname's changes before an anchor."""
        return bisect(self.changes[nickname], self.anchors[anchor])


def _count_changes(nickname: str, tracks: Sequence[_Track]) -> None:
    """Number the comings and goings of a nickname alike in all sessions.

    The session that saw most of them is where the counting begins. Each other session is lined up
    with one that is numbered, by an event that both saw.
    """
    waiting = sorted(
        (t for t in tracks if t.changes[nickname]), key=lambda t: -len(t.changes[nickname])
    )
    if not waiting:
        return
    reference = waiting[0]
    numbered = {reference.session.client: (reference, 0)}
    numbered |= _holders(nickname, waiting, reference)
    progress = True
    while progress:
        waiting = [track for track in waiting if track.session.client not in numbered]
        progress = False
        for track in waiting:
            first = _aligned(nickname, track, list(numbered.values()))
            if first is not None:
                numbered[track.session.client] = track, first
                progress = True
    seen_by_others = any(it.session.folded != nickname for it, _ in numbered.values())
    for track in sorted(
        waiting, key=lambda t: t.session.welcomed_at
    ):  # nothing in common with anybody
        if track.session.folded == nickname and not (track.session.sees_people or seen_by_others):
            # Nobody is told who comes: each of its sessions saw a coming of its own.
            last = max(first + len(it.changes[nickname]) for it, first in numbered.values())
            numbered[track.session.client] = track, last
            continue
        numbered[track.session.client] = track, _by_time(nickname, track, reference)
    for track, first in numbered.values():
        names = track.session.names
        for number, place in enumerate(track.changes[nickname], first):
            names[place] = names[place]._replace(change=number)


def _by_time(nickname: str, track: _Track, reference: _Track) -> int:
    """Return the number of a session's first change where time is all that is left to go by."""
    first = track.change(nickname, 0)
    seen = range(len(reference.changes[nickname]))
    alike = [i for i in seen if reference.change(nickname, i).kind == first.kind]
    session = track.session
    if any(it.first <= track.changes[nickname][0] for it in session.returns):
        # It may have read it long after it was: all that is certain is that it is the first since it came.
        since = [i for i in alike if reference.change(nickname, i).at >= session.entered_at]
        return (since or alike or seen)[0]
    # Comings and goings alternate: an unlike one at an end is the next to what the reference saw.
    for end, beyond in ((seen[0], -1), (seen[-1], 1)):
        other = reference.change(nickname, end)
        if other.kind != first.kind and (first.at - other.at) * beyond > 0:
            return end + beyond
    return min(alike or seen, key=lambda i: abs(reference.change(nickname, i).at - first.at))


def _holders(
    nickname: str, tracks: Sequence[_Track], reference: _Track
) -> dict[str, tuple[_Track, int]]:
    """Number the nickname's own sessions, where the reference saw as many joins as there are."""
    names = reference.session.names
    joins = [
        number
        for number, place in enumerate(reference.changes[nickname])
        if names[place].kind == "joined"
    ]
    holders = [track for track in tracks if track.session.folded == nickname]
    holders.sort(key=lambda track: track.session.welcomed_at)
    # Who went on at another connection may have come several times, or once.
    if len(holders) != len(joins) or any(track.session.returns for track in holders):
        return {}
    return {t.session.client: (t, n) for t, n in zip(holders, joins, strict=True)}


def _aligned(nickname: str, track: _Track, numbered: Sequence[tuple[_Track, int]]) -> int | None:
    """Return the number of a session's first change, or None where nothing is in common."""
    for other, first in numbered:
        for anchor in track.anchors_near(track.changes[nickname][0]):
            if anchor in other.anchors:
                return first + other.before(nickname, anchor) - track.before(nickname, anchor)
    return None
