"""Ops on their way to the commit script: its variable KEYS, and its arguments in the layouts of ``ops``."""

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, ClassVar, Final, NamedTuple, cast

import msgspec

from tertulia.chat.device_ops import CollectOp, ForgetOp, RequestOp, SignUpOp
from tertulia.chat.ports import (
    CloseOp,
    JoinOp,
    LeaveOp,
    Member,
    ModerateOp,
    Op,
    PassOnOp,
    PresenceOp,
    RefusedOp,
    ReportOp,
    RoomJoinOp,
    RoomLeaveOp,
    SayOp,
    WhisperOp,
)
from tertulia.domain.events import (
    Closed,
    Joined,
    Left,
    Owned,
    Present,
    PrivateEvent,
    PublicEvent,
    Registered,
    Said,
    Tagged,
    TaggedAlone,
    Undelivered,
    WentAway,
    Whispered,
    encode,
)
from tertulia.domain.nicknames import fold
from tertulia.domain.operator_commands import MOST_AUDITED, OperatorCommand, by_moderator
from tertulia.domain.operator_commands import encode as encode_command
from tertulia.domain.requests import JoinUp, LeaveChat, LogIn, LogOut, Message, OpenChat
from tertulia.redis.hot import Argument
from tertulia.store.keys import Keys, LogKeys
from tertulia.store.ops import (
    CLOSE,
    COLLECT,
    FORGET,
    JOIN,
    JOIN_UP,
    LEAVE,
    LEAVE_CHAT,
    LETTERS,
    LOG_IN,
    LOG_OUT,
    MESSAGE,
    MODERATE,
    OPEN_CHAT,
    PASS_ON,
    PRESENCE,
    REFUSED,
    REPORT,
    RESTRAINTS,
    ROOM_JOIN,
    ROOM_LEAVE,
    SAY,
    SAY_OUTSIDE,
    SAY_OUTSIDE_TAGGED,
    SAY_TAGGED,
    SIGN_UP,
    WHISPER,
    WHISPER_AWAY,
    WHISPERS,
    Packed,
)

_pack: Final = msgspec.msgpack.Encoder().encode
_encode_lines: Final = msgspec.json.Encoder().encode_lines
_TALK: Final = frozenset({SayOp, WhisperOp})
"""Ops by which nobody comes or goes."""


def letter_of(op: WhisperOp) -> Whispered | TaggedAlone:
    """Return the letter that its recipient reads."""
    if op.tags and not op.text:
        return TaggedAlone(op.nickname, op.session, op.tags, op.tag, op.is_account)
    return Whispered(
        op.nickname, op.session, op.recipient, op.text, op.tag, op.is_account, op.is_notice, op.tags,
        op.splits,
    )  # fmt: skip


