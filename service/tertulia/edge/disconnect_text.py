"""Disconnect reasons as tables, for docs/disconnects.md: how clients learn of each, and what to do."""

import json
import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Final

from tertulia.dialects.chatte import ChatteEncoder
from tertulia.dialects.contract import Refusal
from tertulia.dialects.irc.client import IrcServer
from tertulia.dialects.irc.encoder import IrcEncoder
from tertulia.dialects.protocollo import ProtocolloEncoder
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.events import Closed
from tertulia.domain.position import Position
from tertulia.domain.text import decode
from tertulia.edge.websocket import close_code

NEVER_SAID: Final = frozenset({
    Disconnect.GONE,  # the client closed
    Disconnect.BROKEN,
    Disconnect.PROXY_HEADER,  # before there is a WebSocket
    Disconnect.TLS_HANDSHAKE,
    Disconnect.TOO_MANY,
    Disconnect.TOO_MANY_FROM_ADDRESS,
    Disconnect.SLOW_READER,  # it would not read that either
    Disconnect.OPERATION_OVER,  # a device's
    Disconnect.OPERATION_TIMEOUT,
    Disconnect.MAILBOX_FULL,
    Disconnect.REFUSED_INVALID,  # another nickname may follow
    Disconnect.REFUSED_TAKEN,
    Disconnect.ROOM_FULL,  # only where a client is shown one room
})  # fmt: skip
"""Reasons that no close of a WebSocket gives."""
_BEFORE_ENTERING: Final = frozenset(
    {Disconnect.ENTER_TIMEOUT, Disconnect.ENTER_TRIES, Disconnect.TOO_MANY_LOGINS}
)
"""Reasons that only end who is not in the chat yet: last words are for those who are."""

_NOTHING: Final = "nothing"
_TO_DO: Final[Mapping[Disconnect, str]] = {
    Disconnect.LEFT: _NOTHING,
    Disconnect.GONE: _NOTHING,
    Disconnect.BROKEN: "many at once: look at the balancer, and the network in front of the node",
    Disconnect.OPERATION_OVER: "nothing: each operation ends so",
    Disconnect.OPERATION_TIMEOUT: "many: a slow network, or programs that speak something else; "
    "`limits.operation_seconds`",
    Disconnect.MAILBOX_FULL: "`tertulia admin pending NICK` says what waits, and whose; "
    "`cluster.pending_bytes` and the like are the bounds",
    Disconnect.REFUSED_INVALID: _NOTHING,
    Disconnect.REFUSED_TAKEN: "many: somebody guesses passwords, or programs share a nickname",
    Disconnect.ROOM_FULL: "many: `tertulia admin rooms` shows the rooms; `limits.room_members`, "
    "`limits.rooms`",
    Disconnect.ENTER_TIMEOUT: "many: health checks or scanners on a port for clients; "
    "`limits.enter_seconds`",
    Disconnect.ENTER_TRIES: "many: a program that guesses; `limits.enter_tries`",
    Disconnect.SLOW_READER: "many: [TertuliaSlowReaders](runbook.md#tertuliaslowreaders); "
    "`limits.outbox_bytes`",
    Disconnect.SILENT: "nothing: phones sleep and change networks. Many at once: look at the network in "
    "front of the node",
    Disconnect.LONG_LINES: "many: a program that speaks something else; `limits.long_lines`",
    Disconnect.TOO_MANY_FROM_ADDRESS: "is it a balancer that is not in `trusted_proxies`? Else one "
    "client has too many; `limits.connections_per_address`",
    Disconnect.TOO_MANY: "[TertuliaFull](runbook.md#tertuliafull); `limits.connections`",
    Disconnect.PROXY_HEADER: "have the balancer send the header, or take its address out of "
    "`trusted_proxies`",
    Disconnect.TLS_HANDSHAKE: "a few are scanners. Many: is the certificate good, and do clients know "
    "that this port speaks TLS?",
    Disconnect.TOO_MANY_LOGINS: "[TertuliaLoginsFull](runbook.md#tertulialoginsfull); "
    "`limits.logins_waiting`",
    Disconnect.CHAT_CLOSED: "where nobody should be able to: `lasting_chats`",
    Disconnect.FENCED: "[TertuliaNodeFenced](runbook.md#tertulianodefenced)",
    Disconnect.KICKED: "nothing; `tertulia admin audit` says who did it",
    Disconnect.BANNED: "nothing; `tertulia admin bans` has all bans",
    Disconnect.DISPLACED: "nothing: who has the password came in elsewhere. Again and again: two programs "
    "share it",
    Disconnect.DRAINED: _NOTHING,
    Disconnect.INTERNAL: "always a defect: [TertuliaDefect](runbook.md#tertuliadefect)",
}
"""What an operator does who sees a reason counted."""

