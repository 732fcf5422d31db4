"""Further rooms: coming in and going, what is unread where, and nothing lost with a connection."""

import pytest
from playwright.async_api import Browser

from harness.waiting import until
from web.chat_page import WITHIN, ChatPage, window
from web.fake_service import FakeService, Room, joined, said

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]


async def test_rooms_are_listed_joined_and_opened(chat: ChatPage, service: FakeService) -> None:
    service.rooms["ops"] = Room(
        members=["bruno"], standing={"topic": "what runs, and what does not"}
    )
    page = chat.page
    await chat.enter("anna")
    assert not await page.is_visible("#rooms-button")
    assert await page.query_selector("#room-list") is None  # nobody pays for rooms who has none
    await chat.choose("all-rooms")
    entry = page.get_by_role("button", name="#ops 1 person what runs")
    await entry.click()
    await chat.line("You are in #ops.")
    await chat.in_room("ops")
    assert await page.title() == "#ops · Tertulia"
    assert await page.inner_text("#topic") == "what runs, and what does not"
    for name in ("anna", "bruno"):
        await page.wait_for_selector(f"#people .name:text-is('{name}')")
    assert await page.query_selector("#people .name:text-is('Carla')") is None
    await chat.say("hello")
    await chat.kept_line("hello")
    assert [it.get("room") for it in service.received("say")] == ["ops"]
    # One that is not there yet is opened.
    await chat.choose("all-rooms")
    await page.wait_for_selector("#rooms-found .tag:has-text('you are in')")
    await page.fill("#rooms-text", "#Tea")
    await page.wait_for_selector("#rooms-join:has-text('Open it')")
    await page.keyboard.press("Enter")
    await chat.in_room("tea")
    assert await chat.rooms() == {"Lobby": "", "#ops": "", "#tea": ""}
    await chat.line("You are in #tea.")
    assert "hello" not in await chat.texts()
    # No name of a room: that is said until something else is typed, also when the list comes late.
    service.holds_lists = True
    await chat.choose("all-rooms")
    await page.fill("#rooms-text", "a b")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#rooms-hint.is-grave")
    await page.fill("#rooms-text", "")
    await page.wait_for_selector("#rooms-hint:not(.is-grave)")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#rooms-hint.is-grave")
    await service.list_rooms(service.clients[-1])
    await page.wait_for_selector("#rooms-found .name:text-is('#tea')")
    assert await page.is_visible("#rooms-hint.is-grave")
    await page.keyboard.press("Escape")
    # Going.
    await page.click("#menu-button")
    await page.click("#menu >> text=Leave #tea")
    await page.wait_for_function("() => location.hash === ''")
    await chat.go_to("ops")
    await chat.say("/part")
    await page.wait_for_selector("#rooms", state="hidden")
    await until(lambda: len(service.received("part")) == 2, WITHIN, "both to be left")
    assert [it["room"] for it in service.received("part")] == ["tea", "ops"]


async def test_the_address_leads_to_a_room_and_back(chat: ChatPage, service: FakeService) -> None:
    page = chat.page
    await page.goto(f"{service.address}#ops")
    await chat.enter("anna")
    await chat.line("You are in #ops.")
    await chat.join("tea")
    await page.go_back()
    await chat.in_room("ops")
    await page.go_forward()
    await chat.in_room("tea")
    await page.evaluate("() => { location.hash = '#OPS'; }")
    await page.wait_for_selector("#room-list [aria-current=true] .room:text-is('#ops')")
    await page.evaluate("() => { location.hash = ''; }")
    await chat.in_room("")
    assert [it["room"] for it in service.received("join")] == ["ops", "tea"]
    # No name of a room: the lobby.
    await page.evaluate("() => { location.hash = '#-x'; }")
    await page.wait_for_selector("#room-list [aria-current=true] .room:text-is('Lobby')")


