"""A client of the dialect irc that records the same history as one of chatte.

With its capabilities it reads its own messages, and knows by labels which of them is answered.
``PlainIrcClient`` has none of them, as an old program: nothing is acknowledged to it, and it reads
nothing of its own.
"""

import base64
import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final

from harness.chatte_client import WITHIN, ChatteClient
from history.record import (
    Acked,
    AckedPrivate,
    Connected,
    EnterSent,
    History,
    Parted,
    ReceivedPrivate,
    ReceivedPublic,
    Refused,
    RefusedPrivate,
    RefusedPublic,
    Reported,
    SawJoined,
    SawLeft,
    SentPrivate,
    SentPublic,
    Welcomed,
)

LOBBY: Final = "#lobby"
NETWORK: Final = "tertulia"
"""The server's name, and the host of everybody's cloak."""
CAPABILITIES: Final = (
    *("message-tags", "server-time", "batch", "labeled-response", "echo-message"),
    *("account-tag", "extended-join", "away-notify", "account-notify", "standard-replies"),
    *("draft/chathistory", "draft/message-redaction", "draft/account-registration"),
    *("draft/multiline", "userhost-in-names", "multi-prefix"),
)
LINE_BYTES: Final = 512
"""Of a line with its end, without its tags."""
TAG_BYTES: Final = 8191
PIECE_BYTES: Final = 350
"""Of a text in one line that this client sends: then also what the server puts in front of it has room."""

_TAG_VALUES: Final = {":": ";", "s": " ", "\\": "\\", "r": "\r", "n": "\n"}
_ESCAPE = re.compile(r"\\(.?)")


@dataclass(frozen=True, slots=True)
class Message:
    """A line, understood: tags, who it is from, a command and what belongs to it."""

    command: str
    params: tuple[str, ...] = ()
    source: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    line: str = ""

    @classmethod
    def parse(cls, line: str) -> "Message":
        """Parse a line without its end. Raises ValueError where it is none."""
        rest, tags, source = line, dict[str, str](), ""
        if rest.startswith("@"):
            written, _, rest = rest[1:].partition(" ")
            for tag in written.split(";"):
                name, _, value = tag.partition("=")
                tags[name] = _ESCAPE.sub(lambda it: _TAG_VALUES.get(it[1], it[1]), value)
        if rest.startswith(":"):
            source, _, rest = rest[1:].partition(" ")
        words, colon, trailing = rest.partition(" :")
        command, *params = words.split(" ")
        if not command or not all(params):
            raise ValueError(line)
        if colon:
            params.append(trailing)
        return cls(command, tuple(params), source, tags, line)

    @property
    def nickname(self) -> str:
        """Who it is from; of the server, its name."""
        return self.source.partition("!")[0]

    @property
    def text(self) -> str:
        """The last of what belongs to it."""
        return self.params[-1] if self.params else ""

    @property
    def target(self) -> str:
        """The first of what belongs to it."""
        return self.params[0] if self.params else ""


@dataclass(slots=True)
class Batch:
    """Lines that belong together, as they come."""

    kind: str
    params: tuple[str, ...]
    opened: Message
    """Its first line, with the tags of the whole."""
    messages: list[Message] = field(default_factory=list)

    @property
    def text(self) -> str:
        """What a text of several lines says, with LF between them."""
        parts: list[str] = []
        for message in self.messages:
            if parts and "draft/multiline-concat" not in message.tags:
                parts.append("\n")
            parts.append(message.text)
        return "".join(parts)


@dataclass(slots=True)
class Channel:
    """What a client has read of a channel that it is in."""

    name: str
    members: dict[str, str] = field(default_factory=dict)
    """Nicknames, each with the signs in front of it."""
    topic: str = ""
    past: list[Message] = field(default_factory=list)
    """What was said before it came."""
    is_listed: bool = False
    """Whether the list of members has come to its end."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came to a command with a label."""

    messages: tuple[Message, ...]
    kind: str = ""
    """The kind of the batch that it came in; empty where it was one line."""

    @property
    def commands(self) -> list[str]:
        return [it.command for it in self.messages]


