"""One log as a node follows it: what the bus brings, and what has to be read because the bus missed it."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from typing import Any

import structlog

from tertulia.chat.ports import LogFollower, Member
from tertulia.domain.moderation import Rules
from tertulia.domain.position import Position, missing
from tertulia.redis.errors import NewEpoch, StoreAway
from tertulia.redis.hot import Argument
from tertulia.redis.link import Link
from tertulia.redis.script import Script
from tertulia.store.keys import LogKeys, channel_of
from tertulia.store.membership import Progress
from tertulia.store.scripts import SHOW
from tertulia.store.wire import RoomMessage, parse_logged, parse_rules
from tertulia.telemetry.metrics import Metrics, RetryCause

_PAGE_ENTRIES = 32
_PAGE_MEMBERS = 500

log = structlog.get_logger(__name__)


class Log(ABC):
    """A chat's lobby or a further room: every entry of its log, once, in order."""

    __slots__ = ("_follower", "_is_replicated", "_keys", "_member", "_metrics")
    _reads: Link
    _keys: LogKeys
    _member: Progress
    _follower: LogFollower

    def __init__(
        self, keys: LogKeys, member: Progress, metrics: Metrics, *, is_replicated: bool
    ) -> None:
        """``is_replicated``: nothing is delivered before a replica has it."""
        self._keys = keys
        self._member = member
        self._metrics = metrics
        self._is_replicated = is_replicated

    @abstractmethod
    def _deliver(self, message: RoomMessage) -> None:
        """Give the next entry to the follower."""

    @abstractmethod
    def _tell(self) -> None:
        """Have all that was delivered written and answered."""

    @abstractmethod
    def _acknowledge(self) -> None:
        """Settle what has been delivered, or never will be."""

    async def _heed_burial(self, message: RoomMessage) -> None:  # noqa: B027 (most logs need nothing of it)
        """Raise Fenced where an entry is of the burial of this node."""

    async def catch_up(self) -> None:
        """Read on from the last entry that was delivered. Raises NewEpoch."""
        self._tell()
        end = await self._end()
        if end.offset > self._member.position.offset:
            self._metrics.bus_recoveries.inc()
            await self._read_log(end.offset)

    async def _end(self) -> Position:
        """Return the end of the log as far as it may be shown. Raises NewEpoch."""
        have, stamp = self._member.position, self._member.last_stamp
        (epoch, offset, shown), entries = await self._reads.ask(
            ("HMGET", self._keys.meta, "epoch", "offset", "shown"),
            ("XRANGE", self._keys.log, f"{have.offset}-0", f"{have.offset}-0"),
        )
        end = Position((epoch or b"").decode(), int(offset or 0))
        if end.epoch != have.epoch or end.offset < have.offset:
            raise NewEpoch
        if stamp and entries and entries[0][1][1].decode() != stamp:
            raise NewEpoch  # Redis came back with older data, and other nodes have gone on since
        return self._shown(end, shown)

    async def _read_end(self) -> Position:
        epoch, offset, shown = await self._reads.call(
            "HMGET", self._keys.meta, "epoch", "offset", "shown"
        )
        return self._shown(Position((epoch or b"").decode(), int(offset or 0)), shown)

    def _shown(self, end: Position, shown: bytes | None) -> Position:
        if not self._is_replicated or shown is None:
            return end
        return Position(end.epoch, min(end.offset, int(shown)))

    async def read_rest(self, base: int) -> None:
        """Read the end of an epoch that is over, up to the base of the next one.

        If Redis came back with an older log and went on, the read begins before the last entry that this
        node heard.
        """
        self._member.part(min(await self._fork(), base))
        await self._read_log(base)

    async def _fork(self) -> int:
        """Return the last offset at which the log has the same entry that this node heard."""
        position, heard = self._member.position, self._member.heard
        known = {
            entry.position.offset: entry.stamp
            for entry in heard
            if entry.position.epoch == position.epoch
        }
        if not known:
            return position.offset
        first, at = min(known), max(known)
        while at >= first:
            page = await self._reads.call(
                "XREVRANGE", self._keys.log, f"{at}-0", f"{first}-0", "COUNT", _PAGE_ENTRIES
            )
            if not page:
                break
            for name, fields in page:
                at = int(name.partition(b"-")[0])
                if known.get(at) == fields[1].decode():
                    return at
            at -= 1
        return first - 1

    async def _read_log(self, end: int) -> None:
        while (have := self._member.position.offset) < end:
            page = await self._reads.call(
                "XRANGE", self._keys.log, f"{have + 1}-0", f"{end}-0", "COUNT", _PAGE_ENTRIES
            )
            first = int(page[0][0].partition(b"-")[0]) if page else None
            lost = missing(have, first, end)
            if lost:
                await self.seat()
                self._note_lost(lost)
                self._member.missed(Position(self._member.position.epoch, have + lost))
                self._follower.missed(self._member.position)
                self._acknowledge()
                continue
            for name, fields in page:
                self._metrics.bus_recovered_entries.inc()
                message = parse_logged(self._member.position.epoch, name, fields)
                if not message.batch:
                    await self._heed_burial(message)
                self._deliver(message)
            self._tell()

    def _note_lost(self, lost: int) -> None:
        self._metrics.bus_lost_entries.inc(lost)
        log.error(
            "log was trimmed past a gap",
            chat=self._keys.chat,
            room=self._keys.name,
            lost_entries=lost,
        )

    async def seat(self) -> Position:
        """Read the members and the moderation, and give them to the follower.

        Returns the end of the log before that read.
        """
        end = await self._read_end()
        members = await self._read_room()
        self._follower.seated(members)
        return end

    async def reorder(self) -> None:
        """Read in which order the store has the members of the room, and give that to the follower."""
        members = await self._read_room()
        self._follower.reordered(members)

    async def _read_room(self) -> list[Member]:
        rules = await self._read_rules()
        self._follower.moderated(rules)
        return [member async for member in members_of(self._reads, self._keys)]

    async def _read_rules(self) -> Rules:
        """Read what is in force."""
        moderation, redacted = await self._reads.ask(
            ("HGETALL", self._keys.moderation),
            ("ZRANGE", self._keys.redacted, 0, -1),
        )
        return parse_rules(moderation, redacted)


