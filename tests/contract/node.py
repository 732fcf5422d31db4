"""A node as the contract sees it: a store, what it told, and guests to act for."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol, TypeVar

from contract.follower import RecordingFollower
from harness.waiting import until
from tertulia.chat.ports import (
    CloseOp,
    Entry,
    JoinOp,
    LeaveOp,
    ModerateOp,
    Op,
    PresenceOp,
    RefusedOp,
    Remembered,
    Replay,
    ReportOp,
    SayOp,
    Store,
    WhisperOp,
)
from tertulia.domain.moderation import Moderation
from tertulia.domain.nicknames import fold
from tertulia.domain.operator_commands import Action
from tertulia.domain.position import Position

OpT = TypeVar("OpT", bound=Op)

DIALECT = "chatte"
WITHIN = 60.0
"""Seconds after which a test gives up waiting."""


@dataclass(eq=False)
class Guest:
    """A session of a node. Its methods submit an op and return it."""

    node: "Node"
    nickname: str
    session: str

    @property
    def key(self) -> str:
        return fold(self.nickname)

    def join(
        self, token: str = "", *, resumed: bool = False, proven: bool = False, about: str = ""
    ) -> JoinOp:
        self.node.follower.here[self.session] = self.key
        return self._submit(
            JoinOp(
                self.session,
                self.key,
                self.nickname,
                DIALECT,
                "192.0.2.1",
                50_000,
                token,
                resumed,
                proven,
                about=about,
            )
        )

    def leave(self, token: str = "", words: str = "") -> LeaveOp:
        self.lose()
        return self._submit(LeaveOp(self.session, self.key, self.nickname, token, words))

    def lose(self) -> None:
        """Be gone, and nobody has said so to the store."""
        self.node.follower.here.pop(self.session, None)

    def say(
        self,
        text: str,
        tag: int = 0,
        token: str = "",
        *,
        is_account: bool = False,
        tags: str = "",
        splits: tuple[int, ...] = (),
    ) -> SayOp:
        who = self.session, self.key, self.nickname
        return self._submit(SayOp(*who, text, tag, token, is_account, tags=tags, splits=splits))

    def whisper(
        self,
        recipient: str,
        text: str,
        tag: int = 0,
        token: str = "",
        *,
        is_account: bool = False,
        tags: str = "",
        splits: tuple[int, ...] = (),
    ) -> WhisperOp:
        op = WhisperOp(
            self.session, self.key, self.nickname, recipient, text, tag, token,
            is_account=is_account, tags=tags, splits=splits,
        )  # fmt: skip
        return self._submit(op)

    def refused(self, tag: int, token: str) -> RefusedOp:
        return self._submit(RefusedOp(self.session, self.key, tag, token))

    def change(self, away: str | None = None, *, account: bool | None = None) -> PresenceOp:
        """Say that one is away or back, or that the nickname is one's account or is not."""
        return self._submit(PresenceOp(self.session, self.key, self.nickname, away, account))

    def close_chat(self) -> CloseOp:
        return self._submit(CloseOp(self.session, self.key, self.nickname))

    def moderate(
        self, action: Action, whom: str = "", value: int = 0, index: int = 0, text: str = ""
    ) -> ModerateOp:
        holder = self.node.follower.roster.holder(whom)
        act = Moderation(action, whom, value, index, text)
        held = holder.session if holder else ""
        return self._submit(ModerateOp(self.session, self.key, self.nickname, act, held))

    def report_to(self, sender: "Guest", text: str, number: int = 0) -> ReportOp:
        """Report a whisper of another guest that this one did not get."""
        return self._submit(ReportOp(sender.session, sender.key, self.nickname, text, number))

    def _submit(self, op: OpT) -> OpT:
        self.node.store.submit(op)
        return op


@dataclass(eq=False)
class Node:
    """A store that runs, and its follower."""

    store: Store
    follower: RecordingFollower
    room_followers: list[RecordingFollower] = field(default_factory=list)
    """The followers of further rooms that were opened."""
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    def guest(self, nickname: str) -> Guest:
        """Make a session that has not joined."""
        return Guest(self, nickname, f"{self.store.node}:{next(self._numbers)}")

    async def sees(
        self, condition: Callable[[RecordingFollower], object], what: str, within: float = WITHIN
    ) -> None:
        """Wait until a condition is true of what the follower was told."""
        await until(
            lambda: condition(self.follower), within, lambda: f"{self.follower.name}: {what}"
        )

    async def enter(self, *nicknames: str) -> list[Guest]:
        """Let guests join in one go, and wait until they are in."""
        guests = [self.guest(nickname) for nickname in nicknames]
        for guest in guests:
            guest.join()
        await self.store.settle()
        return guests

    async def recall(self, token: str) -> Remembered | None:
        """Look a token up, and wait for it."""
        done: asyncio.Future[Remembered | None] = asyncio.get_running_loop().create_future()
        self.store.recall(token, done.set_result)
        return await asyncio.wait_for(done, WITHIN)

    async def replay(self, after: Position, before: Position, token: str = "") -> Replay:
        """Read the past, and wait for it."""
        done: asyncio.Future[Replay] = asyncio.get_running_loop().create_future()
        self.store.replay(after, before, token, done.set_result)
        return await asyncio.wait_for(done, WITHIN)

    async def look_back(self, before: Position, most: int = 1000) -> tuple[list[Entry], bool]:
        """Read so many entries back from a place; return them, and whether these are all."""
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        entries: list[Entry] = []

        def take(entry: Entry) -> bool:
            entries.append(entry)
            return len(entries) < most

        self.store.look_back(before, take, done.set_result)
        return entries, await asyncio.wait_for(done, WITHIN)

    async def look_on(self, after: Position, most: int = 1000) -> tuple[list[Entry], bool]:
        """Read so many entries on from a place; return them, and whether these are all."""
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        entries: list[Entry] = []

        def take(entry: Entry) -> bool:
            entries.append(entry)
            return len(entries) < most

        self.store.look_on(after, take, done.set_result)
        return entries, await asyncio.wait_for(done, WITHIN)

    async def enter_one(self, nickname: str) -> Guest:
        """Let a guest join, and wait until it is in."""
        return (await self.enter(nickname))[0]


class StoreFactory(Protocol):
    """Makes nodes of one new chat, and ends them after the test."""

    async def node(self, name: str = "node") -> Node:
        """Start a node."""
        ...

    def give_password(self, nickname: str, password: str | None) -> None:
        """Make an account, or give it another password; None deletes it. Its nickname is given folded."""
        ...

    async def appoint(self, nickname: str) -> None:
        """Make an account, given folded, a moderator, as an operator does."""
        ...

    async def dismiss(self, action: Action, nickname: str) -> None:
        """Kick or ban a nickname, given folded, as an operator does."""
        ...

    def registered(self) -> set[str]:
        """Return the ids of the nodes that the chat knows."""
        ...

    def condemn(self, node: str) -> None:
        """Take a node for dead, as others do whose patience is over; it is buried at once or soon."""
        ...


async def stop(node: Node) -> None:
    """Let everybody of a node leave, and stop its store."""
    for member in list(node.follower.roster):
        if member.session.rpartition(":")[0] == node.store.node:
            node.store.submit(LeaveOp(member.session, fold(member.nickname), member.nickname))
    await node.store.settle()
    await node.store.stop()
