"""A further room has what the lobby has: moderation, history, and dialects that fail on something."""

import asyncio
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest

from fakes.encoder import FramedEncoder, PlainEncoder
from fakes.house import LIMITS, Client, House
from tertulia.chat.past_requests import REST_SECONDS
from tertulia.chat.room import Room
from tertulia.dialects.contract import Encoder, Welcome
from tertulia.domain import commands
from tertulia.domain.commands import Fault, Faulty
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.events import PublicEvent, Said
from tertulia.domain.moderation import Moderation
from tertulia.domain.operator_commands import Action, OperatorCommand
from unit.chat.conftest import Connect, Enter
from unit.chat.test_rooms import FRAMED, into, members

POISON = "poison"


@dataclass(frozen=True)
class FailingEncoder(FramedEncoder):
    """Fails on whatever has a certain word in it."""

    rooms: ClassVar[bool] = True

    def public(self, event: PublicEvent) -> bytes:
        if isinstance(event, Said) and POISON in event.text:
            raise ValueError
        return super().public(event)

    def sent(self, tag: int) -> bytes:
        if tag == 13:
            raise ValueError
        return super().sent(tag)


@pytest.fixture
def house() -> House:
    return House(replace(LIMITS, history=10, outbox_bytes=100_000))


async def account(house: House, room: Room, nickname: str, encoder: Encoder = FRAMED) -> Client:
    """Let somebody in who has an account."""
    house.passwords[nickname] = house.chat.passwords[nickname] = "secret"
    client = Client(house, room, encoder)
    client.do(commands.Enter(nickname, "secret"))
    for _ in range(5):
        await asyncio.sleep(0)
    client.read()
    return client


def moderate(client: Client, action: Action, whom: str = "", **more: object) -> None:
    act = Moderation(action, whom, **more)  # type: ignore[arg-type]
    client.do(commands.Moderate(act, "ops"))
    client.house.clock.run()  # it takes no other command until the accounts are looked up


def of_room(client: Client) -> list[str]:
    """Return what a client read of #ops."""
    return [line for line in client.read() if line.startswith("#ops ")]


# Moderation


async def test_the_account_that_makes_a_room_owns_it_and_names_moderators(
    house: House, room: Room
) -> None:
    anna, bruno = await account(house, room, "anna"), await account(house, room, "bruno")
    carla = await account(house, room, "carla")
    assert into(anna) == ["#ops welcome anna", "#ops 1 [owned anna]"]
    for client in (bruno, carla):
        into(client)
    for client in (anna, bruno, carla):
        client.read()
    moderate(bruno, Action.TOPIC, text="x")
    assert of_room(bruno) == ["#ops not topic forbidden"]
    moderate(bruno, Action.APPOINT, "bruno")
    assert of_room(bruno) == ["#ops not moderator-add forbidden"]
    moderate(anna, Action.APPOINT, "bruno")
    assert of_room(carla) == ["#ops 4 [appointed bruno]"]
    bruno.read()
    moderate(bruno, Action.MUTE, "carla", text="too loud")
    assert of_room(anna)[-1] == "#ops 5 [muted carla]"
    carla.say("hm", 3, "ops")
    assert of_room(carla)[-1] == "#ops muted too loud #3"
    carla.say("here I may", 4)
    assert carla.read()[-1] == "sent #4"
    moderate(bruno, Action.APPOINT, "carla")
    assert of_room(bruno)[-1] == "#ops not moderator-add forbidden"
    moderate(anna, Action.OUTSIDERS, value=1)
    anna.read()
    carla.part("ops")
    carla.read()
    carla.say("still muted", 5, "ops")
    assert carla.read()[-1].startswith("#ops muted")


async def test_an_account_that_is_deleted_or_made_anew_is_neither_owner_nor_moderator(
    house: House, room: Room
) -> None:
    anna, bruno = await account(house, room, "anna"), await account(house, room, "bruno")
    into(anna)
    into(bruno)
    moderate(anna, Action.APPOINT, "olga")
    assert of_room(anna)[-1] == "#ops not moderator-add no_account"
    moderate(anna, Action.APPOINT, "bruno")
    anna.read()
    bruno.read()
    del house.chat.passwords["anna"]  # by an operator, while she is there
    moderate(anna, Action.TOPIC, text="x")
    assert of_room(anna) == ["#ops not topic forbidden"]
    for client in (anna, bruno):
        client.leave()
        client.read()
    for nickname in ("anna", "bruno"):
        house.chat.made[nickname] = 2  # by somebody else
        other = await account(house, room, nickname)
        into(other)
        for action in (Action.TOPIC, Action.OUTSIDERS):
            moderate(other, action, text="x")
            assert of_room(other) == [f"#ops not {action.value} forbidden"]


