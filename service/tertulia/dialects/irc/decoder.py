"""The incoming half of one connection of IRC: lines to commands. Described in docs/protocols/irc.md.

registering ──NICK, USER, CAP END──▶ Enter ──accepted──▶ registered
     ▲                                └──refused──┐
     └────────────────────────────────────────────┘
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import ClassVar, Final, NamedTuple

from tertulia.dialects.account_words import asked
from tertulia.dialects.contract import Knowledge
from tertulia.dialects.irc import numerics, queries
from tertulia.dialects.irc.capabilities import Capability
from tertulia.dialects.irc.client import (
    MOST_PENDING,
    IrcClient,
    IrcServer,
    PendingAnswer,
    PendingJoin,
    PendingList,
)
from tertulia.dialects.irc.history import chathistory, message_place
from tertulia.dialects.irc.message import (
    MAX_LINE,
    MAX_TAGS,
    InvalidUtf8,
    IrcLine,
    LineTooLong,
    client_only,
    cut,
    middle,
    parse,
)
from tertulia.dialects.irc.multiline import InvalidBatch, MultilineBatch, invalid
from tertulia.dialects.irc.negotiation import CapNegotiation
from tertulia.dialects.irc.sasl import SaslExchange
from tertulia.dialects.irc.text import incoming, plain
from tertulia.dialects.lines import Lines, TooLong
from tertulia.domain.commands import (
    Acknowledge,
    Ask,
    Command,
    Enter,
    Fault,
    Faulty,
    HideLobby,
    JoinRoom,
    Leave,
    ListRooms,
    Moderate,
    PartRoom,
    ReadReply,
    Register,
    RegisterEarly,
    Say,
    SetAway,
    ShowLobby,
    Whisper,
)
from tertulia.domain.moderation import Moderation
from tertulia.domain.nicknames import SERVER, fold, is_valid
from tertulia.domain.operator_commands import Action
from tertulia.domain.rooms import MARK
from tertulia.domain.text import clean

MOST_TARGETS: Final = 16
"""Channels, or people, in one JOIN, PART or KICK."""
MOST_MODES: Final = 4
"""Changes in one MODE."""
MOST_WORDS: Final = 390
"""Bytes in a topic, a reason, or words for being away: as they fit in a line with what stands before them."""
_MOST_LABEL: Final = 64
"""Bytes in a label; a longer one is none (ircv3.net, "Labeled Responses")."""

_ABOUT_SOMEBODY: Final = {
    "+o": Action.APPOINT,
    "-o": Action.DISMISS,
    "+q": Action.MUTE,
    "-q": Action.UNMUTE,
}
_ABOUT_THE_ROOM: Final = {
    "+m": (Action.ACCOUNTS_ONLY, 1),
    "-m": (Action.ACCOUNTS_ONLY, 0),
    "+n": (Action.OUTSIDERS, 0),  # the mode says that they may not
    "-n": (Action.OUTSIDERS, 1),
}
_TOPICS: Final = numerics.NOT_OPERATOR._replace(words="Topics are for moderators, always")
_TO_A_CHANNEL: Final = f"PRIVMSG {MARK}".encode()
_NOTHING: Final = Acknowledge(0)
"""Stands for a line that asks for nothing, so that the caller counts it and may read on later."""
_HELP: Final = (
    "Channels are rooms: LIST, JOIN, PART, TOPIC, NAMES.",
    "Moderators: KICK, MODE +o, +q, +m, +n, REDACT.",
    f"Accounts: write 'help' to {SERVER}.",
)


class IrcDecoder(Lines):
    """One connection's incoming half."""

    __slots__ = (
        "_batch", "_dropped", "_negotiation", "_nickname", "_password", "_password_for", "_sasl",
        "_shows_lobby", "_waiting", "client",
    )  # fmt: skip

    most: ClassVar[int] = MAX_TAGS + MAX_LINE - len("\r\n")

    def __init__(self, server: IrcServer) -> None:
        super().__init__()
        self.client = client = IrcClient(server)
        self._negotiation = CapNegotiation(client)
        self._sasl = SaslExchange(client)
        self._nickname = ""
        """The one to enter under, once everything else is said."""
        self._password: str | None = None
        self._password_for = ""
        """The folded nickname that the password was given with first: with another one it is not given."""
        self._shows_lobby = server.joins_lobby
        self._batch: MultilineBatch | None = None
        self._dropped: str | None = None
        """The reference of a batch that was refused: what is still to come of it says nothing."""
        self._waiting: deque[Command] | None = None  # made when first needed: most clients are idle

    @property
    def buffered(self) -> int:
        """How many bytes were fed and are not in a line that was read, and commands are not taken."""
        lines, waiting = len(self._buffer) - self._start, self._waiting
        return lines + len(waiting) if waiting else lines

    def next_command(self) -> Command | None:
        if not self._waiting:
            try:
                line = self.next_line()
            except TooLong:
                return Faulty(Fault.TOO_LONG)
            if line is None:
                self._waiting = None
                return None
            if line.startswith(_TO_A_CHANNEL) and (said := self._said(line)) is not None:
                return said
            self._waiting = deque(self._commands(line) or (_NOTHING,))
        return self._waiting.popleft()

    def entered(self) -> None:
        self.client.is_registered = True
        self._password = None

    def refused(self) -> None:
        self.client.account = ""

    # --- A line ----------------------------------------------------------------------------------

    def _said(self, raw: bytes) -> Command | None:
        """Return what a line says that is a message to a channel; None where it is read as all lines are.

        The short way for nearly all of them: one channel, a text behind a colon, nothing to be answered.
        """
        channel, colon, written = raw[len(_TO_A_CHANNEL) - 1 :].partition(b" :")
        if not (colon and len(raw) + 2 <= MAX_LINE and self.client.is_registered):
            return None
        try:
            room, text = self.client.server.room(channel.decode()), incoming(written.decode())
        except UnicodeDecodeError:
            return None
        return Say(text, 0, room) if text and room is not None else None

    def _commands(self, raw: bytes) -> Sequence[Command]:
        try:
            line = parse(raw)
        except LineTooLong:
            return (Faulty(Fault.TOO_LONG),)
        except InvalidUtf8 as error:
            return (self._not_utf8(error.line),)
        if line is None:
            return ()
        label = self._label(line)
        commands = list(self._carry_out(line, label))
        if label and not commands and self._batch is None:
            commands.append(self._reply(label))
        return commands

    def _label(self, line: IrcLine) -> str:
        label = line.tags.get("label", "") if line.tags else ""
        if not label or len(label.encode()) > _MOST_LABEL:
            return ""
        is_wanted = self.client.has(Capability.LABELED_RESPONSE | Capability.BATCH)
        return label if is_wanted else ""

    def _carry_out(self, line: IrcLine, label: str) -> Iterable[Command]:
        row = _ALWAYS.get(line.command)
        if row is None:
            if not self.client.is_registered:
                return (self._told(label, numerics.NOT_REGISTERED),)
            row = _REGISTERED.get(line.command)
        if row is None:
            return (self._told(label, numerics.UNKNOWN_COMMAND, middle(line.command)),)
        if len(line.params) < row.least:
            return (self._told(label, numerics.NEED_MORE_PARAMS, line.command),)
        return row.carry_out(self, line, label)

    def _not_utf8(self, line: IrcLine | None) -> Command:
        command, label = "*", ""
        if line is not None:
            label = self._label(line)
            if line.command in _ALWAYS or line.command in _REGISTERED:
                command = line.command
        words = "Message rejected: this server takes UTF-8 alone"
        return self._reply(label, self.client.fail(command, "INVALID_UTF8", words=words))

    def _reply(self, label: str, *lines: str) -> Command:
        text = self.client.answer(lines, label)
        return ReadReply(text) if text else _NOTHING

    def _told(self, label: str, numeric: numerics.Numeric, *params: str) -> Command:
        return self._reply(label, self.client.numeric(numeric, *params))

    def _ask(self, label: str, query: Callable[..., Sequence[str]], *args: object) -> Command:
        client = self.client

        def told(knowledge: Knowledge) -> bytes:
            return client.answer(query(client, knowledge, *args), label)

        return Ask(told)

    # --- Registration ----------------------------------------------------------------------------

    def _cap(self, line: IrcLine, label: str) -> Iterator[Command]:
        yield from self._negotiation.take(line.params, label)
        yield from self._enter()

    def _nick(self, line: IrcLine, label: str) -> Iterator[Command]:
        nickname = line.params[0] if line.params else ""
        if not nickname:
            yield self._told(label, numerics.NO_NICKNAME)
        elif self.client.is_registered:
            if nickname != self.client.nickname:
                yield self._told(label, numerics.CANNOT_CHANGE_NICKNAME)
        elif not is_valid(nickname):
            yield self._told(label, numerics.INVALID_NICKNAME, middle(nickname))
        else:
            self._nickname = nickname
            yield from self._enter()

    def _user(self, line: IrcLine, label: str) -> Iterator[Command]:
        user, _, _, realname, *_ = line.params
        if self.client.is_registered:
            yield self._told(label, numerics.ALREADY_REGISTERED)
        elif not user or not realname:
            yield self._told(label, numerics.NEED_MORE_PARAMS, line.command)
        else:
            self.client.user, self.client.realname = clean(user), plain(realname).strip()
            yield from self._enter()

    def _pass(self, line: IrcLine, label: str) -> Iterator[Command]:
        if self.client.is_registered:
            yield self._told(label, numerics.ALREADY_REGISTERED)
        else:
            self._password, self._password_for = clean(line.params[0]), ""

    def _authenticate(self, line: IrcLine, label: str) -> Iterator[Command]:
        if self.client.is_registered:
            # Whom one is is settled by then: an account has its nickname's name, and that is held.
            is_proved = self.client.is_account
            yield self._told(
                label, numerics.SASL_ALREADY if is_proved else numerics.ALREADY_REGISTERED
            )
        elif not self.client.has(Capability.SASL):
            yield self._told(label, numerics.SASL_FAILED)
        else:
            yield from self._sasl.take(line.params[0])

    def _enter(self) -> Iterator[Command]:
        """Enter, if everything is said that has to be."""
        client = self.client
        if not (self._nickname and client.user) or self._negotiation.is_open:
            return
        if client.is_registered:
            return
        if self._sasl.is_open:
            yield self._sasl.abort()
        nickname, self._nickname = client.account or self._nickname, ""
        password = None
        if self._password is not None and not client.account:
            self._password_for = self._password_for or fold(nickname)
            if fold(nickname) == self._password_for:
                password = self._password
        shows_lobby = client.server.joins_lobby
        yield Enter(nickname, password, shows_lobby=shows_lobby, about=client.about)

    def _register(self, line: IrcLine, label: str) -> Iterator[Command]:
        account, email, password, *_ = line.params
        client, code, context, words = self.client, "", account, ""
        nickname = client.nickname if client.is_registered else client.account or self._nickname
        if not (client.is_registered or client.server.before_entering):
            code, words = "COMPLETE_CONNECTION_REQUIRED", "Enter the chat first"
        elif not nickname:
            code, context, words = "NEED_NICK", "*", "Give a NICK first: an account has its name"
        elif client.account and not client.is_registered:
            code, words = "ALREADY_AUTHENTICATED", f"You are logged in as {nickname}"
        elif account != "*" and fold(account) != fold(nickname):
            code, words = "ACCOUNT_NAME_MUST_BE_NICK", "An account has the name of its nickname"
        elif client.server.accounts == "invited" and email == "*":
            code, words = "INVALID_EMAIL", "Give an invitation's code in the place of an address"
        if code:
            yield self._reply(label, client.fail("REGISTER", code, middle(context), words=words))
            return
        client.accounts.append(PendingAnswer(label))
        code = clean(email) if client.server.accounts == "invited" else ""
        if client.is_registered:
            yield Register(clean(password), code)
        else:
            yield RegisterEarly(nickname, clean(password), code)

    def _verify(self, line: IrcLine, label: str) -> Iterator[Command]:
        code, words = "INVALID_CODE", "Nothing has to be verified here"
        if not (self.client.is_registered or self.client.server.before_entering):
            code, words = "COMPLETE_CONNECTION_REQUIRED", "Enter the chat first"
        account = middle(line.params[0])
        yield self._reply(label, self.client.fail("VERIFY", code, account, words=words))

    # --- Messages --------------------------------------------------------------------------------

    def _message(self, line: IrcLine, label: str) -> Iterator[Command]:
        is_notice = line.command == "NOTICE"
        reference = line.tags.get("batch") if line.tags else None
        if reference is not None and self.client.has(Capability.MULTILINE):
            yield from self._add(line, reference)
            return
        target, written, *_ = (*line.params, "", "")
        text = incoming(written)
        wrong: Command | None = None
        if not target:
            numeric = numerics.NO_RECIPIENT
            wrong = self._told(label, numeric, f"No recipient given ({line.command})")
        elif text == "":
            wrong = self._told(label, numerics.NO_TEXT)
        if wrong is None and text is not None:
            tags = self._client_tags(line)
            yield from self._send(target, text, label, tags, is_notice=is_notice)
        elif wrong is not None and not is_notice:  # RFC 2812, 3.3.2: a NOTICE is never answered
            yield wrong

    def _tags_alone(self, line: IrcLine, label: str) -> Iterator[Command]:
        tags, target = self._client_tags(line), line.params[0] if line.params else ""
        if tags and target and fold(target) != fold(SERVER):
            # As of a NOTICE, nothing is told of it: a program sends it, while somebody types.
            yield from self._send(target, "", label, tags, is_notice=True)

    def _client_tags(self, line: IrcLine) -> str:
        if not line.tags or not self.client.has(Capability.MESSAGE_TAGS):
            return ""
        return client_only(line.tags)

    def _send(
        self,
        target: str,
        text: str,
        label: str,
        tags: str,
        *,
        is_notice: bool,
        splits: tuple[int, ...] = (),
    ) -> Iterator[Command]:
        client = self.client
        if "," in target:
            if not is_notice:
                yield self._told(label, numerics.TOO_MANY_TARGETS, middle(target))
            return
        if target.startswith(MARK):
            room = client.server.room(target)
            if room is not None:
                is_pending = bool(label) or is_notice
                answer = PendingAnswer(label, is_notice=is_notice)
                tag = client.number(answer) if is_pending else 0
                yield Say(text, tag, room, is_notice and bool(text), tags, splits)
            elif not is_notice:
                yield self._told(label, numerics.NO_SUCH_CHANNEL, middle(target))
            return
        if fold(target) == fold(SERVER) and (command := asked(text)):
            client.accounts.append(PendingAnswer(label, SERVER))
            yield command
            return
        pending = PendingAnswer(label, target, text, tags, is_notice, splits=splits)

        def told(knowledge: Knowledge) -> bytes:
            pending.at = knowledge.now()
            if not is_notice:
                pending.away = queries.away(client, knowledge, target)
            return b""

        yield Ask(told, is_long=False, at_once=True)
        number = client.number(pending)
        yield Whisper(target, text, number, is_notice and bool(text), tags, splits)

    def _open_or_end(self, line: IrcLine, label: str) -> Iterator[Command]:
        reference, *rest = line.params
        try:
            if reference.startswith("+"):
                self._dropped = name = reference[1:]
                if self._batch is not None:
                    label = self._batch.label
                    self._batch = None
                    raise invalid("another one is open")
                is_allowed = self.client.has(Capability.MULTILINE)
                tags = self._client_tags(line)
                self._batch = MultilineBatch([name, *rest], label, tags, is_allowed=is_allowed)
                self._dropped = None
            elif self._batch is not None and reference == f"-{self._batch.reference}":
                batch, self._batch = self._batch, None
                label = batch.label
                text, splits = batch.text()
                yield from self._send(
                    batch.target, text, label, batch.tags, is_notice=batch.is_notice, splits=splits
                )
            elif self._dropped is not None and reference == f"-{self._dropped}":
                self._dropped = None
            else:
                raise invalid("it is not open")
        except InvalidBatch as wrong:
            yield self._invalid(wrong, label)

    def _add(self, line: IrcLine, reference: str) -> Iterator[Command]:
        if reference == self._dropped:
            return
        batch = self._batch
        try:
            if batch is None or reference != batch.reference:
                raise invalid("it is not open")
            batch.add(line)
        except InvalidBatch as wrong:
            label = ""
            if batch is not None:
                label, self._dropped, self._batch = batch.label, batch.reference, None
            yield self._invalid(wrong, label)

    def _invalid(self, wrong: InvalidBatch, label: str) -> Command:
        line = self.client.fail("BATCH", wrong.code, *wrong.context, words=wrong.words)
        return self._reply(label, line)

    # --- Channels --------------------------------------------------------------------------------

    def _is_in(self, room: str) -> bool:
        """Say whether the client is in a room, or on its way."""
        return room in self.client.rooms or room in self.client.joins if room else self._shows_lobby

    def _join(self, line: IrcLine, label: str) -> Iterator[Command]:
        if line.params[0] == "0":  # RFC 2812, 3.2.1: leave all, also those that it is on its way to
            rooms, asked = self.client.rooms, self.client.joins
            left = [it for it in {*rooms, *asked} if it not in asked or not asked[it][-1].is_part]
            channels = [self.client.server.channel(it) for it in sorted(left)]
            yield from self._each(channels, label, self._part_one)
        else:
            yield from self._each(line.params[0].split(","), label, self._join_one)

    def _part(self, line: IrcLine, label: str) -> Iterator[Command]:
        words = _words(line.params[1]) if len(line.params) > 1 else ""
        part = partial(self._part_one, words=words)
        yield from self._each(line.params[0].split(","), label, part)

    def _each(
        self,
        names: Sequence[str],
        label: str,
        carry_out: Callable[[str, str, str], Command],
    ) -> Iterator[Command]:
        """Do something with each of some channels, each of which gives a part of the answer."""
        channels = list({it.lower(): it for it in names}.values())
        self.client.share(label, min(len(channels), MOST_TARGETS + 1))
        for channel in channels[:MOST_TARGETS]:
            room = self.client.server.room(channel)
            if room is None:
                yield self._no_channel(label, channel)
            else:
                yield carry_out(room, channel, label)
        if len(channels) > MOST_TARGETS:
            yield self._told(label, numerics.TOO_MANY_TARGETS, middle(channels[MOST_TARGETS]))

    def _join_one(self, room: str, channel: str, label: str) -> Command:
        if not room:
            if self._shows_lobby:
                return self._reply(label)
            self._shows_lobby = True
        self._wait_for(room, PendingJoin(label))
        return JoinRoom(room) if room else ShowLobby()

    def _part_one(self, room: str, channel: str, label: str, words: str = "") -> Command:
        if not room:
            if not self._shows_lobby:
                return self._not_there(label, channel)
            self._shows_lobby = False
        self._wait_for(room, PendingJoin(label, is_part=True))
        return PartRoom(room, words) if room else HideLobby(words)

    def _wait_for(self, room: str, asked: PendingJoin) -> None:
        self.client.joins.setdefault(room, deque(maxlen=MOST_PENDING)).append(asked)

    def _no_channel(self, label: str, channel: str) -> Command:
        return self._told(label, numerics.NO_SUCH_CHANNEL, middle(channel))

    def _not_there(self, label: str, channel: str) -> Command:
        """Say that the client is not in a channel, or that there is none: the whole chat is asked."""
        room = self.client.server.room(channel)
        if not room:
            return self._told(label, numerics.NOT_ON_CHANNEL, middle(channel))
        self.client.lists.append(PendingList(label, frozenset([room]), missing=channel))
        return ListRooms()

    def _wrong_room(self, channel: str, label: str) -> Command | None:
        """Return why somebody can't do something in a channel; None where they may."""
        room = self.client.server.room(channel)
        if room is None:
            return self._no_channel(label, channel)
        return None if self._is_in(room) else self._not_there(label, channel)

    def _wrong_further_room(self, channel: str, label: str) -> Command | None:
        """As ``_wrong_room``, of what one may ask of the lobby without being shown it."""
        return None if self.client.server.room(channel) == "" else self._wrong_room(channel, label)

    def _act(
        self, channel: str, act: Moderation, label: str, named: str = "", epoch: str = ""
    ) -> Command:
        """Moderate; ``named``: what a refusal has to name."""
        room, tag = self.client.server.room(channel) or "", 0
        if label or named:
            is_message = act.action is Action.REDACT
            recipient, text = ("", named) if is_message else (named, "")
            tag = self.client.number(PendingAnswer(label, recipient, text, acts_in=room))
        # modern.ircdocs.horse, "MODE message": a slip must not name an account of which nobody thought.
        return Moderate(act, room, tag, epoch, is_of_present=act.action is Action.APPOINT)

    def _invite(self, line: IrcLine, label: str) -> Iterator[Command]:
        nickname, channel, *_ = line.params
        wrong = self._wrong_room(channel, label)
        yield wrong or self._ask(label, queries.invite, nickname, channel)

    def _topic(self, line: IrcLine, label: str) -> Iterator[Command]:
        channel, *rest = line.params
        if not rest:
            room = self.client.server.room(channel)
            yield self._wrong_further_room(channel, label) or self._ask(label, queries.topic, room)
        elif wrong := self._wrong_room(channel, label):
            yield wrong
        else:
            yield self._act(channel, Moderation(Action.TOPIC, text=_words(rest[0])), label)

    def _kick(self, line: IrcLine, label: str) -> Iterator[Command]:
        channels, people = line.params[0].split(","), line.params[1].split(",")
        if len(channels) == 1:
            if wrong := self._wrong_room(channels[0], label):
                yield wrong
                return
            channels *= len(people)
        # RFC 2812, 3.2.8: "as many channel parameters as there are user parameters"
        if len(channels) != len(people):
            yield self._told(label, numerics.NEED_MORE_PARAMS, line.command)
            return
        reason = _words(line.params[2]) if len(line.params) > 2 else ""
        self.client.share(label, min(len(people), MOST_TARGETS + 1))
        for channel, nickname in list(zip(channels, people, strict=True))[:MOST_TARGETS]:
            act = Moderation(Action.KICK, nickname, text=reason)
            yield self._wrong_room(channel, label) or self._act(channel, act, label, nickname)
        if len(people) > MOST_TARGETS:
            yield self._told(label, numerics.TOO_MANY_TARGETS, middle(people[MOST_TARGETS]))

    def _mode(self, line: IrcLine, label: str) -> Iterator[Command]:
        target, *rest = line.params
        if not target.startswith(MARK):
            yield self._own_modes(target, label)
            return
        room = self.client.server.room(target)
        if room is None:
            yield self._no_channel(label, target)
        elif not rest:
            yield self._wrong_further_room(target, label) or self._ask(label, queries.modes, room)
        else:
            yield from self._changes(target, rest[0], deque(rest[1:]), label)

    def _own_modes(self, nickname: str, label: str) -> Command:
        client = self.client
        if fold(nickname) != fold(client.nickname):
            return self._told(label, numerics.OTHER_USERS_MODES)
        return self._told(
            label, numerics.YOUR_MODES, "+"
        )  # people have none, whatever they ask for

    def _changes(
        self, channel: str, modes: str, params: deque[str], label: str
    ) -> Iterator[Command]:
        sign, changes = "+", []
        for mode in modes:
            if mode in "+-":
                sign = mode
            else:
                changes.append(sign + mode)
        del changes[MOST_MODES:]
        self.client.share(label, len(changes))
        for change in changes:
            act = self._change(channel, change, params, label)
            # Who has no name, as in `MODE #ops o !`, is not looked for.
            if isinstance(act, Moderate) and act.tag and act.act.action is Action.APPOINT:
                yield self._look_for(act)
            yield act

    def _look_for(self, act: Moderate) -> Command:
        """Look whether somebody has the nickname that an act names, for the words of its refusal."""
        pending, whom = self.client.pending[act.tag], act.act.whom

        def told(knowledge: Knowledge) -> bytes:
            pending.is_nobody = knowledge.person(whom) is None
            return b""

        return Ask(told, is_long=False, at_once=True)

    def _change(self, channel: str, change: str, params: deque[str], label: str) -> Command:
        """Return what a change of a mode does. It takes its parameter."""
        room, mode = self.client.server.room(channel) or "", change[1]
        if mode == "b" and not params:  # clients ask for it; who is banned is banned from the chat
            return self._told(label, numerics.END_OF_MASKS, middle(channel))
        if mode == "q" and not params:
            return self._ask(label, queries.muted, room)
        if mode == "t":
            is_so = change == "+t"
            return self._reply(label) if is_so else self._told(label, _TOPICS, middle(channel))
        is_about_somebody = change in _ABOUT_SOMEBODY
        if not is_about_somebody and change not in _ABOUT_THE_ROOM:
            return self._told(label, numerics.UNKNOWN_MODE, middle(mode))
        if is_about_somebody and not params:
            return self._told(label, numerics.NEED_MORE_PARAMS, "MODE")
        if wrong := self._wrong_room(channel, label):
            return wrong
        if is_about_somebody:
            whom = params.popleft().partition("!")[0]
            return self._act(channel, Moderation(_ABOUT_SOMEBODY[change], whom), label, whom)
        action, value = _ABOUT_THE_ROOM[change]
        return self._act(channel, Moderation(action, value=value), label)

    def _redact(self, line: IrcLine, label: str) -> Iterator[Command]:
        channel, msgid, *rest = line.params
        room, found = self.client.server.room(channel), message_place(msgid)
        if room is None or not self._is_in(room):
            words, shown = f"You cannot delete messages from {middle(channel)}", [middle(channel)]
            yield self._reply(
                label, self.client.fail("REDACT", "INVALID_TARGET", *shown, words=words)
            )
        elif found is None:
            words, shown = "This message does not exist", [middle(channel), middle(msgid)]
            yield self._reply(
                label, self.client.fail("REDACT", "UNKNOWN_MSGID", *shown, words=words)
            )
        else:
            epoch, place = found
            reason = _words(rest[0]) if rest else ""
            act = Moderation(Action.REDACT, "", place.offset, place.index, reason)
            yield self._act(channel, act, label, msgid, epoch)

    def _names(self, line: IrcLine, label: str) -> Iterator[Command]:
        channel = line.params[0].partition(",")[0] if line.params else "*"
        yield self._ask(label, queries.names, channel)

    def _list(self, line: IrcLine, label: str) -> Iterator[Command]:
        client = self.client
        if client.lists:  # the chat answers a session once for all that it asked meanwhile
            yield self._told(label, numerics.TRY_AGAIN, line.command)
            return
        rooms = None
        if line.params and line.params[0]:
            found = map(client.server.room, line.params[0].split(","))
            rooms = frozenset(it for it in found if it is not None)
        pending = PendingList(label, rooms)
        client.lists.append(pending)

        def told(knowledge: Knowledge) -> bytes:
            if rooms is None or "" in rooms:
                pending.lobby = queries.lobby_listed(client, knowledge)
            return b""

        yield Ask(told, is_long=False, at_once=True)
        yield ListRooms()

    # --- People, and the rest --------------------------------------------------------------------

    def _who(self, line: IrcLine, label: str) -> Iterator[Command]:
        mask, fields, *_ = (*line.params, "", "")
        yield self._ask(label, queries.who, mask or "*", fields)

    def _whois(self, line: IrcLine, label: str) -> Iterator[Command]:
        # With two of them the first one is a server: there is one.
        nickname = line.params[min(len(line.params), 2) - 1] if line.params else ""
        if not nickname:
            yield self._told(label, numerics.NO_NICKNAME)
        else:
            yield self._ask(label, queries.whois, nickname.partition(",")[0])

    def _whowas(self, line: IrcLine, label: str) -> Iterator[Command]:
        if not line.params or not line.params[0]:
            yield self._told(label, numerics.NO_NICKNAME)
            return
        shown = middle(line.params[0])
        numbers = numerics.WAS_NO_SUCH_NICK, numerics.END_OF_WHOWAS
        yield self._reply(label, *(self.client.numeric(it, shown) for it in numbers))

    def _ison(self, line: IrcLine, label: str) -> Iterator[Command]:
        yield self._ask(label, queries.ison, " ".join(line.params).split())

    def _userhost(self, line: IrcLine, label: str) -> Iterator[Command]:
        yield self._ask(label, queries.userhost, line.params)

    def _lusers(self, line: IrcLine, label: str) -> Iterator[Command]:
        yield self._ask(label, queries.lusers)

    def _time(self, line: IrcLine, label: str) -> Iterator[Command]:
        yield self._ask(label, queries.time)

    def _away(self, line: IrcLine, label: str) -> Iterator[Command]:
        text = _words(line.params[0]) if line.params else ""
        yield SetAway(text)
        yield self._told(label, numerics.NOW_AWAY if text else numerics.BACK)

    def _history(self, line: IrcLine, label: str) -> Iterator[Command]:
        if self.client.server.history > 0:
            yield from chathistory(self.client, line.params, label, self._is_in)
        else:
            yield self._told(label, numerics.UNKNOWN_COMMAND, line.command)

    def _motd(self, line: IrcLine, label: str) -> Iterator[Command]:
        yield self._told(label, numerics.NO_MOTD)

    def _admin(self, line: IrcLine, label: str) -> Iterator[Command]:
        yield self._told(label, numerics.NO_ADMIN_INFO, self.client.server.name)

    def _version(self, line: IrcLine, label: str) -> Iterator[Command]:
        server = self.client.server
        yield self._told(label, numerics.VERSION, server.program, server.name, "")

    def _info(self, line: IrcLine, label: str) -> Iterator[Command]:
        client = self.client
        what = f"{client.server.program}, a chat that people on other protocols are in as well"
        lines = client.numeric(numerics.INFO, what), client.numeric(numerics.END_OF_INFO)
        yield self._reply(label, *lines)

    def _help(self, line: IrcLine, label: str) -> Iterator[Command]:
        client, subject = self.client, middle(line.params[0]) if line.params else "*"
        if subject != "*" and subject.upper() not in {*_ALWAYS, *_REGISTERED}:
            yield self._told(label, numerics.HELP_NOT_FOUND, subject)
            return
        first, *more = _HELP
        lines = [
            client.numeric(numerics.HELP_START, subject, first),
            *(client.numeric(numerics.HELP_TEXT, subject, it) for it in more[:-1]),
            client.numeric(numerics.END_OF_HELP, subject, more[-1]),
        ]
        yield self._reply(label, *lines)

    def _ping(self, line: IrcLine, label: str) -> Iterator[Command]:
        name, token = self.client.server.name, line.params[0] if line.params else ""
        if token:
            yield self._reply(label, f":{name} PONG {name} :{clean(token)}")
        else:
            yield self._told(label, numerics.NO_ORIGIN)

    def _quit(self, line: IrcLine, label: str) -> Iterator[Command]:
        yield Leave(_words(line.params[0]) if line.params else "")

    def _oper(self, line: IrcLine, label: str) -> Iterator[Command]:
        yield self._told(label, numerics.NO_OPERATORS)

    def _operators(self, line: IrcLine, label: str) -> Iterator[Command]:
        yield self._told(label, numerics.NO_PRIVILEGES)

    def _nothing(self, line: IrcLine, label: str) -> Iterator[Command]:
        return iter(())


