"""What came together, in the order in which it is read."""

from tertulia.chat.fanout import Audience, News
from tertulia.chat.session import Session


class Turn:
    """Events for everybody, and letters and answers for some, until they are written.

    The one rule: what was said is written before anything else that comes after it, and what somebody is
    to read for himself before what is said after that. Clients count what they read, so what is out of
    order is taken for something else. Whoever writes to a session in the room by another way, or ends it,
    flushes before. What comes together is one write: the events to everybody, the rest to each session.
    """

    def __init__(self, audience: Audience) -> None:
        self._audience = audience
        # One of both is empty at any time: what comes of the other kind has this written.
        self._events: list[News] = []
        self._own: dict[Session, list[bytes]] = {}

    def events(self, news: News) -> None:
        """Add what everybody is to read of an entry."""
        if self._own:
            self.flush()
        self._events.append(news)

    def letter(self, session: Session, text: bytes) -> None:
        """Add a private message. What came before it is counted as written from then on."""
        if self._events:
            self.flush()
        self._own.setdefault(session, []).append(text)

    answer = letter
    """Add what a session is answered."""

    def flush(self) -> None:
        """Write everything."""
        if self._events:
            events, self._events = self._events, []
            self._audience.tell(events)
        elif self._own:
            own, self._own = self._own, {}
            for session, texts in own.items():
                if text := b"".join(texts):
                    session.write(text)