class LogBatch:
    """Ops on their way to a log's commit script: its variable KEYS, and its arguments."""

    _OPS: ClassVar[Mapping[type, Callable[[Any, Any], Packed]]] = {}

    def __init__(
        self,
        keys: LogKeys,
        fixed: int,
        *,
        restrained: bool = False,
    ) -> None:
        """``restrained``: not everybody may speak now."""
        self._names = keys
        self._fixed = fixed
        self._index: dict[str, int] = {}
        # By the folded nickname: most batches have it several times.
        self._nicks: dict[str, int] = {}
        self.args: list[Argument] = []
        self._letters: set[str] = set()
        self.size = 0
        """Bytes of events and letters in all."""
        if restrained:
            self._restrain()

    @property
    def keys(self) -> list[str]:
        """The variable keys, in the order of their indexes."""
        return list(self._index)

    @property
    def letters(self) -> str:
        """The letters of the ops, each once."""
        return "".join(sorted(self._letters))

    def key(self, name: str) -> int:
        """Return a key's index among KEYS, from 1."""
        index = self._index.get(name)
        if index is None:
            index = self._index[name] = self._fixed + len(self._index) + 1
        return index

    def add(self, *ops: Op) -> None:
        """Put ops in, behind the earlier ones. Raises TypeError for an op that is not known."""
        packers, args, letters = self._OPS, self.args, self._letters
        for op in ops:
            pack = packers.get(type(op))
            if pack is None:
                raise TypeError(f"no such op: {type(op).__name__}")
            packed = pack(self, op)
            args += packed
            letters.add(packed[0])

    def _put(self, packed: Packed) -> None:
        """Put a packed op behind the others."""
        self.args += packed
        self._letters.add(packed[0])

    def _say(self, op: SayOp) -> Packed:
        by, session, text, tags = op.nickname, op.session, op.text, op.tags
        if text or not tags:
            event = encode(
                Said(by, session, text, op.tag, op.is_account, op.is_notice, tags, op.splits)
            )
        else:
            event = encode(Tagged(by, session, tags, op.tag, op.is_account))
        self.size += len(event)
        nick = self._nicks.get(op.key) or self._nick(op.key)
        if not op.token:
            return SAY.pack(nick=nick, session=op.session, event=event)
        token = self._token(op.token)
        return SAY_TAGGED.pack(nick=nick, session=op.session, event=event, token=token, tag=op.tag)

    def _refused(self, op: RefusedOp) -> Packed:
        token = self._token(op.token)
        return REFUSED.pack(nick=self._nick(op.key), session=op.session, token=token, tag=op.tag)

    def _restrain(self) -> None:
        names, letter = self._names, RESTRAINTS.letter
        if letter not in self._letters:
            self._letters.add(letter)
            # In front, so that it is there before what it is about.
            self.args[:0] = RESTRAINTS.pack(
                rules=self.key(names.moderation),
                muted=self.key(names.muted),
                spoke=self.key(names.spoke),
            )

    def _act(self, op: ModerateOp, account: int, nicks: int, ended: int) -> Packed:
        """Pack a moderator's request. The last two are indexes of keys that a further room does not have."""
        self._restrain()
        names, act, key = self._names, op.act, fold(op.act.whom)
        by = by_moderator(op.nickname)
        command = OperatorCommand(
            secrets.token_hex(8), by, act.action, key, act.text, value=act.written_value
        )
        there = op.holder.rpartition(":")[0]
        return MODERATE.pack(
            nick=self._nick(op.key),
            session=op.session,
            account=account,
            redacted=self.key(names.redacted),
            audit=self.key(names.audit),
            most=MOST_AUDITED,
            action=act.action.value,
            key=key,
            value=act.value,
            index=act.index,
            text=act.text,
            command=encode_command(command),
            event=self._event(act.event(op.nickname, op.session)),
            other=self._nick(key) if key else 0,
            there=there,
            nicks=nicks,
            ended=ended,
        )

    def _event(self, event: PublicEvent | PrivateEvent) -> bytes:
        written = encode(event)
        self.size += len(written)
        return written

    def _nick(self, key: str) -> int:
        index = self._nicks.get(key)
        if index is None:
            index = self._fixed + len(self._index) + 1
            self._nicks[key] = self._index[self._names.nick(key)] = index
        return index

    def _token(self, key: str) -> int | str:
        raise NotImplementedError


class Seen(NamedTuple):
    """What a node has seen of a chat: where that is all, Redis need not look who holds which nickname."""

    holders: Mapping[str, Member]
    """Who holds which nickname."""
    letters: int
    """The number of the last letter in the node's inbox."""
    ms: int
    """The time by Redis' clock, in milliseconds since 1970, as near as the node knows it."""


