"""Accounts: reading about them, and proving that a client is one of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from tertulia.chat.guessing import Failures, delay
from tertulia.chat.hashing import Hashing
from tertulia.chat.identities import IDENTITY
from tertulia.domain.networks import network_of
from tertulia.domain.operator_commands import Action

_NOBODY = (
    "$argon2id$v=19$m=65536,t=3,p=4$igm7Y+Kn4+xl+QCZzA71FQ$qSDy"
    "5kkeb7+CvLaAxPmpXtfKTTh5sTsIY9djUiKn3KI"
)
"""The hash of a password that nobody knows. It is verified where there is no account."""


@dataclass(frozen=True, slots=True)
class Login:
    """An account that is logged in from a device, and where."""

    nickname: str
    address: str
    port: int
    onchat: str
    """The folded nickname of the user with whom it is onchat; empty where it is not onchat."""
    live_chat: str = ""
    """A name for the live chat to which it was added; empty where it is in none."""


@dataclass(frozen=True, slots=True)
class Correspondent:
    """How many messages of one sender wait for an account."""

    sender: str
    messages: int
    last: datetime
    """When the last of them came, in local time."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A message that waits for an account."""

    number: int
    """It ascends over all messages that wait for an account."""
    text: str
    shown: int = 0
    """How many bytes of the message were shown already; ``text`` begins after them."""


@dataclass(frozen=True, slots=True)
class Holder:
    """The session in the room that changes the account of its nickname, and what the audit log calls it."""

    session: str
    """Empty: it is on its way in, and makes the account of a nickname that nobody may hold."""
    key: str
    nickname: str
    token: str
    """The key of its token; empty where it has none."""
    action: Action


class Changed(Enum):
    """What came of a change."""

    DONE = "done"
    GONE = "gone"
    """The session does not hold its nickname any more."""
    TAKEN = "taken"
    """The account is another than was thought, or there is one where none was."""
    UNINVITED = "uninvited"
    """The invitation is none that is good."""


class Accounts(Protocol):
    """The store's side of accounts. Each method waits while the store is away."""

    async def password_hash(self, key: str) -> str | None:
        """Return an account's password hash; None where there is no such account."""
        ...

    async def add_vouched(self, key: str, nickname: str, identity: str) -> None:
        """Make an account without a password, for a person; does nothing where the nickname is taken."""
        ...

    async def login(self, key: str) -> Login | None:
        """Return where an account is logged in; None where it is not."""
        ...

    async def refresh(self, key: str) -> None:
        """Let an account's login last its full time again from now on, and note that the account is used."""
        ...

    async def online(self) -> Sequence[str]:
        """Return the nicknames of all accounts that are logged in from a device, in alphabetical order."""
        ...

    async def hanging(self, key: str, most: int) -> Sequence[Correspondent]:
        """Return the senders whose messages wait for an account, oldest first: ``most`` of them at most."""
        ...

    async def pending(self, key: str, sender: str, room: int) -> Sequence[Pending]:
        """Return the messages that a sender has left for an account, oldest first, until an answer is full.

        ``room``: the bytes of the answer. A message takes the bytes of its text and one more. The result
        may have one message too many.
        """
        ...

    async def oldest_senders(self, key: str) -> Sequence[str]:
        """Return some senders, folded, whose messages wait for an account: those whose oldest came first."""
        ...

    async def is_in_room(self, key: str) -> bool:
        """Say whether somebody in the room holds this nickname."""
        ...

    async def failures(self, key: str, network: str) -> tuple[Failures, float]:
        """Return the wrong passwords for an account from a network, and the store's time, in seconds."""
        ...

    async def note_failure(self, key: str, network: str) -> None:
        """Count a wrong password."""
        ...

    async def forgive(self, key: str, network: str) -> None:
        """Forget the wrong passwords for an account from a network: the right one came from there."""
        ...

    async def sign_up_wait(self, network: str, per_hour: int, *, take: bool) -> float:
        """Return the seconds until an account may be made from a network; 0: now.

        All nodes together have ``per_hour`` turns for a network. Each turn comes back after its share of an
        hour. With ``take`` a turn is taken, where there is one.
        """
        ...

    async def change_wait(self, network: str, per_hour: int) -> float:
        """Take a turn of a network, which has ``per_hour``, to change an account; return the wait for it."""
        ...

    async def among(self, keys: Sequence[str]) -> set[str]:
        """Return which of these, folded, are accounts."""
        ...

    async def change(
        self, holder: Holder, was: str, hashed: str, invitation: str = ""
    ) -> tuple[Changed, int]:
        """Give an account another password hash, and end its other logins: of devices, and by tokens.

        ``was`` is its hash until now; empty: there is no account, and one is made. Where it is ``hashed`` as
        well, only the other logins end. The holder's own token proves to be the account from now on. With an
        ``invitation``, as it is kept, that is used up. As a whole, and once. Returns as well since when the
        account is there, as ``JoinOp.account``; 0 where it was not changed.
        """
        ...

    async def delete(self, holder: Holder) -> None:
        """Delete an account, its login, and what waits for it. The holder's token is then a guest's."""
        ...


