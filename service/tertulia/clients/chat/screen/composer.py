"""The field in which one writes: Enter sends, Tab completes, the arrow up brings the own last lines back."""

from collections.abc import Callable, Mapping
from typing import Final

from textual import events
from textual.widgets import TextArea

from tertulia.clients.chat.completion import Completion
from tertulia.clients.chat.frames import as_kept

_REMEMBERED: Final = 100
"""Own last lines."""


class Composer(TextArea):
    """One message, of one line or several.

    Its keys are taken here, in the order in which they come, and not as bindings: those may overtake what
    was typed before them, so that a text would be cut, or said in another room.
    """

    def __init__(
        self,
        completing: Callable[[str], Completion | None],
        submit: Callable[[str], None],
        others: Mapping[str, Callable[[], None]],
    ) -> None:
        """``others``: what further keys do."""
        super().__init__(id="composer", soft_wrap=True, highlight_cursor_line=False)
        self._completing = completing
        self._completion: tuple[Completion, int, str] | None = None
        """What is gone through, where one is in it, and what was typed."""
        self._sent: list[str] = []
        self._recalled: int | None = None
        self._draft = ""
        self._keys: dict[str, Callable[[], None]] = {
            "enter": lambda: submit(self.text),
            "ctrl+j": self._new_line,
            "shift+enter": self._new_line,
            "alt+enter": self._new_line,
            "tab": lambda: self._complete(1),
            "shift+tab": lambda: self._complete(-1),
            "up": self._up,
            "down": self._down,
            **others,
        }

    @property
    def before_cursor(self) -> str:
        """What stands before the cursor."""
        return self.get_text_range((0, 0), self.cursor_location)

    def put(self, text: str) -> None:
        """Have a text, with the cursor behind it."""
        self.text = text
        self.move_cursor(self.document.end)

    def sent(self, text: str) -> None:
        """Note that a text was sent, and be empty."""
        if text.strip() and (not self._sent or self._sent[-1] != text):
            self._sent = [*self._sent, text][-_REMEMBERED:]
        self._recalled = None
        self.put("")

    def forget(self) -> None:
        """Remember no lines: they were written to others."""
        self._sent.clear()
        self._recalled = None

    def _new_line(self) -> None:
        self.insert("\n")

    def _complete(self, step: int) -> None:
        """Complete the word before the cursor; again: the next one, and then what was typed."""
        if self._completion is None:
            found = self._completing(self.before_cursor)
            if found is None:
                if step > 0:
                    self.screen.focus_next()
                else:
                    self.screen.focus_previous()
                return
            typed = self.before_cursor[len(self.before_cursor) - found.length :]
            self._completion = (found, -1 if step > 0 else len(found.options), typed)
        completion, index, typed = self._completion
        index += step
        options = completion.options
        current = typed if not 0 <= index - step < len(options) else options[index - step]
        wanted = typed if not 0 <= index < len(options) else options[index]
        row, column = self.cursor_location
        self.replace(wanted, (row, column - len(current)), (row, column))
        self.move_cursor((row, column - len(current) + len(wanted)))
        self._completion = (
            None if wanted == typed or len(options) == 1 else (completion, index, typed)
        )

    def _up(self) -> None:
        """Bring the line before back, where the cursor is in the first row."""
        if self.cursor_location[0] > 0 or not self._sent or (self.text and self._recalled is None):
            self.action_cursor_up()
            return
        if self._recalled is None:
            self._draft, self._recalled = self.text, len(self._sent)
        self._recalled = max(0, self._recalled - 1)
        self.put(self._sent[self._recalled])

    def _down(self) -> None:
        """Bring the line after back."""
        if self._recalled is None or self.cursor_location[0] < self.document.line_count - 1:
            self.action_cursor_down()
            return
        self._recalled += 1
        if self._recalled >= len(self._sent):
            self._recalled = None
            self.put(self._draft)
        else:
            self.put(self._sent[self._recalled])

    async def _on_key(self, event: events.Key) -> None:
        if event.key not in ("tab", "shift+tab"):
            self._completion = None
        act = self._keys.get(event.key)
        if act is None:
            if event.is_printable:
                self._recalled = None
            await super()._on_key(event)
        else:
            act()
            event.stop()
        # Textual calls the method of each class; this one has called the other.
        event.prevent_default()

    async def _on_paste(self, event: events.Paste) -> None:
        # What a clipboard has may be anything; a terminal brings CR between lines.
        await super()._on_paste(events.Paste(as_kept(event.text).replace("\t", "    ")))
        event.stop()
        event.prevent_default()
