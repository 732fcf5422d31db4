"""How bytes come in pieces, and tests that go through all the ways."""

from collections.abc import Callable, Iterable, Iterator

from harness.cases import each

Split = Callable[[bytes], Iterable[bytes]]


def split_whole(data: bytes) -> Iterator[bytes]:
    """Give everything at once."""
    yield data


def split_by_byte(data: bytes) -> Iterator[bytes]:
    """Give one byte after the other."""
    for byte in data:
        yield bytes([byte])


def split_after_each_line(data: bytes) -> Iterator[bytes]:
    """Give a line, then another."""
    yield from data.splitlines(keepends=True)


def split_before_each_line_end(data: bytes) -> Iterator[bytes]:
    """Give the end of each line with the next one."""
    first, *rest = data.split(b"\n")
    yield from filter(None, [first, *(b"\n" + it for it in rest)])


every_split = each(
    "split", [split_whole, split_by_byte, split_after_each_line, split_before_each_line_end]
)
every_end = each("end", [b"\n", b"\r\n"])
