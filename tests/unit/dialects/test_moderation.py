"""What moderators do, as those read it whose dialect has no words of its own for it."""

import time
from datetime import UTC, datetime

import pytest

from tertulia.dialects.browser import BrowserEncoder
from tertulia.dialects.chatte import ChatteEncoder
from tertulia.dialects.contract import Restraint, Why
from tertulia.dialects.protocollo import ProtocolloEncoder
from tertulia.domain.events import (
    AccountsOnly,
    Appointed,
    Kicked,
    Moderated,
    Muted,
    Outsiders,
    Owned,
    PublicEvent,
    Redacted,
    Registered,
    Said,
    SlowMode,
    Topic,
    Unmuted,
    WentAway,
    Withdrawn,
)
from tertulia.domain.moderation import Standing
from tertulia.domain.position import Position

UNTIL = 1_795_000_000_000
MOMENT = datetime.fromtimestamp(UNTIL / 1000, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
ANNA = ("anna", "n:1")

EVENTS: list[tuple[Moderated, str, str]] = [
    (
        Muted(*ANNA, "bruno", UNTIL, "too loud"),
        f"bruno was muted by anna until {MOMENT}: too loud",
        f"bruno non può più scrivere fino al {MOMENT}, lo ha deciso anna: too loud",
    ),
    (
        Muted(*ANNA, "bruno"),
        "bruno was muted by anna",
        "bruno non può più scrivere, lo ha deciso anna",
    ),
    (
        Muted("G", "-", "bruno"),
        "bruno was muted by an operator",
        "bruno non può più scrivere, lo ha deciso un operatore",
    ),
    (
        Unmuted(*ANNA, "bruno"),
        "bruno may speak again, says anna",
        "bruno può di nuovo scrivere, lo ha deciso anna",
    ),
    (
        Kicked(*ANNA, "bruno", "enough"),
        "bruno was removed by anna: enough",
        "bruno è stato allontanato da anna: enough",
    ),
    (
        SlowMode(*ANNA, 30),
        "Slow mode, set by anna: one message each in 30 seconds",
        "anna ha messo la modalità lenta: un messaggio a testa ogni 30 secondi",
    ),
    (SlowMode(*ANNA), "Slow mode was ended by anna", "anna ha tolto la modalità lenta"),
    (
        AccountsOnly(*ANNA, True),
        "Only people with an account may speak now, says anna",
        "adesso può scrivere solo chi è registrato, lo ha deciso anna",
    ),
    (
        AccountsOnly(*ANNA),
        "Everybody, also without an account, may speak now, says anna",
        "adesso può scrivere anche chi non è registrato, lo ha deciso anna",
    ),
    (
        Topic(*ANNA, "coffee"),
        "anna set the topic: coffee",
        "anna ha scelto l'argomento: coffee",
    ),
    (Topic(*ANNA), "anna removed the topic", "anna ha tolto l'argomento"),
    (Redacted(*ANNA, 7, 0), "anna withdrew a message", "anna ha ritirato un messaggio"),
    (
        Redacted(*ANNA, 7, 0, text="an address"),
        "anna withdrew a message: an address",
        "anna ha ritirato un messaggio: an address",
    ),
    (
        Appointed("G", "-", "anna", True),
        "anna is a moderator now",
        "anna adesso è moderatore",
    ),
    (
        Appointed("G", "-", "anna"),
        "anna is no moderator any more",
        "anna non è più moderatore",
    ),
    (Owned(*ANNA, "anna"), "anna owns this room", "questa stanza è di anna"),
    (
        Outsiders(*ANNA, True),
        "People who are not in this room may speak here now, says anna",
        "adesso qui può scrivere anche chi non è in questa stanza, lo ha deciso anna",
    ),
    (
        Outsiders(*ANNA),
        "Only people in this room may speak here now, says anna",
        "adesso qui può scrivere solo chi è in questa stanza, lo ha deciso anna",
    ),
]


@pytest.mark.parametrize(("event", "english", "italian"), EVENTS)
def test_what_a_moderator_did(event: Moderated, english: str, italian: str) -> None:
    assert ChatteEncoder().public(event).decode() == f"102 G {english}\n"
    assert ProtocolloEncoder().public(event).decode() == f"G> {italian}\n"


@pytest.mark.parametrize(
    ("restraint", "english", "italian"),
    [
        (
            Restraint(Why.MUTED, UNTIL, "too loud"),
            f"you are muted until {MOMENT}: too loud",
            f"non puoi scrivere fino al {MOMENT}: too loud",
        ),
        (Restraint(Why.MUTED), "you are muted", "non puoi scrivere"),
        (
            Restraint(Why.SLOW, UNTIL),
            f"slow mode: you may write again at {MOMENT}",
            f"modalità lenta, puoi scrivere di nuovo alle {MOMENT[11:]}",
        ),
        (
            Restraint(Why.ACCOUNTS_ONLY),
            "only people with an account may speak now",
            "adesso può scrivere solo chi è registrato",
        ),
        (
            Restraint(Why.FILTERED),
            "it has words that are not allowed here",
            "contiene parole che qui non sono ammesse",
        ),
    ],
)
def test_why_a_message_was_not_passed_on(restraint: Restraint, english: str, italian: str) -> None:
    assert (
        ChatteEncoder().restrained(restraint, 0).decode()
        == f"102 G Your message was not sent: {english}\n"
    )
    told = ProtocolloEncoder().restrained(restraint, 0).decode()
    assert told == f"G> messaggio non inviato: {italian}\n"


def test_a_newcomer_reads_what_holds() -> None:
    mute = Muted("anna", "n:1", "bruno", UNTIL, "too loud")
    standing = Standing(topic="coffee", slow=5, accounts_only=True, mute=mute)
    assert list(ChatteEncoder().standing(standing)) == [
        b"102 G The topic is: coffee\n",
        b"102 G Slow mode: one message each in 5 seconds\n",
        b"102 G Only people with an account may speak now\n",
        f"102 G You are muted until {MOMENT}: too loud\n".encode(),
    ]
    assert b"".join(ProtocolloEncoder().standing(standing)).decode() == (
        "G> l'argomento è: coffee\n"
        "G> modalità lenta: un messaggio a testa ogni 5 secondi\n"
        "G> adesso può scrivere solo chi è registrato\n"
        f"G> non puoi scrivere fino al {MOMENT}: too loud\n"
    )
    for_good = Standing(mute=Muted("anna", "n:1", "bruno"))
    assert list(ChatteEncoder().standing(for_good)) == [b"102 G You are muted\n"]
    assert list(ProtocolloEncoder().standing(for_good)) == [b"G> non puoi scrivere\n"]
    assert not ChatteEncoder().standing(Standing())
    assert not ProtocolloEncoder().standing(Standing())


def test_a_redacted_message_is_a_mark() -> None:
    event = Withdrawn("bruno", "n:2")
    assert ChatteEncoder().public(event) == b"100 bruno [withdrawn by a moderator]\n"
    assert ProtocolloEncoder().public(event) == b"bruno.@g> [ritirato da un moderatore]\n"


@pytest.mark.parametrize("event", [WentAway(*ANNA, "lunch"), Registered(*ANNA, True)])
def test_what_is_of_no_dialect_here_nobody_reads(event: PublicEvent) -> None:
    place, said = Position("e", 1, 0.0), Said(*ANNA, "hi")
    for encoder in (ChatteEncoder(), ProtocolloEncoder(), BrowserEncoder()):
        assert encoder.batch(encoder.pieces((event,), place), place) == b""
        both = encoder.batch(encoder.pieces((event, said, event), place), place)
        assert both == encoder.batch(encoder.pieces((said,), place), place) != b""


def test_moments_are_the_servers_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        told = ChatteEncoder().restrained(Restraint(Why.MUTED, UNTIL), 0)
        assert b"until 2026-11-18 06:06:40" in told
    finally:
        monkeypatch.undo()
        time.tzset()
