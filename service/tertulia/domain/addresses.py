"""Addresses as people write them."""


def host_port(host: str, port: int) -> str:
    """Return a host and its port as one word, as in a URL: RFC 3986, section 3.2.2."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
