"""What anybody may expect of a page: no rule of accessibility broken, and nothing too wide."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser

from harness.requirements import lack
from web.chat_page import ChatPage, window
from web.fake_service import FakeService, said
from web.views import RTL, views

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

AXE = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"
RUN = """
async () => {
  const { violations, passes } = await axe.run(document, { resultTypes: ["violations"] });
  return {
    broken: violations.map((it) => [it.id, it.nodes.map((node) => node.html)]),
    kept: passes.length,
  };
}
"""
TOO_WIDE = """
() => [...document.querySelectorAll("*")]
.filter((it) => it.checkVisibility() && it.scrollWidth > it.clientWidth + 1
  && ["auto", "scroll"].includes(getComputedStyle(it).overflowX))
.map((it) => it.id || it.className)
.concat(document.documentElement.scrollWidth > innerWidth ? ["the page"] : [])
"""


@cache
def axe() -> str:
    """Return axe's script, or skip the test."""
    if not AXE.exists():
        lack("axe-core", "run make lint-page, which installs it")
    return AXE.read_text()


@pytest.mark.parametrize(
    ("scheme", "width", "height", "dense"),
    [("light", 1280, 800, False), ("dark", 390, 844, True)],
)
async def test_no_rule_of_accessibility_is_broken(
    browser: Browser, service: FakeService, scheme: Any, width: int, height: int, dense: bool
) -> None:
    script = axe()
    size: Any = {"width": width, "height": height}
    async with window(browser, viewport=size, color_scheme=scheme, reduced_motion="reduce") as chat:
        await chat.open(service.address)
        if dense:
            await chat.page.evaluate("() => document.documentElement.dataset.density = 'dense'")
        await chat.page.evaluate(script)
        broken = {}
        async for view in views(chat, service):
            found = await chat.page.evaluate(RUN)
            assert found["kept"] > 5
            if found["broken"]:
                broken[view] = found["broken"]
        assert not broken, json.dumps(broken, indent=1)


@pytest.mark.parametrize(("width", "height"), [(320, 640), (320, 256)])
async def test_nothing_is_scrolled_sideways(
    browser: Browser, service: FakeService, width: int, height: int
) -> None:
    # 320 pixels are what is left of 1280 at 400 %: WCAG 2.2, 1.4.10.
    size: Any = {"width": width, "height": height}
    async with window(browser, viewport=size, locale="de-DE") as chat:
        await chat.open(service.address)
        async for view in views(chat, service):
            await chat.screenshot(f"web-{width}x{height}-{view}")
            assert await chat.page.evaluate(TOO_WIDE) == [], view


async def test_a_text_from_the_right_begins_there(chat: ChatPage, service: FakeService) -> None:
    await chat.enter("anna")
    await service.happen(said("bruno", RTL), said("bruno", "hello"))
    await chat.line("hello")
    directions = await chat.page.eval_on_selector_all(
        ".said .text",
        """all => all.map((it) => {
          const range = document.createRange();
          range.setStart(it.firstChild, 0);
          range.setEnd(it.firstChild, 1);
          const first = range.getBoundingClientRect();
          const box = it.getBoundingClientRect();
          if (box.right - first.right < 2) return "right";
          return first.left - box.left < 2 ? "left" : "in between";
        })""",
    )
    assert directions == ["right", "left"]
    await chat.page.fill("#text", RTL)
    assert await chat.page.eval_on_selector("#text", "it => it.matches(':dir(rtl)')")


async def test_what_matters_is_seen_in_forced_colours(
    browser: Browser, service: FakeService
) -> None:
    async with window(browser, forced_colors="active") as chat:
        await chat.open(service.address)
        async for view in views(chat, service):
            await chat.screenshot(f"web-forced-{view}")
            if view == "chat":
                border = await chat.page.eval_on_selector(
                    ".bubble", "it => getComputedStyle(it).borderStyle"
                )
                assert border == "solid"
