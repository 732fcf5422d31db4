"""What came together, in the order in which it is read."""

from collections.abc import Iterable

from tertulia.chat.fanout import Audience, News
from tertulia.chat.reader import Reader


class Turn:
    """Events for everybody, and letters and answers for some, until they are written.

    The one rule: everything is written in the order in which it came. Events go out before what comes after
    them, and what one session is to read goes out before later events. Clients count what they read, so they
    would take what is out of order for something else. Code that writes to a session in the room by another
    way, or ends it, flushes before. What comes together is one write: the events to everybody, the rest to
    each session.
    """

    __slots__ = ("_audience", "_events", "_own")

    def __init__(self, audience: Audience) -> None:
        self._audience = audience
        # What is somebody's own comes behind the events: those are not added to before it is written.
        self._events: list[News] = []
        self._own: dict[Reader, list[bytes]] = {}

    def events(self, news: News) -> None:
        """Add an entry's events, for everybody."""
        if self._own:
            self.flush()
        self._events.append(news)

    def letter(self, session: Reader, text: bytes) -> None:
        """Add a private message. What came before it counts as written from now on."""
        if self._events:
            self.flush()
        self._own.setdefault(session, []).append(text)

    def letters(self, texts: Iterable[tuple[Reader, bytes]]) -> None:
        """Add private messages or answers, in order. What came before them counts as written from now on."""
        if self._events:
            self.flush()
        own = self._own
        for session, text in texts:
            if session in own:
                own[session].append(text)
            else:
                own[session] = [text]

    answer = letter
    """Add an answer to a session."""

    def answer_together(self, session: Reader, text: bytes) -> None:
        """Add an answer to a session, which is one write with the events that came before it."""
        self._own.setdefault(session, []).append(text)

    def flush(self) -> None:
        """Write everything."""
        own = self._own
        if own:
            self._own = {}
        if self._events:
            events, self._events = self._events, []
            self._audience.tell(events, own)
        for session, texts in own.items():
            if text := texts[0] if len(texts) == 1 else b"".join(texts):
                session.write(text)
