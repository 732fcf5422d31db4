"""What the API's process has: its tokens, its way to the chats, how much each token took."""

import asyncio
import math
from pathlib import Path
from typing import Final

import structlog
from prometheus_client import CollectorRegistry

from tertulia.api.metrics import ApiMetrics, StreamEnd
from tertulia.api.shared_looks import SharedLooks
from tertulia.api.streams import Streams
from tertulia.api.tokens import Token, Tokens, TokensUnusable
from tertulia.api.watched import Marks, changes
from tertulia.api.webhooks.relay import Relay
from tertulia.edge.limits import TokenBucket
from tertulia.operators.deployment import Deployment
from tertulia.operators.rooms import RoomSeen
from tertulia.redis.errors import StoreAway
from tertulia.settings.api import ApiSettings
from tertulia.settings.model import Settings
from tertulia.telemetry.metrics import RetryCause

_HASHES: Final = 2

log = structlog.get_logger(__name__)


class Paces:
    """How fast each token asks."""

    def __init__(self, settings: ApiSettings) -> None:
        self._settings = settings
        self._buckets: dict[tuple[str, str], TokenBucket] = {}

    def wait(self, token: Token, now: float) -> int:
        """Count a request; return for how many seconds its sender has to wait, 0 where it may go on."""
        rate, burst = self._settings.requests_per_second, self._settings.requests_burst
        named = (token.chat, token.key)
        bucket = self._buckets.setdefault(named, TokenBucket(rate, burst))
        return math.ceil(bucket.take(1, now))


class Desk:
    """What all requests share. To be closed."""

    def __init__(
        self,
        settings: Settings,
        tokens: Tokens,
        deployment: Deployment,
        registry: CollectorRegistry,
        relay: Relay | None = None,
    ) -> None:
        self.settings = settings
        self.tokens = tokens
        self.deployment = deployment
        self.relay = relay
        """Of webhooks, where there are any."""
        self.paces = Paces(settings.api)
        self.metrics = ApiMetrics(registry)
        self.streams = Streams(settings.api.streams, settings.api.streams_per_token, self.metrics)
        self.is_stopping = False
        """Whether no more requests should come here."""
        self._trouble = "redis: not asked yet"
        self.rooms: SharedLooks[list[RoomSeen]] = SharedLooks()
        """By chat, and which rooms: there may be ten thousand."""
        self.hashing = asyncio.Semaphore(_HASHES)
        """Held while a password is hashed: each takes 64 MiB and a core."""

    def reasons(self) -> list[str]:
        """Say why no requests should come here now."""
        reasons = ["stopping"] if self.is_stopping else []
        return [*reasons, self._trouble] if self._trouble else reasons

    def end_streams(self, why: StreamEnd) -> None:
        """End all streams."""
        self.streams.end(why, lambda _token, _room: True)

    async def watch_redis(self) -> None:
        """Ask Redis again and again whether it is there."""
        cause: RetryCause | None = RetryCause.OTHER
        while True:
            try:
                await self.deployment.answers()
            except StoreAway as error:
                self._trouble = f"redis: {error}"
                if error.cause is not cause:
                    cause = error.cause
                    log.warning(
                        "redis is away", chat=None, cause=error.cause.value, error=str(error)
                    )
            else:
                self._trouble = ""
                if cause is not None:
                    cause = None
                    log.info("redis answers", chat=None)
            self.metrics.redis_up.set(not self._trouble)
            await asyncio.sleep(self.settings.cluster.heartbeat_seconds)

    async def watch_tokens(self, file: Path, seen: Marks) -> None:
        """Read the file of tokens again when it is another one than was seen.

        A wrong one changes nothing, and is said.
        """
        async for _ in changes(seen, lambda: [file]):
            try:
                self.tokens = await asyncio.to_thread(Tokens.load, file)
            except TokensUnusable as error:
                log.error("new tokens can't be used", error=str(error))
            else:
                log.info("tokens read", tokens=len(self.tokens))
                self.streams.end(StreamEnd.TOKEN, lambda it, room: not self.may_read(it, room))

    def may_read(self, token: Token, room: str) -> bool:
        """Say whether a token, which was good a moment ago, may still read in a room."""
        now = self.tokens.by_digest(token.sha256)
        return now is not None and now.chat == token.chat and now.reads(room)
