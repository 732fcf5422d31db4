"""Making a node known in a chat, and writing down again who is there where Redis has lost it."""

from collections.abc import Iterable
from itertools import islice

from tertulia.chat.ports import Member
from tertulia.chat.position import Position
from tertulia.domain.events import Present, encode
from tertulia.domain.nicknames import fold
from tertulia.settings import ClusterSettings
from tertulia.store.connection import Argument
from tertulia.store.errors import Fenced, NewEpoch
from tertulia.store.keys import Keys
from tertulia.store.link import Link
from tertulia.store.membership import Membership, new_epoch_name
from tertulia.store.scripts import REGISTER, SEAT

_STEP_MEMBERS = 200


class Registration:
    """What a node does when it comes, and when another epoch has begun."""

    def __init__(
        self, keys: Keys, link: Link, member: Membership, settings: ClusterSettings, room: str
    ) -> None:
        """``room``: the channel to publish entries on; none, where the next commit does it."""
        self._keys = keys
        self._link = link
        self._member = member
        self._settings = settings
        self._room = room

    async def register(self) -> tuple[Position, Position, str]:
        """Register this node. Raises Fenced.

        Returns the log's last place, where its epoch began, and the epoch before.
        """
        keys, member = self._keys, self._member
        reply = await self._link.run(
            REGISTER,
            [keys.meta, keys.leases, keys.inboxes, keys.log, keys.order],
            [
                member.node,
                round(self._settings.lease_seconds * 1000),
                new_epoch_name(),
                member.position.epoch,
                member.position.offset,
                member.last_stamp,
            ],
        )
        if reply[0] == b"fenced":
            raise Fenced
        _, epoch, base, offset, letters, before = reply
        member.letters = min(member.letters, letters)
        name = epoch.decode()
        return Position(name, offset), Position(name, base), before.decode()

    async def write_down(self, present: Iterable[Member]) -> None:
        """Write everybody that this node knows down again, the oldest first. Raises NewEpoch."""
        keys, settings, member = self._keys, self._settings, self._member
        head: list[Argument] = [
            member.node,
            member.position.epoch,
            round(settings.lease_seconds * 1000),
            round(settings.log_age_seconds * 1000),
            settings.log_bytes,
            self._room,
        ]
        members = iter(present)
        while step := list(islice(members, _STEP_MEMBERS)):
            names, args = [], list(head)
            for each in step:
                node = each.session.rpartition(":")[0]
                names += [keys.nick(fold(each.nickname)), keys.nicks(node)]
                args += self._seat_args(each, node)
            fixed = [keys.meta, keys.log, keys.marks, keys.order, keys.leases]
            reply = await self._link.run(SEAT, fixed + names, args)
            if reply[0] != b"ok":
                raise NewEpoch

    def _seat_args(self, each: Member, node: str) -> list[Argument]:
        event: Argument = b""
        if node == self._member.node:
            event = encode(Present(each.nickname, each.session, each.dialect))
        return [fold(each.nickname), each.session, node, each.nickname, each.dialect, event]
