"""What happens in a chat, as it stands in the room's log: JSON, one object for each event.

A session's name is ``node:number``; that name is never used again.
"""

import msgspec


class Event(msgspec.Struct, frozen=True, tag_field="t", omit_defaults=True):
    """A public event. All sessions of a chat see these in one total order."""

    nickname: str = msgspec.field(name="n")
    session: str = msgspec.field(name="s")


class Joined(Event, frozen=True, tag="joined"):
    """Somebody came."""

    dialect: str = msgspec.field(name="d", default="")


class Present(Event, frozen=True, tag="present"):
    """Somebody is here, repeated after Redis lost its data: a join only for clients that saw none before."""

    dialect: str = msgspec.field(name="d", default="")


class Left(Event, frozen=True, tag="left"):
    """Somebody went."""


class Said(Event, frozen=True, tag="said"):
    """Somebody told everybody something."""

    text: str = msgspec.field(name="x", default="")


class Closed(Event, frozen=True, tag="closed"):
    """The administrator, or an operator, closed the chat: every session ends here."""


PublicEvent = Joined | Present | Left | Said | Closed


class Letter(msgspec.Struct, frozen=True, tag_field="t", omit_defaults=True):
    """A private message on its way to one session."""

    sender: str = msgspec.field(name="n")
    sender_session: str = msgspec.field(name="s")
    recipient: str = msgspec.field(name="r")
    text: str = msgspec.field(name="x", default="")


class Whispered(Letter, frozen=True, tag="whispered"):
    """Somebody told one user something."""


class Undelivered(Letter, frozen=True, tag="undelivered"):
    """A whisper that was acknowledged and could not be written, on its way back to its sender."""


class Summoned(msgspec.Struct, frozen=True, tag_field="t", tag="summoned"):
    """To a device that waits for another user: they have come, and dial from a device with this port."""

    port: int = msgspec.field(name="p")


PrivateEvent = Whispered | Undelivered
"""What a session in the room reads."""

encode = msgspec.json.Encoder().encode
decode_public = msgspec.json.Decoder(PublicEvent).decode
decode_public_lines = msgspec.json.Decoder(PublicEvent).decode_lines
decode_private = msgspec.json.Decoder(Whispered | Undelivered | Summoned).decode
