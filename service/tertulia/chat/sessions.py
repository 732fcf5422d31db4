"""A chat's sessions on this node: which are there, and how each of them ends."""

from collections.abc import Callable, Iterable
from typing import Final

import structlog

from tertulia.chat.fanout import Audience
from tertulia.chat.mailbox import Mailbox
from tertulia.chat.ports import Clock, LeaveOp, Store
from tertulia.chat.reader import Reader
from tertulia.chat.session import (
    ACTIVE,
    AWAY,
    ENDED,
    IN_THE_ROOM,
    JOINING,
    LEAVING,
    Elsewhere,
    Session,
)
from tertulia.chat.turn import Turn
from tertulia.dialects.contract import Replies
from tertulia.domain.disconnects import Disconnect
from tertulia.telemetry.metrics import Metrics

_FOR_GOOD: Final = (Disconnect.KICKED, Disconnect.BANNED)
"""Reasons for which the token ends with the session, as it does for a client that leaves in order."""
_SEATED: Final = (JOINING, ACTIVE, AWAY)
"""States in which a session has a seat, or may have it soon, and has not given it back."""
_HEIR_SECONDS: Final = 10.0
"""For how long a session's seats in further rooms are kept for the one that takes its place."""
_SAID: Final = (Disconnect.LEFT, Disconnect.CHAT_CLOSED)
"""Reasons that a session has already read, in an answer or an event."""
_MAY_COME_BACK: Final = (Disconnect.GONE, Disconnect.BROKEN, Disconnect.SILENT)
"""Reasons after which a client that has a token may be back in a moment."""
_OUT_OF_REACH: Final = (
    Disconnect.GONE, Disconnect.BROKEN, Disconnect.SILENT, Disconnect.SLOW_READER,
)  # fmt: skip
"""Reasons after which the client reads nothing more."""

_log = structlog.get_logger(__name__)


