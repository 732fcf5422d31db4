"""The devices' side of a chat: what happens when being told overtakes an answer."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from fakes.accounts import KnownPasswords, NoAccounts
from fakes.outbox import RecordingOutbox
from harness.device_client import BINARY, TEXT, Framing
from harness.waiting import until
from tertulia.chat import devices
from tertulia.chat.accounts import Login, Pending
from tertulia.chat.device_ops import DeviceOp, ForgetOp, RequestOp
from tertulia.chat.devices import Devices, DeviceSession
from tertulia.chat.operator_commands import OperatorCommands
from tertulia.chat.ports import Op, Outcome, Store
from tertulia.chat.signing_up import AccountRules
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.requests import LeaveChat, Message, OpenChat
from tertulia.telemetry.metrics import Metrics

ADDRESS = "192.0.2.1"
WHEN = datetime(2026, 11, 20, 23, 11, 5)  # noqa: DTZ001 (local time, as in Pending)


class HandStore:
    """A store that settles when it is told to."""

    node = "n"

    def __init__(self) -> None:
        self.ops: list[Op] = []

    def submit(self, op: Op) -> None:
        self.ops.append(op)

    def settle(self, note: str = "", outcome: Outcome = Outcome.DONE) -> None:
        """Settle everything that was submitted."""
        for op in self.ops:
            assert isinstance(op, DeviceOp)
            if not op.settled.done():
                op.outcome, op.note = outcome, note
                op.settled.set_result(None)

    def kinds(self) -> list[type]:
        return [type(op.asked) if isinstance(op, RequestOp) else type(op) for op in self.ops]


class SlowAccounts(NoAccounts):
    """Anna is logged in, and has a message from bruno that takes until ``found`` to be read."""

    def __init__(self) -> None:
        self.found = asyncio.Event()
        self.found.set()

    async def login(self, key: str) -> Login | None:
        return Login("anna", ADDRESS, 5001, "")

    async def pending(self, key: str, sender: str, room: int) -> Sequence[Pending]:
        await self.found.wait()
        return [Pending(1, "uno")]


class Connection:
    """A device's connection: fed lines, it does what the edge does."""

    def __init__(self, rules: AccountRules | None = None) -> None:
        rules = rules or AccountRules()
        self.store, self.accounts = HandStore(), SlowAccounts()
        registry = CollectorRegistry()
        metrics = Metrics(registry, dialects=("device",), chats={"main"}, version="0")
        self.operator_commands = OperatorCommands("main")
        self.devices = Devices(
            cast(Store, cast(Any, self.store)),
            self.accounts,
            KnownPasswords(),
            self.operator_commands,
            rules,
            metrics,
        )
        self.outbox = RecordingOutbox()
        self.session: DeviceSession = self.devices.connect(self.outbox, ADDRESS, 50_000)

    async def send(self, *lines: str) -> None:
        await self.feed("".join(f"{line}\n" for line in lines).encode())

    async def feed(self, data: bytes) -> None:
        self.session.decoder.feed(data)
        await self.go_on()

    async def waits(self, framing: Framing = TEXT) -> None:
        """Let anna enter bruno's chat, and be answered 1."""
        await self.feed(framing.write(10, "anna", "bruno"))
        self.store.settle("1")
        await self.go_on()
        assert self.outbox.take() == framing.write(1, 1, 1)

    async def go_on(self) -> None:
        """Do everything that can be done."""
        for _ in range(50):
            while self.session.takes_commands:
                command = self.session.decoder.next_command()
                if command is None:
                    break
                self.devices.command(self.session, command)
            await asyncio.sleep(0)

    async def close(self, *, in_order: bool = True) -> None:
        if in_order and self.session.is_over:
            self.devices.ended(self.session)
        else:
            self.devices.lost(self.session, Disconnect.GONE if in_order else Disconnect.BROKEN)
        await self.go_on()

    def forgotten(self) -> list[int]:
        return [op.number for op in self.store.ops if isinstance(op, ForgetOp)]


async def test_what_was_shown_is_forgotten_when_the_device_closes_in_order() -> None:
    for in_order, forgotten in ((True, [1]), (False, [])):
        it = Connection()
        await it.send("200", "anna", "bruno")
        assert it.outbox.read() == ["1", "1", "uno", ""]
        await it.close(in_order=in_order)
        assert it.forgotten() == forgotten


async def test_what_was_shown_to_a_device_that_died_before_it_read_it_is_not_forgotten() -> None:
    """Its end looks like an orderly one; only its system never takes the answer."""
    it = Connection()
    it.outbox.arrives = False
    await it.send("200", "anna", "bruno")
    await it.close()
    assert it.forgotten() == []
    assert it.outbox.closed is Disconnect.GONE


async def test_a_node_that_is_fenced_closes_whom_it_was_about_to() -> None:
    it = Connection()
    await it.send("200", "anna", "bruno")
    await it.close()
    assert it.outbox.closed is None  # the store has not answered
    it.devices.fenced()
    await it.go_on()
    assert it.outbox.closed is Disconnect.GONE


async def test_what_is_asked_is_shown_before_the_device_is_told_that_the_other_came() -> None:
    it = Connection()
    it.accounts.found.clear()
    await it.send("200", "anna", "bruno")
    it.devices.summoned(it.session.name, 6002)
    it.accounts.found.set()
    await it.go_on()
    assert it.outbox.read() == ["1", "1", "uno", "", "6002"]
    await it.close()
    assert it.forgotten() != []


