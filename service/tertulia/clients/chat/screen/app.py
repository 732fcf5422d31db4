"""The whole screen: what changes in the talk is shown, what the person does is told to it."""

import asyncio
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from time import time
from typing import ClassVar, Final, Protocol

from textual import events, on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import OptionList, Static

from tertulia.clients.chat import changes, words
from tertulia.clients.chat.completion import complete
from tertulia.clients.chat.connection import now
from tertulia.clients.chat.known_room import KnownRoom
from tertulia.clients.chat.preferences import load_preferences, save_preferences
from tertulia.clients.chat.room_log import LogPlace
from tertulia.clients.chat.screen.account_dialog import AccountDialog
from tertulia.clients.chat.screen.composer import Composer
from tertulia.clients.chat.screen.dialogs import (
    ClosedByEsc,
    EntranceDialog,
    HelpDialog,
    RoomsDialog,
    SearchDialog,
    SettingsDialog,
)
from tertulia.clients.chat.screen.lists import PeopleList, RoomList
from tertulia.clients.chat.screen.log_view import LogView
from tertulia.clients.chat.screen.themes import THEMES
from tertulia.clients.chat.talk import Talk
from tertulia.clients.chat.way import TalkState
from tertulia.clients.chat.writing import NotDone, Writing
from tertulia.settings.command_line import shown

_PENDING: Final = 3
"""Messages on their way that are shown; the others are counted."""
_KEYS: Final = " ".join(
    f" [@click=app.{action}][bold]{key}[/bold] {told}[/]"
    for key, action, told in (
        ("F1", "help", "Help"),
        ("F2", "rooms", "Rooms"),
        ("F3", "people", "People"),
        ("F5", "all_rooms", "All rooms"),
        ("^K", "search", "Search"),
        ("F4", "settings", "Settings"),
        ("^Q", "leave", "Leave"),
    )
)
_LISTS_EVERY: Final = 0.15
"""Seconds between two times that the lists are shown anew: many may come at once."""


class Connecting(Protocol):
    """What gives a talk its sockets."""

    def poke(self) -> None: ...
    async def run(self) -> None: ...


