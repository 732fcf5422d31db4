"""A moderator at work on the page: a person, a message, the room; and the third, who reads why in chatte."""

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from harness.admin import Admin
from harness.browser_client import BrowserClient
from harness.chatte_client import ChatteClient
from harness.dialects import launch, listener
from harness.node import Node, NodeFactory
from harness.redis_server import RedisServer, running_redis
from web.chat_page import ChatPage, window

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

PASSWORD = "anna's password"


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with running_redis(fsync="no") as server:
        yield server


@pytest.fixture(scope="module")
def admin(redis: RedisServer) -> Admin:
    return Admin(redis.url)


@pytest.fixture(scope="module")
def nodes(
    tmp_path_factory: pytest.TempPathFactory, redis: RedisServer, admin: Admin
) -> Iterator[list[Node]]:
    """Run two nodes, on which anna moderates."""
    factory = NodeFactory(tmp_path_factory.mktemp("node"), redis.url)
    try:
        both = [
            launch(factory, [listener(BrowserClient), listener(ChatteClient)]) for _ in range(2)
        ]
        for node in both:
            node.ready_sync()
        for words in (["account", "add", "anna"], ["admin", "moderator", "add", "anna"]):
            subprocess.run(
                [sys.executable, "-m", "tertulia", *words],
                env=admin.environment, input=f"{PASSWORD}\n", text=True, check=True,
                timeout=200, capture_output=True,
            )  # fmt: skip
        yield both
    finally:
        factory.end()


@pytest_asyncio.fixture(loop_scope="session")
async def anna(browser: Browser, nodes: list[Node]) -> AsyncIterator[ChatPage]:
    async with window(browser) as it:
        await it.open(f"http://127.0.0.1:{nodes[0].port('browser')}/")
        await it.enter("anna", PASSWORD)
        yield it
        assert it.complaints == []


async def choose(page: ChatPage, words: str) -> None:
    await page.page.click(f"#asking-choices button:has-text('{words}')")


async def test_a_moderator_mutes_a_third_who_reads_why_in_chatte(
    anna: ChatPage, nodes: list[Node]
) -> None:
    bruno = await ChatteClient.enter_chat(nodes[1].port(), "bruno")
    bruno.say("something unkind")
    await anna.line("something unkind")

    # By the keyboard alone.
    await anna.page.focus("#people button:has-text('bruno')")
    await anna.page.keyboard.press("Enter")
    await anna.page.wait_for_selector("#asking[open]")
    await anna.screenshot("moderating-a-person")
    assert (
        await anna.page.locator("#asking-choices button:has-text('Let speak again')").count() == 0
    )
    await anna.page.fill("#asking .setting input", "too loud")
    await anna.page.focus("#asking-choices button:has-text('Mute for 10 minutes')")
    await anna.page.keyboard.press("Enter")
    await bruno.expect_line(
        lambda it: (
            it.startswith("102 G bruno was muted by anna until ") and it.endswith(": too loud")
        )
    )
    bruno.send(b"100 but why?\n")
    await bruno.expect_line(
        lambda it: it.startswith("102 G Your message was not sent: you are muted until ")
    )
    await anna.page.wait_for_selector(".line.notice:has-text('anna muted bruno until')")

    # The list says so, also after a reload.
    await anna.page.reload()
    await anna.page.wait_for_selector("#people li:has-text('bruno') .tag:has-text('muted')")
    await anna.page.wait_for_selector("#people li:has-text('anna') .tag:has-text('moderator')")
    await anna.page.click("#people button:has-text('bruno')")
    await anna.page.wait_for_selector("#asking-choices button:has-text('Let speak again')")
    await anna.page.keyboard.press("Escape")

    # His message is withdrawn from the screen.
    await anna.page.click(".line.said button.name:has-text('bruno')")
    await choose(anna, "Withdraw this message")
    await choose(anna, "Withdraw this message")
    await bruno.expect_line("102 G anna withdrew a message")
    await anna.page.locator("#log", has_text="something unkind").wait_for(state="detached")

    # Saying no changes nothing; saying yes removes him.
    await anna.page.click("#people button:has-text('bruno'), .line.said button.name")
    await choose(anna, "Remove from the room")
    await anna.answer(yes=False)
    assert bruno.connected
    await anna.page.click("#people button:has-text('bruno'), .line.said button.name")
    await choose(anna, "Remove from the room")
    await anna.answer(yes=True)
    await bruno.disconnected()


async def withdraw(page: ChatPage, text: str) -> None:
    await choose(page, "Withdraw this message")
    await choose(page, "Withdraw this message")
    await page.page.locator("#log", has_text=text).wait_for(state="detached")


