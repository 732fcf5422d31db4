"""The lists beside the log: the rooms that one is in, and who is in the one that is shown."""

from typing import Final

from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tertulia.clients.chat.known_chat import KnownChat
from tertulia.clients.chat.known_room import KnownRoom
from tertulia.clients.chat.words import count_of
from tertulia.domain.nicknames import fold

MOST_PEOPLE: Final = 300
"""Names in the list; the others are counted."""
_MOST_COUNTED: Final = 99
_PREFIX: Final = "room-"


class RoomList(OptionList):
    """The rooms that one is in, with what is unread in each."""

    def __init__(self) -> None:
        super().__init__(id="rooms")
        self.border_title = "Rooms"

    def show(self, chat: KnownChat) -> None:
        """Show them as they are now."""
        rooms = chat.rooms
        self.set_options(Option(_room_words(it, chat.shown), f"{_PREFIX}{it.name}") for it in rooms)
        self.highlighted = rooms.index(chat.shown)

    @staticmethod
    def name_of(option: Option) -> str:
        """Return the name of the room that an option stands for."""
        return (option.id or _PREFIX).removeprefix(_PREFIX)


class PeopleList(OptionList):
    """Who is in the room, oldest first."""

    def __init__(self) -> None:
        super().__init__(id="people")

    def show(self, chat: KnownChat, at: int) -> None:
        """Show them as they are now."""
        room = chat.shown
        people = list(room.people.values())
        highlighted = self.highlighted
        self.border_title = count_of(len(people), "person", "people")
        self.set_options(
            Option(Content(_person_words(it, chat, at)), fold(it)) for it in people[:MOST_PEOPLE]
        )
        if len(people) > MOST_PEOPLE:
            self.add_option(Option(f"and {len(people) - MOST_PEOPLE} more", disabled=True))
        if highlighted is not None and self.option_count:
            self.highlighted = min(highlighted, self.option_count - 1)


def _room_words(room: KnownRoom, shown: KnownRoom) -> Content:
    words = f"{'▸' if room is shown else ' '} {room.written}"
    if room.unread:
        words += f" {room.unread if room.unread <= _MOST_COUNTED else f'{_MOST_COUNTED}+'}"
    if room.calls:
        words += f" @{min(room.calls, _MOST_COUNTED)}"
    content = Content(words)
    return content.stylize("bold") if room.unread else content


def _person_words(nickname: str, chat: KnownChat, at: int) -> str:
    room = chat.shown
    is_first = not room.name and fold(nickname) == next(iter(room.people), "")
    tags = [
        "you" if chat.oneself.is_called(nickname) else "",
        "admin" if is_first else "",
        "owner" if room.rules.owner and fold(room.rules.owner) == fold(nickname) else "",
        "moderator" if room.rules.moderates(nickname) else "",
        "muted" if room.rules.is_muted(nickname, at) else "",
    ]
    told = ", ".join(filter(None, tags))
    return f"{nickname} ({told})" if told else nickname