def _words(written: str) -> str:
    return cut(plain(written).strip(), MOST_WORDS)


class _Row(NamedTuple):
    carry_out: Callable[[IrcDecoder, IrcLine, str], Iterable[Command]]
    least: int = 0
    """How many parameters it needs."""


_ALWAYS: Final[Mapping[str, _Row]] = {
    "CAP": _Row(IrcDecoder._cap, 1),
    "NICK": _Row(IrcDecoder._nick),
    "USER": _Row(IrcDecoder._user, 4),
    "PASS": _Row(IrcDecoder._pass, 1),
    "AUTHENTICATE": _Row(IrcDecoder._authenticate, 1),
    "REGISTER": _Row(IrcDecoder._register, 3),
    "VERIFY": _Row(IrcDecoder._verify, 2),
    "PING": _Row(IrcDecoder._ping),
    "PONG": _Row(IrcDecoder._nothing),
    "QUIT": _Row(IrcDecoder._quit),
    "ERROR": _Row(IrcDecoder._nothing),
}
"""What a client may say before it is registered, and afterwards."""
_REGISTERED: Final[Mapping[str, _Row]] = {
    "PRIVMSG": _Row(IrcDecoder._message),
    "NOTICE": _Row(IrcDecoder._message),
    "TAGMSG": _Row(IrcDecoder._tags_alone),
    "BATCH": _Row(IrcDecoder._open_or_end, 1),
    "JOIN": _Row(IrcDecoder._join, 1),
    "PART": _Row(IrcDecoder._part, 1),
    "TOPIC": _Row(IrcDecoder._topic, 1),
    "INVITE": _Row(IrcDecoder._invite, 2),
    "KICK": _Row(IrcDecoder._kick, 2),
    "MODE": _Row(IrcDecoder._mode, 1),
    "REDACT": _Row(IrcDecoder._redact, 2),
    "NAMES": _Row(IrcDecoder._names),
    "LIST": _Row(IrcDecoder._list),
    "WHO": _Row(IrcDecoder._who),
    "WHOIS": _Row(IrcDecoder._whois),
    "WHOWAS": _Row(IrcDecoder._whowas),
    "ISON": _Row(IrcDecoder._ison, 1),
    "USERHOST": _Row(IrcDecoder._userhost, 1),
    "AWAY": _Row(IrcDecoder._away),
    "CHATHISTORY": _Row(IrcDecoder._history, 1),
    "MOTD": _Row(IrcDecoder._motd),
    "LUSERS": _Row(IrcDecoder._lusers),
    "VERSION": _Row(IrcDecoder._version),
    "TIME": _Row(IrcDecoder._time),
    "INFO": _Row(IrcDecoder._info),
    "ADMIN": _Row(IrcDecoder._admin),
    "HELP": _Row(IrcDecoder._help),
    "OPER": _Row(IrcDecoder._oper),
    **dict.fromkeys(
        ("KILL", "WALLOPS", "REHASH", "RESTART", "DIE", "CONNECT", "SQUIT"),
        _Row(IrcDecoder._operators),
    ),
}
