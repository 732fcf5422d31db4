"""A whole chat without I/O: rooms on nodes that share it in memory, and clients of theirs."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry

from contract.memory_store import MemoryChat, MemoryStore, Soon
from fakes.accounts import KnownPasswords, NoAccounts
from fakes.clock import HandClock
from fakes.encoder import PlainDecoder
from fakes.outbox import RecordingOutbox
from tertulia.chat.devices import Devices
from tertulia.chat.operator_commands import OperatorCommands
from tertulia.chat.own_accounts import OwnAccounts
from tertulia.chat.room import Room, RoomLimits
from tertulia.chat.session import Session
from tertulia.chat.signing_up import AccountRules
from tertulia.dialects.contract import Encoder
from tertulia.domain import commands
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.rooms import RoomPlace
from tertulia.telemetry.metrics import Metrics

DIALECTS = (
    *("plain", "silent", "patient", "framed", "deaf", "choosing"),
    *("chatte", "protocollo", "browser", "irc", "device"),
)
LIMITS = RoomLimits(enter_tries=3, outbox_bytes=1000, may_be_closed=True, confirm_seconds=30.0)


class Client:
    """A connection to a room, and who is behind it."""

    def __init__(self, house: "House", room: Room, encoder: Encoder) -> None:
        self.house = house
        self.room = room
        self.outbox = RecordingOutbox()
        self.session: Session = room.connect(encoder, self.outbox, "192.0.2.1", 50_000)
        self.outbox.read()  # the greeting

    @property
    def decoder(self) -> PlainDecoder:
        """What the dialect is told."""
        assert isinstance(self.session.decoder, PlainDecoder)
        return self.session.decoder

    @property
    def closed(self) -> Disconnect | None:
        """Why the connection was closed."""
        return self.outbox.closed

    def do(self, command: commands.Command) -> None:
        """Ask for something."""
        assert self.session.takes_commands
        self.room.command(self.session, command)

    def enter(self, nickname: str, room: str = "") -> None:
        self.do(commands.Enter(nickname, room=room))

    def say(self, text: str, tag: int = 0, room: str = "") -> None:
        self.do(commands.Say(text, tag, room))

    def join(self, room: str, resume: RoomPlace | None = None) -> None:
        """Ask to be let into a further room."""
        self.do(commands.JoinRoom(room, resume))

    def part(self, room: str) -> None:
        self.do(commands.PartRoom(room))

    def whisper(self, recipient: str, text: str, tag: int = 0) -> None:
        self.do(commands.Whisper(recipient, text, tag))

    def leave(self) -> None:
        self.do(commands.Leave())

    def lose(self) -> None:
        """Break the connection."""
        self.outbox.taken = False
        self.room.lost(self.session, Disconnect.GONE)

    def read(self) -> list[str]:
        """Let everything happen that is to happen, and return what was written since the last look."""
        self.house.clock.run()
        return self.outbox.read()


class House:
    """Nodes of one chat, in memory. ``soon`` may shuffle what the stores do."""

    def __init__(
        self,
        limits: RoomLimits = LIMITS,
        soon: Soon | None = None,
        dialects: Sequence[str] = DIALECTS,
    ) -> None:
        self.clock = HandClock()
        self.chat = MemoryChat(soon or self.clock.call_soon, self.clock.time)
        self.registry = CollectorRegistry()
        self.limits = limits
        self.stores: dict[Room, MemoryStore] = {}
        self.passwords: dict[str, str] = {}
        """Of the accounts, by nickname folded."""
        self.drained: list[str] = []
        """Nodes that were told to drain."""
        self.metrics = Metrics(
            self.registry,
            dialects=dialects,
            chats=["main"],
            version="test",
        )

    def room(self, node: str = "n", batch_ops: int = 512) -> Room:
        """Start a node."""
        store = self.chat.node(node, batch_ops)
        passwords = KnownPasswords(self.passwords)
        orders = OperatorCommands("main", node, lambda: self.drained.append(node), self.clock.time)
        accounts, rules, metrics = NoAccounts(), AccountRules(), self.metrics
        room = Room(
            "main",
            store,
            self.clock,
            self.limits,
            passwords,
            Devices(store, accounts, passwords, orders, rules, metrics),
            OwnAccounts(store, accounts, passwords, orders, rules, metrics),
            orders,
            metrics,
        )
        self.stores[room] = store
        store.open(room)
        return room

    def counted(self, metric: str, **labels: str) -> float:
        """Return a metric's value, of all nodes together."""
        value = self.registry.get_sample_value(f"tertulia_{metric}", labels)
        assert value is not None, f"there is no metric {metric} {labels}"
        return value

    def nicknames(self) -> list[str]:
        """Return who is in the chat, as the store knows."""
        return [member.nickname for member in self.chat.members]
