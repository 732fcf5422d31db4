"""Writing and reading, as somebody at the page sees it."""

import pytest
from playwright.async_api import ViewportSize, expect

from harness.waiting import until
from web.chat_page import BEARABLE, WITHIN, ChatPage
from web.fake_service import FakeService, joined, left, said

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

MARKUP = '<img src=x onerror="window.harm = 1"><script>window.harm = 1</script>&amp;'


async def test_an_own_message_is_pending_until_it_is_in_the_log_and_shown_once(
    chat: ChatPage, service: FakeService
) -> None:
    await chat.enter("anna")
    service.holds_answers = True
    await chat.say("hello")
    assert (await chat.line("hello")).is_pending
    await service.happen(said("bruno", "first"), said("anna", "hello"))
    await service.tell({"type": "sent", "id": 1})
    line = await chat.kept_line("hello")
    assert line.is_own
    assert await chat.texts("said") == ["first", "hello"]


async def test_public_and_private_are_told_apart(chat: ChatPage, service: FakeService) -> None:
    await chat.enter("anna")
    await service.happen(said("bruno", "to all"))
    await service.whisper("bruno", "to anna")
    await chat.pick("CARLA")
    await chat.say("to Carla")
    own = await chat.kept_line("to Carla")
    assert own.privacy == "private to Carla"
    assert service.received("whisper") == [
        {"type": "whisper", "id": 1, "to": "Carla", "text": "to Carla"}
    ]
    public, private = await chat.line("to all"), await chat.line("to anna")
    assert (public.who, public.privacy) == ("bruno", "")
    assert (private.who, private.privacy) == ("bruno", "private")
    assert public.time != ""
    await until(lambda: service.received("received"), WITHIN, "the private message to be confirmed")
    assert service.received("received") == [{"type": "received", "count": 1}]


async def test_a_note_to_oneself_is_shown_once(chat: ChatPage) -> None:
    await chat.enter("anna")
    await chat.pick("anna")
    await chat.say("milk")
    assert (await chat.kept_line("milk")).privacy == "private, to yourself"
    await chat.pick("G")
    await chat.say("public")
    await chat.kept_line("public")
    assert await chat.texts("whispered") == ["milk"]


async def test_unknown_and_absent_people_are_answered(chat: ChatPage, service: FakeService) -> None:
    service.absent_accounts = {"dora"}
    await chat.enter("anna")
    await chat.pick("nobody")
    await chat.say("one")
    assert (await chat.kept_line("one")).remark == "Not sent: nobody called “nobody” is here."
    await chat.pick("dora")
    await chat.say("two")
    assert "will get it on coming back" in (await chat.kept_line("two")).remark
    await chat.pick("bruno")
    await chat.say("three")
    await chat.kept_line("three")
    await service.tell({"type": "undelivered", "to": "bruno", "text": "three"})
    await chat.line("Your private message to bruno could not be delivered: “three”")
    (whispered,) = [line for line in await chat.lines() if line.text == "three"]
    assert whispered.remark == "not delivered"


async def test_the_recipients_are_who_is_in_the_room(chat: ChatPage, service: FakeService) -> None:
    await chat.enter("anna")
    await service.happen(joined("dora"), left("bruno"), joined("Ada"))
    await chat.line("dora and Ada joined · bruno left")
    assert await chat.choices() == ["Everybody (G)", "Ada", "anna", "Carla", "dora"]
    await chat.page.wait_for_selector("#people-count:has-text('4 people')")
    await chat.page.click("#people button:has-text('dora')")
    assert await chat.picked() == "dora"
    await chat.page.click("#recipient")
    await chat.page.press("#recipient", "ArrowDown")
    await chat.page.press("#recipient", "Enter")
    assert await chat.picked() == "Everybody (G)"


async def test_who_is_in_the_room_stands_there_when_the_window_gets_space_for_it(
    chat: ChatPage, service: FakeService
) -> None:
    narrow, wide = ViewportSize(width=390, height=844), ViewportSize(width=1280, height=800)
    people = chat.page.locator("#people .name")
    await chat.page.set_viewport_size(narrow)
    await chat.enter("anna")
    await chat.page.set_viewport_size(wide)
    await expect(people).to_have_text(["anna", "bruno", "Carla"])
    await chat.page.hover("#people li:has-text('bruno')")
    await chat.page.set_viewport_size(narrow)
    await expect(people).to_have_count(0)
    await service.happen(left("bruno"))
    await chat.line("bruno left")
    await chat.page.set_viewport_size(wide)
    await expect(people).to_have_text(["anna", "Carla"])


