"""What a client can ask for beyond RFC 2812: the capabilities of ircv3.net."""

from enum import IntFlag, auto
from types import MappingProxyType
from typing import Final

from tertulia.dialects.contract import Registration


class Capability(IntFlag):
    """One capability, or several."""

    CAP_NOTIFY = auto()
    MESSAGE_TAGS = auto()
    SERVER_TIME = auto()
    ECHO_MESSAGE = auto()
    LABELED_RESPONSE = auto()
    BATCH = auto()
    ACCOUNT_TAG = auto()
    ACCOUNT_NOTIFY = auto()
    EXTENDED_JOIN = auto()
    MULTI_PREFIX = auto()
    USERHOST_IN_NAMES = auto()
    AWAY_NOTIFY = auto()
    STANDARD_REPLIES = auto()
    SASL = auto()
    CHATHISTORY = auto()
    MESSAGE_REDACTION = auto()
    ACCOUNT_REGISTRATION = auto()
    MULTILINE = auto()


NO_CAPABILITY: Final = Capability(0)
MAX_MULTILINE_BYTES: Final = 4096
MAX_MULTILINE_LINES: Final = 50

NAMES: Final = MappingProxyType(
    {
        it.name.lower().replace("_", "-"): it
        for it in Capability
        if it.name is not None and it < Capability.CHATHISTORY
    }
    | {
        "draft/chathistory": Capability.CHATHISTORY,
        "draft/message-redaction": Capability.MESSAGE_REDACTION,
        "draft/account-registration": Capability.ACCOUNT_REGISTRATION,
        "draft/multiline": Capability.MULTILINE,
    }
)
"""The capabilities by name."""

VOICE: Final = (
    Capability.MESSAGE_TAGS
    | Capability.SERVER_TIME
    | Capability.BATCH
    | Capability.ACCOUNT_TAG
    | Capability.ACCOUNT_NOTIFY
    | Capability.EXTENDED_JOIN
    | Capability.AWAY_NOTIFY
    | Capability.CHATHISTORY
    | Capability.MESSAGE_REDACTION
    | Capability.MULTILINE
)
"""Those that change what many read."""


def offered(accounts: Registration, *, before_entering: bool, history: bool) -> dict[str, str]:
    """Return the names of the capabilities that a listener has, each with its value, which may be empty.

    ``accounts``: who may register one; ``before_entering``: whether also who is not in yet. ``history``:
    whether the past can be read.
    """
    values = dict.fromkeys(NAMES, "")
    values["sasl"] = "PLAIN"
    values["draft/multiline"] = f"max-bytes={MAX_MULTILINE_BYTES},max-lines={MAX_MULTILINE_LINES}"
    # The code of an invitation stands in the place of an address.
    keys = {"before-connect": before_entering, "email-required": accounts == "invited"}
    values["draft/account-registration"] = ",".join(key for key, is_so in keys.items() if is_so)
    if accounts == "closed":
        del values["draft/account-registration"]
    if not history:
        del values["draft/chathistory"]
    return values
