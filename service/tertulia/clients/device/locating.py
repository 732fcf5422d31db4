"""Asking the service where a device is."""

import asyncio
import contextlib

from tertulia.clients.device.effects import Locate, NoPlace, PeerPlace
from tertulia.clients.device.hosts import told_host
from tertulia.clients.device.operations import address, listening_port
from tertulia.clients.device.service_calls import Service, ServiceError

LOCATE_SECONDS = 8.0
"""For an answer: a peer that dialled waits 10 s, and no more, to be taken in."""
TRIES = 3
PAUSE_SECONDS = 1.0
"""Between the tries: the node that was asked may have died."""


async def locate(service: Service, me: str, asked: Locate) -> PeerPlace | NoPlace:
    """Ask for the host by operation 12, and for the port, where it is not known, by 20."""
    why = "the service does not say in time"
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LOCATE_SECONDS):
            for left in reversed(range(TRIES)):
                try:
                    return await _asked_once(service, me, asked)
                except ServiceError as error:
                    why = f"the service can't be asked ({str(error).rstrip('.')})"
                if left:
                    await asyncio.sleep(PAUSE_SECONDS)
    return NoPlace(why)


async def _asked_once(service: Service, me: str, asked: Locate) -> PeerPlace | NoPlace:
    told = await service.call(lambda: address(me, asked.name), patient=False)
    host = told_host(told, service.address)
    if not host:
        return NoPlace(f"the service does not say where {asked.name}'s device is")
    port = asked.port or await service.call(lambda: listening_port(asked.name), patient=False)
    return (
        PeerPlace(host, port) if port else NoPlace(f"the service says {asked.name} is not online")
    )