_TEXT: Final = re.compile(r'^  "([\w.]+)":\s+("(?:[^"\\]|\\.)*"),$', re.MULTILINE)


def reasons() -> str:
    """Return a line for each reason, in Markdown: its label, its meaning, the close code, what to do."""
    rows = [
        f"| `{reason.label}` | {reason.meaning} | {_code(reason)} | {_when(reason)} | {_TO_DO[reason]} |"
        for reason in Disconnect
    ]
    head = "| reason | meaning | `browser` closes with | come back | operators |"
    return "\n".join([head, "|---|---|---|---|---|", *rows, ""])


def last_words() -> str:
    """Return a line for each reason for which people read something, in Markdown."""
    chatte, page = ChatteEncoder(), ProtocolloEncoder()
    classic = ProtocolloEncoder(wording="classic", encoding="latin-1")
    told = _page_texts()
    rows = []
    for reason in Disconnect:
        cells = [
            _lines(chatte, reason),
            _lines(page, reason),
            _lines(classic, reason),
            _in_irc(reason),
            _on_the_page(reason, told),
        ]
        if any(cells):
            rows.append(f"| `{reason.label}` | {' | '.join(cells)} |")
    head = (
        "| reason | `chatte` | `protocollo` | `protocollo`, `classic` | `irc` | "
        "the web page, in English |"
    )
    return "\n".join([head, "|---|---|---|---|---|---|", *rows, ""])


def _code(reason: Disconnect) -> str:
    return "" if reason in NEVER_SAID else str(close_code(reason))


def _when(reason: Disconnect) -> str:
    return "yes" if reason.may_retry else "not by itself"


def _lines(encoder: ChatteEncoder | ProtocolloEncoder, reason: Disconnect) -> str:
    if reason is Disconnect.CHAT_CLOSED:  # an event, which everybody reads
        said = encoder.public(Closed("anna", ""))
    elif reason is Disconnect.REFUSED_INVALID and not encoder.retries:
        said = encoder.refusal(Refusal.INVALID_NICKNAME)
    elif reason is Disconnect.REFUSED_TAKEN and not encoder.retries:
        said = encoder.refusal(Refusal.NICKNAME_TAKEN)
    else:
        said = encoder.farewell(reason)
    return _told(said)


def _in_irc(reason: Disconnect) -> str:
    encoder = IrcEncoder(IrcServer())
    decoder = encoder.decoder()
    decoder.client.nickname, replies = "anna", encoder.replies(decoder)
    if reason is Disconnect.CHAT_CLOSED:
        return _told(b"".join(encoder.pieces([Closed("anna", "")], Position("", 0))))
    return "" if reason in NEVER_SAID | _BEFORE_ENTERING else _told(replies.farewell(reason))


def _told(said: bytes) -> str:
    return ", ".join(f"`{decode(line)}`" for line in said.splitlines())


def _page_texts() -> Mapping[str, str]:
    texts = (files("tertulia") / "web" / "texts" / "en.js").read_text("utf-8")
    return {key: json.loads(text) for key, text in _TEXT.findall(texts)}


def _on_the_page(reason: Disconnect, texts: Mapping[str, str]) -> str:
    if reason in NEVER_SAID:
        return ""
    if close_code(reason) == close_code(Disconnect.DRAINED):  # the page comes back by itself
        return texts["status.restarting" if reason is Disconnect.DRAINED else "status.waiting"]
    return texts[f"ended.{reason.label}"]
