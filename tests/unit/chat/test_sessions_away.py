"""A session whose connection is lost keeps its seat for a moment: who is back by then was never gone."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from fakes.encoder import FramedEncoder
from fakes.house import LIMITS, Client, House
from tertulia.chat.room import Room
from tertulia.chat.session import AWAY, ENDED
from tertulia.domain import commands
from tertulia.domain.commands import Resume
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.operator_commands import Action, OperatorCommand
from unit.chat.conftest import Connect, Enter

SECONDS = 5.0


@pytest.fixture
def house() -> House:
    return House(replace(LIMITS, away_seconds=SECONDS))


@pytest.fixture(params=[False, True], ids=["here", "elsewhere"])
def there(request: pytest.FixtureRequest, house: House, room: Room) -> Iterator[Room]:
    """Where somebody comes back: the same node, or another one."""
    yield house.room("other") if request.param else room


@pytest.fixture
def andy(enter: Enter) -> Client:
    """The administrator, at a page."""
    return enter("andy", FramedEncoder())


@pytest.fixture
def betty(enter: Enter, andy: Client) -> Client:
    client = enter("betty")
    andy.read()
    return client


def back(connect: Connect, lost: Client, offset: int, room: Room) -> Client:
    """Come back with the token, having read up to an entry."""
    client = connect(FramedEncoder(), room=room)
    resume = Resume(lost.session.token, "memory", offset)
    client.do(commands.Enter(lost.session.nickname, resume=resume))
    return client


def test_who_is_back_in_time_was_never_gone(
    andy: Client, betty: Client, connect: Connect, house: House, there: Room
) -> None:
    andy.lose()
    assert (andy.closed, andy.session.state) == (Disconnect.GONE, AWAY)
    betty.say("missed")
    assert betty.read() == ["said betty missed", "sent"]
    house.clock.advance(SECONDS - 0.1)
    again = back(connect, andy, 2, there)
    assert again.read() == ["welcome andy betty", "3 [said betty missed]", "4 [joined andy]"]
    assert andy.session.state is ENDED
    house.clock.advance(60.0)
    assert betty.read() == []
    again.do(commands.CloseChat())
    assert again.read()[0] == "5 [closed]", "it is still the administrator"
    assert betty.read() == ["closed"]


def test_who_does_not_come_back_is_told_as_gone_then(
    andy: Client, betty: Client, house: House
) -> None:
    andy.lose()
    house.clock.advance(SECONDS - 0.1)
    assert betty.read() == []
    assert house.nicknames() == ["andy", "betty"]
    house.clock.advance(0.2)
    assert betty.read() == ["left andy", "promoted"]
    assert house.nicknames() == ["betty"]
    assert house.counted("sessions", chat="main", dialect="framed") == 0
    assert house.counted("leaves_total", reason="gone") == 1


def test_who_comes_later_goes_on_as_ever(
    andy: Client, betty: Client, connect: Connect, house: House, there: Room
) -> None:
    andy.lose()
    house.clock.advance(SECONDS + 1)
    assert betty.read() == ["left andy", "promoted"]
    again = back(connect, andy, 2, there)
    assert again.read() == ["welcome andy betty", "3 [left andy]", "4 [joined andy]"]
    assert betty.read() == ["joined andy"]


def test_lines_and_those_who_leave_keep_no_seat(
    andy: Client, betty: Client, enter: Enter, house: House
) -> None:
    betty.lose()
    assert andy.read() == ["3 [left betty]"]
    andy.leave()
    andy.read()
    assert house.nicknames() == []


@pytest.mark.parametrize("is_read", [False, True])
def test_a_private_message_waits_for_who_comes_back(
    andy: Client, betty: Client, connect: Connect, house: House, there: Room, is_read: bool
) -> None:
    """What the lost connection may not have had, and what comes while it is away."""
    andy.outbox.taken = is_read
    betty.whisper("andy", "before")
    assert betty.read() == ["sent"]
    if is_read:
        house.clock.run()
        assert andy.room.confirmed() == 1
    andy.lose()
    betty.whisper("andy", "meanwhile")
    assert betty.read() == ["sent"]
    assert andy.room.confirmed() == (1 if is_read else 0), "it is not done with"
    house.clock.advance(1.0)
    again = back(connect, andy, 2, there)
    expected = ["welcome andy betty", "3 [joined andy]"]
    own = [] if is_read else ["whispered betty before"]
    assert sorted(again.read()) == sorted([*expected, *own, "whispered betty meanwhile"])
    house.clock.advance(60.0)
    assert betty.read() == [], "nothing is reported"
    assert andy.room.confirmed() >= 2


def test_a_private_message_to_who_does_not_come_back_is_reported(
    andy: Client, betty: Client, house: House
) -> None:
    andy.outbox.taken = False
    betty.whisper("andy", "before")
    betty.read()
    andy.lose()
    betty.whisper("andy", "meanwhile")
    assert betty.read() == ["sent"]
    house.clock.advance(SECONDS + 1)
    assert sorted(betty.read()) == sorted(
        ["left andy", "promoted", "undelivered andy before", "undelivered andy meanwhile"]
    )
    assert andy.room.confirmed() >= 2


def test_a_report_waits_as_well(
    andy: Client, connect: Connect, enter: Enter, house: House, there: Room
) -> None:
    """What was to tell the absent sender that a message did not arrive."""
    carla = enter("carla", room=house.room("third"))
    andy.read()
    carla.outbox.taken = False
    andy.whisper("carla", "psst")
    assert "sent" in andy.read()
    andy.lose()
    carla.lose()
    house.clock.run()
    again = back(connect, andy, 2, there)
    assert "undelivered carla psst" in again.read()


def test_who_went_on_elsewhere_and_left_at_once_is_reported(
    andy: Client, betty: Client, connect: Connect, house: House
) -> None:
    andy.lose()
    betty.whisper("andy", "meanwhile")
    betty.read()
    again = back(connect, andy, 2, house.room("other"))
    heir = house.stores[again.room]
    again.house.clock.run()
    assert heir is not house.stores[andy.room]
    again.read()
    again.leave()
    again.read()
    # Whatever of the two came first: the message was written, or its sender knows.
    assert andy.room.confirmed() == 1


@pytest.mark.parametrize("how", ["kick", "drain", "fenced", "closed"])
def test_a_seat_that_nobody_sits_on_can_be_taken_away(
    andy: Client, betty: Client, connect: Connect, house: House, how: str
) -> None:
    andy.lose()
    if how == "kick":
        house.chat.order(OperatorCommand("1", "carla", Action.KICK, "andy"))
    elif how == "drain":
        andy.room.drain()
    elif how == "fenced":
        house.chat.condemn(house.stores[andy.room].node)
    else:
        connected = back(connect, andy, 2, house.room("other"))
        connected.read()
        connected.do(commands.CloseChat())
        connected.read()
    house.clock.run()
    assert andy.session.state is ENDED
    assert "andy" not in house.nicknames()
    house.clock.advance(SECONDS + 1)


def test_one_who_lost_a_connection_twice_keeps_the_seat_again(
    andy: Client, betty: Client, connect: Connect, house: House, there: Room
) -> None:
    client = andy
    for turn in range(4):
        client.lose()
        house.clock.advance(SECONDS - 1)
        client = back(connect, client, 2, there if turn % 2 else andy.room)
        assert client.read()[0] == "welcome andy betty"
    assert betty.read() == []
    house.clock.advance(SECONDS * 2)
    assert house.nicknames() == ["andy", "betty"]


def test_the_dead_connection_that_nobody_noticed_is_replaced_too(
    andy: Client, betty: Client, connect: Connect, there: Room
) -> None:
    again = back(connect, andy, 2, there)
    again.read()
    assert andy.closed is Disconnect.DISPLACED
    assert betty.read() == []


def test_a_letter_is_given_on_under_its_own_number(
    andy: Client, betty: Client, connect: Connect
) -> None:
    """So the inbox is confirmed in order, however it was given."""
    andy.lose()
    for text in ("one", "two"):
        betty.whisper("andy", text)
    betty.read()
    again = back(connect, andy, 2, andy.room)
    again.outbox.taken = False
    assert [it for it in again.read() if "whispered" in it] == [
        "whispered betty one",
        "whispered betty two",
    ]
    assert andy.room.confirmed() == 0
    again.outbox.taken = True
    assert andy.room.confirmed() == 2
