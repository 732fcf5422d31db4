"""What anybody may expect of the console: no rule of accessibility broken, and nothing too wide."""

import json
from typing import Any

import pytest
from playwright.async_api import Browser

from console.console_page import window
from console.fake_api import ConsoleApi
from console.views import views
from web.test_quality import RUN, TOO_WIDE, axe

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]


# 320 pixels are what is left of 1280 at 400 %: WCAG 2.2, 1.4.10.
@pytest.mark.parametrize(("scheme", "width", "height"), [("light", 1280, 800), ("dark", 320, 640)])
async def test_no_rule_of_accessibility_is_broken_and_nothing_is_too_wide(
    browser: Browser, api: ConsoleApi, scheme: Any, width: int, height: int
) -> None:
    script = axe()
    size: Any = {"width": width, "height": height}
    async with window(
        browser, viewport=size, color_scheme=scheme, reduced_motion="reduce"
    ) as console:
        await console.open(api.address)
        await console.page.evaluate(script)
        broken = {}
        async for view in views(console, api):
            if width > 1000:
                await console.screenshot(f"console-{view}")
            assert await console.page.evaluate(TOO_WIDE) == [], view
            found = await console.page.evaluate(RUN)
            assert found["kept"] > 5
            if found["broken"]:
                broken[view] = found["broken"]
        assert not broken, json.dumps(broken, indent=1)


async def test_nothing_is_scrolled_sideways_at_400_percent(
    browser: Browser, api: ConsoleApi
) -> None:
    size: Any = {"width": 320, "height": 256}
    async with window(browser, viewport=size) as console:
        await console.open(api.address)
        async for view in views(console, api):
            assert await console.page.evaluate(TOO_WIDE) == [], view


@pytest.mark.parametrize("locale", ["de-DE", "it-IT", "fr-FR", "es-ES"])
async def test_no_language_is_too_wide(browser: Browser, api: ConsoleApi, locale: str) -> None:
    size: Any = {"width": 320, "height": 640}
    async with window(browser, viewport=size, locale=locale) as console:
        await console.open(api.address)
        await console.sign_in("operator")
        for view in ("rooms", "bans", "accounts", "nodes", "webhooks", "rooms/ops"):
            await console.page.evaluate("(hash) => { location.hash = hash; }", f"#/{view}")
            current = f"#views [aria-current=page][href='#/{view.split('/')[0]}']"
            await console.page.wait_for_selector(current)
            await console.page.wait_for_selector("tbody tr")
            assert await console.page.evaluate(TOO_WIDE) == [], view


async def test_what_matters_is_seen_in_forced_colours(browser: Browser, api: ConsoleApi) -> None:
    async with window(browser, forced_colors="active") as console:
        await console.open(api.address)
        await console.sign_in("operator")
        await console.go_to("#/rooms/ops", "#ops")
        border = await console.page.eval_on_selector(
            "[aria-current=page]", "it => getComputedStyle(it).borderStyle"
        )
        assert border == "solid"
        await console.screenshot("console-forced-room")


async def test_what_people_wrote_is_text_with_a_direction_of_its_own(
    browser: Browser, api: ConsoleApi
) -> None:
    markup = "<img src=x onerror=alert(1)>\u202e"
    api.rooms["ops"].topic = markup
    api.happen("ops", "said", nickname="bruno", text=markup)
    api.happen("ops", "said", nickname="bruno", text="\u05e9\u05dc\u05d5\u05dd")
    async with window(browser) as console:
        await console.open(api.address)
        await console.sign_in("operator")
        await console.page.wait_for_selector("td :text('onerror')")
        await console.go_to("#/rooms/ops", "#ops")
        await console.page.wait_for_selector("#rules dd :text('onerror')")
        await console.page.wait_for_selector("#log .text:text('\u05e9\u05dc\u05d5\u05dd')")
        assert markup in await console.texts("#log .text")
        assert await console.page.query_selector("#main img") is None
        directions = await console.page.eval_on_selector_all(
            "#log .text", "all => all.map((it) => [it.localName, getComputedStyle(it).direction])"
        )
        assert directions[-1] == ["bdi", "rtl"]
        assert directions[-2] == ["bdi", "ltr"]
        assert console.complaints == []
