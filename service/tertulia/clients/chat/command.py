"""The command ``tertulia chat``: options to a talk, and what is loaded for it."""

import asyncio
import ssl
import sys
from collections.abc import Callable
from pathlib import Path

import click

from tertulia.clients import options
from tertulia.clients.chat.addresses import DEFAULT, ChatAddress, WrongAddress, address_of
from tertulia.clients.chat.plain_options import PlainOptions
from tertulia.domain.rooms import fold_room, is_room
from tertulia.settings.command_line import CHAT_PASSWORD_FILE, shown

_MOST_PASSWORD = 4096
"""Bytes that are read of a password's file."""


def _addresses(values: tuple[str, ...]) -> list[ChatAddress]:
    try:
        return [address_of(it) for it in values or (DEFAULT,)]
    except WrongAddress as error:
        raise click.BadParameter(str(error), param_hint="URL") from None


def _rooms(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> list[str]:
    names = [fold_room(it) for it in values]
    for name, value in zip(names, values, strict=True):
        if not is_room(name):
            raise click.BadParameter(
                f"{shown(value)} can be no room's name: it has up to 32 of a-z 0-9 . _ + -"
            )
    return names


def _read_password(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            lines = opened.read(_MOST_PASSWORD).decode().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8"
        raise click.UsageError(f"The password's file {shown(str(file))}: {reason}.") from None
    if not lines or not lines[0]:
        raise click.UsageError(f"The password's file {shown(str(file))} has nothing in it.")
    return lines[0]


@click.command("chat", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("urls", nargs=-1, metavar="[URL]...")
@click.option("--nickname", metavar="NAME", help="Who you are. Without it, you are asked.")
@click.option(
    "--room",
    "rooms",
    multiple=True,
    metavar="ROOM",
    callback=_rooms,
    help="Come into a further room as well; may be given several times. The first one is shown.",
)
@click.option("--plain", is_flag=True, help="Lines in, lines out: for pipes and screen readers.")
@click.option("--password", "asks_password", is_flag=True, help="Ask for your account's password.")
@click.option(
    "--password-file",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar=CHAT_PASSWORD_FILE,
    metavar="FILE",
    help=f"A file whose first line is your account's password.  [env: {CHAT_PASSWORD_FILE}]",
)
@click.option(
    "--ca-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="The certificates that the service's own has to be signed by.  [default: the system's]",
)
@click.option("--times", is_flag=True, help="With --plain: begin each message with its time.")
@click.option("--no-joins", is_flag=True, help="With --plain: don't tell who joins and leaves.")
@click.option("--no-past", is_flag=True, help="With --plain: don't tell what was said before.")
def chat(
    urls: tuple[str, ...],
    nickname: str | None,
    rooms: list[str],
    plain: bool,
    asks_password: bool,
    password_file: Path | None,
    ca_file: Path | None,
    times: bool,
    no_joins: bool,
    no_past: bool,
) -> None:
    """Chat in this terminal, on a full screen or in lines.

    URL is the address of the page, http://127.0.0.1:8080/ by default. Where several are given, the next one
    is taken when a connection is lost: name several nodes, or one balancer. F1 or /help shows keys and
    commands.
    """
    if (times or no_joins or no_past) and not plain:
        raise click.UsageError("--times, --no-joins and --no-past go with --plain.")
    addresses = _addresses(urls)
    wanted = list(dict.fromkeys([*rooms, *(it.room for it in addresses if it.room)]))
    password = ""
    if password_file is not None:
        password = _read_password(password_file)
    try:
        tls = ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError:
        raise click.UsageError(f"There is no certificate in {shown(str(ca_file))}.") from None
    if plain:
        if nickname is None and sys.stdin.isatty():
            nickname = click.prompt("Your name", err=True)
        if nickname is None:
            raise click.UsageError("Say who you are: --nickname NAME.")
    elif not all(it.isatty() for it in (sys.stdin, sys.stdout, sys.stderr)):
        raise click.UsageError("This is no terminal. With --plain, it goes over pipes as well.")
    if asks_password and not password:
        if not sys.stdin.isatty():
            raise click.UsageError(
                "Nobody can be asked for a password here: put it into a file, and give --password-file."
            )
        password = click.prompt("Password", hide_input=True, err=True)
    if plain:
        # On a terminal, one has seen what one typed.
        lines = PlainOptions(
            times, not no_joins, not no_past, not sys.stdin.isatty(), len(addresses)
        )
        _plainly(addresses, nickname or "", password, wanted, tls, lines)
    else:
        _on_the_screen(addresses, nickname or "", password, wanted, tls)


def _plainly(
    addresses: list[ChatAddress],
    nickname: str,
    password: str,
    rooms: list[str],
    tls: ssl.SSLContext,
    lines: PlainOptions,
) -> None:
    from tertulia.clients.chat.connection import TalkConnection, now
    from tertulia.clients.chat.plain import chat_plainly
    from tertulia.clients.chat.talk import Talk
    from tertulia.clients.chat.way import TalkState

    talk = Talk()
    talk.enter(nickname, password, now())
    talk.come_into(rooms)

    def connect(changed: Callable[[], None]) -> TalkConnection:
        return TalkConnection(talk, addresses, changed, tls)

    is_well = asyncio.run(chat_plainly(talk, connect, lines))
    if talk.state is TalkState.OUTSIDE and talk.ending in ("left", "chat_closed"):
        click.echo(f"-- {talk.explanation}")
        sys.exit(0 if is_well else options.FAILED)
    options.fail(talk.explanation or f"The service can’t be reached. {talk.trouble}")


def _on_the_screen(
    addresses: list[ChatAddress],
    nickname: str,
    password: str,
    rooms: list[str],
    tls: ssl.SSLContext,
) -> None:
    # Only here: everything else goes without what draws a screen.
    from tertulia.clients.chat.connection import TalkConnection
    from tertulia.clients.chat.preferences import preferences_file
    from tertulia.clients.chat.screen.app import ChatApp
    from tertulia.clients.chat.talk import Talk

    talk = Talk()

    def connect(changed: Callable[[], None]) -> TalkConnection:
        return TalkConnection(talk, addresses, changed, tls)

    app = ChatApp(talk, connect, preferences_file(), nickname, password, rooms)
    app.run()
    if app.farewell:
        click.echo(app.farewell)
    sys.exit(app.return_code or 0)
