"""The command ``tertulia api``, and making tokens for it."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from tertulia.api.tokens import ANY_ROOM, Scope, Token, digest, new_secret
from tertulia.clients import options


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@options.configuring
@click.pass_context
def api(ctx: click.Context, /, config: Path | None, log_format: str | None, **given: Any) -> None:
    """Serve the HTTP API until it is told to stop (Ctrl-C, or SIGTERM).

    A process of its own over Redis, beside the nodes: see api in the settings.
    """
    if ctx.invoked_subcommand is not None:
        return
    settings = options.configured(config, log_format, **given)
    from tertulia.api.server import CannotServe, run

    try:
        run(settings)
    except CannotServe as error:
        options.fail(str(error))


@api.command()
@click.argument("name")
@click.option(
    "--scope", "scopes", type=click.Choice([it.value for it in Scope]), multiple=True, required=True,
    help="What it may do; may be given several times.",
)  # fmt: skip
@click.option(
    "--room", "rooms", multiple=True, metavar="ROOM",
    help="Where: a further room without #, or lobby; may be given several times.  [default: everywhere]",
)  # fmt: skip
@click.option("--chat", default="main", show_default=True, callback=options.chat_name)
def token(name: str, scopes: tuple[Scope, ...], rooms: tuple[str, ...], chat: str) -> None:
    """Make a token for NAME: the lines for the file on standard output, the token itself on standard error.

    The token is shown once and kept nowhere: the file has its digest alone.
    """
    secret = new_secret()
    try:
        made = Token(
            name=name, sha256=digest(secret), scopes=frozenset(scopes), rooms=rooms or (ANY_ROOM,),
            chat=chat,
        )  # fmt: skip
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    click.echo(f'[[tokens]]\nname = "{made.name}"\nsha256 = "{made.sha256}"')
    click.echo(f"scopes = {_list(sorted(made.scopes))}\nrooms = {_list(made.rooms)}")
    if chat != "main":
        click.echo(f'chat = "{chat}"')
    click.echo(f"the token of {name}: {secret}", err=True)
    sys.stdout.flush()


@api.command()
def openapi() -> None:
    """Print what there is to ask for, as OpenAPI: the same as /openapi.json."""
    from tertulia.api.app import application

    click.echo(json.dumps(application().openapi(), indent=2, ensure_ascii=False))


def _list(words: Any) -> str:
    return "[" + ", ".join(f'"{it}"' for it in words) + "]"
