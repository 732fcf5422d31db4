"""A message of several lines, from a browser to every dialect, over two nodes."""

from harness import browser_frames as frames
from harness.admin import Admin
from harness.browser_client import BrowserClient
from harness.chatte_client import ChatteClient
from harness.dialects import launch, listener, port
from harness.node import NodeFactory
from harness.protocollo_client import ClassicClient, ProtocolloClient
from harness.redis_server import RedisServer

CODE = "see\n```\n  if a:\n\n    b\n```"
LINES = CODE.split("\n")


async def test_every_dialect_reads_the_lines_and_nobody_can_forge_one(
    redis_server: RedisServer, node_factory: NodeFactory
) -> None:
    kinds = (BrowserClient, ChatteClient, ProtocolloClient)
    one = launch(node_factory, [{**listener(kind), "history": 3} for kind in kinds])
    two = launch(
        node_factory, [listener(kind) for kind in (BrowserClient, ChatteClient, ClassicClient)]
    )
    await one.ready()
    await two.ready()
    writer = await BrowserClient.enter_chat(port(one, BrowserClient), "writer")
    reader = await BrowserClient.enter_chat(port(two, BrowserClient), "reader")
    chatte = await ChatteClient.enter_chat(port(two, ChatteClient), "chatte")
    page = await ProtocolloClient.enter_chat(port(one, ProtocolloClient), "page")
    classic = await ClassicClient.enter_chat(port(two, ClassicClient), "classic")

    writer.say(CODE)
    writer.whisper("chatte", "one\r\n102 G two\n")
    writer.whisper("page", "uno\rdue")
    await writer.answered()
    await reader.expect_event(frames.SaidEvent("writer", CODE))
    said = await chatte.lines_through("102 writer 102 G two")
    assert [it for it in said if it.startswith("100")] == [f"100 writer {it}" for it in LINES]
    assert [it for it in said if it.startswith("102")] == ["102 writer one", "102 writer 102 G two"]
    said = await page.lines_through("writer> due")
    assert [it for it in said if ".@g> " in it][-6:] == [f"writer.@g> {it}" for it in LINES]
    assert said[-2:] == ["writer> uno", "writer> due"]
    for line in LINES:
        await classic.expect_line(f"writer.@G> {line}")

    # What was said before, a search, and the log as operators read it.
    newcomer = await ChatteClient.enter_chat(port(one, ChatteClient), "newcomer")
    told = [await newcomer.expect_line(lambda it: it.startswith("102 G ")) for _ in LINES]
    assert [it[12:] for it in told] == [f"writer: {it}" for it in LINES]
    writer.put(type="search", text="if A:")
    found = await writer.expect_frame(frames.FoundFrame)
    assert [it.text for it in found.messages] == [CODE]

    logged = await Admin(redis_server.url)("log")
    (line,) = [it for it in logged.out.splitlines() if "writer: " in it]
    assert line.endswith("writer: " + "\\n".join(LINES))

    writer.put(type="say", id=1000, text="a\n" * 50 + "a")
    error = await writer.expect_frame(frames.ErrorFrame)
    assert error == frames.ErrorFrame("text has more than 50 lines", 1000)
