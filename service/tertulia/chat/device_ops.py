"""What devices and accounts want changed, as ops of the store: each takes effect as a whole, in its batch."""

import asyncio

import msgspec

from tertulia.chat.ports import Op


class DeviceOp(Op, eq=False, kw_only=True):
    """An op of a device. ``session`` names its connection, ``key`` the account that it is about.

    ``note`` is what the store has to say beyond the outcome. GONE: not logged in at that address.
    """

    note: str = ""
    settled: asyncio.Future[None] = msgspec.field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class SignUp(DeviceOp, eq=False):
    """Make an account, and log it in; TAKEN where the name is an account's or somebody's."""

    nickname: str
    password_hash: str
    address: str
    port: int


class LogIn(DeviceOp, eq=False):
    """Log an account in, in place of any earlier login; UNKNOWN where there is none."""

    nickname: str
    address: str
    port: int


class LogOut(DeviceOp, eq=False):
    """Log an account out; UNKNOWN where it is not logged in."""

    address: str


class OpenChat(DeviceOp, eq=False):
    """Put a device onchat with somebody; the note is his port, 1 (offchat) or 0 (nobody).

    With 1 the connection waits: when the other comes onchat, it gets a Summoned, and waits no more. With
    a port, the other has got one if he waits, and whoever of the two enters next is the first again.
    """

    address: str
    other: str


class JoinUp(DeviceOp, eq=False):
    """Put a device onchat with a user whom it adds to a chat; it does not wait for him."""

    address: str
    other: str


class Disengage(DeviceOp, eq=False):
    """Put a device offchat; with ``only_waiting``, only if this very connection waits, else UNKNOWN."""

    address: str
    only_waiting: bool = False


class Deliver(DeviceOp, eq=False):
    """Give a message to whoever it is for: at once, where he is in the room; else it waits for him.

    UNKNOWN where nobody of that name is left, FULL where no more is kept.
    """

    address: str
    other: str
    text: str


class Forget(DeviceOp, eq=False):
    """Remove messages of a sender that were shown: all up to a number. Those that are gone don't matter.

    Or, where ``shown`` is not 0, remember of the oldest, if it has that number, that so many bytes were.
    """

    weight = 32_768
    sender: str
    number: int
    shown: int = 0


class Collect(DeviceOp, eq=False):
    """Hand some of what waits for an account to its session in the room, as whispers, in order of arrival.

    ``senders`` are those whose oldest messages are the oldest. KEPT where more waits, DONE where nothing
    does, GONE where the session does not hold its nickname any more.
    """

    weight = 65_536
    nickname: str
    senders: tuple[str, ...]
