"""What a command line needs of the settings before any is read: their options, what a chat is called.

Apart from the model, which takes a tenth of a second to load: ``--help`` and most mistakes don't need it.
"""

import re
from collections.abc import Mapping
from typing import Final

OPTIONS: Final = {
    "redis_url": "--redis-url",
    "data_dir": "--data-dir",
    "listeners": "--listen",
    "ops": "--ops",
    "node_id": "--node-id",
    "log.format": "--log-format",
}
"""Which option of the command sets which key, so that an error names what was typed."""
CHAT_PASSWORD_FILE: Final = "TERTULIA_CHAT_PASSWORD_FILE"  # noqa: S105 (a name)
"""The environment variable of a client, which is no setting of a node: ``tertulia chat``."""
CHAT: Final = r"^[a-z0-9-]{1,32}$"
"""What a chat may be called."""
ROOM: Final = r"^[a-z0-9][a-z0-9._+-]{0,31}$"
"""What a further room may be called: ``rooms.is_room``."""


def shown(value: object) -> str:
    """Return a value for an error's text: short, on one line, no password in it."""
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list | tuple):
        return "a list"
    try:
        text = without_passwords(repr(value))
    except ValueError:  # a number of thousands of digits, if written as 0xfff
        return "a huge number"
    return text if len(text) <= 60 else f"{text[:59]}…"


def without_passwords(text: str) -> str:
    """Mask what looks like the user part of a URL, wherever it got to."""
    return re.sub(r"://[^\s'\"]*@", "://***@", text)
