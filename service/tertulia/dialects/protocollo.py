"""The dialect ``protocollo``: a message is two lines, recipient then text.

Source: docs/protocols/protocollo.md.

entering ──name accepted──▶ recipient ──recipient line──▶ text
   └──refused: again──┘        ▲  └── fine, stop ──┘       │
                               └────────text line──────────┘
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import ClassVar, Final

from tertulia.dialects import moderation
from tertulia.dialects.account_words import BEGINNINGS, account_command, asked, told
from tertulia.dialects.contract import (
    AccountAnswer,
    Refusal,
    Restraint,
    Welcome,
    Wording,
)
from tertulia.dialects.lines import LineEncoder, Lines, TooLong, entering, further_room
from tertulia.domain import nicknames
from tertulia.domain.commands import (
    CloseChat,
    Command,
    Enter,
    Fault,
    Faulty,
    Leave,
    Ready,
    Say,
    Whisper,
)
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
from tertulia.domain.text import LINE_END, decode, encode

_DEAF_SECONDS: Final = 2.0
_WENT: Final = " ha abbandonato il gruppo"
_NO_NICKNAME = Enter("")


class _Expects(Enum):
    NAME = auto()
    RECIPIENT = auto()
    TEXT = auto()


class ProtocolloDecoder(Lines):
    """One connection's incoming half.

    A recipient without its text is no message yet: a client that dies between the two sends nothing.
    """

    __slots__ = ("_expects", "_recipient", "_room")

    def __init__(self) -> None:
        super().__init__()
        self._expects = _Expects.NAME
        self._recipient: bytes | None = None
        """The recipient of the text that comes next; None where the recipient's line was refused."""
        self._room = ""
        """Where what is said to everybody goes: the room that was named on entering."""

    def next_command(self) -> Command | None:
        while True:
            try:
                line = self.next_line()
            except TooLong:
                return self._too_long()
            if line is None:
                return None
            command = self._take(line)
            if command is not None:
                return command

    def entered(self) -> None:
        self._expects = _Expects.RECIPIENT

    def refused(self) -> None:
        """Change nothing: another name may come ("Entering", 2)."""

    def _take(self, line: bytes) -> Command | None:
        if self._expects is _Expects.NAME:
            enter = entering(line)
            self._room = enter.room
            return enter
        if self._expects is _Expects.RECIPIENT:
            alone = _ALONE.get(line)
            if alone is None:
                self._recipient = line
                self._expects = _Expects.TEXT
            return alone
        self._expects = _Expects.RECIPIENT
        recipient, self._recipient = self._recipient, None
        return None if recipient is None else _message(recipient, line, self._room)

    def _too_long(self) -> Command:
        if self._expects is _Expects.NAME:
            return _NO_NICKNAME
        if self._expects is _Expects.RECIPIENT:
            self._expects = _Expects.TEXT  # for no recipient: the line that follows is still a text
        else:
            self._expects = _Expects.RECIPIENT
        self._recipient = None
        return Faulty(Fault.TOO_LONG)


_EVERYBODY: Final = nicknames.SERVER.encode()
_SERVER_ALONE: Final = _EVERYBODY.lower()
_ALONE: dict[bytes, Command] = {b"fine": Leave(), b"stop": CloseChat()}


def _message(recipient: bytes, line: bytes, room: str) -> Command | None:
    text = decode(line)
    if recipient == _EVERYBODY:
        # The old client can write to no other G. And a password in such a line is for nobody else.
        return (line[:4] in BEGINNINGS and account_command(text)) or Say(text, 0, room)
    if recipient == _SERVER_ALONE and (command := asked(text)):
        return command
    if recipient == b"null" and not text:
        return Ready()  # what the old client sends right after entering
    if (other := further_room(recipient)) is not None:
        return Say(text, 0, other)
    return Whisper(recipient.decode("latin-1"), text)


