"""Writing and reading, as somebody at the page sees it."""

import pytest

from harness.waiting import until
from web.chat_page import ChatPage
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
    await until(lambda: service.received("received"), 5, "the private message to be confirmed")
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


async def test_who_goes_stays_the_recipient_so_that_nothing_private_becomes_public(
    chat: ChatPage, service: FakeService
) -> None:
    await chat.enter("anna")
    await chat.pick("bruno")
    await service.happen(left("bruno"))
    await chat.page.wait_for_selector("#recipient-hint:has-text('bruno')")
    assert await chat.picked() == "bruno"
    await chat.say("still private")
    await chat.line("still private")
    assert service.received("say") == []


async def test_typing_finds_among_ten_thousand(chat: ChatPage, service: FakeService) -> None:
    service.members = [f"user-{i}" for i in range(10_000)]
    await chat.enter("anna")
    await chat.watch_tasks()
    assert len(await chat.choices()) == 101
    await chat.page.fill("#recipient", "r-77")
    await chat.page.wait_for_selector("#recipients li:nth-of-type(2):has-text('user-77')")
    await service.happen(*[joined(f"late-{i}") for i in range(100)])
    await chat.line("97 more joined")
    await chat.pick("user-7777")
    assert await chat.picked() == "user-7777"
    assert await chat.longest_task() < 100


async def test_nothing_that_is_written_becomes_markup(chat: ChatPage, service: FakeService) -> None:
    await chat.enter("anna")
    await service.happen(said("bruno", MARKUP), joined("<b>x</b>"), said("<b>x</b>", "hi"))
    await service.whisper("bruno", MARKUP)
    await chat.say(MARKUP)

    async def shown() -> bool:
        return (await chat.texts("said", "whispered")).count(MARKUP) == 3

    await until(shown, 5, "what two wrote in three ways")
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
    await until(lambda: _reads(hint, "Too long by 1 byte."), 5, "the complaint")
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
