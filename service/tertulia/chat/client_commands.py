"""What clients ask for, and what they are answered: commands become ops, and settled ops become answers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from tertulia.chat.answers import (
    RESTRAINTS,
    moderate_op,
    moderated,
    notice,
    restrained,
)
from tertulia.chat.any_room import AnyRoom
from tertulia.chat.devices import Devices
from tertulia.chat.entering import Entering
from tertulia.chat.knowledge import SessionKnowledge, away_op
from tertulia.chat.own_accounts import OwnAccounts
from tertulia.chat.past_requests import PastRequests
from tertulia.chat.ports import (
    GONE,
    KEPT,
    CloseOp,
    JoinOp,
    LeaveOp,
    ModerateOp,
    Op,
    Outcome,
    RefusedOp,
    RoomLeaveOp,
    SayOp,
    Store,
    WhisperOp,
)
from tertulia.chat.rooms import FurtherRooms
from tertulia.chat.session import ACTIVE, CONNECTED, ENDED, JOINING, Session, State
from tertulia.chat.sessions import Sessions, leave_of
from tertulia.chat.turn import Turn
from tertulia.dialects.contract import (
    AccountAnswer,
    ModerationFault,
    Refusal,
    Restraint,
    Why,
)
from tertulia.domain import commands, nicknames
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.moderation import Rules
from tertulia.telemetry.metrics import Metrics


class ClientCommands:
    """Carries out what the sessions of a chat ask for, and answers when it is done.

    What is meant for a further room is carried out there.
    """

    def __init__(
        self,
        store: Store,
        sessions: Sessions,
        lobby: AnyRoom[Session],
        entering: Entering,
        own_accounts: OwnAccounts,
        devices: Devices,
        turn: Turn,
        rules: Rules,
        past_requests: PastRequests,
        further: FurtherRooms,
        metrics: Metrics,
        *,
        may_be_closed: bool,
    ) -> None:
        """``may_be_closed``: whether the chat's administrator may close it."""
        self._store = store
        self._sessions = sessions
        self._lobby = lobby
        self._roster = lobby.roster
        self._entering = entering
        self._own_accounts = own_accounts
        self._devices = devices
        self._turn = turn
        self._rules = rules
        self._metrics = metrics
        self._may_be_closed = may_be_closed
        self._past_requests = past_requests
        self._further = further

    def carry_out(self, session: Session, command: commands.Command) -> None:
        """Carry out what a client asks for, as ``COMMANDS`` says; the session has to take commands.

        A command that is not legal in the session's state is ignored.
        """
        row = COMMANDS[type(command)]
        if session.state in row.states:
            row.carry_out(self, session, command)

    def filtered(self, session: Session, command: commands.Say | commands.Whisper) -> None:
        """Tell a client that its message has words that its listener refuses: nobody else reads of it."""
        self._metrics.messages_filtered(session.encoder.name).inc()
        room, tag = command.room if isinstance(command, commands.Say) else "", command.tag
        replies = self._further.replies(session, room)
        self._refuse(session, notice(session, Restraint(Why.FILTERED), tag, replies), tag, room)

    # --- Each command ----------------------------------------------------------------------------

    def _acknowledge(self, session: Session, command: commands.Acknowledge) -> None:
        session.receipts.acknowledged += command.count

    def _fault(self, session: Session, command: commands.Faulty) -> None:
        self._metrics.faults(command.fault).inc()
        room = command.room
        self._refuse(
            session, self._further.replies(session, room).fault(command), command.tag, room
        )

    def _enter(self, session: Session, command: commands.Enter) -> None:
        self._entering.enter(session, command)

    def _prove(self, session: Session, command: commands.ProveAccount) -> None:
        self._entering.prove(session, command)

    def _register_early(self, session: Session, command: commands.RegisterEarly) -> None:
        self._entering.register_early(session, command)

    def _reply(self, session: Session, command: commands.ReadReply) -> None:
        session.answer(command.text)

    def _change_voice(self, session: Session, command: commands.ChangeVoice) -> None:
        self._sessions.listen(session)

    def _show_lobby(self, session: Session, command: commands.ShowLobby) -> None:
        if not session.shows_lobby:
            self._sessions.show_lobby(session, lambda: self._lobby.shown(session))

    def _hide_lobby(self, session: Session, command: commands.HideLobby) -> None:
        if session.shows_lobby:
            self._sessions.hide_lobby(session, command.words)

    def _say(self, session: Session, command: commands.Say) -> None:
        if command.room:
            self._further.say(session, command)
            return
        token = session.token_key if command.tag else ""
        op = SayOp(
            session.name, session.key, session.nickname, command.text, command.tag, token,
            session.is_account, is_notice=command.is_notice, tags=command.tags, splits=command.splits,
        )  # fmt: skip
        if command.tags and not command.text and self._rules.slow:
            session.answer(session.replies.sent(command.tag))  # it would take a message's turn
        else:
            self._submit(session, op)

    def _whisper(self, session: Session, command: commands.Whisper) -> None:
        recipient, tag = command.recipient, command.tag
        # Most write a nickname as it is compared: then it is found without a call.
        away = recipient not in self._roster.holders and self._roster.holder(recipient) is None
        if away and (not nicknames.is_valid(recipient) or (command.tags and not command.text)):
            refusal = session.replies.refusal(Refusal.UNKNOWN_RECIPIENT, recipient, tag)
            self._refuse(session, refusal, tag)
            return
        op = WhisperOp(
            session.name, session.key, session.nickname, recipient, command.text, tag,
            session.token_key if tag else "", session.encoder.keeps, away, session.is_account,
            command.is_notice, tags=command.tags, splits=command.splits,
        )  # fmt: skip
        session.submitted(op)  # as ``_submit``: a call less for each private message
        self._store.submit(op)

    def _ready(self, session: Session, command: commands.Ready) -> None:
        self._sessions.hears(session)

    def _ping(self, session: Session, command: commands.Ping) -> None:
        # Not as an answer in its turn: it says that the node is there, also while the store is away.
        session.outbox.write(session.replies.pong())

    def _leave(self, session: Session, command: commands.Leave) -> None:
        if session.state is CONNECTED:
            self._sessions.end(session, Disconnect.LEFT)
        elif any(isinstance(op, RoomLeaveOp) for op in session.in_order or ()):
            session.pause()  # it reads first that it has parted
            session.answer_then(lambda: self._leave_now(session, command.words))
        else:
            self._leave_now(session, command.words)

    def _leave_now(self, session: Session, words: str) -> bytes:
        """Leave; there is no answer yet."""
        if session.state is ACTIVE:
            session.leave()
            self._sessions.leave_rooms(session, for_good=True, words=words)
            self._submit(session, leave_of(session, for_good=True, words=words))
        return b""

    def _close_chat(self, session: Session, command: commands.CloseChat) -> None:
        if self._may_be_closed:
            self._submit(session, CloseOp(session.name, session.key, session.nickname))
        else:
            session.answer(session.replies.refusal(Refusal.FORBIDDEN))

    def _moderate(self, session: Session, command: commands.Moderate) -> None:
        if command.room:
            self._further.moderate(session, command)
            return
        action, tag = command.act.action, command.tag
        op = moderate_op(session, command, self._rules, self._roster)
        if isinstance(op, ModerationFault):
            session.answer(session.replies.not_moderated(action, op, tag))
        else:
            self._submit(session, op)

    def _look_back(self, session: Session, command: commands.LookBack | commands.Search) -> None:
        if command.room:
            faulty = self._further.look_back(session, command)
        else:
            faulty = self._past_requests.ask(session, command, self._lobby, self._store)
        if faulty is not None:
            self._fault(session, faulty)

    def _excerpt(self, session: Session, command: commands.Excerpt) -> None:
        if command.room:
            self._further.excerpt(session, command)
        else:
            self._past_requests.excerpt(session, command, self._lobby, self._store)

    def _ask(self, session: Session, command: commands.Ask) -> None:
        knowledge = SessionKnowledge(session, self._lobby, self._further)
        if command.at_once:
            session.answer(command.told(knowledge))
        else:  # what its client asked for before may change the answer, as a JOIN does
            session.answer_then(lambda: command.told(knowledge))

    def _set_away(self, session: Session, command: commands.SetAway) -> None:
        self._submit(session, away_op(session, command.text))

    def _join_room(self, session: Session, command: commands.JoinRoom) -> None:
        self._further.join(session, command.room, command.resume)

    def _part_room(self, session: Session, command: commands.PartRoom) -> None:
        self._further.part(session, command.room, command.words)

    def _list_rooms(self, session: Session, command: commands.ListRooms) -> None:
        self._further.list(session)

    def _account(self, session: Session, command: commands.AccountCommand) -> None:
        if heard := session.replies.heard():
            session.answer(heard)
        self._own_accounts.carry_out(session, command, self._answer_of_account)

    def _answer_of_account(self, session: Session, answer: AccountAnswer) -> None:
        try:
            pieces = session.replies.account(answer)
        except Exception:
            self._sessions.fail(session)
            return
        session.receipts.give_notices(len(pieces))
        self._turn.answer(session, b"".join(pieces))
        self._turn.flush()

    def _submit(self, session: Session, op: Op) -> None:
        session.submitted(op)
        self._store.submit(op)

    def _refuse(self, session: Session, answer: bytes, tag: int, room: str = "") -> None:
        """Refuse a message here, and let its sender learn that even where the answer is lost."""
        session.answer(answer)
        if tag and session.token_key and session.is_active:
            op = RefusedOp(session.name, session.key, tag, session.token_key)
            if room:
                self._further.note(session, room, op)
            else:
                self._submit(session, op)

    # --- Its answer ------------------------------------------------------------------------------

    def settle(self, session: Session, op: Op) -> bytes:
        """Take an op as settled, and return what its session reads; not of a message that is done."""
        replies, trailer = session.replies, session.settled(op)
        if isinstance(op, JoinOp):
            # The welcome was written when the join came by in the log.
            if op.outcome is not Outcome.TAKEN:
                if op.proven:
                    self._devices.collect(session.name, session.key, session.nickname)
                session.numbered(op.number, op.account)
                self._further.enter(session)
            elif session.state is JOINING:
                self._entering.taken(session)
            # Else it was committed twice, as the store lost the first time: the log says who goes.
            return trailer
        if isinstance(op, LeaveOp):
            return replies.farewell(Disconnect.LEFT)
        if op.outcome is GONE:
            return b""  # the log says how it went: it left, or the chat was closed
        if isinstance(op, SayOp):
            return restrained(session, op, replies, self._rules) + trailer
        if isinstance(op, ModerateOp):
            return moderated(replies, op) + trailer
        if not isinstance(op, WhisperOp):
            forbidden = op.outcome is Outcome.FORBIDDEN
            return replies.refusal(Refusal.FORBIDDEN) + trailer if forbidden else trailer
        if op.outcome is KEPT:
            return replies.kept(op.recipient, op.tag) + trailer
        if op.outcome in RESTRAINTS:
            return restrained(session, op, replies, self._rules) + trailer
        full = op.outcome is Outcome.FULL
        refusal = Refusal.MAILBOX_FULL if full else Refusal.UNKNOWN_RECIPIENT
        return replies.refusal(refusal, op.recipient, op.tag) + trailer


