"""Dialects for tests: one plain line for everything, and a class for each way of a dialect."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from tertulia.dialects.contract import Refusal
from tertulia.domain.commands import Command, Fault
from tertulia.domain.events import (
    Closed,
    Joined,
    Left,
    Present,
    PrivateEvent,
    PublicEvent,
    Said,
    Whispered,
)


class PlainReader:
    """Commands are given to the room itself, so there is nothing to read."""

    buffered = 0

    def __init__(self) -> None:
        self.states: list[str] = []
        """What it was told of its session."""

    def feed(self, data: bytes) -> None:
        raise NotImplementedError

    def next_command(self) -> Command | None:
        return None

    def entered(self) -> None:
        self.states.append("entered")

    def refused(self) -> None:
        self.states.append("refused")


@dataclass(frozen=True)
class PlainVoice:
    """A sender reads its own messages; a refused nickname is the end."""

    name: ClassVar[str] = "plain"
    default_port: ClassVar[int] = 1
    echoes: ClassVar[bool] = True
    retries: ClassVar[bool] = False
    acknowledgement: ClassVar[bytes | None] = None

    def reader(self) -> PlainReader:
        return PlainReader()

    def greeting(self) -> bytes:
        return b"hello\n"

    def welcome(self, nickname: str, others: Iterable[str]) -> bytes:
        return f"welcome {' '.join([nickname, *others])}\n".encode()

    def refusal(self, refusal: Refusal, subject: str) -> bytes:
        return f"refused {refusal} {subject}\n".encode()

    def fault(self, fault: Fault) -> bytes:
        return f"fault {fault}\n".encode()

    def sent(self, private: bool, recipient: str, text: str) -> bytes:
        return f"sent {recipient} {text}\n".encode()

    def public(self, event: PublicEvent) -> bytes:
        match event:
            case Said(nickname=nickname, text=text):
                return f"said {nickname} {text}\n".encode()
            case Joined(nickname=nickname):
                return f"joined {nickname}\n".encode()
            case Present(nickname=nickname):
                return f"present {nickname}\n".encode()
            case Left(nickname=nickname):
                return f"left {nickname}\n".encode()
            case Closed():
                return b"closed\n"

    def private(self, event: PrivateEvent) -> bytes:
        if isinstance(event, Whispered):
            return f"whispered {event.sender} {event.text}\n".encode()
        return f"undelivered {event.recipient} {event.text}\n".encode()

    def promoted(self) -> bytes:
        return b"promoted\n"

    def farewell(self) -> bytes:
        return b"farewell\n"


@dataclass(frozen=True)
class SilentVoice(PlainVoice):
    """A sender does not read its own public messages."""

    name: ClassVar[str] = "silent"
    echoes: ClassVar[bool] = False


@dataclass(frozen=True)
class PatientVoice(PlainVoice):
    """A refused nickname may be followed by another one."""

    name: ClassVar[str] = "patient"
    retries: ClassVar[bool] = True
