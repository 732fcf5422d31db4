"""Rooms on several nodes under whatever comes in whatever order: what their clients saw is consistent."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.encoder import DeafEncoder, PlainEncoder, SilentEncoder
from fakes.house import LIMITS, Client, House
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
from tertulia.domain.commands import CloseChat
from tertulia.domain.events import Closed, Joined, Left
from tertulia.domain.nicknames import fold

WANTED = ["wanted", "Wanted"]
"""A nickname that many ask for."""
DIALECTS = ("plain", "silent", "deaf")
"""Those of the clients; metrics for all take longer to make than a play."""
GRACE = 1e9
"""An answer says nothing of when other nodes deliver: who went meanwhile may have missed it."""


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
        encoder = play.dice.choice([PlainEncoder(), SilentEncoder(), DeafEncoder()])
        self.history = History(name, echoes=encoder.echoes, clock=play.tick)
        self.encoder = encoder
        super().__init__(play.house, room, encoder)
        self._unanswered: list[tuple[str, str]] = []
        self.welcome: list[str] = []
        """Who was there, as it was told."""
        self.public: list[str] = []
        """Public events, as it read them."""
        self.nickname = ""

    @property
    def is_in(self) -> bool:
        return self.closed is None and self.session.takes_commands and self.nickname != ""

    def ask_for(self, nickname: str) -> None:
        self.nickname = nickname
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

    def close_chat(self) -> None:
        self.do(CloseChat())

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
        if words[0] in ("said", "joined", "left", "closed"):
            self.public.append(" ".join(words))
        match words:
            case ["welcome", nickname, *others]:
                self.welcome = others
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
            case ["promoted"] | ["farewell"] | ["closed"] | ["refused", "forbidden"]:
                pass
            case ["fenced"] | ["displaced"]:
                pass
            case _:
                add(Unexpected(at, " ".join(words)))


@dataclass
class Play:
    """What happens on some nodes, one thing after another, in an order that a seed decides."""

    seed: int
    nodes: int
    contested: bool
    """Whether many ask for one nickname."""
    clients: list[Witness] = field(default_factory=list)
    now: float = 0.0
    texts: int = 0

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.order = AnyOrder(self.seed)
        self.house = House(LIMITS, self.order.soon, DIALECTS)
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
            own = f"guest-{len(self.clients)}"
            client.ask_for(self.dice.choice([*WANTED, own, own]) if self.contested else own)
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
                recipient = self.dice.choice([*self.clients, None])
                client.tell(recipient.nickname if recipient else "wanted", f"t{self.texts}")
            elif what == "close":
                client.close_chat()
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
        for _ in range(int(DeafEncoder.deaf_seconds)):
            self.work()


def should_have_read(play: Play, reader: Witness) -> tuple[list[str], list[str]]:
    """Return who was there at a client's join, and what came from then on until it left, by the log."""
    roster: dict[str, str] = {}
    others: list[str] = []
    lines: list[str] = []
    is_in = False
    for entry in play.house.chat.log:
        for event in entry.events:
            is_own = event.session == reader.session.name
            if isinstance(event, Left):
                del roster[event.session]
                if is_own:
                    return others, lines
            elif isinstance(event, Joined):
                if is_own:
                    is_in, others = True, list(roster.values())
                roster[event.session] = event.nickname
            elif isinstance(event, Closed):
                roster.clear()
                if is_in:
                    return others, [*lines, "closed"]
            if is_in and not (is_own and (isinstance(event, Joined) or not reader.encoder.echoes)):
                lines.append(reader.encoder.public(event).decode().strip())
    return others, lines


def check_against_log(play: Play) -> None:
    """Everybody read the log from its own join on: whole who stays, the beginning of it who went."""
    for reader in play.clients:
        others, lines = should_have_read(play, reader)
        assert reader.welcome in (others, []), reader.history.client
        if reader.is_in:
            assert reader.public == lines, reader.history.client
        else:
            assert reader.public == lines[: len(reader.public)], reader.history.client


def check_nicknames(play: Play) -> None:
    """No nickname was held by two at once, and every joined was followed by one left, or none yet."""
    holders: dict[str, str] = {}
    seen: set[str] = set()
    for entry in play.house.chat.log:
        for event in entry.events:
            key = fold(event.nickname)
            if isinstance(event, Joined):
                assert key not in holders
                assert event.session not in seen
                seen.add(event.session)
                holders[key] = event.session
            else:
                assert holders[key] == event.session
                if isinstance(event, Left):
                    del holders[key]
                elif isinstance(event, Closed):
                    holders.clear()
    present = {client.session.name for client in play.clients if client.is_in}
    assert set(holders.values()) == present


PEOPLE = ["enter", "enter", "say", "say", "whisper", "leave", "lose", "stuck"] + ["work"] * 6
ADMINISTRATORS = ["enter", "enter", "say", "leave", "close", "close"] + ["work"] * 4
NODES = ["enter", "enter", "say", "say", "whisper", "lose", "fence"] + ["work"] * 5


@given(seed=st.integers(0), nodes=st.integers(1, 3), length=st.integers(20, 150))
@pytest.mark.parametrize(
    ("acts", "contested"),
    [(PEOPLE, False), (PEOPLE, True), (NODES, False), (NODES, True), (ADMINISTRATORS, True)],
)
def test_everybody_reads_one_log(
    seed: int, nodes: int, length: int, acts: list[str], contested: bool
) -> None:
    play = Play(seed, nodes, contested)
    for what in play.dice.choices(acts, k=length):
        play.act(what)
    play.end()
    check_nicknames(play)
    check_against_log(play)
    if not contested:
        # The checker tells the holders of one nickname apart by when things came, which in a play is
        # any time; so here it sees nicknames that are asked for once.
        violations = check((client.history for client in play.clients), grace=GRACE)
        assert not violations, explain(violations)


ACTS = ["enter", "work", "enter", "work", "enter", "work", "say", "whisper", "work"] * 20


@pytest.mark.parametrize("nodes", [1, 2])
def test_a_play_has_something_to_tell(nodes: int) -> None:
    """So that a checker which is told nothing is not taken for one that finds nothing."""
    play = Play(1, nodes, contested=True)
    for what in ACTS:
        play.act(what)
    play.end()
    records = [record for client in play.clients for record in client.history.records]
    kinds = {type(record) for record in records}
    assert {Welcomed, Refused, Acked, AckedPrivate, ReceivedPublic, ReceivedPrivate} <= kinds
    assert {SawJoined, SawLeft} & kinds


def test_a_message_that_is_lost_is_found() -> None:
    play = Play(1, 2, contested=False)
    for what in ACTS:
        play.act(what)
    play.end()
    reader = next(c for c in play.clients if any(c.history.of(ReceivedPublic)) and c.is_in)
    reader.history.records.remove(next(reader.history.of(ReceivedPublic)))
    reader.public.pop()
    found = {violation.rule for violation in check((c.history for c in play.clients), grace=GRACE)}
    assert found & {Rule.LOST, Rule.HOLE}
    with pytest.raises(AssertionError):
        check_against_log(play)
