"""A log that stays readable, and a page that stays quick, whatever comes."""

import time

import pytest

from harness.waiting import elapse, until
from web.chat_page import BEARABLE, WITHIN, ChatPage
from web.fake_service import FakeService, joined, left, said

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

BUSY = 0.7
"""Of one CPU, what the page may take while two hundred messages a second come."""
SECONDS = 4


@pytest.mark.parametrize("tells_history", [False, True])
async def test_a_page_on_which_nothing_happens_rests(
    chat: ChatPage, service: FakeService, tells_history: bool
) -> None:
    await chat.page.add_init_script(
        """
        const real = requestAnimationFrame;
        window.drawn = 0;
        window.requestAnimationFrame = (draw) => real(() => { window.drawn += 1; draw(); });
        window.after = async (frames) => {
          for (let i = 0; i < frames; i += 1) await new Promise((resolve) => real(resolve));
          return window.drawn;
        };
        """
    )
    await chat.page.reload()
    if tells_history:
        service.standing = {"history": 50}
    await chat.enter("anna")
    if tells_history:  # a log that is short, and told to its beginning
        past = {"before": 1, "index": 0, "messages": [], "more": False}
        await service.tell({"type": "past", "epoch": service.epoch, **past})
    await chat.line("You are in")
    before = await chat.page.evaluate("after(30)")
    assert await chat.page.evaluate("after(40)") <= before + 3


async def test_five_thousand_quick_messages_are_all_kept(
    chat: ChatPage, service: FakeService
) -> None:
    await chat.enter("anna")
    for number in range(0, 5000, 10):
        await service.happen(*[said("bruno", f"message {n}") for n in range(number, number + 10)])
    await chat.line("message 4999", 2 * WITHIN)
    await until(chat.is_at_end, WITHIN, "the end")
    kept = [line.text for line in await chat.all_lines() if line.kind == "said"]
    assert kept == [f"message {n}" for n in range(5000)]


async def test_five_thousand_messages_of_one_s_own_go_out_once_and_in_order(
    chat: ChatPage, service: FakeService
) -> None:
    await chat.enter("anna")
    texts = [f"mine {n}" for n in range(5000)]
    await chat.say_many(texts)
    await chat.kept_line(texts[-1], 2 * WITHIN)
    await until(lambda: _all_sent(chat), 2 * WITHIN, "everything to be sent")
    assert [frame["text"] for frame in service.received("say")] == texts
    assert [frame["id"] for frame in service.received("say")] == list(range(1, 5001))
    assert [line.text for line in await chat.all_lines() if line.kind == "said"] == texts


async def _all_sent(chat: ChatPage) -> bool:
    return await chat.page.locator("#pending > *").count() == 0


async def test_stays_quick_at_two_hundred_messages_a_second_with_ten_thousand_lines(
    chat: ChatPage, service: FakeService
) -> None:
    service.members = [f"user-{i}" for i in range(10_000)]
    await chat.enter("anna")
    for number in range(0, 10_000, 500):
        await service.happen(*[said("bruno", f"old {n}") for n in range(number, number + 500)])
    await chat.line("old 9999", 2 * WITHIN)
    await chat.whole()
    async with chat.traced_tasks() as tasks:
        began = time.monotonic()
        await two_hundred_a_second(service)
        took = time.monotonic() - began  # more than SECONDS where the machine is busy
    await chat.line("new 799")
    assert len(tasks) > 100
    assert max(tasks) < BEARABLE
    assert sum(tasks) / 1000 < BUSY * took
    # Joins and leaves did not drown what was said.
    lines = (await chat.lines())[-1000:]
    assert sum(line.kind == "traffic" for line in lines) < len(lines) / 20


async def two_hundred_a_second(service: FakeService) -> None:
    """Every 20 ms four messages, each in a frame of its own, and five passages."""
    words = "words, words, words " * 20
    for step in range(50 * SECONDS):
        for n in range(4):
            text = f"new {4 * step + n} {words[: 100 * n]}"
            await service.happen(said(f"user-{step % 7}", text))
        first = 5 * step
        await service.happen(*[joined(f"late-{first + n}") for n in range(3)])
        await service.happen(left(f"late-{first}"), left(f"late-{first + 1}"))
        await elapse(0.02)


async def test_a_thousand_who_come_are_one_line(chat: ChatPage, service: FakeService) -> None:
    await chat.enter("anna")
    await service.happen(joined("dora"), joined("elisa"))
    await chat.line("dora and elisa joined")
    for number in range(0, 1000, 100):
        await service.happen(*[joined(f"user-{n}") for n in range(number, number + 100)])
    await chat.line("dora, elisa, user-0 and 999 more joined")
    assert [line.kind for line in await chat.lines()] == ["notice", "traffic"]


