"""The command ``tertulia``: parses and calls."""

import ipaddress
import os
import sys
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, TypeVar

import click

from tertulia import options, redis_url
from tertulia.domain import addresses
from tertulia.setting_sources import shown
from tertulia.setting_text import describe, table
from tertulia.settings import OPTIONS, Settings

if TYPE_CHECKING:
    from tertulia.clients.account_book import AccountBook, Copied

_Command = TypeVar("_Command", bound=Callable[..., Any])
_T = TypeVar("_T")

_WRONG = options.FAILED


class _Commands(click.Group):
    """Also those with many options of their own, which are only read where they are asked for."""

    _ELSEWHERE: ClassVar = {
        "admin": ("tertulia.clients.admin.command", "admin"),
        "load": ("tertulia.clients.load.command", "command"),
        "probe": ("tertulia.clients.probe.command", "command"),
    }

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *self._ELSEWHERE])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._ELSEWHERE:
            return super().get_command(ctx, cmd_name)
        module, name = self._ELSEWHERE[cmd_name]
        command: click.Command = getattr(import_module(module), name)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tertulia", message="%(package)s %(version)s")
def main() -> None:
    """One chat behind several old protocols, on several nodes over one Redis."""
    _open_standard_files()


def _open_standard_files() -> None:
    """Have those that were closed lead nowhere.

    A number that is free goes to the next file or socket, and to that would go what is told there.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(
                os.open(os.devnull, os.O_RDWR), True
            )  # the lowest number that is free
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))


def _address(
    _ctx: click.Context, _param: click.Parameter, value: str | None
) -> dict[str, str] | None:
    return None if value is None else _host_and_port(value)


def _listeners(
    _ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]
) -> tuple[dict[str, str], ...] | None:
    return tuple(_listener(value) for value in values) or None


def _listener(value: str) -> dict[str, str]:
    dialect, _, rest = value.partition("=")
    where, slash, chat = rest.partition("/")
    if not dialect or not where or (slash and not chat):
        raise click.BadParameter(
            f"{shown(value)} should be DIALECT=HOST:PORT[/CHAT], like chatte=127.0.0.1:1234/main."
        )
    listener = {"dialect": dialect, **_host_and_port(where)}
    return {**listener, "chat": chat} if chat else listener


def _host_and_port(value: str) -> dict[str, str]:
    """Split HOST:PORT, an IPv6 address in brackets. What is a port, the settings decide."""
    host, _, port = value.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not bare or not port or (":" in host and bare == host):
        raise click.BadParameter(
            f"{shown(value)} should be HOST:PORT, like 127.0.0.1:9464 or [::1]:9464."
        )
    return {"host": bare, "port": port}


def _configuring(command: _Command) -> _Command:
    """Add the options that choose settings, the same for all commands that load them."""
    for option in reversed(
        (
            options.CONFIG,
            options.REDIS_URL,
            options.DATA_DIR,
            click.option(
                OPTIONS["listeners"],
                "listeners",
                callback=_listeners,
                multiple=True,
                metavar="DIALECT=HOST:PORT[/CHAT]",
                help="Accept clients of a dialect on an address; may be given several times.",
            ),
            click.option(
                OPTIONS["ops"],
                callback=_address,
                metavar="HOST:PORT",
                help="Where health and metrics are answered over HTTP.",
            ),
            click.option(
                OPTIONS["node_id"], metavar="ID", help="The node's name; no two share one."
            ),
            click.option(
                OPTIONS["log.format"],
                metavar="auto|console|json",
                help="How logs are written; auto: console on a terminal, json elsewhere.",
            ),
        )
    ):
        command = option(command)
    return command


def _load(config: Path | None, log_format: str | None, **given: object) -> Settings:
    return options.loaded(config, {**given, "log": {"format": log_format}})


@main.command()
@_configuring
def serve(config: Path | None, log_format: str | None, **given: object) -> None:
    """Run a node until it is told to stop (Ctrl-C, or SIGTERM).

    Each option goes before its environment variable TERTULIA_…, and that before the file.
    """
    settings = _load(config, log_format, **given)
    # Only here: the other commands answer at once, and need nothing that a node needs.
    from tertulia.node import StartError, run

    try:
        sys.exit(run(settings))
    except StartError as error:
        options.complain(str(error))
        sys.exit(error.status)


@main.command()
@_configuring
def check(config: Path | None, log_format: str | None, **given: object) -> None:
    """Check the settings and print them as understood, secrets masked.

    Exit status 2, with the place of each mistake, where something is wrong. Certificates are read as
    well; no address is tried, as a node may be running.
    """
    from tertulia import tracing
    from tertulia.edge import certificates

    settings = _load(config, log_format, **given)
    wrong = False
    try:
        tracing.check(settings.tracing)
    except tracing.TracingError as error:
        click.echo(f"tertulia: {error}", err=True)
        wrong = True
    for i, listener in enumerate(settings.listeners):
        if listener.certificate is not None:
            try:
                certificates.load(listener.certificate, listener.key, datetime.now(UTC))
            except certificates.CertificateError as error:
                click.echo(f"tertulia: listeners[{i}]: {error}", err=True)
                wrong = True
        if listener.dialect == "browser" and not listener.hosts and not _is_loopback(listener.host):
            click.echo(
                f"tertulia: listeners[{i}] answers to any name, also one that another site points at it: "
                "set hosts to the names by which browsers call it",
                err=True,
            )
    if wrong:
        sys.exit(options.MISUSED)
    click.echo(describe(settings), nl=False)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@main.command()
def settings() -> None:
    """Print a table of all settings, in Markdown."""
    click.echo(table(), nl=False)


@main.command()
def metrics() -> None:
    """Print a table of all metrics, in Markdown."""
    # Only here: no other command needs it.
    from tertulia.metric_text import table

    click.echo(table(), nl=False)


@main.command()
@click.argument("port", type=click.IntRange(1024, 65_535))
@click.option(
    "--server",
    callback=_address,
    default="127.0.0.1:4242",
    show_default=True,
    metavar="HOST:PORT",
    help="Where the service listens for devices.",
)
@click.option(
    "--host",
    metavar="ADDRESS",
    help="The address on which to listen for other devices, and which the service tells them. By "
    "default only this machine's own, where the service is on this machine too; else all.",
)
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Where histories and downloads are kept.  [default: $XDG_DATA_HOME/tertulia-device or "
    "~/.local/share/tertulia-device]",
)
@click.option(
    "--classic",
    is_flag=True,
    help="Those whom you chat with have the old program: split what you say into pieces that it has room "
    "for, of 119 bytes.",
)
def device(
    port: int, server: dict[str, str], host: str | None, folder: Path | None, classic: bool
) -> None:
    """Chat from this terminal, as a device that listens on PORT for others.

    Type help for what you can type.
    """
    # Only here: no other command needs it.
    from tertulia.clients.device.program import Options, StartError, default_folder, run

    server_port = addresses.port(server["port"])
    if server_port is None:
        problem = f"{shown(server['port'])} is no port: it should be 1 to 65535."
        raise click.BadParameter(problem, param_hint="--server")
    for option, given in (("--server", server["host"]), ("--host", host)):
        if given is not None and not addresses.is_host(given):
            problem = f"{shown(given)} should be a host's name or its address."
            raise click.BadParameter(problem, param_hint=option)
    try:
        folder = folder or default_folder()
        run(Options(port, server["host"], server_port, host, folder, classic))
    except StartError as error:
        click.echo(f"tertulia: {error}", err=True)
        sys.exit(_WRONG)


@main.group()
def account() -> None:
    """Make, change, delete, list and copy accounts.

    They work on the Redis of the settings; without one, on that of the node that runs on the data
    folder. A password is asked for, or read from standard input: never an option, which others see.
    """


def _for_account(command: _Command) -> _Command:
    chat = click.option(
        "--chat",
        callback=options.chat_name,
        default="main",
        show_default=True,
        help="The chat it belongs to.",
    )
    return _configuring(chat(command))


@account.command("add")
@click.argument("nickname")
@_for_account
def add_account(nickname: str, chat: str, **given: Any) -> None:
    """Make an account."""
    password = _asked_for_password()
    _with_accounts(given, chat, lambda book: book.add(nickname, password))
    click.echo(f"made the account {nickname}")


@account.command("passwd")
@click.argument("nickname")
@_for_account
def change_password(nickname: str, chat: str, **given: Any) -> None:
    """Give an account another password."""
    password = _asked_for_password()
    _with_accounts(given, chat, lambda book: book.set_password(nickname, password))
    click.echo(f"changed the password of {nickname}")


@account.command("delete")
@click.argument("nickname")
@_for_account
def delete_account(nickname: str, chat: str, **given: Any) -> None:
    """Delete an account, and what waits for it."""
    _with_accounts(given, chat, lambda book: book.delete(nickname))
    click.echo(f"deleted the account {nickname}")


@account.command("list")
@_for_account
def list_accounts(chat: str, **given: Any) -> None:
    """List all accounts."""
    accounts = _with_accounts(given, chat, lambda book: book.all())
    click.echo(f"{'NICKNAME':32}  {'SINCE':16}  {'DEVICE':6}  PENDING")
    for each in accounts:
        here = "in" if each.is_logged_in else "-"
        click.echo(f"{each.nickname:32}  {each.since:%Y-%m-%d %H:%M}  {here:6}  {each.pending}")


@account.command("export")
@_for_account
def export_accounts(chat: str, **given: Any) -> None:
    """Print all accounts, one a line in JSON, for import.

    There are the passwords' hashes in it: whoever reads it can try passwords.
    """
    import msgspec

    for each in _with_accounts(given, chat, lambda book: book.copies()):
        click.echo(msgspec.json.encode(each))


@account.command("import")
@click.argument("file", type=click.File("rb"))
@_for_account
def import_accounts(file: BinaryIO, chat: str, **given: Any) -> None:
    """Make the accounts of a FILE that export printed; - is standard input.

    One that there is already is left as it is. Exit status 1 where any was not made; which, and why,
    stands on standard error.
    """
    from tertulia.clients.account_book import AccountBook, AccountProblem

    copied = read_accounts(file.read())

    async def put(book: AccountBook) -> int:
        made = 0
        for each in copied:
            try:
                await book.put(each)
                made += 1
            except AccountProblem as error:
                click.echo(f"tertulia: {error}", err=True)
        return made

    made = _with_accounts(given, chat, put)
    click.echo(f"made {made} of {len(copied)} accounts")
    if made < len(copied):
        sys.exit(_WRONG)


def read_accounts(data: bytes) -> "list[Copied]":
    """Read what ``account export`` printed. Raises click.BadParameter."""
    import msgspec

    from tertulia.clients.account_book import Copied

    try:
        return msgspec.json.Decoder(Copied).decode_lines(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"this is not what account export prints: {error}") from None


def _asked_for_password() -> str:
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    try:
        password = sys.stdin.readline().rstrip("\r\n")
        password.encode()
    except UnicodeError:
        options.fail("the password is no text in UTF-8")
    return password


def _with_accounts(
    given: dict[str, Any], chat: str, do: "Callable[[AccountBook], Coroutine[Any, Any, _T]]"
) -> "_T":
    import asyncio

    from tertulia.clients.account_book import AccountBook, AccountProblem
    from tertulia.store.access import Access
    from tertulia.store.embedded import DataDirUnusable, running_url
    from tertulia.store.errors import StoreAway

    settings = _load(**given)
    if settings.redis_url is not None:
        url = settings.redis_url.get_secret_value()
    else:
        try:
            url = running_url(settings.data_dir) or ""
        except DataDirUnusable as error:
            options.fail(str(error))
    if not url:
        options.fail(f"no node runs on {settings.data_dir}: start it, or set redis_url")

    async def work() -> "_T":
        access = Access.by(settings, url)
        async with AccountBook(chat, access, settings.cluster.redis_timeout_seconds) as book:
            return await do(book)

    try:
        return asyncio.run(work())
    except AccountProblem as error:
        click.echo(f"tertulia: {error}", err=True)
    except StoreAway as error:
        shown_url = redis_url.masked(url)
        click.echo(f"tertulia: Redis at {shown_url} can't be used: {error}", err=True)
    sys.exit(_WRONG)
