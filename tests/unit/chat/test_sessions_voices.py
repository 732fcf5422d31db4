"""Dialects in which clients choose how they are told, read their own messages in their own way, and need not
be shown the lobby."""

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from fakes.encoder import ChoosingDecoder, ChoosingEncoder, FramedEncoder
from fakes.house import Client, House
from tertulia.chat.ports import PresenceOp
from tertulia.chat.room import Room
from tertulia.dialects.contract import Knowledge
from tertulia.domain import commands
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.events import PublicEvent, WentAway
from tertulia.domain.moderation import Moderation
from tertulia.domain.operator_commands import Action
from unit.chat.conftest import Connect, Enter

CHOOSING = ChoosingEncoder()
FRAMED = FramedEncoder()


def choose(client: Client, *, quiet: bool) -> None:
    assert isinstance(client.session.decoder, ChoosingDecoder)
    client.session.decoder.quiet = quiet


def test_a_sender_reads_its_own_message_in_its_own_way_at_its_place(enter: Enter) -> None:
    anna, betty = enter("anna", CHOOSING), enter("betty", CHOOSING)
    anna.read()
    anna.say("one", 7)
    betty.say("two")
    anna.say("three")
    assert [line for line in anna.read() if "sent" not in line] == [
        "own 3.0 one #7", "said 3.1 two", "own 3.2 three",
    ]  # fmt: skip
    assert [line for line in betty.read() if "sent" not in line] == [
        "said 3.0 one", "own 3.1 two", "said 3.2 three",
    ]  # fmt: skip


def test_so_it_is_where_somebody_came_in_the_same_entry(connect: Connect, enter: Enter) -> None:
    anna = enter("anna", CHOOSING)
    anna.say("one")
    connect(CHOOSING).enter("betty")
    anna.say("two")
    assert [line for line in anna.read() if line != "sent"] == [
        "own 2.0 one", "joined betty", "own 2.1 two",
    ]  # fmt: skip


def test_so_it_is_in_a_further_room(enter: Enter) -> None:
    anna = enter("anna", CHOOSING)
    anna.join("ops")
    anna.read()
    anna.say("one", room="ops")
    assert anna.read() == ["#ops own 2.0 one", "#ops sent"]


def test_what_a_client_chose_before_it_entered_is_what_it_reads(
    connect: Connect, enter: Enter
) -> None:
    anna = connect(CHOOSING)
    choose(anna, quiet=True)
    anna.enter("anna")
    anna.read()
    enter("betty", CHOOSING)
    assert anna.read() == []


def test_it_may_choose_again_in_all_of_its_rooms(enter: Enter) -> None:
    anna, betty = enter("anna", CHOOSING), enter("betty", CHOOSING)
    anna.join("ops")
    anna.read()
    choose(anna, quiet=True)
    anna.do(commands.ChangeVoice())
    betty.join("ops")
    enter("carla", CHOOSING)
    assert anna.read() == []
    choose(anna, quiet=False)
    anna.do(commands.ChangeVoice())
    enter("dora", CHOOSING)
    betty.part("ops")
    assert anna.read() == ["joined dora", "left betty"]
    betty.say("ciao")
    assert anna.read() == ["said 5.0 ciao"], "once, and not in two ways"


def test_who_is_not_shown_the_lobby_is_in_it(connect: Connect, enter: Enter, house: House) -> None:
    betty = enter("betty")
    anna = connect(CHOOSING)
    anna.do(commands.Enter("anna", shows_lobby=False))
    assert anna.read() == ["welcome anna betty"]
    assert betty.read() == ["joined anna"]
    betty.say("ciao")
    betty.whisper("anna", "psst")
    assert anna.read() == ["whispered betty psst"]
    anna.do(commands.ShowLobby())
    betty.say("tea?")
    assert anna.read() == ["shown betty", "said 4.0 tea?"]
    anna.do(commands.ShowLobby())
    assert anna.read() == [], "it is shown it already"
    anna.do(commands.HideLobby())
    anna.do(commands.HideLobby())
    betty.say("oh")
    assert anna.read() == ["hidden"]
    assert house.nicknames() == ["betty", "anna"]


