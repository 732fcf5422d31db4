"""What one member knows of the chat: its rooms, private messages, and who one is oneself.

It takes the frames that a member gets, and knows nothing of connections but that they end.
"""

import itertools
from collections.abc import Callable, Iterable

from tertulia.clients.chat import changes, frames, words
from tertulia.clients.chat.known_room import KnownRoom, Shares
from tertulia.clients.chat.oneself import Oneself
from tertulia.clients.chat.own_messages import OwnMessage
from tertulia.clients.chat.repeats import Repeats
from tertulia.clients.chat.room_log import Fate, Kind, Line


class KnownChat:
    """The lobby, the further rooms that one is in, and which of them is shown."""

    def __init__(self, changed: Callable[[changes.Change], None]) -> None:
        self.oneself = Oneself()
        self.listed: list[frames.ListedRoom] | None = None
        """Which further rooms there are, as the service said last."""
        self.is_listing = False
        """Whether it was asked which there are."""
        self.unconfirmed = 0
        """Private messages that have come and were not confirmed."""
        self._changed = changed
        self._shares = Shares(self.oneself, itertools.count(1), changed, self._log_of)
        self.lobby = KnownRoom("", self._shares)
        self.shown = self.lobby
        """The room that the reader looks at, and writes to."""
        self._rooms: dict[str, KnownRoom] = {}
        self._repeats = Repeats()

    # --- Rooms ----------------------------------------------------------------------------------------

    @property
    def rooms(self) -> list[KnownRoom]:
        """The lobby, then the further rooms by alphabet."""
        return [self.lobby, *(self._rooms[name] for name in sorted(self._rooms))]

    def room(self, name: str) -> KnownRoom | None:
        """Return a room that one is in, or on one's way into."""
        return self._rooms.get(name) if name else self.lobby

    def have(self, names: Iterable[str]) -> None:
        """Have further rooms."""
        for name in names:
            self._rooms.setdefault(name, KnownRoom(name, self._shares))
        self._changed(changes.RoomsChanged())

    def show(self, room: KnownRoom) -> None:
        """Look at another room."""
        if room is not self.shown:
            self.shown.unmark()
            self.shown = room
            self._changed(changes.RoomsChanged())

    def attend(self, is_attending: bool) -> None:
        """Learn whether the reader sees what comes in the room that is shown."""
        self._shares.attended = self.shown.name if is_attending else None
        if is_attending:
            self.shown.read()

    def lose(self, name: str, at: int) -> bool:
        """Have a further room no more. Its private messages go to the lobby's log."""
        room = self._rooms.pop(name, None)
        if room is None:
            return False
        if self.shown is room:
            self.shown = self.lobby
        room.ended(at)
        for line in list(room.log):
            if line.kind is Kind.WHISPERED:
                line.is_past = True
                self.lobby.add(line)
        self._changed(changes.RoomsChanged())
        return True

    # --- Own messages ---------------------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """How many own messages wait for their answers."""
        return sum(len(it.own_messages) for it in self.rooms)

    @property
    def pending(self) -> list[OwnMessage]:
        """What was written in the room that is shown and is on its way. Private ones go by the lobby."""
        rooms = {it.name: it for it in (self.lobby, self.shown)}.values()
        found = [it for room in rooms for it in room.own_messages.pending]
        return sorted((it for it in found if it.room == self.shown.name), key=lambda it: it.id)

    @property
    def oldest_sent_at(self) -> float | None:
        """When the message that has waited longest for its answer was sent."""
        times = (it.own_messages.oldest_sent_at for it in self.rooms)
        return min((it for it in times if it is not None), default=None)

    def give_up_copies(self, at: int) -> None:
        """Give up waiting for the own copies of messages that are known to be in the log."""
        for room in self.rooms:
            room.give_up_copies(at)

    # --- Coming and going -----------------------------------------------------------------------------

    def welcomed(self, frame: frames.WelcomeFrame, at: int) -> None:
        """Take a welcome, to the chat or back to it."""
        is_back = self.lobby.position is not None
        me = self.oneself
        me.nickname = frame.nickname
        me.is_account = frame.account
        if frame.session:
            me.sessions.add(frame.session)
        was_administrator = me.is_administrator
        me.is_administrator = any(map(me.is_called, frame.members[:1]))
        self.lobby.welcomed(frame, at)
        if is_back:
            missed = ": you missed nothing" if frame.missed == "nothing" else ""
            self.shown.notice(f"Connected again{missed}.", at)
            if was_administrator and not me.is_administrator:
                self.lobby.notice("You are not the administrator any more.", at)

    def interrupted(self, at: int) -> None:
        """Note that the connection is gone."""
        self.is_listing = False
        self.unconfirmed = 0
        self._repeats.interrupted()
        for room in self.rooms:
            room.interrupted(at)

    def ended(self, at: int) -> None:
        """Note that this is no member any more; what is in the logs stays."""
        self.interrupted(at)
        self._repeats = Repeats()
        for room in self.rooms:
            room.ended(at)
        self.oneself.sessions.clear()
        self.oneself.is_administrator = False
        self.listed = None

    def clear(self) -> None:
        """Take everything off the logs, and have no further rooms."""
        self.lobby.clear()
        self._rooms.clear()
        self.shown = self.lobby
        self._changed(changes.RoomsChanged())

    # --- Frames ---------------------------------------------------------------------------------------

    def take(self, frame: frames.AnyFrame, at: int) -> None:
        """Take a frame that a member gets."""
        match frame:
            case frames.WhisperedFrame():
                self._whispered(frame)
            case frames.UndeliveredFrame():
                self._undelivered(frame, at)
            case frames.RoomsFrame():
                self.is_listing = False
                self.listed = frame.rooms
                self._changed(changes.RoomsChanged())
            case frames.PartedFrame():
                # Who wanted to go is gone already.
                if frame.reason != "left" and self.lose(frame.room, at):
                    told = words.parted(frame.reason, frame.room, frame.words)
                    self.shown.notice(told, at, is_grave=True)
            case frames.FailedFrame(action="join"):
                if frame.reason != "already_there" and self.lose(frame.room, at):
                    told = words.not_joined(frame.reason, frame.room)
                    self.shown.notice(told, at, is_grave=True)
            case frames.SlowedFrame():
                self.shown.notice(words.SLOWED, at, is_grave=True)
            case frames.AccountFrame():
                self._account(frame)
            case _:
                room = self.room(getattr(frame, "room", ""))
                if room is not None:
                    self._take_in_room(frame, room, at)

    def _take_in_room(self, frame: frames.AnyFrame, room: KnownRoom, at: int) -> None:
        match frame:
            case frames.RoomFrame():
                room.welcomed(frame, at)
            case frames.EventsFrame():
                room.happened(frame)
            case frames.MissedFrame():
                room.missed(frame, at)
            case frames.PastFrame():
                room.past_came(frame, at)
            case frames.FoundFrame():
                room.back.found(frame)
                self._changed(changes.SearchChanged(room.name))
            case frames.SentFrame():
                room.kept(frame.id, at, Fate.SENT)
            case frames.KeptFrame():
                room.kept(frame.id, at, Fate.KEPT)
            case frames.FailedFrame():
                room.failed(frame, at)
            case frames.ErrorFrame():
                room.erred(frame, at)
            case frames.ForbiddenFrame():
                told = words.NOT_MODERATED if frame.action else "You may not close this chat."
                room.notice(told, at, is_grave=True)
        self._changed(changes.StatusChanged())

    def _whispered(self, frame: frames.WhisperedFrame) -> None:
        self.unconfirmed += 1
        is_numbered = frame.session and frame.id
        key = (frame.session, frame.id) if is_numbered else (frame.at, frame.sender, frame.text)
        # A note to oneself is in the log as sent.
        if self._repeats.is_repeat(key) or self.oneself.is_called(frame.sender):
            return
        self.shown.add(
            Line(Kind.WHISPERED, frame.at, frame.text, frame.sender, self.oneself.nickname)
        )

    def _undelivered(self, frame: frames.UndeliveredFrame, at: int) -> None:
        def is_meant(line: Line) -> bool:
            is_private = line.kind is Kind.WHISPERED and line.is_own
            is_same = line.id == frame.id if frame.id else line.text == frame.text
            return is_private and is_same and line.fate is not Fate.UNDELIVERED

        for room in self.rooms:
            line = room.log.find_last(is_meant)
            if line is not None:
                line.fate = Fate.UNDELIVERED
                self._changed(changes.LineChanged(room.name, line.seq))
                break
        told = f"Your private message to {frame.to} could not be delivered: “{frame.text}”"
        self.shown.notice(told, at, is_grave=True)

    def _account(self, frame: frames.AccountFrame) -> None:
        if frame.outcome == "done":
            if frame.action == "register":
                self.oneself.is_account = True
            elif frame.action == "delete_account":
                self.oneself.is_account = False
        self._changed(changes.AccountAnswered(frame.action, frame.outcome, frame.seconds))

    def _log_of(self, name: str) -> KnownRoom:
        return self.room(name) or self.lobby
