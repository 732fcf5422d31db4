"""Coming in and going, as somebody at the page sees it."""

import pytest
from playwright.async_api import Browser

from harness.waiting import until
from web.chat_page import WITHIN, ChatPage, window
from web.fake_service import FakeService, said

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]


async def focused(chat: ChatPage) -> str:
    return str(await chat.page.evaluate("() => document.activeElement.id"))


async def test_enters_with_a_name_and_can_write_at_once(
    chat: ChatPage, service: FakeService
) -> None:
    assert await focused(chat) == "name"
    await chat.enter("anna")
    assert service.frames == [{"type": "enter", "nickname": "anna"}]
    assert await focused(chat) == "text"
    assert "You are in, as anna." in await chat.texts("notice")
    assert await chat.choices() == ["Everybody (G)", "anna", "bruno", "Carla"]
    assert await chat.picked() == "Everybody (G)"


async def test_a_refused_name_is_explained_and_another_one_is_taken(
    chat: ChatPage, service: FakeService
) -> None:
    service.refusals = {"bruno": "nickname_taken", "à": "invalid_nickname"}
    await chat.ask_for("bruno")
    assert (await chat.refusal()).startswith("Is “bruno” your account? Then put in its password.")
    await chat.ask_for("à")
    await until(lambda: _told(chat, "can’t be used"), WITHIN, "the other refusal")
    assert await focused(chat) == "name"
    await chat.enter("anna")
    assert [frame.get("password") for frame in service.frames] == [None, None, None]


async def test_who_is_asked_for_a_password_can_type_it_at_once(
    chat: ChatPage, service: FakeService
) -> None:
    service.accounts = {"anna": "s3cret"}
    await chat.ask_for("anna")
    assert "put in its password" in await chat.refusal()
    await chat.page.keyboard.type("s3cret")
    assert await chat.page.input_value("#name") == "anna", "no password stands in the clear"
    await chat.page.keyboard.press("Enter")
    await chat.inside()


async def test_who_takes_an_account_s_name_in_the_chat_is_asked_for_its_password(
    chat: ChatPage, service: FakeService
) -> None:
    service.accounts = {"dora": "s3cret"}
    await chat.enter("anna")
    await chat.say("/nick dora")
    await chat.answer(yes=True)
    assert "Is “dora” your account?" in await chat.refusal()
    await chat.page.keyboard.type("s3cret")
    assert await chat.page.input_value("#name") == "dora", "whose password it is"
    await chat.page.keyboard.press("Enter")
    await chat.inside()
    assert service.members[-1] == "dora"


async def test_a_wrong_password_keeps_one_at_the_password(
    chat: ChatPage, service: FakeService
) -> None:
    service.accounts = {"anna": "right"}
    await chat.ask_for("anna", "wrong")
    assert "not the password of “anna”" in await chat.password_refusal()
    assert await focused(chat) == "password"
    assert await chat.page.input_value("#password") == ""
    assert await chat.page.input_value("#name") == "anna"
    assert await chat.page.get_attribute("#password", "aria-invalid") == "true"
    assert await chat.page.get_attribute("#name", "aria-invalid") == "false"
    await chat.page.keyboard.type("right")
    await chat.page.keyboard.press("Enter")
    await chat.inside()


async def test_a_password_for_a_name_without_an_account_is_not_needed(
    chat: ChatPage, service: FakeService
) -> None:
    await chat.ask_for("dora", "anything")
    assert "“dora” has no account" in await chat.password_refusal()
    assert await focused(chat) == "password"
    await chat.page.keyboard.press("Enter")
    await chat.inside()


async def test_names_that_are_free_are_offered(chat: ChatPage, service: FakeService) -> None:
    service.refusals = {"bruno": "nickname_taken"}
    service.free_names = ["bruno2", "bruno3"]
    await chat.ask_for("bruno")
    await chat.refusal()
    offered = chat.page.get_by_role("group", name="These are free:").get_by_role("button")
    assert await offered.all_text_contents() == ["bruno2", "bruno3"]
    await chat.screenshot("entrance-suggestions")
    await offered.nth(1).press("Enter")
    await chat.inside()
    assert service.members[-1] == "bruno3"


async def _told(chat: ChatPage, text: str) -> bool:
    return text in await chat.refusal()


