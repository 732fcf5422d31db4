"""No script holds up Redis for longer than 20 ms, whatever anybody stored: each one at its bounds."""

import itertools
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, cast

import pytest
import redis

from contract.chat_stores import RedisNode, RedisStores
from contract.node import Guest
from harness.mailboxes import fill
from harness.redis_server import RedisServer
from harness.stopwatch import MOST_MILLISECONDS, Stopwatch, quickest
from tertulia.chat.device_ops import CollectOp, ForgetOp, SignUpOp
from tertulia.chat.ports import (
    MOST_AWAY,
    Member,
    Outcome,
    PresenceOp,
    RefusedOp,
    ReportOp,
    RoomJoinOp,
    RoomLeaveOp,
    SayOp,
    WhisperOp,
)
from tertulia.domain.commands import MOST_ABOUT
from tertulia.redis.script import Script
from tertulia.store import scripts
from tertulia.store.batch import RoomBatch
from tertulia.store.chat_store import ChatStore
from tertulia.store.keys import Keys, LogKeys, RoomKeys

pytestmark = pytest.mark.slow

FULL = 512
"""Ops in the largest batch."""
LARGEST = "\U0001f4ac" * 1024
"""The longest line: its bytes are four times its characters."""
LONGEST = '"' * 65_534
"""The longest message of a device; each of its characters is two in JSON."""
MOST_MUTED = 1000
"""As in ``store/lua/moderation.lua``."""
KEYS = Keys("bounds")
TIMES = 5


@pytest.fixture
def control(shared_redis: RedisServer) -> Iterator[redis.Redis]:
    shared_redis.control.flushall()
    yield shared_redis.control
    shared_redis.control.flushall()


class Bench:
    """Runs a script by itself, a few times, each time on what was prepared for it."""

    def __init__(self, server: RedisServer) -> None:
        self.control = server.control
        self._stopwatch = Stopwatch(server)

    def best(
        self,
        script: Script,
        keys: Sequence[str],
        args: Sequence[Any],
        prepare: Callable[[], object] = lambda: None,
    ) -> float:
        """Return how long it took the best of some times, or the first that was quick, in milliseconds."""
        best = float("inf")
        names = (*keys, "{bounds}:unfinished")
        with self._stopwatch as watch:
            for _ in range(TIMES):
                prepare()
                watch.reset()
                self.control.eval(script.plain.text, len(names), *names, *args)
                best = min(best, watch.longest())
                if best < MOST_MILLISECONDS:
                    break
        return best


@pytest.fixture
def bench(shared_redis: RedisServer, control: redis.Redis) -> Bench:
    return Bench(shared_redis)


def largest_entry() -> str:
    """Return the events of the largest batch of things said."""
    event = json.dumps({"t": "said", "n": "n" * 32, "s": "s", "x": LARGEST}, ensure_ascii=False)
    return "\n".join([event] * 257)


def log_of(control: redis.Redis, count: int) -> None:
    control.hset(KEYS.meta, mapping={"epoch": "e", "offset": count, "shown": 0, "joins": 1})
    for offset in range(1, count + 1):
        fields = {"p": "1700000000000000", "b": "n 1", "e": largest_entry()}
        control.xadd(KEYS.log, cast(Any, fields), id=f"{offset}-0")


# --- By themselves ----------------------------------------------------------------------------------------


def test_show(bench: Bench, control: redis.Redis) -> None:
    log_of(control, 64)
    took = bench.best(
        scripts.SHOW, [KEYS.meta, KEYS.log], ["e", 64, KEYS.room],
        lambda: control.hset(KEYS.meta, "shown", 0),
    )  # fmt: skip
    assert took < MOST_MILLISECONDS


