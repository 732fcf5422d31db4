"""What operators read and write of one chat directly in Redis."""

from types import TracebackType
from typing import Any, Self

from tertulia.redis.access import Access
from tertulia.redis.client import Client
from tertulia.store.keys import Keys


class Book:
    """A way to the keys of one chat. Raises StoreAway if Redis can't be reached."""

    def __init__(self, chat: str, redis: Client) -> None:
        self._keys = Keys(chat)
        self._redis: Any = redis  # the types of redis-py don't say that replies are text

    @classmethod
    def to(cls, chat: str, access: Access, timeout: float) -> Self:
        """Return one with a connection of its own, for a block."""
        return cls(chat, Client.to(access, Keys(chat).meta, "tertulia-accounts", timeout))

    async def __aenter__(self) -> Self:
        await self._redis.link.connect()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._redis.link.disconnect()
