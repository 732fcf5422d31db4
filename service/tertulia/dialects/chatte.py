"""The dialect ``chatte``: numeric codes, one line each way. Source: docs/protocols/chatte.md.

entering ──nickname──▶ active (200)
    └────refused─────▶ closed (201, 202)
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from tertulia.dialects import moderation
from tertulia.dialects.account_words import asked, told
from tertulia.dialects.contract import (
    AccountAnswer,
    Refusal,
    Restraint,
    Welcome,
    Wording,
)
from tertulia.dialects.lines import (
    ROOM_MARK,
    LineEncoder,
    Lines,
    TooLong,
    entering,
    further_room,
)
from tertulia.domain import nicknames
from tertulia.domain.commands import Acknowledge, Command, Enter, Fault, Faulty, Say, Whisper
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.events import (
    Closed,
    Joined,
    Left,
    Present,
    PrivateEvent,
    PublicEvent,
    Registered,
    Said,
    Tagged,
    WentAway,
    Whispered,
    Withdrawn,
)
from tertulia.domain.moderation import Standing
from tertulia.domain.position import Position
from tertulia.domain.text import LINE_END, TRANSLITERATED, decode, encode

_SENT = b"101 Message sent.\n"
_WELCOME = b"200 Welcome to the chatte.\n"
_INVALID = b"666 Invalid command. Ignoring.\n"
_MALFORMED = Faulty(Fault.MALFORMED)
_NO_NICKNAME = Enter("")
_SERVER = (b"G", b"g")
_SAY, _WHISPER = b"100 ", b"102 "


class ChatteDecoder(Lines):
    """One connection's incoming half."""

    __slots__ = ("_entering", "_room")

    def __init__(self) -> None:
        super().__init__()
        self._entering = True
        self._room = ""
        """Where what is said to everybody goes: the room that was named on entering."""

    def next_command(self) -> Command | None:
        try:
            line = self.next_line()
        except TooLong:
            return _NO_NICKNAME if self._entering else Faulty(Fault.TOO_LONG)
        if line is None:
            return None
        if self._entering:
            command = entering(line)
            self._room = command.room
            return command
        if line.startswith(_WHISPER):
            return _whisper(line)
        if line.startswith(_SAY):
            return Say(decode(line[4:]), 0, self._room)
        # "Sending": any line that begins with 101 is an acknowledgement.
        return Acknowledge(1) if line.startswith(b"101") else _MALFORMED

    def entered(self) -> None:
        self._entering = False

    def refused(self) -> None:
        """Change nothing: the connection closes ("Entering", 2)."""


def _whisper(line: bytes) -> Command:
    recipient, _, raw = line[4:].partition(b" ")
    text = decode(raw)
    if not recipient or not text:  # "102 NICK without text"; an empty text is valid only after 100
        return _MALFORMED
    if recipient in _SERVER and (command := asked(text)):
        return command
    if recipient.startswith(ROOM_MARK) and (other := further_room(recipient)) is not None:
        return Say(text, 0, other)
    return Whisper(recipient.decode("latin-1"), text)


