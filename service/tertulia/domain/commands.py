"""What a client can ask for, in words that all dialects share.

Where a command has a ``room``, it is meant for that one: a folded name, which may be no room's, or empty
for the lobby. These are msgspec structs, as one is made for every line: a frozen dataclass takes six times
as long.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, ClassVar, Final

import msgspec

from tertulia.domain.moderation import Moderation
from tertulia.domain.past import PastMessage, Place
from tertulia.domain.rooms import RoomPlace

MOST_ABOUT: Final = 150
"""Bytes in what a client says of who it is."""


class Fault(StrEnum):
    """What was wrong with something that a client sent."""

    MALFORMED = "malformed"
    """Not a command of the dialect; the session goes on."""
    TOO_LONG = "too_long"
    """A line longer than the bound: refused as a whole, its rest skipped. Too many end the connection."""


class Resume(msgspec.Struct, frozen=True):
    """What a client that lost its connection sends: the proof of who it was, and how far it read."""

    token: str
    epoch: str
    offset: int


class Enter(msgspec.Struct, frozen=True):
    """Enter under a nickname, with the password where the nickname is an account's."""

    nickname: str
    password: str | None = None
    resume: Resume | None = None
    id_token: str | None = None
    """An issuer's word for who the client is: it has the nickname, too."""
    room: str = ""
    """The one room that the client is to be shown, in dialects that show one; empty: the lobby."""
    rooms: dict[str, RoomPlace] = {}
    """The further rooms that it goes on in, where a dialect shows several, and how far it has read there."""
    shows_lobby: bool = True
    """Whether the client is shown the lobby, where a dialect shows several rooms."""
    about: str = ""
    """Who the client says to be: a user name, a space, a real name; at most ``MOST_ABOUT`` bytes. Empty in
    dialects in which nobody says so."""


class ProveAccount(msgspec.Struct, frozen=True):
    """Prove to be an account, before entering under its nickname."""

    nickname: str
    password: str


class Say(msgspec.Struct, frozen=True):
    """Tell everybody in a room. ``tag`` is the client's number for the message; 0 where it gives none."""

    text: str
    tag: int = 0
    room: str = ""
    is_notice: bool = False
    """Whether no program is to answer it; a mark for readers alone."""
    tags: str = ""
    """As in ``Said``; without a text it is ``Tagged``."""
    splits: tuple[int, ...] = ()
    """As in ``Said``."""


class Whisper(msgspec.Struct, frozen=True):
    """Tell one user. The nickname is as the client wrote it and may be nobody's."""

    recipient: str
    text: str
    tag: int = 0
    is_notice: bool = False
    """As in ``Say``."""
    tags: str = ""
    """As in ``Say``."""
    splits: tuple[int, ...] = ()
    """As in ``Say``."""


class Acknowledge(msgspec.Struct, frozen=True):
    """Confirm that so many messages were received."""

    count: int


class Ready(msgspec.Struct, frozen=True):
    """Say that the client can read from now on: old clients are deaf for a moment after the welcome."""


class Ping(msgspec.Struct, frozen=True):
    """Ask whether the service is there."""


class Leave(msgspec.Struct, frozen=True):
    """Leave, in order. ``words``: what one says to that, 390 bytes at most, in dialects in which one can."""

    words: str = ""


class JoinRoom(msgspec.Struct, frozen=True):
    """Come into a further room, or go on in it from a place."""

    room: str
    resume: RoomPlace | None = None


class PartRoom(msgspec.Struct, frozen=True):
    """Leave a further room; with words as in ``Leave``."""

    room: str
    words: str = ""


class ShowLobby(msgspec.Struct, frozen=True):
    """Be shown the lobby again."""

    is_long: ClassVar[bool] = True


class HideLobby(msgspec.Struct, frozen=True):
    """Be shown the lobby no more; the session stays in the chat, and nobody else reads the words."""

    words: str = ""


class ListRooms(msgspec.Struct, frozen=True):
    """Ask which further rooms there are."""


class CloseChat(msgspec.Struct, frozen=True):
    """Close the whole chat; only its administrator may."""


