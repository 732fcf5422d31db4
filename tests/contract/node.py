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
    JoinOp,
    LeaveOp,
    Op,
    Remembered,
    Replay,
    ReportOp,
    SayOp,
    Store,
    WhisperOp,
)
from tertulia.domain.nicknames import fold
from tertulia.domain.operator_commands import Action
from tertulia.domain.position import Position

OpT = TypeVar("OpT", bound=Op)

DIALECT = "chatte"
WITHIN = 10.0
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

    def join(self, token: str = "", *, resumed: bool = False, proven: bool = False) -> JoinOp:
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
            )
        )

    def leave(self, token: str = "") -> LeaveOp:
        self.lose()
        return self._submit(LeaveOp(self.session, self.key, self.nickname, token))

    def lose(self) -> None:
        """Be gone, and nobody has said so to the store."""
        self.node.follower.here.pop(self.session, None)

    def say(self, text: str, tag: int = 0, token: str = "") -> SayOp:
        return self._submit(SayOp(self.session, self.key, self.nickname, text, tag, token))

    def whisper(self, recipient: str, text: str, tag: int = 0, token: str = "") -> WhisperOp:
        return self._submit(
            WhisperOp(self.session, self.key, self.nickname, recipient, text, tag, token)
        )

    def close_chat(self) -> CloseOp:
        return self._submit(CloseOp(self.session, self.key, self.nickname))

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
