"""The page on two real nodes behind one address: what people see when a node is killed."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser
from playwright.async_api import TimeoutError as NothingYet

from harness.browser_client import BrowserClient
from harness.certificates import make
from harness.chatte_client import ChatteClient
from harness.dialects import launch, listener
from harness.node import QUICK, Node, NodeFactory
from harness.redis_server import free_port
from harness.requirements import program
from harness.waiting import until
from web.chat_page import WITHIN, ChatPage, window

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

BALANCER = """\
defaults
    mode tcp
    timeout connect 1s
    timeout client 1h
    timeout server 1h
    option redispatch
    retries 3
listen page
    bind 127.0.0.1:{port}
    balance roundrobin
    server one 127.0.0.1:{one} check inter 200ms fall 1 on-marked-down shutdown-sessions
    server two 127.0.0.1:{two} check inter 200ms fall 1 on-marked-down shutdown-sessions
"""
LISTENERS = [listener(dialect) for dialect in (ChatteClient, BrowserClient)]


@pytest_asyncio.fixture(loop_scope="session")
async def nodes(node_factory: NodeFactory) -> list[Node]:
    """Run two nodes."""
    both = [launch(node_factory, LISTENERS, **QUICK) for _ in range(2)]
    for node in both:
        await node.ready()
    return both


@pytest_asyncio.fixture(loop_scope="session")
async def address(nodes: list[Node], tmp_path: Path) -> AsyncIterator[str]:
    """Run a balancer in front of both, and give the page's address there."""
    haproxy, port = program("haproxy"), free_port()
    configuration = tmp_path / "haproxy.cfg"
    one, two = (node.port("browser") for node in nodes)
    configuration.write_text(BALANCER.format(port=port, one=one, two=two))
    balancer = await asyncio.create_subprocess_exec(haproxy, "-db", "-f", str(configuration))

    async def answers() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    await until(answers, WITHIN, "the balancer")
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        balancer.kill()
        await balancer.wait()


async def said(page: ChatPage) -> list[str]:
    """Return all public messages in a window's log, oldest first."""
    return [line.text for line in await page.all_lines() if line.kind == "said"]


async def test_a_killed_node_costs_nobody_anything(
    browser: Browser, nodes: list[Node], address: str, node_factory: NodeFactory
) -> None:
    await node_factory.seasoned()
    async with window(browser) as anna, window(browser) as bruno:
        for page, name in ((anna, "anna"), (bruno, "bruno")):
            await page.open(address)
            await page.enter(name)
        for i in range(40):
            await (anna, bruno)[i % 2].say(f"message {i}")
            if i == 15:
                nodes[0].kill()
        for page in (anna, bruno):
            await page.kept_line("message 38", WITHIN)
            await page.kept_line("message 39", WITHIN)
        first, second = await said(anna), await said(bruno)
        assert sorted(first) == sorted(f"message {i}" for i in range(40))
        assert first == second
        await anna.screenshot("web-real-after-a-killed-node")


async def test_two_pages_and_a_terminal_in_a_room_survive_a_killed_node(
    browser: Browser, nodes: list[Node], address: str, node_factory: NodeFactory
) -> None:
    await node_factory.seasoned()
    async with window(browser) as anna, window(browser) as bruno:
        for page, name in ((anna, "anna"), (bruno, "bruno")):
            await page.open(f"{address}#ops")
            await page.enter(name)
            await page.in_room("ops")
        carla = await ChatteClient.enter_chat(nodes[1].port("chatte"), "carla@ops")
        await anna.line("carla")  # perhaps in one line with bruno
        for i in range(40):
            await (anna, bruno)[i % 2].say(f"message {i}")
            if i == 15:
                nodes[0].kill()
            if i % 10 == 0:
                carla.send(f"100 line {i}\n".encode())
        for page in (anna, bruno):
            for i in (38, 39):
                await page.kept_line(f"message {i}", WITHIN)
            await page.line("line 30", WITHIN)
        first, second = await said(anna), await said(bruno)
        assert sorted(first) == sorted(
            [*(f"message {i}" for i in range(40)), *(f"line {i}" for i in range(0, 40, 10))]
        )
        assert first == second
        # Who is shown one room reads it in the same order.

        def read() -> list[str]:
            return [it[it.index("message") :] for it in carla.lines if "message" in it]

        await until(lambda: len(read()) == 40, WITHIN, "carla to read all of it")
        assert read() == [it for it in first if it.startswith("message")]
        # Nothing of it was said in the lobby, and both rooms are there after a reload.
        await anna.page.reload()
        await anna.inside()
        await anna.in_room("ops")
        await anna.kept_line("message 39")
        await anna.go_to("")
        assert await said(anna) == []
        await anna.screenshot("web-real-rooms-after-a-killed-node")
        assert anna.complaints == bruno.complaints == []


