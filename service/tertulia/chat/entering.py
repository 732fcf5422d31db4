"""How a session comes in: bans, passwords, tokens, and the queue at the door.

enter ──▶ banned? ──▶ proves its password ──▶ what of its token? ──▶ banned? ──▶ queue ──▶ store ──▶ welcome
             └──no──────────┴──no──────────────────────────────────────┴──▶ refused, tries again
"""

from collections.abc import Coroutine, Iterable
from typing import Final

import msgspec

from tertulia.chat.accounts import Passwords
from tertulia.chat.admission import Admission
from tertulia.chat.hashing import Busy
from tertulia.chat.operator_commands import OperatorCommands
from tertulia.chat.own_accounts import OwnAccounts
from tertulia.chat.ports import Clock, JoinOp, Remembered, Store
from tertulia.chat.roster import Roster
from tertulia.chat.session import JOINING, PROVING, Session
from tertulia.chat.sessions import Sessions
from tertulia.chat.suggesting import suggestions
from tertulia.chat.tasks import Tasks
from tertulia.chat.tokens import new_token, token_key
from tertulia.dialects.contract import AccountOutcome, Refusal
from tertulia.domain import commands, nicknames
from tertulia.domain.disconnects import Disconnect

_ENDS: Final = {
    Refusal.INVALID_NICKNAME: Disconnect.REFUSED_INVALID,
    Refusal.NICKNAME_TAKEN: Disconnect.REFUSED_TAKEN,
    Refusal.NOT_SIGNED_IN: Disconnect.REFUSED_TAKEN,
    Refusal.NO_ACCOUNT: Disconnect.REFUSED_TAKEN,
    Refusal.BANNED: Disconnect.BANNED,
}
"""The reason why a connection ends, by the refusal of its nickname."""


