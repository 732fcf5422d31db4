"""The whole screen, at which a pilot types and clicks; the service is one that the test speaks for."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from rich.cells import cell_len
from textual import events
from textual.color import Color
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Static

from fakes.talk_service import TalkService, said
from harness.waiting import until
from tertulia.clients.chat.screen.app import ChatApp
from tertulia.clients.chat.screen.composer import Composer
from tertulia.clients.chat.screen.log_view import LogView
from tertulia.clients.chat.screen.themes import THEMES
from tertulia.clients.chat.way import TalkState

WITHIN = 30.0
OLD = 1_795_134_785_000
"""A day before."""


class _Connection:
    """Does at once what the talk wants."""

    def __init__(self, service: TalkService, changed: Callable[[], None]) -> None:
        self._service = service
        service.told = changed

    def poke(self) -> None:
        self._service.act()

    async def run(self) -> None:
        self._service.act()
        await asyncio.Event().wait()


class Desk:
    """An app, its pilot, and its service."""

    def __init__(self, app: ChatApp, pilot: Pilot[None], service: TalkService) -> None:
        self.app = app
        self.pilot = pilot
        self.service = service

    @property
    def log(self) -> str:
        return self.app.screen_stack[0].query_one(LogView).plain

    def part(self, name: str) -> str:
        return str(self.app.screen_stack[0].query_one(f"#{name}", Static).render())

    @property
    def screen(self) -> str:
        """All that is on the screen, as a terminal shows it."""
        width, height = self.app.size
        strips = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text.rstrip() for strip in strips[:height])[: width * height * 2]

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    def type(self, text: str) -> None:
        self.app.query_one(Composer).insert(text)

    async def write(self, text: str) -> None:
        self.type(text)
        await self.press("enter")

    async def shows(self, text: str) -> None:
        await until(lambda: text in self.screen, WITHIN, lambda: f"{text} on\n{self.screen}")


@asynccontextmanager
async def desk(
    folder: Path,
    size: tuple[int, int] = (100, 30),
    nickname: str = "anna",
    rooms: tuple[str, ...] = (),
) -> AsyncIterator[Desk]:
    service = TalkService()
    app = ChatApp(
        service.talk,
        lambda changed: _Connection(service, changed),
        folder / "settings.toml",
        nickname,
        "",
        rooms,
    )
    async with app.run_test(size=size) as pilot:
        here = Desk(app, pilot, service)
        if nickname:
            await until(lambda: service.opened, WITHIN, "a connection to be wanted")
            service.open()
            service.welcome("bruno", "anna", history=50)
            service.deliver("past", epoch="e", before=9, index=0, messages=[], more=True)
            service.take_sent()
        await pilot.pause()
        yield here


async def test_what_is_said_is_shown_and_what_is_written_is_sent(tmp_path: Path) -> None:
    async with desk(tmp_path) as here:
        here.service.happen(11, said("bruno", "Anna, are you there?"))
        await here.write("yes")
        assert here.service.take_sent() == [{"type": "say", "id": 1, "text": "yes"}]
        assert "… yes" in here.part("pending")
        here.service.happen(12, said("anna", "yes", "a1:1", 1))
        here.service.deliver("sent", id=1)
        await here.shows("anna: yes")
        assert "bruno: Anna, are you there?" in here.log
        assert here.part("pending") == ""
        assert "2 people" in here.screen
        assert "new" not in here.screen

        here.type("one")
        await here.press("ctrl+j", *"two")
        here.app.query_one(Composer).post_message(events.Paste("\r\nthree\tx\x1b[31m"))
        await here.pilot.pause()
        await here.press("enter")
        (frame,) = here.service.take_sent()
        assert frame["text"] == "one\ntwo\nthree    x[31m"


async def test_commands_names_and_the_own_last_lines_are_helped_with(tmp_path: Path) -> None:
    async with desk(tmp_path) as here:
        composer = here.app.query_one(Composer)
        await here.write("/mgs bruno secret")
        assert here.service.take_sent() == []
        assert "“/mgs” is no command" in here.part("status")
        assert composer.text == "/mgs bruno secret"
        await here.press("backspace")
        assert here.part("status") == ""

        composer.put("")
        here.service.happen(11, {"type": "joined", "nickname": "brenda"})
        await here.press(*"br", "tab")
        first = composer.text
        await here.press("tab")
        assert {first, composer.text} == {"bruno: ", "brenda: "}
        await here.press("tab")
        assert composer.text == "br"

        composer.put("")
        await here.write("first")
        await here.write("second")
        await here.press("up", "up")
        assert composer.text == "first"
        await here.press("down", "down")
        assert composer.text == ""

        # What was written to one comes back to nobody else.
        await here.write("/msg bruno")
        assert composer.border_title == "To bruno, in private"
        await here.write("psst")
        assert here.service.take_sent()[-1]["type"] == "whisper"
        await here.press("escape", "up")
        assert composer.border_title == "To everybody in the lobby"
        assert composer.text == ""


async def test_rooms_show_what_is_unread_and_keys_and_the_mouse_lead_there(tmp_path: Path) -> None:
    async with desk(tmp_path) as here:
        composer = here.app.query_one(Composer)
        await here.write("/join ops")
        here.service.room("ops", "bruno", "anna", topic="mail")
        here.type("draft")
        await here.press("alt+up")
        here.service.happen(11, said("bruno", "one"), said("bruno", "anna: two"), room="ops")
        await here.shows("#ops 2 @1")
        assert "2 unread elsewhere, 1 to you" in here.part("head")
        assert composer.text == ""
        await here.press("alt+down")
        await here.shows("▸ #ops")
        assert "─ new ─" in here.log
        assert "#ops · 2 people — mail" in here.part("head")
        assert composer.text == "draft"
        assert "#ops 2" not in here.screen

        # As a slow line brings it, all in one go: no key overtakes the letters before it.
        composer.put("")
        here.service.take_sent()
        for key in [*"forops", "enter", "alt+up", *"forall", "enter"]:
            here.app.post_message(events.Key(key, key if len(key) == 1 else None))
        await until(lambda: here.service.talk.chat.waiting == 2, WITHIN, "both to be sent")
        sent = here.service.take_sent()
        assert [(it["text"], it.get("room", "")) for it in sent] == [
            ("forops", "ops"),
            ("forall", ""),
        ]

        await here.shows("▸ lobby")
        await here.pilot.click("#rooms", offset=(3, 2))
        await here.shows("▸ #ops")
        await here.shows("anna (you)")
        await here.pilot.click("#people", offset=(3, 1))
        await here.shows("To bruno, in private")


async def test_one_looks_back_and_goes_to_what_was_found(tmp_path: Path) -> None:
    async with desk(tmp_path) as here:
        await here.press("pageup")
        assert here.service.take_sent() == [{"type": "history", "before": 9, "index": 0}]
        old = [
            {"offset": 5, "index": it, "at": OLD, "nickname": "luisa", "text": f"old {it}"}
            for it in range(60)
        ]
        here.service.deliver("past", epoch="e", before=5, index=0, messages=old, more=True)
        days = [it for it in here.log.split("\n") if "November 2026 ─" in it]
        assert len(days) == 2
        here.service.happen(11, said("bruno", "below"))
        await here.press("ctrl+end")
        await here.shows("bruno: below")

        await here.write("/search mail")
        assert here.service.take_sent() == [{"type": "search", "text": "mail"}]
        found = {"offset": 3, "index": 0, "at": 5, "nickname": "luisa", "text": "the mail"}
        page = {"epoch": "e", "before": 1, "index": 0, "messages": [found], "more": False}
        here.service.deliver("found", text="mail", **page)
        await here.shows("1 message found")
        await here.press("down", "enter")
        assert here.service.take_sent() == [{"type": "history", "before": 5, "index": 0}]
        here.service.deliver("past", **page)
        await here.shows("luisa: the mail")
        await here.shows("The log begins here.")


async def test_a_lost_connection_a_found_one_and_a_removal_are_told_in_words(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path) as here:
        here.service.close(4000, "drained")
        await here.shows("The service restarts. Connecting again…")
        await here.write("sent later")
        await here.shows("1 message will be sent then")
        here.service.wait(1)
        here.service.open()
        here.service.welcome("bruno", "anna", resumed=True)
        await here.shows("Connected again: you missed nothing.")
        assert here.service.take_sent()[-1]["text"] == "sent later"

        here.service.deliver("kicked", reason="too loud")
        here.service.close(4001, "kicked")
        await here.shows("An operator has removed you from the chat: too loud")
        here.app.screen.query_one("#password", Input).value = "secret"
        await here.press("enter")
        here.service.open()
        (frame,) = here.service.take_sent()
        assert frame == {"type": "enter", "nickname": "anna", "password": "secret"}


async def test_without_a_name_one_is_asked_and_a_taken_one_has_suggestions(tmp_path: Path) -> None:
    async with desk(tmp_path, nickname="") as here:
        await here.shows("Your name")
        here.app.screen.query_one("#nickname", Input).value = "anna"
        await here.press("enter")
        here.service.open()
        here.service.deliver("refused", reason="nickname_taken", suggestions=["anna2"])
        await here.shows("anna2 is free")
        await here.pilot.click("#suggestion-0")
        await here.pilot.pause()
        assert here.service.take_sent()[-1] == {"type": "enter", "nickname": "anna2"}
        here.service.welcome("anna2", nickname="anna2")
        await here.press("ctrl+q")
        assert here.service.take_sent() == [{"type": "leave"}]
        assert here.service.talk.state is TalkState.LEAVING
        here.service.close(1000, "left")
        await here.pilot.pause()
        assert here.app.farewell == "You have left. See you soon!"


async def test_help_settings_and_all_rooms_stand_before_the_chat(tmp_path: Path) -> None:
    async with desk(tmp_path) as here:
        await here.pilot.click("#keys", offset=(3, 0))
        await here.shows("Complete a nickname")
        await here.press("end")
        await here.shows("/msg NAME TEXT")
        assert "/mute" not in here.screen
        await here.press("escape")
        assert here.app.focused is here.app.query_one(Composer)

        here.service.happen(11, said("bruno", "Ciao"), {"type": "joined", "nickname": "carla"})
        assert "carla joined" in here.log
        await here.press("f4", "down", "down", "enter")
        assert here.app.theme == THEMES["terminal"].name
        await here.press("up", "enter", "down", "down", "enter", "down", "enter", "escape")
        assert here.app.theme == THEMES["light"].name
        assert "carla joined" not in here.log
        assert "\nbruno: Ciao" in here.log
        kept = (tmp_path / "settings.toml").read_text().split("\n")
        assert kept == ['theme = "light"', "times = false", "joins = false", "sound = false", ""]

        await here.press("f5")
        assert here.service.take_sent() == [{"type": "rooms"}]
        here.service.deliver("rooms", rooms=[{"room": "ops", "members": 3, "topic": "[b]mail"}])
        await here.shows("#ops  3 people  [b]mail")
        here.app.screen.query_one("#sought", Input).value = "Ops-2"
        await here.shows("“ops-2” is not there yet: Enter opens it.")
        await here.press("enter")
        assert here.service.take_sent() == [{"type": "join", "room": "ops-2"}]


async def test_a_nickname_is_made_an_account_that_nobody_reads_the_password_of(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path) as here:
        await here.write("/account")
        await here.shows("“anna” is yours only while you are here.")
        await here.press(*"s3c", "enter")
        assert here.service.take_sent() == [{"type": "register", "password": "s3c"}]
        assert "s3c" not in here.screen
        here.service.deliver("account", action="register", outcome="too_short")
        await here.shows("A password has at least 3 characters.")
        await here.press("enter")
        here.service.deliver("account", action="register", outcome="done")
        await here.shows("Your nickname is your account now.")
        await here.shows("Delete the account")
        here.app.screen.query_one("#old", Input).value = "s3c"
        await here.pilot.click("#delete_account")
        await here.pilot.pause()
        assert here.service.take_sent()[-1] == {"type": "delete_account", "password": "s3c"}


async def test_in_40_columns_lists_stand_behind_keys(tmp_path: Path) -> None:
    async with desk(tmp_path, (40, 20), rooms=("ops",)) as here:
        here.service.room("ops", "anna", "bruno")
        here.service.happen(11, said("bruno", "word " * 30), room="ops")
        await here.shows("bruno: word")
        assert "Rooms ─" not in here.screen
        await here.press("f2")
        await here.shows("▸ #ops")
        await here.press("up", "enter")
        await here.shows("To everybody in the lobby")
        assert "▸" not in here.screen
        await here.press("f3")
        await here.shows("anna (you)")
        await here.press("escape")
        assert not here.app.query_one("#people", OptionList).has_class("-open")
        assert all(cell_len(it) <= 40 for it in here.screen.split("\n"))


async def test_what_others_say_is_text_that_can_be_copied_and_nothing_else(tmp_path: Path) -> None:
    async with desk(tmp_path) as here:
        evil = "[red]x[/red] [@click=app.leave]go[/] \x1b]52;c;eA==\x07 \x9b2J"
        topic: dict[str, object] = {"type": "topic", "text": evil, "by": "bruno"}
        here.service.happen(11, said("bruno", evil), topic)
        await here.shows("[red]x[/red] [@click=app.leave]go[/]")
        assert "— [red]x[/red]" in here.part("head")
        assert all(it.isprintable() for it in here.screen.split("\n"))

        here.service.happen(12, said("bruno", "https://a.example/x " + "many words " * 8))
        await here.shows("https://a.example/x")
        rows = here.screen.split("\n")
        row = next(it for it, text in enumerate(rows) if "https://" in text)
        await here.pilot.click(offset=(rows[row].index("https") + 2, row))
        await until(lambda: here.app.clipboard == "https://a.example/x", WITHIN, "the link")

        await here.pilot.mouse_down(offset=(24, row))
        await here.pilot.hover(offset=(40, row))
        await here.pilot.mouse_up(offset=(40, row))
        await here.press("ctrl+c")
        assert here.app.clipboard == rows[row][24:41]

        here.app.query_one(LogView).text_select_all()
        copied = here.app.screen.get_selected_text()
        assert copied is not None
        last = copied.rstrip("\n").split("\n")[-1]
        assert last.endswith(f"bruno: https://a.example/x {'many words ' * 8}".rstrip())


async def test_words_stand_out_from_their_ground_by_day_and_by_night(tmp_path: Path) -> None:
    """WCAG 2.2, 1.4.3: a contrast of 4.5."""
    async with desk(tmp_path) as here:
        log = here.app.query_one(LogView)
        weak = {}
        for name in ("dark", "light"):
            here.app.theme = THEMES[name].name
            await here.pilot.pause()
            styles = {it: log.get_component_styles(it) for it in log.COMPONENT_CLASSES}
            inks = {it: style.color for it, style in styles.items() if style.has_rule("color")}
            assert len(inks) > 8
            for part, ink in inks.items():
                ground = log.background_colors[1]
                light, dark = sorted((_luminance(ground), _luminance(ink)), reverse=True)
                if (light + 0.05) / (dark + 0.05) < 4.5:
                    weak[name, part] = (ground.hex, ink.hex)
        assert weak == {}


def _luminance(colour: Color) -> float:
    parts = [it / 255 for it in (colour.r, colour.g, colour.b)]
    linear = [it / 12.92 if it <= 0.04045 else ((it + 0.055) / 1.055) ** 2.4 for it in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
