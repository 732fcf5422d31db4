"""The log of the room that is shown: follows what comes, and looks back where one scrolls up."""

from bisect import bisect_right
from collections.abc import Callable
from typing import ClassVar, Final

from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip

from tertulia.clients.chat.known_room import KnownRoom
from tertulia.clients.chat.preferences import Preferences
from tertulia.clients.chat.room_log import Line
from tertulia.clients.chat.screen.drawing import NAMES, Drawing, LogRow

_PARTS: Final = (
    "day",
    "mark",
    "time",
    "notice",
    "grave",
    "own",
    "operator",
    "private",
    "past",
    "link",
    "code",
    "named",
    *(f"name-{it}" for it in range(NAMES)),
)


class LogView(ScrollView, can_focus=True):
    """Rows of the lines of one room."""

    ALLOW_SELECT = True
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"log--{it}" for it in _PARTS}

    class ReachedTop(Message):
        """The reader wants what was said before."""

    class Moved(Message):
        """The reader is at the end, or is not there any more."""

    class LinkChosen(Message):
        """The reader clicked on a link."""

        def __init__(self, href: str) -> None:
            super().__init__()
            self.href = href

    def __init__(self, preferences: Preferences, nickname: Callable[[], str]) -> None:
        super().__init__(id="log")
        self.is_at_end = True
        """Whether the latest row is in sight, so that what comes is followed."""
        self._preferences = preferences
        self._nickname = nickname
        self._room: KnownRoom | None = None
        self._rows: list[LogRow] = []
        self._starts: list[int] = []
        """The row with which each line begins; the first is the log's first."""
        self._first = 0
        """The number of the first line that is drawn."""
        self._drawn_width = 0
        self._drawing: Drawing | None = None
        self._drawn_for = ""
        """One's nickname, as the drawing has it."""

    # --- What is shown --------------------------------------------------------------------------------

    def show(self, room: KnownRoom) -> None:
        """Show a room, from its end."""
        self._room = room
        self.is_at_end = True
        self.redraw()

    def redraw(self) -> None:
        """Draw all anew."""
        room = self._room
        self._rows, self._starts = [], []
        self._drawn_width = self._width
        if room is None or not self._drawn_width:
            return
        self._first = room.log.first
        self._drawing = None
        before = None
        for line in room.log:
            self._starts.append(len(self._rows))
            self._rows += self._rows_of(line, before)
            before = line
        self._resized()

    def added(self, seq: int) -> None:
        """Draw a line that is new at the end."""
        room = self._room
        if room is None or not self._drawn_width:
            return
        if room.log.first != self._first or seq != self._first + len(self._starts):
            if seq >= self._first + len(self._starts) or room.log.first != self._first:
                self.redraw()
            return
        line = room.log.line(seq)
        if line is not None:
            self._starts.append(len(self._rows))
            self._rows += self._rows_of(line, room.log.line(seq - 1))
            self._resized()

    def changed(self, seq: int) -> None:
        """Draw a line anew."""
        room = self._room
        index = seq - self._first
        line = room.log.line(seq) if room is not None else None
        if room is None or line is None or not 0 <= index < len(self._starts):
            return
        start = self._starts[index]
        is_last = index + 1 == len(self._starts)
        end = len(self._rows) if is_last else self._starts[index + 1]
        fresh = self._rows_of(line, room.log.line(seq - 1))
        self._rows[start:end] = fresh
        more = len(fresh) - (end - start)
        if more:
            self._starts[index + 1 :] = [it + more for it in self._starts[index + 1 :]]
        self._resized()

    def preceded(self) -> None:
        """Draw older lines before the first one; the place in sight stays."""
        rows = len(self._rows)
        y = self.scroll_offset.y
        was_at_end = self.is_at_end and self.max_scroll_y > 0
        self.redraw()
        if not was_at_end:
            self.is_at_end = False
            self.scroll_to(y=y + len(self._rows) - rows, animate=False, immediate=True)

    def to_end(self) -> None:
        """Go to the latest row."""
        self.is_at_end = True
        self.scroll_end(animate=False, immediate=True, x_axis=False)

    def place_of(self, seq: int) -> int | None:
        """Return the row with which a line begins."""
        index = seq - self._first
        return self._starts[index] if 0 <= index < len(self._starts) else None

    def go_to(self, seq: int) -> None:
        """Bring a line into sight."""
        row = self.place_of(seq)
        if row is not None:
            self.is_at_end = False
            self.scroll_to(y=max(0, row - self.size.height // 3), animate=False, immediate=True)

    def line_at(self, row: int) -> Line | None:
        """Return the line to which a row belongs."""
        index = bisect_right(self._starts, row) - 1
        return None if self._room is None or index < 0 else self._room.log.line(self._first + index)

    @property
    def plain(self) -> str:
        """All rows, as they are read."""
        return "\n".join(it.text.plain.rstrip() for it in self._rows)

    @property
    def _width(self) -> int:
        return self.scrollable_content_region.width

    def _rows_of(self, line: Line, before: Line | None) -> list[LogRow]:
        if self._drawing is None or self._drawn_for != self._nickname():
            self._drawn_for = self._nickname()
            parts = {it: self.get_component_rich_style(f"log--{it}", partial=True) for it in _PARTS}
            self._drawing = Drawing(self.app.console, parts, self._preferences, self._drawn_for)
        is_marked = self._room is not None and self._room.mark == line.seq
        return self._drawing.rows_of(line, before, is_marked, self._drawn_width)

    def _resized(self) -> None:
        self.virtual_size = Size(self._drawn_width, len(self._rows))
        if self.is_at_end:
            self.scroll_end(animate=False, immediate=True, x_axis=False)
        self.refresh()

    # --- What Textual asks ----------------------------------------------------------------------------

    def notify_style_update(self) -> None:
        """Draw in other colours."""
        super().notify_style_update()
        self.redraw()

    def on_resize(self, _event: events.Resize) -> None:
        """Draw in another width."""
        if self._width != self._drawn_width:
            self.redraw()
        elif self.is_at_end:
            self.scroll_end(animate=False, immediate=True, x_axis=False)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Learn where the reader is."""
        super().watch_scroll_y(old_value, new_value)
        was_at_end, self.is_at_end = self.is_at_end, self.is_vertical_scroll_end
        if was_at_end != self.is_at_end:
            self.post_message(self.Moved())
        if new_value <= 0 and old_value > new_value:
            self.post_message(self.ReachedTop())

    def on_mouse_scroll_up(self, _event: events.MouseScrollUp) -> None:
        """Look back also where there is nothing to scroll yet."""
        if self.scroll_offset.y <= 0:
            self.post_message(self.ReachedTop())

    def action_scroll_up(self) -> None:
        self._reach_top()
        super().action_scroll_up()

    def action_page_up(self) -> None:
        """Scroll up, or look back where one is at the top."""
        self._reach_top()
        super().action_page_up()

    def _reach_top(self) -> None:
        if self.scroll_offset.y <= 0:
            self.post_message(self.ReachedTop())

    def on_click(self, event: events.Click) -> None:
        """Take a click on a link."""
        href = event.style.meta.get("href")
        if isinstance(href, str):
            self.post_message(self.LinkChosen(href))

    def render_line(self, y: int) -> Strip:
        """Return a row as it is drawn."""
        row = self.scroll_offset.y + y
        style = self.rich_style
        width = self.size.width
        if row >= len(self._rows):
            return Strip.blank(width, style)
        text = self._rows[row].text.copy()
        text.stylize_before(style)
        selection = self.text_selection
        if selection is not None and (span := selection.get_span(row)) is not None:
            start, end = span
            chosen = self.screen.get_component_rich_style("screen--selection")
            text.stylize(chosen, start, len(text) if end == -1 else end)
        strip = Strip(text.render(self.app.console), text.cell_len)
        return strip.crop_extend(0, width, style).apply_offsets(0, row)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """Return what is selected: a line that was wrapped is one again."""
        taken = ""
        for number, row in enumerate(self._rows):
            span = selection.get_span(number)
            if span is None:
                continue
            start, end = span
            plain = row.text.plain
            part = plain[start:] if end == -1 else plain[start:end]
            is_continued = taken and number > 0 and not self._rows[number - 1].is_end
            if taken:
                taken += " " if is_continued else "\n"
            taken += part.strip() if is_continued else part.rstrip()
        return (taken, "\n") if taken else None

    def selection_updated(self, selection: Selection | None) -> None:
        """Draw what is selected."""
        self.refresh()
