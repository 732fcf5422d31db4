"""The dialect ``irc``, the half that one client reads. Source: docs/protocols/irc.md."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final

from msgspec import structs

from tertulia.dialects import moderation
from tertulia.dialects.account_words import told
from tertulia.dialects.contract import (
    AccountAction,
    AccountAnswer,
    AccountOutcome,
    Encoder,
    ModerationFault,
    Nicknames,
    Refusal,
    Restraint,
    RoomFault,
    Welcome,
)
from tertulia.dialects.irc import numerics
from tertulia.dialects.irc.capabilities import VOICE, Capability
from tertulia.dialects.irc.client import IrcClient, IrcServer, PendingAnswer
from tertulia.dialects.irc.message import MAX_LINE, middle
from tertulia.dialects.irc.numerics import Numeric
from tertulia.dialects.irc.queries import people_counted
from tertulia.dialects.irc.speech import Speech, moment, speech_of
from tertulia.dialects.irc.wrapping import wrapped
from tertulia.domain.commands import Fault, Faulty
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.events import PrivateEvent, Said, Tagged, TaggedAlone, Whispered
from tertulia.domain.moderation import Standing
from tertulia.domain.nicknames import MAX_LENGTH, SERVER, fold
from tertulia.domain.operator_commands import Action
from tertulia.domain.position import Position
from tertulia.domain.rooms import MOST_LISTED, RoomInfo, is_room
from tertulia.domain.text import in_one_line

_MOST: Final = MAX_LINE - len("\r\n")
_TOKENS: Final = 12
"""In a line of ISUPPORT: with what stands around them a line has at most fifteen parameters."""
_UNKNOWN_ERROR: Final = Numeric("400")
_LOGGED_OUT: Final = Numeric("901", "You are now logged out")
_NOTHING: Final = PendingAnswer()

Voice = Callable[[IrcServer, Capability, str, bool], Encoder]
"""Makes the encoder of who has some capabilities, for a room, and is shown the lobby or is not."""


class IrcReplies:
    """What one client is told alone, of the chat and its lobby or of a further room.

    It takes from the client what is answered by that: labels, and messages in flight.
    """

    __slots__ = ("_client", "_voice", "room")

    def __init__(self, client: IrcClient, voice: Voice, room: str = "") -> None:
        self._client = client
        self._voice = voice
        self.room = room

    @property
    def encoder(self) -> Encoder:
        return self._voice(*self._way)

    def in_room(self, room: str) -> "IrcReplies":
        return IrcReplies(self._client, self._voice, room)

    # --- Coming and going ------------------------------------------------------------------------

    def welcome(self, welcome: Welcome) -> bytes:
        client = self._client
        if self.room:
            return self._come_in(welcome, welcome.people())
        client.nickname = welcome.nickname
        client.session = welcome.session.rpartition("~")[2]
        client.is_account = welcome.is_account
        people = welcome.people()
        greeting = client.server.wire(self._greeting(sum(len(it.nicknames) for it in people)))
        return greeting + (self._come_in(welcome, people) if client.server.joins_lobby else b"")

    def shown(self, welcome: Welcome) -> bytes:
        told = self._come_in(welcome, welcome.people())
        return told + b"".join(self.standing(welcome.standing))

    def hidden(self, words: str = "") -> bytes:
        return self.parted(Disconnect.LEFT, words)

    def standing(self, standing: Standing) -> Sequence[bytes]:
        if self.room not in self._client.rooms:
            return ()  # the client is not shown the lobby
        texts = moderation.standing_in_english(structs.replace(standing, topic=""))
        it = self._speech
        return [self._wire(it.notice(it.channel, text)) for text in texts]

    def not_joined(self, fault: RoomFault) -> bytes:
        client, channel = self._client, self._channel
        numeric = client.numeric
        match fault:
            case RoomFault.INVALID_ROOM:
                lines = [numeric(numerics.NO_SUCH_CHANNEL, channel)]
            case RoomFault.TOO_MANY_ROOMS:
                lines = [numeric(numerics.TOO_MANY_CHANNELS, channel)]
            case RoomFault.NO_ROOM_LEFT:
                words = "No such channel, and no other can be made now"
                lines = [numeric(numerics.NO_SUCH_CHANNEL._replace(words=words), channel)]
            case RoomFault.FULL:
                lines = [numeric(numerics.CHANNEL_FULL, channel)]
            case RoomFault.NOT_IN_ROOM:
                lines = [numeric(numerics.NOT_ON_CHANNEL, channel)]
            case RoomFault.ALREADY_THERE:
                lines = []
        if fault is RoomFault.NOT_IN_ROOM:  # the answer to an act, which has no tag then
            acts = (tag for tag, it in client.pending.items() if it.acts_in == self.room)
            return client.answer(lines, self._settled(next(acts, 0)).label)
        if fault in _LATE_FAULTS:
            return client.answer_join(self.room, lines)
        return client.refuse_join(self.room, lines)

    def parted(self, reason: Disconnect, words: str = "", by: str = "") -> bytes:
        client, channel = self._client, self._channel
        if self.room not in client.rooms:
            lines = [client.numeric(numerics.NOT_ON_CHANNEL, channel)]
            return client.answer_part(self.room, lines, was_in=False)
        client.rooms.discard(self.room)
        own = client.server.person(client.nickname)
        if reason is Disconnect.KICKED:
            who = client.server.person(by) if by else client.server.name
            head = f":{who} KICK {channel} {client.nickname} :"
            lines = self._speech.with_rest(head, words or by or "Removed")
        else:
            why = in_one_line(words) if reason is Disconnect.LEFT else reason.meaning
            lines = [f":{own} PART {channel}{why and f' :{why}'}"]
        return client.answer_part(self.room, lines, was_in=True)

    def room_list(self, rooms: Sequence[RoomInfo]) -> bytes:
        # What was asked while the list was being read is answered by the same one.
        asked, self._client.lists = self._client.lists, []
        client, found = self._client, []
        for it in asked:
            if it.missing:
                is_there = any(room.name in (it.rooms or ()) for room in rooms)
                may_be = is_there or len(rooms) >= MOST_LISTED
                number = numerics.NOT_ON_CHANNEL if may_be else numerics.NO_SUCH_CHANNEL
                found.append(client.answer([client.numeric(number, middle(it.missing))], it.label))
                continue
            lines = [client.numeric(numerics.LIST_START, "Channel")]
            lines += filter(None, [it.lobby])
            lines += [
                client.numeric(
                    numerics.LIST, client.server.channel(room.name), str(room.members), room.topic
                )
                for room in rooms
                if it.rooms is None or room.name in it.rooms
            ]
            lines.append(client.numeric(numerics.LIST_END))
            found.append(client.answer(lines, it.label))
        return b"".join(found)

    def farewell(self, reason: Disconnect, words: str = "", until: int = 0) -> bytes:
        if reason in _SILENT:
            return b""
        client = self._client
        why = ": ".join(
            filter(None, [_FAREWELLS.get(reason, reason.meaning) + _ending(until), words])
        )
        # As a notice as well: an ERROR is one line, whatever the words are.
        is_told = reason in (Disconnect.KICKED, Disconnect.BANNED)
        notice = self._speech.notice(client.nickname, why) if is_told else ()
        return self._wire([*notice, f"ERROR :Closing link ({in_one_line(why)})"])

    def _greeting(self, people: int) -> list[str]:
        client, numeric = self._client, self._client.numeric
        server = client.server
        version = server.program
        tokens = _tokens(server.name, has_history=server.history > 0)
        own = server.person(client.nickname)
        return [
            numeric(numerics.WELCOME, f"Welcome to the {server.name} network, {own}"),
            numeric(numerics.YOUR_HOST, f"Your host is {server.name}, running version {version}"),
            numeric(numerics.CREATED, "This chat speaks IRC beside other protocols"),
            client.numeric(numerics.MY_INFO, server.name, version, "o", "mnoqt", "oq"),
            *(
                numeric(numerics.ISUPPORT, *tokens[begin : begin + _TOKENS])
                for begin in range(0, len(tokens), _TOKENS)
            ),
            *people_counted(client, people),
            numeric(numerics.NO_MOTD),
        ]

    def _come_in(self, welcome: Welcome, people: Sequence[Nicknames]) -> bytes:
        """Tell that the client is in the channel, its topic, and who is there."""
        client, here = self._client, self._speech
        client.rooms.add(self.room)
        standing, at = welcome.standing, welcome.position.at
        head = f":{client.server.name} {{}} {client.nickname} "
        is_account, about = client.is_account, client.about
        lines = [here.joined(client.nickname, at, is_account=is_account, about=about)]
        if standing.topic:
            topic = head.format(numerics.TOPIC.number) + f"{here.channel} :"
            lines += here.with_rest(topic, standing.topic)
        lines += self._names(people, frozenset([*standing.moderators, standing.owner]))
        lines.append(client.numeric(numerics.END_OF_NAMES, here.channel))
        return client.answer_join(self.room, lines)

    def _names(self, people: Sequence[Nicknames], moderators: frozenset[str]) -> list[str]:
        client = self._client
        head = (
            f":{client.server.name} {numerics.NAMES.number} {client.nickname} = {self._channel} :"
        )
        # As if everybody's nickname were as long as it may be: all read the same texts behind it.
        most = _MOST - len(head.encode()) + len(client.nickname) - MAX_LENGTH
        with_hosts = client.has(Capability.USERHOST_IN_NAMES)
        way = client.server.name, with_hosts, moderators, most
        make = partial(_named, client.server if with_hosts else None, moderators, most)
        return [head + text for it in people for text in it.texts(way, make)]

    # --- Answers ---------------------------------------------------------------------------------

    def proved(self, nickname: str, *, is_account: bool) -> bytes:
        client = self._client
        client.account = nickname if is_account else ""
        if not is_account:
            return self._wire([client.numeric(numerics.SASL_FAILED)])
        return self._wire([self._logged_in(nickname), client.numeric(numerics.SASL_SUCCESS)])

    def _logged_in(self, nickname: str) -> str:
        words = f"You are now logged in as {nickname}"
        person = self._client.server.person(nickname)
        return self._client.numeric(numerics.LOGGED_IN, person, nickname, words)

    def refusal(self, refusal: Refusal, subject: str = "", tag: int = 0, until: int = 0) -> bytes:
        client, pending = self._client, self._settled(tag)
        numeric = client.numeric
        match refusal:
            case Refusal.INVALID_NICKNAME:
                lines = [numeric(numerics.INVALID_NICKNAME, middle(subject))]
            case Refusal.NICKNAME_TAKEN:
                lines = [numeric(numerics.NICKNAME_IN_USE, middle(subject))]
            case Refusal.NOT_SIGNED_IN:
                lines = [numeric(numerics.WRONG_PASSWORD)]
            case Refusal.NO_ACCOUNT:
                words = "Password incorrect: there is no such account. Come without a password"
                lines = [numeric(numerics.WRONG_PASSWORD._replace(words=words))]
            case Refusal.BANNED:
                words = f"You are banned from this chat{_ending(until)}"
                lines = [numeric(numerics.BANNED, words)]
            case Refusal.UNKNOWN_RECIPIENT if not is_room(self.room):
                unknown = numerics.NO_SUCH_CHANNEL if self.room else numerics.NO_SUCH_NICK
                lines = [numeric(unknown, middle(subject))]
            case Refusal.UNKNOWN_RECIPIENT:
                words = "Cannot send to channel: you are not in it"
                lines = [numeric(numerics.CANNOT_SEND, self._channel, words)]
            case Refusal.MAILBOX_FULL:
                text = f"Your message to {middle(subject)} was not sent: too much waits already"
                lines = list(self._speech.notice(client.nickname, text))
            case Refusal.FORBIDDEN:
                lines = [numeric(numerics.NO_PRIVILEGES)]
        return client.answer([] if pending.is_notice else lines, pending.label)

    def taken(self, suggestions: Sequence[str]) -> bytes:
        return self.refusal(Refusal.NICKNAME_TAKEN)

    def restrained(self, restraint: Restraint, tag: int) -> bytes:
        client, pending = self._client, self._settled(tag)
        words = moderation.why_in_english(restraint)
        if pending.is_notice:
            lines = []
        elif pending.recipient:
            lines = list(self._speech.notice(client.nickname, words))
        else:
            head = f":{client.server.name} {numerics.CANNOT_SEND.number} {client.nickname}"
            lines = self._speech.with_rest(f"{head} {self._channel} :", words)
        return client.answer(lines, pending.label)

    def not_moderated(self, action: Action, fault: ModerationFault, tag: int = 0) -> bytes:
        client, pending = self._client, self._settled(tag)
        numeric, channel = client.numeric, self._channel
        about = middle(pending.recipient or pending.text)
        match fault:
            case ModerationFault.FORBIDDEN if action is Action.REDACT:
                words = "You are not authorised to delete this message"
                line = client.fail("REDACT", "REDACT_FORBIDDEN", channel, about, words=words)
            case ModerationFault.FORBIDDEN if action in _ABOUT_MODERATORS:
                words = "Only moderators may do that, and to no other moderator"
                line = numeric(numerics.NOT_OPERATOR._replace(words=words), channel)
            case ModerationFault.FORBIDDEN:
                line = numeric(numerics.NOT_OPERATOR, channel)
            case ModerationFault.UNKNOWN_RECIPIENT if pending.is_nobody:
                line = numeric(numerics.NO_SUCH_NICK, about)
            case ModerationFault.UNKNOWN_RECIPIENT:
                line = numeric(numerics.NOT_IN_CHANNEL, about, channel)
            case ModerationFault.NO_SUCH_MESSAGE:
                words = "This message does not exist or is too old"
                line = client.fail("REDACT", "UNKNOWN_MSGID", channel, about, words=words)
            case ModerationFault.NOT_MUTED:
                words = "They are not muted"
                line = numeric(numerics.INVALID_MODE_PARAM, channel, "q", about, words)
            case ModerationFault.TOO_MANY_MUTED:
                line = numeric(numerics.MUTES_FULL, channel, "q")
            case ModerationFault.NO_ACCOUNT:
                words = "Only an account can be a moderator"
                line = numeric(numerics.INVALID_MODE_PARAM, channel, "o", about, words)
        return client.answer([line], pending.label)

    def moderated(self, action: Action, tag: int) -> bytes:
        return self._client.answer([], self._settled(tag).label)

    def heard(self) -> bytes:
        return b""

    def account(self, answer: AccountAnswer) -> Sequence[bytes]:
        client, nickname = self._client, answer.nickname
        pending = client.accounts.pop(0) if client.accounts else PendingAnswer(recipient=SERVER)
        is_done = answer.outcome is AccountOutcome.DONE
        words = told(answer, "en")
        if is_done and answer.action is AccountAction.REGISTER:
            words = [_REGISTERED.format(nickname)]
        if pending.recipient or answer.action is not AccountAction.REGISTER:
            notice = self._speech.notice
            lines = [line for it in words for line in notice(client.nickname, it)]
        elif is_done:
            lines = [f":{client.server.name} REGISTER SUCCESS {nickname} :{words[0]}"]
        else:
            code = _REGISTER_CODES[answer.outcome]
            lines = [client.fail("REGISTER", code, nickname, words=words[0])]
        if is_done and answer.action is AccountAction.REGISTER:
            if client.is_registered:
                client.is_account = True
            else:  # as after SASL
                client.account = nickname
            lines.append(self._logged_in(nickname))
        elif is_done and answer.action is AccountAction.DELETE_ACCOUNT:
            client.is_account = False
            lines.append(client.numeric(_LOGGED_OUT, client.server.person(nickname)))
        return [client.answer(lines, pending.label)]

    def fault(self, faulty: Faulty) -> bytes:
        client, pending = self._client, self._settled(faulty.tag)
        if faulty.fault is Fault.TOO_LONG:
            line = client.numeric(numerics.TOO_LONG)
        else:
            line = client.numeric(_UNKNOWN_ERROR, "*", faulty.explanation or "Not a valid command")
        return client.answer([line], pending.label)

    def sent(self, tag: int) -> bytes:
        if not tag:  # as most of what is said in a room
            return b""
        pending = self._settled(tag)
        return self._client.answer([*self._copy(pending, tag), *pending.away], pending.label)

    def kept(self, recipient: str, tag: int) -> bytes:
        pending, lines = self._settled(tag), []
        if not pending.is_notice:
            words = "Not here now: your message waits"
            lines = [self._client.numeric(numerics.AWAY, middle(recipient), words)]
        return self._client.answer([*self._copy(pending, tag), *lines], pending.label)

    def echo(self, event: Said | Tagged, position: Position, index: int) -> bytes:
        if not self._client.has(Capability.ECHO_MESSAGE):
            return b""
        if isinstance(event, Tagged):
            lines = self._speech.event(event, position)
        else:
            lines = list(self._speech.said(event, position, index))
        return self._client.answer(lines, self._settled(event.tag).label)

    def private(self, event: PrivateEvent, at: float) -> bytes:
        own = self._client.nickname
        if isinstance(event, Whispered):
            return self._wire(self._speech.whispered(event, own, at))
        text = f"Your message to {event.recipient} was not delivered: {event.text}"
        return self._wire(self._speech.notice(own, text, at))

    def tagged(self, event: TaggedAlone, at: float) -> bytes:
        own = self._client.nickname
        return self._wire(self._speech.tagged(event, event.sender, event.sender_session, own, at))

    def slowed(self) -> bytes:
        text = "You write too fast: what you write is passed on more slowly, all of it."
        return self._wire(self._speech.notice(self._client.nickname, text))

    def pong(self) -> bytes:
        return b""  # the decoder answers a PING, in its turn

    def _copy(self, pending: PendingAnswer, tag: int) -> list[str]:
        """Return the client's own private message, for who wants to read it ("Echo Message")."""
        client = self._client
        if not (pending.recipient and client.has(Capability.ECHO_MESSAGE)):
            return []
        recipient, own = middle(pending.recipient), client.nickname
        if pending.tags and not pending.text:
            alone = TaggedAlone(own, client.session, pending.tags, tag, client.is_account)
            return self._speech.tagged(alone, own, client.session, recipient, pending.at)
        event = Whispered(
            own, client.session, recipient, pending.text, tag, client.is_account, pending.is_notice,
            pending.tags, pending.splits,
        )  # fmt: skip
        return list(self._speech.whispered(event, recipient, pending.at))

    def _settled(self, tag: int) -> PendingAnswer:
        """Take what was in flight under a tag."""
        return self._client.pending.pop(tag, _NOTHING)

    def _wire(self, lines: Iterable[str]) -> bytes:
        return self._client.server.wire(lines)

    @property
    def _speech(self) -> Speech:
        return speech_of(*self._way)

    @property
    def _way(self) -> tuple[IrcServer, Capability, str, bool]:
        """What its client's voice depends on."""
        client = self._client
        # Without a session it has no welcome yet: then the listener says it.
        shows_lobby = "" in client.rooms if client.session else client.server.joins_lobby
        return client.server, client.capabilities & VOICE, self.room, shows_lobby

    @property
    def _channel(self) -> str:
        """The channel's name, fit to stand in the middle of a line."""
        return middle(self._client.server.channel(self.room))


