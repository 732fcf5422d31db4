"""The devices' side of a chat: short connections, an operation each. They are not in the room."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from tertulia.chat.accounts import Accounts, Login, Passwords
from tertulia.chat.device_ops import (
    Deliver,
    DeviceOp,
    Disengage,
    Forget,
    JoinUp,
    LogIn,
    LogOut,
    OpenChat,
    SignUp,
)
from tertulia.chat.hashing import Busy
from tertulia.chat.orders import Orders
from tertulia.chat.ports import Outcome, Store
from tertulia.chat.session import Outbox
from tertulia.chat.tasks import Tasks
from tertulia.dialects.device import DeviceReader, Hangup, Reply, fitting
from tertulia.domain import requests
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.nicknames import fold, is_valid
from tertulia.metrics import Metrics

_log = structlog.get_logger(__name__)


class DeviceSession:
    """One connection of a device."""

    __slots__ = (
        "acknowledged",
        "address",
        "asking",
        "is_over",
        "name",
        "outbox",
        "reader",
        "showing",
        "shown",
        "summons",
        "waiting_as",
    )

    def __init__(self, name: str, outbox: Outbox, address: str) -> None:
        self.name = name
        self.outbox = outbox
        self.address = address
        self.reader = DeviceReader()
        self.acknowledged = 0
        self.asking: asyncio.Task[None] | None = None
        self.summons: int | None = None
        """A port that the device is to be told when what it asked is answered."""
        self.showing: tuple[str, str, tuple[str, ...]] | None = None
        """What goes to ``shown`` with the answer."""
        self.shown: list[tuple[str, str, tuple[str, ...]]] = []
        """What was shown and goes when the device closes in order: account, sender, entries."""
        self.waiting_as = ""
        """The account for which this connection waits, onchat."""
        self.is_over = False

    @property
    def takes_commands(self) -> bool:
        """Whether there is nothing to be answered first."""
        return self.asking is None and not self.is_over

    @property
    def awaiting(self) -> int:
        """How many requests are not answered."""
        return 0 if self.asking is None else 1

    @property
    def is_in_hurry(self) -> bool:
        """Whether the device has to say something soon: 30 s of silence end an operation."""
        return self.asking is None and not self.reader.is_waiting

    @property
    def is_active(self) -> bool:
        """Never: a device enters no room."""
        return False

    @property
    def is_held(self) -> bool:
        """Never: a device reads everything at once."""
        return False


class Devices:
    """Answers devices, from the store."""

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        passwords: Passwords,
        orders: Orders,
        metrics: Metrics,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._passwords = passwords
        self._orders = orders
        self._metrics = metrics
        self._sessions: dict[str, DeviceSession] = {}
        self._tasks = Tasks()
        self._counter = 0
        self._answers: dict[type, Callable[[DeviceSession, Any], Awaitable[object]]] = {
            requests.IsFree: self._is_free,
            requests.SignUp: self._sign_up,
            requests.IsAccount: self._is_account,
            requests.Prove: self._prove,
            requests.LogIn: self._log_in,
            requests.LogOut: self._log_out,
            requests.IsHere: self._is_here,
            requests.OpenChat: self._open_chat,
            requests.Leave: self._leave,
            requests.Message: self._message,
            requests.Online: self._online,
            requests.PortOf: self._port_of,
            requests.JoinUp: self._join_up,
            requests.Hanging: self._hanging,
            requests.Show: self._show,
            requests.AddressOf: self._address_of,
        }

    # --- What connections do ---------------------------------------------------------------------

    def connect(self, outbox: Outbox, address: str, port: int) -> DeviceSession:
        """Take in a connection."""
        self._counter += 1
        session = DeviceSession(f"{self._store.node}:d{self._counter}", outbox, address)
        self._sessions[session.name] = session
        if self._orders.ban_on("", address) is not None:
            self.lost(session, Disconnect.BANNED)
        return session

    def command(self, session: DeviceSession, command: object) -> None:
        """Carry out what a connection's reader gave."""
        if isinstance(command, Reply):
            session.outbox.write(command.data)
            if session.showing is not None:
                session.shown.append(session.showing)
                session.showing = None
            self._summon_if_due(session)
        elif isinstance(command, Hangup):
            self.lost(session, Disconnect.OPERATION_OVER)
        else:
            session.asking = asyncio.create_task(self._answer(session, command))

    def lost(self, session: DeviceSession, reason: Disconnect) -> None:
        """End a connection. If it waited, its device is not onchat any more."""
        if session.is_over:
            return
        session.is_over = True
        self._sessions.pop(session.name, None)
        if session.waiting_as:
            self._store.submit(
                Disengage(session.name, session.waiting_as, session.address, only_waiting=True)
            )
        self._metrics.disconnects(reason).inc()
        if reason is Disconnect.OPERATION_TIMEOUT:
            session.shown.clear()  # "if it resets or times out they stay"
        if reason is Disconnect.GONE and session.shown:
            self._tasks.start(self._forget(session, reason))
        else:
            session.outbox.close(reason)

    async def _forget(self, session: DeviceSession, reason: Disconnect) -> None:
        """Close only when what was shown is removed, so that the device can know.

        The end of a device that died before the answer reached it looks the same as an orderly one.
        """
        shown, session.shown = session.shown, []
        try:
            if await session.outbox.is_delivered():
                for key, sender, entries in shown:
                    await self._commit(Forget(session.name, key, sender, entries))
        finally:
            session.outbox.close(reason)

    def lags(self, session: DeviceSession) -> None:
        """Nothing: its operation waits until the device reads."""

    def caught_up(self, session: DeviceSession) -> None:
        """Nothing: see ``lags``."""

    def ended(self, session: DeviceSession) -> bool:
        """Learn that the device closed in order, after the service. What was shown is forgotten."""
        if session.shown:
            self._tasks.start(self._forget(session, Disconnect.GONE))
            return True
        return False

    def summoned(self, name: str, port: int) -> None:
        """Tell a waiting device that the other has come."""
        session = self._sessions.get(name)
        if session is not None:
            session.summons = port
            self._summon_if_due(session)

    def _summon_if_due(self, session: DeviceSession) -> None:
        """Tell a device that the other has come, after the answer that is under way."""
        if session.summons is None or session.is_over:
            return
        if session.asking is None and not session.reader.is_telling:
            session.waiting_as = ""  # it stays onchat
            session.outbox.write(session.reader.summon(session.summons))
            self.lost(session, Disconnect.OPERATION_OVER)

    def fenced(self) -> None:
        """End every connection: this node was thought dead."""
        self._tasks.stop()  # what it submitted is not settled any more
        for session in list(self._sessions.values()):
            session.waiting_as = ""
            if session.asking is not None:
                session.asking.cancel()
            self.lost(session, Disconnect.FENCED)

    def dismiss(self, key: str, reason: Disconnect) -> None:
        """End the connection on which an account waits; it is not logged in any more."""
        for session in list(self._sessions.values()):
            if session.waiting_as == key:
                session.waiting_as = ""
                self.lost(session, reason)

    def dismiss_banned(self) -> None:
        """End every connection that a ban covers."""
        for session in list(self._sessions.values()):
            key = session.waiting_as
            if self._orders.ban_on(key, session.address, is_account=True) is not None:
                self.lost(session, Disconnect.BANNED)

    def drain(self) -> None:
        """End every connection: the node shuts down."""
        for session in list(self._sessions.values()):
            self.lost(session, Disconnect.DRAINED)

    # --- Answering -------------------------------------------------------------------------------

    async def _answer(self, session: DeviceSession, request: object) -> None:
        me = getattr(request, "me", "")
        if me and self._is_banned(fold(me), session):
            session.asking = None
            self.lost(session, Disconnect.BANNED)
            return
        try:
            value = await self._answers[type(request)](session, request)
        except Busy:
            session.asking = None
            self.lost(session, Disconnect.TOO_MANY_LOGINS)
            return
        except Exception:
            _log.exception("request failed", request=type(request).__name__)
            session.asking = None
            self.lost(session, Disconnect.INTERNAL)
            return
        session.asking = None
        if session.is_over:
            return
        session.reader.answer(value)
        session.outbox.proceed()
        self._summon_if_due(session)

    async def _commit(self, op: DeviceOp) -> Outcome:
        self._store.submit(op)
        await op.settled
        assert op.outcome is not None
        return op.outcome

    async def _login_here(self, session: DeviceSession, name: str) -> Login | None:
        login = await self._accounts.login(fold(name)) if is_valid(name) else None
        if login is None or login.address != session.address:
            return None
        await self._accounts.refresh(fold(name))
        return login

    async def _is_free(self, session: DeviceSession, asked: requests.IsFree) -> bool:
        key = fold(asked.name)
        return (
            is_valid(asked.name)
            and not self._is_banned(key, session)
            and await self._accounts.password_hash(key) is None
            and not await self._accounts.is_in_room(key)
        )

    def _is_banned(self, key: str, session: DeviceSession) -> bool:
        return self._orders.ban_on(key, session.address, is_account=True) is not None

    async def _sign_up(self, session: DeviceSession, asked: requests.SignUp) -> bool:
        hashed = await self._passwords.hash(asked.password, session.address)
        key = fold(asked.name)
        if self._is_banned(key, session):
            return False
        op = SignUp(session.name, key, asked.name, hashed, session.address, asked.port)
        return await self._commit(op) is Outcome.DONE

    async def _is_account(self, session: DeviceSession, asked: requests.IsAccount) -> bool:
        key = fold(asked.name) if is_valid(asked.name) else ""
        known = await self._passwords.is_known(key, session.address, lambda: not session.is_over)
        return known and not self._is_banned(key, session)

    async def _prove(self, session: DeviceSession, asked: requests.Prove) -> bool:
        key = fold(asked.name)
        address = session.address
        return await self._passwords.prove(
            key, asked.password, address, lambda: not session.is_over
        )

    async def _log_in(self, session: DeviceSession, asked: requests.LogIn) -> bool:
        key = fold(asked.name)
        if self._is_banned(key, session):
            return False
        op = LogIn(session.name, key, asked.name, session.address, asked.port)
        return await self._commit(op) is Outcome.DONE

    async def _log_out(self, session: DeviceSession, asked: requests.LogOut) -> bool | None:
        if not is_valid(asked.name):
            return False
        outcome = await self._commit(LogOut(session.name, fold(asked.name), session.address))
        return None if outcome is Outcome.GONE else outcome is Outcome.DONE

    async def _is_here(self, session: DeviceSession, asked: requests.IsHere) -> bool | None:
        return True if await self._login_here(session, asked.name) else None

    async def _open_chat(self, session: DeviceSession, asked: requests.OpenChat) -> int | None:
        if not is_valid(asked.other):
            return 0
        key = fold(asked.me)
        session.waiting_as = key
        op = OpenChat(session.name, key, session.address, asked.other)
        outcome = await self._commit(op)
        answer = int(op.note)
        if session.is_over:
            return None  # its leaving was submitted behind this
        if answer != 1:
            session.waiting_as = ""
        return None if outcome is Outcome.GONE else answer

    async def _leave(self, session: DeviceSession, asked: requests.Leave) -> bool | None:
        if not is_valid(asked.me):
            return None
        session.waiting_as = ""
        key, address = fold(asked.me), session.address
        op = Disengage(session.name, key, address, only_waiting=asked.only_here)
        return None if await self._commit(op) is Outcome.GONE else True

    async def _message(self, session: DeviceSession, asked: requests.Message) -> bool | None:
        op = Deliver(session.name, fold(asked.me), session.address, asked.other, asked.text)
        outcome = await self._commit(op)
        if outcome is Outcome.DONE:
            self._metrics.messages("private", "device").count += 1
            return True
        self.lost(
            session,
            Disconnect.MAILBOX_FULL if outcome is Outcome.FULL else Disconnect.OPERATION_OVER,
        )
        return None

    async def _online(self, session: DeviceSession, asked: requests.Online) -> list[str]:
        return list(await self._accounts.online())

    async def _port_of(self, session: DeviceSession, asked: requests.PortOf) -> int:
        login = await self._accounts.login(fold(asked.name)) if is_valid(asked.name) else None
        return login.port if login is not None else 0

    async def _join_up(self, session: DeviceSession, asked: requests.JoinUp) -> bool | None:
        if not is_valid(asked.me) or not is_valid(asked.other):
            return None
        op = JoinUp(session.name, fold(asked.me), session.address, asked.other)
        return True if await self._commit(op) is Outcome.DONE else None

    async def _hanging(
        self, session: DeviceSession, asked: requests.Hanging
    ) -> list[tuple[str, int, Any]] | None:
        if await self._login_here(session, asked.me) is None:
            return None
        by_sender: OrderedDict[str, tuple[str, int, Any]] = OrderedDict()
        for message in await self._accounts.pending(fold(asked.me)):
            key = fold(message.sender)
            count = by_sender[key][1] if key in by_sender else 0
            by_sender[key] = (message.sender, count + 1, message.at)
        return list(by_sender.values())

    async def _show(self, session: DeviceSession, asked: requests.Show) -> list[str] | None:
        if await self._login_here(session, asked.me) is None:
            return None
        key, sender = fold(asked.me), fold(asked.sender)
        found = [m for m in await self._accounts.pending(key) if fold(m.sender) == sender]
        # More than one string holds is shown, and forgotten, another time.
        found = found[: fitting([message.text for message in found], 1)]
        if found:
            session.showing = (key, sender, tuple(message.entry for message in found))
        return [message.text for message in found]

    async def _address_of(self, session: DeviceSession, asked: requests.AddressOf) -> str | None:
        mine = await self._login_here(session, asked.me)
        if mine is None:
            return None
        other = await self._accounts.login(fold(asked.other)) if is_valid(asked.other) else None
        if other is None:
            return ""
        return (
            other.address if _are_together(fold(asked.me), mine, fold(asked.other), other) else ""
        )


def _are_together(one: str, its: Login, two: str, others: Login) -> bool:
    """Say whether one of two is onchat with the other, or both are in the same live chat."""
    is_shared = its.live_chat != "" and its.live_chat == others.live_chat
    return its.onchat == two or others.onchat == one or is_shared