@pytest.mark.parametrize("unread", [1, 2, 16])
def test_seat(bench: Bench, control: redis.Redis, unread: int) -> None:
    control.zadd(KEYS.leases, {"n": 9e15})
    keys = [KEYS.meta, KEYS.log, KEYS.marks, KEYS.members, KEYS.leases]
    args: list[Any] = ["n", "e", 10_000, 3_600_000, 1 << 26, KEYS.room, 1]
    for number in range(200):
        name = f"{number}".rjust(32, "n")
        keys += [KEYS.nick(name), KEYS.nicks("n")]
        args += [
            name,
            f"n:{number}",
            "n",
            name,
            "protocollo",
            1,
            "x" * MOST_AWAY,
            about := "x" * MOST_ABOUT,
            json.dumps({"t": "present", "n": name, "a": True, "x": "x" * MOST_AWAY, "r": about}),
        ]

    def prepare() -> None:
        control.delete(*set(keys[5:]), KEYS.members, KEYS.log)
        log_of(control, 1 + unread)

    assert bench.best(scripts.SEAT, keys, args, prepare) < MOST_MILLISECONDS


def test_swap(bench: Bench, control: redis.Redis) -> None:
    def prepare() -> None:
        control.delete(KEYS.log, KEYS.rewritten, KEYS.replaced)
        log_of(control, 4)
        control.xadd(KEYS.rewritten, {"e": "{}"}, id="1-0")

    keys = [KEYS.log, KEYS.rewritten, KEYS.replaced]
    assert bench.best(scripts.SWAP, keys, ["1-0", 3], prepare) < MOST_MILLISECONDS


def test_ban(bench: Bench, control: redis.Redis) -> None:
    log_of(control, 1)
    keys = [KEYS.meta, KEYS.log, KEYS.marks, KEYS.leases, KEYS.audit, KEYS.operator_command("1")]
    keys += [KEYS.bans, KEYS.ban_ends, KEYS.ended("x")]

    def prepare() -> None:
        control.delete(KEYS.operator_command("1"))
        ends = {f"address:{number}": 1 for number in range(1000)}
        control.zadd(KEYS.ban_ends, cast(Any, ends))
        control.hset(KEYS.bans, mapping=dict.fromkeys(ends, "{}"))

    args = ["{}", KEYS.room, 10_000, "address:x", "{}", 0, 1]
    assert bench.best(scripts.BAN, keys, args, prepare) < MOST_MILLISECONDS


def test_moderate(bench: Bench, control: redis.Redis) -> None:
    """A mute, where as many are muted as may be, and for all of them that is over."""
    log_of(control, 1)
    keys = [KEYS.meta, KEYS.log, KEYS.marks, KEYS.leases, KEYS.audit, KEYS.operator_command("1")]
    keys += [KEYS.moderation, KEYS.muted, KEYS.redacted, KEYS.account("x")]

    def prepare() -> None:
        control.delete(KEYS.operator_command("1"))
        names = [f"{number}".rjust(32, "n") for number in range(MOST_MUTED)]
        control.zadd(KEYS.muted, cast(Any, dict.fromkeys(names, 1)))
        control.hset(KEYS.moderation, mapping={f"mute:{name}": "x" * 600 for name in names})

    args = ["{}", KEYS.room, 10_000, "mute", "x", 60, 0, "x" * 500, '{"t":"muted","u":1}']
    assert bench.best(scripts.MODERATE, keys, args, prepare) < MOST_MILLISECONDS
    assert control.zcard(KEYS.muted) == MOST_MUTED - 500 + 1


