"""What the tool and its processes tell each other: a JSON object a line, over the processes' pipes."""

import msgspec

from tertulia_load.plan import Plan
from tertulia_load.reading import Tally

# --- Orders --------------------------------------------------------------------------------------


class Begin(msgspec.Struct, frozen=True, tag=True):
    """The first order: which process of which plan."""

    plan: Plan
    process: int


class Join(msgspec.Struct, frozen=True, tag=True):
    """Drop the connections of the round before, and come back."""

    round: int


class Send(msgspec.Struct, frozen=True, tag=True):
    """Send messages from a time on, in microseconds of the monotonic clock."""

    at: int
    seconds: float


class Stop(msgspec.Struct, frozen=True, tag=True):
    """Send no more."""


class Settle(msgspec.Struct, frozen=True, tag=True):
    """Wait until everybody has read everything."""

    sent: dict[int, int]
    """How many public messages each sender has sent in each room, by the voice, of all processes."""


Order = Begin | Join | Send | Stop | Settle

# --- Reports -------------------------------------------------------------------------------------


class Progress(msgspec.Struct, frozen=True, tag=True):
    """How it goes, a few times a second."""

    clients: int
    notices: int
    """How often clients read that one of this tool came."""
    last_notice: int
    """When that was last, microseconds."""
    sent: int
    delivered: int
    slowest: int
    """The longest latency so far, microseconds."""


class Joined(msgspec.Struct, frozen=True, tag=True):
    """Everybody is in, or gave up."""

    entered: int
    failed: dict[str, int]
    retries: int
    begun: int
    last_entered: int
    cpu_seconds: float = 0.0
    """What the process used meanwhile."""


class Stopped(msgspec.Struct, frozen=True, tag=True):
    """All was sent."""

    public: dict[int, int]
    private: dict[int, int]
    latest: int
    held_back: int
    until: int
    """When it ended, microseconds."""


class Settled(msgspec.Struct, frozen=True, tag=True):
    """Everybody has read everything, or nothing came any more."""

    tally: Tally
    farewells: dict[str, int]
    histogram: str
    recorded: int
    longest: int
    orders: dict[int, tuple[int, int]]
    """Of each room: a number that tells whether others have found the same order, and how many messages it
    has."""
    cpu_seconds: float
    """What this process used until all processes had sent everything."""


class Failed(msgspec.Struct, frozen=True, tag=True):
    """The process can't go on."""

    why: str


Report = Progress | Joined | Stopped | Settled | Failed

encode = msgspec.json.Encoder().encode
decode_order = msgspec.json.Decoder(Order).decode
decode_report = msgspec.json.Decoder(Report).decode