def test_who_is_not_shown_the_lobby_learns_of_those_in_its_rooms(
    connect: Connect, enter: Enter, house: House
) -> None:
    anna, betty, carla = connect(CHOOSING), enter("betty", CHOOSING), enter("carla", CHOOSING)
    anna.do(commands.Enter("anna", shows_lobby=False))
    anna.read()
    for room in ("ops", "tea"):
        for client in (anna, betty):
            client.join(room)
            client.read()
    for client in (anna, betty, carla):
        client.read()
    for client in (betty, carla):
        client.do(commands.SetAway("lunch"))
    assert anna.read() == ["away betty lunch"], "once, though they share two rooms"
    assert betty.read() == ["away betty lunch", "away carla lunch"]
    op = PresenceOp(betty.session.name, "betty", "betty", account=True)
    betty.session.submitted(op)
    house.stores[betty.room].submit(op)
    assert anna.read() == ["account betty"]
    anna.do(commands.SetAway("gone"))
    assert anna.read() == [], "it knows of itself"


def test_who_comes_into_a_room_and_is_away_already_is_told_so(enter: Enter, house: House) -> None:
    anna, betty, carl = enter("anna", CHOOSING), enter("betty", CHOOSING), enter("carl", FRAMED)
    other = enter("dora", CHOOSING, room=house.room("other"))
    for client in (anna, carl, other):
        client.join("ops")
        client.read()
    betty.do(commands.SetAway("lunch"))
    for client in (anna, betty, carl, other):
        client.read()
    betty.join("ops")
    assert not any("away" in line for line in betty.read())
    for client in (anna, other):
        assert client.read() == ["joined betty", "away betty lunch"]
    assert not any("away" in line for line in carl.read())


@dataclass(frozen=True)
class AwaylessEncoder(FramedEncoder):
    """It fails to say that somebody is away."""

    tells_away: ClassVar[bool] = True

    def public(self, event: PublicEvent) -> bytes:
        if isinstance(event, WentAway):
            raise ValueError
        return super().public(event)


def test_a_dialect_that_fails_to_say_who_is_away_fails_its_own_readers_alone(enter: Enter) -> None:
    anna, betty, carla = enter("anna", AwaylessEncoder()), enter("betty", CHOOSING), enter("carla")
    for client in (anna, betty):
        client.join("ops")
        client.read()
    carla.do(commands.SetAway("lunch"))
    for client in (anna, betty, carla):
        client.read()
    assert anna.closed is None, "something is missing in the lobby"
    carla.join("ops")
    assert "away carla lunch" in betty.read()
    anna.read()
    assert anna.closed is Disconnect.INTERNAL


def test_what_is_asked_behind_a_join_knows_of_it(enter: Enter) -> None:
    def people(knowledge: Knowledge) -> bytes:
        found = knowledge.people("ops")
        return f"there: {' '.join(it.nickname for it in found or ())}\n".encode()

    anna = enter("anna", CHOOSING)
    anna.join("ops")
    anna.do(commands.Ask(people))
    anna.do(commands.Ask(people, at_once=True))
    anna.part("ops")
    assert anna.read() == [
        *("#ops welcome anna", "there: anna", "there: ", "#ops parted left"),
    ]  # fmt: skip


def test_who_is_on_its_way_into_a_room_may_moderate_there_behind_that(enter: Enter) -> None:
    betty, anna = enter("betty", FRAMED), enter("anna", CHOOSING)
    anna.read()
    anna.join("ops")
    act = commands.Moderate(Moderation(Action.TOPIC, text="tea"), "ops")
    anna.do(act)
    assert not anna.session.takes_commands
    assert anna.read() == ["#ops welcome anna", f"#ops not {Action.TOPIC} forbidden"]
    assert anna.session.takes_commands
    anna.part("ops")
    anna.read()
    anna.do(act)
    assert anna.read() == ["#ops not joined not_in_room"]
    betty.read()
    betty.join("ops")
    betty.do(act)
    assert betty.read()[0] == "#ops not joined not_in_room", "its answers are in no order"


def test_who_parts_and_leaves_at_once_reads_both(enter: Enter, house: House) -> None:
    anna, betty = enter("anna", CHOOSING), enter("betty", CHOOSING)
    for client in (anna, betty):
        client.join("ops")
        client.read()
    anna.part("ops")
    anna.do(commands.Leave("bye"))
    assert not anna.session.takes_commands
    assert anna.read()[-2:] == ["#ops parted left", "farewell"]
    assert anna.closed is Disconnect.LEFT
    assert betty.read() == ["left anna", "left anna bye", "promoted"]
    assert house.nicknames() == ["betty"]


