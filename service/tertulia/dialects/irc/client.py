"""What the halves of one connection share: the listener, and what its client has said of itself."""

import re
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from websockets.frames import Frame, Opcode

from tertulia.dialects.contract import Registration
from tertulia.dialects.irc.capabilities import NO_CAPABILITY, Capability
from tertulia.dialects.irc.message import MAX_LINE, cut, tagged
from tertulia.dialects.irc.numerics import Numeric
from tertulia.domain.commands import MOST_ABOUT
from tertulia.domain.rooms import MARK, fold_room, is_room
from tertulia.domain.text import TRANSLITERATED

MOST_PENDING: Final = 1024
"""Messages whose answers are awaited. A session has fewer in flight; older ones lose their labels."""
_MOST_USER: Final = 32
"""Bytes in a user name."""
_ANSWER: Final = "answer"
"""The name of an answer's batch: it is over before another one begins, or has a number."""
_BATCH: Final = re.compile(r"(?:@\S* )?(?::\S* )?BATCH ([+-])(\S+)")
_IN_A_BATCH: Final = re.compile(r"@(?:[^ ]*;)?batch=")


@dataclass(frozen=True, slots=True)
class IrcServer:
    """What all clients of a listener share."""

    name: str = "tertulia"
    """The network's and the server's name, and the host of everybody: no address is ever shown."""
    lobby: str = "lobby"
    """The name of the lobby's channel, without ``#``."""
    joins_lobby: bool = True
    """Whether clients are in it by themselves."""
    history: int = 50
    """Messages that newcomers read; 0: none, and the past can't be read at all."""
    is_websocket: bool = False
    """Whether each line is a frame, without CRLF."""
    is_binary: bool = False
    """Whether these frames are binary ones."""
    version: str = ""
    """The service's version."""
    accounts: Registration = "closed"
    """Who may register one."""
    before_entering: bool = False
    """Whether one may be registered before the client is."""

    @property
    def program(self) -> str:
        """The name of the program, and its version."""
        return f"tertulia-{self.version}" if self.version else "tertulia"

    def person(self, nickname: str) -> str:
        """Return the source of what somebody does."""
        return f"{nickname}!{nickname}@{self.name}"

    def channel(self, room: str) -> str:
        """Return the channel that a room is; an empty name is the lobby's."""
        return MARK + (room or self.lobby)

    def room(self, channel: str) -> str | None:
        """Return the folded name of a channel's room, empty for the lobby; None where it can't be one."""
        if not channel.startswith(MARK):
            return None
        room = fold_room(channel)
        if room == self.lobby.lower():
            return ""
        return room if is_room(room) else None

    def wire(self, lines: Iterable[str]) -> bytes:
        """Return lines as they are written. One that is too long without its tags is cut."""
        if not self.is_websocket:
            lines = [*lines, ""]
            text = "\r\n".join(lines)
            if text.isascii() and max(map(len, lines)) <= MAX_LINE - 2:  # as nearly all are
                return text.encode()
            lines.pop()
        return b"".join(map(self._line, lines))

    def _line(self, line: str) -> bytes:
        if len(line) * 4 > MAX_LINE - 2:  # else it can't be too long
            tags = line.index(" ") + 1 if line.startswith("@") else 0
            line = line[:tags] + cut(line[tags:], MAX_LINE - 2)
        raw = line.encode("utf-8", TRANSLITERATED)
        if self.is_websocket:
            opcode = Opcode.BINARY if self.is_binary else Opcode.TEXT
            return Frame(opcode, raw).serialize(mask=False)
        return raw + b"\r\n"


@dataclass(slots=True)
class PendingAnswer:
    """A message or an act whose answer comes later."""

    label: str = ""
    recipient: str = ""
    """The nickname a private message is for; empty for what is of a room."""
    text: str = ""
    """What the refusal of an act has to name: a nickname, or a msgid."""
    tags: str = ""
    """The client-only tags of a private message; without a text it is a TAGMSG."""
    is_notice: bool = False
    """Whether it was a NOTICE: then no refusal is told (RFC 2812, 3.3.2)."""
    away: Sequence[str] = ()
    """What is told with it of who reads it and is away."""
    at: float = 0.0
    """When it was written, in seconds since 1970, where it is a private message."""
    acts_in: str | None = None
    """The room that it moderates."""
    is_nobody: bool = False
    """Whether nobody in the chat has the nickname that it names."""
    splits: tuple[int, ...] = ()
    """Where a private message was divided, as in ``Said``."""


