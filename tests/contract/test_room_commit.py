"""What a further room's commit leaves in Redis, whichever way it is done, and where a command is refused."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.resources import files
from typing import Any, cast

import msgspec
import pytest
import redis

from contract.test_refused_commands import Judge
from harness.redis_server import RedisServer
from tertulia.chat.ports import Op, RefusedOp, RoomJoinOp, SayOp
from tertulia.store.batch import RoomBatch
from tertulia.store.keys import RoomKeys, unfinished
from tertulia.store.ops import in_numbers
from tertulia.store.room import _COMMIT_KEYS, _OTHER_KEYS, _TALK
from tertulia.store.scripts import CONDEMN_ROOM, ROOM_COMMIT

KEYS = RoomKeys("c", "ops")

Call = tuple[list[str], list[Any]]
"""KEYS and ARGV."""


@pytest.fixture
def control(shared_redis: RedisServer) -> Iterator[redis.Redis]:
    shared_redis.control.flushall()
    shared_redis.control.hset(KEYS.meta, mapping={"epoch": "e", "offset": 0})
    yield shared_redis.control
    shared_redis.control.flushall()


def call(
    *ops: Op,
    number: int = 3,
    epoch: str = "e",
    seen: int = 2,
    answered: int = 2,
    channel: str = KEYS.room,
) -> Call:
    """Return what a node gives to the script for a batch."""
    batch = RoomBatch(KEYS, len(_COMMIT_KEYS))
    batch.add(*ops)
    names = [*KEYS.several(_COMMIT_KEYS), *batch.keys]
    if batch.letters not in _TALK:
        names += KEYS.several(_OTHER_KEYS)
    head = ["n", number, epoch, seen, 3_600_000, channel, answered, f"{1 << 20} f 9"]
    return [*names, unfinished(KEYS.meta)], [*head, batch.letters, *batch.args]


def commit(control: redis.Redis, number: int, *ops: Op) -> str:
    """Commit a batch, and return its outcomes; whichever batch it is, it is an entry of its own."""
    names, args = call(*ops, number=number, seen=number - 1, answered=number - 1)
    reply = in_full(control.eval(ROOM_COMMIT.plain.text, len(names), *names, *args), len(ops))
    status, offset, entry, _, outcomes, _ = reply
    assert (status, offset, entry) == ("ok", number, number)
    assert control.hget(KEYS.batches, "n") == f"{number} {number} {reply[3]} {outcomes} "
    return str(outcomes)


def in_full(reply: Any, ops: int) -> Any:
    """Return a reply, in many words where it says in one that all was said."""
    return ["ok", reply, reply, -1, "d" * ops, ""] if isinstance(reply, int) else reply


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


# --- Members' talk, which has a way of its own: room_talk.lua ---------------------------------------------

Prepare = Callable[[redis.Redis], object]

WHOLE = ROOM_COMMIT.plain.text
TALK = in_numbers((files("tertulia.store") / "lua" / "room_talk.lua").read_text())
GENERAL = WHOLE.replace(TALK, "local talk\n")
"""The script without that way."""


@pytest.fixture
def judge(shared_redis: RedisServer) -> Iterator[Judge]:
    judge = Judge(shared_redis)
    yield judge
    shared_redis.control.flushall()
    judge.close()


def inhabit(control: redis.Redis) -> None:
    """Have Andy and Ben in the room, who have said something already; the last mark is as new as can be."""
    control.flushall()
    meta = {"epoch": "e", "offset": 2, "bytes": 900, "marked_bytes": 100, "used": 1}
    control.hset(
        KEYS.meta, mapping=cast(Any, meta | {"marked": round(time.time() * 1000) + 60_000})
    )
    for offset in (1, 2):
        control.xadd(KEYS.log, {"p": "5", "b": f"n {offset}", "e": "{}"}, id=f"{offset}-0")
    for session, name in (("n:1", "andy"), ("n:2", "ben")):
        control.hset(KEYS.nick(name), "session", session)
    control.hset(KEYS.tokens, mapping={"a": "1 4 3,2,"})
    control.hset(KEYS.batches, "n", "2 2 -1 d ")


def be_due(control: redis.Redis) -> None:
    control.hset(KEYS.meta, "marked", 0)


def be_too_long(control: redis.Redis) -> None:
    """Of two marks one is too old; ten more are of a log that is too large by now, and the last is not."""
    be_due(control)
    now = round(time.time() * 1000)
    control.hset(KEYS.meta, "bytes", 2 << 20)
    control.rpush(KEYS.marks, "0 5 5", f"1 {now} 5", f"2 {now} {2 << 20}")


def be_far_too_long(control: redis.Redis) -> None:
    """There are more marks than are looked at in one go."""
    be_due(control)
    control.rpush(KEYS.marks, *(f"{min(it, 2)} 5 5" for it in range(12)))


def condemn(control: redis.Redis) -> None:
    """Condemn the node, as the script does it that buries nodes."""
    names = [KEYS.condemned, KEYS.batches, unfinished(KEYS.meta)]
    control.eval(CONDEMN_ROOM.plain.text, len(names), *names, "n", 60_000)


def as_it_is(control: redis.Redis) -> None:
    """Nothing more is prepared."""


ANDY, BEN = say("n:1", "andy", 5), say("n:2", "ben", 6)
ALONE = SayOp("n:1", "andy", "Andy", "hi")
ORDINARY: dict[str, tuple[Prepare, Call]] = {
    "one": (as_it_is, call(ANDY)),
    "the first with a token": (as_it_is, call(BEN)),
    "without a token": (as_it_is, call(ALONE)),
    "several": (as_it_is, call(ANDY, BEN, say("n:1", "andy", 7), say("n:1", "andy", 8))),
    "several without a token": (as_it_is, call(ALONE, SayOp("n:2", "ben", "Ben", "ho"), ALONE)),
    "told later": (as_it_is, call(ANDY, channel="")),
    "the node's first": (lambda it: it.hset(KEYS.batches, "n", "0"), call(ANDY, answered=0)),
    "seen less": (as_it_is, call(ANDY, seen=0, answered=1)),
    "a mark": (be_due, call(ANDY)),
    "a mark, without a token": (be_due, call(ALONE, channel="")),
    "a mark by size": (lambda it: it.hset(KEYS.meta, "bytes", 2 << 20), call(ANDY)),
    "no mark before": (lambda it: it.hdel(KEYS.meta, "marked", "marked_bytes"), call(ANDY)),
    "a cut": (be_too_long, call(ANDY)),
    "a cut of several": (be_far_too_long, call(ANDY, BEN)),
}  # fmt: skip
OUT_OF_THE_ORDINARY: dict[str, tuple[Prepare, Call]] = {
    "something is unfinished": (
        lambda it: it.zadd(
            unfinished(KEYS.meta), {msgspec.msgpack.encode([["HSET", KEYS.meta, "x", "y"]]): 0}
        ),
        call(ANDY),
    ),
    "the node is condemned": (condemn, call(ANDY)),
    "the node follows it no more": (lambda it: it.delete(KEYS.batches), call(ANDY, answered=0)),
    "another epoch": (as_it_is, call(ANDY, epoch="d")),
    "nothing is there": (lambda it: it.flushall(), call(ANDY)),
    "offsets are lost": (as_it_is, call(ANDY, seen=3)),
    "batches are lost": (as_it_is, call(ANDY, number=9, answered=8)),
    "all batches are lost": (lambda it: it.delete(KEYS.batches), call(ANDY)),
    "the batch is known": (as_it_is, call(ANDY, number=2, answered=1)),
    "a later batch is known": (as_it_is, call(ANDY, number=1, answered=0)),
    "restrained": (lambda it: it.hset(KEYS.meta, "restrained", 1), call(ANDY)),
    "nothing was ever said": (lambda it: it.hdel(KEYS.meta, "used"), call(ANDY)),
    "no seat": (lambda it: it.delete(KEYS.nick("andy")), call(ANDY)),
    "another's seat": (as_it_is, call(say("n:9", "andy", 5))),
    "another's seat among others": (as_it_is, call(ANDY, say("n:9", "ben", 5), BEN)),
    "the log is ahead": (lambda it: it.xadd(KEYS.log, {"e": "{}"}, id="7-0"), call(ANDY)),
}


def run(judge: Judge, text: str, prepare: Prepare, it: Call) -> tuple[object, object, Counter[str]]:
    """Return a script's reply, all that it leaves, and how often it called which command."""
    control, (names, args) = judge.control, it
    inhabit(control)
    prepare(control)
    judge.heard()
    control.config_resetstat()
    reply = judge.node.eval(text, len(names), *names, *args)
    stats = cast(dict[str, dict[str, int]], control.info("commandstats"))
    calls = Counter({name.removeprefix("cmdstat_"): it["calls"] for name, it in stats.items()})
    return reply, judge.seen(), calls


