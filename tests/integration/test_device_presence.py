"""Devices that enter and leave each other's chats on two nodes: who is onchat, and who is told."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from harness.device_chat import Chat, Cluster, both_framings, converse, hold, running_cluster
from harness.device_client import BINARY, DeviceClient, Framing, chat, log_in, sign_up, take

RACES = 1000
PAIRS = 10


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("nodes")) as cluster:
        yield cluster


@pytest.fixture
def here(cluster: Cluster) -> Chat:
    return cluster.emptied()


# Being told


@pytest.mark.slow
async def test_a_waiting_device_is_told_within_100_ms_on_another_node(here: Chat) -> None:
    await here.users("anna", "bruno")
    took: list[float] = []
    usual: list[float] = []
    for turn in range(12):
        anna, answer = await chat(here.ports[turn % 2], "anna", "bruno")
        assert answer == 1
        asked = time.monotonic()
        bruno, answer = await chat(here.ports[1 - turn % 2], "bruno", "anna")
        begun = time.monotonic()
        usual.append(begun - asked)
        assert answer == 5001
        assert await anna.integer() == 5002
        took.append(time.monotonic() - begun)
        await anna.close()
        await bruno.close()
        for node, name in enumerate(("anna", "bruno")):
            await hold(here.ports[node], BINARY, converse((30, 1), (name, None)))
    # The machine may be busy: then an answer takes its time as well.
    assert sorted(took)[3] < 0.1 + 3 * sorted(usual)[6], (sorted(took), sorted(usual))


async def enter(port: int, me: str, dest: str) -> tuple[int, int]:
    """Enter a chat in one write; return the answer, and the port that was told after it, if any."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(BINARY.write(10, me, dest))
        async with asyncio.timeout(30):
            assert await reader.readexactly(8) == BINARY.write(1, 1)
            answer = int.from_bytes(await reader.readexactly(4), "big")
            told = int.from_bytes(await reader.readexactly(4), "big") if answer == 1 else 0
            writer.write_eof()
            assert await reader.read() == b""
        return answer, told
    finally:
        writer.close()


