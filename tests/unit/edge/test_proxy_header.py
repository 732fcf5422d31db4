"""The PROXY protocol: both versions, whole, byte by byte, with the client's words behind, and broken."""

import ipaddress
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cases import each
from harness.proxy_headers import LOCAL, SIGNATURE, raw_v2, tlv, v1, v2
from tertulia.edge.proxy_header import V1_MOST, V2_MOST, BadHeader, Header, HeaderReader

NOOP = tlv(0x04, b"\0" * 300)
UNIX = b"/run/a".ljust(108, b"\0") + b"/run/b".ljust(108, b"\0")

GOOD: dict[str, tuple[bytes, tuple[str, int] | None]] = {
    "v1 TCP4": (v1("203.0.113.7", 40_000), ("203.0.113.7", 40_000)),
    "v1 TCP6": (v1("2001:db8::7", 40_000), ("2001:db8::7", 40_000)),
    "v1 IPv4 in IPv6": (v1("::ffff:203.0.113.7", 1), ("203.0.113.7", 1)),
    "v1 port 0": (v1("203.0.113.7", 0), ("203.0.113.7", 0)),
    "v1 UNKNOWN": (b"PROXY UNKNOWN\r\n", None),
    "v1 UNKNOWN with more": (b"PROXY UNKNOWN ffff:f...f:ffff 65535 x\r\n", None),
    "v1 as long as can be": (b"PROXY UNKNOWN " + b"x" * (V1_MOST - 16) + b"\r\n", None),
    "v2 TCP4": (v2("203.0.113.7", 40_000), ("203.0.113.7", 40_000)),
    "v2 TCP6": (v2("2001:db8::7", 65_535), ("2001:db8::7", 65_535)),
    "v2 IPv4 in IPv6": (v2("::ffff:203.0.113.7", 1), ("203.0.113.7", 1)),
    "v2 with TLVs": (v2("203.0.113.7", 1, NOOP + tlv(0x01, b"h2")), ("203.0.113.7", 1)),
    "v2 as long as can be": (v2("203.0.113.7", 1, b"x" * (V2_MOST - 28)), ("203.0.113.7", 1)),
    "v2 LOCAL": (raw_v2(0, b"", LOCAL), None),
    "v2 LOCAL with addresses": (raw_v2(0x11, b"x" * 12, LOCAL), None),
    "v2 LOCAL of any family": (raw_v2(0xFF, b"x" * 5, LOCAL), None),
    "v2 unspecified": (raw_v2(0, b"whatever"), None),
    "v2 Unix socket": (raw_v2(0x31, UNIX + NOOP), None),
}
BAD: dict[str, bytes] = {
    "a nickname": b"andy\n",
    "HTTP": b"GET / HTTP/1.1\r\n\r\n",
    "a TLS handshake": b"\x16\x03\x01\x02\x00",
    "nearly v1": b"PROXy TCP4 ",
    "v1 without end": b"PROXY TCP4 " + b"1" * V1_MOST,
    "v1 too long": b"PROXY UNKNOWN " + b"x" * (V1_MOST - 15) + b"\r\n",
    "v1 with too little": b"PROXY TCP4 203.0.113.7 127.0.0.1 4000\r\n",
    "v1 with too much": b"PROXY TCP4 203.0.113.7 127.0.0.1 4000 1234 x\r\n",
    "v1 with nothing": b"PROXY \r\n",
    "v1 two blanks": b"PROXY  TCP4 203.0.113.7 127.0.0.1 4000 1234\r\n",
    "v1 of UDP": b"PROXY UDP4 203.0.113.7 127.0.0.1 4000 1234\r\n",
    "v1 families mixed": b"PROXY TCP4 ::1 ::1 4000 1234\r\n",
    "v1 families mixed, 6": b"PROXY TCP6 203.0.113.7 127.0.0.1 4000 1234\r\n",
    "v1 no address": b"PROXY TCP4 203.0.113.256 127.0.0.1 4000 1234\r\n",
    "v1 no destination": b"PROXY TCP4 203.0.113.7 127.0.0.x 4000 1234\r\n",
    "v1 address with zeros": b"PROXY TCP4 203.0.113.007 127.0.0.1 4000 1234\r\n",
    "v1 address with a zone": b"PROXY TCP6 fe80::1%eth0 ::1 4000 1234\r\n",
    "v1 port too large": b"PROXY TCP4 203.0.113.7 127.0.0.1 65536 1234\r\n",
    "v1 port signed": b"PROXY TCP4 203.0.113.7 127.0.0.1 +400 1234\r\n",
    "v1 port with zeros": b"PROXY TCP4 203.0.113.7 127.0.0.1 0400 1234\r\n",
    "v1 own port": b"PROXY TCP4 203.0.113.7 127.0.0.1 4000 x\r\n",
    "v1 not ASCII": "PROXY TCP4 203.0.113.7 127.0.0.1 400٣ 1234\r\n".encode(),
    "v1 terminal escape": b"PROXY TCP4 \x1b[2J 127.0.0.1 4000 1234\r\n",
    "nearly v2": SIGNATURE[:-1] + b"\r",
    "v2 of version 1": raw_v2(0x11, b"x" * 12, 0x11),
    "v2 of no such command": raw_v2(0x11, b"x" * 12, 0x22),
    "v2 of datagrams": raw_v2(0x12, b"x" * 12),
    "v2 of no such family": raw_v2(0x41, b"x" * 300),
    "v2 too short for IPv4": raw_v2(0x11, b"x" * 11),
    "v2 too short for IPv6": raw_v2(0x21, b"x" * 35),
    "v2 too short for Unix": raw_v2(0x31, b"x" * 215),
    "v2 too long": raw_v2(0x11, b"x" * (V2_MOST - 15)),
    "v2 LOCAL too long": raw_v2(0, b"x" * (V2_MOST - 15), LOCAL),
}


