"""The layouts of ops in the commit script's arguments, in one table that both sides read.

``batch.Batch`` packs ops by it. The scripts name the fields (``ARGV[at + JOIN.proven]``), and are sent to
Redis with the fields' numbers instead. In Lua, names would be tables or locals, and each run would make
those anew. See decision 33.
"""

import re
import textwrap
from collections.abc import Callable
from typing import Any, Final

_PLACE = re.compile(r"\b([A-Z_]+)\.([a-z_]+)\b")


Packed = tuple[Any, ...]
"""The arguments of an op: its letter and its fields in order."""


class Layout:
    """A letter, and the fields that follow it. Without a letter: the fields that several ops begin with."""

    def __init__(self, letter: str, fields: str) -> None:
        """``fields``: their names, with spaces between."""
        self.letter = letter
        self.fields = tuple(fields.split())
        names = ", ".join(self.fields)
        # Made by eval, as named tuples make their functions: a dict of the fields takes four times as long.
        pack = eval(f"lambda {names}: ({letter!r}, {names})")  # noqa: S307 (of the names in this file)
        self.pack: Callable[..., Packed] = pack
        """Return the arguments of an op, given its fields by name. Raises TypeError for any other names."""

    def then(self, letter: str, fields: str = "") -> "Layout":
        """Return the layout of an op that begins with these fields."""
        return Layout(letter, " ".join((*self.fields, fields)))

    def place(self, field: str) -> int:
        """Return how far behind the letter a field stands. Raises ValueError if there is no such field."""
        if field not in self.fields:
            raise ValueError(f"an op {self.letter} has no field {field}")
        return self.fields.index(field) + 1


# These fields are indexes among KEYS, 0 where there is no such key: nick, recipient, token, ended, account,
# own_account, device, devices, waiting, other_nick, other_account, other_device, list, mailbox, senders,
# stream.

HOLDER: Final = Layout("", "nick session")

JOIN: Final = HOLDER.then(
    "J",
    "key nickname dialect address port event token resumed account proven senders stream ended",
)
LEAVE: Final = HOLDER.then("L", "key event token")
CLOSE: Final = HOLDER.then("C", "key event")
SAY: Final = HOLDER.then("s", "event")
SAY_TAGGED: Final = SAY.then("S", "token tag")
WHISPER: Final = HOLDER.then("w", "recipient letter")
WHISPER_TAGGED: Final = WHISPER.then("W", "token tag")
WHISPER_AWAY: Final = WHISPER_TAGGED.then(
    "V", "account device list mailbox senders own_account keep nickname key text"
)
REPORT: Final = HOLDER.then("R", "letter account list mailbox senders own_account key text")
COLLECT: Final = HOLDER.then("k", "nickname mailbox senders names lists")
"""``names`` are the folded senders, ``lists`` the indexes of their lists, each separated by spaces."""
FORGET: Final = Layout("x", "list mailbox senders sender number shown")

DEVICE: Final = Layout("", "device devices key address")

SIGN_UP: Final = DEVICE.then("a", "nick account nickname hash port")
LOG_IN: Final = DEVICE.then("i", "account port")
LOG_OUT: Final = DEVICE.then("o")
OPEN_CHAT: Final = DEVICE.then("c", "waiting session other other_nick other_account other_device")
JOIN_UP: Final = DEVICE.then("j", "other other_device")
LEAVE_CHAT: Final = DEVICE.then("l", "waiting session")
MESSAGE: Final = DEVICE.then("p", "other_nick other_account list mailbox senders other text")

LAYOUTS: Final = {name: it for name, it in globals().items() if isinstance(it, Layout)}


def lengths() -> str:
    """Return Lua that says how many arguments each op takes, its letter included."""
    told = (f"{it.letter}={len(it.fields) + 1}," for it in LAYOUTS.values() if it.letter)
    lines = textwrap.indent(textwrap.fill(" ".join(told)), "  ").replace("=", " = ")
    return f"local LENGTH = {{\n{lines}\n}}\n"


def in_numbers(script: str) -> str:
    """Return a script with numbers for the fields' names. Raises ValueError for an unknown field."""

    def number(found: re.Match[str]) -> str:
        layout = LAYOUTS.get(found[1])
        return str(layout.place(found[2])) if layout else found[0]

    return _PLACE.sub(number, script)
