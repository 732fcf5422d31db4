"""What somebody in the room does with the account of their nickname: make it, change it, delete it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar, Final

from tertulia.chat.accounts import Accounts, Changed, Holder, Passwords
from tertulia.chat.hashing import Busy
from tertulia.chat.operator_commands import OperatorCommands
from tertulia.chat.ports import PresenceOp, Store
from tertulia.chat.session import Session
from tertulia.chat.signing_up import AccountRules, SigningUp
from tertulia.chat.tasks import Tasks
from tertulia.dialects.contract import AccountAction, AccountAnswer, AccountOutcome, Registration
from tertulia.domain import commands
from tertulia.domain.invitations import kept
from tertulia.domain.networks import network_of
from tertulia.domain.nicknames import fold, is_valid
from tertulia.domain.operator_commands import Action
from tertulia.domain.passwords import MAX_PASSWORD, MIN_PASSWORD
from tertulia.telemetry.metrics import Metrics, SignUpOutcome

Answered = Callable[[Session, AccountAnswer], None]

CHANGES_PER_HOUR: Final = 120
"""Changes to accounts from one network, so that nobody fills the audit log."""


class OwnAccounts:
    """Carries out account commands. A session takes no other command until one is done."""

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
        self.accounts = accounts
        self._passwords = passwords
        self._operator_commands = operator_commands
        self._rules = rules
        self._signing_up = SigningUp(accounts, rules)
        self._metrics = metrics
        self._tasks = Tasks()

    @property
    def registration(self) -> Registration:
        """Who may make an account."""
        return self._rules.registration

    def carry_out(
        self, session: Session, command: commands.AccountCommand, answered: Answered
    ) -> None:
        """Do what a session in the room asks for. ``answered`` gets the answer, if it still is there then."""
        if isinstance(command, commands.ExplainAccounts):
            done = AccountOutcome.DONE
            answered(session, AccountAnswer(AccountAction.EXPLAIN, done, session.nickname))
            return
        session.pause()
        self._tasks.start(self._carry_out(session, command, answered))

    async def _carry_out(
        self, session: Session, command: commands.AccountCommand, answered: Answered
    ) -> None:
        action, do = self._BY_COMMAND[type(command)]
        try:
            outcome, seconds = await do(self, session, command)
        except Busy:
            outcome, seconds = AccountOutcome.BUSY, 0
        finally:
            session.go_on()
        if session.is_active:
            answered(session, AccountAnswer(action, outcome, session.nickname, seconds))
            session.outbox.proceed()

    async def register_early(self, address: str, asked: commands.RegisterEarly) -> AccountAnswer:
        """Make the account of a nickname that nobody holds, for who is on the way in."""
        holder = Holder("", fold(asked.nickname), asked.nickname, "", Action.REGISTER)
        try:
            if not is_valid(asked.nickname) or await self.accounts.among([holder.key]):
                outcome, number = AccountOutcome.TAKEN, 0  # that costs nobody's turn
            else:
                outcome, number = await self._make(holder, address, asked)
        except Busy:
            outcome, number = AccountOutcome.BUSY, 0
        seconds = 0 if outcome is AccountOutcome.DONE else number
        return AccountAnswer(AccountAction.REGISTER, outcome, asked.nickname, seconds)

    async def _register(
        self, session: Session, asked: commands.Register
    ) -> tuple[AccountOutcome, int]:
        if session.is_account and await self.accounts.password_hash(session.key) is not None:
            return AccountOutcome.HAS_ACCOUNT, 0
        holder = _holder(session, Action.REGISTER)
        outcome, number = await self._make(holder, session.address, asked)
        if outcome is not AccountOutcome.DONE:
            return outcome, number
        session.proved(number)
        self._tell(session)
        return outcome, 0

    async def _make(
        self, holder: Holder, address: str, asked: commands.Register | commands.RegisterEarly
    ) -> tuple[AccountOutcome, int]:
        """Make an account; return since when it is there, or how long to wait."""
        if wrong := _wrong_length(asked.password):
            return wrong, 0
        by_invitation = self._rules.registration == "invited"
        if by_invitation and not asked.invitation:
            return AccountOutcome.INVITATION, 0
        if self._operator_commands.ban_on(holder.key, address, is_account=True) is not None:
            return AccountOutcome.TAKEN, 0
        wait = await self._signing_up.wait(address, take=True, invited=by_invitation)
        if wait:
            outcome = SignUpOutcome.of(wait)
            self._metrics.sign_ups(outcome).inc()
            if outcome is SignUpOutcome.CLOSED:
                return AccountOutcome.CLOSED, 0
            return AccountOutcome.TOO_OFTEN, round(wait)
        hashed = await self._passwords.hash(asked.password, address)
        invitation = kept(asked.invitation) if by_invitation else ""
        changed, since = await self.accounts.change(holder, "", hashed, invitation)
        if changed is Changed.DONE:
            self._metrics.sign_ups(SignUpOutcome.MADE).inc()
            return AccountOutcome.DONE, since
        not_invited = changed is Changed.UNINVITED
        return AccountOutcome.INVITATION if not_invited else AccountOutcome.TAKEN, 0

    async def _change_password(
        self, session: Session, asked: commands.ChangePassword
    ) -> tuple[AccountOutcome, int]:
        if not session.is_account:
            return AccountOutcome.NO_ACCOUNT, 0
        if wrong := _wrong_length(asked.new):
            return wrong, 0
        was = await self._proven(session, asked.old)
        if was is None:
            return AccountOutcome.WRONG_PASSWORD, 0
        if wait := await self._turn(session):
            return AccountOutcome.TOO_OFTEN, wait
        hashed = await self._passwords.hash(asked.new, session.address)
        changed, _ = await self.accounts.change(_holder(session, Action.PASSWORD), was, hashed)
        # Else an operator has set another one in this moment.
        return _done(changed is Changed.DONE), 0

    async def _log_out_everywhere(
        self, session: Session, asked: commands.LogOutEverywhere
    ) -> tuple[AccountOutcome, int]:
        was = await self.accounts.password_hash(session.key) if session.is_account else None
        if was is None:
            return AccountOutcome.NO_ACCOUNT, 0
        if wait := await self._turn(session):
            return AccountOutcome.TOO_OFTEN, wait
        changed, _ = await self.accounts.change(_holder(session, Action.LOG_OUT), was, was)
        return _done(changed is Changed.DONE), 0

    async def _delete_account(
        self, session: Session, asked: commands.DeleteAccount
    ) -> tuple[AccountOutcome, int]:
        if not session.is_account:
            return AccountOutcome.NO_ACCOUNT, 0
        if await self._proven(session, asked.password) is None:
            return AccountOutcome.WRONG_PASSWORD, 0
        if wait := await self._turn(session):
            return AccountOutcome.TOO_OFTEN, wait
        if not session.is_active:  # somebody else may have the nickname by now
            return AccountOutcome.TAKEN, 0
        await self.accounts.delete(_holder(session, Action.UNREGISTER))
        session.disown()
        self._tell(session)
        return AccountOutcome.DONE, 0

    def _tell(self, session: Session) -> None:
        """Tell everybody in the room whether a session is an account now."""
        if session.is_active:
            op = PresenceOp(session.name, session.key, session.nickname, account=session.is_account)
            session.submitted(op)
            self._store.submit(op)

    async def _proven(self, session: Session, password: str) -> str | None:
        return await self._passwords.proven(
            session.key, password, session.address, lambda: session.is_active
        )

    async def _turn(self, session: Session) -> int:
        """Take a turn to change an account; return the seconds to wait where there is none."""
        network = network_of(session.address)
        wait = await self.accounts.change_wait(network, CHANGES_PER_HOUR)
        return max(1, round(wait)) if wait else 0

    _BY_COMMAND: ClassVar[
        Mapping[
            type,
            tuple[
                AccountAction,
                Callable[["OwnAccounts", Session, Any], Awaitable[tuple[AccountOutcome, int]]],
            ],
        ]
    ] = {
        commands.Register: (AccountAction.REGISTER, _register),
        commands.ChangePassword: (AccountAction.CHANGE_PASSWORD, _change_password),
        commands.LogOutEverywhere: (AccountAction.LOG_OUT_EVERYWHERE, _log_out_everywhere),
        commands.DeleteAccount: (AccountAction.DELETE_ACCOUNT, _delete_account),
    }


def _done(is_it: bool) -> AccountOutcome:
    return AccountOutcome.DONE if is_it else AccountOutcome.WRONG_PASSWORD


def _wrong_length(password: str) -> AccountOutcome | None:
    if len(password) < MIN_PASSWORD:
        return AccountOutcome.TOO_SHORT
    return AccountOutcome.TOO_LONG if len(password) > MAX_PASSWORD else None


def _holder(session: Session, action: Action) -> Holder:
    return Holder(session.name, session.key, session.nickname, session.token_key, action)
