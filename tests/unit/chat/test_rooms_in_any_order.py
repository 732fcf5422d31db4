"""Further rooms on several nodes, whatever comes in whatever order: who is where, and what they read."""

import random
import re
from dataclasses import replace

from fakes.encoder import FramedEncoder
from fakes.house import LIMITS, Client, House
from harness.cases import each
from tertulia.chat.further_room import EMPTY_SECONDS
from tertulia.chat.room import Room
from tertulia.domain import commands
from tertulia.domain.events import Joined, PublicEvent, Said
from tertulia.domain.operator_commands import Action, OperatorCommand
from tertulia.domain.rooms import RoomPlace
from unit.chat.test_room_histories import AnyOrder

ROOMS = ("ops", "dev")
FRAMED = FramedEncoder()


class Person:
    """Somebody who comes and goes, and what they read of each room since they came into it."""

    def __init__(self, play: "Play", nickname: str) -> None:
        self.play = play
        self.nickname = nickname
        self.stints: list[list[tuple[str, int, str]]] = []
        """Each from a welcome on, or going on where the last one ended: room, offset, events."""
        self.open: dict[str, list[tuple[str, int, str]]] = {}
        self.kicked: set[str] = set()
        """Rooms that forgot then what they knew of them."""
        self.client = self.connect()
        self.client.enter(nickname)

    def connect(self) -> Client:
        return Client(self.play.house, self.play.dice.choice(self.play.nodes), FRAMED)

    @property
    def is_in(self) -> bool:
        return self.client.closed is None and self.client.session.takes_commands

    def lose_and_come_back(self) -> None:
        """Lose the connection, and go on where it was."""
        self.read()
        before = self.client
        if not before.session.token or before.session.state.name == "JOINING":
            return
        before.lose()
        self.client = self.connect()
        places = {
            room: RoomPlace(f"memory of {room}", read[-1][1])
            for room, read in self.open.items()
            if read
        }
        self.open = {room: read for room, read in self.open.items() if read}
        resume = commands.Resume(before.session.token, "memory", 1)
        self.client.do(commands.Enter(self.nickname, resume=resume, rooms=places))

    def read(self) -> None:
        """Take down what came."""
        for line in self.client.outbox.read():
            if not line.startswith("#"):
                continue
            room, what = line[1:].split(" ", 1)
            if what.startswith("welcome"):
                if "missed" in what:
                    assert room in self.kicked or room not in self.open
                    self.open.pop(room, None)
                if room not in self.open:
                    self.open[room] = []
                    self.stints.append(self.open[room])
            elif what.startswith("parted"):
                self.open.pop(room, None)
            elif found := re.match(r"(\d+)(?: behind \d+)? \[(.*)\]", what):
                assert room in self.open, f"{self.nickname} reads of {room}: {line}"
                self.open[room].append((room, int(found[1]), found[2]))


class Play:
    """Some nodes, some people, and dice."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.order = AnyOrder(seed)
        self.house = House(
            replace(LIMITS, away_seconds=5.0, outbox_bytes=10**9), self.order.soon, ("framed",)
        )
        self.nodes: list[Room] = [self.house.room(f"n{number}") for number in range(2)]
        self.people = [Person(self, name) for name in ("andy", "betty", "carl")]
        self.count = 0

    def step(self) -> None:
        dice = self.dice
        if dice.random() < 0.6:
            self.order.one()
            self.house.clock.run()
            return
        person, room = dice.choice(self.people), dice.choice(ROOMS)
        person.read()
        match dice.randrange(14):
            case 12 if dice.random() < 0.3:
                node = self.house.stores[dice.choice(self.nodes)].node
                if node in self.house.chat.nodes:
                    self.house.chat.condemn(node)
            case 13 if room in self.house.chat.rooms:
                kick = OperatorCommand(str(self.count), "op", Action.KICK, person.nickname)
                self.house.chat.rooms[room].order(kick)
                person.kicked.add(room)
            case 0 | 1 | 2 if person.is_in:
                person.client.join(room)
            case 3 | 4 if person.is_in:
                person.client.part(room)
            case 5 | 6 | 7 if person.is_in:
                self.count += 1
                person.client.say(f"text{self.count}", self.count, room)
            case 8 if person.is_in:
                person.lose_and_come_back()
            case 9:
                self.house.clock.advance(dice.choice([0.0, 1.0, 6.0]))
            case 10 if person.is_in and dice.random() < 0.3:
                person.client.leave()
            case 11 if person.client.closed is not None:
                person.read()
                person.open = {}
                person.client = person.connect()
                person.client.enter(person.nickname)

    def log(self, room: str) -> dict[int, list[PublicEvent]]:
        """Return the events of a room's entries that anybody reads something of, by offset."""
        shown = {
            entry.position.offset: [
                it for it in entry.events if not (isinstance(it, Joined) and it.was)
            ]
            for entry in self.house.chat.rooms[room].log
        }
        return {offset: events for offset, events in shown.items() if events}

    def settle(self) -> None:
        """Let everything happen that is to happen."""
        for _ in range(4):
            while self.order.one():
                self.house.clock.run()
            self.house.clock.advance(EMPTY_SECONDS)
        for person in self.people:
            person.read()


@each("seed", range(100))
def test_whoever_does_whatever_is_where_they_believe_to_be(seed: int) -> None:
    play = Play(seed)
    for _ in range(250):
        play.step()
    play.settle()
    for name in ROOMS:
        room = play.house.chat.rooms.get(name)
        members = sorted(member.session for member in room.members) if room else []
        believe = sorted(
            person.client.session.name
            for person in play.people
            if person.client.closed is None and name in person.open
        )
        assert members == believe, name
        for node in play.nodes:
            further = node.further._by_name.get(name)
            if further is not None:
                assert sorted(it.session for it in further.roster) == members
    for node in play.nodes:
        own = [
            it.client for it in play.people if it.client.room is node and it.client.closed is None
        ]
        assert node.further.seats == sum(len(it.session.rooms or ()) for it in own)
    for person in play.people:
        assert person.client.closed is not None or person.client.session.awaiting == 0
        for stint in person.stints:
            if not stint:
                continue
            where, first, _ = stint[0]
            last, log = stint[-1][1], play.log(where)
            read = [(at, events) for _, at, events in stint if at in log]
            assert [at for at, _ in read] == [at for at in log if first <= at <= last]
            for at, events in read:
                said = [it.text for it in log[at] if isinstance(it, Said)]
                found = re.findall(r"text\d+", events)
                assert found == said or (at == first and found == said[len(said) - len(found) :])
