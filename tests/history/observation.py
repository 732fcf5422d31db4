"""Histories seen as sessions, and each session's public events named so that all agree on them.

A public message is named by its author and text. The coming and going of a nickname that was
entered once is named by the nickname; where a nickname was entered again, its comings and goings
are counted, and an observer that came later is lined up with the others by the events around.
"""

from collections import Counter
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
        for nickname in reused:
            _count_changes(nickname, reused, self.sessions)


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


def _count_changes(nickname: str, reused: set[str], sessions: Sequence[Session]) -> None:
    """Number the comings and goings of a nickname alike in all sessions.

    The session that saw most of them is the reference. In another session an event's number is the
    reference's count at the nearest event before it that both saw, and on from there; so a mistake
    in one place does not displace what comes later.
    """

    def changes(session: Session) -> int:
        return sum(1 for name in session.names if _changes(name, nickname))

    reference = max(sessions, key=changes, default=None)
    if reference is None:
        return
    anchors: dict[Name, int] = {}  # an event that others may have seen -> changes before it
    times: list[tuple[float, int]] = []
    joins: list[int] = []
    for seen, name in zip(reference.seen, reference.names, strict=True):
        if _changes(name, nickname):
            if name.kind == "joined":
                joins.append(len(times))
            times.append((seen.at, len(times)))
        elif name.kind == "said" or name.nickname not in reused:
            anchors.setdefault(name, len(times))
    # Where the reference saw as many joins as were welcomed, they are the same, one by one.
    holders = sorted((s for s in sessions if s.folded == nickname), key=lambda s: s.welcomed_at)
    known = {s.client: n for s, n in zip(holders, joins, strict=False)}
    if len(holders) != len(joins):
        known = {}
    for session in sessions:
        number = known.get(session.client)
        if number is None:
            number = _first_number(session, nickname, anchors, times)
        for i, name in enumerate(session.names):
            if name in anchors:
                number = anchors[name]
            elif _changes(name, nickname):
                session.names[i] = name._replace(change=number)
                number += 1


def _first_number(
    session: Session, nickname: str, anchors: dict[Name, int], times: list[tuple[float, int]]
) -> int:
    """Return the number of a nickname's first change in a session."""
    before = 0
    for name in session.names:  # counted back from the first event in common with the reference
        if name in anchors:
            return anchors[name] - before
        before += _changes(name, nickname)
    first = next(
        (
            seen.at
            for seen, name in zip(session.seen, session.names, strict=True)
            if _changes(name, nickname)
        ),
        0.0,
    )
    # Nothing in common with the reference: the nearest in time is all that is left to go by.
    return min(times, key=lambda change: abs(change[0] - first), default=(0.0, 0))[1]


def _changes(name: Name, nickname: str) -> bool:
    return name.nickname == nickname and name.kind != "said"
