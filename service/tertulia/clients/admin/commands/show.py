"""The commands that show the state: nodes, people, bans, what waits, who did what."""

from dataclasses import asdict
from typing import Any

import click

from tertulia.clients.admin.command import CommandResult, asking
from tertulia.clients.admin.durations import ago, iso, local
from tertulia.clients.admin.tables import printable, table
from tertulia.domain.addresses import host_port
from tertulia.domain.bans import Ban
from tertulia.domain.nicknames import fold, is_well_formed
from tertulia.domain.operator_commands import Action
from tertulia.operators.deployment import Deployment
from tertulia.operators.overview import Audited, NodeSeen, Waiting
from tertulia.operators.refusals import CommandRefused


@asking("nodes")
async def nodes(client: Deployment, chat: str | None) -> CommandResult:
    """List the nodes: their state, and how many people they serve."""
    found = await client.nodes(chat)
    headings = (
        "CHAT",
        "NODE",
        "STATE",
        "SESSIONS",
        "LEASE",
        "LAG",
        "VERSION",
        "UP FOR",
        "HOST",
        "OPS",
    )
    rows = []
    for node in found:
        now = await client.overview(node.chat).now() if node.started is not None else 0
        rows.append((*_node_row(node), *_node_origin(node, now)))
    data = [{**asdict(node), "started": iso(node.started)} for node in found]
    return CommandResult(data, table(headings, rows) if rows else "no node is registered")


def _node_row(node: NodeSeen) -> tuple[object, ...]:
    lease, lag = node.lease_seconds, node.lag_seconds
    return (
        node.chat,
        node.node,
        node.state,
        node.sessions,
        None if lease is None else f"{lease:.1f} s",
        None if lag is None else f"{lag * 1000:.0f} ms",
        node.version,
    )


def _node_origin(node: NodeSeen, now: int) -> tuple[object, ...]:
    up = None if node.started is None else ago(now - node.started)
    return up, node.host, node.ops


@asking("who")
async def who(client: Deployment, chat: str | None) -> CommandResult:
    """List the people in the room and those who are logged in from a device."""
    rows, data = [], []
    for name in await client.chats(chat):
        for person in await client.overview(name).people():
            rows.append(
                (
                    name,
                    person.nickname,
                    person.kind,
                    person.dialect,
                    person.node,
                    _place(person.address, person.port),
                    local(person.since),
                )
            )
            data.append({"chat": name, **asdict(person), "since": iso(person.since)})
    headings = ("CHAT", "NICKNAME", "KIND", "DIALECT", "NODE", "ADDRESS", "SINCE")
    return CommandResult(data, table(headings, rows) if rows else "nobody is here")


def _place(address: str | None, port: int | None) -> str | None:
    if not address:
        return None
    return address if port is None else host_port(address, port)


async def list_bans(client: Deployment, chat: str | None) -> CommandResult:
    """List the bans."""
    rows, data = [], []
    for name in await client.chats(chat):
        for ban in await client.overview(name).bans():
            until = local(ban.until) if ban.until else "for good"
            row = (name, ban.kind.value, ban.subject, until, ban.reason or None, ban.by)
            rows.append((*row, local(ban.since)))
            data.append({"chat": name, **ban_record(ban)})
    headings = ("CHAT", "KIND", "WHOM", "UNTIL", "REASON", "BY", "SINCE")
    return CommandResult(data, table(headings, rows) if rows else "nobody is banned")


asking("bans")(list_bans)


def ban_record(ban: Ban) -> dict[str, object]:
    """Return a ban for programs."""
    told = {field: getattr(ban, field) for field in ("subject", "reason", "by")}
    until = iso(ban.until) if ban.until else None
    return {"kind": ban.kind.value, **told, "until": until, "since": iso(ban.since)}


@asking("pending", chat="main", acts=True)
@click.argument("nickname")
@click.option(
    "--contents", is_flag=True, help="Show the messages themselves. The audit log notes it."
)
async def pending(client: Deployment, chat: str, nickname: str, contents: bool) -> CommandResult:
    """Show the messages that wait for an account: how many, from whom, since when."""
    overview, key = client.overview(chat), fold(nickname)
    if not (is_well_formed(nickname) and await overview.is_account(key)):
        raise CommandRefused(f"there is no account {printable(nickname)} in the chat {chat}")
    now, counted = await overview.now(), await overview.senders(key)
    found: list[Waiting] = []
    if contents:
        await client.operator(chat).note(Action.READ_PENDING, key)
        found = await overview.waiting(key)
    by_sender: dict[str, list[Waiting]] = {}
    for message in found:
        by_sender.setdefault(fold(message.sender), []).append(message)
    rows, senders = [], []
    for sender in counted:
        rows.append(
            (sender.nickname, sender.messages, ago(now - sender.first), ago(now - sender.last))
        )
        record: dict[str, Any] = {
            "sender": sender.nickname,
            "messages": sender.messages,
            "oldest": iso(sender.first),
            "newest": iso(sender.last),
        }
        if contents:
            own = by_sender.get(sender.key, [])
            record["texts"] = [{"at": iso(each.at), "text": each.text} for each in own]
        senders.append(record)
    text = table(("FROM", "MESSAGES", "OLDEST", "NEWEST"), rows) if rows else "nothing waits"
    if contents and found:
        lines = [f"{local(each.at)}  {each.sender}: {each.text}" for each in found]
        text += "\n\n" + "\n".join(map(printable, lines))
    total = sum(sender.messages for sender in counted)
    return CommandResult({"nickname": key, "messages": total, "senders": senders}, text)


@asking("audit")
@click.option("-n", "most", type=click.IntRange(1, 10_000), default=50, show_default=True)
async def audit(client: Deployment, chat: str | None, most: int) -> CommandResult:
    """List the last operator commands, in further rooms as well."""
    found: list[tuple[str, str | None, Audited]] = []
    for name in await client.chats(chat):
        found += [(name, None, it) for it in await client.overview(name).audited(most)]
        found += [(name, room, it) for room, it in await client.rooms(name).audited(most)]
    found = sorted(found, key=lambda each: each[2].at)[-most:]
    rows, data = [], []
    for name, room, each in found:
        command = each.command
        where = name if room is None else f"{name} #{room}"
        row = (local(each.at), where, command.by, command.action.value)
        told = " ".join(text for text in (command.value, command.text) if text)
        rows.append((*row, command.subject or None, told or None))
        data.append(
            {
                "at": iso(each.at),
                "chat": name,
                "room": room,
                "id": command.id,
                "by": command.by,
                "action": command.action.value,
                "subject": command.subject,
                "text": command.text,
                "value": command.value,
                "until": iso(command.ban.until) if command.ban and command.ban.until else None,
            }
        )
    headings = ("AT", "CHAT", "BY", "ACTION", "WHOM", "TEXT")
    return CommandResult(data, table(headings, rows) if rows else "nobody has done anything")
