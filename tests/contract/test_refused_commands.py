"""Redis refuses a command in the middle of a script: it is as if the script had only taken longer."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import pytest
import redis

from contract.chat_stores import RedisNode, RedisStores
from contract.node import WITHIN, Guest
from harness.redis_server import ONCE, RedisServer
from harness.waiting import until
from tertulia.chat.device_ops import DeviceOp, ForgetOp, RequestOp, SignUpOp
from tertulia.chat.ports import JoinOp, Op
from tertulia.domain.requests import JoinUp, LeaveChat, LogIn, LogOut, Message, OpenChat
from tertulia.redis.script import Script
from tertulia.store import scripts
from tertulia.store.burials import forget_keys
from tertulia.store.keys import Keys
from tertulia.telemetry.metrics import RetryCause

KEYS = Keys("c")
NODE = "one~000000"
DEAD = "two~000000"
ORDER = '{"t":"order","id":"1"}'
_COMMANDS = re.compile(r"(?:redis\.p?call|write)\('(\w+)'")

Call = tuple[Script, Sequence[str], Sequence[Any]]
"""A script, its keys and its arguments."""


def nick(name: str) -> str:
    return KEYS.nick(name)


def commands_of(script: Script) -> list[str]:
    """Return the commands that a script names, those that it only tries included."""
    return sorted(set(_COMMANDS.findall(script.plain.text)))


# --- What is there before each script ---------------------------------------------------------------------


def fill(control: redis.Redis) -> None:
    """Write down a chat with two nodes, one of them dead, and something of everything."""
    control.hset(
        KEYS.meta, mapping={"epoch": "e", "offset": 2, "base": 0, "joins": 3, "pending": 1}
    )
    for offset in (1, 2):
        fields = {"p": "1700000000000000", "b": f"{NODE} {offset}", "e": "{}"}
        control.xadd(KEYS.log, cast(Any, fields), id=f"{offset}-0")
    control.zadd(KEYS.leases, {NODE: 9e15, DEAD: 5})
    control.hset(KEYS.batches, mapping={NODE: "2 2 0 d ", DEAD: "1 1 0 d "})
    control.hset(KEYS.inboxes, mapping={NODE: 0, DEAD: 2})
    for joined, (name, node) in enumerate((("ann", NODE), ("ben", DEAD), ("cid", DEAD)), 1):
        seat: dict[Any, Any] = {
            "session": f"{node}:{joined}",
            "node": node,
            "sitting": "0",
            "nickname": name,
        }
        control.hset(nick(name), mapping=seat)
        control.zadd(KEYS.members, {name: joined})
        control.sadd(KEYS.nicks(node), name)
    control.rpush(KEYS.inbox(DEAD), f"1 {DEAD}:2 5 {{}}", f"2 {DEAD}:3 5 {{}}")
    for name in ("dan", "eve"):
        control.hset(KEYS.account(name), mapping={"nickname": name, "hash": "x", "since": 5})
        login: dict[Any, Any] = {
            "nickname": name,
            "address": "192.0.2.1",
            "port": 4000,
            "onchat": "ann",
        }
        control.hset(KEYS.device(name), mapping={**login, "node": DEAD, "session": f"{DEAD}:9"})
        control.zadd(KEYS.devices, {name: 9e15})
    control.sadd(KEYS.waiting(DEAD), "dan", "eve")
    control.rpush(KEYS.pending("dan", "ann"), "5 5 0 ann hello")
    line = "1 581 581 5 0 ann"
    control.hset(KEYS.mailbox("dan"), mapping={"": "5 1 581 581", "ann": line})
    control.zadd(KEYS.senders("dan"), {"ann": 5})
    control.hset(KEYS.bans, mapping={"account:old": "{}", "account:eve": "{}"})
    control.zadd(KEYS.ban_ends, {"account:old": 5, "account:eve": 9e15})


def empty(control: redis.Redis) -> None:
    """Nothing is there."""


def condemned(control: redis.Redis) -> None:
    fill(control)
    control.zadd(KEYS.leases, {DEAD: 0})
    control.set(KEYS.burial(DEAD), NODE)


def emptied(control: redis.Redis) -> None:
    condemned(control)
    control.delete(KEYS.nicks(DEAD), KEYS.inbox(DEAD), KEYS.waiting(DEAD))


def closed(control: redis.Redis) -> None:
    fill(control)
    control.hset(KEYS.meta, "sitting", 1)


def copied(control: redis.Redis) -> None:
    fill(control)
    control.xadd(KEYS.rewritten, {"e": "{}"}, id="1-0")


def many(control: redis.Redis) -> None:
    fill(control)
    control.rpush(KEYS.pending("dan", "eve"), "7 7 1 eve you there?")
    lines: dict[Any, Any] = {"": "7 2 1167 581", "eve": "1 586 0 7 0 eve"}
    control.hset(KEYS.mailbox("dan"), mapping=lines)
    control.zadd(KEYS.senders("dan"), {"eve": 7})


def older(control: redis.Redis) -> None:
    many(control)
    for number, sender in ((3, "eve"), (4, "Ann")):
        fields = {"f": sender, "x": f"in a stream {number}"}
        control.xadd(KEYS.stream("dan"), cast(Any, fields), id=f"{number}-0")
    control.hset(KEYS.counts("dan"), mapping={"ann": 1, "eve": 1, "": 32, ":3-0": 2})


def seated(control: redis.Redis) -> None:
    """Ann is in the room, as a guest with an invitation, and Dan as an account."""
    fill(control)
    seat: dict[Any, Any] = {"session": f"{NODE}:1", "node": NODE, "sitting": "0", "nickname": "dan"}
    control.hset(nick("dan"), mapping=seat)
    control.hset(KEYS.token("t"), mapping={"key": "ann", "as": "guest", "joins": 1})
    control.hset(KEYS.invitations, "code", "1 5 9000000000000000")


def away(control: redis.Redis) -> None:
    fill(control)
    control.delete(KEYS.device("dan"))


def lost(control: redis.Redis) -> None:
    fill(control)
    control.delete(nick("ben"), nick("cid"), KEYS.members)


def order(script: Script, *more: str, args: Sequence[str | int] = ()) -> Call:
    head = [KEYS.meta, KEYS.log, KEYS.marks, KEYS.leases, KEYS.audit, KEYS.operator_command("1")]
    return script, [*head, *more], [ORDER, KEYS.room, 100, *args]


def moderated(control: redis.Redis) -> None:
    """Eve was muted, and a message was said that is withdrawn, as an older one was."""
    fill(control)
    control.xadd(KEYS.log, cast(Any, {"p": "1", "b": f"{NODE} 3", "e": '{"t":"said"}'}), id="3-0")
    control.hset(KEYS.meta, "offset", 3)
    control.xtrim(KEYS.log, minid="2-0", approximate=False)
    control.hset(KEYS.moderation, "mute:eve", "{}")
    control.zadd(KEYS.muted, {"eve": 5})
    control.zadd(KEYS.redacted, {"1 0": 1})


def moderate(action: str, key: str, value: int = 0, event: str = "{}") -> Call:
    more = [KEYS.moderation, KEYS.muted, KEYS.redacted, KEYS.account(key)]
    return order(scripts.MODERATE, *more, args=[action, key, value, 0, "", event])


def own_account(key: str, was: str, hashed: str, invitation: str = "") -> Call:
    names = [KEYS.meta, KEYS.account(key), nick(key), KEYS.token("t"), KEYS.device(key)]
    names += [KEYS.devices, KEYS.ended(key), KEYS.invitations, KEYS.audit]
    return scripts.OWN_ACCOUNT, names, [f"{NODE}:1", key, key, hashed, was, invitation, ORDER, 100]


def relayed(control: redis.Redis) -> None:
    """A webhook is relayed, and a delivery of it was given up."""
    fill(control)
    state = {"holder": "api", "until": 5, "term": 2, "at:ops": "e:1", "next:ops": "e:2 3 5"}
    control.hset(KEYS.webhook("tickets"), mapping=cast(Any, state))
    control.rpush(KEYS.dead_letters("tickets"), "{}")


def webhook_step(step: str) -> Call:
    names = [KEYS.webhook("tickets"), KEYS.dead_letters("tickets")]
    return scripts.WEBHOOK_STEP, names, ["api", 2, "ops", "e:1", step, "e:2", "4", 1]


def migrate(most: int) -> Call:
    senders = ("ann", "eve")
    pairs = [key for it in senders for key in (KEYS.pending("dan", it), KEYS.account(it))]
    fixed = [KEYS.meta, KEYS.stream("dan"), KEYS.counts("dan")]
    names = [*fixed, KEYS.mailbox("dan"), KEYS.senders("dan"), *pairs]
    return scripts.MIGRATE, names, [most, 65_536, *senders]


ROOM = (KEYS.meta, KEYS.log, KEYS.marks, KEYS.members, KEYS.leases)
CASES: dict[str, tuple[Callable[[redis.Redis], None], Call]] = {
    "REGISTER": (
        empty,
        (
            scripts.REGISTER,
            [
                *(KEYS.meta, KEYS.leases, KEYS.inboxes, KEYS.log, KEYS.members),
                *(KEYS.nicks(DEAD), KEYS.inbox(DEAD), KEYS.waiting(DEAD)),
            ],
            [NODE, 10_000, "e", "", 0, "", DEAD],
        ),
    ),
    "SEAT": (
        lost,
        (
            scripts.SEAT,
            [*ROOM, nick("ben"), KEYS.nicks(DEAD), nick("eve"), KEYS.nicks(NODE)],
            # Who is its own it says anew each time that it is asked, so nobody here is.
            [
                *(NODE, "e", 10_000, 3_600_000, 1_000_000, KEYS.room, 2),
                *("ben", f"{DEAD}:2", DEAD, "ben", "chatte", 0, "lunch", "", ""),
                *("eve", f"{NODE}:9", NODE, "eve", "chatte", 1, "", "", ""),
            ],
        ),
    ),
    "SHOW": (fill, (scripts.SHOW, [KEYS.meta, KEYS.log], ["e", 2, KEYS.room])),
    "CONDEMN": (
        fill,
        (scripts.CONDEMN, [KEYS.leases, KEYS.burial(DEAD)], [DEAD, "5", NODE, 5_000]),
    ),
    "BURY": (
        condemned,
        (
            scripts.BURY,
            [*ROOM, KEYS.nicks(DEAD), KEYS.burial(DEAD), nick("ben"), nick("cid")],
            [NODE, DEAD, 3_600_000, 1_000_000, KEYS.room, 5_000, "ben", "cid"],
        ),
    ),
    "TAKE_OUT": (
        condemned,
        (scripts.TAKE_OUT, [KEYS.inbox(DEAD), KEYS.burial(DEAD)], [NODE, 1, 5_000]),
    ),
    "UNWAIT": (
        condemned,
        (
            scripts.UNWAIT,
            [KEYS.waiting(DEAD), KEYS.device("dan"), KEYS.device("eve")],
            [DEAD, "dan", "eve"],
        ),
    ),
    "FORGET": (
        emptied,
        (
            scripts.FORGET,
            forget_keys(KEYS, DEAD),
            [DEAD],
        ),
    ),
    "SWEEP": (
        closed,
        (
            scripts.SWEEP,
            [KEYS.meta, KEYS.nicks(DEAD), nick("ben"), nick("cid")],
            [DEAD, "ben", "cid"],
        ),
    ),
    "DELETE_ACCOUNT": (
        fill,
        (
            scripts.DELETE_ACCOUNT,
            [
                *(KEYS.meta, KEYS.account("dan"), KEYS.device("dan"), KEYS.devices),
                *(KEYS.mailbox("dan"), KEYS.senders("dan"), KEYS.stream("dan")),
                *(nick("dan"), KEYS.token("t"), KEYS.audit, KEYS.pending("dan", "ann")),
            ],
            ["dan", 0, ORDER, 100, "ann"],
        ),
    ),
    "DELETE_ACCOUNT, unused": (
        away,
        (
            scripts.DELETE_ACCOUNT,
            [
                *(KEYS.meta, KEYS.account("dan"), KEYS.device("dan"), KEYS.devices),
                *(KEYS.mailbox("dan"), KEYS.senders("dan"), KEYS.stream("dan")),
                *(nick("dan"), KEYS.token("t"), KEYS.audit, KEYS.pending("dan", "ann")),
            ],
            ["dan", 1000, "", 100, "ann"],
        ),
    ),
    "OWN_ACCOUNT, made": (seated, own_account("ann", "", "y", "code")),
    "OWN_ACCOUNT, changed": (seated, own_account("dan", "x", "y")),
    "REFRESH": (
        fill,
        (
            scripts.REFRESH,
            [KEYS.device("dan"), KEYS.devices, KEYS.account("dan")],
            ["dan", 86_400_000],
        ),
    ),
    "SIGN_UP_TURN": (
        empty,
        (scripts.SIGN_UP_TURN, [KEYS.sign_ups("192.0.2.1")], [30, 120_000, 1]),
    ),
    "DELETE_ACCOUNT, more": (
        many,
        (
            scripts.DELETE_ACCOUNT,
            [
                *(KEYS.meta, KEYS.account("dan"), KEYS.device("dan"), KEYS.devices),
                *(KEYS.mailbox("dan"), KEYS.senders("dan"), KEYS.stream("dan")),
                *(nick("dan"), KEYS.token("t"), KEYS.audit, KEYS.pending("dan", "ann")),
            ],
            ["dan", 0, ORDER, 100, "ann"],
        ),
    ),
    "MIGRATE": (older, migrate(100)),
    "ADD_ACCOUNT": (
        fill,
        (
            scripts.ADD_ACCOUNT,
            [KEYS.meta, KEYS.account("fay"), nick("fay")],
            ["Fay", "x"],
        ),
    ),
    "SWAP": (
        copied,
        (scripts.SWAP, [KEYS.log, KEYS.rewritten, KEYS.replaced], ["1-0", 20]),
    ),
    "TAKE_BACK": (
        fill,
        (
            scripts.TAKE_BACK,
            [KEYS.meta, KEYS.pending("dan", "ann"), KEYS.mailbox("dan"), KEYS.senders("dan")],
            ["ann"],
        ),
    ),
    "TAKE_BACK, some": (
        many,
        (
            scripts.TAKE_BACK,
            [KEYS.meta, KEYS.pending("dan", "ann"), KEYS.mailbox("dan"), KEYS.senders("dan")],
            ["ann"],
        ),
    ),
    "ANNOUNCE": (fill, order(scripts.ANNOUNCE, args=[1, '{"t":"said"}'])),
    "EXPEL": (
        fill,
        order(
            scripts.EXPEL,
            *(KEYS.members, nick("ann"), KEYS.device("ann"), KEYS.devices),
            *(KEYS.ended("ann"), KEYS.nicks(NODE)),
            args=["ann", NODE],
        ),
    ),
    "BAN": (
        fill,
        order(
            scripts.BAN,
            *(KEYS.bans, KEYS.ban_ends, KEYS.ended("dan")),
            args=["account:dan", "{}", 0, 1],
        ),
    ),
    "LOG_OUT": (
        fill,
        (
            scripts.LOG_OUT,
            [KEYS.meta, KEYS.devices, KEYS.device("dan"), KEYS.device("eve")],
            ["dan", "", "eve", "192.0.2.1"],
        ),
    ),
    "UNBAN": (fill, order(scripts.UNBAN, KEYS.bans, KEYS.ban_ends, args=["account:eve"])),
    "MODERATE, mute": (moderated, moderate("mute", "ann", 60, '{"t":"muted","u":1}')),
    "MODERATE, redact": (moderated, moderate("redact", "", 3)),
    "WEBHOOK_LEASE": (
        relayed,
        (scripts.WEBHOOK_LEASE, [KEYS.webhook("tickets")], ["another", 4_000]),
    ),
    "WEBHOOK_LEASE, back": (
        relayed,
        (scripts.WEBHOOK_LEASE, [KEYS.webhook("tickets")], ["api", 0]),
    ),
    **{f"WEBHOOK_STEP, {it}": (relayed, webhook_step(it)) for it in ("pin", "fail", "bury")},
    "CLOSE": (fill, order(scripts.CLOSE, KEYS.members, args=['{"t":"closed"}'])),
}
TRIED = [(name, it) for name, (_, (script, *_)) in CASES.items() for it in commands_of(script)]


# --- What came of it --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """All that anybody can see of a chat, without times."""

    keys: dict[str, str]
    published: list[tuple[str, str]]


class Judge:
    """Watches one Redis: its keys, and what it publishes."""

    def __init__(self, server: RedisServer) -> None:
        self.control = server.control
        self.control.acl_setuser(
            "node", enabled=True, nopass=True, keys=["*"], channels=["*"], commands=["+@all"]
        )
        self.node = redis.Redis(
            port=server.port, username="node", password="any", decode_responses=True, retry=ONCE
        )
        self._heard = self.control.pubsub()
        self._heard.psubscribe("{*")
        self._heard.get_message(timeout=5)

    def close(self) -> None:
        self._heard.close()
        self.node.close()
        self.control.acl_deluser("node")

    def prepare(self, prepare: Callable[[redis.Redis], None]) -> None:
        """Have everything there that is to be there before a script, all at once."""
        with self.control.pipeline(transaction=False) as at_once:
            prepare(at_once)
            at_once.execute()
        self.heard()

    def refuse(self, command: str) -> None:
        self.control.acl_setuser("node", enabled=True, commands=[f"-{command.lower()}"])

    def allow(self) -> None:
        self.control.acl_setuser("node", enabled=True, commands=["+@all"])

    def seen(self, *, names: Sequence[tuple[str, str]] = ()) -> Seen:
        """Return what is there, and what was published since the last time; ``names`` are replaced."""

        def plain(told: object) -> str:
            text = re.sub(r"\d{12,}(\.0)?", "TIME", str(told))
            for name, by in names:
                text = text.replace(name, by)
            return text

        published = [(plain(channel), plain(data)) for channel, data in self.heard()]
        keys = sorted(cast(list[str], self.control.keys("*")))
        # One command after the other, they would be most of what the tests take.
        with self.control.pipeline(transaction=False) as at_once:
            for key in keys:
                at_once.type(key)
                at_once.pttl(key)
            told = at_once.execute()
            kinds, ends = told[::2], told[1::2]
            for key, kind in zip(keys, kinds, strict=True):
                _READ[kind](at_once, key)
            values = at_once.execute()
        found = {
            plain(key): plain((_in_order(value), end > 0))
            for key, value, end in zip(keys, values, ends, strict=True)
        }
        return Seen(found, published)

    def heard(self) -> list[tuple[str, str]]:
        """Return what was published since the last time."""
        self.control.publish("{end}", "end")
        published = []
        while (message := self._heard.get_message(timeout=5)) is not None:
            if message["channel"] == "{end}":
                break
            published.append((message["channel"], message["data"]))
        return published


_READ: dict[str, Callable[[redis.Redis, str], object]] = {
    "string": lambda control, key: control.get(key),
    "hash": lambda control, key: control.hgetall(key),
    "zset": lambda control, key: control.zrange(key, 0, -1, withscores=True),
    "set": lambda control, key: control.smembers(key),
    "list": lambda control, key: control.lrange(key, 0, -1),
    "stream": lambda control, key: control.xrange(key),
}


def _in_order(value: object) -> object:
    """Return a value of which Redis gives the parts in any order, in one order."""
    match value:
        case dict():
            return sorted(value.items())
        case set():
            return sorted(value)
        case _:
            return value


@pytest.fixture
def judge(shared_redis: RedisServer) -> Iterator[Judge]:
    judge = Judge(shared_redis)
    shared_redis.control.flushall()
    yield judge
    judge.close()


def run(client: redis.Redis, call: Call) -> None:
    script, keys, args = call
    unfinished = "{c}:unfinished"
    client.eval(script.plain.text, len(keys) + 1, *keys, unfinished, *args)


def test_a_key_of_another_kind_holds_up_nobody_else(judge: Judge) -> None:
    """What can never be done is not written down to be done by the next."""
    prepare, call = CASES["UNBAN"]
    prepare(judge.control)
    judge.control.set(KEYS.audit, "something else")
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        run(judge.node, call)
    run(judge.node, CASES["TAKE_OUT"][1])


@pytest.mark.parametrize(("name", "command"), TRIED)
def test_a_script_is_carried_out_as_a_whole(judge: Judge, name: str, command: str) -> None:
    prepare, call = CASES[name]
    judge.prepare(prepare)
    run(judge.node, call)
    expected = judge.seen()

    judge.control.flushdb()
    judge.prepare(prepare)
    judge.refuse(command)
    for _ in range(3):  # it is asked again and again
        try:
            run(judge.node, call)
        except redis.ResponseError as error:
            assert "run this command" in str(error)
    judge.allow()
    run(judge.node, call)
    assert judge.seen() == expected


# --- The commit script, as a node runs it -----------------------------------------------------------------


@dataclass(frozen=True)
class Told:
    """What a batch came to: for who asked, for who listens, and what is kept of it."""

    outcomes: list[str]
    events: list[str]
    letters: list[str]
    keys: dict[str, str]


async def do_everything(stores: RedisStores, judge: Judge, refused: str | None) -> Told:
    """Have a node commit each kind of op in one batch, while Redis refuses a command at first."""
    judge.control.flushall()
    stores.user = "node"
    node = await stores.node("one")
    guests = await node.enter("andy", "betty", "carl")
    if refused:
        judge.refuse(refused)
    ops = submit_everything(guests, node.guest("dora"), node.guest("carl"))
    if refused:
        await until(
            lambda: all(op.outcome for op in ops) or retries(node) >= 3, WITHIN, "it to be refused"
        )
        judge.allow()
    await node.store.settle()
    nicks = stores.keys.nicks(node.store.node)
    await until(lambda: not judge.control.exists(nicks), WITHIN, "the closed chat to be swept")
    names = [(guests[0].session.partition(":")[0], "NODE"), (stores.chat, "CHAT")]
    kept = judge.seen(names=names).keys
    passing = re.compile(r".*:(meta|log|marks|leases|batches|inboxes|facts|inbox)$")
    told = Told(
        [f"{type(op).__name__} {op.outcome} {getattr(op, 'note', '')}" for op in ops],
        [it.replace(names[0][0], "NODE") for it in node.follower.calls if it.startswith("event")],
        [it.replace(names[0][0], "NODE") for it in node.follower.calls if it.startswith("letter")],
        {name: value for name, value in kept.items() if not passing.fullmatch(name)},
    )
    await stores.end()
    stores.leave_to_end(node)
    assert not node.follower.broken
    return told


def submitted(guest: Guest, op: Op) -> Op:
    guest.node.store.submit(op)
    return op


def retries(node: RedisNode) -> float:
    return sum(node.counted("commit_retries_total", cause=cause.value) for cause in RetryCause)


def submit_everything(guests: Sequence[Guest], newcomer: Guest, other: Guest) -> list[Op]:
    """Submit one of each op, and return them."""
    andy, betty, carl = guests
    where, token = "192.0.2.7", "0" * 32
    devices: list[DeviceOp] = [
        SignUpOp("", "ada", nickname="Ada", password_hash="hash", address=where, port=5001),
        SignUpOp("", "bob", nickname="Bob", password_hash="hash", address=where, port=5002),
        RequestOp("", "ada", LogIn("Ada", 5003), where),
        RequestOp(f"{andy.session}9", "ada", OpenChat("Ada", "Bob"), where),
        RequestOp("", "ada", Message("Ada", "Bob", "hello"), where),
        RequestOp("", "ada", Message("Ada", "betty", "hello"), where),
        RequestOp(f"{andy.session}8", "bob", OpenChat("Bob", "Ada"), where),
        RequestOp("", "ada", JoinUp("Ada", "Bob"), where),
        RequestOp("", "bob", LeaveChat("Bob"), where),
        ForgetOp("", "bob", sender="ada", number=10**15),
        RequestOp("", "bob", LogOut("Bob"), where),
    ]
    for op in devices:
        andy.node.store.submit(op)
    return [
        *devices,
        newcomer.join(token),
        newcomer.say("tagged", 1, token),
        andy.say("hello"),
        andy.whisper("betty", "psst", 2, "1" * 32),
        betty.whisper("andy", "psst"),
        andy.whisper("Ada", "for later"),
        betty.report_to(andy, "lost"),
        other.join(),
        submitted(andy, JoinOp(f"{andy.session}7", "ada", "Ada", "chatte", where, 5, proven=True)),
        betty.leave(),
        carl.change("lunch", account=True),
        carl.say("bye"),
        carl.close_chat(),
        andy.close_chat(),
    ]


@pytest.mark.slow
async def test_a_batch_is_committed_as_a_whole(chat_stores: RedisStores, judge: Judge) -> None:
    expected = await do_everything(chat_stores, judge, None)
    assert "SayOp Outcome.DONE " in expected.outcomes
    for command in commands_of(scripts.COMMIT):
        assert await do_everything(chat_stores, judge, command) == expected, command
