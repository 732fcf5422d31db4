"""One connection to Redis, used by one task: connected, asked, thrown away when anything is amiss.

redis-py's clients reconnect and retry silently. Here a lost connection is an event that the rest depends
on (was the batch done? what did the bus miss?), so connections are made and dropped openly.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from hiredis import pack_command
from redis.asyncio.connection import Connection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from tertulia.metrics import RetryCause
from tertulia.store.errors import StoreAway, translate
from tertulia.store.scripts import Script

Argument = str | bytes | int | float
_FAILURES = (RedisError, OSError, TimeoutError)


class Link:
    """A connection to the master. Every failure is a StoreAway, and leaves the link disconnected."""

    def __init__(self, url: str, name: str, timeout: float) -> None:
        kwargs: dict[str, Any] = dict(parse_url(url))
        connection_class = kwargs.pop("connection_class", Connection)
        kwargs.update(
            protocol=2,  # over RESP3 the bus is slower by about a third
            retry=Retry(NoBackoff(), 0),
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            client_name=name,
        )
        self._connection: Connection = connection_class(**kwargs)

    @property
    def is_connected(self) -> bool:
        """Whether it was connected and nothing has failed since."""
        return bool(self._connection.is_connected)

    async def connect(self) -> None:
        """Connect, and make sure that a master answers: a replica would take a PUBLISH."""
        role = await self.call("ROLE")
        if role[0] != b"master":
            await self.disconnect()
            raise StoreAway(RetryCause.READ_ONLY, "this Redis is a replica")

    async def call(self, *command: Argument) -> Any:
        """Send one command and return its reply."""
        try:
            # In C: redis-py packs in Python, which takes seven times as long for a large batch.
            packed = pack_command(command)  # type: ignore[arg-type] # its stub says a tuple of one
            await self._connection.send_packed_command(packed)
            _heed_cancellation()
            return await self._connection.read_response()
        except NoScriptError:
            raise
        except _FAILURES as error:
            # After an error reply the connection is sound, but what answers may be the wrong server.
            raise await self._failure(error) from error

    async def call_many(self, commands: Sequence[Sequence[Argument]]) -> list[Any]:
        """Send commands in one go and return their replies."""
        if not commands:
            return []
        try:
            await self._connection.send_packed_command(self._connection.pack_commands(commands))
            _heed_cancellation()
            return [await self._connection.read_response() for _ in commands]
        except _FAILURES as error:
            raise await self._failure(error) from error

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        """Run a script, loading it where Redis does not have it."""
        try:
            return await self.call("EVALSHA", script.sha, len(keys), *keys, *args)
        except NoScriptError:
            return await self.call("EVAL", script.text, len(keys), *keys, *args)

    async def send(self, *command: Argument) -> None:
        """Send a command without reading its reply."""
        try:
            await self._connection.send_command(*command)
            _heed_cancellation()
        except _FAILURES as error:
            raise await self._failure(error) from error

    async def receive(self, seconds: float) -> Any:
        """Wait so many seconds at the longest for what comes next."""
        try:
            message = await self._connection.read_response(timeout=seconds)
        except _FAILURES as error:
            raise await self._failure(error) from error
        if message is None:  # redis-py's word for a time-out that was asked for
            raise await self._failure(TimeoutError("nothing came"))
        return message

    async def disconnect(self) -> None:
        """Drop the connection; the next call makes another one."""
        await self._connection.disconnect(nowait=True)

    async def _failure(self, error: Exception) -> StoreAway:
        await self.disconnect()
        _heed_cancellation()
        return translate(error)


def _heed_cancellation() -> None:
    """End the task if it is to end: ``asyncio.wait_for``, with which redis-py sends, may swallow that.

    (Python 3.11: it returns normally where a cancellation and the result come in one turn.)
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
