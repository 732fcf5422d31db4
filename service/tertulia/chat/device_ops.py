"""Changes that devices and accounts ask for, as ops: each takes effect as a whole, in its batch."""

import asyncio

import msgspec

from tertulia.chat.ports import Op
from tertulia.domain.requests import Change


class DeviceOp(Op, eq=False, kw_only=True):
    """An op of a device. ``session`` names its connection, ``key`` its account.

    ``note`` is what the store says beyond the outcome. GONE: the account is not logged in at that address.
    """

    note: str = ""
    settled: asyncio.Future[None] = msgspec.field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class RequestOp(DeviceOp, eq=False):
    """Do what a device asks, from its address. For each request, what UNKNOWN and the note mean:

    LogIn replaces any earlier login; UNKNOWN where there is no such account.

    LogOut: UNKNOWN where the account is not logged in.

    OpenChat: the note is the other user's port, 1 (offchat) or 0 (nobody). With 1 the connection waits: when
    the other comes onchat, it gets a Summoned, and waits no more. With a port, the other has got a Summoned
    if they wait. The next of the two to enter is the first again.

    JoinUp does not wait for the other user.

    LeaveChat: with ``only_here``, UNKNOWN where this connection is not the one that waits.

    Message goes to the other user at once, where they are in the room; else it waits for them. UNKNOWN where
    nobody of that name is left, FULL where no more is kept.
    """

    asked: Change
    address: str

    @property
    def text(self) -> str:
        """The text of a message."""
        return getattr(self.asked, "text", "")


class SignUpOp(DeviceOp, eq=False):
    """Make an account, and log it in; TAKEN where an account or a session has the name."""

    weight = 1024
    nickname: str
    password_hash: str
    address: str
    port: int


class ForgetOp(DeviceOp, eq=False):
    """Remove messages of a sender that were shown: all up to a number. Some may be gone already.

    Or, where ``shown`` is not 0: if the oldest message has that number, remember that ``shown`` bytes of it
    were shown.
    """

    weight = 32_768
    sender: str
    number: int
    shown: int = 0


class CollectOp(DeviceOp, eq=False):
    """Hand some messages that wait for an account to its session in the room, as whispers.

    They go in order of arrival. ``senders`` are those whose oldest messages are the oldest. KEPT where more
    waits, DONE where nothing waits, GONE where the session does not hold its nickname any more.
    """

    weight = 65_536
    nickname: str
    senders: tuple[str, ...]