@pytest.mark.parametrize(("prepare", "it"), ORDINARY.values(), ids=ORDINARY)
def test_talk_leaves_what_any_other_batch_does(judge: Judge, prepare: Prepare, it: Call) -> None:
    assert GENERAL != WHOLE
    reply, left, calls = run(judge, GENERAL, prepare, it)
    short, found, counted = run(judge, WHOLE, prepare, it)
    assert isinstance(short, int)
    assert (in_full(short, len(cast(Any, reply)[4])), found) == (reply, left)
    assert counted["exists"] == 1  # no other part of the script has looked
    for command in ("zadd", "hset", "xadd", "rpush", "ltrim", "xtrim", "publish"):
        assert counted[command] == calls[command], command


@pytest.mark.parametrize(("prepare", "it"), OUT_OF_THE_ORDINARY.values(), ids=OUT_OF_THE_ORDINARY)
def test_talk_that_is_out_of_the_ordinary_is_left_to_the_others_way(
    judge: Judge, prepare: Prepare, it: Call
) -> None:
    reply, left, calls = run(judge, GENERAL, prepare, it)
    *found, counted = run(judge, WHOLE, prepare, it)
    assert found == [reply, left]
    assert counted["exists"] == calls["exists"] + 1


def refuse(judge: Judge, what: str) -> None:
    """Refuse a command; ``HSET`` of one key, while that of the others is allowed."""
    command, _, key = what.partition(" ")
    judge.refuse(command)
    others = {KEYS.meta, KEYS.tokens, KEYS.batches} - {f"{{c#ops}}:{key}"}
    if key:
        rules = [f"+{command.lower()}|{it}" for it in sorted(others)]
        judge.control.execute_command("ACL", "SETUSER", "node", *rules)


