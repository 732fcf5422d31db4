"""Drives the page in a real browser, in the words of somebody who uses it.

Knows the document so that tests need not. It works against any service that serves the page.
"""

import json
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from playwright.async_api import Browser, Page, async_playwright, expect

from harness.requirements import program
from harness.waiting import until

WITHIN = 60.0
"""Seconds to wait for something that should be seen at once."""
BEARABLE = 100
"""Milliseconds of CPU that a task of the page may take."""
_YARDSTICK = """() => {
  const list = document.createElement("ul");
  for (let number = 0; number < 12_000; number++) {
    const line = document.createElement("li");
    line.textContent = `line ${number}`;
    list.append(line);
  }
  return list.childNodes.length;
}"""
"""Work of the kind that the page does, and always the same."""
_YARDSTICK_MILLISECONDS = 10.0
"""What it takes of a CPU that is as quick as is usual."""
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
    "--host-resolver-rules=MAP chat.test 127.0.0.1",
]
PLAIN_HOST = "chat.test"
"""This machine by a name that is no sign of it: over plain HTTP, browsers take it for a stranger's."""

expect.set_options(timeout=WITHIN * 1000)

_LINES = """
(wanted) => [...document.querySelectorAll("#log .line, #pending > .line")]
.filter((line) => wanted === null || line.textContent.includes(wanted))
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
# Blocks of lines are drawn when there is time.
_IS_WHOLE = """
() => {
  const lines = document.querySelectorAll("#log .line");
  const [first, last] = [lines[0], lines[lines.length - 1]].map((line) => line?.dataset.line);
  const isGap = document.querySelector(".block:empty") !== null;
  return !isGap && Number(last) - Number(first) + 1 === lines.length;
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
                if message.type == "error"
                and "WebSocket" not in message.text
                and "/ws?origin=" not in message.location["url"]  # what asks why there was none
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

    async def password_refusal(self) -> str:
        """Wait until a password is refused, and return what is said about it."""
        return await self._told("#password-complaint")

    async def news(self) -> str:
        """Wait until the entrance explains why one is there, and return what it says."""
        return await self._told("#news")

    async def leave(self) -> None:
        """Go."""
        await self.choose("leave")
        await self.answer(yes=True)
        await self.at_entrance()

    async def choose(self, item: str) -> None:
        """Choose something from the menu."""
        await self.page.click("#menu-button")
        await self.page.click(f"#menu #{item}")

    async def answer(self, *, yes: bool) -> None:
        """Answer what the page asks back, by the button that does it or the one that does not."""
        await self.page.wait_for_selector("#asking[open]")
        await self.page.click("#asking-choices button" + (":last-child" if yes else ":first-child"))

    async def close_chat(self, *, really: bool = True) -> None:
        """Close the whole chat, or think better of it when asked."""
        await self.choose("close")
        await self.answer(yes=really)

    async def may_close(self) -> bool:
        """Say whether the menu has the button that closes the chat."""
        return await self.page.query_selector("#close:not([hidden])") is not None

    async def loaded(self, part: str) -> None:
        """Wait until a part of the page is there that is loaded when it is wanted."""
        await self.page.wait_for_function(
            """async (part) => {
              const all = performance.getEntriesByType("resource");
              const found = all.find((it) => new URL(it.name).pathname.endsWith(`/${part}`));
              return found !== undefined && (await import(found.name)) !== null;
            }""",
            arg=part,
        )

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

    # --- Rooms -----------------------------------------------------------------------------------

    async def join(self, room: str) -> None:
        """Come into a room, or go to it, by writing."""
        await self.say(f"/join #{room}")
        await self.in_room(room)
        # The page shows a room that one wants to be in, and nobody in it until the service lets one in.
        await expect(self.page.locator("#people-count")).to_have_text(re.compile("[1-9]"))

    async def in_room(self, room: str) -> None:
        """Wait until a further room is shown; an empty name is the lobby. Its log comes a moment later."""
        shown = f"#{room}" if room else "Lobby"
        await self.page.wait_for_selector(
            f"#room-list [aria-current=true] .room:text-is('{shown}')", state="attached"
        )
        await self.page.wait_for_function(
            "(hash) => location.hash === hash", arg=f"#{room}" if room else ""
        )

    async def go_to(self, room: str) -> None:
        """Go to a room that one is in, by the list; an empty name is the lobby."""
        name = f"#{room}" if room else "Lobby"
        if await self.page.is_visible("#rooms-button"):
            await self.page.click("#rooms-button")
        await self.page.click(f"#room-list .room:text-is('{name}')")
        await self.in_room(room)

    async def rooms(self) -> dict[str, str]:
        """Return the rooms that one is in, as the list has them, and what it says is unread in each."""
        items = await self.page.eval_on_selector_all(
            "#room-list button",
            "all => all.map((it) => [it.firstChild.textContent, "
            "it.querySelector('.unseen')?.textContent.slice(2) ?? ''])",
        )
        return dict(items)

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
            lines = [Line(**line) for line in await self.page.evaluate(_LINES, text)]
            found[:] = [line for line in lines if text in line.text]
            return bool(found)

        await until(look, within, f"a line with {text!r}")
        return found[-1]

    async def kept_line(self, text: str, within: float = WITHIN) -> Line:
        """Wait for a line that contains a text and is not on its way any more."""

        async def look() -> bool:
            return not (await self.line(text, within)).is_pending

        await until(look, within, f"{text!r} to be confirmed")
        return await self.line(text)

    async def whole(self) -> None:
        """Wait until the whole log that is kept is in the document."""
        await self.page.wait_for_function(_IS_WHOLE, polling=200, timeout=2_000 * WITHIN)

    async def all_lines(self) -> list[Line]:
        """Return the whole log that is kept, oldest first."""
        await self.whole()
        return [line for line in await self.lines() if line.number is not None]

    async def scroll_to(self, pixels: int) -> None:
        """Scroll the log, as a reader does, to so many pixels from its top.

        The whole log is drawn before: what is drawn above later moves the top away from who reads.
        """
        await self.whole()
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

    @asynccontextmanager
    async def traced_tasks(self) -> AsyncIterator[list[float]]:
        """Fill a list with the milliseconds of CPU that each task of the page took meanwhile.

        CPU, not time: how long a task waits for a busy machine is not the page's doing. Nor is it that
        a processor is at half its speed: work that is always the same says so.
        """
        tasks: list[float] = []
        async with self._traced() as took:
            yield tasks
        async with self._traced() as always:
            for _ in range(5):
                await self.page.evaluate(_YARDSTICK)
        slowness = max(1.0, sorted(always)[-5] / _YARDSTICK_MILLISECONDS)
        tasks += [it / slowness for it in took]

    @asynccontextmanager
    async def _traced(self) -> AsyncIterator[list[float]]:
        browser = self.page.context.browser
        assert browser is not None
        tasks: list[float] = []
        await browser.start_tracing(page=self.page, categories=["toplevel"])
        yield tasks
        events = json.loads(await browser.stop_tracing())["traceEvents"]
        names = [it for it in events if it["name"] == "thread_name"]
        renderers = {
            (it["pid"], it["tid"]) for it in names if it["args"]["name"] == "CrRendererMain"
        }
        tasks += [
            it["tdur"] / 1000
            for it in events
            if it["name"] == "ThreadControllerImpl::RunTask"
            and "tdur" in it
            and (it["pid"], it["tid"]) in renderers
        ]

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
    """Run a headless Chromium with a profile of its own.

    Where it is here, the program that has no windows to show: each page takes a third of the time.
    """
    path = shutil.which("chromium-headless-shell") or program("chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def window(browser: Browser, **options: Any) -> AsyncIterator[ChatPage]:
    """Open a window with nothing remembered. Options are those of a browser context."""
    usual = {"locale": "en-GB", "viewport": {"width": 1100, "height": 760}}
    # What is kept for a browser without a network has tests of its own.
    options = {**usual, "service_workers": "block", **options}
    context = await browser.new_context(**options)
    context.set_default_timeout(WITHIN * 1000)
    try:
        yield ChatPage(await context.new_page())
    finally:
        await context.close()
