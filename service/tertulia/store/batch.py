"""Ops on their way to the commit script: its variable KEYS, and its arguments in the layouts of ``ops``."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from tertulia.chat.device_ops import CollectOp, ForgetOp, RequestOp, SignUpOp
from tertulia.chat.ports import CloseOp, JoinOp, LeaveOp, Op, ReportOp, SayOp, WhisperOp
from tertulia.domain.events import (
    Closed,
    Joined,
    Left,
    PrivateEvent,
    PublicEvent,
    Said,
    Undelivered,
    Whispered,
    encode,
)
from tertulia.domain.nicknames import fold
from tertulia.domain.requests import JoinUp, LeaveChat, LogIn, LogOut, Message, OpenChat
from tertulia.redis.hot import Argument
from tertulia.store.keys import Keys
from tertulia.store.ops import (
    CLOSE,
    COLLECT,
    FORGET,
    JOIN,
    JOIN_UP,
    LEAVE,
    LEAVE_CHAT,
    LOG_IN,
    LOG_OUT,
    MESSAGE,
    OPEN_CHAT,
    REPORT,
    SAY,
    SAY_TAGGED,
    SIGN_UP,
    WHISPER,
    WHISPER_AWAY,
    WHISPER_TAGGED,
    Packed,
)


class Batch:
    """Ops on their way to the commit script: its variable KEYS, and its arguments."""

    def __init__(self, keys: Keys, fixed: int, node: str, *, look_further: bool = False) -> None:
        """``look_further``: a recipient was not where this node expected it."""
        self._names = keys
        self._node = node
        self._look_further = look_further
        self._fixed = fixed
        self._index: dict[str, int] = {}
        self.args: list[Argument] = []
        self._letters: set[str] = set()
        self.size = 0
        """Bytes of events and letters in all."""
        self.has_letters = False

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

    def add(self, op: Op) -> None:
        """Put an op in, behind the earlier ones. Raises TypeError for an op that is not known."""
        pack = self._OPS.get(type(op))
        if pack is None:
            raise TypeError(f"no such op: {type(op).__name__}")
        packed = pack(self, op)
        self.args += packed
        self._letters.add(packed[0])

    def _request(self, op: RequestOp) -> Packed:
        return self._REQUESTS[type(op.asked)](self, op, op.asked)

    def _say(self, op: SayOp) -> Packed:
        event = encode(Said(op.nickname, op.session, op.text))
        self.size += len(event)
        nick = self.key(self._names.nick(op.key))
        if not op.token:
            return SAY.pack(nick=nick, session=op.session, event=event)
        token = self._token(op.token)
        return SAY_TAGGED.pack(nick=nick, session=op.session, event=event, token=token, tag=op.tag)

    def _whisper(self, op: WhisperOp) -> Packed:
        letter = encode(Whispered(op.nickname, op.session, op.recipient, op.text))
        self.size += len(letter)
        self.has_letters = True
        key = fold(op.recipient)
        nick, recipient = self.key(self._names.nick(op.key)), self.key(self._names.nick(key))
        if op.away or self._look_further:
            return WHISPER_AWAY.pack(
                nick=nick,
                session=op.session,
                recipient=recipient,
                letter=letter,
                token=self._token(op.token),
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
        if not op.token:
            return WHISPER.pack(nick=nick, session=op.session, recipient=recipient, letter=letter)
        return WHISPER_TAGGED.pack(
            nick=nick,
            session=op.session,
            recipient=recipient,
            letter=letter,
            token=self._token(op.token),
            tag=op.tag,
        )

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
            event=self._event(Joined(op.nickname, op.session, op.dialect)),
            token=self._token(op.token),
            resumed=int(op.resumed),
            account=self._account(key),
            proven=int(op.proven),
            senders=self.key(names.senders(key)) if op.proven else 0,
            stream=self.key(names.stream(key)) if op.proven else 0,
            ended=self.key(names.ended(key)) if op.resumed else 0,
        )

    def _leave(self, op: LeaveOp) -> Packed:
        return LEAVE.pack(
            nick=self._nick(op.key),
            session=op.session,
            key=op.key,
            event=self._event(Left(op.nickname, op.session)),
            token=self._token(op.token),
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
            letter=self._event(Undelivered(op.key, op.session, op.recipient, op.text)),
            account=self._account(recipient),
            **self._waiting(recipient, op.key),
            own_account=self._account(op.key),
            key=op.key,
            text=op.text,
        )

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

    def _event(self, event: PublicEvent | PrivateEvent) -> bytes:
        written = encode(event)
        self.size += len(written)
        return written

    def _nick(self, key: str) -> int:
        return self.key(self._names.nick(key))

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
        SayOp: _say,
        WhisperOp: _whisper,
        JoinOp: _join,
        LeaveOp: _leave,
        CloseOp: _close,
        ReportOp: _report,
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
