"""The dialect ``chatte``: numeric codes, one line each way. Source: the protocol page chatte.

entering ──nickname──▶ active (200)
    └────refused─────▶ closed (201, 202)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from tertulia.dialects.contract import Refusal, Welcome, Wording
from tertulia.dialects.lines import Lines, TooLong
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
    Said,
    Whispered,
)
from tertulia.domain.position import Position
from tertulia.domain.text import TRANSLITERATED, decode, encode

_SENT = b"101 Message sent.\n"
_WELCOME = b"200 Welcome to the chatte.\n"
_INVALID = b"666 Invalid command. Ignoring.\n"
_MALFORMED = Faulty(Fault.MALFORMED)
_NO_NICKNAME = Enter("")


class ChatteDecoder(Lines):
    """One connection's incoming half."""

    __slots__ = ("_entering",)

    def __init__(self) -> None:
        super().__init__()
        self._entering = True

    def next_command(self) -> Command | None:
        try:
            line = self.next_line()
        except TooLong:
            return _NO_NICKNAME if self._entering else Faulty(Fault.TOO_LONG)
        if line is None:
            return None
        if self._entering:
            return _enter(line)
        # "Sending": any line that begins with 101 is an acknowledgement.
        verb = _VERBS.get(line[:4])
        if verb is not None:
            return verb(line[4:])
        return Acknowledge(1) if line.startswith(b"101") else _MALFORMED

    def entered(self) -> None:
        self._entering = False

    def refused(self) -> None:
        """Change nothing: the connection closes ("Entering", 2)."""


def _enter(line: bytes) -> Command:
    # A nickname is not cleaned as texts are: a control in it makes it malformed, not another nickname.
    nickname, colon, password = line.partition(b":")
    return Enter(nickname.decode("latin-1"), decode(password) if colon else None)


def _say(rest: bytes) -> Command:
    return Say(decode(rest))


def _whisper(rest: bytes) -> Command:
    recipient, _, raw = rest.partition(b" ")
    text = decode(raw)
    if not recipient or not text:  # "102 NICK without text"; an empty text is valid only after 100
        return _MALFORMED
    return Whisper(recipient.decode("latin-1"), text)


_VERBS: dict[bytes, Callable[[bytes], Command]] = {b"100 ": _say, b"102 ": _whisper}


@dataclass(frozen=True, slots=True)
class ChatteEncoder:
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

    encoding: str = "utf-8"
    wording: Wording = "page"

    def decoder(self) -> ChatteDecoder:
        return ChatteDecoder()

    def greeting(self) -> bytes:
        return b"0 Hello, nickname please.\n"

    def welcome(self, welcome: Welcome) -> bytes:
        if self.wording == "page":
            return _WELCOME
        # "sends 150 to the newcomer as well, and its client shows nothing for 200"
        return _WELCOME + self._came(welcome.nickname)

    def refusal(self, refusal: Refusal, subject: str = "", tag: int = 0) -> bytes:
        return _REFUSALS[refusal]

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
                return self._line(f"100 {nickname} {text}")
            case Joined(nickname=nickname) | Present(nickname=nickname):
                return self._came(nickname)
            case Left(nickname=nickname):
                return self._line(f"151 {nickname} just left the chat")
            case Closed():
                return self._notice("The chat was closed by its administrator.")

    def private(self, event: PrivateEvent, at: float) -> bytes:
        if isinstance(event, Whispered):
            return self._line(f"102 {event.sender} {event.text}")
        return self._notice(f"Your message to {event.recipient} was not delivered: {event.text}")

    def promoted(self) -> bytes:
        return b""

    def batch(self, pieces: Sequence[bytes], position: Position) -> bytes:
        return b"".join(pieces)

    def slowed(self) -> bytes:
        return self._notice(
            "You write too fast: what you write is passed on more slowly, all of it."
        )

    def missed(self, position: Position) -> bytes:
        return self._notice("Some of what was said is missing here.")

    def farewell(self, reason: Disconnect, words: str = "") -> bytes:
        what = _FAREWELLS.get(reason)
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
_REFUSALS = {
    Refusal.INVALID_NICKNAME: b"201 Invalid nickname. Please try again. Bye.\n",
    Refusal.BANNED: b"201 Invalid nickname. Please try again. Bye.\n",
    Refusal.NICKNAME_TAKEN: b"202 Nickname already in use. Please try with another one. Bye.\n",
    Refusal.UNKNOWN_RECIPIENT: b"203 Invalid destinatary. Verify the nickname.\n",
    Refusal.MAILBOX_FULL: b"203 Invalid destinatary. Verify the nickname.\n",
    Refusal.FORBIDDEN: b"203 Invalid destinatary. Verify the nickname.\n",
}
