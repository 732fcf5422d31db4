"""A room's sessions on this node: which are there, and how each of them ends."""

from typing import Final

from tertulia.chat.fanout import Audience
from tertulia.chat.mailbox import Mailbox
from tertulia.chat.ports import Clock, LeaveOp, Store
from tertulia.chat.session import ACTIVE, ENDED, IN_THE_ROOM, JOINING, Session
from tertulia.chat.turn import Turn
from tertulia.domain.disconnects import Disconnect
from tertulia.telemetry.metrics import Metrics

_FOR_GOOD: Final = (Disconnect.KICKED, Disconnect.BANNED)
"""Reasons for which the token ends with the session, as it does for a client that leaves in order."""
_SAID: Final = (Disconnect.LEFT, Disconnect.CHAT_CLOSED)
"""Reasons that a session has already read, in an answer or an event."""
_OUT_OF_REACH: Final = (
    Disconnect.GONE, Disconnect.BROKEN, Disconnect.SILENT, Disconnect.SLOW_READER,
)  # fmt: skip
"""Reasons after which the client reads nothing more."""


def leave_of(session: Session, *, for_good: bool) -> LeaveOp:
    """Make the op of a session's leave; ``for_good``: it can't be resumed."""
    token = session.token_key if for_good else ""
    return LeaveOp(session.name, session.key, session.nickname, token)


class Sessions:
    """The sessions that have asked for a nickname and are not gone."""

    def __init__(
        self,
        chat: str,
        store: Store,
        clock: Clock,
        audience: Audience,
        turn: Turn,
        mailbox: Mailbox,
        metrics: Metrics,
    ) -> None:
        self._chat = chat
        self._store = store
        self._clock = clock
        self._audience = audience
        self._turn = turn
        self._mailbox = mailbox
        self._metrics = metrics
        self.by_name: dict[str, Session] = {}

    def admit(self, session: Session) -> None:
        """Let a session that is in the room read what is written from now on."""
        self._metrics.joins(session.encoder.name).inc()
        self._metrics.sessions(self._chat, session.encoder.name).inc()
        self._audience.add(session)

    def release(self, session: Session) -> None:
        """Write what was held for a session, and write everything at once from now on."""
        session.release()
        self._audience.release(session)
        self._mailbox.released(session)

    def hears(self, session: Session) -> None:
        """Let a client that was deaf for a moment read what was held for it."""
        reason = session.end_now()
        if session.is_held and not session.is_resuming and (reason or session.state is not ENDED):
            self.release(session)
        if reason is not None:
            self._close(session, reason)

    def lost(self, session: Session, reason: Disconnect, words: str = "") -> None:
        """End a session whose connection is gone, or has to go; its leave is announced.

        ``words``: those of the operator who ordered it.
        """
        if session.state is ENDED:
            if session.ending is not None and reason in _OUT_OF_REACH:
                session.end_now()
                self._close(session, reason)
            return
        if session.state is JOINING or session.state is ACTIVE:
            self._store.submit(leave_of(session, for_good=reason in _FOR_GOOD))
        self.end(session, reason, words)

    def end_slow_readers(self, most: int) -> None:
        """End the sessions for which more than ``most`` bytes wait."""
        for session in self._audience.with_backlog():
            if session.backlog() > most:
                self.lost(session, Disconnect.SLOW_READER)

    def end(self, session: Session, reason: Disconnect, words: str = "") -> None:
        """End a session whose leave is announced, or which never was in the room."""
        if session.state is ENDED:
            return
        was_in_the_room = session.state in IN_THE_ROOM
        if was_in_the_room:
            self._turn.flush()  # it reads what came while it was there, where it still can
        session.end()
        self.by_name.pop(session.name, None)
        if was_in_the_room:
            self._audience.remove(session)
            self._metrics.leaves(reason).inc()
            self._metrics.sessions(self._chat, session.encoder.name).dec()
            if reason not in _SAID and (farewell := session.encoder.farewell(reason, words)):
                session.write(farewell)
        self._metrics.disconnects(reason).inc()
        if session.is_held and not session.is_resuming and reason not in _OUT_OF_REACH:
            # It reads what is held first. Its ``Ready`` says that it can, and may be here already.
            session.end_later(reason)
            self._clock.call_soon(session.outbox.proceed)
        else:
            self._close(session, reason)

    def _close(self, session: Session, reason: Disconnect) -> None:
        self._mailbox.return_unread(session)
        session.outbox.close(reason)
