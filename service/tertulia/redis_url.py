"""The URL of the shared Redis: what is wrong with it, and how it is shown without its password."""

import re
from urllib.parse import urlsplit

_RIGHT = "it should be like redis://HOST:6379/0, rediss://HOST:6379/0 or unix:///PATH"


def problem(url: str) -> str | None:
    """Return what is wrong with a URL and what would be right, without any part of it, or None."""
    scheme, separator, _ = url.partition("://")
    if not separator or scheme not in ("redis", "rediss", "unix"):
        return f"this does not begin with redis://, rediss:// or unix://: {_RIGHT}"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return (
            "its host or port is malformed (in a password, @ : / ? # % are written %40 %3A %2F "
            f"%3F %23 %25): {_RIGHT}"
        )
    if parts.fragment:
        return f"there is a # in it (in a password, it is written %23): {_RIGHT}"
    if scheme == "unix":
        return None if parts.path.strip("/") else f"the path of the socket is missing: {_RIGHT}"
    if not host:
        return f"the host is missing: {_RIGHT}"
    if not re.fullmatch(r"/?[0-9]*", parts.path):
        return f"what follows the port is not the number of a database: {_RIGHT}"
    return None


def has_password(url: str) -> bool:
    """Say whether a URL, well formed or not, holds a password; in doubt, that it does."""
    before_host = url.partition("://")[2].rpartition("@")[0]
    return ":" in before_host or re.search(r"[?&][a-z_]*password=", url) is not None


def masked(url: str) -> str:
    """Return a URL without ``problem``, fit for logs: host visible, passwords masked."""
    userinfo, at, host = urlsplit(url).netloc.rpartition("@")
    user, colon, _ = userinfo.partition(":")
    shown = f"{user}{colon}{'***' if colon else ''}{at}{host}"
    visible = url.replace(f"//{userinfo}{at}{host}", f"//{shown}", 1)
    return re.sub(r"([?&][a-z_]*password=)[^&]*", r"\1***", visible)
