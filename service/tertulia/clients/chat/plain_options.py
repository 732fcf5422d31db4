"""How ``tertulia chat --plain`` writes its lines."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PlainOptions:
    """How lines come out."""

    times: bool
    """Whether each message begins with its time."""
    joins: bool
    """Whether one reads who comes and goes."""
    past: bool
    """Whether one reads what was said before one came."""
    echoes: bool
    """Whether one's own messages come out as well: where nobody sees them being typed."""
    tries: int
    """Connections that may fail before one is in for the first time."""
