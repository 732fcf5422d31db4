"""Accounts: what there is to read of them, and proving who one is."""

import asyncio
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_T = TypeVar("_T")
_WORKERS = 1
_NICE = 15
_NOBODY = (
    "$argon2id$v=19$m=65536,t=3,p=4$igm7Y+Kn4+xl+QCZzA71FQ$qSDy"
    "5kkeb7+CvLaAxPmpXtfKTTh5sTsIY9djUiKn3KI"
)
"""The hash of a password that nobody knows: what is verified where there is no account."""


@dataclass(frozen=True, slots=True)
class Login:
    """Where an account is logged in from a device."""

    nickname: str
    address: str
    port: int
    onchat: str
    """The nickname, folded, of whom it is onchat with; empty where it is not."""
    live_chat: str = ""
    """A name for the live chat into which it was brought; empty where it is in none."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A message that waits for an account."""

    entry: str
    sender: str
    text: str
    at: datetime
    """Local time."""


class Accounts(Protocol):
    """What is read of accounts. Each method waits while the store is away."""

    async def password_hash(self, key: str) -> str | None:
        """Return an account's password hash; None where there is no such account."""
        ...

    async def login(self, key: str) -> Login | None:
        """Return where an account is logged in; None where it is not."""
        ...

    async def refresh(self, key: str) -> None:
        """Let an account's login be good for another day."""
        ...

    async def online(self) -> Sequence[str]:
        """Return the nicknames of all that are logged in from a device, in alphabetical order."""
        ...

    async def pending(self, key: str) -> Sequence[Pending]:
        """Return what waits for an account, oldest first."""
        ...

    async def is_in_room(self, key: str) -> bool:
        """Say whether somebody in the room holds this nickname."""
        ...

    async def failures(self, address: str) -> int:
        """Return how many wrong passwords came from an address in the last minute."""
        ...

    async def note_failure(self, address: str) -> None:
        """Count a wrong password."""
        ...


MOST_FAILURES = 5
"""Wrong passwords a minute from one address; more are not even looked at for a minute."""


class Passwords:
    """Hashes and verifies passwords, beside the event loop: each takes tens of milliseconds of a core."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._hasher = PasswordHasher()
        # One at a time, and after everything else: people who log in wait a little, the chat does not.
        self._workers = ThreadPoolExecutor(_WORKERS, "passwords", _give_way)

    async def hash(self, password: str) -> str:
        """Return what is stored in a password's place."""
        return await self._work(self._hasher.hash, password)

    async def is_known(self, key: str, address: str) -> bool:
        """Say whether there is such an account; it takes as long to say no as to refuse a password."""
        if await self._accounts.password_hash(key) is not None:
            return True
        await self._refuse(address)
        return False

    async def prove(self, key: str, password: str, address: str) -> bool:
        """Say whether a password is an account's. Five failures a minute: no, whatever it is."""
        if await self._accounts.failures(address) >= MOST_FAILURES:
            return False
        stored = await self._accounts.password_hash(key)
        if await self._work(self._verify, stored or _NOBODY, password) and stored:
            return True
        await self._accounts.note_failure(address)
        return False

    def close(self) -> None:
        """Let the threads end."""
        self._workers.shutdown(wait=False, cancel_futures=True)

    async def _refuse(self, address: str) -> None:
        if await self._accounts.failures(address) < MOST_FAILURES:
            await self._work(self._verify, _NOBODY, "")
            await self._accounts.note_failure(address)

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _work(self, function: Callable[..., _T], *args: object) -> _T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._workers, lambda: function(*args))


def _give_way() -> None:
    # On Linux a thread has a priority of its own.
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
