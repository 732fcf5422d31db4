"""The relay of all webhooks of a file, which may change while it runs."""

import asyncio
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import structlog

from tertulia.api.unending import again_and_again
from tertulia.api.watched import changes, marks
from tertulia.api.webhooks.hook_relay import HookRelay
from tertulia.api.webhooks.hooks import Signed, Webhooks, WebhooksUnusable
from tertulia.api.webhooks.sending import HookSender
from tertulia.api.webhooks.tallies import Tally
from tertulia.api.webhooks.trying import TryBounds
from tertulia.operators.deployment import Deployment
from tertulia.settings.api import ApiSettings

_HOUR: Final = 3600.0

log = structlog.get_logger("tertulia.webhooks")


class Relay:
    """Relays the webhooks of a file, each while no other process does."""

    def __init__(self, file: Path, settings: ApiSettings, deployment: Deployment) -> None:
        """Read the file. Raises WebhooksUnusable."""
        self._file = file
        self._settings = settings
        self._deployment = deployment
        self._holder = f"api-{secrets.token_hex(8)}"
        self._stopping = asyncio.Event()
        self._running: dict[Signed, tuple[HookRelay, asyncio.Task[None]]] = {}
        self._seen = marks([file])
        self.hooks = Webhooks.load(file)

    def tallies(self) -> Iterator[Tally]:
        """Give what is counted of each webhook."""
        for it, _ in self._running.values():
            yield it.tally

    def stop(self) -> None:
        """Let ``run`` end."""
        self._stopping.set()

    async def run(self) -> None:
        """Relay until ``stop`` is called: then others go on at once."""
        following = asyncio.create_task(again_and_again(self._follow_file))
        try:
            await self._stopping.wait()
        finally:
            following.cancel()
            await asyncio.wait([following])
            await self._end(list(self._running))

    async def _follow_file(self) -> None:
        """Relay what the file says. A wrong one changes nothing, and is said."""
        await self._adopt(self.hooks)
        async for _ in changes(self._seen, lambda: self.hooks.files):
            try:
                hooks = await asyncio.to_thread(Webhooks.load, self._file)
            except WebhooksUnusable as error:
                log.error("new webhooks can't be used", error=str(error))
            else:
                await self._adopt(hooks)
                log.info("webhooks read", webhooks=len(hooks))

    async def _adopt(self, hooks: Webhooks) -> None:
        self.hooks = hooks
        await self._end([it for it in self._running if it not in hooks.hooks])
        settings = self._settings
        patience = TryBounds(settings.webhook_tries, settings.webhook_hours * _HOUR)
        for signed in hooks.hooks:
            if signed in self._running:
                continue
            proxy = settings.webhook_proxy
            sender = HookSender(
                signed,
                settings.webhook_timeout_seconds,
                None if proxy is None else proxy.get_secret_value(),
            )
            relay = HookRelay(signed, self._deployment, sender, patience, self._holder)
            self._running[signed] = relay, asyncio.create_task(relay.run())

    async def _end(self, those: list[Signed]) -> None:
        gone = [self._running.pop(it) for it in those]
        await asyncio.gather(*(relay.end(task) for relay, task in gone))
