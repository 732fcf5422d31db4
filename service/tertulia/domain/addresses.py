"""Addresses as people write them: which texts may be one, and how one is shown."""

import re


def host_port(host: str, port: int) -> str:
    """Return a host and its port as one word, as in a URL: RFC 3986, section 3.2.2."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_host(text: str) -> bool:
    """Say whether a text may be a host's name or address, as far as its form tells."""
    if not re.fullmatch(r"[^\s\x00-\x1f\x7f/@]+", text):
        return False
    try:
        text.encode("idna")  # as a lookup of the name does
    except UnicodeError:
        return False
    return True


def port(text: str) -> int | None:
    """Return the number of a TCP port to connect to; None where the text is no such number."""
    return int(text) if re.fullmatch(r"0*[1-9][0-9]{0,4}", text) and int(text) <= 65_535 else None
