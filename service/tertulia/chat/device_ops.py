"""What devices and accounts want changed, as ops of the store: each takes effect as a whole, in its batch."""

import asyncio

import msgspec

from tertulia.chat.ports import Op
from tertulia.domain.requests import Change


class DeviceOp(Op, eq=False, kw_only=True):
    """An op of a device. ``session`` names its connection, ``key`` the account that it is about.

    ``note`` is what the store has to say beyond the outcome. GONE: not logged in at that address.
    """

    note: str = ""
    settled: asyncio.Future[None] = msgspec.field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class RequestOp(DeviceOp, eq=False):
    """Do what a device asks, from its address. What is UNKNOWN, and where there is a note:

    LogIn puts it in place of any earlier login; UNKNOWN where there is no such account.

    LogOut: UNKNOWN where it is not logged in.

    OpenChat: the note is the other's port, 1 (offchat) or 0 (nobody). With 1 the connection waits: when the
    other comes onchat, it gets a Summoned, and waits no more. With a port, the other has got one if he waits,
    and whoever of the two enters next is the first again.

    JoinUp does not wait for the other.

    LeaveChat: with ``only_here``, UNKNOWN where it is not this very connection that waits.

    Message goes to the other at once, where he is in the room; else it waits for him. UNKNOWN where nobody of
    that name is left, FULL where no more is kept.
    """

    asked: Change
    address: str

    @property
    def text(self) -> str:
        """The text of a message."""
        return getattr(self.asked, "text", "")


class SignUpOp(DeviceOp, eq=False):
    """Make an account, and log it in; TAKEN where the name is an account's or somebody's."""

    nickname: str
    password_hash: str
    address: str
    port: int


class ForgetOp(DeviceOp, eq=False):
    """Remove messages of a sender that were shown: all up to a number. Those that are gone don't matter.

    Or, where ``shown`` is not 0, remember of the oldest, if it has that number, that so many bytes were.
    """

    weight = 32_768
    sender: str
    number: int
    shown: int = 0


class CollectOp(DeviceOp, eq=False):
    """Hand some of what waits for an account to its session in the room, as whispers, in order of arrival.

    ``senders`` are those whose oldest messages are the oldest. KEPT where more waits, DONE where nothing
    does, GONE where the session does not hold its nickname any more.
    """

    weight = 65_536
    nickname: str
    senders: tuple[str, ...]