async def test_follows_the_end_unless_the_reader_scrolled_up(
    chat: ChatPage, service: FakeService
) -> None:
    await chat.enter("anna")
    await service.happen(*[said("bruno", f"message {n}") for n in range(100)])
    await chat.line("message 99")
    await until(chat.is_at_end, WITHIN, "the end")
    assert not await chat.page.is_visible("#jump")
    await chat.scroll_to(500)
    assert await chat.jump_text() == "To the latest"
    await service.happen(*[said("bruno", f"later {n}") for n in range(30)])
    await until(lambda: _jump_says(chat, "30 new messages"), WITHIN, "the count")
    top = await chat.page.eval_on_selector("#scroller", "it => it.scrollTop")
    assert top == 500
    await chat.page.click("#jump")
    await until(chat.is_at_end, WITHIN, "the end")
    await chat.page.wait_for_selector("#jump", state="hidden")
    await service.happen(said("bruno", "the end"))
    await chat.line("the end")
    await until(chat.is_at_end, WITHIN, "the end")


async def _jump_says(chat: ChatPage, text: str) -> bool:
    return await chat.jump_text() == text


async def test_who_reads_further_up_is_not_disturbed(chat: ChatPage, service: FakeService) -> None:
    await chat.enter("anna")
    for number in range(0, 3000, 100):
        await service.happen(*[said("bruno", f"message {n}") for n in range(number, number + 100)])
    await chat.line("message 2999", 2 * WITHIN)
    await chat.scroll_to(0)
    await chat.jump_text()
    await until(lambda: _is_drawn(chat, 200), WITHIN, "older lines")
    before = await _in_sight(chat)
    for number in range(0, 12_000, 500):
        await service.happen(*[said("Carla", f"later {n}") for n in range(number, number + 500)])
    await until(lambda: _jump_says(chat, "12,000 new messages"), WITHIN, "the count")
    assert await _in_sight(chat) == before
    assert len(await chat.lines()) <= 11_000
    await chat.page.press("#scroller", "End")
    await until(chat.is_at_end, WITHIN, "the end")
    assert (await chat.lines())[-1].text == "later 11999"


async def _is_drawn(chat: ChatPage, count: int) -> bool:
    return await chat.page.locator("#log .line").count() >= count


async def _in_sight(chat: ChatPage) -> str:
    return str(
        await chat.page.evaluate(
            """() => {
              const { left, top, height } = document.getElementById("scroller")
                .getBoundingClientRect();
              const at = document.elementsFromPoint(left + 80, top + height / 2);
              const line = at.find((it) => it.classList.contains("line"));
              return `${line?.textContent} at ${line?.getBoundingClientRect().top}`;
            }"""
        )
    )


FIND = "(text) => [window.find(text, true, true, true), getSelection().toString()]"
# What a browser does with what Ctrl+F has found, and a page's call of its search does not.
GO_THERE = "() => getSelection().anchorNode.parentElement.scrollIntoView({ block: 'center' })"
IS_IN_SIGHT = """
() => {
  const found = getSelection().getRangeAt(0).getBoundingClientRect();
  const sight = document.getElementById("scroller").getBoundingClientRect();
  return found.top >= sight.top && found.bottom <= sight.bottom;
}
"""


async def test_the_browser_s_own_search_finds_a_line_that_has_long_scrolled_away(
    chat: ChatPage, service: FakeService
) -> None:
    await chat.enter("anna")
    for number in range(0, 2000, 100):
        await service.happen(*[said("bruno", f"old {n}.") for n in range(number, number + 100)])
    await chat.line("old 1999.")
    await chat.whole()
    assert await chat.page.evaluate(FIND, "old 77.") == [True, "old 77."]
    await chat.page.evaluate(GO_THERE)
    await chat.page.wait_for_function(IS_IN_SIGHT)
    await service.happen(said("bruno", "later"))
    await chat.line("later")
    assert await chat.page.evaluate(IS_IN_SIGHT), "it stays where its reader looks"
    assert (await chat.page.evaluate(FIND, "old 2000."))[0] is False


async def test_what_one_writes_leads_back_to_the_end(chat: ChatPage, service: FakeService) -> None:
    await chat.enter("anna")
    await service.happen(*[said("bruno", f"message {n}") for n in range(100)])
    await chat.line("message 99")
    await chat.scroll_to(0)
    await chat.jump_text()
    await chat.say("mine")
    await chat.kept_line("mine")
    await until(chat.is_at_end, WITHIN, "the end")


async def test_a_flood_is_not_read_aloud(chat: ChatPage, service: FakeService) -> None:
    await chat.enter("anna")
    log = chat.page.locator("#log")
    await service.happen(said("bruno", "one"))
    await chat.line("one")
    assert await log.get_attribute("aria-live") == "polite"
    # A moment later it is polite again: what it was when they came is noted.
    await log.evaluate(
        """(log) => {
          const note = () => { globalThis.lastLive = log.ariaLive; };
          new MutationObserver(note).observe(log, { childList: true, subtree: true });
        }"""
    )
    await service.happen(*[said("bruno", f"flood {n}") for n in range(50)])
    await chat.line("flood 49")
    assert await chat.page.evaluate("lastLive") == "off"
    assert await chat.page.text_content("#summary") == "50 new messages"
    await until(lambda: _is_polite(chat), WITHIN, "calm")


async def _is_polite(chat: ChatPage) -> bool:
    return await chat.page.get_attribute("#log", "aria-live") == "polite"