class Batch(LogBatch):
    """Ops on their way to the chat's commit script."""

    _names: Keys

    def __init__(
        self,
        keys: Keys,
        fixed: int,
        node: str,
        *,
        look_further: bool = False,
        restrained: bool = False,
        known: Seen | None = None,
    ) -> None:
        """``look_further``: a recipient was not where this node expected it.

        ``restrained``: not everybody may speak now. ``known``: where this node knows as much as Redis.
        """
        super().__init__(keys, fixed, restrained=restrained)
        self._node = node
        self._look_further = look_further
        self._known = None if look_further or restrained else known
        self.has_letters = False
        self.addressed: list[tuple[str, Whispered | TaggedAlone]] = []
        """The letters of ``LETTERS``, with the sessions that read them."""
        self.written: list[Argument] = []
        """The same as they stand in this node's inbox."""

    def _request(self, op: RequestOp) -> Packed:
        return self._REQUESTS[type(op.asked)](self, op, op.asked)

    def _moderate(self, op: ModerateOp) -> Packed:
        names, key = self._names, fold(op.act.whom)
        there = op.holder.rpartition(":")[0]
        return self._act(
            op,
            self._account(op.key),
            self.key(names.nicks(there)) if there else 0,
            self.key(names.ended(key)) if key else 0,
        )

    def add(self, *ops: Op) -> None:
        if self._known is not None and not _TALK.issuperset(map(type, ops)):
            self._known = None  # who holds which nickname changes in the batch
        for kind, run in groupby(ops, type):
            if kind is WhisperOp:
                self._whisper(cast(Iterable[WhisperOp], run))
            else:
                super().add(*run)

    def _whisper(self, ops: Iterable[WhisperOp]) -> None:
        """Put whispers in: those in a row that are to people who are there, without a token, as one op."""
        self.has_letters = True
        if self._known is not None:
            ops = self._write(ops, self._known)
        nicks, plain = self._nicks, list[Argument]()
        for op in ops:
            letter = encode(letter_of(op))
            self.size += len(letter)
            nick = nicks.get(op.key) or self._nick(op.key)
            recipient = nicks.get(op.recipient) or self._nick(fold(op.recipient))
            if not (op.away or op.token or self._look_further):
                plain += (nick, op.session, recipient, letter.decode())  # Redis 6 unpacks no bytes
                continue
            self._put_whispers(plain)
            plain.clear()
            token = self._token(op.token)
            if op.away or self._look_further:
                key = fold(op.recipient)
                packed = WHISPER_AWAY.pack(
                    nick=nick,
                    session=op.session,
                    recipient=recipient,
                    letter=letter,
                    token=token,
                    tag=op.tag,
                    account=self._account(key),
                    device=self._device(key),
                    **self._waiting(key, op.key),
                    own_account=self._account(op.key),
                    keep=int(op.keep),
                    nickname=op.nickname,
                    key=op.key,
                    text=op.text,
                )
            else:
                packed = WHISPER.pack(
                    nick=nick,
                    session=op.session,
                    recipient=recipient,
                    letter=letter,
                    token=token,
                    tag=op.tag,
                )
            self._put(packed)
        self._put_whispers(plain)

    def _write(self, ops: Iterable[WhisperOp], known: Seen) -> Sequence[WhisperOp]:
        """Write the letters of whispers from this node to itself, up to another one; return the rest."""
        self._known = None  # the letters of what follows can't be numbered here
        holders, own, ops = known.holders, f"{self._node}:", list(ops)
        addressed = self.addressed
        for op in ops:
            by, to = (
                holders.get(op.key),
                holders.get(op.recipient) or holders.get(fold(op.recipient)),
            )
            if op.away or op.token or by is None or by.session != op.session or to is None:
                break
            session = to.session
            if not session.startswith(own):
                break
            addressed.append((session, letter_of(op)))
        count = len(addressed)
        if count:
            text = _encode_lines([letter for _, letter in addressed])
            self.size += len(text)
            # LF ends a letter, and is never in one.
            lines, at = text.decode().split("\n")[:-1], known.ms
            self.written = [
                f"{number} {session} {at} {line}"
                for number, ((session, _), line) in enumerate(
                    zip(addressed, lines, strict=True), known.letters + 1
                )
            ]
            self._put(LETTERS.pack(count=count))
        return ops[count:]

    def _put_whispers(self, plain: list[Argument]) -> None:
        if plain:
            self._put(WHISPERS.pack(packed=_pack(plain)))

    def _join(self, op: JoinOp) -> Packed:
        names, key = self._names, op.key
        return JOIN.pack(
            nick=self._nick(key),
            session=op.session,
            key=key,
            nickname=op.nickname,
            dialect=op.dialect,
            address=op.address,
            port=op.port,
            event=self._event(Joined(op.nickname, op.session, op.dialect, about=op.about)),
            token=self._token(op.token),
            resumed=int(op.resumed),
            account=self._account(key),
            proven=int(op.proven),
            senders=self.key(names.senders(key)) if op.proven else 0,
            stream=self.key(names.stream(key)) if op.proven else 0,
            ended=self.key(names.ended(key)) if op.resumed else 0,
            about=op.about,
        )

    def _leave(self, op: LeaveOp) -> Packed:
        return LEAVE.pack(
            nick=self._nick(op.key),
            session=op.session,
            key=op.key,
            event=self._event(Left(op.nickname, op.session, text=op.words)),
            token=self._token(op.token),
        )

    def _presence(self, op: PresenceOp) -> Packed:
        away, account = op.away, op.account
        told = away is not None and self._event(WentAway(op.nickname, op.session, away))
        proved = account is not None and self._event(Registered(op.nickname, op.session, account))
        return PRESENCE.pack(
            nick=self._nick(op.key),
            session=op.session,
            away=away or "",
            away_event=told or b"",
            proven=int(account or 0),
            proven_event=proved or b"",
        )

    def _close(self, op: CloseOp) -> Packed:
        event = self._event(Closed(op.nickname, op.session))
        nick = self._nick(op.key)
        return CLOSE.pack(nick=nick, session=op.session, key=op.key, event=event)

    def _report(self, op: ReportOp) -> Packed:
        recipient = fold(op.recipient)
        self.has_letters = True
        return REPORT.pack(
            nick=self._nick(op.key),
            session=op.session,
            letter=self._event(Undelivered(op.key, op.session, op.recipient, op.text, op.tag)),
            account=self._account(recipient),
            **self._waiting(recipient, op.key),
            own_account=self._account(op.key),
            key=op.key,
            text=op.text,
        )

    def _pass_on(self, op: PassOnOp) -> Packed:
        self.has_letters = True
        letter = self._event(op.event)
        at = round(op.at * 1000)
        return PASS_ON.pack(nick=self._nick(op.key), session=op.session, letter=letter, at=at)

    def _collect(self, op: CollectOp) -> Packed:
        names, key = self._names, op.key
        lists = [self.key(names.pending(key, sender)) for sender in op.senders]
        self.has_letters = True
        return COLLECT.pack(
            nick=self._nick(key),
            session=op.session,
            nickname=op.nickname,
            mailbox=self.key(names.mailbox(key)),
            senders=self.key(names.senders(key)),
            names=" ".join(op.senders),
            lists=" ".join(map(str, lists)),
        )

    def _forget(self, op: ForgetOp) -> Packed:
        waiting = self._waiting(op.key, op.sender)
        return FORGET.pack(**waiting, sender=op.sender, number=op.number, shown=op.shown)

    def _sign_up(self, op: SignUpOp) -> Packed:
        return SIGN_UP.pack(
            **self._of_device(op),
            nick=self._nick(op.key),
            account=self._account(op.key),
            nickname=op.nickname,
            hash=op.password_hash,
            port=op.port,
        )

    def _log_in(self, op: RequestOp, asked: LogIn) -> Packed:
        account = self._account(op.key)
        return LOG_IN.pack(**self._of_device(op), account=account, port=asked.port)

    def _log_out(self, op: RequestOp, asked: LogOut) -> Packed:
        return LOG_OUT.pack(**self._of_device(op))

    def _open_chat(self, op: RequestOp, asked: OpenChat) -> Packed:
        other = fold(asked.other)
        self.has_letters = True
        return OPEN_CHAT.pack(
            **self._of_device(op),
            waiting=self.key(self._names.waiting(self._node)),
            session=op.session,
            other=other,
            other_nick=self._nick(other),
            other_account=self._account(other),
            other_device=self._device(other),
        )

    def _join_up(self, op: RequestOp, asked: JoinUp) -> Packed:
        other = fold(asked.other)
        self.has_letters = True
        device = self._device(other)
        return JOIN_UP.pack(**self._of_device(op), other=other, other_device=device)

    def _leave_chat(self, op: RequestOp, asked: LeaveChat) -> Packed:
        waiting = self.key(self._names.waiting(self._node))
        session = op.session if asked.only_here else ""
        return LEAVE_CHAT.pack(**self._of_device(op), waiting=waiting, session=session)

    def _message(self, op: RequestOp, asked: Message) -> Packed:
        other = fold(asked.other)
        self.size += len(asked.text)
        self.has_letters = True
        return MESSAGE.pack(
            **self._of_device(op),
            other_nick=self._nick(other),
            other_account=self._account(other),
            **self._waiting(other, op.key),
            other=asked.other,
            text=asked.text,
        )

    def _account(self, key: str) -> int:
        return self.key(self._names.account(key))

    def _device(self, key: str) -> int:
        return self.key(self._names.device(key))

    def _of_device(self, op: RequestOp | SignUpOp) -> dict[str, int | str]:
        """Return the fields with which every op of a device begins."""
        devices = self.key(self._names.devices)
        device = self._device(op.key)
        return {"device": device, "devices": devices, "key": op.key, "address": op.address}

    def _waiting(self, key: str, sender: str) -> dict[str, int]:
        """Return the indexes of the keys that hold a sender's messages to an account."""
        names = self._names
        return {
            "list": self.key(names.pending(key, sender)),
            "mailbox": self.key(names.mailbox(key)),
            "senders": self.key(names.senders(key)),
        }

    def _token(self, key: str) -> int:
        return self.key(self._names.token(key)) if key else 0

    _OPS: ClassVar[Mapping[type, Callable[["Batch", Any], Packed]]] = {
        SayOp: LogBatch._say,
        JoinOp: _join,
        LeaveOp: _leave,
        PresenceOp: _presence,
        CloseOp: _close,
        ModerateOp: _moderate,
        ReportOp: _report,
        PassOnOp: _pass_on,
        RefusedOp: LogBatch._refused,
        CollectOp: _collect,
        ForgetOp: _forget,
        SignUpOp: _sign_up,
        RequestOp: _request,
    }
    _REQUESTS: ClassVar[Mapping[type, Callable[["Batch", RequestOp, Any], Packed]]] = {
        LogIn: _log_in,
        LogOut: _log_out,
        OpenChat: _open_chat,
        JoinUp: _join_up,
        LeaveChat: _leave_chat,
        Message: _message,
    }