@pytest.mark.parametrize("keys", [KEYS, RoomKeys("bounds", "ops")], ids=["lobby", "room"])
def test_post(bench: Bench, control: redis.Redis, keys: LogKeys) -> None:
    """The longest text, in slow mode, where as many are muted as may be, and the log is to be cut."""
    names = [keys.meta, keys.log, keys.marks, keys.posted("h"), keys.moderation, keys.muted]
    names += [keys.spoke, *([KEYS.account("n")] if keys is KEYS else [])]
    entry: Any = {"p": "1700000000000000", "b": "n 1", "e": largest_entry()}
    event = json.dumps({"t": "said", "n": "n" * 32, "s": "-", "x": LARGEST, "a": True})

    def prepare() -> None:
        control.delete(keys.log, keys.marks, keys.posted("h"), keys.spoke)
        meta: Any = {"epoch": "e", "offset": 8, "restrained": 1, "bytes": 9_000_000_000}
        meta |= {"marked": 0, "marked_bytes": 0}
        control.hset(keys.meta, mapping=meta)
        for offset in range(1, 9):
            control.xadd(keys.log, entry, id=f"{offset}-0")
            control.rpush(keys.marks, f"{offset} 1 1")
        control.hset(KEYS.account("n"), "since", 1)
        control.hset(keys.moderation, "slow", 1)
        muted = {f"{number}".rjust(32, "n"): 9e15 for number in range(MOST_MUTED)}
        control.zadd(keys.muted, muted)
        control.zadd(keys.spoke, {f"{number}": 1 for number in range(10_000)})

    args = ["d", keys.room, 1000, 1 << 20, "n", 1, "", event, 86_400_000]
    assert bench.best(scripts.POST, names, args, prepare) < MOST_MILLISECONDS
    assert control.exists(keys.posted("h"))
    assert control.xlen(keys.log) == 2


def test_log_out(bench: Bench, control: redis.Redis) -> None:
    names = [f"n{number}" for number in range(500)]
    keys = [KEYS.meta, KEYS.devices, *map(KEYS.device, names)]
    args = [arg for name in names for arg in (name, "192.0.2.1")]

    def prepare() -> None:
        for name in names:
            control.hset(KEYS.device(name), mapping={"address": "192.0.2.1", "nickname": name})
        control.zadd(KEYS.devices, cast(Any, dict.fromkeys(names, 9e15)))

    assert bench.best(scripts.LOG_OUT, keys, args, prepare) < MOST_MILLISECONDS
    assert not control.exists(KEYS.devices)


def test_unwait_and_sweep(bench: Bench, control: redis.Redis) -> None:
    names = [f"n{number}" for number in range(512)]

    def prepare() -> None:
        for name in names:
            control.hset(KEYS.device(name), mapping={"node": "n", "session": "s", "onchat": "x"})
            seat = {"node": "n", "sitting": 0, "session": "s", "nickname": name}
            control.hset(KEYS.nick(name), mapping=cast(Any, seat))
        control.sadd(KEYS.waiting("n"), *names)
        control.sadd(KEYS.nicks("n"), *names)
        control.hset(KEYS.meta, "sitting", 1)

    keys = [KEYS.waiting("n"), *map(KEYS.device, names)]
    assert bench.best(scripts.UNWAIT, keys, ["n", *names], prepare) < MOST_MILLISECONDS
    keys = [KEYS.meta, KEYS.nicks("n"), *map(KEYS.nick, names)]
    assert bench.best(scripts.SWEEP, keys, ["n", *names], prepare) < MOST_MILLISECONDS


ROOM = RoomKeys("bounds", "ops")


def seats(count: int) -> list[str]:
    return [f"{number}".rjust(32, "n") for number in range(count)]


def room_of(control: redis.Redis, members: Sequence[str], unread: int = 0) -> None:
    """Write a room down, with entries as large as can be."""
    control.delete(ROOM.log, ROOM.members, *map(ROOM.nick, members))
    control.hset(ROOM.meta, mapping={"epoch": "e", "offset": 1 + unread, "used": 1})
    for offset in range(1, 2 + unread):
        fields = {"p": "1700000000000000", "b": "n 1", "e": largest_entry()}
        control.xadd(ROOM.log, cast(Any, fields), id=f"{offset}-0")
    for number, name in enumerate(members):
        seat = {"node": "n", "sitting": 0, "session": f"n:{number}", "nickname": name}
        seat |= {"token": f"{number:032}", "number": number, "account": 1}
        control.hset(ROOM.nick(name), mapping=cast(Any, seat))
    control.zadd(ROOM.members, cast(Any, dict.fromkeys(members, 1) or {"n": 1}))


