"""The message field: commands, several lines, completion, the last own line."""

import pytest

from web.chat_page import ChatPage
from web.fake_service import FakeService, said

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]


async def field(chat: ChatPage) -> str:
    """Return what stands in the message field."""
    return await chat.page.input_value("#text")


async def told(chat: ChatPage, words: str) -> None:
    """Wait until the hint below the field says something."""
    await chat.page.wait_for_selector(f'#text-hint:has-text("{words}")')


async def focused(chat: ChatPage) -> str:
    return str(await chat.page.evaluate("() => document.activeElement.id"))


async def test_a_command_is_carried_out_or_refused_and_never_said(
    chat: ChatPage, service: FakeService
) -> None:
    await chat.enter("anna")
    await chat.say("/msg bruno a secret")
    assert (await chat.kept_line("a secret")).privacy == "private to bruno"
    await chat.say("/mgs bruno another")
    await told(chat, "“/mgs” is no command, so nothing was sent.")
    assert await field(chat) == "/mgs bruno another"
    assert await chat.page.get_attribute("#text", "aria-invalid") == "true"
    await chat.screenshot("web-no-command")
    await chat.say("/msg")
    await told(chat, "Like this: /msg NAME TEXT")
    await chat.say("/msg bruno")
    assert await chat.picked() == "bruno"
    await chat.say("/me waves")
    assert (await chat.kept_line("* anna waves")).privacy == "private to bruno"
    await chat.say("/msg G //etc/hosts is a file")
    await chat.kept_line("/etc/hosts is a file")
    said_by_anna = [frame["text"] for frame in service.received("say")]
    assert said_by_anna == ["/etc/hosts is a file"]
    whispered = [(frame["to"], frame["text"]) for frame in service.received("whisper")]
    assert whispered == [("bruno", "a secret"), ("bruno", "* anna waves")]


async def test_several_lines_are_one_message(chat: ChatPage, service: FakeService) -> None:
    await chat.enter("anna")
    page = chat.page
    await page.type("#text", "one")
    await page.press("#text", "Shift+Enter")
    await page.type("#text", "two")
    assert await field(chat) == "one\ntwo"
    await page.press("#text", "Enter")
    first = await chat.kept_line("one\ntwo")
    assert await field(chat) == ""
    code = "see\n```py\nif a:\n    b('/')\n```\nthat"
    await chat.say(code)
    await page.wait_for_selector("#log .text .lines")
    await chat.screenshot("web-several-lines")
    assert await page.inner_text("#log .text .lines") == "if a:\n    b('/')\n"
    heights = await page.eval_on_selector_all(
        "#log .said .text", "all => all.map((it) => it.getBoundingClientRect().height)"
    )
    assert heights[1] > heights[0] * 1.9, "five lines under two"
    assert first.text == "one\ntwo"
    await chat.say("five\n/msg bruno six")
    await told(chat, "Line 2 begins with “/msg” like a command")
    await chat.say("a\n" * 51 + "a")
    await told(chat, "52 lines are too many: send 50 at most.")
    assert [frame["text"] for frame in service.received("say")] == ["one\ntwo", code]
    assert service.received("whisper") == []
    await page.fill("#text", "")
    await page.press("#text", "ArrowUp")
    assert await field(chat) == code, "the own last message is brought back as it was written"


async def test_what_shows_nothing_is_not_sent(chat: ChatPage, service: FakeService) -> None:
    await chat.enter("anna")
    await chat.say("\u200b\u2060")
    await told(chat, "There is nothing to see in it")
    assert service.received("say") == []


async def test_names_are_completed_one_after_the_other_and_nobody_is_caught(
    chat: ChatPage, service: FakeService
) -> None:
    service.members = ["Carla", "carlo", "bruno"]
    await chat.enter("anna")
    page = chat.page
    await page.type("#text", "ca")
    for shown in ("Carla: ", "carlo: ", "ca"):
        await page.press("#text", "Tab")
        # The first one is what loads it.
        await page.wait_for_function(
            "(it) => document.getElementById('text').value === it", arg=shown
        )
    await page.press("#text", "Tab")
    assert await focused(chat) == "send"
    await page.focus("#text")
    await page.press("#text", "Tab")
    await page.wait_for_selector("#suggestions li.is-active:has-text('Carla')")
    await chat.screenshot("web-completion")
    await page.type("#text", "ciao ")
    await page.type("#text", "bru")
    await page.press("#text", "Tab")
    assert await field(chat) == "Carla: ciao bruno "
    await page.press("#text", "Enter")
    await chat.kept_line("Carla: ciao bruno")