class RoomBatch(LogBatch):
    """Ops on their way to a further room's commit script."""

    def _say(self, op: SayOp) -> Packed:
        if not op.outside:
            return super()._say(op)
        layout = SAY_OUTSIDE_TAGGED if op.token else SAY_OUTSIDE
        (_, *fields) = super()._say(op)
        return (layout.letter, *fields)

    def _join(self, op: RoomJoinOp) -> Packed:
        joined = Joined(
            op.nickname,
            op.session,
            op.dialect,
            number=op.number,
            is_account=op.account > 0,
            about=op.about,
        )
        owned: bytes = b""
        if op.account:
            owned = self._event(Owned(op.nickname, op.session, op.nickname, op.account))
        return ROOM_JOIN.pack(
            nick=self._nick(op.key),
            session=op.session,
            key=op.key,
            nickname=op.nickname,
            dialect=op.dialect,
            event=self._event(joined),
            number=op.number,
            account=op.account,
            token=op.token,
            resumed=int(op.resumed),
            owned=owned,
            about=op.about,
        )

    def _leave(self, op: RoomLeaveOp) -> Packed:
        return ROOM_LEAVE.pack(
            nick=self._nick(op.key),
            session=op.session,
            key=op.key,
            event=self._event(Left(op.nickname, op.session, op.is_gone, op.words)),
            token=op.token,
        )

    def _moderate(self, op: ModerateOp) -> Packed:
        return self._act(op, op.account, 0, 0)

    def _token(self, key: str) -> str:
        return key

    @staticmethod
    def seat(each: Member, writer: str) -> list[Argument]:
        """Return the fields of a member who is written down again by a node."""
        node = each.session.rpartition(":")[0]
        event: Argument = b""
        if node == writer:
            event = encode(
                Present(
                    each.nickname,
                    each.session,
                    each.dialect,
                    each.number,
                    each.is_account,
                    about=each.about,
                )
            )
        named = (each.nickname, each.dialect, each.number, int(each.is_account), each.about)
        return [fold(each.nickname), each.session, node, *named, event]

    _OPS: ClassVar[Mapping[type, Callable[["RoomBatch", Any], Packed]]] = {
        SayOp: _say,
        RoomJoinOp: _join,
        RoomLeaveOp: _leave,
        RefusedOp: LogBatch._refused,
        ModerateOp: _moderate,
    }
