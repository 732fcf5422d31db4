"""What people write to ``G`` about accounts in the dialects of lines, and what ``G`` answers.

A command is a word and what belongs to it, separated by spaces: no password in it has one.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal

from tertulia.dialects.contract import AccountAction, AccountAnswer, AccountOutcome
from tertulia.domain.commands import (
    AccountCommand,
    ChangePassword,
    DeleteAccount,
    ExplainAccounts,
    LogOutEverywhere,
    Register,
)
from tertulia.domain.passwords import MAX_PASSWORD, MIN_PASSWORD

Language = Literal["en", "it"]

_COMMANDS: Final[Mapping[tuple[str, int], Callable[..., AccountCommand]]] = {
    ("register", 1): Register,
    ("register", 2): Register,
    ("password", 2): ChangePassword,
    ("logout", 0): LogOutEverywhere,
    ("unregister", 1): DeleteAccount,
    ("help", 0): ExplainAccounts,
}
"""By the first word, and how many follow."""

BEGINNINGS: Final = frozenset(word[:4].encode() for word, _ in _COMMANDS)
"""The first four bytes of every command: most of what is said is none, and shows it at once."""


def account_command(text: str) -> AccountCommand | None:
    """Return what a text asks for; None where it is no whole command."""
    word, *rest = text.split() or [""]
    make = _COMMANDS.get((word, len(rest)))
    return None if make is None else make(*rest)


def asked(text: str) -> AccountCommand | None:
    """Return what a text to ``G`` alone asks for: for help, where only its first word is a command's."""
    word, *rest = text.split() or [""]
    word = word.lower()
    if word[:4].encode() not in BEGINNINGS:
        return None
    return account_command(" ".join((word, *rest))) or ExplainAccounts()


def told(answer: AccountAnswer, language: Language, *, rooms: str = "") -> Sequence[str]:
    """Return what ``G`` answers, a line each. ``rooms``: what else the list of commands says."""
    fields = {
        "name": answer.nickname,
        "minutes": max(1, -(-answer.seconds // 60)),
        "least": MIN_PASSWORD,
        "most": MAX_PASSWORD,
    }
    if answer.action is AccountAction.EXPLAIN:
        lines: Sequence[str] = (*_HELP[language], *filter(None, [rooms]))
    else:
        is_done = answer.outcome is AccountOutcome.DONE
        lines = (_WORDS[language][answer.action if is_done else answer.outcome],)
    return [line.format_map(fields) for line in lines]


_HELP: Final[Mapping[Language, Sequence[str]]] = {
    "en": (
        "Write one of these to G; nobody else reads it:",
        "register PASSWORD - makes {name} your account: nobody else can enter under this name",
        "register PASSWORD CODE - the same, with an invitation",
        "password OLD NEW - changes your password, and logs you out elsewhere",
        "logout - logs you out everywhere else",
        "unregister PASSWORD - deletes your account",
        "help - says this",
    ),
    "it": (
        "scrivi a G una di queste righe; nessun altro la legge:",
        "register PASSWORD - {name} diventa il tuo account: nessun altro può entrare con questo nome",
        "register PASSWORD CODICE - lo stesso, con un invito",
        "password VECCHIA NUOVA - cambia la tua password, e ti scollega altrove",
        "logout - ti scollega ovunque, tranne qui",
        "unregister PASSWORD - cancella il tuo account",
        "help - dice queste righe",
    ),
}

_WORDS: Final[Mapping[Language, Mapping[str, str]]] = {
    "en": {
        AccountAction.REGISTER: "{name} is your account now. From now on, enter as {name}:PASSWORD",
        AccountAction.CHANGE_PASSWORD: "Your password is changed, and you are logged out elsewhere.",
        AccountAction.LOG_OUT_EVERYWHERE: "You are logged out everywhere else.",
        AccountAction.DELETE_ACCOUNT: "The account {name} is deleted. You are here as a guest.",
        AccountOutcome.TAKEN: "{name} can't be made an account.",
        AccountOutcome.HAS_ACCOUNT: "{name} is your account already.",
        AccountOutcome.NO_ACCOUNT: "You are here as a guest. To make an account: register PASSWORD",
        AccountOutcome.CLOSED: "Only the operators make accounts here.",
        AccountOutcome.INVITATION: "An account needs an invitation here, and this was none that is "
        "still good: register PASSWORD CODE",
        AccountOutcome.WRONG_PASSWORD: "That is not your password. After five wrong ones, wait a minute.",
        AccountOutcome.TOO_SHORT: "A password has {least} to {most} characters.",
        AccountOutcome.TOO_LONG: "A password has {least} to {most} characters.",
        AccountOutcome.TOO_OFTEN: "Your network asked for too much. Try again in {minutes} min.",
        AccountOutcome.BUSY: "Too many passwords wait to be looked at. Try again in a moment.",
    },
    "it": {
        AccountAction.REGISTER: "{name} è il tuo account. D'ora in poi entra con {name}:PASSWORD",
        AccountAction.CHANGE_PASSWORD: "la password è cambiata, e altrove sei scollegato",
        AccountAction.LOG_OUT_EVERYWHERE: "sei scollegato ovunque, tranne qui",
        AccountAction.DELETE_ACCOUNT: "l'account {name} è cancellato: qui sei un ospite",
        AccountOutcome.TAKEN: "{name} non può diventare un account",
        AccountOutcome.HAS_ACCOUNT: "{name} è già il tuo account",
        AccountOutcome.NO_ACCOUNT: "qui sei un ospite. Per avere un account: register PASSWORD",
        AccountOutcome.CLOSED: "qui gli account li fanno solo gli operatori",
        AccountOutcome.INVITATION: "qui un account richiede un invito, e questo non è valido o non "
        "lo è più: register PASSWORD CODICE",
        AccountOutcome.WRONG_PASSWORD: "la tua password è un'altra. Dopo cinque errori aspetta un minuto",
        AccountOutcome.TOO_SHORT: "una password ha da {least} a {most} caratteri",
        AccountOutcome.TOO_LONG: "una password ha da {least} a {most} caratteri",
        AccountOutcome.TOO_OFTEN: "troppe richieste dalla tua rete: riprova tra {minutes} min",
        AccountOutcome.BUSY: "troppe password in attesa: riprova tra poco",
    },
}
