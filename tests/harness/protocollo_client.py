"""A client of the dialect protocollo that records the same history as one of chatte.

The dialect acknowledges nothing, so there are no ``Acked`` records; and a sender does not read its own
public messages.
"""

import re
from dataclasses import dataclass
from typing import ClassVar

from harness.chatte_client import SERVER, WITHIN, ChatteClient
from history.record import (
    Connected,
    History,
    ReceivedPrivate,
    ReceivedPublic,
    RefusedPrivate,
    RefusedPublic,
    Reported,
    SawJoined,
    SawLeft,
    SentPrivate,
    SentPublic,
)

LISTED = "Utenti collegati: "
FIRST_IN_ROOM = f"{LISTED}Sei il primo utente ad accedere"
FIRST = f"{FIRST_IN_ROOM}, sei amministratore del gruppo"
CLOSE = "close"
ADMINISTRATOR = "G> Ora sei amministratore"
FORBIDDEN = "G> permesso negato"
UNKNOWN = "G> destinatario sconosciuto: "
TOO_LONG = "G> riga troppo lunga"
RESTARTS = "G> il server si riavvia: rientrate tra poco"
MISSED = "G> qui mancano dei messaggi"
_UNDELIVERED = "G> messaggio non recapitato a "

_PUBLIC = re.compile(r"([A-Za-z0-9._+-]+)\.@[gG]> (.*)", re.DOTALL)
_PRIVATE = re.compile(r"([A-Za-z0-9._+-]+)> (.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Wording:
    """What differs between the page's words and the old desktop client's."""

    encoding: str
    everybody: str
    refused: str
    list_end: str
    came: tuple[str, str]
    """What is before and after the nickname."""
    went: tuple[str, str]
    gap: list[str]
    """What follows the line of somebody's coming or going."""

    def listed(self, *others: str) -> str:
        """The line that who comes reads."""
        return f"{LISTED}{', '.join(others)}{self.list_end}" if others else FIRST

    def joined(self, nickname: str) -> str:
        """The line that the others read when somebody comes."""
        return nickname.join(self.came)

    def left(self, nickname: str) -> str:
        """The line that the others read when somebody goes."""
        return nickname.join(self.went)

    def said(self, nickname: str, text: str) -> str:
        """The line that the others read when somebody tells everybody."""
        return f"{nickname}.{self.everybody}> {text}"


PAGE = Wording(
    encoding="utf-8",
    everybody="@g",
    refused="il nome già utilizzato",
    list_end="",
    came=("G.@g> ", " si è unito"),
    went=("G.@g> ", " si è disconnesso"),
    gap=[],
)
CLASSIC = Wording(
    encoding="latin-1",
    everybody="@G",
    refused="nome già utilizzato",
    list_end=", ",
    came=("G.@G> Membro entrato nella chat: Benvenuto ", ""),
    went=("G.@G> ", " ha abbandonato il gruppo"),
    gap=[""],
)


_MODERATED = "G> messaggio non inviato: "
_MODERATION = (
    "lo ha deciso",
    "allontanato da",
    "modalità lenta",
    "argomento",
    "ritirato",
    "moderatore",
    "questa stanza è di",
)
"""What stands in notices of what moderators do."""


class ProtocolloClient(ChatteClient):
    """One connection. What a client of lines does is inherited; what it writes and reads is not."""

    wording: ClassVar[Wording] = PAGE

    def __init__(self, name: str = "", *, acknowledges: bool = True) -> None:
        super().__init__(name, acknowledges=acknowledges)
        self.history.echoes = False
        self.others: tuple[str, ...] = ()
        """Who was here when it came, as it was told."""
        self.is_administrator = False
        self.told_close = False
        self._whispers: list[SentPrivate] = []
        self._outside: list[SentPublic] = []
        """What it said in rooms that it is not shown."""
        self._gap = False
        self._tries = 0

    def ask(self, nickname: str) -> None:
        """Ask for a nickname, and don't wait; after a refusal, for another one."""
        if self.refused:
            # In the words of a history, which knows no second try, it has come anew.
            self.refused = False
            self._tries += 1
            self.history = History(f"{self.history.client}/{self._tries}", echoes=False)
            self.history.add(Connected(self.history.now()))
        super().ask(nickname)

    def write(self, *lines: str) -> None:
        """Write lines, unrecorded, as this client encodes them."""
        self.send("".join(f"{line}\n" for line in lines).encode(self.wording.encoding, "replace"))

    def say(self, text: str | None = None, room: str = "") -> str:
        text = self.unique() if text is None else text
        record = SentPublic(self.history.now(), text, room=room or self.room)
        self.history.add(record)
        if room:
            self._outside.append(record)
        self.write(f"#{room}" if room else SERVER, text)
        return text

    def whisper(self, recipient: str, text: str | None = None) -> str:
        text = self.unique("psst") if text is None else text
        record = SentPrivate(self.history.now(), recipient, text)
        self.history.add(record)
        self._whispers.append(record)
        self.write(recipient, text)
        return text

    def leave(self) -> None:
        """Ask to go."""
        self.write("fine")

    def stop(self) -> None:
        """Ask to close the whole chat."""
        self.write("stop")

    async def expect_refusal(self, within: float = WITHIN) -> None:
        """Wait for the line that refuses a name, and, in the page's wording, for the rule in the next one."""
        assert await self.next_line(within) == self.wording.refused
        if self.wording is PAGE:
            rule = await self.next_line(within)
            assert rule.startswith(f"{SERVER}> "), rule

    async def expect_coming(self, nickname: str, within: float = WITHIN) -> None:
        """Wait for the line, and what follows it, that tells of somebody's coming."""
        await self.expect_line(self.wording.joined(nickname), within)
        assert await self.next_lines(len(self.wording.gap)) == self.wording.gap

    async def expect_going(self, nickname: str, within: float = WITHIN) -> None:
        """Wait for the line, and what follows it, that tells of somebody's going."""
        await self.expect_line(self.wording.left(nickname), within)
        assert await self.next_lines(len(self.wording.gap)) == self.wording.gap

    # What comes

    def data_received(self, data: bytes) -> None:
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for raw in lines:
            line = raw.decode(self.wording.encoding, "surrogateescape")
            self.lines.append(line)
            self._record(line)
        self._arrived.set()

    def _record(self, line: str) -> None:
        if self._gap:
            self._gap = False
            if line:
                self._unexpected(f"{line!r} instead of an empty line")
        elif line == CLOSE:
            self.told_close = True
        elif self.told_close:
            self._unexpected(f"{line!r} after the line close")
        elif not self.welcomed:
            self._entering(line)
        elif match := _PUBLIC.fullmatch(line):
            self._public_line(line, match[1], match[2])
        elif line.startswith(f"{SERVER}> "):
            self._notice(line)
        elif match := _PRIVATE.fullmatch(line):
            self.history.add(ReceivedPrivate(self.history.now(), match[1], match[2]))
        else:
            self._unexpected(line)

    def _entering(self, line: str) -> None:
        if self.refused and line.startswith(f"{SERVER}> "):
            return  # the rule that the name was against
        if line == self.wording.refused:
            self.refused = True
            self._was_turned_away("refused")
            return
        if line == (FIRST_IN_ROOM if self.room else FIRST):
            self.is_administrator = not self.room
        elif line.startswith(LISTED) and line.endswith(self.wording.list_end):
            names = line.removeprefix(LISTED).removesuffix(self.wording.list_end)
            self.others = tuple(names.split(", "))
        else:
            self._unexpected(line)
            return
        self.welcomed = True
        self._has_come_in(self.others)

    def _public_line(self, line: str, nickname: str, text: str) -> None:
        wording, now = self.wording, self.history.now()
        if nickname == SERVER:
            for (before, after), kind in ((wording.came, SawJoined), (wording.went, SawLeft)):
                who = line.removeprefix(before).removesuffix(after)
                if line == who.join((before, after)) and who.lower() != self.nickname.lower():
                    self.history.add(kind(now, who, room=self.room))
                    self._gap = bool(wording.gap)
                    return
            self._unexpected(line)
        elif nickname.lower() == self.nickname.lower() or line != wording.said(nickname, text):
            self._unexpected(line)  # nobody reads its own messages
        else:
            self.history.add(ReceivedPublic(now, nickname, text, room=self.room))

    def _notice(self, line: str) -> None:
        now = self.history.now()
        if line == ADMINISTRATOR and not self.is_administrator:
            self.is_administrator = True
        elif line.startswith(_UNDELIVERED):
            self.history.add(Reported(now, line))
        elif line.startswith(UNKNOWN):
            recipient = line.removeprefix(UNKNOWN)
            for sent in self._whispers:
                if sent.recipient == recipient:
                    self._whispers.remove(sent)
                    self.history.add(RefusedPrivate(now, sent.recipient, sent.text))
                    break
            for said in self._outside:
                if f"#{said.room}" == recipient:
                    self._outside.remove(said)
                    self.history.add(RefusedPublic(now, said.text, room=said.room))
                    break
        elif line.startswith(_MODERATED) or any(it in line for it in _MODERATION):
            self.history.add(Reported(now, line))
        elif line not in (FORBIDDEN, TOO_LONG, RESTARTS, MISSED):
            self._unexpected(line)


class ClassicClient(ProtocolloClient):
    """The old desktop client: its words, in Latin-1. It can read once it has sent its first line."""

    wording: ClassVar[Wording] = CLASSIC

    def _entering(self, line: str) -> None:
        super()._entering(line)
        if self.welcomed:
            self.write("null", "")
