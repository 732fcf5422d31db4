"""Histories seen as sessions, and each session's public events named so that all agree on them.

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
    History,
    NodeLost,
    ReceivedPublic,
    Refused,
    SawJoined,
    SawLeft,
    SentPrivate,
    SentPublic,
    Welcomed,
)


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


@dataclass(slots=True)
class Session:
    """A connection that was welcomed under a nickname."""

    history: History
    nickname: str
    entered_at: float
    welcomed_at: float
    others: tuple[str, ...] = ()
    """Who was there already, as far as it was told."""
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

    @property
    def client(self) -> str:
        return self.history.client

    @property
    def folded(self) -> str:
        return fold(self.nickname)

    @property
    def stays(self) -> bool:
        """Whether it was connected to a living node until the observation's end."""
        return self.ended_at is None and self.lost_at is None


class Observation:
    """All sessions of one chat between two points of time. Every client must be among them."""

    def __init__(self, histories: Iterable[History]) -> None:
        self.histories = list(histories)
        if len({history.client for history in self.histories}) != len(self.histories):
            raise ValueError("two histories have one client id")
        self.authors = self._find_authors()
        self.sessions = [s for h in self.histories if (s := _session(h)) is not None]
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

    def _find_authors(self) -> dict[tuple[str, str], History]:
        authors: dict[tuple[str, str], History] = {}
        for history in self.histories:
            nickname = ""
            for record in history.records:
                if isinstance(record, EnterSent):
                    nickname = fold(record.nickname)
                elif isinstance(record, SentPublic):
                    if (nickname, record.text) in authors:
                        raise ValueError(f"{nickname} said twice: {record.text!r}")
                    authors[nickname, record.text] = history
        return authors

    def _name_events(self) -> None:
        reused = {nickname for nickname, times in self.askers.items() if times > 1}
        for session in self.sessions:
            session.names = [_plain_name(seen) for seen in session.seen]
        tracks = [_Track(session, reused) for session in self.sessions] if reused else []
        for nickname in reused:
            _count_changes(nickname, tracks)


def _session(history: History) -> Session | None:
    session: Session | None = None
    entered_at = 0.0
    early: list[Seen] = []
    sent: dict[str, float] = {}
    for record in history.records:
        seen: Seen | None = None
        match record:
            case EnterSent(at=at):
                entered_at = at
            case Welcomed(at=at, nickname=nickname, others=others):
                session = Session(history, nickname, entered_at, at, others or ())
                session.early, session.proven_at = early, at
                seen = Seen("joined", nickname, at=at)
            case ReceivedPublic(at=at, nickname=nickname, text=text):
                seen = Seen("said", nickname, text, at)
            case SawJoined(at=at, nickname=nickname):
                seen = Seen("joined", nickname, at=at)
            case SawLeft(at=at, nickname=nickname):
                seen = Seen("left", nickname, at=at)
            case SentPublic(at=at, text=text) | SentPrivate(at=at, text=text):
                sent[text] = at
            case Acked(text=text) | AckedPrivate(text=text) if session is not None:
                if text not in sent:
                    raise ValueError(f"{history.client} never sent what was acknowledged: {text!r}")
                session.proven_at = max(session.proven_at, sent[text])
            case NodeLost(at=at) if session is not None and session.lost_at is None:
                session.lost_at = at
            case Disconnected(at=at, by=by) if session is not None and session.ended_at is None:
                session.ended_at = at
                session.ended_by = by
        if seen is not None:
            (early if session is None else session.seen).append(seen)
    return session


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

    def at(self, nickname: str, number: int) -> float:
        """Return when a change was seen."""
        return self.session.seen[self.changes[nickname][number]].at

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
    for track in waiting:  # nothing in common with anybody: time is all that is left to go by
        at = track.at(nickname, 0)
        seen = range(len(reference.changes[nickname]))
        nearest = min(seen, key=lambda i: abs(reference.at(nickname, i) - at))
        numbered[track.session.client] = track, nearest
    for track, first in numbered.values():
        names = track.session.names
        for number, place in enumerate(track.changes[nickname], first):
            names[place] = names[place]._replace(change=number)


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
    if len(holders) != len(joins):
        return {}
    return {t.session.client: (t, n) for t, n in zip(holders, joins, strict=True)}


def _aligned(nickname: str, track: _Track, numbered: Sequence[tuple[_Track, int]]) -> int | None:
    """Return the number of a session's first change, or None where nothing is in common."""
    for other, first in numbered:
        for anchor in track.anchors_near(track.changes[nickname][0]):
            if anchor in other.anchors:
                return first + other.before(nickname, anchor) - track.before(nickname, anchor)
    return None
