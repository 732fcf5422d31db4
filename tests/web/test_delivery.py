"""How the page comes to the browser: from a real node, counted by the browser; and without any node."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.async_api import Browser, Route

from harness.browser_client import BrowserClient
from harness.dialects import launch, listener
from harness.node import NodeFactory
from harness.waiting import until
from web.chat_page import PLAIN_HOST, WITHIN, ChatPage, window
from web.fake_service import FakeService

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

READY = """
() => Promise.race([
  navigator.serviceWorker.ready.then(() => true),
  new Promise((_, fail) => setTimeout(() => fail(new Error("no worker")), 60_000)),
])
"""
FIRST_LOAD = {"br": 42_000, "gzip": 45_000}
"""Bytes, by how they are packed: the second is what browsers take over plain HTTP."""
RELOAD = 3_000


@dataclass
class Traffic:
    """What a window was sent, WebSockets excepted."""

    urls: dict[str, str] = field(default_factory=dict)
    """By the browser's number of the request."""
    codings: set[str] = field(default_factory=set)
    """How it was packed."""
    connections: set[int] = field(default_factory=set)
    sizes: dict[str, int] = field(default_factory=dict)
    """By URL: bytes, headers included, as they came over the network."""

    @classmethod
    async def of(cls, chat: ChatPage) -> "Traffic":
        """Count from now on."""
        traffic = cls()
        client = await chat.page.context.new_cdp_session(chat.page)
        client.on("Network.responseReceived", traffic._answered)
        client.on("Network.loadingFinished", traffic._ended)
        await client.send("Network.enable")
        return traffic

    @property
    def received(self) -> int:
        """Bytes in all. The icon may come twice, as the browser pleases; no other file does: see below."""
        return sum(self.sizes.values())

    def begin(self) -> None:
        """Count anew."""
        self.urls, self.codings, self.connections, self.sizes = {}, set(), set(), {}

    def _answered(self, event: dict[str, Any]) -> None:
        response = event["response"]
        self.urls[event["requestId"]] = response["url"]
        self.codings.add(response["headers"].get("Content-Encoding", ""))
        if not response.get("fromDiskCache") and response["connectionId"]:
            self.connections.add(response["connectionId"])

    def _ended(self, event: dict[str, Any]) -> None:
        if url := self.urls.get(event["requestId"]):
            self.sizes[url] = event["encodedDataLength"]


async def best_packed(browser: Browser, address: str) -> None:
    """Visit a page that has just started, until it is packed as it is for all but the first visitors."""
    async with window(browser) as chat:
        await chat.open(address)
        ask = """async () => {
          const paths = performance.getEntriesByType("resource").map((it) => it.name);
          const ours = [...paths, "./", "worker.js?language=en", "manifest.webmanifest"];
          const answers = await Promise.all(ours.map((it) => fetch(it, { cache: "no-store" })));
          return answers.every((it) => it.headers.get("content-encoding") === "br");
        }"""

        async def is_packed() -> bool:
            return bool(await chat.page.evaluate(ask))

        await until(is_packed, WITHIN, "the node to pack the page")


async def test_a_first_load_is_small_and_a_second_next_to_nothing(
    browser: Browser, node_factory: NodeFactory
) -> None:
    node = launch(node_factory, [listener(BrowserClient)])
    await node.ready()
    address = f"http://127.0.0.1:{node.port('browser')}/"
    async with window(browser, service_workers="allow") as chat:
        await best_packed(browser, address)
        traffic = await Traffic.of(chat)
        await chat.open(address)
        await chat.page.evaluate(READY)
        # What the browser asks for beside the window, and the window doesn't see.
        beside = await chat.page.evaluate(
            """async (paths) => {
              const sizes = paths.map(async (path) => {
                const { body } = await fetch(path, { cache: "no-store" });
                const url = new URL(path, location.href).href;
                for await (const _ of body);
                return performance.getEntriesByName(url).at(-1).transferSize;
              });
              return (await Promise.all(sizes)).reduce((sum, it) => sum + it, 0);
            }""",
            ["worker.js?language=en", "manifest.webmanifest"],
        )
        assert beside > 1_000
        assert 10_000 < traffic.received <= FIRST_LOAD["br"]
        asked = [it for it in traffic.urls.values() if "worker" not in it and "icons/" not in it]
        assert len(set(asked)) <= 7
        await chat.enter("anna")
        await chat.say("hello")
        await chat.kept_line("hello")
        traffic.begin()
        await chat.page.reload()
        await chat.inside()
        await chat.line("hello")
        assert traffic.received <= RELOAD  # the worker asks for the page, and has the rest

        # No node any more: what is loaded when it is wanted was kept as one came in.
        kept = """async () => {
          const cache = await caches.open((await caches.keys())[0]);
          return (await cache.keys()).some((it) => it.url.includes("dialogs/help.js"));
        }"""

        async def all_kept() -> bool:
            return bool(await chat.page.evaluate(kept))

        await until(all_kept, WITHIN, "the worker to keep the parts")
        # No node any more: what was said can be read, and what is written waits.
        node.kill()
        await chat.page.reload()
        await chat.page.wait_for_selector("#offline:not([hidden])")
        assert (await chat.line("hello")).text == "hello"
        await chat.page.focus("#scroller")
        await chat.page.keyboard.press("?")
        await chat.page.wait_for_selector("#help-dialog[open]")
        await chat.page.keyboard.press("Escape")
        await chat.say("are you there?")
        assert (await chat.line("are you there?")).is_pending
        await chat.screenshot("web-offline")


