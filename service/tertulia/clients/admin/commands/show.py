"""The commands that show the state: nodes, people, bans, what waits, who did what."""

from dataclasses import asdict
from typing import Any

import click

from tertulia.clients.admin.client import AdminClient
from tertulia.clients.admin.command import CommandResult, asking
from tertulia.clients.admin.durations import ago, iso, local
from tertulia.clients.admin.tables import printable, table
from tertulia.domain.addresses import host_port
from tertulia.domain.bans import Ban
from tertulia.domain.nicknames import fold, is_well_formed
from tertulia.domain.operator_commands import Action
from tertulia.operators.commands import OrderRefused
from tertulia.operators.overview import NodeSeen, Waiting


@asking("nodes")
async def nodes(client: AdminClient, chat: str | None) -> CommandResult:
    """List the nodes: how they are, and whom they serve."""
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
async def who(client: AdminClient, chat: str | None) -> CommandResult:
    """List who is in the room, and who is logged in from a device."""
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


async def list_bans(client: AdminClient, chat: str | None) -> CommandResult:
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
    "--contents", is_flag=True, help="Show the messages themselves; it stands in the audit log."
)
async def pending(client: AdminClient, chat: str, nickname: str, contents: bool) -> CommandResult:
    """Show what waits for an account: how much, of whom, for how long."""
    overview, key = client.overview(chat), fold(nickname)
    if not (is_well_formed(nickname) and await overview.is_account(key)):
        raise OrderRefused(f"there is no account {printable(nickname)} in the chat {chat}")
    now, counted = await overview.now(), await overview.senders(key)
    found: list[Waiting] = []
    if contents:
        await client.operator(chat).note(Action.READ_PENDING, key)
        found = await overview.waiting(key)
    by_sender: dict[str, list[Waiting]] = {}
    for message in found:
        by_sender.setdefault(fold(message.sender), []).append(message)
    rows, senders = [], []
    for it in counted:
        rows.append((it.nickname, it.messages, ago(now - it.first), ago(now - it.last)))
        record: dict[str, Any] = {
            "sender": it.nickname,
            "messages": it.messages,
            "oldest": iso(it.first),
            "newest": iso(it.last),
        }
        if contents:
            own = by_sender.get(it.key, [])
            record["texts"] = [{"at": iso(each.at), "text": each.text} for each in own]
        senders.append(record)
    text = table(("FROM", "MESSAGES", "OLDEST", "NEWEST"), rows) if rows else "nothing waits"
    if contents and found:
        lines = [f"{local(each.at)}  {each.sender}: {each.text}" for each in found]
        text += "\n\n" + "\n".join(map(printable, lines))
    total = sum(it.messages for it in counted)
    return CommandResult({"nickname": key, "messages": total, "senders": senders}, text)


@asking("audit")
@click.option("-n", "most", type=click.IntRange(1, 10_000), default=50, show_default=True)
async def audit(client: AdminClient, chat: str | None, most: int) -> CommandResult:
    """List what operators did, the last of it."""
    found = [
        (name, each)
        for name in await client.chats(chat)
        for each in await client.overview(name).audited(most)
    ]
    found = sorted(found, key=lambda each: each[1].at)[-most:]
    rows, data = [], []
    for name, each in found:
        order = each.order
        row = (local(each.at), name, order.by, order.action.value)
        rows.append((*row, order.subject or None, order.text or None))
        data.append(
            {
                "at": iso(each.at),
                "chat": name,
                "id": order.id,
                "by": order.by,
                "action": order.action.value,
                "subject": order.subject,
                "text": order.text,
                "until": iso(order.ban.until) if order.ban and order.ban.until else None,
            }
        )
    headings = ("AT", "CHAT", "BY", "ACTION", "WHOM", "TEXT")
    return CommandResult(data, table(headings, rows) if rows else "nobody has done anything")
