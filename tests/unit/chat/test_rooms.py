"""Further rooms: coming and going, saying, and what one reads of one room and not of another."""

from dataclasses import replace
from typing import ClassVar

import pytest
from msgspec import structs

from fakes.encoder import DeafEncoder, FramedEncoder, PlainEncoder, SilentEncoder
from fakes.house import LIMITS, Client, House
from tertulia.chat.further_room import EMPTY_SECONDS
from tertulia.chat.ports import Delivery, Entry
from tertulia.chat.room import Room
from tertulia.chat.rooms import LIST_SECONDS
from tertulia.domain import commands
from tertulia.domain.bans import Ban, BanKind
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.events import Said, Whispered
from tertulia.domain.operator_commands import Action, OperatorCommand
from tertulia.domain.rooms import RoomInfo, RoomPlace
from unit.chat.conftest import Connect, Enter

FRAMED = FramedEncoder()


def members(house: House, room: str = "ops") -> list[str]:
    """Return who is in a room, as the store knows."""
    return [member.nickname for member in house.chat.rooms[room].members]


def into(client: Client, room: str = "ops") -> list[str]:
    """Let a client into a room; return what it reads of that room."""
    client.join(room)
    lines = [line for line in client.read() if line.startswith(f"#{room} ")]
    assert lines[0].startswith(f"#{room} welcome {client.session.nickname}"), lines
    return lines


# Coming and going


def test_who_joins_is_welcomed_and_only_those_there_are_told(enter: Enter) -> None:
    andy, betty, carl = (enter(it, FRAMED) for it in ("andy", "betty", "carl"))
    for client in (andy, betty):
        client.read()
    assert into(andy) == ["#ops welcome andy"]
    assert into(betty) == ["#ops welcome betty andy"]
    assert andy.read() == ["#ops 2 [joined betty]"]
    assert carl.read() == []


class OrderedEncoder(FramedEncoder):
    in_order: ClassVar[bool] = True


def test_who_comes_into_several_rooms_comes_into_one_after_the_other(
    enter: Enter, house: House
) -> None:
    """Else the answers come as the rooms do: what is there before what has to be made."""
    carl = enter("carl", FRAMED)
    into(carl, "b")
    andy = enter("andy", OrderedEncoder())
    carl.read()
    andy.join("a")
    assert not andy.session.is_paused
    andy.join("b")
    assert andy.session.is_paused, "no other command comes in between"
    welcomes = [line for line in andy.read() if "welcome" in line]
    assert welcomes == ["#a welcome andy", "#b welcome andy carl"]
    assert not andy.session.is_paused
    andy.join("c")
    andy.join("d")
    andy.lose()
    house.clock.run()
    assert "d" not in house.chat.rooms, "who is gone comes in nowhere"
    for name in "ef":
        carl.join(name)
    assert not carl.session.is_paused, "who takes answers in any order waits for none"


def test_what_is_said_in_a_room_is_read_there_alone(enter: Enter, house: House) -> None:
    andy, carl = enter("andy", FRAMED), enter("carl", FRAMED)
    betty = enter("betty", FRAMED, room=house.room("other"))
    for client in (andy, betty):
        into(client)
    for client in (andy, betty, carl):
        client.read()
    betty.say("hello", 7, "ops")
    assert betty.read() == ["#ops 3 [said betty hello]", "#ops sent #7"]
    assert andy.read() == ["#ops 3 [said betty hello]"]
    assert carl.read() == []
    betty.say("all", 8)
    assert betty.read() == ["4 [said betty all]", "sent #8"]
    assert andy.read() == carl.read() == ["4 [said betty all]"]


def test_who_parts_is_told_so_and_reads_no_more(enter: Enter, house: House) -> None:
    andy, betty = enter("andy", FRAMED), enter("betty", FRAMED)
    into(andy)
    into(betty)
    andy.read()
    betty.part("ops")
    assert betty.read() == ["#ops parted left"]
    assert andy.read() == ["#ops 3 [left betty]"]
    andy.say("x", 1, "ops")
    assert andy.read() == ["#ops 4 [said andy x]", "#ops sent #1"]
    assert betty.read() == []
    assert members(house) == ["andy"]
    assert betty.session.rooms == {}


