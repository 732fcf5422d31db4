"""What happens in a chat, as it stands in the room's log: JSON, one object for each event.

A session's name is ``node:number``; that name is never used again. Fields are left out
where they have their default.
"""

from typing import Final, final, get_args

import msgspec


class Event(msgspec.Struct, frozen=True, tag_field="t", omit_defaults=True):
    """A public event. All sessions of a chat see these in one total order."""

    nickname: str = msgspec.field(name="n")
    session: str = msgspec.field(name="s")


class Joined(Event, frozen=True, tag="joined"):
    """Somebody came, or came back."""

    dialect: str = msgspec.field(name="d", default="")
    was: str = msgspec.field(name="w", default="")
    """The session whose seat it takes over, which is at its end; nobody is told of either. Versions before
    take it for one who left and one who came."""
    number: int = msgspec.field(name="k", default=0)
    """In a further room: the number of its join in the chat."""
    is_account: bool = msgspec.field(name="a", default=False)
    """Whether it proved to be the nickname's account."""
    about: str = msgspec.field(name="r", default="")
    """Who they say to be, as in ``Enter``. Versions before skip it."""


class Present(Event, frozen=True, tag="present"):
    """Somebody is here, repeated after Redis lost its data: a join only for clients that saw none before."""

    dialect: str = msgspec.field(name="d", default="")
    number: int = msgspec.field(name="k", default=0)
    """As in ``Joined``."""
    is_account: bool = msgspec.field(name="a", default=False)
    """Whether it is known to be the nickname's account."""
    away: str = msgspec.field(name="x", default="")
    """Why he is away, as in ``WentAway``."""
    about: str = msgspec.field(name="r", default="")
    """As in ``Joined``."""


class Left(Event, frozen=True, tag="left"):
    """Somebody went."""

    is_gone: bool = msgspec.field(name="q", default=False)
    """In a further room: whether they left the chat with it. Versions before did not say so."""
    text: str = msgspec.field(name="x", default="")
    """What they said to it, where they left by themselves. Versions before skip it."""


class WentAway(Event, frozen=True, tag="away"):
    """Somebody is away, in his own words, or is back. Versions before skip it."""

    text: str = msgspec.field(name="x", default="")
    """Empty: he is back."""


class Registered(Event, frozen=True, tag="account"):
    """Somebody in the room has made the nickname his account, or has it no more. Versions before skip it."""

    on: bool = msgspec.field(name="y", default=False)


class Said(Event, frozen=True, tag="said"):
    """Somebody told everybody something."""

    text: str = msgspec.field(name="x", default="")
    tag: int = msgspec.field(name="i", default=0)
    """Its sender's own number for it; 0 where it gave none."""
    is_account: bool = msgspec.field(name="a", default=False)
    """Whether its sender had proved to be the nickname's account."""
    is_notice: bool = msgspec.field(name="o", default=False)
    """Whether no program is to answer it, where a dialect can say so. Versions before skip it."""
    tags: str = msgspec.field(name="g", default="")
    """What only some dialects say of it, as ``irc`` writes it: which message it answers. Versions before
    skip it."""
    splits: tuple[int, ...] = msgspec.field(name="p", default=())
    """Where its sender had divided it beside the ends of its lines, as ``irc`` has it: before which signs of
    the text; 0, as often as that, an empty line before all. Versions before skip it."""


class Tagged(Event, frozen=True, tag="tagged"):
    """Somebody said nothing but tags: that he is typing, or a reaction to a message. Only some dialects show
    it; it is no message, and in nobody's past. Versions before skip it."""

    tags: str = msgspec.field(name="g", default="")
    """As in ``Said``; there is one."""
    tag: int = msgspec.field(name="i", default=0)
    """As in ``Said``."""
    is_account: bool = msgspec.field(name="a", default=False)
    """As in ``Said``."""


class Closed(Event, frozen=True, tag="closed"):
    """The administrator, or an operator, closed the chat: every session ends here."""


class Withdrawn(Event, frozen=True, tag="withdrawn"):
    """A mark in place of what somebody had said and a moderator redacted. It never stands in the log."""


# --- What moderators do: ``nickname`` is who did it, the server's own name for an operator ------------


class Muted(Event, frozen=True, tag="muted"):
    """Somebody may not speak, until a moment or until it is taken back."""

    whom: str = msgspec.field(name="w", default="")
    until: int = msgspec.field(name="u", default=0)
    """Milliseconds since 1970 by the store's clock; 0 where there is no end."""
    reason: str = msgspec.field(name="x", default="")


class Unmuted(Event, frozen=True, tag="unmuted"):
    """Somebody may speak again."""

    whom: str = msgspec.field(name="w", default="")