@dataclass(frozen=True, slots=True)
class PendingJoin:
    """A JOIN or a PART of one channel whose answer comes later."""

    label: str = ""
    is_part: bool = False


@dataclass(slots=True)
class SharedAnswer:
    """The answer to a labelled line that asks for several things: each gives a part of it."""

    left: int = 0
    """The parts that are still to come."""
    reference: str = ""
    """Its batch's, once that is open."""
    lines: list[str] = field(default_factory=list)
    """What came, and is not told before the last part."""


@dataclass(slots=True)
class PendingList:
    """A LIST whose answer comes later, or another command that depends on which rooms there are."""

    label: str = ""
    rooms: frozenset[str] | None = None
    """The rooms that it is about; None: all."""
    lobby: str = ""
    """The line about the lobby; empty where it is not about it."""
    missing: str = ""
    """The channel where something was asked in which the client is not: then the answer is that, or that
    there is no such channel."""


@dataclass(slots=True)
class IrcClient:
    """What one client has said of itself, and what its answers need."""

    server: IrcServer
    nickname: str = "*"
    """As answers call it; known from the welcome on."""
    session: str = ""
    """Its session's name as clients may know it; the same."""
    is_account: bool = False
    """Whether it is its nickname's account."""
    account: str = ""
    """The account that it has proved to be before entering: it enters under its nickname."""
    user: str = ""
    realname: str = ""
    """Its own words; as others read it, it is cut."""
    capabilities: Capability = NO_CAPABILITY
    is_registered: bool = False
    rooms: set[str] = field(default_factory=set)
    """The folded names of the channels it is in; the empty one is the lobby."""
    pending: dict[int, PendingAnswer] = field(default_factory=dict)
    """By tag."""
    joins: dict[str, deque[PendingJoin]] = field(default_factory=dict)
    """By room, the JOIN and PART commands that are not answered, oldest first."""
    shared: dict[str, SharedAnswer] = field(default_factory=dict)
    """By label."""
    lists: list[PendingList] = field(default_factory=list)
    """Those that are not answered, oldest first."""
    accounts: list[PendingAnswer] = field(default_factory=list)
    """The account commands that are not answered, oldest first; for ``G`` where it was written to it."""
    last_tag: int = 0
    last_batch: int = 0

    @property
    def about(self) -> str:
        """Who it says to be, as others may know it."""
        return cut(f"{cut(self.user, _MOST_USER)} {self.realname}".rstrip(), MOST_ABOUT)

    def has(self, capability: Capability) -> bool:
        """Say whether the client has asked for a capability."""
        # Each message asks. ``in`` is a function of Python for an enum, and takes much longer.
        return int.__and__(self.capabilities, capability) == capability

    def number(self, pending: PendingAnswer) -> int:
        """Note a message whose answer comes later, and return its tag: 1, 2, 3 …."""
        self.last_tag += 1
        self.pending[self.last_tag] = pending
        if len(self.pending) > MOST_PENDING:
            del self.pending[next(iter(self.pending))]
        return self.last_tag

    def numeric(self, numeric: Numeric, *params: str) -> str:
        """Return an answer's line: the parameters, then its own words, if it has any.

        Of the parameters only the last one of an answer without own words may have spaces.
        """
        *middles, last = (*params, numeric.words) if numeric.words else params
        head = " ".join([f":{self.server.name} {numeric.number} {self.nickname}", *middles])
        return f"{head} :{last}"

    def fail(self, command: str, code: str, *context: str, words: str) -> str:
        """Return the line that says why a command failed (ircv3.net, "Standard Replies")."""
        return " ".join([f":{self.server.name} FAIL {command} {code}", *context, f":{words}"])

    def share(self, label: str, parts: int) -> None:
        """Have the next answers of a label be parts of one, so many of them."""
        if not label or parts < 2:
            return
        self.shared.setdefault(label, SharedAnswer()).left += parts
        if len(self.shared) > MOST_PENDING:
            del self.shared[next(iter(self.shared))]

    def answer(self, lines: Sequence[str], label: str = "", *, at_once: bool = False) -> bytes:
        """Return a whole answer, labelled: an ``ACK`` where it has no line, a batch where it has several.

        A line may have tags. A batch that is the whole answer is labelled itself. Of an answer with
        several parts the lines are returned with the last part. With ``at_once`` they are returned now,
        where something that is read next is not understood without them: the caller has to write them
        before any other part's are returned.
        """
        shared = self.shared.get(label) if label else None
        if shared is None:
            return self.server.wire(self._labelled(lines, label) if label else lines)
        shared.left -= 1
        if shared.left and not (at_once and lines):
            shared.lines += lines
            return b""
        if not shared.left:
            del self.shared[label]
            lines = [*lines, *shared.lines] if at_once else [*shared.lines, *lines]
            if not shared.reference:
                return self.server.wire(self._labelled(lines, label))
        source, told = f":{self.server.name}", []
        if not shared.reference:
            self.last_batch += 1
            shared.reference = f"{_ANSWER}-{self.last_batch}"
            told.append(self._begin(label, shared.reference))
        told += [_in_batch(it, shared.reference) for it in lines]
        if not shared.left:
            told.append(f"{source} BATCH -{shared.reference}")
        return self.server.wire(told)

    def answer_join(self, room: str, lines: Sequence[str]) -> bytes:
        """Return the answer to the JOIN of a room, labelled; to be written at once."""
        return self._answer_of(room, lines, is_part=False, at_once=True)

    def answer_part(self, room: str, lines: Sequence[str], *, was_in: bool) -> bytes:
        """Return the answer to the PART of a room, labelled.

        ``was_in``: whether the client was in it; then it is to be written at once. Who parts on the way
        into a room reads no other answer to its JOIN.
        """
        return self._answer_of(room, lines, is_part=True, at_once=was_in)

    def refuse_join(self, room: str, lines: Sequence[str]) -> bytes:
        """Return the answer to the last JOIN of a room, which does nothing."""
        waiting, label = self.joins.get(room), ""
        if waiting and not waiting[-1].is_part:
            label = waiting.pop().label
            if not waiting:
                del self.joins[room]
        return self.answer(lines, label)

    def _answer_of(self, room: str, lines: Sequence[str], *, is_part: bool, at_once: bool) -> bytes:
        """Answer what was asked of a room up to its first JOIN, or up to its last PART.

        Each JOIN is answered, but who parts twice, or parts, joins and parts in one go, parts once.
        """
        waiting, asked = self.joins.get(room, deque()), list[PendingJoin]()
        while any(it.is_part is is_part for it in waiting):
            asked.append(waiting.popleft())
            if not is_part and not asked[-1].is_part:
                break
        label = asked.pop().label if asked else ""  # none where nobody asked for it: a KICK
        if not waiting:
            self.joins.pop(room, None)
        told = b"".join(self.answer((), it.label) for it in asked)
        return told + self.answer(lines, label, at_once=at_once)

    def _labelled(self, lines: Sequence[str], label: str) -> list[str]:
        source = f":{self.server.name}"
        if len(lines) < 2 or _is_one_batch(lines):
            first = lines[0] if lines else f"{source} ACK"
            return [tagged([("label", label)], first), *lines[1:]]
        told = [_in_batch(it, _ANSWER) for it in lines]
        return [self._begin(label, _ANSWER), *told, f"{source} BATCH -{_ANSWER}"]

    def _begin(self, label: str, reference: str) -> str:
        line = f":{self.server.name} BATCH +{reference} labeled-response"
        return tagged([("label", label)], line)


def _is_one_batch(lines: Sequence[str]) -> bool:
    first, last = _BATCH.match(lines[0]), _BATCH.match(lines[-1])
    if first is None or last is None:
        return False
    return (first[1], last[1], first[2]) == ("+", "-", last[2])


def _in_batch(line: str, reference: str) -> str:
    return line if _IN_A_BATCH.match(line) else tagged([("batch", reference)], line)
