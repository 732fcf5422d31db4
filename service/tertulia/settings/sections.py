"""Settings that stand together: limits, the cluster, accounts, logs, the operator's HTTP."""

from typing import Annotated, Literal, Self

from pydantic import (
    Field,
    model_validator,
)

from tertulia.settings.listener import ListenerSettings
from tertulia.settings.values import Count, Host, Port, Rate, Seconds, Section, Size, Span, in_order


class OpsSettings(Section):
    """Where the operator's HTTP answers: health, readiness, metrics."""

    host: Host = Field(
        default="127.0.0.1", description="The address of the operator's HTTP; never the public one."
    )
    port: Port = Field(
        default=9464, description="Its TCP port; 0 for any free one. 9464 is usual for Prometheus."
    )


class LimitSettings(Section):
    """What one client, one address, and all together may take."""

    commands_per_second: Rate = Field(
        default=1000.0,
        description="Commands per second that a session may go on sending; one that sends more is "
        "read more slowly, so that it cannot take the room's share.",
    )
    commands_burst: Count = Field(
        default=2000, description="Commands that may come at once before that rate holds."
    )
    messages_per_second: Rate = Field(
        default=50.0,
        description="Public and private messages per second that a session may go on sending; one that says "
        "more is told so and read more slowly, so that nobody fills everybody's screen.",
    )
    messages_burst: Count = Field(
        default=200, description="Messages that may come at once before that rate holds."
    )
    bytes_per_second: Count = Field(
        default=1_048_576,
        description="Bytes per second that a session may go on sending; a faster one is slowed.",
    )
    bytes_burst: Annotated[Size, Field(ge=8192)] = Field(
        default=4_194_304,
        description="Bytes that may come at once before that rate holds; at least 8192, so that "
        "the longest line passes.",
    )
    connections_per_address: Count = Field(
        default=20_000,
        description="Connections from one address; generous, as many people may share one.",
    )
    connections: Count = Field(
        default=60_000,
        description="Connections in all, to stay below what memory allows; fewer, where the system allows "
        "too few open files.",
    )
    enter_seconds: Seconds = Field(
        default=60.0,
        description="Seconds within which a new connection has to choose a nickname, so that idle "
        "ones go.",
    )
    operation_seconds: Seconds = Field(
        default=30.0,
        description="Seconds that a device may be silent inside an operation; who waits for a chat "
        "partner may be silent for as long as it likes.",
    )
    enter_tries: Count = Field(
        default=20,
        description="Nicknames that may be refused on one connection before it is closed, so that "
        "nobody guesses for ever.",
    )
    outbox_bytes: Count = Field(
        default=4_194_304,
        description="Bytes that may wait for one reader before it is disconnected, so that it "
        "cannot slow the room.",
    )
    outbox_pause_bytes: Count = Field(
        default=65_536,
        description="Bytes waiting for one client from which on it is not read from either, so "
        "that it takes its answers first.",
    )
    uncommitted_commands: Count = Field(
        default=64,
        description="Commands of one session that may wait for Redis before it is not read "
        "further: what is lost if the node dies.",
    )
    logins_waiting: Count = Field(
        default=400,
        description="Passwords that may wait to be verified before the next one's connection is "
        "closed, half of them from one network: each takes a core for about 0.2 s, and nobody should "
        "wait for long.",
    )
    long_lines: Count = Field(
        default=5,
        description="Too long lines that a connection may send before it is disconnected.",
    )

    rooms: Count = Field(
        default=10_000,
        description="Further rooms of a chat: who asks for another one is told that there is none left. "
        "Equal on all nodes of a chat.",
    )
    rooms_per_session: Count = Field(
        default=50, description="Further rooms in which one session may be at once."
    )
    room_members: Count = Field(
        default=10_000,
        description="Sessions in one further room, so that a join there costs no more than in a large lobby. "
        "Equal on all nodes of a chat.",
    )

    def on(self, listener: ListenerSettings) -> Self:
        """Return those that hold on a listener."""
        names = ("messages_per_second", "messages_burst")
        own = {name: value for name in names if (value := getattr(listener, name)) is not None}
        return self.model_copy(update=own)

    @model_validator(mode="after")
    def _paused_before_disconnected(self) -> Self:
        in_order(self, "outbox_pause_bytes", "outbox_bytes")
        return self


