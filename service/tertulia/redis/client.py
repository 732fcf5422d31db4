"""What is not hot is asked by redis-py's names for commands, over a link to the master that has a chat."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from tertulia.redis.access import Access
from tertulia.redis.commands import Commands, sent, text
from tertulia.redis.hot import Argument
from tertulia.redis.link import Link
from tertulia.redis.multiplexer import Multiplexer
from tertulia.redis.script import Script


class Client(Commands):
    """Asks the master. Every failure is a StoreAway, and nothing is tried twice.

    If the answer to an operator command is lost, the part that gave it sends it again, under its id.
    """

    def __init__(self, link: Link) -> None:
        super().__init__(link.ask)
        self.link = link

    @classmethod
    def to(cls, access: Access, key: str, name: str, seconds: float) -> Self:
        """Return a client of the master with ``key``, with a connection of its own, called ``name``."""
        multiplexer = Multiplexer(access, seconds)
        return cls(Link(multiplexer.masters(key), name, multiplexer))

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        """Run a script; load it if Redis does not have it."""
        return text(await self.link.run(script, keys, sent(args)))


def flat(fields: Mapping[str, str]) -> list[bytes]:
    """Return a hash, or an entry of a stream, as hot connections give it: each name before its value."""
    return [part.encode(errors="surrogateescape") for pair in fields.items() for part in pair]