class IrcClient(ChatteClient):
    """One connection. ``lines`` are as they came, ``messages`` the same, understood."""

    wanted: ClassVar[Sequence[str]] = CAPABILITIES

    def __init__(self, name: str = "", *, acknowledges: bool = True) -> None:
        super().__init__(name, acknowledges=acknowledges)
        self.history.echoes = "echo-message" in self.wanted
        self.history.quits_once = True
        self.messages: list[Message] = []
        """Every line, also those of a batch."""
        self.offered: dict[str, str] = {}
        """The capabilities that the server has told of, with their values."""
        self.capabilities: set[str] = set()
        """Those that are on."""
        self.channels: dict[str, Channel] = {}
        """By room: the lobby is the empty one."""
        self.answers: dict[str, Answer] = {}
        """By label."""
        self.joins_lobby = True
        """Whether it waits, entering, until it is in the lobby."""
        self.password = ""
        """What it says with PASS."""
        self.sasl: tuple[str, str] | None = None
        """As whom it proves to be by SASL PLAIN, and with which password."""
        self._others: dict[str, list[str]] = {}
        self._labels = itertools.count(1)
        self._batches: dict[str, Batch] = {}
        self._by_label: dict[str, SentPublic | SentPrivate] = {}
        self._refused_joins: dict[str, str] = {}
        self._kicked: set[str] = set()
        """Who was removed from the lobby."""
        self._tries = 0
        self._read = 0
        """How many of the messages a test has waited for."""

    # What a client does

    def ask(self, nickname: str) -> None:
        """Ask for a nickname, and don't wait; after a refusal, for another one."""
        again = self.refused
        if again:
            # In the words of a history, which knows no second try, it has come anew.
            self.refused = False
            self._tries += 1
            name = f"{self.history.client}/{self._tries}"
            self.history = History(name, echoes=self.history.echoes, quits_once=True)
            self.history.add(Connected(self.history.now()))
        self.nickname = nickname
        self.history.reads_lobby = self.joins_lobby
        self.history.add(EnterSent(self.history.now(), nickname))
        if again:
            self.put(f"NICK {nickname}")
            return
        if self.wanted:
            self.put("CAP LS 302")
        if self.password:
            self.put(f"PASS :{self.password}")
        self.put(f"NICK {nickname}", f"USER {nickname} 0 * :{nickname}")

    def put(self, *lines: str) -> None:
        """Write lines, unrecorded."""
        self.send("".join(f"{line}\r\n" for line in lines).encode())

    def ask_for(self, line: str) -> str:
        """Write a command with a label, and return the label."""
        label = f"l{next(self._labels)}"
        self.put(f"@label={label} {line}")
        return label

    async def answer(self, line: str, within: float = WITHIN) -> Answer:
        """Write a command with a label, and return what came to it."""
        label = self.ask_for(line)
        await self.wait_for(
            lambda: label in self.answers or self.closed, within, f"an answer to {line!r}"
        )
        assert label in self.answers, self.describe()
        return self.answers[label]

    def say(self, text: str | None = None, room: str = "") -> str:
        text = self.unique() if text is None else text
        record = SentPublic(self.history.now(), text, room=room)
        self._send(channel_of(room), record)
        return text

    def whisper(self, recipient: str, text: str | None = None) -> str:
        text = self.unique("psst") if text is None else text
        self._send(recipient, SentPrivate(self.history.now(), recipient, text))
        return text

    def _send(self, target: str, record: SentPublic | SentPrivate) -> None:
        self.history.add(record)
        tags = ""
        if "labeled-response" in self.capabilities:
            label = f"m{next(self._labels)}"
            self._by_label[label] = record
            tags = f"@label={label} "
        lines = [pieces(it) for it in record.text.split("\n")]
        if len(lines) == len(lines[0]) == 1:
            self.put(f"{tags}PRIVMSG {target} :{record.text}")
            return
        reference = f"b{next(self._labels)}"
        self.put(f"{tags}BATCH +{reference} draft/multiline {target}")
        for line in lines:
            for number, piece in enumerate(line):
                concat = ";draft/multiline-concat" if number else ""
                self.put(f"@batch={reference}{concat} PRIVMSG {target} :{piece}")
        self.put(f"BATCH -{reference}")

    async def join_room(self, room: str, *, within: float = WITHIN) -> Channel:
        """Come into a further room. Raises AssertionError where it may not."""
        self.ask_room(room)
        await self.wait_for(
            lambda: self._is_in(room) or room in self._refused_joins or self.closed,
            within,
            f"an answer about #{room}",
        )
        assert self._is_in(room), self.describe()
        return self.channels[room]

    def ask_room(self, room: str) -> None:
        """Ask to come into a further room, and don't wait."""
        self._refused_joins.pop(room, None)
        if room:
            self.history.add(EnterSent(self.history.now(), self.nickname, room=room))
        self.put(f"JOIN {channel_of(room)}")

    async def part_room(self, room: str, within: float = WITHIN) -> None:
        """Leave a further room."""
        if room:
            self.history.add(Parted(self.history.now(), room=room))
        else:
            self.history.reads_lobby = False
        self.put(f"PART {channel_of(room)}")
        await self.wait_for(
            lambda: room not in self.channels or self.closed, within, f"the end of #{room}"
        )

    def leave(self) -> None:
        """Ask to go."""
        self.put("QUIT :gone")

    # What a test waits for

    @property
    def unanswered(self) -> int:
        return len(self._by_label)

    async def answered(self, within: float = WITHIN) -> None:
        await self.wait_for(lambda: not self._by_label, within, "all answers")

    async def expect(
        self,
        command: str,
        *params: str | None,
        source: str | None = None,
        test: Callable[[Message], bool] = lambda _: True,
        within: float = WITHIN,
    ) -> Message:
        """Return the next message with a command and, where they are said, its first parameters.

        Those before it are passed over. ``source``: the nickname, or the server's name.
        """
        found: Message | None = None

        def fits(it: Message) -> bool:
            return (
                it.command == command
                and len(it.params) >= len(params)
                and all(b is None or a == b for a, b in zip(it.params, params, strict=False))
                and (source is None or it.nickname == source)
                and test(it)
            )

        def look() -> bool:
            nonlocal found
            while self._read < len(self.messages):
                self._read += 1
                if fits(self.messages[self._read - 1]):
                    found = self.messages[self._read - 1]
                    return True
            return False

        await self.wait_for(look, within, f"{command} {params} of {source or 'anybody'}")
        assert found is not None
        return found

    async def expect_text(
        self, nickname: str, text: str, target: str = LOBBY, within: float = WITHIN
    ) -> Message:
        """Wait for a PRIVMSG of one line."""
        return await self.expect("PRIVMSG", target, text, source=nickname, within=within)

    def pass_over(self) -> None:
        """Take for read what has come up to now."""
        self._read = len(self.messages)

    def got(self, command: str) -> list[Message]:
        """Return all messages with a command."""
        return [it for it in self.messages if it.command == command]

    def _is_in(self, room: str) -> bool:
        return room in self.channels and self.channels[room].is_listed

    # What comes

    def data_received(self, data: bytes) -> None:
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for raw in lines:
            self._take_line(raw)
        self._arrived.set()

    def _take_line(self, raw: bytes) -> None:
        line = raw.removesuffix(b"\r").decode(errors="surrogateescape")
        self.lines.append(line)
        if not raw.endswith(b"\r"):
            self._unexpected(f"{line!r} without CR")
        if re.search(r"[\r\0\ud800-\udfff]", line):
            self._unexpected(f"{line!r} has what no line may have")
        tags = len(raw.partition(b" ")[0]) + 1 if raw.startswith(b"@") else 0
        if len(raw) + 1 - tags > LINE_BYTES or tags > TAG_BYTES:
            self._unexpected(f"{line!r} is too long")
        asks = " CAP " in line  # with the tags that it tells of
        if (
            tags
            and not asks
            and not self.capabilities
            & {
                *("message-tags", "server-time", "batch", "labeled-response", "account-tag"),
            }
        ):
            self._unexpected(f"{line!r} has tags that were not asked for")
        try:
            message = Message.parse(line)
        except ValueError:
            self._unexpected(line)
            return
        self.messages.append(message)
        reference = message.tags.get("batch")
        if message.command == "BATCH":
            self._take_batch(message)
        elif reference is None:
            self._answer_label(message)
            self._understand(message)
        elif reference in self._batches:
            self._batches[reference].messages.append(message)
        else:
            self._unexpected(f"{line!r}, in no batch that is open")

    def _take_batch(self, message: Message) -> None:
        sign, reference = message.target[:1], message.target[1:]
        if sign == "+" and reference not in self._batches and len(message.params) > 1:
            self._batches[reference] = Batch(message.params[1], message.params[2:], message)
            return
        if sign != "-" or reference not in self._batches:
            self._unexpected(message.line)
            return
        batch = self._batches.pop(reference)
        if outer := batch.opened.tags.get("batch"):
            if outer not in self._batches:
                self._unexpected(message.line)
            elif batch.kind == "draft/multiline":
                self._batches[outer].messages.append(whole(batch))
            else:
                self._batches[outer].messages += batch.messages
            return
        match batch.kind:
            case "draft/multiline":
                joined = whole(batch)
                self._answer_label(joined)
                self._understand(joined)
            case "chathistory":
                self._answer_batch(batch)
                channel = self.channels.get(room_of(batch.params[0]))
                if channel is not None and "label" not in batch.opened.tags:
                    channel.past += batch.messages
            case "labeled-response":
                self._answer_batch(batch)
                for it in batch.messages:
                    self._understand(it)
            case _:
                self._answer_batch(batch)
                if batch.kind != "draft/chathistory-targets":
                    self._unexpected(f"{message.line}, a batch {batch.kind}")

    def _answer_batch(self, batch: Batch) -> None:
        label = batch.opened.tags.get("label")
        if label is None:
            return
        if label in self.answers:
            self._unexpected(f"{batch.opened.line}: a second answer")
        self.answers[label] = Answer(tuple(batch.messages), batch.kind)
        self._settle(label, batch.messages[0] if batch.messages else batch.opened)

    def _answer_label(self, message: Message) -> None:
        label = message.tags.get("label")
        if label is None:
            return
        if label in self.answers:
            self._unexpected(f"{message.line}: a second answer")
        self.answers[label] = Answer((message,))
        self._settle(label, message)

    def _settle(self, label: str, message: Message) -> None:
        """Take the answer to a message: a copy, or ACK, or why it was refused."""
        record = self._by_label.pop(label, None)
        if record is None:
            return
        now = self.history.now()
        is_kept = message.command in ("ACK", "PRIVMSG")
        if message.command == "PRIVMSG" and message.text != record.text:
            self._unexpected(f"{message.line} instead of {record.text!r}")
        if not is_kept and message.command not in ("401", "403", "404", "NOTICE", "FAIL"):
            self._unexpected(f"{message.line} to a message")
        if isinstance(record, SentPublic):
            done = Acked if is_kept else RefusedPublic
            self.history.add(done(now, record.text, room=record.room))
        else:
            answered = AckedPrivate if is_kept else RefusedPrivate
            self.history.add(answered(now, record.recipient, record.text))

    def _understand(self, message: Message) -> None:
        take = _TAKEN.get(message.command)
        if take is not None:
            take(self, message)
        elif not re.fullmatch(r"\d\d\d", message.command) and message.command not in _OTHERS:
            self._unexpected(message.line)

    def _pinged(self, message: Message) -> None:
        self.put(f"PONG :{message.text}")

    def _told_capabilities(self, message: Message) -> None:
        subcommand, written = message.params[1], message.text.split()
        if subcommand in ("LS", "NEW"):
            for it in written:
                name, _, value = it.partition("=")
                self.offered[name] = value
            if subcommand == "LS" and "*" not in message.params[2:-1] and not self.welcomed:
                asked = [it for it in self.wanted if it in self.offered]
                if self.sasl:
                    asked.append("sasl")
                self.put(f"CAP REQ :{' '.join(asked)}")
        elif subcommand == "ACK":
            for it in written:
                if it.startswith("-"):
                    self.capabilities.discard(it[1:])
                else:
                    self.capabilities.add(it)
            if not self.welcomed:
                self.put("AUTHENTICATE PLAIN" if self.sasl else "CAP END")
        elif subcommand == "DEL":
            self.offered = {k: v for k, v in self.offered.items() if k not in written}
            self.capabilities.difference_update(written)
        elif subcommand == "NAK":
            self._unexpected(message.line)

    def _asked_for_proof(self, message: Message) -> None:
        if self.sasl is None:
            return  # a test does it by hand
        account, password = self.sasl
        proof = base64.b64encode(f"\0{account}\0{password}".encode()).decode()
        for start in range(0, len(proof), 400):
            self.put(f"AUTHENTICATE {proof[start : start + 400]}")
        if len(proof) % 400 == 0:
            self.put("AUTHENTICATE +")

    def _proved(self, message: Message) -> None:
        if not self.welcomed and self.sasl is not None:
            self.put("CAP END")

    def _was_named(self, message: Message) -> None:
        self.nickname = message.target

    def _was_shown_in(self, message: Message) -> None:
        """Take the end of what a newcomer is told: one that joins no channel by itself is in."""
        if not self.joins_lobby:
            self.welcomed = True
            self.history.add(Welcomed(self.history.now(), self.nickname))

    def _was_not_named(self, message: Message) -> None:
        if self.welcomed:
            return
        self.refused = True
        self.history.add(Refused(self.history.now(), self.nickname, message.command))

    def _heard_names(self, message: Message) -> None:
        room = room_of(message.params[2])
        self._others.setdefault(room, []).extend(message.text.split())

    def _heard_all_names(self, message: Message) -> None:
        room = room_of(message.params[1])
        names = self._others.pop(room, [])
        channel = self.channels.get(room)
        if channel is None:
            return
        members = {}
        for it in names:
            name = it.lstrip("@+%&~")
            members[name.partition("!")[0]] = it[: len(it) - len(name)]
        if channel.is_listed:
            if {*members} != {*channel.members}:
                self._unexpected(f"{sorted(members)}, but it saw {sorted(channel.members)}")
            return
        channel.members, channel.is_listed = members, True
        others = tuple(it for it in members if not self._is_own(it))
        if len(others) == len(members):
            self._unexpected(f"{message.line}, and it is not in the list itself")
        if room or not self.welcomed:
            self.history.add(Welcomed(self.history.now(), self.nickname, others, room=room))
        self.welcomed = True

    def _heard_topic(self, message: Message) -> None:
        if channel := self.channels.get(room_of(message.params[1])):
            channel.topic = message.text

    def _saw_topic(self, message: Message) -> None:
        if channel := self._channel(message):
            channel.topic = message.text

    def _was_not_let_in(self, message: Message) -> None:
        room = room_of(message.params[1]) if len(message.params) > 2 else ""
        waits = {it.room for it in self.history.of(EnterSent)} - {
            it.room for it in self.history.of(Welcomed)
        }
        if room in waits and room not in self.channels:
            self._refused_joins[room] = message.command
            record = Refused(self.history.now(), self.nickname, message.command, room=room)
            self.history.add(record)

    def _saw_join(self, message: Message) -> None:
        room, nickname = room_of(message.target), message.nickname
        if self._is_own(nickname):
            if room in self.channels:
                self._unexpected(message.line)
            self.channels[room] = Channel(message.target)
        elif channel := self._channel(message):
            if not channel.is_listed or nickname in channel.members:
                self._unexpected(message.line)
            channel.members[nickname] = ""
            if not room:
                self.history.add(SawJoined(self.history.now(), nickname))

    def _saw_part(self, message: Message) -> None:
        self._saw_leave(message, message.nickname, message.target)

    def _saw_kick(self, message: Message) -> None:
        self._saw_leave(message, message.params[1], message.target)

    def _saw_leave(self, message: Message, nickname: str, name: str) -> None:
        room = room_of(name)
        channel = self.channels.get(room)
        if channel is None or self._named_in(channel, nickname) is None:
            self._unexpected(message.line)
        elif self._is_own(nickname):
            del self.channels[room]
            if message.command == "KICK" and room:
                self.history.add(Parted(self.history.now(), "server", room=room))
        else:
            del channel.members[self._named_in(channel, nickname) or nickname]
            if (
                not room
            ):  # removed from the lobby, and so from the chat: that it quits is told as well
                self._kicked.add(nickname.lower())
                self.history.add(SawLeft(self.history.now(), nickname))

    def _saw_quit(self, message: Message) -> None:
        """Take note that somebody left the chat, and so each channel."""
        nickname = message.nickname
        known = [it for it in self.channels.values() if self._named_in(it, nickname)]
        if nickname.lower() in self._kicked:
            self._kicked.remove(nickname.lower())
        elif not known:
            self._unexpected(message.line)
        if self._is_own(nickname):
            return
        for channel in known:
            del channel.members[self._named_in(channel, nickname) or nickname]
            if channel is self.channels.get(""):
                self.history.add(SawLeft(self.history.now(), nickname))

    def _saw_mode(self, message: Message) -> None:
        channel = self._channel(message) if message.target.startswith("#") else None
        if channel is None or len(message.params) < 3:
            return
        named = self._named_in(channel, message.params[2])
        if message.params[1] in ("+o", "-o") and named is not None:
            channel.members[named] = "@" if message.params[1] == "+o" else ""

    def _heard(self, message: Message) -> None:
        """Take a message of one line, or one of several that came in a batch."""
        now, nickname, text = self.history.now(), message.nickname, message.text
        if not message.target.startswith("#"):
            is_copy = self._is_own(nickname) and (
                "label" in message.tags or not self._is_own(message.target)
            )
            if is_copy and self.history.echoes:
                return
            if not self._is_own(message.target):
                self._unexpected(message.line)
            elif nickname == NETWORK or message.command == "NOTICE":
                self.history.add(Reported(now, text))
            else:
                self.history.add(ReceivedPrivate(now, nickname, text))
            return
        if (channel := self._channel(message)) is None:
            return
        if message.command == "NOTICE":
            self.history.add(Reported(now, text))
            return
        if self._is_own(nickname) and not self.history.echoes:
            self._unexpected(message.line)
        room = room_of(message.target)
        if not channel.is_listed:
            channel.past.append(message)
        else:
            self.history.add(ReceivedPublic(now, nickname, text, room=room))

    def _noticed(self, message: Message) -> None:
        if self.welcomed or message.target.startswith("#"):
            self._heard(message)
        else:
            self.history.add(Reported(self.history.now(), message.text))

    def _channel(self, message: Message) -> Channel | None:
        """Return the channel of a message that only who is in it may read."""
        channel = self.channels.get(room_of(message.target))
        if channel is None:
            self._unexpected(f"{message.line}, but it is not in there")
        return channel

    def _is_own(self, nickname: str) -> bool:
        return nickname.lower() == self.nickname.lower()

    def _named_in(self, channel: Channel, nickname: str) -> str | None:
        return next((it for it in channel.members if it.lower() == nickname.lower()), None)


