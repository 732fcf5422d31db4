"""What happened in a room, for people and for programs."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

from tertulia.chat.ports import Entry
from tertulia.clients.admin.durations import iso, local
from tertulia.clients.admin.tables import printable
from tertulia.domain.events import Closed, Joined, Left, Present, Said
from tertulia.operators.overview import configured


@dataclass(frozen=True, slots=True)
class LogLine:
    """One thing that happened."""

    at: int
    """Milliseconds since 1970."""
    offset: int
    event: str
    """joined, present, left, said, closed; or what an operator did."""
    nickname: str
    """The person it is about; empty where it is about nobody."""
    node: str | None
    dialect: str | None
    text: str
    by: str | None
    """The operator who did it."""

    def record(self) -> dict[str, object]:
        """Return it for programs."""
        return {**asdict(self), "at": iso(self.at)}

    def line(self) -> str:
        """Return it for people."""
        return f"{local(self.at)}  {printable(self._words())}"

    def _words(self) -> str:
        if self.by is not None:
            about = " ".join(part for part in (self.event, self.nickname) if part)
            return f"*** {self.by}: {about}" + (f" ({self.text})" if self.text else "")
        if self.event == "said":
            return f"{self.nickname}: {self.text}"
        if self.event in ("joined", "present"):
            verb = "came" if self.event == "joined" else "is here"
            return f"--> {self.nickname} {verb} ({self.dialect}, {self.node})"
        if self.event == "left":
            return f"<-- {self.nickname} went"
        return f"*** {self.nickname} closed the chat"


def log_lines(entries: Iterable[Entry]) -> Iterator[LogLine]:
    """Give what happened in these entries, in order."""
    for entry in entries:
        at, offset = round(entry.position.at * 1000), entry.position.offset
        for order in entry.orders:
            yield LogLine(
                at, offset, order.action.value, order.subject, None, None, order.text, order.by
            )
        for event in entry.events:
            node, dialect, text = configured(event.session.rpartition(":")[0]) or None, None, ""
            match event:
                case Said(text=said):
                    kind, text = "said", said
                case Joined(dialect=spoken):
                    kind, dialect = "joined", spoken
                case Present(dialect=spoken):
                    kind, dialect = "present", spoken
                case Left():
                    kind = "left"
                case Closed():
                    kind = "closed"
            yield LogLine(at, offset, kind, event.nickname, node, dialect, text, None)
