"""redis-py's names for commands, and its reading of replies, over our own connections.

redis-py's clients reconnect and retry silently, and need permissions that our users do not have. Its commands
are a mixin, which needs only ``execute_command``.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Literal

from redis.asyncio import ConnectionPool, Redis
from redis.commands import AsyncCoreCommands, AsyncSentinelCommands

_READ = Redis(connection_pool=ConnectionPool(protocol=2)).response_callbacks
"""How redis-py reads replies, by command."""


class Commands(AsyncCoreCommands, AsyncSentinelCommands):  # type: ignore[misc]  # so is redis-py's own client
    """Asks by redis-py's methods. Replies are text, from which ``sent`` makes the same bytes again.

    What is asked at the same time, as with ``asyncio.gather``, goes out and is answered in that order.
    """

    _is_async_client: Literal[True] = True
    _event_dispatcher = None  # type: ignore[assignment]  # these tell nobody

    def __init__(self, ask: Callable[..., Awaitable[list[Any]]]) -> None:
        """``ask`` sends commands in one go, and returns their replies or raises."""
        self._ask = ask

    async def execute_command(self, name: str, *args: Any, **options: Any) -> Any:
        # Some of redis-py's names have two words.
        (reply,) = await self._ask(sent((*name.split(), *args)))
        reply = text(reply)
        options.pop("keys", None)  # of redis-py's cache
        return _READ[name](reply, **options) if name in _READ else reply


def text(reply: Any) -> Any:
    """Return a reply with text for bytes."""
    if isinstance(reply, list):
        return [text(part) for part in reply]
    return reply.decode(errors="surrogateescape") if isinstance(reply, bytes) else reply


def sent(parts: Iterable[Any]) -> list[Any]:
    """Return the parts of a command as they are sent."""
    return [
        part.encode(errors="surrogateescape") if isinstance(part, str) else part for part in parts
    ]
