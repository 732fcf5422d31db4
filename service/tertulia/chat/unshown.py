"""What a dialect fails to say, through a defect of ours: its readers read that something is missing there.

All nodes read the same log, so an encoder that fails on one event would end every one of them. Here it costs
that event, in that dialect. What concerns one session only, as its welcome, costs that session.
"""

from collections.abc import Sequence
from typing import NamedTuple

import structlog

from tertulia.chat.reader import Reader
from tertulia.dialects.contract import Encoder
from tertulia.domain.events import PublicEvent, Said
from tertulia.domain.position import Position
from tertulia.telemetry.metrics import Metrics

_log = structlog.get_logger(__name__)


class Mended(NamedTuple):
    """An entry without what can't be shown of it."""

    notice: bytes
    """It stands before the rest: who has read some of that has also read that something is missing."""
    pieces: Sequence[bytes]
    """The events as rendered; those that can't be are empty."""
    missing: Sequence[int]
    """Which those are."""

    @property
    def parts(self) -> Sequence[tuple[int, int]]:
        """From where to where nothing is missing."""
        begins = [0, *(index + 1 for index in self.missing)]
        return list(zip(begins, [*self.missing, len(self.pieces)], strict=True))


class Unshown:
    """Counts and logs what could not be shown, and finds out what can be."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self.failed: set[Reader] = set()
        """Sessions that can't even be told that something is missing: they end with the turn."""

    def note(self, encoder: Encoder) -> None:
        """Count what could not be shown, for the exception that is being handled.

        It is logged for the first, second, fourth, eighth time and so on: it may be every message.
        """
        unshown = self._metrics.unshown(encoder.name)
        unshown.count += 1
        if unshown.count & (unshown.count - 1) == 0:
            since = unshown.count - unshown.count // 2
            _log.exception("something could not be shown", dialect=encoder.name, count=since)

    def mended(self, encoder: Encoder, events: Sequence[PublicEvent], position: Position) -> Mended:
        """Render what can be rendered of an entry. Raises what ``encoder`` does, if it is all of it."""
        pieces: list[bytes] = []
        missing: list[int] = []
        for index, event in enumerate(events):
            try:
                (piece,) = encoder.pieces((event,), position, said(events[:index]))
                encoder.batch((piece,), position)
            except Exception:
                self.note(encoder)
                missing.append(index)
                piece = b""
            pieces.append(piece)
        return Mended(encoder.missed(position), pieces, missing)

    def rendered(
        self, encoder: Encoder, events: Sequence[PublicEvent], position: Position
    ) -> bytes:
        """Render an entry as one reads it who reads all that can be shown. Raises as ``mended``."""
        try:
            return encoder.batch(encoder.pieces(events, position), position)
        except Exception:
            notice, pieces, _ = mended = self.mended(encoder, events, position)
        parts = [
            encoder.batch(pieces[begin:end], position, said(events[:begin]))
            for begin, end in mended.parts
        ]
        return b"".join([notice, *parts])


def said(events: Sequence[PublicEvent]) -> int:
    """Count the messages among some events."""
    return list(map(type, events)).count(Said)