def committed(control: redis.Redis, ops: Sequence[Any]) -> tuple[list[str], list[Any]]:
    """Return the KEYS and ARGV of a batch in a room, as nodes send it."""
    keys = [ROOM.meta, ROOM.log, ROOM.marks, ROOM.batches, ROOM.condemned, ROOM.tokens]
    batch = RoomBatch(ROOM, len(keys))
    batch.add(*ops)
    keys += batch.keys
    if batch.letters != "S":
        keys += [ROOM.members, ROOM.token_ends, ROOM.moderation]
    args: list[Any] = ["n", 9, "e", 1, 86_400_000, ROOM.room, 0, f"{1 << 26} f 10000"]
    return keys, [*args, batch.letters, *batch.args]


def join(number: int, name: str) -> RoomJoinOp:
    return RoomJoinOp(f"m:{number}", name, name, "browser", 9_000 + number, 1, f"{number:032}")


@pytest.mark.parametrize(
    "make",
    [
        lambda number, name: join(number, name),
        lambda number, name: RoomLeaveOp(f"n:{number}", name, name),
        lambda number, name: SayOp(f"n:{number}", name, name, "x" * 512, 300, f"{number:032}"),
        lambda number, name: RefusedOp(f"n:{number}", name, 300, f"{number:032}"),
    ],
    ids=["displace", "leave", "say", "refuse"],
)
def test_room_commit(bench: Bench, control: redis.Redis, make: Callable[[int, str], Any]) -> None:
    """Each with a token of which as much is remembered as can be."""
    names = seats(FULL)
    refused = ",".join(map(str, range(2**31, 2**31 - 372, -1)))

    def prepare() -> None:
        room_of(control, names)
        control.delete(ROOM.batches)
        control.hset(ROOM.tokens, mapping={f"{n:032}": f"1 9 {refused}," for n in range(FULL)})
        over = {f"over-{number}": 1 for number in range(200)}
        control.zadd(ROOM.token_ends, cast(Any, over))

    keys, args = committed(control, [make(number, name) for number, name in enumerate(names)])
    assert bench.best(scripts.ROOM_COMMIT, keys, args, prepare) < MOST_MILLISECONDS


def test_burials_in_rooms(bench: Bench, control: redis.Redis) -> None:
    names = seats(200)
    control.zadd(ROOM.condemned, {"n": 9e15})
    keys = [ROOM.meta, ROOM.log, ROOM.marks, ROOM.members, ROOM.condemned, ROOM.token_ends]
    args = ["m", "n", 86_400_000, 1 << 26, ROOM.room, 1000, *names]
    took = bench.best(
        scripts.BURY_IN_ROOM, [*keys, *map(ROOM.nick, names)], args,
        lambda: room_of(control, names),
    )  # fmt: skip
    assert took < MOST_MILLISECONDS


@pytest.mark.parametrize("unread", [1, 16])
def test_room_seat(bench: Bench, control: redis.Redis, unread: int) -> None:
    names = seats(200)
    keys = [ROOM.meta, ROOM.log, ROOM.marks, ROOM.members, ROOM.condemned]
    args: list[Any] = ["n", "e", 86_400_000, 1 << 26, ROOM.room, 1]
    for number, name in enumerate(names):
        args += RoomBatch.seat(
            Member(name, f"n:{number}", "irc", number, about="x" * MOST_ABOUT), "n"
        )

    def prepare() -> None:
        room_of(control, [], unread)
        control.delete(*map(ROOM.nick, names))

    took = bench.best(scripts.ROOM_SEAT, [*keys, *map(ROOM.nick, names)], args, prepare)
    assert took < MOST_MILLISECONDS


