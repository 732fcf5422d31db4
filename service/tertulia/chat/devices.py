"""The devices' side of a chat: short connections, each with one operation. They are not in the room."""

import asyncio
import contextlib
from typing import Final

import structlog

from tertulia.chat.accounts import Accounts, Passwords
from tertulia.chat.device_answers import Answers, Refused
from tertulia.chat.device_ops import CollectOp, ForgetOp, RequestOp
from tertulia.chat.device_session import DeviceOutbox
from tertulia.chat.device_session import DeviceSession as DeviceSession  # what connect gives
from tertulia.chat.operator_commands import OperatorCommands
from tertulia.chat.ports import Outcome, Store
from tertulia.chat.signing_up import AccountRules
from tertulia.chat.tasks import Tasks
from tertulia.dialects.device import Hangup, Reply
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.requests import LeaveChat
from tertulia.telemetry.metrics import Metrics

DONE_SECONDS: Final = 3.0
"""How long a device that got a port may take to run operation 200, and then to close. It may do neither."""
_ASKING_SECONDS: Final = (0.05, 1.0)
"""How long a device that was answered 1 may take to run operation 200, at least and at most.

Until then it would take a port for the answer. It gets as long as it took up to the 1, which is several
round trips.
"""
_LETTER_SECONDS: Final = 1.0
"""How long a letter that is in the inbox may take to come over the bus."""

_log = structlog.get_logger(__name__)


