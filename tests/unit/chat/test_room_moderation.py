"""What a room does with moderation: who may ask for it, what is answered, what is told."""

import asyncio

import pytest

from fakes.encoder import FramedEncoder
from fakes.house import Client, House
from tertulia.chat.room import Room
from tertulia.domain import commands
from tertulia.domain.moderation import Moderation
from tertulia.domain.operator_commands import Action, OperatorCommand
from unit.chat.conftest import Connect, Enter


@pytest.fixture
async def anna(connect: Connect, house: House, room: Room) -> Client:
    """A moderator who has entered."""
    house.passwords["anna"] = house.chat.passwords["anna"] = "secret"
    house.chat.order(OperatorCommand("1", "carla", Action.APPOINT, "anna"))
    client = connect()
    client.do(commands.Enter("anna", "secret"))
    for _ in range(5):
        await asyncio.sleep(0)
    assert client.read()[0].startswith("welcome anna")
    return client


def moderate(client: Client, action: Action, whom: str = "", **more: object) -> None:
    client.do(commands.Moderate(Moderation(action, whom, **more)))  # type: ignore[arg-type]


def test_a_mute_is_told_and_holds(anna: Client, enter: Enter, house: House) -> None:
    bruno = enter("Bruno")
    anna.read()
    moderate(anna, Action.MUTE, "bruno", value=60, text="too loud")
    assert anna.read() == ["muted Bruno"]  # as he writes himself
    until = round(house.clock.time() * 1000) + 60_000
    bruno.say("hm", 3)
    assert bruno.read() == ["muted Bruno", f"muted too loud #3 until={until}"]
    assert anna.read() == []
    bruno.whisper("anna", "why?")
    assert bruno.read() == ["sent"]
    moderate(anna, Action.UNMUTE, "bruno")
    bruno.read()
    bruno.say("thanks")
    assert bruno.read() == ["said Bruno thanks", "sent"]


def test_a_refused_private_message_is_answered_with_its_tag(anna: Client, enter: Enter) -> None:
    bruno, _carla = enter("bruno"), enter("carla")
    moderate(anna, Action.MUTE, "bruno")
    bruno.read()
    bruno.whisper("carla", "psst", 4)
    assert bruno.read() == ["muted #4"]


def test_what_is_answered_counts_as_a_message(anna: Client, enter: Enter) -> None:
    bruno = enter("bruno")
    moderate(anna, Action.MUTE, "bruno")
    bruno.read()
    before = bruno.session.receipts.received()
    bruno.say("hm")
    bruno.read()
    assert bruno.session.receipts.received() == before + 1


def test_what_is_told_counts_as_a_message(anna: Client, enter: Enter) -> None:
    bruno = enter("bruno")
    before = bruno.session.receipts.received()
    moderate(anna, Action.TOPIC, text="coffee")
    assert bruno.read() == ["topic"]
    assert bruno.session.receipts.received() == before + 1
    carla = enter("carla")
    assert carla.session.receipts.received() == 1  # what she read of the topic


def test_a_newcomer_reads_the_topic(anna: Client, connect: Connect) -> None:
    moderate(anna, Action.TOPIC, text="coffee")
    anna.read()
    bruno = connect()
    bruno.enter("bruno")
    assert bruno.read()[:2] == ["welcome bruno anna", "topic coffee"]


def test_who_is_muted_reads_so_on_entering(anna: Client, connect: Connect) -> None:
    moderate(anna, Action.MUTE, "bruno", text="too loud")
    bruno = connect()
    bruno.enter("bruno")
    assert bruno.read()[:2] == ["welcome bruno anna", "muted too loud"]
    assert bruno.session.receipts.received() == 1, "it is acknowledged as a message"


def test_a_kick(anna: Client, enter: Enter) -> None:
    bruno, carla = enter("bruno"), enter("carla")
    assert bruno.read() == ["joined carla"]
    moderate(anna, Action.KICK, "bruno", text="enough")
    assert carla.read() == ["kicked bruno", "left bruno"]
    assert bruno.read() == ["kicked enough"]
    assert bruno.closed is not None


@pytest.mark.parametrize("action", [Action.MUTE, Action.TOPIC, Action.REDACT])
def test_others_may_not(anna: Client, enter: Enter, house: House, action: Action) -> None:
    bruno = enter("bruno")
    count = len(house.chat.log)
    moderate(bruno, action, "anna")
    assert bruno.read() == [f"not {action.value} forbidden"]
    assert len(house.chat.log) == count