class ClusterSettings(Section):
    """How nodes notice one another's end, and what Redis keeps. Equal on all nodes of a chat."""

    lease_seconds: Seconds = Field(
        default=10.0,
        description="Seconds for which a node's claim on its sessions holds: how long a frozen "
        "node's nicknames stay taken.",
    )
    heartbeat_seconds: Seconds = Field(
        default=1.0, description="Seconds between the renewals of an idle node's lease."
    )
    silence_seconds: Seconds = Field(
        default=3.0,
        description="Seconds without a renewal after which a node that Redis no longer sees is "
        "taken for dead, before its lease is out; also one that is only cut off, with its connections "
        "closed.",
    )
    log_age_seconds: Seconds = Field(
        default=86_400.0,
        description="Seconds for which a room's log keeps its events, for nodes that lost touch.",
    )
    log_bytes: Annotated[Size, Field(ge=1_048_576)] = Field(
        default=67_108_864,
        description="Bytes that a room's log may take in Redis; at least 1048576, to hold more "
        "than a few batches.",
    )
    batch_ops: Count = Field(
        default=512, description="Operations in one commit, so that none holds up Redis for long."
    )
    batch_bytes: Annotated[Size, Field(ge=65_536)] = Field(
        default=262_144,
        description="Bytes in one commit, for the same reason; at least 65536, so that the longest "
        "message passes.",
    )
    redis_timeout_seconds: Seconds = Field(
        default=3.0,
        description="Seconds to wait for Redis' answer before the connection counts as lost.",
    )
    embedded_fsync: Literal["always", "everysec"] = Field(
        default="always",
        description="When the embedded Redis writes to disk: `always`, before each answer; "
        "`everysec` is quicker and may lose a second when the machine fails.",
    )
    pending_messages: Count = Field(
        default=1000,
        description="Messages of one sender that may wait for an account, so that nobody fills Redis.",
    )
    pending_sender_bytes: Size = Field(
        default=262_144,
        description="Bytes of one sender's messages that may wait for an account: the text, 64 for each "
        "message and 512 for the sender. One message may always.",
    )
    pending_bytes: Annotated[Size, Field(ge=65_536)] = Field(
        default=1_048_576,
        description="Bytes of all messages that may wait for an account, counted so; half of it is for "
        "senders with accounts. At least 65536.",
    )
    device_login_seconds: Seconds = Field(
        default=86_400.0,
        description="Seconds for which a device stays logged in after its last operation. Until then whoever "
        "has its address is taken for it: shorter where addresses pass from one to another.",
    )
    confirm_seconds: Seconds = Field(
        default=30.0,
        description="Seconds for which a private message waits for the acknowledgement of a client "
        "that acknowledges.",
    )

    away_seconds: Annotated[Span, Field(ge=0)] = Field(
        default=5.0,
        description="Seconds for which a browser whose connection is lost, or whose page is loaded again, "
        "keeps its seat: who is back by then, on any node, was never gone. 0: it leaves at once.",
    )

    @model_validator(mode="after")
    def _rising(self) -> Self:
        in_order(self, "heartbeat_seconds", "silence_seconds", "lease_seconds")
        in_order(self, "redis_timeout_seconds", "lease_seconds")
        return self


class AccountSettings(Section):
    """Who may make an account, and what devices learn of each other. Equal on all nodes of a chat."""

    registration: Literal["open", "invited", "closed"] = Field(
        default="open",
        description="Who may make an account: `open`, anybody; `invited`, who has a code of `tertulia "
        "account invite`, on the page or by writing to `G`; `closed`, only operators, by `tertulia "
        "account add`.",
    )
    sign_ups_per_hour: Count = Field(
        default=30,
        description="Accounts that may be made from one network (an IPv4 address, a /64 of IPv6) in an "
        "hour, over all nodes: so many at once, then one whenever its share of the hour is over.",
    )
    before_entering: bool = Field(
        default=True,
        description="Whether clients of `irc` may make one before they are in the chat; else only who is "
        "in it.",
    )
    device_addresses: Literal["onchat", "answered"] = Field(
        default="onchat",
        description="To whom operation 12 of `device` tells where somebody's device is: `onchat`, as the "
        "protocol has it, also to who waits for somebody that never answers; `answered`, only to whom it "
        "has entered the chat of, or was brought together with.",
    )


class LogSettings(Section):
    """What the node tells on standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least important kind of line that is written."
    )
    format: Literal["auto", "console", "json"] = Field(
        default="auto",
        description="`console` for people, `json` for machines; `auto`: `console` on a terminal.",
    )
