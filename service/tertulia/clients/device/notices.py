"""What the program says by itself about a chat, in English."""

from collections.abc import Sequence

from tertulia.clients.device.effects import (
    Came,
    Parting,
    PartnerSaid,
    SharesAddress,
    Slowed,
    TurnedAway,
    Went,
)
from tertulia.clients.device.hearing import MAX_HEARD
from tertulia.clients.device.operations import HangingMessage
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
What you wrote is marked * until it is delivered, then **. Whom you chat with learns your network
address. Without a password, signup and in ask for it. Ctrl-C, or Ctrl-D on an empty line: leave, log
out and end."""
ADDRESS = """A chat goes directly from device to device: whom you chat with learns your network address,
and so does everybody who is added. Depending on the service, whoever enters a chat with you learns
it, too."""
MARKS = """What you wrote has a mark: with * it waits with the service until it is read, with ** it was
delivered."""
SHOWN_ONLINE = 100
"""Names that are listed; all others can be typed as well."""
_PARTED = {
    Parting.LEFT: "{} left the chat.",
    Parting.BROKE: "{} is gone: the connection broke.",
    Parting.GARBLED: "{} was dropped: it sent what no device sends.",
    Parting.SILENT: "{} was dropped: it did not say in time who it is.",
    Parting.UNREACHABLE: "{} could not be reached, and reads nothing of what you write.",
    Parting.UNPLACED: "{}'s device can't be told from a stranger's: {why}.",
    Parting.TOO_MUCH: f"{{}} was dropped: it said more than {MAX_HEARD >> 20} MiB in this chat.",
    Parting.DEAF: "{} was dropped: its device does not read what you write.",
}
_TURNED_AWAY = {
    Parting.GARBLED: "it sent what no device sends",
    Parting.SILENT: "it did not say in time who it is",
    Parting.UNPLACED: "{why}",
    Parting.ELSEWHERE: "the service says that {name}'s device is at {why}",
    Parting.OFTEN: "it comes and goes too often",
    Parting.CROWD: "too many connections come",
    Parting.FULL: "the chat is full",
}


def waiting(partner: str) -> str:
    """Say what becomes of what is typed while the partner is not in the chat."""
    return f"{partner} is not in this chat: your messages wait for it. \\q leaves."


def came(effect: Came) -> str:
    """Say that the partner is in the chat."""
    if effect.again:
        return _again(effect)
    group = ", in a group" if effect.group else ""
    return f"{effect.name} is here{group}: you talk directly now. \\q leaves."


def told(effect: Came | Went | TurnedAway | SharesAddress | Slowed | PartnerSaid) -> str:
    """Say what happened, other than messages and files."""
    match effect:
        case Came(again=True):
            return _again(effect)
        case Came(name=name):
            return f"{name} is in the chat."
        case Went(name=name, parting=parting, why=why):
            return _PARTED[parting].format(name, why=why)
        case TurnedAway():
            return _turned_away(effect)
        case SharesAddress(name=name, host=host):
            return (
                f"Somebody else dialled from {name}'s address, {host}. Where several people share one, "
                f"nothing tells which of them is {name}: ask what only {name} knows."
            )
        case Slowed(name=name):
            return f"{name} says a lot at once: you will read it bit by bit."
        case PartnerSaid(name=name, event=AddsSomebody()):
            return f"{name} is adding somebody."
        case PartnerSaid(name=name):
            return f"{name} wanted to share a file and could not."


def _again(effect: Came) -> str:
    return f"{effect.name} has come again; the connection that it had is closed."


def _turned_away(effect: TurnedAway) -> str:
    as_whom = f", as {effect.name}," if effect.name else ""
    why = _TURNED_AWAY[effect.parting].format(name=effect.name, why=effect.why)
    last = " No more of them are told in this chat." if effect.is_last else ""
    return f"Somebody at {effect.host} dialled{as_whom} and was hung up on: {why}.{last}"


def over(partner: str, *, came: bool) -> str:
    """Say that the chat has ended by itself."""
    if came:
        return "Nobody is left: the chat is over."
    return f"{partner}'s device does not answer: the chat is over."


def online(names: Sequence[str]) -> str:
    """Say who is online, in a line that a person can read."""
    more = f", and {len(names) - SHOWN_ONLINE} more" if len(names) > SHOWN_ONLINE else ""
    return f"Online: {', '.join(names[:SHOWN_ONLINE])}{more}"


def hanging(entry: HangingMessage) -> str:
    """Say that messages wait."""
    if not entry.count:
        return entry.sender
    messages = "message" if entry.count == 1 else "messages"
    return f"{entry.sender}: {entry.count} {messages}, {entry.when}"
