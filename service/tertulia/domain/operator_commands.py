"""Operator commands, as they stand in the room's log: every node reads them, no client does."""

from enum import StrEnum

import msgspec

from tertulia.domain.bans import Ban


class Action(StrEnum):
    """What an operator can do. Only what a node carries out, or what changes something, is ordered."""

    KICK = "kick"
    BAN = "ban"
    UNBAN = "unban"
    SAY = "say"
    CLOSE = "close"
    DRAIN = "drain"
    ERASE = "erase"
    """The entry does not say who it was."""
    READ_ALL = "read-all"
    """Reading everything that is kept of somebody."""
    READ_PENDING = "read-pending"
    """Reading what waits for somebody. It changes nothing, but nobody does it unseen."""


class OperatorCommand(
    msgspec.Struct, frozen=True, tag_field="t", tag="ordered", omit_defaults=True
):
    """An order: it stands in the log beside its results, and in the audit log."""

    id: str = msgspec.field(name="i")
    """Unique; an order that is given again under the same id is carried out once."""
    by: str = msgspec.field(name="b")
    """Who gave it: user@host, or the name that the operator chose."""
    action: Action = msgspec.field(name="a")
    subject: str = msgspec.field(name="o", default="")
    """A nickname, folded; the name of a ban; a node."""
    text: str = msgspec.field(name="x", default="")
    """The reason that was given, or what was said."""
    ban: Ban | None = msgspec.field(name="n", default=None)
    until: int = msgspec.field(name="u", default=0)
    """Milliseconds since 1970 after which it is not to be carried out any more; 0 where there is no end."""


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(OperatorCommand).decode