async def test_the_signs_of_names_tell_people_apart(chat: ChatPage, service: FakeService) -> None:
    names = ["7", "achury", "andy", "bruno", "bruno2", "bruno3"]
    service.members = names
    await chat.enter("Zoe")
    letters = await chat.page.eval_on_selector_all(
        "#people .avatar", "all => all.map((it) => it.dataset.initials)"
    )
    assert letters == ["7", "ac", "an", "br", "b2", "b3", "Zo"]


async def test_a_blank_behind_a_name_leaves_the_list_as_it_is(chat: ChatPage) -> None:
    await chat.enter("anna")
    await chat.page.click("#recipient")
    await chat.page.keyboard.type("Carl")
    await chat.page.keyboard.type(" ")
    await chat.page.click("#recipients [role=option]:has-text('Carla')")
    assert await chat.picked() == "Carla"


async def test_who_goes_stays_the_recipient_so_that_nothing_private_becomes_public(
    chat: ChatPage, service: FakeService
) -> None:
    await chat.enter("anna")
    await chat.pick("bruno")
    await service.happen(left("bruno"))
    await chat.page.wait_for_selector("#recipient-hint:has-text('bruno')")
    assert await chat.picked() == "bruno"
    await chat.say("still private")
    await chat.kept_line("still private")
    assert service.received("say") == []


async def test_typing_finds_among_ten_thousand(chat: ChatPage, service: FakeService) -> None:
    service.members = [f"user-{i}" for i in range(10_000)]
    await chat.enter("anna")
    async with chat.traced_tasks() as tasks:
        assert len(await chat.choices()) == 101
        await chat.page.fill("#recipient", "r-77")
        await chat.page.wait_for_selector("#recipients li:nth-of-type(2):has-text('user-77')")
        await service.happen(*[joined(f"late-{i}") for i in range(100)])
        await chat.line("97 more joined")
        await chat.pick("user-7777")
        assert await chat.picked() == "user-7777"
    assert tasks
    assert max(tasks) < BEARABLE


async def test_nothing_that_is_written_becomes_markup(chat: ChatPage, service: FakeService) -> None:
    await chat.enter("anna")
    await service.happen(said("bruno", MARKUP), joined("<b>x</b>"), said("<b>x</b>", "hi"))
    await service.whisper("bruno", MARKUP)
    await chat.say(MARKUP)

    async def shown() -> bool:
        return (await chat.texts("said", "whispered")).count(MARKUP) == 3

    await until(shown, WITHIN, "what two wrote in three ways")
    await chat.line("<b>x</b> joined")
    assert "<b>x</b>" in await chat.choices()
    assert await chat.page.query_selector("#log img, #log b, #people b, #recipients b") is None
    assert await chat.page.evaluate("() => window.harm") is None


async def test_what_is_too_long_is_not_sent_and_not_lost(
    chat: ChatPage, service: FakeService
) -> None:
    await chat.enter("anna")
    text = "à" * 2048
    await chat.say(text + "!")
    hint = chat.page.locator("#text-hint")
    await until(lambda: _reads(hint, "Too long by 1 byte."), WITHIN, "the complaint")
    assert await chat.page.input_value("#text") == text + "!"
    await chat.say(text)
    await chat.kept_line(text)
    assert await hint.inner_text() == ""
    assert [frame["text"] for frame in service.received("say")] == [text]


async def _reads(locator: object, text: str) -> bool:
    return bool(await locator.inner_text() == text)  # type: ignore[attr-defined]


async def test_the_administrator_closes_the_chat_after_being_asked(
    chat: ChatPage, service: FakeService
) -> None:
    await chat.enter("anna")
    assert not await chat.may_close()
    await service.happen(left("bruno"), left("Carla"), {"type": "administrator"})
    await chat.line("You are the administrator now")
    assert await chat.may_close()
    await chat.close_chat(really=False)
    assert service.received("close") == []
    await chat.close_chat()
    assert await chat.news() == "You closed the chat."
    assert service.received("close") == [{"type": "close"}]