async def test_what_is_unread_elsewhere_is_counted_and_told(
    chat: ChatPage, service: FakeService
) -> None:
    page = chat.page
    await chat.enter("anna")
    await chat.join("ops")
    await chat.join("tea")
    await service.happen(said("bruno", "one"), said("bruno", "two"), room="ops")
    await service.happen(said("Carla", "anna, look"), said("Carla", "here"), room="ops")
    await service.happen(said("bruno", "in the lobby"))
    await service.happen(said("bruno", "seen"), room="tea")
    await chat.line("seen")
    wanted = {
        "Lobby": "1 new message",
        "#ops": "4 new messages, 1 to you",
        "#tea": "",
    }

    async def told() -> bool:
        return await chat.rooms() == wanted

    await until(told, WITHIN, "the list of rooms")
    assert await page.title() == "(5) Carla mentioned you in #ops · Tertulia"
    assert await page.get_attribute("#icon", "href") == "icon-call.svg"
    assert await page.inner_text("#rooms-news") == "Carla mentioned you in #ops"
    await chat.go_to("ops")
    # Before it has been looked at for long.
    await page.wait_for_selector(".has-mark:has-text('one')")
    assert await page.inner_text("#rooms-news") == "#ops: 4 new messages"
    await page.wait_for_function("() => document.title === '(1) #ops · Tertulia'")
    assert (await chat.rooms())["#ops"] == ""
    await page.keyboard.press("Alt+ArrowUp")
    await chat.in_room("")
    await page.keyboard.press("Alt+ArrowUp")
    await chat.in_room("tea")
    assert await page.title() == "#tea · Tertulia"


async def test_drafts_recipients_and_own_last_lines_stay_with_their_room(
    chat: ChatPage, service: FakeService
) -> None:
    page = chat.page
    await chat.enter("anna")
    await chat.pick("bruno")
    await page.fill("#text", "between us")
    await page.keyboard.press("Escape")
    await page.evaluate("() => { location.hash = '#ops'; }")
    await chat.in_room("ops")
    assert await page.input_value("#text") == ""
    assert await chat.picked() == "Everybody (G)"
    assert await page.get_attribute("#text", "placeholder") == "Write to #ops"
    await chat.say("for all of ops")
    await chat.kept_line("for all of ops")
    await page.fill("#text", "half a")
    await chat.go_to("")
    assert await page.input_value("#text") == "between us"
    assert await chat.picked() == "bruno"
    await page.press("#text", "Enter")
    await chat.kept_line("between us")
    await chat.pick("G")
    await page.press("#text", "ArrowUp")
    assert await page.input_value("#text") == ""  # what was said in a room is not said to everybody
    await page.reload()
    await chat.inside()
    await chat.go_to("ops")
    assert await page.input_value("#text") == "half a"


async def test_all_rooms_are_resumed_and_nothing_is_missed_or_doubled(
    chat: ChatPage, service: FakeService
) -> None:
    await chat.enter("anna")
    await chat.join("ops")
    await chat.join("tea")
    await service.happen(said("bruno", "before"), room="ops")
    await chat.go_to("ops")
    await chat.line("before")
    service.is_down = True
    service.cut()
    await chat.page.wait_for_selector("#offline:not([hidden])")
    await chat.say("waits in ops")
    await chat.go_to("tea")
    await chat.say("waits in tea")
    assert (await chat.line("waits in tea")).is_pending
    assert "waits in ops" not in await chat.texts()
    await service.happen(said("bruno", "meanwhile"), room="ops")
    await service.happen(said("bruno", "in the lobby"))
    service.is_down = False
    await chat.inside()
    entered = service.received("enter")[-1]
    assert set(entered["rooms"]) == {"ops", "tea"}
    await chat.kept_line("waits in tea")
    await chat.go_to("ops")
    await chat.kept_line("waits in ops")
    assert await chat.texts("said") == ["before", "meanwhile", "waits in ops"]
    assert [(it["room"], it["text"]) for it in service.received("say")] == [
        ("ops", "waits in ops"),
        ("tea", "waits in tea"),
    ]


async def test_a_page_that_is_loaded_again_has_all_its_rooms(
    chat: ChatPage, service: FakeService
) -> None:
    await chat.enter("anna")
    await chat.join("ops")
    await service.happen(said("bruno", "in ops"), room="ops")
    await chat.line("in ops")
    await chat.join("tea")
    await service.happen(said("bruno", "more"), room="ops")
    await chat.say("in tea")
    await chat.kept_line("in tea")
    await chat.page.reload()
    await chat.inside()
    await chat.in_room("tea")
    assert (await chat.texts("said")) == ["in tea"]
    assert await chat.rooms() == {"Lobby": "", "#ops": "1 new message", "#tea": ""}
    await chat.go_to("ops")
    await chat.page.wait_for_selector(".has-mark:has-text('more')")
    assert await chat.texts("said") == ["in ops", "more"]
    assert len(service.received("join")) == 2  # the others were named on entering


