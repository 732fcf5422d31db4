"""Hold recorded histories against what the service promises. Pure functions, no I/O, no clock.

A rule reports only what is certainly wrong: where the network's delay leaves open which of two
things happened first, the service has the benefit of the doubt. An observation should end with a
public message that everybody who stays has received (see ``harness.load.settle``); then all that
was acknowledged before it must have arrived as well.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from history.observation import Kept, Name, Observation, Session, fold
from history.order import Order
from history.record import (
    Acked,
    AckedPrivate,
    EnterSent,
    History,
    ReceivedPrivate,
    RefusedPrivate,
    RefusedPublic,
    Reported,
    Resumed,
    SentPrivate,
    SentPublic,
    Unexpected,
)
from history.rooms import LOBBY, rooms_of

GRACE = 5.0
"""Seconds after which a message must have arrived: who closed sooner may have missed it."""


class Rule(StrEnum):
    """What was broken."""

    LOST = "an acknowledged public message reaches everybody who stays"
    TWICE = "no public message reaches a session twice"
    INVENTED = "what is received was sent"
    ORDER = "all sessions see one total order"
    HOLE = "a session sees everything between its join and its end"
    EARLY = "a session sees nothing before its own join"
    AFTER_LEFT = "a session sees nothing after its own leaving was announced"
    TWO_HOLDERS = "a nickname has one holder at a time"
    ABSENT_SPEAKER = "only who is in the room speaks, and only its present holder"
    ALTERNATION = "every joined is followed by exactly one left"
    ROSTER = "at the end, those are joined who are connected"
    PRIVATE_LOST = "an acknowledged private message is received or reported"
    PRIVATE_LEAK = "a private message reaches its recipient only, and none that was refused"
    DONE = "what is said to be done is done, and nothing else"
    SEAT = "who is back in its seat in time was never gone"
    UNEXPECTED = "the server writes what its dialect allows"


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken promise."""

    rule: Rule
    explanation: str
    room: str = LOBBY

    def __str__(self) -> str:
        return f"{self.rule.name}: {self.told}"

    @property
    def told(self) -> str:
        """What is wrong, and in which room."""
        return f"in #{self.room}: {self.explanation}" if self.room else self.explanation


def check(
    histories: Iterable[History], *, grace: float = GRACE, seat_seconds: float = 0.0
) -> list[Violation]:
    """Check every rule, in every room. ``histories`` are those of all clients of one chat.

    ``seat_seconds``: for how long the service keeps the seat of who lost its connection. Raises
    ValueError where the histories cannot be judged: one client id or one text used twice.
    """
    of_chat = list(histories)
    return [
        replace(violation, room=room)
        for room in rooms_of(of_chat)
        for violation in _check_room(Observation(of_chat, room), grace, seat_seconds)
    ]


def _check_room(observation: Observation, grace: float, seat_seconds: float) -> Iterator[Violation]:
    yield from check_delivery(observation, grace=grace)
    yield from check_order(observation)
    yield from check_holders(observation)
    yield from check_presence(observation, away=seat_seconds + grace if seat_seconds else 0.0)
    yield from check_private(observation, grace=grace)
    yield from check_done(observation)
    yield from check_seats(observation, seat_seconds=seat_seconds)
    yield from check_unexpected(observation)


def explain(violations: Sequence[Violation], most: int = 20) -> str:
    """Return violations as text, by rule, not more than so many of each."""
    lines = []
    for rule, times in Counter(violation.rule for violation in violations).items():
        lines.append(f"{rule.name} ({rule.value}): {times}")
        of_rule = [v.told for v in violations if v.rule is rule]
        lines.extend(f"    {explanation}" for explanation in of_rule[:most])
        if times > most:
            lines.append(f"    … and {times - most} more")
    return "\n".join(lines)


def check_delivery(observation: Observation, *, grace: float = GRACE) -> Iterator[Violation]:
    """An acknowledged public message reached everybody connected throughout, exactly once."""
    seen = {
        session.client: Counter(name for name in session.names if name.kind == "said")
        for session in observation.sessions
    }
    for session in observation.sessions:
        for name, times in seen[session.client].items():
            if times > 1:
                yield Violation(Rule.TWICE, f"{session.client} received {times} times: {name}")
            if (name.nickname, name.text) not in observation.authors:
                yield Violation(
                    Rule.INVENTED, f"{session.client} received, and nobody sent: {name}"
                )
    for author, name, kept in _kept(observation):
        missing = [
            reader.client
            for reader in observation.sessions
            if name not in seen[reader.client]
            and reader.welcomed_at < kept.sent_at
            and _should_have_got(reader, kept.at + grace)
            and (reader is not author or reader.echoes)
        ]
        if missing:
            yield Violation(
                Rule.LOST,
                f"{name}, sent at {kept.sent_at:.3f}, acknowledged or done at {kept.at:.3f}: "
                f"did not reach {_some(missing)}",
            )