@dataclass(frozen=True, slots=True)
class ProtocolloEncoder(LineEncoder):
    """The words of ``protocollo``: those of the page, or exactly those that the old desktop client parses."""

    name: ClassVar[str] = "protocollo"
    default_port: ClassVar[int] = 6789
    echoes: ClassVar[bool] = False
    retries: ClassVar[bool] = True
    resumes: ClassVar[bool] = False
    keeps: ClassVar[bool] = True
    acknowledges_all: ClassVar[bool] = True
    acknowledgement: ClassVar[bytes | None] = None

    wording: Wording = "page"
    encoding: str = "utf-8"
    prompt: str = ""
    history: int = 0
    room: str = ""

    @property
    def deaf_seconds(self) -> float:
        return _DEAF_SECONDS if self.wording == "classic" else 0.0

    @property
    def suggests(self) -> bool:
        return self.wording == "page"

    def in_room(self, room: str) -> "ProtocolloEncoder":
        return replace(self, room=room)

    def decoder(self) -> ProtocolloDecoder:
        return ProtocolloDecoder()

    def greeting(self) -> bytes:
        return self._line(self.prompt) if self.prompt else b""

    def welcome(self, welcome: Welcome) -> bytes:
        names = list(welcome.others)
        if not names:
            # Only the chat has an administrator.
            rank = "" if self.room else ", sei amministratore del gruppo"
            return self._line(f"Utenti collegati: Sei il primo utente ad accedere{rank}")
        last = ", " if self.wording == "classic" else ""
        return self._line(f"Utenti collegati: {', '.join(names)}{last}")

    def standing(self, standing: Standing) -> Sequence[bytes]:
        return list(map(self._notice, moderation.standing_in_italian(standing)))

    def restrained(self, restraint: Restraint, tag: int) -> bytes:
        return self._notice(moderation.why_in_italian(restraint))

    def refusal(self, refusal: Refusal, subject: str = "", tag: int = 0, until: int = 0) -> bytes:
        match refusal:
            case (
                Refusal.INVALID_NICKNAME
                | Refusal.NICKNAME_TAKEN
                | Refusal.NOT_SIGNED_IN
                | Refusal.BANNED
                | Refusal.NO_ACCOUNT
            ):
                return self._name_refused(_RULES[refusal])
            case Refusal.UNKNOWN_RECIPIENT:
                # The name goes back as it came, without the signs that no text may hold.
                shown = decode(subject.encode("latin-1", "replace"))
                return self._notice(f"destinatario sconosciuto: {shown}")
            case Refusal.MAILBOX_FULL:
                return self._notice(f"casella piena: {subject}")
            case Refusal.FORBIDDEN:
                return self._notice("permesso negato")

    def taken(self, suggestions: Sequence[str]) -> bytes:
        free = f"; sono liberi: {', '.join(suggestions)}" if suggestions else ""
        return self._name_refused(_RULES[Refusal.NICKNAME_TAKEN] + free)

    def heard(self) -> bytes:
        return b""

    def account(self, answer: AccountAnswer) -> Sequence[bytes]:
        return [self._notice(line) for line in told(answer, "it", rooms=_ROOMS)]

    def fault(self, faulty: Faulty) -> bytes:
        return self._notice("riga troppo lunga")

    def sent(self, tag: int) -> bytes:
        return b""

    def kept(self, recipient: str, tag: int) -> bytes:
        return self._notice(f"messaggio conservato per {recipient}")

    def public(self, event: PublicEvent) -> bytes:
        classic = self.wording == "classic"
        everybody = "@G" if classic else "@g"
        match event:
            case Said(nickname=nickname, text=text):
                if LINE_END in text:
                    return self._lines(f"{nickname}.{everybody}> ", text)
                return self._line(f"{nickname}.{everybody}> {text}")
            case Joined(nickname=nickname) | Present(nickname=nickname):
                if classic:
                    return self._line(f"G.@G> Membro entrato nella chat: Benvenuto {nickname}\n")
                return self._line(f"G.@g> {nickname} si è unito")
            case Left(nickname=nickname):
                if classic:
                    return f"G.@G> {nickname}{_WENT}\n\n".encode()
                return self._line(f"G.@g> {nickname} si è disconnesso")
            case Closed():
                return _CLOSE
            case Withdrawn(nickname=nickname):
                return self._line(f"{nickname}.{everybody}> [ritirato da un moderatore]")
            case WentAway() | Registered() | Tagged():
                return b""
            case _:
                return self._notice(moderation.italian(event))

    def private(self, event: PrivateEvent, at: float) -> bytes:
        if isinstance(event, Whispered):
            return self._lines(f"{event.sender}> ", event.text)
        told = f"messaggio non recapitato a {event.recipient}: {event.text}"
        return self._lines(f"{nicknames.SERVER}> ", told)

    def promoted(self) -> bytes:
        return self._notice("Ora sei amministratore")

    def slowed(self) -> bytes:
        return self._notice(
            "scrivi troppo in fretta: quello che scrivi passa più lentamente, ma tutto"
        )

    def missed(self, position: Position) -> bytes:
        return self._notice("qui mancano dei messaggi")

    def farewell(self, reason: Disconnect, words: str = "", until: int = 0) -> bytes:
        if reason is Disconnect.LEFT:
            return _CLOSE
        if reason in _RESTARTS:
            # "When a node goes": the old client ends in order on that line.
            classic = self.wording == "classic"
            return _CLOSE if classic else self._notice("il server si riavvia: rientrate tra poco")
        if reason is Disconnect.ROOM_FULL:  # it is the answer to the name
            return self._name_refused("in quella stanza non c'è posto") + _CLOSE
        what = _FAREWELLS.get(reason)
        if self.room and reason is Disconnect.KICKED:
            what = f"sei stato allontanato dalla stanza #{self.room}"
        if what is None:
            return b""
        return self._notice(f"{what}: {words}" if words else what) + _CLOSE

    def _name_refused(self, rule: str) -> bytes:
        if self.wording == "classic":  # that client would take a second line for the next answer
            return self._line("nome già utilizzato")
        return self._line("il nome già utilizzato") + self._notice(rule)

    def _notice(self, text: str) -> bytes:
        return self._line(f"{nicknames.SERVER}> {text}")

    def _line(self, text: str) -> bytes:
        if self.wording == "page":
            return encode(text, self.encoding) + b"\n"
        line = encode(text, "latin-1")
        # "A text that ends in `ha abbandonato il gruppo` kills its reader": it gets a full stop.
        return line + (b".\n" if line.endswith(_WENT.encode()) else b"\n")