async def test_who_is_refused_or_removed_reads_why(chat: ChatPage, service: FakeService) -> None:
    service.closed_rooms["full"] = "full"
    page = chat.page
    await page.goto(f"{service.address}#full")
    await chat.enter("anna")
    told = await chat.line("#full")
    assert told.is_grave
    assert "nobody more" in told.text
    await page.wait_for_function("() => location.hash === ''")
    await chat.join("ops")
    await chat.pick("bruno")
    await chat.say("psst")
    await chat.kept_line("psst")
    await service.expel("anna", "ops", words="off topic")
    assert (await chat.line("removed")).text == "You were removed from #ops: off topic"
    # What was private stays on the page.
    assert "psst" in await chat.texts("whispered")
    await page.wait_for_selector("#rooms", state="hidden")


async def test_one_looks_back_and_searches_in_the_room_that_is_shown(
    chat: ChatPage, service: FakeService
) -> None:
    for number in range(30):
        await service.happen(said("bruno", f"old {number}"), room="ops")
    await chat.enter("anna")
    await chat.join("ops")
    await chat.line("old 29")
    await chat.scroll_to(0)
    await chat.line("The log begins here.")
    assert (await chat.texts("said"))[0] == "old 0"
    await chat.say("/search old 25")
    await chat.page.click("#found button")
    assert [it["room"] for it in service.received("search")] == ["ops"]
    await chat.page.wait_for_selector(".is-shown:has-text('old 25')")


async def test_the_owner_appoints_and_opens_the_room_to_outsiders(
    chat: ChatPage, service: FakeService
) -> None:
    service.accounts["anna"] = "secret"
    service.rooms["ops"] = Room(
        members=["bruno"], standing={"owner": "anna", "moderator": True, "mutes": {}}
    )
    page = chat.page
    await chat.enter("anna", "secret")
    await chat.join("ops")
    await page.wait_for_selector("#people .tag:text-is('owner')")
    await page.click("#people .name:text-is('bruno')")
    await page.click("#asking >> text=Make a moderator of this room")
    await chat.choose("room-button")
    await page.wait_for_selector("#room-dialog[open] #room-title:text-is('#ops')")
    await page.check("#room-outsiders")
    await page.fill("#room-topic", "on call")
    await page.click("#room-dialog .primary")
    await page.wait_for_selector("#topic:text-is('on call')")
    await until(lambda: len(service.received("moderate")) == 3, WITHIN, "all acts")
    acts = [(it["action"], it["room"]) for it in service.received("moderate")]
    assert sorted(acts) == [("appoint", "ops"), ("outsiders", "ops"), ("topic", "ops")]
    await service.happen({"type": "outsiders", "on": True, "by": "anna"}, room="ops")
    await chat.line("anna lets people who are not in the room speak here")


async def test_what_is_asked_in_one_room_is_not_done_in_another(
    chat: ChatPage, service: FakeService
) -> None:
    service.rooms["ops"] = Room(members=["bruno"], standing={"moderator": True, "mutes": {}})
    service.standing = {"moderator": True, "mutes": {}}
    page = chat.page
    await chat.enter("anna")
    await chat.join("ops")
    await page.click("#people .name:text-is('bruno')")
    await page.click("#asking >> text=Remove from the room")
    await page.wait_for_selector("#asking-title:has-text('Remove bruno?')")
    await page.go_back()
    await page.wait_for_selector("#asking", state="hidden")
    await page.go_forward()
    await chat.in_room("ops")
    await chat.choose("room-button")
    await page.fill("#room-topic", "for ops alone")
    await page.go_back()
    await chat.in_room("")
    await page.click("#room-dialog .primary")
    await chat.say("done")
    await chat.kept_line("done")
    assert service.received("moderate") == []


