"""Drives the page in a real browser, in the words of somebody who uses it.

Knows the document so that tests need not. It works against any service that serves the page.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from playwright.async_api import Browser, Page, async_playwright

from harness.requirements import program
from harness.waiting import until

WITHIN = 10.0
"""Seconds to wait for something that should be seen at once."""
OUTPUT = Path(__file__).resolve().parents[2] / "test-output"
"""Where screenshots go."""
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

_LINES = """
(before) => [...document.querySelectorAll("#log > .line, #pending > .line")]
.filter((line) => before === null || Number(line.dataset.line) < before)
.map((line) => {
  const text = (selector) => line.querySelector(selector)?.textContent ?? "";
  const kinds = ["said", "whispered", "failed", "traffic", "notice", "day"];
  return {
    number: line.dataset.line === undefined ? null : Number(line.dataset.line),
    kind: kinds.find((kind) => line.classList.contains(kind)),
    who: text(".name"),
    privacy: text(".privacy"),
    text: line.querySelector(".text, :scope > span")?.textContent ?? "",
    remark: text(".remark"),
    time: text("time"),
    is_own: line.classList.contains("is-own"),
    is_pending: line.classList.contains("is-pending"),
    is_grave: line.classList.contains("is-grave"),
  };
})
"""
# Older lines are fetched with the next frame's scroll event; when there are none after two, none come.
_GOT_OLDER = """
async (first) => {
  for (let frame = 0; frame < 2; frame += 1) await new Promise(requestAnimationFrame);
  return Number(document.querySelector("#log > .line")?.dataset.line) < first;
}
"""
_WATCH_TASKS = """
() => {
  window.longTasks = [];
  window.taskWatch ??= new PerformanceObserver((list) => {
    for (const task of list.getEntries()) window.longTasks.push(task.duration);
  });
  window.taskWatch.observe({ type: "longtask" });
}
"""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the log as it is read."""

    number: int | None
    """Its number in the log; None while it is on its way."""
    kind: str
    who: str
    privacy: str
    text: str
    remark: str
    time: str
    is_own: bool
    is_pending: bool
    is_grave: bool


