"""A further room as the contract sees it: a node's side of it, what it told, and seats to act for."""

from dataclasses import dataclass
from typing import TypeVar

from contract.follower import RecordingFollower
from contract.node import DIALECT, Guest, Node
from tertulia.chat.ports import (
    ModerateOp,
    Op,
    RefusedOp,
    RoomJoinOp,
    RoomLeaveOp,
    RoomStore,
    SayOp,
)
from tertulia.domain.moderation import Moderation
from tertulia.domain.operator_commands import Action

OpT = TypeVar("OpT", bound=Op)


@dataclass(eq=False)
class Room:
    """A room on a node, and its follower."""

    node: Node
    name: str
    store: RoomStore
    follower: RecordingFollower

    def seat(self, guest: Guest, number: int) -> "Seat":
        """Make a seat that is not taken."""
        return Seat(self, guest, number)


@dataclass(eq=False)
class Seat:
    """A guest in a room. Its methods submit an op and return it."""

    room: Room
    guest: Guest
    number: int
    account: int = 0

    @property
    def session(self) -> str:
        return self.guest.session

    def join(
        self, token: str = "", *, resumed: bool = False, account: int = 0, about: str = ""
    ) -> RoomJoinOp:
        """``account``: since when that account is there, 0 for a guest."""
        it, self.account = self.guest, account
        self.room.follower.here[it.session] = it.key
        return self._submit(
            RoomJoinOp(
                *(it.session, it.key, it.nickname, DIALECT, self.number, account, token, resumed),
                about=about,
            )
        )

    def leave(self, token: str = "", words: str = "", *, is_gone: bool = False) -> RoomLeaveOp:
        it = self.guest
        self.room.follower.here.pop(it.session, None)
        return self._submit(RoomLeaveOp(it.session, it.key, it.nickname, token, is_gone, words))

    def say(
        self,
        text: str,
        tag: int = 0,
        token: str = "",
        *,
        outside: bool = False,
        tags: str = "",
        splits: tuple[int, ...] = (),
    ) -> SayOp:
        it = self.guest
        who = it.session, it.key, it.nickname
        op = SayOp(*who, text, tag, token, outside=outside, tags=tags, splits=splits)
        return self._submit(op)

    def refused(self, tag: int, token: str) -> RefusedOp:
        return self._submit(RefusedOp(self.session, self.guest.key, tag, token))

    def moderate(
        self, action: Action, whom: str = "", value: int = 0, index: int = 0, text: str = ""
    ) -> ModerateOp:
        it, holder = self.guest, self.room.follower.roster.holder(whom)
        act = Moderation(action, whom, value, index, text)
        held = holder.session if holder else ""
        return self._submit(ModerateOp(it.session, it.key, it.nickname, act, held, self.account))

    def _submit(self, op: OpT) -> OpT:
        self.room.store.submit(op)
        return op


def open_room(node: Node, name: str, *, make: bool = True, history: int = 0) -> Room:
    """Open a room on a node."""
    follower = RecordingFollower(f"{node.follower.name}#{name}")
    follower.history = history
    node.room_followers.append(follower)
    return Room(node, name, node.store.rooms.open(name, follower, make=make), follower)


async def enter(node: Node, room: Room, *nicknames: str) -> list[Seat]:
    """Have guests enter the chat and then a room."""
    joins = [(guest, guest.join()) for guest in map(node.guest, nicknames)]
    await node.store.settle()
    seats = [room.seat(guest, op.number) for guest, op in joins]
    for seat in seats:
        seat.join()
    await node.store.settle()
    return seats
