"""Groups of people, each at a program on a host of its own, who come and go in any order."""

import random
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.device_nodes import DeviceNodes
from harness.device_people import PASSWORD, People, are_live
from harness.device_person import Person
from harness.node import NodeFactory

pytestmark = pytest.mark.slow

NAMES = ("anna", "bob", "carol", "dario", "elena")


@pytest.fixture
def people(tmp_path: Path, node_factory: NodeFactory) -> Iterator[People]:
    everybody = People(tmp_path, DeviceNodes(node_factory))
    everybody.hosts = {name: f"127.0.0.{number}" for number, name in enumerate(NAMES, 2)}
    try:
        yield everybody
    finally:
        everybody.end()


def comes_in(present: dict[str, Person], by: str, name: str, person: Person) -> None:
    """Add somebody, who finds everybody that is there."""
    present[by].types(rf"\a {name}")
    present[by].expects(f"-- {name} comes in")
    person.types(f"chat {by}")
    person.expects(f"-- {by} is here, in a group")
    for other in present.values():
        other.expects(f"-- {name} is in the chat")
    for other_name in sorted(set(present) - {by}):
        person.screen_has(f"-- {other_name} is in the chat")
    present[name] = person


def everybody_talks(present: dict[str, Person], what: str) -> None:
    """Let each say something, and all others hear it."""
    for name, person in present.items():
        person.types(f"{what} di {name}")
        for other_name, other in present.items():
            mark = r"\*\*" if other_name == name else "  "
            other.expects(f"{mark} {name}: {what} di {name}")


def test_each_finds_all_others_whoever_asked_it_in_and_whoever_has_left(people: People) -> None:
    """By the members' names and ports alone, which is all that the group tells, nobody would."""
    persons = dict(zip(NAMES, people.signs_up(*NAMES), strict=True))
    for name, person in persons.items():
        socket.create_connection((people.hosts[name], person.port), 30).close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", person.port), 30)
    are_live(persons["anna"], "anna", persons["bob"], "bob")
    present = {name: persons[name] for name in ("anna", "bob")}
    comes_in(present, "bob", "carol", persons["carol"])
    everybody_talks(present, "uno")
    persons["bob"].types(r"\q")
    persons["bob"].asked("bob> ")
    del present["bob"]
    for person in present.values():
        person.expects("-- bob left the chat")
    comes_in(present, "anna", "dario", persons["dario"])
    comes_in(present, "carol", "elena", persons["elena"])
    everybody_talks(present, "due")


@pytest.mark.parametrize(("size", "seed"), [(3, 1), (5, 2)])
def test_members_leave_in_any_order_and_the_others_talk_on(
    people: People, size: int, seed: int
) -> None:
    chance = random.Random(seed)
    names = NAMES[:size]
    persons = dict(zip(names, people.signs_up(*names), strict=True))
    first, second, *more = names
    are_live(persons[first], first, persons[second], second)
    present = {name: persons[name] for name in (first, second)}
    for name in more:
        comes_in(present, chance.choice(sorted(present)), name, persons[name])
    while len(present) > 1:
        everybody_talks(present, f"in {len(present)}")
        goes = chance.choice(sorted(present))
        person = present.pop(goes)
        how = chance.choice(["leaves", "ends", "is killed"])
        match how:
            case "leaves":
                person.types(r"\q")
                person.asked(f"{goes}> ")
            case "ends":
                person.presses(b"\x04")
                assert person.ended() == 0
            case _:
                person.kill()
        for other in present.values():
            other.expects(f"-- {goes} {'is gone' if how == 'is killed' else 'left'}")
    ((last, person),) = present.items()
    person.expects("-- Nobody is left: the chat is over")
    person.asked(f"{last}> ")
    person.types(f"in {last} {PASSWORD}")
    person.expects(f"-- You are {last}")