async def test_each_message_of_a_group_is_withdrawn(anna: ChatPage, nodes: list[Node]) -> None:
    elio = await ChatteClient.enter_chat(nodes[1].port(), "elio")
    for text in ("first of four", "second of four", "third of four", "fourth of four"):
        elio.say(text)
        await anna.line(text)
    # By the mouse, the first, and then one that goes on.
    for text in ("first of four", "third of four"):
        line = anna.page.locator(".line.said", has_text=text)
        await line.hover()
        await line.locator(".act").click()
        await withdraw(anna, text)
    # By the keyboard: from the log to the latest, and up, past what is withdrawn.
    await anna.page.focus("#scroller")
    for key in ("Enter", "ArrowUp", "Enter"):
        await anna.page.keyboard.press(key)
    await withdraw(anna, "second of four")
    await anna.line("fourth of four")
    # One's own.
    await anna.say("my own slip")
    line = anna.page.locator("#log .line.said", has_text="my own slip")
    await line.hover()
    await anna.screenshot("moderating-a-message")
    await line.locator(".act").click()
    await anna.answer(yes=True)
    await elio.expect_line(lambda it: it == "102 G anna withdrew a message")
    await line.wait_for(state="detached")
    elio.close()


async def test_a_moderator_on_a_phone(browser: Browser, nodes: list[Node]) -> None:
    fabio = await ChatteClient.enter_chat(nodes[1].port(), "fabio")
    async with window(
        browser, viewport={"width": 360, "height": 640}, has_touch=True, is_mobile=True
    ) as anna:
        await anna.open(f"http://127.0.0.1:{nodes[0].port('browser')}/")
        await anna.enter("anna", PASSWORD)
        assert await anna.page.is_hidden("#recipient-act")
        await anna.page.tap("#people-button")
        await anna.page.wait_for_selector("#recipients .tag:has-text('moderator')")
        await anna.page.tap("#recipients li:has-text('fabio')")
        await anna.page.tap("#recipient-act")
        await anna.page.wait_for_selector("#asking[open]")
        await anna.screenshot("moderating-on-a-phone")
        await choose(anna, "Remove from the room")
        await anna.answer(yes=True)
        await fabio.disconnected()
        assert anna.complaints == []


async def test_the_room_has_a_topic_and_rules(anna: ChatPage, nodes: list[Node]) -> None:
    carla = await ChatteClient.enter_chat(nodes[1].port(), "carla")
    await anna.choose("room-button")
    await anna.page.wait_for_selector("#room-dialog[open]")
    await anna.page.fill("#room-topic", "coffee & more")
    await anna.page.select_option("#room-slow", "30")
    await anna.page.check("#room-accounts-only")
    await anna.screenshot("moderating-the-room")
    await anna.page.click("#room-dialog button.primary")
    await carla.expect_line("102 G anna set the topic: coffee & more")
    await carla.expect_line("102 G Slow mode, set by anna: one message each in 30 seconds")
    await carla.expect_line("102 G Only people with an account may speak now, says anna")
    await anna.page.wait_for_selector("#topic:has-text('coffee & more')")
    carla.close()


async def test_who_is_no_moderator_has_no_such_menu(browser: Browser, nodes: list[Node]) -> None:
    async with window(browser) as dora:
        await dora.open(f"http://127.0.0.1:{nodes[1].port('browser')}/")
        await dora.enter("dora")
        assert await dora.page.is_hidden("#room-button")
        await dora.page.wait_for_selector("#topic:has-text('coffee & more')")
        for rule in (
            "Slow mode: one message in 30 seconds",
            "Only people with an account may speak",
        ):
            await dora.page.wait_for_selector(f"#rules:has-text('{rule}')")
        assert dora.complaints == []


async def test_who_becomes_a_moderator_sees_who_is_muted(
    browser: Browser, nodes: list[Node], admin: Admin
) -> None:
    async with window(browser) as gina:
        await gina.open(f"http://127.0.0.1:{nodes[1].port('browser')}/")
        muted = await ChatteClient.enter_chat(nodes[0].port(), "hugo")
        assert (await admin("mute", "hugo")).status == 0
        await gina.enter("gina")
        await gina.choose("account")
        await gina.page.fill("#account-password", PASSWORD)
        await gina.page.click("#account-register button")
        await gina.page.wait_for_selector("#account-answer:has-text('is your account now')")
        await gina.page.keyboard.press("Escape")
        person = gina.page.locator("#people li:has-text('hugo')")
        assert "muted" not in (await person.text_content() or "")
        assert (await admin("moderator", "add", "gina")).status == 0
        await person.locator(".tag:has-text('muted')").wait_for()
        muted.close()
        assert gina.complaints == []
