"""All that the console shows, one after the other."""

from collections.abc import AsyncIterator

from console.console_page import ConsolePage
from console.fake_api import ConsoleApi, at

RTL = "\u0645\u0631\u062d\u0628\u0627 Anna!"
LONG = "a-word-of-many-letters-" * 9


async def views(console: ConsolePage, api: ConsoleApi) -> AsyncIterator[str]:
    """Go through all that the console shows, and name each."""
    page = console.page
    room = api.rooms["ops"]
    room.mutes = [{"nickname": "evan", "until": at(600), "reason": RTL, "by": "olga (api)"}]
    room.audit = [
        {"at": at(), "by": "olga (api)", "action": "mute", "subject": "evan", "text": LONG, "value": "600"}
    ]  # fmt: skip
    api.happen("ops", "said", nickname="carla", text=RTL)
    api.happen("ops", "said", nickname="carla", text=LONG)
    api.happen("ops", "muted", nickname="evan", by="olga", reason=LONG)
    yield "entrance"
    await page.fill("#token", "wrong")
    await page.press("#token", "Enter")
    await page.wait_for_selector("#complaint:not(:empty)")
    yield "refused"
    await console.sign_in("operator")
    for name in ("rooms", "bans", "accounts", "nodes", "webhooks"):
        await console.go_to(f"#/{name}", name.capitalize())
        await page.wait_for_selector("tbody tr")
        yield name
    await console.go_to("#/accounts", "Accounts")
    await page.click("text=New account")
    yield "new-account"
    await page.keyboard.press("Escape")
    await console.go_to("#/nodes", "Nodes")
    await page.click("[aria-label='Drain node-1']")
    yield "drain"
    await page.keyboard.press("Escape")
    await console.go_to("#/rooms/ops", "#ops")
    for part in ("log li", "people tbody tr", "mutes tbody tr", "audit tbody tr"):
        await page.wait_for_selector(f"#{part}")
    yield "room"
    await page.click("[aria-label='Mute bruno']")
    yield "mute"
    await page.keyboard.press("Escape")
    await page.focus("#log .log")
    await page.keyboard.press("Enter")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#asking[open]")
    yield "message"
    await page.keyboard.press("Escape")
    await page.click("text=Change…")
    await page.wait_for_selector("#field-topic")
    yield "settings"
    await page.keyboard.press("Escape")
    await page.click("[aria-label='Unmute evan']")
    await console.told("evan may speak")
    yield "told"
    api.refuse(503, "Redis can't be used now: try again")
    await page.wait_for_selector("#log .is-stale")
    await page.click("text=Change…")
    await page.fill("#field-topic", "another one")
    await page.keyboard.press("Enter")
    await console.complained("Redis can't be used now")
    yield "stale"
    api.refusal = None