def test_an_answer_that_can_not_be_made_in_its_turn_ends_its_session_alone(
    enter: Enter, house: House
) -> None:
    def told(knowledge: Knowledge) -> bytes:
        raise ValueError

    anna, betty = enter("anna", CHOOSING), enter("betty", CHOOSING)
    anna.join("ops")
    anna.do(commands.Ask(told))
    anna.read()
    betty.read()
    assert anna.closed is Disconnect.INTERNAL
    betty.join("ops")
    betty.say("ciao", room="ops")
    betty.do(commands.Ask(told))
    betty.read()
    assert betty.closed is Disconnect.INTERNAL
    assert house.nicknames() == []


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_an_account_may_be_proved_before_its_nickname_is_asked_for(
    house: House, connect: Connect
) -> None:
    house.passwords["anna"] = house.chat.passwords["anna"] = "secret"
    anna = connect(CHOOSING)
    anna.do(commands.ProveAccount("Anna", "secret"))
    assert not anna.session.takes_commands
    await settle()
    assert anna.read() == ["proved Anna"]
    anna.enter("Anna")
    anna.read()
    assert anna.session.is_account


async def test_the_proof_is_for_no_other_nickname(house: House, connect: Connect) -> None:
    house.passwords["anna"] = house.chat.passwords["anna"] = "secret"
    anna = connect(CHOOSING)
    anna.do(commands.ProveAccount("anna", "secret"))
    await settle()
    anna.enter("betty")
    anna.read()
    assert not anna.session.is_account


async def test_a_client_may_not_guess_for_ever(house: House, connect: Connect, room: Room) -> None:
    anna = connect(CHOOSING)
    for _ in range(house.limits.enter_tries):
        anna.do(commands.ProveAccount("anna", "wrong"))
        await settle()
        assert anna.read() == ["not proved anna"]
    assert anna.closed is Disconnect.ENTER_TRIES


def test_what_is_answered_at_once_comes_behind_what_is_not_whatever_room_that_is_of(
    enter: Enter,
) -> None:
    anna = enter("anna", CHOOSING)

    def pong(text: str) -> None:
        anna.do(commands.ReadReply(text.encode() + b"\n"))

    anna.join("ops")
    pong("1")
    anna.say("one", room="ops")
    pong("2")
    anna.do(commands.ListRooms())
    assert not anna.session.takes_commands, "what comes after is read when the list is there"
    lines = anna.read()
    pong("3")
    anna.part("ops")
    pong("4")
    lines += anna.read()
    assert lines == [
        "#ops welcome anna", "#ops own 1.0 one", "1", "#ops sent", "2", "rooms", "3",
        "#ops parted left", "4",
    ]  # fmt: skip


def test_so_it_is_where_nobody_more_can_come_in(enter: Enter, house: House) -> None:
    house.chat.most_rooms = 0
    anna = enter("anna", CHOOSING)
    anna.join("ops")
    anna.do(commands.ReadReply(b"pong\n"))
    assert anna.read() == ["#ops not joined no_room_left", "pong"]


def test_who_parts_reads_first_what_came_of_all_they_asked_there(enter: Enter) -> None:
    anna, betty = enter("anna", CHOOSING), enter("betty", CHOOSING)
    betty.join("ops")
    betty.read()
    anna.join("ops")
    anna.say("one", room="ops")
    anna.part("ops")
    assert not anna.session.takes_commands, "what comes behind it waits"
    lines = [line for line in anna.read() if line.startswith("#ops")]
    assert lines == ["#ops welcome anna betty", "#ops own 2.0 one", "#ops sent", "#ops parted left"]
    assert anna.session.takes_commands
    assert betty.read()[-1] == "left anna"


def test_who_goes_while_it_waits_to_part_parts_no_more(enter: Enter) -> None:
    anna = enter("anna", CHOOSING)
    anna.join("ops")
    anna.part("ops")
    anna.lose()
    anna.read()
    assert anna.closed is Disconnect.GONE
