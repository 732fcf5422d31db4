"""What a further room's commit leaves in Redis, whichever way it is done, and where a command is refused."""

from collections.abc import Iterator
from typing import Any, cast

import pytest
import redis

from harness.redis_server import RedisServer
from tertulia.chat.ports import Op, RefusedOp, RoomJoinOp, SayOp
from tertulia.store.batch import RoomBatch
from tertulia.store.keys import RoomKeys
from tertulia.store.room import _COMMIT_KEYS
from tertulia.store.scripts import ROOM_COMMIT

KEYS = RoomKeys("c", "ops")


@pytest.fixture
def control(shared_redis: RedisServer) -> Iterator[redis.Redis]:
    shared_redis.control.flushall()
    shared_redis.control.hset(KEYS.meta, mapping={"epoch": "e", "offset": 0})
    yield shared_redis.control
    shared_redis.control.flushall()


def commit(control: redis.Redis, number: int, *ops: Op) -> str:
    """Commit a batch, and return its outcomes; whichever batch it is, it is an entry of its own."""
    batch = RoomBatch(KEYS, len(_COMMIT_KEYS))
    batch.add(*ops)
    keys = [*KEYS.several(_COMMIT_KEYS), *batch.keys]
    names = [*keys, ROOM_COMMIT.last_key(keys[0])]
    head = ["n", number, "e", number - 1, 3_600_000, 1 << 26, KEYS.room, "f", number - 1, 9]
    args = [*head, batch.letters, *batch.args]
    reply = control.eval(ROOM_COMMIT.plain.text, len(names), *names, *args)
    status, offset, entry, _, outcomes, _ = reply
    assert (status, offset, entry) == ("ok", number, number)
    assert control.hget(KEYS.batches, "n") == f"{number} {number} {reply[3]} {outcomes} "
    return str(outcomes)


def left_by(control: redis.Redis) -> object:
    """Return what commits have left, apart from times."""
    meta = control.hmget(KEYS.meta, "epoch", "offset", "bytes", "used")
    log = [(at, fields["b"], fields["e"]) for at, fields in cast(Any, control.xrange(KEYS.log))]
    return meta, log, control.hgetall(KEYS.tokens), control.hgetall(KEYS.batches)


def join(number: int, name: str) -> RoomJoinOp:
    return RoomJoinOp(f"n:{number}", name, name, "browser", number, token=name[0])


def say(session: str, name: str, tag: int, *, outside: bool = False) -> SayOp:
    return SayOp(session, name, name, f"message {tag}", tag, name[0], outside=outside)


def test_what_is_answered_is_known_by_token(control: redis.Redis) -> None:
    assert commit(control, 1, join(1, "andy"), join(2, "ben")) == "dd"
    assert control.hgetall(KEYS.tokens) == {"a": "1 0 ", "b": "1 0 "}
    said = [say("n:1", "andy", 5), say("n:1", "andy", 6), say("n:2", "ben", 7)]
    assert commit(control, 2, *said, say("n:9", "ben", 8)) == "dddg"
    assert control.hgetall(KEYS.tokens) == {"a": "1 6 ", "b": "1 7 "}
    refused = RefusedOp("n:1", "andy", 9, "a")
    assert commit(control, 3, refused, say("n:1", "andy", 10), say("n:9", "ben", 11)) == "ddg"
    assert control.hgetall(KEYS.tokens) == {"a": "1 10 9,", "b": "1 7 "}
    assert commit(control, 4, say("n:1", "andy", 12)) == "d"
    assert control.hgetall(KEYS.tokens) == {"a": "1 12 9,", "b": "1 7 "}


def test_who_is_not_in_the_room_is_refused_and_known_as_such(control: redis.Redis) -> None:
    assert commit(control, 1, join(1, "andy")) == "d"
    outside = say("n:3", "carl", 3, outside=True)
    assert commit(control, 2, outside, say("n:1", "andy", 4)) == "ud"
    assert control.hgetall(KEYS.tokens) == {"a": "1 4 ", "c": "0 3 3,"}
    control.hset(KEYS.moderation, "outsiders", "1")
    assert commit(control, 3, say("n:3", "carl", 5, outside=True)) == "d"
    assert control.hgetall(KEYS.tokens) == {"a": "1 4 ", "c": "0 5 3,"}


@pytest.mark.parametrize("command", ["HSET", "XADD", "RPUSH", "PUBLISH"])
@pytest.mark.parametrize("others", [[], [RefusedOp("n:1", "andy", 9, "a")]], ids=["talk", "more"])
def test_a_command_that_is_refused_is_made_up_for(
    control: redis.Redis, command: str, others: list[Op]
) -> None:
    def begin() -> list[Op]:
        control.flushall()
        control.hset(KEYS.meta, mapping={"epoch": "e", "offset": 0})
        commit(control, 1, join(1, "andy"), join(2, "ben"))
        control.hset(KEYS.meta, "marked", 0)
        return [*others, say("n:1", "andy", 10), say("n:2", "ben", 11)]

    commit(control, 2, *begin())
    commit(control, 3, say("n:1", "andy", 12))
    undisturbed = left_by(control)
    said = begin()
    control.execute_command("ACL", "SETUSER", "default", f"-{command}")
    try:
        with pytest.raises(redis.ResponseError):
            commit(control, 2, *said)
    finally:
        control.execute_command("ACL", "SETUSER", "default", f"+{command}")
    outcomes = commit(control, 2, *said)
    assert outcomes == "d" * len(said)
    commit(control, 3, say("n:1", "andy", 12))
    assert left_by(control) == undisturbed
