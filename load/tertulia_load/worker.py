"""One process of the tool: one thread, one epoll, a share of the clients.

Plain epoll and ``recv_into``: see docs/decisions/0007-load-tool-reads-without-parsing.md.
"""

import contextlib
import gc
import os
import resource
import select
import signal
import sys
import time
import traceback
from typing import Final

import msgspec

from tertulia_load import control, dialects
from tertulia_load.client import Client, Sockets, State
from tertulia_load.control import Begin, Failed, Join, Order, Report, Send, Settle, Stop
from tertulia_load.plan import Plan
from tertulia_load.rooms import take_seats
from tertulia_load.round import Round

_ORDERS: Final = 0
_REPORTS: Final = 1
_BUFFER: Final = 262_144
_EVENTS: Final = 128
"""Sockets to read before it is looked whether something is due."""
_TICK: Final = 200_000
"""Microseconds between two reports of progress."""
_WRITABLE: Final = select.EPOLLOUT


def micros() -> int:
    """Return the time, by the clock that all processes of a machine share."""
    return time.monotonic_ns() // 1000


class Worker:
    """Carries out the orders of the tool for the clients of one process."""

    def __init__(self, begin: Begin) -> None:
        self._plan = plan = begin.plan
        self._process = begin.process
        self._sockets = Sockets()
        self._sockets.poll.register(_ORDERS, select.EPOLLIN)
        self._orders = b""
        self._buffer = bytearray(_BUFFER)
        self._clients = _clients(plan, begin.process, self._sockets)
        self._round: Round | None = None
        self._next_tick = 0

    def run(self) -> None:
        """Work until there are no more orders."""
        poll, owners = self._sockets.poll.poll, self._sockets.owners
        while True:
            self._wait()
            for file, events in poll(0, _EVENTS):
                client = owners.get(file)
                if client is not None:
                    self._serve(client, events)
                elif file == _ORDERS and not self._take_orders():
                    return
            self._go_on(micros())

    def _wait(self) -> None:
        """Wait until there is something to read, or to do.

        By select(): epoll's own time-out counts in whole milliseconds, and a message that is sent a
        millisecond late is measured as a service that is a millisecond slow.
        """
        next_at = self._round.next_at if self._round is not None else None
        until = self._next_tick if next_at is None else min(next_at, self._next_tick)
        delay = max(0, until - micros())
        select.select((self._sockets.poll,), (), (), delay / 1_000_000)

    def _serve(self, client: Client, events: int) -> None:
        if events & _WRITABLE:
            if client.state is State.CONNECTING:
                try:
                    client.connected()
                except OSError as error:
                    self._ended(client, error)
                    return
            else:
                client.flush()
        if not events & ~_WRITABLE:
            return
        try:
            count = client.recv_into(self._buffer)
        except BlockingIOError:
            return
        except OSError as error:
            self._ended(client, error)
            return
        if count:
            assert self._round is not None
            self._round.take(client, self._buffer, count, micros())
        else:
            self._ended(client, None)

    def _ended(self, client: Client, error: OSError | None) -> None:
        assert self._round is not None
        why = "closed by the service" if error is None else error.strerror or str(error)
        self._round.ended(client, why, micros())

    def _go_on(self, now: int) -> None:
        if self._round is not None:
            for report in self._round.go_on(now):
                _tell(report)
            if now >= self._next_tick:
                _tell(self._round.progress(now))
        if now >= self._next_tick:
            self._next_tick = now + _TICK

    def _take_orders(self) -> bool:
        """Take what orders there are. Return whether there may be more."""
        data = os.read(_ORDERS, 1_048_576)
        if not data:
            return False
        *lines, self._orders = (self._orders + data).split(b"\n")
        for line in lines:
            self._carry_out(control.decode_order(line))
        return True

    def _carry_out(self, order: Order) -> None:
        if isinstance(order, Join):
            self._round = Round(self._plan, self._process, order.round, self._clients, micros())
        assert self._round is not None
        match order:
            case Send():
                self._round.send(order)
            case Stop():
                self._round.stop()
            case Settle():
                self._round.settle(order, micros())
            case _:
                pass


def _clients(plan: Plan, process: int, sockets: Sockets) -> list[Client]:
    speech = {target: dialects.by_name(target.dialect, target.place) for target in plan.targets}
    clients = []
    for id_ in plan.ids(process):
        target = plan.target(id_)
        clients.append(Client(id_, target, speech[target], sockets))
    for i, client in enumerate(clients):
        client.is_sender = client.id < plan.senders
        before = clients[i - 1].id
        client.watches = before if before < plan.senders else -1
    if plan.rooms:
        take_seats(plan, clients)
    return clients


def _tell(report: Report) -> None:
    data = control.encode(report) + b"\n"
    while data:
        data = data[os.write(_REPORTS, data) :]


def _first_order() -> Begin:
    line = b""
    while not line.endswith(b"\n"):  # by single bytes: what follows is for epoll
        byte = os.read(_ORDERS, 1)
        if not byte:
            sys.exit(0)
        line += byte
    order = control.decode_order(line)
    assert isinstance(order, Begin)
    return order


def main() -> None:
    """Be a process of the tool: orders on standard input, reports on standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tool, which says what to do
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        worker = Worker(_first_order())
        # Nothing here is in a cycle, and a collection in the midst of reading would be measured.
        gc.freeze()
        gc.disable()
        worker.run()
    except BrokenPipeError:
        pass  # the tool is gone
    except (OSError, msgspec.MsgspecError, AssertionError) as error:
        traceback.print_exc()
        with contextlib.suppress(OSError):
            _tell(Failed(f"{type(error).__name__}: {error}"))
        sys.exit(1)


if __name__ == "__main__":
    main()