async def test_emoji_and_commands_are_offered_while_one_writes(chat: ChatPage) -> None:
    await chat.enter("anna")
    page = chat.page
    await page.type("#text", "hi :wav")
    await page.wait_for_selector("#suggestions:not([hidden])")
    options = await page.eval_on_selector_all(
        "#suggestions li", "all => all.map((it) => it.textContent)"
    )
    assert options == ["👋 :wave:", "🌊 :wave_sea:"]
    await page.press("#text", "ArrowDown")
    assert await page.get_attribute("#text", "aria-activedescendant") == "suggestion-0"
    await page.press("#text", "Enter")
    assert await field(chat) == "hi 👋"
    await page.type("#text", " :tada: and :nothing")
    assert await field(chat) == "hi 👋 🎉 and :nothing"
    assert not await page.is_visible("#suggestions")
    await page.fill("#text", "")
    await page.type("#text", "/he")
    await page.press("#text", "Tab")
    assert await field(chat) == "/help "
    await page.press("#text", "Escape")
    await page.fill("#text", "")
    await page.type("#text", "hi :wav")
    await page.press("#text", "Escape")
    assert not await page.is_visible("#suggestions")
    await page.press("#text", "Enter")
    await chat.kept_line("hi :wav")


async def test_the_last_own_line_comes_back_and_only_to_whom_it_was_for(chat: ChatPage) -> None:
    await chat.enter("anna")
    page = chat.page
    await chat.say("first")
    await chat.say("second")
    await chat.say("/msg bruno by command")
    await chat.kept_line("by command")  # commands are loaded, and nothing else is sent before
    await chat.pick("Carla")
    await chat.say("a secret")
    await chat.kept_line("a secret")
    await chat.pick("G")
    for key, shown in [
        ("ArrowUp", "/msg bruno by command"),
        ("ArrowUp", "second"),
        ("ArrowUp", "first"),
        ("ArrowUp", "first"),
        ("ArrowDown", "second"),
    ]:
        await page.press("#text", key)
        assert await field(chat) == shown
    await page.fill("#text", "something else")
    await page.press("#text", "ArrowUp")
    assert await field(chat) == "something else"


async def test_another_name_is_another_coming(chat: ChatPage, service: FakeService) -> None:
    await chat.enter("anna")
    await service.happen(said("bruno", "hello anna"))
    await chat.line("hello anna")
    await chat.say("/nick dora")
    await chat.page.wait_for_selector("#asking-title:has-text('Come in as dora?')")
    await chat.answer(yes=False)
    await told(chat, "You are still anna.")
    await chat.say("/nick dora")
    await chat.answer(yes=True)
    await chat.page.wait_for_selector("#own-name:has-text('dora')")
    await chat.inside()
    assert await chat.texts() == ["You are in, as dora."]
    assert service.members == ["bruno", "Carla", "dora"]
    assert await field(chat) == ""


async def test_help_by_key_by_command_and_from_the_menu(chat: ChatPage) -> None:
    page = chat.page
    await chat.enter("anna")
    await page.type("#text", "?")
    assert await field(chat) == "?"
    await page.focus("#scroller")
    await page.keyboard.press("?")
    await page.wait_for_selector("#help-dialog[open]")
    rows = await page.eval_on_selector_all(
        "#help-dialog tr", "all => all.map((it) => it.textContent)"
    )
    assert "/msg NAME TEXTWrite to one person in private." in " ".join(rows)
    await chat.screenshot("web-help")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#help-dialog:not([open])", state="attached")
    assert await focused(chat) == "scroller"
    await chat.say("/help")
    await page.wait_for_selector("#help-dialog[open]")
    await page.keyboard.press("Escape")
    assert await focused(chat) == "text"
    await page.keyboard.press("Control+/")
    await page.wait_for_selector("#help-dialog[open]")
    await page.keyboard.press("Escape")
    await chat.choose("help")
    await page.wait_for_selector("#help-dialog[open]")
    await page.keyboard.press("Escape")
    await chat.say("/leave")
    await chat.answer(yes=True)
    await chat.at_entrance()
    assert "You have left" in await chat.news()