def _kept(observation: Observation) -> Iterator[tuple[Session | None, Name, Kept]]:
    for author in observation.sessions:
        for text, kept in author.kept.items():
            yield author, Name("said", author.folded, text), kept
    for name, promise in observation.from_outside.items():
        if promise is not None:
            yield None, name, promise


def _should_have_got(reader: Session, by: float) -> bool:
    if reader.lost_at is not None or not reader.reads:
        return False
    return reader.ended_at is None or (reader.ended_by == "client" and reader.ended_at > by)


def check_order(observation: Observation) -> Iterator[Violation]:
    """One total order, the same for all; what a session saw is a part of it without holes."""
    order: Order[Name] = Order()
    whole: dict[str, list[Name]] = {}
    for session in observation.sessions:
        whole[session.client] = list(dict.fromkeys(session.names))
        order.add(whole[session.client], session.client)
        for seen in session.early:
            yield Violation(Rule.EARLY, f"{session.client} saw before its welcome: {seen}")
    for client, record in observation.strays:
        yield Violation(Rule.EARLY, f"{client}, who has no seat here, saw: {record}")
    for session in observation.sessions:
        # What was sent again stands where it was sent first: all before it was sent again as well.
        texts = dict.fromkeys(record.text for record in session.of(SentPublic))
        sent = (Name("said", session.folded, text) for text in texts)
        order.add([name for name in sent if name in order], f"{session.client}, who sent them")
    positions = order.positions()
    if positions is None:
        cycle = "; ".join(f"{a} before {b} ({witness})" for a, b, witness in order.cycle())
        yield Violation(Rule.ORDER, cycle)
        return
    for session in observation.sessions:
        names = whole[session.client]
        holes = order.holes(names, positions)
        if not session.echoes:
            holes = {n for n in holes if n.kind != "said" or n.nickname != session.folded}
        if not session.sees_people:
            holes = {n for n in holes if n.kind == "said"}
        own = {n for n in holes if n.kind != "said" and n.nickname == session.folded}
        own = own if session.returns else set()
        for rule, missed in ((Rule.SEAT, own), (Rule.HOLE, holes - own)):
            if missed:
                missing = sorted(missed, key=positions.__getitem__)
                yield Violation(rule, f"{session.client} did not see {_some(missing)}")
        if session.joined_place is None:
            continue
        joined = session.names[session.joined_place]
        own_left = joined._replace(kind="left", change=_next(joined.change, observation, session))
        if own_left in order and positions[own_left] < positions[names[-1]]:
            late = order.after(own_left) & set(names) - {own_left}
            if late:
                events = sorted(late, key=positions.__getitem__)
                yield Violation(
                    Rule.AFTER_LEFT,
                    f"{session.client}, announced as gone, still saw {_some(events)}",
                )


def _next(change: int, observation: Observation, session: Session) -> int:
    return change + 1 if observation.askers[session.folded] > 1 else change


def check_holders(observation: Observation) -> Iterator[Violation]:
    """Never two holders of a nickname, by the times at which a session certainly held it."""
    holders: dict[str, list[Session]] = defaultdict(list)
    for session in observation.sessions:
        holders[session.folded].append(session)
    for nickname, sessions in holders.items():
        sessions.sort(key=lambda session: session.welcomed_at)
        for i, first in enumerate(sessions):
            for second in sessions[i + 1 :]:
                if second.welcomed_at < _held_until(first):
                    yield Violation(
                        Rule.TWO_HOLDERS,
                        f"{nickname} was {first.client}'s from {first.welcomed_at:.3f} until after "
                        f"{second.welcomed_at:.3f}, when {second.client} was welcomed",
                    )


def _held_until(session: Session) -> float:
    if session.lost_at is not None:
        # Until its node was lost; that it acknowledges nothing more is the rule of order's affair.
        return session.lost_at
    if session.ended_at is None:
        return float("inf")
    # Who is disconnected by the server learns it late: only what it sent before and was
    # acknowledged proves that the nickname was still its own then.
    return session.ended_at if session.ended_by == "client" else session.proven_at


