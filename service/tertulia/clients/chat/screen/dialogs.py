"""What stands before the chat for a while: the entrance, the help, the settings, the rooms, the search."""

from collections.abc import Callable, Sequence
from typing import ClassVar, Final, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, OptionList, Static
from textual.widgets.option_list import Option

from tertulia.clients.chat import words
from tertulia.clients.chat.commands import known_to
from tertulia.clients.chat.frames import is_visible
from tertulia.clients.chat.known_room import KnownRoom
from tertulia.clients.chat.preferences import Preferences, Theme
from tertulia.clients.chat.room_log import LogPlace
from tertulia.clients.chat.talk import Talk
from tertulia.domain.rooms import fold_room, is_room

KEYS: Final = (
    ("Enter", "Send"),
    ("Ctrl+J, Shift+Enter", "Another line of the message; ``` above and below: code"),
    ("Tab", "Complete a nickname, a #room or a /command; again: the next one"),
    ("↑ in an empty message", "What you wrote last"),
    ("PgUp, PgDn", "Scroll; at the top: what was said before"),
    ("Ctrl+End", "To the latest"),
    ("Alt+↑, Alt+↓; Ctrl+P, Ctrl+N", "To the room before or after"),
    ("F2", "The rooms that you are in"),
    ("F3", "The people here: Enter writes to one in private"),
    ("F4", "Settings"),
    ("F5", "All rooms: come into one, or open it"),
    ("Ctrl+K", "Search what was said"),
    ("Ctrl+C", "Copy what you selected with the mouse"),
    ("Esc", "To everybody again; close what is open"),
    ("F1, ?", "This page; ? outside of a field"),
    ("Ctrl+Q", "Leave"),
)


class ClosedByEsc(ModalScreen[None]):
    """Something that Esc closes."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,ctrl+q", "close", "Close", show=False)]

    def action_close(self) -> None:
        """Close it."""
        self.dismiss(None)


class EntranceDialog(ModalScreen[tuple[str, str] | None]):
    """Who one is: a nickname, and a password where it is an account's. None: not at all."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+q", "cancel", "Leave", show=False),
    ]

    def __init__(
        self, nickname: str, why: str, suggestions: Sequence[str], *, wants_password: bool
    ) -> None:
        super().__init__()
        self._wants_password = wants_password
        self._nickname = nickname
        self._why = why
        self._suggestions = suggestions[:3]

    def compose(self) -> ComposeResult:
        """Make the parts."""
        with VerticalScroll(classes="dialog"):
            yield Static("Come in, take a seat, join the talk.", classes="title")
            yield Static(Content(self._why), id="why", classes="grave" if self._why else "empty")
            yield Static("Your name")
            yield Input(self._nickname, max_length=32, id="nickname")
            yield Static("Password, only if this name has an account")
            yield Input(password=True, id="password")
            with Horizontal(classes="buttons"):
                yield Button("Come in", variant="primary", id="enter")
                yield Button("Leave", id="cancel")
            for number, name in enumerate(self._suggestions):
                yield Button(Content(f"{name} is free"), id=f"suggestion-{number}", compact=True)

    def on_mount(self) -> None:
        """Begin where something is missing."""
        self.query_one("#password" if self._wants_password else "#nickname", Input).focus()

    @on(Input.Submitted)
    @on(Button.Pressed, "#enter")
    def enter(self) -> None:
        """Come in."""
        nickname = self.query_one("#nickname", Input).value.strip()
        if nickname:
            self.dismiss((nickname, self.query_one("#password", Input).value))

    @on(Button.Pressed)
    def suggested(self, event: Button.Pressed) -> None:
        """Take a name that is free."""
        kind, _, number = (event.button.id or "").partition("-")
        if kind == "suggestion":
            self.dismiss((self._suggestions[int(number)], ""))

    @on(Button.Pressed, "#cancel")
    def action_cancel(self) -> None:
        """Go."""
        self.dismiss(None)


