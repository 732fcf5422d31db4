"""Registering a node in a chat, and writing down its members again after Redis has lost them."""

from collections.abc import Awaitable, Callable, Iterable
from itertools import islice

from tertulia.chat.ports import Member
from tertulia.domain.events import Present, encode
from tertulia.domain.nicknames import fold
from tertulia.domain.position import Position
from tertulia.redis.errors import Fenced, NewEpoch
from tertulia.redis.hot import Argument
from tertulia.redis.link import Link
from tertulia.settings.sections import ClusterSettings
from tertulia.store.keys import Keys
from tertulia.store.membership import Membership, new_epoch_name
from tertulia.store.scripts import REGISTER, SEAT, SHOW

_STEP = 200
"""How many members are written down at once."""


class Registration:
    """What a node does when it starts, and when another epoch has begun."""

    def __init__(
        self, keys: Keys, link: Link, member: Membership, settings: ClusterSettings, room: str
    ) -> None:
        """``room``: the channel to publish entries on; empty where the next commit publishes them."""
        self._keys = keys
        self._link = link
        self._member = member
        self._settings = settings
        self._room = room

    async def register(self) -> tuple[Position, Position, str]:
        """Register this node. Raises Fenced.

        Returns the log's last position, the base of its epoch, and the epoch before.
        """
        member = self._member
        reply = await self._link.run(REGISTER, *self._registering())
        if reply[0] == b"fenced":
            raise Fenced
        _, epoch, base, offset, letters, before = reply
        member.registered(letters)
        name = epoch.decode()
        return Position(name, offset), Position(name, base), before.decode()

    async def show(self) -> None:
        """Show the log up to its end, once a replica has it.

        The node that committed the last entries may have died before it showed them.
        """
        keys, epoch = self._keys, self._member.position.epoch
        reply, replicas = await self._link.run_replicated(REGISTER, *self._registering())
        if reply[0] == b"ok" and replicas:
            await self._link.run(SHOW, [keys.meta, keys.log], [epoch, reply[3], keys.room])

    def _registering(self) -> tuple[list[str], list[Argument]]:
        keys, member = self._keys, self._member
        names = [
            *(keys.meta, keys.leases, keys.inboxes, keys.log, keys.members),
            *(keys.nicks(member.former), keys.inbox(member.former), keys.waiting(member.former)),
        ]
        return names, [
            member.node,
            round(self._settings.lease_seconds * 1000),
            new_epoch_name(),
            member.position.epoch,
            member.position.offset,
            member.last_stamp,
            member.former,
        ]

    async def write_down(
        self, present: Callable[[], Iterable[Member]], read_on: Callable[[], Awaitable[None]]
    ) -> None:
        """Write all members that this node knows down again, the oldest first. Raises Fenced, NewEpoch.

        Members on other nodes are written as well: only so all keep their order, and are announced as gone if
        their node has died. Members who have left are not written. If somebody has come or gone since the log
        was read, nothing is written, and ``read_on`` reads the log to its end.
        """
        written: set[str] = set()
        members = iter(present())
        while step := list(
            islice((member for member in members if member.session not in written), _STEP)
        ):
            status = await self._seat(step)
            if status == b"ok":
                written.update(member.session for member in step)
            elif status == b"behind":
                await read_on()
                members = iter(present())
            else:
                raise Fenced if status == b"fenced" else NewEpoch

    async def _seat(self, members: Iterable[Member]) -> bytes:
        keys, settings, member = self._keys, self._settings, self._member
        names = [keys.meta, keys.log, keys.marks, keys.members, keys.leases]
        args: list[Argument] = [
            member.node,
            member.position.epoch,
            round(settings.lease_seconds * 1000),
            round(settings.log_age_seconds * 1000),
            settings.log_bytes,
            self._room,
            member.position.offset,
        ]
        for each in members:
            node = each.session.rpartition(":")[0]
            names += [keys.nick(fold(each.nickname)), keys.nicks(node)]
            args += self._seat_args(each, node)
        (status,) = await self._link.run(SEAT, names, args)
        return bytes(status)

    def _seat_args(self, each: Member, node: str) -> list[Argument]:
        event: Argument = b""
        if node == self._member.node:
            event = encode(
                Present(
                    each.nickname,
                    each.session,
                    each.dialect,
                    is_account=each.is_account,
                    away=each.away,
                    about=each.about,
                )
            )
        named = (each.nickname, each.dialect, int(each.is_account), each.away, each.about)
        return [fold(each.nickname), each.session, node, *named, event]
