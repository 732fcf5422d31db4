"""What the program says by itself, in English; the page's words where it says the same."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from tertulia.clients.chat import frames
from tertulia.clients.chat.own_messages import OwnMessage
from tertulia.domain.nicknames import SERVER
from tertulia.domain.rooms import MARK

LOBBY: Final = "lobby"
ENDED: Final = {
    "left": "You have left. See you soon!",
    "chat_closed": "The chat was closed.",
    "displaced": "Your name is in use in another window or on another device now.",
    "kicked": "An operator has removed you from the chat{because}",
    "banned": "You are banned from this chat{until}{because}",
    "long_lines": "The service ended the connection: too many messages were too long.",
    "too_many_from_address": "There are too many connections from your address. "
    "Close another one and try again.",
}
"""By the reason of a close after which one does not come back."""
LOST: Final = {
    "drained": "The service restarts.",
    "enter_timeout": "The service had no nickname in time.",
    "enter_tries": "Too many nicknames were refused on one connection.",
    "fenced": "The service lost its place in the chat for a moment.",
    "internal": "The service met an error of its own.",
    "silent": "The service had no answer from this terminal.",
    "too_many_logins": "Too many passwords wait to be checked.",
}
"""By the reason of a close after which one comes back."""
_REFUSED: Final = {
    "invalid_nickname": "“{name}” can’t be used here. A name has up to 32 letters (without accents), "
    "digits and . _ + -; a few words, such as G or stop, are reserved.",
    "nickname_taken": "“{name}” is in use, or is an account: then give its password. "
    "Otherwise please take another name.",
    "wrong_password": "That is not the password of “{name}”, or somebody is here under this name.",
    "meanwhile": "While the connection was lost, somebody else came in as “{name}”. "
    "Please choose another name.",
    "no_account": "“{name}” has no account. Come in without a password.",
    "banned": "“{name}”, or where you come from, is banned from this chat{until}.",
}
_FAILED: Final = {
    "unknown_recipient": "nobody called “{to}” is here",
    "mailbox_full": "too much waits for “{to}” already",
    "ended": "the session ended first",
    "unsure": "it is not known whether this was sent: the service lost its memory meanwhile",
    "refused": "the service refused it, and the connection broke before it said why",
    "muted": "you are muted{until}{because}",
    "slow": "slow mode: you may write again at {at}",
    "accounts_only": "only people with an account may speak now",
    "filtered": "it has words that are not allowed here",
}
_JOINING: Final = {
    "full": "{room} is full: nobody more can come in.",
    "too_many_rooms": "You are in too many rooms for {room}: leave another one.",
    "no_room_left": "{room} can’t be opened: there are too many rooms.",
    "invalid_room": "{room} can be no room. A room’s name has up to 32 letters (without accents), digits and "
    ". _ + -, and begins with a letter or a digit.",
}
MISSED: Final = "A part of what was said while you were away is missing here."
GAP: Final = "A part of what was said is missing here."
BEGINS: Final = "The log begins here."
REDACTED: Final = "(withdrawn by a moderator)"
BLANK: Final = "(nothing to see)"
SLOWED: Final = "You write too fast: what you write is passed on more slowly, all of it."
NOT_MODERATED: Final = "That was not done: there is nobody or nothing such, or it is not allowed."
ACCOUNT_DONE: Final = {
    "register": "Your nickname is your account now. Come in with the password from now on.",
    "change_password": "The password is changed, and you are logged out elsewhere.",
    "log_out_everywhere": "You are logged out everywhere else.",
    "delete_account": "The account is deleted. You are here as a guest.",
}
_ACCOUNT: Final = {
    "taken": "This nickname can’t be made an account.",
    "has_account": "This nickname is your account already.",
    "no_account": "You are here as a guest.",
    "closed": "Only the operators make accounts here.",
    "invitation": "An invitation’s code is needed, and this one is not good, or not any more.",
    "wrong_password": "That is not the password. After several wrong ones, wait a minute.",
    "too_short": "A password has at least 3 characters.",
    "too_long": "A password has at most 1000 characters.",
    "busy": "Too many passwords wait to be checked. Try again in a moment.",
}


def room_name(name: str) -> str:
    """Return how a room is written; the lobby is the one without a name."""
    return f"{MARK}{name}" if name else LOBBY


@lru_cache(maxsize=4096)
def _local(minute: int) -> datetime:
    return datetime.fromtimestamp(minute * 60, UTC).astimezone()


def clock_time(at: int) -> str:
    """Return the time of day, of this machine."""
    return _local(at // 60_000).strftime("%H:%M")


def moment(at: int) -> str:
    """Return the day and the time of day, of this machine."""
    return _local(at // 60_000).strftime("%Y-%m-%d %H:%M")


def is_same_day(one: int, other: int) -> bool:
    """Say whether two moments are of one day, on this machine."""
    return _local(one // 60_000).date() == _local(other // 60_000).date()


def day(at: int) -> str:
    """Return the day, on this machine."""
    date = _local(at // 60_000)
    return f"{date:%A}, {date.day} {date:%B %Y}"


def until(at: int) -> str:
    """Return until when something holds; empty where it has no end."""
    if not at:
        return ""
    end = datetime.fromtimestamp(at / 1000, UTC).astimezone()
    return f" until {end:%Y-%m-%d %H:%M:%S}"


def because(reason: str) -> str:
    """Return why, behind what."""
    return f": {reason}" if reason else ""


def ended(reason: str, why: str = "", end: int = 0) -> str:
    """Return why one is not in the chat any more."""
    words = ENDED.get(reason)
    if words is None:
        return f"The service ended the connection: {reason or 'it does not say why'}."
    told = words.format(because=because(why), until=until(end))
    return told if told[-1] in ".!" or why else f"{told}."


def closed_by(nickname: str, is_own: bool) -> str:
    """Return who closed the chat."""
    who = "You" if is_own else "An operator" if nickname == SERVER else nickname
    return f"{who} closed the chat."


def refused(reason: str, name: str, end: int = 0) -> str:
    """Return why one was not let in."""
    words = _REFUSED.get(reason, "“{name}” was refused: {reason}")
    return words.format(name=name, reason=reason, until=until(end))


def failed(message: OwnMessage, reason: str, why: str = "", end: int = 0) -> str:
    """Return why a message was not sent."""
    if reason == "unsure":
        return _FAILED[reason]
    words = _FAILED.get(reason, "{reason}").format(
        to=message.to or room_name(message.room),
        until=until(end),
        because=because(why),
        at=until(end).removeprefix(" until "),
        reason=reason,
    )
    return f"not sent: {words}"


def not_joined(reason: str, room: str) -> str:
    """Return why one could not come into a room."""
    words = _JOINING.get(reason, "You can’t come into {room}: {reason}")
    return words.format(room=room_name(room), reason=reason)


def parted(reason: str, room: str, why: str) -> str:
    """Return why one is not in a room any more."""
    if reason == "kicked":
        return f"You were removed from {room_name(room)}{because(why) or '.'}"
    return f"Another window of yours took your place in {room_name(room)}."


def moderated(event: frames.ModerationEvent) -> str:
    """Return what a moderator did."""
    by = "An operator" if getattr(event, "by", "") == SERVER else getattr(event, "by", "")
    match event:
        case frames.MutedEvent():
            return f"{by} muted {event.nickname}{until(event.until)}{because(event.reason)}"
        case frames.UnmutedEvent():
            return f"{by} lets {event.nickname} speak again"
        case frames.KickedEvent():
            return f"{by} removed {event.nickname}{because(event.reason)}"
        case frames.SlowEvent(seconds=0):
            return f"{by} ended slow mode"
        case frames.SlowEvent():
            return f"{by} set slow mode: one message each in {event.seconds} seconds"
        case frames.AccountsOnlyEvent():
            whom = "only people with an account" if event.on else "everybody"
            return f"{by} lets {whom} speak{'' if event.on else ' again'}"
        case frames.TopicEvent():
            return f"{by} set the topic: {event.text}" if event.text else f"{by} removed the topic"
        case frames.ModeratorEvent():
            return (
                f"{event.nickname} is {'a moderator now' if event.on else 'no moderator any more'}"
            )
        case frames.OwnerEvent():
            return f"The room is {event.nickname}’s now"
        case frames.OutsidersEvent():
            whom = "people who are not in the room" if event.on else "only people in the room"
            return f"{by} lets {whom} speak here"


def account(action: str, outcome: str, seconds: int) -> str:
    """Return what came of something that was asked about one's account."""
    if outcome == "done":
        return ACCOUNT_DONE.get(action, "Done.")
    if outcome == "too_often":
        minutes = count_of(max(1, -(-seconds // 60)), "minute")
        return f"Your network asked for too much. Try again in {minutes}."
    return _ACCOUNT.get(outcome, f"That was not done: {outcome}")


def passed(came: list[str], went: list[str]) -> str:
    """Return who came and who went."""
    told = [f"{_names(came)} joined"] if came else []
    return "; ".join([*told, *([f"{_names(went)} left"] if went else [])])


def _names(names: list[str]) -> str:
    shown = names[:3] if len(names) > 4 else names
    more = [f"{len(names) - len(shown)} more"] if len(names) > len(shown) else []
    *others, last = [*shown, *more]
    return f"{', '.join(others)} and {last}" if others else last


def count_of(count: int, one: str, many: str = "") -> str:
    """Return how many there are of something."""
    return f"{count} {one if count == 1 else many or one + 's'}"
