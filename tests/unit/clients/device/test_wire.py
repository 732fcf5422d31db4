"""The binary framing, in any split. Source: docs/protocols/device.md, "Framing"."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cases import each
from harness.splits import Split, every_split, split_whole
from tertulia.clients.device.wire import (
    MAX_STRING,
    FrameDecoder,
    FrameTooLong,
    Garbage,
    integer,
    port_of,
    string,
)


def fed(data: bytes, split: Split = split_whole) -> FrameDecoder:
    frames = FrameDecoder()
    for chunk in split(data):
        frames.feed(chunk)
    return frames


def test_an_integer_is_four_bytes_big_endian() -> None:
    assert integer(0) == b"\0\0\0\0"
    assert integer(200) == b"\0\0\0\xc8"
    assert integer(4242) == b"\0\0\x10\x92"


def test_a_string_is_its_length_two_zeros_and_its_bytes() -> None:
    assert string("null") == bytes.fromhex("00 04 00 00 6e 75 6c 6c")  # as the page's example
    assert string("") == b"\0\0\0\0"
    assert string("è") == b"\0\x02\0\0\xc3\xa8"
    assert string(b"\xff\0") == b"\0\x02\0\0\xff\0"


def test_a_string_holds_what_its_length_can_say() -> None:
    assert len(string(b"x" * MAX_STRING)) == 4 + 65_535
    with pytest.raises(FrameTooLong):
        string(b"x" * 65_536)
    with pytest.raises(FrameTooLong):
        string("è" * 32_768)


@every_split
@each("more", [b"", b"\0", string("more"), b"GET / HTTP/1.1"])
@each("content", [b"", b"hola", b"\0\0", b"x" * MAX_STRING])
def test_a_string_is_read_and_what_follows_stays(content: bytes, more: bytes, split: Split) -> None:
    frames = fed(string(content) + more, split)
    assert frames.string() == content
    assert len(frames) == len(more)


@every_split
@each("more", [b"", b"\0", string("more")])
@each("value", [0, 1, 10, 200, 1024, 65_535, 2**32 - 1])
def test_an_integer_is_read_and_what_follows_stays(value: int, more: bytes, split: Split) -> None:
    frames = fed(integer(value) + more, split)
    assert frames.integer() == value
    assert len(frames) == len(more)


@pytest.mark.parametrize("data", [integer(7), string("hola"), string("")])
def test_a_frame_that_is_not_whole_waits(data: bytes) -> None:
    for end in range(len(data)):
        frames = fed(data[:end])
        read = (
            (frames.integer, frames.frame) if data == integer(7) else (frames.string, frames.frame)
        )
        assert [it() for it in read] == [None, None]
        assert len(frames) == end


@pytest.mark.parametrize("data", [b"GET ", b"GET", b"\0\4\1\0", b"\0\4\0\1", integer(5000)])
def test_no_string_has_anything_but_zeros_behind_its_length(data: bytes) -> None:
    with pytest.raises(Garbage):
        fed(data).string()


def test_the_two_kinds_of_frame_can_t_be_confused() -> None:
    frames = fed(integer(200) + string("200") + integer(65_535) + string(b"\0" * 300) + integer(0))
    assert [frames.frame() for _ in range(5)] == [200, b"200", 65_535, b"\0" * 300, b""]
    assert frames.frame() is None


@pytest.mark.parametrize("port", [1024, 4242, 65_535])
def test_a_device_s_port(port: int) -> None:
    assert port_of(port) == port


@pytest.mark.parametrize("port", [0, 1, 80, 1023, 65_536, 2**32 - 1])
def test_no_device_s_port(port: int) -> None:
    with pytest.raises(Garbage):
        port_of(port)


FRAMES = st.lists(st.one_of(st.integers(0, 2**32 - 1), st.binary(max_size=300)), max_size=8)


@given(FRAMES, st.randoms(use_true_random=False))
def test_any_split_gives_the_frames_that_were_sent(sent: list[int | bytes], random: Random) -> None:
    data = b"".join(integer(it) if isinstance(it, int) else string(it) for it in sent)
    frames, read = FrameDecoder(), list[int | bytes | None]()
    position = 0
    while position < len(data) or len(read) < len(sent):
        step = random.randint(0, 7)
        frames.feed(data[position : position + step])
        position += step
        while len(read) < len(sent):
            wanted = sent[len(read)]
            value = frames.integer() if isinstance(wanted, int) else frames.string()
            if value is None:
                break
            read.append(value)
    assert read == sent
    assert len(frames) == 0
