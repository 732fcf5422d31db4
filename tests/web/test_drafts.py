"""What is being written, and to whom: it is the same after the page was loaded again."""

import pytest
from playwright.async_api import Page

from web.chat_page import ChatPage
from web.fake_service import FakeService, left

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

PUT_AWAY = """
() => {
  // A browser that puts a tab away says that it is hidden, and nothing more when it ends it.
  addEventListener("pagehide", (event) => event.stopImmediatePropagation(), { capture: true });
  Object.defineProperty(document, "hidden", { get: () => true });
  document.dispatchEvent(new Event("visibilitychange"));
}
"""
FREEZE = """
() => {
  addEventListener("pagehide", (event) => event.stopImmediatePropagation(), { capture: true });
  document.dispatchEvent(new Event("freeze"));
}
"""


async def half_a_secret(chat: ChatPage) -> None:
    """Begin to write to Carla."""
    await chat.enter("anna")
    await chat.pick("Carla")
    await chat.page.fill("#text", "just between")


async def the_rest_of_it(chat: ChatPage, service: FakeService) -> None:
    """Go on as if nothing had happened, and see who reads it."""
    await chat.inside()
    assert await chat.picked() == "Carla"
    await chat.page.type("#text", " us")
    await chat.page.press("#text", "Enter")
    await chat.kept_line("just between us")
    assert [frame["to"] for frame in service.received("whisper")] == ["Carla"]
    assert service.received("say") == []


async def test_a_page_that_is_loaded_again_goes_on_writing_to_the_same_though_gone(
    chat: ChatPage, service: FakeService
) -> None:
    await half_a_secret(chat)
    await service.happen(left("Carla"))
    await chat.page.reload()
    await the_rest_of_it(chat, service)


async def test_who_was_about_to_be_picked_is_not_everybody(
    chat: ChatPage, service: FakeService
) -> None:
    await chat.enter("anna")
    await chat.page.fill("#text", "just between")
    await chat.page.fill("#recipient", "Carla")
    await chat.page.reload()
    await the_rest_of_it(chat, service)


@pytest.mark.parametrize("end", [PUT_AWAY, FREEZE], ids=["put away", "frozen"])
async def test_a_tab_that_the_browser_put_away_goes_on_writing_to_the_same(
    chat: ChatPage, service: FakeService, end: str
) -> None:
    await half_a_secret(chat)
    await chat.page.evaluate(end)
    await chat.page.reload()
    await the_rest_of_it(chat, service)


async def test_two_tabs_have_each_their_own(chat: ChatPage, service: FakeService) -> None:
    await half_a_secret(chat)
    second: Page = await chat.page.context.new_page()
    other = ChatPage(second)
    await other.open(service.address)
    await other.enter("dora")
    await other.page.fill("#text", "to all")
    await chat.page.reload()
    await other.page.reload()
    await other.inside()
    assert await other.picked() == "Everybody (G)"
    assert await other.page.input_value("#text") == "to all"
    await the_rest_of_it(chat, service)


async def test_who_is_sent_away_and_comes_back_goes_on_writing_to_the_same(
    chat: ChatPage, service: FakeService
) -> None:
    await half_a_secret(chat)
    await service.close(4001, "displaced")
    await chat.enter("anna")
    await the_rest_of_it(chat, service)


async def test_who_leaves_or_comes_as_somebody_else_begins_anew(
    chat: ChatPage, service: FakeService
) -> None:
    await half_a_secret(chat)
    await chat.leave()
    await chat.enter("anna")
    assert await chat.picked() == "Everybody (G)"
    assert await chat.page.input_value("#text") == ""
    await chat.page.fill("#text", "anna's own")
    await service.close(4001, "displaced")
    await chat.enter("dora")
    assert await chat.page.input_value("#text") == ""
