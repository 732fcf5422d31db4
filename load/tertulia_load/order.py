"""The one order of a chat's public messages, as the readers of one process find it.

The first reader that brings a message puts it into the order; every other has to read the same at the same
place. So a message is taken apart once, and at all its other readers a comparison of bytes does. Only what
is its sender's next message goes in, so the order itself has no gap and nothing twice. A difference is
the fault of the reader that has it.
"""

import zlib

from tertulia_load import texts
from tertulia_load.texts import Token


class Order:
    """Public messages by their place, which counts from 0. What all have read may be forgotten."""

    __slots__ = (
        "_digest",
        "_heads",
        "_places",
        "_senders",
        "_tag",
        "base",
        "due",
        "owners",
        "tokens",
    )

    def __init__(self, tag: bytes, senders: int) -> None:
        """Begin empty, for messages with a tag by that many senders."""
        self.tokens: list[bytes] = []
        self.owners: list[int] = []
        self.due: list[int] = []
        self._tag = tag
        self._senders = senders
        self._heads: dict[int, int] = {}
        """The number of each sender's next message; it is the first of others."""
        self.base = 0
        """The first place that is not forgotten, at which the lists begin."""
        self._digest = 0
        self._places: dict[bytes, int] | None = None

    @property
    def end(self) -> int:
        """The place that the next message will have."""
        return self.base + len(self.tokens)

    def follows(self, at: int, tokens: list[bytes]) -> bool:
        """Say whether these are the messages from a place on, adding those that are new."""
        low = at - self.base
        if self.tokens[low : low + len(tokens)] == tokens:
            return True
        known = self.tokens[low:]
        if tokens[: len(known)] != known:
            return False
        for raw in tokens[len(known) :]:
            token = texts.parse(raw)
            if token is None or not self.add(token):
                return False
        return True

    def add(self, token: Token) -> bool:
        """Put a message at the end, if it is its sender's next."""
        sender = token.sender
        if (
            token.tag != self._tag
            or not token.is_public
            or sender >= self._senders
            or token.number != self._heads.get(sender, 0)
        ):
            return False
        self._heads[sender] = token.number + 1
        if self._places is not None:
            self._places[token.raw] = self.end
        self.tokens.append(token.raw)
        self.owners.append(sender)
        self.due.append(token.due)
        return True

    def place(self, raw: bytes) -> int | None:
        """Return where a message is, unless it is not there or forgotten."""
        if self._places is None:  # it is kept only where there are readers out of step
            self._places = {known: self.base + i for i, known in enumerate(self.tokens)}
        return self._places.get(raw)

    def between(self, start: int, end: int) -> list[bytes]:
        """Return the messages from one place to another."""
        return self.tokens[start - self.base : end - self.base]

    def cut(self, at: int) -> None:
        """Forget everything from a place on."""
        self._heads = self.heads_at(at)
        low = at - self.base
        del self.tokens[low:], self.owners[low:], self.due[low:]
        self._places = None

    def heads_at(self, at: int) -> dict[int, int]:
        """Return the number of each sender's first message from a place on."""
        heads = dict(self._heads)
        for sender in self.owners[at - self.base :]:
            heads[sender] -= 1
        return heads

    def forget(self, before: int) -> None:
        """Forget what comes before a place."""
        count = before - self.base
        if count <= 0:
            return
        gone = self.tokens[:count]
        self._digest = _digest(gone, self._digest)
        if self._places is not None:
            for raw in gone:
                del self._places[raw]
        del self.tokens[:count], self.owners[:count], self.due[:count]
        self.base = before

    def digest(self) -> int:
        """Return a number that is the same where the same messages came in the same order."""
        return _digest(self.tokens, self._digest)


def _digest(tokens: list[bytes], start: int) -> int:
    return zlib.crc32(b"\t".join([*tokens, b""]), start)