def _named(
    server: IrcServer | None, moderators: frozenset[str], most: int, nicknames: Sequence[str]
) -> list[str]:
    """Return nicknames in texts of at most so many bytes; with ``server`` each with user and host."""
    names = list(map(server.person, nicknames)) if server else nicknames
    if moderators != {""}:
        marks = ["@" if fold(it) in moderators else "" for it in nicknames]
        names = list(map("".join, zip(marks, names, strict=True)))
    return [part.rstrip(" ") for part in wrapped(" ".join(names), most)]


def _tokens(network: str, *, has_history: bool) -> list[str]:
    """Return what the server says of itself (modern.ircdocs.horse, "RPL_ISUPPORT Parameters")."""
    history = ["CHATHISTORY=100", "MSGREFTYPES=msgid,timestamp"] if has_history else []
    return [
        f"NETWORK={network}", "CASEMAPPING=ascii", "CHANTYPES=#", "PREFIX=(o)@", "CHANMODES=q,,,mnt",
        "MODES=4", "NICKLEN=32", "CHANNELLEN=33", "TOPICLEN=390", "KICKLEN=390", "AWAYLEN=390",
        "MAXLIST=q:1000", f"TARGMAX={_TARGETS}", "WHOX", "UTF8ONLY", *history,
    ]  # fmt: skip


