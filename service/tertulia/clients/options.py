"""Options of the command line that several commands have."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from tertulia.settings import redis_url
from tertulia.settings.command_line import CHAT, OPTIONS, shown
from tertulia.telemetry import journal

if TYPE_CHECKING:
    from tertulia.settings.model import Settings

_Command = TypeVar("_Command", bound=Callable[..., Any])

FAILED = 1
"""The exit status when the service could not do its work."""
MISUSED = 2
"""The exit status when it was told wrong, as click has it too."""


class CommandList(click.Group):
    """A group of commands whose help says in a whole sentence what each does, however long it is."""

    def to_list(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, or one that stands for it in a list."""
        return self.get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list; click's own cuts each sentence where the line ends."""
        found = ((name, self.to_list(ctx, name)) for name in self.list_commands(ctx))
        rows = [
            (name, it.get_short_help_str(sys.maxsize)) for name, it in found if it and not it.hidden
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _without_password(
    _ctx: click.Context, _param: click.Parameter, value: str | None
) -> str | None:
    if value is not None and redis_url.has_password(value):
        raise click.BadParameter(
            "there is a password in it, and other users of this machine can read a command's "
            "options: set TERTULIA_REDIS_URL in the environment, or redis_url in the --config file."
        )
    return value


def chat_name(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    """Refuse what no chat can be called."""
    if value is not None and not re.match(CHAT, value):
        raise click.BadParameter(f"{shown(value)} is no chat: it should be 1 to 32 of a-z 0-9 -")
    return value


CONFIG = click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A TOML file with settings.",
)
REDIS_URL = click.option(
    OPTIONS["redis_url"],
    callback=_without_password,
    metavar="URL",
    help="The shared Redis; without one, the node runs its own. Prefer TERTULIA_REDIS_URL in the "
    "environment: others can read a command's options, so a password is refused here.",
)
DATA_DIR = click.option(
    OPTIONS["data_dir"], metavar="DIR", help="Where the node's own Redis keeps its data."
)


def address(
    _ctx: click.Context, _param: click.Parameter, value: str | None
) -> dict[str, str] | None:
    """Take HOST:PORT apart."""
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
    """Split HOST:PORT, an IPv6 address in brackets. The settings decide what is a port."""
    host, _, port = value.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not bare or not port or (":" in host and bare == host):
        raise click.BadParameter(
            f"{shown(value)} should be HOST:PORT, like 127.0.0.1:9464 or [::1]:9464."
        )
    return {"host": bare, "port": port}


def configuring(command: _Command) -> _Command:
    """Add the options that choose settings, the same for all commands that load them."""
    for option in reversed(
        (
            CONFIG,
            REDIS_URL,
            DATA_DIR,
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
                callback=address,
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


def configured(config: Path | None, log_format: str | None, **given: object) -> "Settings":
    """Load the settings that the options of ``configuring`` choose, as ``loaded`` does."""
    return loaded(config, {**given, "log": {"format": log_format}})


def loaded(config: Path | None, given: dict[str, object]) -> "Settings":
    """Load the settings; end the process, with a line for each mistake, where they are wrong."""
    # Only here: --help and a mistyped option are answered without it, in a third of the time.
    from tertulia.settings.model import SettingsError, load

    try:
        return load(config, given)
    except SettingsError as error:
        for problem in error.problems:
            complain(problem)
        sys.exit(MISUSED)


def fail(problem: str) -> NoReturn:
    """End the process: it could not do its work."""
    complain(problem)
    sys.exit(FAILED)


def complain(problem: str) -> None:
    """Say on standard error what is wrong: for journald, where that reads it, an error."""
    told = f"tertulia: {problem}"
    click.echo(journal.levelled(told, "error") if journal.reads(sys.stderr) else told, err=True)
