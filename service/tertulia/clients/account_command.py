"""``tertulia account``: all its commands."""

import asyncio
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, BinaryIO, TypeVar

import click
import msgspec

from tertulia.clients import options
from tertulia.clients.admin.command import who
from tertulia.clients.admin.durations import span
from tertulia.operators.accounts import AccountBook, AccountSeen, Copied
from tertulia.operators.deployment import Deployment, NobodyThere, redis_of
from tertulia.operators.refusals import CommandRefused
from tertulia.redis.access import Access
from tertulia.redis.errors import StoreAway
from tertulia.settings import redis_url

_Command = TypeVar("_Command", bound=Callable[..., Any])
_T = TypeVar("_T")


@click.group(cls=options.CommandList)
def account() -> None:
    """Make, change, list, copy and delete accounts, and invite people to make one.

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
    return options.configuring(chat(command))


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
    """Change the password of an account."""
    password = _asked_for_password()
    _with_accounts(given, chat, lambda book: book.set_password(nickname, password))
    click.echo(f"changed the password of {nickname}")


@account.command("delete")
@click.argument("nickname")
@_for_account
def delete_account(nickname: str, chat: str, **given: Any) -> None:
    """Delete an account, and the messages that wait for it."""
    _with_accounts(given, chat, lambda book: book.delete(nickname))
    click.echo(f"deleted the account {nickname}")


class _Span(click.ParamType[int]):
    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            return span(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@account.command("list")
@click.option(
    "--unused-for",
    type=_Span(),
    metavar="SPAN",
    help="Only those that nobody used for so long: 90d.",
)
@_for_account
def list_accounts(unused_for: int | None, chat: str, **given: Any) -> None:
    """List all accounts.

    USED is the day on which somebody last entered or logged in as it, or the one before.
    """

    async def found(book: AccountBook) -> list[AccountSeen]:
        return await (book.all() if unused_for is None else book.unused(unused_for))

    _show(_with_accounts(given, chat, found))


@account.command("prune")
@click.option(
    "--unused-for",
    type=_Span(),
    required=True,
    metavar="SPAN",
    help="Delete those that nobody used for so long: 90d.",
)
@click.option("--yes", is_flag=True, help="Don't ask.")
@_for_account
def prune_accounts(unused_for: int, yes: bool, chat: str, **given: Any) -> None:
    """Delete accounts that nobody used for long, and the messages that wait for them.

    It shows them and asks you first. It keeps accounts that are connected.
    """
    found = _with_accounts(given, chat, lambda book: book.unused(unused_for))
    if not found:
        click.echo("there is none that was not used for so long")
        return
    _show(found)
    question = f"Delete these, and what waits for them ({len(found)})?"
    if not yes and not click.confirm(question):
        options.fail("nothing was deleted")

    async def prune(book: AccountBook) -> int:
        deleted = 0
        for each in found:
            is_gone = await book.prune(each.nickname, unused_for)
            deleted += is_gone
            click.echo(
                f"{each.nickname}: {'deleted' if is_gone else 'in use by now, left as it is'}"
            )
        return deleted

    click.echo(f"deleted {_with_accounts(given, chat, prune)} of {len(found)} accounts")


def _show(accounts: Sequence[AccountSeen]) -> None:
    click.echo(f"{'NICKNAME':32}  {'SINCE':16}  {'USED':10}  {'DEVICE':6}  PENDING")
    for seen in accounts:
        here = "in" if seen.is_logged_in else "-"
        since, used = f"{seen.since:%Y-%m-%d %H:%M}", f"{seen.used:%Y-%m-%d}"
        click.echo(f"{seen.nickname:32}  {since}  {used}  {here:6}  {seen.pending}")


@account.command("export")
@_for_account
def export_accounts(chat: str, **given: Any) -> None:
    """Print all accounts, one a line in JSON, for import.

    The output has the hashes of the passwords: people who read it can try passwords.
    """
    for each in _with_accounts(given, chat, lambda book: book.copies()):
        click.echo(msgspec.json.encode(each))


@account.command("import")
@click.argument("file", type=click.File("rb"))
@_for_account
def import_accounts(file: BinaryIO, chat: str, **given: Any) -> None:
    """Make the accounts from a FILE that export printed; - is standard input.

    Accounts that exist already are left as they are. Exit status 1 if any was not made; standard error
    says which, and why.
    """
    copied = read_accounts(file.read())

    async def put(book: AccountBook) -> int:
        made = 0
        for each in copied:
            try:
                await book.put(each)
                made += 1
            except CommandRefused as error:
                click.echo(f"tertulia: {error}", err=True)
        return made

    made = _with_accounts(given, chat, put)
    click.echo(f"made {made} of {len(copied)} accounts")
    if made < len(copied):
        sys.exit(options.FAILED)


def read_accounts(data: bytes) -> list[Copied]:
    """Read what ``account export`` printed. Raises click.BadParameter."""
    try:
        return msgspec.json.Decoder(Copied).decode_lines(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"this is not what account export prints: {error}") from None


@account.command("invite")
@click.option(
    "--count",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    help="How many codes.",
)
@click.option(
    "--for",
    "seconds",
    type=_Span(),
    default="7d",
    show_default=True,
    metavar="SPAN",
    help="How long each is good, like 12h or 7d.",
)
@_for_account
def invite(count: int, seconds: int, chat: str, **given: Any) -> None:
    """Print codes with which people make an account where registration is by invitation.

    Each is good for one account. They can't be shown again: only their hashes are kept.
    """
    made = _with_invitations(given, lambda them: them.invite(chat, count, seconds))
    click.echo("NUMBER  CODE")
    for invitation in made:
        click.echo(f"{invitation.number:<6}  {invitation.code}")


@account.command("invitations")
@_for_account
def list_invitations(chat: str, **given: Any) -> None:
    """List the codes that are still good, by number."""
    found = _with_invitations(given, lambda them: them.invitations(chat).all())
    click.echo(f"{'NUMBER':6}  {'MADE':16}  UNTIL")
    for invitation in found:
        click.echo(
            f"{invitation.number:<6}  {invitation.made:%Y-%m-%d %H:%M}  {invitation.until:%Y-%m-%d %H:%M}"
        )


@account.command("uninvite")
@click.argument("number", type=click.IntRange(1))
@_for_account
def uninvite(number: int, chat: str, **given: Any) -> None:
    """Withdraw the invitation with this NUMBER."""
    _with_invitations(given, lambda them: them.take_back_invitation(chat, number))
    click.echo(f"took back the invitation {number}")


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
    given: dict[str, Any], chat: str, do: Callable[[AccountBook], Coroutine[Any, Any, _T]]
) -> _T:
    settings = options.configured(**given)
    try:
        url = redis_of(settings)
    except NobodyThere as error:
        options.fail(str(error))

    async def work() -> _T:
        access = Access.to(url, settings)
        async with AccountBook.to(chat, access, settings.cluster.redis_timeout_seconds) as book:
            return await do(book)

    return _done(work(), url)


def _with_invitations(
    given: dict[str, Any], do: Callable[[Deployment], Coroutine[Any, Any, _T]]
) -> _T:
    settings = options.configured(**given)
    seconds = settings.cluster.redis_timeout_seconds
    try:
        url = redis_of(settings)
    except NobodyThere as error:
        options.fail(str(error))

    async def work() -> _T:
        async with Deployment(settings, who(None), seconds, "tertulia-accounts") as them:
            return await do(them)

    return _done(work(), url)


def _done(work: Coroutine[Any, Any, _T], url: str) -> _T:
    try:
        return asyncio.run(work)
    except CommandRefused as error:
        click.echo(f"tertulia: {error}", err=True)
    except StoreAway as error:
        shown_url = redis_url.masked(url)
        click.echo(f"tertulia: Redis at {shown_url} can't be used: {error}", err=True)
    sys.exit(options.FAILED)
