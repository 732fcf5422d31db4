"""What somebody reads first in a room: the welcome, and the last that was said, or what they missed."""

from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from tertulia.chat.fanout import Cut, News
from tertulia.chat.operator_commands import OperatorCommands
from tertulia.chat.ports import Clock, Replay
from tertulia.chat.reader import Reader
from tertulia.chat.recent_talk import RecentTalk
from tertulia.chat.roster import Roster
from tertulia.chat.session import ACTIVE
from tertulia.chat.sessions import Sessions
from tertulia.dialects.contract import Registration, Welcome
from tertulia.domain.commands import Resume
from tertulia.domain.events import Joined, Present
from tertulia.domain.moderation import Rules, Standing
from tertulia.domain.position import Position


class ReadsOn(Protocol):
    """What is read of a room's log for those who missed some of it."""

    def replay(
        self, after: Position, before: Position, token: str, done: Callable[[Replay], None]
    ) -> None:
        """Read the log between two places, as ``Store.replay`` and ``RoomStore.replay`` do."""
        ...


class Newcomers:
    """Those who come into one room."""

    __slots__ = (
        "_clock", "_log", "_orders", "_recent", "_registration", "_release", "_roster", "_rules",
        "_sessions",
    )  # fmt: skip

    def __init__(
        self,
        log: ReadsOn,
        clock: Clock,
        sessions: Sessions,
        release: Callable[[Any], None],
        roster: Roster,
        recent: RecentTalk,
        rules: Rules,
        orders: OperatorCommands,
        registration: Registration,
    ) -> None:
        """``release`` writes what was held for one of the room's readers, and lets it read on."""
        self._log = log
        self._clock = clock
        self._sessions = sessions
        self._release = release
        self._roster = roster
        self._recent = recent
        self._rules = rules
        self._orders = orders
        self._registration: Registration = registration

    def welcome(self, reader: Reader, news: News, cut: Cut) -> None:
        """Tell a reader where it is, at its own join, which is the next of an entry's events."""
        session, encoder = reader.session, reader.encoder
        others, here = self._roster.others(session.name), news.position
        if reader.resume_from is not None:
            # It reads the whole entry: where in it its join stands is not its choice.
            self._resume(reader, reader.resume_from, here, list(others))
            return
        # It still has to read what follows its join in the entry, so its place is before that entry.
        before = msgspec.structs.replace(here, offset=here.offset - 1)
        cut.start = len(news.events) + 1
        welcome = Welcome(
            session.nickname, others, before, session.name, session.token,
            missed_some=reader.misses_some, is_account=session.is_account,
            standing=self.standing(reader), registration=self._registration,
            people=self._roster.nicknames,
        )  # fmt: skip
        told = reader.replies.welcome(welcome) + self._notices(reader, welcome.standing)
        if not (encoder.room or session.shows_lobby):
            reader.write(told)  # it has no place among those who read the lobby
            return
        past, messages = self._recent.as_read(encoder, here)
        session.receipts.give_notices(messages)
        if encoder.deaf_seconds:
            reader.write(told)
            told = b""
            session.hold()
            self._clock.call_later(encoder.deaf_seconds, lambda: self._sessions.hears(session))
        cut.prefix = told + past

    def shown(self, reader: Reader) -> bytes:
        """Return what a reader reads that is in the room, and was not shown it until now."""
        session, here = reader.session, self._roster.position
        welcome = Welcome(
            session.nickname, self._roster.others(session.name), here, session.name, session.token,
            is_account=session.is_account, standing=self.standing(reader),
            place=self._roster.place(session.name), registration=self._registration,
            people=self._roster.nicknames,
        )  # fmt: skip
        past, _ = self._recent.as_read(reader.encoder, here)
        return reader.replies.shown(welcome) + past

    def standing(self, reader: Reader) -> Standing:
        """Return what holds in the room for a reader."""
        session = reader.session
        return self._orders.standing(
            self._rules, session.key, is_account=session.is_account,
            account=session.account if reader.encoder.room else None,
        )  # fmt: skip

    def appointed(self, reader: Reader) -> bytes:
        """Return what somebody in the room reads who has become a moderator."""
        return reader.encoder.mutes(self.standing(reader).mutes or {})

    def _notices(self, reader: Reader, standing: Standing) -> bytes:
        notices = reader.replies.standing(standing)
        reader.receipts.give_notices(len(notices))
        return b"".join(notices)

    def _resume(self, reader: Reader, after: Resume, here: Position, others: list[str]) -> None:
        """Give a reader its welcome, then what it missed, then the present: nothing twice, no gap.

        Until what it missed is read from the log, everything for it is held. ``here`` is the entry of its
        join, which it reads as everybody does.
        """
        reader.resume()
        session, encoder = reader.session, reader.encoder
        place = self._roster.place(session.name)

        def go_on(replay: Replay) -> None:
            if reader.state is not ACTIVE:
                return
            try:
                tell(replay)
            except Exception:
                self._sessions.fail(session)
                return
            self._release(reader)
            session.outbox.proceed()

        def tell(replay: Replay) -> None:
            welcome = Welcome(
                session.nickname, others, here, session.name, session.token, replay.done, replay.refused,
                missed_some=not replay.is_complete, resumed=True, is_account=session.is_account,
                standing=self.standing(reader), place=place, registration=self._registration,
            )  # fmt: skip
            write = reader.before_held
            write(reader.replies.welcome(welcome))
            for entry in replay.entries:
                shown = self._rules.without_redacted(entry.position.offset, entry.events)
                # Who is present was in its welcome, and did not join just now; nor did who came back.
                events = [
                    event
                    for event in shown
                    if not (isinstance(event, Present) or (isinstance(event, Joined) and event.was))
                ]
                if events:
                    write(self._sessions.unshown.rendered(encoder, events, entry.position))

        position = Position(after.epoch, after.offset)
        self._log.replay(position, here, session.token_key, go_on)