def check_presence(observation: Observation, *, away: float = 0.0) -> Iterator[Violation]:
    """Every joined has one left, who is absent is silent, at the end the joined are connected.

    ``away``: how long before the end somebody may have gone who still counts as joined.
    """
    for observer in (it for it in observation.sessions if it.reads and it.sees_people):
        present = {fold(nickname): True for nickname in observer.others}
        yield from _check_changes(observation, observer, present)
        if observer.stays:
            yield from _check_roster(observation, observer, present, away)


def _check_changes(
    observation: Observation, observer: Session, present: dict[str, bool]
) -> Iterator[Violation]:
    speaker: dict[str, str] = {}
    gone: set[str] = set()
    came_back = {person[0].client for person in observation.persons if len(person) > 1}
    for seen, name in zip(observer.seen, observer.names, strict=True):
        nickname = name.nickname
        if seen.kind == "said":
            author = observation.authors.get((nickname, seen.text))
            if author is None:
                continue  # reported as invented
            if name in observation.from_outside:
                continue  # who is here does not matter
            if present.get(nickname) is False:
                yield Violation(Rule.ABSENT_SPEAKER, f"{observer.client} saw: {seen}, who had left")
            elif author in gone or speaker.get(nickname, author) != author:
                yield Violation(
                    Rule.ABSENT_SPEAKER,
                    f"{observer.client} saw: {seen}, which {author} sent, who holds "
                    f"the nickname no more or not yet",
                )
            else:
                speaker[nickname] = author
            continue
        joined = seen.kind == "joined"
        if present.get(nickname) is joined:
            yield Violation(Rule.ALTERNATION, f"{observer.client} saw twice in a row: {seen}")
        if not observation.askers[nickname]:
            yield Violation(Rule.ALTERNATION, f"{observer.client} saw: {seen}, who never was here")
        present[nickname] = joined
        if not joined and nickname in speaker:
            author = speaker.pop(nickname)
            if author not in came_back:
                gone.add(author)


def _check_roster(
    observation: Observation, observer: Session, present: dict[str, bool], away: float
) -> Iterator[Violation]:
    connected = {session.folded for session in observation.sessions if session.stays}
    # Who asked, got no answer and is still connected may be in or not.
    connected |= {fold(nickname) for nickname in observation.unanswered()}
    connected |= {
        session.folded
        for session in observation.sessions
        if session.ended_at is not None and session.ended_at > observation.ended_at - away
    }
    for nickname, here in present.items():
        if here and nickname not in connected:
            yield Violation(Rule.ROSTER, f"{observer.client} saw {nickname} join and never leave")
    for other in observation.sessions:
        if other.goes_on or other.folded == observer.folded:
            continue
        state = present.get(other.folded)
        if other.stays:
            if state is False:
                yield Violation(
                    Rule.ROSTER, f"{observer.client} saw {other.client} leave, which is connected"
                )
            elif state is None and other.entered_at > observer.welcomed_at:
                yield Violation(Rule.ROSTER, f"{observer.client} did not see {other.client} join")
        elif state is None and (
            other.entered_at > observer.welcomed_at
            or (
                other.welcomed_at < observer.entered_at
                and _held_until(other) > observer.welcomed_at
            )
        ):
            yield Violation(Rule.ROSTER, f"{observer.client} did not see {other.client} leave")


def check_private(observation: Observation, *, grace: float = GRACE) -> Iterator[Violation]:
    """An acknowledged private message was received or reported, and nobody else received it."""
    received: dict[tuple[str, str], list[str]] = defaultdict(list)
    sent: dict[tuple[str, str], SentPrivate] = {}
    by_nickname: dict[str, list[Session]] = defaultdict(list)
    for session in observation.sessions:
        by_nickname[session.folded].append(session)
        for record in session.of(ReceivedPrivate):
            received[fold(record.nickname), record.text].append(session.folded)
        for message in session.of(SentPrivate):
            sent[session.folded, message.text] = message
    for (nickname, text), readers in received.items():
        original = sent.get((nickname, text))
        if original is None:
            yield Violation(
                Rule.INVENTED, f"{readers[0]} received, and {nickname} never sent: {text!r}"
            )
            continue
        wrong = sorted(set(readers) - {fold(original.recipient)})
        if wrong:
            yield Violation(
                Rule.PRIVATE_LEAK,
                f"{text!r} of {nickname} to {original.recipient} reached {_some(wrong)}",
            )
    for sender in observation.sessions:
        reports = [record.text for record in sender.of(Reported)]
        for refused in sender.of(RefusedPrivate):
            if received.get((sender.folded, refused.text)):
                yield Violation(
                    Rule.PRIVATE_LEAK,
                    f"{refused.text!r} of {sender.client} was refused and received",
                )
        for acked in sender.of(AckedPrivate):
            recipients = by_nickname[fold(acked.recipient)]
            sent_at = sent[sender.folded, acked.text].at
            if (
                not received.get((sender.folded, acked.text))
                and not any(acked.text in report for report in reports)
                and (
                    # A guest who is gone is told nothing, nor is who comes back later.
                    sender.is_unbroken_since(sent_at)
                    or (recipients and all(r.is_unbroken_since(sent_at) for r in recipients))
                )
                and not any(
                    _may_have_missed(r, sent_at - grace, acked.at + grace) for r in recipients
                )
            ):
                yield Violation(
                    Rule.PRIVATE_LOST,
                    f"{acked.text!r} of {sender.client} to {acked.recipient}, acknowledged at "
                    f"{acked.at:.3f}, was neither received nor reported",
                )


