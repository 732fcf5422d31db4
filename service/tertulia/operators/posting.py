"""Saying something in a room for a program that has no seat there: once, however often it is sent."""

import hashlib
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from tertulia.domain.bans import BanKind, Bans
from tertulia.domain.events import Said, encode
from tertulia.domain.nicknames import fold
from tertulia.domain.position import Position
from tertulia.redis.backoff import patiently
from tertulia.redis.client import Client
from tertulia.redis.hot import Argument
from tertulia.settings.sections import ClusterSettings
from tertulia.store.keys import Keys, LogKeys
from tertulia.store.log import run_shown
from tertulia.store.scripts import POST
from tertulia.store.wire import parse_bans

REMEMBERED_SECONDS: Final = 86_400
"""For how long a key is known: sent again later, the text is said again."""
_NOBODY: Final = "-"
"""The session of who speaks without a seat. No real session has this name."""


class WhyNot(Enum):
    """Why something was not said, by the script's answer."""

    REUSED = "reused"
    """The key was used for another text."""
    ABSENT = "absent"
    """There is no such room."""
    NO_ACCOUNT = "n"
    BANNED = "x"
    MUTED = "m"
    SLOW = "s"
    """The last message was said a moment ago, in slow mode."""


class NotPosted(Exception):
    """Nothing was said."""

    def __init__(self, why: WhyNot, until: int = 0, now: int = 0) -> None:
        """``until``: of a mute and of slow mode, until when, in ms since 1970; 0: for good."""
        super().__init__(why.value)
        self.why = why
        self.until = until
        self.now = now
        """Redis' clock, in ms since 1970, where there is an end."""


@dataclass(frozen=True, slots=True)
class Posted:
    """Something that stands in the log."""

    position: Position
    """Its entry. It is the only message there."""
    is_new: bool
    """Whether this call said it; else an earlier one did, with the same key."""


class Poster:
    """Says things in one room, under the names of accounts of its chat. Raises StoreAway."""

    def __init__(
        self,
        keys: LogKeys,
        redis: Client,
        chats_redis: Client,
        settings: ClusterSettings,
        patience: float,
        *,
        is_replicated: bool,
    ) -> None:
        """``chats_redis``: the way to the chat, which is where its accounts are.

        ``is_replicated``: nothing is told, and nothing acknowledged, before a replica has it.
        """
        self._keys = keys
        self._chat = Keys(keys.chat)
        self._redis = redis
        self._chats_redis = chats_redis
        self._settings = settings
        self._patience = patience
        self._is_replicated = is_replicated

    async def post(self, name: str, text: str, key: str) -> Posted:
        """Say a text, as ``clean_lines`` returns it, under an account's name.

        ``key``: the program's own for this message. Sent again with it, however it ended, it is said once.
        Raises NotPosted.
        """
        return await patiently(lambda: self._post(name, text, key), self._patience)

    async def _post(self, name: str, text: str, key: str) -> Posted:
        keys, settings, folded = self._keys, self._settings, fold(name)
        account, is_banned = await self._account(folded)
        names = [keys.meta, keys.log, keys.marks, keys.posted(_digest(folded, key))]
        names += [keys.moderation, keys.muted, keys.spoke]
        if keys.name is None:
            names.append(self._chat.account(folded))
        args: list[Argument] = [
            _digest(text),
            "" if self._is_replicated else keys.room,
            round(settings.log_age_seconds * 1000),
            settings.log_bytes,
            folded,
            account,
            int(is_banned),
            encode(Said(name, _NOBODY, text, is_account=True)),
            REMEMBERED_SECONDS * 1000,
        ]
        reply = await run_shown(
            self._redis.link, POST, names, args, is_replicated=self._is_replicated
        )
        if reply[0] != b"ok":
            await self._refuse(WhyNot(reply[0].decode()), *map(int, reply[1:]))
        _, epoch, offset, published, how = reply
        return Posted(Position(epoch.decode(), offset, int(published) / 1e6), how == b"said")

    async def _account(self, folded: str) -> tuple[int, bool]:
        """Return since when the account is there, 0: there is none; and whether it may not enter the chat."""
        names = [f"{kind.value}:{folded}" for kind in (BanKind.NICKNAME, BanKind.ACCOUNT)]
        since, found, (seconds, _) = await self._chats_redis.link.ask(
            ("HGET", self._chat.account(folded), "since"),
            ("HMGET", self._chat.bans, *names),
            ("TIME",),
        )
        bans = Bans(parse_bans([it for told in found if told for it in (b"", told)]))
        ban = bans.covering(folded, "", int(seconds), is_account=True)
        return int(since or 0), ban is not None

    async def _refuse(self, why: WhyNot, until: int = 0) -> None:
        now = 0
        if until:
            seconds, micros = await self._redis.link.call("TIME")
            now = int(seconds) * 1000 + int(micros) // 1000
        raise NotPosted(why, until, now)


def _digest(*parts: Any) -> str:
    return hashlib.sha256("\0".join(parts).encode(errors="surrogateescape")).hexdigest()