class HelpDialog(ClosedByEsc):
    """Keys and commands."""

    def __init__(self, is_moderator: bool) -> None:
        super().__init__()
        self._is_moderator = is_moderator

    def compose(self) -> ComposeResult:
        """Make the parts."""
        commands = [(it.usage, it.help) for it in known_to(self._is_moderator).values()]
        with VerticalScroll(classes="dialog", can_focus=True):
            yield Static("Keys", classes="title")
            yield from map(_explained, KEYS)
            yield Static("Commands, written as a message", classes="title")
            yield from map(_explained, commands)
            yield _explained(("//", "Says what follows, with one slash, and is no command"))
            yield Static("Esc: back to the chat", classes="quiet")


def _explained(told: tuple[str, str]) -> Static:
    what, how = told
    return Static(Content.assemble((what, "bold"), f"  {how}"), classes="entry")


class SettingsDialog(ClosedByEsc):
    """What can be set. It holds at once, and is kept in a file."""

    _THEMES: Final = {"dark": "Dark", "light": "Light", "terminal": "As the terminal has them"}
    _SWITCHES: Final = {
        "times": "Show times",
        "joins": "Show who joins and leaves",
        "sound": "Sound for messages to you",
    }

    def __init__(self, preferences: Preferences, changed: Callable[[], None]) -> None:
        super().__init__()
        self._preferences = preferences
        self._changed = changed

    def compose(self) -> ComposeResult:
        """Make the parts."""
        with Vertical(classes="dialog"):
            yield Static("Settings", classes="title")
            yield OptionList(*self._options(), id="settings")
            yield Static("Enter: choose. Esc: back to the chat", classes="quiet")

    def _options(self) -> list[Option]:
        """Return what can be chosen; a sign says what is, as colours alone would not."""
        given = self._preferences
        colours = [
            Option(Content(f"({'•' if given.theme == name else ' '}) {told}"), name)
            for name, told in self._THEMES.items()
        ]
        switches = [
            Option(Content(f"[{'x' if getattr(given, name) else ' '}] {told}"), name)
            for name, told in self._SWITCHES.items()
        ]
        return [*colours, *switches]

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take what was chosen."""
        chosen = event.option.id or ""
        if chosen in self._THEMES:
            self._preferences.theme = cast(Theme, chosen)
        else:
            setattr(self._preferences, chosen, not getattr(self._preferences, chosen))
        event.option_list.set_options(self._options())
        event.option_list.highlighted = event.option_index
        self._changed()


class RoomsDialog(ModalScreen[str | None]):
    """All rooms that there are: to come into one, or to open one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+q", "close", "Close", show=False),
        Binding("down", "list", "To the list", show=False),
    ]

    def __init__(self, talk: Talk) -> None:
        super().__init__()
        self._talk = talk

    def compose(self) -> ComposeResult:
        """Make the parts."""
        with Vertical(classes="dialog"):
            yield Static("Rooms", classes="title")
            yield Input(placeholder="Name of a room, or a word of its topic", id="sought")
            yield OptionList(id="found")
            yield Static("", id="hint", classes="quiet")

    def on_mount(self) -> None:
        """Show what is known already."""
        self.show()

    @on(Input.Changed)
    def show(self) -> None:
        """Show those that are sought."""
        chat = self._talk.chat
        sought = self.query_one("#sought", Input).value.strip().lower()
        listed = chat.listed
        rooms = [
            it
            for it in listed or ()
            if fold_room(sought) in it.room or (sought and sought in it.topic.lower())
        ]
        found = self.query_one("#found", OptionList)
        options = []
        for it in rooms:
            people = words.count_of(it.members, "person", "people")
            mine = ", you are in" if chat.room(it.room) is not None else ""
            topic = f"  {it.topic}" if it.topic else ""
            name = words.room_name(it.room)
            options.append(
                Option(Content.assemble((name, "bold"), f"  {people}{mine}{topic}"), it.room)
            )
        found.set_options(options)
        name = fold_room(sought)
        hint = "Choose a room, or write a new name to open one."
        if listed is None:
            hint = "Asking which rooms there are…"
        elif sought and not is_room(name):
            hint = (
                "A room’s name has up to 32 letters (without accents), digits and . _ + -, "
                "and begins with a letter or a digit."
            )
        elif sought and all(it.room != name for it in listed):
            hint = f"“{name}” is not there yet: Enter opens it. With an account, it is yours."
        elif not listed:
            hint = "There are no other rooms yet. Write a name to open one."
        self.query_one("#hint", Static).update(Content(hint))

    @on(Input.Submitted)
    def join_written(self) -> None:
        """Come into the room whose name was written."""
        name = fold_room(self.query_one("#sought", Input).value.strip())
        if is_room(name):
            self.dismiss(name)

    @on(OptionList.OptionSelected)
    def join_chosen(self, event: OptionList.OptionSelected) -> None:
        """Come into a room of the list."""
        self.dismiss(event.option.id)

    def action_list(self) -> None:
        """Go from the field to the list."""
        self.query_one("#found", OptionList).focus()

    def action_close(self) -> None:
        """Close it."""
        self.dismiss(None)