class ChatPage:
    """One window with the chat in it."""

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
                if message.type == "error" and "WebSocket" not in message.text
                else None
            ),
        )
        page.on("request", lambda request: self.hosts.add(request.url.split("/")[2]))

    # --- Coming and going ------------------------------------------------------------------------

    async def open(self, address: str) -> None:
        """Go to the page."""
        await self.page.goto(address)
        await self.page.wait_for_selector("#entrance:not([hidden]), #chat:not([hidden])")

    async def ask_for(self, name: str, password: str = "") -> None:
        """Give a name at the entrance, whatever comes of it."""
        await self.page.fill("#name", name)
        await self.page.fill("#password", password)
        await self.page.click("#enter")

    async def enter(self, name: str, password: str = "") -> None:
        """Come in."""
        await self.ask_for(name, password)
        await self.inside()

    async def inside(self) -> None:
        """Wait until the page is connected."""
        await self.page.wait_for_selector("#chat[data-state=inside]:not([hidden])")

    async def at_entrance(self) -> None:
        """Wait until the page shows the entrance."""
        await self.page.wait_for_selector("#entrance:not([hidden])")

    async def refusal(self) -> str:
        """Wait until a name is refused, and return what is said about it."""
        return await self._told("#complaint")

    async def news(self) -> str:
        """Wait until the entrance explains why one is there, and return what it says."""
        return await self._told("#news")

    async def leave(self) -> None:
        """Go."""
        await self.page.click("#leave")
        await self.at_entrance()

    async def close_chat(self, *, really: bool = True) -> None:
        """Close the whole chat, or think better of it when asked."""
        await self.page.click("#close")
        await self.page.wait_for_selector("#close-dialog[open]")
        await self.page.click("#close-confirm" if really else "#close-cancel")

    async def may_close(self) -> bool:
        """Say whether the button that closes the chat is there."""
        return await self.page.is_visible("#close")

    async def state(self) -> str:
        """Return the state of the connection."""
        return await self.page.get_attribute("#chat", "data-state") or ""

    # --- Writing ---------------------------------------------------------------------------------

    async def say(self, text: str) -> None:
        """Write to whoever is picked."""
        await self.page.fill("#text", text)
        await self.page.press("#text", "Enter")

    async def say_many(self, texts: list[str]) -> None:
        """Write many messages, as quickly as the page takes them."""
        await self.page.evaluate(
            """async (texts) => {
              const field = document.getElementById("text");
              for (const [index, text] of texts.entries()) {
                field.value = text;
                document.getElementById("send").click();
                if (index % 10 === 9) await new Promise((resolve) => setTimeout(resolve));
              }
            }""",
            texts,
        )

    async def pick(self, name: str) -> None:
        """Pick who is written to by typing; ``G`` is everybody."""
        await self.page.fill("#recipient", name)
        await self.page.press("#recipient", "Enter")

    async def picked(self) -> str:
        """Return who is written to."""
        return await self.page.input_value("#recipient")

    async def choices(self) -> list[str]:
        """Open the list of recipients and return it, everybody first."""
        await self.page.click("#recipient")
        await self.page.wait_for_selector("#recipients:not([hidden])")
        names = await self.page.eval_on_selector_all(
            "#recipients [role=option]",
            "options => options.map((option) => option.firstChild.textContent)",
        )
        await self.page.press("#recipient", "Escape")
        return cast("list[str]", names)

    # --- Reading ---------------------------------------------------------------------------------

    async def lines(self) -> list[Line]:
        """Return the lines that are in the document now."""
        return [Line(**line) for line in await self.page.evaluate(_LINES, None)]

    async def texts(self, *kinds: str) -> list[str]:
        """Return the texts of the lines in the document, of some kinds or of all."""
        return [line.text for line in await self.lines() if not kinds or line.kind in kinds]

    async def line(self, text: str, within: float = WITHIN) -> Line:
        """Wait for a line that contains a text, and return the last of them."""
        found: list[Line] = []

        async def look() -> bool:
            found[:] = [line for line in await self.lines() if text in line.text]
            return bool(found)

        await until(look, within, f"a line with {text!r}")
        return found[-1]

    async def kept_line(self, text: str, within: float = WITHIN) -> Line:
        """Wait for a line that contains a text and is not on its way any more."""

        async def look() -> bool:
            return not (await self.line(text, within)).is_pending

        await until(look, within, f"{text!r} to be confirmed")
        return await self.line(text)

    async def all_lines(self) -> list[Line]:
        """Scroll through the whole log that is kept and return it, oldest first."""
        known: dict[int, Line] = {}
        first: int | None = None
        while True:
            for values in await self.page.evaluate(_LINES, first):
                line = Line(**values)
                if line.number is not None:
                    known[line.number] = line
            first = min(known, default=0)
            await self.scroll_to(0)
            if not await self.page.evaluate(_GOT_OLDER, first):
                break
        await self.page.press("#scroller", "End")
        return [known[number] for number in sorted(known)]

    async def scroll_to(self, pixels: int) -> None:
        """Scroll the log, as a reader does, to so many pixels from its top."""
        await self.page.eval_on_selector(
            "#scroller", "(scroller, pixels) => { scroller.scrollTop = pixels; }", pixels
        )

    async def is_at_end(self) -> bool:
        """Say whether the end of the log is in sight."""
        below = await self.page.eval_on_selector(
            "#scroller", "it => it.scrollHeight - it.scrollTop - it.clientHeight"
        )
        return bool(below < 2)

    async def jump_text(self) -> str:
        """Wait for the button that leads to the end and return what it says."""
        return await self._told("#jump")

    # --- Measuring and looking -------------------------------------------------------------------

    async def watch_tasks(self) -> None:
        """Measure from now on how long the page's tasks are."""
        await self.page.evaluate(_WATCH_TASKS)

    async def longest_task(self) -> float:
        """Return the milliseconds of the longest task; 0 where none took more than 50."""
        durations = cast("list[float]", await self.page.evaluate("() => window.longTasks"))
        return max(durations, default=0.0)

    async def screenshot(self, name: str) -> Path:
        """Keep a picture of the window as test output."""
        OUTPUT.mkdir(exist_ok=True)
        path = OUTPUT / f"{name}.png"
        await self.page.screenshot(path=path)
        return path

    async def _told(self, selector: str) -> str:
        await self.page.wait_for_function(
            "(selector) => document.querySelector(selector)?.checkVisibility() && "
            "document.querySelector(selector).textContent.trim() !== ''",
            arg=selector,
        )
        return (await self.page.inner_text(selector)).strip()


@asynccontextmanager
async def running_browser() -> AsyncIterator[Browser]:
    """Run a headless Chromium with a profile of its own."""
    path = program("chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def window(browser: Browser, **options: Any) -> AsyncIterator[ChatPage]:
    """Open a window with nothing remembered. Options are those of a browser context."""
    options = {"locale": "en-GB", "viewport": {"width": 1100, "height": 760}, **options}
    context = await browser.new_context(**options)
    context.set_default_timeout(WITHIN * 1000)
    try:
        yield ChatPage(await context.new_page())
    finally:
        await context.close()
