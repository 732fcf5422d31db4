"""Going on where a lost connection ended: who it was, and what it missed."""

import hashlib
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tertulia.chat.session import State
from tertulia.dialects.contract import Welcome
from tertulia.domain.events import Present
from tertulia.domain.position import Place, Position

if TYPE_CHECKING:
    from tertulia.chat.ports import Replay, Store
    from tertulia.chat.session import Session


def new_token() -> str:
    """Make what proves to any node who a session is."""
    return secrets.token_urlsafe(18)


def token_key(token: str) -> str:
    """Return the name under which a token is known to the store, which never sees the token itself."""
    return hashlib.sha256(token.encode()).hexdigest()[:32] if token else ""


class Resumption:
    """A session that has entered again and waits for what it missed.

    Until that is read from the log, everything for the client is held back, so that it reads its
    welcome, then the past, then the present, without a hole and nothing twice.
    """

    def __init__(
        self,
        session: "Session",
        store: "Store",
        place: Place,
        others: Sequence[str],
    ) -> None:
        """``place`` is the entry of its join, which it reads as everybody does."""
        self._session = session
        self._store = store
        self._place = place
        self._others = others

    def begin(self) -> None:
        """Hold what comes, and ask for what it missed."""
        resume = self._session.resume
        assert resume is not None
        self._session.resuming = True
        self._session.hold()
        before = Position(self._place.epoch, self._place.offset)
        after = Position(resume.epoch, resume.offset)
        key = token_key(self._session.token)
        self._store.replay(after, before, key, self._go_on)

    def _go_on(self, replay: "Replay") -> None:
        session, place, encoder = self._session, self._place, self._session.encoder
        write = session.outbox.write
        if session.state is State.ENDED:
            return
        write(
            encoder.welcome(
                Welcome(
                    session.nickname,
                    self._others,
                    place,
                    session.token,
                    replay.done,
                    missed_some=not replay.is_complete,
                    resumed=True,
                )
            )
        )
        for entry in replay.entries:
            # Who is present was in its welcome, and has not come.
            events = [event for event in entry.events if not isinstance(event, Present)]
            if events:
                write(encoder.batch([encoder.public(event) for event in events], entry.place))
        session.resuming = False
        session.release()
        session.outbox.proceed()
