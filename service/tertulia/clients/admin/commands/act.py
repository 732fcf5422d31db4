"""The commands that do something: to people, to nodes, to a chat."""

import click

from tertulia.clients.admin.command import ANY_ROOM, CommandResult, asking, text_given
from tertulia.clients.admin.commands.show import ban_record, list_bans
from tertulia.clients.admin.durations import local, span
from tertulia.domain.bans import BanKind, subject_of
from tertulia.domain.nicknames import is_well_formed
from tertulia.operators.deployment import Deployment


def _done(action: str, **data: object) -> dict[str, object]:
    return {"done": True, "action": action, **data}


def _kind(account: bool, nickname: bool) -> BanKind | None:
    if account and nickname:
        raise click.UsageError("--account or --nickname, not both")
    if account:
        return BanKind.ACCOUNT
    return BanKind.NICKNAME if nickname else None


def _whom(whom: str | None, account: bool, nickname: bool, **given: object) -> dict[str, object]:
    """Understand who is to be banned, or is not to be any more; None stands for nobody."""
    if whom is None:
        if account or nickname or any(given.values()):
            raise click.UsageError("whom?")
        return {**given, "whom": None}
    try:
        return {**given, "whom": subject_of(whom, _kind(account, nickname))}
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="WHOM") from error


def nickname_given(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    """Check that an argument is a nickname. Raises BadParameter."""
    if not is_well_formed(value):
        raise click.BadParameter("this is no nickname: 1 to 32 of A-Z a-z 0-9 . _ + -")
    return value


def _said(_ctx: click.Context, _param: click.Parameter, value: tuple[str, ...]) -> str:
    text = text_given(" ".join(value), "the announcement")
    if not text:
        raise click.BadParameter("there is nothing to say")
    return text


def reason_given(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str:
    """Understand the reason of what is done. Raises BadParameter."""
    return text_given(value or "", "the reason")


def span_given(_ctx: click.Context, _param: click.Parameter, value: str | None) -> int | None:
    """Understand a span of time, as seconds. Raises BadParameter."""
    if value is None:
        return None
    try:
        return span(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


_REASON = click.option(
    "--reason", callback=reason_given, metavar="TEXT", help="Why; told to who it is."
)
_IS_ACCOUNT = click.option(
    "--account", is_flag=True, help="WHOM is an account: whoever has its password."
)
_IS_NICKNAME = click.option(
    "--nickname", is_flag=True, help="WHOM is a nickname, even if it looks like an address."
)


@asking("kick", chat="main", acts=True, room=ANY_ROOM)
@click.argument("nickname", callback=nickname_given)
@_REASON
async def kick(
    client: Deployment, chat: str, nickname: str, reason: str, room: str | None
) -> CommandResult:
    """Remove somebody from the chat, or log a device out; with --room, only from that room.

    They may come back: see ban.
    """
    told = {"chat": chat, "nickname": nickname}
    if room is not None:
        await client.room_operator(chat, room).kick(nickname, reason)
        data = _done("kick", **told, room=True, device=False, reason=reason, in_room=room)
        return CommandResult(data, f"{nickname}: removed from the room #{room}")
    was_in_room, was_logged_in = await client.operator(chat).kick(nickname, reason)
    data = _done(
        "kick", **told, room=was_in_room, device=was_logged_in, reason=reason, in_room=None
    )
    done = [
        what
        for what, is_so in (
            ("removed from the room", was_in_room),
            ("logged out from the device", was_logged_in),
        )
        if is_so
    ]
    return CommandResult(data, f"{nickname}: {' and '.join(done)}")


@asking("ban", chat="main", acts=True, prepare=_whom)
@click.argument("whom", required=False)
@click.option(
    "--for",
    "seconds",
    callback=span_given,
    metavar="SPAN",
    help="For 2h, 7d …  [default: for good]",
)
@_REASON
@_IS_ACCOUNT
@_IS_NICKNAME
async def ban(
    client: Deployment,
    chat: str,
    whom: tuple[BanKind, str] | None,
    seconds: int | None,
    reason: str,
) -> CommandResult:
    """Ban somebody: WHOM is a nickname, an address, a network (192.0.2.0/24) or an account.

    Without WHOM, list the bans. A ban in place of an earlier one counts from now.
    """
    if whom is None:
        return await list_bans(client, chat)
    kind, subject = whom
    milliseconds = None if seconds is None else seconds * 1000
    made, gone = await client.ban(chat, kind, subject, milliseconds, reason)
    until = f"until {local(made.until)}" if made.until else "for good"
    text = f"banned the {kind.value} {subject} {until}"
    if gone:
        text += f"; removed from the room: {', '.join(gone)}"
    return CommandResult(_done("ban", chat=chat, **ban_record(made), removed=gone), text)


@asking("unban", chat="main", acts=True, prepare=_whom)
@click.argument("whom")
@_IS_ACCOUNT
@_IS_NICKNAME
async def unban(client: Deployment, chat: str, whom: tuple[BanKind, str]) -> CommandResult:
    """End a ban."""
    kind, subject = whom
    await client.operator(chat).unban(kind, subject)
    data = _done("unban", chat=chat, kind=kind.value, subject=subject)
    return CommandResult(data, f"the {kind.value} {subject} is not banned any more")


@asking("say", chat="main", acts=True, room=ANY_ROOM)
@click.argument("text", nargs=-1, required=True, callback=_said)
async def say(client: Deployment, chat: str, text: str, room: str | None) -> CommandResult:
    """Write to everybody in the room as the server: from G, a nickname that nobody can take."""
    await client.orders(chat, room).say(text)
    data = _done("say", chat=chat, text=text, in_room=room)
    where = f"the chat {chat}" if room is None else f"the room #{room} of the chat {chat}"
    return CommandResult(data, f"said to {where}")


@asking("close", chat="main", acts=True)
async def close(client: Deployment, chat: str) -> CommandResult:
    """Close the chat: every session ends. The next one to enter opens it anew."""
    count = await client.close(chat)
    return CommandResult(
        _done("close", chat=chat, sessions=count), f"closed the chat {chat}: {count} went"
    )


@asking("drain", acts=True)
@click.argument("node")
async def drain(client: Deployment, chat: str | None, node: str) -> CommandResult:
    """Drain a node: it ends its sessions and stops, as after a SIGTERM. Wait until it has begun."""
    nodes = await client.drain(node)
    sessions = sum(each.sessions for each in nodes)
    data = _done("drain", node=nodes[0].node, sessions=sessions)
    go = "1 session goes" if sessions == 1 else f"{sessions} sessions go"
    return CommandResult(data, f"the node {nodes[0].node} drains: {go}")
