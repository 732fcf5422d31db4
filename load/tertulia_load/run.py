"""A run: the processes, the orders they get and when, and the sum of what they report."""

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import Final, Self, TypeVar

from tertulia_load import control
from tertulia_load.control import (
    Begin,
    Failed,
    Join,
    Joined,
    Order,
    Progress,
    Report,
    Send,
    Settle,
    Settled,
    Stop,
    Stopped,
)
from tertulia_load.devices import DeviceRun, Show
from tertulia_load.outcome import Outcome, Rounds
from tertulia_load.plan import MAX_SETTLING, Plan
from tertulia_load.worker import micros

_Kind = TypeVar("_Kind", bound=Report)

_JOIN_SECONDS: Final = 120.0
"""Seconds within which everybody has to be in, beside the ramp and the jitter."""
_SLACK: Final = 30.0
"""Seconds that a process may be late with what it has to report at a time."""
_START_DELAY: Final = 50_000
"""Microseconds from the order to send to the first message, so that all processes begin together."""
_PREPARING: Final = 5
"""The same, more for each reader of a room: what is prepared late would be measured as a slow service."""
_LOOK_SECONDS: Final = 0.05
"""Between two looks whether everybody has read who came."""
_LINE: Final = 64 * 1024 * 1024
"""Bytes of a report: one number for each sender."""


class RunError(Exception):
    """The run could not be carried through. The message says why."""


