"""What one read brings, sender by sender: how it is checked where readers need not agree on one order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from tertulia_load.texts import Token


@dataclass(frozen=True, slots=True)
class Runs:
    """Public messages of one round, each sender's without a gap. The same bytes are the same runs."""

    of: tuple[tuple[int, int, int], ...]
    """Each sender, its first number, and how many."""
    due: tuple[int, ...]
    """When each message was due, in the order in which they were read."""
    oldest: int

    @classmethod
    def find(cls, tokens: Sequence[Token], tag: bytes, senders: int) -> Self | None:
        """Return what these are; None where they are anything else."""
        heads: dict[int, list[int]] = {}
        for token in tokens:
            if token.tag != tag or not token.is_public or token.sender >= senders:
                return None
            first, count = heads.setdefault(token.sender, [token.number, 0])
            if token.number != first + count:
                return None
            heads[token.sender][1] += 1
        due = tuple(token.due for token in tokens)
        return cls(tuple((s, first, n) for s, (first, n) in heads.items()), due, min(due))
