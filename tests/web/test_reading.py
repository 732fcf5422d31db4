"""What is written, as its reader finds it: names, links, code, and words in their order."""

import re

import pytest
from playwright.async_api import Browser

from harness.waiting import until
from web.chat_page import WITHIN, ChatPage, window
from web.fake_service import FakeService, joined, said

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

CLOCK = re.compile(r"\d\d:\d\d")


async def words(chat: ChatPage) -> list[str]:
    """Return all that the lines say, in the document's order, with a clock that stands still."""
    lines = await chat.page.locator("#log .line").all_text_contents()
    return [CLOCK.sub("18:53", line) for line in lines]


async def test_a_line_reads_time_author_privacy_and_text_in_this_order(
    chat: ChatPage, service: FakeService
) -> None:
    await chat.enter("anna")
    await service.happen(
        said("andy", "Hello everybody"), said("andy", "How are you?"), joined("dora")
    )
    await service.whisper("andy", "psst")
    await chat.pick("nobody")
    await chat.say("is anybody there?")
    await chat.kept_line("is anybody there?")
    assert await words(chat) == [
        "18:53 You are in, as anna.",
        "18:53 andy: Hello everybody",
        "18:53 andy: How are you?",
        "18:53 dora joined",
        "18:53 andy (private): psst",
        "18:53 anna (private to nobody): is anybody there? Not sent: nobody called “nobody” is here.",
    ]


async def test_a_remark_stands_below_its_message(chat: ChatPage) -> None:
    await chat.enter("anna")
    await chat.pick("nobody")
    await chat.say("hello?")
    assert (await chat.kept_line("hello?")).remark != ""
    bubble = await chat.page.locator("#log .bubble").bounding_box()
    remark = await chat.page.locator("#log .remark").bounding_box()
    assert bubble is not None
    assert remark is not None
    assert remark["y"] >= bubble["y"] + bubble["height"]


async def test_one_s_name_is_marked_where_others_say_it(
    chat: ChatPage, service: FakeService
) -> None:
    await chat.enter("anna")
    await service.happen(said("bruno", "Anna, joanna and ANNA"), said("bruno", "joanna"))
    await chat.say("I am anna")
    await chat.kept_line("I am anna")
    assert await chat.page.locator("#log mark").all_text_contents() == ["Anna", "ANNA"]
    assert await chat.page.locator("#log .is-named").count() == 1


async def test_links_are_links_that_tell_nothing_about_the_reader(
    chat: ChatPage, service: FakeService
) -> None:
    await chat.enter("anna")
    await service.happen(said("bruno", "see (https://example.org/a_(b)?c=1&d), or `rm  -r x`."))
    await chat.line("see (")
    link = chat.page.locator("#log a")
    assert await link.text_content() == "https://example.org/a_(b)?c=1&d"
    attributes = [await link.get_attribute(name) for name in ("href", "target", "rel")]
    assert attributes == [
        "https://example.org/a_(b)?c=1&d",
        "_blank",
        "noopener noreferrer nofollow",
    ]
    assert await chat.page.locator("#log code").text_content() == "rm  -r x"


async def test_a_name_in_the_log_chooses_the_recipient(
    chat: ChatPage, service: FakeService
) -> None:
    await chat.enter("anna")
    await service.happen(said("bruno", "hello"), said("Carla", "hi"))
    await chat.line("hi")
    await chat.page.click("#log button.name:has-text('bruno')")
    assert await chat.picked() == "bruno"
    assert await chat.page.evaluate("() => document.activeElement.id") == "text"


async def test_title_and_icon_say_what_is_unread_and_whether_it_was_meant_for_the_reader(
    chat: ChatPage, service: FakeService
) -> None:
    await chat.enter("anna")
    await service.happen(*[said("bruno", f"message {n}") for n in range(100)])
    await chat.line("message 99")
    assert await chat.page.title() == "Tertulia", "what was seen is read"
    await chat.scroll_to(300)
    await chat.jump_text()
    await service.happen(said("bruno", "one"), said("bruno", "two"))
    await until(lambda: _is_titled(chat, "(2) Tertulia"), WITHIN, "the count")
    assert await _icon(chat) == "icon-unread.svg"
    await service.happen(said("Carla", "anna, are you there?"))
    await until(lambda: _is_titled(chat, "(3) Carla mentioned you · Tertulia"), WITHIN, "the name")
    assert await _icon(chat) == "icon-call.svg"
    await service.whisper("bruno", "psst")
    await until(lambda: _is_titled(chat, "(4) bruno wrote to you · Tertulia"), WITHIN, "who wrote")
    # Before its reader has it in sight: ten seconds later it goes.
    mark = chat.page.locator("#log .has-mark")
    assert await mark.locator(".text").all_text_contents() == ["one"]
    assert await mark.locator(".mark").text_content() == "New"
    await chat.page.click("#jump")
    await until(lambda: _is_titled(chat, "Tertulia"), WITHIN, "it to be read")
    assert await _icon(chat) == "icon.svg"
    await chat.say("here I am")
    await chat.kept_line("here I am")
    assert await mark.count() == 0