async def test_over_plain_http_a_first_load_is_small_as_well(
    browser: Browser, node_factory: NodeFactory
) -> None:
    node = launch(node_factory, [listener(BrowserClient)])
    await node.ready()
    async with window(browser) as chat:
        traffic = await Traffic.of(chat)
        await chat.open(f"http://{PLAIN_HOST}:{node.port('browser')}/")
        await chat.enter("anna")
        await chat.say("hello")
        await chat.kept_line("hello")
        # With all that entering and chatting take.
        assert traffic.codings - {""} == {"gzip"}
        assert 10_000 < traffic.received <= FIRST_LOAD["gzip"]
        assert chat.complaints == []


async def test_files_come_over_few_connections_and_none_twice(
    browser: Browser, node_factory: NodeFactory
) -> None:
    node = launch(node_factory, [listener(BrowserClient)])
    await node.ready()
    address = f"http://127.0.0.1:{node.port('browser')}/"
    async with window(browser) as chat:
        traffic = await Traffic.of(chat)
        await chat.open(address)
        assert len(traffic.urls) > len(traffic.connections)
        # One for the page, and at most three more for what it names, where they are asked for at once.
        assert len(traffic.connections) <= 4
        traffic.begin()
        await chat.page.reload()
        await chat.page.wait_for_selector("#entrance:not([hidden])")
        assert 0 < traffic.received <= RELOAD
        assert chat.complaints == []


async def test_another_version_of_the_page_takes_the_place_of_the_one_that_was_kept(
    browser: Browser, node_factory: NodeFactory
) -> None:
    node = launch(node_factory, [listener(BrowserClient)])
    await node.ready()
    address = f"http://127.0.0.1:{node.port('browser')}/"
    async with window(browser, service_workers="allow") as chat:
        await chat.open(address)
        await chat.page.evaluate(READY)
        names = await chat.page.evaluate("() => caches.keys()")
        assert len(names) == 1
        # Another worker: what it keeps is another version's, and the old one's goes.
        await chat.page.evaluate("() => navigator.serviceWorker.register('worker.js?language=it')")

        async def replaced() -> bool:
            now = await chat.page.evaluate("() => caches.keys()")
            return len(now) == 1 and now != names

        await until(replaced, WITHIN, "the other version to be kept")


async def test_what_could_not_be_loaded_says_so_and_is_tried_again(
    chat: ChatPage, service: FakeService
) -> None:
    await chat.enter("anna")
    await chat.page.route("**/dialogs/help.js*", lambda route: route.abort())
    await chat.page.focus("#scroller")
    await chat.page.keyboard.press("?")
    again = chat.page.get_by_role("button", name="Try again")
    await again.wait_for()
    await chat.page.keyboard.press("Enter")  # it has the focus, and there is no network yet
    await again.wait_for()
    await chat.page.unroute("**/dialogs/help.js*")
    await chat.page.keyboard.press("Enter")
    await chat.page.wait_for_selector("#help-dialog[open] kbd")
    await chat.page.keyboard.press("Escape")
    assert await chat.page.evaluate("document.activeElement.id") == "scroller"
    assert all("dialogs/help.js" in it or "Failed to load" in it for it in chat.complaints)
    chat.complaints.clear()


async def test_what_completes_words_is_told_to_be_missing_and_catches_no_keyboard(
    chat: ChatPage, service: FakeService
) -> None:
    await chat.enter("anna")
    for part in ("suggestions", "commands"):
        await chat.page.route(f"**/writing/{part}.js*", lambda route: route.abort())
    page = chat.page
    await page.keyboard.type("bru")
    await page.keyboard.press("Tab")
    await page.wait_for_selector("#text-hint:has-text('could not be loaded')")
    assert await page.evaluate("document.activeElement.id") == "text"
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.id") == "send"
    # A command stays where it was written, for the next try.
    await chat.say("/msg bruno psst")
    await page.wait_for_selector("#text-hint:has-text('could not be loaded')")
    assert await page.input_value("#text") == "/msg bruno psst"
    await page.unroute_all()
    await page.press("#text", "Enter")
    await chat.kept_line("psst")
    assert [it["to"] for it in service.received("whisper")] == ["bruno"]
    await page.keyboard.type("car")
    await page.keyboard.press("Tab")
    await page.wait_for_function("() => document.getElementById('text').value === 'Carla: '")
    assert all("/writing/" in it or "Failed to load" in it for it in chat.complaints)
    chat.complaints.clear()


async def test_what_does_not_come_says_so_and_may_come_later(chat: ChatPage) -> None:
    page = chat.page
    await page.clock.install()
    came = asyncio.Event()

    async def wait(route: Route) -> None:
        await came.wait()
        await route.continue_()

    await page.route("**/dialogs/help.js*", wait)
    await chat.enter("anna")
    await page.focus("#scroller")
    async with page.expect_request("**/dialogs/help.js*"):
        await page.keyboard.press("?")
    await page.clock.fast_forward(11_000)
    again = page.get_by_role("button", name="Try again")
    await again.wait_for()
    await again.click()
    came.set()
    await page.wait_for_selector("#help-dialog[open] kbd")
