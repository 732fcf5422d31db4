"""``tertulia chat --plain``: lines in, lines out, for pipes and screen readers.

Each line that comes out begins with its room; what the program says by itself goes on with ``--``. A text of
several lines comes out as several. No line has a control character.
"""

import asyncio
import signal
from collections.abc import Callable
from typing import Final

from tertulia.clients.chat import changes, words
from tertulia.clients.chat.commands import known_to
from tertulia.clients.chat.connection import TalkConnection, now
from tertulia.clients.chat.frames import is_visible
from tertulia.clients.chat.known_room import KnownRoom
from tertulia.clients.chat.plain_options import PlainOptions
from tertulia.clients.chat.room_log import Fate, Kind, Line
from tertulia.clients.chat.talk import Talk
from tertulia.clients.chat.way import TalkState
from tertulia.clients.chat.writing import NotDone, Writing, is_command
from tertulia.clients.device.terminal import Terminal

_AHEAD: Final = 64
"""Messages that may wait for their answers before no more lines are read."""
_FATES: Final = {
    Fate.SENT: "",
    Fate.KEPT: " (is away and will get it on coming back)",
    Fate.UNANSWERED: " (sent; the connection broke before the answer came)",
    Fate.UNDELIVERED: " (not delivered)",
}


class PlainChat:
    """One person at lines. ``over`` is set when there is nothing more to do."""

    def __init__(self, talk: Talk, terminal: Terminal, options: PlainOptions) -> None:
        self.over = asyncio.Event()
        self.has_failed = False
        """Whether something was not said."""
        self.poke: Callable[[], None] = lambda: None
        """To be called when something was done."""
        self._talk = talk
        self._terminal = terminal
        self._options = options
        self._writing = Writing(talk, self)
        self._progress = asyncio.Event()
        self._wants_rooms = False
        self._found = 0

    async def read(self) -> None:
        """Do what is written, line by line; at the end leave, once it is known what became of all of it."""
        await self._until(self._is_ready)
        while (line := await self._terminal.line()) is not None:
            await self._until(self._is_ready)
            if is_command(line):
                # It may be about what was said before, as a search is.
                await self._until(lambda: not self._talk.chat.waiting)
            if is_visible(line):
                try:
                    self._writing.do(line, now())
                except NotDone as error:
                    self.has_failed = True
                    self._note(str(error))
            self.poke()
            await self._until(lambda: self._talk.chat.waiting < _AHEAD)
        await self._until(self._is_done)
        self.leave()

    def leave(self) -> None:
        """Leave, or stop trying to come in."""
        self._talk.leave(now())
        self.poke()

    def changed(self) -> None:
        """Write what has changed."""
        chat = self._talk.chat
        for change in self._talk.take_changes():
            match change:
                case changes.LineAdded(name, seq):
                    room = chat.room(name)
                    line = room.log.line(seq) if room is not None else None
                    if room is not None and line is not None:
                        self._write(room, line)
                case changes.Passed(name, nickname, came) if self._options.joins:
                    self._note(f"{nickname} {'joined' if came else 'left'}", name)
                case changes.SearchChanged(name):
                    self._show_found(name)
                case changes.RoomsChanged() if self._wants_rooms and not chat.is_listing:
                    self._wants_rooms = False
                    self._show_listed()
        self._progress.set()
        if self._talk.state in (TalkState.OUTSIDE, TalkState.REFUSED):
            self.over.set()

    # --- What commands show ---------------------------------------------------------------------------

    def show_help(self) -> None:
        """Show which commands there are."""
        for command in known_to(self._talk.chat.shown.rules.is_moderator).values():
            self._note(f"{command.usage}: {command.help}")
        self._note("Any other line is said. To say a line that begins with /, begin with //.")

    def show_rooms(self) -> None:
        """Ask which rooms there are; they are shown when the answer comes."""
        self._wants_rooms = True
        self._talk.ask_rooms()

    def show_people(self) -> None:
        """Show who is in the room."""
        room = self._talk.chat.shown
        people = list(room.people.values())
        self._note(
            f"{words.count_of(len(people), 'person', 'people')}: {', '.join(people)}", room.name
        )

    def show_account(self) -> None:
        """Say where accounts are looked after: what is typed here, one sees."""
        self._note("Accounts are looked after on the full screen, and on the page.")

    def show_search(self, text: str) -> None:
        """Search; what is found is shown when it comes."""
        if not self._talk.chat.shown.back.is_told:
            self._note("This service does not tell what was said before.")
        elif text:
            self._found = 0
            self._talk.search(text)

    def _show_listed(self) -> None:
        listed = self._talk.chat.listed or []
        for room in listed:
            topic = f": {room.topic}" if room.topic else ""
            people = words.count_of(room.members, "person", "people")
            self._note(f"{words.room_name(room.room)}, {people}{topic}")
        if not listed:
            self._note("There are no other rooms yet. /join #NAME opens one.")

    def _show_found(self, name: str) -> None:
        room = self._talk.chat.room(name)
        search = room.back.search if room is not None else None
        if room is None or search is None or room.back.is_searching:
            return
        for it in search.messages:
            text = words.REDACTED if it.redacted else it.text
            self._say(room, f"found, {words.moment(it.at)}, {it.nickname}", text)
        self._note(f"{words.count_of(len(search.messages), 'message')} found.", name)
        if not search.is_over:
            self._note("There may be more, further back: search for more words.", name)
        self._talk.search("")

    # --- Lines out ------------------------------------------------------------------------------------

    def _write(self, room: KnownRoom, line: Line) -> None:
        match line.kind:
            case _ if line.is_past and line.kind is Kind.SAID and not self._options.past:
                return
            case Kind.BEGINNING if not self._options.past:
                return
            case Kind.NOTICE | Kind.BEGINNING:
                self._note(line.text, room.name)
            case Kind.FAILED:
                self.has_failed = True
                self._note(f"{line.detail}: {line.text}", room.name)
            case Kind.SAID | Kind.WHISPERED if line.is_from_here and not self._options.echoes:
                if line.fate is not Fate.SENT:
                    self._note(f"{line.to}{_FATES[line.fate]}", room.name)
            case Kind.SAID:
                earlier = f"earlier, {words.moment(line.at)}, " if line.is_past else ""
                text = words.REDACTED if line.is_redacted else line.text
                self._say(room, f"{self._time(line)}{earlier}{line.nickname}", text)
            case Kind.WHISPERED if line.is_own:
                text = f"{line.text}{_FATES[line.fate]}"
                self._say(None, f"{self._time(line)}to {line.to}", text)
            case Kind.WHISPERED:
                self._say(None, f"{self._time(line)}{line.nickname}", line.text)

    def _say(self, room: KnownRoom | None, who: str, text: str) -> None:
        where = "private" if room is None else room.written
        shown = text if is_visible(text) else words.BLANK
        self._terminal.write(*(f"[{where}] {who}: {it}" for it in shown.split("\n")))

    def _note(self, text: str, room: str | None = None) -> None:
        where = "" if room is None else f"[{words.room_name(room)}] "
        # A line of it could pass for somebody's.
        self._terminal.write(f"{where}-- {text.replace(chr(10), ' ⏎ ')}")

    def _time(self, line: Line) -> str:
        shows = self._options.times and not line.is_past
        return f"{words.clock_time(line.at)} " if shows else ""

    # --- Waiting --------------------------------------------------------------------------------------

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._progress.clear()
            await self._progress.wait()

    def _is_ready(self) -> bool:
        return self._talk.is_inside and all(it.is_in for it in self._talk.chat.rooms)

    def _is_done(self) -> bool:
        chat = self._talk.chat
        is_asked = chat.is_listing or any(it.back.is_asked for it in chat.rooms)
        return not chat.waiting and not (is_asked and self._talk.is_inside)


