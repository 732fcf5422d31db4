"""The layouts of ops in the commit script's arguments, in one table that both sides read.

``batch.Batch`` packs ops by it. The scripts name the fields (``ARGV[at + JOIN.proven]``), and are sent to
Redis with the fields' numbers instead. In Lua, names would be tables or locals, and each run would make
those anew. See decision 33.
"""

import re
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
# stream, rules, muted, spoke, redacted, audit, nicks; ``other`` of MODERATE.

HOLDER: Final = Layout("", "nick session")

JOIN: Final = HOLDER.then(
    "J",
    "key nickname dialect address port event token resumed account proven senders stream ended about",
)
LEAVE: Final = HOLDER.then("L", "key event token")
CLOSE: Final = HOLDER.then("C", "key event")
PRESENCE: Final = HOLDER.then("P", "away away_event proven proven_event")
"""An event is empty where that is as before."""
SAY: Final = HOLDER.then("s", "event")
SAY_TAGGED: Final = SAY.then("S", "token tag")
WHISPERS: Final = Layout("w", "packed")
"""Whispers in a row to people who are there, of clients without a token. ``packed``, by msgpack: of each its
nick, session, recipient and letter, one behind the other. As arguments these would take Redis longer."""
LETTERS: Final = Layout("r", "count")
"""The same from and to sessions of the node itself, where it has seen the whole log, which says who holds
which nickname: no key is looked up. The letters stand before the ops, as they stand in the inbox."""
WHISPER: Final = HOLDER.then("W", "recipient letter token tag")
REFUSED: Final = HOLDER.then("n", "token tag")
WHISPER_AWAY: Final = WHISPER.then(
    "V", "account device list mailbox senders own_account keep nickname key text"
)
REPORT: Final = HOLDER.then("R", "letter account list mailbox senders own_account key text")
PASS_ON: Final = HOLDER.then("h", "letter at")
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

ROOM_JOIN: Final = HOLDER.then(
    "y", "key nickname dialect event number account token resumed owned about"
)
"""``owned`` is the event for somebody who makes the room. A further room's tokens are given by their keys,
and are no indexes."""
ROOM_LEAVE: Final = HOLDER.then("z", "key event token")
SAY_OUTSIDE: Final = SAY.then("u")
SAY_OUTSIDE_TAGGED: Final = SAY_TAGGED.then("U")

RESTRAINTS: Final = Layout("Q", "rules muted spoke")
"""It stands in front of a batch, and has no outcome."""
MODERATE: Final = HOLDER.then(
    "M",
    "account redacted audit most action key value index text command event other there nicks ended",
)
"""``other`` is the nickname hash of who is kicked, ``there`` the node that is thought to hold it. In a
further room ``account`` is no index, but since when the moderator's account is there."""

LAYOUTS: Final = {name: it for name, it in globals().items() if isinstance(it, Layout)}


def lengths() -> str:
    """Return Lua that says how many arguments each op takes, its letter included.

    It is a string, of the characters from 0 on, by letters from A to z: each run would make a table anew.
    """
    takes = {it.letter: len(it.fields) + 1 for it in LAYOUTS.values() if it.letter}
    told = "".join(chr(ord("0") + takes.get(chr(at), 0)) for at in range(ord("A"), ord("z") + 1))
    return f"""\
local function length(op)
  return string.byte('{told}', string.byte(op) - 64) - 48
end
"""


def in_numbers(script: str) -> str:
    """Return a script with numbers for the fields' names. Raises ValueError for an unknown field."""

    def number(found: re.Match[str]) -> str:
        layout = LAYOUTS.get(found[1])
        return str(layout.place(found[2])) if layout else found[0]

    return _PLACE.sub(number, script)
