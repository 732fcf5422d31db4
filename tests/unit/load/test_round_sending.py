"""A round: what is sent, however late the tool is woken."""

from tertulia_load import dialects
from tertulia_load.client import Client, Sockets, State
from tertulia_load.control import Send, Stopped
from tertulia_load.devices import _Devices
from tertulia_load.pacing import Pace
from tertulia_load.plan import Plan
from tertulia_load.round import Round
from tertulia_load.targets import Target
from tertulia_load.worker import micros

HERE = Target("chatte", "localhost", "127.0.0.1", 1234)
SECOND = 1_000_000
AT = 5 * SECOND
RATE = 1000


class Unheard(Client):
    """A client without a socket, to which anything may be written."""

    __slots__ = ()

    def write(self, data: bytes) -> None:
        pass


def sending(seconds: int) -> Round:
    """Return a round in which some clients begin to send."""
    sockets = Sockets()
    clients = [Unheard(it, HERE, dialects.by_name("chatte", ""), sockets) for it in range(4)]
    plan = Plan(targets=(HERE,), clients=4, senders=4, processes=1, rate=RATE, seconds=seconds)
    it = Round(plan, 0, 0, clients, 0)
    for client in clients:
        client.state, client.is_sender = State.IN, True
    it.send(Send(AT, seconds))
    return it


def stopped(it: Round, now: int) -> Stopped:
    """Let it go on as a worker does, at a time that stands still, until it has stopped."""
    for _ in range(100):
        assert it.next_at is not None and it.next_at <= now
        for report in it.go_on(now):
            assert isinstance(report, Stopped)
            return report
    raise AssertionError("it does not stop")


def test_what_was_due_before_the_end_is_sent_after_it_by_who_is_woken_late() -> None:
    """Else a machine that stood still would make a smaller load, which looks kept."""
    it = sending(2)
    assert it.go_on(AT + SECOND // 10) == []
    report = stopped(it, AT + 7 * SECOND)
    assert sum(report.public.values()) == 2 * RATE
    assert (report.held_back, report.until) == (0, AT + 2 * SECOND)
    assert report.latest == 7 * SECOND - (SECOND // 10 // 1000 + 1) * 1000


def test_what_can_not_be_sent_soon_after_the_end_is_held_back() -> None:
    it = sending(2)
    assert it.go_on(AT) == []
    report = stopped(it, AT + 60 * SECOND)
    assert (sum(report.public.values()), report.held_back) == (1, 2 * RATE - 1)


def test_who_is_told_to_stop_sends_no_more() -> None:
    it = sending(2)
    assert it.go_on(AT) == []
    it.stop()
    report = stopped(it, AT + SECOND)
    assert (sum(report.public.values()), report.held_back) == (1, 0)


class Unheeded(_Devices):
    """Devices of which nothing is asked."""

    async def _leave(self, sender: int, due: list[int]) -> None:
        self.numbers[sender] += len(due)

    async def _show(self, sender: int) -> bool:
        return False


async def test_a_device_leaves_all_that_was_due_as_well() -> None:
    plan = Plan(targets=(Target("device", "localhost", "127.0.0.1", 1234),), clients=2, senders=1)
    devices, end = Unheeded(plan), micros() - 5 * SECOND
    await devices.talk(0, end, Pace(RATE, end - 2 * SECOND, end))
    assert devices.sent == 2 * RATE
