"""A service that a ``Talk`` speaks with: a test says what it sends, and sees what it is sent."""

import json
from collections.abc import Callable

from tertulia.clients.chat.changes import Change
from tertulia.clients.chat.talk import Talk
from tertulia.clients.chat.way import DropSocket, OpenSocket, SendFrame

WALL = 1_795_221_185.0
"""What the clock on the wall shows at the time 0."""


class TalkService:
    """One connection at a time, and the time."""

    def __init__(self) -> None:
        self.talk = Talk(lambda: 0.0)
        self.talk.clock(WALL, 0.0)
        self.now = 0.0
        self.sent: list[dict[str, object]] = []
        """What came on the present connection."""
        self.opened = 0
        """How many connections were wanted."""
        self.is_dropped = False
        self.told: Callable[[], None] = lambda: None
        """Called when the talk may have changed."""

    def act(self) -> None:
        """Do what the talk wants."""
        for act in self.talk.take_acts():
            match act:
                case OpenSocket():
                    self.opened += 1
                    self.sent = []
                    self.is_dropped = False
                case SendFrame(frame):
                    self.sent.append(json.loads(json.dumps(frame)))
                case DropSocket():
                    self.is_dropped = True
        self.told()

    def take_sent(self) -> list[dict[str, object]]:
        """Return what was sent since this was last asked."""
        self.act()
        sent, self.sent = self.sent, []
        return sent

    def deliver(self, type: str, **fields: object) -> None:
        """Send a frame."""
        self.talk.received(json.dumps({"type": type, **fields}), self.now)
        self.act()

    def wait(self, seconds: float) -> None:
        """Let time pass, with all that is due meanwhile."""
        end = self.now + seconds
        while (deadline := self.talk.deadline) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self.talk.due(self.now)
            self.act()
        self.now = end

    def open(self) -> None:
        """Open the connection that is wanted."""
        self.act()
        self.talk.opened(self.now)
        self.act()

    def close(self, code: int | None = None, reason: str = "") -> None:
        """Close the connection."""
        self.talk.closed(code, reason, self.now)
        self.act()

    def welcome(self, *members: str, **fields: object) -> None:
        """Let the client in."""
        standing = {"nickname": "anna", "token": "t1", "session": "a1:1", "heartbeat": 12}
        self.deliver("welcome", **{**standing, **_seat(members or ("anna",)), **fields})

    def room(self, name: str, *members: str, **fields: object) -> None:
        """Let the client into a further room."""
        self.deliver("room", room=name, **{**_seat(members or ("anna",)), **fields})

    def enter(self, *members: str, **fields: object) -> None:
        """Let anna in, from the beginning."""
        self.talk.enter("anna", "", self.now)
        self.open()
        self.welcome(*members, **fields)
        self.take_sent()

    def lose_and_open(self) -> dict[str, object]:
        """Break the connection, and open the next; return what the client enters with."""
        self.close()
        before = self.opened
        while self.opened == before:
            self.wait(0.5)
        self.open()
        (entering,) = self.take_sent()
        return entering

    def happen(self, offset: int, *events: dict[str, object], room: str = "") -> None:
        """Tell what happened."""
        where = {"room": room} if room else {}
        at = round(WALL * 1000)
        self.deliver("events", epoch="e", offset=offset, at=at, events=list(events), **where)

    def changes(self) -> list[Change]:
        """Return what has changed since this was last asked."""
        return self.talk.take_changes()


def said(nickname: str, text: str, session: str = "b2:1", id: int = 1) -> dict[str, object]:
    """Make the event of a message."""
    return {"type": "said", "nickname": nickname, "text": text, "session": session, "id": id}


def _seat(members: tuple[str, ...]) -> dict[str, object]:
    return {"epoch": "e", "offset": 10, "members": members, "history": 0, "missed": "nothing"}
