"""The names of all keys and channels of a chat in Redis. They share a hash tag: a chat is on one shard.

Each further room has a tag of its own, so that rooms spread over the shards.
"""

from collections.abc import Iterable
from typing import Protocol


def unfinished(key: str) -> str:
    """Return the key for the rest of an unfinished script, in the chat of a key."""
    return key[: key.index("}") + 2] + "unfinished"


def channel_of(meta: str) -> str:
    """Return the channel of a log, given one of its keys."""
    return meta[: meta.index("}") + 2] + "room"


class LogKeys(Protocol):
    """The keys of a log and of what is in force there: a chat's lobby or a further room."""

    @property
    def chat(self) -> str: ...
    @property
    def name(self) -> str | None: ...
    @property
    def meta(self) -> str: ...
    @property
    def log(self) -> str: ...
    @property
    def marks(self) -> str: ...
    @property
    def members(self) -> str: ...
    @property
    def batches(self) -> str: ...
    @property
    def moderation(self) -> str: ...
    @property
    def muted(self) -> str: ...
    @property
    def redacted(self) -> str: ...
    @property
    def spoke(self) -> str: ...
    @property
    def audit(self) -> str: ...
    @property
    def room(self) -> str: ...
    @property
    def rewritten(self) -> str: ...
    @property
    def replaced(self) -> str: ...
    def nick(self, key: str) -> str: ...
    def operator_command(self, name: str) -> str: ...
    def posted(self, name: str) -> str: ...


class RoomKeys:
    """The keys and the channel of a further room. Names are made when they are asked for: rooms are many."""

    __slots__ = ("chat", "name")

    def __init__(self, chat: str, name: str) -> None:
        self.chat = chat
        self.name = name

    meta = property(lambda self: self._of("meta"))
    log = property(lambda self: self._of("log"))
    marks = property(lambda self: self._of("marks"))
    members = property(lambda self: self._of("order"))
    batches = property(lambda self: self._of("batches"))
    condemned = property(lambda self: self._of("condemned"))
    tokens = property(lambda self: self._of("tokens"))
    token_ends = property(lambda self: self._of("token-ends"))
    moderation = property(lambda self: self._of("moderation"))
    muted = property(lambda self: self._of("muted"))
    redacted = property(lambda self: self._of("redacted"))
    spoke = property(lambda self: self._of("spoke"))
    audit = property(lambda self: self._of("audit"))
    room = property(lambda self: self._of("room"))
    rewritten = property(lambda self: self._of("rewritten"))
    replaced = property(lambda self: self._of("replaced"))

    def nick(self, key: str) -> str:
        """Return the hash of a seat, by the folded nickname."""
        return f"{{{self.chat}#{self.name}}}:nick:{key}"  # as ``_of`` does: each batch has one

    def operator_command(self, name: str) -> str:
        """Return the answer to an operator command; it expires."""
        return self._of(f"order:{name}")

    def posted(self, name: str) -> str:
        """Return what became of what a program posted under a key; it expires."""
        return self._of(f"posted:{name}")

    def several(self, what: Iterable[str]) -> list[str]:
        """Return several keys at once."""
        return list(map(f"{{{self.chat}#{self.name}}}:".__add__, what))

    def _of(self, what: str) -> str:
        return f"{{{self.chat}#{self.name}}}:{what}"