async def test_a_chat_that_is_not_to_be_closed_stays(chat: ChatPage, service: FakeService) -> None:
    service.members = []
    service.is_closable = False
    await chat.enter("anna")
    assert await chat.may_close()
    await chat.close_chat()
    await chat.line("You may not close this chat.")
    assert await chat.state() == "inside"


async def test_when_somebody_else_closes_it_is_told(chat: ChatPage, service: FakeService) -> None:
    await chat.enter("anna")
    await service.happen({"type": "closed", "nickname": "bruno"})
    await service.close(1000, "chat_closed")
    assert await chat.news() == "bruno closed the chat."


async def test_names_that_look_the_same_are_told_apart(
    chat: ChatPage, service: FakeService
) -> None:
    service.members = ["paul", "bruno"]
    await chat.enter("anna")
    await service.happen(joined("pauI"), said("paul", "lend me ten"), said("pauI", "and me twenty"))
    await chat.line("and me twenty")
    marks = await chat.page.eval_on_selector_all(
        "#log .unlike", "all => all.map((it) => `${it.parentElement.textContent} ${it.title}`)"
    )
    assert marks == [
        "paul (not pauI):  “paul” only looks like “pauI”",
        "pauI (not paul):  “pauI” only looks like “paul”",
    ]
    await chat.page.wait_for_selector("#people button:has-text('pauI'):has-text('not paul')")
    await chat.pick("pauI")
    await chat.page.wait_for_selector("#recipient-hint:has-text('“pauI” only looks like “paul”')")
    await chat.screenshot("web-unlike")
    await chat.pick("bruno")
    await chat.page.wait_for_selector("#recipient-hint:empty", state="attached")


async def test_what_shows_nothing_is_said_to_and_marks_stay_in_their_line(
    chat: ChatPage, service: FakeService
) -> None:
    await chat.enter("anna")
    await service.happen(said("bruno", "\u200b\u2060"), said("bruno", "before"))
    assert (await chat.line("(nothing to see)")).kind == "said"
    await service.happen(said("bruno", ("o" + "\u0302" * 6) * 9))
    line = await chat.line("o\u0302")
    before = chat.page.locator("#log .said:has-text('before')")
    with_marks = await before.screenshot()
    await chat.page.eval_on_selector(
        f"[data-line='{line.number}'] .text", "it => { it.style.visibility = 'hidden'; }"
    )
    assert await before.screenshot() == with_marks


async def test_who_comes_and_goes_is_told_once_and_an_operator_is_none_of_us(
    chat: ChatPage, service: FakeService
) -> None:
    await chat.enter("anna")
    await service.happen(joined("dora"), joined("emil"), left("emil"), joined("dora"))
    await service.happen(left("bruno"), joined("bruno"))
    await chat.line("dora joined · bruno left and came back · emil joined and left")
    await service.happen({"type": "closed", "nickname": "G"})
    await service.close(1000, "chat_closed")
    assert await chat.news() == "An operator closed the chat."


async def test_a_ban_says_until_when(chat: ChatPage, service: FakeService) -> None:
    until = 1_795_000_000_000
    await chat.enter("anna")
    await service.tell({"type": "banned", "reason": "spam", "until": until})
    await service.close(4001, "banned")
    assert (await chat.news()).startswith("You are banned from this chat until 18 Nov 2026, ")


async def test_the_topic_is_read_whole_by_a_tap_or_a_key(
    chat: ChatPage, service: FakeService
) -> None:
    page = chat.page
    await page.set_viewport_size({"width": 390, "height": 844})
    await chat.enter("anna")
    topic = "Dinner at eight, bring wine, and somebody who can play the piano"
    await service.happen({"type": "topic", "by": "G", "text": topic})
    await chat.line(f"An operator set the topic: {topic}")
    shown = page.get_by_role("button", name=topic)
    cut = "(it) => it.scrollWidth > it.clientWidth"
    assert await shown.evaluate(cut)
    assert await shown.get_attribute("title") == f"Topic: {topic}"
    await shown.click()
    assert await shown.get_attribute("aria-expanded") == "true"
    assert not await shown.evaluate(cut)
    await chat.screenshot("topic-phone")
    await shown.press("Enter")
    assert await shown.evaluate(cut)
