"""What operators give: files, variables, words on a command line. It is no attack, but may be a mistake."""

import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import click

from fuzz.target import Pieces, Target, check, folder
from harness.certificates import make
from tertulia.clients import account_command, options
from tertulia.clients.admin import durations
from tertulia.domain import addresses, bans, networks
from tertulia.edge import certificates, word_filter
from tertulia.node import sd_notify
from tertulia.operators.accounts import AccountBook
from tertulia.operators.refusals import CommandRefused
from tertulia.redis.access import first_line
from tertulia.redis.errors import StoreAway
from tertulia.settings import redis_url
from tertulia.settings.model import Settings, SettingsError, load
from tertulia.store.keys import Keys

# Kept for as long as the tests run, and away when they end.
_FOLDER = folder()
_DEPLOY = Path(__file__).parents[3] / "deploy"
_NOW = datetime(2026, 11, 29, tzinfo=UTC)


def _file(name: str, data: bytes) -> Path:
    path = Path(_FOLDER.name) / name
    path.write_bytes(data)
    return path


def _refused(error: SettingsError) -> object:
    """Require of a complaint what it promises: a line for each problem."""
    for problem in error.problems:
        check("\n" not in problem and "\x1b" not in problem, f"not one line: {problem!r}")
    return [len(error.problems), error.problems[0].rpartition(": ")[2]]


def _toml(pieces: Pieces) -> object:
    try:
        settings = load(_file("node.toml", b"".join(pieces)), {})
    except SettingsError as error:
        return _refused(error)
    return [len(settings.listeners)]


def _patterns(pieces: Pieces) -> object:
    """Read a filter's patterns, and look for them."""
    try:
        refuses = word_filter.load(_file("patterns", b"".join(pieces)))
    except word_filter.FilterError as error:
        check("\n" not in str(error), f"not one line: {error}")
        return str(error).rpartition(": ")[2][:40]
    check(not refuses(""), "an empty text is refused")
    return refuses("a casino in 2026, ﬁnally")


def _variables(pieces: Pieces) -> object:
    """Set a variable: what stands before the first ``=`` is its name."""
    name, _, value = b"".join(pieces).replace(b"\0", b"").partition(b"=")
    variable = "TERTULIA_" + os.fsdecode(name).upper()
    os.environ[variable] = os.fsdecode(value)
    try:
        settings = load(None, {})
    except SettingsError as error:
        return _refused(error)
    finally:
        del os.environ[variable]
    return [len(settings.listeners)]


def _url(pieces: Pieces) -> object:
    url = os.fsdecode(b"".join(pieces))
    redis_url.has_password(url)
    redis_url.masked(url)
    try:
        found = redis_url.parse(url)
    except redis_url.WrongUrl as error:
        return str(error).partition(": ")[0]
    return [found.kind.name, len(found.hosts), bool(found.password)]


def _word(pieces: Pieces) -> object:
    """Give a word wherever one is expected."""
    word = os.fsdecode(b"".join(pieces).replace(b"\0", b""))
    told: list[object] = [networks.network_of(word) == word, addresses.port(word)]
    for understand in (
        bans.subject_of,
        durations.span,
        lambda it: durations.moment(it, _NOW),
    ):
        try:
            told.append(understand(word))
        except ValueError as error:
            check("\x1b" not in str(error) and "\n" not in str(error), f"not one line: {error!r}")
    context = cast(Any, None)
    for option in (
        options._host_and_port,
        options._listener,
        lambda it: options.chat_name(context, context, it),
    ):
        with suppress(click.BadParameter):
            told.append(option(word))
    told.append(sd_notify.Notifier.from_environment({"WATCHDOG_USEC": word, "NOTIFY_SOCKET": "@x"}))
    return told


class _Redis:
    """Where accounts are made."""

    async def run(self, _script: object, _keys: object, args: list[str | int]) -> str:
        for arg in args:
            str(arg).encode()
        return "made"


def _accounts(pieces: Pieces) -> object:
    """Import a file of accounts."""
    try:
        copied = account_command.read_accounts(b"".join(pieces))
    except click.BadParameter:
        return None
    book = AccountBook.__new__(AccountBook)
    book._keys, book._redis = Keys("main"), cast(Any, _Redis())
    told: list[object] = []
    for each in copied:
        # What is imported can be listed.
        told.append(datetime.fromtimestamp(each.since / 1000, UTC).year)
        try:
            book.put(each).send(None)
        except StopIteration:
            told.append(True)
        except CommandRefused as error:
            check("\x1b" not in str(error) and "\n" not in str(error), f"not one line: {error!r}")
    return told


def _certificate(pieces: Pieces) -> object:
    path = _file("node.pem", b"".join(pieces))
    try:
        return [certificates.load(path, None, datetime.now(UTC)).ends.year]
    except certificates.CertificateError as error:
        check("\n" not in str(error), f"not one line: {error!r}")
        return str(error).rpartition(": ")[2]


