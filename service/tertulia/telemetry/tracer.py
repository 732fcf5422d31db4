"""The tracer learns of each batch and each entry: the port for code that makes spans of them."""

from typing import Protocol

from tertulia.domain.position import Position


class Tracer(Protocol):
    """Learns of each batch and each entry; chosen once, at the start. None of it blocks or raises."""

    def committed(
        self, chat: str, node: str, batch: int, *, ops: int, size: int, tries: int, seconds: float,
        outcome: str,
    ) -> None:  # fmt: skip
        """Learn that a batch is through, just now: what was in it, and how long that took.

        ``size`` is in bytes of events and letters; ``outcome`` is ``committed``, or why not.
        """
        ...

    def delivered(self, chat: str, node: str, batch: int, position: Position, events: int) -> None:
        """Learn that an entry, which that node committed, was just written to the clients of this one."""
        ...

    async def stop(self) -> None:
        """Export what there is, within a few seconds."""
        ...


class TracingError(Exception):
    """Tracing can't begin; the text says why, and what to do."""