class SearchDialog(ModalScreen[LogPlace | None]):
    """Searches what was said in the room that is shown; what is found can be gone to."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+q", "close", "Close", show=False),
        Binding("down", "list", "To the list", show=False),
    ]
    _MORE: Final = "more"

    def __init__(self, talk: Talk, poke: Callable[[], None], text: str) -> None:
        super().__init__()
        self._talk = talk
        self._poke = poke
        self._text = text

    @property
    def _room(self) -> KnownRoom:
        return self._talk.chat.shown

    def compose(self) -> ComposeResult:
        """Make the parts."""
        with Vertical(classes="dialog"):
            yield Static(Content(f"Search in {self._room.written}"), classes="title")
            yield Input(self._text, max_length=256, placeholder="What to search for", id="sought")
            yield OptionList(id="found")
            yield Static("", id="hint", classes="quiet")

    def on_mount(self) -> None:
        """Search at once for what was given."""
        if self._text:
            self.search()
        else:
            self.show()

    @on(Input.Submitted)
    def search(self) -> None:
        """Search for what stands in the field."""
        self._talk.search(self.query_one("#sought", Input).value.strip())
        self._poke()
        self.show()

    def show(self) -> None:
        """Show what was found until now."""
        back = self._room.back
        search = back.search
        found = self.query_one("#found", OptionList)
        options = []
        for it in reversed(search.messages if search is not None else []):
            text = words.REDACTED if it.redacted else it.text.replace("\n", " ⏎ ")
            shown = text if is_visible(text) else words.BLANK
            head = f"{words.moment(it.at)} {it.nickname}: "
            place = f"{it.offset}.{it.index}"
            options.append(Option(Content.assemble((head, "bold"), shown), place))
        if search is not None and not search.is_over and not back.is_searching:
            options.append(Option("Search further back", self._MORE))
        found.set_options(options)
        if options:
            found.highlighted = 0
        self.query_one("#hint", Static).update(self._hint())

    def _hint(self) -> str:
        back = self._room.back
        if not back.is_told:
            return "This service does not tell what was said before."
        if back.search is None:
            return "Searches what was said to everybody. Private messages are not searched."
        if back.is_searching:
            return "Searching…"
        count = len(back.search.messages)
        if not count:
            return "Nothing was found."
        return f"{words.count_of(count, 'message')} found, the latest first."

    @on(OptionList.OptionSelected)
    def chosen(self, event: OptionList.OptionSelected) -> None:
        """Go to a message, or search on."""
        if event.option.id == self._MORE:
            self._talk.search_on()
            self._poke()
            self.show()
            return
        offset, _, index = (event.option.id or "").partition(".")
        self.dismiss(LogPlace(int(offset), int(index)))

    def action_list(self) -> None:
        """Go from the field to the list."""
        self.query_one("#found", OptionList).focus()

    def action_close(self) -> None:
        """Close it, and search no more."""
        self._talk.search("")
        self.dismiss(None)