def test_lists_of_rooms(bench: Bench, control: redis.Redis) -> None:
    names = seats(200)
    control.zadd(KEYS.leases, {"n": 9e15})
    control.zadd(KEYS.rooms, {f"other-{number}": 1 for number in range(9_000)})
    keys = [KEYS.rooms, KEYS.room_nodes, KEYS.node_rooms("n"), KEYS.leases]
    args: list[Any] = ["n", 1, 10_000, 1000, *(it for name in names for it in (name, 1))]
    took = bench.best(scripts.OPEN_ROOMS, keys, args, lambda: control.zrem(KEYS.rooms, *names))
    assert took < MOST_MILLISECONDS
    keys = [KEYS.rooms, KEYS.room_sizes, KEYS.room_facts]
    args = [it for name in names for it in (name, 1, 0)]
    took = bench.best(
        scripts.FORGET_ROOMS, keys, args,
        lambda: control.zadd(KEYS.rooms, dict.fromkeys(names, 1.0)),
    )  # fmt: skip
    assert took < MOST_MILLISECONDS


def test_the_end_of_a_room(bench: Bench, control: redis.Redis) -> None:
    def prepare() -> None:
        room_of(control, [], 50)
        control.delete(ROOM.members)

    keys = [ROOM.meta, ROOM.log, ROOM.marks, ROOM.members, ROOM.batches, ROOM.condemned]
    keys += [ROOM.tokens, ROOM.token_ends, ROOM.moderation, ROOM.muted, ROOM.redacted]
    keys += [ROOM.spoke, ROOM.audit]
    assert bench.best(scripts.FORGET_ROOM, keys, [1000], prepare) < MOST_MILLISECONDS
    assert not control.exists(ROOM.log)


def test_take_out(bench: Bench, control: redis.Redis) -> None:
    def prepare() -> None:
        control.delete(KEYS.inbox("n"))
        control.rpush(KEYS.inbox("n"), *(f"{number} s 1 {LARGEST}" for number in range(1, 1001)))
        control.set(KEYS.burial("n"), "m")

    keys = [KEYS.inbox("n"), KEYS.burial("n")]
    assert bench.best(scripts.TAKE_OUT, keys, ["m", 500, 5000], prepare) < MOST_MILLISECONDS


def test_webhooks(bench: Bench, control: redis.Redis) -> None:
    """With as many rooms, and dead letters, as there may be."""
    names = [KEYS.webhook("w"), KEYS.dead_letters("w")]
    state = {f"{field}:r{it}": "e:1 2 3" for it in range(100) for field in ("at", "next", "dead")}

    def prepare() -> None:
        control.hset(
            names[0], mapping=cast(Any, {**state, "holder": "a", "term": 1, "at:r1": "e:1"})
        )
        control.hset(names[0], "dead:r1", 1)
        control.delete(names[1])
        control.rpush(names[1], *["x" * 20_000] * 100)

    letter = "x" * 20_000
    step = ["a", 1, "r1", "e:1", "bury", "e:2", letter, 100]
    assert bench.best(scripts.WEBHOOK_STEP, names, step, prepare) < MOST_MILLISECONDS
    assert control.hget(names[0], "at:r1") == "e:2"
    assert control.llen(names[1]) == 100
    assert bench.best(scripts.WEBHOOK_LEASE, names[:1], ["b", 4000], prepare) < MOST_MILLISECONDS


def test_register(bench: Bench, control: redis.Redis) -> None:
    log_of(control, 2)
    keys = [KEYS.meta, KEYS.leases, KEYS.inboxes, KEYS.log, KEYS.members]
    keys += [KEYS.nicks(""), KEYS.inbox(""), KEYS.waiting("")]
    args = ["n", 10_000, "f", "e", 2, "1700000000000000", ""]
    assert bench.best(scripts.REGISTER, keys, args) < MOST_MILLISECONDS


# --- About what waits for accounts ------------------------------------------------------------------------


