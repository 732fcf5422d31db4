"""The account of one's own nickname, on the page."""

import pytest
from playwright.async_api import expect

from web.chat_page import ChatPage
from web.fake_service import FakeService

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def answer(chat: ChatPage, text: str) -> None:
    """Wait until the dialog says something."""
    await expect(chat.page.locator("#account-answer")).to_contain_text(text)


async def test_a_guest_makes_an_account_and_deletes_it_by_keyboard_alone(
    chat: ChatPage, service: FakeService
) -> None:
    page, keyboard = chat.page, chat.page.keyboard
    await chat.enter("anna")
    await page.focus("#menu-button")
    await keyboard.press("Enter")
    await page.wait_for_selector("#menu button:focus")
    for _ in range(6):
        if await page.evaluate("document.activeElement.id") == "account":
            break
        await keyboard.press("ArrowDown")
    await expect(page.locator("#account")).to_be_focused()
    await keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Account")
    await expect(dialog).to_contain_text("“anna” is yours only while you are here")
    await expect(page.locator("#account-password")).to_be_focused()
    await expect(page.locator("#account-invited")).to_be_hidden()
    await expect(page.locator("#account-own")).to_be_hidden()
    await chat.screenshot("account-guest")
    await keyboard.type("s3cret")
    await keyboard.press("Enter")
    await answer(chat, "“anna” is your account now")
    assert service.received("register") == [{"type": "register", "password": "s3cret"}]
    await expect(page.locator("#account-answer")).to_be_focused()
    await expect(page.locator("#account-register")).to_be_hidden()
    assert (await dialog.inner_text()).count("“anna” is your account") == 1
    outline = await page.eval_on_selector(
        "#account-answer", "it => getComputedStyle(it).outlineStyle"
    )
    assert outline == "none", "it is no control"
    await chat.screenshot("account-own")
    await keyboard.press("Escape")
    await chat.choose("account")
    await expect(dialog).to_contain_text("“anna” is your account: only who knows")

    await page.fill("#account-old", "guess")
    await page.fill("#account-new", "an0ther")
    await keyboard.press("Enter")
    await answer(chat, "That is not the password")
    await page.fill("#account-old", "s3cret")
    await keyboard.press("Enter")
    await answer(chat, "The password is changed")
    assert service.accounts == {"anna": "an0ther"}
    assert await page.input_value("#account-new") == "", "no password stays on the page"
    await page.click("#account-log-out")
    await answer(chat, "logged out everywhere else")

    await page.fill("#account-proof", "an0ther")
    await keyboard.press("Enter")
    question = page.get_by_role("dialog", name="Delete the account “anna”?")
    await expect(question.get_by_role("button", name="Cancel")).to_be_focused()
    await keyboard.press("Enter")
    await expect(question).to_be_hidden()
    await page.focus("#account-proof")
    await keyboard.press("Enter")
    await question.get_by_role("button", name="Delete the account").click()
    await answer(chat, "The account is deleted")
    assert service.accounts == {}
    assert len(service.received("delete_account")) == 1, "a careless Enter says no"
    await expect(dialog).to_contain_text("“anna” is yours only while you are here")
    await keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await expect(page.locator("#menu-button")).to_be_focused()
    await chat.say("still here")


async def test_by_invitation_a_code_is_asked_for(chat: ChatPage, service: FakeService) -> None:
    service.registration, service.code = "invited", "abcd-efgh"
    await chat.enter("anna")
    await chat.choose("account")
    await chat.page.fill("#account-password", "s3cret")
    await chat.page.fill("#account-invitation", "wrong")
    await chat.page.keyboard.press("Enter")
    await answer(chat, "This code is not good")
    await chat.page.fill("#account-invitation", "abcd-efgh")
    await chat.page.keyboard.press("Enter")
    await answer(chat, "is your account now")


async def test_where_it_is_closed_the_page_says_so(chat: ChatPage, service: FakeService) -> None:
    service.registration = "closed"
    await chat.enter("anna")
    await chat.choose("account")
    await expect(chat.page.locator("#account-text")).to_contain_text("Only the operators")
    for part in ("#account-register", "#account-own"):
        await expect(chat.page.locator(part)).to_be_hidden()


async def test_a_service_that_tells_nothing_of_accounts_is_asked_nothing(
    chat: ChatPage, service: FakeService
) -> None:
    service.registration = None
    await chat.enter("anna")
    await chat.page.click("#menu-button")
    await expect(chat.page.locator("#account")).to_be_hidden()


async def test_a_connection_that_breaks_before_the_answer_leaves_it_open(
    chat: ChatPage, service: FakeService
) -> None:
    await chat.enter("anna")
    await chat.choose("account")
    service.holds_answers = True
    await chat.page.fill("#account-password", "s3cret")
    await chat.page.keyboard.press("Enter")
    await answer(chat, "One moment")
    await expect(chat.page.locator("#account-register button")).to_be_disabled()
    service.cut()
    await answer(chat, "Look whether it was done")


async def test_the_dialog_fits_a_phone(chat: ChatPage, service: FakeService) -> None:
    service.accounts = {"anna": "s3cret"}
    await chat.page.set_viewport_size({"width": 320, "height": 560})
    await chat.enter("anna", "s3cret")
    await chat.choose("account")
    await chat.page.wait_for_selector("#account-dialog[open]")
    await chat.screenshot("account-phone")
    wide = "() => document.documentElement.scrollWidth > innerWidth"
    assert not await chat.page.evaluate(wide)
    # A scrollbar of the dialog itself would stand across its round corners.
    scrolls = "it => [it.scrollHeight > it.clientHeight, getComputedStyle(it).overflowY]"
    dialog = chat.page.locator("#account-dialog")
    assert await dialog.evaluate(scrolls) == [False, "hidden"]
    assert await dialog.locator("> div").evaluate(scrolls) == [True, "auto"]
    await chat.page.locator("#account-dialog .done").scroll_into_view_if_needed()
    await expect(chat.page.locator("#account-dialog .done")).to_be_in_viewport()
