"""Operation 200 after operation 10, and answers for those who have little room, on two nodes."""

import time
from collections.abc import Iterator

import pytest

from harness.chatte_client import ChatteClient
from harness.device_chat import Chat, Cluster, both_framings, running_cluster
from harness.device_client import (
    BINARY,
    TEXT,
    DeviceClient,
    Framing,
    chat,
    hanging,
    leave_messages,
    show,
    sign_up,
    take,
)
from harness.dialects import launch
from harness.node import NodeFactory
from harness.old_device import OldDevice, live
from harness.redis_server import RedisServer
from harness.waiting import elapse, until

LISTENER: dict[str, object] = {"dialect": "device", "host": "127.0.0.1", "port": 0}
DONE_SECONDS = 3.0
CLOSING_SECONDS = 5.0
DRAIN_SECONDS = 30.0


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("nodes")) as cluster:
        yield cluster


@pytest.fixture
def here(cluster: Cluster) -> Chat:
    return cluster.emptied()


async def given_a_port(here: Chat, framing: Framing = BINARY) -> DeviceClient:
    """Let bruno come to anna, who waits and left him a message before; give his open connection."""
    await leave_messages(here.ports[0], "anna", "bruno", "uno", "due")
    anna, answer = await chat(here.ports[0], "anna", "bruno", framing=framing)
    assert answer == 1
    bruno, answer = await chat(here.ports[1], "bruno", "anna", framing=framing)
    assert answer == 5001
    await anna.exactly(framing.write(5002))
    assert await anna.close() == b""
    return bruno


# After a port


async def test_after_a_port_200_is_answered_on_the_same_connection(here: Chat) -> None:
    """To the byte, at once or step by step, and it is pending no more when both have closed."""
    await here.users("anna", "bruno")
    for at_once in (True, False):
        bruno = await given_a_port(here)
        if at_once:
            bruno.send(200, "bruno", "anna")
            await bruno.exactly(b"\0\0\0\1\0\0\0\1\0\x08\0\0uno\ndue\n")
        else:
            _, lines = await show(0, "bruno", "anna", on=bruno)
            assert lines == ["uno", "due"]
        assert await bruno.close() == b""
        assert await hanging(here.ports[0], "bruno") == []


async def test_after_a_port_200_finds_nothing_where_nothing_waits(here: Chat) -> None:
    await here.users("anna", "bruno")
    anna, _ = await chat(here.ports[0], "anna", "bruno")
    bruno, _ = await chat(here.ports[1], "bruno", "anna")
    bruno.send(200, "bruno", "anna")
    await bruno.exactly(b"\0\0\0\1\0\0\0\1\x00\x04\x00\x00\x6e\x75\x6c\x6c")
    assert await bruno.close() == b""
    await anna.close()


@both_framings
async def test_after_a_port_the_service_closes_by_itself_sooner_or_later(
    here: Chat, framing: Framing
) -> None:
    """In text at once, for there is no such step; in binary in some seconds, shown or not."""
    await here.users("anna", "bruno")
    took: list[float] = []
    for shows in (False, True):
        before = time.monotonic()
        bruno = await given_a_port(here, framing)
        begun = time.monotonic()
        if framing is TEXT:
            bruno.send(200, "bruno", "anna")
        elif shows:
            await show(0, "bruno", "anna", on=bruno)
        assert await bruno.rest(30) == b""
        # Its seconds begin with the port, somewhere between the two.
        took.append(time.monotonic() - (begun if framing is TEXT else before))
        bruno.close_at_once()
        await here.quiet()
        shown = shows and framing is BINARY
        assert await take(here.ports[0], "bruno", "anna") == ([] if shown else ["uno", "due"])
    # Once it has to be quick: the machine may stand still.
    assert (min(took) < DONE_SECONDS - 0.5) is (framing is TEXT), took


@pytest.mark.parametrize("said", ["ciao", 20, 100], ids=str)
async def test_after_a_port_anything_else_ends_the_connection(here: Chat, said: int | str) -> None:
    await here.users("anna", "bruno")
    took: list[float] = []
    # Once it has to be quick: the machine may stand still.
    while len(took) < 5 and (not took or min(took) >= DONE_SECONDS - 0.5):
        bruno = await given_a_port(here)
        begun = time.monotonic()
        bruno.send(said)
        assert await bruno.rest() == b""
        took.append(time.monotonic() - begun)
        bruno.close_at_once()
        assert await take(here.ports[0], "bruno", "anna") == ["uno", "due"]
    assert min(took) < DONE_SECONDS - 0.5, took


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["closes", "resets", "the node drains"])
async def test_what_an_old_device_was_shown_goes_when_it_closes_however_long_it_talks(
    node_factory: NodeFactory, ending: str
) -> None:
    """It keeps the connection for as long as the live chat lasts; so do both of the two."""
    nodes = [launch(node_factory, [LISTENER]) for _ in range(2)]
    for node in nodes:
        await node.ready()
    ports = [node.port("device") for node in nodes]
    anna, bruno = OldDevice("anna", ports), OldDevice("bruno", ports)
    for device in (anna, bruno):
        await device.signs_up()
    for sender, recipient in (("anna", "bruno"), ("bruno", "anna")):
        await leave_messages(ports[0], sender, recipient, f"da {sender}")
    first, second = await live(anna, bruno)
    assert (first.shown, second.shown) == (["da bruno"], ["da anna"])
    await elapse(DONE_SECONDS + CLOSING_SECONDS + 1)
    if ending == "the node drains":
        for node in nodes:
            node.terminate()
        assert [await node.exit_status(DRAIN_SECONDS) for node in nodes] == [0, 0]
        return
    for entered in (first, second):
        if ending == "closes":
            await entered.closes()
        else:
            entered.device.reset()
    left = [] if ending == "closes" else ["da bruno"]

    async def is_so() -> bool:
        async with await DeviceClient.connect(ports[0]) as device:
            device.send(200, "anna", "bruno")
            assert [await device.integer() for _ in range(2)] == [1, 1]
            return await device.lines() == (left or ["null"])

    await until(is_so, 60, "what was shown to be gone, or not")


