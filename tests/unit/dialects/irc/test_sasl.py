"""AUTHENTICATE. Sources: ircv3.net, "SASL"; RFC 4616."""

from base64 import b64encode

from hypothesis import given
from hypothesis import strategies as st

from harness.cases import each
from harness.irc_talk import IrcTalk, member, take
from tertulia.domain.commands import Enter, ProveAccount
from tertulia.domain.nicknames import MAX_LENGTH
from tertulia.domain.passwords import MAX_PASSWORD

GO_ON = ":tertulia AUTHENTICATE +"
FAILED = ":tertulia 904 * :SASL authentication failed"
ABORTED = ":tertulia 906 * :SASL authentication aborted"
TOO_LONG = ":tertulia 905 * :SASL message too long"


def beginning() -> IrcTalk:
    talk = IrcTalk()
    assert talk.say("CAP REQ sasl") == [":tertulia CAP * ACK :sasl"]
    return talk


def encoded(*parts: str) -> str:
    return b64encode("\0".join(parts).encode()).decode()


def chunks(said: str) -> list[str]:
    """Cut as the specification says: 400 bytes each, and ``+`` where the last one is as long."""
    cut = [said[it : it + 400] for it in range(0, len(said), 400)]
    return [*cut, "+"] if len(said) % 400 == 0 else cut


@each(
    ("said", "proof"),
    [
        (("", "anna", "secret"), ProveAccount("anna", "secret")),
        (("anna", "anna", "secret"), ProveAccount("anna", "secret")),
        (("ANNA", "anna", "secret"), ProveAccount("anna", "secret")),
        (("", "anna", "città"), ProveAccount("anna", "città")),
        (("", "anna", "a b:c"), ProveAccount("anna", "a b:c")),
        (("", "anna", "x" * 291), ProveAccount("anna", "x" * 291)),
        (("", "anna", "x" * 294), ProveAccount("anna", "x" * 294)),  # exactly 400 bytes
        (("", "anna", "x" * 600), ProveAccount("anna", "x" * 600)),
        (("", "", ""), ProveAccount("", "")),
        (("bruno", "anna", "secret"), None),
        (("anna", "secret"), None),
        (("", "anna", "secret", "more"), None),
        (("",), None),
    ],
)
def test_plain_says_who_one_is(said: tuple[str, ...], proof: ProveAccount | None) -> None:
    talk = beginning()
    assert talk.say("AUTHENTICATE plain") == [GO_ON]
    lines = [f"AUTHENTICATE {it}" for it in chunks(encoded(*said))]
    assert talk.say(*lines) == [proof or FAILED]


def test_exactly_four_hundred_bytes_are_not_the_last_ones() -> None:
    said = encoded("", "anna", "x" * 294)
    assert len(said) == 400
    talk = beginning()
    assert talk.say("AUTHENTICATE PLAIN", f"AUTHENTICATE {said}") == [GO_ON]
    assert talk.say("AUTHENTICATE +") == [ProveAccount("anna", "x" * 294)]


def test_the_longest_password_is_proved() -> None:
    nickname, password = "a" * MAX_LENGTH, "\N{SLIGHTLY SMILING FACE}" * MAX_PASSWORD
    said, talk = encoded(nickname, nickname, password), beginning()
    chunks = [f"AUTHENTICATE {said[at : at + 400]}" for at in range(0, len(said), 400)]
    assert talk.say("AUTHENTICATE PLAIN", *chunks) == [GO_ON, ProveAccount(nickname, password)]


@each("said", ["!!!", "a", "_", b64encode(b"\0anna\0\xe0").decode(), "é", "+"])
def test_what_says_nothing_proves_nothing(said: str) -> None:
    talk = beginning()
    assert talk.say("AUTHENTICATE PLAIN", f"AUTHENTICATE {said}") == [GO_ON, FAILED]
    assert talk.say("AUTHENTICATE PLAIN") == [GO_ON]  # "the client MAY retry"


def test_what_is_too_long_is_dropped() -> None:
    talk = beginning()
    assert talk.say("AUTHENTICATE PLAIN", "AUTHENTICATE " + "x" * 401) == [GO_ON, TOO_LONG]
    assert talk.say("AUTHENTICATE PLAIN", *["AUTHENTICATE " + "x" * 400] * 15) == [GO_ON, FAILED]
    assert talk.say("AUTHENTICATE PLAIN") == [GO_ON]


def test_a_client_may_abort() -> None:
    talk = beginning()
    assert talk.say("AUTHENTICATE PLAIN", "AUTHENTICATE *") == [GO_ON, ABORTED]
    assert talk.say("AUTHENTICATE *") == [ABORTED]
    assert talk.say("AUTHENTICATE PLAIN", f"AUTHENTICATE {encoded('', 'anna', 'x')}") == [
        GO_ON,
        ProveAccount("anna", "x"),
    ]


def test_other_mechanisms_are_not_there() -> None:
    assert beginning().say("AUTHENTICATE EXTERNAL") == [
        ":tertulia 908 * PLAIN :are available SASL mechanisms",
        FAILED,
    ]


def test_it_is_for_who_asked_for_it_and_is_not_registered() -> None:
    assert IrcTalk().say("AUTHENTICATE PLAIN", "AUTHENTICATE") == [
        FAILED,
        ":tertulia 461 * AUTHENTICATE :Not enough parameters",
    ]
    guest = member()
    refused = ":tertulia 462 anna :You may not reregister"
    assert guest.say("AUTHENTICATE PLAIN") == [refused]
    guest.decoder.client.is_account = True
    already = ":tertulia 907 anna :You have already authenticated using SASL"
    assert guest.say("AUTHENTICATE PLAIN") == [already]


def test_who_is_registered_meanwhile_does_not_go_on() -> None:
    talk = beginning()
    assert talk.say("NICK anna", "USER anna 0 * :Anna", "AUTHENTICATE PLAIN") == [GO_ON]
    assert talk.say("CAP END") == [ABORTED, Enter("anna", about="anna Anna")]


def test_who_has_proved_to_be_an_account_enters_as_it() -> None:
    talk = beginning()
    talk.say("AUTHENTICATE PLAIN", f"AUTHENTICATE {encoded('', 'Anna', 'x')}")
    talk.decoder.client.account = "Anna"  # as the answer does it
    entered = Enter("Anna", about="a A")
    assert talk.say("PASS secret", "NICK anna_", "USER a 0 * :A", "CAP END") == [entered]


def test_who_is_refused_as_an_account_may_come_as_somebody_else() -> None:
    talk = beginning()
    talk.decoder.client.account = "Anna"
    talk.decoder.feed(b"NICK anna\nUSER a 0 * :A\nCAP END\n")
    assert take(talk.decoder) == Enter("Anna", about="a A")
    talk.decoder.refused()
    assert talk.say("NICK carla") == [Enter("carla", about="a A")]


@given(
    st.lists(st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), max_size=420))
)
def test_it_keeps_little_whatever_is_said(said: list[str]) -> None:
    talk = beginning()
    talk.say("AUTHENTICATE PLAIN", *(f"AUTHENTICATE {it}" for it in said))
    kept = talk.decoder._sasl._chunks or []
    assert sum(map(len, kept)) <= 1600
