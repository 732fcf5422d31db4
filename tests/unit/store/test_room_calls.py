"""What a message in a further room costs a node that follows it, in calls: most nodes do only that for it.

A node has many rooms, and each has a message now and then: its code and its objects are in no cache then.
"""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, Final

from fakes.house import LIMITS, Client, House
from tertulia.dialects.browser import BrowserEncoder
from tertulia.domain.events import Said, encode
from tertulia.domain.position import Position
from tertulia.store.keys import RoomKeys
from tertulia.store.room import FollowedRoom, Needs
from tertulia.store.wire import RoomMessage, parse_message
from unit.edge.test_pump_calls import Calls

READERS: Final = 3
MESSAGES: Final = 10
MOST_CALLS: Final = 20.5
"""Python calls for a message, from the bytes that the bus brought to the outboxes' ``write``."""


def test_what_somebody_of_another_node_says_in_a_room_takes_few_calls() -> None:
    house = House(replace(LIMITS, history=30))
    node = house.room()
    readers = [Client(house, node, BrowserEncoder(30)) for _ in range(READERS)]
    for number, reader in enumerate(readers):
        reader.enter(f"andy{number}")
        house.clock.run()
        reader.join("ops")
        house.clock.run()
    home: Any = SimpleNamespace(member=SimpleNamespace(node="n"), metrics=house.metrics)
    touched: list[FollowedRoom] = []
    bus = SimpleNamespace(touched=lambda room, is_urgent: touched.append(room))
    shard: Any = SimpleNamespace(bus=bus)
    follower = node.further._by_name["ops"]
    room = FollowedRoom(home, RoomKeys("main", "ops"), follower, make=True, is_replicated=False)
    room.shard, room.state = shard, Needs.LIVE
    room._member.seated(Position("e", 0))
    said = encode(Said("carl", "m:1", "tea"))
    with Calls() as calls:
        for number in range(1, MESSAGES + 1):
            message = parse_message(b"1 r e %d 5000000 m %d\n%s" % (number, number, said))
            assert isinstance(message, RoomMessage)
            room.take(message)
            touched.pop().tell()
    for reader in readers:
        assert reader.outbox.take().count(b'"text":"tea"') == MESSAGES
    assert sum(calls.of.values()) / MESSAGES <= MOST_CALLS, calls.of.most_common()
