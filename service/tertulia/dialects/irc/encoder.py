"""The dialect ``irc``, the half that many read. Source: docs/protocols/irc.md."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import ClassVar

from tertulia.dialects.contract import Decoder
from tertulia.dialects.irc.capabilities import NO_CAPABILITY, Capability
from tertulia.dialects.irc.client import IrcServer
from tertulia.dialects.irc.decoder import IrcDecoder
from tertulia.dialects.irc.message import MAX_LINE
from tertulia.dialects.irc.replies import IrcReplies
from tertulia.dialects.irc.speech import Speech, speech_of
from tertulia.domain.events import Kicked, Left, PublicEvent, Said, Withdrawn
from tertulia.domain.nicknames import SERVER
from tertulia.domain.past import PastMessage, Place
from tertulia.domain.position import Position
from tertulia.domain.text import LINE_END, TRANSLITERATED


@dataclass(frozen=True, slots=True)
class IrcEncoder:
    """The lines that clients with the same capabilities read."""

    name: ClassVar[str] = "irc"
    default_port: ClassVar[int] = 6667
    echoes: ClassVar[bool] = False
    retries: ClassVar[bool] = True
    resumes: ClassVar[bool] = False
    keeps: ClassVar[bool] = True
    acknowledges_all: ClassVar[bool] = False
    acknowledgement: ClassVar[bytes | None] = None
    rooms: ClassVar[bool] = True
    in_order: ClassVar[bool] = True
    deaf_seconds: ClassVar[float] = 0.0
    suggests: ClassVar[bool] = False

    server: IrcServer
    capabilities: Capability = NO_CAPABILITY
    """Those of ``VOICE`` that its readers have."""
    room: str = ""
    shows_lobby: bool = True
    """Whether its readers are shown the lobby, whichever room it is of."""
    speech: Speech = field(init=False, repr=False, compare=False)
    """The same, made ready."""

    def __post_init__(self) -> None:
        speech = speech_of(self.server, self.capabilities, self.room, self.shows_lobby)
        object.__setattr__(self, "speech", speech)

    @property
    def tells_away(self) -> bool:
        return Capability.AWAY_NOTIFY in self.capabilities

    def in_room(self, room: str) -> "IrcEncoder":
        return voice(self.server, self.capabilities, room, self.shows_lobby)

    @property
    def history(self) -> int:
        """How many of the last messages newcomers read: who can ask for them ("Chat History") reads none."""
        return 0 if Capability.CHATHISTORY in self.capabilities else self.server.history

    @property
    def looks_back(self) -> bool:
        return self.server.history > 0

    def decoder(self) -> IrcDecoder:
        return IrcDecoder(self.server)

    def greeting(self) -> bytes:
        return b""

    def replies(self, decoder: Decoder) -> IrcReplies:
        assert isinstance(decoder, IrcDecoder)
        return IrcReplies(decoder.client, voice)

    def pieces(
        self, events: Sequence[PublicEvent], position: Position, first: int = 0
    ) -> list[bytes]:
        found = []
        index = first
        kicked: set[str] = set()
        for event in events:
            if type(event) is Said:
                found.append(self._said(event, position, index))
                index += 1
                continue
            if isinstance(event, Withdrawn):
                index += 1
            elif isinstance(event, Kicked):
                kicked.add(event.whom)
            is_kicked = isinstance(event, Left) and event.nickname in kicked
            lines = self.speech.event(event, position, is_kicked=is_kicked)
            found.append(self.server.wire(lines) if lines else b"")
        return found

    def _said(self, event: Said, position: Position, index: int) -> bytes:
        server, here, nickname = self.server, self.speech, event.nickname
        # The short way, for nearly all.
        if LINE_END not in event.text and nickname != SERVER and not event.splits:
            tags = here.tags_of(event, position, index) if here.has_tags else ""
            source = f":{nickname}!{nickname}@{server.name}"
            word = "NOTICE" if event.is_notice else "PRIVMSG"
            line = f"{tags}{source} {word} {here.channel} :{event.text}\r\n"
            raw = line.encode("utf-8", TRANSLITERATED)
            if len(raw) <= MAX_LINE + len(tags):
                return server.wire([line[:-2]]) if server.is_websocket else raw
        return server.wire(here.said(event, position, index))

    def promoted(self) -> bytes:
        return b""  # no command of IRC closes the chat

    def mutes(self, mutes: Mapping[str, int]) -> bytes:
        return b""  # MODE +q lists them

    def batch(self, pieces: Sequence[bytes], position: Position, first: int = 0) -> bytes:
        return b"".join(pieces)

    def past_message(self, message: PastMessage) -> bytes:
        if message.is_redacted:
            return b""
        return self.server.wire(self.speech.past(message))

    def past(self, pieces: Sequence[bytes], epoch: str, before: Place, *, more: bool) -> bytes:
        lines = b"".join(pieces)
        if not (lines and self.speech.has_batch):
            return lines
        wire = self.server.wire
        return wire([self.speech.begin_past()]) + lines + wire([self.speech.end_past()])

    def found(
        self, text: str, pieces: Sequence[bytes], epoch: str, before: Place, *, more: bool
    ) -> bytes:
        return b""  # no command of IRC searches

    def missed(self, position: Position) -> bytes:
        text = "Some of what was said is missing here."
        return self.server.wire(self.speech.notice(self.speech.channel, text, position.at))


@lru_cache(maxsize=1024)
def voice(server: IrcServer, capabilities: Capability, room: str, shows_lobby: bool) -> IrcEncoder:
    """Return an encoder: of equal ones mostly the same, as each client asks for its own."""
    return IrcEncoder(server, capabilities, room, shows_lobby)
