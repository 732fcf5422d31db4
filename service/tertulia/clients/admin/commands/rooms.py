"""The commands about a chat's further rooms as such."""

from dataclasses import asdict

import click

from tertulia.clients.admin.command import THE_ROOM, CommandResult, asking
from tertulia.clients.admin.commands.moderate import moderated
from tertulia.clients.admin.tables import table
from tertulia.domain.moderation import Moderation
from tertulia.domain.operator_commands import Action
from tertulia.operators.deployment import Deployment

_SETTING = click.argument("setting", type=click.Choice(("on", "off")))


@asking("rooms")
async def rooms(client: Deployment, chat: str | None) -> CommandResult:
    """List the further rooms: their members, what was said in a minute, and where they are."""
    found = [room for name in await client.chats(chat) for room in await client.rooms(name).rooms()]
    headings = ("CHAT", "ROOM", "MEMBERS", "A MINUTE", "BYTES", "LASTING", "SHARD", "TOPIC")
    rows = [
        (
            it.chat,
            f"#{it.room}",
            it.members,
            it.messages,
            it.bytes,
            "yes" if it.is_lasting else "no",
            it.shard if it.error is None else f"{it.shard} ({it.error})",
            it.topic or None,
        )
        for it in found
    ]
    data = [asdict(it) for it in found]
    return CommandResult(data, table(headings, rows) if rows else "there are no further rooms")


@asking("lasting", chat="main", acts=True, room=THE_ROOM)
@_SETTING
async def lasting(client: Deployment, chat: str, setting: str, room: str) -> CommandResult:
    """Keep a further room also when nobody is in it and its log has aged out; or forget it then."""
    is_lasting = setting == "on"
    await client.operator(chat).keep(room, lasting=is_lasting)
    text = f"#{room} {'stays' if is_lasting else 'is forgotten when it is empty'}"
    data = {"done": True, "action": Action.LASTING.value, "chat": chat, "nickname": None}
    return CommandResult({**data, "value": setting, "text": "", "in_room": room}, text)


@asking("outsiders", chat="main", acts=True, room=THE_ROOM)
@_SETTING
async def outsiders(client: Deployment, chat: str, setting: str, room: str) -> CommandResult:
    """Let people of the chat speak in a further room without being in it, or not."""
    act = Moderation(Action.OUTSIDERS, value=int(setting == "on"))
    who = "everybody in the chat" if act.value else "only who is in it"
    return await moderated(client, chat, room, act, f"{who} may speak in #{room} now")