async def test_who_is_kicked_is_out_of_the_room_and_stays_in_the_chat(
    house: House, room: Room
) -> None:
    anna, bruno = await account(house, room, "anna"), await account(house, room, "bruno")
    plain = Client(house, room, PlainEncoder())
    into(anna)
    into(bruno)
    plain.enter("carla", "ops")
    plain.read()
    anna.read()
    moderate(anna, Action.KICK, "bruno", text="go")
    assert of_room(bruno)[-1] == "#ops parted kicked go"
    assert of_room(anna) == ["#ops 4 [kicked bruno, left bruno]"]
    assert members(house) == ["anna", "carla"]
    assert bruno.session.takes_commands
    moderate(anna, Action.KICK, "carla", text="you, too")
    assert plain.read()[-1] == "kicked you, too"
    assert plain.closed is Disconnect.KICKED
    assert house.nicknames() == ["anna", "bruno"]
    into(bruno)


async def test_who_is_muted_reads_so_on_coming_in(house: House, room: Room) -> None:
    anna = await account(house, room, "anna")
    into(anna)
    moderate(anna, Action.MUTE, "bruno", text="too loud")
    moderate(anna, Action.TOPIC, text="tea")
    anna.read()
    bruno = Client(house, room, PlainEncoder())
    bruno.enter("bruno", "ops")
    assert bruno.read() == ["welcome bruno anna", "topic tea", "muted too loud"]
    assert bruno.session.receipts.received() == 2


def test_who_is_not_in_a_room_does_not_moderate_or_search_it(enter: Enter) -> None:
    andy, betty = enter("andy", FRAMED), enter("betty", FRAMED)
    into(andy)
    betty.read()
    for command in (
        commands.Moderate(Moderation(Action.TOPIC, text="x"), "ops"),
        commands.LookBack(9, 0, "ops"),
        commands.Search("x", None, 0, "ops"),
    ):
        betty.do(command)
        assert betty.read() == ["#ops not joined not_in_room"]


def test_an_operator_s_command_is_logged_with_its_room(
    enter: Enter, house: House, room: Room
) -> None:
    andy = enter("andy", FRAMED)
    into(andy)
    house.chat.rooms["ops"].order(OperatorCommand("1", "op", Action.KICK, "andy", "bye"))
    assert andy.read() == ["#ops parted kicked bye"]
    assert members(house) == []
    assert room.further.seats == 0


# History


def test_newcomers_read_the_last_of_what_was_said_there(enter: Enter, house: House) -> None:
    andy = enter("andy", FRAMED)
    into(andy)
    for text in ("one", "two"):
        andy.say(text, 0, "ops")
        andy.say("elsewhere")
        andy.read()
    reader = FramedEncoder(history=5)
    expected = [
        "#ops welcome betty andy",
        *("past 2.0 andy one", "past 3.0 andy two", "#ops before 2.0"),
    ]
    betty = enter("betty", reader)
    betty.join("ops")
    assert betty.read() == expected
    betty.leave()
    betty.read()
    house.clock.advance(1.0)
    elsewhere = enter("betty", reader, room=house.room("other"))
    elsewhere.join("ops")
    read = elsewhere.read()
    assert read[1:3] == expected[1:3], "read from the log where nobody was in the room"


def test_one_looks_back_and_searches_in_a_room(enter: Enter, house: House) -> None:
    andy = enter("andy", FramedEncoder(history=5))
    into(andy)
    for text in ("one", "two", "three"):
        andy.say(text, 0, "ops")
        andy.read()
    andy.do(commands.LookBack(4, 0, "ops"))
    andy.do(commands.LookBack(4, 0))
    busy = "one history or search at a time: wait for its answer"
    assert andy.session.replies.fault(Faulty(Fault.MALFORMED, busy)) == b"fault malformed\n"
    assert sorted(andy.read()) == sorted(
        ["past 2.0 andy one", "past 3.0 andy two", "#ops before 1.0", "fault malformed"]
    )
    house.clock.advance(REST_SECONDS)
    andy.do(commands.Search("t", None, 0, "ops"))
    assert andy.read() == [
        "#ops found t",
        *("past 3.0 andy two", "past 4.0 andy three", "#ops before 1.0"),
    ]
    house.clock.advance(REST_SECONDS)
    andy.do(commands.LookBack(9, 0, "ops"))
    andy.part("ops")
    assert "#ops parted left" in andy.read()
    house.clock.advance(100.0)
    andy.do(commands.LookBack(9))
    assert andy.read()[-1].startswith("before")


