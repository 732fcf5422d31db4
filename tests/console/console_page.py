"""Driving the console, against any API."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page

from web.chat_page import OUTPUT

WITHIN = 60.0


class ConsolePage:
    """One window with the console in it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        """What the browser complained of: errors of scripts, violations of the policy."""
        self.hosts: set[str] = set()
        """Everybody whom the page asked for something."""
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on(
            "console",
            lambda message: (
                self.complaints.append(message.text)
                if message.type == "error" and "/v1/" not in message.location["url"]
                else None
            ),
        )
        page.on("request", lambda request: self.hosts.add(request.url.split("/")[2]))

    async def open(self, address: str) -> None:
        """Go to the page."""
        await self.page.goto(address)
        await self.page.wait_for_selector("#entrance:not([hidden]), #console:not([hidden])")

    async def sign_in(self, token: str) -> None:
        """Sign in, from an address that was opened."""
        await self.page.fill("#token", token)
        await self.page.press("#token", "Enter")
        await self.page.wait_for_selector("#console:not([hidden])")

    async def go_to(self, hash_: str, title: str) -> None:
        """Go to a view by its address, and wait until it is there."""
        await self.page.evaluate("(hash) => { location.hash = hash; }", hash_)
        await self.page.wait_for_selector(f"h1 bdi:text-is('{title}')")

    async def told(self, text: str) -> None:
        """Wait until something is told."""
        await self.page.wait_for_selector(f"#done:has-text({text!r})")

    async def complained(self, text: str) -> None:
        """Wait until it is told that something did not work."""
        await self.page.wait_for_selector(f"#failed:has-text({text!r})")

    async def texts(self, selector: str) -> list[str]:
        """Return what is written in elements."""
        found: list[str] = await self.page.eval_on_selector_all(
            selector, "all => all.map((it) => it.textContent)"
        )
        return found

    async def focused(self) -> str:
        """Return the name of what has the focus."""
        name: str = await self.page.evaluate(
            "() => document.activeElement.ariaLabel || document.activeElement.textContent"
        )
        return name

    async def screenshot(self, name: str) -> Path:
        """Keep a picture of the window as test output."""
        OUTPUT.mkdir(exist_ok=True)
        path = OUTPUT / f"{name}.png"
        await self.page.screenshot(path=path)
        return path


@asynccontextmanager
async def window(browser: Browser, **options: Any) -> AsyncIterator[ConsolePage]:
    """Open a window with nothing remembered. Options are those of a browser context."""
    usual = {"locale": "en-GB", "viewport": {"width": 1280, "height": 800}}
    context = await browser.new_context(**{**usual, **options})
    context.set_default_timeout(WITHIN * 1000)
    try:
        yield ConsolePage(await context.new_page())
    finally:
        await context.close()
