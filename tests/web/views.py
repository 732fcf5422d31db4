"""All that the page shows, one after the other."""

from collections.abc import AsyncIterator

from web.chat_page import ChatPage
from web.fake_service import FakeService, Room, joined, said

RTL = "\u0645\u0631\u062d\u0628\u0627 Anna!"


async def views(chat: ChatPage, service: FakeService) -> AsyncIterator[str]:
    """Go through all that the page shows, and name each."""
    page = chat.page
    yield "entrance"
    service.refusals = {"bruno": "nickname_taken"}
    await chat.ask_for("bruno")
    await chat.refusal()
    yield "refused"
    await chat.enter("anna")
    await service.happen(said("bruno", "hello"), joined("dora"), said("Carla", RTL))
    await service.whisper("bruno", "psst")
    await chat.line("psst")
    await service.happen(
        {"type": "administrator"},
        {"type": "slow", "seconds": 30, "by": "bruno"},
        {"type": "accounts_only", "on": True, "by": "bruno"},
        {"type": "topic", "text": "coffee & more", "by": "bruno"},
    )
    await page.wait_for_selector("#rule-slow:not(:empty)")
    yield "chat"
    await page.click("#recipient")
    await page.wait_for_selector("#recipients:not([hidden])")
    yield "picker"
    await page.press("#recipient", "Escape")
    await page.click("#menu-button")
    await page.wait_for_selector("#menu button:focus")
    yield "menu"
    await page.click("#settings-button")
    await page.wait_for_selector("#settings-dialog[open]")
    yield "settings"
    await page.keyboard.press("Escape")
    for opener, dialog in (("#search-button", "search"), ("#help", "help"), ("#close", "close")):
        await page.click("#menu-button")
        await page.click(opener)
        await page.wait_for_selector("dialog[open]")
        yield dialog
        await page.keyboard.press("Escape")
    service.rooms["ops"] = Room(members=["bruno"], standing={"topic": "what runs"})
    await chat.join("ops")
    await chat.join("a-room-with-a-name-of-32-letters")
    await service.happen(said("bruno", "anna, are you there?"), room="ops")
    await page.wait_for_selector("#room-list .badge.calls", state="attached")
    yield "rooms"
    if await page.is_visible("#rooms-button"):
        await page.click("#rooms-button")
        await page.wait_for_selector("#rooms button:focus")
        yield "room-list"
        await page.keyboard.press("Escape")
    await chat.choose("all-rooms")
    await page.wait_for_selector("#rooms-found button")
    yield "all-rooms"
    await page.keyboard.press("Escape")
    service.is_down = True
    service.cut()
    await page.wait_for_selector("#offline:not([hidden])")
    await page.eval_on_selector("#offline", "it => it.getAnimations().map(a => a.finish())")
    yield "reconnecting"
    service.is_down = False
    await chat.inside()