def test_delete_account(bench: Bench, control: redis.Redis) -> None:
    senders = [f"s{number}" for number in range(100)]
    control.hset(KEYS.account("dan"), "hash", "x")
    fixed = [KEYS.meta, KEYS.account("dan"), KEYS.device("dan"), KEYS.devices]
    fixed += [KEYS.mailbox("dan"), KEYS.senders("dan"), KEYS.stream("dan"), KEYS.nick("dan")]
    fixed += [KEYS.token("t"), KEYS.audit]
    keys = [*fixed, *(KEYS.pending("dan", name) for name in senders)]
    messages = [(f"s{number % 500}", "x" * 50) for number in range(100_000)]
    took = bench.best(
        scripts.DELETE_ACCOUNT,
        keys,
        ["dan", 0, "{}", 10_000, *senders],
        lambda: fill(control, KEYS, messages),
    )
    assert took < MOST_MILLISECONDS


def test_own_account(bench: Bench, control: redis.Redis) -> None:
    """With as many invitations as there may be."""
    keys = [KEYS.meta, KEYS.account("dan"), KEYS.nick("dan"), KEYS.token("t"), KEYS.device("dan")]
    keys += [KEYS.devices, KEYS.ended("dan"), KEYS.invitations, KEYS.audit]

    def prepare() -> None:
        control.delete(KEYS.account("dan"))
        seat = {"session": "n:1", "node": "n", "sitting": "0"}
        control.hset(KEYS.nick("dan"), mapping=cast(Any, seat))
        codes = {f"{it}": "1 5 9000000000000000" for it in range(10_000)}
        control.hset(KEYS.invitations, mapping=cast(Any, codes))

    args = ["n:1", "dan", "dan", "hash", "", "7", "{}", 10_000]
    assert bench.best(scripts.OWN_ACCOUNT, keys, args, prepare) < MOST_MILLISECONDS
    assert control.hget(KEYS.account("dan"), "hash") == "hash"


def test_take_back(bench: Bench, control: redis.Redis) -> None:
    keys = [KEYS.meta, KEYS.pending("dan", "s"), KEYS.mailbox("dan"), KEYS.senders("dan")]
    messages = [("s", "x" * 50)] * 100_000
    took = bench.best(scripts.TAKE_BACK, keys, ["s"], lambda: fill(control, KEYS, messages))
    assert took < MOST_MILLISECONDS


@pytest.mark.parametrize(
    ("count", "text"), [(20_000, ""), (200, LONGEST)], ids=["empty messages", "long messages"]
)
def test_migrate(bench: Bench, control: redis.Redis, count: int, text: str) -> None:
    senders = [f"s{number}" for number in range(100)]

    def prepare() -> None:
        control.flushall()
        pipe = control.pipeline(transaction=False)
        for number in range(count):
            pipe.xadd(KEYS.stream("dan"), {"f": senders[number % 100], "x": text})
        pipe.execute()

    fixed = [KEYS.meta, KEYS.stream("dan"), KEYS.counts("dan")]
    pairs = [key for it in senders for key in (KEYS.pending("dan", it), KEYS.account(it))]
    keys = [*fixed, KEYS.mailbox("dan"), KEYS.senders("dan"), *pairs]
    took = bench.best(scripts.MIGRATE, keys, [100, 65_536, *senders], prepare)
    assert took < MOST_MILLISECONDS


# --- Batches ----------------------------------------------------------------------------------------------


@pytest.fixture
async def room(chat_stores: RedisStores) -> tuple[RedisNode, list[Guest]]:
    """A node with a full batch of people, who may leave as much as they like."""
    bounds = {"pending_messages": 10**6, "pending_sender_bytes": 1 << 30, "pending_bytes": 1 << 30}
    node = await chat_stores.node("node", lease_seconds=60, redis_timeout_seconds=30, **bounds)
    guests = [node.guest(f"guest-{number}") for number in range(FULL)]
    for guest in guests:
        guest.join()
    await node.store.settle()
    return node, guests


