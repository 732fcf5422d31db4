"""The console's live log, and what it says when it can't be up to date."""

import pytest

from console.console_page import WITHIN, ConsolePage
from console.fake_api import ConsoleApi
from harness.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]


async def test_a_lost_stream_is_told_and_misses_nothing(
    console: ConsolePage, api: ConsoleApi
) -> None:
    page = console.page
    await console.sign_in("moderator")
    await console.go_to("#/rooms/ops", "#ops")
    await page.wait_for_selector("#log .said >> text=cheap watches")
    api.happen("ops", "said", nickname="anna", text="before")
    await page.wait_for_selector("#log .said >> text=before")
    api.refuse(503, "Redis can't be used now")
    await page.wait_for_selector("#log .is-stale >> text=Connection lost")
    await page.click("[aria-label='Mute anna']")
    await page.click("#filling .primary")
    await console.complained("Redis can't be used now")
    for i in range(20):
        api.happen("ops", "said", nickname="anna", text=f"meanwhile {i}")
    api.refusal = None
    await page.wait_for_selector("#log .said >> text=meanwhile 19")
    assert [it for it in await console.texts("#log .text") if it != "buy cheap watches now"][
        1:
    ] == [
        "before",
        *(f"meanwhile {i}" for i in range(20)),
    ]
    await page.wait_for_selector("#log .live:not(.is-stale):text-is('Live')")


async def test_a_list_that_can_t_be_had_says_how_old_it_is(
    console: ConsolePage, api: ConsoleApi
) -> None:
    page = console.page
    await console.sign_in("operator")
    await console.go_to("#/nodes", "Nodes")
    await page.wait_for_selector("tbody tr")
    api.refuse(503, "Redis can't be used now")
    await page.click("[aria-label='Drain node-1']")
    await page.click("#asking .danger")
    await page.wait_for_selector(".is-stale:has-text('Not up to date'):has-text('Redis')")
    assert await console.texts("tbody th") == ["node-1", "node-2"]
    await page.wait_for_selector("text=Try now")
    api.refusal = None
    # It may have tried by itself by now, and the button be gone.
    await page.eval_on_selector(".live .link", "it => it.click()")
    await page.wait_for_selector(".live:not(.is-stale)")


async def test_older_messages_are_read_page_by_page(console: ConsolePage, api: ConsoleApi) -> None:
    page = console.page
    for i in range(110):
        api.happen("ops", "said", nickname="anna", text=f"message {i}")
    await console.sign_in("moderator")
    await console.go_to("#/rooms/ops", "#ops")
    await page.wait_for_selector("#log >> text=message 109")
    for count in (100, 112):
        await page.click("text=Earlier messages")
        await page.wait_for_function(
            "(count) => document.querySelectorAll('#log .said').length === count", arg=count
        )
    assert await page.is_visible("text=The log begins here.")
    assert not await page.is_visible("text=Earlier messages")
    # Who reads further up is not moved, and is told.
    await page.eval_on_selector("#log .log", "it => { it.scrollTop = 0; }")
    api.happen("ops", "said", nickname="anna", text="something new")
    await page.click("text=1 new message")
    await page.wait_for_function(
        "() => { const it = document.querySelector('#log .log');"
        " return it.scrollHeight - it.scrollTop - it.clientHeight < 2; }"
    )
    told = await page.inner_text("#log .lines")
    assert told.index("message 0") < told.index("message 109") < told.index("something new")


async def test_a_gap_is_marked(console: ConsolePage, api: ConsoleApi) -> None:
    await console.sign_in("moderator")
    await console.go_to("#/rooms/ops", "#ops")
    await console.page.wait_for_selector("#log .said")
    api.happen("ops", "gap", entries=7)
    await console.page.wait_for_selector("#log .is-grave >> text=7 entries are missing here")


async def test_a_page_that_nobody_looks_at_rests_and_misses_nothing(
    console: ConsolePage, api: ConsoleApi
) -> None:
    page = console.page
    await page.clock.install()
    await page.reload()
    await console.sign_in("moderator")
    await console.go_to("#/rooms/ops", "#ops")
    await page.wait_for_selector("#log .said")
    await until(lambda: api.streams == 1, WITHIN, "the stream to be followed")
    look = """(isHidden) => {
      Object.defineProperty(document, "hidden", { value: isHidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    await page.evaluate(look, True)
    await page.clock.fast_forward(25_000)
    await until(lambda: api.streams == 0, WITHIN, "the stream to rest")
    for i in range(3):
        api.happen("ops", "said", nickname="anna", text=f"unseen {i}")
    await page.evaluate(look, False)
    await page.wait_for_selector("#log .said >> text=unseen 2")
    assert (await console.texts("#log .text"))[-3:] == [f"unseen {i}" for i in range(3)]
    assert api.streams == 1
