"""The page for everybody: by keyboard, with a screen reader, on a small screen, in the dark."""

from typing import Any

import pytest
from playwright.async_api import Browser

from harness.waiting import until
from web.chat_page import WITHIN, ChatPage, window
from web.fake_service import FakeService, joined, now_ms, said

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

DAY_MS = 86_400_000
CONTROLS = {"button", "textbox", "combobox", "link", "listbox", "option", "dialog", "log", "region"}
PHONE = {
    "viewport": {"width": 320, "height": 640},
    "device_scale_factor": 2,
    "has_touch": True,
    "is_mobile": True,
}
DESKTOP = {"viewport": {"width": 1100, "height": 760}}

# For every visible text: its contrast with what is behind it, as in WCAG 2.
CONTRASTS = """
() => {
  const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = ([r, g, b, a], below) =>
    [r, g, b].map((it, i) => it * a + below[i] * (1 - a)).concat(1);
  const luminance = (color) => {
    const [r, g, b] = color.slice(0, 3).map((it) => {
      const part = it / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    const chain = [];
    for (let it = element; it; it = it.parentElement) chain.unshift(it);
    return chain.reduce(
      (below, it) => over(rgba(getComputedStyle(it).backgroundColor), below), [255, 255, 255, 1]);
  };
  const found = [];
  const add = (element, text, color) => {
    const below = behind(element);
    let alpha = 1;
    for (let it = element; it; it = it.parentElement) alpha *= getComputedStyle(it).opacity;
    const [r, g, b, a] = rgba(color);
    const above = over([r, g, b, a * alpha], below);
    const [high, low] = [luminance(above), luminance(below)].sort((x, y) => y - x);
    found.push([(high + 0.05) / (low + 0.05), text.trim().slice(0, 40)]);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.data;
    const { width } = element.getBoundingClientRect();
    const isShown = element.checkVisibility() && width > 1 && !element.closest(":disabled");
    if (text.trim() !== "" && isShown) add(element, text, getComputedStyle(element).color);
  }
  for (const field of document.querySelectorAll("input, textarea")) {
    if (!field.checkVisibility()) continue;
    add(field, field.id, getComputedStyle(field).color);
    add(field, `${field.id} hint`, getComputedStyle(field, "::placeholder").color);
  }
  return found;
}
"""


async def readable(chat: ChatPage) -> None:
    """Check that every text in sight can be read."""
    contrasts: list[tuple[float, str]] = await chat.page.evaluate(CONTRASTS)
    assert len(contrasts) > 5
    assert [it for it in contrasts if it[0] < 4.5] == []


async def named(chat: ChatPage) -> None:
    """Check that a screen reader has a name for everything that can be used."""
    client = await chat.page.context.new_cdp_session(chat.page)
    tree = await client.send("Accessibility.getFullAXTree")
    nodes: list[dict[str, Any]] = [node for node in tree["nodes"] if not node.get("ignored")]
    used = [node for node in nodes if node["role"]["value"] in CONTROLS - {"log"}]
    assert len(used) >= 2
    nameless = [node for node in used if not node.get("name", {}).get("value", "").strip()]
    assert nameless == []


async def fits(chat: ChatPage) -> None:
    """Check that nothing is wider than the window."""
    too_wide = await chat.page.evaluate(
        "() => document.documentElement.scrollWidth > innerWidth || "
        "document.getElementById('scroller').scrollWidth > "
        "document.getElementById('scroller').clientWidth"
    )
    assert not too_wide


async def checked(chat: ChatPage, name: str) -> None:
    """Check what is in sight, and keep a picture of it."""
    await chat.screenshot(name)
    await readable(chat)
    await named(chat)
    await fits(chat)


# Every two of them meet: a text that is too long on a phone is so by day and by night.
@pytest.mark.parametrize(
    ("locale", "scheme", "screen"),
    [
        ("en-GB", "light", "phone"),
        ("en-GB", "dark", "desktop"),
        ("it-IT", "light", "desktop"),
        ("it-IT", "dark", "phone"),
        ("es-ES", "light", "phone"),
        ("es-ES", "dark", "desktop"),
    ],
)
async def test_every_view_can_be_read_and_used(
    browser: Browser, service: FakeService, screen: str, scheme: Any, locale: str
) -> None:
    name = f"web-{locale[:2]}-{scheme}-{screen}"
    size: dict[str, Any] = PHONE if screen == "phone" else DESKTOP
    async with window(browser, locale=locale, color_scheme=scheme, **size) as chat:
        await chat.open(service.address)
        await checked(chat, f"{name}-entrance")
        service.refusals = {"bruno": "nickname_taken"}
        await chat.ask_for("bruno")
        await chat.refusal()
        await checked(chat, f"{name}-refused")
        await chat.enter("anna")
        await converse(chat, service)
        await checked(chat, f"{name}-chat")
        await chat.page.click("#recipient")
        await chat.page.wait_for_selector("#recipients:not([hidden])")
        await checked(chat, f"{name}-picker")
        await chat.page.press("#recipient", "Escape")
        await chat.pick("Carla")
        await chat.page.click("#menu-button")
        await chat.page.wait_for_selector("#menu button:focus")
        await checked(chat, f"{name}-menu")
        await chat.page.click("#close")
        await chat.page.wait_for_selector("#asking[open]")
        await checked(chat, f"{name}-closing")
        await chat.answer(yes=False)
        service.is_down = True
        service.cut()
        await chat.page.wait_for_selector("#offline:not([hidden])")
        await chat.say("Ci siete ancora?")
        await chat.page.eval_on_selector(
            "#offline", "it => it.getAnimations().map(a => a.finish())"
        )
        await checked(chat, f"{name}-offline")
        service.is_down = False
        service.missed = "some"
        await chat.inside()
        await chat.kept_line("Ci siete")
        await chat.pick("G")
        await service.happen(*[said("bruno", f"Capitolo {n}") for n in range(1, 31)])
        await chat.line("Capitolo 30")
        await chat.scroll_to(200)
        await service.happen(said("Carla", "Eccomi!"))
        await chat.jump_text()
        await checked(chat, f"{name}-reading")
        await service.close(4001, "displaced")
        await chat.news()
        await checked(chat, f"{name}-displaced")