async def longest(stores: RedisStores, work: Callable[[], Awaitable[object]]) -> float:
    with Stopwatch(stores.server) as stopwatch:
        return await quickest(stopwatch, work)


async def test_things_said(chat_stores: RedisStores, room: tuple[RedisNode, list[Guest]]) -> None:
    node, guests = room

    async def say() -> None:
        for guest in guests:
            guest.say(LARGEST)
        await node.store.settle()

    assert await longest(chat_stores, say) < MOST_MILLISECONDS


async def test_people_who_are_away(
    chat_stores: RedisStores, room: tuple[RedisNode, list[Guest]]
) -> None:
    node, guests = room
    words = itertools.cycle(("x" * MOST_AWAY, "y" * MOST_AWAY))

    async def go_away() -> None:
        away = next(words)
        said = [
            PresenceOp(guest.session, guest.key, guest.nickname, away, away[0] == "x")
            for guest in guests
        ]
        for op in said:
            node.store.submit(op)
        await node.store.settle()
        assert {op.outcome for op in said} == {Outcome.DONE}

    assert await longest(chat_stores, go_away) < MOST_MILLISECONDS


async def test_things_said_in_slow_mode_where_many_are_muted(
    chat_stores: RedisStores, room: tuple[RedisNode, list[Guest]]
) -> None:
    node, guests = room
    control, keys = chat_stores.server.control, chat_stores.keys
    names = [f"{number}".rjust(32, "n") for number in range(MOST_MUTED)]
    control.zadd(keys.muted, cast(Any, dict.fromkeys(names, float("inf"))))
    control.hset(keys.moderation, "slow", 3600)
    control.hset(keys.meta, "restrained", 1)

    async def say() -> None:
        control.delete(keys.spoke)
        said = [guest.say(LARGEST) for guest in guests]
        await node.store.settle()
        assert {op.outcome for op in said} == {Outcome.DONE}

    assert await longest(chat_stores, say) < MOST_MILLISECONDS
    assert control.zcard(keys.spoke) == FULL


@pytest.mark.parametrize("text", ["", LARGEST], ids=["empty", "long"])
async def test_messages_that_are_kept(
    chat_stores: RedisStores, room: tuple[RedisNode, list[Guest]], text: str
) -> None:
    node, guests = room
    chat_stores.give_password("dan", "x")

    async def leave() -> None:
        for guest in guests:
            op = WhisperOp(
                guest.session, guest.key, guest.nickname, "dan", text, keep=True, away=True
            )
            node.store.submit(op)
        await node.store.settle()

    assert await longest(chat_stores, leave) < MOST_MILLISECONDS


async def test_reports_that_are_kept(
    chat_stores: RedisStores, room: tuple[RedisNode, list[Guest]]
) -> None:
    node, guests = room
    chat_stores.give_password("dan", "x")

    async def report() -> None:
        for guest in guests:
            node.store.submit(ReportOp("", guest.key, "dan", LARGEST, 0))
        await node.store.settle()

    assert await longest(chat_stores, report) < MOST_MILLISECONDS


async def test_sign_ups(chat_stores: RedisStores) -> None:
    node = await chat_stores.node()

    async def sign_up() -> None:
        for number in range(FULL):
            name = f"n{number}".rjust(32, "n")
            node.store.submit(
                SignUpOp(
                    "d", name, nickname=name, password_hash="x" * 97, address="192.0.2.1", port=4000
                )
            )
        await node.store.settle()
        chat_stores.server.control.flushdb()

    assert await longest(chat_stores, sign_up) < MOST_MILLISECONDS


SHAPES = {
    "many senders": [(f"s{number}", "") for number in range(5000)],
    "many messages": [("s", "")] * 20_000,
    "in turns": [(f"s{number % 100}", "") for number in range(20_000)],
    "long messages": [(f"s{number % 100}", LONGEST) for number in range(300)],
}
"""What may be in a mailbox, wherever its bounds are set."""


