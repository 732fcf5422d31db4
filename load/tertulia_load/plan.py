"""What to do: one plan, of which each process gets the whole and knows its share."""

import re
import resource
from collections import Counter
from typing import Final

import msgspec

from tertulia_load import dialects
from tertulia_load.targets import DEVICE, Target
from tertulia_load.texts import MAX_CLIENTS, MAX_IRC_SIZE, MAX_SIZE, MIN_SIZE

MAX_ROOMS: Final = 50_000
MAX_PROCESSES: Final = 64
MAX_SECONDS: Final = 3_600.0
MAX_RATE: Final = 1_000_000.0
MAX_IN_FLIGHT: Final = 1_000
MAX_MESSAGES: Final = 100_000_000
MAX_SETTLING: Final = 60.0
"""Seconds after which what has not come counts as lost, even if something still comes."""
MAX_AT_ONCE: Final = 10_000
_OTHER_FILES: Final = 64
_PREFIX: Final = re.compile(r"[A-Za-z0-9._+-]{1,20}")
"""Nicknames have 32 characters; a round and a number come behind the prefix."""


class PlanError(ValueError):
    """This can't be done, or should not. The message says why."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """All that was asked for."""

    targets: tuple[Target, ...]
    clients: int = 100
    senders: int = 10
    rooms: int = 0
    """Further rooms over which clients and public messages are spread; 0: all is said in the lobby."""
    rooms_per_client: int = 1
    """In how many of them each client is."""
    processes: int = 1
    rate: float | None = None
    """Open loop: messages a second of all senders together. None: closed loop."""
    in_flight: int = 1
    """Closed loop: messages of one sender that are under way."""
    private: float = 0.0
    """The share of the messages that go to one user instead of to everybody."""
    sizes: tuple[int, int] = (64, 64)
    """Bytes of the texts, from and to."""
    seconds: float = 10.0
    messages: int = 10_000_000
    """At most so many messages are sent, in any time."""
    ramp: float | None = None
    """Clients that come each second; None: as quickly as they can."""
    at_once: int = 200
    """Clients of one process that may be on their way in at the same time, so that a join is not yet a
    storm."""
    acknowledge: bool = False
    storm: float | None = None
    """After so many seconds all drop their connections, and come back."""
    jitter: float = 0.0
    """Seconds over which they come back, each at a random time."""
    settle: float = 5.0
    """Seconds without any delivery after which what has not come counts as lost."""
    prefix: str = "load"
    """What the nicknames begin with."""
    tag: str = "0000"
    """Four characters that tell this run's messages from others'."""

    @property
    def is_of_devices(self) -> bool:
        """Whether this is about the operations of devices, and not about a room."""
        return any(target.dialect == DEVICE for target in self.targets)

    @property
    def rounds(self) -> tuple[float, ...]:
        """How many seconds to send each time that all have come."""
        return (self.seconds,) if self.storm is None else (self.storm, self.seconds - self.storm)

    def check(self) -> None:
        """Raise PlanError where the plan can't be carried out, or has no end."""
        for problem in self._problems():
            raise PlanError(problem)

    def ids(self, process: int) -> range:
        """Return the clients of one process."""
        return range(process, self.clients, self.processes)

    def most_messages(self, process: int) -> int:
        """Return how many messages one process may send in a round."""
        sending = min(self.processes, self.senders)
        if not self.senders:
            return 1  # which nobody sends, so that the time decides
        each, more = divmod(self.messages // len(self.rounds), sending)
        return 0 if process >= sending else each + (process < more)

    def target(self, client: int) -> Target:
        """Return where a client connects: neighbours in one process, to different targets."""
        return self.targets[client // self.processes % len(self.targets)]

    def rooms_of(self, client: int) -> list[int]:
        """Return the rooms that a client is in.

        All have equally many members, as far as that is possible. Members of one are neighbours, so that they
        are on all nodes and in all processes, and other ones with each room of a client.
        """
        each, seats = self.rooms_per_client, self.clients * self.rooms_per_client
        return [
            (index * self.clients + (client - index) % self.clients) * self.rooms // seats
            for index in range(each if self.rooms else 0)
        ]

    def room_name(self, room: int) -> str:
        """Return the name of a room: the same in every run, as a chat may have so many rooms."""
        return f"load-{room}"

    @property
    def members(self) -> float:
        """How many members a room has."""
        return self.clients * self.rooms_per_client / self.rooms

    def notices(self, entered: int) -> int | None:
        """Return how often so many clients read that one of them came: in each room, of all who come later.

        None where that is not known: some are not shown the lobby, or not all are in.
        """
        speech = [dialects.by_name(it.dialect, it.place) for it in self.targets]
        if not all(it.announces for it in speech):
            return 0
        lobby = entered * (entered - 1) // 2
        if not self.rooms:
            return lobby
        members = Counter(room for client in range(self.clients) for room in self.rooms_of(client))
        rooms = sum(count * (count - 1) // 2 for count in members.values())
        shown = {it.has_lobby for it in speech}
        return None if len(shown) > 1 or entered < self.clients else rooms + lobby * shown.pop()

    def nickname(self, client: int, round_: int) -> str:
        """Return a client's name in a round: the old one may not be free yet when it comes back."""
        return f"{self.joined_prefix(round_)}{client}"

    def joined_prefix(self, round_: int) -> str:
        """Return what all nicknames of a round begin with, and no others."""
        return f"{self.prefix}_{round_}-"

    def round_tag(self, round_: int) -> bytes:
        """Return what the messages of a round begin with."""
        return f"{self.tag}{round_}".encode()

    def _problems(self) -> list[str]:  # in the order in which they are worth telling
        found = []

        def bounded(name: str, value: float, low: float, high: float) -> None:
            if not low <= value <= high:
                found.append(f"{name} is {value:,g}; it should be {low:,g} to {high:,g}")

        if not self.targets:
            found.append("there is nobody to connect to")
        bounded("--clients", self.clients, 1, MAX_CLIENTS)
        bounded("--processes", self.processes, 1, MAX_PROCESSES)
        bounded("--senders", self.senders, 0, self.clients)
        bounded("--in-flight", self.in_flight, 1, MAX_IN_FLIGHT)
        bounded("--at-once", self.at_once, 1, MAX_AT_ONCE)
        bounded("--private", self.private, 0, 1)
        bounded("--duration", self.seconds, 0.1, MAX_SECONDS)
        bounded("--messages", self.messages, 1, MAX_MESSAGES)
        bounded("--jitter", self.jitter, 0, 600)
        bounded("--settle", self.settle, 0.1, 60)
        bounded("--rooms", self.rooms, 0, MAX_ROOMS)
        low, high = self.sizes
        bounded("--size", low, MIN_SIZE, MAX_SIZE)
        bounded("--size", high, low, MAX_SIZE)
        if any(target.dialect == "irc" for target in self.targets):
            if high > MAX_IRC_SIZE:
                found.append(
                    f"--size is up to {high}; a line of irc has room for {MAX_IRC_SIZE} bytes"
                )
            if re.search(r"^[0-9-]|[.+]", self.prefix):
                found.append("--prefix: names of irc begin with a letter, and have no . and no +")
        if self.rate is not None:
            bounded("--rate", self.rate, 0.001, MAX_RATE)
        if self.ramp is not None:
            bounded("--ramp", self.ramp, 0.1, MAX_RATE)
        if self.storm is not None and not 0.1 <= self.storm <= self.seconds - 0.1:
            found.append(
                "--storm should come at least 0.1 s after the beginning, and before the end"
            )
        if not _PREFIX.fullmatch(self.prefix):
            found.append(
                "--prefix should be 1 to 20 characters of a nickname: letters, digits, . _ + -"
            )
        if self.is_of_devices:
            found += self._device_problems()
        if self.rooms and not found:
            found += self._room_problems()
        if not found and self.clients < 2 * self.processes:
            found.append(
                f"{self.clients} clients are too few for {self.processes} processes: each needs two, so "
                "that one sees what the other sends"
            )
        if not found:
            each = len(self.ids(0)) + _OTHER_FILES
            allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            if allowed != resource.RLIM_INFINITY and each > allowed:
                found.append(
                    f"{len(self.ids(0)):,} clients in one process are more than the {allowed:,} open "
                    "files that it may have (ulimit -Hn): use more --processes"
                )
        return found

    def _room_problems(self) -> list[str]:
        each = self.rooms_per_client
        for target in self.targets:
            most = dialects.by_name(target.dialect, target.place).most_rooms
            if not 1 <= each <= most:
                can = f"in 1 to {most:,} rooms" if most else "in no rooms"
                return [f"--rooms-per-client is {each:,}; a client of {target.dialect} is {can}"]
        if self.private:
            return ["--private is for the lobby: leave it out, or --rooms"]
        if self.rooms % each:
            return [
                f"--rooms is {self.rooms:,}; it should be a multiple of --rooms-per-client, {each:,}"
            ]
        if self.members < 2 * self.processes:
            return [
                f"{self.members:g} members of a room are too few for {self.processes} processes: each needs "
                "two, so that one sees what the other sends"
            ]
        return []

    def _device_problems(self) -> list[str]:
        if any(target.dialect != DEVICE for target in self.targets):
            return ["devices are in no room: load them by themselves"]
        if self.processes > 1 or self.storm is not None or self.acknowledge or self.rooms:
            return ["devices know no --processes, --storm, --ack or --rooms"]
        return []
