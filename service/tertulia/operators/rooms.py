"""Looking at all further rooms of a chat, wherever they are: on each shard they are asked for together."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from redis.crc import key_slot

from tertulia.operators.erasing import LogTraces
from tertulia.operators.overview import Audited, parse_audited
from tertulia.redis.access import Server
from tertulia.redis.client import Client
from tertulia.redis.cluster import shards_of
from tertulia.redis.errors import ErrorReply, StoreAway
from tertulia.redis.visits import Visits
from tertulia.store.keys import Keys, LogKeys, RoomKeys

_STEP: Final = 200
"""Rooms that are asked for at once."""
_PAGE: Final = 500
"""Entries of a log that are read at once."""
_MINUTE: Final = 60_000_000
_SAID: Final = '{"t":"said"'
"""What the line of a message in an entry begins with."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class RoomSeen:
    """A further room, or the lobby, as it is in Redis."""

    chat: str
    room: str
    """Without ``#``; empty: the lobby."""
    shard: str
    """The master that has it."""
    is_lasting: bool = False
    """Whether it stays when nobody is in it and its log has aged out."""
    error: str | None = None
    """Why nothing else is known of it: ``away``, or Redis' word for what it refuses."""
    members: int | None = None
    """None where there is such an error, as with all that follows."""
    messages: int | None = None
    """Said within the last minute."""
    bytes: int | None = None
    """About how much is in its log."""
    topic: str | None = None


class RoomsOverview:
    """All further rooms of one chat. Raises StoreAway if the chat's own shard does not answer."""

    def __init__(self, chat: str, redis: Client, visits: Visits, *, is_cluster: bool) -> None:
        """``redis`` is the way to the chat, ``visits`` those to the rooms."""
        self._chat = chat
        self._keys = Keys(chat)
        self._redis: Any = redis  # the types of redis-py don't say that replies are text
        self._visits = visits
        self._is_cluster = is_cluster

    async def rooms(self, only: Collection[str] | None = None) -> list[RoomSeen]:
        """Return all rooms, or those of some that are there; those with most members first."""

        def unknown(keys: RoomKeys, server: Server, why: str) -> RoomSeen:
            return RoomSeen(keys.chat, keys.name, str(server), error=why)

        kept = await self._redis.hgetall(self._keys.room_facts)
        found = [
            replace(room, is_lasting=f"lasting:{room.room}" in kept)
            async for room in self._each(self._look, unknown, only)
        ]
        return sorted(found, key=lambda it: (-(it.members or 0), it.room))

    async def lobby(self) -> RoomSeen:
        """Return the lobby, as a further room; only a node's settings say whether the chat is lasting."""
        return await self._look(self._redis, self._keys, await self._redis.link.connect())

    async def audited(self, most: int) -> list[tuple[str, Audited]]:
        """Return what operators and moderators did in all rooms: the last so many of each, with its name.

        Without rooms that can't be read.
        """

        async def audited(redis: Any, keys: RoomKeys, _: Server) -> list[tuple[str, Audited]]:
            page = await redis.xrevrange(keys.audit, count=most)
            return [(keys.name, it) for it in parse_audited(page)]

        def unknown(*_: object) -> list[tuple[str, Audited]]:
            return []

        return [it async for found in self._each(audited, unknown) for it in found]

    async def traces(self, key: str) -> dict[str, dict[str, Any]]:
        """Return what the rooms keep of a person, by their folded nickname, in rooms with anything.

        Raises StoreAway if a shard does not answer.
        """

        async def found(redis: Any, keys: RoomKeys, _: Server) -> tuple[str, dict[str, Any]]:
            traces = LogTraces(keys, redis, key)
            kept = await asyncio.gather(traces.seat(), traces.said(), traces.audited())
            return keys.name, dict(zip(("room", "log", "audit"), kept, strict=True))

        return {room: kept async for room, kept in self._each(found) if any(kept.values())}

    async def _each(
        self,
        look: Callable[[Any, RoomKeys, Server], Awaitable[_T]],
        unknown: Callable[[RoomKeys, Server, str], _T] | None = None,
        only: Collection[str] | None = None,
    ) -> AsyncIterator[_T]:
        """Yield what ``look`` finds of each room, or of some.

        Where it can't be read it is what ``unknown`` gives, and why.
        Without ``unknown``, a room that can't be read raises StoreAway.
        """

        async def looked(redis: Any, keys: RoomKeys, server: Server) -> _T:
            try:
                return await look(redis, keys, server)
            except ErrorReply as error:
                if unknown is None:
                    raise
                return unknown(keys, server, error.word)

        names = await self._redis.zrange(self._keys.rooms, 0, -1)
        if only is not None:
            names = [it for it in names if it in only]
        places = await self._places([RoomKeys(self._chat, name) for name in names])
        for server, rooms in places.items():
            left = list(rooms)
            try:
                async with self._visits.at(server) as redis:
                    while left:
                        step = [looked(redis, keys, server) for keys in left[:_STEP]]
                        found = await asyncio.gather(*step)
                        del left[:_STEP]
                        for it in found:
                            yield it
            except StoreAway:
                if unknown is None:
                    raise
                for keys in left:
                    yield unknown(keys, server, "away")

    async def _places(self, rooms: Sequence[RoomKeys]) -> dict[Server, list[RoomKeys]]:
        here = await self._redis.link.connect()
        if not self._is_cluster:
            return {here: list(rooms)}
        masters = {}
        for first, last, servers in await shards_of(self._redis, here):
            masters.update(dict.fromkeys(range(first, last + 1), servers[0]))
        places: dict[Server, list[RoomKeys]] = {}
        for keys in rooms:
            server = masters.get(key_slot(keys.meta.encode()))
            if server is not None:
                places.setdefault(server, []).append(keys)
        return places

    async def _look(self, redis: Any, keys: LogKeys, server: Server) -> RoomSeen:
        members, total, first_mark, topic, clock = await asyncio.gather(
            redis.zcard(keys.members),
            redis.hget(keys.meta, "bytes"),
            redis.lindex(keys.marks, 0),
            redis.hget(keys.moderation, "topic"),
            redis.time(),
        )
        gone = int(first_mark.split()[2]) if first_mark else 0
        return RoomSeen(
            chat=keys.chat,
            room=keys.name or "",
            shard=str(server),
            members=members,
            messages=await _said_since(redis, keys, clock[0] * 1_000_000 + clock[1] - _MINUTE),
            bytes=int(total or 0) - gone,
            topic=topic or "",
        )


async def _said_since(redis: Any, keys: LogKeys, since: int) -> int:
    """Count what was said from a time on, in microseconds since 1970."""
    count, before, page = 0, "+", 1  # mostly nothing was
    while entries := await redis.xrevrange(keys.log, before, count=page):
        for _, fields in entries:
            if int(fields["p"]) < since:
                return count
            count += sum(line.startswith(_SAID) for line in fields["e"].split("\n"))
        before, page = f"({entries[-1][0]}", _PAGE
    return count