def empty(stores: RedisStores, *names: str) -> None:
    """Take away what waits for accounts: what is measured begins anew."""
    control, keys = stores.server.control, stores.keys
    for name in names:
        lists = cast(list[str], control.keys(keys.pending(name, "*")))
        control.unlink(keys.mailbox(name), keys.senders(name), *lists)


@pytest.mark.parametrize("shape", SHAPES)
async def test_what_waits_is_handed_over(chat_stores: RedisStores, shape: str) -> None:
    """To more than a batch has room for."""
    node = await chat_stores.node("node", lease_seconds=60, redis_timeout_seconds=30)
    store = cast(ChatStore, node.store)
    owners = [node.guest(f"dan-{number}") for number in range(5)]
    for owner in owners:
        chat_stores.give_password(owner.key, "x")
        owner.join(proven=True)
    await store.settle()

    async def collect() -> None:
        empty(chat_stores, *(owner.key for owner in owners))
        for owner in owners:
            fill(chat_stores.server.control, chat_stores.keys, SHAPES[shape], owner.key)
            senders = tuple(await store.accounts.oldest_senders(owner.key))
            store.submit(CollectOp(owner.session, owner.key, owner.nickname, senders))
        await store.settle()

    assert await longest(chat_stores, collect) < MOST_MILLISECONDS
    assert node.follower.letters


@pytest.mark.parametrize("shape", ["many messages", "in turns"])
async def test_what_was_shown_is_forgotten(chat_stores: RedisStores, shape: str) -> None:
    node = await chat_stores.node("node", lease_seconds=60, redis_timeout_seconds=30)
    store = cast(ChatStore, node.store)
    control = chat_stores.server.control

    async def forget() -> None:
        empty(chat_stores, "dan")
        fill(control, chat_stores.keys, SHAPES[shape])
        (sender,) = [it.sender for it in await store.accounts.hanging("dan", 1)]
        shown = [await store.accounts.pending("dan", sender, 65_535)]
        last = shown[0][-1].number
        for number in range(32):
            store.submit(ForgetOp(f"d{number}", "dan", sender=sender, number=last + number * 500))
        await store.settle()

    assert await longest(chat_stores, forget) < MOST_MILLISECONDS


async def test_a_full_log_is_trimmed(
    chat_stores: RedisStores, room: tuple[RedisNode, list[Guest]]
) -> None:
    node, (guest, *_) = room
    control, keys = chat_stores.server.control, chat_stores.keys

    async def trim() -> None:
        # Eight marks, each a mebibyte of short entries behind the other.
        offset = int(cast(str, control.hget(keys.meta, "offset")))
        pipe = control.pipeline(transaction=False)
        for number in range(8 * 4096):
            fields = {"p": "1700000000000000", "b": "x 0", "e": "x" * 192}
            pipe.xadd(keys.log, cast(Any, fields), id=f"{offset + number + 1}-0")
            if number % 4096 == 4095:
                pipe.rpush(keys.marks, f"{offset + number + 1} 1 1")
        pipe.hset(keys.meta, mapping={"offset": offset + 8 * 4096, "marked": 0})
        pipe.execute()
        guest.say("once more")
        await node.store.settle()

    node.follower.trimmed = True
    assert await longest(chat_stores, trim) < MOST_MILLISECONDS


async def test_a_whole_inbox_is_confirmed(
    chat_stores: RedisStores, room: tuple[RedisNode, list[Guest]]
) -> None:
    node, guests = room

    async def confirm() -> None:
        node.follower.done_with = node.follower.confirmed() if node.follower.letters else 0
        for _ in range(20):
            for guest in guests:
                guest.whisper("guest-0", "x" * 100)
            await node.store.settle()
        node.follower.done_with = None
        guests[0].say("done")
        await node.store.settle()

    assert await longest(chat_stores, confirm) < MOST_MILLISECONDS
