"""``tertulia admin`` in further rooms of two real nodes: what it shows, and what it does there alone."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from harness import browser_frames as frames
from harness.admin import Admin
from harness.browser_client import BrowserClient
from harness.chatte_client import ChatteClient
from harness.device_client import sign_up
from harness.dialects import launch, listener, port
from harness.node import NodeFactory
from harness.redis_server import RedisServer, running_redis
from harness.waiting import until
from integration.test_erasing import everything

pytestmark = pytest.mark.slow

DEVICES: dict[str, object] = {"dialect": "device", "host": "127.0.0.1", "port": 0, "chat": "main"}


class House:
    """Two nodes: Anna and Bruno are in #ops and in the lobby, Carla is shown #ops, Dora is in the lobby."""

    redis: RedisServer
    admin: Admin
    device: int
    anna: BrowserClient
    bruno: BrowserClient
    carla: ChatteClient
    dora: BrowserClient


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    with running_redis(fsync="no") as server:
        factory = NodeFactory(tmp_path, server.url)
        try:
            kinds = [listener(ChatteClient), listener(BrowserClient), DEVICES]
            one, two = (launch(factory, kinds) for _ in range(2))
            for node in (one, two):
                await node.ready()
            it = House()
            it.redis, it.admin, it.device = server, Admin(server.url), one.port("device")
            it.anna = await BrowserClient.enter_chat(port(one, BrowserClient), "anna")
            it.bruno = await BrowserClient.enter_chat(port(two, BrowserClient), "bruno")
            it.dora = await BrowserClient.enter_chat(port(two, BrowserClient), "dora")
            for client in (it.anna, it.bruno):
                await client.join_room("ops")
            it.carla = await ChatteClient.enter_chat(port(one, ChatteClient), "carla@ops")
            yield it
            for guest in (it.anna, it.bruno, it.carla, it.dora):
                guest.close()
        finally:
            factory.end()


def lobby_of(client: BrowserClient) -> list[type[object]]:
    return [type(it.event) for it in client.events if not isinstance(it.event, frames.JoinedEvent)]


async def test_rooms_are_listed_and_read(house: House) -> None:
    await house.anna.join_room("chess")
    text = house.anna.say("knight to f3", room="chess")
    await house.anna.expect_event(frames.SaidEvent("anna", text), room="chess")
    found = await house.admin.json("rooms")
    assert [(it["room"], it["members"], it["messages"]) for it in found] == [
        ("ops", 3, 0),
        ("chess", 1, 1),
    ]
    for it in found:
        assert it["bytes"] > 0
        assert it["shard"] == f"127.0.0.1:{house.redis.port}"
    assert [row[1] for row in (await house.admin("rooms")).rows()] == ["#ops", "#chess"]
    lines = (await house.admin("log", "--room", "#Chess", "--json")).lines()
    assert [(it["event"], it["text"]) for it in lines] == [("joined", ""), ("said", text)]
    assert text not in (await house.admin("log")).out
    for words in (["log"], ["mute"], ["moderator", "list"], ["say", "hi"], ["lasting", "on"]):
        ran = await house.admin(*words, "--room", "nobodys")
        assert ran.status == 1, ran
        assert "there is no room #nobodys in the chat main" in ran.err
    assert (await house.admin("log", "--room", "no room")).status == 2
    assert (await house.admin("outsiders", "on")).status == 2


async def test_what_is_said_to_a_room_is_read_there_alone(house: House) -> None:
    assert (await house.admin("say", "--room", "ops", "Maintenance")).status == 0
    for client in (house.anna, house.bruno):
        await client.expect_event(frames.SaidEvent("G", "Maintenance"), room="ops")
    await house.carla.expect_line("100 G Maintenance")
    assert (await house.admin("say", "to all")).status == 0
    for other in (house.anna, house.dora):
        await other.expect_event(frames.SaidEvent("G", "to all"))
        assert lobby_of(other) == [frames.SaidEvent]
    assert "to all" not in "".join(house.carla.lines)


async def test_who_is_kicked_from_a_room_stays_in_the_chat(house: House) -> None:
    done = await house.admin.json("kick", "BRUNO", "--room", "ops", "--reason", "too loud")
    assert done["in_room"] == "ops"
    parted = await house.bruno.expect_frame(frames.PartedFrame)
    assert (parted.room, parted.reason) == ("ops", "kicked")
    await house.anna.expect_event(frames.LeftEvent("bruno"), room="ops")
    await house.carla.expect_line("151 bruno just left the chat")
    text = house.bruno.say("I am still here")
    for other in (house.bruno, house.dora):
        await other.expect_event(frames.SaidEvent("bruno", text))
    assert frames.LeftEvent not in lobby_of(house.dora)
    (room,) = await house.admin.json("rooms")
    assert room["members"] == 2
    ran = await house.admin("kick", "bruno", "--room", "ops")
    assert (ran.status, "bruno is not in the room #ops" in ran.err) == (1, True)
    await house.bruno.join_room("ops")  # he may come back


