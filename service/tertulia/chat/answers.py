"""What a client reads when what it asked for is settled."""

from tertulia.chat.ports import DONE, Op, Outcome, SayOp, WhisperOp
from tertulia.dialects.contract import Encoder, Refusal


def answer_to(op: Op, encoder: Encoder) -> bytes:
    """Answer a message, or an order to close the chat."""
    if isinstance(op, SayOp):
        return encoder.sent(op.tag)
    if not isinstance(op, WhisperOp):
        return encoder.refusal(Refusal.FORBIDDEN) if op.outcome is Outcome.FORBIDDEN else b""
    if op.outcome is DONE:
        return encoder.sent(op.tag)
    if op.outcome is Outcome.UNKNOWN:
        return encoder.refusal(Refusal.UNKNOWN_RECIPIENT, op.recipient, op.tag)
    if op.outcome is Outcome.FULL:
        return encoder.refusal(Refusal.MAILBOX_FULL, op.recipient, op.tag)
    return encoder.kept(op.recipient, op.tag)
