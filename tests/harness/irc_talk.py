"""A client of IRC without sockets: lines in, and what they ask for, or what is answered at once."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from fakes.knowledge import FakeKnowledge
from harness.splits import Split, split_whole
from tertulia.dialects.contract import Known
from tertulia.dialects.irc.capabilities import NO_CAPABILITY, Capability
from tertulia.dialects.irc.client import IrcServer
from tertulia.dialects.irc.decoder import IrcDecoder
from tertulia.dialects.irc.encoder import voice
from tertulia.dialects.irc.replies import IrcReplies
from tertulia.domain.commands import (
    Acknowledge,
    Ask,
    Command,
    Enter,
    Excerpt,
    ListRooms,
    ReadReply,
)
from tertulia.domain.past import PastMessage
from tertulia.domain.rooms import RoomInfo

LABELS = Capability.LABELED_RESPONSE | Capability.BATCH


def take(decoder: IrcDecoder) -> Command | None:
    """Return the next command that asks for something."""
    while (command := decoder.next_command()) == Acknowledge(0):
        pass
    return command


@dataclass
class IrcTalk:
    """A decoder, and a chat that lets everybody in."""

    server: IrcServer = field(default_factory=IrcServer)
    knowledge: FakeKnowledge = field(default_factory=FakeKnowledge)
    past: Sequence[PastMessage] = ()
    """What was said before, in any room."""
    others: Sequence[RoomInfo] = (RoomInfo("dev", 1),)
    """The rooms that there are and in which it may be or not."""
    decoder: IrcDecoder = field(init=False)

    def __post_init__(self) -> None:
        self.decoder = IrcDecoder(self.server)

    def read(self, data: bytes, split: Split = split_whole) -> list[str | Command]:
        """Return what some bytes ask for; of what is answered at once, the lines of the answers."""
        found: list[str | Command] = []
        for piece in split(data):
            self.decoder.feed(piece)
            while (command := take(self.decoder)) is not None:
                found += self._done(command)
        return found

    def say(self, *lines: str) -> list[str | Command]:
        """Return what some lines ask for, as ``read`` does."""
        return self.read("".join(f"{line}\r\n" for line in lines).encode())

    def _done(self, command: Command) -> Sequence[str | Command]:
        match command:
            case ReadReply(text=text):
                return text.decode().splitlines()
            case Ask(told=told):
                return bytes(told(self.knowledge)).decode().splitlines()
            case Excerpt(told=told):
                return [command, *told(self.past).decode().splitlines()]
            case ListRooms() if any(it.missing for it in self.decoder.client.lists):
                replies = IrcReplies(self.decoder.client, voice)
                return replies.room_list(self.others).decode().splitlines()
            case Enter(nickname=nickname):
                self.decoder.entered()
                self.decoder.client.nickname = nickname  # as the welcome does it
        return [command]


def member(
    capabilities: Capability = NO_CAPABILITY,
    server: IrcServer = IrcServer(),  # noqa: B008 (it is frozen)
    rooms: Sequence[str] = (),
) -> IrcTalk:
    """Return a client that is registered as ``anna``, with these capabilities and in these further rooms."""
    talk = IrcTalk(server)
    assert talk.say("NICK anna", "USER anna 0 * :Anna") == [
        Enter("anna", shows_lobby=server.joins_lobby, about="anna Anna")
    ]
    client = talk.decoder.client
    client.capabilities = capabilities
    client.rooms |= {*rooms, *([""] if server.joins_lobby else [])}
    people = [Known("anna", "irc"), Known("bruno", "browser", is_account=True)]
    talk.knowledge.rooms = {"": people, **dict.fromkeys(rooms, people)}
    return talk
