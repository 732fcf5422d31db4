"""The commands that moderate a room, and that say who may: a kick is among those of ``act``."""

import click

from tertulia.clients.admin.command import ANY_ROOM, CommandResult, asking, text_given
from tertulia.clients.admin.commands.act import nickname_given, reason_given, span_given
from tertulia.clients.admin.durations import iso, local
from tertulia.clients.admin.tables import table
from tertulia.domain.moderation import (
    MOST_MUTE_SECONDS,
    MOST_SLOW_SECONDS,
    MOST_WORDS,
    Moderation,
)
from tertulia.domain.nicknames import is_well_formed
from tertulia.domain.operator_commands import Action
from tertulia.operators.deployment import Deployment

_REASON = click.option(
    "--reason", callback=reason_given, metavar="TEXT", help="Why; everybody reads it."
)
_NICKNAME = click.argument("nickname", callback=nickname_given)


async def moderated(
    client: Deployment, chat: str, room: str | None, act: Moderation, text: str
) -> CommandResult:
    """Do it in the lobby or in a further room, and answer with a text."""
    await client.orders(chat, room).moderate(act)
    data = {"done": True, "action": act.action.value, "chat": chat, "nickname": act.whom or None}
    return CommandResult(
        {**data, "value": act.written_value, "text": act.text, "in_room": room}, text
    )


def _short(words: str, what: str) -> str:
    text = text_given(words, what)
    if len(text.encode()) > MOST_WORDS:
        raise click.BadParameter(f"{what} is longer than {MOST_WORDS} bytes")
    return text


def _prepare_moderator(what: str, nickname: str | None) -> dict[str, object]:
    if (nickname is None) is not (what == "list"):
        raise click.UsageError("add NICKNAME, remove NICKNAME, or list")
    if nickname is not None and not is_well_formed(nickname):
        raise click.BadParameter("this is no nickname: 1 to 32 of A-Z a-z 0-9 . _ + -")
    return {"what": what, "nickname": nickname}


@asking("moderator", chat="main", acts=True, room=ANY_ROOM, prepare=_prepare_moderator)
@click.argument("what", type=click.Choice(("add", "remove", "list")))
@click.argument("nickname", required=False)
async def moderator(
    client: Deployment, chat: str, what: str, nickname: str | None, room: str | None
) -> CommandResult:
    """Name the moderators of the room: add or remove an account, or list them."""
    if nickname is None:
        names = sorted((await (await client.room(chat, room)).rules()).moderators)
        return CommandResult(names, "\n".join(names) if names else "there are no moderators")
    is_added = what == "add"
    act = Moderation(Action.APPOINT if is_added else Action.DISMISS, nickname)
    text = f"{nickname} is {'a moderator now' if is_added else 'no moderator any more'}"
    return await moderated(client, chat, room, act, text)


def _prepare_mute(nickname: str | None, seconds: int | None, reason: str) -> dict[str, object]:
    if nickname is None:
        if seconds or reason:
            raise click.UsageError("whom?")
        return {"act": None}
    if not is_well_formed(nickname):
        raise click.BadParameter("this is no nickname: 1 to 32 of A-Z a-z 0-9 . _ + -")
    if seconds is not None and seconds > MOST_MUTE_SECONDS:
        raise click.BadParameter("at most 366d", param_hint="--for")
    return {
        "act": Moderation(Action.MUTE, nickname, seconds or 0, text=_short(reason, "the reason"))
    }


@asking("mute", chat="main", acts=True, room=ANY_ROOM, prepare=_prepare_mute)
@click.argument("nickname", required=False)
@click.option(
    "--for",
    "seconds",
    callback=span_given,
    metavar="SPAN",
    help="For 10m, 2h …  [default: for good]",
)
@_REASON
async def mute(
    client: Deployment, chat: str, act: Moderation | None, room: str | None
) -> CommandResult:
    """Mute somebody: they can say nothing in the room, and whisper to moderators only.

    Without NICKNAME, list who is muted.
    """
    if act is not None:
        ends = f"for {act.value} s" if act.value else "for good"
        return await moderated(client, chat, room, act, f"{act.whom} is muted {ends}")
    rows, data = [], []
    for key, it in (await (await client.room(chat, room)).rules()).mutes.items():
        rows.append(
            (key, local(it.until) if it.until else "for good", it.reason or None, it.nickname)
        )
        until = iso(it.until) if it.until else None
        data.append({"nickname": key, "until": until, "reason": it.reason, "by": it.nickname})
    headings = ("NICKNAME", "UNTIL", "REASON", "BY")
    return CommandResult(data, table(headings, rows) if rows else "nobody is muted")


@asking("unmute", chat="main", acts=True, room=ANY_ROOM)
@_NICKNAME
async def unmute(client: Deployment, chat: str, nickname: str, room: str | None) -> CommandResult:
    """End a mute: the person may speak again."""
    act = Moderation(Action.UNMUTE, nickname)
    return await moderated(client, chat, room, act, f"{nickname} may speak again")


@asking("slow", chat="main", acts=True, room=ANY_ROOM)
@click.argument("seconds", type=click.IntRange(0, MOST_SLOW_SECONDS))
async def slow(client: Deployment, chat: str, seconds: int, room: str | None) -> CommandResult:
    """Set slow mode: one message from each person in so many seconds, except moderators. 0 ends it."""
    text = f"one message each in {seconds} s" if seconds else "no slow mode"
    return await moderated(client, chat, room, Moderation(Action.SLOW, value=seconds), text)


@asking("accounts-only", chat="main", acts=True, room=ANY_ROOM)
@click.argument("setting", type=click.Choice(("on", "off")))
async def accounts_only(
    client: Deployment, chat: str, setting: str, room: str | None
) -> CommandResult:
    """Allow only accounts to speak in the room, or guests as well. Everybody may read."""
    act = Moderation(Action.ACCOUNTS_ONLY, value=int(setting == "on"))
    who = "only accounts" if act.value else "everybody"
    return await moderated(client, chat, room, act, f"{who} may speak now")


def _topic_given(_ctx: click.Context, _param: click.Parameter, value: tuple[str, ...]) -> str:
    return _short(" ".join(value), "the topic")


@asking("topic", chat="main", acts=True, room=ANY_ROOM)
@click.argument("text", nargs=-1, callback=_topic_given)
async def topic(client: Deployment, chat: str, text: str, room: str | None) -> CommandResult:
    """Set the room's topic; without a text, remove it."""
    done = f"the topic is {text}" if text else "there is no topic any more"
    return await moderated(client, chat, room, Moderation(Action.TOPIC, text=text), done)


@asking("redact", chat="main", acts=True, room=ANY_ROOM)
@click.argument("offset", type=click.IntRange(1))
@click.argument("index", type=click.IntRange(0), default=0)
async def redact(
    client: Deployment, chat: str, offset: int, index: int, room: str | None
) -> CommandResult:
    """Withdraw a message: from now on nobody reads it. ``log --places`` shows OFFSET.INDEX."""
    act = Moderation(Action.REDACT, value=offset, index=index)
    return await moderated(client, chat, room, act, f"the message {act.place} is withdrawn")
