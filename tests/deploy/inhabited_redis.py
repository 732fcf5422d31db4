"""A Redis as shipped in which people, devices and operators have left something of every kind."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import redis
from msgspec.structs import replace
from pydantic import SecretStr

from deploy.shipped_redis import PASSWORDS, ShippedRedis
from deploy.tools import ROOT
from harness.admin import Admin
from harness.browser_client import BrowserClient
from harness.chatte_client import ChatteClient
from harness.device_client import chat, leave_messages, log_in, sign_up
from harness.load import settle
from harness.node import Listener, Node
from harness.waiting import until
from tertulia.operators.deployment import Deployment
from tertulia.settings.model import Settings

TRANSIENT = {
    *("{main}:node:ID:burial", "{main}:unfinished", "{main}:rewritten", "{main}:replaced"),
    *("{main}:changes:NETWORK", "{main}:spoke", "{main}:pending:andy", "{main}:counts:andy"),
    *("{main#ops}:unfinished", "{main#ops}:spoke", "{main#ops}:condemned"),
}
"""Keys that are gone after seconds, or are seldom there at all; two are of earlier versions."""
ROOM = "ops"
"""The further room in which some of them are."""
BOTH = "redis.call('SET', KEYS[1], 1) redis.call('SET', KEYS[2], 2)"
"""A script as those of the nodes: what it writes is a transaction in the append-only file."""
NEW = ("{main}:new", "{main}:newer")
_SAID = '{"t":"said"'
_EXPIRY_MS = 1000
"""By how much a key's end may differ: it is computed from a clock that a test reads."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What one key holds."""

    type: str
    value: Any
    expires_ms: int | None
    """When, by Redis' clock; None: never."""


async def inhabit(server: ShippedRedis, folder: Path) -> None:
    """Run two nodes with people of all dialects, and operators, and kill them in the middle of it."""
    url = f"redis://tertulia@127.0.0.1:{server.port}/0"
    password = folder / "password"
    password.write_text(PASSWORDS["tertulia"] + "\n")
    nodes = [
        Node(
            folder / name,
            redis_url=url,
            node_id=name,
            listeners=tuple(map(Listener, ("chatte", "browser", "device"))),
            settings={"REDIS_PASSWORD_FILE": str(password), "ACCOUNTS__SIGN_UPS_PER_HOUR": "30"},
        )
        for name in ("one", "two")
    ]
    admin = Admin(url, REDIS_PASSWORD_FILE=str(password))
    try:
        for node in nodes:
            await node.ready()
        one, two = (node.port("device") for node in nodes)
        for name in ("ada", "bob", "eve"):
            await sign_up(one, name)
        await leave_messages(two, "ada", "bob", "are you there?", "¿estás?")
        waiting, answer = await chat(one, "bob", "ada")
        assert answer == 1, "bob waits for ada"
        assert (await log_in(two, "ada", password="wrong"))[-1] != 0

        anne = await ChatteClient.enter_chat(nodes[0].port(), "anne")
        bert = await BrowserClient.enter_chat(nodes[1].port("browser"), "bert")
        carl = await ChatteClient.enter_chat(nodes[0].port(), f"carl@{ROOM}")
        people: list[ChatteClient] = [anne, bert, carl]
        await bert.join_room(ROOM)
        dora = await BrowserClient.enter_chat(nodes[0].port("browser"), "dora")
        await dora.join_room(ROOM)
        await dora.part_room(ROOM)
        for _ in range(20):
            for person in people:
                person.say()
            bert.say(room=ROOM)
        anne.whisper("bert")
        await settle(people)
        there = ("--room", ROOM)
        client = server.client("admin")
        anne_said, bert_said = place(client, "{main}:log"), place(client, f"{{main#{ROOM}}}:log")
        for words in (
            *(["ban", "--account", "eve"], ["ban", "192.0.2.0/24", "--for", "1h"]),
            *(["say", "There will be cake."], ["moderator", "add", "ada"]),
            *(["mute", "eve", "--for", "1h"], ["redact", anne_said], ["slow", "1"]),
            *(["mute", "eve", "--for", "1h", *there], ["redact", bert_said, *there]),
            *(["topic", "Cake.", *there], ["lasting", "on", *there]),
        ):
            ran = await admin(*words)
            assert ran.status == 0, ran
        invited = await admin.account("invite")
        assert invited.status == 0, invited
        anne.say("This is the first one in slow mode.")
        ran = await admin("slow", "0")
        assert ran.status == 0, ran
        await settle(people)
        await until(lambda: client.exists("{main}:room-sizes"), 60, "the room's size to be noted")
        await leave_what_programs_leave(
            Settings(redis_url=SecretStr(url), redis_password_file=password)
        )
        nodes[1].freeze()
        anne.whisper("bert", "a letter that is in its inbox")
        await anne.answered()
        waiting.close_at_once()
    finally:
        for node in nodes:
            node.end()


async def leave_what_programs_leave(settings: Settings) -> None:
    """Say something for a program, and give a webhook's delivery up."""
    async with Deployment(settings, "a program", 5.0) as deployment:
        said = await deployment.poster("main", None).post("ada", "a backup was made", "1")
        await deployment.poster("main", ROOM).post("ada", "a backup was made", "1")
        record = deployment.webhook("main", "backups")
        lease = await record.lease("a process", 600_000)
        steps = record.in_room("a process", lease.term, "lobby")
        reached = replace(said.position, offset=said.position.offset - 1, at=0.0)
        await steps.begin(reached)
        await steps.pin(reached, said.position)
        await steps.bury(reached, said.position, b'{"why":"nobody answered"}')