async def test_what_was_not_shown_because_the_node_drained_is_not_forgotten() -> None:
    it = Connection()
    it.accounts.found.clear()
    await it.send("200", "anna", "bruno")
    it.devices.drain()
    it.accounts.found.set()
    await it.go_on()
    assert it.outbox.read() == ["1", "1"]
    await it.close()
    assert it.forgotten() == []


async def test_a_device_reads_its_answer_before_it_is_told_that_the_other_came() -> None:
    """The other's entering may overtake the news of the own one: without the 1, both would dial."""
    it = Connection()
    await it.send("10", "anna", "bruno")
    assert it.store.kinds() == [OpenChat]
    it.devices.summoned(it.session.name, 6002)
    it.store.settle("1")
    await it.go_on()
    assert it.outbox.read() == ["1", "1", "1", "6002"]


async def test_who_goes_while_its_entering_is_under_way_is_offchat_afterwards() -> None:
    it = Connection()
    await it.send("10", "anna", "bruno")
    await it.close()
    it.store.settle("1")
    await it.go_on()
    assert it.store.kinds() == [OpenChat, LeaveChat]


# Operation 200 comes before the other's port


async def test_a_device_that_is_about_to_run_200_is_told_the_port_after_it() -> None:
    """It would take the port for the service's answer to the 200."""
    it = Connection()
    await it.waits(BINARY)
    it.devices.summoned(it.session.name, 6002)
    await it.go_on()
    assert it.outbox.take() == b""
    for sent, told in ((200, 1), ("anna", 1), ("bruno", "uno\n")):
        await it.feed(BINARY.write(sent))
        more = BINARY.write(6002) if sent == "bruno" else b""
        assert it.outbox.take() == BINARY.write(told) + more
    assert it.outbox.closed is Disconnect.OPERATION_OVER
    await it.close()
    assert it.forgotten() == [1]


async def test_a_device_that_runs_no_200_is_told_the_port_soon() -> None:
    it = Connection()
    await it.waits(BINARY)
    it.devices.summoned(it.session.name, 6002)
    await until(lambda: it.session.is_over, 30, "the port to be told")
    assert it.outbox.take() == BINARY.write(6002)


async def test_a_device_that_writes_at_once_is_told_the_port_behind_its_message() -> None:
    it = Connection()
    await it.waits(BINARY)
    it.devices.summoned(it.session.name, 6002)
    await it.feed(BINARY.write("ciao"))
    assert it.outbox.take() == b""
    it.store.settle()
    await it.go_on()
    assert it.outbox.take() == BINARY.write(6002)
    assert it.store.kinds() == [OpenChat, Message]


async def test_after_a_port_the_device_may_close_and_else_the_service_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(devices, "DONE_SECONDS", 0.05)
    for shows in (False, True):
        it = Connection()
        await it.feed(BINARY.write(10, "anna", "bruno"))
        it.store.settle("6002")
        await it.go_on()
        if shows:
            await it.feed(BINARY.write(200, "anna", "bruno"))
        assert it.outbox.closed is None
        assert not it.session.is_in_hurry, "it has its own time"
        await until(lambda c=it: c.outbox.closed, 30, "the service's end")  # type: ignore[misc]
        assert it.session.awaits_end is shows
        await it.close()
        assert it.forgotten() == ([1] if shows else [])


# A node that drains


async def test_a_device_that_waits_is_offchat_before_it_is_told_the_end_and_heard_after_it() -> (
    None
):
    it = Connection()
    await it.waits()
    it.devices.drain()
    it.devices.drain()
    await it.go_on()
    assert it.store.kinds() == [OpenChat, LeaveChat]
    assert not it.outbox.parted, "somebody may still come to it"
    it.store.settle()
    await it.go_on()
    assert it.outbox.parted and it.outbox.closed is None
    await it.send("ciao")
    assert it.store.kinds() == [OpenChat, LeaveChat, Message]
    it.store.settle()
    await it.go_on()
    await it.close()
    assert it.outbox.closed is Disconnect.GONE
    assert it.store.kinds() == [OpenChat, LeaveChat, Message]


async def test_a_device_to_which_somebody_came_just_before_is_told_so() -> None:
    it = Connection()
    await it.waits()
    it.devices.drain()
    await it.go_on()
    it.store.settle(outcome=Outcome.UNKNOWN)  # it does not wait any more
    await it.go_on()
    assert not it.outbox.parted
    it.devices.summoned(it.session.name, 6002)
    await it.go_on()
    assert it.outbox.take() == TEXT.write(6002)
    assert it.outbox.closed is Disconnect.OPERATION_OVER
    assert not it.outbox.parted


async def test_a_device_that_asks_for_something_after_the_end_is_reset() -> None:
    it = Connection()
    await it.waits(BINARY)
    it.devices.drain()
    await it.go_on()
    it.store.settle()
    await it.go_on()
    await it.feed(BINARY.write(200))
    assert it.outbox.take() == b""
    assert (it.outbox.closed, it.outbox.is_cut) == (Disconnect.DRAINED, True)
    assert it.outbox.unheard


async def test_what_a_waiting_device_says_after_it_was_dismissed_is_refused() -> None:
    """Else it would be thrown away for a while, and it would never know."""
    it = Connection()
    await it.waits()
    it.devices.dismiss("anna", Disconnect.KICKED)
    assert (it.outbox.closed, it.outbox.is_cut) == (Disconnect.KICKED, True)
    assert not it.outbox.unheard


async def test_a_message_that_a_fenced_node_did_not_get_done_was_not_heard() -> None:
    it = Connection()
    await it.waits()
    await it.send("ciao")
    it.devices.fenced()
    await it.go_on()
    assert it.outbox.is_cut
    assert it.outbox.unheard
