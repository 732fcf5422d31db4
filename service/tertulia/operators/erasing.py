"""All that a chat keeps of one person: to show it to them, or to erase it.

Each step is small, so that nobody waits for it. Each step may be done again.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from tertulia.domain.nicknames import fold
from tertulia.redis.client import Client
from tertulia.store.keys import Keys, LogKeys
from tertulia.store.pending import Kept, Mailboxes
from tertulia.store.scripts import SWAP, TAKE_BACK

NOBODY = "*"
"""Replaces the person's nickname: nobody can have this one."""
_PAGE = 20
"""Entries that are read or written at once; each has at most somewhat more than `cluster.batch_bytes`."""
_SINCE = 3
"""Entries that may come while the last page is copied. A script copies them: the largest take 3 ms."""
_STEP = 500
_TRIES = 100

Record = dict[str, Any]
Fields = dict[str, str]
"""The fields of an entry."""


class LogBusy(Exception):
    """The log grows faster than it can be rewritten, or somebody else is rewriting it."""


class LogTraces:
    """What one room keeps of a person: a chat's lobby, or a further room. Raises StoreAway."""

    def __init__(self, keys: LogKeys, redis: Any, key: str) -> None:
        """``redis``: what can read; to redact, a Client. ``key``: the person's folded nickname."""
        self._keys = keys
        self._redis = redis
        self._key = key
        self._bans = (f"nickname:{key}", f"account:{key}")

    async def seat(self) -> Record | None:
        """Return what is kept while the person is in the room."""
        return await self._hash(self._keys.nick(self._key))

    async def said(self) -> list[Record]:
        """Return all that the room's log has of the person, oldest first."""
        return [line async for line in self._lines(self._keys.log)]

    async def audited(self) -> list[Record]:
        """Return the operator commands about the person."""
        return [line async for line in self._lines(self._keys.audit)]

    async def forget_standing(self) -> None:
        """Forget whether the person owns the room, moderates it or is muted there."""
        rules, key = self._keys.moderation, self._key
        await self._redis.hdel(rules, f"owner:{key}", f"moderator:{key}", f"mute:{key}")
        await self._redis.zrem(self._keys.muted, key)

    async def redact(self) -> int:
        """Remove the person's name and words from the room's log and the audit log; return how often.

        Raises LogBusy.
        """
        return await self._rewrite(self._keys.log) + await self._rewrite(self._keys.audit)

    async def _rewrite(self, stream: str) -> int:
        keys, redis, count, last = self._keys, self._redis, 0, ""
        await redis.unlink(keys.rewritten, keys.replaced)
        for _ in range(_TRIES):
            async for page in self._pages(stream, last):
                adds = []
                for name, fields in page:
                    redacted, found = self._redacted(fields)
                    adds.append((redacted, name))
                    count += found
                last = page[-1][0]
                names = await asyncio.gather(*(redis.xadd(keys.rewritten, *add) for add in adds))
                if None in names:
                    raise LogBusy
            if not last:
                return 0
            where = [stream, keys.rewritten, keys.replaced]
            if await redis.run(SWAP, where, [last, _SINCE]) == "done":
                await redis.unlink(keys.replaced)
                return count
        raise LogBusy

    def _redacted(self, fields: Fields) -> tuple[Fields, int]:
        """Return an entry's fields without the person, and how many lines were about them."""
        if "e" not in fields:
            return fields, 0
        lines, count = fields["e"].split("\n"), 0
        for number, line in enumerate(lines):
            if (about := self._about_him(line)) is not None:
                lines[number] = msgspec.json.encode(_without_him(about)).decode()
                count += 1
        return {**fields, "e": "\n".join(lines)}, count

    def _about_him(self, line: str) -> Record | None:
        """Return an event or an operator command if it is the person's, or is about them; else None."""
        try:
            told = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeEncodeError):
            return None  # of another version
        if not isinstance(told, dict):
            return None
        name = told.get("o") if "o" in told else told.get("n")
        names = [it for it in (name, told.get("w")) if isinstance(it, str)]
        is_his = any(fold(name) == self._key or name in self._bans for name in names)
        return told if is_his else None

    async def _lines(self, stream: str) -> AsyncIterator[Record]:
        async for page in self._pages(stream):
            for name, fields in page:
                for line in fields.get("e", "").split("\n"):
                    if (about := self._about_him(line)) is not None:
                        stamp = int(fields["p"]) // 1000 if "p" in fields else _milliseconds(name)
                        yield {"at": stamp, **about}

    async def _pages(self, stream: str, after: str = "") -> AsyncIterator[list[tuple[str, Fields]]]:
        while True:
            begin = f"({after}" if after else "-"
            page = await self._redis.xrange(stream, begin, count=_PAGE)
            if not page:
                return
            yield page
            after = page[-1][0]

    async def _hash(self, name: str, *, without: str = "") -> Record | None:
        record: Record = await self._redis.hgetall(name)
        record.pop(without, None)
        return record or None


