"""What operators see of a chat, and where it is in Redis."""

import json
from typing import Any

import pytest

from tertulia.domain.events import Said, encode
from tertulia.operators.commands import Operator
from tertulia.operators.erasing import Traces
from tertulia.operators.log_reader import LogReader
from tertulia.operators.overview import Overview, Person, Waiting
from tertulia.redis.client import Client
from tertulia.settings.sections import ClusterSettings
from tertulia.store.keys import Keys

KEYS = Keys("main")
ANDY = Person("Andy", "guest", "chatte", "one", "192.0.2.1", 5000, 7)


@pytest.fixture
def overview(redis: Client) -> Overview:
    return Overview("main", redis)


async def append(redis: Client, offset: int, *lines: bytes) -> None:
    fields = {"p": str(offset * 1_000_000), "b": "one~1 1", "e": b"\n".join(lines).decode()}
    await redis.xadd(KEYS.log, fields, f"{offset}-0")  # type: ignore[arg-type]
    await redis.hset(KEYS.meta, "offset", str(offset))


async def leave(redis: Client, sender: str, *texts: str) -> None:
    """Have somebody leave messages for dan."""
    for number, text in enumerate(texts, 1):
        await redis.rpush(
            KEYS.pending("dan", sender.lower()), f"{number} {number * 10} 0 {sender} {text}"
        )
    line = f"{len(texts)} 99 99 20 2 {sender}"
    await redis.hset(
        KEYS.mailbox("dan"), mapping={sender.lower(): line, "": f"9 {len(texts)} 99 99"}
    )
    await redis.zadd(KEYS.senders("dan"), {sender.lower(): 1})


async def test_a_node_is_what_its_lease_and_it_itself_say(
    redis: Client, overview: Overview
) -> None:
    assert await overview.exists()
    facts: dict[Any, Any] = {
        "state": "draining",
        "version": "1",
        "lag": "0.5",
        "pid": "77",
        "host": "h",
    }
    await redis.hset(KEYS.node_info("one~1"), mapping=facts)
    await redis.zadd(KEYS.leases, {"two~1": 0, "three~1": 1})
    one, three, two = await overview.nodes(ClusterSettings(lease_seconds=120))
    assert (one.node, one.sessions, one.version, one.pid) == ("one", 1, "1", 77)
    assert one.lag_seconds == 0.5
    assert [it.state for it in (one, two, three)] == ["silent", "buried", "stale"]
    assert two.lease_seconds is None
    assert (three.lease_seconds or 0) < 0


async def test_who_is_there_is_in_the_room_or_on_a_device(
    redis: Client, overview: Overview
) -> None:
    await redis.zadd(KEYS.members, {"gone": 2})
    await redis.zadd(KEYS.devices, {"dan": 1e15, "late": 1})
    await redis.hset(KEYS.device("dan"), mapping={"nickname": "Dan", "address": "::1", "port": "1"})
    dan = Person("Dan", "account", "device", None, "::1", 1, None)
    assert await overview.people() == [ANDY, dan]
    assert await overview.holder("andy") == "one~1"
    await redis.hset(KEYS.meta, "sitting", "2")
    assert await overview.holder("andy") is None


async def test_a_ban_of_a_later_version_is_none(redis: Client, overview: Overview) -> None:
    ban = {"kind": "nickname", "subject": "x", "until": 0, "reason": "", "by": "", "since": 1}
    await redis.hset(
        KEYS.bans, mapping={"nickname:x": json.dumps(ban), "later:y": '{"kind":"later"}'}
    )
    assert [it.name for it in await overview.bans()] == ["nickname:x"]


async def test_what_waits_is_read_in_pages(redis: Client, overview: Overview) -> None:
    texts = [f"ñ {number}" for number in range(40)]
    await leave(redis, "Ann", *texts)
    (sender,) = await overview.senders("dan")
    assert (sender.key, sender.nickname, sender.messages, sender.last) == ("ann", "Ann", 40, 20)
    waiting = await overview.waiting("dan")
    assert [it.text for it in waiting] == texts
    assert waiting[0] == Waiting("Ann", "ñ 0", 10)


async def test_the_log_is_read_back_and_on(redis: Client) -> None:
    for offset in (1, 2):
        await append(redis, offset, encode(Said("Andy", "s", f"{offset}")))
    reader = LogReader(KEYS, redis)
    await reader.begin()
    assert [it.position.offset for it in await reader.back(None)] == [2, 1]
    assert [it.position.offset for it in await reader.back(2)] == [1]
    assert await reader.further() == []
    await append(redis, 3, b'{"t":"of a later version"}', encode(Said("Andy", "s", "3")))
    (entry,) = await reader.further()
    assert (entry.position.offset, entry.events) == (3, [Said("Andy", "s", "3")])


async def test_a_log_that_was_lost_is_read_from_where_it_goes_on(redis: Client) -> None:
    await append(redis, 5, encode(Said("Andy", "s", "old")))
    reader = LogReader(KEYS, redis)
    await reader.begin()
    await redis.delete(KEYS.log)
    await redis.hset(KEYS.meta, mapping={"epoch": "f", "base": "1"})
    await append(redis, 2, encode(Said("Andy", "s", "new")))
    (entry,) = await reader.further()
    assert (entry.position.epoch, entry.position.offset) == ("f", 2)


async def test_what_is_kept_of_somebody_is_shown_and_taken_away(redis: Client) -> None:
    keys, traces = KEYS, Traces("main", redis, "andy")
    await append(redis, 1, encode(Said("Andy", "s", "mine")), encode(Said("Bob", "s", "not mine")))
    await redis.hset(keys.account("andy"), mapping={"nickname": "Andy", "hash": "secret"})
    await redis.hset(keys.token("t1"), mapping={"key": "andy"})
    await redis.hset(keys.token("t2"), mapping={"key": "bob"})
    await leave(redis, "Andy", "for dan")
    await Operator("main", redis, "carla", 1.0).kick("andy", "")
    assert await traces.account() == {"nickname": "Andy"}
    assert [it.get("x") for it in await traces.said()] == ["mine", None, None, None]
    assert len(await traces.audited()) == 1
    assert await traces.tokens() == [keys.token("t1")]
    assert await traces.sent() == [{"to": "dan", "at": 10, "sender": "Andy", "text": "for dan"}]
    assert await traces.delete_account()
    assert await traces.forget_tokens() == 1
    assert await traces.redact() == 5
    assert await traces.said() == []
    assert await traces.audited() == []
    log = await redis.xrange(keys.log)
    assert "not mine" in str(log)
    assert "mine" not in str(log).replace("not mine", "")


async def test_an_entry_that_is_no_text_stays_as_it_is(redis: Client) -> None:
    strange = {"v": "9", "e": b"\xff\xfe".decode(errors="surrogateescape")}
    await redis.xadd(KEYS.log, strange, "1-0")  # type: ignore[arg-type]
    await append(redis, 2, encode(Said("Andy", "s", "mine")))
    assert await Traces("main", redis, "andy").redact() == 1
    entries = await redis.xrange(KEYS.log)
    assert entries is not None
    assert entries[0] == ("1-0", strange)
