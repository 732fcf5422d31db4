"""The URL of the shared Redis: what it says, what is wrong with it, how it is shown without its password."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from urllib.parse import parse_qsl, unquote

from tertulia.domain.addresses import is_host

_RIGHT = (
    "it should be like redis://HOST:6379/0, rediss://HOST:6379/0, unix:///PATH, "
    "redis+sentinel://HOST:26379,HOST:26379/MASTER or redis+cluster://HOST:6379,HOST:6379"
)
_REDIS_PORT = 6379
_SENTINEL_PORT = 26379
_PARAMETERS = {"db", "username", "password"}


class RedisKind(Enum):
    """How the master of a chat is found."""

    SINGLE = auto()
    """It is where the URL says."""
    SENTINEL = auto()
    """Sentinels, which the URL names, say where it is."""
    CLUSTER = auto()
    """Each chat is on the shard that has its slot; the URL names some nodes to begin with."""


_KINDS = {
    "redis": (RedisKind.SINGLE, False),
    "rediss": (RedisKind.SINGLE, True),
    "unix": (RedisKind.SINGLE, False),
    "redis+sentinel": (RedisKind.SENTINEL, False),
    "rediss+sentinel": (RedisKind.SENTINEL, True),
    "redis+cluster": (RedisKind.CLUSTER, False),
    "rediss+cluster": (RedisKind.CLUSTER, True),
}


class WrongUrl(Exception):
    """The URL can't be used; the text says what is wrong and would be right, without any part of it."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"{problem}: {_RIGHT}")


@dataclass(frozen=True, slots=True)
class RedisUrl:
    """What a URL says."""

    kind: RedisKind
    tls: bool
    hosts: tuple[tuple[str, int], ...]
    """Redis itself, or whom to ask for it; none for a Unix socket."""
    socket: str
    user: str
    password: str
    database: int
    master: str
    """What Sentinels call the master."""


def parse(url: str) -> RedisUrl:
    """Read a URL. Raises WrongUrl."""
    scheme, authority, path, query, fragment = _split(url)
    if scheme not in _KINDS:
        raise WrongUrl("this does not begin with redis://, rediss://, unix:// or the like")
    kind, tls = _KINDS[scheme]
    userinfo, _, netloc = authority.rpartition("@")
    port = _SENTINEL_PORT if kind is RedisKind.SENTINEL else _REDIS_PORT
    hosts = tuple(_host(part, port) for part in netloc.split(",")) if netloc else ()
    if fragment:
        raise WrongUrl("there is a # in it (in a password, it is written %23)")
    said = dict(parse_qsl(query, keep_blank_values=True))
    if said.keys() - _PARAMETERS:
        raise WrongUrl(
            "what follows the ? may be db, username and password (for TLS, there are the settings "
            "redis_ca_file and redis_verify)"
        )
    database, master, socket = said.get("db", ""), "", ""
    if scheme == "unix":
        socket = unquote(path)
        if not socket.strip("/"):
            raise WrongUrl("the path of the socket is missing")
        if hosts:
            raise WrongUrl("a Unix socket has no host: there are three / before its path")
    else:
        if not hosts:
            raise WrongUrl("the host is missing")
        words = path.strip("/").split("/")
        if kind is RedisKind.SENTINEL:
            master, words = unquote(words[0]), words[1:] or [""]
            if not master:
                raise WrongUrl("the name that the Sentinels know the master by is missing")
        elif kind is RedisKind.SINGLE and len(hosts) > 1:
            raise WrongUrl("several hosts need redis+sentinel:// or redis+cluster://")
        database = "/".join(words) or database
    if not re.fullmatch(r"[0-9]{0,5}", database):
        raise WrongUrl("what follows the port is not the number of a database")
    if kind is RedisKind.CLUSTER and int(database or 0):
        raise WrongUrl("a Redis Cluster has no database but 0")
    user, _, password = userinfo.partition(":")
    user = said.get("username", unquote(user))
    password = said.get("password", unquote(password))
    return RedisUrl(kind, tls, hosts, socket, user, password, int(database or 0), master)


def _split(url: str) -> Sequence[str]:
    """Return scheme, authority, path, query and fragment. (``urlsplit`` reads no several hosts.)"""
    found = re.fullmatch(r"([^:]*)://([^/?#]*)([^?#]*)(?:\?([^#]*))?(?:#(.*))?", url, re.DOTALL)
    return found.groups("") if found else [""] * 5


def _host(text: str, default_port: int) -> tuple[str, int]:
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\[\]:\s]+))(?::([0-9]{1,5}))?", text)
    if found is None or not is_host(found[1] or found[2]) or int(found[3] or default_port) > 65_535:
        raise WrongUrl(
            "its host or port is malformed (in a password, @ : / ? # % are written %40 %3A %2F "
            "%3F %23 %25)"
        )
    return found[1] or found[2], int(found[3] or default_port)


def has_password(url: str) -> bool:
    """Say whether a URL, well formed or not, holds a password; in doubt, that it does."""
    before_host = url.partition("://")[2].rpartition("@")[0]
    return ":" in before_host or re.search(r"[?&][a-z_]*password=", url) is not None


def masked(url: str) -> str:
    """Return a well-formed URL, fit for logs: host visible, passwords masked."""
    userinfo, at, host = _split(url)[1].rpartition("@")
    user, colon, _ = userinfo.partition(":")
    shown = f"{user}{colon}{'***' if colon else ''}{at}{host}"
    visible = url.replace(f"//{userinfo}{at}{host}", f"//{shown}", 1)
    return re.sub(r"([?&][a-z_]*password=)[^&]*", r"\1***", visible)
