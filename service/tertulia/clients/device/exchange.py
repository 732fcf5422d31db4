"""An exchange of frames, written down in the order of the page and run on bytes in any split.

An exchange is a generator. It yields bytes to send, what it expects next (and is sent that), and
events for its runner. Its return value is its result.
"""

from collections.abc import Generator, Iterator
from enum import Enum, auto
from typing import Any, Generic, TypeVar

from tertulia.clients.device.wire import FrameDecoder

T = TypeVar("T")


class Expect(Enum):
    """The frame that comes next."""

    INTEGER = auto()
    STRING = auto()
    EITHER = auto()
    """An integer or a string; see ``FrameDecoder.frame``."""


class PeerEvent:
    """Something that the runner of an exchange learns while it goes on."""

    __slots__ = ()


class Quiet(Exception):
    """Thrown into an exchange: what it could have read next has not come, and need not."""


Steps = Generator[bytes | Expect | PeerEvent, Any, T]


def an_integer() -> Steps[int]:
    """Read an integer."""
    value: int = yield Expect.INTEGER
    return value


def a_string() -> Steps[bytes]:
    """Read a string."""
    value: bytes = yield Expect.STRING
    return value


def either() -> Steps[int | bytes]:
    """Read a frame of the kind that comes."""
    value: int | bytes = yield Expect.EITHER
    return value


class Run(Generic[T]):
    """One exchange under way, on frames that it shares with those before and after it."""

    __slots__ = ("_expected", "_frames", "_result", "_steps", "done")

    def __init__(self, frames: FrameDecoder, steps: Steps[T]) -> None:
        self._frames = frames
        self._steps = steps
        self._expected: Expect | None = None
        self._result: T
        self.done = False

    @property
    def result(self) -> T:
        """What the exchange returned. To be read once it is done."""
        return self._result

    def advance(self) -> Iterator[bytes | PeerEvent]:
        """Go as far as the frames allow, and give what is to be sent and told, in order.

        To be called once at the start, then after each feed, and read to its end. Raises Garbage,
        after what came of the frames before.
        """
        yielded: bytes | PeerEvent | Expect | None = self._expected or self._resume(None)
        while yielded is not None:
            if isinstance(yielded, Expect):
                value = self._next(yielded)
                if value is None:
                    self._expected = yielded
                    return
                self._expected = None
                yielded = self._resume(value)
            else:
                yield yielded
                yielded = self._resume(None)

    def quiet(self) -> Iterator[bytes | PeerEvent]:
        """Tell the exchange that nothing more comes for now, and go on."""
        self._expected = None
        yielded: bytes | PeerEvent | Expect | None = self._steps.throw(Quiet())
        while yielded is not None and not isinstance(yielded, Expect):
            yield yielded
            yielded = self._resume(None)
        self._expected = yielded

    def _resume(self, value: int | bytes | None) -> bytes | PeerEvent | Expect | None:
        if self.done:
            return None
        try:
            return self._steps.send(value)
        except StopIteration as stop:
            self.done = True
            self._result = stop.value
            return None

    def _next(self, expected: Expect) -> int | bytes | None:
        match expected:
            case Expect.INTEGER:
                return self._frames.integer()
            case Expect.STRING:
                return self._frames.string()
            case Expect.EITHER:
                return self._frames.frame()