def test_who_becomes_a_moderator_learns_who_is_muted(
    anna: Client, enter: Enter, house: House
) -> None:
    moderate(anna, Action.MUTE, "bruno")
    dora = enter("dora")
    anna.read(), dora.read()
    for name in ("anna", "dora"):
        house.chat.order(OperatorCommand("3", "carla", Action.APPOINT, name))
    told = ["appointed anna", "appointed dora"]
    assert anna.read() == [told[0], "muted bruno", told[1]]
    assert dora.read() == told  # who is a guest


def test_a_guest_with_a_moderators_name_may_not(enter: Enter, house: House) -> None:
    """The account is gone."""
    house.chat.order(OperatorCommand("1", "carla", Action.APPOINT, "anna"))
    guest = enter("anna")
    moderate(guest, Action.TOPIC, text="mine")
    assert guest.read() == ["not topic forbidden"]


def test_what_can_not_be_done_is_answered(anna: Client) -> None:
    for action, whom, fault in (
        (Action.KICK, "nobody", "unknown_recipient"),
        (Action.MUTE, "no name", "unknown_recipient"),
        (Action.MUTE, "G", "unknown_recipient"),
        (Action.UNMUTE, "bruno", "not_muted"),
        (Action.REDACT, "", "no_such_message"),
        (Action.MUTE, "anna", "forbidden"),
    ):
        moderate(anna, action, whom)
        assert anna.read() == [f"not {action.value} {fault}"]


def test_slow_mode_is_answered_with_the_time(anna: Client, enter: Enter, house: House) -> None:
    bruno = enter("bruno")
    moderate(anna, Action.SLOW, value=10)
    bruno.read()
    bruno.say("one")
    bruno.say("two")
    until = round((house.clock.time() + 10) * 1000)
    assert bruno.read() == ["said bruno one", "sent", f"slow until={until}"]


def test_in_slow_mode_tags_alone_take_nobodys_turn(anna: Client, enter: Enter) -> None:
    bruno = enter("bruno")
    moderate(anna, Action.SLOW, value=10)
    bruno.read()
    anna.read()
    bruno.do(commands.Say("", 7, tags="+typing=active"))
    assert bruno.read() == ["sent #7"]
    bruno.say("one")
    assert bruno.read() == ["said bruno one", "sent"]
    assert anna.read() == ["said bruno one"]


def test_only_accounts(anna: Client, enter: Enter) -> None:
    bruno = enter("bruno")
    moderate(anna, Action.ACCOUNTS_ONLY, value=1)
    bruno.read()
    bruno.say("hm")
    assert bruno.read() == ["accounts_only"]
    anna.say("welcome")
    assert bruno.read() == ["said anna welcome"]


def test_who_comes_back_does_not_read_what_was_redacted(
    anna: Client, enter: Enter, connect: Connect, house: House
) -> None:
    bruno = enter("bruno", FramedEncoder())
    token, epoch = bruno.session.token, "memory"
    offset = len(house.chat.log)
    bruno.lose()
    anna.say("secret")
    anna.read()
    place = len(house.chat.log)
    moderate(anna, Action.REDACT, value=place)
    anna.read()
    again = connect(FramedEncoder())
    again.do(commands.Enter("bruno", None, commands.Resume(token, epoch, offset)))
    told = again.read()
    assert any("withdrawn anna" in line for line in told)
    assert not any("secret" in line for line in told)


def test_a_node_that_begins_knows_what_holds(anna: Client, enter: Enter, house: House) -> None:
    moderate(anna, Action.MUTE, "bruno")
    anna.read()
    other = house.room("m")
    bruno = enter("bruno", room=other)
    bruno.say("hm")
    assert "muted" in bruno.read()[-1]


def test_the_place_of_a_message_of_another_epoch_is_no_place(anna: Client) -> None:
    """An old msgid is not to withdraw what stands at its offset by now."""
    anna.say("tea")
    anna.read()
    offset = anna.room.roster.position.offset
    act = Moderation(Action.REDACT, value=offset)
    anna.do(commands.Moderate(act, epoch="an earlier one"))
    assert anna.read() == ["not redact no_such_message"]
    anna.do(commands.Moderate(act, epoch=anna.room.roster.position.epoch))
    assert anna.read() == ["redacted"]