class _Process:
    """One process of the tool."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self._child = child
        self.progress = Progress(0, 0, 0, 0, 0, 0)
        self.reports: asyncio.Queue[Report] = asyncio.Queue()
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls) -> Self:
        """Start it."""
        return cls(
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tertulia_load.worker"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=_LINE,
            )
        )

    def tell(self, order: Order) -> None:
        """Give it an order."""
        assert self._child.stdin is not None
        self._child.stdin.write(control.encode(order) + b"\n")

    async def end(self) -> None:
        """Let it end, and wait until it has."""
        assert self._child.stdin is not None
        self._child.stdin.close()
        try:
            await asyncio.wait_for(self._child.wait(), 5)
        except TimeoutError:
            self._child.kill()
            await self._child.wait()
        await self._reading

    async def _read(self) -> None:
        assert self._child.stdout is not None
        with contextlib.suppress(ConnectionError):
            async for line in self._child.stdout:
                report = control.decode_report(line)
                if isinstance(report, Progress):
                    self.progress = report
                else:
                    self.reports.put_nowait(report)
        self.reports.put_nowait(Failed("a process of the tool ended"))


class _Run:
    """Takes all processes through the rounds of a plan."""

    def __init__(self, plan: Plan, processes: list[_Process], show: Show) -> None:
        self._plan = plan
        self._processes = processes
        self._show = show
        self._rounds = Rounds(plan)
        self._interrupted = False
        self._sending = False

    def interrupt(self) -> None:
        """Send no more, and draw up the account of what was sent."""
        self._interrupted = True
        if self._sending:
            self._tell(Stop())

    async def carry_out(self) -> Outcome:
        """Go through all rounds. Raises RunError where that is not possible."""
        for number, seconds in enumerate(self._plan.rounds):
            if not await self._come(number) or self._interrupted:
                break
            await self._talk(number, seconds)
            if self._interrupted:
                break
        return self._rounds.outcome(interrupted=self._interrupted)

    async def _come(self, number: int) -> bool:
        """Have everybody come; return whether everybody is there."""
        plan = self._plan
        self._tell(Join(number))
        within = _JOIN_SECONDS + plan.jitter + (plan.clients / plan.ramp if plan.ramp else 0)
        doing = "coming back" if number else "joining"
        reports = await self._all(Joined, within, doing)
        entered = sum(report.entered for report in reports)
        expected = plan.notices(entered)
        if entered == plan.clients and expected is not None:
            await self._notices(expected)
        last = max(process.progress.last_notice for process in self._processes)
        notices = self._total().notices if expected is not None else 0
        joins = self._rounds.joined(reports, notices, last, expected or 0)
        return joins.clients == plan.clients

    async def _notices(self, expected: int) -> None:
        """Wait until all have read who came, or nothing comes any more."""
        began = time.monotonic()
        seen, quiet = -1, 0.0
        while (now := self._total().notices) < expected:
            if now != seen:
                seen, quiet = now, 0.0
            elif quiet > self._plan.settle or self._interrupted:
                return
            await asyncio.sleep(_LOOK_SECONDS)
            quiet += _LOOK_SECONDS  # and no more, where it stood still itself
            self._show("reading who came", time.monotonic() - began, self._total())

    async def _talk(self, number: int, seconds: float) -> None:
        """Have messages sent and read."""
        delay = _START_DELAY + _PREPARING * self._plan.clients * self._plan.rooms_per_client
        at = micros() + delay
        if not self._rounds.began:
            self._rounds.began = time.time() + (delay - _START_DELAY) / 1_000_000
        self._sending = True
        self._tell(Send(at, seconds))
        stopped = await self._all(Stopped, seconds + _SLACK, "sending", seconds)
        self._sending = False
        self._rounds.ended = time.time()
        self._rounds.sent(at, stopped)
        sent: dict[int, int] = {}
        for report in stopped:
            sent |= report.public
        self._tell(Settle(sent))
        settled = await self._all(Settled, MAX_SETTLING + _SLACK, "waiting for the rest")
        self._rounds.settled(at, settled)

    def _tell(self, order: Order) -> None:
        for process in self._processes:
            process.tell(order)

    def _total(self) -> Progress:
        all_ = [process.progress for process in self._processes]
        return Progress(
            clients=sum(progress.clients for progress in all_),
            notices=sum(progress.notices for progress in all_),
            last_notice=max(progress.last_notice for progress in all_),
            sent=sum(progress.sent for progress in all_),
            delivered=sum(progress.delivered for progress in all_),
            slowest=max(progress.slowest for progress in all_),
        )

    async def _all(
        self, kind: type[_Kind], within: float, doing: str, of: float | None = None
    ) -> list[_Kind]:
        """Wait for a report of every process, showing how it goes."""
        began = time.monotonic()
        waiting = {
            asyncio.create_task(process.reports.get()): process for process in self._processes
        }
        found: list[_Kind] = []
        try:
            while waiting:
                if self._interrupted and kind is Joined:
                    raise RunError(f"interrupted while {doing}")
                left = began + within - time.monotonic()
                if left <= 0:
                    raise RunError(
                        f"{doing} took more than {within:g} s; {self._total().clients:,} of "
                        f"{self._plan.clients:,} clients are in"
                    )
                done, _ = await asyncio.wait(
                    waiting, timeout=min(left, 0.25), return_when=asyncio.FIRST_COMPLETED
                )
                for task in done:
                    del waiting[task]
                    report = task.result()
                    if isinstance(report, Failed):
                        raise RunError(report.why)
                    assert isinstance(report, kind), report
                    found.append(report)
                self._show(doing, time.monotonic() - began, self._total())
        finally:
            for task in waiting:
                task.cancel()
        return found


async def run(plan: Plan, show: Show) -> Outcome:
    """Carry out a plan, and return what became of it.

    Ctrl-C ends the sending, and the account is drawn up; a second one ends everything. Raises
    RunError where the tool itself failed, PlanError where the plan is wrong.
    """
    plan.check()
    if plan.is_of_devices:
        devices = DeviceRun(plan, show)
        with _interrupts(devices.interrupt):
            return await devices.carry_out()
    processes = [await _Process.start() for _ in range(plan.processes)]
    try:
        for number, process in enumerate(processes):
            process.tell(Begin(plan, number))
        rooms = _Run(plan, processes, show)
        with _interrupts(rooms.interrupt):
            return await rooms.carry_out()
    finally:
        await asyncio.gather(*(process.end() for process in processes))


@contextlib.contextmanager
def _interrupts(interrupt: Callable[[], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()

    def once() -> None:
        loop.remove_signal_handler(signal.SIGINT)
        interrupt()

    loop.add_signal_handler(signal.SIGINT, once)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
