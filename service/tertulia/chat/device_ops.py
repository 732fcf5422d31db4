"""What devices want changed, as ops of the store: each takes effect as a whole, in its batch."""

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
    """Remove messages that were shown. Those that are gone already don't matter."""

    sender: str
    entries: tuple[str, ...]
