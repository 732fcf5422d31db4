"""Rooms on several nodes under whatever comes in whatever order: what their clients saw is consistent."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.house import LIMITS, Client, House
from fakes.voice import PlainVoice, SilentVoice
from history.checker import Rule, check, explain
from history.record import (
    Acked,
    AckedPrivate,
    Disconnected,
    EnterSent,
    History,
    NodeLost,
    ReceivedPrivate,
    ReceivedPublic,
    Refused,
    RefusedPrivate,
    Reported,
    SawJoined,
    SawLeft,
    SentPrivate,
    SentPublic,
    Unexpected,
    Welcomed,
)
from tertulia.chat.room import Room

NICKNAMES = ["a", "A", "b", "c"]
GRACE = 1e-6


class AnyOrder:
    """Calls back in an order of its own: what nodes do may be interleaved in any way."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        self._waiting: list[Callable[[], object]] = []

    def soon(self, callback: Callable[[], object]) -> None:
        self._waiting.append(callback)

    def one(self) -> bool:
        """Call back one of those that wait; False where none does."""
        if not self._waiting:
            return False
        self._waiting.pop(self._dice.randrange(len(self._waiting)))()
        return True


class Witness(Client):
    """A client that writes down what it sends and reads."""

    def __init__(self, play: "Play", room: Room, name: str) -> None:
        self.play = play
        voice = play.dice.choice([PlainVoice(), SilentVoice()])
        self.history = History(name, echoes=voice.echoes, clock=play.tick)
        super().__init__(play.house, room, voice)
        self._unanswered: list[tuple[str, str]] = []
        self._nickname = ""

    @property
    def is_in(self) -> bool:
        return self.closed is None and self.session.takes_commands and self._nickname != ""

    def ask_for(self, nickname: str) -> None:
        self._nickname = nickname
        self.history.add(EnterSent(self.play.tick(), nickname))
        self.enter(nickname)

    def tell(self, recipient: str, text: str) -> None:
        self._unanswered.append((recipient, text))
        if recipient:
            self.history.add(SentPrivate(self.play.tick(), recipient, text))
            self.whisper(recipient, text)
        else:
            self.history.add(SentPublic(self.play.tick(), text))
            self.say(text)

    def go(self, *, in_order: bool) -> None:
        self.write_down()
        self.history.add(Disconnected(self.play.tick(), "client"))
        if in_order:
            self.leave()
        else:
            self.outbox.taken = False
            self.lose()
        self.outbox.read()

    def write_down(self) -> None:
        """Note what came since the last look."""
        for line in self.outbox.read():
            if not any(self.history.of(Disconnected)):
                self._note(line.split(" "), self.play.tick())
        if self.closed is not None and not any(self.history.of(Disconnected)):
            self.history.add(Disconnected(self.play.tick(), "server"))

    def _note(self, words: list[str], at: float) -> None:
        add = self.history.add
        match words:
            case ["welcome", nickname, *others]:
                add(Welcomed(at, nickname, tuple(others)))
            case ["refused", "nickname_taken", nickname]:
                add(Refused(at, nickname, "taken"))
            case ["refused", "unknown_recipient", _]:
                recipient, text = self._unanswered.pop(0)
                add(RefusedPrivate(at, recipient, text))
            case ["sent"]:
                recipient, text = self._unanswered.pop(0)
                add(AckedPrivate(at, recipient, text) if recipient else Acked(at, text))
            case ["said", nickname, text]:
                add(ReceivedPublic(at, nickname, text))
            case ["whispered", nickname, text]:
                add(ReceivedPrivate(at, nickname, text))
            case ["undelivered", _, text]:
                add(Reported(at, text))
            case ["joined", nickname]:
                add(SawJoined(at, nickname))
            case ["left", nickname]:
                add(SawLeft(at, nickname))
            case ["promoted"] | ["farewell"]:
                pass
            case _:
                add(Unexpected(at, " ".join(words)))