class Entering:
    """The way into a room. The store decides on the join in the middle of it."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        sessions: Sessions,
        roster: Roster,
        passwords: Passwords,
        own_accounts: OwnAccounts,
        operator_commands: OperatorCommands,
        tries: int,
    ) -> None:
        """``tries``: how many refused nicknames a client may ask for."""
        self._store = store
        self._clock = clock
        self._sessions = sessions
        self._roster = roster
        self._passwords = passwords
        self._own_accounts = own_accounts
        self._operator_commands = operator_commands
        self._tries = tries
        self._admission = Admission()
        self._tasks = Tasks()
        self._counter = 0

    # --- Up to the store -------------------------------------------------------------------------

    def enter(self, session: Session, command: commands.Enter) -> None:
        """Begin to let a session in under the nickname that it asks for, or that its issuer says."""
        if command.id_token is not None:
            session.prove()
            self._start(session, self._identify(session, command, command.id_token))
            return
        is_valid = nicknames.is_valid(command.nickname)
        session.choose(
            command.nickname, nicknames.fold(command.nickname) if is_valid else "",
            shows_lobby=command.shows_lobby, about=command.about,
        )  # fmt: skip
        self._note_rooms(session, command)
        if not is_valid:
            self.refuse(session, Refusal.INVALID_NICKNAME)
        elif self._is_turned_away(session):
            return
        elif session.proved_key == session.key:
            session.proved()
            self._recall(session, command, proven=True)
        elif command.password is None:
            self._recall(session, command, proven=False)
        else:
            session.prove()
            self._start(session, self._prove(session, command, command.password))

    def prove(self, session: Session, command: commands.ProveAccount) -> None:
        """Find out whether a session is the account that it says, before it enters under its nickname."""
        session.prove()
        self._start(session, self._prove_before(session, command))

    async def _prove_before(self, session: Session, command: commands.ProveAccount) -> None:
        key = nicknames.fold(command.nickname) if nicknames.is_valid(command.nickname) else ""
        try:
            is_account = bool(key) and await self._passwords.prove(
                key, command.password, session.address, lambda: session.state is PROVING
            )
        except Busy:
            self._sessions.end(session, Disconnect.TOO_MANY_LOGINS)
            return
        if session.state is PROVING:  # else it is gone
            proved = session.replies.proved(command.nickname, is_account=is_account)
            self._stay(session, key if is_account else "", proved)

    def register_early(self, session: Session, command: commands.RegisterEarly) -> None:
        """Make the account under which a session is to enter. It has proved to be it then."""
        session.prove()
        self._start(session, self._register_early(session, command))

    async def _register_early(self, session: Session, command: commands.RegisterEarly) -> None:
        answer = await self._own_accounts.register_early(session.address, command)
        if session.state is PROVING:
            is_done = answer.outcome is AccountOutcome.DONE
            key = nicknames.fold(command.nickname) if is_done else ""
            self._stay(session, key, b"".join(session.replies.account(answer)))

    def _stay(self, session: Session, key: str, answer: bytes) -> None:
        """Have a session go on as before, with a proof for a folded nickname, or after one try more."""
        session.stay(key)
        session.write(answer)
        if session.tries >= self._tries:
            self._sessions.end(session, Disconnect.ENTER_TRIES)
        else:
            session.outbox.proceed()

    def _note_rooms(self, session: Session, command: commands.Enter) -> None:
        if command.room:
            session.go_to({command.room: None}, command.room)
        elif command.rooms:
            session.go_to(command.rooms)

    def _start(self, session: Session, work: Coroutine[object, object, None]) -> None:
        """Do something for a session that takes a while. A defect of ours ends the session."""

        async def done() -> None:
            try:
                await work
            except Exception:
                self._sessions.fail(session)

        self._tasks.start(done())

    async def _identify(self, session: Session, command: commands.Enter, token: str) -> None:
        found = None if session.identities is None else await session.identities.identify(token)
        if session.state is not PROVING:
            return  # gone meanwhile
        nickname = "" if found is None else found.nickname
        is_valid = nicknames.is_valid(nickname)
        session.choose(nickname, nicknames.fold(nickname) if is_valid else "", about=command.about)
        self._note_rooms(session, command)
        if found is None:
            self.refuse(session, Refusal.NOT_SIGNED_IN)
        elif not is_valid:
            self.refuse(session, Refusal.INVALID_NICKNAME)
        elif not self._is_turned_away(session):
            is_own = await self._passwords.vouched(session.key, nickname, found.name)
            if session.state is not PROVING:
                return
            if is_own:
                session.proved()
                self._recall(session, command, proven=True)
                return
            self.refuse(session, Refusal.NICKNAME_TAKEN)
        session.outbox.proceed()

    async def _prove(self, session: Session, command: commands.Enter, password: str) -> None:
        try:
            proven = await self._passwords.prove(
                session.key, password, session.address, lambda: session.state is PROVING
            )
        except Busy:
            self._sessions.end(session, Disconnect.TOO_MANY_LOGINS)
            return
        if session.state is not PROVING:
            return  # gone meanwhile
        if proven:
            session.proved()
            self._recall(session, command, proven=True)
            return
        # Who tries without a password learns no less: such a nickname is given to anybody.
        is_free = self._roster.holder(session.nickname) is None
        is_nobodys = is_free and not await self._own_accounts.accounts.among([session.key])
        if session.state is PROVING:
            self.refuse(session, Refusal.NO_ACCOUNT if is_nobodys else Refusal.NICKNAME_TAKEN)
            session.outbox.proceed()

    def _recall(self, session: Session, command: commands.Enter, *, proven: bool) -> None:
        resume = command.resume if session.encoder.resumes else None
        if resume is None:
            self._ask(session, proven=proven)
            return
        session.prove()

        def recalled(found: Remembered | None) -> None:
            if session.state is not PROVING:
                return  # gone meanwhile
            if found is None or found.key != session.key:
                session.recall(None)
            else:
                # Nobody reads on from a place before their own first join.
                offset = max(resume.offset, found.first - 1)
                session.recall(msgspec.structs.replace(resume, offset=offset))
                if found.is_account:
                    session.proved()
            self._ask(session, proven=proven)

        self._store.recall(token_key(resume.token), recalled)

    def _ask(self, session: Session, *, proven: bool) -> None:
        has_waited = session.state is PROVING
        if self._is_turned_away(session):
            if has_waited:
                session.outbox.proceed()
            return
        # From now on a ban that comes by in the log finds the session among the others.
        self._counter += 1
        resume = session.resume_from
        token = "" if not session.encoder.resumes else resume.token if resume else new_token()
        session.ask(f"{self._store.node}:{self._counter}", token)
        self._sessions.by_name[session.name] = session
        join = JoinOp(
            session.name, session.key, session.nickname, session.encoder.name, session.address,
            session.port, session.token_key, resume is not None, proven, about=session.about,
        )  # fmt: skip
        session.submitted(join)
        self._admit(*self._admission.offer(join, self._clock.time()))

    def _admit(self, joins: Iterable[JoinOp], ask_again: float | None) -> None:
        for join in joins:
            # A session that went while it waited at the door was never in.
            if join.session in self._sessions.by_name:
                self._store.submit(join)
        if ask_again is not None:
            now = self._clock.time()
            self._clock.call_later(
                max(0.0, ask_again - now),
                lambda: self._admit(*self._admission.due(self._clock.time())),
            )

    def announced(self, started: float) -> None:
        """Learn that newcomers were announced to everybody. ``started``: when that began, by the clock."""
        now = self._clock.time()
        self._admission.fanned_out(now - started, now)

    def taken(self, session: Session) -> None:
        """Refuse a nickname that somebody has; where the dialect can say so, with some that are free."""
        if session.encoder.suggests and not session.is_account:
            self._start(session, self._suggest(session))
        else:
            self.refuse(session, Refusal.NICKNAME_TAKEN)

    async def _suggest(self, session: Session) -> None:
        found = await suggestions(session.nickname, self._roster, self._own_accounts.accounts)
        if session.state is JOINING:
            self._refuse(session, Refusal.NICKNAME_TAKEN, session.replies.taken(found))
            session.outbox.proceed()

    def refuse(
        self, session: Session, refusal: Refusal, *, for_good: bool = False, until: int = 0
    ) -> None:
        """Refuse a nickname. The session may try again, unless its tries are used up or it is not wanted."""
        answer = session.replies.refusal(refusal, session.nickname, until=until)
        self._refuse(session, refusal, answer, for_good=for_good)

    def _refuse(
        self, session: Session, refusal: Refusal, answer: bytes, *, for_good: bool = False
    ) -> None:
        session.refuse()
        session.write(answer)
        self._sessions.by_name.pop(session.name, None)
        if for_good or not session.encoder.retries:
            self._sessions.end(session, _ENDS[refusal])
        elif session.tries >= self._tries:
            self._sessions.end(session, Disconnect.ENTER_TRIES)
        else:
            session.decoder.refused()

    def _is_turned_away(self, session: Session) -> bool:
        ban = self._operator_commands.ban_on(
            session.key, session.address, is_account=session.is_account
        )
        if ban is None:
            return False
        self.refuse(session, Refusal.BANNED, for_good=ban.is_of_addresses, until=ban.until)
        return True