def _password_file(pieces: Pieces) -> object:
    try:
        settings = Settings(redis_password_file=_file("password", b"".join(pieces)))
        password = first_line(settings, "redis_password_file")
    except StoreAway as away:
        return str(away)
    check("\n" not in password, "more than a line is a password")
    return [len(password)]


_HASH = b"$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21l$aGFzaGhhc2hoYXNoaGFzaGhhc2g"
_MADE = make(Path(_FOLDER.name))
TARGETS = (
    Target(
        "patterns of a filter",
        _patterns,
        (b"# words\ncasino\n\\bspam\\b\n", "ｃａｓｉｎｏ\n(ab|cd)+x\n".encode()),
        (b"\\b", b"(", b")*", b"[", b"]", b"{1,9}", b"(?i)", b"\\C", b"|", b"\n", b"\xef\xbb\xbf"),
        is_cut=False,
        longest=4_000,
    ),
    Target(
        "settings' files",
        _toml,
        (
            (_DEPLOY / "docker" / "node.toml").read_bytes(),
            b'redis_url = "redis://tertulia@redis:6379/0"\n[ops]\nport = 9464\n[log]\nlevel = "debug"\n',
            b'[[listeners]]\ndialect = "browser"\nport = 8080\nhosts = ["chat.example"]\n'
            b'trusted_proxies = ["10.0.0.0/8"]\n',
            b"[limits]\nconnections = 10\nenter_seconds = 1.5\n[cluster]\nlease_seconds = 10\n"
            b'"\\u001b" = 1\n',
        ),
        (
            b"[limits]\n",
            b"[[listeners]]\n",
            b" = ",
            b"inf",
            b"nan",
            b"0xff",
            b"1979-05-27",
            b'"""',
            b"port = ",
            b"dialect = ",
            b"[",
            b"{",
            b'"\\u0000"',
            b"redis_url = ",
            b"\n",
        ),
        is_cut=False,
    ),
    Target(
        "settings' variables",
        _variables,
        (
            b'LISTENERS=[{"dialect":"chatte","port":0}]',
            b"OPS__PORT=9464",
            b'LIMITS={"connections":5}',
            b"REDIS_URL=redis://x:y@z",
            b"NODE_ID=one",
            b"SERVICE_HOST=10.0.0.1",
        ),
        (
            b"LIMITS__",
            b"CLUSTER__",
            b"LOG__LEVEL",
            b"=",
            b"[[",
            b"{",
            b"TRACING__",
            b"null",
            b'"port":',
        ),
        is_cut=False,
    ),
    Target(
        "Redis' URLs",
        _url,
        (
            b"redis://tertulia:secret@redis:6379/0",
            b"rediss://[::1]:6379/15?db=1",
            b"unix:///run/redis.sock?db=1",
            b"redis+sentinel://u:p@a:1,b:2,c/main/0",
            b"redis+cluster://a,b:7000",
        ),
        (
            b"://",
            b"@",
            b"?password=",
            b"&username=",
            b"%40",
            b"[",
            b"]",
            b",",
            b"#",
            b"xn--",
            b"\xc3\xa9.",
        ),
        is_cut=False,
    ),
    Target(
        "words of operators",
        _word,
        (
            b"192.0.2.7",
            b"2001:db8::/32",
            b"andy",
            b"1h30m",
            b"2026-11-21T03:00",
            b"chatte=127.0.0.1:1234/main",
            b"[::1]:9464",
            b"::ffff:192.0.2.1%eth0",
            b"20000000",
        ),
        (b":", b"/", b"=", b"%", b"::", b"w", b"9999-12-31", b"+14:00", b"-W53-7", b"::ffff:"),
        is_cut=False,
        longest=500,
    ),
    Target(
        "accounts to import",
        _accounts,
        (
            b'{"nickname":"andy","hash":"' + _HASH + b'","since":1700000000000}\n' * 1,
            b'{"nickname":"bob","hash":"'
            + _HASH
            + b'","since":0}\n\n{"nickname":"x","hash":"y","since":-1}\n',
        ),
        (b"\n", b'"since":', b'"hash":', b"$argon2id$", b"m=", b",p=", b"$v=19", b'"x":1,', _HASH),
        is_cut=False,
    ),
    Target(
        "certificates",
        _certificate,
        (_MADE.both.read_bytes(), _MADE.certificate.read_bytes(), _MADE.key.read_bytes()),
        (
            b"-----BEGIN CERTIFICATE-----\n",
            b"-----END CERTIFICATE-----\n",
            b"-----BEGIN PRIVATE KEY-----\n",
            b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n",
            b"Proc-Type: 4,ENCRYPTED\n",
            b"AAAA",
            b"MII",
        ),
        is_cut=False,
    ),
    Target(
        "password files",
        _password_file,
        (b"secret\n", b"one\ntwo\n", "à\r\n".encode()),
        (b"\r", b"\n"),
        is_cut=False,
    ),
)