@dataclass(frozen=True, slots=True)
class ChatteEncoder(LineEncoder):
    """The words of ``chatte``: those of the page, or also those that only the author's program has."""

    name: ClassVar[str] = "chatte"
    default_port: ClassVar[int] = 1234
    echoes: ClassVar[bool] = True
    retries: ClassVar[bool] = False
    resumes: ClassVar[bool] = False
    keeps: ClassVar[bool] = False
    acknowledges_all: ClassVar[bool] = True
    acknowledgement: ClassVar[bytes | None] = b"101 Message received.\n"

    deaf_seconds: ClassVar[float] = 0.0
    suggests: ClassVar[bool] = False

    encoding: str = "utf-8"
    wording: Wording = "page"
    history: int = 0
    room: str = ""

    def in_room(self, room: str) -> "ChatteEncoder":
        return replace(self, room=room)

    def decoder(self) -> ChatteDecoder:
        return ChatteDecoder()

    def greeting(self) -> bytes:
        return b"0 Hello, nickname please.\n"

    def welcome(self, welcome: Welcome) -> bytes:
        if self.wording == "page":
            return _WELCOME
        # "sends 150 to the newcomer as well, and its client shows nothing for 200"
        return _WELCOME + self._came(welcome.nickname)

    def standing(self, standing: Standing) -> Sequence[bytes]:
        return list(map(self._notice, moderation.standing_in_english(standing)))

    def restrained(self, restraint: Restraint, tag: int) -> bytes:
        return self._notice(moderation.why_in_english(restraint))

    def refusal(self, refusal: Refusal, subject: str = "", tag: int = 0, until: int = 0) -> bytes:
        return _REFUSALS[refusal]

    def taken(self, suggestions: Sequence[str]) -> bytes:
        return _REFUSALS[Refusal.NICKNAME_TAKEN]

    def heard(self) -> bytes:
        return _SENT  # it was a private message, to the server

    def account(self, answer: AccountAnswer) -> Sequence[bytes]:
        return [self._notice(line) for line in told(answer, "en", rooms=_ROOMS)]

    def fault(self, faulty: Faulty) -> bytes:
        if self.wording == "classic" and faulty.fault is Fault.TOO_LONG:
            return _INVALID + self._notice("Your line was too long.")  # that client shows no 666
        return _INVALID

    def sent(self, tag: int) -> bytes:
        return _SENT

    def kept(self, recipient: str, tag: int) -> bytes:
        return _SENT

    def public(self, event: PublicEvent) -> bytes:
        match event:
            case Said(nickname=nickname, text=text):
                if LINE_END in text:
                    return self._lines(f"100 {nickname} ", text)
                return self._line(f"100 {nickname} {text}")
            case Joined(nickname=nickname) | Present(nickname=nickname):
                return self._came(nickname)
            case Left(nickname=nickname):
                return self._line(f"151 {nickname} just left the chat")
            case Closed():
                return self._notice("The chat was closed by its administrator.")
            case Withdrawn(nickname=nickname):
                return self._line(f"100 {nickname} [withdrawn by a moderator]")
            case WentAway() | Registered() | Tagged():
                return b""
            case _:
                return self._notice(moderation.english(event))

    def private(self, event: PrivateEvent, at: float) -> bytes:
        if isinstance(event, Whispered):
            text = event.text
            if LINE_END in text:
                return self._lines(f"102 {event.sender} ", text)
            if self.encoding == "utf-8":  # as ``_line``: a call less for each private message
                return f"102 {event.sender} {text}\n".encode("utf-8", TRANSLITERATED)
            return self._line(f"102 {event.sender} {text}")
        told = f"Your message to {event.recipient} was not delivered: {event.text}"
        return self._lines(f"102 {nicknames.SERVER} ", told)

    def promoted(self) -> bytes:
        return b""

    def slowed(self) -> bytes:
        return self._notice(
            "You write too fast: what you write is passed on more slowly, all of it."
        )

    def missed(self, position: Position) -> bytes:
        return self._notice("Some of what was said is missing here.")

    def farewell(self, reason: Disconnect, words: str = "", until: int = 0) -> bytes:
        if reason is Disconnect.ROOM_FULL:
            return _NOT_ENTERED  # it is the answer to the nickname
        what = _FAREWELLS.get(reason)
        if self.room and reason is Disconnect.KICKED:
            what = f"You were removed from the room #{self.room}"
        if what is None:
            return b""
        return self._notice(f"{what}: {words}" if words else f"{what}.")

    def _came(self, nickname: str) -> bytes:
        return self._line(f"150 {nickname} just join to the chat")

    def _notice(self, text: str) -> bytes:
        return self._line(f"102 {nicknames.SERVER} {text}")

    def _line(self, text: str) -> bytes:
        if self.encoding == "utf-8":  # the short way: it saves a call for every message
            return text.encode("utf-8", TRANSLITERATED) + b"\n"
        return encode(text, self.encoding) + b"\n"


_ROOMS = (
    "There are further rooms: enter as {name}@ROOM to be shown one; 102 #ROOM TEXT is said there, "
    "if it lets outsiders speak"
)
_RESTARTS = "The server restarts. Please come back in a moment"
_FAREWELLS = {
    Disconnect.DRAINED: _RESTARTS,
    Disconnect.FENCED: _RESTARTS,
    Disconnect.INTERNAL: "The server met an error. Please come back in a moment",
    Disconnect.DISPLACED: "Your nickname went to another connection",
    Disconnect.LONG_LINES: "Too many of your lines were too long",
    Disconnect.KICKED: "You were removed from the chat",
    Disconnect.BANNED: "You are banned from the chat",
}
_NOT_ENTERED = b"201 Invalid nickname. Please try again. Bye.\n"
_REFUSALS = {
    Refusal.INVALID_NICKNAME: _NOT_ENTERED,
    Refusal.BANNED: _NOT_ENTERED,
    Refusal.NICKNAME_TAKEN: b"202 Nickname already in use. Please try with another one. Bye.\n",
    Refusal.NOT_SIGNED_IN: b"202 Nickname already in use. Please try with another one. Bye.\n",
    Refusal.NO_ACCOUNT: b"202 Nickname already in use. Please try with another one. Bye.\n",
    Refusal.UNKNOWN_RECIPIENT: b"203 Invalid destinatary. Verify the nickname.\n",
    Refusal.MAILBOX_FULL: b"203 Invalid destinatary. Verify the nickname.\n",
    Refusal.FORBIDDEN: b"203 Invalid destinatary. Verify the nickname.\n",
}
