"""Hold recorded histories against what the service promises. Pure functions, no I/O, no clock.

A rule reports only what is certainly wrong: where the network's delay leaves open which of two
things happened first, the service has the benefit of the doubt. An observation should end with a
public message that everybody who stays has received (see ``harness.load.settle``); then all that
was acknowledged before it must have arrived as well.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from history.observation import Name, Observation, Session, fold
from history.order import Order
from history.record import (
    Acked,
    AckedPrivate,
    History,
    ReceivedPrivate,
    RefusedPrivate,
    Reported,
    SentPrivate,
    SentPublic,
    Unexpected,
)

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
    UNEXPECTED = "the server writes what its dialect allows"


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken promise."""

    rule: Rule
    explanation: str

    def __str__(self) -> str:
        return f"{self.rule.name}: {self.explanation}"


def check(histories: Iterable[History], *, grace: float = GRACE) -> list[Violation]:
    """Check every rule. ``histories`` are those of all clients of one chat.

    Raises ValueError where the histories cannot be judged: one client id or one text used twice.
    """
    observation = Observation(histories)
    return [
        *check_delivery(observation, grace=grace),
        *check_order(observation),
        *check_holders(observation),
        *check_presence(observation),
        *check_private(observation, grace=grace),
        *check_unexpected(observation),
    ]


def explain(violations: Sequence[Violation], most: int = 20) -> str:
    """Return violations as text, by rule, not more than so many of each."""
    lines = []
    for rule, times in Counter(violation.rule for violation in violations).items():
        lines.append(f"{rule.name} ({rule.value}): {times}")
        of_rule = [v.explanation for v in violations if v.rule is rule]
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
    for author in observation.sessions:
        sent = {record.text: record.at for record in author.history.of(SentPublic)}
        for acked in author.history.of(Acked):
            name = Name("said", author.folded, acked.text)
            missing = [
                reader.client
                for reader in observation.sessions
                if name not in seen[reader.client]
                and reader.welcomed_at < sent[acked.text]
                and _should_have_got(reader, acked.at + grace)
                and (reader is not author or author.history.echoes)
            ]
            if missing:
                yield Violation(
                    Rule.LOST,
                    f"{name}, sent at {sent[acked.text]:.3f}, acknowledged at {acked.at:.3f}: "
                    f"did not reach {_some(missing)}",
                )


def _should_have_got(reader: Session, by: float) -> bool:
    if reader.lost_at is not None:
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
    for session in observation.sessions:
        sent = (Name("said", session.folded, r.text) for r in session.history.of(SentPublic))
        order.add([name for name in sent if name in order], f"{session.client}, who sent them")
    positions = order.positions()
    if positions is None:
        cycle = "; ".join(f"{a} before {b} ({witness})" for a, b, witness in order.cycle())
        yield Violation(Rule.ORDER, cycle)
        return
    for session in observation.sessions:
        names = whole[session.client]
        holes = order.holes(names, positions)
        if not session.history.echoes:
            holes = {n for n in holes if n.kind != "said" or n.nickname != session.folded}
        if holes:
            missing = sorted(holes, key=positions.__getitem__)
            yield Violation(Rule.HOLE, f"{session.client} did not see {_some(missing)}")
        own_left = names[0]._replace(
            kind="left", change=_next(names[0].change, observation, session)
        )
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


def check_presence(observation: Observation) -> Iterator[Violation]:
    """Every joined has one left, who is absent is silent, at the end the joined are connected."""
    for observer in observation.sessions:
        present = {fold(nickname): True for nickname in observer.others}
        yield from _check_changes(observation, observer, present)
        if observer.stays:
            yield from _check_roster(observation, observer, present)


def _check_changes(
    observation: Observation, observer: Session, present: dict[str, bool]
) -> Iterator[Violation]:
    speaker: dict[str, str] = {}
    gone: set[str] = set()
    for seen, name in zip(observer.seen, observer.names, strict=True):
        nickname = name.nickname
        if seen.kind == "said":
            author = observation.authors.get((nickname, seen.text))
            if author is None:
                continue  # reported as invented
            if present.get(nickname) is False:
                yield Violation(Rule.ABSENT_SPEAKER, f"{observer.client} saw: {seen}, who had left")
            elif author.client in gone or speaker.get(nickname, author.client) != author.client:
                yield Violation(
                    Rule.ABSENT_SPEAKER,
                    f"{observer.client} saw: {seen}, which {author.client} sent, who holds "
                    f"the nickname no more or not yet",
                )
            else:
                speaker[nickname] = author.client
            continue
        joined = seen.kind == "joined"
        if present.get(nickname) is joined:
            yield Violation(Rule.ALTERNATION, f"{observer.client} saw twice in a row: {seen}")
        if not observation.askers[nickname]:
            yield Violation(Rule.ALTERNATION, f"{observer.client} saw: {seen}, who never was here")
        present[nickname] = joined
        if not joined and nickname in speaker:
            gone.add(speaker.pop(nickname))


def _check_roster(
    observation: Observation, observer: Session, present: dict[str, bool]
) -> Iterator[Violation]:
    connected = {session.folded for session in observation.sessions if session.stays}
    # Who asked, got no answer and is still connected may be in or not.
    connected |= {fold(nickname) for nickname in observation.unanswered()}
    for nickname, here in present.items():
        if here and nickname not in connected:
            yield Violation(Rule.ROSTER, f"{observer.client} saw {nickname} join and never leave")
    for other in observation.sessions:
        if other is observer or other.folded == observer.folded:
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
        for record in session.history.of(ReceivedPrivate):
            received[fold(record.nickname), record.text].append(session.folded)
        for message in session.history.of(SentPrivate):
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
        reports = [record.text for record in sender.history.of(Reported)]
        for refused in sender.history.of(RefusedPrivate):
            if received.get((sender.folded, refused.text)):
                yield Violation(
                    Rule.PRIVATE_LEAK,
                    f"{refused.text!r} of {sender.client} was refused and received",
                )
        for acked in sender.history.of(AckedPrivate):
            recipients = by_nickname[fold(acked.recipient)]
            sent_at = sent[sender.folded, acked.text].at
            if (
                not received.get((sender.folded, acked.text))
                and not any(acked.text in report for report in reports)
                and sender.stays  # a guest who is gone is told nothing
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


def check_unexpected(observation: Observation) -> Iterator[Violation]:
    """Nothing came that the dialect does not allow."""
    for history in observation.histories:
        for record in history.of(Unexpected):
            yield Violation(Rule.UNEXPECTED, f"{history.client} at {record.at:.3f}: {record.what}")


def _some(items: Sequence[object], most: int = 5) -> str:
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(str(item) for item in items[:most]) + more
