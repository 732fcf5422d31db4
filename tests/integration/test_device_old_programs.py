"""Whole conversations of devices that do as their author's program does, on two nodes."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import ParamSpec, TypeVar

import pytest

from harness.device_chat import Chat, Cluster, both_framings, running_cluster
from harness.device_client import Framing
from harness.device_people import PASSWORD
from harness.device_person import Person
from harness.old_device import LIVE_ROOM, QUIT, OldDevice, Peer, live, talk
from harness.waiting import until

MEETINGS = 3
P = ParamSpec("P")
T = TypeVar("T")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("nodes")) as cluster:
        yield cluster


@pytest.fixture
def here(cluster: Cluster) -> Chat:
    return cluster.emptied()


@pytest.fixture
async def three(here: Chat, framing: Framing) -> AsyncIterator[list[OldDevice]]:
    """Three who are signed up, each of whom takes the two nodes in turn."""
    names = ("anna", "bruno", "carla")
    devices = [OldDevice(name, here.ports, framing) for name in names]
    for device in devices:
        await device.signs_up()
    yield devices
    for device in devices:
        device.ends()


# Meeting again


@both_framings
@pytest.mark.parametrize("first", ["the same first", "the other first", "in turns"])
async def test_two_meet_again_as_if_for_the_first_time(three: list[OldDevice], first: str) -> None:
    """Neither ever says that it left."""
    anna, bruno, _ = three
    for meeting in range(MEETINGS):
        turned = first == "the other first" or (first == "in turns" and meeting % 2)
        waits, comes = (bruno, anna) if turned and meeting else (anna, bruno)
        await talk(waits, comes)


@both_framings
async def test_two_who_enter_again_at_once_meet_every_time(three: list[OldDevice]) -> None:
    """One waits and one dials; never two of either."""
    anna, bruno, _ = three
    for _ in range(20):
        one, two = await asyncio.gather(anna.chats("bruno"), bruno.chats("anna"))
        answers = {one.answer, two.answer}
        if one.answer == 1:
            assert answers == {1, anna.port}
            assert await one.told() == bruno.port
        else:
            assert answers == {1, bruno.port}
            assert await two.told() == anna.port
        await one.closes()
        await two.closes()


@both_framings
async def test_who_was_killed_before_it_heard_is_waited_for(three: list[OldDevice]) -> None:
    """The other dialled in vain, and enters again: it waits; so would the killed one, had it come first."""
    anna, bruno, _ = three
    for back, other in ((bruno, anna), (anna, bruno)):
        waiting = await anna.chats("bruno")
        assert waiting.answer == 1
        came = await bruno.chats("anna")
        assert came.answer == anna.port
        waiting.device.reset()
        await came.closes()
        again = await back.chats(other.name)
        assert again.answer == 1
        again.leave("ci sei?")
        met = await other.chats(back.name)
        assert met.answer == back.port
        assert await again.told() == other.port
        await again.closes()
        await met.closes()
        assert [*met.shown, *await other.shows(back.name)] == ["ci sei?"]


@both_framings
async def test_a_third_who_enters_waits_and_takes_nobody_s_place(three: list[OldDevice]) -> None:
    anna, bruno, carla = three
    first, second = await live(anna, bruno)
    third = await carla.chats("anna")
    assert third.answer == 1
    third.leave("quando hai finito?")
    await first.closes()
    await second.closes()
    # Anna goes to whom she likes: carla still waits, and bruno is as any other.
    again = await anna.chats("bruno")
    assert again.answer == 1
    await again.quits()
    met = await anna.chats("carla")
    assert met.answer == carla.port
    assert await third.told() == anna.port
    await met.closes()
    await third.closes()
    assert [*met.shown, *await anna.shows("carla")] == ["quando hai finito?"]


# Groups


async def lets_in(
    host: OldDevice, newcomer: Peer, others: list[OldDevice] | None
) -> tuple[str, int]:
    """Take in one who dialled: with its list, where it was asked in, or the count alone."""
    newcomer.say(1)
    who = await newcomer.hear(), await newcomer.integer()
    newcomer.say(len(others or ()) or 2)
    for other in others or ():
        newcomer.say(other.name, other.port)
    return who


@both_framings
async def test_one_is_asked_in_dials_all_and_two_of_them_meet_again(
    three: list[OldDevice],
) -> None:
    anna, bruno, carla = three
    first, second = await live(anna, bruno)
    anna_s, bruno_s = await anna.listens(), await bruno.listens()
    to_anna = await bruno.dials(second.answer)
    to_bruno = await anna_s.accepts()
    to_bruno.say(0)
    assert await to_anna.integer() == 0
    assert await anna.adds("carla") == ["anna", "bruno", "carla"]
    to_bruno.say("\\u carla")
    assert await to_anna.hear() == "\\u carla"
    entered = await carla.chats("anna")
    assert entered.answer == anna.port
    mine = await carla.dials(entered.answer)
    theirs = await anna_s.accepts()
    letting_in = asyncio.create_task(lets_in(anna, theirs, [bruno]))
    assert await mine.integer() == 1
    mine.say("carla", carla.port)
    assert (await mine.integer(), await mine.hear(), await mine.integer()) == (
        1,
        "bruno",
        bruno.port,
    )
    assert await letting_in == ("carla", carla.port)
    member = await carla.dials(bruno.port)
    letting_in = asyncio.create_task(lets_in(bruno, await bruno_s.accepts(), None))
    assert await member.integer() == 1
    member.say("carla", carla.port)
    assert await member.integer() == 2
    await letting_in
    for listening in (anna_s, bruno_s):
        listening.ends()
    for each in (first, second, entered):
        await each.closes()
    # Nobody said that it left: for each two of them it is as the first time, whoever comes first.
    for waits, comes in ((carla, anna), (anna, carla), (bruno, anna), (carla, bruno)):
        await talk(waits, comes)


# Our own program with old ones


async def aside(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    return await asyncio.to_thread(call, *args, **kwargs)


@pytest.fixture
def program(here: Chat, tmp_path: Path) -> Iterator[Person]:
    """Our program, for partners of the old kind, with carla at it."""
    person = Person(tmp_path, f"127.0.0.1:{here.ports[0]}", classic=True)
    person.asked("> ")
    person.types(f"signup carla {PASSWORD}")
    person.asked("carla> ")
    yield person
    person.end()


@pytest.fixture
async def two(here: Chat) -> AsyncIterator[list[OldDevice]]:
    devices = [OldDevice(name, here.ports) for name in ("anna", "bruno")]
    for device in devices:
        await device.signs_up()
    yield devices
    for device in devices:
        device.ends()


@pytest.mark.slow
async def test_our_program_and_an_old_one_meet_three_times_in_either_order(
    two: list[OldDevice], program: Person
) -> None:
    anna, _ = two
    long = "è una storia lunga " * 12
    for meeting in range(MEETINGS):
        listening = await anna.listens()
        if meeting == 1:
            await aside(program.types, "chat anna")
            await aside(program.expects, "-- anna is not in this chat")
            await aside(program.types, "ci sei?")
            await aside(program.expects, r" \* carla: ci sei")
            entered = await anna.chats("carla")
            assert (entered.answer, entered.shown) == (program.port, ["ci sei?"])
            peer = await anna.dials(program.port)
            assert await peer.integer() == 0
        else:
            entered = await anna.chats("carla")
            assert entered.answer == 1
            await aside(program.types, "chat anna")
            assert await entered.told() == program.port
            peer = await listening.accepts()
            peer.say(0)
        await aside(program.expects, "-- anna is here")
        peer.say(f"eccomi {meeting}")
        await aside(program.expects, f"   anna: eccomi {meeting}")
        await aside(program.types, long)
        pieces = [await peer.hear() for _ in range(-(-len(long.strip().encode()) // LIVE_ROOM))]
        assert "".join(pieces).strip() == long.strip()
        if meeting == 2:
            await aside(program.types, r"\q")
            assert await peer.hear() == QUIT
            await aside(program.asked, "carla> ")
        else:
            began = time.monotonic()
            peer.say(QUIT)
            await aside(program.asked, "carla> ")
            await until(lambda: peer.has_end or time.monotonic() > began + 0.5, 60, "a moment")  # noqa: B023
            reads_on = time.monotonic() - began
            assert reads_on > 0.5, "it reads on for a moment after it has said that it goes"
        peer.close()
        listening.ends()
        await entered.closes()


@pytest.mark.slow
async def test_our_program_comes_into_a_group_of_old_ones_and_hears_everybody(
    two: list[OldDevice], program: Person
) -> None:
    """The member writes its count and no more, and then what it says."""
    anna, bruno = two
    first, second = await live(anna, bruno)
    anna_s, bruno_s = await anna.listens(), await bruno.listens()
    assert await anna.adds("carla") == ["anna", "bruno", "carla"]
    await aside(program.types, "chat anna")
    to_carla = await anna_s.accepts()
    assert await lets_in(anna, to_carla, [bruno]) == ("carla", program.port)
    from_bruno = await bruno_s.accepts()
    assert await lets_in(bruno, from_bruno, None) == ("carla", program.port)
    await aside(program.expects, "-- anna is here, in a group")
    await aside(program.expects, "-- bruno is in the chat")
    from_bruno.say("ciao")
    await aside(program.expects, "   bruno: ciao")
    from_bruno.say("\\u dario", "come va?")
    await aside(program.expects, "-- bruno is adding somebody")
    await aside(program.expects, "   bruno: come va")
    await aside(program.types, "bene, grazie")
    assert [await peer.hear() for peer in (to_carla, from_bruno)] == ["bene, grazie"] * 2
    from_bruno.say("\\q a presto")
    await aside(program.expects, "-- bruno left the chat")
    to_carla.say(QUIT)
    await aside(program.asked, "carla> ")
    for listening in (anna_s, bruno_s):
        listening.ends()
    for entered in (first, second):
        await entered.closes()
