"""Giving operator commands: each is one atomic step in Redis that writes the audit log and reaches all nodes.

A command has an id. So one whose answer was lost is sent again, and yet is carried out only once.
"""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

from msgspec.structs import replace

from tertulia.domain.bans import Ban, BanKind
from tertulia.domain.events import Closed, Kicked, Said, encode
from tertulia.domain.moderation import Moderation
from tertulia.domain.nicknames import SERVER, fold
from tertulia.domain.operator_commands import MOST_AUDITED, Action, OperatorCommand
from tertulia.domain.operator_commands import encode as encode_command
from tertulia.domain.rooms import MARK
from tertulia.operators.overview import Overview, absent, room_in_words
from tertulia.operators.refusals import CommandRefused, NotThere
from tertulia.redis.backoff import patiently
from tertulia.redis.client import Client
from tertulia.redis.hot import Argument
from tertulia.redis.script import Script
from tertulia.store.keys import Keys, LogKeys, RoomKeys
from tertulia.store.scripts import (
    ANNOUNCE,
    BAN,
    CLOSE,
    EXPEL,
    EXPEL_SEAT,
    LASTING,
    LOG_OUT,
    MODERATE,
    UNBAN,
)

_T = TypeVar("_T")

_STEP_DEVICES = 500
"""How many devices are logged out at once."""
_NOBODY = "-"
"""The session in events of the server itself. No real session has this name."""


def _why_not(answer: str, act: Moderation, where: str) -> CommandRefused | None:
    """Return why an act was not carried out, by the script's answer; None: it was."""
    match answer, act.action:
        case "u", Action.UNMUTE:
            return NotThere("mute", f"{act.whom} is not muted in {where}")
        case "u", Action.REDACT:
            why = f"the log of {where} has no message {act.place}"
            return NotThere("message", why, "log --places shows where each is")
        case "u", Action.DISMISS:
            return NotThere("moderator", f"{act.whom} is no moderator of {where}")
        case "b", Action.MUTE:
            return CommandRefused(f"too many are muted in {where}: unmute somebody first")
        case "n", Action.APPOINT:
            return _no_account(act.whom, where)
    return None


def _no_account(whom: str, where: str) -> NotThere:
    return NotThere("account", f"there is no account {whom} in {where}: a moderator needs one")


class _Orders:
    """Operator commands that a lobby and a further room both know, in the name of an operator.

    Raises CommandRefused, and StoreAway if Redis does not answer within ``patience`` seconds.
    """

    _absent: NotThere
    """What to say where no node has ever served it."""

    def __init__(
        self, where: str, keys: LogKeys, leases: str, redis: Client, by: str, patience: float
    ) -> None:
        """``where``: in words. ``leases``: the key that says which nodes would hear of a command."""
        self._where = where
        self._keys = keys
        self._leases = leases
        self._redis = redis
        self._by = by
        self._patience = patience

    async def _say(self, text: str, *, to_somebody: bool) -> None:
        command = self._command(Action.SAY, "", text)
        event = encode(Said(SERVER, _NOBODY, text))
        await self._patiently(lambda: self._run(ANNOUNCE, command, [], [int(to_somebody), event]))

    async def _moderate(self, act: Moderation, names: Sequence[str]) -> None:
        keys, key = self._keys, fold(act.whom)
        command = self._command(act.action, key, act.text, value=act.written_value)
        where = [keys.moderation, keys.muted, keys.redacted, *names]
        event = encode(act.event(SERVER, _NOBODY))
        args: list[Argument] = [act.action.value, key, act.value, act.index, act.text, event]
        answer = await self._patiently(lambda: self._run(MODERATE, command, where, args))
        why_not = _why_not(answer, act, self._where)
        if why_not is not None:
            raise why_not

    def _command(
        self,
        action: Action,
        subject: str,
        text: str = "",
        *,
        ban: Ban | None = None,
        until: int = 0,
        value: str = "",
    ) -> OperatorCommand:
        return OperatorCommand(
            secrets.token_hex(8), self._by, action, subject, text, ban, until, value
        )

    async def _run(
        self,
        script: Script,
        command: OperatorCommand,
        names: Sequence[str],
        args: Sequence[Argument],
    ) -> str:
        keys = self._keys
        fixed = [
            keys.meta,
            keys.log,
            keys.marks,
            self._leases,
            keys.audit,
            keys.operator_command(command.id),
        ]
        head: list[Argument] = [encode_command(command), keys.room, MOST_AUDITED]
        answer: str = await self._redis.run(script, [*fixed, *names], [*head, *args])
        if answer == "no-chat":
            raise self._absent
        if answer == "no-node":
            raise CommandRefused(f"no node serves {self._where} now: nobody would hear of it")
        return answer

    async def _patiently(self, do: Callable[[], Awaitable[_T]]) -> _T:
        return await patiently(do, self._patience)


