"""What an operator orders in a further room: it stands in the room's log, and in the room's audit log."""

from typing import Any

import pytest

from tertulia.domain.events import Appointed, Kicked, Left, Muted, Outsiders, Said
from tertulia.domain.moderation import Moderation
from tertulia.domain.operator_commands import Action
from tertulia.operators.commands import RoomOperator
from tertulia.operators.log_reader import LogReader
from tertulia.operators.overview import LogOverview
from tertulia.operators.refusals import CommandRefused
from tertulia.redis.client import Client
from tertulia.store.keys import Keys, RoomKeys

CHAT, OPS = Keys("main"), RoomKeys("main", "ops")


@pytest.fixture
async def operator(redis: Client) -> RoomOperator:
    """Give an operator of a room in which Andy is."""
    await redis.hset(OPS.meta, mapping={"epoch": "f", "base": "0", "offset": "0"})
    await redis.zadd(OPS.members, {"andy": 7})
    andy: dict[Any, Any] = {"nickname": "Andy", "session": "one~1:1", "node": "one~1"}
    andy |= {"sitting": "0", "number": "7", "token": "abc"}
    await redis.hset(OPS.nick("andy"), mapping=andy)
    return RoomOperator(OPS, redis, redis, "carla", 1.0)


async def told(redis: Client) -> list[object]:
    """Return all events that stand in the room's log."""
    reader = LogReader(OPS, redis)
    return [event for entry in await reader.further() for event in entry.events]


async def test_what_the_server_says_stands_in_the_rooms_log_also_where_nobody_hears_it(
    redis: Client, operator: RoomOperator
) -> None:
    await redis.delete(CHAT.leases)
    await operator.say("hello")
    assert await told(redis) == [Said("G", "-", "hello")]
    (audited,) = await LogOverview(OPS, redis).audited(10)
    assert (audited.command.by, audited.command.action) == ("carla", Action.SAY)
    assert not await redis.exists(CHAT.log, CHAT.audit)


async def test_a_kick_takes_the_seat_and_leaves_the_chat_as_it_is(
    redis: Client, operator: RoomOperator
) -> None:
    await operator.kick("ANDY", "too loud")
    assert await told(redis) == [Kicked("G", "-", "ANDY"), Left("Andy", "one~1:1")]
    assert not await redis.exists(OPS.members, OPS.nick("andy"))
    assert await redis.exists(CHAT.nick("andy"))
    seconds, _ = await redis.time()
    assert (await redis.zscore(OPS.token_ends, "abc") or 0) > seconds * 1000
    with pytest.raises(CommandRefused, match="ANDY is not in the room #ops of the chat main"):
        await operator.kick("ANDY", "again")


async def test_a_room_is_moderated_as_the_lobby_is(redis: Client, operator: RoomOperator) -> None:
    await operator.moderate(Moderation(Action.MUTE, "Andy", text="spam"))
    await operator.moderate(Moderation(Action.OUTSIDERS, value=1))
    assert await told(redis) == [
        Muted("G", "-", "Andy", 0, "spam"),
        Outsiders("G", "-", True),
    ]
    rules = await LogOverview(OPS, redis).rules()
    assert list(rules.mutes) == ["andy"]
    assert await redis.hget(OPS.moderation, "outsiders") == "1"
    with pytest.raises(CommandRefused, match="bea is not muted in the room #ops"):
        await operator.moderate(Moderation(Action.UNMUTE, "bea"))


async def test_a_moderator_of_a_room_needs_an_account_of_the_chat(
    redis: Client, operator: RoomOperator
) -> None:
    act = Moderation(Action.APPOINT, "Dora")
    with pytest.raises(CommandRefused, match="there is no account Dora in the chat main"):
        await operator.moderate(act)
    await redis.hset(CHAT.account("dora"), mapping={"hash": "h", "since": "1"})
    await operator.moderate(act)
    assert await told(redis) == [Appointed("G", "-", "Dora", True, 1)]
    assert (await LogOverview(OPS, redis).rules()).moderators == {"dora": 1}
    await operator.moderate(Moderation(Action.DISMISS, "Dora"))
    with pytest.raises(CommandRefused, match="Dora is no moderator of the room #ops"):
        await operator.moderate(Moderation(Action.DISMISS, "Dora"))


async def test_where_there_is_no_room_nothing_is_ordered(
    redis: Client, operator: RoomOperator
) -> None:
    nowhere = RoomOperator(RoomKeys("main", "no"), redis, redis, "carla", 1.0)
    for ordered in (nowhere.say("hello"), nowhere.kick("andy", "")):
        with pytest.raises(CommandRefused, match="there is no room #no in the chat main: rooms"):
            await ordered
    assert not [key async for key in redis.scan_iter("{main#no}*")]
