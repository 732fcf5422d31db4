"""Framing: bytes in any split to lines, bounded. Source: docs/protocols/README.md, "Text"."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from harness.cases import each
from harness.splits import Split, every_split
from tertulia.dialects.lines import MAX_LINE, Lines, TooLong

REFUSED = object()
"""Stands for a line that was too long."""

BOUND = 4096


def pull(lines: Lines) -> list[object]:
    """All that can be had of what was fed."""
    had: list[object] = []
    while True:
        try:
            line = lines.next_line()
        except TooLong:
            had.append(REFUSED)
            continue
        if line is None:
            return had
        had.append(line)


def read(chunks: Iterable[bytes]) -> tuple[list[object], int]:
    """All lines of some chunks, and the most that was buffered once they were pulled."""
    lines = Lines()
    had: list[object] = []
    most = 0
    for chunk in chunks:
        lines.feed(chunk)
        had += pull(lines)
        most = max(most, lines.buffered)
    return had, most


def by_the_book(data: bytes) -> list[object]:
    """What the protocol says of whole lines, said differently."""
    whole = data.split(b"\n")[:-1]
    lines = [line.removesuffix(b"\r") for line in whole]
    return [line if len(line) <= BOUND else REFUSED for line in lines]


def test_the_bound_is_the_protocols() -> None:
    assert MAX_LINE == BOUND


@every_split
@each("more", [b"", b"more", b"more\n", b"\n", b"\r\n"])
@each(
    ("data", "expected"),
    [
        (b"hola\n", [b"hola"]),
        (b"hola\r\n", [b"hola"]),
        (b"\n", [b""]),
        (b"\r\n", [b""]),
        (b"a\nb\r\n\nc\n", [b"a", b"b", b"", b"c"]),
        (b"a\rb\r\r\n", [b"a\rb\r"]),  # only the CR before the LF belongs to the line's end
        (b"\x00\xff\n", [b"\x00\xff"]),
    ],
)
def test_lines_end_with_lf_or_crlf(
    data: bytes, expected: list[object], more: bytes, split: Split
) -> None:
    had, _ = read(split(data + more))
    assert had == expected + by_the_book(more)


@every_split
@each("more", [b"", b"next\n", b"\n"])
@each("end", [b"\n", b"\r\n"])
@each(
    ("length", "kept"),
    [(BOUND - 1, True), (BOUND, True), (BOUND + 1, False), (BOUND + 2, False), (3 * BOUND, False)],
)
def test_the_bound_exactly(length: int, kept: bool, end: bytes, more: bytes, split: Split) -> None:
    line = b"x" * length
    had, _ = read(split(line + end + more))
    assert had == [line if kept else REFUSED, *by_the_book(more)]


@every_split
def test_a_cr_that_ends_no_line_counts_as_any_byte(split: Split) -> None:
    line = b"x" * BOUND + b"\r" + b"\r\n"
    assert read(split(line + b"next\n"))[0] == [REFUSED, b"next"]
    line = b"\r" * BOUND + b"\r\n"
    assert read(split(line + b"next\n"))[0] == [b"\r" * BOUND, b"next"]


@every_split
def test_a_line_without_end_is_refused_once_and_not_kept(split: Split) -> None:
    had, most = read(split(b"x" * (20 * BOUND)))
    assert had == [REFUSED]
    assert most <= BOUND + 1


@every_split
def test_long_lines_one_after_the_other_are_refused_one_by_one(split: Split) -> None:
    long = b"x" * (BOUND + 5) + b"\n"
    assert read(split(long * 3 + b"ok\n" + long))[0] == [REFUSED] * 3 + [b"ok", REFUSED]


def test_the_end_of_a_skipped_line_may_come_alone() -> None:
    lines = Lines()
    lines.feed(b"x" * (BOUND + 10))
    assert pull(lines) == [REFUSED]
    lines.feed(b"\r")
    assert pull(lines) == []
    lines.feed(b"\n")
    assert pull(lines) == []
    lines.feed(b"hola\n")
    assert pull(lines) == [b"hola"]


def test_a_line_that_is_not_whole_waits() -> None:
    lines = Lines()
    lines.feed(b"ho")
    assert lines.next_line() is None
    assert lines.next_line() is None
    assert lines.buffered == 2
    lines.feed(b"la\nq")
    assert lines.next_line() == b"hola"
    assert lines.buffered == 1


def test_what_is_not_pulled_is_kept_as_bytes() -> None:
    lines = Lines()
    lines.feed(b"a\nb\n")
    lines.feed(b"c\nd")
    assert lines.buffered == 7
    assert lines.next_line() == b"a"
    assert lines.buffered == 5
    lines.feed(b"d\n")
    assert pull(lines) == [b"b", b"c", b"dd"]
    assert lines.buffered == 0


def test_nothing_comes_of_nothing() -> None:
    lines = Lines()
    lines.feed(b"")
    assert lines.next_line() is None
    assert lines.buffered == 0


PIECES = st.one_of(
    st.binary(max_size=8),
    st.sampled_from([b"\n", b"\r", b"\r\n", b"\r\r\n"]),
    st.integers(BOUND - 2, BOUND + 3).map(lambda length: b"x" * length),
)


@st.composite
def chunked(draw: st.DrawFn) -> list[bytes]:
    data = b"".join(draw(st.lists(PIECES, max_size=10)))
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=12)))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


@given(chunked())
def test_any_split_gives_the_lines_of_the_book(chunks: list[bytes]) -> None:
    had, most = read([*chunks, b"\n"])
    assert had == by_the_book(b"".join(chunks) + b"\n")
    assert most <= BOUND + 1


@given(chunked())
def test_it_makes_no_difference_when_lines_are_pulled(chunks: list[bytes]) -> None:
    late = Lines()
    for chunk in chunks:
        late.feed(chunk)
    assert late.buffered == sum(map(len, chunks))
    assert pull(late) == read(chunks)[0]