@dataclass
class Play:
    """What happens on some nodes, one thing after another, in an order that a seed decides."""

    seed: int
    nodes: int
    clients: list[Witness] = field(default_factory=list)
    now: float = 0.0
    texts: int = 0

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.order = AnyOrder(self.seed)
        self.house = House(LIMITS, self.order.soon)
        self.rooms = [self.house.room(f"n{i}", batch_ops=3) for i in range(self.nodes)]

    def tick(self) -> float:
        self.now += 1.0
        return self.now

    def act(self, what: str) -> None:
        """Let one thing happen."""
        present = [client for client in self.clients if client.is_in]
        if what == "enter":
            client = Witness(self, self.dice.choice(self.rooms), f"client-{len(self.clients)}")
            self.clients.append(client)
            client.ask_for(self.dice.choice(NICKNAMES))
        elif what == "fence":
            self.fence(self.dice.choice(self.rooms))
        elif what == "work":
            for _ in range(self.dice.randrange(6)):
                self.work()
        elif present:
            client = self.dice.choice(present)
            self.texts += 1
            if what == "say":
                client.tell("", f"t{self.texts}")
            elif what == "whisper":
                client.tell(self.dice.choice(NICKNAMES), f"t{self.texts}")
            elif what == "stuck":
                client.outbox.taken = False
            else:
                client.go(in_order=what == "leave")

    def fence(self, room: Room) -> None:
        """Take a node for dead: from now on its sessions hold nothing."""
        node = self.house.stores[room].node
        if node not in self.house.chat.nodes:
            return  # it was, and has not heard of it
        for client in self.clients:
            if client.room is room:
                client.write_down()
                if client.closed is None:
                    client.history.add(NodeLost(self.tick()))
        self.house.chat.condemn(node)

    def work(self) -> bool:
        """Let some node do one thing, and everybody read."""
        done = self.order.one()
        self.house.clock.advance(1.0)
        for client in self.clients:
            client.write_down()
        return done

    def end(self) -> None:
        """Let everything come to rest, and one last message reach everybody."""
        while self.work():
            pass
        present = [client for client in self.clients if client.is_in]
        if present:
            present[0].tell("", "last")
        while self.work():
            pass


ACTS = st.lists(
    st.sampled_from(
        ["enter", "enter", "say", "say", "whisper", "leave", "lose", "stuck"] + ["work"] * 6
    ),
    min_size=40,
    max_size=160,
)


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 10**6), nodes=st.integers(1, 3), acts=ACTS)
def test_histories_are_consistent(seed: int, nodes: int, acts: list[str]) -> None:
    play = Play(seed, nodes)
    for what in acts:
        play.act(what)
    play.end()
    violations = check((client.history for client in play.clients), grace=GRACE)
    assert not violations, explain(violations)


@settings(max_examples=75, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    acts=st.lists(
        st.sampled_from(["enter", "enter", "say", "say", "whisper", "fence"] + ["work"] * 5),
        min_size=40,
        max_size=120,
    ),
)
def test_histories_are_consistent_when_nodes_are_taken_for_dead(seed: int, acts: list[str]) -> None:
    play = Play(seed, nodes=3)
    for what in acts:
        play.act(what)
    play.end()
    violations = check((client.history for client in play.clients), grace=GRACE)
    assert not violations, explain(violations)


@pytest.mark.parametrize("nodes", [1, 2])
def test_a_play_has_something_to_tell(nodes: int) -> None:
    """So that a checker which is told nothing is not taken for one that finds nothing."""
    play = Play(1, nodes)
    for what in ["enter", "work", "enter", "work", "enter", "work", "say", "whisper", "work"] * 20:
        play.act(what)
    play.end()
    records = [record for client in play.clients for record in client.history.records]
    kinds = {type(record) for record in records}
    assert {Welcomed, Acked, AckedPrivate, ReceivedPublic, ReceivedPrivate, SawJoined} <= kinds


def test_a_message_that_is_lost_is_found() -> None:
    play = Play(1, 2)
    for what in ["enter", "work", "enter", "work", "say", "work"] * 10:
        play.act(what)
    play.end()
    reader = next(c for c in play.clients if any(c.history.of(ReceivedPublic)))
    lost = next(reader.history.of(ReceivedPublic))
    reader.history.records.remove(lost)
    found = {violation.rule for violation in check((c.history for c in play.clients), grace=GRACE)}
    assert Rule.LOST in found or Rule.HOLE in found
