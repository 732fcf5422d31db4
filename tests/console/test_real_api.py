"""The console on a real API over a real Redis, with a real node: a moderator without a shell."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser

from console.console_page import ConsolePage, window
from harness.api_process import OPERATOR, ApiProcess
from harness.browser_client import BrowserClient
from harness.chatte_client import ChatteClient
from harness.dialects import start
from harness.node import Node, NodeFactory
from harness.redis_server import RedisServer
from tertulia.api.tokens import digest
from web.chat_page import window as chat_window

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

MODERATOR = "tertulia_the-moderators-token"
TOKENS = f"""
[[tokens]]
name = "mara"
sha256 = "{digest(MODERATOR)}"
scopes = ["read", "moderate"]
rooms = ["ops"]

[[tokens]]
name = "olga"
sha256 = "{digest(OPERATOR)}"
scopes = ["operate", "read", "say"]
"""
WITHIN = 60.0


@pytest_asyncio.fixture(loop_scope="session")
async def node(node_factory: NodeFactory) -> Node:
    """Run a node for lines and for pages."""
    (it,) = await start(node_factory, [ChatteClient, BrowserClient])
    return it


@pytest_asyncio.fixture(loop_scope="session")
async def address(tmp_path: Path, redis_server: RedisServer, node: Node) -> AsyncIterator[str]:
    """Run the API over the same Redis, and give the console's address there."""
    api = ApiProcess(tmp_path / "api", redis_server.url, tokens=TOKENS)
    try:
        await api.ready()
        yield f"http://127.0.0.1:{api.ports['api']}/"
    finally:
        api.end()


async def press_until(console: ConsolePage, name: str, key: str = "Tab") -> None:
    """Go to something by the keyboard."""
    for _ in range(60):
        if await console.focused() == name:
            return
        await console.page.keyboard.press(key)
    raise AssertionError(f"{key} does not lead to {name}")


async def test_a_moderator_without_a_shell_mutes_somebody(
    browser: Browser, node: Node, address: str
) -> None:
    bruno = await ChatteClient.enter_chat(node.port("chatte"), "bruno@ops")
    async with chat_window(browser) as anna, window(browser) as console:
        await anna.open(f"http://127.0.0.1:{node.port('browser')}/#ops")
        await anna.enter("anna")
        await anna.in_room("ops")
        bruno.send(b"100 buy cheap watches\n")
        page = console.page
        await console.open(address)  # / leads to the console
        assert page.url.endswith("/console/")
        # From here on with the keyboard alone.
        await page.keyboard.type(MODERATOR)
        await page.keyboard.press("Enter")
        await page.wait_for_selector("tbody a")
        await press_until(console, "#ops")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("#log .said >> text=buy cheap watches")
        await page.wait_for_selector("[aria-label='Mute bruno']")
        await press_until(console, "Mute bruno")
        for key in ("Enter", "ArrowDown", "Tab"):
            await page.keyboard.press(key)
        await page.keyboard.type("no adverts here, please")
        await page.keyboard.press("Enter")
        await console.told("bruno is muted in #ops until")
        # He reads why, at once and when he speaks.
        why = await bruno.expect_line(lambda it: "no adverts here, please" in it, WITHIN)
        assert "muted" in why
        bruno.send(b"100 but they are cheap\n")
        await bruno.expect_line(lambda it: "Your message was not sent" in it, WITHIN)
        await page.wait_for_selector("#mutes tbody tr:has-text('no adverts here, please')")
        await page.wait_for_selector("#audit tbody tr:has-text('mara (api)')")
        # The message is withdrawn, from its menu.
        await page.focus("#log .log")
        for key in ("Enter", "Enter"):
            await page.keyboard.press(key)
        await page.wait_for_selector("#asking[open] >> text=buy cheap watches")
        await press_until(console, "Redact")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("#filling[open]")
        await page.keyboard.type("spam")
        await page.keyboard.press("Enter")
        await console.told("The message of bruno is withdrawn")
        await page.wait_for_selector("#log .is-redacted")
        await anna.line("withdrawn by a moderator")
        assert "buy cheap watches" not in await anna.texts()
        assert "cheap watches" not in await page.inner_text("#log")
        await page.reload()
        await page.wait_for_selector("#log .is-redacted")
        await page.wait_for_selector("[aria-label='Unmute bruno']")
        await press_until(console, "Unmute bruno")
        await page.keyboard.press("Enter")
        await console.told("bruno may speak in #ops again")
        await bruno.expect_line(lambda it: "bruno may speak again" in it, WITHIN)
        bruno.send(b"100 sorry\n")
        await page.wait_for_selector("#log .said >> text=sorry")
        assert console.complaints == []
        assert "but they are cheap" not in await page.inner_text("#log")
        await console.screenshot("console-real-moderating")
    bruno.close()


