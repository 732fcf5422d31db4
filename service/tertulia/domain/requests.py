"""What a device asks of the service, step by step. Each is answered before the device says more.

An answer of None means that the connection is closed without another word.
"""

from dataclasses import dataclass

MIN_PORT = 1024
"""The lowest port of a device; numbers below it are answers, not ports."""
MAX_PORT = 65_535


@dataclass(frozen=True, slots=True)
class IsFree:
    """Can an account be made under this name? Answer: bool."""

    name: str


@dataclass(frozen=True, slots=True)
class SignUpWait:
    """When may an account be made from here? Answer: seconds to wait; 0: now, infinity: never."""


@dataclass(frozen=True, slots=True)
class SignUp:
    """Make an account and log it in. Answer: bool; False where the name or all turns were taken meanwhile."""

    name: str
    password: str
    port: int


@dataclass(frozen=True, slots=True)
class IsAccount:
    """Is there an account of this name? Answer: bool."""

    name: str


@dataclass(frozen=True, slots=True)
class Prove:
    """Is this the account's password? Answer: bool."""

    name: str
    password: str


@dataclass(frozen=True, slots=True)
class LogIn:
    """Log the account in at this connection's address. Answer: bool."""

    name: str
    port: int


@dataclass(frozen=True, slots=True)
class LogOut:
    """Log the account out. Answer: bool; None where it is logged in elsewhere."""

    name: str


@dataclass(frozen=True, slots=True)
class IsHere:
    """Is the account logged in at this connection's address? Answer: True, or None."""

    name: str


@dataclass(frozen=True, slots=True)
class OpenChat:
    """Put me onchat with somebody. Answer: a port, 1 (offchat), 0 (nobody of that name), or None."""

    me: str
    other: str


@dataclass(frozen=True, slots=True)
class LeaveChat:
    """Put me offchat. Answer: True, or None."""

    me: str
    only_here: bool = False
    """Only if this connection is the one that waits: the account may be in another chat by now."""


@dataclass(frozen=True, slots=True)
class Message:
    """Take a message for the user with whom I am onchat. Answer: True, or None where it can't be kept."""

    me: str
    other: str
    text: str


@dataclass(frozen=True, slots=True)
class Online:
    """Who is logged in? Answer: list of names."""


@dataclass(frozen=True, slots=True)
class PortOf:
    """On which port does this user listen? Answer: port, 0 where they are not logged in."""

    name: str


@dataclass(frozen=True, slots=True)
class JoinUp:
    """Put me onchat with a user whom I add to a chat. Answer: True, or None."""

    me: str
    other: str


@dataclass(frozen=True, slots=True)
class Hanging:
    """Whose messages wait for me? Answer: list of (sender, count, local time of the last), or None."""

    me: str


@dataclass(frozen=True, slots=True)
class Show:
    """What did this sender leave for me? Answer: list of texts, or None.

    They are removed when the connection has been closed in order.
    """

    me: str
    sender: str


@dataclass(frozen=True, slots=True)
class AddressOf:
    """On which host does the other listen? Answer: host, empty where I may not know it."""

    me: str
    other: str


Request = (
    SignUpWait
    | IsFree
    | SignUp
    | IsAccount
    | Prove
    | LogIn
    | LogOut
    | IsHere
    | OpenChat
    | LeaveChat
    | Message
    | Online
    | PortOf
    | JoinUp
    | Hanging
    | Show
    | AddressOf
)

Change = LogIn | LogOut | OpenChat | JoinUp | LeaveChat | Message
"""The requests that go to the store unchanged."""
