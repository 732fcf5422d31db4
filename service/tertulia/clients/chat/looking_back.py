"""How far back one knows what was said in a room, and what of it is asked for: one thing at a time."""

from dataclasses import dataclass, field

from tertulia.clients.chat.frames import FoundFrame, PastFrame, PastSaid, Seated
from tertulia.clients.chat.room_log import LogPlace


@dataclass(slots=True)
class Searched:
    """A text that is searched for, and what was found, oldest first."""

    text: str
    messages: list[PastSaid] = field(default_factory=list)
    before: LogPlace | None = None
    is_over: bool = False
    """Whether the log begins there."""


class LookingBack:
    """Asks for what was said before the oldest message that is known, and where a text was said."""

    def __init__(self) -> None:
        self.is_told = False
        """Whether the service tells what was said before."""
        self.is_whole = False
        """Whether the log begins where one has come."""
        self.search: Searched | None = None
        self._asked = ""
        self._wanted: list[str] = []
        self._awaits_newcomers = False
        """Whether what newcomers read is still to come: it is no answer."""
        self._is_anew = False
        """Whether nothing is here to look back from but what newcomers read."""
        self._epoch = ""
        self._from: LogPlace | None = None
        """Down to where one knows everything."""

    @property
    def is_asked(self) -> bool:
        """Whether an answer is waited for."""
        return self._asked != ""

    @property
    def is_reading(self) -> bool:
        """Whether something earlier is waited for."""
        return self._asked == "history" or "history" in self._wanted

    @property
    def is_searching(self) -> bool:
        """Whether something that is searched for is waited for."""
        return self._asked == "search" or "search" in self._wanted

    @property
    def has_earlier(self) -> bool:
        """Whether there may be something earlier to ask for."""
        return (
            self.is_told
            and not self._awaits_newcomers
            and not self.is_whole
            and self._from is not None
        )

    def welcomed(
        self, frame: Seated, oldest: tuple[str, LogPlace] | None, is_from_beginning: bool
    ) -> None:
        """Take a welcome: everything from a place on is known, or will be.

        ``oldest``: the epoch and the place of the oldest message that is still here; whether it is the log's
        first.
        """
        self.is_told = frame.history > 0
        self._awaits_newcomers = self.is_told and not frame.resumed
        self._is_anew = oldest is None or oldest[0] != frame.epoch
        if oldest is None or self._is_anew:
            self._epoch, self._from = frame.epoch, LogPlace(frame.offset + 1, 0)
            self.is_whole = False
        elif self._from is None or self._epoch != frame.epoch:
            self._epoch, self._from = oldest
            self.is_whole = is_from_beginning

    def interrupted(self) -> None:
        """Note that the connection is gone: what was asked for will not come."""
        self._asked = ""
        self._awaits_newcomers = False
        self._wanted.clear()

    def ended(self) -> None:
        """Forget everything."""
        self.interrupted()
        self.is_told = self.is_whole = False
        self._from = self.search = None

    def want_earlier(self) -> bool:
        """Ask for what was said before. Return whether there may be something."""
        if not self.has_earlier:
            return False
        if not self.is_reading:
            self._wanted.append("history")
        return True

    def want_search(self, text: str) -> None:
        """Ask where a text was said; an empty one ends the search."""
        self.search = Searched(text) if text else None
        self._wanted = [it for it in self._wanted if it != "search"]
        if text and self.is_told:
            self._wanted.append("search")

    def want_more_found(self) -> None:
        """Ask where else, further back."""
        if self.search is not None and not self.search.is_over and not self.is_searching:
            self._wanted.append("search")

    def take_frame(self) -> dict[str, object] | None:
        """Return what is to be sent, and take it as sent; None where there is nothing, or not yet."""
        if self._asked or not self._wanted:
            return None
        self._asked = self._wanted.pop(0)
        if self._asked == "history" and self._from is not None:
            return {"type": "history", "before": self._from.offset, "index": self._from.index}
        if self.search is None:
            self._asked = ""
            return None
        frame: dict[str, object] = {"type": "search", "text": self.search.text}
        if self.search.before is not None:
            frame |= {"before": self.search.before.offset, "index": self.search.before.index}
        return frame

    def came(self, frame: PastFrame) -> bool:
        """Take what was said before. Return whether it was asked for, and so is earlier than all here."""
        is_answer = not self._awaits_newcomers and self._asked == "history"
        if is_answer:
            self._asked = ""
        self._awaits_newcomers = False
        is_of_this = self._epoch == frame.epoch
        place = LogPlace(frame.before, frame.index)
        if (
            (is_answer or self._is_anew)
            and is_of_this
            and (self._from is None or place < self._from)
        ):
            self._from = place
            self.is_whole = not frame.more
        elif is_answer:
            self.is_whole = True  # Redis lost what was before
        return is_answer and is_of_this

    def found(self, frame: FoundFrame) -> None:
        """Take what was found."""
        self._asked = ""
        search = self.search
        if search is None or search.text != frame.text:
            return
        search.messages[:0] = frame.messages
        search.before = LogPlace(frame.before, frame.index)
        search.is_over = not frame.more
        # A stretch of the log in which there is nothing is no answer yet.
        if frame.more and not search.messages:
            self.want_more_found()

    def withdraw(self, place: LogPlace) -> None:
        """Find a message no more: it was withdrawn."""
        if self.search is not None:
            self.search.messages = [
                it for it in self.search.messages if LogPlace(it.offset, it.index) != place
            ]

    def failed(self) -> None:
        """Note that the service refused what was asked."""
        self._asked = ""
