"""Operator commands, as they stand in the room's log: every node reads them, no client does."""

from enum import StrEnum
from typing import Final

import msgspec

from tertulia.domain.bans import Ban


class Action(StrEnum):
    """What an operator can do. Only what a node carries out, or what changes something, is a command.

    A moderator may do some of it as well: see ``domain.moderation``.
    """

    KICK = "kick"
    BAN = "ban"
    UNBAN = "unban"
    SAY = "say"
    CLOSE = "close"
    DRAIN = "drain"
    MUTE = "mute"
    UNMUTE = "unmute"
    SLOW = "slow"
    ACCOUNTS_ONLY = "accounts-only"
    TOPIC = "topic"
    REDACT = "redact"
    APPOINT = "moderator-add"
    DISMISS = "moderator-remove"
    OUTSIDERS = "outsiders"
    """In a further room: whether people who are not in it may speak there."""
    LASTING = "lasting"
    """Of a further room: whether it stays when nobody is in it any more."""
    ERASE = "erase"
    """The entry does not say who it was."""
    READ_ALL = "read-all"
    """Reading everything that is kept of somebody."""
    READ_PENDING = "read-pending"
    """Reading what waits for somebody. It changes nothing, but nobody does it unseen."""
    REGISTER = "register"
    """Making an account; this and what follows is only written down, and its owner did it."""
    PASSWORD = "password"  # noqa: S105 (the name of what was done)
    LOG_OUT = "log-out"
    UNREGISTER = "unregister"
    INVITE = "invite"
    """Making codes of invitations: the value is their numbers."""
    UNINVITE = "uninvite"
    ENABLE_WEBHOOK = "webhook-enable"


class OperatorCommand(
    msgspec.Struct, frozen=True, tag_field="t", tag="ordered", omit_defaults=True
):
    """A command: it stands in the log beside its results, and in the audit log."""

    id: str = msgspec.field(name="i")
    """Unique; a command that is given again under the same id is carried out once."""
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
    value: str = msgspec.field(name="v", default="")
    """Of a mute or slow mode: seconds; of accounts-only, outsiders and lasting: on or off; of a
    redaction: offset and index; of invitations: their numbers, as 3 or 3-7."""

    @property
    def moderator(self) -> str:
        """The nickname of the moderator who gave it; empty where an operator did."""
        nickname, mark, rest = self.by.partition(_MODERATOR)
        return nickname if mark and not rest else ""


_MODERATOR: Final = " (moderator)"


def by_moderator(nickname: str) -> str:
    """Return what ``by`` is of a moderator."""
    return nickname + _MODERATOR


MOST_AUDITED: Final = 10_000
"""How many commands the audit log of a chat keeps."""

MOST_TEXT: Final = 4000
"""Bytes in an announcement or a reason, so that with what stands around it it is a line in any dialect."""
LONGEST_SECONDS: Final = 100 * 365 * 86_400
"""For how long, at most, a ban or an invitation is made that ends."""

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(OperatorCommand).decode
