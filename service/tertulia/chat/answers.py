"""What somebody says or does in a room, as ops, and what they are answered: in the lobby and in any other."""

from collections.abc import Mapping
from typing import Final

from msgspec import structs

from tertulia.chat.ports import DONE, ModerateOp, Op, Outcome, SayOp, WhisperOp
from tertulia.chat.roster import Roster
from tertulia.chat.session import Session
from tertulia.dialects.contract import ModerationFault, Refusal, Replies, Restraint, Why
from tertulia.domain import commands, nicknames, rooms
from tertulia.domain.moderation import MODERATORS, Rules
from tertulia.domain.operator_commands import Action

RESTRAINTS: Final[Mapping[Outcome | None, Why]] = {
    Outcome.MUTED: Why.MUTED,
    Outcome.SLOW: Why.SLOW,
    Outcome.ACCOUNTS_ONLY: Why.ACCOUNTS_ONLY,
}
_ABOUT_SOMEBODY: Final = (
    Action.MUTE, Action.UNMUTE, Action.KICK, Action.APPOINT, Action.DISMISS,
)  # fmt: skip


def say_op(session: Session, command: commands.Say, *, outside: bool = False) -> SayOp:
    """Return the op of a message to everybody in a room."""
    return SayOp(
        session.name, session.key, session.nickname, command.text, command.tag,
        session.token_key if command.tag else "", session.is_account, 0, outside,
        command.is_notice, command.tags, command.splits,
    )  # fmt: skip


def moderate_op(
    session: Session, command: commands.Moderate, rules: Rules, roster: Roster
) -> ModerateOp | ModerationFault:
    """Return the op of an act of moderation in the lobby, or why it is refused already."""
    act = command.act
    if not (session.is_account and act.action in MODERATORS and rules.moderates(session.key)):
        return ModerationFault.FORBIDDEN
    return _moderate_op(session, command, roster)


def moderate_here_op(
    session: Session, command: commands.Moderate, rules: Rules, roster: Roster
) -> ModerateOp | ModerationFault:
    """Return the op of an act of moderation in a further room, or why it is refused already."""
    act = command.act
    may = act.action in MODERATORS and rules.moderates_here(session.key, session.account)
    if not (may or rules.owns(session.key, session.account)):
        return ModerationFault.FORBIDDEN
    return _moderate_op(session, command, roster)


def _moderate_op(
    session: Session, command: commands.Moderate, roster: Roster
) -> ModerateOp | ModerationFault:
    act = command.act
    if command.epoch not in ("", roster.position.epoch):
        return ModerationFault.NO_SUCH_MESSAGE
    if act.action in _ABOUT_SOMEBODY and not nicknames.is_valid(act.whom):
        return ModerationFault.UNKNOWN_RECIPIENT
    holder, held = roster.holder(act.whom), ""
    if holder is None and command.is_of_present:
        return ModerationFault.UNKNOWN_RECIPIENT
    if holder is not None:
        held, act = holder.session, structs.replace(act, whom=holder.nickname)
    return ModerateOp(
        session.name, session.key, session.nickname, act, held, session.account, command.tag
    )


def answer(session: Session, op: Op, replies: Replies, rules: Rules) -> bytes:
    """Return what a session reads that an op of its in a room is settled; ``replies`` are the room's."""
    match op:
        case SayOp(outcome=outcome):
            if outcome is DONE:
                return replies.sent(op.tag)
            if outcome in RESTRAINTS:
                return restrained(session, op, replies, rules)
            # It is not in the room, or not any more, and who is outside may not speak there.
            return replies.refusal(Refusal.UNKNOWN_RECIPIENT, rooms.MARK + replies.room, op.tag)
        case ModerateOp():
            return moderated(replies, op)
    return b""


def restrained(session: Session, op: SayOp | WhisperOp, replies: Replies, rules: Rules) -> bytes:
    """Return the answer to a message that its sender may not send now."""
    mute = rules.mutes.get(session.key) if op.outcome is Outcome.MUTED else None
    # The store's answer may be here before the log's entry is: then the words are another mute's.
    reason = mute.reason if mute is not None and mute.until == op.until else ""
    return notice(session, Restraint(RESTRAINTS[op.outcome], op.until, reason), op.tag, replies)


def notice(session: Session, restraint: Restraint, tag: int, replies: Replies) -> bytes:
    """Return the notice that a message was not passed on, which counts as a message."""
    session.receipts.give_notices()
    return replies.restrained(restraint, tag)


def moderated(replies: Replies, op: ModerateOp) -> bytes:
    """Return the answer to a moderator; what was done is told by the log, to everybody."""
    action = op.act.action
    match op.outcome:
        case Outcome.FORBIDDEN:
            fault = ModerationFault.FORBIDDEN
        case Outcome.FULL:
            fault = ModerationFault.TOO_MANY_MUTED
        case Outcome.UNKNOWN if action is Action.REDACT:
            fault = ModerationFault.NO_SUCH_MESSAGE
        case Outcome.UNKNOWN if action is Action.UNMUTE:
            fault = ModerationFault.NOT_MUTED
        case Outcome.UNKNOWN:
            fault = ModerationFault.UNKNOWN_RECIPIENT
        case Outcome.DONE:
            return replies.moderated(action, op.tag)
        case _:
            return b""
    return replies.not_moderated(action, fault, op.tag)
