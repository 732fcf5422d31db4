"""What somebody sets for the page, in a real browser."""

import pytest

from harness.waiting import until
from web.chat_page import WITHIN, ChatPage
from web.fake_service import FakeService, joined, said

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

PAPER = "() => getComputedStyle(document.documentElement).backgroundColor"
LIGHT, DARK = "rgb(246, 243, 236)", "rgb(20, 25, 26)"


async def test_settings_are_obeyed_and_kept(chat: ChatPage, service: FakeService) -> None:
    page = chat.page
    await chat.enter("anna")
    await service.happen(said("bruno", "hello"), joined("dora"))
    await chat.line("hello")
    assert await page.is_visible("#log .said time")
    assert await page.is_visible("#log .traffic:last-child")
    assert await page.evaluate(PAPER) == LIGHT
    await chat.choose("settings-button")
    await page.uncheck("[name=times]")
    await page.uncheck("[name=traffic]")
    await page.select_option("[name=theme]", "dark")
    await page.select_option("[name=density]", "dense")
    await chat.screenshot("web-settings-dark")
    await page.keyboard.press("Escape")
    await chat.screenshot("web-dense-dark")

    async def obeyed() -> None:
        assert not await page.is_visible("#log .said time")
        assert not await page.is_visible("#log .traffic:last-child")
        assert await page.evaluate(PAPER) == DARK

    await obeyed()
    await page.reload()
    await chat.inside()
    await chat.line("hello")
    await obeyed()


async def test_settings_are_those_of_all_windows(chat: ChatPage, service: FakeService) -> None:
    other = await chat.page.context.new_page()
    await other.goto(service.address)
    await other.locator("#entrance .open-settings").click()
    await other.select_option("[name=theme]", "dark")

    async def is_dark() -> bool:
        return bool(await chat.page.evaluate(PAPER) == DARK)

    await until(is_dark, WITHIN, "the other window to turn dark")


async def test_another_language_is_spoken_at_once_where_one_was(
    chat: ChatPage, service: FakeService
) -> None:
    page = chat.page
    await chat.enter("anna")
    await service.happen(said("bruno", "hello"))
    await chat.line("hello")
    await chat.choose("settings-button")
    await page.select_option("[name=language]", "fr")
    await page.wait_for_selector("html[lang=fr]")
    await chat.inside()
    await chat.line("hello")
    assert await page.text_content("#leave") == "Sortir"
    # One goes on setting, at the same place, and once only.
    await page.wait_for_selector("#settings-dialog[open] [name=language]:focus")
    assert await page.text_content("#settings-title") == "Réglages"
    await page.keyboard.press("Escape")
    await page.reload()
    await chat.inside()
    await chat.line("hello")
    assert not await page.is_visible("#settings-dialog")


async def test_another_language_at_the_entrance_leaves_one_in_the_settings(chat: ChatPage) -> None:
    page = chat.page
    await page.click("#entrance .open-settings")
    await page.select_option("[name=language]", "de")
    await page.wait_for_selector("html[lang=de]")
    await page.wait_for_selector("#settings-dialog[open] [name=language]:focus")


async def test_settings_on_a_phone_on_its_side(chat: ChatPage) -> None:
    page = chat.page
    await page.set_viewport_size({"width": 844, "height": 390})
    await page.click("#entrance .open-settings")
    dialog = page.locator("#settings-dialog .scrolled")
    await dialog.locator("select").first.wait_for()
    await chat.screenshot("settings-landscape")
    assert await dialog.evaluate("(it) => it.scrollHeight - it.clientHeight") <= 0
    # Where that does not do, the button is in sight, and above it one sees that there is more.
    await page.set_viewport_size({"width": 480, "height": 240})
    await chat.screenshot("settings-landscape-small")
    assert await dialog.evaluate("(it) => it.scrollHeight - it.clientHeight") > 0
    done = await dialog.get_by_role("button").bounding_box()
    assert done is not None
    assert done["y"] + done["height"] < 240


async def test_settings_by_keyboard(chat: ChatPage) -> None:
    page = chat.page
    await chat.enter("anna")
    await page.focus("#menu-button")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#menu button:focus")
    await page.focus("#settings-button")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#settings-dialog[open]")
    await page.focus("[name=sound]")
    await page.keyboard.press("Space")
    assert await page.is_checked("[name=sound]")
    await page.focus("[name=theme]")
    await page.keyboard.press("ArrowDown")
    assert await page.input_value("[name=theme]") == "light"
    await page.keyboard.press("Escape")
    assert await page.evaluate("() => document.activeElement.id") == "menu-button"


async def test_the_corners_of_a_dialog_cut_what_scrolls_in_it(chat: ChatPage) -> None:
    page = chat.page
    await page.set_viewport_size({"width": 420, "height": 400})
    await page.click("#entrance .open-settings")
    await page.wait_for_selector("#settings-dialog[open] select")
    await chat.screenshot("settings-scrolled")
    scrolled, overflow, inner = await page.eval_on_selector(
        "#settings-dialog",
        """(it) => [
          it.firstElementChild.scrollHeight > it.firstElementChild.clientHeight,
          getComputedStyle(it).overflow,
          it.firstElementChild.getBoundingClientRect().right <= it.getBoundingClientRect().right,
        ]""",
    )
    assert scrolled
    assert overflow == "hidden"
    assert inner
