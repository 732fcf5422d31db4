"""What a message in a further room costs a node beside the wires to clients and to Redis, in calls.

A node has many rooms, and each has a message now and then: its code and its objects are in no cache then.
"""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, Final

import pytest

from fakes.house import LIMITS, Client, House
from tertulia.dialects.browser import BrowserEncoder
from tertulia.domain.events import Said, encode
from tertulia.domain.position import Position
from tertulia.settings.sections import ClusterSettings
from tertulia.store.keys import RoomKeys
from tertulia.store.membership import Membership
from tertulia.store.room import FollowedRoom, Needs
from tertulia.store.wire import RoomMessage, parse_message
from unit.edge.test_pump_calls import Calls

READERS: Final = 3
MESSAGES: Final = 10
MOST_CALLS: Final = 20.5
"""Python calls for a message, from the bytes that the bus brought to the outboxes' ``write``."""
MOST_CALLS_OF_SPEAKERS: Final = 71.5
"""The same on the node of who says it, from the command to the answer as well."""


def _nothing(*_: object) -> None:
    """Do nothing."""


class Node:
    """A node with readers in a room, whose store is asked by hand."""

    def __init__(self) -> None:
        house = House(replace(LIMITS, history=30))
        node = house.room()
        self.readers = [Client(house, node, BrowserEncoder(30)) for _ in range(READERS)]
        for number, reader in enumerate(self.readers):
            reader.enter(f"andy{number}")
            house.clock.run()
            reader.join("ops")
            house.clock.run()
            reader.outbox.take()
        self.touched: list[FollowedRoom] = []
        home: Any = SimpleNamespace(
            member=Membership("n"), settings=ClusterSettings(), metrics=house.metrics,
            most_members=9, new_epoch="f", clock=house.clock.time,
            has_work=_nothing, awaits=_nothing, was_submitted=_nothing, is_done=_nothing,
        )  # fmt: skip
        further = node.further._by_name["ops"]
        self.room = FollowedRoom(
            home, RoomKeys("main", "ops"), further, make=True, is_replicated=False
        )
        bus = SimpleNamespace(touched=lambda room, is_urgent: self.touched.append(room))
        shard: Any = SimpleNamespace(bus=bus)
        self.room.shard, self.room.state = shard, Needs.LIVE
        self.room._member.seated(Position("e", 0))
        further._store = self.room

    @property
    def name(self) -> str:
        return self.room._member.node

    def hear(self, node: str, number: int) -> None:
        """Have the bus bring a message, and those told who read it."""
        said = encode(Said("carl", "m:1", "tea"))
        message = parse_message(
            b"1 r e %d 5000000 %s %d\n%s" % (number, node.encode(), number, said)
        )
        assert isinstance(message, RoomMessage)
        self.room.take(message)
        self.touched.pop().tell()


@pytest.fixture
def node() -> Node:
    return Node()


def test_what_somebody_of_another_node_says_in_a_room_takes_few_calls(node: Node) -> None:
    with Calls() as calls:
        for number in range(1, MESSAGES + 1):
            node.hear("m", number)
    for reader in node.readers:
        assert reader.outbox.take().count(b'"text":"tea"') == MESSAGES
    assert sum(calls.of.values()) / MESSAGES <= MOST_CALLS, calls.of.most_common()


def test_what_somebody_says_in_a_room_takes_few_calls(node: Node) -> None:
    speaker, *others = node.readers
    with Calls() as calls:
        for number in range(1, MESSAGES + 1):
            speaker.say("tea", number, "ops")
            node.room.request()
            node.room.replied(number, number)
            node.hear(node.name, number)
    assert speaker.outbox.take().count(b'"type":"sent"') == MESSAGES
    for reader in others:
        assert reader.outbox.take().count(b'"text":"tea"') == MESSAGES
    assert sum(calls.of.values()) / MESSAGES <= MOST_CALLS_OF_SPEAKERS, calls.of.most_common()