class Keys:
    """The keys and channels of one chat."""

    name = None
    """The lobby has none."""

    def __init__(self, chat: str) -> None:
        self.chat = chat
        self._tag = "{" + chat + "}:"
        self.meta = self._tag + "meta"
        self.log = self._tag + "log"
        self.marks = self._tag + "marks"
        self.members = self._tag + "order"
        self.leases = self._tag + "leases"
        self.batches = self._tag + "batches"
        self.inboxes = self._tag + "inboxes"
        self.devices = self._tag + "devices"
        self.bans = self._tag + "bans"
        self.ban_ends = self._tag + "ban-ends"
        self.audit = self._tag + "audit"
        self.moderation = self._tag + "moderation"
        self.muted = self._tag + "muted"
        self.redacted = self._tag + "redacted"
        self.spoke = self._tag + "spoke"
        self.invitations = self._tag + "invitations"
        self.rewritten = self._tag + "rewritten"
        """A copy of a log or an audit log, from which somebody is being removed."""
        self.replaced = self._tag + "replaced"
        """The log that this copy has replaced, until it is deleted."""
        self.room = self._tag + "room"
        """A channel that carries every entry of the log."""
        self.nobodys = self._tag + "nobodys"
        """A key that holds nothing of the chat: permissions are tried on it."""

        self.rooms = self._tag + "rooms"
        """The further rooms, by when to look whether they are to be forgotten."""
        self.room_nodes = self._tag + "room-nodes"
        """The nodes that follow further rooms, or did until they died."""
        self.room_sizes = self._tag + "room-sizes"
        """The further rooms that have members, by how many."""
        self.room_facts = self._tag + "room-facts"
        """Topics of further rooms, and which of them are lasting."""

    def node_rooms(self, node: str) -> str:
        """Return the set of the further rooms in which a node may have members."""
        return f"{self._tag}node:{node}:rooms"

    def nick(self, key: str) -> str:
        """Return the hash of a nickname, given folded."""
        return f"{self._tag}nick:{key}"

    def nicks(self, node: str) -> str:
        """Return the set of the nicknames that a node holds."""
        return f"{self._tag}node:{node}:nicks"

    def inbox(self, node: str) -> str:
        """Return the list of private messages handed to a node and not yet confirmed."""
        return f"{self._tag}node:{node}:inbox"

    def burial(self, node: str) -> str:
        """Return the claim of the node that buries a node."""
        return f"{self._tag}node:{node}:burial"

    def node_info(self, node: str) -> str:
        """Return the hash of a node's node info; it expires."""
        return f"{self._tag}node:{node}:facts"

    def operator_command(self, name: str) -> str:
        """Return the answer to an operator command; it expires."""
        return f"{self._tag}order:{name}"

    def posted(self, name: str) -> str:
        """Return what became of what a program posted under a key; it expires."""
        return f"{self._tag}posted:{name}"

    def account(self, key: str) -> str:
        """Return the hash of an account."""
        return f"{self._tag}account:{key}"

    def device(self, key: str) -> str:
        """Return the hash of an account's login from a device; it expires."""
        return f"{self._tag}device:{key}"

    def pending(self, key: str, sender: str) -> str:
        """Return the list of one sender's messages that wait for an account."""
        return f"{self._tag}pending:{key}:{sender}"

    def mailbox(self, key: str) -> str:
        """Return the hash of how much waits for an account, by sender; it expires when empty."""
        return f"{self._tag}mailbox:{key}"

    def senders(self, key: str) -> str:
        """Return the senders of an account's pending messages, by the number of their oldest message."""
        return f"{self._tag}senders:{key}"

    def stream(self, key: str) -> str:
        """Return the stream of messages that an earlier version kept for an account."""
        return f"{self._tag}pending:{key}"

    def counts(self, key: str) -> str:
        """Return the hash that says how much is in that stream."""
        return f"{self._tag}counts:{key}"

    def waiting(self, node: str) -> str:
        """Return the set of the devices that wait on a connection to a node."""
        return f"{self._tag}node:{node}:waiting"

    def failures(self, network: str) -> str:
        """Return the count of wrong passwords from a network; it expires."""
        return f"{self._tag}failures:{network}"

    def guesses(self, network: str, key: str) -> str:
        """Return the hash of wrong passwords for an account from a network; it expires."""
        return f"{self._tag}failures:{network}:{key}"

    def sign_ups(self, network: str) -> str:
        """Return when a network has all its turns to make accounts back; it expires then."""
        return f"{self._tag}sign-ups:{network}"

    def changes(self, network: str) -> str:
        """Return when a network has all its turns to change accounts back; it expires then."""
        return f"{self._tag}changes:{network}"

    def token(self, key: str) -> str:
        """Return the hash of a client's resume token; it expires."""
        return f"{self._tag}token:{key}"

    def ended(self, key: str) -> str:
        """Return the hash that says which tokens of a nickname, given folded, are over; it expires."""
        return f"{self._tag}ended:{key}"

    def webhook(self, name: str) -> str:
        """Return the hash of how far a webhook is, and who relays it."""
        return f"{self._tag}webhook:{name}"

    def dead_letters(self, name: str) -> str:
        """Return the list of what a webhook could not deliver, the last one first."""
        return f"{self._tag}webhook:{name}:dead"

    def channel(self, node: str) -> str:
        """Return the channel of a node: its letters, and its probe."""
        return f"{self._tag}node:{node}"
