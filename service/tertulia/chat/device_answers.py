"""The answers to devices: reads go to the accounts, changes go to the store as ops."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from tertulia.chat.accounts import Accounts, Login, Passwords
from tertulia.chat.device_ops import DeviceOp, RequestOp, SignUpOp
from tertulia.chat.device_session import DeviceSession, Shown
from tertulia.chat.hashing import Busy
from tertulia.chat.operator_commands import OperatorCommands
from tertulia.chat.ports import Outcome, Store
from tertulia.chat.signing_up import AccountRules, SigningUp
from tertulia.dialects.device import beginning, fitting
from tertulia.domain import requests
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.nicknames import fold, is_valid
from tertulia.telemetry.metrics import Metrics, SignUpOutcome

_SHORTEST_LINE: Final = len("b: 1 messaggi, 20-11-2026 23:11:05\n")


class Refused(Exception):
    """The request ends the connection."""

    def __init__(self, reason: Disconnect) -> None:
        super().__init__(reason.label)
        self.reason = reason


class Answers:
    """Answers devices' requests, from the store."""

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
        self._accounts = accounts
        self._passwords = passwords
        self._operator_commands = operator_commands
        self._rules = rules
        self._signing_up = SigningUp(accounts, rules)
        self._metrics = metrics
        self._by_request: dict[type, Callable[[DeviceSession, Any], Awaitable[object]]] = {
            requests.SignUpWait: self._sign_up_wait,
            requests.IsFree: self._is_free,
            requests.SignUp: self._sign_up,
            requests.IsAccount: self._is_account,
            requests.Prove: self._prove,
            requests.LogIn: self._log_in,
            requests.LogOut: self._log_out,
            requests.IsHere: self._is_here,
            requests.OpenChat: self._open_chat,
            requests.LeaveChat: self._leave,
            requests.Message: self._message,
            requests.Online: self._online,
            requests.PortOf: self._port_of,
            requests.JoinUp: self._join_up,
            requests.Hanging: self._hanging,
            requests.Show: self._show,
            requests.AddressOf: self._address_of,
        }

    async def answer(self, session: DeviceSession, request: object) -> object:
        """Return the answer to a request. Raises Refused."""
        me = getattr(request, "me", "")
        if me and self._is_banned(fold(me), session):
            raise Refused(Disconnect.BANNED)
        try:
            return await self._by_request[type(request)](session, request)
        except Busy:
            raise Refused(Disconnect.TOO_MANY_LOGINS) from None

    async def commit(self, op: DeviceOp) -> Outcome:
        """Submit an op, and return its outcome."""
        self._store.submit(op)
        await op.settled
        assert op.outcome is not None
        return op.outcome

    async def _do(self, session: DeviceSession, asked: requests.Change, name: str) -> Outcome:
        return await self.commit(RequestOp(session.name, fold(name), asked, session.address))

    async def _login_here(self, session: DeviceSession, name: str) -> Login | None:
        login = await self._accounts.login(fold(name)) if is_valid(name) else None
        if login is None or login.address != session.address:
            return None
        await self._accounts.refresh(fold(name))
        return login

    async def _sign_up_wait(self, session: DeviceSession, asked: requests.SignUpWait) -> float:
        wait = await self._signing_up.wait(session.address)
        if wait:
            self._metrics.sign_ups(SignUpOutcome.of(wait)).inc()
        return wait

    async def _is_free(self, session: DeviceSession, asked: requests.IsFree) -> bool:
        key = fold(asked.name)
        return (
            is_valid(asked.name)
            and not self._is_banned(key, session)
            and await self._accounts.password_hash(key) is None
            and not await self._accounts.is_in_room(key)
        )

    def _is_banned(self, key: str, session: DeviceSession) -> bool:
        return self._operator_commands.ban_on(key, session.address, is_account=True) is not None

    async def _sign_up(self, session: DeviceSession, asked: requests.SignUp) -> bool:
        if wait := await self._signing_up.wait(session.address, take=True):
            self._metrics.sign_ups(SignUpOutcome.of(wait)).inc()
            return False
        hashed = await self._passwords.hash(asked.password, session.address)
        key = fold(asked.name)
        if self._is_banned(key, session):
            return False
        op = SignUpOp(session.name, key, asked.name, hashed, session.address, asked.port)
        if await self.commit(op) is not Outcome.DONE:
            return False
        self._metrics.sign_ups(SignUpOutcome.MADE).inc()
        return True

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
        if self._is_banned(fold(asked.name), session):
            return False
        return await self._do(session, asked, asked.name) is Outcome.DONE

    async def _log_out(self, session: DeviceSession, asked: requests.LogOut) -> bool | None:
        if not is_valid(asked.name):
            return False
        outcome = await self._do(session, asked, asked.name)
        return None if outcome is Outcome.GONE else outcome is Outcome.DONE

    async def _is_here(self, session: DeviceSession, asked: requests.IsHere) -> bool | None:
        return True if await self._login_here(session, asked.name) else None

    async def _open_chat(self, session: DeviceSession, asked: requests.OpenChat) -> int | None:
        if not is_valid(asked.other):
            return 0
        key = fold(asked.me)
        session.waiting_as = key
        op = RequestOp(session.name, key, asked, session.address)
        outcome = await self.commit(op)
        answer = int(op.note)
        if session.is_over:
            return None  # its leaving was submitted behind this
        if answer != 1:
            session.waiting_as = ""
        return None if outcome is Outcome.GONE else answer

    async def _leave(self, session: DeviceSession, asked: requests.LeaveChat) -> bool | None:
        if not is_valid(asked.me):
            return None
        session.waiting_as = ""
        return None if await self._do(session, asked, asked.me) is Outcome.GONE else True

    async def _message(self, session: DeviceSession, asked: requests.Message) -> bool:
        outcome = await self._do(session, asked, asked.me)
        if outcome is Outcome.DONE:
            self._metrics.messages("private", "device").count += 1
            return True
        is_full = outcome is Outcome.FULL
        raise Refused(Disconnect.MAILBOX_FULL if is_full else Disconnect.OPERATION_OVER)

    async def _online(self, session: DeviceSession, asked: requests.Online) -> list[str]:
        return list(await self._accounts.online())

    async def _port_of(self, session: DeviceSession, asked: requests.PortOf) -> int:
        login = await self._accounts.login(fold(asked.name)) if is_valid(asked.name) else None
        return login.port if login is not None else 0

    async def _join_up(self, session: DeviceSession, asked: requests.JoinUp) -> bool | None:
        if not is_valid(asked.me) or not is_valid(asked.other):
            return None
        return True if await self._do(session, asked, asked.me) is Outcome.DONE else None

    async def _hanging(
        self, session: DeviceSession, asked: requests.Hanging
    ) -> list[tuple[str, int, Any]] | None:
        if await self._login_here(session, asked.me) is None:
            return None
        most = session.room // _SHORTEST_LINE
        found = await self._accounts.hanging(fold(asked.me), most)
        return [(it.sender, it.messages, it.last) for it in found]

    async def _show(self, session: DeviceSession, asked: requests.Show) -> list[str] | None:
        if await self._login_here(session, asked.me) is None:
            return None
        key, sender = fold(asked.me), fold(asked.sender)
        if not is_valid(asked.sender):
            return []
        found = await self._accounts.pending(key, sender, session.room)
        texts = [message.text for message in found]
        # Messages beyond what one answer holds are shown, and forgotten, another time.
        count = fitting(texts, session.room, 1)
        if count:
            session.showing = Shown(key, sender, found[count - 1].number)
        elif found:
            # A message longer than any answer is shown in pieces, each a line; the rest still waits.
            texts[0] = beginning(texts[0], session.room - 1)
            count = 1
            shown = found[0].shown + len(texts[0].encode())
            session.showing = Shown(key, sender, found[0].number, shown)
        return texts[:count]

    async def _address_of(self, session: DeviceSession, asked: requests.AddressOf) -> str | None:
        mine = await self._login_here(session, asked.me)
        if mine is None:
            return None
        other = await self._accounts.login(fold(asked.other)) if is_valid(asked.other) else None
        if other is None:
            return ""
        me, them = fold(asked.me), fold(asked.other)
        has_dealt_with_me = other.onchat == me or (
            mine.live_chat != "" and mine.live_chat == other.live_chat
        )
        is_waited_for = mine.onchat == them and self._rules.tells_addresses_unanswered
        return other.address if has_dealt_with_me or is_waited_for else ""
