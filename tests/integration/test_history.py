"""What was said before one came, on real nodes: for newcomers of every dialect, page by page, and found."""

import itertools
import re
from collections.abc import AsyncIterator, Iterator

import pytest

from harness import browser_frames as frames
from harness.admin import Admin
from harness.browser_client import BrowserClient
from harness.chatte_client import ChatteClient
from harness.dialects import launch, listener, port, until_empty
from harness.node import Node, NodeFactory
from harness.protocollo_client import ClassicClient, ProtocolloClient
from harness.redis_server import RedisServer, running_redis
from harness.waiting import until

FIRST = (ChatteClient, ProtocolloClient, BrowserClient)
SECOND = (ChatteClient, ClassicClient, BrowserClient)
"""What the two nodes speak."""
_witnesses = itertools.count(1)


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with running_redis(fsync="no") as server:  # nothing here is about disks
        yield server


@pytest.fixture(scope="module")
def factory(redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeFactory]:
    factory = NodeFactory(tmp_path_factory.mktemp("nodes"), redis.url)
    try:
        yield factory
    finally:
        factory.end()


@pytest.fixture(scope="module")
def nodes(factory: NodeFactory) -> list[Node]:
    for kinds in (FIRST, SECOND):
        launch(factory, [{**listener(kind), "history": 3} for kind in kinds])
    for node in factory.nodes:
        node.ready_sync()
    return factory.nodes


@pytest.fixture
async def speaker(nodes: list[Node]) -> AsyncIterator[BrowserClient]:
    """The only one in a room in which nothing was said."""
    client = await BrowserClient.enter_chat(port(nodes[0], BrowserClient), "speaker")
    client.stop()
    await client.disconnected()
    await until_empty(nodes[:2])
    client = await BrowserClient.enter_chat(port(nodes[0], BrowserClient), "speaker")
    yield client
    client.close()
    await until_empty(nodes[:2])


async def say(speaker: BrowserClient, nodes: list[Node], *texts: str) -> None:
    """Say something, and wait until every node has it."""
    name = f"witness-{next(_witnesses)}"  # of one that has just gone, it may not be free yet
    witness = await BrowserClient.enter_chat(port(nodes[1], BrowserClient), name)
    for text in texts:
        speaker.say(text)
    await speaker.answered()
    await witness.expect_event(frames.SaidEvent("speaker", texts[-1]))
    witness.close()


async def past(node: Node) -> list[str]:
    """Return what a newcomer reads of the past. Each node has its own: a nickname is not free at once."""
    newcomer = await BrowserClient.enter_chat(port(node, BrowserClient), f"newcomer-{node.node_id}")
    frame = await newcomer.expect_frame(frames.PastFrame)
    newcomer.close()
    return [it.text or "" for it in frame.messages]


async def look_back(client: BrowserClient, before: frames.PastFrame) -> frames.PastFrame:
    client.put(type="history", before=before.before, index=before.index)
    return await client.expect_frame(frames.PastFrame)


async def test_newcomers_of_every_dialect_read_it_before_anything_live(
    nodes: list[Node], speaker: BrowserClient
) -> None:
    texts = ["one", "two", "three", "four"]
    await say(speaker, nodes, *texts)
    for node, kinds in zip(nodes, (FIRST, SECOND), strict=False):
        for number, kind in enumerate(kinds):
            newcomer = await kind.enter_chat(port(node, kind), f"new{number}{node.node_id}")
            texts.append(speaker.say())
            await newcomer.wait_for(lambda: texts[-1] in "".join(newcomer.lines), 60, "the present")  # noqa: B023
            (past,) = [n for n, it in enumerate(newcomer.lines) if f"{texts[-4]}" in it]
            if isinstance(newcomer, BrowserClient):
                frame = await newcomer.expect_frame(frames.PastFrame)
                assert speaker.welcome is not None
                assert [it.text for it in frame.messages] == texts[-4:-1]
                assert {it.session for it in frame.messages} == {speaker.welcome.session}
                assert frame.more
                assert past == 1, "right behind the welcome"
            else:
                form = (
                    r"102 G \d\d:\d\d speaker: "
                    if kind is ChatteClient
                    else r"G> \d\d:\d\d speaker: "
                )
                for line, text in zip(newcomer.lines[past:], texts[-4:-1], strict=False):
                    assert re.fullmatch(form + text, line), line
                (live,) = [n for n, it in enumerate(newcomer.lines) if it.endswith(texts[-1])]
                assert live > past + 2
            newcomer.close()