class Devices:
    """Serves devices' connections."""

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        passwords: Passwords,
        operator_commands: OperatorCommands,
        rules: AccountRules,
        metrics: Metrics,
    ) -> None:
        self._store = store
        self._operator_commands = operator_commands
        self._metrics = metrics
        self._accounts = accounts
        self._answers = Answers(store, accounts, passwords, operator_commands, rules, metrics)
        self._sessions: dict[str, DeviceSession] = {}
        self._tasks = Tasks()
        self._counter = 0

    # --- What connections do ---------------------------------------------------------------------

    def connect(
        self, outbox: DeviceOutbox, address: str, port: int, answer_bytes: int = 0
    ) -> DeviceSession:
        """Take in a connection; ``answer_bytes`` is the setting of its listener."""
        self._counter += 1
        name = f"{self._store.node}:d{self._counter}"
        session = DeviceSession(name, outbox, address, answer_bytes, _now())
        self._sessions[session.name] = session
        if self._operator_commands.ban_on("", address) is not None:
            self.lost(session, Disconnect.BANNED)
        return session

    def command(self, session: DeviceSession, command: object) -> None:
        """Carry out what a connection's decoder returned."""
        if isinstance(command, Hangup):
            self.lost(session, Disconnect.OPERATION_OVER)
        elif not isinstance(command, Reply):
            session.asking = asyncio.create_task(self._answer(session, command))
        elif session.is_parted:
            self._end(session, Disconnect.DRAINED)  # it asks for more than to be heard
        else:
            session.outbox.write(command.data)
            if session.showing is not None:
                session.shown.append(session.showing)
                session.showing = None
            self._answered(session)

    def _answered(self, session: DeviceSession) -> None:
        now = _now()
        if session.decoder.is_done:
            if session.patience is not None:
                session.patience.cancel()
            loop = asyncio.get_running_loop()
            session.patience = loop.call_later(DONE_SECONDS, self._close_if_done, session)
        least, most = _ASKING_SECONDS
        session.tellable_at = now + min(most, max(least, now - session.since))
        self._summon_if_due(session)

    def _close_if_done(self, session: DeviceSession) -> None:
        if session.decoder.is_done:
            self.lost(session, Disconnect.OPERATION_OVER)

    def lost(self, session: DeviceSession, reason: Disconnect) -> None:
        """End a connection. If it waited, its device is not onchat any more."""
        if session.is_over:
            return
        if reason is Disconnect.DRAINED and (session.waiting_as or session.is_parting):
            if not session.is_parting:
                session.is_parting = session.outbox.unheard = True
                self._tasks.start(self._take_leave(session))
            return
        if reason is Disconnect.GONE and session.leaves_messages and session.decoder.buffered:
            if not session.is_gone:
                session.is_gone = True
                self._tasks.start(self._hear_out(session))
            return
        self._go(session, reason)

    def _go(self, session: DeviceSession, reason: Disconnect) -> None:
        if session.waiting_as:
            self._store.submit(_leaving_chat(session))
        self._end(session, reason)

    async def _hear_out(self, session: DeviceSession) -> None:
        """Take what a device sent before it closed: over TLS its connection is gone before that is done."""
        while not session.is_over:
            if session.asking is not None:
                await asyncio.wait([session.asking])
                continue
            command = session.decoder.next_command()
            if command is None or isinstance(command, Hangup):
                break
            if not isinstance(command, Reply):  # which nobody reads
                self.command(session, command)
        if not session.is_over:
            self._go(session, Disconnect.GONE)

    async def _take_leave(self, session: DeviceSession) -> None:
        """Send a waiting device away, so that nobody is sent to dial it and nothing it sent is lost.

        Its messages are not answered, so it can't know which of them came too late. So our half is closed
        first, and what the device sends until it notices is taken as well.
        """
        outcome = await self._answers.commit(_leaving_chat(session))
        if outcome is Outcome.UNKNOWN:
            # Perhaps the other has come: then the letter that says so is on its way.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LETTER_SECONDS):
                    await session.over.wait()
        if not session.is_over:
            session.waiting_as, session.is_parted = "", True
            session.outbox.part()

    def _end(self, session: DeviceSession, reason: Disconnect) -> None:
        unheard = session.leaves_messages and reason not in (Disconnect.GONE, Disconnect.BROKEN)
        session.waiting_as = ""
        session.over.set()
        self._sessions.pop(session.name, None)
        self._metrics.disconnects(Disconnect.DRAINED if session.is_parted else reason).inc()
        if session.patience is not None:
            session.patience.cancel()
        if reason is Disconnect.OPERATION_TIMEOUT:
            session.shown.clear()  # "if it resets or times out they stay"
        if reason is Disconnect.GONE and session.shown:
            self._tasks.start(self._forget(session, reason))
        elif unheard:
            session.outbox.cut(reason)
        else:
            session.outbox.close(reason)

    async def _forget(self, session: DeviceSession, reason: Disconnect) -> None:
        """Close only when what was shown is removed: so the device can know that it is.

        The end of a device that died before the answer reached it looks the same as an orderly one.
        """
        shown, session.shown = session.shown, []
        try:
            if await session.outbox.is_delivered():
                for message in shown:
                    op = ForgetOp(
                        session.name, message.key, message.sender, message.number, message.shown
                    )
                    await self._answers.commit(op)
        finally:
            session.outbox.close(reason)

    def collect(self, session: str, key: str, nickname: str) -> None:
        """Hand what waits for an account to its session, which has just come into the room."""
        self._tasks.start(self._collect(session, key, nickname))

    async def _collect(self, session: str, key: str, nickname: str) -> None:
        while senders := await self._accounts.oldest_senders(key):
            op = CollectOp(session, key, nickname, tuple(senders))
            if await self._answers.commit(op) is not Outcome.KEPT:
                return

    def slowed(self, session: DeviceSession) -> None:
        """Do nothing: a device that sends messages would take any word for a port."""

    def lags(self, session: DeviceSession) -> None:
        """Do nothing: its operation waits until the device reads."""

    def caught_up(self, session: DeviceSession) -> None:
        """Do nothing: see ``lags``."""

    def ended(self, session: DeviceSession) -> bool:
        """Learn that the device closed in order, after the service. What was shown is removed."""
        if session.shown:
            self._tasks.start(self._forget(session, Disconnect.GONE))
            return True
        return False

    def summoned(self, name: str, port: int) -> None:
        """Notify a waiting device that the other user has come."""
        session = self._sessions.get(name)
        if session is not None:
            session.summons = port
            self._summon_if_due(session)

    def _summon_if_due(self, session: DeviceSession) -> None:
        """Notify a device that the other user has come, once it is in no exchange and about to begin none."""
        if session.summons is None or session.is_over or session.asking is not None:
            return
        wait = session.tellable_at - _now()
        if session.decoder.is_about_to_ask and wait > 0:
            asyncio.get_running_loop().call_later(wait, self._summon_if_due, session)
        elif session.decoder.may_be_told and not session.is_parted:
            session.waiting_as = ""  # it stays onchat
            session.outbox.write(session.decoder.summon(session.summons))
            self.lost(session, Disconnect.OPERATION_OVER)

    def fenced(self) -> None:
        """End every connection: this node was thought dead."""
        self._tasks.stop()  # what it submitted is not settled any more
        for session in list(self._sessions.values()):
            if session.asking is not None:
                session.asking.cancel()
                session.outbox.unheard = session.leaves_messages
            self._end(session, Disconnect.FENCED)

    def dismiss(self, key: str, reason: Disconnect) -> None:
        """End the connection on which an account waits; it is not logged in any more."""
        for session in list(self._sessions.values()):
            if session.waiting_as == key:
                self._end(session, reason)

    def dismiss_banned(self) -> None:
        """End every connection that a ban covers."""
        for session in list(self._sessions.values()):
            key = session.waiting_as
            if self._operator_commands.ban_on(key, session.address, is_account=True) is not None:
                self.lost(session, Disconnect.BANNED)

    def drain(self) -> None:
        """End every connection: the node shuts down."""
        for session in list(self._sessions.values()):
            self.lost(session, Disconnect.DRAINED)

    async def _answer(self, session: DeviceSession, request: object) -> None:
        refused: Disconnect | None = None
        try:
            value = await self._answers.answer(session, request)
        except Refused as error:
            refused = error.reason
        except Exception:
            _log.exception("request failed", request=type(request).__name__)
            refused = Disconnect.INTERNAL
        session.asking = None
        if refused is not None:
            self.lost(session, refused)
        if session.is_over:
            return
        session.decoder.answer(value)
        session.outbox.proceed()
        self._summon_if_due(session)


def _leaving_chat(session: DeviceSession) -> RequestOp:
    key = session.waiting_as
    return RequestOp(session.name, key, LeaveChat(key, only_here=True), session.address)


def _now() -> float:
    return asyncio.get_running_loop().time()
