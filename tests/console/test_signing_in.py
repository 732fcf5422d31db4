"""Signing in to the console: a token in a form, kept in the tab alone, and what it lets one see."""

import pytest
from playwright.async_api import Browser

from console.console_page import ConsolePage, window
from console.fake_api import ConsoleApi

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]


async def test_a_wrong_token_says_so_and_a_good_one_lets_in(
    console: ConsolePage, api: ConsoleApi
) -> None:
    page = console.page
    for wrong in ("nonsense", "ünlikely"):
        await page.fill("#token", wrong)
        await page.press("#token", "Enter")
        await page.wait_for_selector("#complaint:has-text('Nobody has this token')")
        assert await page.get_attribute("#token", "aria-invalid") == "true"
        await page.eval_on_selector("#complaint", "it => { it.textContent = ''; }")
    await console.sign_in("  Bearer operator\n")
    assert await console.texts("#own-name") == ["olga"]
    assert await console.texts("#views a") == ["Rooms", "Bans", "Accounts", "Nodes", "Webhooks"]
    assert "operator" not in page.url
    assert await page.input_value("#token") == ""


async def test_it_lasts_until_it_is_forgotten_and_no_longer_than_its_tab(
    console: ConsolePage, api: ConsoleApi
) -> None:
    page = console.page
    await console.sign_in("operator")
    await console.go_to("#/nodes", "Nodes")
    await page.reload()
    await page.wait_for_selector("h1 bdi:text-is('Nodes')")
    assert await page.evaluate("() => localStorage.length") == 0
    other = await page.context.new_page()
    await other.goto(api.address)
    await other.wait_for_selector("#entrance:not([hidden])")
    await other.close()
    await page.click("#forget")
    await page.wait_for_selector("#entrance:not([hidden]) >> text=is forgotten")
    assert await page.evaluate("() => sessionStorage.length") == 0
    assert await page.inner_text("#main") == ""
    await page.reload()
    await page.wait_for_selector("#entrance:not([hidden])")


async def test_a_moderator_is_offered_nothing_that_would_be_refused(
    console: ConsolePage, api: ConsoleApi
) -> None:
    page = console.page
    await console.sign_in("moderator")
    assert await console.texts("#views a") == ["Rooms"]
    await page.click("text=#ops")
    await page.wait_for_selector("#people [aria-label='Kick bruno']")
    assert await page.query_selector("[aria-label='Ban bruno']") is None
    assert not await page.is_visible("text=Appoint…")
    for hash_ in ("#/nodes", "#/rooms/lobby", "#/nowhere", "#/%"):
        await page.eval_on_selector("#failed", "it => it.replaceChildren()")  # of the one before
        await page.evaluate("(hash) => { location.hash = hash; }", hash_)
        await console.complained("leads nowhere")
        assert page.url.endswith("#/rooms")


async def test_a_token_that_may_only_speak_is_told_what_is_missing(
    console: ConsolePage, api: ConsoleApi
) -> None:
    await console.page.fill("#token", "speaker")
    await console.page.press("#token", "Enter")
    await console.page.wait_for_selector("#complaint:has-text('may only: say')")


async def test_a_token_that_is_taken_away_ends_it_and_says_so(
    console: ConsolePage, api: ConsoleApi
) -> None:
    await console.sign_in("operator")
    await console.go_to("#/rooms/ops", "#ops")
    await console.page.wait_for_selector("#log .said")
    await console.page.click("[aria-label='Mute bruno']")
    del api.tokens["operator"]
    # A list may have noticed it already, and the dialog be gone.
    await console.page.eval_on_selector("#filling .primary", "it => it.click()")
    await console.page.wait_for_selector("#entrance-news:has-text('no longer good')")
    assert await console.page.evaluate("() => sessionStorage.length") == 0


async def test_an_address_leads_to_its_room_and_back(browser: Browser, api: ConsoleApi) -> None:
    async with window(browser) as console:
        await console.open(f"{api.address}#/rooms/ops")
        await console.sign_in("operator")
        await console.page.wait_for_selector("h1 bdi:text-is('#ops')")
        assert await console.page.title() == "#ops · Tertulia console"
        await console.page.click("#views >> text=Rooms")
        await console.page.wait_for_selector("h1 bdi:text-is('Rooms')")
        await console.page.go_back()
        await console.page.wait_for_selector("h1 bdi:text-is('#ops')")