_CLOSE = b"close\n"
_RULES: Final = {
    Refusal.INVALID_NICKNAME: "un nome ha da 1 a 32 segni: lettere senza accenti, cifre, . _ + e -, senza "
    "spazi; G, fine, stop, close e null non sono per nessuno",
    Refusal.NOT_SIGNED_IN: "chi garantisce dei nomi qui non garantisce per te",
    Refusal.NICKNAME_TAKEN: "qualcuno è qui con questo nome, o è di un account: se è tuo, nome:password",
    Refusal.NO_ACCOUNT: "questo nome non è di un account: entra senza password",
    Refusal.BANNED: "sei escluso dalla chat",
}
"""What was wrong with a name, for which the page has one sentence."""
_ROOMS = (
    "ci sono altre stanze: entra come {name}@STANZA per vederne una; il destinatario #STANZA vi scrive, "
    "se fa scrivere chi non c'è"
)
_RESTARTS = (Disconnect.DRAINED, Disconnect.FENCED)
_FAREWELLS = {
    Disconnect.INTERNAL: "il server ha avuto un errore: rientrate tra poco",
    Disconnect.DISPLACED: "il tuo nome è passato a un'altra connessione",
    Disconnect.LONG_LINES: "troppe righe troppo lunghe",
    Disconnect.KICKED: "sei stato allontanato dalla chat",
    Disconnect.BANNED: "sei escluso dalla chat",
}
