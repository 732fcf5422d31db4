"""What a room does on operator commands, and whom it does not let in."""

import asyncio

import pytest

from fakes.encoder import FramedEncoder, PatientEncoder
from fakes.house import House
from tertulia.chat.room import Room
from tertulia.chat.session import State
from tertulia.domain import commands
from tertulia.domain.bans import Ban, BanKind, subject_of
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.operator_commands import Action, OperatorCommand
from unit.chat.conftest import Connect, Enter

ADDRESS = "192.0.2.1"
"""Where all clients here come from."""


def kick(nickname: str, reason: str = "") -> OperatorCommand:
    return OperatorCommand("1", "carla", Action.KICK, nickname, reason)


def ban(
    whom: str, reason: str = "", *, kind: BanKind | None = None, until: int = 0
) -> OperatorCommand:
    made = Ban(*subject_of(whom, kind), until, reason)
    return OperatorCommand("2", "carla", Action.BAN, made.name, reason, made)


def unban(name: str) -> OperatorCommand:
    return OperatorCommand("3", "carla", Action.UNBAN, name)


def test_a_kick(enter: Enter, house: House) -> None:
    watcher, andy = enter("watcher"), enter("Andy")
    watcher.read()
    house.chat.order(kick("andy", "too loud"))
    assert andy.read() == ["kicked too loud"]
    assert andy.closed is Disconnect.KICKED
    assert watcher.read() == ["kicked andy", "left Andy"]
    assert house.counted("leaves_total", reason="kicked") == 1
    assert house.counted("disconnects_total", reason="kicked") == 1
    assert house.nicknames() == ["watcher"]


def test_a_kick_of_somebody_on_another_node(enter: Enter, house: House) -> None:
    other = house.room("m")
    andy = enter("andy", room=other)
    betty = enter("betty")
    andy.read()
    house.chat.order(kick("andy"))
    assert betty.read() == ["kicked andy", "left andy", "promoted"]
    assert andy.read() == ["kicked"]


def test_what_the_kicked_had_under_way_comes_to_nothing(enter: Enter, house: House) -> None:
    watcher, andy = enter("watcher"), enter("andy")
    watcher.read()
    house.chat.order(kick("andy"))
    andy.say("too late")
    assert andy.read() == ["kicked"]
    assert watcher.read() == ["kicked andy", "left andy"]


def test_who_was_kicked_may_come_back(enter: Enter, house: House) -> None:
    andy = enter("andy")
    house.chat.order(kick("andy"))
    assert andy.read() == ["kicked"]
    enter("andy")


@pytest.mark.parametrize("whom", ["andy", ADDRESS, "192.0.2.0/24"])
def test_a_ban_ends_the_sessions_that_it_covers(enter: Enter, house: House, whom: str) -> None:
    andy = enter("Andy")
    house.chat.order(ban(whom, "spam"))
    assert andy.read() == ["banned spam"]
    assert andy.closed is Disconnect.BANNED
    assert house.nicknames() == []
    assert house.counted("leaves_total", reason="banned") == 1


@pytest.mark.parametrize("whom", ["betty", "192.0.2.2", "198.51.100.0/24"])
def test_a_ban_concerns_nobody_else(enter: Enter, house: House, whom: str) -> None:
    andy = enter("andy")
    house.chat.order(ban(whom))
    assert andy.read() == []
    andy.say("still here")
    assert andy.read() == ["said andy still here", "sent"]


def test_who_is_banned_for_some_time_reads_until_when(
    enter: Enter, connect: Connect, house: House
) -> None:
    andy, betty = enter("andy"), connect()
    betty.enter("betty")  # submitted, and not yet committed
    for whom in ("andy", "betty"):
        house.chat.order(ban(whom, "spam", until=2**60))
    assert andy.read() == [f"banned spam until={2**60}"]
    assert betty.read() == [f"refused banned betty until={2**60}"]


