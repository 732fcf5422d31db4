"""The program ``tertulia device``: what a person types outside a chat, and beginning and end."""

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from tertulia.clients.device import notices
from tertulia.clients.device.account import Account, Explanation
from tertulia.clients.device.conversation import Conversation
from tertulia.clients.device.hosts import is_loopback, source_for
from tertulia.clients.device.operations import LoginAnswer, hanging, log_in, log_out, show, sign_up
from tertulia.clients.device.peer_sockets import PeerSockets
from tertulia.clients.device.service_calls import NoAnswer, Service, ServiceError
from tertulia.clients.device.terminal import Terminal
from tertulia.clients.device.transcript import Transcript
from tertulia.domain import nicknames

EXIT_SECONDS = 5.0
"""For peers and service to be told that the program ends."""
SHOWN_ANSWERS = 64
"""Answers of operation 200 that are shown one after the other, of 64 KiB each: no service shows for ever."""
SHOWN_SENDERS = 100
"""Of whom ``hanging`` tells at once: whoever has many accounts does not fill the screen."""
MIN_PASSWORD = 3
MAX_PASSWORD = 72

_WITH_PASSWORD = re.compile(r"(\s*(?:in|signup)\s+\S+\s+)(.*)", re.DOTALL)


class CannotStart(Exception):
    """The program can't start. The text is for the person."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the program is told when it is started."""

    port: int
    """On which it listens for peers."""
    server_host: str
    server_port: int
    host: str | None
    """The address to listen on. None: only this machine, where the service is there too; else any."""
    folder: Path
    """Where histories and downloads are kept."""
    classic: bool = False
    """Whether those whom it chats with are old programs, which have little room."""


def default_folder() -> Path:
    """Return the folder for histories, by the XDG Base Directory Specification. Raises CannotStart."""
    stated = Path(os.environ.get("XDG_DATA_HOME", ""))
    if stated.is_absolute():
        return stated / "tertulia-device"
    try:
        return Path.home() / ".local/share/tertulia-device"
    except RuntimeError:
        raise CannotStart(
            "you have no home for histories and downloads: give a folder with --dir"
        ) from None


def run(options: Options) -> None:
    """Run the program until the person ends it. Raises CannotStart."""
    asyncio.run(_run(options))


async def _run(options: Options) -> None:
    terminal = _terminal()
    device = Device(options, terminal)
    await device.listen()
    async with terminal:
        await device.run()


def _terminal() -> Terminal:
    """Return what suits the standard streams; scripts do not wait for what people need."""
    if sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb":
        from tertulia.clients.device.prompt import Prompt

        return Prompt()
    return Terminal()