class Moderate(msgspec.Struct, frozen=True):
    """Moderate a room; only a moderator may."""

    act: Moderation
    room: str = ""
    tag: int = 0
    """The client's number for it; 0 where it gives none."""
    epoch: str = ""
    """Of a redaction: the epoch of the message's place; empty where the client gives none."""
    is_of_present: bool = False
    """Whether it is about somebody who is in the room: an account of that name elsewhere is not meant."""


class LookBack(msgspec.Struct, frozen=True):
    """Read what was said before a place in a room's log."""

    before: int
    index: int = 0
    room: str = ""


class Search(msgspec.Struct, frozen=True):
    """Find a text in what was said, before a place in a room's log or, without one, up to now."""

    text: str
    before: int | None = None
    index: int = 0
    room: str = ""


class Excerpt(msgspec.Struct, frozen=True):
    """Read a part of what was said in a room: at most so many messages between two places."""

    told: Callable[[Sequence[PastMessage]], bytes]
    """Renders the answer; the messages are given the oldest first."""
    most: int
    room: str = ""
    after: Place | float | None = None
    """Only what was said after that message, or after that time: seconds since 1970."""
    before: Place | float | None = None
    """Only what was said before it."""
    around: Place | float | None = None
    """In place of both: what was said at that place or time, and as much before it as after it."""
    from_start: bool = False
    """Whether it is the first ones of those that are read, or the last ones."""
    epoch: str = ""
    """The epoch of the places; in another one there is nothing. Empty where there are only times."""


class ReadReply(msgspec.Struct, frozen=True):
    """Read what the dialect itself answers, behind the answers to earlier commands."""

    text: bytes


class Ask(msgspec.Struct, frozen=True):
    """Ask who is there, and what holds there; answered from what the node knows when its turn comes."""

    told: Callable[[Any], bytes]
    """Renders the answer from a ``Knowledge`` (dialects/contract.py)."""
    is_long: bool = True
    """Whether the answer may have a line for each person in the chat."""
    at_once: bool = False
    """Whether it is asked now, whatever is not answered yet: what follows it depends on that."""


class ChangeVoice(msgspec.Struct, frozen=True):
    """Listen to what ``Replies.encoder`` is now: the client has chosen another way to be told."""


class SetAway(msgspec.Struct, frozen=True):
    """Say that one is away, in one's own words, or back: an empty text."""

    text: str
    tag: int = 0


class Register(msgspec.Struct, frozen=True):
    """Make the nickname an account, with this password; with an invitation's code where one is needed."""

    password: str
    invitation: str = ""


class RegisterEarly(msgspec.Struct, frozen=True):
    """Make an account before entering, and prove with that to be it; else as ``Register``."""

    nickname: str
    password: str
    invitation: str = ""


class ChangePassword(msgspec.Struct, frozen=True):
    """Give the own account another password."""

    old: str
    new: str


class LogOutEverywhere(msgspec.Struct, frozen=True):
    """End the account's other logins: devices, and pages that could resume."""


class DeleteAccount(msgspec.Struct, frozen=True):
    """Delete the own account."""

    password: str


class ExplainAccounts(msgspec.Struct, frozen=True):
    """Ask what can be done with accounts."""


class Faulty(msgspec.Struct, frozen=True):
    """Something that is no command. Its text is deliberately not kept."""

    fault: Fault
    explanation: str = ""
    """What was wrong, for the client, in dialects that say so; nothing that it sent."""
    tag: int = 0
    """The client's number, where it was to be a message."""
    room: str = ""


AccountCommand = Register | ChangePassword | LogOutEverywhere | DeleteAccount | ExplainAccounts
"""What somebody in the room asks for about the account of their nickname."""

Command = (
    Enter
    | ProveAccount
    | RegisterEarly
    | ReadReply
    | Ask
    | ChangeVoice
    | SetAway
    | Excerpt
    | ShowLobby
    | HideLobby
    | Say
    | Whisper
    | Acknowledge
    | Ready
    | Ping
    | Leave
    | JoinRoom
    | PartRoom
    | ListRooms
    | CloseChat
    | LookBack
    | Search
    | Moderate
    | AccountCommand
    | Faulty
)