def test_who_is_banned_is_refused(connect: Connect, house: House, room: Room) -> None:
    house.chat.order(ban("andy"))
    house.clock.run()
    andy = connect()
    andy.enter("ANDY")
    assert andy.read() == ["refused banned ANDY"]
    assert andy.closed is Disconnect.BANNED
    assert house.counted("disconnects_total", reason="banned") == 1


def test_another_nickname_may_follow_where_only_the_nickname_is_banned(
    connect: Connect, house: House, room: Room
) -> None:
    house.chat.order(ban("andy"))
    house.clock.run()
    andy = connect(PatientEncoder())
    andy.enter("andy")
    assert andy.read() == ["refused banned andy"]
    andy.enter("betty")
    assert andy.read() == ["welcome betty"]
    house.chat.order(ban(ADDRESS))
    house.clock.run()
    other = connect(PatientEncoder())
    other.enter("carlo")
    assert other.read() == ["refused banned carlo"]
    assert other.closed is Disconnect.BANNED


def test_a_join_that_was_on_its_way_is_undone(enter: Enter, connect: Connect, house: House) -> None:
    """The ban stands before it in the log; others see it come and go, and it is never let in."""
    watcher = enter("watcher", room=house.room("m"))
    andy = connect()
    andy.enter("andy")  # submitted, and not yet committed
    house.chat.order(ban("andy"))
    assert andy.read() == ["refused banned andy"]
    assert andy.closed is Disconnect.BANNED
    assert watcher.read() == ["joined andy", "left andy"]
    assert house.nicknames() == ["watcher"]
    assert house.counted("joins_total", dialect="plain") == 1


def test_a_ban_that_was_ended_or_is_over(connect: Connect, enter: Enter, house: House) -> None:
    house.room("m")
    house.chat.order(ban("andy"))
    until = round((house.clock.time() + 10) * 1000)
    house.chat.order(ban("betty", until=until))
    house.clock.run()
    refused = connect()
    refused.enter("betty")
    assert refused.read() == [f"refused banned betty until={until}"]
    house.chat.order(unban("nickname:andy"))
    house.clock.run()
    enter("andy")
    house.clock.advance(10.1)
    enter("betty")


def test_who_resumes_an_accounts_session_is_that_account(enter: Enter, house: House) -> None:
    guest = enter("andy", FramedEncoder())
    house.chat.order(ban("andy", kind=BanKind.ACCOUNT))
    assert guest.read() == []  # a guest who did not resume is none
    assert guest.closed is None


def test_bans_that_the_store_tells_anew(enter: Enter, house: House, room: Room) -> None:
    andy = enter("andy")
    room.banned([Ban(BanKind.NICKNAME, "andy", reason="spam")])
    assert andy.read() == ["banned spam"]


def test_only_the_node_that_is_meant_drains(house: House) -> None:
    house.room("m"), house.room("n")
    until = round((house.clock.time() + 5) * 1000)
    house.chat.order(OperatorCommand("4", "carla", Action.DRAIN, "m", until=until))
    house.clock.run()
    assert house.drained == ["m"]


def test_an_order_to_drain_lapses(house: House) -> None:
    house.room("m")
    until = round((house.clock.time() + 5) * 1000)
    house.clock.advance(6)
    house.chat.order(OperatorCommand("4", "carla", Action.DRAIN, "m", until=until))
    house.clock.run()
    assert house.drained == []


async def test_a_ban_that_comes_while_a_password_is_looked_at(
    connect: Connect, house: House, room: Room
) -> None:
    """Who was being proved is not yet among the sessions, so he is looked at again."""
    house.passwords["andy"] = "any password"
    andy = connect(PatientEncoder())
    andy.do(commands.Enter("andy", "any password"))
    assert andy.session.state is State.PROVING
    house.chat.order(ban("andy", kind=BanKind.ACCOUNT))
    house.clock.run()
    for _ in range(5):
        await asyncio.sleep(0)
    assert andy.read() == ["refused banned andy"]
    andy.enter("betty")  # another nickname may follow