async def test_a_room_is_moderated_by_itself(house: House) -> None:
    admin, anna = house.admin, house.anna
    await admin.json("mute", "bruno", "--room", "ops", "--reason", "spam")
    assert [it["nickname"] for it in await admin.json("mute", "--room", "ops")] == ["bruno"]
    assert await admin.json("mute") == []
    await anna.expect_event(frames.MutedEvent("bruno", "G", 0, "spam"), room="ops")
    house.bruno.say("nobody reads this", room="ops")
    await house.bruno.expect_frame(frames.FailedFrame)
    text = house.bruno.say("but this they do")
    await anna.expect_event(frames.SaidEvent("bruno", text))
    await admin.json("unmute", "bruno", "--room", "ops")
    text = house.bruno.say("again", room="ops")
    await anna.expect_event(frames.SaidEvent("bruno", text), room="ops")
    (line,) = [
        it
        for it in (await admin("log", "--room", "ops", "--json")).lines()
        if it["event"] == "said"
    ]
    await admin.json("redact", f"{line['offset']}", f"{line['index']}", "--room", "ops")
    assert "again" not in (await admin("log", "--room", "ops")).out
    await admin.json("topic", "--room", "ops", "releases")
    await admin.json("slow", "30", "--room", "ops")
    await admin.json("slow", "0", "--room", "ops")
    await admin.json("accounts-only", "on", "--room", "ops")
    await admin.json("accounts-only", "off", "--room", "ops")
    (room,) = await admin.json("rooms")
    assert room["topic"] == "releases"
    ran = await admin("moderator", "add", "eva", "--room", "ops")
    assert (ran.status, "there is no account eva in the chat main" in ran.err) == (1, True)
    await sign_up(house.device, "Eva")
    await admin.json("moderator", "add", "eva", "--room", "ops")
    assert await admin.json("moderator", "list", "--room", "ops") == ["eva"]
    assert await admin.json("moderator", "list") == []
    assert lobby_of(house.dora) == [frames.SaidEvent]
    done = [(it["room"], it["action"]) for it in await admin.json("audit")]
    assert done == [
        ("ops", action)
        for action in (
            *("mute", "unmute", "redact", "topic", "slow", "slow"),
            *("accounts-only", "accounts-only", "moderator-add"),
        )
    ]


async def test_outsiders_speak_where_they_may(house: House) -> None:
    await house.admin.json("outsiders", "on", "--room", "ops")
    await until(lambda: house.redis.control.hexists("{main#ops}:moderation", "outsiders"), 30, "it")
    text = house.dora.say("from outside", room="ops")
    await house.anna.expect_event(frames.SaidEvent("dora", text), room="ops")
    await house.admin.json("outsiders", "off", "--room", "ops")
    refused = house.dora.say("once more", room="ops")
    await house.dora.expect_frame(frames.FailedFrame)
    assert refused not in (await house.admin("log", "--room", "ops")).out


async def test_a_room_is_lasting_until_it_is_not(house: House) -> None:
    for setting, lasts in (("on", True), ("off", False)):
        await house.admin.json("lasting", setting, "--room", "ops")
        (room,) = await house.admin.json("rooms")
        assert room["is_lasting"] is lasts
    done = [(it["action"], it["subject"], it["value"]) for it in await house.admin.json("audit")]
    assert done == [("lasting", "#ops", "on"), ("lasting", "#ops", "off")]


async def test_who_is_erased_is_erased_in_every_room(house: House) -> None:
    said = house.bruno.say("quinces", room="ops")
    other = house.anna.say("figs", room="ops")
    await house.anna.expect_event(frames.SaidEvent("anna", other), room="ops")
    await house.anna.expect_event(frames.SaidEvent("bruno", said), room="ops")
    await house.admin.json("mute", "bruno", "--room", "ops")
    kept = await house.admin.json("export", "bruno")
    assert kept["rooms"]["ops"]["room"]["nickname"] == "bruno"
    assert [it["x"] for it in kept["rooms"]["ops"]["log"] if it["t"] == "said"] == [said]
    await house.admin.json("erase", "bruno")
    await until(lambda: house.bruno.closed, 30, "him to be out")
    await house.anna.expect_event(frames.LeftEvent("bruno"), room="ops")
    await house.admin.json("erase", "bruno")  # what came meanwhile: that he left
    left = everything(house.redis).lower()
    assert "bruno" not in left
    assert said not in left
    assert other in (await house.admin("log", "--room", "ops")).out