# Dialects that fail


def test_what_a_dialect_can_not_show_is_missing_in_that_room(enter: Enter) -> None:
    andy, betty = enter("andy", FRAMED), enter("betty", FailingEncoder())
    into(andy)
    into(betty)
    betty.read()
    andy.say(POISON, 0, "ops")
    andy.say("x", 0, "ops")
    assert of_room(betty) == ["#ops missed 3", "#ops 3 behind 1 [said andy x]"]
    andy.say("y", 0, "ops")
    assert of_room(betty) == ["#ops 4 [said andy y]"]


def test_an_answer_that_can_not_be_given_ends_its_session_alone(enter: Enter, house: House) -> None:
    andy, betty = enter("andy", FRAMED), enter("betty", FailingEncoder())
    into(andy)
    into(betty)
    betty.say("x", 13, "ops")
    andy.say("y", 14, "ops")
    assert of_room(andy)[-2:] == ["#ops sent #14", "#ops 4 [left betty]"]
    assert betty.closed is Disconnect.INTERNAL
    andy.read()
    assert members(house) == ["andy"]


def test_a_refused_message_is_remembered_with_the_room(enter: Enter, house: House) -> None:
    andy = enter("andy", FRAMED)
    into(andy)
    andy.do(Faulty(Fault.TOO_LONG, "", 7, "ops"))
    assert andy.read() == ["#ops fault too_long"]
    known = house.chat.rooms["ops"]._tokens[andy.session.token_key]
    assert (known.done, known.refused) == (7, [7])


# What is counted


def test_seats_and_messages_are_counted(enter: Enter, house: House, connect: Connect) -> None:
    andy, betty = enter("andy", FRAMED), enter("betty", FRAMED)
    into(andy)
    into(betty)
    andy.say("x", 1, "ops")
    andy.read()
    betty.part("ops")
    betty.read()
    andy.leave()
    andy.read()
    assert house.counted("room_joins_total") == house.counted("room_parts_total") == 2
    assert house.counted("messages_total", kind="public", dialect="framed") == 1


@dataclass(frozen=True)
class OwnerEncoder(FramedEncoder):
    """Its clients read in a welcome who owns the room."""

    def welcome(self, welcome: Welcome) -> bytes:
        return self._own("owner", welcome.standing.owner)


async def test_who_makes_a_room_reads_in_the_welcome_that_it_is_theirs(
    house: House, room: Room
) -> None:
    anna = await account(house, room, "anna", OwnerEncoder())
    anna.join("ops")
    assert "#ops owner anna" in of_room(anna)


async def test_in_slow_mode_tags_alone_take_nobodys_turn(house: House, room: Room) -> None:
    anna, bruno = await account(house, room, "anna"), await account(house, room, "bruno")
    for client in (anna, bruno):
        into(client)
    moderate(anna, Action.SLOW, value=10)
    for client in (anna, bruno):
        client.read()
    bruno.do(commands.Say("", 7, "ops", tags="+typing=active"))
    assert of_room(bruno) == ["#ops sent #7"]
    bruno.say("one", 8, "ops")
    assert of_room(bruno)[-1] == "#ops sent #8"
    assert of_room(anna) == ["#ops 4 [said bruno one]"]


async def test_only_who_is_there_is_named_where_that_is_asked_for(house: House, room: Room) -> None:
    anna, bruno = await account(house, room, "anna"), await account(house, room, "bruno")
    into(anna)
    anna.read()
    act = Moderation(Action.APPOINT, "bruno")
    for is_of_present, told in (
        (True, "#ops not moderator-add unknown_recipient"),
        (False, "#ops 2 [appointed bruno]"),
    ):
        anna.do(commands.Moderate(act, "ops", is_of_present=is_of_present))
        house.clock.run()
        assert of_room(anna)[0] == told
    into(bruno)
    anna.read()
    anna.do(commands.Moderate(act, "ops", is_of_present=True))
    house.clock.run()
    assert of_room(anna)[-1].endswith("[appointed bruno]")
