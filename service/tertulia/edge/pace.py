"""How fast one client may go on sending. Sans-IO: the time is an argument, as in ``limits``."""

from typing import Final

from tertulia.edge.limits import ROUNDING
from tertulia.settings.sections import LimitSettings
from tertulia.telemetry.metrics import Limit

_NEVER: Final = float("-inf")


class Rates:
    """What each client of a listener may send: how long one of a kind takes, and a burst of them."""

    __slots__ = (
        "byte_burst",
        "byte_seconds",
        "command_burst",
        "command_seconds",
        "message_burst",
        "message_seconds",
    )

    def __init__(self, limits: LimitSettings) -> None:
        """Take them from the settings."""
        self.byte_seconds = 1 / limits.bytes_per_second
        self.byte_burst = limits.bytes_burst / limits.bytes_per_second
        self.command_seconds = 1 / limits.commands_per_second
        self.command_burst = limits.commands_burst / limits.commands_per_second
        self.message_seconds = 1 / limits.messages_per_second
        self.message_burst = limits.messages_burst / limits.messages_per_second


class Pace:
    """What a client has sent, against what it may: bytes, commands, and of these what it says to others."""

    # All is counted here as ``TokenBucket.charge`` does: the cost of calling it was felt. Every client has
    # one of these for good, so values that are the same for all are held once.
    __slots__ = (
        "_bytes_full_at",
        "_commands_full_at",
        "_is_told",
        "_messages_full_at",
        "_owed",
        "_rates",
        "limit",
    )

    def __init__(self, rates: Rates) -> None:
        """Begin with all bursts unused."""
        self._rates = rates
        self._bytes_full_at = _NEVER
        self._commands_full_at = _NEVER
        self._messages_full_at = _NEVER
        self._owed = 0.0
        self._is_told = False
        self.limit = Limit.COMMANDS
        """What the last debt was for."""

    def read(self, count: int, now: float) -> float:
        """Take so many bytes; return the seconds for which nothing more is to be read."""
        rates, full_at = self._rates, self._bytes_full_at
        if full_at < now:
            full_at = now
        self._bytes_full_at = full_at = full_at + count * rates.byte_seconds
        debt = full_at - now - rates.byte_burst
        return debt if debt > ROUNDING else 0.0

    def command(self, now: float, *, is_said: bool) -> float:
        """Take a command; return the seconds for which nothing more is to be read.

        ``is_said``: whether it puts text before somebody else.
        """
        rates, full_at = self._rates, self._commands_full_at
        if full_at < now:
            full_at = now
        self._commands_full_at = full_at = full_at + rates.command_seconds
        debt = full_at - now - rates.command_burst
        owed = 0.0
        if is_said:
            full_at = self._messages_full_at
            if full_at <= now:
                full_at = now
                self._is_told = False
            self._messages_full_at = full_at = full_at + rates.message_seconds
            owed = full_at - now - rates.message_burst
        if debt <= ROUNDING and owed <= ROUNDING:
            return 0.0
        self._owed = owed
        self.limit = Limit.MESSAGES if owed > debt else Limit.COMMANDS
        return max(debt, owed)

    def is_to_be_told(self) -> bool:
        """Ask whether a client in debt is to be warned that it says too much.

        The client is warned once, until its whole burst is there again.
        """
        is_to_be_told = self._owed > ROUNDING and not self._is_told
        self._is_told = self._is_told or is_to_be_told
        return is_to_be_told