async def test_a_page_reads_once_what_a_program_says_twice(
    browser: Browser, node: Node, address: str
) -> None:
    asking = {"Authorization": f"Bearer {OPERATOR}", "Idempotency-Key": "1"}
    async with (
        chat_window(browser) as anna,
        httpx.AsyncClient(base_url=f"{address}v1/", headers=asking) as program,
    ):
        await anna.open(f"http://127.0.0.1:{node.port('browser')}/#ops")
        await anna.enter("anna")
        await anna.in_room("ops")
        made = await program.put("accounts/olga", json={"password": "correct horse battery"})
        assert made.status_code == 201
        said = [
            await program.post("rooms/ops/messages", json={"text": text}, headers=key)
            for text, key in (
                ("the disk is full", {}),
                ("the disk is full", {}),
                ("the disk is empty", {"Idempotency-Key": "2"}),
            )
        ]
        assert [it.status_code for it in said] == [201, 200, 201]
        await anna.line("the disk is empty")
        assert sum("the disk is full" in it for it in await anna.texts()) == 1


async def test_an_operator_sees_and_does_the_rest(
    browser: Browser, node: Node, address: str
) -> None:
    bruno = await ChatteClient.enter_chat(node.port("chatte"), "bruno@ops")
    async with window(browser) as console:
        page = console.page
        await console.open(f"{address}console/#/accounts")
        await console.sign_in(OPERATOR)
        await page.click("text=New account")
        await page.fill("#field-name", "dora")
        await page.fill("#field-password", "tea-at-five")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("tbody th >> text=dora")
        await page.fill(".find", "do")
        await page.wait_for_selector("tbody th >> text=dora")
        await page.click("text=Invitation")
        await page.wait_for_selector("#asking output:not(:empty)")
        await page.keyboard.press("Escape")
        await console.go_to("#/rooms/ops", "#ops")
        await page.click("text=Appoint…")
        await page.fill("#field-name", "dora")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("#moderators tbody >> text=dora")
        await page.wait_for_selector("#rules dd")
        await page.click("text=Change…")
        await page.fill("#field-topic", "what runs")
        await page.check("#field-lasting")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("#log .notice >> text=what runs")
        await page.wait_for_selector("#rules dd >> text=what runs")
        await page.click("text=Announce…")
        await page.fill("#field-text", "back at five")
        await page.click("#filling .primary")
        await page.wait_for_selector("#log .said >> text=back at five")
        await page.click("[aria-label='Ban bruno']")
        await page.fill("#field-reason", "adverts")
        await page.keyboard.press("Enter")
        await console.told("bruno is banned")
        await bruno.disconnected(WITHIN)
        await page.wait_for_selector("[aria-label='Ban bruno']", state="detached")
        await console.go_to("#/bans", "Bans")
        await page.wait_for_selector("tbody tr:has-text('adverts')")
        await page.click("[aria-label='Lift the ban of bruno']")
        await page.click("#asking .primary")
        await page.wait_for_selector("text=Nobody is banned.")
        await console.go_to("#/webhooks", "Webhooks")
        await page.wait_for_selector("text=No webhooks.")
        await console.go_to("#/nodes", "Nodes")
        await page.wait_for_selector("tbody .is-well >> text=up")
        await page.click("[aria-label^='Drain ']")
        await page.click("#asking .danger")
        await console.told("is told to drain")
        assert console.complaints == []
