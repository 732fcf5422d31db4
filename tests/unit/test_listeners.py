"""How a node sends to everybody: with a ring, or to one after the other, and then it says why."""

import asyncio
import errno
import os

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from tertulia import listeners
from tertulia.chat.fanout import OneByOne
from tertulia.edge.crowd import RingCrowd
from tertulia.metrics import Metrics
from tertulia.settings import Settings


def forbidden(sockets: int) -> None:
    raise OSError(errno.EPERM, os.strerror(errno.EPERM))


def granted(sockets: int) -> object:
    return object()


@pytest.mark.parametrize(
    ("io_uring", "ring", "kind", "reasons"),
    [
        (True, granted, RingCrowd, []),
        (True, forbidden, OneByOne, ["no io_uring: Operation not permitted"]),
        (False, granted, OneByOne, ["io_uring is off"]),
    ],
)
async def test_a_ring_is_used_where_it_is_wanted_and_allowed(
    io_uring: bool,
    ring: object,
    kind: type[object],
    reasons: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listeners, "Ring", ring)
    metrics = Metrics(CollectorRegistry(), dialects=["chatte"], chats=["main"], version="x")
    with capture_logs() as logs:
        made = listeners.Listeners(
            Settings(io_uring=io_uring), {}, metrics, asyncio.get_running_loop()
        )
    assert type(made.crowd()) is kind
    assert [
        line["reason"] for line in logs if line["event"] == "sending to one after the other"
    ] == reasons
