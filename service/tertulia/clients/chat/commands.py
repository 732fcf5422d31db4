"""What can be done by writing: ``/msg anna …``, and so on. The page has the same words, and fewer of them.

What only a moderator can do are the actions of ``moderate`` in docs/protocols/browser.md.
"""

from dataclasses import dataclass
from typing import Final

ON_OFF: Final = {"on": True, "off": False}


@dataclass(frozen=True, slots=True)
class WrittenCommand:
    """A command: how it is written, and what it does."""

    usage: str
    help: str
    takes_name: bool = False
    """Whether it begins with somebody's nickname."""
    is_moderators: bool = False
    """Whether only moderators can do it."""


COMMANDS: Final = {
    "/msg": WrittenCommand(
        "/msg NAME TEXT",
        "Write to one person in private. Without a text: go on writing to them. /msg G: to everybody again.",
        takes_name=True,
    ),
    "/me": WrittenCommand("/me TEXT", "Say what you do: * anna waves"),
    "/nick": WrittenCommand("/nick NAME", "Come in under another name."),
    "/join": WrittenCommand(
        "/join #ROOM", "Come into a room, or go to it. One that does not exist yet is opened."
    ),
    "/part": WrittenCommand("/part #ROOM", "Leave a room; without a name, this one."),
    "/lobby": WrittenCommand("/lobby", "Go to the lobby."),
    "/rooms": WrittenCommand("/rooms", "Show which rooms there are."),
    "/people": WrittenCommand("/people", "Show who is here."),
    "/account": WrittenCommand(
        "/account", "Make your nickname an account, change its password, or delete it."
    ),
    "/topic": WrittenCommand("/topic TEXT", "A moderator: set the room’s topic."),
    "/search": WrittenCommand("/search TEXT", "Search what was said."),
    "/leave": WrittenCommand("/leave", "Leave the chat."),
    "/close": WrittenCommand(
        "/close yes", "The administrator: close the whole chat. Everybody goes then."
    ),
    "/mute": WrittenCommand(
        "/mute NAME [10m] [REASON]",
        "Let somebody say nothing here, for a time or for good.",
        takes_name=True,
        is_moderators=True,
    ),
    "/unmute": WrittenCommand(
        "/unmute NAME", "Let somebody speak again.", takes_name=True, is_moderators=True
    ),
    "/kick": WrittenCommand(
        "/kick NAME [REASON]",
        "Remove somebody from the room.",
        takes_name=True,
        is_moderators=True,
    ),
    "/redact": WrittenCommand(
        "/redact NAME",
        "Withdraw the last message of somebody that you see here.",
        takes_name=True,
        is_moderators=True,
    ),
    "/slow": WrittenCommand(
        "/slow SECONDS", "One message each in so many seconds; 0: no slow mode.", is_moderators=True
    ),
    "/accounts-only": WrittenCommand(
        "/accounts-only on|off", "Only people with an account may speak.", is_moderators=True
    ),
    "/appoint": WrittenCommand(
        "/appoint NAME",
        "The room’s owner: make somebody a moderator.",
        takes_name=True,
        is_moderators=True,
    ),
    "/dismiss": WrittenCommand(
        "/dismiss NAME",
        "The room’s owner: no moderator any more.",
        takes_name=True,
        is_moderators=True,
    ),
    "/outsiders": WrittenCommand(
        "/outsiders on|off",
        "The room’s owner: people who are not in the room may speak here.",
        is_moderators=True,
    ),
    "/help": WrittenCommand("/help", "Show this."),
}
"""By word, with its slash."""

ALIASES: Final = {
    "/query": "/msg",
    "/tell": "/msg",
    "/to": "/msg",
    "/w": "/msg",
    "/whisper": "/msg",
    "/find": "/search",
    "/j": "/join",
    "/list": "/rooms",
    "/exit": "/leave",
    "/quit": "/leave",
    "/?": "/help",
}
"""Other words for them, as people know them from elsewhere."""


def known_to(is_moderator: bool) -> dict[str, WrittenCommand]:
    """Return the commands that somebody has a use for."""
    return {
        word: command
        for word, command in COMMANDS.items()
        if is_moderator or not command.is_moderators
    }
