"""How bytes come in pieces, and tests that go through all the ways."""

import inspect
from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from typing import Any

Split = Callable[[bytes], Iterable[bytes]]
Test = Callable[..., None]


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


def each(name: str, *values: Any) -> Callable[[Test], Test]:
    """Call a test with each of the values, as one test.

    As tests of their own, which pytest could make of them, they are thousands, and take longer to be set up
    than to run.
    """

    def decorate(test: Test) -> Test:
        @wraps(test)
        def with_each(**given: Any) -> None:
            for value in values:
                test(**given, **{name: value})

        signature = inspect.signature(test)
        rest = [it for it in signature.parameters.values() if it.name != name]
        with_each.__signature__ = signature.replace(parameters=rest)  # type: ignore[attr-defined]  # pytest asks
        return with_each

    return decorate


every_split = each(
    "split", split_whole, split_by_byte, split_after_each_line, split_before_each_line_end
)
every_end = each("end", b"\n", b"\r\n")