async def test_a_node_that_starts_later_tells_it_too(
    nodes: list[Node], factory: NodeFactory, speaker: BrowserClient
) -> None:
    await say(speaker, nodes, "one", "two", "three", "four")
    late = launch(factory, [listener(BrowserClient)])
    await late.ready()
    newcomer = await BrowserClient.enter_chat(port(late, BrowserClient), "late")
    frame = await newcomer.expect_frame(frames.PastFrame)
    assert [it.text for it in frame.messages] == ["one", "two", "three", "four"]
    assert not frame.more
    newcomer.close()
    late.terminate()
    assert await late.exit_status(60) == 0


async def test_who_was_erased_is_in_no_node_s_memory(
    nodes: list[Node], speaker: BrowserClient, redis: RedisServer
) -> None:
    wilhelm = await BrowserClient.enter_chat(port(nodes[1], BrowserClient), "wilhelm")
    wilhelm.say("quince")
    await say(speaker, nodes, "one")
    assert await past(nodes[1]) == ["quince", "one"]
    assert (await Admin(redis.url).json("erase", "wilhelm"))["lines"] > 0
    await say(speaker, nodes, "two")
    for node in nodes[:2]:
        name = f"after-{node.node_id}"
        newcomer = await BrowserClient.enter_chat(port(node, BrowserClient), name)
        page = await newcomer.expect_frame(frames.PastFrame)
        assert [it.text for it in page.messages] == ["two"]
        back = await look_back(newcomer, page)
        assert [(it.nickname, it.text) for it in back.messages] == [("*", ""), ("speaker", "one")]
        newcomer.close()


async def test_the_past_is_read_page_by_page_and_found(
    nodes: list[Node], speaker: BrowserClient
) -> None:
    texts = [f"text {i}" for i in range(250)]
    await say(speaker, nodes, *texts)
    reader = await BrowserClient.enter_chat(port(nodes[1], BrowserClient), "reader")
    page = await reader.expect_frame(frames.PastFrame)
    read = [it.text for it in page.messages]
    while page.more:
        page = await look_back(reader, page)
        assert len(page.messages) <= 100
        read = [it.text for it in page.messages] + read
    assert read == texts
    reader.put(type="search", text="TEXT 24")
    found = await reader.expect_frame(frames.FoundFrame)
    assert [it.text for it in found.messages] == [
        "text 24",
        *(f"text {i}" for i in range(240, 250)),
    ]
    assert not found.more
    reader.close()


async def test_nothing_from_before_the_chat_was_closed(
    nodes: list[Node], speaker: BrowserClient
) -> None:
    await say(speaker, nodes, "before")
    assert await past(nodes[1]) == ["before"]
    speaker.stop()
    await speaker.disconnected()
    await until_empty(nodes[:2])
    for node in nodes[:2]:
        assert await past(node) == []
    reader = await BrowserClient.enter_chat(port(nodes[0], BrowserClient), "reader")
    page = await look_back(reader, await reader.expect_frame(frames.PastFrame))
    assert (page.messages, page.more) == ((), False)
    reader.put(type="search", text="before")
    assert (await reader.expect_frame(frames.FoundFrame)).messages == ()
    reader.close()


async def test_nothing_from_before_redis_lost_its_data(
    nodes: list[Node], redis: RedisServer, speaker: BrowserClient
) -> None:
    await say(speaker, nodes, "before")
    redis.control.flushall()
    epoch = speaker.position and speaker.position.epoch

    async def goes_on() -> bool:
        speaker.say("after")
        await speaker.answered()
        return speaker.position is not None and speaker.position.epoch != epoch

    await until(goes_on, 60, "another epoch")
    await say(speaker, nodes, "now")
    for node in nodes[:2]:
        read = await past(node)
        assert read[-1] == "now"
        assert "before" not in read
