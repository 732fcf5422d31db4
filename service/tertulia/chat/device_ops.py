"""What devices want changed, as ops of the store: each takes effect as a whole, in its batch."""

import asyncio
from dataclasses import dataclass, field

from tertulia.chat.ports import Op


@dataclass(slots=True, eq=False)
class DeviceOp(Op):
    """An op of a device. ``session`` names its connection, ``key`` the account that it is about.

    ``note`` is what the store has to say beyond the outcome. GONE: not logged in at that address.
    """

    note: str = field(default="", init=False)
    settled: asyncio.Future[None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future(), init=False
    )


@dataclass(slots=True, eq=False)
class SignUp(DeviceOp):
    """Make an account, and log it in; TAKEN where the name is an account's or somebody's."""

    nickname: str
    password_hash: str
    address: str
    port: int


@dataclass(slots=True, eq=False)
class LogIn(DeviceOp):
    """Log an account in, in place of any earlier login; UNKNOWN where there is none."""

    nickname: str
    address: str
    port: int


@dataclass(slots=True, eq=False)
class LogOut(DeviceOp):
    """Log an account out; UNKNOWN where it is not logged in."""

    address: str


@dataclass(slots=True, eq=False)
class OpenChat(DeviceOp):
    """Put a device onchat with somebody; the note is his port, 1 (offchat) or 0 (nobody).

    With 1 the connection waits: when the other comes onchat, it gets a Summoned. With a port, the
    other, if he waits, has got one.
    """

    address: str
    other: str


@dataclass(slots=True, eq=False)
class JoinUp(DeviceOp):
    """Put a device onchat with a user whom it adds to a chat; it does not wait for him."""

    address: str
    other: str


@dataclass(slots=True, eq=False)
class Disengage(DeviceOp):
    """Put a device offchat; with ``only_waiting``, only if this very connection waits."""

    address: str
    only_waiting: bool = False


@dataclass(slots=True, eq=False)
class Deliver(DeviceOp):
    """Give a message to whoever it is for: at once, where he is in the room; else it waits for him.

    UNKNOWN where nobody of that name is left, FULL where no more is kept.
    """

    address: str
    other: str
    text: str


@dataclass(slots=True, eq=False)
class Forget(DeviceOp):
    """Remove messages that were shown. Those that are gone already don't matter."""

    sender: str
    entries: tuple[str, ...]