async def run_shown(
    link: Link,
    script: Script,
    names: Sequence[str],
    args: Sequence[Argument],
    *,
    is_replicated: bool,
) -> list[Any]:
    """Run a script of a room that appends to its log, and have everybody shown that.

    It returns ok, the epoch and the log's end, and more; or something else where nothing was done. With
    replicas, one has to have it before, and all that the log has is shown: who wrote it may be dead. Raises
    StoreAway.
    """
    if not is_replicated:
        return list(await link.run(script, names, args))
    reply, replicas = await link.run_replicated(script, names, args)
    if reply[0] == b"ok":
        if not replicas:
            raise StoreAway(RetryCause.NO_REPLICAS, "no replica has what was written last")
        meta, log_key = names[:2]
        await link.run(SHOW, [meta, log_key], [*reply[1:3], channel_of(meta)])
    return list(reply)


async def members_of(reads: Link, keys: LogKeys) -> AsyncIterator[Member]:
    """Yield the members as the store has them, the oldest first. Raises StoreAway."""
    after = "-inf"
    while True:
        page: list[Any] = await reads.call(
            "ZRANGEBYSCORE", keys.members, after, "+inf", "WITHSCORES",
            "LIMIT", 0, _PAGE_MEMBERS,
        )  # fmt: skip
        if not page:
            return
        hashes = [keys.nick(key.decode()) for key in page[::2]]
        fields = ("nickname", "session", "dialect", "number", "account", "proven", "away", "about")
        for nickname, session, dialect, number, account, proven, away, about in await reads.ask(
            *(("HMGET", name, *fields) for name in hashes)
        ):
            if None not in (nickname, session):  # else the member left since the page was read
                named = (nickname.decode(), session.decode(), (dialect or b"").decode())
                is_account = proven == b"1" or (account or b"0") != b"0"
                words = ((it or b"").decode() for it in (away, about))
                yield Member(*named, int(number or 0), is_account, *words)
        after = "(" + page[-1].decode()