class ChatApp(App[None]):
    """``tertulia chat``."""

    CSS_PATH = "chat.tcss"
    TITLE = "Tertulia"
    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 (Textual's own is no ClassVar either)
        (0, "-narrow"),
        (64, "-middle"),
        (96, "-wide"),
    ]
    VERTICAL_BREAKPOINTS = [(0, "-low"), (16, "-high")]  # noqa: RUF012 (the same)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1", "help", "Help"),
        Binding("f2", "rooms", "Rooms"),
        Binding("f3", "people", "People"),
        Binding("f4", "settings", "Settings"),
        Binding("f5", "all_rooms", "All rooms"),
        Binding("ctrl+k", "search", "Search"),
        Binding("ctrl+q", "leave", "Leave"),
        Binding("alt+up,ctrl+p", "next_room(-1)", "Room before", show=False),
        Binding("alt+down,ctrl+n", "next_room(1)", "Room after", show=False),
        Binding("question_mark", "help", "Help", show=False),
        Binding("escape", "cancel", "Back", show=False),
    ]

    def __init__(
        self,
        talk: Talk,
        connect: Callable[[Callable[[], None]], Connecting],
        preferences_file: Path,
        nickname: str = "",
        password: str = "",
        rooms: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.farewell = ""
        """What is to be said when the screen is gone."""
        self._talk = talk
        self._connect = connect
        self._connection: Connecting | None = None
        self._file = preferences_file
        self._preferences = load_preferences(preferences_file)
        self._entering = (nickname, password)
        self._rooms_wanted = list(rooms)
        self._writing = Writing(talk, self)
        self._shown = talk.chat.lobby
        self._drafts: dict[str, tuple[str, str]] = {}
        self._complaint = ""
        self._lists_are_old = False
        self._wants_to_go = False
        self._going_to: LogPlace | None = None
        """A message that was found, and is not in the log yet."""

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Return what chat.tcss has of colours, for as long as no theme is chosen."""
        return THEMES["dark"].variables

    def compose(self) -> ComposeResult:
        """Make the parts."""
        yield Static(id="head")
        with Horizontal(id="middle"):
            yield RoomList()
            with Vertical(id="conversation"):
                yield LogView(self._preferences, lambda: self._talk.chat.oneself.nickname)
                yield Static(id="pending")
            yield PeopleList()
        yield Static(id="status")
        yield Composer(
            lambda before: complete(before, self._talk.chat), self._submit, self._keys_of_composer()
        )
        yield Static(Content.from_markup(_KEYS), id="keys")

    def on_mount(self) -> None:
        """Begin."""
        self.animation_level = "none"
        for theme in THEMES.values():
            self.register_theme(theme)
        self.theme = THEMES[self._preferences.theme].name
        self._connection = self._connect(self._take_changes)
        self.run_worker(self._connection.run(), name="connection")
        self.query_one(LogView).show(self._shown)
        self.query_one(Composer).focus()
        self.set_interval(_LISTS_EVERY, self._show_lists)
        nickname, password = self._entering
        if nickname:
            self._enter(nickname, password)
        else:
            self._ask_entrance()
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, self.action_leave)
        self._attend()
        self._show_rest()

    # --- What changed ---------------------------------------------------------------------------------

    def _take_changes(self) -> None:
        if not self.is_running:
            return
        log = self.query_one(LogView)
        if self._talk.chat.shown is not self._shown:
            self._show_room()
        redrawn: dict[int, None] = {}
        for change in self._talk.take_changes():
            match change:
                case changes.LineAdded(name, seq) if name == self._shown.name:
                    log.added(seq)
                case changes.LineChanged(name, seq) if name == self._shown.name:
                    redrawn[seq] = None  # once, though many come or go
                case changes.LinesPreceded(name) if name == self._shown.name:
                    log.preceded()
                    self._go_on_going()
                case changes.LogCleared(name) if name == self._shown.name:
                    log.redraw()
                case changes.SummonedBy() if self._preferences.sound:
                    self.bell()
                case changes.SearchChanged() if isinstance(self.screen, SearchDialog):
                    self.screen.show()
                case changes.AccountAnswered() if isinstance(self.screen, AccountDialog):
                    self.call_next(self.screen.answered, change)
                case changes.RoomChanged():
                    self._lists_are_old = True
                case changes.RoomsChanged():
                    self._lists_are_old = True
                    if isinstance(self.screen, RoomsDialog):
                        self.screen.show()
        for seq in redrawn:
            log.changed(seq)
        self._show_rest()
        self._look_at_state()

    def _look_at_state(self) -> None:
        state = self._talk.state
        if state is TalkState.OUTSIDE and self._talk.ending:
            if self._wants_to_go or self._talk.ending == "left":
                self.farewell = self._talk.explanation
                self.exit()
            elif not isinstance(self.screen, EntranceDialog):
                self._ask_entrance()
        elif state is TalkState.REFUSED and not isinstance(self.screen, EntranceDialog):
            self._ask_entrance()

    def _show_room(self) -> None:
        composer = self.query_one(Composer)
        self._drafts[self._shown.name] = (self._writing.recipient, composer.text)
        self._shown = self._talk.chat.shown
        self._writing.recipient, text = self._drafts.pop(self._shown.name, ("", ""))
        composer.put(text)
        self._complaint = ""
        self._going_to = None
        self.query_one(LogView).show(self._shown)
        self._lists_are_old = True
        self._attend()

    def _show_lists(self) -> None:
        if self._lists_are_old and self.is_running:
            self._lists_are_old = False
            self.query_one(RoomList).show(self._talk.chat)
            self.query_one(PeopleList).show(self._talk.chat, round(time() * 1000))

    def _show_rest(self) -> None:
        self.query_one("#head", Static).update(self._head())
        self.query_one("#pending", Static).update(self._pending())
        self.query_one("#pending").display = bool(self._talk.chat.pending)
        status, is_grave = self._status()
        line = self.query_one("#status", Static)
        line.update(Content(status))
        line.display = bool(status)
        line.set_class(is_grave, "grave")
        composer = self.query_one(Composer)
        to = self._writing.recipient
        where = self._shown.written
        everybody = f"To everybody in {where if self._shown.name else 'the lobby'}"
        composer.border_title = f"To {to}, in private" if to else everybody
        composer.set_class(bool(to), "-private")

    def _head(self) -> Content:
        room = self._shown
        counts = [words.count_of(len(room.people), "person", "people")] if room.people else []
        others = [it for it in self._talk.chat.rooms if it is not room and it.unread]
        unread = sum(it.unread for it in others)
        if unread:
            calls = sum(it.calls for it in others)
            counts.append(f"{unread} unread elsewhere{f', {calls} to you' if calls else ''}")
        topic = f" — {room.rules.topic}" if room.rules.topic else ""
        told = f" · {', '.join(counts)}" if counts else ""
        return Content.assemble((f" {room.written}", "bold"), f"{told}{topic}")

    def _pending(self) -> Content:
        pending = self._talk.chat.pending
        told = [
            f"… {f'(to {it.to}) ' if it.to else ''}{it.text.splitlines()[0]}"
            for it in pending[-_PENDING:]
        ]
        more = len(pending) - len(told)
        head = [f"… and {more} more on their way"] if more > 0 else []
        return Content("\n".join([*head, *told]))

    def _status(self) -> tuple[str, bool]:
        """Return what stands above the field, and whether it is to be seen by all means."""
        if self._complaint:
            return self._complaint, True
        if self._talk.status:
            waiting = len(self._talk.chat.pending)
            queued = f" {words.count_of(waiting, 'message')} will be sent then." if waiting else ""
            return f"{self._talk.status}{queued}", self._talk.is_member
        rules = self._shown.rules
        mute = rules.own_mute(round(time() * 1000))
        if mute is not None:
            end, why = mute
            return f"You are muted{words.until(end)}{words.because(why)}", True
        if rules.accounts_only and not self._talk.chat.oneself.is_account:
            return "Only people with an account may speak now", False
        if rules.slow and not rules.is_moderator:
            return f"Slow mode: one message in {words.count_of(rules.slow, 'second')}", False
        log = self.query_one(LogView)
        if not log.is_at_end and self._shown.unread:
            return f"{words.count_of(self._shown.unread, 'new message')} below: Ctrl+End", False
        return "", False

    def _attend(self) -> None:
        sees = self.app_focus and self.query_one(LogView).is_at_end
        self._talk.chat.attend(sees and len(self.screen_stack) == 1)

    # --- Coming in and going --------------------------------------------------------------------------

    def _enter(self, nickname: str, password: str) -> None:
        self._talk.enter(nickname, password, now())
        self._talk.come_into(self._rooms_wanted)
        self._rooms_wanted = []
        self._poke()

    def _ask_entrance(self) -> None:
        asked = self._talk.chat.oneself.nickname or self._entering[0]
        refused = self._talk.refusal
        dialog = EntranceDialog(
            asked,
            self._talk.explanation,
            self._talk.suggestions,
            wants_password=refused == "nickname_taken",
        )
        if refused:
            self._rooms_wanted = [it.name for it in self._talk.chat.rooms if it.name]

        def answered(answer: tuple[str, str] | None) -> None:
            if answer is None:
                self.exit()
                return
            self._entering = (answer[0], "")
            self._enter(*answer)

        self.push_screen(dialog, answered)

    def action_leave(self) -> None:
        """Leave; the second time, at once."""
        if self._wants_to_go or not self._talk.is_member:
            self.exit()
            return
        self._wants_to_go = True
        self._talk.leave(now())
        self._poke()

    # --- What the person does -------------------------------------------------------------------------

    def _keys_of_composer(self) -> dict[str, Callable[[], None]]:
        return {
            "f1": self.action_help,
            "f2": self.action_rooms,
            "f3": self.action_people,
            "f4": self.action_settings,
            "f5": self.action_all_rooms,
            "ctrl+k": self.action_search,
            "ctrl+q": self.action_leave,
            **dict.fromkeys(("alt+up", "ctrl+p"), lambda: self.action_next_room(-1)),
            **dict.fromkeys(("alt+down", "ctrl+n"), lambda: self.action_next_room(1)),
            "pageup": lambda: self.action_page("up"),
            "pagedown": lambda: self.action_page("down"),
            "ctrl+end": lambda: self.action_page("end"),
            "escape": self.action_cancel,
        }

    def _submit(self, text: str) -> None:
        """Do what was written."""
        if not text.strip():
            return
        composer = self.query_one(Composer)
        room, to = self._shown, self._writing.recipient
        try:
            self._writing.do(text, now())
        except NotDone as error:
            self._complaint = str(error)
            self._show_rest()
            return
        self._complaint = ""
        # What was written to others is not brought back by a slip.
        if self._talk.chat.shown is room:
            composer.sent(text)
            if self._writing.recipient != to:
                composer.forget()
        else:
            composer.put("")
            composer.forget()
        self.query_one(LogView).to_end()
        self._poke()

    @on(Composer.Changed)
    def written(self) -> None:
        """Forget a complaint about what stood there before."""
        if self._complaint:
            self._complaint = ""
            self._show_rest()

    @on(OptionList.OptionSelected, "#rooms")
    def room_chosen(self, event: OptionList.OptionSelected) -> None:
        """Go to a room."""
        room = self._talk.chat.room(RoomList.name_of(event.option))
        if room is not None:
            self._go_to(room)
        self.action_cancel()

    @on(OptionList.OptionSelected, "#people")
    def person_chosen(self, event: OptionList.OptionSelected) -> None:
        """Write to somebody in private; to oneself: to everybody."""
        name = self._shown.people.get(event.option.id or "", "")
        self._writing.recipient = "" if self._talk.chat.oneself.is_called(name) else name
        self.query_one(Composer).forget()
        self._close_lists()
        self._show_rest()

    @on(LogView.ReachedTop)
    def look_back(self) -> None:
        """Ask for what was said before."""
        if self._talk.look_back():
            self._poke()

    @on(LogView.Moved)
    def moved(self) -> None:
        """Learn whether the reader sees what comes."""
        self._attend()
        self._poke()

    @on(LogView.LinkChosen)
    def link_chosen(self, event: LogView.LinkChosen) -> None:
        """Copy a link: where this runs there may be no browser."""
        self.copy_to_clipboard(event.href)
        self.notify(f"Copied: {event.href}", markup=False)

    def on_app_focus(self, _event: events.AppFocus) -> None:
        """Learn that the terminal's window is looked at."""
        self._attend()
        self._poke()

    def on_app_blur(self, _event: events.AppBlur) -> None:
        """Learn that it is not."""
        self._talk.chat.attend(False)

    def on_key(self, event: events.Key) -> None:
        """Write on, wherever the focus is in the chat."""
        is_beside = isinstance(self.focused, LogView | OptionList) and len(self.screen_stack) == 1
        if is_beside and event.character and event.is_printable and event.character not in "? ":
            composer = self.query_one(Composer)
            self._close_lists()
            composer.insert(event.character)
            event.stop()

    def action_next_room(self, step: int) -> None:
        """Go to the room before or after."""
        rooms = self._talk.chat.rooms
        self._go_to(rooms[(rooms.index(self._shown) + step) % len(rooms)])

    def action_page(self, where: str) -> None:
        """Scroll the log, while one writes."""
        log = self.query_one(LogView)
        match where:
            case "up":
                log.action_page_up()
            case "down":
                log.action_page_down()
            case _:
                log.to_end()

    def action_rooms(self) -> None:
        """Go to the list of rooms."""
        self._open_list("#rooms")

    def action_people(self) -> None:
        """Go to the list of people."""
        self._open_list("#people")

    def action_cancel(self) -> None:
        """Close what is open; in the field: write to everybody again."""
        is_open = any(it.has_class("-open") for it in self.query(OptionList))
        if not is_open and isinstance(self.focused, Composer):
            if self._writing.recipient:
                self._writing.recipient = ""
                self.query_one(Composer).forget()
            self._complaint = ""
        self._close_lists()
        self._show_rest()

    def action_help(self) -> None:
        """Show keys and commands."""
        self.show_help()

    def action_settings(self) -> None:
        """Show the settings."""
        self._open(SettingsDialog(self._preferences, self._set))

    def action_search(self) -> None:
        """Search."""
        self.show_search("")

    def action_all_rooms(self) -> None:
        """Show which rooms there are."""
        self.show_rooms()

    # --- What commands show ---------------------------------------------------------------------------

    def show_help(self) -> None:
        """Show keys and commands."""
        self._open(HelpDialog(self._shown.rules.is_moderator))

    def show_rooms(self) -> None:
        """Show which rooms there are."""
        if len(self.screen_stack) > 1:
            return

        def chosen(name: str | None) -> None:
            if name is not None:
                self._talk.join(name)
            self._attend()
            self._poke()

        self._talk.ask_rooms()
        self.push_screen(RoomsDialog(self._talk), chosen)
        self._poke()

    def show_people(self) -> None:
        """Show who is here."""
        self.action_people()

    def show_account(self) -> None:
        """Show what can be done about one's account."""
        self._open(AccountDialog(self._talk, self._poke))

    def show_search(self, text: str) -> None:
        """Search what was said."""
        if len(self.screen_stack) > 1:
            return

        def chosen(place: LogPlace | None) -> None:
            self._attend()
            if place is not None:
                self._going_to = place
                self._go_on_going()

        self.push_screen(SearchDialog(self._talk, self._poke, text), chosen)

    # --- The rest -------------------------------------------------------------------------------------

    def _go_to(self, room: KnownRoom) -> None:
        self._talk.chat.show(room)
        self._take_changes()
        self._poke()

    def _go_on_going(self) -> None:
        """Go to the message that was found; where it is not here yet, read further back."""
        place = self._going_to
        if place is None:
            return
        line = self._shown.log.find_last(lambda it: it.place == place)
        if line is not None:
            self._going_to = None
            self.query_one(LogView).go_to(line.seq)
        elif not self._talk.look_back():
            self._going_to = None
        self._poke()

    def _open(self, dialog: ClosedByEsc) -> None:
        if len(self.screen_stack) == 1:
            self.push_screen(dialog, lambda _: self._attend())

    def _open_list(self, which: str) -> None:
        if len(self.screen_stack) > 1:
            return
        chosen = self.query_one(which, OptionList)
        if chosen.has_focus:
            self.action_cancel()
            return
        for it in self.query(OptionList):
            it.set_class(it is chosen, "-open")
        self._lists_are_old = True
        self._show_lists()
        chosen.focus()

    def _close_lists(self) -> None:
        for it in self.query(OptionList):
            it.remove_class("-open")
        self.query_one(Composer).focus()

    def _set(self) -> None:
        self.theme = THEMES[self._preferences.theme].name
        self.screen_stack[0].query_one(LogView).redraw()
        try:
            save_preferences(self._preferences, self._file)
        except OSError as error:
            self.notify(
                f"The settings hold until you leave: {shown(str(self._file))}: {error.strerror}",
                severity="warning",
                markup=False,
            )

    def _poke(self) -> None:
        if self._connection is not None:
            self._connection.poke()