def _may_have_missed(recipient: Session, since: float, until: float) -> bool:
    """Say whether a client closed around then: the message may have been written and never read."""
    return (
        recipient.lost_at is None
        and recipient.ended_by == "client"
        and recipient.ended_at is not None
        and since <= recipient.ended_at <= until
    )


def check_done(observation: Observation) -> Iterator[Violation]:
    """Whoever goes on was told which of its messages were carried out: those, and no others."""
    seen_at: dict[tuple[str, str], float] = {}
    for session in observation.sessions:
        for seen in session.seen:
            if seen.kind == "said":
                key = fold(seen.nickname), seen.text
                seen_at[key] = min(seen.at, seen_at.get(key, seen.at))
        for record in session.of(ReceivedPrivate):
            key = fold(record.nickname), record.text
            seen_at[key] = min(record.at, seen_at.get(key, record.at))
    for person in observation.persons:
        yield from _check_done(person, seen_at)


def _check_done(
    person: Sequence[History], seen_at: Mapping[tuple[str, str], float]
) -> Iterator[Violation]:
    client, nickname = person[0].client, ""
    sent: dict[int, str] = {}
    answered: set[str] = set()
    undone: dict[str, float] = {}
    """Until when nobody may have seen what was not done: until it was sent again, or ever."""
    for record in (record for history in person for record in history.records):
        match record:
            case EnterSent():
                nickname = fold(record.nickname)
            case SentPublic() | SentPrivate():
                sent[record.number] = record.text
                if record.text in undone:
                    undone[record.text] = record.at
            case Acked() | AckedPrivate() | RefusedPublic() | RefusedPrivate():
                answered.add(record.text)
            case Resumed(done=done):
                if done > max(sent, default=0):
                    yield Violation(Rule.DONE, f"{client} was told that {done} is done, never sent")
                for number, text in sent.items():
                    if number <= done:
                        continue
                    if text in answered:
                        yield Violation(
                            Rule.DONE, f"{text!r} of {client} was answered, and then not done"
                        )
                    else:
                        undone[text] = float("inf")
            case _:
                pass
    for text, until in undone.items():
        at = seen_at.get((nickname, text))
        if at is not None and at < until:
            yield Violation(
                Rule.DONE, f"{text!r} of {client} was not done, and somebody saw it at {at:.3f}"
            )


def check_seats(observation: Observation, *, seat_seconds: float) -> Iterator[Violation]:
    """Whoever was back before its seat could be given up did not read of itself that it had gone."""
    for session in observation.sessions:
        firsts = [it.first for it in session.returns]
        for back, end in zip(session.returns, [*firsts[1:], len(session.seen)], strict=False):
            if (
                not back.is_node_lost
                and back.lost_at is not None
                and back.back_at < back.lost_at + seat_seconds
                and any(
                    seen.kind == "left" and fold(seen.nickname) == session.folded
                    for seen in session.seen[back.first : end]
                )
            ):
                yield Violation(
                    Rule.SEAT,
                    f"{session.client}, away from {back.lost_at:.3f} to {back.back_at:.3f}, "
                    f"was announced as gone",
                )


def check_unexpected(observation: Observation) -> Iterator[Violation]:
    """Nothing came that the dialect does not allow."""
    for history in observation.histories:
        for record in history.of(Unexpected):
            yield Violation(Rule.UNEXPECTED, f"{history.client} at {record.at:.3f}: {record.what}")


def _some(items: Sequence[object], most: int = 5) -> str:
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(str(item) for item in items[:most]) + more