class Row(NamedTuple):
    """What a command does, and in which states."""

    carry_out: Callable[[ClientCommands, Session, Any], None]
    states: Sequence[State]
    """The states in which it is legal; in another state it is ignored."""


_ANYWHERE: Final = (ACTIVE, *(state for state in State if state is not ACTIVE))

COMMANDS: Final[Mapping[type, Row]] = {
    commands.Say: Row(ClientCommands._say, (ACTIVE,)),
    commands.Whisper: Row(ClientCommands._whisper, (ACTIVE,)),
    commands.Acknowledge: Row(ClientCommands._acknowledge, _ANYWHERE),
    commands.Faulty: Row(ClientCommands._fault, _ANYWHERE),
    commands.Enter: Row(ClientCommands._enter, (CONNECTED,)),
    commands.ProveAccount: Row(ClientCommands._prove, (CONNECTED,)),
    commands.RegisterEarly: Row(ClientCommands._register_early, (CONNECTED,)),
    commands.ReadReply: Row(ClientCommands._reply, _ANYWHERE),
    commands.ChangeVoice: Row(ClientCommands._change_voice, (ACTIVE,)),
    commands.ShowLobby: Row(ClientCommands._show_lobby, (ACTIVE,)),
    commands.HideLobby: Row(ClientCommands._hide_lobby, (ACTIVE,)),
    commands.Ready: Row(ClientCommands._ready, (ACTIVE, ENDED)),
    commands.Ping: Row(ClientCommands._ping, _ANYWHERE),
    commands.Leave: Row(ClientCommands._leave, (CONNECTED, ACTIVE)),
    commands.CloseChat: Row(ClientCommands._close_chat, (ACTIVE,)),
    commands.Moderate: Row(ClientCommands._moderate, (ACTIVE,)),
    commands.LookBack: Row(ClientCommands._look_back, (ACTIVE,)),
    commands.Search: Row(ClientCommands._look_back, (ACTIVE,)),
    commands.Excerpt: Row(ClientCommands._excerpt, (ACTIVE,)),
    commands.Ask: Row(ClientCommands._ask, (ACTIVE,)),
    commands.SetAway: Row(ClientCommands._set_away, (ACTIVE,)),
    commands.JoinRoom: Row(ClientCommands._join_room, (ACTIVE,)),
    commands.PartRoom: Row(ClientCommands._part_room, (ACTIVE,)),
    commands.ListRooms: Row(ClientCommands._list_rooms, (ACTIVE,)),
    commands.Register: Row(ClientCommands._account, (ACTIVE,)),
    commands.ChangePassword: Row(ClientCommands._account, (ACTIVE,)),
    commands.LogOutEverywhere: Row(ClientCommands._account, (ACTIVE,)),
    commands.DeleteAccount: Row(ClientCommands._account, (ACTIVE,)),
    commands.ExplainAccounts: Row(ClientCommands._account, (ACTIVE,)),
}
"""Each command's row. A session that has ended takes commands only until it has read what is held."""
