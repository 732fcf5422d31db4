"""The order to stop: from whom it comes, and how urgent it is."""

import asyncio
import signal
import sys
from collections.abc import Callable

import structlog

_log = structlog.get_logger(__name__)


class Stop:
    """The order to stop, wherever it comes from, and how urgent it is."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.hurried = asyncio.Event()
        """Set when there is no time for notice and spreading, nor for a store that is away."""
        self.gently = False
        """Whether the balancer is given notice, and clients are sent away one after the other."""

    def drain(self, *, gently: bool) -> None:
        """Ask the node to go; asking again changes nothing."""
        if not self.asked.is_set():
            self.gently = gently
            self.asked.set()

    def hurry(self) -> None:
        """Ask it to go now."""
        self.asked.set()
        self.hurried.set()


def heed_signals(stop: Stop, before_the_end: Callable[[], None]) -> None:
    """SIGTERM drains gently, SIGINT (a person at the terminal) soon; a second one hurries, a third ends."""

    def signalled(number: signal.Signals) -> None:
        _log.info("signalled", signal=number.name)
        if stop.hurried.is_set():
            before_the_end()
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        elif stop.asked.is_set():
            stop.hurry()
        else:
            stop.drain(gently=number is signal.SIGTERM)

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, signalled, number)


def heed_hangup(stop: Stop, reload: Callable[[], None]) -> None:
    """SIGHUP asks for new certificates and filters; where the terminal is gone, it drains soon."""
    at_terminal = sys.stderr.isatty()

    def hung_up() -> None:
        _log.info("signalled", signal=signal.SIGHUP.name)
        if at_terminal and not sys.stderr.isatty():
            stop.drain(gently=False)
        else:
            reload()

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hung_up)
