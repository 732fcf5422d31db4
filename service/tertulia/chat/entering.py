"""How a session comes to ask the store for its nickname: bans, passwords, tokens, the queue at the door.

enter ──▶ banned? ──▶ proves its password ──▶ what of its token? ──▶ banned? ──▶ queue ──▶ store
             └──no──────────┴──no──────────────────────────────────────┴──▶ refused, tries again
"""

from collections.abc import Callable, Iterable

import msgspec

from tertulia.chat.accounts import Passwords
from tertulia.chat.admission import Admission
from tertulia.chat.hashing import Busy
from tertulia.chat.operator_commands import OperatorCommands
from tertulia.chat.ports import JoinOp, Remembered, Store
from tertulia.chat.resuming import new_token, token_key
from tertulia.chat.session import Clock, Session, State
from tertulia.chat.tasks import Tasks
from tertulia.dialects.contract import Refusal
from tertulia.domain import commands, nicknames
from tertulia.domain.bans import Ban
from tertulia.domain.disconnects import Disconnect

_ENDS = {
    Refusal.INVALID_NICKNAME: Disconnect.REFUSED_INVALID,
    Refusal.NICKNAME_TAKEN: Disconnect.REFUSED_TAKEN,
    Refusal.BANNED: Disconnect.BANNED,
}
"""Why a connection ends whose nickname was refused."""


class Entering:
    """The way into a room, up to the join that the store decides on."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        sessions: dict[str, Session],
        passwords: Passwords,
        orders: OperatorCommands,
        tries: int,
        end: Callable[[Session, Disconnect], None],
    ) -> None:
        """``sessions`` are the room's, by name; ``end`` ends one that never came in."""
        self._store = store
        self._clock = clock
        self._sessions = sessions
        self._passwords = passwords
        self._orders = orders
        self._tries = tries
        self._end = end
        self._admission = Admission()
        self._tasks = Tasks()
        self._counter = 0

    def enter(self, session: Session, command: commands.Enter) -> None:
        """Begin to let a session in under the nickname that it asks for."""
        session.nickname = command.nickname
        if not nicknames.is_valid(command.nickname):
            self.refuse(session, Refusal.INVALID_NICKNAME)
            return
        session.key = nicknames.fold(command.nickname)
        session.is_account = False
        if self._is_turned_away(session):
            return
        if command.password is None:
            self._recall(session, command, proven=False)
        else:
            session.state = State.PROVING
            self._tasks.start(self._prove(session, command, command.password))

    async def _prove(self, session: Session, command: commands.Enter, password: str) -> None:
        key = nicknames.fold(command.nickname)
        try:
            proven = await self._passwords.prove(
                key, password, session.address, lambda: session.state is State.PROVING
            )
        except Busy:
            self._end(session, Disconnect.TOO_MANY_LOGINS)
            return
        if session.state is not State.PROVING:
            return  # gone meanwhile
        if proven:
            self._recall(session, command, proven=True)
        else:
            self.refuse(session, Refusal.NICKNAME_TAKEN)
            session.outbox.proceed()

    def _recall(self, session: Session, command: commands.Enter, *, proven: bool) -> None:
        resume = command.resume if session.encoder.resumes else None
        if resume is None:
            self._ask_in(session, command, proven=proven)
            return
        session.state = State.PROVING

        def recalled(found: Remembered | None) -> None:
            if session.state is not State.PROVING:
                return  # gone meanwhile
            if found is not None and found.key == nicknames.fold(command.nickname):
                # Nobody reads on from before his own first join.
                session.resume = msgspec.structs.replace(
                    resume, offset=max(resume.offset, found.first - 1)
                )
                session.is_account = found.is_account
            session.forgotten = session.resume is None
            self._ask_in(session, command, proven=proven)

        self._store.recall(token_key(resume.token), recalled)

    def _ask_in(self, session: Session, command: commands.Enter, *, proven: bool) -> None:
        session.is_account = proven or session.is_account
        has_waited = session.state is State.PROVING
        if self._is_turned_away(session):
            if has_waited:
                session.outbox.proceed()
            return
        # From here on a ban that comes by in the log finds it among the sessions.
        self._counter += 1
        session.state = State.JOINING
        session.name = f"{self._store.node}:{self._counter}"
        if session.encoder.resumes:
            session.token = session.resume.token if session.resume else new_token()
        self._sessions[session.name] = session
        join = JoinOp(
            session.name,
            session.key,
            session.nickname,
            session.encoder.name,
            session.address,
            session.port,
            token_key(session.token),
            session.resume is not None,
            proven,
        )
        session.submitted(join)
        self._admit(*self._admission.offer(join, self._clock.time()))

    def _admit(self, joins: Iterable[JoinOp], ask_again: float | None) -> None:
        for join in joins:
            # Who went while waiting at the door was never in.
            if join.session in self._sessions:
                self._store.submit(join)
        if ask_again is not None:
            now = self._clock.time()
            self._clock.call_later(
                max(0.0, ask_again - now),
                lambda: self._admit(*self._admission.due(self._clock.time())),
            )

    def told_everybody(self, started: float) -> None:
        """Learn that newcomers were told to everybody, which began then by the clock."""
        now = self._clock.time()
        self._admission.fanned_out(now - started, now)

    def refuse(self, session: Session, refusal: Refusal, *, for_good: bool = False) -> None:
        """Say no; the session may try again, unless it has tried enough or is not wanted at all."""
        session.tries += 1
        session.write(session.encoder.refusal(refusal, session.nickname))
        self._sessions.pop(session.name, None)
        if for_good or not session.encoder.retries:
            self._end(session, _ENDS[refusal])
        elif session.tries >= self._tries:
            self._end(session, Disconnect.ENTER_TRIES)
        else:
            session.state = State.CONNECTED
            session.decoder.refused()

    def ban_on(self, session: Session) -> Ban | None:
        """Return a ban that covers a session; None where none does."""
        return self._orders.ban_on(session.key, session.address, is_account=session.is_account)

    def _is_turned_away(self, session: Session) -> bool:
        ban = self.ban_on(session)
        if ban is None:
            return False
        self.refuse(session, Refusal.BANNED, for_good=ban.is_of_addresses)
        return True
