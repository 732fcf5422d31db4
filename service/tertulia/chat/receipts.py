"""How many messages one client was given, and how many of them it has acknowledged."""

from dataclasses import dataclass


@dataclass(slots=True)
class Stream:
    """What all clients of one encoder read."""

    messages: int = 0
    """How many public messages were written to the stream in all."""


class Receipts:
    """One client's count of messages: an acknowledgement says that one more was read, but not which one."""

    __slots__ = ("_acknowledges_all", "_before", "_private", "_stream", "acknowledged")

    def __init__(self, *, acknowledges_all: bool) -> None:
        """``acknowledges_all``: whether public messages are acknowledged as well."""
        self._acknowledges_all = acknowledges_all
        self._stream: Stream | None = None
        self._before = 0
        self._private = 0
        self.acknowledged = 0
        """How many it has acknowledged. Its socket's reader adds to it: a call for each costs too much."""

    def join(self, stream: Stream) -> None:
        """Note that the client reads a stream from now on."""
        self._stream, self._before = stream, stream.messages

    def skip(self, messages: int) -> None:
        """Note that the client did not read so many messages that its stream counts as written."""
        self._before += messages

    def give(self, lines: int = 1) -> int:
        """Note a private message to the client; return the count of acknowledgements that covers it.

        Who acknowledges everything does so with each of its lines, which are messages there.
        """
        if not self._acknowledges_all or self._stream is None:
            self._private += lines if self._acknowledges_all else 1
            return self._private
        self._private = private = self._private + lines
        return self._stream.messages - self._before + private

    def give_notices(self, notices: int = 1) -> None:
        """Note notices to the client: where it acknowledges everything, it does so with these."""
        if self._acknowledges_all:
            self._private += notices

    def received(self) -> int:
        """Return how many messages that it may acknowledge were written to the client."""
        if self._stream is None or not self._acknowledges_all:
            return self._private
        return self._stream.messages - self._before + self._private

    @property
    def is_acknowledging(self) -> bool:
        """Whether this client acknowledges: most never do, and some only now and then."""
        return self.acknowledged * 2 >= self.received()
