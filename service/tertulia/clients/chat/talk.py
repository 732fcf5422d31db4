"""One person's way through the chat: entering, talking, losing the connection, coming back, going.

It knows no socket, no terminal and no clock. It is told what happened and at what time: ``now`` in seconds by
a clock that nobody sets, and by ``clock`` how far the clock on the wall is from it. What is to be done with
the socket is collected and taken with ``take_acts``, what has changed with ``take_changes``; ``deadline``
says when ``due`` wants to be called. The page does the same: service/tertulia/web/session/session.js.
"""

import random
from collections.abc import Callable, Sequence
from typing import Final

from tertulia.clients.chat import changes, frames, words
from tertulia.clients.chat.known_chat import KnownChat
from tertulia.clients.chat.pulse import Pauses, ServicePulse
from tertulia.clients.chat.way import (
    NEXT,
    PATIENCE,
    Act,
    DropSocket,
    Happening,
    OpenSocket,
    SendFrame,
    TalkState,
)
from tertulia.domain.nicknames import fold

MOST_WAITING: Final = 10_000
"""Own messages that may wait for their answers."""
_STALLED: Final = 5.0
"""Seconds without the answer to a message after which one is told that messages wait."""
_SETTLED: Final = 10.0
"""Seconds inside after which a connection was a good one: the next pause is short again."""
_CONFIRM: Final = 0.1
"""Seconds for which private messages are gathered before they are confirmed together."""
_COPY: Final = 3.0
"""Seconds to wait for the own copy of a message that is known to be in the log."""
_OVER: Final = 1000
_STAY_AWAY: Final = 4001
_ASKS_BACK: Final = (frames.PastFrame, frames.FoundFrame, frames.ErrorFrame, frames.FailedFrame)
"""After these another question about what was said before may follow."""


class NotWritten(ValueError):
    """A message was not taken. The text says why."""


