"""Inputs: what is known to be good, changed at random, and cut into pieces as a network would."""

import random
from collections.abc import Sequence
from typing import Final

LONGEST: Final = 5_000
"""Bytes of an input: more than a line has."""
_SHORT: Final = 300
"""What most have: so many more can be tried."""
_LONG: Final = 70_000
"""What very few have: more than any frame or string."""
_MOST_KEPT: Final = 2_000
_BYTES: Final = b'\0\1\t\n\r\x1b "%-.09:\\{\x7f\x80\x9b\xa0\xc0\xe2\xed\xf4\xff'
_WORDS: Final = (
    b"\n", b"\r\n", b"\r", b"\0", b" ", b"\t", b":", b"\\", b'"', b"\x1b[31m", b"\xff\xff\xff\xff",
    b"0", b"-1", b"65535", b"65536", b"4294967296", b"1e999", b"9" * 25, b"9" * 400, b"9" * 5_000, b"1_0",
    "\u0661".encode(), "e\u0301".encode(), ("z" + "\u0300" * 40).encode(), "\u202e".encode(),
    "\u2028".encode(), "\U0001f600".encode(), "\u212a".encode(), b"\xed\xa0\x80", b"\xc3",
    b"[" * 2_000, b'{"a":' * 1_500,
)  # fmt: skip


class Mutator:
    """Makes inputs out of a corpus, which grows by what was new about them."""

    def __init__(
        self, rng: random.Random, seeds: Sequence[bytes], words: Sequence[bytes], most: int
    ) -> None:
        """``words``: what means something to the reader; ``most``: bytes of an input."""
        self._rng = rng
        self._seeds = tuple(seeds)
        self._kept: list[bytes] = []
        self._words = (*words, *words, *_WORDS)
        self._short_words = tuple(it for it in self._words if len(it) <= 100)
        self._most = most

    def keep(self, data: bytes) -> None:
        """Go on from this one as well: something came of it that had not come before."""
        if len(self._kept) < _MOST_KEPT:
            self._kept.append(data)
        else:
            self._kept[self._rng.randrange(_MOST_KEPT)] = data

    def make(self) -> bytes:
        """Return another input."""
        rng, chance = self._rng, self._rng.random()
        most = _SHORT if chance < 0.95 else self._most
        words = self._short_words if chance < 0.95 else self._words
        data = bytearray(self._some(most))
        for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 5, 8))):
            self._change(data, words, most)
        if chance > 0.999:
            data = self._repeated(data)
        elif len(data) > most:
            del data[most:]
        return bytes(data)

    def cuts(self, data: bytes) -> list[bytes]:
        """Return an input in pieces, none of them empty."""
        rng, size = self._rng, len(data)
        if size <= 1:
            return [data] if data else []
        if size <= 96 and rng.random() < 0.2:
            return [data[i : i + 1] for i in range(size)]
        places = sorted({rng.randrange(1, size) for _ in range(rng.randint(1, 5))})
        return [data[i:j] for i, j in zip([0, *places], [*places, size], strict=True)]

    def _some(self, most: int) -> bytes:
        rng = self._rng
        kept = self._kept
        data = rng.choice(kept if kept and rng.random() < 0.6 else self._seeds)
        if len(data) <= most:
            return data
        at = rng.choice((0, 0, rng.randrange(len(data) - most)))
        return data[at : at + most]

    def _change(self, data: bytearray, words: Sequence[bytes], most: int) -> None:
        rng, size = self._rng, len(data)
        at = int(rng.random() * (size + 1))
        end = at + int(rng.random() ** 3 * 40)
        match int(rng.random() * 10):
            case 0 if at < size:
                data[at] ^= 1 << rng.randrange(8)
            case 1 if at < size:
                data[at] = rng.choice(_BYTES)
            case 2:
                data[at:at] = rng.choice(words)
            case 3:
                data[at:end] = rng.choice(words)
            case 4:
                del data[at:end]
            case 5:
                data[at:at] = data[at:end] * rng.choice((1, 2, 3, 10))
            case 6:
                other = self._some(most)
                begin = int(rng.random() * len(other))
                data[at:end] = other[begin : begin + int(rng.random() * 100)]
            case 7:
                data[at:end] = rng.randbytes(rng.randrange(9))
            case 8:
                del data[at:]
            case _:
                other = self._some(most)
                data[at:] = other[int(rng.random() * len(other)) :]

    def _repeated(self, data: bytearray) -> bytearray:
        piece = bytes(data[: self._rng.choice((1, 10, 100, 1_000))]) or b"x"
        at = self._rng.randint(0, len(data))
        data[at:at] = piece * (self._rng.randint(1, _LONG) // len(piece))
        return data[:_LONG]
