"""Moderating in the console: people, messages, the room."""

import pytest
from playwright.async_api import Browser

from console.console_page import ConsolePage, window
from console.fake_api import ConsoleApi, person

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]


async def test_somebody_is_muted_by_the_keyboard_alone(
    console: ConsolePage, api: ConsoleApi
) -> None:
    page = console.page
    await page.keyboard.type("moderator")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("h1 bdi:text-is('Rooms')")

    async def tab_to(name: str) -> None:
        for _ in range(40):
            if await console.focused() == name:
                return
            await page.keyboard.press("Tab")
        raise AssertionError(f"no Tab leads to {name}")

    await page.wait_for_selector("tbody a")
    await tab_to("#ops")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#people [aria-label='Mute bruno']")
    await tab_to("Mute bruno")
    await page.keyboard.press("Enter")
    await page.keyboard.press("ArrowDown")  # an hour
    await page.keyboard.press("Tab")
    await page.keyboard.type("too loud")
    await page.keyboard.press("Enter")
    await console.told("bruno is muted in #ops until")
    assert api.done("PUT") == [("rooms/ops/mutes/bruno", {"seconds": 3600, "reason": "too loud"})]
    assert await console.focused() == "Mute bruno"
    await page.wait_for_selector("#log .notice >> text=mara (api) muted bruno")
    await page.wait_for_selector("#mutes tbody >> text=too loud")
    await page.wait_for_selector("#people tr:has-text('bruno') .tag >> text=muted")
    await tab_to("Unmute bruno")
    await page.keyboard.press("Enter")
    await console.told("bruno may speak in #ops again")
    await page.wait_for_selector("#mutes >> text=Nobody is muted.")
    assert await console.page.evaluate("() => document.activeElement.id") == "main"


async def test_a_message_is_redacted_from_its_menu(console: ConsolePage, api: ConsoleApi) -> None:
    page = console.page
    await console.sign_in("moderator")
    await console.go_to("#/rooms/ops", "#ops")
    await page.wait_for_selector("#log >> text=cheap watches")
    await page.focus("#log .log")
    for key in ("Enter", "ArrowUp", "ArrowDown", "Enter"):
        await page.keyboard.press(key)
    await page.wait_for_selector("#asking[open] >> text=buy cheap watches now")
    await page.click("#asking >> text=Redact")
    await page.wait_for_selector("#filling[open] >> text=can’t be undone")
    await page.click("#filling >> text=Cancel")
    assert api.done("DELETE") == []
    await page.click("[aria-label='Message of bruno']")
    await page.click("#asking >> text=Redact")
    await page.fill("#field-reason", "spam & more")
    await page.keyboard.press("Enter")
    await console.told("The message of bruno is withdrawn")
    assert api.done("DELETE") == [("rooms/ops/messages/2.0?reason=spam%20%26%20more", None)]
    await page.wait_for_selector("#log .is-redacted")
    assert "cheap watches" not in await page.inner_text("#log")


async def test_kick_and_ban_are_asked_back(console: ConsolePage, api: ConsoleApi) -> None:
    page = console.page
    await console.sign_in("operator")
    await console.go_to("#/rooms/ops", "#ops")
    await page.click("[aria-label='Kick bruno']")
    await page.keyboard.press("Escape")
    assert api.calls == []
    await page.click("[aria-label='Kick bruno']")
    await page.click("#filling .danger")
    await console.told("bruno was removed from #ops")
    await page.wait_for_selector("[aria-label='Kick bruno']", state="detached")
    await page.click("[aria-label='Ban carla']")
    await page.select_option("#field-kind", "address")
    await page.select_option("#field-seconds", "never")
    await page.keyboard.press("Enter")
    await page.click("#filling .danger")
    await console.told("192.0.2.7 is banned")
    assert api.done("DELETE") == [("rooms/ops/people/bruno", None)]
    assert api.done("PUT") == [("bans/address/192.0.2.7", {"seconds": None, "reason": ""})]


async def test_settings_send_only_what_was_changed(console: ConsolePage, api: ConsoleApi) -> None:
    page = console.page
    await console.sign_in("operator")
    await console.go_to("#/rooms/ops", "#ops")
    await page.wait_for_selector("#rules dd")
    await page.click("text=Change…")
    await page.fill("#field-slow", "4000")
    await page.click("#filling .primary")
    assert await page.is_visible("#filling[open]")  # the browser says what is wrong with it
    await page.fill("#field-slow", "30")
    await page.check("#field-outsiders")
    await page.click("#filling .primary")
    await console.told("The settings of #ops are saved")
    assert api.done("PUT") == [
        ("rooms/ops/slow", {"seconds": 30}),
        ("rooms/ops/outsiders", {"on": True}),
    ]
    await page.wait_for_selector("#rules dd >> text=30 seconds")
    await page.click("text=Announce…")
    await page.fill("#field-text", "back at five")
    await page.click("#filling .primary")
    await page.wait_for_selector("#log >> text=back at five")
    assert api.done("POST") == [("rooms/ops/announcements", {"text": "back at five"})]
    await page.click("text=Appoint…")
    await page.fill("#field-name", "evan")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("[aria-label='Dismiss evan']")
    await page.click("[aria-label='Dismiss dora']")
    assert await console.focused() == "Cancel"
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await console.told("dora no longer moderates")
    assert api.rooms["ops"].moderators == ["anna", "evan"]


async def test_what_is_refused_is_told_in_the_service_s_words(
    console: ConsolePage, api: ConsoleApi
) -> None:
    page = console.page
    await console.sign_in("operator")
    await console.go_to("#/rooms/ops", "#ops")
    await page.wait_for_selector("#people tbody tr")
    await page.click("[aria-label='Mute anna']")
    api.refuse(409, "anna moderates the room: nobody mutes her")
    await page.click("#filling .primary")
    await console.complained("That did not work: anna moderates the room: nobody mutes her")
    assert await page.get_attribute("#failed", "role") == "alert"


async def test_no_button_moves_away_while_people_come_and_go(
    browser: Browser, api: ConsoleApi
) -> None:
    async with window(browser) as console:
        await console.open(api.address)
        await console.sign_in("moderator")
        await console.go_to("#/rooms/ops", "#ops")
        await console.page.focus("[aria-label='Mute bruno']")
        api.rooms["ops"].people.insert(0, person("aaron"))
        api.happen("ops", "joined", nickname="aaron")
        await console.page.wait_for_selector("[aria-label='Mute aaron']")
        assert await console.focused() == "Mute bruno"