async def test_the_mark_of_what_is_new_goes_when_it_has_been_looked_at(
    browser: Browser, service: FakeService
) -> None:
    async with window(browser) as chat:
        await chat.page.clock.install()
        await chat.open(service.address)
        await chat.enter("anna")
        await service.happen(*[said("bruno", f"message {n}") for n in range(100)])
        await chat.line("message 99")

        async def is_above() -> bool:
            # With this clock the page may draw, and follow the end, before it hears of the scrolling.
            await chat.scroll_to(300)
            return await chat.page.is_visible("#jump")

        await until(is_above, WITHIN, "the page to see its reader further up")
        await service.happen(said("bruno", "one"))
        await until(lambda: _is_titled(chat, "(1) Tertulia"), WITHIN, "the message to be unread")
        # However long the machine takes from here on, the page's time stands still between the steps.
        clock = chat.page.clock
        await clock.pause_at(await chat.page.evaluate("Date.now() / 1000 + 30"))
        await chat.page.click("#jump")
        await clock.run_for(1_000)
        mark = chat.page.locator("#log .has-mark")
        assert await mark.count() == 1
        await clock.run_for(8_000)
        assert await mark.count() == 1
        await clock.run_for(2_000)
        assert await mark.count() == 0


async def _is_titled(chat: ChatPage, title: str) -> bool:
    return await chat.page.title() == title


async def _icon(chat: ChatPage) -> str | None:
    return await chat.page.get_attribute("#icon", "href")


COPY = """
() => {
  let text = null;
  const listener = (event) => { text = event.clipboardData.getData("text/plain"); };
  document.addEventListener("copy", listener);
  document.execCommand("copy");
  document.removeEventListener("copy", listener);
  return text;
}
"""
SELECT = """
([from, to]) => {
  const texts = [...document.querySelectorAll("#log .text")];
  const find = (text) => texts.find((it) => it.textContent === text).firstChild;
  getSelection().setBaseAndExtent(find(from), 1, find(to), 2);
}
"""


async def test_several_lines_are_copied_as_text_even_when_they_have_scrolled_away(
    chat: ChatPage, service: FakeService
) -> None:
    await chat.enter("anna")
    await service.happen(said("andy", "Hello everybody"), said("bruno", "see `this`"))
    await service.happen(said("andy", "see\n```\n  a\nb\n```\nand that"))
    await service.whisper("andy", "psst")
    await chat.line("psst")
    await chat.page.evaluate(SELECT, ["Hello everybody", "psst"])
    for number in range(0, 2000, 100):
        await service.happen(*[said("bruno", f"later {n}") for n in range(number, number + 100)])
    await chat.line("later 1999")
    await chat.whole()
    await chat.loaded("log/copying.js")
    copied = await chat.page.evaluate(COPY)
    assert CLOCK.sub("18:53", copied).split("\n") == [
        "18:53 andy: Hello everybody",
        "18:53 bruno: see this",
        *("18:53 andy: see", "  a", "b", "and that"),
        "18:53 andy (private): psst",
    ]
    await chat.page.press("#scroller", "Control+a")
    assert len((await chat.page.evaluate(COPY)).split("\n")) == 2008
    await chat.page.evaluate(SELECT, ["psst", "psst"])
    assert await chat.page.evaluate(COPY) == "", "a part of a line is copied as it is"


NOTIFIED = """
window.notified = [];
window.Notification = class {
  static permission = "default";
  static asked = 0;
  static async requestPermission() {
    this.asked += 1;
    this.permission = window.answer ?? "granted";
    return this.permission;
  }
  constructor(title, { body }) { window.notified.push([title, body]); }
  close() {}
};
window.sounded = 0;
const start = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (...when) { window.sounded += 1; start.apply(this, when); };
Object.defineProperty(document, "hasFocus", { value: () => false });
"""


async def test_who_looks_elsewhere_is_called_only_where_that_was_set(
    browser: Browser, service: FakeService
) -> None:
    async with window(browser) as chat:
        await chat.page.add_init_script(NOTIFIED)
        await chat.open(service.address)
        await chat.enter("anna")
        await service.whisper("bruno", "one")
        await chat.line("one")
        assert await chat.page.evaluate("[notified.length, sounded, Notification.asked]") == [
            0,
            0,
            0,
        ]
        await _set(chat, notifications="who")
        await chat.page.wait_for_function("() => Notification.asked === 1")
        await service.whisper("bruno", "two")
        await service.happen(said("Carla", "to all"), said("Carla", "hi anna"))
        await chat.line("hi anna")
        await chat.page.wait_for_function("() => notified.length === 2")
        told = [["bruno wrote to you", ""], ["Carla mentioned you", ""]]
        assert await chat.page.evaluate("[notified, sounded]") == [told, 0]
        await _set(chat, notifications="words", sound="on")
        await service.whisper("bruno", "three")
        await chat.line("three")
        await chat.page.wait_for_function("() => notified.length === 3")
        last = [["bruno wrote to you", "three"], 2]
        assert await chat.page.evaluate("[notified.at(-1), sounded]") == last


async def test_a_browser_that_allows_no_notifications_says_so(
    browser: Browser, service: FakeService
) -> None:
    async with window(browser) as chat:
        await chat.page.add_init_script(NOTIFIED + "window.answer = 'denied';")
        await chat.open(service.address)
        await chat.enter("anna")
        await _set(chat, notifications="who", stays=True)
        hint = chat.page.locator("#settings-hint:has-text('does not allow notifications')")
        await hint.wait_for()
        assert await chat.page.input_value("#settings [name=notifications]") == "off"


async def _set(
    chat: ChatPage, *, notifications: str, sound: str = "off", stays: bool = False
) -> None:
    await chat.page.eval_on_selector(".open-settings", "it => it.click()")
    await chat.page.select_option("#settings [name=notifications]", notifications)
    await chat.page.set_checked("#settings [name=sound]", sound == "on")
    if not stays:
        await chat.page.press("#settings-dialog", "Escape")