class PlainIrcClient(IrcClient):
    """An old program: it knows of no capabilities."""

    wanted: ClassVar[Sequence[str]] = ()


def channel_of(room: str) -> str:
    """Return a room's channel; of the empty one, the lobby's."""
    return f"#{room}" if room else LOBBY


def room_of(channel: str) -> str:
    """Return the room of a channel, as it is compared; of the lobby's, the empty one."""
    folded = channel.removeprefix("#").lower()
    return "" if f"#{folded}" == LOBBY else folded


def whole(batch: Batch) -> Message:
    """Return what a batch of lines says, as one message: LF is where a line ends."""
    first, opened = batch.messages[0], batch.opened
    tags = {**first.tags, **{k: v for k, v in opened.tags.items() if k != "batch"}}
    params = (batch.params[0], batch.text)
    return Message(first.command, params, opened.source or first.source, tags, opened.line)


def pieces(line: str, most: int = PIECE_BYTES) -> list[str]:
    """Split a line between signs, into parts of at most so many bytes; an empty one is one part."""
    found: list[str] = []
    part: list[str] = []
    size = 0
    for sign in line:
        length = len(sign.encode())
        if size + length > most:
            found.append("".join(part))
            part, size = [], 0
        part.append(sign)
        size += length
    return [*found, "".join(part)]


