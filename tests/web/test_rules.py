"""What keeps one from speaking is told where one writes: on entering, and no longer than it holds."""

import pytest
from playwright.async_api import expect

from harness.waiting import until
from web.chat_page import WITHIN, ChatPage
from web.fake_service import FakeService, now_ms

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]


async def told(chat: ChatPage) -> list[str]:
    """Return what is told where one writes, as it is seen."""
    texts = await chat.page.locator("#rules p").all_inner_texts()
    return [it for it in texts if it]


async def tells(chat: ChatPage, *wanted: str) -> None:
    """Wait until it is this, each by its beginning."""

    async def as_wanted() -> bool:
        now = await told(chat)
        return len(now) == len(wanted) and all(map(str.startswith, now, wanted))

    await until(as_wanted, WITHIN, f"the page to tell {wanted}")


async def test_who_enters_reads_what_holds_and_no_longer_than_it_does(
    chat: ChatPage, service: FakeService
) -> None:
    page = chat.page
    muted = {"muted": True, "muted_until": 0, "muted_why": "too loud"}
    service.standing = {"slow": 30, "accounts_only": True, "topic": "coffee & more", **muted}
    await chat.enter("anna")
    only_accounts = "Only people with an account may speak now"
    slow = "Slow mode: one message in 30 seconds"
    await tells(chat, "You are muted: too loud", slow, only_accounts)
    await chat.screenshot("rules")
    # Who hears the page: it is read when it comes, and again in the field; the topic when it comes.
    described = await page.get_attribute("#text", "aria-describedby") or ""
    assert "rules" in described.split()
    assert await page.get_attribute("#rules", "role") == "status"
    assert await page.text_content("#rule-topic[role=status]") == "Topic: coffee & more"
    assert await page.is_visible("#topic:has-text('coffee & more')")

    # A guest is offered an account, and may speak with it.
    await page.click("#rule-account")
    await page.fill("#account-password", "anna's password")
    await page.click("#account-register button")
    await tells(chat, "You are muted", slow)
    await page.keyboard.press("Escape")
    await expect(page.locator("#rule-account")).to_be_hidden()

    await service.happen({"type": "unmuted", "nickname": "anna", "by": "bruno"})
    await service.happen({"type": "topic", "text": "tea", "by": "bruno"})
    await tells(chat, slow)
    await expect(page.locator("#rule-topic")).to_have_text("Topic: tea")
    await service.happen({"type": "slow", "seconds": 0, "by": "bruno"})
    await service.happen({"type": "topic", "text": "", "by": "bruno"})
    await tells(chat)
    await expect(page.locator("#rule-topic")).to_have_text("")


async def test_a_mute_that_ends_by_itself_is_told_no_more(
    chat: ChatPage, service: FakeService
) -> None:
    await chat.enter("anna")
    await tells(chat)
    before = await chat.page.evaluate("document.getElementById('composer').clientHeight")
    event = {"type": "muted", "by": "bruno", "reason": ""}
    await service.happen({**event, "nickname": "Carla", "until": 0})
    await service.happen({**event, "nickname": "Anna", "until": now_ms() + 1_000})
    await chat.line("bruno muted Anna until")
    await tells(chat)  # whether or not it was seen before: nothing happens but time
    after = await chat.page.evaluate("document.getElementById('composer').clientHeight")
    assert before == after  # nothing has no place


async def test_who_comes_back_reads_what_holds_now(chat: ChatPage, service: FakeService) -> None:
    await chat.enter("anna")
    service.standing = {"slow": 5}
    service.cut()
    await tells(chat, "Slow mode: one message in 5 seconds")
    service.standing = {"slow": 1}
    await chat.page.reload()
    await tells(chat, "Slow mode: one message a second")
    await chat.leave()
    service.standing = {"slow": 5, "moderator": True}
    await chat.enter("anna")  # whom it does not slow
    await chat.page.wait_for_selector("#log :text('You are in')")
    await tells(chat)


@pytest.mark.parametrize(("width", "height"), [(360, 640), (640, 320)])
async def test_on_a_phone(chat: ChatPage, service: FakeService, width: int, height: int) -> None:
    muted = {"muted": True, "muted_until": now_ms() + 600_000, "muted_why": "too loud"}
    service.standing = {"slow": 30, "accounts_only": True, "topic": "coffee & more", **muted}
    await chat.page.set_viewport_size({"width": width, "height": height})
    await chat.enter("anna")
    await tells(chat, "You are muted until", "Slow mode", "Only people")
    await chat.screenshot(f"rules-{width}x{height}")
    wide = "document.documentElement.scrollWidth > innerWidth"
    assert not await chat.page.evaluate(wide)
    # Where the head has a few letters of the topic, it is there as well.
    topic = await chat.page.locator("#rule-topic").bounding_box()
    assert topic is not None
    assert (topic["width"] > 100) == (width < height)
