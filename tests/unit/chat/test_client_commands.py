"""What a client may ask for in which state: a row for each command."""

from typing import get_args

import pytest

from fakes.encoder import FramedEncoder, PlainEncoder
from tertulia.chat.client_commands import COMMANDS
from tertulia.chat.ports import JoinOp, Outcome
from tertulia.chat.room import Room
from tertulia.chat.session import State
from tertulia.domain import commands
from tertulia.domain.commands import Fault, Resume
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.moderation import Moderation
from tertulia.domain.operator_commands import Action
from unit.chat.conftest import Connect, Enter

EACH: list[commands.Command] = [
    commands.Enter("betty"),
    commands.Say("x"),
    commands.ProveAccount("andy", "secret"),
    commands.RegisterEarly("andy", "secret"),
    commands.ReadReply(b"x"),
    commands.Ask(lambda knowledge: b"x"),
    commands.SetAway("tea"),
    commands.Excerpt(lambda found: b"x", 10),
    commands.ChangeVoice(),
    commands.ShowLobby(),
    commands.HideLobby(),
    commands.Whisper("andy", "x"),
    commands.Acknowledge(1),
    commands.Ready(),
    commands.Ping(),
    commands.Leave(),
    commands.JoinRoom("ops"),
    commands.PartRoom("ops"),
    commands.ListRooms(),
    commands.CloseChat(),
    commands.LookBack(1),
    commands.Search("x"),
    commands.Moderate(Moderation(Action.TOPIC, text="x")),
    commands.Register("secret"),
    commands.ChangePassword("secret", "other"),
    commands.LogOutEverywhere(),
    commands.DeleteAccount("secret"),
    commands.ExplainAccounts(),
    commands.LookBack(3),
    commands.Search("ciao"),
    commands.Faulty(Fault.MALFORMED),
]


def test_every_command_has_a_row() -> None:
    assert COMMANDS.keys() == set(get_args(commands.Command)) == set(map(type, EACH))


@pytest.mark.parametrize("command", EACH)
@pytest.mark.parametrize("state", State)
def test_what_is_not_legal_is_not_heard(
    connect: Connect, enter: Enter, room: Room, command: commands.Command, state: State
) -> None:
    """Nor answered; nothing of it reaches the store."""
    if state in COMMANDS[type(command)].states:
        return
    client = connect()
    session, store = client.session, client.house.stores[room]
    if state is State.PROVING:
        session.prove()
    elif state is not State.CONNECTED:
        client.enter("andy")
    if state in (State.ACTIVE, State.AWAY, State.LEAVING):
        client.read()
    if state is State.LEAVING:
        client.leave()
    elif state is State.AWAY:
        session.lose(Disconnect.GONE)
    elif state is State.ENDED:
        client.lose()
    assert session.state is state
    waiting = len(store)
    room.command(session, command)
    assert (session.state, len(store), client.outbox.read()) == (state, waiting, [])
    room.lost(session, Disconnect.GONE)


def test_another_nickname_after_one_that_was_resumed_in_vain(
    enter: Enter, connect: Connect
) -> None:
    """Somebody else has it meanwhile; what was recalled of the one proves nothing of the other."""

    class Patient(FramedEncoder):
        retries = True

    betty = enter("betty", FramedEncoder())
    token = betty.session.token
    betty.lose()
    betty.read()
    other = enter("betty")
    again = connect(Patient())
    again.do(commands.Enter("betty", resume=Resume(token, "memory", 1)))
    assert again.read() == ["refused nickname_taken betty"]
    again.enter("carla")
    assert again.read() == ["welcome carla betty"]
    assert again.session.token != token
    assert other.read()[-1] == "joined carla"


def test_a_join_that_is_settled_twice_changes_nothing(enter: Enter, room: Room) -> None:
    """A store that lost its data is told it again, and somebody may have taken the nickname by then."""
    andy = enter("andy", PlainEncoder())
    join = JoinOp(andy.session.name, "andy", "andy", "plain", "192.0.2.1", 1)
    andy.session.submitted(join)
    join.outcome = Outcome.TAKEN
    room.settled([join])
    andy.say("still here")
    assert andy.read() == ["said andy still here", "sent"]