def _always() -> bool:
    return True


class Passwords:
    """Hashes and verifies the passwords of a chat. Each method may raise Busy.

    ``wanted`` is asked when the turn has come. It says whether anybody still waits for the answer.
    """

    def __init__(self, accounts: Accounts, hashing: Hashing) -> None:
        self._accounts = accounts
        self._hashing = hashing
        self._hasher = PasswordHasher()

    async def hash(self, password: str, address: str) -> str:
        """Return the hash that is stored in place of a password."""
        async with self._hashing.turn(network_of(address)):
            return await self._hashing.work(self._hasher.hash, password)

    async def is_known(self, key: str, address: str, wanted: Callable[[], bool] = _always) -> bool:
        """Say whether there is such an account. A no takes as long as the refusal of a password."""
        if await self._accounts.password_hash(key) is not None:
            return True
        await self._try(key, None, "", network_of(address), wanted)
        return False

    async def prove(
        self, key: str, password: str, address: str, wanted: Callable[[], bool] = _always
    ) -> bool:
        """Say whether a password is an account's. After five wrong ones any is refused for a while."""
        return await self.proven(key, password, address, wanted) is not None

    async def proven(
        self, key: str, password: str, address: str, wanted: Callable[[], bool] = _always
    ) -> str | None:
        """Do as ``prove`` does; return the hash that was proven, None where it was not."""
        stored = await self._accounts.password_hash(key)
        is_it = await self._try(key, stored, password, network_of(address), wanted)
        return stored if is_it else None

    async def vouched(self, key: str, nickname: str, identity: str) -> bool:
        """Say whether an account is a person's for whom an issuer vouches; the first time, make it."""
        if await self._accounts.password_hash(key) is None:
            await self._accounts.add_vouched(key, nickname, identity)
        return await self._accounts.password_hash(key) == identity

    async def _try(
        self, key: str, stored: str | None, password: str, network: str, wanted: Callable[[], bool]
    ) -> bool:
        if delay(*await self._accounts.failures(key, network)):
            return False
        async with self._hashing.turn(network):
            # A client that tries many at once has more failures now than when it began to wait.
            failures, now = await self._accounts.failures(key, network)
            if not wanted() or delay(failures, now):
                return False
            if await self._hashing.work(self._verify, stored or _NOBODY, password) and stored:
                if failures.of_account:
                    await self._accounts.forgive(key, network)
                return True
            await self._accounts.note_failure(key, network)
        return False

    def _verify(self, stored: str, password: str) -> bool:
        if stored.startswith(IDENTITY):
            stored = (
                _NOBODY  # it has no password, and nobody learns that from how soon it is refused
            )
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False
