"""A session's states, who moves it, and its answers' order."""

import ast
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import tertulia
from fakes.encoder import PlainEncoder
from fakes.outbox import RecordingOutbox
from tertulia.chat import session as module
from tertulia.chat.ports import SayOp
from tertulia.chat.session import NEXT, NotInThisState, Session, State
from tertulia.domain.disconnects import Disconnect

PACKAGE = Path(tertulia.__file__).parent
ARCHITECTURE = PACKAGE.parents[1] / "docs" / "architecture.md"

VERBS: dict[str, Callable[[Session], None]] = {
    "prove": Session.prove,
    "ask": lambda session: session.ask("n:1", ""),
    "activate": Session.activate,
    "refuse": Session.refuse,
    "stay": lambda session: session.stay(""),
    "leave": Session.leave,
    "lose": lambda session: session.lose(Disconnect.GONE),
    "end": Session.end,
}
"""Every verb that moves a session, as somebody says it."""
WAYS: dict[State, list[str]] = {
    State.CONNECTED: [],
    State.PROVING: ["prove"],
    State.JOINING: ["ask"],
    State.ACTIVE: ["ask", "activate"],
    State.AWAY: ["ask", "activate", "lose"],
    State.LEAVING: ["ask", "activate", "leave"],
    State.ENDED: ["end"],
}
"""How a session comes into each state."""


def say(text: str) -> SayOp:
    return SayOp("n:1", "andy", "andy", text)


@pytest.fixture
def outbox() -> RecordingOutbox:
    return RecordingOutbox()


@pytest.fixture
def session(outbox: RecordingOutbox) -> Session:
    return Session(PlainEncoder(), outbox, "192.0.2.1", 4000)


def bring(session: Session, state: State) -> None:
    for verb in WAYS[state]:
        VERBS[verb](session)
    assert session.state is state


# Its states


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_does_what_the_table_says(session: Session, state: State, verb: str) -> None:
    bring(session, state)
    if verb in NEXT[state]:
        VERBS[verb](session)
        assert session.state is NEXT[state][verb]
    else:
        with pytest.raises(NotInThisState, match=f"{verb} in {state.name}"):
            VERBS[verb](session)
        assert session.state is state


def test_every_verb_of_the_table_is_one() -> None:
    assert {verb for row in NEXT.values() for verb in row} == VERBS.keys()
    assert NEXT.keys() == set(State)


def drawing() -> str:
    """Draw ``NEXT``."""
    width = max(len(state.name) for state in State)
    lines = []
    for state in State:
        steps = ", ".join(f"{verb} ▶ {following.name}" for verb, following in NEXT[state].items())
        lines.append(f"    {state.name} {'─' * (width - len(state.name) + 1)} {steps or 'nothing'}")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("text", [module.__doc__ or "", ARCHITECTURE.read_text()])
def test_what_is_drawn_is_the_table(text: str) -> None:
    assert drawing() in text, f"draw this:\n{drawing()}"


def writes(tree: ast.AST) -> Iterator[ast.Attribute]:
    """Give the attributes of anything but ``self`` that a module writes, or deletes."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="self")) | ast.Attribute(ctx=ast.Load()):
                continue
            case ast.Attribute():
                yield node


def test_nobody_else_writes_a_sessions_fields() -> None:
    """Told by their names, so in this package nothing else that is written may be called as one of them."""
    own, fields = Path(inspect.getfile(module)), set(Session.__slots__)
    found = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}: {ast.unparse(node)}"
        for wing in ("chat", "edge", "node")
        for path in (PACKAGE / wing).rglob("*.py")
        if path != own
        for node in writes(ast.parse(path.read_text()))
        if node.attr in fields and (wing == "chat" or "session" in ast.unparse(node.value))
    ]
    assert not found, "say it by one of Session's verbs"


@pytest.mark.parametrize("state", State)
def test_commands_are_taken_where_they_make_sense(session: Session, state: State) -> None:
    bring(session, state)
    assert session.takes_commands is (state in (State.CONNECTED, State.ACTIVE))


def test_another_nickname_is_asked_for_with_nothing_proved(session: Session) -> None:
    session.choose("andy", "andy")
    session.prove()
    session.proved()
    session.recall(None)
    assert (session.is_account, session.misses_some) == (True, True)
    session.refuse()
    session.choose("betty", "betty")
    assert (session.is_account, session.misses_some) == (False, False)


def test_which_account_it_is_comes_with_its_number(session: Session) -> None:
    session.choose("andy", "andy")
    session.numbered(1, 5)
    assert session.account == 0, "a guest"
    session.proved()
    session.numbered(1, 5)
    assert session.account == 5
    session.proved(6)  # made since it asked for its nickname
    session.numbered(1, 0)
    assert (session.number, session.account) == (1, 6)
    session.choose("betty", "betty")
    assert session.account == 0


# Its answers


def test_an_answer_comes_at_once_where_nothing_is_waited_for(
    session: Session, outbox: RecordingOutbox
) -> None:
    session.answer(b"one\n")
    assert outbox.read() == ["one"]


def test_an_answer_waits_for_the_ops_before_it(session: Session, outbox: RecordingOutbox) -> None:
    first, second = say("1"), say("2")
    session.submitted(first)
    session.answer(b"after the first\n")
    session.answer(b"and this\n")
    session.submitted(second)
    session.answer(b"after the second\n")
    assert outbox.read() == []
    assert session.awaiting == 2
    assert session.settled(first) == b"after the first\nand this\n"
    assert session.awaiting == 1
    assert session.settled(second) == b"after the second\n"
    assert session.awaiting == 0
    session.answer(b"at once again\n")
    assert outbox.read() == ["at once again"]


def test_an_op_without_answers_behind_it_has_none(session: Session) -> None:
    first, second = say("1"), say("2")
    session.submitted(first)
    session.submitted(second)
    session.answer(b"after the second\n")
    assert session.settled(first) == b""
    assert session.settled(second) == b"after the second\n"


def test_who_is_paused_or_resuming_takes_no_commands_until_it_goes_on(session: Session) -> None:
    bring(session, State.ACTIVE)
    session.pause()
    assert not session.takes_commands
    session.go_on()
    assert session.takes_commands
    session.resume()
    assert not session.takes_commands
    session.release()
    assert session.takes_commands


def test_who_ended_takes_commands_until_it_has_read_what_is_held(session: Session) -> None:
    bring(session, State.ACTIVE)
    session.hold()
    session.end()
    assert (session.takes_commands, session.is_active) == (False, False)
    session.end_later(Disconnect.KICKED)
    assert session.takes_commands
    assert session.end_now() is Disconnect.KICKED
    assert not session.takes_commands