async def chat_plainly(
    talk: Talk, connect: Callable[[Callable[[], None]], TalkConnection], options: PlainOptions
) -> bool:
    """Chat until there is nothing more to do. Return whether all went well.

    ``connect`` makes the connection, of which each change is told.
    """
    loop = asyncio.get_running_loop()
    async with Terminal() as terminal:
        plain = PlainChat(talk, terminal, options)

        def changed() -> None:
            plain.changed()
            # Who was never in is told at once why, and does not wait for a service that may not be there.
            is_waiting = talk.state is TalkState.WAITING and not talk.is_member
            if is_waiting and connection.failures >= options.tries:
                plain.over.set()

        connection = connect(changed)
        plain.poke = connection.poke
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, plain.leave)
        tasks = [asyncio.create_task(it) for it in (connection.run(), plain.read())]
        over = asyncio.create_task(plain.over.wait())
        done, _ = await asyncio.wait([*tasks, over], return_when=asyncio.FIRST_COMPLETED)
        if over not in done and tasks[1] in done and tasks[1].exception() is None:
            await asyncio.wait([over, tasks[0]], return_when=asyncio.FIRST_COMPLETED)
        for task in [*tasks, over]:
            task.cancel()
        for result in await asyncio.gather(*tasks, over, return_exceptions=True):
            if isinstance(result, Exception):
                raise result
    return not plain.has_failed
