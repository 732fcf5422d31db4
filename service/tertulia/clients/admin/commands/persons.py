"""The commands about all that is kept of one person: to show it to them, to erase it."""

import contextlib
import json

import click

from tertulia.clients.admin.command import CommandResult, asking
from tertulia.clients.admin.commands.act import nickname_given
from tertulia.domain.bans import BanKind
from tertulia.domain.nicknames import fold
from tertulia.domain.operator_commands import Action
from tertulia.operators.deployment import Deployment
from tertulia.operators.erasing import LogBusy
from tertulia.operators.refusals import CommandRefused


@asking("export", chat="main", acts=True)
@click.argument("nickname", callback=nickname_given)
async def export(client: Deployment, chat: str, nickname: str) -> CommandResult:
    """Print all data about somebody, in JSON. The audit log notes it."""
    await client.chats(chat)
    key = fold(nickname)
    traces = client.traces(chat, key)
    kept = {
        "nickname": key,
        "chat": chat,
        "account": await traces.account(),
        "device": await traces.login(),
        "room": await traces.seat(),
        "waiting_for": await traces.received(),
        "waiting_from": await traces.sent(),
        "bans": await traces.bans(),
        "resumable": len(await traces.tokens()),
        "log": await traces.said(),
        "audit": await traces.audited(),
        "rooms": await client.rooms(chat).traces(key),
    }
    await client.operator(chat).note(Action.READ_ALL, key)
    return CommandResult(kept, json.dumps(kept, indent=2))


@asking("erase", chat="main", acts=True)
@click.argument("nickname", callback=nickname_given)
async def erase(client: Deployment, chat: str, nickname: str) -> CommandResult:
    """Erase somebody: the account, the device login, messages that wait in both directions, bans of the
    nickname, and what the logs and audit logs of all rooms have of the person, who is removed from the chat.

    What others wrote about the person stays, and so do backups and the nodes' own logs.
    """
    await client.chats(chat)
    key, operator = fold(nickname), client.operator(chat)
    traces = client.traces(chat, key)
    with contextlib.suppress(CommandRefused):  # they are not there
        await operator.kick(nickname, "")
    for kind in (BanKind.NICKNAME, BanKind.ACCOUNT):
        with contextlib.suppress(CommandRefused):  # there is none
            await operator.unban(kind, key)
    done = {
        "account": await traces.delete_account(),
        "messages": await traces.take_back(),
        "resumable": await traces.forget_tokens(),
    }
    try:
        redacted = await traces.redact() + await client.redact_in_rooms(chat, key)
    except LogBusy:
        raise CommandRefused(
            "the log could not be rewritten, as it grows too quickly or somebody else rewrites it: "
            "all else is erased, try again"
        ) from None
    await operator.note(Action.ERASE, "")
    text = (
        f"erased {'the account ' if done['account'] else ''}{nickname}: {done['messages']} messages that "
        f"waited for others, {redacted} lines in the logs"
    )
    return CommandResult(
        {"done": True, "action": "erase", "chat": chat, **done, "lines": redacted}, text
    )
