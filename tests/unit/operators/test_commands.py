"""What an operator orders: one entry of the log, one of the audit log, once."""

from typing import Any

import pytest

from fakes.redis import FakeConnection, fake_client
from tertulia.domain.bans import BanKind
from tertulia.domain.events import Closed, Kicked, Left, Said
from tertulia.domain.operator_commands import Action
from tertulia.operators.commands import Operator
from tertulia.operators.log_reader import LogReader
from tertulia.operators.overview import Overview
from tertulia.operators.refusals import CommandRefused
from tertulia.redis.client import Client
from tertulia.redis.errors import StoreAway
from tertulia.store.keys import Keys

KEYS = Keys("main")


@pytest.fixture
def operator(redis: Client) -> Operator:
    return Operator("main", redis, "carla", 1.0)


async def told(redis: Client) -> list[object]:
    """Return all events that stand in the log."""
    reader = LogReader(KEYS, redis)
    return [event for entry in await reader.further() for event in entry.events]


async def test_what_the_server_says_stands_in_the_log(redis: Client, operator: Operator) -> None:
    await operator.say('"quoted" \\ ñ')
    assert await told(redis) == [Said("G", "-", '"quoted" \\ ñ')]
    (audited,) = await Overview("main", redis).audited(10)
    assert (audited.command.by, audited.command.action) == ("carla", Action.SAY)


async def test_a_kick_takes_somebody_out_of_the_room(redis: Client, operator: Operator) -> None:
    assert await operator.kick("ANDY", "too loud") == (True, False)
    assert await told(redis) == [Kicked("G", "-", "ANDY"), Left("Andy", "one~1:1")]
    assert await Overview("main", redis).people() == []
    with pytest.raises(CommandRefused, match="ANDY is not in the chat main"):
        await operator.kick("ANDY", "again")


async def test_a_ban_logs_out_whom_it_covers(redis: Client, operator: Operator) -> None:
    await redis.hset(KEYS.account("dan"), "hash", "h")
    await redis.hset(KEYS.device("dan"), mapping={"nickname": "Dan", "address": "192.0.2.7"})
    await redis.zadd(KEYS.devices, {"dan": 1e15})
    ban = await operator.ban(BanKind.ACCOUNT, "dan", 60_000, "spam")
    assert ban.until == ban.since + 60_000
    assert await Overview("main", redis).bans() == [ban]
    assert not await redis.exists(KEYS.device("dan"))
    await operator.unban(BanKind.ACCOUNT, "dan")
    assert await Overview("main", redis).bans() == []
    with pytest.raises(CommandRefused, match="there is no ban on the account dan"):
        await operator.unban(BanKind.ACCOUNT, "dan")
    with pytest.raises(CommandRefused, match="there is no account eve"):
        await operator.ban(BanKind.ACCOUNT, "eve", None, "")


async def test_a_closing_counts_who_was_there(redis: Client, operator: Operator) -> None:
    assert await operator.close() == 1
    assert await told(redis) == [Closed("G", "-")]


async def test_what_was_only_looked_at_is_audited_alone(redis: Client, operator: Operator) -> None:
    await operator.note(Action.READ_ALL, "andy")
    assert await told(redis) == []
    (audited,) = await Overview("main", redis).audited(10)
    assert (audited.command.action, audited.command.subject) == (Action.READ_ALL, "andy")


async def test_a_drain_lapses(redis: Client, operator: Operator) -> None:
    now = await Overview("main", redis).now()
    await operator.drain("one")
    (audited,) = await Overview("main", redis).audited(10)
    assert now + 1000 <= audited.command.until <= now + 30_000


async def test_where_nobody_would_hear_it_nothing_is_ordered(
    redis: Client, operator: Operator
) -> None:
    await redis.delete(KEYS.leases)
    with pytest.raises(CommandRefused, match="no node serves the chat main now"):
        await operator.say("hello")
    nowhere = Operator("main", fake_client(), "carla", 1.0)
    with pytest.raises(CommandRefused, match="no node has ever served it"):
        await nowhere.say("hello")


async def test_an_order_whose_answer_is_lost_is_sent_again_under_its_id(
    redis: Client, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask: Any = FakeConnection.ask
    lost = 0

    async def lose(self: FakeConnection, *args: object) -> object:
        nonlocal lost
        answer = await ask(self, *args)
        if not lost:
            lost += 1
            raise ConnectionError("the answer is lost")
        return answer

    await operator.say("to have the script known")
    monkeypatch.setattr(FakeConnection, "ask", lose)
    await operator.say("hello")
    assert lost == 1
    assert await told(redis) == [
        Said("G", "-", "to have the script known"),
        Said("G", "-", "hello"),
    ]


async def test_what_waiting_can_not_help_is_not_waited_for(redis: Client) -> None:
    await redis.set(KEYS.audit, "no stream")
    with pytest.raises(StoreAway, match="WRONGTYPE") as caught:
        await Overview("main", redis).audited(1)
    assert caught.value.is_final
