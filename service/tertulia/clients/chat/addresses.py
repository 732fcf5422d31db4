"""Where the chat is, as people write it: the address of its page, perhaps with a ``#room``."""

import ipaddress
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

from tertulia.domain.addresses import is_host
from tertulia.domain.rooms import fold_room, is_room

DEFAULT: Final = "http://127.0.0.1:8080/"
"""The page of a node as ``make run`` starts it."""
_SCHEMES: Final = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


class WrongAddress(ValueError):
    """There can be no chat there. The text says why, and what would be right."""


@dataclass(frozen=True, slots=True)
class ChatAddress:
    """Where a WebSocket is opened, and the room that the address names."""

    url: str
    host: str
    room: str = ""

    @property
    def is_here(self) -> bool:
        """Whether it is on this machine, where no proxy leads."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def address_of(written: str) -> ChatAddress:
    """Understand an address. Raises WrongAddress."""
    wrong = WrongAddress(
        f"{written!a} should be the address of the page, like {DEFAULT} or https://chat.example/#ops"
    )
    text = written if "://" in written else f"http://{written}"
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise wrong from None
    scheme = _SCHEMES.get(parts.scheme.lower())
    if scheme is None or not host or not is_host(host) or not text.isprintable() or " " in text:
        raise wrong
    if "@" in parts.netloc:
        raise WrongAddress(
            "There is a name or a password in the address, and others can read a command's arguments: "
            "leave it out, and give --nickname and --password."
        )
    room = fold_room(unquote(parts.fragment))
    if room and not is_room(room):
        raise WrongAddress(f"{unquote(parts.fragment)!a} can be no room's name")
    shown = f"[{host}]" if ":" in host else host
    place = shown if port is None else f"{shown}:{port}"
    path = parts.path.rstrip("/")
    return ChatAddress(
        f"{scheme}://{place}{path if path.endswith('/ws') else path + '/ws'}", host, room
    )