def place(client: redis.Redis, log: str) -> str:
    """Return where the first entry is in which something was said."""
    entries = cast(list[tuple[str, dict[str, str]]], client.xrange(log))
    return next(it.partition("-")[0] for it, fields in entries if fields["e"].startswith(_SAID))


def contents(client: redis.Redis) -> dict[str, Kept]:
    """Return every key, with all that it holds."""
    found = {key: _read(client, key) for key in client.scan_iter(count=1000)}
    return {key: it for key, it in found.items() if it is not None}


def changes(before: Mapping[str, Kept], after: Mapping[str, Kept], now_ms: int) -> list[str]:
    """Say of which keys something is lost, or other than it was; not of those whose time has come."""
    found = []
    for key in sorted(before.keys() | after.keys()):
        was, is_now = before.get(key), after.get(key)
        if is_now is None and was and was.expires_ms and was.expires_ms <= now_ms:
            continue
        if was is None or is_now is None or not _same(was, is_now):
            found.append(f"{key}: {is_now} instead of {was}")
    return found


def now_ms(client: redis.Redis) -> int:
    """Return the server's time."""
    seconds, micros = client.time()
    return seconds * 1000 + micros // 1000


def assert_kept(server: ShippedRedis, before: Mapping[str, Kept]) -> None:
    """Hold everything that a server has against what there was."""
    client = server.client("admin")
    told = changes(before, contents(client), now_ms(client))
    told = [f"{it[:300]}…" for it in told]
    assert not told, f"{len(told)} of {len(before)} keys:\n" + "\n".join(told)


def lasting(client: redis.Redis) -> dict[str, Kept]:
    """Return what no node changes by itself: accounts and what waits for them, bans, both logs."""
    kinds = ("account:", "pending:", "mailbox:", "senders:", "ban", "audit", "log")
    found = contents(client)
    return {key: it for key, it in found.items() if key.partition(":")[2].startswith(kinds)}


def assert_lasting(before: Mapping[str, Kept], after: Mapping[str, Kept]) -> None:
    """Hold what lasts against what it was before; people may have gone on talking."""
    for key, was in before.items():
        assert key in after, f"{key} is gone"
        if key.endswith(":log"):
            entries = was.value[1]
            assert after[key].value[1][: len(entries)] == entries, key
        else:
            assert _same(was, after[key]), f"{key}: {after[key]} instead of {was}"


def is_rewritten(admin: redis.Redis) -> bool:
    """Say whether the append-only file is as it was last told to be written anew."""
    told = admin.info("persistence")
    running = told["aof_rewrite_in_progress"] or told["aof_rewrite_scheduled"]
    return not running and told["aof_last_bgrewrite_status"] == "ok"


def kinds() -> set[str]:
    """Return the keys of a chat and its rooms by the names that docs/architecture.md gives them."""
    _, _, text = (ROOT / "docs" / "architecture.md").read_text().partition("## Keys of a chat")
    rows = re.findall(r"^\| (`\{main[}#].*?) \|", text.partition("\n## ")[0], re.MULTILINE)
    names = re.findall(r"`(.*?)`", " ".join(rows))
    return {re.sub(r"^…", f"{{main#{ROOM}}}", name) for name in names}


def missing_kinds(found: Mapping[str, Kept]) -> list[str]:
    """Return the documented keys of which there is none."""
    return sorted(
        kind
        for kind in kinds() - TRANSIENT
        if not any(re.fullmatch(_pattern(kind), key) for key in found)
    )


def _pattern(kind: str) -> str:
    text = re.escape(kind)
    for word in ("andy", "carl", "ID", "HASH", "NAME", "NETWORK"):
        text = re.sub(rf"(?<=:){word}(?=:|$)", "[^:]+", text)
    return text


def _read(client: redis.Redis, key: str) -> Kept | None:
    kind = cast(str, client.type(key))
    if kind == "none":
        return None  # its time has come
    pipeline = client.pipeline(transaction=False)  # both in one go; a transaction takes memory
    pipeline.pttl(key)
    pipeline.time()
    left, (seconds, micros) = pipeline.execute()
    expires = seconds * 1000 + micros // 1000 + left if left >= 0 else None
    return Kept(kind, _value(client, kind, key), expires)


def _value(client: redis.Redis, kind: str, key: str) -> Any:
    match kind:
        case "string":
            return client.get(key)
        case "hash":
            return client.hgetall(key)
        case "set":
            return client.smembers(key)
        case "list":
            return client.lrange(key, 0, -1)
        case "zset":
            return client.zrange(key, 0, -1, withscores=True)
        case "stream":
            told = client.xinfo_stream(key)
            return (told["last-generated-id"], client.xrange(key))
    raise AssertionError(f"{key} is a {kind}")


def _same(was: Kept, is_now: Kept) -> bool:
    if (was.type, was.value) != (is_now.type, is_now.value):
        return False
    if was.expires_ms is None or is_now.expires_ms is None:
        return was.expires_ms is is_now.expires_ms
    return abs(was.expires_ms - is_now.expires_ms) < _EXPIRY_MS
