"""CAP. Source: ircv3.net, "Capability Negotiation"."""

import pytest

from harness.cases import each
from harness.irc_talk import LABELS, IrcTalk, member
from tertulia.dialects.contract import Registration
from tertulia.dialects.irc.capabilities import NAMES, NO_CAPABILITY, VOICE, Capability, offered
from tertulia.dialects.irc.client import IrcServer
from tertulia.domain.commands import ChangeVoice, Enter

ENTER = Enter("anna", about="anna Anna")
ALL = (
    "cap-notify message-tags server-time echo-message labeled-response batch account-tag "
    "account-notify extended-join multi-prefix userhost-in-names away-notify standard-replies sasl "
    "draft/chathistory draft/message-redaction draft/multiline"
)


def test_capabilities_have_the_names_of_the_specifications() -> None:
    assert " ".join(offered("closed", before_entering=True, history=True)) == ALL
    assert len(NAMES) == len(Capability)
    assert NAMES["server-time"] in VOICE
    assert NAMES["echo-message"] not in VOICE  # only its sender reads it


@each(
    ("accounts", "before", "history", "name", "value"),
    [
        ("open", False, True, "draft/account-registration", ""),
        ("open", True, True, "draft/account-registration", "before-connect"),
        ("invited", False, True, "draft/account-registration", "email-required"),
        ("invited", True, True, "draft/account-registration", "before-connect,email-required"),
        ("closed", True, True, "draft/account-registration", None),
        ("open", True, True, "draft/chathistory", ""),
        ("open", True, False, "draft/chathistory", None),
        ("open", True, True, "sasl", "PLAIN"),
        ("open", True, True, "draft/multiline", "max-bytes=4096,max-lines=50"),
    ],
)
def test_only_what_a_listener_has_is_offered(
    accounts: Registration, before: bool, history: bool, name: str, value: str | None
) -> None:
    assert offered(accounts, before_entering=before, history=history).get(name) == value


def test_a_list_without_values_is_one_line() -> None:
    for version in ("", " 301", " x", " -302", " ²"):
        talk = IrcTalk()
        assert talk.say(f"CAP LS{version}") == [f":tertulia CAP * LS :{ALL}"]
        assert talk.say("CAP LIST") == [":tertulia CAP * LIST :"]


@each("version", ["302", "303", "99999999999999999999"])
def test_a_list_with_values_may_have_several_lines(version: str) -> None:
    server = IrcServer(name="a.rather.long.name.of.a.server." + "x" * 200, accounts="invited")
    talk = IrcTalk(server)
    *more, last = map(str, talk.say(f"CAP LS {version}"))
    assert more
    assert all(it.startswith(f":{server.name} CAP * LS * :") for it in more)
    assert last.startswith(f":{server.name} CAP * LS :")
    assert all(len(it) <= 510 for it in (*more, last))
    told = " ".join(it.rpartition(" :")[2] for it in (*more, last)).split()
    values = offered("invited", before_entering=False, history=True)
    assert told == [f"{name}={value}" if value else name for name, value in values.items()]
    assert talk.say("CAP LIST") == [f":{server.name} CAP * LIST :cap-notify"]


def test_who_negotiates_is_registered_at_its_end() -> None:
    for begin in ("CAP LS", "CAP LS 302", "CAP REQ batch"):
        talk = IrcTalk()
        talk.say(begin)
        assert talk.say("NICK anna", "USER anna 0 * :Anna") == []
        assert talk.say("CAP END") == [ENTER]
    talk = IrcTalk()
    assert talk.say("CAP END", "NICK anna", "CAP LIST", "USER anna 0 * :Anna") == [
        ":tertulia CAP * LIST :",
        ENTER,
    ]


@each(
    ("wanted", "answer", "capabilities"),
    [
        ("batch", "ACK :batch", Capability.BATCH),
        (":batch", "ACK :batch", Capability.BATCH),
        (
            ":  batch  echo-message ",
            "ACK :batch echo-message",
            NAMES["batch"] | NAMES["echo-message"],
        ),
        (":batch -batch", "ACK :batch -batch", NO_CAPABILITY),
        (":-batch", "ACK :-batch", NO_CAPABILITY),
        (":batch -sasl", "ACK :batch -sasl", Capability.BATCH),
        (":batch foo", "NAK :batch foo", NO_CAPABILITY),
        (":foo batch", "NAK :foo batch", NO_CAPABILITY),
        (":batch -foo", "NAK :batch -foo", NO_CAPABILITY),
        (":sasl=PLAIN", "NAK :sasl=PLAIN", NO_CAPABILITY),
        (":BATCH", "NAK :BATCH", NO_CAPABILITY),
        (":draft/account-registration", "NAK :draft/account-registration", NO_CAPABILITY),
        (":a\x1b[2Jb", "NAK :a[2Jb", NO_CAPABILITY),
        ("", "ACK :", NO_CAPABILITY),
        (":", "ACK :", NO_CAPABILITY),
    ],
)
def test_all_that_is_wanted_is_given_or_nothing(
    wanted: str, answer: str, capabilities: Capability
) -> None:
    talk = IrcTalk()
    assert talk.say(f"CAP REQ {wanted}") == [f":tertulia CAP * {answer}"]
    assert talk.decoder.client.capabilities == capabilities


def test_an_acknowledgement_that_would_be_cut_is_none() -> None:
    talk = IrcTalk()
    wanted = " ".join(["batch"] * 82)
    (answer,) = talk.say(f"CAP REQ :{wanted}")
    assert str(answer) == f":tertulia CAP * NAK :{wanted}"[:510]
    assert not talk.decoder.client.capabilities


def test_who_knows_cap_302_is_told_of_changes() -> None:
    talk = IrcTalk()
    talk.say("CAP LS 302")
    assert talk.say("CAP REQ :-cap-notify batch") == [":tertulia CAP * NAK :-cap-notify batch"]
    assert talk.decoder.client.capabilities == Capability.CAP_NOTIFY
    older = IrcTalk()
    assert older.say("CAP REQ :cap-notify", "CAP REQ :-cap-notify") == [
        ":tertulia CAP * ACK :cap-notify",
        ":tertulia CAP * ACK :-cap-notify",
    ]


def test_a_client_may_choose_again_when_it_is_registered() -> None:
    talk = member()
    assert talk.say("CAP REQ :batch server-time") == [
        ":tertulia CAP anna ACK :batch server-time",
        ChangeVoice(),
    ]
    assert talk.say("CAP LIST") == [":tertulia CAP anna LIST :server-time batch"]
    assert talk.say("CAP REQ :batch", "CAP REQ :foo") == [
        ":tertulia CAP anna ACK :batch",
        ":tertulia CAP anna NAK :foo",
    ]
    assert talk.say("CAP LS 302", "CAP END", "PING x") == [
        *talk.say("CAP LS 302"),
        ":tertulia PONG tertulia :x",
    ]


def test_what_is_no_cap_command_is_told() -> None:
    talk = IrcTalk()
    assert talk.say("CAP", "CAP NEW", "CAP a\x1bb :x", "cap list") == [
        ":tertulia 461 * CAP :Not enough parameters",
        ":tertulia 410 * NEW :Invalid CAP command",
        ":tertulia 410 * ab :Invalid CAP command",
        ":tertulia CAP * LIST :",
    ]


@pytest.mark.parametrize("command", ["CAP LIST", "CAP REQ :foo", "CAP REQ :batch", "CAP FOO"])
def test_an_answer_is_labelled(command: str) -> None:
    (first, *_) = member(LABELS).say(f"@label=x {command}")
    assert str(first).startswith("@label=x :tertulia ")
