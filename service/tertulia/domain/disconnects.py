"""Why a connection ends: the one catalogue. Each label is a metric label and a log field.

docs/disconnects.md is made from it.
"""

from enum import Enum


class Disconnect(Enum):
    """A reason: its label, what it means, and whether it makes sense to come back at once."""

    LEFT = "left", "the client asked to leave", True
    GONE = "gone", "the client closed its connection", True
    BROKEN = "broken", "the connection broke", True
    OPERATION_OVER = "operation_over", "a device's operation was over, or not a valid one", True
    OPERATION_TIMEOUT = "operation_timeout", "a device was silent inside an operation", True
    MAILBOX_FULL = "mailbox_full", "too much waits for the recipient of a device's message", False
    REFUSED_INVALID = "refused_invalid", "the nickname was malformed or reserved", True
    REFUSED_TAKEN = "refused_taken", "the nickname was in use", True
    ROOM_FULL = "room_full", "the further room that the client named on entering had no place", True
    ENTER_TIMEOUT = "enter_timeout", "no nickname came in time", True
    ENTER_TRIES = "enter_tries", "too many nicknames were refused on one connection", True
    SLOW_READER = "slow_reader", "the client read too slowly: its backlog passed the bound", True
    SILENT = "silent", "the client did not answer a ping", True
    LONG_LINES = "long_lines", "too many lines were too long", False
    TOO_MANY_FROM_ADDRESS = "too_many_from_address", "too many connections from one address", False
    TOO_MANY = "too_many", "the node has as many connections as it may have", True
    PROXY_HEADER = "proxy_header", "a trusted proxy sent no PROXY header, or a broken one", True
    TLS_HANDSHAKE = "tls_handshake", "the client and the node did not agree on TLS in time", True
    TOO_MANY_LOGINS = "too_many_logins", "too many passwords waited to be verified", True
    CHAT_CLOSED = "chat_closed", "the administrator closed the chat", True
    FENCED = "fenced", "the node was thought dead and its sessions were announced as gone", True
    KICKED = "kicked", "an operator or a moderator removed the session", False
    BANNED = "banned", "an operator's ban covers the client", False
    DISPLACED = "displaced", "the nickname went to another session", False
    DRAINED = "drained", "the node is shutting down", True
    INTERNAL = "internal", "the node met an error of its own while serving this connection", True

    def __init__(self, label: str, meaning: str, may_retry: bool) -> None:
        self.label = label
        self.meaning = meaning
        self.may_retry = may_retry
