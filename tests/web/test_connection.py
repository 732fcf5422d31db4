"""A lost connection, as somebody at the page sees it."""

import asyncio
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, WebSocket, expect

from harness.swallowing_proxy import swallowing_proxy
from harness.waiting import until
from web.chat_page import WITHIN, ChatPage, window
from web.fake_service import FakeService, joined, left, said

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]


async def back(chat: ChatPage, service: FakeService) -> None:
    """Wait until the page has come back, however quickly."""
    await until(lambda: len(service.received("enter")) == 2, WITHIN, "a second connection")
    await chat.inside()


async def lost(chat: ChatPage) -> None:
    """Wait until the page shows that there is no connection."""
    await chat.page.wait_for_selector("#chat:not([data-state=inside]) #offline:not([hidden])")


async def test_what_was_missed_is_there_once_and_what_was_typed_is_sent_once(
    chat: ChatPage, service: FakeService
) -> None:
    await chat.enter("anna")
    await service.happen(said("bruno", "before"))
    await chat.say("mine")
    await chat.kept_line("mine")
    service.is_down = True
    service.cut()
    await lost(chat)
    await chat.say("typed meanwhile")
    assert (await chat.line("typed meanwhile")).remark == "waiting"
    await chat.page.wait_for_selector("#queued:has-text('1 message will be sent then.')")
    await service.happen(said("bruno", "missed"), joined("dora"), left("Carla"))
    service.is_down = False
    await chat.inside()
    await chat.kept_line("typed meanwhile")
    assert await chat.texts("said") == ["before", "mine", "missed", "typed meanwhile"]
    assert [frame["id"] for frame in service.received("say")] == [1, 2]
    assert await chat.choices() == ["Everybody (G)", "anna", "bruno", "dora"]
    await chat.page.wait_for_selector("#offline", state="hidden")
    await expect(chat.page.locator("#status")).to_have_text("Connected")


async def test_what_was_carried_out_before_the_cut_is_not_sent_again(
    chat: ChatPage, service: FakeService
) -> None:
    await chat.enter("anna")
    service.holds_answers = True
    await chat.say("one")
    await chat.say("two")
    await until(lambda: len(service.received("say")) == 2, WITHIN, "both to be sent")
    service._done["t0"] = 1
    service._log.append(
        {"type": "events", "epoch": "e1", "offset": 12, "at": 1, "events": [said("anna", "one")]}
    )
    service.offset = 12
    service.holds_answers = False
    service.cut()
    await chat.kept_line("two")
    assert await chat.texts("said") == ["one", "two"]
    assert [frame["text"] for frame in service.received("say")] == ["one", "two", "two"]


async def test_a_missing_part_is_told(chat: ChatPage, service: FakeService) -> None:
    await chat.enter("anna")
    await service.happen(said("bruno", "before"))
    await chat.line("before")
    service.missed = "some"
    service.cut()
    line = await chat.line("A part of what was said while you were away is missing here.")
    assert line.is_grave


async def test_what_the_service_itself_missed_is_marked_where_it_is(
    chat: ChatPage, service: FakeService
) -> None:
    await chat.enter("anna")
    await service.happen(said("bruno", "before"))
    service.offset += 30
    await service.tell({"type": "missed", "epoch": "e1", "offset": service.offset})
    await service.happen(said("bruno", "after"))
    await chat.line("after")
    mark = "A part of what was said is missing here."
    assert await chat.texts("said", "notice") == ["You are in, as anna.", "before", mark, "after"]
    assert (await chat.line(mark)).is_grave


async def test_a_node_that_drains_is_left_for_another(chat: ChatPage, service: FakeService) -> None:
    await chat.enter("anna")
    await service.close(4000, "drained")
    await back(chat, service)
    assert "resume" in service.received("enter")[-1]


async def test_while_there_is_no_other_the_page_says_that_the_service_restarts(
    chat: ChatPage, service: FakeService
) -> None:
    await chat.enter("anna")
    service.is_down = True
    said = "The service restarts. Reconnecting…"
    shown = f"#offline:not([hidden]) #offline-text:text-is('{said}')"
    noticed = asyncio.create_task(chat.page.wait_for_selector(shown))
    await service.close(4000, "drained")
    await noticed
    service.is_down = False
    await chat.inside()
    await expect(chat.page.locator("#status")).to_have_text("Connected")