class Talk:
    """What one member does, and what comes of it."""

    def __init__(self, chance: Callable[[], float] = random.random) -> None:
        self.state = TalkState.OUTSIDE
        self.explanation = ""
        """Why one is outside, or was refused; empty where there is nothing to say."""
        self.suggestions: list[str] = []
        """Nicknames that are free, where one was refused."""
        self.refusal = ""
        """The service's word for why one was refused."""
        self.ending = ""
        """The service's word for why one is outside: the reason of the close."""
        self.trouble = ""
        """Why there is no connection, in words."""
        self.chat = KnownChat(self._changed)

        self._acts: list[Act] = []
        self._changes: list[changes.Change] = []
        self._asked_for = ("", "")
        """The nickname and the password."""
        self._next: tuple[str, list[str]] | None = None
        """The nickname to come in under after leaving, and the rooms that one was in."""
        self._token: str | None = None
        self._dismissal = ("", 0)
        """What an operator said who ends this, and when that is over."""
        self._pauses = Pauses(chance)
        self._pulse = ServicePulse()
        self._parted: set[str] = set()
        """The rooms that were left while there was no connection."""
        self._inside_since = 0.0
        self._is_stalled = False
        self._wall = 0.0
        self._state_ends: float | None = None
        self._confirms: float | None = None
        self._copies: float | None = None

    # --- What there is to know ------------------------------------------------------------------------

    @property
    def is_member(self) -> bool:
        """Whether there is a place in the chat to be in, or to go back to."""
        return self._token is not None

    @property
    def is_inside(self) -> bool:
        """Whether there is a connection to the chat now."""
        return self.state is TalkState.INSIDE

    @property
    def status(self) -> str:
        """How it stands with the connection, in words; empty where all is well."""
        match self.state:
            case TalkState.OPENING | TalkState.ASKING:
                return "Connection lost. Connecting again…" if self.is_member else "Connecting…"
            case TalkState.WAITING if self.is_member:
                return f"{self.trouble} Connecting again…"
            case TalkState.WAITING:
                return f"The service can’t be reached. {self.trouble} Trying again…"
            case TalkState.INSIDE if self._is_stalled:
                return "The service can’t keep messages just now. Yours wait there."
            case TalkState.LEAVING:
                return "Leaving…"
        return ""

    @property
    def deadline(self) -> float | None:
        """When ``due`` wants to be called; None for never."""
        times = [self._state_ends, self._confirms, self._copies]
        if self.is_inside:
            times.append(self._pulse.deadline)
            if not self._is_stalled and (sent_at := self.chat.oldest_sent_at) is not None:
                times.append(sent_at + _STALLED)
        return min((it for it in times if it is not None), default=None)

    def take_acts(self) -> list[Act]:
        """Return what is to be done with the socket, in this order, and forget it."""
        acts, self._acts = self._acts, []
        return acts

    def take_changes(self) -> list[changes.Change]:
        """Return what has changed, in this order, and forget it."""
        changed, self._changes = self._changes, []
        return changed

    def clock(self, wall: float, now: float) -> None:
        """Learn what the clock on the wall shows, in seconds since 1970."""
        self._wall = wall - now

    # --- What the person does -------------------------------------------------------------------------

    def enter(self, nickname: str, password: str, now: float) -> None:
        """Ask for a nickname; an empty password is none."""
        if not self._can(Happening.ENTER):
            return
        # Who comes in under another name does not read what the one before had in private.
        is_other = fold(nickname) != fold(self.chat.oneself.nickname)
        if self.state is TalkState.OUTSIDE and self.chat.oneself.nickname and is_other:
            self.chat.clear()
        self.explanation = self.refusal = self.ending = self.trouble = ""
        self.suggestions = []
        self._asked_for = (nickname, password)
        self._pauses.reset()
        self._go(Happening.ENTER, now)

    def write(self, to: str, text: str, now: float) -> None:
        """Write to everybody in the room that is shown, or to one (``to``).

        What is written without a connection is sent later. Raises NotWritten where it is not taken.
        """
        said = frames.as_kept(text).strip("\n")
        if not self.is_member or self.state is TalkState.LEAVING:
            raise NotWritten("You are not in the chat: it was not sent.")
        if not frames.is_visible(said):
            raise NotWritten("There is nothing to see in it, so it was not sent.")
        if (lines := said.count("\n") + 1) > frames.MOST_LINES:
            raise NotWritten(f"{lines} lines are too many: send {frames.MOST_LINES} at most.")
        if (excess := frames.weight(said) - frames.MOST_BYTES) > 0:
            raise NotWritten(f"Too long by {words.count_of(excess, 'byte')}.")
        if self.chat.waiting >= MOST_WAITING:
            raise NotWritten("Too many messages wait to be sent. Please wait a moment.")
        shown = self.chat.shown
        # Private messages are the chat's: the lobby answers for them.
        room = self.chat.lobby if to else shown
        room.own_messages.add(to, said, self._at(now), shown.name)
        shown.unmark()
        self._changed(changes.StatusChanged())
        if self.is_inside:
            self._send_waiting(now)

    def leave(self, now: float) -> None:
        """Go; or stop trying to come in."""
        if self._can(Happening.LEAVE):
            self._go(Happening.LEAVE, now)
        elif self._can(Happening.GAVE_UP):
            self._go(Happening.GAVE_UP, now, words.ended("left") if self.is_member else "")

    def rename(self, nickname: str, now: float) -> None:
        """Go, and come in under another name."""
        if self._can(Happening.LEAVE):
            self._next = (nickname, [it.name for it in self.chat.rooms if it.name])
            self._go(Happening.LEAVE, now)

    def join(self, name: str) -> None:
        """Come into a further room, as soon as one is in the chat, and show it."""
        is_known = self.chat.room(name) is not None
        self.chat.have([name])
        self._parted.discard(name)
        room = self.chat.room(name)
        assert room is not None
        self.chat.show(room)
        if not is_known and self.is_inside:
            self._send(type="join", room=name)

    def come_into(self, names: Sequence[str]) -> None:
        """Come into further rooms, and show the first."""
        for name in reversed(names):
            self.join(name)

    def part(self, name: str, now: float) -> None:
        """Leave a further room."""
        if not self.chat.lose(name, self._at(now)):
            return
        if self.is_inside:
            self._send(type="part", room=name)
        else:
            self._parted.add(name)

    def ask_rooms(self) -> None:
        """Ask which further rooms there are."""
        if self.is_inside and not self.chat.is_listing:
            self.chat.is_listing = True
            self._send(type="rooms")

    def look_back(self) -> bool:
        """Ask for what was said before, in the room that is shown. Return whether there may be something."""
        shown = self.chat.shown
        wanted = shown.log.has_space_before and shown.back.want_earlier()
        self._ask_back()
        return wanted

    def search(self, text: str) -> None:
        """Ask where a text was said, in the room that is shown; an empty one ends the search."""
        self.chat.shown.back.want_search(text)
        self._ask_back()

    def search_on(self) -> None:
        """Ask for more of what is searched for."""
        self.chat.shown.back.want_more_found()
        self._ask_back()

    def moderate(self, act: dict[str, object]) -> bool:
        """Moderate the room that is shown; False where there is no connection."""
        if self.is_inside:
            self._send(type="moderate", **act, **self.chat.shown.address)
        return self.is_inside

    def close_chat(self) -> bool:
        """Close the whole chat, which its administrator may; False where there is no connection."""
        if self.is_inside:
            self._send(type="close")
        return self.is_inside

    def ask_account(self, frame: dict[str, object]) -> bool:
        """Ask for something about the account of one's nickname; False where there is no connection."""
        if self.is_inside:
            self._send(**frame)
        return self.is_inside

    def hurry(self, now: float) -> None:
        """Connect at once, where a pause is being made."""
        if self.state is TalkState.WAITING:
            self._go(Happening.DUE, now)

    # --- What the socket does -------------------------------------------------------------------------

    def opened(self, now: float) -> None:
        """Learn that the connection is open."""
        if self._can(Happening.OPENED):
            self._go(Happening.OPENED, now)

    def received(self, raw: str | bytes, now: float) -> None:
        """Take a frame of the service. What is none that this client knows is ignored."""
        self._pulse.heard(now)
        match frames.read(raw):
            case None:
                pass
            case frames.WelcomeFrame() as frame if self.state is TalkState.ASKING:
                self._welcomed(frame, now)
            case frames.RefusedFrame() as frame if self.state is TalkState.ASKING:
                self._refused(frame, now)
            case frames.ErrorFrame(reason=reason) if self.state is TalkState.ASKING:
                self._refused(frames.RefusedFrame(reason), now)
            case frames.KickedFrame(reason=reason):
                self._dismissal = (reason, 0)
            case frames.BannedFrame(reason=reason, until=end):
                self._dismissal = (reason, end)
            case frame if self.state in (TalkState.INSIDE, TalkState.LEAVING):
                self._take(frame, now)
        self._look_stalled(now)

    def closed(self, code: int | None, reason: str, now: float, trouble: str = "") -> None:
        """Learn that the connection is closed, or was not opened, and why in words."""
        reason = frames.harmless(reason).replace(
            "\n", " "
        )  # it is no frame, and whoever answers there wrote it
        if self.state in (TalkState.OUTSIDE, TalkState.WAITING):
            return
        closer = self.chat.lobby.closer
        if closer is not None:
            self.ending = "chat_closed"
            is_own = self.chat.oneself.is_called(closer)
            self._go(Happening.ENDED, now, words.closed_by(closer, is_own))
        elif code in (_OVER, _STAY_AWAY):
            why, end = self._dismissal if reason in ("kicked", "banned") else ("", 0)
            self._dismissal = ("", 0)
            self.ending = reason or str(code)
            self._go(Happening.ENDED, now, words.ended(reason, why, end))
        else:
            was_inside = self.is_inside
            self.trouble = words.LOST.get(reason) or trouble or "Connection lost."
            self._go(Happening.BROKE, now)
            if was_inside:
                told = f"{self.trouble} Connecting again. What you write is sent then."
                self.chat.shown.notice(told, self._at(now), is_grave=True)

    def due(self, now: float) -> None:
        """Do what is due."""
        if self._state_ends is not None and now >= self._state_ends:
            if self.state is TalkState.WAITING:
                self._go(Happening.DUE, now)
            elif self.state is TalkState.LEAVING:
                self._go(Happening.GAVE_UP, now)
            else:
                self._break("The service did not answer in time.", now)
        silence = self._pulse.deadline if self.is_inside else None
        if silence is not None and now >= silence:
            if self._pulse.is_asked:
                self._break("The service was not heard any more.", now)
            else:
                self._pulse.asked(now)
                self._send(type="ping")
        self._look_stalled(now)
        if self._confirms is not None and now >= self._confirms:
            self._confirm()
        if self._copies is not None and now >= self._copies:
            self._copies = None
            self.chat.give_up_copies(self._at(now))

    # --- From state to state --------------------------------------------------------------------------

    def _can(self, happening: Happening) -> bool:
        return happening in NEXT[self.state]

    def _go(self, happening: Happening, now: float, explanation: str = "") -> None:
        before = self.state
        self.state = after = NEXT[before][happening]
        patience = PATIENCE.get(after)
        self._state_ends = None if patience is None else now + patience
        if before is TalkState.INSIDE and after is not TalkState.LEAVING:
            self._interrupted(now)
        match after:
            case TalkState.OPENING:
                self._acts.append(OpenSocket())
            case TalkState.ASKING:
                self._acts.append(SendFrame(self._enter_frame()))
            case TalkState.LEAVING:
                self._confirm()
                self._send(type="leave")
            case TalkState.WAITING:
                self._state_ends = now + self._pauses.next()
            case TalkState.OUTSIDE:
                self._outside(before, happening, explanation, now)
        self._changed(changes.StatusChanged())

    def _outside(
        self, before: TalkState, happening: Happening, explanation: str, now: float
    ) -> None:
        self._acts.append(DropSocket())
        # What was refused stays refused, even when the connection has gone since.
        if before is not TalkState.REFUSED or explanation:
            self.explanation = explanation
        if before is TalkState.LEAVING:
            self.explanation, self.ending = words.ended("left"), "left"
        self._forget(now)
        if before is TalkState.LEAVING or happening is Happening.GAVE_UP:
            self.chat.clear()
        next_one, self._next = self._next, None
        if next_one is not None:
            nickname, rooms = next_one
            self.enter(nickname, "", now)
            self.chat.have(rooms)

    def _break(self, trouble: str, now: float) -> None:
        self._acts.append(DropSocket())
        self.closed(None, "", now, trouble)

    def _interrupted(self, now: float) -> None:
        if now - self._inside_since >= _SETTLED:
            self._pauses.reset()
        self._confirms = None
        self.chat.interrupted(self._at(now))

    def _forget(self, now: float) -> None:
        self._token = None
        self._asked_for = (self._asked_for[0], "")
        self._state_ends = self._confirms = self._copies = None
        self._parted.clear()
        self.chat.ended(self._at(now))

    # --- Frames ---------------------------------------------------------------------------------------

    def _welcomed(self, frame: frames.WelcomeFrame, now: float) -> None:
        self.trouble = ""
        self._token = frame.token
        self._asked_for = (frame.nickname, "")
        self._inside_since = now
        self._pulse.begin(frame.heartbeat, now)
        self._go(Happening.WELCOMED, now)
        self.chat.welcomed(frame, self._at(now))
        for name in sorted(self._parted):
            self._send(type="part", room=name)
        self._parted.clear()
        for room in self.chat.rooms:
            # The others were named on entering.
            if room.name and room.position is None:
                self._send(type="join", room=room.name)
        self._go_on_saying(now)

    def _refused(self, frame: frames.RefusedFrame, now: float) -> None:
        nickname, password = self._asked_for
        reason = frame.reason
        if reason == "banned":
            self._dismissal = ("", frame.until)
        if reason == "nickname_taken" and password:
            reason = "wrong_password"
        elif reason == "nickname_taken" and self.is_member:
            reason = "meanwhile"
        if self.is_member:
            self._forget(now)
        self.refusal = frame.reason
        self.suggestions = frame.suggestions
        self.explanation = words.refused(reason, nickname, frame.until)
        self._asked_for = (nickname, "")
        self._go(Happening.REFUSED, now)

    def _take(self, frame: frames.AnyFrame, now: float) -> None:
        self.chat.take(frame, self._at(now))
        if isinstance(frame, frames.RoomFrame):
            self._go_on_saying(now)
        elif isinstance(frame, frames.WhisperedFrame) and self._confirms is None:
            self._confirms = now + _CONFIRM
        elif isinstance(frame, _ASKS_BACK):
            self._ask_back()

    # --- Sending --------------------------------------------------------------------------------------

    def _enter_frame(self) -> dict[str, object]:
        nickname, password = self._asked_for
        frame: dict[str, object] = {"type": "enter", "nickname": nickname}
        if password:
            frame["password"] = password
        places = {
            it.name: {"epoch": it.position[0], "offset": it.position[1]}
            for it in self.chat.rooms
            if it.position is not None
        }
        lobby = places.pop("", None)
        if self._token is not None and lobby is not None:
            frame["resume"] = {"token": self._token, **lobby}
        return {**frame, "rooms": places} if places else frame

    def _go_on_saying(self, now: float) -> None:
        if any(room.own_messages.has_done for room in self.chat.rooms):
            self._copies = now + _COPY
        self._send_waiting(now)

    def _send_waiting(self, now: float) -> None:
        for room in self.chat.rooms:
            for it in room.own_messages.take_waiting(now) if room.is_in else ():
                if it.to:
                    self._send(type="whisper", id=it.id, to=it.to, text=it.text)
                else:
                    self._send(type="say", id=it.id, text=it.text, **room.address)

    def _ask_back(self) -> None:
        rooms = [it for it in self.chat.rooms if it.is_in]
        # One at a time, of all rooms.
        if not self.is_inside or any(it.back.is_asked for it in rooms):
            return
        for room in rooms:
            frame = room.back.take_frame()
            if frame is not None:
                self._send(**frame, **room.address)
                return

    def _confirm(self) -> None:
        self._confirms = None
        if self.chat.unconfirmed:
            self._send(type="received", count=self.chat.unconfirmed)
            self.chat.unconfirmed = 0

    def _send(self, **frame: object) -> None:
        self._acts.append(SendFrame(frame))

    # --- The rest -------------------------------------------------------------------------------------

    def _look_stalled(self, now: float) -> None:
        sent_at = self.chat.oldest_sent_at if self.is_inside else None
        is_stalled = sent_at is not None and now >= sent_at + _STALLED
        if is_stalled is not self._is_stalled:
            self._is_stalled = is_stalled
            self._changed(changes.StatusChanged())

    def _at(self, now: float) -> int:
        return round((now + self._wall) * 1000)

    def _changed(self, change: changes.Change) -> None:
        self._changes.append(change)