async def test_a_list_that_could_not_be_loaded_comes_with_the_next_connection(
    chat: ChatPage, service: FakeService
) -> None:
    await chat.page.route("**/rooms/rooms.js*", lambda route: route.abort())
    await chat.page.goto(f"{service.address}#ops")
    await chat.enter("anna")
    await chat.line("You are in #ops.")
    await chat.say("one may talk all the same")
    await chat.kept_line("one may talk")
    await chat.page.unroute("**/rooms/rooms.js*")
    service.cut()
    await chat.in_room("ops")
    assert all("/rooms/" in it or "Failed to load" in it for it in chat.complaints)
    chat.complaints.clear()


async def test_a_room_is_announced_and_its_log_is_not_read_aloud(
    chat: ChatPage, service: FakeService
) -> None:
    await service.happen(said("bruno", "old"), room="ops")
    await chat.enter("anna")
    live = "#log"
    assert await chat.page.get_attribute(live, "aria-live") == "polite"
    await chat.page.evaluate(
        """() => {
          const log = document.getElementById("log");
          globalThis.lives = [];
          const note = () => lives.push(log.ariaLive);
          new MutationObserver(note).observe(log, { childList: true, subtree: true });
        }"""
    )
    await chat.join("ops")
    await chat.line("old")
    assert (await chat.page.evaluate("() => lives"))[0] == "off"
    assert await chat.page.inner_text("#rooms-news") == "#ops"
    assert await chat.page.evaluate("document.activeElement.id") == "text"


async def test_on_a_phone_the_rooms_open_from_a_button(
    browser: Browser, service: FakeService
) -> None:
    async with window(browser, viewport={"width": 320, "height": 640}) as chat:
        await chat.open(service.address)
        await chat.enter("anna")
        await chat.join("ops")
        await chat.join("a-room-with-a-name-of-32-letters")
        await service.happen(said("bruno", "anna, there?"), room="ops")
        await chat.page.wait_for_selector("#rooms-button .badge.calls")
        await chat.go_to("ops")
        await chat.line("anna, there?")
        await chat.page.wait_for_selector("#rooms:not(:popover-open)", state="hidden")
        wide = await chat.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 320
        assert chat.complaints == []


async def test_several_people_come_and_go_only_in_their_room(
    chat: ChatPage, service: FakeService
) -> None:
    await chat.enter("anna")
    await chat.join("ops")
    await service.happen(joined("dora"), room="ops")
    await chat.line("dora joined")
    await chat.page.wait_for_selector("#people .name:text-is('dora')")
    await chat.go_to("")
    assert not any("dora" in it for it in await chat.texts("traffic"))
    assert await chat.page.query_selector("#people .name:text-is('dora')") is None


async def test_rooms_are_completed_and_a_command_is_no_message(
    chat: ChatPage, service: FakeService
) -> None:
    service.rooms["ops"] = Room(members=["bruno"])
    page = chat.page
    await chat.enter("anna")
    await page.focus("#text")
    await page.keyboard.type("/join #")

    async def asked() -> bool:
        return len(service.received("rooms")) == 1

    await until(asked, WITHIN, "the page to ask which rooms there are")
    await page.keyboard.type("o")
    await page.wait_for_selector("#suggestions li:text-is('#ops')")
    await page.keyboard.press("Tab")
    assert await page.input_value("#text") == "/join #ops "
    await page.keyboard.press("Enter")
    await chat.in_room("ops")
    await chat.say("/topic what runs")
    await page.wait_for_selector("#topic:text-is('what runs')")
    assert service.received("say") == []


async def test_a_notification_says_the_room_and_opens_it(
    browser: Browser, service: FakeService
) -> None:
    async with window(browser) as chat:
        await chat.page.add_init_script(
            """
            localStorage.setItem("tertulia.settings", '{"notifications":"words"}');
            globalThis.shown = [];
            globalThis.Notification = class {
              static permission = "granted";
              constructor(title, { body }) { shown.push({ title, body, it: this }); }
              close() {}
            };
            """
        )
        await chat.open(service.address)
        await chat.enter("anna")
        await chat.join("ops")
        await chat.go_to("")
        await chat.loaded("calls/caller.js")
        await service.happen(said("bruno", "anna, the disk"), room="ops")
        await chat.page.wait_for_function("() => shown.length === 1")
        title, body = await chat.page.evaluate("() => [shown[0].title, shown[0].body]")
        assert (title, body) == ("bruno mentioned you in #ops", "anna, the disk")
        await chat.page.evaluate("() => shown[0].it.onclick()")
        await chat.in_room("ops")
