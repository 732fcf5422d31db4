"""Positions as clients have them."""

import re
from datetime import UTC, datetime

from tertulia.domain.position import Position

_WRITTEN = re.compile(r"([A-Za-z0-9_-]{1,64}):(\d{1,15})(?:\.(\d{1,6}))?\Z")


def parse_position(text: str) -> tuple[Position, int] | None:
    """Read a position, and what stands behind it after a dot, else 0; None where it is none."""
    if (found := _WRITTEN.match(text)) is None:
        return None
    return Position(found[1], int(found[2])), int(found[3] or 0)


def written(position: Position, index: int = 0) -> str:
    """Return a position as clients have it, with an index behind it unless it is 0."""
    behind = f".{index}" if index else ""
    return f"{position.epoch}:{position.offset}{behind}"


def committed_at(position: Position) -> datetime:
    """Return when the entry at a position was committed."""
    return datetime.fromtimestamp(position.at, UTC)