def _ending(until: int) -> str:
    """Say until when it is, in words that follow; empty where there is no end."""
    return f" until {moment(until / 1000)}" if until else ""


_TARGETS: Final = (
    "PRIVMSG:1,NOTICE:1,TAGMSG:1,JOIN:16,PART:16,KICK:16,NAMES:1,WHOIS:1,USERHOST:5,LIST:"
)
_REGISTERED: Final = (
    "{} is your account now. From now on, enter with SASL or with your password as PASS"
)
_REGISTER_CODES: Final = {
    AccountOutcome.TAKEN: "ACCOUNT_EXISTS",
    AccountOutcome.HAS_ACCOUNT: "ALREADY_AUTHENTICATED",
    AccountOutcome.CLOSED: "TEMPORARILY_UNAVAILABLE",
    # The code of an invitation stands in the place of the address.
    AccountOutcome.INVITATION: "INVALID_EMAIL",
    AccountOutcome.TOO_SHORT: "WEAK_PASSWORD",
    AccountOutcome.TOO_LONG: "UNACCEPTABLE_PASSWORD",
    AccountOutcome.TOO_OFTEN: "TEMPORARILY_UNAVAILABLE",
    AccountOutcome.BUSY: "TEMPORARILY_UNAVAILABLE",
    AccountOutcome.NO_ACCOUNT: "TEMPORARILY_UNAVAILABLE",
    AccountOutcome.WRONG_PASSWORD: "TEMPORARILY_UNAVAILABLE",
}
_LATE_FAULTS: Final = (RoomFault.FULL, RoomFault.NO_ROOM_LEFT)
"""Those that the room tells, after a while; the others are told in their turn."""
_ABOUT_MODERATORS: Final = (Action.KICK, Action.MUTE)
"""What no moderator may do to another one."""
_RESTARTS: Final = "The server restarts: please come back in a moment"
_FAREWELLS: Final = {
    Disconnect.LEFT: "Quit",
    Disconnect.DRAINED: _RESTARTS,
    Disconnect.FENCED: _RESTARTS,
    Disconnect.INTERNAL: "The server met an error: please come back in a moment",
    Disconnect.DISPLACED: "Your nickname went to another connection",
    Disconnect.KICKED: "You were removed from the chat",
    Disconnect.BANNED: "You are banned from the chat",
}
_SILENT: Final = (Disconnect.GONE, Disconnect.BROKEN, Disconnect.CHAT_CLOSED)
"""Nobody reads it any more, or it was told to everybody."""
