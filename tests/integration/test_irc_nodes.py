"""What happens to who speaks irc when a node is asked to stop, or dies. Source: docs/protocols/irc.md."""

import asyncio

import pytest

from harness.browser_client import BrowserClient
from harness.chatte_client import ChatteClient
from harness.dialects import port, start
from harness.irc_client import LOBBY, IrcClient, PlainIrcClient
from harness.load import assert_promises_kept, lost, settle, under_load
from harness.node import QUICK, NodeFactory
from harness.waiting import elapse, until

pytestmark = pytest.mark.slow

BURIED_SECONDS = 30.0
DRAIN_SECONDS = 30.0
ROOM = "ops"


async def test_a_node_is_killed_under_load_and_every_promise_is_kept_in_channels_as_well(
    node_factory: NodeFactory,
) -> None:
    nodes = await start(node_factory, (IrcClient, ChatteClient), (IrcClient,), **QUICK)

    async def enter(name: str, node: int) -> IrcClient:
        client = await IrcClient.enter_chat(port(nodes[node], IrcClient), name, within=60)
        await client.join_room(ROOM)
        return client

    stays = [await enter(f"stays-{i}", 0) for i in range(4)]
    dies = [await enter(f"dies-{i}", 1) for i in range(4)]
    witness = await ChatteClient.enter_chat(port(nodes[0], ChatteClient), "witness")
    await node_factory.seasoned()
    gone = {it.nickname for it in dies}

    def are_gone() -> bool:
        return all(not gone & {*it.channels[room].members} for it in stays for room in ("", ROOM))

    async def kill() -> None:
        await elapse(1)
        for client in (*stays, *dies):
            client.say(room=ROOM)
        lost(dies)
        nodes[1].kill()
        await until(are_gone, BURIED_SECONDS + 10, "everybody to see them go, in both channels")

    await under_load(
        [*stays, *dies], kill(), per_second=15, whisper_to=[it.nickname for it in (*stays, *dies)]
    )
    for client in stays:
        assert len([it for it in client.got("QUIT") if it.nickname in gone]) == len(gone)
        assert not client.got("PART")  # who quits is in no channel any more
    back = [await enter(it.nickname, 0) for it in dies]
    await settle([*stays, *back, witness])
    await assert_promises_kept([*stays, *dies, *back, witness])


async def test_a_node_that_is_asked_to_stop_says_goodbye_and_leaves_nothing_undone(
    node_factory: NodeFactory,
) -> None:
    nodes = await start(node_factory, (IrcClient,), (IrcClient,))
    stays = await IrcClient.enter_chat(port(nodes[0], IrcClient), "stays")
    goes = await IrcClient.enter_chat(port(nodes[1], IrcClient), "goes")
    plain = await PlainIrcClient.enter_chat(port(nodes[1], IrcClient), "plain")
    await stays.expect("JOIN", LOBBY, source="plain")
    texts = [goes.say() for _ in range(100)]
    await until(lambda: goes.unanswered < 100, 60, "the first answer", every=0.001)
    nodes[1].terminate()
    await asyncio.gather(goes.disconnected(60), plain.disconnected(60))
    assert await nodes[1].exit_status(DRAIN_SECONDS) == 0
    for client in (goes, plain):
        assert client.messages[-1].command == "ERROR"
        await stays.wait_for(
            lambda: any(it.nickname == client.nickname for it in stays.got("QUIT")),  # noqa: B023
            60,
            "their going",
        )
    said = [it.text for it in stays.got("PRIVMSG") if it.nickname == "goes"]
    assert said and said == texts[: len(said)]
    await settle([stays])
    await assert_promises_kept([stays, goes, plain])


async def test_a_chat_that_is_closed_says_so(node_factory: NodeFactory) -> None:
    nodes = await start(node_factory, (IrcClient, BrowserClient), (IrcClient,))
    first = await BrowserClient.enter_chat(port(nodes[0], BrowserClient), "first")
    anna = await IrcClient.enter_chat(port(nodes[1], IrcClient), "anna")
    first.stop()
    await anna.disconnected()
    assert anna.messages[-1].command == "ERROR"
    assert "closed" in "".join(anna.lines[-2:])
