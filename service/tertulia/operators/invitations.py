"""Invitations, for operators: make codes, list and take them back, directly in Redis."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from tertulia.domain.invitations import kept, new_code
from tertulia.operators.book import Book
from tertulia.operators.refusals import CommandRefused, NotThere

MOST: Final = 10_000
"""How many codes of a chat may be good at once."""
_LAST: Final = "last"


@dataclass(frozen=True, slots=True)
class Invitation:
    """A code that nobody has used. The code itself is not kept."""

    number: int
    made: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class MadeInvitation:
    """A code that was just made, which can be seen only now."""

    number: int
    code: str


class InvitationBook(Book):
    """The invitations of one chat. Raises StoreAway if Redis can't be reached."""

    async def invite(self, count: int, seconds: int) -> list[MadeInvitation]:
        """Make some codes, each good once, for so many seconds. Raises CommandRefused at ``MOST``."""
        there = len(await self.all())
        if there + count > MOST:
            raise CommandRefused(
                f"{there} codes are good already, and there may be {MOST}: take some back"
            )
        now, _ = await self._redis.time()
        last = await self._redis.hincrby(self._keys.invitations, _LAST, count)
        made = [MadeInvitation(last - count + 1 + it, new_code()) for it in range(count)]
        times = f"{now * 1000} {(now + seconds) * 1000}"
        await self._redis.hset(
            self._keys.invitations,
            mapping={kept(invitation.code): f"{invitation.number} {times}" for invitation in made},
        )
        return made

    async def all(self) -> list[Invitation]:
        """Return the codes that are still good, by number. Those that are too old are forgotten."""
        good, old = [], []
        now, _ = await self._redis.time()
        for name, told in (await self._redis.hgetall(self._keys.invitations)).items():
            if name == _LAST:
                continue
            number, made, until = map(int, told.split())
            if until > now * 1000:
                good.append(Invitation(number, _moment(made), _moment(until)))
            else:
                old.append(name)
        if old:
            await self._redis.hdel(self._keys.invitations, *old)
        return sorted(good, key=lambda it: it.number)

    async def take_back(self, number: int) -> None:
        """Let nobody use a code. Raises NotThere where no code has this number."""
        found = await self._redis.hgetall(self._keys.invitations)
        for name, told in found.items():
            if name != _LAST and told.split()[0] == str(number):
                await self._redis.hdel(self._keys.invitations, name)
                return
        raise NotThere(
            "invitation",
            f"no invitation has the number {number}",
            "account invitations lists them",
        )


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
