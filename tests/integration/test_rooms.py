"""Further rooms of a chat, in every dialect, over two nodes. Source: docs/rooms.md."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from harness import browser_frames as frames
from harness.browser_client import BrowserClient, Seat
from harness.chatte_client import INVALID, SENT, UNKNOWN, WELCOME, WITHIN, ChatteClient
from harness.dialects import launch, listener, port, until_empty
from harness.load import assert_promises_kept
from harness.node import Node, NodeFactory
from harness.person import Person
from harness.protocollo_client import (
    ADMINISTRATOR,
    CLASSIC,
    CLOSE,
    FORBIDDEN,
    PAGE,
    ClassicClient,
    ProtocolloClient,
)
from harness.protocollo_client import UNKNOWN as SCONOSCIUTO
from harness.redis_server import running_redis
from harness.waiting import until

KINDS: tuple[type[ChatteClient], ...] = (ChatteClient, ProtocolloClient, BrowserClient)
SECRET = "s3cret-enough"
_rooms = itertools.count(1)

Says = tuple[str, str]


@dataclass(slots=True)
class House:
    """A chat on two nodes, and whoever is in it."""

    nodes: list[Node]
    room: str
    """A room that no other test has."""
    clients: list[ChatteClient] = field(default_factory=list)
    people: list[Person] = field(default_factory=list)

    async def chatte(self, name: str, node: int = 0) -> ChatteClient:
        return await self._enter(ChatteClient, name, node)

    async def protocollo(self, name: str, node: int = 0) -> ProtocolloClient:
        client = await self._enter(ProtocolloClient, name, node)
        assert isinstance(client, ProtocolloClient)
        return client

    async def browser(self, name: str, node: int = 0, *rooms: str) -> BrowserClient:
        client = await self._enter(BrowserClient, name, node)
        assert isinstance(client, BrowserClient)
        for room in rooms:
            await client.join_room(room)
        return client

    async def owner(self, name: str, node: int = 0) -> BrowserClient:
        """Let somebody with an account make the room, who so is its owner."""
        client = await self.browser(name, node)
        client.put(type="register", password=SECRET)
        answer = await client.expect_frame(frames.AccountFrame)
        assert answer.outcome in ("done", "has_account"), answer
        await client.join_room(self.room)
        return client

    async def person(self, name: str, node: int, *rooms: str) -> Person:
        person = Person(name)
        self.people.append(person)
        await person.come(port(self.nodes[node], BrowserClient))
        for room in rooms:
            await person.join_room(room)
        return person

    async def _enter(self, kind: type[ChatteClient], name: str, node: int) -> ChatteClient:
        client = await kind.enter_chat(port(self.nodes[node], kind), name)
        self.clients.append(client)
        return client

    @property
    def everybody(self) -> list[ChatteClient]:
        """All connections that there were."""
        return [*self.clients, *(it for person in self.people for it in person.connections)]


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Node]]:
    with running_redis(fsync="no") as server:  # nothing here is about disks
        factory = NodeFactory(tmp_path_factory.mktemp("nodes"), server.url)
        try:
            listeners = [*map(listener, KINDS[:-1]), {**listener(BrowserClient), "history": 3}]
            settings = {"LIMITS__ROOMS_PER_SESSION": "3", "CLUSTER__AWAY_SECONDS": "30"}
            for _ in range(2):
                launch(factory, listeners, **settings)
            for node in factory.nodes:
                node.ready_sync()
            yield factory.nodes
        finally:
            factory.end()


@pytest.fixture
async def house(nodes: list[Node]) -> AsyncIterator[House]:
    house = House(nodes, f"ops-{next(_rooms)}")
    yield house
    for client in house.everybody:
        if isinstance(client, BrowserClient):
            client.leave()  # else its seat is kept for a moment
        else:
            client.close()
    await until_empty(nodes)


def said(seat: Seat) -> list[Says]:
    """Who said what in a room, as a browser has read it."""
    return [
        (it.event.nickname, it.event.text)
        for it in seat.events
        if isinstance(it.event, frames.SaidEvent)
    ]


async def test_three_dialects_meet_in_a_room_and_the_lobby_reads_nothing_of_it(
    house: House,
) -> None:
    dora = await house.chatte("dora", 1)
    anna = await house.chatte(f"anna@{house.room}", 0)
    bruno = await house.protocollo(f"bruno@{house.room}", 1)
    assert bruno.lines == [PAGE.listed("anna")]
    carla = await house.browser("carla", 0, house.room)
    seat = carla.rooms[house.room]
    assert seat.welcome is not None
    assert seat.welcome.members == ("anna", "bruno", "carla")
    anna.say("one")
    await bruno.expect_line(PAGE.said("anna", "one"))
    await carla.expect_event(frames.SaidEvent("anna", "one"), room=house.room)
    await anna.answered()
    bruno.say("two")
    await anna.expect_line("100 bruno two")
    await carla.expect_event(frames.SaidEvent("bruno", "two"), room=house.room)
    carla.say("three", house.room)
    await carla.answered()
    await anna.expect_line("100 carla three")
    await bruno.expect_line(PAGE.said("carla", "three"))
    carla.say("to the lobby")
    await dora.expect_line("100 carla to the lobby")
    bruno.leave()
    await bruno.disconnected()
    await anna.expect_line("151 bruno just left the chat")
    await dora.expect_line("151 bruno just left the chat")
    assert anna.lines == [
        "0 Hello, nickname please.",
        WELCOME,
        "150 bruno just join to the chat",
        "150 carla just join to the chat",
        "100 anna one",
        SENT,
        "100 bruno two",
        "100 carla three",
        "151 bruno just left the chat",
    ]
    assert dora.lines == [
        "0 Hello, nickname please.",
        WELCOME,
        "150 anna just join to the chat",
        "150 bruno just join to the chat",
        "150 carla just join to the chat",
        "100 carla to the lobby",
        "151 bruno just left the chat",
    ]
    for room in ("", house.room):
        await carla.expect_event(frames.LeftEvent("bruno"), room=room)
    assert said(carla.lobby) == [("carla", "to the lobby")]
    await assert_promises_kept(house.clients)


async def test_a_room_is_the_same_in_any_case(house: House) -> None:
    anna = await house.chatte("anna")
    bruno = await house.browser("bruno", 1)
    anna.close()
    anna = await ChatteClient.connect(port(house.nodes[0], ChatteClient))
    house.clients.append(anna)
    anna.send(f"carla@{house.room.upper()}\n".encode())
    await anna.expect_line(WELCOME)
    seat = bruno.rooms[house.room] = Seat(house.room)
    bruno.put(type="join", room=f"#{house.room.title()}")
    await bruno.room_answered(seat)
    assert seat.members == ["carla", "bruno"]


async def test_private_messages_go_between_rooms(house: House) -> None:
    anna = await house.chatte(f"anna@{house.room}", 0)
    bruno = await house.protocollo("bruno", 1)
    carla = await house.browser("carla", 1, house.room)
    anna.whisper("bruno", "from the room")
    await bruno.expect_line("anna> from the room")
    bruno.whisper("Anna", "from the lobby")
    await anna.expect_line("102 bruno from the lobby")
    carla.whisper("anna", "from both")
    await anna.expect_line("102 carla from both")
    anna.say("to the room")
    await carla.expect_event(frames.SaidEvent("anna", "to the room"), room=house.room)
    await asyncio.gather(anna.answered(), carla.answered())
    await assert_promises_kept(house.clients)


async def test_who_is_not_in_a_room_may_speak_there_if_its_owner_lets_them(house: House) -> None:
    owner = await house.owner("olga")
    await owner.expect_event(frames.OwnerEvent("olga"), room=house.room)
    reader = await house.chatte(f"rita@{house.room}", 1)
    anna = await house.chatte("anna", 1)
    bruno = await house.protocollo("bruno", 0)
    carla = await house.browser("carla", 1)

    def speak(text: str) -> None:
        for client in (anna, bruno, carla):
            client.say(f"{text} {client.nickname}", room=house.room)

    speak("let me in, says")
    await anna.expect_line(UNKNOWN)
    await bruno.expect_line(f"{SCONOSCIUTO}#{house.room}")
    await carla.answered()
    refused = frames.FailedFrame(1, "unknown_recipient", room=house.room)
    assert carla.answers == [refused]
    owner.put(type="moderate", room=house.room, action="outsiders", on=True)
    await reader.expect_line("102 G People who are not in this room may speak here now, says olga")
    await owner.expect_event(frames.OutsidersEvent(True, "olga"), room=house.room)
    speak("thank you, says")
    await asyncio.gather(anna.answered(), carla.answered())
    assert SENT in anna.lines
    assert carla.answers == [refused, frames.SentFrame(2, room=house.room)]
    for name in ("anna", "bruno", "carla"):
        event = frames.SaidEvent(name, f"thank you, says {name}")
        await owner.expect_event(event, room=house.room)
    thanks = {f"100 {name} thank you, says {name}" for name in ("anna", "bruno", "carla")}
    await reader.wait_for(lambda: thanks <= {*reader.lines}, WITHIN, "everybody's thanks")
    assert {it for it in reader.lines if "100 " in it} == thanks
    owner.put(type="moderate", room=house.room, action="outsiders", on=False)
    await reader.expect_line("102 G Only people in this room may speak here now, says olga")
    speak("once more, says")
    await anna.expect_line(UNKNOWN)
    await bruno.expect_line(f"{SCONOSCIUTO}#{house.room}")
    await carla.answered()
    assert not any("once more" in it for it in reader.lines)
    await assert_promises_kept(house.clients)


async def test_the_room_that_is_shown_is_written_to_by_its_name_as_well(house: House) -> None:
    anna = await house.chatte(f"anna@{house.room}")
    bruno = await house.protocollo(f"bruno@{house.room}", 1)
    anna.say("by name", room=house.room)
    assert await anna.expect_line(lambda line: line.startswith("100")) == "100 anna by name"
    await anna.expect_line(SENT)
    await bruno.expect_line(PAGE.said("anna", "by name"))
    bruno.say("per nome", room=house.room)
    await anna.expect_line("100 bruno per nome")
    await anna.answered()
    await assert_promises_kept(house.clients)


async def test_a_browser_is_in_several_rooms_each_with_its_own_members(house: House) -> None:
    one, two = house.room, f"{house.room}-b"
    anna = await house.browser("anna", 0, one, two)
    bruno = await house.browser("bruno", 1, two)
    carla = await house.chatte(f"carla@{one}", 1)
    await anna.expect_event(frames.JoinedEvent("carla"), room=one)
    await anna.expect_event(frames.JoinedEvent("bruno"), room=two)
    for room in ("", one, two):
        anna.say(f"in {room}", room)
    await anna.answered()
    await carla.expect_line(f"100 anna in {one}")
    await bruno.expect_event(frames.SaidEvent("anna", f"in {two}"), room=two)
    await bruno.expect_event(frames.SaidEvent("anna", "in "))
    assert said(bruno.rooms[two]) == [("anna", f"in {two}")]
    assert anna.rooms[one].members == ["anna", "carla"]
    assert anna.rooms[two].members == ["anna", "bruno"]
    seat = anna.rooms[one]
    await anna.part_room(one)
    assert seat.parted == frames.PartedFrame(one, "left")
    await carla.expect_line("151 anna just left the chat")
    carla.say("is she gone?")
    await carla.answered()
    anna.say("still in the other one", two)
    await anna.answered()
    await bruno.expect_event(frames.SaidEvent("anna", "still in the other one"), room=two)
    assert ("carla", "is she gone?") not in said(seat)
    await anna.join_room(one)
    await carla.expect_line("150 anna just join to the chat")
    await assert_promises_kept(house.clients)


async def test_who_leaves_the_chat_leaves_its_rooms(house: House) -> None:
    one, two = house.room, f"{house.room}-b"
    anna = await house.browser("anna", 0, one, two)
    bruno = await house.browser("bruno", 1, one, two)
    anna.leave()
    await anna.disconnected()
    for room in ("", one, two):
        await bruno.expect_event(frames.LeftEvent("anna"), room=room)
    carla = await house.protocollo(f"carla@{one}", 0)
    carla.abort()
    await bruno.expect_event(frames.LeftEvent("carla"), room=one)


async def test_a_lost_connection_is_resumed_in_all_rooms_on_the_other_node(house: House) -> None:
    rooms = [house.room, f"{house.room}-b", f"{house.room}-c"]
    speaker = await house.browser("speaker", 1, *rooms)
    anna = await house.person("anna", 0, *rooms)
    where = ["", *rooms]
    for room in where:
        speaker.say(f"before {room}", room)
        anna.say(room)
    for room in where:
        await anna.connection.expect_event(frames.SaidEvent("speaker", f"before {room}"), room=room)
    await anna.connection.answered()
    for room in where:
        anna.say(room)  # it may be lost with the connection, or only its answer
    anna.cut()
    for number in range(20):
        speaker.say(f"meanwhile {number}", where[number % len(where)])
    await speaker.answered()
    await anna.come_back(port(house.nodes[1], BrowserClient))
    for room in where:
        anna.say(room)
        speaker.say(f"after {room}", room)
    await asyncio.gather(anna.connection.answered(), speaker.answered())
    for place, room in enumerate(where):
        await anna.connection.expect_event(frames.SaidEvent("speaker", f"after {room}"), room=room)
        read = [it.event for it in anna.events_in(room) if isinstance(it.event, frames.SaidEvent)]
        of_speaker = [it.text for it in read if it.nickname == "speaker"]
        meanwhile = [f"meanwhile {number}" for number in range(place, 20, len(where))]
        assert of_speaker == [f"before {room}", *meanwhile, f"after {room}"]
        own = [it.text for it in read if it.nickname == "anna"]
        assert own == [f"anna-{place + turn * len(where)}" for turn in range(3)]
    for room in rooms:
        welcome = anna.connection.rooms[room].welcome
        assert welcome is not None
        assert (welcome.resumed, welcome.missed) == (True, "nothing")
    # Who was back in a moment was never gone.
    for room in where:
        seat = speaker.rooms[room] if room else speaker.lobby
        assert not [it for it in seat.events if it.event == frames.LeftEvent("anna")]
    await assert_promises_kept(house.everybody)


async def test_a_place_of_another_time_gives_the_latest_part(house: House) -> None:
    anna = await house.browser("anna", 0, house.room)
    places = anna.places
    bruno = await house.browser("bruno", 1, house.room)
    position = anna.position
    assert position is not None
    anna.abort()
    bruno.say("meanwhile", house.room)
    await bruno.answered()
    place = places[house.room]._replace(epoch="another")
    again = await BrowserClient.connect(port(house.nodes[1], BrowserClient), "anna")
    house.clients.append(again)
    await again.resume("anna", position, {house.room: place})
    seat = again.rooms[house.room]
    await again.room_answered(seat)
    assert seat.welcome is not None
    assert (seat.welcome.resumed, seat.welcome.missed) == (True, "some")


async def test_what_was_refused_in_a_room_is_known_when_one_is_back(house: House) -> None:
    anna = await house.browser("anna", 0, house.room)
    anna.put(type="say", id=1, text="x" * 5000, room=house.room)
    error = await anna.expect_frame(frames.ErrorFrame)
    assert (error.id, error.room) == (1, house.room)
    next(anna.ids)
    anna.say("two", house.room)
    await anna.answered()
    position = anna.position
    assert position is not None
    anna.abort()
    again = await BrowserClient.connect(port(house.nodes[1], BrowserClient), "anna")
    house.clients.append(again)
    await again.resume("anna", position, anna.places)
    seat = again.rooms[house.room]
    await again.room_answered(seat)
    assert isinstance(seat.welcome, frames.RoomFrame)
    assert (seat.welcome.done, seat.welcome.refused) == (2, (1,))
    assert again.welcome is not None
    assert (again.welcome.done, again.welcome.refused) == (0, None)


async def test_the_list_of_rooms(house: House) -> None:
    one, two = house.room, f"{house.room}-b"
    anna = await house.browser("anna", 0, one, two)
    await house.chatte(f"bruno@{one}", 1)

    async def are_listed() -> bool:
        anna.put(type="rooms")
        found = await anna.expect_frame(frames.RoomsFrame)
        return {(one, 2), (two, 1)} <= {(it.room, it.members) for it in found.rooms}

    await until(are_listed, 30, "both, as of some seconds ago", every=0.2)


async def test_why_one_does_not_come_into_a_room(house: House) -> None:
    anna = await house.browser("anna", 0, house.room)

    async def refused(room: str) -> str:
        anna.put(type="join", room=room)
        failed = await anna.expect_frame(frames.FailedFrame)
        assert (failed.action, failed.room) == ("join", room)
        return failed.reason

    assert await refused("no room") == "invalid_room"
    assert await refused(house.room) == "already_there"
    for more in "bc":
        await anna.join_room(f"{house.room}-{more}")
    assert await refused(f"{house.room}-d") == "too_many_rooms"
    await anna.part_room(f"{house.room}-b")
    await anna.join_room(f"{house.room}-d")


async def test_what_is_for_members_only(house: House) -> None:
    anna = await house.browser("anna")
    await house.browser("bruno", 1, house.room)
    wanted: list[dict[str, Any]] = [
        {"type": "history", "before": 9},
        {"type": "search", "text": "x"},
        {"type": "moderate", "action": "topic", "text": "mine"},
    ]
    for fields in wanted:
        anna.put(**fields, room=house.room)
        failed = await anna.expect_frame(frames.FailedFrame)
        assert failed == frames.FailedFrame(reason="not_in_room", room=house.room)
    anna.put(type="part", room=house.room)
    assert await anna.expect_frame(frames.PartedFrame) == frames.PartedFrame(house.room, "left")


async def test_who_comes_reads_what_was_said_in_the_room_alone(house: House) -> None:
    anna = await house.browser("anna", 0, house.room)
    anna.say("to the lobby")
    for number in range(4):
        anna.say(f"past {number}", house.room)
    await anna.answered()
    bruno = await house.browser("bruno", 1)
    await bruno.expect_frame(frames.PastFrame, lambda it: it.room is None)
    await bruno.join_room(house.room)
    past = await bruno.expect_frame(frames.PastFrame)
    assert past.room == house.room
    assert [it.text for it in past.messages] == ["past 1", "past 2", "past 3"]
    bruno.put(type="history", before=past.before, index=past.index, room=house.room)
    earlier = await bruno.expect_frame(frames.PastFrame)
    assert (earlier.room, [it.text for it in earlier.messages]) == (house.room, ["past 0"])
    bruno.put(type="search", text="past 2", room=house.room)
    found = await bruno.expect_frame(frames.FoundFrame)
    assert (found.room, [it.text for it in found.messages]) == (house.room, ["past 2"])


async def test_the_owner_looks_after_the_room_alone(house: House) -> None:
    owner = await house.owner("otto", 1)
    anna = await house.chatte(f"anna@{house.room}", 0)
    bruno = await house.browser("bruno", 0, house.room)

    def moderates(**fields: object) -> None:
        owner.put(type="moderate", room=house.room, **fields)

    moderates(action="topic", text="coffee")
    await anna.expect_line("102 G otto set the topic: coffee")
    moderates(action="mute", nickname="bruno")
    await bruno.expect_event(frames.MutedEvent("bruno", "otto", 0, ""), room=house.room)
    bruno.say("may I?", house.room)
    bruno.say("in the lobby I may")
    await bruno.answered()
    assert bruno.answers[-2:] == [
        frames.FailedFrame(1, "muted", room=house.room),
        frames.SentFrame(2),
    ] or bruno.answers[-2:] == [
        frames.SentFrame(2),
        frames.FailedFrame(1, "muted", room=house.room),
    ]
    seat = bruno.rooms[house.room]
    moderates(action="kick", nickname="bruno", reason="enough")
    await bruno.wait_for(lambda: seat.parted is not None, WITHIN, "the end of the room")
    assert seat.parted == frames.PartedFrame(house.room, "kicked", "enough")
    bruno.say("still in the lobby")
    await bruno.answered()
    await bruno.join_room(house.room)
    await owner.expect_event(frames.LeftEvent("bruno"), room=house.room)
    moderates(action="kick", nickname="anna")
    await anna.disconnected()
    assert anna.lines[-1] == f"102 G You were removed from the room #{house.room}."
    await bruno.expect_event(frames.LeftEvent("anna"))
    late = await house.protocollo(f"late@{house.room}", 0)
    assert await late.expect_line(lambda it: "argomento" in it) == "G> l'argomento è: coffee"
    owner.put(type="moderate", action="topic", text="not hers")
    await owner.expect_frame(frames.ForbiddenFrame, lambda it: it.room is None)


async def test_a_deleted_account_that_another_makes_is_not_the_owner(house: House) -> None:
    owner = await house.owner("ottilie", 1)
    await owner.expect_event(frames.OwnerEvent("ottilie"), room=house.room)
    bruno = await house.browser("bruno", 0, house.room)

    async def asked(client: BrowserClient, **fields: object) -> None:
        client.put(**fields)
        answer = await client.expect_frame(frames.AccountFrame)
        assert answer.outcome == "done", answer

    async def is_forbidden(client: BrowserClient) -> None:
        client.put(type="moderate", room=house.room, action="topic", text="mine")
        await client.expect_frame(frames.ForbiddenFrame, lambda it: it.room == house.room)

    await asked(owner, type="delete_account", password=SECRET)
    await is_forbidden(owner)
    owner.leave()
    await bruno.expect_event(frames.LeftEvent("ottilie"))
    other = await house.browser("ottilie", 1)
    await asked(other, type="register", password="of somebody else")
    await other.join_room(house.room)
    welcome = other.rooms[house.room].welcome
    assert isinstance(welcome, frames.RoomFrame)
    assert (welcome.owner, welcome.moderator, welcome.topic) == ("", False, "")
    await is_forbidden(other)
    other.put(type="moderate", room=house.room, action="appoint", nickname="ottilie")
    await other.expect_frame(frames.ForbiddenFrame, lambda it: it.room == house.room)


async def test_the_administrator_is_the_chats_whatever_room_he_is_shown(house: House) -> None:
    first = await house.protocollo("first")
    second = await house.protocollo(f"second@{house.room}", 1)
    third = await house.chatte(f"third@{house.room}", 0)
    fourth = await house.browser("fourth", 1, house.room)
    assert first.is_administrator
    second.stop()
    await second.expect_line(FORBIDDEN)
    first.leave()
    await second.expect_line(ADMINISTRATOR)
    second.say("to the room")
    await third.expect_line("100 second to the room")
    second.stop()
    await asyncio.gather(*(it.disconnected() for it in (second, third, fourth)))
    assert second.lines[-1] == CLOSE
    assert third.lines[-1] == "102 G The chat was closed by its administrator."
    assert fourth.close_reason == "chat_closed"


async def test_a_guest_who_makes_a_room_does_not_own_it(house: House) -> None:
    anna = await house.browser("anna", 0, house.room)
    welcome = anna.rooms[house.room].welcome
    assert isinstance(welcome, frames.RoomFrame)
    assert (welcome.owner, welcome.moderator, welcome.outsiders) == ("", False, False)
    anna.put(type="moderate", room=house.room, action="outsiders", on=True)
    await anna.expect_frame(frames.ForbiddenFrame, lambda it: it.room == house.room)


async def test_a_room_has_so_many_places_and_a_chat_so_many_rooms(
    node_factory: NodeFactory,
) -> None:
    listeners = [{**listener(it), "history": 3} for it in KINDS]
    node = launch(node_factory, listeners, LIMITS__ROOMS="1", LIMITS__ROOM_MEMBERS="2")
    await node.ready()
    anna = await BrowserClient.enter_chat(port(node, BrowserClient), "anna")
    anna.say("to the lobby")
    await anna.join_room("ops")
    anna.say("to the room", "ops")
    await anna.answered()
    bruno = await ChatteClient.enter_chat(port(node, ChatteClient), "bruno@ops")
    await bruno.expect_line(lambda line: line.startswith("102 G "))
    assert [it.partition(" anna")[2] for it in bruno.lines[2:]] == [": to the room"]
    carla = await ChatteClient.connect(port(node, ChatteClient), "carla")
    assert not await carla.enter("carla@ops")
    await carla.disconnected()
    assert carla.lines[1:] == [INVALID]
    dora = await ProtocolloClient.connect(port(node, ProtocolloClient), "dora")
    assert not await dora.enter("dora@ops")
    await dora.disconnected()
    assert dora.lines == [PAGE.refused, "G> in quella stanza non c'è posto", CLOSE]
    elio = await BrowserClient.enter_chat(port(node, BrowserClient), "elio")
    for room, reason in (("ops", "full"), ("dev", "no_room_left")):
        seat = elio.ask_room(room)
        await elio.room_answered(seat)
        assert seat.refusal == reason
    bruno.close()
    await anna.expect_event(frames.LeftEvent("bruno"), room="ops")
    await elio.join_room("ops")
    for client in (anna, elio):
        client.close()


async def test_the_old_program_in_a_room(node_factory: NodeFactory) -> None:
    node = launch(node_factory, map(listener, (ChatteClient, ClassicClient)))
    await node.ready()
    anna = await ChatteClient.enter_chat(port(node, ChatteClient), "anna@ops")
    old = await ClassicClient.enter_chat(port(node, ClassicClient), "old@ops")
    assert old.lines == ["Utenti collegati: anna, "]
    await anna.expect_line("150 old just join to the chat")
    anna.say("from chatte")
    await old.expect_line(CLASSIC.said("anna", "from chatte"))
    old.say("dal vecchio")
    await anna.expect_line("100 old dal vecchio")
    anna.close()
    # The one is of the room and the other of the chat: between them there is no order.
    told = {CLASSIC.left("anna"), ADMINISTRATOR}
    await old.wait_for(lambda: told <= {*old.lines}, WITHIN, "both")
    await assert_promises_kept([anna, old])
    old.leave()
    await old.disconnected()
    assert old.lines[-1] == CLOSE


async def test_rooms_of_two_chats_know_nothing_of_each_other(node_factory: NodeFactory) -> None:
    chats = ("main", "other")
    node = launch(node_factory, [listener(ChatteClient, chat) for chat in chats])
    await node.ready()
    annas, readers = [], []
    for chat in chats:
        annas.append(await ChatteClient.enter_chat(port(node, ChatteClient, chat), "anna@ops"))
        readers.append(await ChatteClient.enter_chat(port(node, ChatteClient, chat), "rita@ops"))
    for anna, reader, chat in zip(annas, readers, chats, strict=True):
        anna.say(f"to {chat}")
        await reader.expect_line(f"100 anna to {chat}")
    for anna, reader in zip(annas, readers, strict=True):
        await anna.answered()
        await assert_promises_kept([anna, reader])
        assert len([line for line in reader.lines if line.startswith("1")]) == 1
        anna.close()
        reader.close()
