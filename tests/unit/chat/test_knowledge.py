"""What a session may know of a chat: who is there, as what, and what holds there."""

import pytest

from fakes.encoder import FramedEncoder, PatientEncoder
from fakes.house import Client, House
from tertulia.chat.knowledge import SessionKnowledge, away_op
from tertulia.chat.ports import MOST_AWAY, PresenceOp
from tertulia.dialects.contract import Knowledge, Known
from tertulia.domain import commands
from tertulia.domain.moderation import Moderation
from tertulia.domain.operator_commands import Action, OperatorCommand
from unit.chat.conftest import Connect, Enter

FRAMED = FramedEncoder()


def knows(client: Client) -> Knowledge:
    room = client.room
    return SessionKnowledge(client.session, room, room.further, client.house.clock.time)


def change(client: Client, op: PresenceOp) -> None:
    client.session.submitted(op)
    client.house.stores[client.room].submit(op)
    client.read()


def register(client: Client, account: int = 1) -> None:
    """Let a client be an account, as it is after it made one."""
    session = client.session
    client.house.chat.passwords[session.key] = "secret"
    session.proved(account)
    change(client, PresenceOp(session.name, session.key, session.nickname, account=True))


@pytest.fixture
def anna(enter: Enter, house: House) -> Client:
    """The moderator of the lobby."""
    client = enter("Anna", FRAMED)
    register(client)
    house.chat.order(OperatorCommand("1", "carla", Action.APPOINT, "anna"))
    client.read()
    return client


@pytest.fixture
def bruno(anna: Client, enter: Enter, house: House) -> Client:
    """A guest on another node."""
    client = enter("bruno", FRAMED, room=house.room("other"))
    anna.read()
    return client


def test_who_is_in_the_chat(anna: Client, bruno: Client, enter: Enter) -> None:
    enter("carl")
    anna.read()
    bruno.read()
    change(bruno, away_op(bruno.session, "a pranzo"))
    anna.read()
    for client in (anna, bruno):
        knowledge = knows(client)
        assert knowledge.people("") == [
            Known("Anna", "framed", is_account=True, is_moderator=True),
            Known("bruno", "framed", away="a pranzo"),
            Known("carl", "plain"),
        ]
        assert knowledge.count() == 3
        assert knowledge.person("BRUNO") == Known("bruno", "framed", away="a pranzo")
        assert knowledge.person("nobody") is None
    assert knows(anna).now() == anna.house.clock.time()


def test_who_somebody_says_to_be_is_told_and_known_in_all_rooms(
    anna: Client, connect: Connect, house: House
) -> None:
    anna.join("ops")
    anna.read()
    dora = connect(FRAMED, room=house.room("other"))
    dora.do(commands.Enter("dora", about="d Dora D."))
    dora.read()
    dora.join("ops")
    dora.read()
    told = [line.partition("[")[2] for line in anna.read()]
    assert told == ["joined dora d Dora D.]", "joined dora d Dora D.]"]
    for room in ("", "ops"):
        people = knows(anna).people(room) or ()
        names = [(it.nickname, it.user, it.realname) for it in people]
        assert names == [("Anna", "", ""), ("dora", "d", "Dora D.")]


def test_who_chooses_another_nickname_says_anew_who_they_are(
    connect: Connect, enter: Enter
) -> None:
    anna = enter("anna")
    dora = connect(PatientEncoder())
    dora.do(commands.Enter("ANNA", about="d Dora D."))
    dora.read()
    dora.do(commands.Enter("dora"))
    dora.read()
    assert anna.read() == ["joined dora"]


def test_a_guest_with_a_moderators_name_is_none(house: House, enter: Enter) -> None:
    guest = enter("anna", FRAMED)
    house.chat.order(OperatorCommand("1", "carla", Action.APPOINT, "anna"))
    guest.read()
    assert knows(guest).people("") == [Known("anna", "framed")]


def test_of_a_room_only_who_is_in_it_is_told(anna: Client, bruno: Client) -> None:
    anna.join("ops")
    anna.read()
    anna.do(commands.Moderate(Moderation(Action.TOPIC, text="coffee"), "ops"))
    anna.read()
    for room in ("ops", "nowhere", "not a room"):
        assert knows(bruno).people(room) is None
        assert knows(bruno).standing(room) is None
        assert knows(bruno).mutes(room) == {}
    assert knows(bruno).rooms_with("anna") == []
    bruno.join("ops")
    for client in (bruno, anna):
        client.read()
    for client in (anna, bruno):
        assert [it.nickname for it in knows(client).people("ops") or ()] == ["Anna", "bruno"]
        assert knows(client).rooms_with("aNNa") == ["ops"]
        standing = knows(client).standing("ops")
        assert standing is not None
        assert standing.topic == "coffee"
    assert knows(anna).rooms_with("nobody") == []
    bruno.part("ops")
    bruno.read()
    assert knows(bruno).people("ops") is None


def test_in_a_room_its_owner_and_its_moderators_are_known(anna: Client, bruno: Client) -> None:
    register(bruno)
    anna.read()
    for client in (anna, bruno):
        client.join("ops")
        client.read()
        anna.read()

    def people() -> list[tuple[str, bool, bool]]:
        found = knows(bruno).people("ops") or ()
        return [(it.nickname, it.is_account, it.is_moderator) for it in found]

    assert people() == [("Anna", True, True), ("bruno", True, False)]
    anna.do(commands.Moderate(Moderation(Action.APPOINT, "bruno"), "ops"))
    anna.read()
    assert people() == [("Anna", True, True), ("bruno", True, True)]
    bruno.session.disown()
    session = bruno.session
    change(bruno, PresenceOp(session.name, session.key, session.nickname, account=False))
    assert people() == [("Anna", True, True), ("bruno", False, False)]


def test_who_is_away_is_so_in_every_room(anna: Client, bruno: Client) -> None:
    for client in (anna, bruno):
        client.join("ops")
        client.read()
    change(bruno, away_op(bruno.session, "tea"))
    anna.read()
    assert [it.away for it in knows(anna).people("ops") or ()] == ["", "tea"]


def test_who_is_muted_only_moderators_know(anna: Client, bruno: Client) -> None:
    anna.do(commands.Moderate(Moderation(Action.MUTE, "bruno", 60)))
    anna.read()
    bruno.read()
    until = round(anna.house.clock.time() * 1000) + 60_000
    assert knows(anna).mutes("") == {"bruno": until}
    assert knows(bruno).mutes("") == {}
    own, other = knows(bruno).standing(""), knows(anna).standing("")
    assert own is not None
    assert other is not None
    assert own.mute is not None
    assert own.mute.until == until
    assert (own.is_moderator, other.is_moderator) == (False, True)
    anna.house.clock.advance(61.0)
    assert knows(anna).mutes("") == {}


@pytest.mark.parametrize("text", ["", "lunch", "x" * MOST_AWAY, "x" + "è" * MOST_AWAY])
def test_the_words_of_who_is_away_have_a_bound(bruno: Client, text: str) -> None:
    op = away_op(bruno.session, text)
    session = bruno.session
    assert (op.session, op.key, op.nickname) == (session.name, session.key, session.nickname)
    assert op.account is None
    assert op.away is not None
    assert text.startswith(op.away)
    assert len(op.away.encode()) == min(len(text.encode()), MOST_AWAY - (text[:2] == "xè"))
