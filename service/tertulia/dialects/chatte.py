"""The dialect ``chatte``: numeric codes, one line each way. Source: the protocol page chatte.

entering ──nickname──▶ active (200)
    └────refused─────▶ closed (201, 202)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from tertulia.dialects.contract import Place, Refusal, Welcome
from tertulia.dialects.lines import Lines, TooLong
from tertulia.domain import nicknames
from tertulia.domain.commands import Acknowledge, Command, Enter, Fault, Faulty, Say, Whisper
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
from tertulia.domain.text import decode

_SENT = b"101 Message sent.\n"
_MALFORMED = Faulty(Fault.MALFORMED)
_NO_NICKNAME = Enter("")


class ChatteReader(Lines):
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
        """Nothing changes: the connection closes ("Entering", 2)."""


def _enter(line: bytes) -> Command:
    # Not cleaned as texts are: a nickname with a control in it is malformed, not another nickname.
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
class ChatteVoice:
    """The words of ``chatte``, in UTF-8 or, by setting, in Latin-1."""

    name: ClassVar[str] = "chatte"
    default_port: ClassVar[int] = 1234
    echoes: ClassVar[bool] = True
    retries: ClassVar[bool] = False
    resumes: ClassVar[bool] = False
    keeps: ClassVar[bool] = False
    acknowledges_all: ClassVar[bool] = True
    acknowledgement: ClassVar[bytes | None] = b"101 Message received.\n"

    encoding: str = "utf-8"

    def reader(self) -> ChatteReader:
        return ChatteReader()

    def greeting(self) -> bytes:
        return b"0 Hello, nickname please.\n"

    def welcome(self, welcome: Welcome) -> bytes:
        return b"200 Welcome to the chatte.\n"

    def refusal(self, refusal: Refusal, subject: str = "", tag: int = 0) -> bytes:
        return _REFUSALS[refusal]

    def fault(self, faulty: Faulty) -> bytes:
        return b"666 Invalid command. Ignoring.\n"

    def sent(self, tag: int) -> bytes:
        return _SENT

    def kept(self, recipient: str, tag: int) -> bytes:
        return _SENT

    def public(self, event: PublicEvent) -> bytes:
        match event:
            case Said(nickname=nickname, text=text):
                return self._line(f"100 {nickname} {text}")
            case Joined(nickname=nickname) | Present(nickname=nickname):
                return self._line(f"150 {nickname} just join to the chat")
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

    def batch(self, pieces: Sequence[bytes], place: Place) -> bytes:
        return b"".join(pieces)

    def farewell(self) -> bytes:
        return b""

    def dismissal(self, reason: str, *, is_ban: bool) -> bytes:
        what = "You are banned from the chat" if is_ban else "You were removed from the chat"
        return self._notice(f"{what}: {reason}" if reason else f"{what}.")

    def _notice(self, text: str) -> bytes:
        return self._line(f"102 {nicknames.SERVER} {text}")

    def _line(self, text: str) -> bytes:
        return text.encode(self.encoding, "replace") + b"\n"


_REFUSALS = {
    Refusal.INVALID_NICKNAME: b"201 Invalid nickname. Please try again. Bye.\n",
    Refusal.BANNED: b"201 Invalid nickname. Please try again. Bye.\n",
    Refusal.NICKNAME_TAKEN: b"202 Nickname already in use. Please try with another one. Bye.\n",
    Refusal.UNKNOWN_RECIPIENT: b"203 Invalid destinatary. Verify the nickname.\n",
    Refusal.MAILBOX_FULL: b"203 Invalid destinatary. Verify the nickname.\n",
    Refusal.FORBIDDEN: b"203 Invalid destinatary. Verify the nickname.\n",
}
