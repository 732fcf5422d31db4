"""One webhook's relay: one process at a time has it, by a lease in Redis."""

import asyncio
import contextlib
from typing import Final

import structlog

from tertulia.api.tokens import LOBBY
from tertulia.api.webhooks.hooks import Signed
from tertulia.api.webhooks.room_relay import Memory, ReceiverGone, RoomRelay
from tertulia.api.webhooks.sending import MOST_AT_ONCE, HookSender
from tertulia.api.webhooks.tallies import Tally
from tertulia.api.webhooks.trying import TryBounds
from tertulia.operators.deployment import Deployment
from tertulia.operators.webhooks import LeaseLost, RelayLease
from tertulia.redis.errors import StoreAway

LEASE_SECONDS: Final = 4.0
"""For which a process relays a webhook, unless it renews that."""
_RENEW_SECONDS: Final = 1.0
_LOOK_AGAIN_SECONDS: Final = 1.0
"""After which a process looks again whether somebody else relays it."""
_LAST_REQUESTS_SECONDS: Final = 1.0
"""For which requests under way are waited for when the process ends."""
_AFTER_DEFECT_SECONDS: Final = 5.0

_log = structlog.get_logger("tertulia.webhooks")


class HookRelay:
    """Relays one webhook while no other process does."""

    def __init__(
        self,
        signed: Signed,
        deployment: Deployment,
        sender: HookSender,
        patience: TryBounds,
        holder: str,
    ) -> None:
        """``holder``: what this process is called; no other one ever has the name."""
        self._signed = signed
        self._hook = hook = signed.hook
        self._deployment = deployment
        self._record = deployment.webhook(hook.chat, hook.name)
        self._sender = sender
        self._patience = patience
        self._holder = holder
        self._turns = asyncio.Semaphore(MOST_AT_ONCE)
        self._remembered: dict[str, Memory] = {}
        self.tally = Tally(hook.chat, hook.name)

    async def run(self) -> None:
        """Relay until this is cancelled."""
        while True:
            try:
                await self._relay_in_turn()
            except Exception:
                _log.exception(
                    "a webhook's relay failed", hook=self._hook.name, chat=self._hook.chat
                )
                await asyncio.sleep(_AFTER_DEFECT_SECONDS)

    async def end(self, task: "asyncio.Task[None]") -> None:
        """End ``run``: the requests under way first, for a moment, and somebody else may go on at once."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_REQUESTS_SECONDS):
                for _ in range(MOST_AT_ONCE):  # all turns: nothing is under way, and nothing begins
                    await self._turns.acquire()
        task.cancel()
        await asyncio.wait([task])
        with contextlib.suppress(StoreAway):
            await self._record.release(self._holder)
        await self._sender.close()

    async def _relay_in_turn(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            asked = loop.time()
            try:
                lease = await self._record.lease(self._holder, round(LEASE_SECONDS * 1000))
            except StoreAway:
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)
                continue
            self.tally.is_disabled = lease.gone == self._hook.receiver
            if lease.term:
                await self._hold(lease, asked + LEASE_SECONDS)
            else:
                self._remembered.clear()  # somebody else goes on
                wait = min(lease.milliseconds / 1000, _LOOK_AGAIN_SECONDS)
                await asyncio.sleep(wait)

    async def _hold(self, lease: RelayLease, until: float) -> None:
        """Relay until the lease is lost, or the receiver changes its mind."""
        hook = self._hook
        if not self.tally.is_disabled:
            _log.info("a webhook is relayed here", hook=hook.name, chat=hook.chat)
        self.tally.is_relayed = True
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._keep(lease, until))
                if not self.tally.is_disabled:
                    for room in hook.rooms:
                        tasks.create_task(self._in_room(lease, room).run())
        except* LeaseLost:
            pass
        except* ReceiverGone:
            _log.error("a webhook is disabled", hook=hook.name, chat=hook.chat)
        finally:
            self.tally.is_relayed = False

    def _in_room(self, lease: RelayLease, room: str) -> RoomRelay:
        hook = self._hook
        name = None if room == LOBBY else room
        return RoomRelay(
            hook,
            room,
            lambda: self._deployment.feed(hook.chat, name),
            self._record,
            self._record.in_room(self._holder, lease.term, room),
            self._sender,
            self._turns,
            self._patience,
            self.tally,
            self._remembered,
        )

    async def _keep(self, lease: RelayLease, until: float) -> None:
        """Renew the lease. Raises LeaseLost when it is out, or what it says is another thing."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_RENEW_SECONDS)
            asked = loop.time()
            try:
                async with asyncio.timeout_at(until):
                    kept = await self._record.lease(self._holder, round(LEASE_SECONDS * 1000))
            except TimeoutError:
                raise LeaseLost from None
            except StoreAway:
                continue
            if kept != lease:
                raise LeaseLost
            until = asked + LEASE_SECONDS
