"""One room as a client knows it: who is in it, what was said there, what became of one's own messages.

What all rooms share is in ``Oneself``. A private message is in the log of the room that was shown.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tertulia.clients.chat import changes, frames, words
from tertulia.clients.chat.looking_back import LookingBack
from tertulia.clients.chat.oneself import Oneself
from tertulia.clients.chat.own_messages import OwnMessage, OwnMessages, Progressing
from tertulia.clients.chat.room_log import Fate, Kind, Line, LogPlace, RoomLog
from tertulia.clients.chat.room_rules import RoomRules
from tertulia.clients.chat.spans import is_named
from tertulia.domain.nicknames import fold


@dataclass(slots=True)
class Shares:
    """What all rooms have together."""

    oneself: Oneself
    ids: Iterator[int]
    changed: Callable[[changes.Change], None]
    log_of: Callable[[str], "KnownRoom"]
    """The room, or where its lines go if one is not in it any more."""
    attended: str | None = None
    """The room that the reader looks at; None where they look elsewhere."""


class KnownRoom:
    """The lobby, or a further room."""

    def __init__(self, name: str, shares: Shares) -> None:
        self.name = name
        """Without its sign; empty for the lobby."""
        self.is_in = False
        """Whether the service has said, on this connection, that one is in."""
        self.position: tuple[str, int] | None = None
        """From where to go on after a lost connection: epoch, offset."""
        self.people: dict[str, str] = {}
        """Who is in it, oldest first: folded nickname to nickname."""
        self.log = RoomLog()
        self.back = LookingBack()
        self.rules = RoomRules()
        self.own_messages = OwnMessages(shares.ids)
        self.unread = 0
        """Messages that came while the reader looked elsewhere."""
        self.calls = 0
        """How many of them were meant for the reader."""
        self.mark: int | None = None
        """The number of the line above which "new" stands."""
        self.closer: str | None = None
        """Who has closed the chat."""
        self._shares = shares
        self._oneself = shares.oneself
        self._welcomed_at = ("", 0)
        self._seen = ("", 0)
        self._last: tuple[str, LogPlace] | None = None
        """The epoch and place of the last public message that is known."""
        self._greeting = ""
        """What is said on entering, once what was said before is shown."""

    @property
    def written(self) -> str:
        """How it is written."""
        return words.room_name(self.name)

    @property
    def address(self) -> dict[str, object]:
        """What a frame says that is of this room."""
        return {"room": self.name} if self.name else {}

    # --- Coming and going -----------------------------------------------------------------------------

    def welcomed(self, frame: frames.Seated, at: int) -> None:
        """Take a welcome, the first one or to go on."""
        is_back = self.position is not None
        self.back.welcomed(frame, *self._oldest())
        self.is_in = True
        self._welcomed_at = (frame.epoch, frame.offset)
        self.rules.welcomed(frame)
        self.people = {fold(it): it for it in frame.members}
        self._shares.changed(changes.RoomChanged(self.name))
        if is_back:
            self._resumed(frame, at)
            return
        self.position = self._seen = self._welcomed_at
        self._greeting = self._greetings()
        if not self.back.is_told:
            self._greet(at)

    def _greetings(self) -> str:
        if self.name:
            return f"You are in {self.written}."
        if self._oneself.is_administrator:
            return (
                f"You are in, as {self._oneself.nickname}, and opened this chat: you are its "
                "administrator."
            )
        return f"You are in, as {self._oneself.nickname}."

    def _resumed(self, frame: frames.Seated, at: int) -> None:
        # What was missed is still to come: until it does, one goes on from the old position.
        if frame.missed != "nothing":
            self.position = self._welcomed_at
            self.notice(words.MISSED, at, is_grave=True)
        settled = self.own_messages.resumed(frame.done, frame.refused, frame.resumed)
        for message in settled.unanswered:
            self._keep(message, at, Fate.UNANSWERED)
        for message in settled.refused:
            self._fail(message, at, words.failed(message, "refused"))
        for message in settled.unsure:
            self._fail(message, at, words.failed(message, "unsure"))

    def interrupted(self, at: int) -> None:
        """Note that the connection is gone."""
        self.is_in = False
        self.own_messages.interrupted()
        self.back.interrupted()
        self._greet(at)

    def ended(self, at: int) -> None:
        """Note that one is not in it any more; what is in the log stays."""
        self.interrupted(at)
        for message in self.own_messages.end():
            self._fail(message, at, words.failed(message, "ended"))
        self.back.ended()
        self.position = None
        self.people = {}
        self.closer = None
        self._shares.changed(changes.RoomChanged(self.name))

    def clear(self) -> None:
        """Take everything off the log."""
        self.log.clear()
        self._last = None
        self.mark = None
        self.unread = self.calls = 0
        self._shares.changed(changes.LogCleared(self.name))

    def give_up_copies(self, at: int) -> None:
        """Give up waiting for the own copies of messages that are known to be in the log."""
        for message in self.own_messages.take_done():
            self._keep(message, at, Fate.SENT)

    # --- Reading --------------------------------------------------------------------------------------

    def read(self) -> None:
        """Note that the reader has read all of it."""
        if self.unread:
            self.unread = self.calls = 0
            self._shares.changed(changes.RoomChanged(self.name))

    def unmark(self) -> None:
        """Note that the reader needs the mark no more: they answered, or went elsewhere."""
        if self.mark is not None and not self.unread:
            seq, self.mark = self.mark, None
            self._shares.changed(changes.LineChanged(self.name, seq))

    def add(self, line: Line) -> Line:
        """Add a line to the log, and count it if it is unread."""
        self.log.add(line)
        counts = line.kind in (Kind.SAID, Kind.WHISPERED) and not (line.is_own or line.is_past)
        is_call = counts and (line.kind is Kind.WHISPERED or line.is_named)
        if counts and self._shares.attended != self.name:
            if not self.unread:
                self.mark = line.seq
            self.unread += 1
            self.calls += is_call
            self._shares.changed(changes.RoomChanged(self.name))
        self._shares.changed(changes.LineAdded(self.name, line.seq))
        if is_call:
            self._shares.changed(changes.SummonedBy(self.name, line.seq))
        return line

    def notice(self, text: str, at: int, *, is_grave: bool = False) -> None:
        """Add something that the program says by itself."""
        self.add(Line(Kind.NOTICE, at, text, is_grave=is_grave))

    # --- The room's events ----------------------------------------------------------------------------

    def happened(self, frame: frames.EventsFrame) -> None:
        """Take what happened."""
        here = (frame.epoch, frame.offset)
        if not self.is_in or (frame.epoch == self._seen[0] and frame.offset < self._seen[1]):
            return
        # The welcome told the members as they are at its place: what came before doesn't change them.
        is_past = frame.epoch == self._welcomed_at[0] and frame.offset < self._welcomed_at[1]
        index = frame.first
        for event in frame.known():
            if event is not None:
                self._take(event, frame.at, is_past, frame.epoch, LogPlace(frame.offset, index))
            index += isinstance(event, frames.SaidEvent)
        self.position = self._seen = here

    def missed(self, frame: frames.MissedFrame, at: int) -> None:
        """Learn that the service lost a part, up to a place, and goes on from there."""
        self.notice(words.GAP, at, is_grave=True)
        self.position = self._seen = (frame.epoch, frame.offset)

    def _take(
        self, event: frames.AnyEvent, at: int, is_past: bool, epoch: str, place: LogPlace
    ) -> None:
        match event:
            case frames.SaidEvent():
                self._said(event, at, is_past, epoch, place)
            case frames.JoinedEvent() | frames.LeftEvent():
                self._passed(event.nickname, isinstance(event, frames.JoinedEvent), at, is_past)
            case frames.AdministratorEvent():
                if not is_past and not self._oneself.is_administrator:
                    self._oneself.is_administrator = True
                    self.notice("You are the administrator now, and can close the chat.", at)
            case frames.MutesEvent():
                self.rules.learn_mutes(event.mutes)
            case frames.ClosedEvent():
                is_own = self._oneself.is_called(event.nickname)
                self.notice(words.closed_by(event.nickname, is_own), at, is_grave=True)
                if not is_past:
                    self.closer = event.nickname
            case frames.RedactedEvent():
                self._redacted(epoch, LogPlace(event.offset, event.index))
            case _:
                is_about_reader = self._oneself.is_called(getattr(event, "nickname", ""))
                self.rules.obey(event, is_about_reader)
                if not (isinstance(event, frames.OwnerEvent) and not event.nickname):
                    is_grave = is_about_reader and isinstance(
                        event, frames.MutedEvent | frames.KickedEvent
                    )
                    self.notice(words.moderated(event), at, is_grave=is_grave)
                self._shares.changed(changes.RoomChanged(self.name))

    def _said(
        self, event: frames.SaidEvent, at: int, is_past: bool, epoch: str, place: LogPlace
    ) -> None:
        is_own = self._oneself.has_said(event.nickname, event.session, event.account)
        is_from_here = event.session in self._oneself.sessions
        if is_from_here:
            self.own_messages.heard(event.id)
            self._shares.changed(changes.StatusChanged())
        if self._is_known(epoch, place):
            return  # it was among what was said before
        self._last = (epoch, place)
        line = self.add(
            Line(
                Kind.SAID,
                at,
                event.text,
                event.nickname,
                epoch=epoch,
                place=place,
                is_own=is_own,
                is_from_here=is_from_here,
                is_named=not is_own and is_named(event.text, self._oneself.nickname),
            )
        )
        if is_past and not is_own and self.mark is None:
            self.mark = line.seq
            self._shares.changed(changes.LineChanged(self.name, line.seq))

    def _passed(self, nickname: str, came: bool, at: int, is_past: bool) -> None:
        if self._oneself.is_called(nickname):
            return  # of a connection before this one
        if not is_past:
            if came:
                self.people.setdefault(fold(nickname), nickname)
            else:
                self.people.pop(fold(nickname), None)
            self._shares.changed(changes.RoomChanged(self.name))
        line, is_new = self.log.passed(nickname, came, at)
        change = changes.LineAdded if is_new else changes.LineChanged
        self._shares.changed(change(self.name, line.seq))
        self._shares.changed(changes.Passed(self.name, nickname, came))

    def _redacted(self, epoch: str, place: LogPlace) -> None:
        self.back.withdraw(place)
        line = self.log.find_last(lambda it: it.place == place and it.epoch == epoch)
        if line is not None:
            line.is_redacted, line.text = True, ""
            self._shares.changed(changes.LineChanged(self.name, line.seq))

    def past_came(self, frame: frames.PastFrame, at: int) -> None:
        """Take what was said before: on entering, or because it was asked for."""
        if self.back.came(frame):
            lines = [self._past_line(it, frame.epoch) for it in frame.messages]
            first = self.log.line(self.log.first)
            if self.back.is_whole:
                oldest = lines[0] if lines else first
                lines.insert(0, Line(Kind.BEGINNING, oldest.at if oldest else at, words.BEGINS))
            self.log.precede(lines)
            self._shares.changed(changes.LinesPreceded(self.name, len(lines)))
            return
        places = [LogPlace(it.offset, it.index) for it in frame.messages]
        fresh = [
            it
            for it, place in zip(frame.messages, places, strict=True)
            if not self._is_known(frame.epoch, place)
        ]
        if fresh and not len(self.log) and self.back.is_whole:
            self.add(Line(Kind.BEGINNING, fresh[0].at, words.BEGINS))
        # Who was sent away and is back has lines from before, and nothing joins them to these.
        is_apart = self._greeting and self._last is not None and frame.more
        if is_apart and fresh and len(fresh) == len(frame.messages):
            self.notice(words.MISSED, at, is_grave=True)
        for message in fresh:
            line = self._past_line(message, frame.epoch)
            if line.place is not None:
                self._last = (frame.epoch, line.place)
            self.add(line)
        self._greet(at)

    def _greet(self, at: int) -> None:
        if self._greeting:
            self.notice(self._greeting, at)
            self._greeting = ""

    def _past_line(self, message: frames.PastSaid, epoch: str) -> Line:
        is_own = self._oneself.has_said(message.nickname, message.session, message.account)
        return Line(
            Kind.SAID,
            message.at,
            message.text,
            message.nickname,
            epoch=epoch,
            place=LogPlace(message.offset, message.index),
            is_own=is_own,
            is_past=True,
            is_named=not is_own and is_named(message.text, self._oneself.nickname),
            is_redacted=message.redacted,
        )

    def _is_known(self, epoch: str, place: LogPlace) -> bool:
        return self._last is not None and self._last[0] == epoch and self._last[1] >= place

    def _oldest(self) -> tuple[tuple[str, LogPlace] | None, bool]:
        """Return where the oldest public message stands that is here, and whether the log begins with it."""
        is_beginning = False
        for line in self.log:
            is_beginning = is_beginning or line.kind is Kind.BEGINNING
            if line.place is not None:
                return (line.epoch, line.place), is_beginning
        return None, False

    # --- Answers --------------------------------------------------------------------------------------

    def kept(self, id: int, at: int, fate: Fate) -> None:
        """Learn that a message is in the log, or with its recipient's node, or waits for them."""
        message = self.own_messages.answered(id, True)
        # The own copy of a public message comes before this answer, and is in the log by now.
        if message is not None and message.state is not Progressing.SEEN:
            self._keep(message, at, fate)

    def failed(self, frame: frames.FailedFrame, at: int) -> None:
        """Learn that a message was not sent, or that an act of moderation came to nothing."""
        if not frame.id:
            if self.back.is_asked and frame.reason == "not_in_room":
                self.back.failed()
            self.notice(words.NOT_MODERATED, at, is_grave=True)
            return
        message = self.own_messages.answered(frame.id, False)
        if message is not None:
            reason = words.failed(message, frame.reason, frame.words, frame.until)
            self._fail(message, at, reason)

    def erred(self, frame: frames.ErrorFrame, at: int) -> None:
        """Learn that the service did not understand something; of a message it has the number."""
        message = self.own_messages.answered(frame.id, False) if frame.id else None
        if message is not None:
            self._fail(message, at, f"not sent: the service says: {frame.reason}")
        elif self.back.is_asked:
            self.back.failed()
        else:
            self.notice(
                f"The service did not understand something: {frame.reason}", at, is_grave=True
            )

    def _keep(self, message: OwnMessage, at: int, fate: Fate) -> None:
        line = Line(
            Kind.WHISPERED if message.to else Kind.SAID,
            at,
            message.text,
            self._oneself.nickname,
            message.to,
            is_own=True,
            is_from_here=True,
            fate=fate,
            id=message.id,
        )
        self._shares.log_of(message.room).add(line)

    def _fail(self, message: OwnMessage, at: int, reason: str) -> None:
        line = Line(
            Kind.FAILED,
            at,
            message.text,
            self._oneself.nickname,
            message.to,
            is_own=True,
            is_from_here=True,
            detail=reason,
        )
        self._shares.log_of(message.room).add(line)
