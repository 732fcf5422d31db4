"""How a session comes in: bans, passwords, tokens, the queue at the door, and what it reads first.

enter ──▶ banned? ──▶ proves its password ──▶ what of its token? ──▶ banned? ──▶ queue ──▶ store ──▶ welcome
             └──no──────────┴──no──────────────────────────────────────┴──▶ refused, tries again
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from tertulia.chat.accounts import Passwords
from tertulia.chat.admission import Admission
from tertulia.chat.fanout import News
from tertulia.chat.hashing import Busy
from tertulia.chat.operator_commands import OperatorCommands
from tertulia.chat.ports import Clock, JoinOp, Remembered, Replay, Store
from tertulia.chat.roster import Roster
from tertulia.chat.session import ENDED, PROVING, Session
from tertulia.chat.sessions import Sessions
from tertulia.chat.tasks import Tasks
from tertulia.chat.tokens import new_token, token_key
from tertulia.dialects.contract import Refusal, Welcome
from tertulia.domain import commands, nicknames
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.events import Present
from tertulia.domain.position import Position

_ENDS: Final = {
    Refusal.INVALID_NICKNAME: Disconnect.REFUSED_INVALID,
    Refusal.NICKNAME_TAKEN: Disconnect.REFUSED_TAKEN,
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
        orders: OperatorCommands,
        tries: int,
    ) -> None:
        """``tries``: how many refused nicknames a client may ask for."""
        self._store = store
        self._clock = clock
        self._sessions = sessions
        self._roster = roster
        self._passwords = passwords
        self._orders = orders
        self._tries = tries
        self._admission = Admission()
        self._tasks = Tasks()
        self._counter = 0

    # --- Up to the store -------------------------------------------------------------------------

    def enter(self, session: Session, command: commands.Enter) -> None:
        """Begin to let a session in under the nickname that it asks for."""
        is_valid = nicknames.is_valid(command.nickname)
        session.choose(command.nickname, nicknames.fold(command.nickname) if is_valid else "")
        if not is_valid:
            self.refuse(session, Refusal.INVALID_NICKNAME)
        elif self._is_turned_away(session):
            return
        elif command.password is None:
            self._recall(session, command, proven=False)
        else:
            session.prove()
            self._tasks.start(self._prove(session, command, command.password))

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
        else:
            self.refuse(session, Refusal.NICKNAME_TAKEN)
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
            session.port, session.token_key, resume is not None, proven,
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

    def told_everybody(self, started: float) -> None:
        """Learn that newcomers were announced to everybody. ``started``: when that began, by the clock."""
        now = self._clock.time()
        self._admission.fanned_out(now - started, now)

    def refuse(self, session: Session, refusal: Refusal, *, for_good: bool = False) -> None:
        """Refuse a nickname. The session may try again, unless its tries are used up or it is not wanted."""
        session.refuse()
        session.write(session.encoder.refusal(refusal, session.nickname))
        self._sessions.by_name.pop(session.name, None)
        if for_good or not session.encoder.retries:
            self._sessions.end(session, _ENDS[refusal])
        elif session.tries >= self._tries:
            self._sessions.end(session, Disconnect.ENTER_TRIES)
        else:
            session.decoder.refused()

    def _is_turned_away(self, session: Session) -> bool:
        ban = self._orders.ban_on(session.key, session.address, is_account=session.is_account)
        if ban is None:
            return False
        self.refuse(session, Refusal.BANNED, for_good=ban.is_of_addresses)
        return True

    # --- Its own join has come by ----------------------------------------------------------------

    def activate(self, session: Session, news: News) -> None:
        """Let a session in, at its own join, which is the next of an entry's events."""
        session.activate()
        others, here = self._roster.others(session.name), news.position
        cut = news.cut(session)
        if session.resume_from is not None:
            # It reads the whole entry: where in it its join stands is not its choice.
            self._resume(session, session.resume_from, here, list(others))
        else:
            # It still has to read what follows its join in the entry, so its place is before that entry.
            before = msgspec.structs.replace(here, offset=here.offset - 1)
            cut.start = len(news.events) + 1
            welcome = Welcome(
                session.nickname, others, before, session.token, missed_some=session.misses_some
            )
            cut.prefix = session.encoder.welcome(welcome)
            if session.encoder.deaf_seconds:
                session.write(cut.prefix)
                cut.prefix = b""
                session.hold()
                self._clock.call_later(
                    session.encoder.deaf_seconds, lambda: self._sessions.hears(session)
                )
        self._sessions.admit(session)

    def _resume(
        self, session: Session, after: commands.Resume, here: Position, others: list[str]
    ) -> None:
        """Give a session its welcome, then what it missed, then the present: nothing twice, no gap.

        Until what it missed is read from the log, everything for the client is held. ``here`` is the entry
        of its join, which it reads as everybody does.
        """
        session.resume()
        encoder, write = session.encoder, session.outbox.write

        def go_on(replay: Replay) -> None:
            if session.state is ENDED:
                return
            welcome = Welcome(
                session.nickname, others, here, session.token, replay.done,
                missed_some=not replay.is_complete, resumed=True,
            )  # fmt: skip
            write(encoder.welcome(welcome))
            for entry in replay.entries:
                # Somebody who is present was in its welcome, and did not join just now.
                events = [event for event in entry.events if not isinstance(event, Present)]
                if events:
                    write(encoder.batch(list(map(encoder.public, events)), entry.position))
            self._sessions.release(session)
            session.outbox.proceed()

        position = Position(after.epoch, after.offset)
        self._store.replay(position, here, session.token_key, go_on)
