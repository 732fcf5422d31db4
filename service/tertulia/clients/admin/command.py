"""What all commands of ``tertulia admin`` have in common: options, answers, exit statuses.

0: done; 1: not found, refused, or Redis or a node is away; 2: asked wrongly.
"""

import asyncio
import contextlib
import getpass
import json
import math
import os
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import click

from tertulia.clients import options
from tertulia.domain.operator_commands import MOST_TEXT
from tertulia.domain.rooms import fold_room, is_room
from tertulia.domain.text import clean, decode
from tertulia.operators.deployment import Deployment, NobodyThere
from tertulia.operators.refusals import CommandRefused
from tertulia.redis.errors import StoreAway
from tertulia.settings.command_line import shown
from tertulia.settings.redis_url import masked

_MOST_NAME = 200
"""Characters in the name that an operator gives."""


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a command found or did."""

    data: object
    """For programs."""
    text: str
    """For people; what others wrote is escaped in it."""


Work = Callable[..., Awaitable[CommandResult | None]]
Decorator = Callable[[Any], Any]


@click.group(cls=options.CommandList, context_settings={"help_option_names": ["-h", "--help"]})
def admin() -> None:
    """Operate the whole deployment over Redis, from any machine.

    Works on the Redis of the settings; without one, on that of the node that runs on the data folder.
    Exit status: 0 done; 1 not found, refused, or Redis or a node is away; 2 wrong usage.
    """


def _room_name(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    if value is None or is_room(fold_room(value)):
        return value if value is None else fold_room(value)
    raise click.BadParameter(f"{shown(value)} is no room: it should be 1 to 32 of a-z 0-9 . _ + -")


ANY_ROOM: Decorator = click.option(
    "--room", callback=_room_name, metavar="NAME", help="A further room.  [default: the lobby]"
)
THE_ROOM: Decorator = click.option(
    "--room", callback=_room_name, metavar="NAME", help="Which further room.", required=True
)


def asking(
    name: str,
    *,
    chat: str | None = None,
    acts: bool = False,
    room: Decorator | None = None,
    streams: bool = False,
    prepare: Callable[..., dict[str, Any]] = dict,
) -> Callable[[Work], click.Command]:
    """Make a command of a function, which is given a client, the chat, and the command's own options.

    ``chat``: the one meant by default; None: all. ``acts``: whether it does something in somebody's name.
    ``room``: its option for a further room, ``ANY_ROOM`` or ``THE_ROOM``; then it is given ``room``.
    ``streams``: whether it writes by itself, and so has to know whether in JSON. ``prepare`` makes what the
    function is given of the command's own options; it raises click's errors where they are wrong.
    """

    def decorate(work: Work) -> click.Command:
        def callback(
            config: Path | None,
            redis_url: str | None,
            data_dir: str | None,
            chat: str | None,
            timeout: float,
            as_json: bool,
            by: str | None = None,
            **given: Any,
        ) -> None:
            where = {"room": given.pop("room")} if room is not None else {}
            given = {**prepare(**given), **where}
            settings = options.loaded(config, {"redis_url": redis_url, "data_dir": data_dir})
            if by is not None and not typed(by).strip():
                raise click.BadParameter("this is no name", param_hint="--as")

            if streams:
                given["as_json"] = as_json

            async def answer() -> CommandResult | None:
                async with Deployment(settings, who(by), timeout) as client:
                    return await work(client, chat, **given)

            _show(answer, as_json, redis_url=settings.redis_url)

        described: Any = callback
        described.__click_params__ = getattr(work, "__click_params__", [])  # its own options
        shared = [
            click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for programs."),
            click.option(
                "--chat",
                callback=options.chat_name,
                default=chat,
                show_default=chat is not None,
                help=_of(chat),
            ),
            click.option(
                "--timeout",
                type=_Seconds(0.1, 3600),
                default=5.0,
                show_default=True,
                metavar="SECONDS",
                help="How long to wait for Redis, and for nodes to do what they are told.",
            ),
            options.DATA_DIR,
            options.REDIS_URL,
            options.CONFIG,
        ]
        if acts:
            shared.append(_AS)
        if room is not None:
            shared.append(room)
        for option in shared:
            described = option(described)
        command = click.command(name, help=work.__doc__)(described)
        admin.add_command(command)
        return command

    return decorate


class _Seconds(click.FloatRange):
    """A range that a number has to be in which is one: of nan, nothing is out of range."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        seconds: float = super().convert(value, param, ctx)
        if math.isnan(seconds):
            self.fail("nan is no number of seconds.", param, ctx)
        return seconds


_AS = click.option(
    "--as", "by", metavar="NAME", help="Who does this, for the audit log.  [default: user@host]"
)


def _of(chat: str | None) -> str:
    return "Only this chat.  [default: all]" if chat is None else "The chat."


def who(by: str | None) -> str:
    """Return in whose name something is done."""
    if by is not None:
        return typed(by).strip()[:_MOST_NAME]
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may have a user without a name
        user = str(os.getuid())
    return clean(f"{user}@{socket.gethostname()}")[:_MOST_NAME]


def typed(words: str) -> str:
    """Return what was typed, also where the locale is not that of the terminal."""
    return decode(os.fsencode(words))


def text_given(words: str, what: str) -> str:
    """Return a text that an operator typed, as everybody may read it. Raises BadParameter."""
    text = typed(words).strip()
    if len(text.encode()) > MOST_TEXT:
        raise click.BadParameter(f"{what} is longer than {MOST_TEXT} bytes")
    return text


def emit(text: str) -> None:
    """Write a line for people or programs."""
    with contextlib.suppress(AttributeError, ValueError):
        # A terminal that can't show a character shows its number.
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    click.echo(text)


def _show(
    answer: Callable[[], Coroutine[Any, Any, CommandResult | None]],
    as_json: bool,
    *,
    redis_url: Any,
) -> None:
    try:
        found = asyncio.run(answer())
    except (CommandRefused, NobodyThere) as error:
        _failed(str(error), as_json)
    except StoreAway as error:
        where = f" at {masked(redis_url.get_secret_value())}" if redis_url is not None else ""
        _failed(f"Redis{where} can't be used: {error}", as_json)
    except KeyboardInterrupt:
        sys.exit(130)
    if found is not None:
        emit(json.dumps(found.data) if as_json else found.text)


def _failed(problem: str, as_json: bool) -> NoReturn:
    if as_json:
        emit(json.dumps({"done": False, "error": problem}))
    options.fail(problem)
