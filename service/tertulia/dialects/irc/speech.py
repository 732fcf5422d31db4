"""What is said and done in a room, as lines of IRC. Sources: modern.ircdocs.horse; ircv3.net, "Message Tags",
"Server Time", "Message IDs", "Account Tag", "Multiline", "Chat History", "Message Redaction".
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain, pairwise
from typing import Final

from tertulia.dialects import moderation
from tertulia.dialects.irc.capabilities import Capability
from tertulia.dialects.irc.client import IrcServer
from tertulia.dialects.irc.message import MAX_LINE
from tertulia.dialects.irc.wrapping import wrapped
from tertulia.domain.events import (
    AccountsOnly,
    Appointed,
    Closed,
    Joined,
    Kicked,
    Left,
    Moderated,
    Muted,
    Outsiders,
    Owned,
    Present,
    PublicEvent,
    Redacted,
    Registered,
    Said,
    Tagged,
    TaggedAlone,
    Topic,
    Unmuted,
    WentAway,
    Whispered,
    Withdrawn,
    opaque,
)
from tertulia.domain.nicknames import SERVER
from tertulia.domain.past import PastMessage
from tertulia.domain.position import Position
from tertulia.domain.text import LINE_END, in_one_line

_MOST: Final = MAX_LINE - len("\r\n")
_LINES: Final = "lines"
"""The name of the batch of a message with several lines: it is over before another one begins."""
PAST: Final = "past"
"""The name of the batch of what was said before."""


def moment(at: float) -> str:
    """Return a time as tags have it; ``at``: seconds since 1970."""
    return f"{datetime.fromtimestamp(at, UTC).isoformat(timespec='milliseconds')[:-6]}Z"


class Speech:
    """How a room's events read for who has some capabilities."""

    __slots__ = (
        "_extends_join", "_has_account", "_has_id", "_has_time", "_redacts", "_tells_accounts",
        "_tells_away", "channel", "has_batch", "has_lines", "has_tags", "room", "server", "shows_lobby",
    )  # fmt: skip

    def __init__(
        self, server: IrcServer, capabilities: Capability, room: str, *, shows_lobby: bool = True
    ) -> None:
        self.server = server
        self.room = room
        self.shows_lobby = shows_lobby
        """Whether its readers are shown the lobby as well."""
        self.channel = server.channel(room)
        self.has_batch = Capability.BATCH in capabilities
        self.has_lines = self.has_batch and Capability.MULTILINE in capabilities
        self._has_id = Capability.MESSAGE_TAGS in capabilities
        self._has_time = Capability.SERVER_TIME in capabilities
        self._has_account = Capability.ACCOUNT_TAG in capabilities
        self.has_tags = self._has_id or self._has_time or self._has_account
        """Whether a message may have tags that is in no batch."""
        self._extends_join = Capability.EXTENDED_JOIN in capabilities
        self._tells_accounts = Capability.ACCOUNT_NOTIFY in capabilities
        self._tells_away = Capability.AWAY_NOTIFY in capabilities
        self._redacts = Capability.MESSAGE_REDACTION in capabilities

    def tags(
        self,
        at: float = 0.0,
        msgid: str = "",
        account: str = "",
        batch: str = "",
        others: str = "",
    ) -> str:
        """Return those tags that its readers know, with the space behind them; empty where there are none.

        ``at``: seconds since 1970, 0 where that is not known. ``others``: those of the client who sent it.
        """
        found = f"batch={batch};" if batch else ""
        if at and self._has_time:
            found += f"time={moment(at)};"
        if msgid and self._has_id:
            found += f"msgid={msgid};"
        if account and self._has_account:
            found += f"account={account};"
        if others and self._has_id:
            found += f"{others};"
        return f"@{found[:-1]} " if found else ""

    def source(self, nickname: str) -> str:
        """Return who is the source of what somebody did; operators speak as the server."""
        return self.server.name if nickname == SERVER else self.server.person(nickname)

    def tags_of(self, event: Said, position: Position, index: int, batch: str = "") -> str:
        """Return the tags of a message; ``index``: how many messages came before it in its entry."""
        msgid = f"{position.epoch}-{position.offset}-{index}"
        account = event.nickname if event.is_account else ""
        return self.tags(position.at, msgid, account, batch, event.tags)

    def said(
        self, event: Said, position: Position, index: int, *, batch: str = ""
    ) -> Iterator[str]:
        """Yield the lines of a message; ``index`` as in ``tags_of``."""
        first = self.tags_of(event, position, index, batch)
        account = event.nickname if event.is_account else ""
        others = self.tags(position.at, "", account, batch, event.tags)
        word = _word(event.nickname, is_notice=event.is_notice)
        target, text, splits = self.channel, event.text, event.splits
        return self.message(word, event.nickname, target, text, first, others, batch, splits)

    def whispered(self, event: Whispered, target: str, at: float = 0.0) -> Iterator[str]:
        """Yield the lines of a private message; ``at``: seconds since 1970, 0 where that is not known."""
        session = opaque(event.sender_session)
        msgid = f"{session}-{event.tag}" if session and event.tag else ""
        account = event.sender if event.is_account else ""
        of_client = event.tags
        tags = (
            self.tags(at, msgid, account, "", of_client),
            self.tags(at, "", account, "", of_client),
        )
        word = _word(event.sender, is_notice=event.is_notice)
        text, splits = event.text, event.splits
        return self.message(word, event.sender, target, text, *tags, splits=splits)

    def tagged(
        self, event: Tagged | TaggedAlone, nickname: str, session: str, target: str, at: float
    ) -> list[str]:
        """Return the line of what is tags and no text; none for who reads none."""
        if not self._has_id:
            return []
        account = nickname if event.is_account else ""
        tags = self.tags(at, f"{opaque(session)}-{event.tag}", account, "", event.tags)
        return [f"{tags}:{self.source(nickname)} TAGMSG {target}"]

    def notice(self, target: str, text: str, at: float = 0.0) -> Iterator[str]:
        """Yield the lines of what the service tells somebody, or a channel."""
        return self.message("NOTICE", SERVER, target, text, self.tags(at), self.tags(at))

    def message(
        self,
        word: str,
        nickname: str,
        target: str,
        text: str,
        tags: str,
        others: str,
        batch: str = "",
        splits: Sequence[int] = (),
    ) -> Iterator[str]:
        """Yield the lines of a message: the first one has its tags, ``others`` are those of the others.

        ``word``: their command; ``batch``: the one in which it stands, as the tags say; ``splits``: as in
        ``Said``. Who divides a text knows where it may be ("Multiline", Splitting long lines).
        """
        source = self.source(nickname)
        head = f":{source} {word} {target} :"
        most = _MOST - len(head.encode())
        lines = _divided(text, splits, most)
        count, parts = sum(map(len, lines)), [part for line in lines for part in line if part]
        if count < 2 or not (parts and self.has_lines):
            # "Multiline", Fallback: no blank lines, and the message's identifier on the first line only.
            for part in parts or [""]:
                yield tags + head + part
                tags = others
            return
        begin, end = (f":{it} BATCH" for it in (source, self.server.name))
        yield f"{tags}{begin} +{_LINES} draft/multiline {target}"
        for first, *more in lines:
            yield f"@batch={_LINES} {head}{first}"
            for part in more:
                yield f"@batch={_LINES};draft/multiline-concat {head}{part}"
        # "Batch": what ends a batch stands in the same other batch as what begins it.
        yield f"{self.tags(batch=batch)}{end} -{_LINES}"

    def past(self, message: PastMessage) -> Iterator[str]:
        """Yield the lines of what was said before its reader came, marked as past.

        That is a batch or the time of each line. Who would see neither reads notices with a time: no program
        must take them for what is said now.
        """
        said, position = message.said, message.position
        if self.has_batch or self._has_time:
            return self.said(said, position, message.index, batch=PAST if self.has_batch else "")
        # By the clock of the node's own system: a reader's zone is not known.
        at = datetime.fromtimestamp(position.at, UTC).astimezone()
        head = f"{at:%H:%M} {said.nickname}: "
        lines = [head + line for line in said.text.split(LINE_END) if line]
        return self.notice(self.channel, LINE_END.join(lines or [head]))

    def excerpt(self, messages: Iterable[PastMessage]) -> list[str]:
        """Return what a client asked for of the past, without what was redacted; mostly in a batch."""
        batch = PAST if self.has_batch else ""
        lines = [
            line
            for it in messages
            if not it.is_redacted
            for line in self.said(it.said, it.position, it.index, batch=batch)
        ]
        return [self.begin_past(), *lines, self.end_past()] if batch else lines

    def begin_past(self) -> str:
        """Return the line before what was said before."""
        return f":{self.server.name} BATCH +{PAST} chathistory {self.channel}"

    def end_past(self) -> str:
        """Return the line behind it."""
        return f":{self.server.name} BATCH -{PAST}"

    def event(
        self, event: PublicEvent, position: Position, *, is_kicked: bool = False
    ) -> list[str]:
        """Return the lines of any event but a message; none where there is no word for it.

        ``is_kicked``: who has left was removed by a moderator, which was told before.
        """
        match event:
            case Joined():
                return [self._joined(event, position)]
            case Present():
                line = self._joined(event, position)
                return [line, *self._away(event, event.away, position)] if event.away else [line]
            case Left():
                return self._left(event, position, is_kicked=is_kicked)
            case WentAway(text=text):
                return self._away(event, text, position)
            case Registered(nickname=nickname, on=on):
                if not self._tells_accounts:
                    return []
                return [self._did(nickname, f"ACCOUNT {nickname if on else '*'}", position)]
            case Closed():
                return ["ERROR :Closing link (The chat was closed by its administrator)"]
            case Tagged(nickname=nickname, session=session):
                return self.tagged(event, nickname, session, self.channel, position.at)
            case Said() | Withdrawn():
                return []
            case _:
                return self._moderated(event, position)

    def _joined(self, event: Joined | Present, position: Position) -> str:
        is_account, about = event.is_account, event.about
        return self.joined(event.nickname, position.at, is_account=is_account, about=about)

    def joined(self, nickname: str, at: float, *, is_account: bool, about: str = "") -> str:
        """Return the line that says that somebody is in the channel; ``about``: who he says to be."""
        account = nickname if is_account else ""
        line = (
            f"{self.tags(at, account=account)}:{self.server.person(nickname)} JOIN {self.channel}"
        )
        if not self._extends_join:
            return line
        return f"{line} {account or '*'} :{about.partition(' ')[2] or nickname}"

    def with_rest(self, head: str, text: str, at: float = 0.0, account: str = "") -> list[str]:
        """Return a line that ends with a text, and as notices what has no place in it.

        ``head``: the line up to there, without tags.
        """
        first, *rest = wrapped(in_one_line(text), _MOST - len(head.encode()))
        line = f"{self.tags(at, account=account)}{head}{first}"
        return [line, *self.notice(self.channel, f"… {''.join(rest)}", at)] if rest else [line]

    def _left(self, event: Left, position: Position, *, is_kicked: bool) -> list[str]:
        if event.is_gone and self.shows_lobby:
            return []  # it is told there
        words = in_one_line(event.text)
        if event.is_gone or not self.room:
            # modern.ircdocs.horse, "QUIT message": before what people say, so that it is seen to be that.
            what = f"QUIT :Quit: {words}" if words else "QUIT :Quit"
        elif is_kicked:
            return []
        else:
            what = f"PART {self.channel} :{words}" if words else f"PART {self.channel}"
        return [self._did(event.nickname, what, position)]

    def _away(self, event: WentAway | Present, text: str, position: Position) -> list[str]:
        if not self._tells_away:
            return []
        what = f"AWAY :{in_one_line(text)}" if text else "AWAY"
        return [self._did(event.nickname, what, position)]

    def _did(self, nickname: str, what: str, position: Position, account: str = "") -> str:
        return f"{self.tags(position.at, account=account)}:{self.source(nickname)} {what}"

    def _moderated(self, event: Moderated, position: Position) -> list[str]:
        by = SERVER if isinstance(event, Owned) else event.nickname
        at, channel = position.at, self.channel
        account = "" if by == SERVER else by  # nobody else can be a moderator
        head = f":{self.source(by)}"
        match event:
            case Topic(text=text):
                return self.with_rest(f"{head} TOPIC {channel} :", text, at, account)
            case Kicked(whom=whom, reason=reason):
                why = reason or account or "Removed"
                return self.with_rest(f"{head} KICK {channel} {whom} :", why, at, account)
            case Redacted(offset=offset, index=index, text=text) if self._redacts:
                redact = f"{head} REDACT {channel} {position.epoch}-{offset}-{index}"
                if text:
                    return self.with_rest(f"{redact} :", text, at, account)
                return [f"{self.tags(at, account=account)}{redact}"]
        if not (modes := _modes(event)):
            return list(self.notice(channel, moderation.english(event), at))
        lines = [self._did(by, f"MODE {channel} {modes}", position, account)]
        if isinstance(event, Muted) and (event.until or event.reason):
            lines += self.notice(channel, moderation.english(event), at)
        return lines


