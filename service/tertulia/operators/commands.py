"""Giving operators' orders: each is one atomic step in Redis that writes the audit log and reaches all nodes.

An order has an id. So an order whose answer was lost is sent again, and yet is carried out only once.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

from tertulia.domain.bans import Ban, BanKind
from tertulia.domain.events import Closed, Said, encode
from tertulia.domain.nicknames import SERVER, fold
from tertulia.domain.operator_commands import Action, OperatorCommand
from tertulia.domain.operator_commands import encode as encode_order
from tertulia.operators.overview import Overview
from tertulia.redis.backoff import Backoff
from tertulia.redis.client import Client
from tertulia.redis.errors import StoreAway
from tertulia.redis.hot import Argument
from tertulia.redis.script import Script
from tertulia.store.keys import Keys
from tertulia.store.scripts import ANNOUNCE, BAN, CLOSE, EXPEL, LOG_OUT, UNBAN

_T = TypeVar("_T")

MOST_AUDITED = 10_000
"""How many orders the audit log of a chat keeps."""
_STEP_DEVICES = 500
"""How many devices are logged out at once."""
_NOBODY = "-"
"""The session in events of the server itself. No real session has this name."""


class OrderRefused(Exception):
    """An order was not carried out. The text says why, and what to do."""


class Operator:
    """Gives orders in one chat, in the name of an operator.

    Raises OrderRefused, and StoreAway if Redis does not answer within ``patience`` seconds.
    """

    def __init__(self, chat: str, redis: Client, by: str, patience: float) -> None:
        self._chat = chat
        self._keys = Keys(chat)
        self._redis = redis
        self._by = by
        self._patience = patience
        self._overview = Overview(chat, redis)

    async def kick(self, nickname: str, reason: str) -> tuple[bool, bool]:
        """Remove somebody; return whether they were in the room, and whether logged in elsewhere."""
        keys, key = self._keys, fold(nickname)
        order = self._order(Action.KICK, key, reason)
        hashes = [keys.members, keys.nick(key), keys.device(key), keys.devices, keys.ended(key)]

        async def expel() -> str:
            while True:
                held = await self._overview.holder(key)
                nicks = [keys.nicks(held)] if held else []
                answer = await self._run(EXPEL, order, [*hashes, *nicks], [key, held or ""])
                if answer != "moved":
                    return answer

        answer = await self._patiently(expel)
        if answer == "absent":
            raise OrderRefused(f"{nickname} is not in the chat {self._chat}")
        _, was_in_room, was_logged_in = answer.split()
        return was_in_room == "1", was_logged_in == "1"

    async def ban(self, kind: BanKind, subject: str, milliseconds: int | None, reason: str) -> Ban:
        """Ban somebody for so many milliseconds, or without an end (None); return the ban."""
        keys = self._keys
        now = await self._patiently(self._overview.now)
        until = 0 if milliseconds is None else now + milliseconds
        ban = Ban(kind, subject, until, reason, self._by, now)
        if kind is BanKind.ACCOUNT and not await self._patiently(
            lambda: self._overview.is_account(subject)
        ):
            raise OrderRefused(f"there is no account {subject} in the chat {self._chat}")
        order = self._order(Action.BAN, ban.name, reason, ban=ban)
        args: list[Argument] = [ban.name, encode(ban), until, int(not ban.is_of_addresses)]
        where = [keys.bans, keys.ban_ends, keys.ended(subject)]
        await self._patiently(lambda: self._run(BAN, order, where, args))
        # From here on, nodes let in nobody whom the ban covers.
        covered = await self._patiently(lambda: self._overview.devices_covered(ban))
        for at in range(0, len(covered), _STEP_DEVICES):
            step = covered[at : at + _STEP_DEVICES]
            names = [keys.meta, keys.devices, *(keys.device(key) for key, _ in step)]
            given = [part for pair in step for part in pair]
            await self._patiently(partial(self._redis.run, LOG_OUT, names, given))
        return ban

    async def unban(self, kind: BanKind, subject: str) -> None:
        """End a ban."""
        keys, name = self._keys, f"{kind.value}:{subject}"
        order = self._order(Action.UNBAN, name)
        answer = await self._patiently(
            lambda: self._run(UNBAN, order, [keys.bans, keys.ban_ends], [name])
        )
        if answer == "absent":
            raise OrderRefused(
                f"there is no ban on the {kind.value} {subject} in the chat {self._chat}"
            )

    async def say(self, text: str) -> None:
        """Say something to everybody in the room, as the server."""
        order = self._order(Action.SAY, "", text)
        event = encode(Said(SERVER, _NOBODY, text))
        await self._patiently(lambda: self._run(ANNOUNCE, order, [], [1, event]))

    async def close(self) -> int:
        """Close the chat; return how many people were in it."""
        order = self._order(Action.CLOSE, "")
        event = encode(Closed(SERVER, _NOBODY))
        answer = await self._patiently(
            lambda: self._run(CLOSE, order, [self._keys.members], [event])
        )
        return int(answer.split()[1])

    async def drain(self, node: str) -> None:
        """Order a node, by its configured id, to shut down. After ``patience`` seconds it is void."""
        until = await self._patiently(self._overview.now) + round(self._patience * 1000)
        order = self._order(Action.DRAIN, node, until=until)
        await self._patiently(lambda: self._run(ANNOUNCE, order, [], [1]))

    async def note(self, action: Action, subject: str) -> None:
        """Write into the audit log that an operator looked at something, which changes nothing else."""
        order = self._order(action, subject)
        await self._patiently(lambda: self._run(ANNOUNCE, order, [], [0]))

    def _order(
        self,
        action: Action,
        subject: str,
        text: str = "",
        *,
        ban: Ban | None = None,
        until: int = 0,
    ) -> OperatorCommand:
        return OperatorCommand(secrets.token_hex(8), self._by, action, subject, text, ban, until)

    async def _run(
        self,
        script: Script,
        order: OperatorCommand,
        names: Sequence[str],
        args: Sequence[Argument],
    ) -> str:
        keys = self._keys
        fixed = [
            keys.meta,
            keys.log,
            keys.marks,
            keys.leases,
            keys.audit,
            keys.operator_command(order.id),
        ]
        head: list[Argument] = [encode_order(order), keys.room, MOST_AUDITED]
        answer: str = await self._redis.run(script, [*fixed, *names], [*head, *args])
        if answer == "no-chat":
            raise OrderRefused(f"there is no chat {self._chat}: no node has ever served it")
        if answer == "no-node":
            raise OrderRefused(f"no node serves the chat {self._chat} now: nobody would hear of it")
        return answer

    async def _patiently(self, do: Callable[[], Awaitable[_T]]) -> _T:
        backoff, loop = Backoff(), asyncio.get_running_loop()
        deadline = loop.time() + self._patience
        while True:
            try:
                return await do()
            except StoreAway as error:
                if error.is_final or loop.time() >= deadline:
                    raise
                await backoff.wait()