class Kicked(Event, frozen=True, tag="kicked"):
    """Somebody was removed from the room; a ``Left`` follows."""

    whom: str = msgspec.field(name="w", default="")
    reason: str = msgspec.field(name="x", default="")


class SlowMode(Event, frozen=True, tag="slow"):
    """Everybody but moderators has to wait between two messages; 0 seconds: not any more."""

    seconds: int = msgspec.field(name="q", default=0)


class AccountsOnly(Event, frozen=True, tag="accounts_only"):
    """Only accounts may speak, or guests as well again."""

    on: bool = msgspec.field(name="y", default=False)


class Topic(Event, frozen=True, tag="topic"):
    """The room has another topic; an empty one is none."""

    text: str = msgspec.field(name="x", default="")


class Redacted(Event, frozen=True, tag="redacted"):
    """A message is withdrawn: the one with that index among the messages of an entry of the log."""

    offset: int = msgspec.field(name="f", default=0)
    index: int = msgspec.field(name="j", default=0)
    since: int = msgspec.field(name="g", default=0)
    """The offset of the log's first entry then: what is before it is read by nobody any more."""
    text: str = msgspec.field(name="x", default="")
    """Why. Versions before skip it."""


class Appointed(Event, frozen=True, tag="moderator"):
    """Somebody is a moderator, or is none any more."""

    whom: str = msgspec.field(name="w", default="")
    on: bool = msgspec.field(name="y", default=False)
    since: int = msgspec.field(name="g", default=0)
    """In a further room: since when that account is there, in milliseconds since 1970."""


class Owned(Event, frozen=True, tag="owner"):
    """A further room was made by an account, which owns it: it names moderators."""

    whom: str = msgspec.field(name="w", default="")
    since: int = msgspec.field(name="g", default=0)
    """As in ``Appointed``."""


class Outsiders(Event, frozen=True, tag="outsiders"):
    """People of the chat who are not in the further room may speak there, or may not any more."""

    on: bool = msgspec.field(name="y", default=False)


Moderated = (
    Muted
    | Unmuted
    | Kicked
    | SlowMode
    | AccountsOnly
    | Topic
    | Redacted
    | Appointed
    | Owned
    | Outsiders
)
MODERATED: Final = frozenset(get_args(Moderated))
"""Their types: line dialects show each as a notice."""
Presence = WentAway | Registered
"""What changes about somebody who is there: only some dialects show it."""
PublicEvent = Joined | Present | Left | Presence | Said | Tagged | Closed | Withdrawn | Moderated


class Letter(msgspec.Struct, frozen=True, tag_field="t", omit_defaults=True):
    """A private message on its way to one session."""

    sender: str = msgspec.field(name="n")
    sender_session: str = msgspec.field(name="s")
    recipient: str = msgspec.field(name="r")
    text: str = msgspec.field(name="x", default="")
    tag: int = msgspec.field(name="i", default=0)
    """The sender's own number for it; 0 where it gave none."""
    is_account: bool = msgspec.field(name="a", default=False)
    """Whether the sender had proved to be the nickname's account. Versions before did not say so."""
    is_notice: bool = msgspec.field(name="o", default=False)
    """As in ``Said``."""


class Whispered(Letter, frozen=True, tag="whispered"):
    """Somebody told one user something."""

    tags: str = msgspec.field(name="g", default="")
    """As in ``Said``."""
    splits: tuple[int, ...] = msgspec.field(name="p", default=())
    """As in ``Said``."""


class Undelivered(Letter, frozen=True, tag="undelivered"):
    """A whisper that was acknowledged and could not be written, on its way back to its sender."""


@final
class TaggedAlone(msgspec.Struct, frozen=True, tag_field="t", tag="tagged", omit_defaults=True):
    """As ``Tagged``, to one user: it is lost where nobody is there to read it. Versions before skip it."""

    sender: str = msgspec.field(name="n")
    sender_session: str = msgspec.field(name="s")
    tags: str = msgspec.field(name="g")
    tag: int = msgspec.field(name="i", default=0)
    is_account: bool = msgspec.field(name="a", default=False)


class Summoned(msgspec.Struct, frozen=True, tag_field="t", tag="summoned"):
    """To a device that waits for another user: they have come, and dial from a device with this port."""

    port: int = msgspec.field(name="p")


PrivateEvent = Whispered | Undelivered
"""What a session in the room reads."""


def opaque(session: str) -> str:
    """Return a session's name as clients may know it: without the name of its node."""
    return session.rpartition("~")[2]


encode = msgspec.json.Encoder().encode
decode_public = msgspec.json.Decoder(PublicEvent).decode
decode_public_lines = msgspec.json.Decoder(PublicEvent).decode_lines
decode_private = msgspec.json.Decoder(Whispered | Undelivered | TaggedAlone | Summoned).decode
