"""PROXY headers as balancers write them."""

import ipaddress
import struct

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
LOCAL = 0x20
PROXY = 0x21


def v1(client: str, port: int) -> bytes:
    """Return a version 1 header."""
    family = "TCP6" if ":" in client else "TCP4"
    node = "::1" if ":" in client else "127.0.0.1"
    return f"PROXY {family} {client} {node} {port} 1234\r\n".encode()


def v2(client: str, port: int, tlvs: bytes = b"") -> bytes:
    """Return a version 2 header."""
    source = ipaddress.ip_address(client)
    node = ipaddress.ip_address("::1" if source.version == 6 else "127.0.0.1")
    addresses = source.packed + node.packed + struct.pack("!HH", port, 1234)
    return raw_v2(0x21 if source.version == 6 else 0x11, addresses + tlvs)


def raw_v2(family: int, body: bytes, command: int = PROXY) -> bytes:
    """Return a version 2 header with any family and body."""
    return struct.pack("!12sBBH", SIGNATURE, command, family, len(body)) + body


def tlv(kind: int, value: bytes) -> bytes:
    """Return an extension of a version 2 header."""
    return struct.pack("!BH", kind, len(value)) + value