@each("name", GOOD)
@each("rest", [b"", b"andy\n", SIGNATURE, b"PROXY UNKNOWN\r\n"])
def test_a_header_tells_the_client_and_leaves_the_rest(name: str, rest: bytes) -> None:
    header, client = GOOD[name]
    assert HeaderReader().feed(header + rest) == Header(client, rest)


@each("name", GOOD)
def test_a_header_may_come_byte_by_byte(name: str) -> None:
    header, client = GOOD[name]
    reader = HeaderReader()
    assert not reader.is_begun
    for i in range(len(header) - 1):
        assert reader.feed(header[i : i + 1]) is None
        assert reader.is_begun
    assert reader.feed(header[-1:]) == Header(client, b"")


@each("name", BAD)
def test_what_is_no_header_is_refused_and_not_repeated(name: str) -> None:
    with pytest.raises(BadHeader) as caught:
        HeaderReader().feed(BAD[name])
    assert str(caught.value).isprintable()
    assert not {word for word in BAD[name].decode("latin-1").split() if len(word) > 4} & set(
        str(caught.value).split()
    )


@each("name", BAD)
def test_it_is_refused_byte_by_byte_too_and_nothing_is_taken_in_without_end(name: str) -> None:
    reader = HeaderReader()
    taken = 0
    with pytest.raises(BadHeader):
        for byte in BAD[name]:
            taken += 1
            assert reader.feed(bytes([byte])) is None
    assert taken <= V1_MOST


def test_a_header_is_refused_at_the_first_byte_that_is_none_of_it() -> None:
    for start in (b"PROX", SIGNATURE[:11]):
        reader = HeaderReader()
        assert reader.feed(start) is None
        with pytest.raises(BadHeader):
            reader.feed(b"?")


ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))
PORTS = st.integers(0, 65_535)


@given(ADDRESSES, PORTS, st.sampled_from([v1, v2]), st.binary(max_size=40), st.data())
def test_every_address_comes_through_however_it_is_split(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
    port: int,
    write: Callable[[str, int], bytes],
    rest: bytes,
    data: st.DataObject,
) -> None:
    header = write(str(address), port)
    cut = data.draw(st.integers(0, len(header) - 1))
    reader = HeaderReader()
    assert reader.feed(header[:cut]) is None
    got = reader.feed(header[cut:] + rest)
    assert got is not None and got.client is not None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    assert ipaddress.ip_address(got.client[0]) == (mapped or address)
    assert got.client[1] == port
    assert got.rest == rest


@given(
    st.one_of(
        st.binary(max_size=300),
        st.binary(max_size=300).map(lambda tail: b"PROXY TCP4 " + tail),
        st.binary(max_size=300).map(lambda tail: SIGNATURE + tail),
    ),
    st.lists(st.integers(1, 20), max_size=20),
)
def test_whatever_comes_is_a_header_or_none_the_same_in_pieces(
    data: bytes, sizes: list[int]
) -> None:
    whole = outcome([data])
    pieces = []
    rest = data
    for size in sizes:
        pieces.append(rest[:size])
        rest = rest[size:]
    split = outcome([*pieces, rest])
    assert (whole is None) == (split is None)
    if isinstance(whole, Header):
        assert isinstance(split, Header)
        assert split.client == whole.client
    else:
        assert split == whole


def outcome(pieces: list[bytes]) -> Header | str | None:
    """Return the header, ``bad``, or None for what is not whole."""
    reader = HeaderReader()
    for piece in pieces:
        try:
            header = reader.feed(piece)
        except BadHeader:
            return "bad"
        if header is not None:
            return header
    return None
