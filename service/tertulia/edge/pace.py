"""How fast one client may go on sending. Sans-IO: the time is an argument, as in ``limits``."""

from typing import Final

from tertulia.edge.limits import ROUNDING, TokenBucket
from tertulia.settings.model import LimitSettings
from tertulia.telemetry.metrics import Limit

_NEVER: Final = float("-inf")


class Pace:
    """What a client has sent, against what it may: bytes, commands, and of these what it says to others."""

    # Commands and messages are counted here as ``TokenBucket.charge`` does: its calls were felt.
    __slots__ = (
        "_command_burst",
        "_command_seconds",
        "_commands_full_at",
        "_is_told",
        "_message_burst",
        "_message_seconds",
        "_messages_full_at",
        "_owed",
        "bytes",
        "limit",
    )

    def __init__(self, limits: LimitSettings) -> None:
        """Begin with all bursts unused."""
        self.bytes = TokenBucket(limits.bytes_per_second, limits.bytes_burst)
        self._command_seconds = 1 / limits.commands_per_second
        self._command_burst = limits.commands_burst / limits.commands_per_second
        self._commands_full_at = _NEVER
        self._message_seconds = 1 / limits.messages_per_second
        self._message_burst = limits.messages_burst / limits.messages_per_second
        self._messages_full_at = _NEVER
        self._owed = 0.0
        self._is_told = False
        self.limit = Limit.COMMANDS
        """What the last debt was for."""

    def command(self, now: float, *, is_said: bool) -> float:
        """Take a command; return the seconds for which nothing more is to be read.

        ``is_said``: whether it puts text before somebody else.
        """
        full_at = self._commands_full_at
        if full_at < now:
            full_at = now
        self._commands_full_at = full_at = full_at + self._command_seconds
        debt = full_at - now - self._command_burst
        owed = 0.0
        if is_said:
            full_at = self._messages_full_at
            if full_at <= now:
                full_at = now
                self._is_told = False
            self._messages_full_at = full_at = full_at + self._message_seconds
            owed = full_at - now - self._message_burst
        if debt <= ROUNDING and owed <= ROUNDING:
            return 0.0
        self._owed = owed
        self.limit = Limit.MESSAGES if owed > debt else Limit.COMMANDS
        return max(debt, owed)

    def is_to_be_told(self) -> bool:
        """Ask, of a client in debt, whether it is to be told that it says too much.

        Once, until its whole burst is there again.
        """
        is_to_be_told = self._owed > ROUNDING and not self._is_told
        self._is_told = self._is_told or is_to_be_told
        return is_to_be_told
