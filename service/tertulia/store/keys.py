"""The names of all keys and channels of a chat in Redis. They share a hash tag: a chat is on one shard."""


def unfinished(key: str) -> str:
    """Return the key for the rest of an unfinished script, in the chat of a key."""
    return key[: key.index("}") + 2] + "unfinished"


class Keys:
    """The keys and channels of one chat."""

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
        self.rewritten = self._tag + "rewritten"
        """A copy of a log or an audit log, from which somebody is being removed."""
        self.replaced = self._tag + "replaced"
        """The log that this copy has replaced, until it is deleted."""
        self.room = self._tag + "room"
        """A channel that carries every entry of the log."""
        self.nobodys = self._tag + "nobodys"
        """A key that holds nothing of the chat: permissions are tried on it."""

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
        """Return the result of an operator's order; it expires."""
        return f"{self._tag}order:{name}"

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

    def token(self, key: str) -> str:
        """Return the hash of a client's resume token; it expires."""
        return f"{self._tag}token:{key}"

    def ended(self, key: str) -> str:
        """Return the hash that says which tokens of a nickname, given folded, are over; it expires."""
        return f"{self._tag}ended:{key}"

    def channel(self, node: str) -> str:
        """Return the channel of a node: its letters, and its probe."""
        return f"{self._tag}node:{node}"