class Device:
    """What a person who is in no chat can do, and who it is."""

    def __init__(self, options: Options, terminal: Terminal) -> None:
        self._options = options
        self._terminal = terminal
        source = source_for(options.host, options.server_host)
        self._service = Service(
            options.server_host, options.server_port, terminal.note, source=source
        )
        self._sockets = PeerSockets(lambda: self._service.own_address)
        self._account: Account | None = None
        self._chat: Conversation | None = None
        self._broken: asyncio.Future[None] | None = None
        self._commands: dict[str, tuple[str, Callable[[str], Awaitable[None]]]] = {
            "signup": ("signup NAME PASSWORD", self._sign_up),
            "in": ("in NAME PASSWORD", self._log_in),
            "out": ("out", self._log_out),
            "hanging": ("hanging", self._hanging),
            "show": ("show NAME", self._show),
            "chat": ("chat NAME", self._enter),
            "help": ("help", self._help),
        }

    async def listen(self) -> None:
        """Listen for peers. Raises CannotStart."""
        host = self._options.host
        if host is None and is_loopback(self._options.server_host):
            host = self._options.server_host
        port = self._options.port
        try:
            await self._sockets.listen(host, port)
        except OSError as error:
            # The event loop's own text says in a row where, and why.
            reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
            raise CannotStart(
                f"cannot listen on {host or 'any address'}, port {port} ({reason}): choose another "
                "PORT or --host"
            ) from error

    async def run(self) -> None:
        """Do what is typed, until there is no more or a signal ends it; then leave in order."""
        loop = asyncio.get_running_loop()
        work = asyncio.ensure_future(self._take_lines())
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop, work, number)
        try:
            await asyncio.wait([work])
            self._terminal.end()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EXIT_SECONDS):
                    await self._leave()
        finally:
            await self._sockets.close()
        for task in (work, self._broken):
            if task is not None and not task.cancelled():
                task.result()

    def _stop(self, work: asyncio.Future[None], number: signal.Signals) -> None:
        if not work.done():
            work.cancel()
        elif number is signal.SIGINT:  # a second time: the person does not want to wait
            raise SystemExit(1)

    async def _leave(self) -> None:
        if self._chat is not None:
            await self._chat.leave()
        if self._account is not None:
            # A name that stays logged in would be dialled, and nobody would answer.
            name = self._account.name
            with contextlib.suppress(ServiceError):
                await self._service.call(lambda: log_out(name), patient=False)

    async def _take_lines(self) -> None:
        self._terminal.note("help tells what you can type.")
        self._home()
        while (line := await self._terminal.line()) is not None:
            if self._chat is not None:
                await self._chat.take(line)
            else:
                self._terminal.echo(line)
                await self._do(line.strip())

    async def _do(self, line: str) -> None:
        if not line:
            return
        verb, _, argument = line.partition(" ")
        usage, command = self._commands.get(verb, ("", None))
        if command is None:
            self._terminal.note(
                f"There is no command {verb}; help tells which there are. Ctrl-D ends the program."
            )
            return
        if (" " in usage) != bool(argument.strip()):
            self._terminal.note(usage)
            return
        try:
            await command(argument.strip())
        except ServiceError as error:
            self._terminal.note(str(error))

    def _home(self) -> None:
        """Show that what is typed is a command."""
        self._terminal.mask(_masked)
        self._terminal.prompt = f"{self._account.name}> " if self._account else "> "

    # The commands

    async def _sign_up(self, argument: str) -> None:
        await self._identify(argument, new=True)

    async def _log_in(self, argument: str) -> None:
        await self._identify(argument, new=False)

    async def _identify(self, argument: str, *, new: bool) -> None:
        name, _, password = argument.partition(" ")
        if not self._is_name(name):
            return
        password = password.strip() or await self._terminal.ask("Password: ", secret=True)
        if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
            self._terminal.note(f"A password has {MIN_PASSWORD} to {MAX_PASSWORD} characters.")
            return
        if self._account and nicknames.fold(self._account.name) != nicknames.fold(name):
            await self._log_out("")
        port = self._options.port
        try:
            answer = await self._service.call(
                lambda: (sign_up if new else log_in)(name, password, port), repeatable=not new
            )
        except NoAnswer as error:
            if new:
                raise NoAnswer(f"{error} It may have made the account: try in {name} …") from error
            raise
        if answer is not LoginAnswer.DONE:
            self._terminal.note(_refused(answer, name, new=new))
            return
        self._account = Account(name, self._options.folder)
        self._terminal.note(f"You are {name}.")
        if self._account.needs(Explanation.ADDRESS):
            self._terminal.note(notices.ADDRESS)
        self._home()

    async def _log_out(self, _argument: str) -> None:
        account = self._logged_in()
        if account is None:
            return
        was_in = await self._service.call(lambda: log_out(account.name))
        self._account = None
        self._terminal.note("You are logged out." if was_in else "You were not logged in any more.")
        self._home()

    async def _hanging(self, _argument: str) -> None:
        account = self._logged_in()
        if account is None:
            return
        entries = await self._service.call(lambda: hanging(account.name))
        self._terminal.write(*map(notices.hanging, entries[:SHOWN_SENDERS]))
        if len(entries) > SHOWN_SENDERS:
            more = len(entries) - SHOWN_SENDERS
            self._terminal.note(
                f"And of {more} more: show NAME reads one, then others come up here."
            )
        if not entries:
            self._terminal.note("Nothing is waiting for you.")

    async def _show(self, sender: str) -> None:
        account = self._logged_in()
        if account is None or not self._is_name(sender):
            return
        transcript = Transcript(account, sender, self._terminal)
        shown_any = False
        more = True
        for _ in range(SHOWN_ANSWERS):
            call, pending = await self._service.open(lambda: show(account.name, sender))
            shown_any = transcript.show_pending(pending) or shown_any
            in_order = await call.close()
            if in_order:
                account.confirm(sender)
            more = in_order and pending.perhaps_more
            if not more:
                break
        if more:
            self._terminal.note(f"More of {sender} waits: show {sender} goes on.")
        elif not shown_any:
            self._terminal.note(f"Nothing of {sender} is waiting for you.")

    async def _enter(self, partner: str) -> None:
        account = self._logged_in()
        if account is None or not self._is_name(partner):
            return
        if nicknames.fold(partner) == nicknames.fold(account.name):
            self._terminal.note("That is you.")
            return
        self._terminal.mask(str)
        options = self._options
        self._chat = Conversation(
            *(account, options.port, partner, self._service, self._sockets, self._terminal),
            classic=options.classic,
        )
        self._chat.task.add_done_callback(self._come_home)
        await self._chat.ready()

    async def _help(self, _argument: str) -> None:
        self._terminal.write(*notices.HELP.split("\n"))

    def _come_home(self, task: asyncio.Task[None]) -> None:
        self._chat = None
        self._home()
        if not task.cancelled() and task.exception() is not None:
            self._broken = task
            self._terminal.end()

    def _logged_in(self) -> Account | None:
        if self._account is None:
            self._terminal.note("Log in first: in NAME PASSWORD, or signup NAME PASSWORD.")
        return self._account

    def _is_name(self, name: str) -> bool:
        if not nicknames.is_valid(name):
            self._terminal.note(
                f"{name} can be nobody's name: that has up to {nicknames.MAX_LENGTH} letters, "
                "digits and . _ + -"
            )
            return False
        return True


def _masked(line: str) -> str:
    """Return how a command may be shown: a password is nobody's to read."""
    found = _WITH_PASSWORD.fullmatch(line)
    return line if found is None else found[1] + "*" * len(found[2])


def _refused(answer: LoginAnswer, name: str, *, new: bool) -> str:
    match answer:
        case LoginAnswer.NAME_REFUSED if new:
            return f"{name} is taken, or is not to be had, or no account may be made from here now."
        case LoginAnswer.NAME_REFUSED:
            return f"There is no account {name}: signup NAME PASSWORD makes one."
        case LoginAnswer.PORT_REFUSED:
            return "The service refused this device's port."
        case _:
            return "The password was refused. After five wrong ones wait a minute."