@lru_cache(maxsize=1024)
def speech_of(server: IrcServer, capabilities: Capability, room: str, shows_lobby: bool) -> Speech:
    """Return how a room's events read, as one thing for all to whom they read so."""
    return Speech(server, capabilities, room, shows_lobby=shows_lobby)


def _divided(text: str, splits: Sequence[int], most: int) -> list[list[str]]:
    """Return a text's lines, each in parts of at most so many bytes; ``splits``: as in ``Said``."""
    if not splits:
        return [wrapped(line, most) for line in text.split(LINE_END)]
    lines, start = [[""]] * splits.count(0), 0
    for line in text.split(LINE_END):
        end = start + len(line)
        ends = [start, *(it for it in splits if start < it < end), end]
        parts = (wrapped(text[first:last], most) for first, last in pairwise(ends))
        lines.append([*chain.from_iterable(parts)])
        start = end + len(LINE_END)
    return lines


def _word(nickname: str, *, is_notice: bool) -> str:
    """Return the command of what somebody said; operators are the server, which no program answers."""
    return "NOTICE" if is_notice or nickname == SERVER else "PRIVMSG"


def _modes(event: Moderated) -> str:
    """Return the change of modes that an event is; empty where it is none."""
    match event:
        case Muted(whom=whom):
            return f"+q {whom}!*@*"
        case Unmuted(whom=whom):
            return f"-q {whom}!*@*"
        case Appointed(whom=whom, on=on):
            return f"{'+' if on else '-'}o {whom}"
        case Owned(whom=whom):
            return f"+o {whom}"
        case AccountsOnly(on=on):
            return "+m" if on else "-m"
        case Outsiders(on=on):
            return "-n" if on else "+n"
    return ""