def test_what_somebody_says_to_leaving_a_room_is_read_there(enter: Enter) -> None:
    andy, betty = enter("andy", FRAMED), enter("betty", FRAMED)
    into(andy)
    into(betty)
    andy.read()
    betty.do(commands.PartRoom("ops", "see you"))
    assert betty.read() == ["#ops parted left see you"]
    assert andy.read() == ["#ops 3 [left betty see you]"]
    betty.join("dev")
    betty.do(commands.PartRoom("dev", "not mine"))
    assert betty.read() == ["#dev parted left not mine"]


def test_what_somebody_says_to_leaving_is_read_in_all_its_rooms(enter: Enter) -> None:
    andy, betty = enter("andy", FRAMED), enter("betty", FRAMED)
    into(andy)
    into(betty)
    andy.read()
    betty.do(commands.Leave("see you"))
    betty.read()
    assert andy.read() == ["#ops 3 [left betty see you]", "3 [left betty see you]"]


def test_who_parts_from_where_they_are_not_is_told_that_they_are_not_there(enter: Enter) -> None:
    andy = enter("andy", FRAMED)
    andy.part("ops")
    assert andy.read() == ["#ops parted left"]


@pytest.mark.parametrize("steps", ["j", "jp", "jpj", "jpjp", "jpjpj"])
@pytest.mark.parametrize("hurry", [False, True])
def test_joins_and_parts_in_a_row_end_as_the_last_one_says(
    enter: Enter, house: House, steps: str, hurry: bool
) -> None:
    """Also where no answer is awaited; who is told of it reads as many joins as leaves."""
    andy, betty = enter("andy", FRAMED), enter("betty", FRAMED)
    into(andy)
    read: list[str] = []
    for step in steps:
        (betty.join if step == "j" else betty.part)("ops")
        if not hurry:
            read += betty.read()
    read += betty.read()
    is_in = steps[-1] == "j"
    assert members(house) == ["andy", "betty"] if is_in else ["andy"]
    told = "".join(andy.read())
    assert told.count("joined betty") - told.count("left betty") == is_in
    assert read[-1].startswith("#ops welcome betty andy" if is_in else "#ops parted left")
    betty.say("x", 1, "ops")
    assert (betty.read()[-1] == "#ops sent #1") is is_in


def test_a_room_is_joined_once(enter: Enter) -> None:
    andy = enter("andy", FRAMED)
    andy.join("ops")
    andy.join("ops")
    assert sorted(andy.read()) == ["#ops not joined already_there", "#ops welcome andy"]


@pytest.mark.parametrize("name", ["", "two words", "x" * 33, "#", "né"])
def test_a_name_that_no_room_can_have_is_refused(enter: Enter, name: str) -> None:
    andy = enter("andy", FRAMED)
    andy.join(name)
    assert andy.read() == [f"{'#' + name + ' ' if name else ''}not joined invalid_room"]
    if name:
        andy.say("x", 3, name)
        assert andy.read() == [f"#{name} refused unknown_recipient #{name} #3"]


def test_a_session_is_in_so_many_rooms_at_most() -> None:
    house = House(replace(LIMITS, rooms_per_session=2))
    andy = Client(house, house.room(), FRAMED)
    andy.enter("andy")
    andy.read()
    for room in ("a", "b", "c"):
        andy.join(room)
    assert sorted(andy.read()) == [
        "#a welcome andy",
        "#b welcome andy",
        "#c not joined too_many_rooms",
    ]
    andy.part("a")
    andy.join("c")
    assert andy.read() == ["#a parted left", "#c welcome andy"]


def test_there_are_so_many_rooms_at_most(enter: Enter, house: House) -> None:
    house.chat.most_rooms = 1
    andy, betty = enter("andy", FRAMED), enter("betty", FRAMED)
    into(andy)
    betty.join("dev")
    betty.say("x", 1, "dev")
    read = betty.read()
    assert "#dev not joined no_room_left" in read
    assert "#dev refused unknown_recipient #dev #1" in read
    assert betty.session.rooms == {}
    assert betty.session.awaiting == 0
    into(betty)
    house.chat.most_rooms = 2
    into(betty, "dev")


def test_a_room_takes_so_many_at_most(enter: Enter, house: House) -> None:
    house.chat.most_members = 1
    andy, betty = enter("andy", FRAMED), enter("betty", FRAMED)
    into(andy)
    betty.join("ops")
    assert betty.read() == ["#ops not joined full"]
    assert betty.session.rooms == {}
    andy.part("ops")
    andy.read()
    into(betty)