async def converse(chat: ChatPage, service: FakeService) -> None:
    """Fill the log with a bit of everything."""
    yesterday = now_ms() - DAY_MS
    await service.happen(
        *[joined(name) for name in ("Federico", "giulia", "hugo_77", "ines.m", "Zoe")],
        said("bruno", "Buongiorno! Chi viene stasera alla tertulia?"),
        said("bruno", "Si comincia alle nove, al solito caffè."),
        at=yesterday,
    )
    await service.happen(
        said(
            "Carla",
            "Io ci sono. Porto anche Elisa, se non dispiace: ha letto il libro e ha parecchio da "
            "ridire sul terzo capitolo, quello della stazione.",
        ),
        joined("elisa"),
    )
    await chat.say("Perfetto, a stasera allora!")
    await chat.kept_line("Perfetto")
    await service.whisper("Carla", "Psst, è il compleanno di Bruno. Prendiamo una torta?")
    await chat.line("Psst")
    await chat.pick("Carla")
    await chat.say("Ottima idea, ci penso io")
    await chat.kept_line("Ottima")
    await chat.pick("marco")
    await chat.say("Vieni anche tu?")
    await chat.line("Vieni")
    await service.happen({"type": "administrator"})
    await chat.page.wait_for_selector("#close:not([hidden])", state="attached")
    await chat.pick("G")


async def focused(chat: ChatPage) -> str:
    """Return the id of what has the focus."""
    return str(await chat.page.evaluate("() => document.activeElement.id"))


async def test_everything_can_be_done_by_keyboard(chat: ChatPage, service: FakeService) -> None:
    keyboard = chat.page.keyboard
    await keyboard.type("anna")
    await keyboard.press("Enter")
    await chat.inside()
    await keyboard.type("hello")
    await keyboard.press("Enter")
    await chat.kept_line("hello")
    await keyboard.press("Shift+Tab")  # back to the recipient
    await keyboard.type("bru")
    await keyboard.press("Enter")
    await keyboard.type("psst")
    await keyboard.press("Enter")
    assert (await chat.kept_line("psst")).privacy == "private to bruno"
    await keyboard.press("Shift+Tab")
    await keyboard.press("ArrowDown")
    await chat.page.wait_for_selector("#recipient[aria-expanded=true]")
    await keyboard.press("ArrowDown")
    await keyboard.press("Enter")
    assert await chat.picked() == "Everybody (G)"
    await keyboard.press("Shift+Tab")
    await keyboard.press("Shift+Tab")
    assert await focused(chat) == "scroller"
    await keyboard.press("Shift+Tab")
    assert await focused(chat) == "menu-button"
    outline = await chat.page.eval_on_selector(
        "#menu-button", "it => getComputedStyle(it).outlineStyle"
    )
    assert outline == "solid"
    await keyboard.press("Enter")
    await chat.page.wait_for_selector("#all-rooms:focus")
    await keyboard.press("ArrowUp")
    assert await focused(chat) == "leave"
    await keyboard.press("Enter")
    await chat.page.wait_for_selector("#asking[open]")
    await keyboard.press("Tab")
    await keyboard.press("Enter")
    await chat.at_entrance()
    await until(lambda: service.frames[-1] == {"type": "leave"}, WITHIN, "the page to say so")


async def test_still_without_motion_where_none_is_wanted(
    browser: Browser, service: FakeService
) -> None:
    async with window(browser, reduced_motion="reduce") as chat:
        await chat.open(service.address)
        await chat.enter("anna")
        durations = await chat.page.eval_on_selector_all(
            "*", "all => [...new Set(all.map((it) => getComputedStyle(it).transitionDuration))]"
        )
        assert durations == ["0s"]


async def test_a_phone_has_room_for_long_names_and_words(
    browser: Browser, service: FakeService
) -> None:
    name = "W" * 32
    service.members = [name]
    async with window(browser, **PHONE) as chat:
        await chat.open(service.address)
        await chat.enter("anna")
        await service.happen(said(name, "x" * 4096), joined("M" * 32))
        await service.whisper(name, "supercalifragilistichespiralidoso" * 5)
        await chat.line("supercali")
        await chat.pick(name)
        await chat.say("y" * 500)
        await chat.kept_line("yyy")
        await checked(chat, "web-phone-long")


@pytest.mark.parametrize(
    ("width", "height", "least"), [(390, 844, 600), (844, 390, 250), (844, 180, 100)]
)
async def test_a_phone_shows_the_own_name_and_the_log_beside_its_keyboard(
    browser: Browser, service: FakeService, width: int, height: int, least: int
) -> None:
    size = {**PHONE, "viewport": {"width": width, "height": height}}
    async with window(browser, **size) as chat:
        await chat.open(service.address)
        await chat.enter("anna")
        await converse(chat, service)
        await chat.pick("Carla")
        await chat.page.focus("#text")
        await checked(chat, f"web-phone-{width}x{height}")
        log = await chat.page.eval_on_selector("#scroller", "it => it.clientHeight")
        assert log >= least
        assert await chat.page.is_visible("#own-name") is (height > 200)
        await chat.page.evaluate("() => document.activeElement.blur()")
        assert await chat.page.is_visible("#own-name")