@pytest.mark.parametrize(
    "case", ["one", "without a token", "several", "a mark", "a cut of several"]
)
@pytest.mark.parametrize(
    "what",
    [
        "ZADD", "XADD", "HSET", "HSET tokens", "HSET meta", "RPUSH", "LTRIM", "XTRIM", "PUBLISH",
        "HSET batches",
    ],
)  # fmt: skip
def test_talk_is_carried_out_as_a_whole(judge: Judge, case: str, what: str) -> None:
    prepare, it = ORDINARY[case]
    expected, left, _ = run(judge, GENERAL, prepare, it)
    inhabit(judge.control)
    prepare(judge.control)
    judge.heard()
    refuse(judge, what)
    names, args = it
    for _ in range(3):  # it is asked again and again
        try:
            judge.node.eval(WHOLE, len(names), *names, *args)
        except redis.ResponseError as error:
            assert "run this command" in str(error)
    judge.allow()
    reply = judge.node.eval(WHOLE, len(names), *names, *args)
    assert in_full(reply, len(cast(Any, expected)[4])) == expected
    assert judge.seen() == left


def test_talk_is_not_begun_where_its_rest_could_not_be_kept(judge: Judge) -> None:
    _, (names, args) = ORDINARY["one"]
    inhabit(judge.control)
    before = judge.seen()
    judge.refuse("ZADD")
    with pytest.raises(redis.ResponseError, match="run this command"):
        judge.node.eval(WHOLE, len(names), *names, *args)
    assert judge.seen() == before


def test_what_can_never_be_written_is_not_kept(judge: Judge) -> None:
    prepare, (names, args) = ORDINARY["a mark"]
    inhabit(judge.control)
    prepare(judge.control)
    judge.control.set(KEYS.marks, "something else")
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        judge.node.eval(WHOLE, len(names), *names, *args)
    assert not judge.control.exists(names[-1])
