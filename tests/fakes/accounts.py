"""Accounts of a chat without I/O: there are none, or those that a test names."""

from collections.abc import Callable, Mapping, Sequence

from tertulia.chat.accounts import Changed, Correspondent, Holder, Login, Passwords, Pending
from tertulia.chat.guessing import Failures


class NoAccounts:
    """A chat in which nobody has an account."""

    async def password_hash(self, key: str) -> str | None:
        return None

    async def add_vouched(self, key: str, nickname: str, identity: str) -> None:
        """Nobody is vouched for."""

    async def login(self, key: str) -> Login | None:
        return None

    async def refresh(self, key: str) -> None:
        """Nobody's login is there to be refreshed."""

    async def online(self) -> Sequence[str]:
        return []

    async def hanging(self, key: str, most: int) -> Sequence[Correspondent]:
        return []

    async def pending(self, key: str, sender: str, room: int) -> Sequence[Pending]:
        return []

    async def oldest_senders(self, key: str) -> Sequence[str]:
        return []

    async def is_in_room(self, key: str) -> bool:
        return False

    async def failures(self, key: str, network: str) -> tuple[Failures, float]:
        return Failures(), 0.0

    async def note_failure(self, key: str, network: str) -> None:
        """Nobody counts."""

    async def forgive(self, key: str, network: str) -> None:
        """Nobody counted."""

    async def sign_up_wait(self, network: str, per_hour: int, *, take: bool) -> float:
        return 0.0

    async def change_wait(self, network: str, per_hour: int) -> float:
        return 0.0

    async def among(self, keys: Sequence[str]) -> set[str]:
        return set()

    async def change(
        self, holder: Holder, was: str, hashed: str, invitation: str = ""
    ) -> tuple[Changed, int]:
        return Changed.GONE, 0

    async def delete(self, holder: Holder) -> None:
        """There is none."""


class KnownPasswords(Passwords):
    """Passwords in the open, by nickname folded, compared at once."""

    def __init__(self, known: Mapping[str, str] | None = None) -> None:
        self._known = {} if known is None else known

    async def prove(
        self, key: str, password: str, address: str, wanted: Callable[[], bool] = bool
    ) -> bool:
        return self._known.get(key) == password
