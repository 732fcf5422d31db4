"""Loading the dialect ``device``: one short connection for each operation. Source: docs/protocols/device.md.

A device has nothing that stays open and no room. So a sender leaves messages for the next device (operation
10), and has that device show them (200), again and again; what is shown is checked as any other private
message is. One process does it all: a service verifies passwords and commits, which is what limits it.
"""

import asyncio
import contextlib
import random
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Final

from tertulia_load import texts
from tertulia_load.control import Joined, Progress, Settled, Stopped
from tertulia_load.latency import Latency
from tertulia_load.outcome import Outcome, Rounds
from tertulia_load.pacing import Pace
from tertulia_load.plan import Plan
from tertulia_load.reading import Tally
from tertulia_load.sequences import Sequences, Verdict
from tertulia_load.texts import Kind
from tertulia_load.worker import micros

_SIGN_UP: Final = 1
_OUT: Final = 3
_CHAT: Final = 10
_SHOW: Final = 200
_OFFCHAT: Final = 1
_QUIT: Final = b"\\q"
_NOTHING: Final = b"null"
_AT_ONCE: Final = 8
"""Devices that sign up at the same time: each costs the service a password's hash."""
_OPERATION_SECONDS: Final = 30.0
_SHOWN: Final = 60_000
"""Bytes that are left for a device at a time: a string, in which they are shown, holds 65,535."""
_FIRST_PORT: Final = 1024
_PORTS: Final = 60_000
_TICK: Final = 0.25
"""Seconds between two looks at how it goes."""

Show = Callable[[str, float, Progress], None]
"""Takes what is going on, for how many seconds it has been, and how it goes."""


class _Broken(Exception):
    """An operation did not go as its page has it. The message says how."""


class _Operation:
    """One connection to the service."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def tell(self, *values: int | bytes) -> None:
        """Write integers and strings."""
        for value in values:
            if isinstance(value, int):
                self._writer.write(value.to_bytes(4, "big"))
            else:
                self._writer.write(len(value).to_bytes(2, "big") + b"\0\0" + value)

    async def integer(self) -> int:
        """Read an integer."""
        return int.from_bytes(await self._reader.readexactly(4), "big")

    async def string(self) -> bytes:
        """Read a string."""
        head = await self._reader.readexactly(4)
        return await self._reader.readexactly(int.from_bytes(head[:2], "big"))

    async def expect(self, wanted: int, what: str) -> None:
        """Read an integer. Raises _Broken where it is another."""
        found = await self.integer()
        if found != wanted:
            raise _Broken(f"{what}: answered {found} instead of {wanted}")

    async def close(self) -> None:
        """Close in order: when the service has done so as well, it has taken everything."""
        self._writer.write_eof()
        await self._reader.read()


class _Devices:
    """All devices of a run."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._tag = plan.round_tag(0)
        self._random = random.Random(0)  # noqa: S311 - sizes; the same in every run
        self._password = secrets.token_hex(8).encode()
        self.latency = Latency()
        self.tally = Tally()
        self.farewells: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.entered = 0
        self.stop = False
        self._left = plan.messages
        self.numbers = dict.fromkeys(range(plan.senders), 0)
        self._accounts = {device: Sequences() for device in range(plan.clients)}

    @property
    def sent(self) -> int:
        """Messages that were left."""
        return sum(self.numbers.values())

    # --- Operations ------------------------------------------------------------------------------

    async def sign_up(self, device: int) -> None:
        """Make an account, which stays, and log it in."""
        try:
            async with self._operation(device, _SIGN_UP) as operation:
                operation.tell(self._name(device))
                await operation.expect(0, "signup, name")
                operation.tell(self._password)
                await operation.expect(0, "signup, password")
                operation.tell(_FIRST_PORT + device % _PORTS)
                await operation.expect(0, "signup, port")
                self.entered += 1
        except _Broken as error:
            self.failed[str(error)] += 1

    async def log_out(self, device: int) -> None:
        """Log out, so that nobody leaves anything for a device that will not come back."""
        with contextlib.suppress(_Broken):
            async with self._operation(device, _OUT) as operation:
                operation.tell(self._name(device))
                await operation.integer()

    async def talk(self, sender: int, until: int, pace: Pace | None) -> None:
        """Leave messages and have them shown, until a time; in open loop, at a pace."""
        most = _SHOWN // (self._plan.sizes[1] + 1)
        if pace is None:
            most = min(most, self._plan.in_flight)
        # What is due before the end is sent, however late this process is.
        while not self.stop and (
            micros() < until or (pace is not None and pace.next_at is not None)
        ):
            due = [micros()] * most if pace is None else pace.due(micros(), most)
            if not due:
                next_at = until if pace is None or pace.next_at is None else pace.next_at
                await asyncio.sleep(max(0, min(next_at, until) - micros()) / 1_000_000)
            elif not self._left:
                return
            else:
                due = due[: self._left]
                self._left -= len(due)
                try:
                    await self._leave(sender, due)
                    await self._show(sender)
                except _Broken as error:
                    self.tally.disconnected += 1
                    self.farewells[str(error)] += 1

    async def settle(self, sender: int) -> None:
        """Show what is left, and what comes again."""
        with contextlib.suppress(_Broken):
            while await self._show(sender):
                pass

    def account(self) -> Tally:
        """Return the tally."""
        tally = self.tally
        tally.readers = self._plan.clients
        for sender, count in self.numbers.items():
            account = self._accounts[self._partner(sender)]
            tally.lost += account.lost({sender: count})
            tally.doubled += account.doubled
            tally.out_of_order += account.late
        tally.apart = tally.private
        return tally

    async def _leave(self, sender: int, due: list[int]) -> None:
        async with self._operation(sender, _CHAT) as operation:
            operation.tell(self._name(sender))
            await operation.expect(1, "chat, me")
            operation.tell(self._name(self._partner(sender)))
            await operation.expect(_OFFCHAT, "chat, whether the other is offchat")
            for at in due:
                number = self.numbers[sender]
                self.numbers[sender] = number + 1
                token = texts.token(self._tag, Kind.PRIVATE, sender, number, at)
                operation.tell(texts.text(token, self._random.randint(*self._plan.sizes)))
            operation.tell(_QUIT)
            await operation.close()

    async def _show(self, sender: int) -> bool:
        """Have what a sender has left shown; return whether there was anything."""
        partner = self._partner(sender)
        async with self._operation(partner, _SHOW) as operation:
            operation.tell(self._name(partner))
            await operation.expect(1, "show, me")
            operation.tell(self._name(sender))
            shown = await operation.string()
            await operation.close()
        if shown == _NOTHING:
            return False
        now = self.tally.last = micros()
        for token in texts.find(shown):
            if token.tag != self._tag or token.sender != sender:
                self.tally.stray += 1
                continue
            self.tally.private += 1
            self.latency.record(now - token.due)
            if self._accounts[partner].take(sender, token.number) is Verdict.STRAY:
                self.tally.stray += 1
        return True

    @contextlib.asynccontextmanager
    async def _operation(self, device: int, code: int) -> AsyncIterator[_Operation]:
        """Begin an operation. Raises _Broken for anything that ends it out of order."""
        target = self._plan.target(device)
        try:
            async with asyncio.timeout(_OPERATION_SECONDS):
                reader, writer = await asyncio.open_connection(target.address, target.port)
                try:
                    operation = _Operation(reader, writer)
                    operation.tell(code)
                    await operation.expect(1, f"operation {code}")
                    yield operation
                finally:
                    writer.close()
        except asyncio.IncompleteReadError:
            raise _Broken(f"operation {code}: the service hung up") from None
        except TimeoutError:
            raise _Broken(f"operation {code}: no answer in time") from None
        except OSError as error:
            raise _Broken(f"operation {code}: {error.strerror or error}") from None

    def _name(self, device: int) -> bytes:
        return self._plan.nickname(device, 0).encode()

    def _partner(self, sender: int) -> int:
        return (sender + 1) % self._plan.clients


