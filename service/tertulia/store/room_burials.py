"""Rooms whose people are gone: burying dead nodes there, and forgetting rooms that nobody needs any more.

Both in bounded steps. A room whose shard is away holds up no other, and is seen to later: it stays in the
list of what is left of the dead node.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog

from tertulia.domain.nicknames import fold
from tertulia.redis.errors import StoreAway
from tertulia.redis.hot import Argument
from tertulia.redis.link import Link
from tertulia.settings.sections import ClusterSettings
from tertulia.store.keys import Keys, RoomKeys
from tertulia.store.log import members_of, run_shown
from tertulia.store.membership import Membership
from tertulia.store.renewing import TOKEN_MS
from tertulia.store.scripts import BURY_IN_ROOM, CONDEMN_ROOM, FORGET_ROOM, FORGET_ROOMS

_KNOWN_MS: Final = 86_400_000
"""For how long a room knows that a node is dead: nothing that it sent can be under way for longer."""
_STEP_NICKS: Final = 200
_STEP_ROOMS: Final = 100
_AT_ONCE: Final = 32
_FORGET_SECONDS: Final = 10.0
"""Between two looks at rooms that may have to be forgotten."""
_CLAIM_MS: Final = 5_000

log = structlog.get_logger(__name__)


class RoomBurials:
    """What this node does for other nodes' rooms."""

    def __init__(
        self,
        keys: Keys,
        link: Link,
        links_of: Callable[[RoomKeys], Awaitable[Link]],
        member: Membership,
        settings: ClusterSettings,
        sized: Callable[[str], None],
        *,
        is_replicated: bool,
    ) -> None:
        """``links_of``: the way to a room's shard. ``sized`` is told of a room that has fewer members."""
        self._keys = keys
        self._link = link
        self._links_of = links_of
        self._member = member
        self._settings = settings
        self._sized = sized
        self._is_replicated = is_replicated
        self._clock = asyncio.get_running_loop().time
        self._missing_since: dict[str, float] = {}
        self._forget_at = self._clock() + _FORGET_SECONDS

    async def condemn(self, dead: str) -> None:
        """Have all rooms of a node take nothing from it any more. Raises StoreAway for the chat's shard."""
        await self._in_each_room(dead, self._condemn)

    async def bury(self, dead: str) -> None:
        """Announce a condemned node's people as gone from its rooms. Raises StoreAway as ``condemn``."""
        await self._in_each_room(dead, self._bury)
        if not await self._link.call("EXISTS", self._keys.node_rooms(dead)):
            await self._link.call("SREM", self._keys.room_nodes, dead)
            self._missing_since.pop(dead, None)

    async def round(self, healthy_since: float | None) -> None:
        """Look for nodes that others buried, or that stopped, and that have rooms left. Raises StoreAway."""
        now, lease = self._clock(), self._settings.lease_seconds
        if healthy_since is None or now - healthy_since < lease:
            self._missing_since.clear()
            return
        found = await self._link.call("SSCAN", self._keys.room_nodes, "0", "COUNT", 1000)
        nodes = [node.decode() for node in found[1] if node.decode() != self._member.node]
        leases = await self._link.ask(*(("ZSCORE", self._keys.leases, node) for node in nodes))
        missing = {node for node, it in zip(nodes, leases, strict=True) if it is None}
        self._missing_since = {node: self._missing_since.get(node, now) for node in missing}
        for node, since in list(self._missing_since.items()):
            if now - since >= lease and await self._claim(node):
                await self.condemn(node)
                await self.bury(node)
        if now >= self._forget_at:
            self._forget_at = now + _FORGET_SECONDS
            await self._forget_rooms()

    async def _claim(self, dead: str) -> bool:
        key, own = self._keys.burial(dead), self._member.node
        return await self._link.call("SET", key, own, "NX", "PX", _CLAIM_MS) is not None

    async def _in_each_room(
        self, dead: str, do: Callable[[str, RoomKeys], Awaitable[None]]
    ) -> None:
        cursor = b"0"
        while True:
            cursor, found = await self._link.call(
                "SSCAN", self._keys.node_rooms(dead), cursor, "COUNT", _STEP_ROOMS
            )
            rooms = [RoomKeys(self._keys.chat, name.decode()) for name in found]
            for begin in range(0, len(rooms), _AT_ONCE):
                step = rooms[begin : begin + _AT_ONCE]
                await asyncio.gather(*(self._patiently(do, dead, room) for room in step))
            if cursor == b"0":
                return

    async def _patiently(
        self, do: Callable[[str, RoomKeys], Awaitable[None]], dead: str, room: RoomKeys
    ) -> None:
        """Do something in a room. Where its shard is away, it is left for later."""
        try:
            await do(dead, room)
        except StoreAway as error:
            log.info("a room is left for later", room=room.name, error=str(error))

    async def _condemn(self, dead: str, room: RoomKeys) -> None:
        link = await self._links_of(room)
        await link.run(CONDEMN_ROOM, [room.condemned, room.batches], [dead, _KNOWN_MS])

    async def _bury(self, dead: str, room: RoomKeys) -> None:
        link, mine = await self._links_of(room), f"{dead}:"
        members = [it async for it in members_of(link, room)]
        theirs = [fold(it.nickname) for it in members if it.session.startswith(mine)]
        # With replicas one step more shows what an earlier try may have left unshown.
        for begin in range(0, len(theirs) + self._is_replicated, _STEP_NICKS):
            if not await self._free(dead, room, link, theirs[begin : begin + _STEP_NICKS]):
                return
        if theirs:
            self._sized(room.name)
        await self._link.call("SREM", self._keys.node_rooms(dead), room.name)

    async def _free(self, dead: str, room: RoomKeys, link: Link, nicks: Sequence[str]) -> bool:
        settings = self._settings
        names = [room.meta, room.log, room.marks, room.members, room.condemned, room.token_ends]
        args: list[Argument] = [
            self._member.node,
            dead,
            round(settings.log_age_seconds * 1000),
            settings.log_bytes,
            "" if self._is_replicated else room.room,
            TOKEN_MS,
        ]
        names += [room.nick(nick) for nick in nicks]
        reply = await run_shown(
            link, BURY_IN_ROOM, names, [*args, *nicks], is_replicated=self._is_replicated
        )
        return bool(reply[0] == b"ok")

    async def _forget_rooms(self) -> None:
        keys, age = self._keys, round(self._settings.log_age_seconds * 1000)
        seconds, _ = await self._link.call("TIME")
        due = await self._link.call(
            "ZRANGEBYSCORE", keys.rooms, "-inf", int(seconds) * 1000, "WITHSCORES",
            "LIMIT", 0, _STEP_ROOMS,
        )  # fmt: skip
        if not due:
            return
        names = [name.decode() for name in due[::2]]
        lasting = await self._link.call(
            "HMGET", keys.room_facts, *(f"lasting:{name}" for name in names)
        )
        args: list[Argument] = []
        for name, when, stays in zip(names, due[1::2], lasting, strict=True):
            room, wait = RoomKeys(keys.chat, name), age
            if stays is None:
                try:
                    link = await self._links_of(room)
                    wait = await link.run(FORGET_ROOM, _all_keys(room), [age])
                except StoreAway:
                    continue
            args += (name, when, wait)
        if args:
            await self._link.run(FORGET_ROOMS, [keys.rooms, keys.room_sizes, keys.room_facts], args)


def _all_keys(room: RoomKeys) -> list[str]:
    return [
        room.meta, room.log, room.marks, room.members, room.batches, room.condemned, room.tokens,
        room.token_ends, room.moderation, room.muted, room.redacted, room.spoke, room.audit,
    ]  # fmt: skip
