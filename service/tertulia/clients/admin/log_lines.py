"""What happened in a room, for people and for programs."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Final

from tertulia.chat.ports import Entry
from tertulia.clients.admin.durations import iso, local
from tertulia.clients.admin.tables import printable
from tertulia.domain.events import Closed, Joined, Left, Present, Said, Withdrawn
from tertulia.domain.text import with_line_feeds
from tertulia.operators.overview import configured

_ARRIVALS: Final = {"joined": "came", "back": "is back", "present": "is here"}


@dataclass(frozen=True, slots=True)
class LogLine:
    """One thing that happened."""

    at: int
    """Milliseconds since 1970."""
    offset: int
    event: str
    """joined, back, present, left, said, withdrawn, closed; or what an operator or a moderator did."""
    nickname: str
    """The person it is about; empty where it is about nobody."""
    node: str | None
    dialect: str | None
    text: str
    by: str | None
    """The operator, or the moderator, who did it."""
    index: int | None = None
    """Of a message: its index among those of its offset."""
    value: str | None = None
    """Of what moderators do: for how long, on or off, or which message."""

    def record(self) -> dict[str, object]:
        """Return it for programs."""
        return {**asdict(self), "at": iso(self.at)}

    def line(self, *, with_place: bool = False) -> str:
        """Return it for people. ``with_place``: where a message stands in the log."""
        place = ""
        if with_place:
            place = "" if self.index is None else f"{self.offset}.{self.index}"
            place = f"{place:>12}  "
        return f"{local(self.at)}  {place}{printable(self._words())}"

    def _words(self) -> str:
        if self.by is not None:
            about = " ".join(part for part in (self.event, self.nickname, self.value) if part)
            return f"*** {self.by}: {about}" + (f" ({self.text})" if self.text else "")
        if self.event == "said":
            return f"{self.nickname}: {self.text}"
        if self.event == "withdrawn":
            return f"{self.nickname}: [withdrawn by a moderator]"
        if verb := _ARRIVALS.get(self.event):
            return f"--> {self.nickname} {verb} ({self.dialect}, {self.node})"
        if self.event == "left":
            return f"<-- {self.nickname} went"
        return f"*** {self.nickname} closed the chat"


def log_lines(entries: Iterable[Entry]) -> Iterator[LogLine]:
    """Give what happened in these entries, in order."""
    for entry in entries:
        at, offset = round(entry.position.at * 1000), entry.position.offset
        messages = 0
        for command in entry.operator_commands:
            yield LogLine(
                at, offset, command.action.value, command.subject, None, None, command.text, command.by,
                value=command.value or None,
            )  # fmt: skip
        for event in entry.events:
            node, dialect, text = configured(event.session.rpartition(":")[0]) or None, None, ""
            index = None
            match event:
                case Said(text=said):
                    kind, text = "said", with_line_feeds(said)
                case Withdrawn():
                    kind = "withdrawn"
                case Joined(dialect=spoken, was=was):
                    kind, dialect = "back" if was else "joined", spoken
                case Present(dialect=spoken):
                    kind, dialect = "present", spoken
                case Left():
                    kind = "left"
                case Closed():
                    kind = "closed"
                case _:
                    continue  # the command beside it says it
            if kind in ("said", "withdrawn"):
                index, messages = messages, messages + 1
            yield LogLine(at, offset, kind, event.nickname, node, dialect, text, None, index)