class DeviceRun:
    """A run of devices: all sign up, some send, all is counted."""

    def __init__(self, plan: Plan, show: Show) -> None:
        self._plan = plan
        self._show = show
        self._devices = _Devices(plan)

    def interrupt(self) -> None:
        """Send no more."""
        self._devices.stop = True

    async def carry_out(self) -> Outcome:
        """Go through the run."""
        plan, devices = self._plan, self._devices
        rounds = Rounds(plan)
        begun = micros()
        room = asyncio.Semaphore(_AT_ONCE)

        async def sign_up(device: int) -> None:
            async with room:
                if not devices.stop:
                    await devices.sign_up(device)

        await self._all("signing up", [sign_up(device) for device in range(plan.clients)])
        joined = Joined(devices.entered, dict(devices.failed), 0, begun, micros())
        rounds.joined([joined], 0, begun, notices_expected=0)
        if devices.entered == plan.clients:
            await self._talk(rounds)
        await self._all("logging out", [devices.log_out(device) for device in range(plan.clients)])
        return rounds.outcome(interrupted=devices.stop)

    async def _talk(self, rounds: Rounds) -> None:
        plan, devices = self._plan, self._devices
        cpu, rounds.began = time.process_time(), time.time()
        at = micros()
        until = at + round(plan.seconds * 1_000_000)
        paces = [
            None
            if plan.rate is None
            else Pace(plan.rate / plan.senders, at, until, sender / plan.senders)
            for sender in range(plan.senders)
        ]
        talks = [devices.talk(sender, until, pace) for sender, pace in enumerate(paces)]
        # Nobody talks where there are only devices that wait.
        await self._all("sending", talks or [asyncio.sleep(plan.seconds)])
        ended, rounds.ended = micros(), time.time()
        rounds.sent(at, [Stopped({}, devices.numbers, 0, 0, ended)])
        rest = [devices.settle(sender) for sender in devices.numbers]
        await self._all("waiting for the rest", rest)
        rounds.settled(
            at,
            [
                Settled(
                    tally=devices.account(),
                    farewells=dict(devices.farewells),
                    histogram=devices.latency.encode(),
                    recorded=devices.latency.recorded,
                    longest=devices.latency.longest,
                    orders={},
                    cpu_seconds=time.process_time() - cpu,
                )
            ],
        )

    async def _all(self, doing: str, work: list[Coroutine[Any, Any, None]]) -> None:
        began = time.monotonic()
        waiting = {asyncio.create_task(job) for job in work}
        devices = self._devices
        while waiting:
            done, waiting = await asyncio.wait(waiting, timeout=_TICK)
            for task in done:
                task.result()
            now = Progress(
                devices.entered, 0, 0, devices.sent, devices.tally.private, devices.latency.longest
            )
            self._show(doing, time.monotonic() - began, now)