def test_rooms_are_listed_those_with_most_people_first(enter: Enter, house: House) -> None:
    """And not more often than once a second."""
    andy, betty = enter("andy", FRAMED), enter("betty", FRAMED)
    into(andy)
    into(andy, "dev")
    into(betty, "dev")
    betty.do(commands.ListRooms())
    betty.do(commands.ListRooms())
    assert betty.read() == ["rooms dev=2 ops=1"]
    betty.do(commands.ListRooms())
    andy.do(commands.ListRooms())
    assert betty.read() == []
    house.clock.advance(LIST_SECONDS)
    assert betty.read() == andy.read()[-1:] == ["rooms dev=2 ops=1"]


def test_a_room_of_a_moment_ago_is_listed_as_well(
    enter: Enter, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chat's own list is written a moment later."""
    andy = enter("andy", FRAMED)
    into(andy)
    into(andy, "dev")
    rooms = house.stores[andy.room].rooms
    lately = [RoomInfo("big", 9), RoomInfo("dev", 1)]
    monkeypatch.setattr(rooms, "list", lambda done: done(lately))
    andy.do(commands.ListRooms())
    assert andy.read() == ["rooms big=9 dev=1 ops=1"]


# Every end of a session


@pytest.mark.parametrize("end", ["leave", "lost", "kick", "ban", "slow", "drain", "closed"])
@pytest.mark.parametrize("early", [False, True])
def test_who_leaves_the_chat_leaves_all_its_rooms(house: House, end: str, early: bool) -> None:
    """Also with a join on its way."""
    room, other = house.room(), house.room("other")
    boss, andy, betty = (Client(house, it, FRAMED) for it in (room, room, other))
    for client, nickname in ((boss, "boss"), (andy, "andy"), (betty, "betty")):
        client.enter(nickname)
        client.read()
    told = ""
    for name in ("ops", "dev"):
        told += "".join(into(betty, name))
    for name in ("ops", "dev"):
        andy.join(name)
        if not early:
            andy.read()
    match end:
        case "leave":
            andy.leave()
        case "lost":
            andy.lose()
        case "kick":
            house.chat.order(OperatorCommand("1", "op", Action.KICK, "andy"))
        case "ban":
            room.banned([Ban(BanKind.NICKNAME, "andy")])
        case "slow":
            room.lost(andy.session, Disconnect.SLOW_READER)
        case "drain":
            room.drain()
        case "closed":
            boss.do(commands.CloseChat())
    house.clock.advance(60.0)
    betty_is_in = end != "closed"
    for name in ("ops", "dev"):
        assert members(house, name) == ["betty"] * betty_is_in
    assert room.further.seats == 0
    assert len(room.further) == 0
    for line in betty.read():
        told += line if line.startswith("#") else ""
    if betty_is_in:
        assert told.count("joined andy") == told.count("left andy") == 2


def test_who_is_fenced_is_in_no_room(enter: Enter, house: House, room: Room) -> None:
    andy = enter("andy", FRAMED)
    betty = enter("betty", FRAMED, room=house.room("other"))
    into(andy)
    into(betty)
    house.chat.condemn(house.stores[room].node)
    assert andy.read()[-1:] == ["fenced"]
    assert room.further.seats == len(room.further) == 0
    assert betty.read()[-1] == "#ops 3 [left andy]"
    again = enter("andy", FRAMED)
    assert into(again) == ["#ops welcome andy betty"]


def test_an_empty_room_is_let_go(enter: Enter, house: House, room: Room) -> None:
    andy = enter("andy", FRAMED)
    into(andy)
    assert len(room.further) == 1
    andy.part("ops")
    andy.read()
    assert (len(room.further), room.further.seats) == (1, 0)
    into(andy)  # into the same one
    house.clock.advance(EMPTY_SECONDS)
    assert len(room.further) == 1
    andy.part("ops")
    andy.read()
    house.clock.advance(EMPTY_SECONDS)
    assert len(room.further) == 0
    assert into(andy) == ["#ops welcome andy"]


# From outside


def test_outsiders_speak_where_they_may(enter: Enter, house: House) -> None:
    andy, betty = enter("andy", FRAMED), enter("betty")
    into(andy)
    betty.say("psst", room="ops")
    assert betty.read() == ["refused unknown_recipient #ops"]
    house.chat.rooms["ops"].rules.outsiders = True
    betty.say("psst", room="ops")
    assert betty.read() == ["sent"]
    assert andy.read() == ["#ops 2 [said betty psst]"]
    betty.say("psst", room="nowhere")
    assert betty.read() == ["refused unknown_recipient #nowhere"]
    assert "nowhere" not in house.chat.rooms


def test_who_speaks_from_outside_and_then_joins_makes_the_room(enter: Enter, house: House) -> None:
    andy = enter("andy", FRAMED)
    andy.say("x", 1, "ops")
    andy.join("ops")
    read = andy.read()
    assert sorted(read) == ["#ops refused unknown_recipient #ops #1", "#ops welcome andy"]
    assert members(house) == ["andy"]


# Shown one room


def test_who_is_shown_one_room_reads_of_that_alone(enter: Enter, connect: Connect) -> None:
    andy, betty = enter("andy", FRAMED), connect(PlainEncoder())
    into(andy)
    betty.enter("betty", "ops")
    assert not betty.session.takes_commands
    assert betty.read() == ["welcome betty andy"]
    assert betty.session.takes_commands
    assert betty.outbox.proceeds
    assert andy.read() == ["2 [joined betty]", "#ops 2 [joined betty]"]
    andy.say("to all")
    andy.say("to ops", 0, "ops")
    assert betty.read() == ["said andy to ops"]
    betty.say("here", room="ops")
    assert betty.read() == ["said betty here", "sent"]
    betty.leave()
    assert betty.read() == ["farewell"]
    andy.read()


def test_receipts_are_of_the_room_that_is_shown(enter: Enter, connect: Connect) -> None:
    andy, betty = enter("andy", FRAMED), connect(PlainEncoder())
    into(andy)
    for _ in range(3):
        andy.say("before", 0, "ops")
    betty.enter("betty", "ops")
    betty.read()
    for _ in range(5):
        andy.say("to all")
    andy.say("to ops", 0, "ops")
    andy.whisper("betty", "psst")
    assert "whispered andy psst" in betty.read()
    assert betty.session.receipts.received() == 2


def test_a_letter_stands_behind_what_was_said_in_the_room_before(
    enter: Enter, connect: Connect, house: House
) -> None:
    andy = enter("andy", FRAMED, room=house.room("other"))
    betty = connect(PlainEncoder())
    into(andy)
    betty.enter("betty", "ops")
    betty.read()
    andy.say("first", 0, "ops")
    house.clock.turn()
    andy.whisper("betty", "second")
    assert betty.read() == ["said andy first", "whispered andy second"]


def test_a_letter_waits_for_what_gathers_in_the_room_that_is_shown(
    enter: Enter, connect: Connect, room: Room
) -> None:
    """It counts on that: what came before is read before, and acknowledged before."""
    andy, betty = enter("andy", FRAMED), connect(PlainEncoder())
    into(andy)
    betty.enter("betty", "ops")
    betty.read()
    ops = room.further._by_name["ops"]
    here = structs.replace(ops.roster.position, offset=ops.roster.position.offset + 1)
    ops.entry(Entry(here, [Said("carl", "x:1", "first")], is_talk=True))
    letter = Whispered("carl", "x:1", "betty", "second")
    room.deliveries([Delivery(1, betty.session.name, letter, 1.0)])
    ops.flush()
    room.flush()
    assert betty.outbox.read() == ["said carl first", "whispered carl second"]


def test_a_deaf_client_reads_of_its_room_when_it_hears(
    enter: Enter, connect: Connect, house: House
) -> None:
    andy, betty = enter("andy", FRAMED), connect(DeafEncoder())
    into(andy)
    betty.enter("betty", "ops")
    assert betty.read() == ["welcome betty andy"]
    andy.say("x", 0, "ops")
    assert betty.read() == []
    house.clock.advance(2.0)
    assert betty.read() == ["said andy x"]
    andy.say("y", 0, "ops")
    assert betty.read() == ["said andy y"]


def test_who_does_not_echo_reads_what_others_say(enter: Enter, connect: Connect) -> None:
    andy, betty = enter("andy", FRAMED), connect(SilentEncoder())
    into(andy)
    betty.enter("betty", "ops")
    betty.read()
    betty.say("mine", room="ops")
    andy.say("yours", 0, "ops")
    assert betty.read() == ["said andy yours", "sent"]


@pytest.mark.parametrize("full", [False, True])
def test_who_can_not_be_shown_its_room_ends(
    enter: Enter, connect: Connect, house: House, full: bool
) -> None:
    andy, betty = enter("andy", FRAMED), connect(PlainEncoder())
    if full:
        into(andy)
        house.chat.most_members = 1
    else:
        house.chat.most_rooms = 0
    betty.enter("betty", "ops")
    assert betty.read() == ["room_full"]
    assert betty.closed is Disconnect.ROOM_FULL
    assert house.nicknames() == ["andy"]


def test_answers_keep_the_order_of_commands_over_rooms(
    enter: Enter, connect: Connect, house: House
) -> None:
    """A client of lines counts its answers, and a whisper's must not come before an earlier message's."""
    andy, betty = enter("andy", FRAMED), connect(PlainEncoder())
    into(andy)
    betty.enter("betty", "ops")
    betty.read()
    betty.say("1", room="nowhere")
    betty.whisper("nobody", "2")
    betty.say("3", room="ops")
    betty.do(commands.Faulty(commands.Fault.MALFORMED))
    betty.whisper("andy", "4")
    assert [line for line in betty.read() if "said" not in line] == [
        "refused unknown_recipient #nowhere",
        "refused unknown_recipient nobody",
        "sent",
        "fault malformed",
        "sent",
    ]
    assert betty.session.awaiting == 0


# Resuming


def resume(client: Client, before: Client, rooms: dict[str, int]) -> None:
    """Go on where a client was, in the chat and in rooms."""
    token = before.session.token
    places = {name: RoomPlace(f"memory of {name}", offset) for name, offset in rooms.items()}
    place = commands.Resume(token, "memory", 1)
    client.do(commands.Enter(before.session.nickname, resume=place, rooms=places))


@pytest.fixture
def patient() -> House:
    """Return a house that keeps the seats of those whose connection is lost."""
    return House(replace(LIMITS, away_seconds=20.0))


@pytest.mark.parametrize("elsewhere", [False, True])
def test_all_rooms_are_resumed_after_a_lost_connection(patient: House, elsewhere: bool) -> None:
    """Nothing twice, no gap, and nobody else reads of it."""
    house, room = patient, patient.room()
    andy, betty = Client(house, room, FRAMED), Client(house, room, FRAMED)
    for client, nickname in ((andy, "andy"), (betty, "betty")):
        client.enter(nickname)
        client.read()
        for name in ("ops", "dev"):
            into(client, name)
    betty.say("heard", 1, "ops")
    betty.read()
    andy.read()
    betty.lose()
    andy.say("missed", 0, "ops")
    andy.say("missed too", 0, "dev")
    andy.read()
    again = Client(house, house.room("other") if elsewhere else room, FRAMED)
    resume(again, betty, {"ops": 3, "dev": 2})
    andy.say("now", 0, "ops")
    read = [line for line in again.read() if line.startswith("#")]
    ops = [line for line in read if line.startswith("#ops")]
    assert ops[0] == "#ops welcome betty andy done=1"
    assert [line for line in ops if "said" in line] == [
        "#ops 4 [said andy missed]",
        next(line for line in ops if "said andy now" in line),
    ]
    dev = [line for line in read if line.startswith("#dev")]
    assert dev[:2] == ["#dev welcome betty andy", "#dev 3 [said andy missed too]"]
    assert members(house) == members(house, "dev") == ["andy", "betty"]
    told = andy.read()
    assert not any("left betty" in line or "joined betty" in line for line in told)
    house.clock.advance(60.0)
    assert members(house) == members(house, "dev") == ["andy", "betty"]
    again.say("back", 2, "ops")
    assert "said betty back" in again.read()[0]


def test_no_room_is_told_of_before_the_lobby_is(
    patient: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever log answers first."""
    house, room = patient, patient.room()
    betty = Client(house, room, FRAMED)
    betty.enter("betty")
    betty.read()
    into(betty)
    betty.lose()
    again = Client(house, room, FRAMED)
    waiting: list[tuple[object, ...]] = []
    replay = house.stores[room].replay
    monkeypatch.setattr(house.stores[room], "replay", lambda *asked: waiting.append(asked))
    resume(again, betty, {"ops": 1})
    assert again.read() == []
    replay(*waiting[0])  # type: ignore[arg-type]
    assert [line.split(" [")[0] for line in again.read()] == [
        *("welcome betty", "2", "#ops welcome betty", "#ops 2"),
    ]


def test_rooms_that_are_not_resumed_are_left(patient: House) -> None:
    house, room = patient, patient.room()
    andy, betty = Client(house, room, FRAMED), Client(house, room, FRAMED)
    for client, nickname in ((andy, "andy"), (betty, "betty")):
        client.enter(nickname)
        client.read()
        for name in ("ops", "dev"):
            into(client, name)
    andy.read()
    betty.lose()
    again = Client(house, room, FRAMED)
    resume(again, betty, {"ops": 2})
    again.read()
    house.clock.advance(60.0)
    assert members(house) == ["andy", "betty"]
    assert members(house, "dev") == ["andy"]
    assert "#dev 3 [left betty]" in andy.read()


def test_who_does_not_come_back_leaves_its_rooms_after_a_while(patient: House) -> None:
    house, room = patient, patient.room()
    andy, betty = Client(house, room, FRAMED), Client(house, room, FRAMED)
    for client, nickname in ((andy, "andy"), (betty, "betty")):
        client.enter(nickname)
        client.read()
        into(client)
    andy.read()
    betty.lose()
    house.clock.advance(19.0)
    assert members(house) == ["andy", "betty"]
    house.clock.advance(2.0)
    assert members(house) == ["andy"]
    assert andy.read().count("#ops 3 [left betty]") == 1


def test_what_was_said_while_nobody_held_the_seat_is_resumed_too(patient: House) -> None:
    house, room = patient, patient.room()
    andy, betty = Client(house, room, FRAMED), Client(house, room, FRAMED)
    for client, nickname in ((andy, "andy"), (betty, "betty")):
        client.enter(nickname)
        client.read()
        into(client)
    betty.lose()
    house.clock.advance(30.0)
    andy.say("missed", 0, "ops")
    andy.read()
    again = Client(house, room, FRAMED)
    resume(again, betty, {"ops": 2})
    read = [line for line in again.read() if line.startswith("#ops")]
    assert read[0] == "#ops welcome betty andy"
    assert "#ops 4 [said andy missed]" in read


def test_who_is_not_remembered_is_told_that_it_misses_some(enter: Enter) -> None:
    andy = enter("andy", FRAMED)
    andy.join("ops", RoomPlace("another", 17))
    assert andy.read() == ["#ops welcome andy missed"]


def test_a_room_is_held_until_what_was_missed_is_read(
    patient: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lobby and other rooms are not; and a seat that is given up meanwhile reads none of it."""
    house, room = patient, patient.room()
    andy, betty = Client(house, room, FRAMED), Client(house, room, FRAMED)
    for client, nickname in ((andy, "andy"), (betty, "betty")):
        client.enter(nickname)
        client.read()
        into(client)
    betty.lose()
    again = Client(house, room, FRAMED)
    waiting: list[object] = []
    stores = [it._store for it in room.further._by_name.values()]
    monkeypatch.setattr(type(stores[0]), "replay", lambda *asked: waiting.append(asked))
    resume(again, betty, {"ops": 2})
    again.read()
    andy.say("in ops", 0, "ops")
    andy.say("in the lobby", 0)
    assert [line.split(" ", 1)[1] for line in again.read()] == ["[said andy in the lobby]"]
    assert len(waiting) == 1
    assert again.session.backlog() > 0
    again.part("ops")
    assert again.read() == ["#ops parted left"]
    assert again.session.backlog() == 0


def test_nobody_is_in_a_room_before_it_is_in_the_lobby(
    house: House, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the answer to its join is here before the log's entry is."""
    store = house.stores[room]

    def answers_first(item: object) -> None:
        put = store._bus.appendleft if isinstance(item, tuple) else store._bus.append
        put(item)  # type: ignore[arg-type]
        store._soon(store._follow)

    monkeypatch.setattr(store, "bring", answers_first)
    andy = Client(house, room, FRAMED)
    places = {"ops": RoomPlace("another", 1), "no room": RoomPlace("another", 1)}
    andy.do(commands.Enter("andy", rooms=places))
    assert andy.read() == [
        *("welcome andy", "#no room not joined invalid_room", "#ops welcome andy missed"),
    ]
    betty = Client(house, room, PlainEncoder())
    betty.enter("betty", "ops")
    assert betty.read() == ["welcome betty andy"]


# Slow readers


def test_rooms_count_in_the_one_bound_of_what_waits_for_a_client(enter: Enter) -> None:
    andy, betty = enter("andy", FRAMED), enter("betty", FRAMED)
    into(andy)
    into(betty)
    betty.outbox.unsent = 2000
    betty.room.lags(betty.session)
    betty.outbox.taken = False
    andy.say("x", 0, "ops")
    andy.read()
    assert betty.closed is Disconnect.SLOW_READER
