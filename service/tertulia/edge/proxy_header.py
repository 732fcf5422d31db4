"""The PROXY protocol, versions 1 and 2: the client of a connection that a proxy passes on.

Sans-IO. "Spec" is HAProxy's ``proxy-protocol.txt``. Checksums and other extensions (TLVs) are skipped.
"""

import ipaddress
import re
import struct
from dataclasses import dataclass
from typing import Final

V1_MOST: Final = 107
"""Bytes of a version 1 header, its end included: spec, 2.1."""
V2_MOST: Final = 16 + 4096
"""Bytes of a version 2 header. It says its length itself, and no proxy needs this much."""

_V1_START: Final = b"PROXY "
_V1_END: Final = b"\r\n"
_V1_PORT: Final = re.compile(r"0|[1-9][0-9]{0,4}", re.ASCII)
_V2_SIGNATURE: Final = b"\r\n\r\n\x00\r\nQUIT\n"
_V2_FIXED: Final = struct.Struct("!12sBBH")
_LOCAL: Final = 0x20
_PROXY: Final = 0x21
_UNSPECIFIED: Final = 0x00
_TCP_4: Final = 0x11
_TCP_6: Final = 0x21
_UNIX_STREAM: Final = 0x31
_ADDRESS_BYTES: Final = {_UNSPECIFIED: 0, _TCP_4: 12, _TCP_6: 36, _UNIX_STREAM: 216}
"""What can be passed on over a stream, and how long both addresses are. Datagrams can't."""


def is_header(data: bytes) -> bool:
    """Say whether what a connection began with is how a header begins, of either version."""
    return data.startswith((_V2_SIGNATURE, _V1_START))


class BadHeader(Exception):
    """The proxy sent something else, or a header that breaks the spec. Has no byte of it in its text."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a header said."""

    client: tuple[str, int] | None
    """Address and port; None where the connection's own count: the proxy speaks for itself (LOCAL), or
    knows none that would do (UNKNOWN, unspecified, a Unix socket)."""
    rest: bytes
    """What came behind the header: the client's first words."""


class HeaderReader:
    """Puts a header together from what comes."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> Header | None:
        """Take what came; return the header once it is whole.

        Raises BadHeader as soon as it can be none. Is not to be fed after either.
        """
        self._buffer += data
        start = self._buffer[: len(_V2_SIGNATURE)]
        if _V2_SIGNATURE.startswith(start):
            return self._version_2()
        if _V1_START.startswith(start[: len(_V1_START)]):
            return self._version_1()
        raise BadHeader("it began with something else")

    @property
    def is_begun(self) -> bool:
        """Whether anything has come."""
        return bool(self._buffer)

    def _version_1(self) -> Header | None:
        end = self._buffer.find(_V1_END, 0, V1_MOST)
        if end < 0:
            if len(self._buffer) >= V1_MOST:
                raise BadHeader(f"a version 1 header has no end within {V1_MOST} bytes")
            return None
        return Header(_client_1(self._buffer[:end]), self._buffer[end + len(_V1_END) :])

    def _version_2(self) -> Header | None:
        if len(self._buffer) < _V2_FIXED.size:
            return None
        _, command, family, length = _V2_FIXED.unpack_from(self._buffer)
        end = _V2_FIXED.size + length
        if command not in (_LOCAL, _PROXY):
            raise BadHeader(f"version and command are 0x{command:02x}: there is no such")
        if end > V2_MOST:
            raise BadHeader(f"a version 2 header claims {end} bytes: more than {V2_MOST}")
        if command == _PROXY:
            needed = _ADDRESS_BYTES.get(family)
            if needed is None:
                raise BadHeader(f"family and protocol are 0x{family:02x}: no kind of stream")
            if length < needed:
                raise BadHeader(f"{length} bytes are too few for addresses of 0x{family:02x}")
        if len(self._buffer) < end:
            return None
        client = None
        if command == _PROXY and family in (_TCP_4, _TCP_6):
            client = _client_2(self._buffer[_V2_FIXED.size : end], family)
        return Header(client, self._buffer[end:])


def _client_1(line: bytes) -> tuple[str, int] | None:
    try:
        words = line.decode("ascii").split(" ")
    except UnicodeDecodeError:
        raise BadHeader("a version 1 header is not ASCII") from None
    if words[1] == "UNKNOWN":
        return None  # no matter what else the line says: spec, 2.1
    if len(words) != 6 or words[1] not in ("TCP4", "TCP6"):
        raise BadHeader("a version 1 header is no TCP4, TCP6 or UNKNOWN with two addresses")
    _, family, source, destination, *ports = words
    try:
        client = _address(family, source)
        _address(family, destination)
    except ValueError:
        raise BadHeader(f"an address in a version 1 header is not one of {family}") from None
    if not all(_V1_PORT.fullmatch(port) and int(port) <= 0xFFFF for port in ports):
        raise BadHeader("a port in a version 1 header is none")
    return client, int(ports[0])


def _address(family: str, text: str) -> str:
    """Return an address as this service writes it. Raises ValueError."""
    if family == "TCP4":
        return str(ipaddress.IPv4Address(text))
    if "%" in text:
        raise ValueError("a zone means something on the proxy only")
    return _plain(ipaddress.IPv6Address(text))


def _client_2(addresses: bytes, family: int) -> tuple[str, int]:
    if family == _TCP_4:
        source, _, port, _ = struct.unpack_from("!4s4sHH", addresses)
        return str(ipaddress.IPv4Address(source)), port
    source, _, port, _ = struct.unpack_from("!16s16sHH", addresses)
    return _plain(ipaddress.IPv6Address(source)), port


def _plain(address: ipaddress.IPv6Address) -> str:
    """Undress an IPv4 address in IPv6 clothes: a proxy that listens on both gives such."""
    return str(address.ipv4_mapped or address)