async def test_trying_again_can_be_hurried_and_given_up(
    chat: ChatPage, service: FakeService
) -> None:
    await chat.enter("anna")
    service.is_down = True
    service.cut()
    await lost(chat)
    await chat.page.wait_for_selector("#hurry:not([hidden])")
    await expect(chat.page.locator("#status")).to_contain_text("Connection lost")
    service.is_down = False
    await chat.page.evaluate("() => document.getElementById('hurry').click()")
    await chat.inside()
    service.is_down = True
    service.cut()
    await lost(chat)
    await chat.leave()
    assert await chat.news() == "You have left. See you soon!"


async def test_a_network_that_changes_is_noticed(chat: ChatPage, service: FakeService) -> None:
    await chat.enter("anna")
    await chat.page.evaluate("() => dispatchEvent(new Event('online'))")
    await back(chat, service)
    await service.happen(said("bruno", "for the new connection"))
    await chat.line("for the new connection")


async def test_a_name_that_is_somebody_else_s_by_now_is_asked_for_anew(
    chat: ChatPage, service: FakeService
) -> None:
    await chat.enter("anna")
    service.refusals = {"anna": "nickname_taken"}
    service.cut()
    assert "somebody else came in as “anna”" in await chat.refusal()
    await chat.enter("anna2")


async def test_a_private_message_that_comes_again_is_shown_once(
    chat: ChatPage, service: FakeService
) -> None:
    await chat.enter("anna")
    await service.whisper("bruno", "secret", at=1_700_000_000_000)
    await chat.line("secret")
    service.cut()
    await back(chat, service)
    await service.whisper("bruno", "secret", at=1_700_000_000_000)
    await service.whisper("bruno", "new", at=1_700_000_000_001)
    await chat.line("new")
    assert await chat.texts("whispered") == ["secret", "new"]


async def test_a_dead_connection_is_noticed_and_replaced_though_one_only_reads(
    browser: Browser, service: FakeService
) -> None:
    """Nothing of the page arrives any more, and nothing for it: neither side's system says so."""
    port = urlsplit(service.address).port
    assert port is not None
    async with swallowing_proxy(port) as proxy, window(browser) as chat:
        await chat.page.clock.install()
        await chat.open(f"http://127.0.0.1:{proxy.port}/")
        service.heartbeat = 12
        await chat.enter("anna")
        await chat.page.clock.run_for(15_000)
        assert await chat.state() == "inside"
        proxy.swallow()
        await service.happen(said("bruno", "swallowed"))
        # The clock on the wall is set back meanwhile, which is none of the connection's business.
        await chat.page.clock.set_system_time(0)
        await chat.page.clock.run_for(25_000)
        await back(chat, service)
        await chat.line("swallowed")
        assert chat.complaints == []


async def test_a_page_that_is_shown_again_looks_at_once_whether_it_is_connected(
    browser: Browser, service: FakeService
) -> None:
    port = urlsplit(service.address).port
    assert port is not None
    async with swallowing_proxy(port) as proxy, window(browser) as chat:
        await chat.open(f"http://127.0.0.1:{proxy.port}/")
        await chat.enter("anna")
        await chat.page.clock.install()
        proxy.swallow()
        await chat.page.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")
        await chat.page.clock.run_for(7_000)
        await back(chat, service)


async def test_messages_that_wait_at_the_service_are_told_and_the_connection_stays(
    chat: ChatPage, service: FakeService
) -> None:
    sockets: list[WebSocket] = []
    chat.page.on("websocket", lambda it: sockets.append(it))
    await chat.page.clock.install()
    await chat.open(service.address)
    service.heartbeat = 12
    await chat.enter("anna")
    service.holds_answers = True
    await chat.say("one")
    await chat.line("one")
    await chat.page.clock.run_for(5_000)
    await chat.page.wait_for_selector("#offline-text:has-text('Yours wait there')")
    for _ in range(5):
        await chat.page.clock.run_for(12_000)
        async with sockets[-1].expect_event("framereceived"):  # before the page's clock goes on
            await service.tell({"type": "ping"})
    assert await chat.state() == "inside"
    assert len(service.received("enter")) == 1