async def test_who_opens_a_room_with_an_account_looks_after_it(
    browser: Browser, nodes: list[Node], address: str
) -> None:
    async with window(browser) as anna, window(browser) as bruno:
        await anna.open(address)
        await anna.enter("anna")
        await anna.choose("account")
        await anna.page.fill("#account-password", "tea-at-five")
        await anna.page.keyboard.press("Enter")
        await anna.page.wait_for_selector("#account-answer:has-text('is your account now')")
        await anna.page.keyboard.press("Escape")
        await anna.join("ops")
        await anna.page.wait_for_selector("#people .tag:text-is('owner')")
        await bruno.open(f"{address}#ops")
        await bruno.enter("bruno")
        await bruno.in_room("ops")
        await anna.say("/topic what runs")
        await bruno.page.wait_for_selector("#topic:text-is('what runs')")
        await bruno.say("off topic")
        await anna.line("off topic")
        await anna.page.click("#people .name:text-is('bruno')")
        await anna.page.click("#asking >> text=Remove from the room")
        await anna.answer(yes=True)
        await bruno.line("You were removed from #ops")
        # He is in the chat still, and the room is where it was.
        await bruno.say("sorry")
        assert (await bruno.kept_line("sorry")).is_own

        async def opens_it_from_the_list() -> bool:
            """The list is as it was when it was opened, and topics come there a moment later."""
            await bruno.choose("all-rooms")
            try:
                await bruno.page.click("#rooms-found >> text=what runs", timeout=5_000)
            except NothingYet:
                await bruno.page.keyboard.press("Escape")
                return False
            return True

        await until(opens_it_from_the_list, 2 * WITHIN, "the topic in the list of rooms")
        await bruno.in_room("ops")
        await bruno.line("off topic")
        assert anna.complaints == bruno.complaints == []


async def test_a_refused_name_a_nickname_of_another_dialect_and_the_end(
    browser: Browser, nodes: list[Node], address: str
) -> None:
    async with window(browser) as anna, window(browser) as bruno:
        await anna.open(address)
        await anna.enter("anna")
        await ChatteClient.enter_chat(nodes[0].port("chatte"), "Carla")
        await bruno.open(address)
        await bruno.ask_for("carla")
        assert await bruno.refusal()
        await bruno.enter("bruno")
        hostile = '<img src=x onerror="document.title=1"><script>document.title=2</script>'
        await bruno.say(hostile)
        assert (await anna.line(hostile)).text == hostile
        await anna.line("Carla")
        await anna.screenshot("web-real-chat")
        assert await anna.may_close()
        await anna.close_chat()
        await bruno.at_entrance()
        assert anna.complaints == bruno.complaints == []


async def test_5000_quick_messages_are_all_read(
    browser: Browser, nodes: list[Node], address: str
) -> None:
    talker = await ChatteClient.enter_chat(nodes[0].port("chatte"), "talker")
    async with window(browser) as anna:
        await anna.open(address)
        await anna.enter("anna")
        for i in range(5000):
            talker.send(f"100 quick {i}\n".encode())
        await anna.line("quick 4999", 2 * WITHIN)
        assert await said(anna) == [f"quick {i}" for i in range(5000)]


async def test_over_https_the_page_speaks_wss(
    browser: Browser, node_factory: NodeFactory, tmp_path: Path
) -> None:
    node = launch(node_factory, [listener(BrowserClient, certificate=str(make(tmp_path).both))])
    await node.ready()
    async with window(browser, ignore_https_errors=True) as anna:
        await anna.open(f"https://127.0.0.1:{node.port('browser')}/")
        await anna.enter("anna")
        await anna.say("privately")
        assert (await anna.line("privately")).text == "privately"
        assert anna.complaints == []
