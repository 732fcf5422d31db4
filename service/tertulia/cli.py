"""The command ``tertulia``: parses and calls."""

import ipaddress
import sys
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tertulia import options, redis_url
from tertulia.setting_sources import shown
from tertulia.setting_text import describe, table
from tertulia.settings import OPTIONS, Settings

if TYPE_CHECKING:
    from tertulia.clients.account_book import AccountBook

_Command = TypeVar("_Command", bound=Callable[..., Any])
_T = TypeVar("_T")

_WRONG = options.FAILED


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tertulia", message="%(package)s %(version)s")
def main() -> None:
    """One chat behind several old protocols, on several nodes over one Redis."""


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
        click.echo(f"tertulia: {error}", err=True)
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
def device(port: int, server: dict[str, str], host: str | None, folder: Path | None) -> None:
    """Chat from this terminal, as a device that listens on PORT for others.

    Type help for what you can type.
    """
    # Only here: no other command needs it.
    from tertulia.clients.device.program import Options, StartError, default_folder, run

    if not server["port"].isdecimal() or not 0 < int(server["port"]) <= 65_535:
        raise click.BadParameter(f"{server['port']} is no port.", param_hint="--server")
    folder = folder or default_folder()
    try:
        run(Options(port, server["host"], int(server["port"]), host, folder))
    except StartError as error:
        click.echo(f"tertulia: {error}", err=True)
        sys.exit(_WRONG)


@main.command("load", add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def load_service(arguments: tuple[str, ...]) -> None:
    """Put load on a service and check what it delivers."""
    # Only here: its many options are its own affair.
    from tertulia.clients.load.command import command

    command.main(list(arguments), prog_name="tertulia load")


@main.command("admin", add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def administer(arguments: tuple[str, ...]) -> None:
    """Look after the whole deployment: nodes, people, bans, the log."""
    # Only here: its many commands are their own affair.
    from tertulia.clients.admin.command import admin

    admin.main(list(arguments), prog_name="tertulia admin")


@main.group()
def account() -> None:
    """Make, change, delete and list accounts.

    They work on the Redis of the settings; without one, on that of the node that runs on the data
    folder. A password is asked for, or read from standard input: never an option, which others see.
    """


def _for_account(command: _Command) -> _Command:
    chat = click.option("--chat", default="main", show_default=True, help="The chat it belongs to.")
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


def _asked_for_password() -> str:
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\r\n")


def _with_accounts(
    given: dict[str, Any], chat: str, do: "Callable[[AccountBook], Coroutine[Any, Any, _T]]"
) -> "_T":
    import asyncio

    from tertulia.clients.account_book import AccountBook, AccountProblem
    from tertulia.store.access import Access
    from tertulia.store.embedded import running_url
    from tertulia.store.errors import StoreAway

    settings = _load(**given)
    if settings.redis_url is not None:
        url = settings.redis_url.get_secret_value()
    else:
        url = running_url(settings.data_dir) or ""
    if not url:
        click.echo(
            f"tertulia: no node runs on {settings.data_dir}: start it, or set redis_url", err=True
        )
        sys.exit(_WRONG)

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