def joined_texts(messages: Iterable[Message]) -> str:
    """Return what messages that were split say together."""
    return "".join(it.text for it in messages)


_TAKEN: Final[dict[str, Callable[[IrcClient, Message], None]]] = {
    "PING": IrcClient._pinged,
    "CAP": IrcClient._told_capabilities,
    "AUTHENTICATE": IrcClient._asked_for_proof,
    "903": IrcClient._proved,
    "904": IrcClient._proved,
    "001": IrcClient._was_named,
    "376": IrcClient._was_shown_in,
    "422": IrcClient._was_shown_in,
    "353": IrcClient._heard_names,
    "366": IrcClient._heard_all_names,
    "332": IrcClient._heard_topic,
    "TOPIC": IrcClient._saw_topic,
    **dict.fromkeys(("432", "433", "465", "464"), IrcClient._was_not_named),
    **dict.fromkeys(("403", "405", "471", "473", "474", "476"), IrcClient._was_not_let_in),
    "JOIN": IrcClient._saw_join,
    "PART": IrcClient._saw_part,
    "KICK": IrcClient._saw_kick,
    "QUIT": IrcClient._saw_quit,
    "MODE": IrcClient._saw_mode,
    "PRIVMSG": IrcClient._heard,
    "NOTICE": IrcClient._noticed,
}
_OTHERS: Final = frozenset(
    {"PONG", "ERROR", "ACK", "FAIL", "WARN", "NOTE", "AWAY", "ACCOUNT", "REDACT", "TAGMSG"}
    | {"REGISTER", "VERIFY", "KILL", "CHATHISTORY"}
)