def leave_of(session: Session, *, for_good: bool, words: str = "") -> LeaveOp:
    """Make the op of a session's leave; ``for_good``: it can't be resumed; ``words``: its client's."""
    token = session.token_key if for_good else ""
    return LeaveOp(session.name, session.key, session.nickname, token, words)


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
        away_seconds: float,
    ) -> None:
        """``away_seconds``: for how long a session whose connection is lost keeps its seat."""
        self._chat = chat
        self._store = store
        self._clock = clock
        self._audience = audience
        self._turn = turn
        self._mailbox = mailbox
        self._metrics = metrics
        self._away_seconds = away_seconds
        self.unshown = audience.unshown
        self.by_name: dict[str, Session] = {}
        self.lagging: set[Session] = set()
        """Those with bytes that the kernel has not taken yet."""

    def admit(self, session: Session) -> None:
        """Let a session that is in the room read what is written from now on."""
        self._metrics.joins(session.encoder.name).inc()
        self._metrics.sessions(self._chat, session.encoder.name).inc()
        if session.shows_lobby and not session.room:
            self._audience.add(session)

    def show_lobby(self, session: Session, render: Callable[[], bytes]) -> None:
        """Let a session read the lobby again; ``render`` gives what it reads first."""
        self._turn.flush()
        try:
            text = render()
        except Exception:
            self.fail(session)
            return
        session.write(text)
        session.show_lobby()
        self.listen(session)

    def hide_lobby(self, session: Session, words: str = "") -> None:
        """Let a session read the lobby no more; it stays in the chat. ``words``: its client's."""
        self._turn.flush()
        self._audience.remove(session)
        session.write(session.replies.hidden(words))
        session.hide_lobby()
        self.listen(session)

    def listen(self, session: Session) -> None:
        """Let a session listen to what its client has chosen, in all of its rooms."""
        self._turn.flush()
        self._audience.remove(session)
        session.listen()
        if session.shows_lobby and not session.room:
            self._audience.add(session)
        for room in (session.rooms or {}).values():
            room.listen(session)

    def release(self, session: Session) -> None:
        """Write what was held for a session, and write everything at once from now on."""
        session.release()
        self._audience.release(session)
        if session.rooms:
            for room in session.rooms.values():
                room.hear(session)
        self._mailbox.released(session)

    def hears(self, session: Session) -> None:
        """Let a client that was deaf for a moment read what was held for it."""
        reason = session.end_now()
        if session.is_held and not session.is_resuming and (reason or session.state is not ENDED):
            self.release(session)
        if reason is not None:
            self._close(session, reason)

    def lost(
        self,
        session: Session,
        reason: Disconnect,
        words: str = "",
        until: int = 0,
        replies: Replies | None = None,
    ) -> None:
        """End a session whose connection is gone, or has to go; its leave is announced.

        ``words``, ``until``: as in ``Encoder.farewell``. ``replies``: of the room that it has to leave.
        """
        if session.state is ENDED:
            if session.ending is not None and reason in _OUT_OF_REACH:
                session.end_now()
                self._close(session, reason)
            return
        if session.state is AWAY and reason in _OUT_OF_REACH:
            return  # that is why
        if (
            session.state is ACTIVE
            and session.token
            and reason in _MAY_COME_BACK
            and self._away_seconds
        ):
            self._lose(session, reason)
            return
        if session.state in _SEATED:
            self._store.submit(leave_of(session, for_good=reason in _FOR_GOOD))
        self.end(session, reason, words, until, replies)

    def _lose(self, session: Session, reason: Disconnect) -> None:
        """Keep the seat of a session whose connection is lost, for a moment."""
        self._turn.flush()
        session.lose(reason)
        self._remove(session)
        for room in (session.rooms or {}).values():
            room.lose(session)
        self._mailbox.keep_unread(session)
        session.outbox.close(reason)
        self._clock.call_later(self._away_seconds, lambda: self._give_up(session, reason))

    def _remove(self, session: Session) -> None:
        self.lagging.discard(session)
        self._audience.remove(session)

    def take_over(self, session: Session) -> None:
        """Learn that another session of its client takes over a session's place in the chat.

        It takes over its seats in further rooms as well, one after the other: those that it does not want are
        given back in a moment.
        """
        rooms = session.rooms
        session.leave_rooms()
        if rooms:
            for room in rooms.values():
                room.lose(session)
            self._clock.call_later(_HEIR_SECONDS, lambda: _leave(session, rooms.values()))

    def leave_rooms(self, session: Session, *, for_good: bool, words: str = "") -> None:
        """Give a session's seats in further rooms back; ``for_good`` and ``words`` as in ``leave_of``."""
        if session.rooms:
            _leave(session, list(session.rooms.values()), for_good=for_good, words=words)

    def _give_up(self, session: Session, reason: Disconnect) -> None:
        if session.state is AWAY:
            self._store.submit(leave_of(session, for_good=False))
            self.end(session, reason)

    def go_on(self, answered: Iterable[Session]) -> None:
        """Ask sessions that were answered for further commands; who has left is at its end."""
        for session in answered:
            if session.state is LEAVING and not session.awaiting:
                self.end(session, Disconnect.LEFT)
            else:
                session.outbox.proceed()

    def fail(self, session: Session) -> None:
        """End a session that a dialect fails to serve, for the exception that is being handled."""
        _log.exception("connection failed", dialect=session.encoder.name)
        self.lost(session, Disconnect.INTERNAL)

    def fail_later(self, session: Session) -> None:
        """Do so at the end of the entry that is being read: others are still to be told of it."""
        _log.exception("connection failed", dialect=session.encoder.name)
        self.unshown.failed.add(session)

    def end_lost_readers(self, behind: Iterable[Reader], most: int) -> None:
        """End those whom their dialect fails, and those for whom more than ``most`` bytes wait.

        ``behind`` are all for whom any may wait.
        """
        if self.unshown.failed:
            failed = list(self.unshown.failed)
            self.unshown.failed.clear()
            for reader in failed:
                self.lost(reader.session, Disconnect.INTERNAL)
        for reader in behind:
            if reader.backlog() > most:
                self.lost(reader.session, Disconnect.SLOW_READER)

    def end(
        self,
        session: Session,
        reason: Disconnect,
        words: str = "",
        until: int = 0,
        replies: Replies | None = None,
    ) -> None:
        """End a session whose leave is announced, or which never was in the room; else as ``lost``."""
        if session.state is ENDED:
            return
        was_away = session.state is AWAY
        was_in_the_room = was_away or session.state in IN_THE_ROOM
        if was_in_the_room:
            self._turn.flush()  # it reads what came while it was there, where it still can
        session.end()
        self.by_name.pop(session.name, None)
        self.leave_rooms(session, for_good=reason in _FOR_GOOD)
        if was_in_the_room:
            self._remove(session)
            self._metrics.leaves(reason).inc()
            self._metrics.sessions(self._chat, session.encoder.name).dec()
            if farewell := self._farewell(session, replies, reason, words, until):
                session.write(farewell)
        self._metrics.disconnects(reason).inc()
        if was_away:
            self._mailbox.return_unread(session)  # its connection is closed already
        elif session.is_held and not session.is_resuming and reason not in _OUT_OF_REACH:
            # It reads what is held first. Its ``Ready`` says that it can, and may be here already.
            session.end_later(reason)
            self._clock.call_soon(session.outbox.proceed)
        else:
            self._close(session, reason)

    def _farewell(
        self, session: Session, replies: Replies | None, reason: Disconnect, words: str, until: int
    ) -> bytes:
        try:
            told = replies or session.replies
            return b"" if reason in _SAID else told.farewell(reason, words, until)
        except Exception:  # it ends without
            _log.exception("connection failed", dialect=session.encoder.name)
            return b""

    def _close(self, session: Session, reason: Disconnect) -> None:
        self._mailbox.return_unread(session)
        session.outbox.close(reason)


def _leave(
    session: Session, rooms: Iterable[Elsewhere], *, for_good: bool = False, words: str = ""
) -> None:
    for room in rooms:
        room.leave(session, for_good=for_good, words=words)
