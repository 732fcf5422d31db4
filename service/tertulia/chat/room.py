"""A chat on this node: its sessions, and what they read of what happens in it."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tertulia.chat.accounts import Passwords
from tertulia.chat.any_room import AnyRoom
from tertulia.chat.client_commands import ClientCommands
from tertulia.chat.device_ops import DeviceOp
from tertulia.chat.devices import Devices
from tertulia.chat.entering import Entering
from tertulia.chat.evictions import Evictions
from tertulia.chat.fanout import Audience, Broadcast, News, OneByOne
from tertulia.chat.further_room import Surroundings
from tertulia.chat.identities import Identities
from tertulia.chat.mailbox import Mailbox
from tertulia.chat.newcomers import Newcomers
from tertulia.chat.operator_commands import OperatorCommands
from tertulia.chat.own_accounts import OwnAccounts
from tertulia.chat.past_requests import PastRequests
from tertulia.chat.ports import (
    DONE,
    KEPT,
    Clock,
    Delivery,
    Member,
    Op,
    Outbox,
    PassOnOp,
    ReportOp,
    SayOp,
    Store,
    WhisperOp,
)
from tertulia.chat.reader import Reader
from tertulia.chat.recent_talk import RecentTalk
from tertulia.chat.rooms import FurtherRooms
from tertulia.chat.roster import Roster
from tertulia.chat.session import ACTIVE, IN_THE_ROOM, Session
from tertulia.chat.sessions import Sessions
from tertulia.chat.turn import Turn
from tertulia.dialects.contract import Encoder
from tertulia.domain.bans import Ban
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.events import Closed, Presence
from tertulia.domain.operator_commands import OperatorCommand
from tertulia.telemetry.metrics import Kind, Metrics

_REACHED: Final = (DONE, KEPT)
_MESSAGES: Final = (SayOp, WhisperOp)


@dataclass(frozen=True, slots=True)
class RoomLimits:
    """What a session may cost, and what a chat allows."""

    enter_tries: int
    outbox_bytes: int
    may_be_closed: bool
    """Whether its administrator may close the chat."""
    confirm_seconds: float
    history: int = 0
    """How many of the last messages newcomers read, where they read most."""
    history_seconds: float = 86_400.0
    """For how long messages are kept for newcomers."""
    away_seconds: float = 0.0
    """For how long a session whose connection is lost keeps its seat."""
    rooms_per_session: int = 50
    """In how many further rooms a session may be."""


class Room(AnyRoom[Session]):
    """One chat on one node, and its lobby: sessions on one side, the store on the other.

    Its further rooms are ``further``.
    """

    def __init__(
        self,
        chat: str,
        store: Store,
        clock: Clock,
        limits: RoomLimits,
        passwords: Passwords,
        devices: Devices,
        own_accounts: OwnAccounts,
        operator_commands: OperatorCommands,
        metrics: Metrics,
        broadcast: Callable[[], Broadcast] = OneByOne,
    ) -> None:
        self.devices = devices
        self._limits = limits
        self._metrics = metrics
        audience = Audience(metrics, broadcast)
        turn = Turn(audience)
        self._mailbox = Mailbox(
            store, clock, limits.confirm_seconds, devices, metrics, audience.unshown,
        )  # fmt: skip
        self._sessions = Sessions(
            chat, store, clock, audience, turn, self._mailbox, metrics, limits.away_seconds
        )
        rules, roster = operator_commands.rules, Roster()
        recent = RecentTalk(limits.history, limits.history_seconds, audience.unshown)
        super().__init__(
            clock, self._sessions.by_name, audience, turn, roster, rules, recent,
            Newcomers(
                store, clock, self._sessions, self._sessions.release, roster, recent, rules,
                operator_commands, own_accounts.registration,
            ),
        )  # fmt: skip
        self._entering = Entering(
            store, clock, self._sessions, roster, passwords, own_accounts, operator_commands,
            limits.enter_tries,
        )  # fmt: skip
        past_requests = PastRequests(clock, self._sessions)
        self.further = FurtherRooms(
            Surroundings(
                store, clock, self._sessions, turn, roster, operator_commands, past_requests, metrics,
                limits.history, limits.history_seconds, limits.outbox_bytes, limits.rooms_per_session,
            )
        )  # fmt: skip
        self._asked = ClientCommands(
            store, self._sessions, self, self._entering, own_accounts, devices, turn, rules,
            past_requests, self.further, metrics, may_be_closed=limits.may_be_closed,
        )  # fmt: skip
        self._evictions = Evictions(operator_commands, self._sessions, roster, devices)
        # What clients ask for has a place of its own; a call in between would cost each line.
        self.command, self.filtered = self._asked.carry_out, self._asked.filtered

    def __len__(self) -> int:
        """Return how many sessions have asked for a nickname and are not gone."""
        return len(self._sessions.by_name)

    # --- What connections report -----------------------------------------------------------------

    def connect(
        self,
        encoder: Encoder,
        outbox: Outbox,
        address: str,
        port: int,
        identities: Identities | None = None,
    ) -> Session:
        """Take in a new connection; it reads the greeting."""
        session = Session(encoder, outbox, address, port, identities)
        greeting = encoder.greeting()
        if greeting:
            session.write(greeting)
        return session

    def lost(self, session: Session, reason: Disconnect) -> None:
        """Learn that a connection is gone, or has to go; the leave of its session is announced."""
        self._sessions.lost(session, reason)

    def slowed(self, session: Session) -> None:
        """Tell a client that it sends too much, and is read more slowly from now on."""
        session.receipts.give_notices()
        session.answer(session.replies.slowed())

    def lags(self, session: Session) -> None:
        """Learn that a client has a backlog: it is watched from now on."""
        if session.state in IN_THE_ROOM:
            self._sessions.lagging.add(session)

    def caught_up(self, session: Session) -> None:
        """Learn that a client that lagged has read its backlog."""
        self._sessions.lagging.discard(session)

    @property
    def lagging(self) -> int:
        """How many sessions have a backlog."""
        return len(self._sessions.lagging)

    def drain(self) -> None:
        """Let everybody leave. What they had sent, as far as it was read, is committed first."""
        self.devices.drain()
        for session in list(self._sessions.by_name.values()):
            self._sessions.lost(session, Disconnect.DRAINED)

    # --- What the store reports ------------------------------------------------------------------

    def deliveries(self, deliveries: Sequence[Delivery]) -> None:
        self._mailbox.deliver(deliveries, self._sessions.by_name, self._turn)

    def settled(self, ops: Sequence[Op]) -> None:
        answered: dict[Session, None] = {}
        answers: list[tuple[Reader, bytes]] = []
        messages: list[tuple[Kind, str]] = []
        by_name, settle = self._sessions.by_name, self._asked.settle
        for op in ops:
            kind = op.kind
            if kind is None:  # it may do more than give an answer
                self._turn.letters(answers)
                answers.clear()
                if self._settle_own(op):
                    continue
            session = by_name.get(op.session)
            if session is None:
                continue
            if session.trailers:  # some answers are made only now, as well
                self._turn.letters(answers)
                answers.clear()
            answered[session] = None
            if kind is not None and op.outcome in _REACHED:
                messages.append((kind, session.encoder.name))
            try:
                if op.outcome is DONE and isinstance(op, _MESSAGES):  # as nearly all are
                    trailer = session.settled(op)
                    answer = session.replies.sent(op.tag) + trailer
                else:
                    answer = settle(session, op)
                if session.in_order is not None:
                    answer = session.in_turn(op, answer)
                if answer:
                    answers.append((session, answer))
            except Exception:
                # What ends a session writes what it reads before: so it has to be in the turn.
                self._turn.letters(answers)
                answers.clear()
                self._sessions.fail(session)
        self._turn.letters(answers)
        self._turn.flush()
        self._sessions.go_on(answered)
        for (kind, dialect), count in Counter(messages).items():
            self._metrics.messages(kind, dialect).count += count

    def _settle_own(self, op: Op) -> bool:
        """Take an op of this node's own as settled; False where a session has asked for it."""
        if isinstance(op, ReportOp):
            self._mailbox.returned(op)
        elif isinstance(op, PassOnOp):
            self._mailbox.passed_on(op)
        elif isinstance(op, DeviceOp):
            if not op.settled.done():
                op.settled.set_result(None)
        else:
            return False
        return True

    @property
    def holders(self) -> Mapping[str, Member]:
        return self.roster.holders

    def confirmed(self) -> int:
        return self._mailbox.confirmed()

    def sessions(self) -> Mapping[str, str]:
        return {name: session.key for name, session in self._sessions.by_name.items()}

    def tokens(self) -> Iterable[str]:
        sessions = self._sessions.by_name.values()
        return [
            session.token_key
            for session in sessions
            if session.token_key and session.state is ACTIVE
        ]

    def banned(self, bans: Iterable[Ban]) -> None:
        self._evictions.replace_bans(bans)

    def renumbered(self) -> None:
        self._mailbox.clear()

    def fenced(self) -> None:
        self.devices.fenced()
        self.further.fenced()
        self._mailbox.clear()  # the node that buried this one took its inbox
        for session in list(self._sessions.by_name.values()):
            self._sessions.end(session, Disconnect.FENCED)

    # --- How sessions come into the lobby, and go ------------------------------------------------

    def _obey(self, command: OperatorCommand) -> None:
        self._evictions.obey(command)

    def _admit(self, reader: Session) -> None:
        self._sessions.admit(reader)
        if reader.number:  # the store's answer was here before the log's entry
            self._clock.call_soon(lambda: self.further.enter(reader))

    def _fail(self, reader: Session) -> None:
        self._sessions.fail_later(reader)

    def _announced(self, started: float) -> None:
        self._entering.announced(started)

    def _changed(self, event: Presence) -> None:
        self.further.changed(event, self.roster.position)

    def _passed_on(self, reader: Session, heir: str) -> None:
        # What it did not get of its letters goes to the one that took its seat over.
        self._mailbox.pass_on(reader, heir, self._sessions.by_name.get(heir), self._turn)
        self._sessions.take_over(reader)

    def _ousted(self, reader: Session, reason: Disconnect) -> None:
        if reader.room and reason is Disconnect.CHAT_CLOSED:  # it is not shown the event
            closed = [Closed("", "")]
            self._say_aside(
                reader, lambda: b"".join(reader.encoder.pieces(closed, self.roster.position))
            )
        self._sessions.end(reader, reason)

    def _new_administrator(self, news: News) -> None:
        administrator = self.roster.administrator
        session = administrator and self._sessions.by_name.get(administrator.session)
        if not session or session.state is not ACTIVE:
            return
        if session.room:
            self._say_aside(session, session.encoder.promoted)
        else:
            self._insert(session, news, session.encoder.promoted)

    def _say_aside(self, session: Session, render: Callable[[], bytes]) -> None:
        """Tell a session what is of the chat that is shown another room than the lobby."""
        for room in (session.rooms or {}).values():
            room.write()
        try:
            session.write(render())
        except Exception:  # it is for this session alone
            self._sessions.fail_later(session)

    def _end_lost_readers(self) -> None:
        sessions, held = self._sessions, self._audience.held
        if held or sessions.lagging or sessions.unshown.failed:
            sessions.end_lost_readers([*sessions.lagging, *held], self._limits.outbox_bytes)
