"""What moderators do, in sentences: for the dialects that have no words of their own for it."""

from datetime import UTC, datetime

from tertulia.dialects.contract import Restraint, Why
from tertulia.domain.events import (
    AccountsOnly,
    Appointed,
    Kicked,
    Moderated,
    Muted,
    Outsiders,
    Owned,
    Redacted,
    SlowMode,
    Topic,
    Unmuted,
)
from tertulia.domain.moderation import Standing
from tertulia.domain.nicknames import SERVER


def _moment(milliseconds: int) -> str:
    """Return a moment in the server's local time: its reader's zone is not known."""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC).astimezone()
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


def english(event: Moderated) -> str:
    """Say in English what a moderator did."""
    by = "an operator" if event.nickname == SERVER else event.nickname
    match event:
        case Muted(whom=whom, until=until, reason=reason):
            ends = f" until {_moment(until)}" if until else ""
            return f"{whom} was muted by {by}{ends}{_because(reason)}"
        case Unmuted(whom=whom):
            return f"{whom} may speak again, says {by}"
        case Kicked(whom=whom, reason=reason):
            return f"{whom} was removed by {by}{_because(reason)}"
        case SlowMode(seconds=0):
            return f"Slow mode was ended by {by}"
        case SlowMode(seconds=seconds):
            return f"Slow mode, set by {by}: one message each in {seconds} seconds"
        case AccountsOnly(on=on):
            who = "Only people with an account" if on else "Everybody, also without an account,"
            return f"{who} may speak now, says {by}"
        case Topic(text=text):
            return f"{by} set the topic: {text}" if text else f"{by} removed the topic"
        case Redacted(text=reason):
            return f"{by} withdrew a message{_because(reason)}"
        case Appointed(whom=whom, on=on):
            return f"{whom} is a moderator now" if on else f"{whom} is no moderator any more"
        case Owned(whom=whom):
            return f"{whom} owns this room"
        case Outsiders(on=on):
            who = "People who are not in this room may" if on else "Only people in this room may"
            return f"{who} speak here now, says {by}"


def italian(event: Moderated) -> str:
    """Say in Italian what a moderator did."""
    by = "un operatore" if event.nickname == SERVER else event.nickname
    match event:
        case Muted(whom=whom, until=until, reason=reason):
            ends = f" fino al {_moment(until)}" if until else ""
            return f"{whom} non può più scrivere{ends}, lo ha deciso {by}{_because(reason)}"
        case Unmuted(whom=whom):
            return f"{whom} può di nuovo scrivere, lo ha deciso {by}"
        case Kicked(whom=whom, reason=reason):
            return f"{whom} è stato allontanato da {by}{_because(reason)}"
        case SlowMode(seconds=0):
            return f"{by} ha tolto la modalità lenta"
        case SlowMode(seconds=seconds):
            return f"{by} ha messo la modalità lenta: un messaggio a testa ogni {seconds} secondi"
        case AccountsOnly(on=on):
            who = "solo chi è registrato" if on else "anche chi non è registrato"
            return f"adesso può scrivere {who}, lo ha deciso {by}"
        case Topic(text=text):
            return f"{by} ha scelto l'argomento: {text}" if text else f"{by} ha tolto l'argomento"
        case Redacted(text=reason):
            return f"{by} ha ritirato un messaggio{_because(reason)}"
        case Appointed(whom=whom, on=on):
            return f"{whom} adesso è moderatore" if on else f"{whom} non è più moderatore"
        case Owned(whom=whom):
            return f"questa stanza è di {whom}"
        case Outsiders(on=on):
            who = "anche chi non è in questa stanza" if on else "solo chi è in questa stanza"
            return f"adesso qui può scrivere {who}, lo ha deciso {by}"


def why_in_english(restraint: Restraint) -> str:
    """Say in English why a message was not passed on."""
    match restraint.why:
        case Why.MUTED:
            why = f"you {_muted_in_english(restraint.until, restraint.reason)}"
        case Why.SLOW:
            why = f"slow mode: you may write again at {_moment(restraint.until)}"
        case Why.ACCOUNTS_ONLY:
            why = "only people with an account may speak now"
        case Why.FILTERED:
            why = "it has words that are not allowed here"
    return f"Your message was not sent: {why}"


def why_in_italian(restraint: Restraint) -> str:
    """Say in Italian why a message was not passed on."""
    match restraint.why:
        case Why.MUTED:
            why = _muted_in_italian(restraint.until, restraint.reason)
        case Why.SLOW:
            why = f"modalità lenta, puoi scrivere di nuovo alle {_moment(restraint.until)[11:]}"
        case Why.ACCOUNTS_ONLY:
            why = "adesso può scrivere solo chi è registrato"
        case Why.FILTERED:
            why = "contiene parole che qui non sono ammesse"
    return f"messaggio non inviato: {why}"


def standing_in_english(standing: Standing) -> list[str]:
    """Say in English what holds in the room that a newcomer should know."""
    told = [f"The topic is: {standing.topic}"] if standing.topic else []
    if standing.slow:
        told.append(f"Slow mode: one message each in {standing.slow} seconds")
    if standing.accounts_only:
        told.append("Only people with an account may speak now")
    if mute := standing.mute:
        told.append(f"You {_muted_in_english(mute.until, mute.reason)}")
    return told


def standing_in_italian(standing: Standing) -> list[str]:
    """Say in Italian what holds in the room that a newcomer should know."""
    told = [f"l'argomento è: {standing.topic}"] if standing.topic else []
    if standing.slow:
        told.append(f"modalità lenta: un messaggio a testa ogni {standing.slow} secondi")
    if standing.accounts_only:
        told.append("adesso può scrivere solo chi è registrato")
    if mute := standing.mute:
        told.append(_muted_in_italian(mute.until, mute.reason))
    return told


def _muted_in_english(until: int, reason: str) -> str:
    ends = f" until {_moment(until)}" if until else ""
    return f"are muted{ends}{_because(reason)}"


def _muted_in_italian(until: int, reason: str) -> str:
    ends = f" fino al {_moment(until)}" if until else ""
    return f"non puoi scrivere{ends}{_because(reason)}"
