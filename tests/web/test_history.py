"""What was said before one came, on the page: on entering, further up, and found."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from harness.browser_client import BrowserClient
from harness.dialects import launch, listener, until_empty
from harness.node import Node, NodeFactory
from harness.redis_server import running_redis
from harness.waiting import until
from web.chat_page import OUTPUT, WITHIN, ChatPage, window
from web.fake_service import FakeService, said

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

TEXTS = [f"text {number} of many" for number in range(400)]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """Run a node; nothing here is about disks."""
    with running_redis(fsync="no") as server:
        factory = NodeFactory(tmp_path_factory.mktemp("node"), server.url)
        try:
            launched = launch(factory, [listener(BrowserClient)])
            launched.ready_sync()
            yield launched
        finally:
            factory.end()


@pytest_asyncio.fixture(loop_scope="session")
async def speaker(node: Node) -> AsyncIterator[BrowserClient]:
    """Somebody in the room; what was said before is not known any more."""
    await until_empty([node], within=WITHIN)
    first = await BrowserClient.enter_chat(node.port("browser"), "first")
    first.stop()
    await first.disconnected()
    await until_empty([node])
    client = await BrowserClient.enter_chat(node.port("browser"), "speaker")
    yield client
    client.close()


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser, node: Node) -> AsyncIterator[ChatPage]:
    async with window(browser) as it:
        await it.open(f"http://127.0.0.1:{node.port('browser')}/")
        yield it
        assert it.complaints == []


async def say(speaker: BrowserClient, *texts: str) -> None:
    for text in texts:
        speaker.say(text)
    await speaker.answered()


async def texts(page: ChatPage) -> list[str]:
    return [line.text for line in await page.lines() if line.kind == "said"]


async def test_a_newcomer_reads_what_was_said(page: ChatPage, speaker: BrowserClient) -> None:
    await say(speaker, *TEXTS[:3])
    await page.enter("anna")
    await page.line(TEXTS[2])
    await say(speaker, "now")
    await page.line("now")
    lines = await page.lines()
    assert [line.text for line in lines if line.kind == "said"] == [*TEXTS[:3], "now"]
    assert lines[-2].kind == "notice", "one has entered behind what was said before"
    assert await page.page.locator(".line.said.is-past").count() == 3
    assert await page.page.title() == "Tertulia", "what was said before is not unread"
    begins = [line.text for line in lines if line.kind == "notice"]
    assert begins[0] == "The log begins here."


async def test_an_equal_nickname_is_not_oneself(page: ChatPage, node: Node) -> None:
    before = await BrowserClient.enter_chat(node.port("browser"), "anna")
    await say(before, "not you")
    before.close()
    await until_empty([node])
    await page.enter("anna")
    assert not (await page.line("not you")).is_own


async def scroll_up(page: ChatPage) -> None:
    await page.page.eval_on_selector("#scroller", "it => { it.scrollTop = 0 }")


async def test_who_scrolls_up_reads_further_back_and_keeps_the_place(
    page: ChatPage, speaker: BrowserClient
) -> None:
    await say(speaker, *TEXTS)
    await page.enter("anna")
    await page.line(TEXTS[-1])
    assert len(await texts(page)) == 50

    async def reads_all() -> bool:
        await scroll_up(page)
        return len(await texts(page)) == len(TEXTS)

    seen = page.page.locator(".line.said", has_text=TEXTS[-40])
    await seen.evaluate("it => it.scrollIntoView({ block: 'start' })")
    at = await seen.evaluate("it => it.getBoundingClientRect().top")
    await until(lambda: _longer(page, 50), WITHIN, "what was said before")
    moved = await seen.evaluate("it => it.getBoundingClientRect().top")
    assert abs(moved - at) < 3
    await until(reads_all, 2 * WITHIN, "all that was said", every=0.1)
    assert await texts(page) == TEXTS
    await page.line("The log begins here.")
    OUTPUT.mkdir(exist_ok=True)
    await scroll_up(page)
    await page.page.screenshot(path=OUTPUT / "history-begins.png")


async def test_who_leaves_and_comes_back_reads_the_newest(
    page: ChatPage, speaker: BrowserClient
) -> None:
    await say(speaker, *TEXTS[:100])
    await page.enter("anna")
    await page.line(TEXTS[99])
    await say(speaker, *TEXTS[100:130])
    await page.line(TEXTS[129])
    for come_back in (_through_the_entrance, _by_another_name):
        await come_back(page)
        await page.line(TEXTS[129])

        async def is_whole() -> bool:
            return (await texts(page))[-50:] == TEXTS[80:130]

        await until(is_whole, WITHIN, "the newest fifty")  # they are drawn in some steps


async def _through_the_entrance(page: ChatPage) -> None:
    await page.leave()
    await page.enter("anna")


async def _by_another_name(page: ChatPage) -> None:
    await page.page.fill("#text", "/nick dora")
    await page.page.press("#text", "Enter")
    await page.answer(yes=True)
    await page.line("You are in, as dora.")


async def test_a_page_that_is_loaded_again_says_once_where_the_log_begins_and_marks_nothing(
    page: ChatPage, speaker: BrowserClient
) -> None:
    await page.enter("anna")
    await say(speaker, "question")
    await page.line("question")
    await page.say("answer")
    await page.kept_line("answer")
    for times in range(2):
        await page.page.reload()
        await page.inside()
        await say(speaker, f"after {times}")
        await page.line(f"after {times}")
        await page.line("The log begins here.")
        assert await page.page.locator(".has-mark").count() == 0
    notices = [line.text for line in await page.lines() if line.kind == "notice"]
    assert notices.count("The log begins here.") == 1


async def _longer(page: ChatPage, count: int) -> bool:
    return len(await texts(page)) > count


async def test_a_text_is_found_and_gone_to(page: ChatPage, speaker: BrowserClient) -> None:
    await say(speaker, "a needle in the hay", *TEXTS, "another NEEDLE")
    await page.enter("anna")
    await page.line("another NEEDLE")
    await page.page.keyboard.press("Control+k")
    field = page.page.get_by_role("searchbox", name="What to search for")
    await field.fill("needle")
    await field.press("Enter")
    status = page.page.locator("#search-status")
    await until(lambda: _says(status, "2 messages were found."), WITHIN, "what is found")
    found = page.page.locator("#found li")
    assert [await it.locator(".text").inner_text() for it in await found.all()] == [
        *("another NEEDLE", "a needle in the hay")
    ]
    OUTPUT.mkdir(exist_ok=True)
    await page.page.screenshot(path=OUTPUT / "history-search.png")
    await found.last.locator("button").click()
    shown = page.page.locator(".line.is-shown", has_text="a needle in the hay")
    await shown.wait_for(timeout=2_000 * WITHIN)
    assert await shown.evaluate(
        "it => { const { top } = it.getBoundingClientRect(); return top > 0 && top < innerHeight }"
    )


async def _says(status: object, text: str) -> bool:
    return bool(await status.inner_text() == text)  # type: ignore[attr-defined]


async def test_a_search_is_written_as_a_command_too(page: ChatPage, speaker: BrowserClient) -> None:
    await say(speaker, "one")
    await page.enter("anna")
    await page.page.fill("#text", "/search nobody said this")
    await page.page.press("#text", "Enter")
    status = page.page.locator("#search-status")
    await until(lambda: _says(status, "Nothing was found."), WITHIN, "that nothing is found")
    assert await page.page.input_value("#search-text") == "nobody said this"
    await page.page.keyboard.press("Escape")
    await expect(page.page.locator("#search-dialog")).to_be_hidden()


async def test_what_came_while_one_was_away_is_marked(chat: ChatPage, service: FakeService) -> None:
    await chat.enter("anna")
    await service.happen(said("bruno", "read"))
    await chat.line("read")
    service.is_down = True
    service.cut()
    await service.happen(said("bruno", "missed"), said("bruno", "this too"))
    service.is_down = False
    await chat.line("this too")
    mark = chat.page.locator(".line.has-mark")
    assert await mark.count() == 1
    assert "missed" in await mark.inner_text()


async def test_a_service_that_tells_no_past_is_not_asked(
    chat: ChatPage, service: FakeService
) -> None:
    await chat.enter("anna")
    await service.happen(*[said("bruno", text) for text in TEXTS[:100]])
    await chat.line(TEXTS[99])
    await scroll_up(chat)
    await chat.page.keyboard.press("Control+k")
    status = chat.page.locator("#search-status")
    told = "This service does not tell what was said before."
    await until(lambda: _says(status, told), WITHIN, "that there is none")
    hint = await chat.page.get_by_role("searchbox").get_attribute("aria-describedby")
    assert "Private messages are not searched." in await chat.page.inner_text(f"#{hint}")
    assert not service.received("history")
    assert not service.received("search")