# Little room


async def classic_and_plain(factory: NodeFactory) -> tuple[int, int]:
    """Start a node for old devices, and one for others; give their ports."""
    classic = launch(factory, [LISTENER | {"wording": "classic"}])
    plain = launch(factory, [LISTENER])
    for node in (classic, plain):
        await node.ready()
    return classic.port("device"), plain.port("device")


async def shown(port: int, framing: Framing, me: str, sender: str) -> bytes:
    """Return what 200 tells, to the byte, and close in order."""
    async with await DeviceClient.connect(port, framing) as device:
        device.send(200, me, sender)
        await device.exactly(framing.write(1, 1))
        device.half_close()
        return await device.rest()


@both_framings
async def test_an_answer_of_messages_ends_before_the_bound_and_goes_on_the_next_time(
    node_factory: NodeFactory, framing: Framing
) -> None:
    classic, plain = await classic_and_plain(node_factory)
    for name in ("anna", "bruno"):
        await sign_up(plain, name)
    texts = ["x" * 98, "y" * 99, "", "z" * 197, "è" * 99]
    await leave_messages(plain, "bruno", "anna", *texts)
    expected = [[texts[0], texts[1]], ["", texts[3]], [texts[4]]]
    for lines in expected:
        written = [f"{line} " if framing is TEXT and not line else line for line in lines]
        whole = "".join(f"{line}\n" for line in written)
        assert len("".join(f"{line}\n" for line in lines).encode()) == 199
        assert await shown(classic, framing, "anna", "bruno") == framing.write(whole)
    assert await shown(classic, framing, "anna", "bruno") == framing.write("null")


@both_framings
async def test_a_message_longer_than_any_answer_comes_in_pieces_and_in_its_place(
    node_factory: NodeFactory, redis_server: RedisServer, framing: Framing
) -> None:
    """It holds nothing up; a piece that was not taken is shown again, and whoever has room gets the rest."""
    classic, plain = await classic_and_plain(node_factory)
    for name in ("anna", "bruno", "carla"):
        await sign_up(plain, name)
    long = "".join(chr(ord("a") + i % 26) for i in range(197)) + "è" + "0123456789" * 30
    await leave_messages(plain, "bruno", "anna", "prima", long, "dopo")
    await leave_messages(plain, "carla", "anna", "ciao")
    assert await shown(classic, framing, "anna", "bruno") == framing.write("prima\n")
    first, second = long[:197], long[197:394]  # the è has two bytes, and is not cut
    for _ in range(2):
        device, lines = await show(classic, "anna", "bruno", framing=framing)
        assert lines == [first]
        device.reset()
    assert await shown(classic, framing, "anna", "carla") == framing.write("ciao\n")
    assert await shown(classic, framing, "anna", "bruno") == framing.write(f"{first}\n")
    counted = await hanging(classic, "anna", framing)
    assert [line.split(",")[0] for line in counted] == ["bruno: 2 messaggi"]
    assert await shown(classic, framing, "anna", "bruno") == framing.write(f"{second}\n")
    rest = long[394:]
    assert await shown(plain, framing, "anna", "bruno") == framing.write(f"{rest}\ndopo\n")
    assert await hanging(plain, "anna") == []
    left = [
        key for kind in ("senders", "pending") for key in redis_server.control.keys(f"*:{kind}:*")
    ]
    assert left == [], "nothing of its pieces, either"


async def test_who_was_shown_a_piece_and_enters_the_room_reads_the_rest_there(
    node_factory: NodeFactory,
) -> None:
    classic = launch(node_factory, [LISTENER | {"wording": "classic"}])
    room = launch(node_factory, [LISTENER | {"dialect": "chatte"}])
    for node in (classic, room):
        await node.ready()
    port = classic.port("device")
    for name in ("anna", "bruno"):
        await sign_up(port, name)
    long = "x" * 150 + "è" * 50 + "y" * 20
    await leave_messages(port, "bruno", "anna", long, "dopo")
    first = long[:174]
    assert await shown(port, BINARY, "anna", "bruno") == BINARY.write(f"{first}\n")
    anna = await ChatteClient.connect(room.port("chatte"))
    anna.send(b"anna:s3cret\n")
    try:
        await anna.expect_line(f"102 bruno {long[174:]}")
        await anna.expect_line("102 bruno dopo")
    finally:
        anna.close()
    assert await hanging(port, "anna") == []