async def test_a_service_that_is_away_is_tried_again_until_one_gives_up(
    chat: ChatPage, service: FakeService
) -> None:
    service.is_down = True
    await chat.ask_for("anna")
    await chat.page.wait_for_selector("#enter-progress:has-text('can’t be reached')")
    await chat.page.click("#cancel")
    await chat.page.wait_for_selector("#enter:not([hidden])")
    await chat.ask_for("anna")
    await chat.page.wait_for_selector("#cancel:not([hidden])")
    service.is_down = False
    await chat.inside()


async def test_who_leaves_is_at_the_entrance_and_leaves_nothing_behind(
    chat: ChatPage, service: FakeService
) -> None:
    await chat.enter("anna")
    await service.whisper("bruno", "a secret")
    await chat.line("a secret")
    await chat.leave()
    assert await chat.news() == "You have left. See you soon!"
    await until(lambda: service.frames[-1] == {"type": "leave"}, WITHIN, "the page to say so")
    await until(lambda: service.members == ["bruno", "Carla"], WITHIN, "anna to be gone")
    await chat.enter("anna")
    assert await chat.texts() == ["You are in, as anna."]
    assert service.received("enter")[-1] == {"type": "enter", "nickname": "anna"}


async def test_nothing_of_the_conversation_stays_in_the_document_of_who_has_left(
    chat: ChatPage, service: FakeService
) -> None:
    await chat.enter("anna")
    await service.happen(said("bruno", "a public thing"))
    await service.whisper("bruno", "a secret")
    await chat.line("a secret")
    await chat.pick("bruno")
    await chat.page.fill("#text", "half a thought")
    await chat.leave()
    left = await chat.page.evaluate(
        """() => {
          const fields = [...document.querySelectorAll("#chat input, #chat textarea")];
          const texts = fields.map((it) => it.value);
          return [document.getElementById("chat").textContent, ...texts].join();
        }"""
    )
    for words in ("a public thing", "a secret", "half a thought", "bruno"):
        assert words not in left


@pytest.mark.parametrize(
    ("code", "reason", "told"),
    [
        (4001, "displaced", "in use in another window"),
        (4001, "too_many_from_address", "too many connections from your address"),
        (4001, "something_new", "something_new"),
        (1000, "chat_closed", "The chat was closed."),
    ],
)
async def test_who_is_sent_away_learns_why_and_does_not_come_back_alone(
    chat: ChatPage, service: FakeService, code: int, reason: str, told: str
) -> None:
    await chat.enter("anna")
    await service.close(code, reason)
    assert told in await chat.news()
    await chat.enter("anna")
    assert len(service.received("enter")) == 2
    assert "resume" not in service.received("enter")[-1]


async def test_a_page_that_is_loaded_again_goes_on(chat: ChatPage, service: FakeService) -> None:
    await chat.enter("anna")
    await chat.say("before")
    await chat.kept_line("before")
    await service.whisper("bruno", "private before")
    await chat.line("private before")
    await chat.page.reload()
    await chat.inside()
    await service.happen(said("bruno", "after"))
    await chat.line("after")
    assert await chat.texts("said", "whispered") == ["before", "private before", "after"]
    assert service.received("enter")[-1]["resume"]["token"] == "t0"
    await chat.say("again")
    await chat.kept_line("again")
    assert [frame["id"] for frame in service.received("say")] == [1, 2]
    await chat.leave()
    await chat.page.reload()
    await chat.at_entrance()


async def test_a_page_in_use_leaves_no_token_for_a_copy_of_its_tab(chat: ChatPage) -> None:
    await chat.enter("anna")
    assert await chat.page.evaluate("() => sessionStorage.length") == 0


@pytest.mark.parametrize(
    ("locale", "hello", "everybody", "came"),
    [
        ("it-CH", "Sei entrato come anna.", "Tutti (G)", "dora si è unito"),
        ("es-AR", "Has entrado como anna.", "Todos (G)", "dora se ha unido"),
        ("en-US", "You are in, as anna.", "Everybody (G)", "dora joined"),
        ("pt-PT", "You are in, as anna.", "Everybody (G)", "dora joined"),
    ],
)
async def test_speaks_the_reader_s_language(
    browser: Browser, service: FakeService, locale: str, hello: str, everybody: str, came: str
) -> None:
    async with window(browser, locale=locale) as chat:
        await chat.open(service.address)
        await chat.enter("anna")
        await service.happen({"type": "joined", "nickname": "dora"})
        await chat.line(came)
        assert hello in await chat.texts()
        assert await chat.picked() == everybody
        language = await chat.page.get_attribute("html", "lang")
        assert language == (locale[:2] if locale != "pt-PT" else "en")
        await chat.leave()
