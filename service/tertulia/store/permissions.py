"""The commands that a node needs Redis to permit, and those of them that Redis refuses."""

from collections.abc import Sequence
from typing import Final

import msgspec

from tertulia.redis.client import Client
from tertulia.store.keys import Keys, RoomKeys
from tertulia.store.scripts import PERMITTED

NOBODYS: Final = "nobodys"
"""A further room of which only the permissions are tried."""


async def refused(keys: Keys, redis: Client) -> list[str]:
    """Return the commands that Redis refuses, as an ACL names them. Raises StoreAway.

    Redis 6.2 can be asked only about the commands that scripts may use.
    """
    needed = needed_by_a_node(keys, sharded=await redis.link.is_sharded())
    names: list[str] = await redis.run(PERMITTED, [keys.nobodys], [msgspec.json.encode(needed)])
    return list(dict.fromkeys(names))


def needed_by_a_node(keys: Keys, *, sharded: bool) -> list[Sequence[str | int]]:
    """Return each command that a node uses, with arguments with which it does nothing.

    They are tried on a string. Commands for other types fail there, but only after Redis has checked their
    permission.
    """
    key = keys.nobodys
    on_strings: list[Sequence[str | int]] = [
        ("set", key, "", "PX", 1000),
        ("exists", key),
        ("get", key),
        ("incr", key),
        ("pexpire", key, 1000),
    ]
    on_other_types: list[Sequence[str | int]] = [
        ("hdel", key, "x"),
        ("hget", key, "x"),
        ("hgetall", key),
        ("hincrby", key, "x", 1),
        ("hmget", key, "x"),
        ("hset", key, "x", "x"),
        ("hsetnx", key, "x", "x"),
        ("lindex", key, 0),
        ("lpush", key, "x"),
        ("lrange", key, 0, 0),
        ("ltrim", key, 0, 0),
        ("rpush", key, "x"),
        ("sadd", key, "x"),
        ("scard", key),
        ("srandmember", key, 1),
        ("srem", key, "x"),
        ("sscan", key, 0),
        ("xadd", key, "*", "x", "x"),
        ("xdel", key, "1-0"),
        ("xlen", key),
        ("xrange", key, "-", "+"),
        ("xrevrange", key, "+", "-"),
        ("xtrim", key, "MAXLEN", 0),
        ("zadd", key, 0, "x"),
        ("zcard", key),
        ("zrange", key, 0, 0),
        ("zrangebyscore", key, 0, 0),
        ("zrem", key, "x"),
        ("zremrangebyscore", key, 0, 0),
        ("zscore", key, "x"),
    ]
    room = RoomKeys(keys.chat, NOBODYS)
    on_channels: list[Sequence[str | int]] = [
        ("spublish" if sharded else "publish", key, ""),
        ("ssubscribe" if sharded else "subscribe", keys.room),
        # Further rooms have names of their own.
        ("ssubscribe" if sharded else "subscribe", room.room),
        ("exists", room.meta),
        ("pubsub", "shardnumsub" if sharded else "numsub", keys.room),
    ]
    others: list[Sequence[str | int]] = [("time",), ("role",), ("info",), ("wait", 0, 0)]
    return [*on_strings, *on_other_types, *on_channels, *others, ("unlink", key), ("del", key)]
