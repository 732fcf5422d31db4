"""How fast one client may go on sending. Sans-IO: the time is an argument, as in ``limits``."""

from tertulia.edge.limits import TokenBucket
from tertulia.settings import LimitSettings


class Pace:
    """What a client has sent, against what it may: bytes, commands, and of these what it says to others."""

    __slots__ = ("_is_told", "_limits", "_messages", "bytes", "commands")

    def __init__(self, limits: LimitSettings) -> None:
        """Begin with all bursts unused."""
        self._limits = limits
        self.bytes = TokenBucket(limits.bytes_per_second, limits.bytes_burst)
        self.commands = TokenBucket(limits.commands_per_second, limits.commands_burst)
        self._messages: TokenBucket | None = None  # made when first needed: most only read
        self._is_told = False

    def say(self, now: float) -> float:
        """Take what puts text before somebody else; return the seconds for which no more is to be read.

        It is a command as well.
        """
        if self._messages is None:
            limits = self._limits
            self._messages = TokenBucket(limits.messages_per_second, limits.messages_burst)
        elif self._is_told and self._messages.is_full(now):
            self._is_told = False
        return self._messages.charge(1, now)

    def is_to_be_told(self) -> bool:
        """Whether a client that says too much has to be told: once, until its whole burst is there again."""
        was_told, self._is_told = self._is_told, True
        return not was_told
