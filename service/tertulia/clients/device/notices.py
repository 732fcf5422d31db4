"""What the program says by itself about a chat, in English."""

from tertulia.clients.device.effects import Came, Parting, Said, Went
from tertulia.clients.device.operations import Hanging
from tertulia.clients.device.peer import AddsSomebody

HELP = r"""signup NAME PASSWORD   make an account and log in
in NAME PASSWORD       log in
hanging                who left you messages
show NAME              read what NAME left you
chat NAME              chat with NAME; who is not there reads it later
out                    log out
help                   this text
In a chat every line is a message, but for:
\q          leave the chat
\u          add somebody, chosen from who is online
\a NAME     add NAME
share FILE  send a file of at most 65535 bytes to all who are here
What you wrote is marked * until it is delivered, then **. Without a password, signup and in ask for
it. Ctrl-C, or Ctrl-D on an empty line: leave, log out and end."""

_PARTED = {
    Parting.LEFT: "{} left the chat.",
    Parting.BROKE: "{} is gone: the connection broke.",
    Parting.GARBLED: "{} was dropped: it sent what no device sends.",
    Parting.SILENT: "{} was dropped: it did not say in time who it is.",
    Parting.UNREACHABLE: "{} could not be reached, and reads nothing of what you write.",
    Parting.FULL: "{} was sent away: the chat is full.",
}


def waiting(partner: str) -> str:
    """Say what becomes of what is typed while the partner is not in the chat."""
    return f"{partner} is not in this chat: your messages wait for it. \\q leaves."


def came(effect: Came) -> str:
    """Say that the partner is in the chat."""
    group = ", in a group" if effect.group else ""
    return f"{effect.name} is here{group}: you talk directly now. \\q leaves."


def told(effect: Came | Went | Said) -> str:
    """Say what happened, other than messages and files."""
    match effect:
        case Came(name=name):
            return f"{name} is in the chat."
        case Went(name=name, parting=parting):
            return _PARTED[parting].format(name or "Somebody unknown")
        case Said(name=name, event=AddsSomebody()):
            return f"{name} is adding somebody."
        case Said(name=name):
            return f"{name} wanted to share a file and could not."


def over(partner: str, *, came: bool) -> str:
    """Say that the chat has ended by itself."""
    if came:
        return "Nobody is left: the chat is over."
    return f"{partner}'s device does not answer: the chat is over."


def hanging(entry: Hanging) -> str:
    """Say that messages wait."""
    if not entry.count:
        return entry.sender
    messages = "message" if entry.count == 1 else "messages"
    return f"{entry.sender}: {entry.count} {messages}, {entry.when}"
