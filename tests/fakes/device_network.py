"""Devices in live chats with each other, the network between them, and the service that knows where they are.

All on a clock of the test's own.
"""

import random
from collections import deque
from dataclasses import dataclass, field

from tertulia.clients.device.effects import (
    Close,
    Dial,
    Effect,
    Locate,
    NoPlace,
    Over,
    PartnerSaid,
    Pause,
    PeerPlace,
    ReadOn,
    Send,
    TurnedAway,
    Went,
)
from tertulia.clients.device.live_chat import LiveChat
from tertulia.clients.device.peer import Partner, Spoken

STRANGER = "192.0.2.66"
"""Where those come from whom the service does not know."""


@dataclass(eq=False, slots=True)
class End:
    """One end of a connection: where what its device sent arrives, and in what order."""

    device: "Device | None"
    """None: an end that the test itself holds."""
    link: int = 0
    other: "End" = field(init=False)
    coming: deque[bytes | None] = field(default_factory=deque)
    """What is on its way here; None: the other end closed."""
    received: bytes = b""
    """What arrived at a test's own end."""
    closed: bool = False
    host: str = STRANGER
    paused: bool = False


class Device:
    """One device in one chat, and what the chat told it."""

    def __init__(self, network: "Network", name: str, partner: str) -> None:
        self.network = network
        self.member = Partner(name, 5000 + len(network.devices))
        self.place = PeerPlace(f"10.0.0.{1 + len(network.devices)}", self.member.port)
        network.places[name] = self.place
        self.chat = LiveChat(self.member, partner)
        self.told: list[Effect] = []
        self.ends: dict[int, End] = {}
        self.reachable = True
        network.devices[self.member.port] = self

    @property
    def heard(self) -> list[tuple[str, str]]:
        """Who said what."""
        return [
            (it.name, it.event.text)
            for it in self.told
            if isinstance(it, PartnerSaid) and isinstance(it.event, Spoken)
        ]

    @property
    def over(self) -> bool:
        """Whether its chat has ended by itself."""
        return any(isinstance(it, Over) for it in self.told)

    def partings(self) -> list[Went]:
        """Return who went, and why."""
        return [it for it in self.told if isinstance(it, Went)]

    def do(self, effects: list[Effect]) -> None:
        """Carry out what its chat asks for."""
        for effect in effects:
            match effect:
                case Send(link=link, data=data):
                    assert link in self.ends, "sent over a connection that is not there"
                    self.network.send(self.ends[link], data)
                case Locate():
                    self.network.asked.append((self, effect))
                case Dial(link=link, place=place):
                    self.network.dialled.append((self, link, place))
                case Pause(link=link):
                    self.ends[link].paused = True
                case ReadOn(link=link):
                    self.ends[link].paused = False
                case Close(link=link):
                    end = self.ends.pop(link, None)
                    if end is not None:
                        self.network.close(end)
                case _:
                    self.told.append(effect)

    def turned_away(self) -> list[TurnedAway]:
        """Return who dialled and was not taken in, as far as it was told."""
        return [it for it in self.told if isinstance(it, TurnedAway)]

    def expect(self, other: "Device") -> None:
        """Be told by the service that another one comes."""
        self.do(self.chat.expect(other.member.port, self.network.now))

    def dial(self, other: "Device") -> None:
        """Be told by the service that another one waits."""
        self.do(self.chat.dial(other.member.port, self.network.now))

    def invite(self, name: str) -> None:
        """Be told by the service that a user was asked in."""
        self.do(self.chat.invite(name, self.network.now))

    def say(self, text: str) -> None:
        """Tell everybody."""
        self.do(self.chat.say(text))

    def leave(self) -> None:
        """Go, in order."""
        self.do(self.chat.leave())

    def vanish(self) -> None:
        """Die: every connection breaks, and nothing more is heard of it."""
        self.reachable = False
        for end in self.ends.values():
            self.network.close(end)
        self.ends.clear()


class Network:
    """Carries bytes in any split and in any order among connections, in order on each."""

    def __init__(self, seed: int = 0) -> None:
        self.now = 1000.0
        self.devices: dict[int, Device] = {}
        self.places: dict[str, PeerPlace | NoPlace] = {}
        """Where the service says that each is."""
        self.asked: deque[tuple[Device, Locate]] = deque()
        self.answered = 0
        self.dialled: deque[tuple[Device, int, PeerPlace]] = deque()
        self._ends: list[End] = []
        self._random = random.Random(seed)

    def device(self, name: str, partner: str) -> Device:
        """Make a device whose chat with a partner has just begun."""
        return Device(self, name, partner)

    def connect(self, device: Device, host: str = STRANGER) -> End:
        """Connect to a device from somewhere, and return one's own end."""
        mine, _ = self._join(End(None, host=host), device)
        return mine

    def send(self, end: End, data: bytes) -> None:
        """Send from an end to the other one."""
        if data:
            end.other.coming.append(data)

    def close(self, end: End) -> None:
        """Close from an end: the other one reads all that was sent, then the end."""
        end.closed = True
        end.coming.clear()
        end.other.coming.append(None)

    def settle(self) -> None:
        """Deliver everything, and what comes of it."""
        while True:
            ready = [it for it in self._ends if it.coming and not it.closed and not it.paused]
            if self.asked and (not ready or self._random.random() < 0.3):
                self._answer(*self.asked.popleft())
            elif self.dialled and (not ready or self._random.random() < 0.3):
                self._connect(*self.dialled.popleft())
            elif ready:
                self._deliver(self._random.choice(ready))
            else:
                return

    def advance(self, seconds: float) -> None:
        """Let time pass, and all chats do what falls due, each at its time."""
        end = self.now + seconds
        self.settle()
        while True:
            times = [d.chat.deadline for d in self.devices.values() if d.reachable]
            due = min((at for at in times if at is not None and at <= end), default=None)
            if due is None:
                break
            self.now = max(self.now, due)
            for device in self.devices.values():
                at = device.chat.deadline
                if device.reachable and at is not None and at <= self.now:
                    device.do(device.chat.tick(self.now))
            self.settle()
        self.now = end

    def _answer(self, device: Device, asked: Locate) -> None:
        self.answered += 1
        place = self.places.get(asked.name.lower(), NoPlace("the service does not say"))
        device.do(device.chat.located(asked.name, place, self.now))

    def _connect(self, device: Device, link: int, place: PeerPlace) -> None:
        there = self.devices.get(place.port)
        if there is None or not there.reachable or there.place.host != place.host:
            device.do(device.chat.closed(link, self.now))
            return
        mine = End(device, link, host=device.place.host)
        device.ends[link] = mine
        self._join(mine, there)
        device.do(device.chat.connected(link, self.now))

    def _join(self, mine: End, there: Device) -> tuple[End, End]:
        theirs = End(there)
        mine.other, theirs.other = theirs, mine
        self._ends += [mine, theirs]
        theirs.link, effects = there.chat.accepted(mine.host, self.now)
        there.ends[theirs.link] = theirs
        there.do(effects)
        return mine, theirs

    def _deliver(self, end: End) -> None:
        data = end.coming.popleft()
        device = end.device
        if data is None:
            end.closed = True
            if device is not None and device.ends.pop(end.link, None) is not None:
                device.do(device.chat.closed(end.link, self.now))
            return
        cut = self._random.randint(1, len(data))
        if cut < len(data):
            end.coming.appendleft(data[cut:])
        if device is None:
            end.received += data[:cut]
        elif device.reachable:
            device.do(device.chat.received(end.link, data[:cut], self.now))