@pytest.mark.slow
async def test_of_two_who_enter_each_others_chat_at_once_one_dials_and_one_listens(
    here: Chat,
) -> None:
    """A thousand times, on two nodes, and nobody ever says that it left."""
    pairs = [(f"a{i}", f"b{i}") for i in range(PAIRS)]
    for i, (a, b) in enumerate(pairs):
        await sign_up(here.ports[0], a, 5000 + i)
        await sign_up(here.ports[1], b, 6000 + i)
    dialled = {"a": 0, "b": 0}

    async def races(i: int, a: str, b: str) -> None:
        for turn in range(RACES // PAIRS):
            here_port, there_port = here.ports if turn % 2 else here.ports[::-1]
            first, second = await asyncio.gather(enter(here_port, a, b), enter(there_port, b, a))
            outcome = {first, second}
            if outcome == {(6000 + i, 0), (1, 5000 + i)}:
                dialled["a"] += 1
            else:
                assert outcome == {(5000 + i, 0), (1, 6000 + i)}, (turn, a, first, second)
                dialled["b"] += 1

    await asyncio.gather(*(races(i, a, b) for i, (a, b) in enumerate(pairs)))
    assert sum(dialled.values()) == RACES
    assert all(dialled.values()), dialled


# Places in a chat


@both_framings
async def test_q_on_an_old_connection_leaves_the_new_chat_alone(
    here: Chat, framing: Framing
) -> None:
    await here.users("anna", "bruno", "carla")
    old, _ = await chat(here.ports[0], "anna", "bruno", framing=framing)
    new, _ = await chat(here.ports[1], "anna", "carla", framing=framing)
    assert here.device("anna")["onchat"] == "carla"
    old.send("ciao", "\\q")
    assert await old.close() == b""
    assert await take(here.ports[0], "bruno", "anna") == ["ciao"]
    assert here.device("anna")["onchat"] == "carla"
    carla, answer = await chat(here.ports[0], "carla", "anna")
    assert answer == 5001
    assert await new.integer() == 5003
    await carla.close()
    await new.close()


async def meet(here: Chat) -> None:
    """Bring anna, who waits, and bruno together."""
    anna, answer = await chat(here.ports[0], "anna", "bruno")
    assert answer == 1
    bruno, answer = await chat(here.ports[1], "bruno", "anna")
    assert answer == 5001
    assert await anna.integer() == 5002
    await anna.close()
    await bruno.close()


@both_framings
async def test_whoever_enters_after_a_live_chat_waits_and_the_other_gets_a_port(
    here: Chat, framing: Framing
) -> None:
    """Also right after it, as one does whose answer was lost: the first answer is not given again."""
    await here.users("anna", "bruno")
    ports = {"anna": 5001, "bruno": 5002}
    for first, second in (("anna", "bruno"), ("bruno", "anna"), ("bruno", "anna")):
        await meet(here)
        for _ in range(2):
            waits, answer = await chat(here.ports[0], first, second, framing=framing)
            assert answer == 1
            comes, answer = await chat(here.ports[1], second, first, framing=framing)
            assert answer == ports[first]
            await waits.exactly(framing.write(ports[second]))
            assert await waits.close() == b""
            assert await comes.close() == b""


@both_framings
async def test_whoever_was_asked_in_gets_the_port_once(here: Chat, framing: Framing) -> None:
    """Then it is as for anybody; whom it finds when it comes again is another matter."""
    await here.users("anna", "bruno", "carla")
    await meet(here)
    for _ in range(2):
        asks_in = converse((20, "anna,bruno,carla,"), ("carla", 5003), ("bruno", None))
        await hold(here.ports[1], framing, asks_in)
        for answer in (5002, 1):
            carla, got = await chat(here.ports[0], "carla", "bruno", framing=framing)
            assert got == answer
            await told_where(here, "carla", "bruno", "127.0.0.1")
            await carla.close()
        await here.quiet()
    bruno, answer = await chat(here.ports[0], "bruno", "carla", framing=framing)
    assert answer == 1, "both would dial"
    await bruno.close()


@both_framings
async def test_whoever_waits_for_the_one_who_asks_it_in_is_told_and_may_come_as_well(
    here: Chat, framing: Framing
) -> None:
    """Told on its connection it listens, as does who asked it in: so it may dial, too, once."""
    await here.users("anna", "bruno", "carla")
    await meet(here)
    carla, answer = await chat(here.ports[0], "carla", "bruno", framing=framing)
    assert answer == 1
    asks_in = converse((20, "anna,bruno,carla,"), ("carla", 5003), ("bruno", None))
    await hold(here.ports[1], framing, asks_in)
    await carla.exactly(framing.write(5002))
    assert await carla.close() == b""
    carla, answer = await chat(here.ports[1], "carla", "bruno", framing=framing)
    assert answer == 5002
    await carla.close()
    await here.quiet()


async def told_where(here: Chat, me: str, user: str, host: str) -> None:
    await hold(here.ports[1], BINARY, converse((12, 1), (me, 1), (user, host)))


async def test_12_address_is_told_in_a_group_whoever_asked_whom_in(here: Chat) -> None:
    """Each is onchat with one other at most, and has to dial all."""
    hosts = {"anna": "127.0.0.2", "bruno": "127.0.0.3", "carla": "127.0.0.4", "dario": "127.0.0.5"}
    for i, (name, host) in enumerate(hosts.items()):
        await sign_up(here.ports[i % 2], name, 5001 + i, source=host)

    async def enters(me: str, dest: str, answer: int) -> DeviceClient:
        device, got = await chat(here.ports[0], me, dest, source=hosts[me])
        assert got == answer, (me, dest)
        return device

    async def knows(me: str, *others: str) -> None:
        for user in hosts:
            if user != me:
                async with await DeviceClient.connect(here.ports[1], source=hosts[me]) as device:
                    device.send(12, me, user)
                    assert [await device.integer() for _ in range(2)] == [1, 1]
                    assert await device.string() == (hosts[user] if user in others else ""), user

    async def asks_in(me: str, user: str, port: int) -> None:
        async with await DeviceClient.connect(here.ports[1], source=hosts[me]) as device:
            device.send(20, user, me)
            assert await device.string() == "anna,bruno,carla,dario,"
            assert await device.integer() == port
            await device.close()

    waiting = await enters("anna", "bruno", 1)
    await enters("bruno", "anna", 5001)
    await waiting.close()
    await asks_in("bruno", "carla", 5003)
    await knows("carla", "bruno")  # as it is asked in, and not in yet
    await enters("carla", "bruno", 5002)
    await knows("carla", "anna", "bruno")
    await knows("dario")
    # Who brought them together goes, and another asks somebody in.
    async with await DeviceClient.connect(here.ports[0], source=hosts["bruno"]) as device:
        device.send(30, "bruno")
        await device.rest()
    await knows("anna", "bruno", "carla")  # it is still onchat with bruno
    await asks_in("carla", "dario", 5004)
    await enters("dario", "carla", 5003)
    await knows("dario", "anna", "carla")
    await knows("bruno", "anna")
    # A login is a new beginning.
    assert await log_in(here.ports[0], "anna", 5001, source=hosts["anna"]) == [1, 0, 0, 0]
    await knows("dario", "carla")


async def test_12_who_waits_for_somebody_in_a_group_is_not_in_it(here: Chat) -> None:
    await here.users("anna", "bruno", "carla")
    await meet(here)
    carla, answer = await chat(here.ports[0], "carla", "anna")
    assert answer == 1
    await told_where(here, "carla", "anna", "127.0.0.1")
    await told_where(here, "carla", "bruno", "")
    await carla.close()
