"""The docs' site, as a phone shows it."""

from pathlib import Path

import pytest
from playwright.async_api import Browser

from harness.requirements import lack

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

SITE = Path(__file__).parents[2] / "build" / "docs"


# What is too wide for the window, and stands in nothing that has a bar of its own: it would be cut off.
WIDE = """
() => {
  const hasBar = (it) => /auto|scroll/.test(getComputedStyle(it).overflowX);
  const bars = new Set([...document.querySelectorAll("article *")].filter(hasBar));
  const isWide = (it) => {
    if (it.getBoundingClientRect().right <= innerWidth + 1) return false;
    for (let up = it; up !== null; up = up.parentElement) if (bars.has(up)) return false;
    return true;
  };
  const wide = [...document.querySelectorAll("article, article *")].filter(isWide);
  return document.scrollingElement.scrollWidth > innerWidth
    ? ["the page"]
    : wide.map((it) => `${it.tagName}: ${it.textContent.trim().slice(0, 40)}`);
}
"""


async def test_no_page_has_a_horizontal_bar(browser: Browser) -> None:
    pages = sorted(SITE.rglob("*.html"))
    if not pages:
        lack("site of the docs", "make docs")
    context = await browser.new_context(
        viewport={"width": 360, "height": 740}, device_scale_factor=2, has_touch=True
    )
    try:
        page = await context.new_page()
        wide: dict[str, list[str]] = {}
        for path in pages:
            await page.goto(path.as_uri(), wait_until="domcontentloaded")
            if found := await page.evaluate(WIDE):
                wide[str(path.relative_to(SITE))] = found
        assert wide == {}
    finally:
        await context.close()
