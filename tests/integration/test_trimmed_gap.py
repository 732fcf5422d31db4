"""A node loses touch with the bus, and what it missed is trimmed from the log: its people read so."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from harness import browser_frames as frames
from harness.browser_client import BrowserClient
from harness.chatte_client import SENT, ChatteClient
from harness.dialects import launch, listener, port
from harness.node import Node, NodeFactory
from harness.protocollo_client import MISSED, ClassicClient, ProtocolloClient
from harness.redis_proxy import RedisProxy
from harness.redis_server import RedisServer
from harness.waiting import until

pytestmark = pytest.mark.slow

MISSING = "102 G Some of what was said is missing here."
PATIENT = {
    # The log keeps a second; and nobody is buried for a freeze that lasts until that is over.
    "CLUSTER__LOG_AGE_SECONDS": "1",
    "CLUSTER__SILENCE_SECONDS": "25",
    "CLUSTER__LEASE_SECONDS": "30",
}


@asynccontextmanager
async def frozen(node: Node, proxy: RedisProxy) -> AsyncIterator[None]:
    """Freeze a node, and have Redis close its subscription, as it does to who does not read."""
    node.freeze()
    proxy.cut_bus()
    yield
    node.thaw()


@asynccontextmanager
async def cut_off(node: Node, proxy: RedisProxy) -> AsyncIterator[None]:
    """Keep a node from subscribing, while its commands go through."""
    proxy.refuses_bus = True
    assert proxy.cut_bus()
    yield
    proxy.refuses_bus = False


@pytest.mark.parametrize(
    ("away", "lines"),
    [(frozen, ProtocolloClient), (cut_off, ClassicClient)],
    ids=["frozen", "cut off"],
)
@pytest.mark.parametrize("room", ["", "ops"], ids=["in the lobby", "in a room"])
async def test_whoever_was_connected_through_a_gap_that_the_log_lost_is_told_so(
    node_factory: NodeFactory,
    redis_server: RedisServer,
    away: Callable[[Node, RedisProxy], AbstractAsyncContextManager[None]],
    lines: type[ProtocolloClient],
    room: str,
) -> None:
    here_kinds: tuple[type[ChatteClient], ...] = (ChatteClient, ProtocolloClient, BrowserClient)
    there_kinds: tuple[type[ChatteClient], ...] = (ChatteClient, lines, BrowserClient)
    async with RedisProxy(redis_server) as proxy:
        here = launch(node_factory, map(listener, here_kinds), **PATIENT)
        there = launch(node_factory, map(listener, there_kinds), redis_url=proxy.url, **PATIENT)
        await here.ready()
        await there.ready()
        speaker = await come(here, ChatteClient, "speaker", room)
        witnesses = [await come(here, it, f"here-{it.__name__}", room) for it in here_kinds]
        people = [await come(there, it, f"there-{it.__name__}", room) for it in there_kinds]
        chatte, protocollo, browser = people
        assert isinstance(browser, BrowserClient)
        seat = browser.rooms[room] if room else browser.lobby
        speaker.say("before")
        await chatte.expect_line("100 speaker before")
        await protocollo.expect_line(lambda line: line.endswith("> before"))
        await browser.expect_event(frames.SaidEvent("speaker", "before"), room=room)
        assert seat.place is not None
        known = seat.place.offset

        async with away(there, proxy):
            if away is cut_off:
                chatte.say("from there, into the gap")

            log = f"{{main#{room}}}:log" if room else "{main}:log"

            async def is_trimmed() -> bool:
                speaker.say("into the gap")
                await speaker.answered()
                info = redis_server.control.xinfo_stream(log)
                return int(info["first-entry"][0].partition("-")[0]) > known + 5

            await until(is_trimmed, 30, "the log to be trimmed", every=0.1)
        # Not before: what is said trims more, and where that is between two looks, it is told twice.
        await chatte.expect_line(MISSING)
        await protocollo.expect_line(MISSED)
        speaker.say("after")
        await chatte.expect_line("100 speaker after", 30)
        await protocollo.expect_line(lambda line: line.endswith("> after"))
        await browser.expect_event(frames.SaidEvent("speaker", "after"), room=room)

        # Each reads it once, where it is.
        assert chatte.lines.count(MISSING) == protocollo.lines.count(MISSED) == 1
        place = chatte.lines.index(MISSING)
        assert chatte.lines.index("100 speaker before") < place
        assert "100 speaker after" in chatte.lines[place:]
        (missed,) = (
            it for it in browser.frames if isinstance(it, frames.MissedFrame) and of(it) == room
        )
        before, after = (
            [it.offset for it in some if isinstance(it, frames.EventsFrame) and of(it) == room]
            for some in (
                browser.frames[: browser.frames.index(missed)],
                browser.frames[browser.frames.index(missed) :],
            )
        )
        assert known <= max(before) < missed.offset
        assert after == list(range(missed.offset + 1, after[-1] + 1)), "nothing else is missing"
        if away is cut_off:
            # What it said is lost to its own node, and answered.
            await chatte.wait_for(lambda: SENT in chatte.lines, 30, "its answer")
        # Nobody else has missed anything.
        for witness in (speaker, *witnesses):
            assert not {MISSING, MISSED} & set(witness.lines)
            if isinstance(witness, BrowserClient):
                assert not any(isinstance(it, frames.MissedFrame) for it in witness.frames)


def of(frame: frames.MissedFrame | frames.EventsFrame) -> str:
    """Return the further room that a frame is of; nothing for the lobby."""
    return frame.room or ""


async def come(node: Node, kind: type[ChatteClient], nickname: str, room: str) -> ChatteClient:
    """Let somebody come, into the lobby or a further room."""
    if kind is not BrowserClient:
        name = f"{nickname}@{room}" if room else nickname
        return await kind.enter_chat(port(node, kind), name)
    client = await BrowserClient.enter_chat(port(node, kind), nickname)
    if room:
        await client.join_room(room)
    return client