class Operator(_Orders):
    """Gives operator commands in one chat: about all of it, and about its lobby."""

    _keys: Keys

    def __init__(self, chat: str, redis: Client, by: str, patience: float) -> None:
        keys = Keys(chat)
        super().__init__(f"the chat {chat}", keys, keys.leases, redis, by, patience)
        self._absent = NotThere("chat", f"there is no chat {chat}: no node has ever served it")
        self._chat = chat
        self._overview = Overview(chat, redis)

    async def kick(self, nickname: str, reason: str) -> tuple[bool, bool]:
        """Remove somebody; return whether they were in the room, and whether logged in elsewhere."""
        keys, key = self._keys, fold(nickname)
        command = self._command(Action.KICK, key, reason)
        event = encode(Kicked(SERVER, _NOBODY, nickname))  # the reason is for him alone
        hashes = [keys.members, keys.nick(key), keys.device(key), keys.devices, keys.ended(key)]

        async def expel() -> str:
            while True:
                held = await self._overview.holder(key)
                nicks = [keys.nicks(held)] if held else []
                answer = await self._run(
                    EXPEL, command, [*hashes, *nicks], [key, held or "", event]
                )
                if answer != "moved":
                    return answer

        answer = await self._patiently(expel)
        if answer == "absent":
            raise NotThere("person", f"{nickname} is not in the chat {self._chat}")
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
            raise NotThere("account", f"there is no account {subject} in the chat {self._chat}")
        command = self._command(Action.BAN, ban.name, reason, ban=ban)
        args: list[Argument] = [ban.name, encode(ban), until, int(not ban.is_of_addresses)]
        where = [keys.bans, keys.ban_ends, keys.ended(subject)]
        await self._patiently(lambda: self._run(BAN, command, where, args))
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
        command = self._command(Action.UNBAN, name)
        answer = await self._patiently(
            lambda: self._run(UNBAN, command, [keys.bans, keys.ban_ends], [name])
        )
        if answer == "absent":
            raise NotThere(
                "ban", f"there is no ban on the {kind.value} {subject} in the chat {self._chat}"
            )

    async def say(self, text: str) -> None:
        """Say something to everybody in the lobby, as the server."""
        await self._say(text, to_somebody=True)

    async def close(self) -> int:
        """Close the chat; return how many people were in it."""
        command = self._command(Action.CLOSE, "")
        event = encode(Closed(SERVER, _NOBODY))
        answer = await self._patiently(
            lambda: self._run(CLOSE, command, [self._keys.members], [event])
        )
        return int(answer.split()[1])

    async def moderate(self, act: Moderation) -> None:
        """Moderate the lobby, or appoint or dismiss a moderator. For a kick see ``kick``."""
        await self._moderate(act, [self._keys.account(fold(act.whom))])

    async def keep(self, room: str, *, lasting: bool) -> None:
        """Let a further room stay when nobody is in it and its log has aged out; or no longer."""
        keys = self._keys
        command = self._command(Action.LASTING, f"{MARK}{room}", value="on" if lasting else "off")
        names = [keys.rooms, keys.room_facts]
        args: list[Argument] = [room, int(lasting)]
        if await self._patiently(lambda: self._run(LASTING, command, names, args)) == "absent":
            raise absent(RoomKeys(self._chat, room))

    async def drain(self, node: str) -> None:
        """Order a node, by its configured id, to shut down. After ``patience`` seconds it is void."""
        until = await self._patiently(self._overview.now) + round(self._patience * 1000)
        command = self._command(Action.DRAIN, node, until=until)
        await self._patiently(lambda: self._run(ANNOUNCE, command, [], [1]))

    async def note(self, action: Action, subject: str, value: str = "") -> None:
        """Write into the audit log what an operator looked at, or has changed in another way."""
        command = self._command(action, subject, value=value)
        await self._patiently(lambda: self._run(ANNOUNCE, command, [], [0]))


class RoomOperator(_Orders):
    """Gives operator commands in one further room. The chat's accounts are asked for over ``chats_redis``."""

    _keys: RoomKeys

    def __init__(
        self, keys: RoomKeys, redis: Client, chats_redis: Client, by: str, patience: float
    ) -> None:
        super().__init__(room_in_words(keys), keys, keys.condemned, redis, by, patience)
        self._absent = absent(keys)
        self._overview = Overview(keys.chat, chats_redis)

    async def kick(self, nickname: str, reason: str) -> None:
        """Remove somebody from the room, who stays in the chat."""
        keys, key = self._keys, fold(nickname)
        command = self._command(Action.KICK, key, reason)
        event = encode(Kicked(SERVER, _NOBODY, nickname))  # the reason is for him alone
        names = [keys.members, keys.nick(key), keys.token_ends]
        answer = await self._patiently(lambda: self._run(EXPEL_SEAT, command, names, [key, event]))
        if answer == "absent":
            raise NotThere("person", f"{nickname} is not in {self._where}")

    async def say(self, text: str) -> None:
        """Say something to everybody in the room, as the server. Nobody may be there."""
        await self._say(text, to_somebody=False)

    async def moderate(self, act: Moderation) -> None:
        """Moderate the room, or appoint or dismiss a moderator there. For a kick see ``kick``."""
        key = fold(act.whom)
        # Accounts are on the chat's shard, which the room's script can't read.
        if act.action is Action.APPOINT:
            since = await self._patiently(lambda: self._overview.account_since(key))
            if not since:
                raise _no_account(act.whom, f"the chat {self._keys.chat}")
            act = replace(act, value=since)
        await self._moderate(act, [])
