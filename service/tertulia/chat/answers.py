"""What a client reads when what it asked for is settled."""

from tertulia.chat.ports import DONE, Op, Outcome, Say, Whisper
from tertulia.dialects.contract import Refusal, Voice


def answer_to(op: Op, voice: Voice) -> bytes:
    """Answer a message, or an order to close the chat."""
    if isinstance(op, Say):
        return voice.sent(op.tag)
    if not isinstance(op, Whisper):
        return voice.refusal(Refusal.FORBIDDEN) if op.outcome is Outcome.FORBIDDEN else b""
    if op.outcome is DONE:
        return voice.sent(op.tag)
    if op.outcome is Outcome.UNKNOWN:
        return voice.refusal(Refusal.UNKNOWN_RECIPIENT, op.recipient, op.tag)
    if op.outcome is Outcome.FULL:
        return voice.refusal(Refusal.MAILBOX_FULL, op.recipient, op.tag)
    return voice.kept(op.recipient, op.tag)