class Traces(LogTraces):
    """All that one chat keeps of a person, but for further rooms. Raises StoreAway."""

    _keys: Keys

    def __init__(self, chat: str, redis: Client, key: str) -> None:
        super().__init__(Keys(chat), redis, key)
        self._mailboxes = Mailboxes(self._keys, redis)

    # --- Looking ---------------------------------------------------------------------------------

    async def account(self) -> Record | None:
        """Return the person's account, without the password's hash."""
        return await self._hash(self._keys.account(self._key), without="hash")

    async def login(self) -> Record | None:
        """Return the person's login from a device."""
        return await self._hash(self._keys.device(self._key))

    async def bans(self) -> list[Record]:
        """Return the bans on the person's nickname or account."""
        found = await self._redis.hmget(self._keys.bans, self._bans)
        return [msgspec.json.decode(it) for it in found if it is not None]

    async def tokens(self) -> list[str]:
        """Return the keys of the tokens with which the person can resume."""
        return [
            name
            async for name in self._scan(self._keys.token("*"))
            if await self._redis.hget(name, "key") == self._key
        ]

    async def received(self) -> list[Record]:
        """Return the messages that wait for the person."""
        return [_message(it) for it in await self._mailboxes.everything(self._key)]

    async def sent(self) -> list[Record]:
        """Return the person's messages that wait for others."""
        return [
            {"to": to, **_message(message)}
            async for to in self._recipients()
            async for message in self._mailboxes.messages(to, self._key)
        ]

    # --- Taking away -----------------------------------------------------------------------------

    async def delete_account(self) -> bool:
        """Delete the person's account, its login and its pending messages; return whether there was one."""
        return await self._mailboxes.delete_account(self._key)

    async def take_back(self) -> int:
        """Take back the person's messages that wait for others; return how many they were."""
        keys, count = self._keys, 0
        async for to in self._recipients():
            names = [keys.meta, keys.pending(to, self._key), keys.mailbox(to), keys.senders(to)]
            count += int(await self._redis.run(TAKE_BACK, names, [self._key]))
        return count

    async def forget_tokens(self) -> int:
        """Let nobody resume as the person; return how many could."""
        names = await self.tokens()
        # The key that says which earlier tokens are over goes as well: no token is left.
        await self._redis.unlink(self._keys.ended(self._key), *names)
        return len(names)

    # --- Reading in steps ------------------------------------------------------------------------

    async def _recipients(self) -> AsyncIterator[str]:
        """Yield the accounts for which messages of the person wait."""
        prefix = self._keys.stream("")
        async for name in self._scan(self._keys.stream("*")):
            if ":" not in (key := name.removeprefix(prefix)):
                await self._mailboxes.take_over(key)
        async for name in self._scan(self._keys.pending("*", self._key)):
            yield name.removeprefix(prefix).partition(":")[0]

    async def _scan(self, pattern: str) -> AsyncIterator[str]:
        seen = set[str]()
        async for name in self._redis.scan_iter(pattern, _STEP):
            if name not in seen:
                seen.add(name)
                yield name


def _without_him(told: Record) -> Record:
    """Return an event or an operator command with ``NOBODY`` for the person, and without what was said."""
    kept = {name: value for name, value in told.items() if name not in ("x", "o", "n", "r")}
    if "o" in told:
        return {**kept, "o": NOBODY}  # an operator command; what it says of a ban is in n
    # An act of moderation is by somebody, and about somebody: who of the two he is is not kept.
    return {**kept, "n": NOBODY, **({"w": NOBODY} if "w" in told else {})}


def _message(kept: Kept) -> Record:
    return {"at": kept.at, "sender": kept.sender, "text": kept.text.decode()}


def _milliseconds(entry: str) -> int:
    return int(entry.partition("-")[0])
