"""Channels of irc on two nodes: who is there, who looks after them. Source: docs/protocols/irc.md."""

import itertools
from collections.abc import AsyncIterator, Iterator

import pytest

from harness import browser_frames as frames
from harness.browser_client import BrowserClient
from harness.chatte_client import ChatteClient
from harness.dialects import port
from harness.irc_client import LOBBY, NETWORK, IrcClient, PlainIrcClient
from harness.irc_house import SECRET, IrcHouse, everybody_leaves, hears, running_nodes
from harness.load import assert_promises_kept
from harness.node import Node
from harness.redis_server import RedisServer
from harness.waiting import until

pytestmark = pytest.mark.slow

_rooms = itertools.count(1)


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[Node], RedisServer]]:
    with running_nodes(
        tmp_path_factory.mktemp("nodes"),
        {"LIMITS__ROOMS_PER_SESSION": "3", "LIMITS__ROOM_MEMBERS": "4"},
    ) as both:
        yield both


@pytest.fixture
async def house(nodes: tuple[list[Node], RedisServer]) -> AsyncIterator[IrcHouse]:
    house = IrcHouse(*nodes, f"ops-{next(_rooms)}")
    yield house
    await everybody_leaves(house)


async def test_several_channels_in_one_line_are_one_answer(house: IrcHouse) -> None:
    anna = await house.irc("anna")
    a, b, c, d = (f"#{house.room}-{it}" for it in "abcd")
    labels = [anna.ask_for(it) for it in (f"JOIN {a},{b},in@valid", f"JOIN {c},{a},{d}", "PING :x")]
    await anna.wait_for(lambda: anna.answers.keys() >= {*labels}, 60, "all answers")
    labels += [anna.ask_for(it) for it in (f"PART {a},{d},{b}", "PING :y")]
    await anna.wait_for(lambda: anna.answers.keys() >= {*labels}, 60, "all answers")
    told = [sorted({*anna.answers[it].commands} - {"353", "366"}) for it in labels]
    assert told == [["403", "JOIN"], ["405", "JOIN"], ["PONG"], ["442", "PART"], ["PONG"]]
    joined = [it.params[0] for it in anna.answers[labels[0]].messages if it.command == "JOIN"]
    assert sorted(joined) == [a, b]
    ((full, _),) = (it.params[1:] for it in anna.answers[labels[1]].messages if it.command == "405")
    assert full == d
    assert (await anna.answer(f"JOIN {a},{c}")).commands == ["JOIN", "353", "366"]
    assert (await anna.answer(f"JOIN {a},{c}")).commands == ["ACK"]
    both = [anna.ask_for(it) for it in (f"PART {a},{c}", f"JOIN {a},{c}")]
    await anna.wait_for(lambda: anna.answers.keys() >= {*both}, 60, "both answers")
    assert anna.answers[both[0]].commands == ["PART", "PART"]
    assert anna.answers[both[1]].commands == ["JOIN", "353", "366"] * 2


async def test_a_room_is_shared_with_every_other_dialect(house: IrcHouse) -> None:
    room = house.room
    dora = await house.irc("dora", 1)
    anna = await house.irc("anna", 0, room)
    bruno = await house.enter(BrowserClient, "bruno", 1, room)
    carla = await house.ask(ChatteClient, f"carla@{room}", node=1)
    for name in ("bruno", "carla"):
        await anna.expect("JOIN", f"#{room}", source=name)
    anna.say("from irc", room)
    await hears(bruno, "anna", "from irc", room)
    await carla.expect_line("100 anna from irc")
    bruno.say("from a page", room)
    await anna.expect_text("bruno", "from a page", f"#{room}")
    carla.send(b"100 from lines\n")
    await anna.expect_text("carla", "from lines", f"#{room}")
    anna.say("to the lobby")
    await dora.expect_text("anna", "to the lobby")
    assert not any(room in it for it in dora.lines)
    carla.close()
    await anna.expect("QUIT", source="carla")
    assert not anna.got("PART")  # who quits is in no channel any more
    assert "carla" not in anna.channels[room].members
    await anna.part_room(room)
    await bruno.expect_event(frames.LeftEvent("anna"), room=room)
    anna.say("still here")
    await dora.expect_text("anna", "still here")
    await anna.answered()


async def test_what_is_asked_behind_a_join_is_answered_as_in_the_channel(house: IrcHouse) -> None:
    anna = await house.account("anna", 1)
    channel = f"#{house.room}"
    labels = [
        anna.ask_for(it)
        for it in (f"JOIN {channel}", f"WHO {channel}", "WHOIS anna", f"TOPIC {channel} :Tea")
    ]
    labels += [anna.ask_for(it) for it in (f"TOPIC {channel}-no :x", f"PART {channel}")]
    await anna.wait_for(lambda: anna.answers.keys() >= {*labels}, 60, "all answers")
    who, whois, topic, missing, part = (anna.answers[it] for it in labels[1:])
    assert who.commands == ["352", "315"]
    assert [it.text.strip() for it in whois.messages if it.command == "319"] == [
        f"{LOBBY} @{channel}"
    ]
    assert (topic.commands, missing.commands) == (["ACK"], ["403"])
    assert part.commands == ["PART"]
    assert [it.text for it in anna.got("TOPIC")] == ["Tea"]


async def test_who_is_away_is_known_to_who_shares_a_channel_alone(house: IrcHouse) -> None:
    anna, bruno = await house.irc("anna", 0, house.room), await house.irc("bruno", 1, house.room)
    carla = await house.irc("carla", 1)
    for client in (anna, carla):
        client.put(f"PART {LOBBY}")
        await client.expect("PART", LOBBY)
    bruno.put("AWAY :at lunch")
    assert (await anna.expect("AWAY", source="bruno")).text == "at lunch"
    await bruno.part_room(house.room)
    await bruno.join_room(house.room)
    await anna.expect("JOIN", f"#{house.room}", source="bruno")
    assert (await anna.expect("AWAY", source="bruno")).text == "at lunch"
    carla.put("PING :x")
    await carla.expect("PONG")
    assert not carla.got("AWAY")


async def test_what_was_promised_holds_in_rooms(house: IrcHouse) -> None:
    anna = await house.irc("anna", 0, house.room)
    bruno = await house.irc("bruno", 1, house.room)
    carla = await house.enter(BrowserClient, "carla", 1, house.room)
    for _ in range(20):
        for client in (anna, bruno, carla):
            client.say()
            client.say(room=house.room)
    for client in (anna, bruno, carla):
        await client.answered()
    for room in ("", house.room):  # each is a log of its own
        anna.say("last", room=room)
        for client in (bruno, carla):
            await hears(client, "anna", "last", room)
    await anna.answered()
    await assert_promises_kept([anna, bruno, carla])


async def test_several_channels_in_one_line_and_all_left_with_0(house: IrcHouse) -> None:
    one, two = f"#{house.room}", f"#{house.room}-b"
    bruno = await house.irc("bruno", 1, house.room)
    anna = await house.irc("anna")
    anna.put(f"JOIN {one},{two} key")
    rooms = {"", house.room, f"{house.room}-b"}
    await anna.wait_for(
        lambda: rooms == {*anna.channels} and all(it.is_listed for it in anna.channels.values()),
        60,
        "both, in any order",
    )
    anna.put(f"JOIN {one.upper()}", "PING :x")  # it is there already
    await anna.expect("PONG")
    assert len([it for it in anna.got("JOIN") if it.nickname == "anna"]) == 3
    anna.put(f"PART {one},{two} :bye")
    await anna.wait_for(lambda: {""} == {*anna.channels}, 60, "both to be left")
    await bruno.expect("PART", one, source="anna")
    await anna.join_room(house.room)
    anna.put("JOIN 0")
    await anna.expect("PART", one, source="anna")
    await bruno.expect("PART", one, source="anna")


async def test_the_lobby_is_left_and_joined_as_a_channel_and_one_stays_in_the_chat(
    house: IrcHouse,
) -> None:
    anna = await house.irc("anna")
    bruno = await house.irc("bruno", 1)
    await anna.part_room("")
    anna.put("PING :x")
    await anna.expect("PONG")
    bruno.say("not for her")
    bruno.whisper("anna", "but this")
    await anna.expect("PRIVMSG", "anna", "but this")
    assert not any("not for her" in it for it in anna.lines)
    assert "anna" in bruno.channels[""].members
    await anna.join_room("")
    assert {*anna.channels[""].members} == {"anna", "bruno"}
    bruno.say("for her again")
    await anna.expect_text("bruno", "for her again")
    assert not [it for it in bruno.got("JOIN") if it.nickname == "anna"]


async def test_why_one_does_not_come_in(house: IrcHouse) -> None:
    anna = await house.irc("anna", 0, house.room)
    assert (await anna.answer("JOIN #no;room")).commands == ["403"]
    assert (await anna.answer("JOIN noroom")).commands == ["403"]
    for more in "bc":
        await anna.join_room(f"{house.room}-{more}")
    assert (await anna.answer(f"JOIN #{house.room}-d")).commands == ["405"]
    assert (await anna.answer("PART #elsewhere")).commands[0] in ("403", "442")
    for number in range(3):
        await house.irc(f"guest-{number}", 1, house.room)
    late = await house.irc("late", 1)
    assert (await late.answer(f"JOIN #{house.room}")).commands == ["471"]


async def test_who_is_there(house: IrcHouse) -> None:
    room = f"#{house.room}"
    owner = await house.account("olga", 1, house.room)
    anna = await house.irc("anna", 0, house.room)
    await house.enter(ChatteClient, "bruno", 1)
    await anna.expect("JOIN", LOBBY, source="bruno")
    names = await anna.answer(f"NAMES {room}")
    assert names.commands == ["353", "366"]
    assert {it.partition("!")[0] for it in names.messages[0].text.split()} == {"@olga", "anna"}
    assert {*anna.channels[house.room].members} == {"olga", "anna"}
    assert anna.channels[house.room].members["olga"] == "@"
    everybody = (await anna.answer(f"NAMES {LOBBY}")).messages[0].text.split()
    assert {it.lstrip("@").partition("!")[0] for it in everybody} == {"olga", "anna", "bruno"}
    who = await anna.answer(f"WHO {room}")
    assert who.commands == ["352", "352", "315"]
    row = who.messages[0].params
    assert (row[1], row[3], row[5], row[6]) == (room, NETWORK, "olga", "H@")
    assert row[-1].split(" ", 1) == ["0", "olga"]
    found = (await anna.answer(f"WHO {room} %tcnfa,42")).messages[0]
    assert (found.command, found.params) == ("354", ("anna", "42", room, "olga", "H@", "olga"))
    whois = await anna.answer("WHOIS olga")
    by_number = {it.command: it for it in whois.messages}
    assert by_number["311"].params[1:4] == ("olga", "olga", NETWORK)
    assert room in by_number["319"].text and LOBBY in by_number["319"].text
    assert by_number["330"].params[1:3] == ("olga", "olga")
    assert whois.commands[-1] == "318"
    whois = await anna.answer("WHOIS nobody")
    assert whois.commands == ["401", "318"]
    assert (await anna.answer("ISON bruno nobody ANNA")).messages[0].text.lower().split() == [
        *("bruno", "anna"),
    ]
    (host,) = (await anna.answer("USERHOST bruno")).messages
    assert (host.command, host.text.strip()) == ("302", f"bruno=+bruno@{NETWORK}")
    lusers = await anna.answer("LUSERS")
    assert "251" in lusers.commands
    owner.close()


async def test_a_room_that_one_is_not_in_tells_nothing(house: IrcHouse) -> None:
    room = f"#{house.room}"
    await house.irc("bruno", 1, house.room)
    anna = await house.irc("anna")
    assert (await anna.answer(f"NAMES {room}")).commands == ["366"]
    assert (await anna.answer(f"WHO {room}")).commands == ["315"]
    whois = await anna.answer("WHOIS bruno")
    assert not any(room in it.line for it in whois.messages)
    (refused,) = (await anna.answer(f"PRIVMSG {room} :hi")).messages
    assert refused.command in ("403", "404")
    (refused,) = (await anna.answer(f"TOPIC {room} :mine")).messages
    assert refused.command in ("403", "442")


async def test_the_list_of_channels(house: IrcHouse) -> None:
    room = f"#{house.room}"
    anna = await house.account("anna", 0, house.room)
    anna.put(f"TOPIC {room} :coffee")
    await house.irc("bruno", 1, house.room)

    async def is_listed() -> bool:
        listed = await anna.answer("LIST")
        found = {it.params[1]: it.params[2:] for it in listed.messages if it.command == "322"}
        return found.get(room) == ("2", "coffee") and LOBBY in found

    await until(is_listed, 60, "the room, as of some seconds ago", every=0.2)


async def test_the_topic(house: IrcHouse) -> None:
    room = f"#{house.room}"
    anna = await house.account("anna", 0, house.room)
    bruno = await house.irc("bruno", 1, house.room)
    carla = await house.enter(BrowserClient, "carla", 1, house.room)
    assert (await bruno.answer(f"TOPIC {room}")).commands == ["331"]
    (refused,) = (await bruno.answer(f"TOPIC {room} :mine")).messages
    assert refused.command == "482"
    anna.put(f"TOPIC {room} :caffè alle 5")
    for client in (anna, bruno):
        await client.expect("TOPIC", room, "caffè alle 5", source="anna")
    await carla.expect_event(frames.TopicEvent("caffè alle 5", "anna"), room=house.room)
    told = await bruno.answer(f"TOPIC {room}")
    assert told.messages[0].params[1:] == (room, "caffè alle 5")
    late = await house.irc("late", 1, house.room)
    assert late.channels[house.room].topic == "caffè alle 5"
    anna.put(f"TOPIC {room} :")
    await bruno.expect("TOPIC", room, "")


async def test_a_kick(house: IrcHouse) -> None:
    room = f"#{house.room}"
    anna = await house.account("anna", 0, house.room)
    bruno = await house.irc("bruno", 1, house.room)
    carla = await house.irc("carla", 1, house.room)
    dora = await ChatteClient.enter_chat(port(house.nodes[1], ChatteClient), f"dora@{house.room}")
    house.guests.append(dora)
    await anna.expect("JOIN", room, source="dora")
    assert (await bruno.answer(f"KICK {room} carla")).commands == ["482"]
    assert (await anna.answer(f"KICK {room} nobody")).commands[0] in ("401", "441")
    anna.put(f"KICK {room} BRUNO :too loud")
    for client in (anna, bruno, carla):
        kicked = await client.expect("KICK", room, source=None if client is bruno else "anna")
        assert (kicked.params[1].lower(), kicked.text) == ("bruno", "too loud")
    await dora.expect_line("151 bruno just left the chat")
    assert not [it for it in carla.got("PART") if it.nickname == "bruno"]
    bruno.say("still in the lobby")
    for client in (anna, carla):
        await client.expect_text("bruno", "still in the lobby")
    await bruno.join_room(house.room)
    for client in (anna, carla):
        await client.expect("JOIN", room, source="bruno")
    await dora.expect_line("150 bruno just join to the chat")
    await assert_promises_kept([anna, bruno, carla, dora])


async def test_a_mute(house: IrcHouse) -> None:
    room = f"#{house.room}"
    anna = await house.account("anna", 0, house.room)
    bruno = await house.irc("bruno", 1, house.room)
    assert (await bruno.answer(f"MODE {room} +q anna")).commands == ["482"]
    anna.put(f"MODE {room} +q bruno")
    for client in (anna, bruno):
        mode = await client.expect("MODE", room, "+q", source="anna")
        assert mode.params[2].startswith("bruno")
    refused = await bruno.answer(f"PRIVMSG {room} :may I?")
    assert refused.commands[0] == "404"
    assert (await bruno.answer(f"PRIVMSG {LOBBY} :there I may")).commands == ["PRIVMSG"]
    anna.put(f"MODE {room} -q bruno!*@*")
    await bruno.expect("MODE", room, "-q", source="anna")
    assert (await bruno.answer(f"PRIVMSG {room} :again")).commands == ["PRIVMSG"]
    assert not any("may I?" in it for it in anna.lines)


async def test_accounts_only_and_outsiders(house: IrcHouse) -> None:
    room = f"#{house.room}"
    anna = await house.account("anna", 0, house.room)
    bruno = await house.irc("bruno", 1, house.room)
    carla = await house.irc("carla", 1)
    anna.put(f"MODE {room} +m")
    await bruno.expect("MODE", room, "+m", source="anna")
    assert (await bruno.answer(f"PRIVMSG {room} :may I?")).commands[0] == "404"
    assert (await anna.answer(f"PRIVMSG {room} :I may")).commands == ["PRIVMSG"]
    shown = (await bruno.answer(f"MODE {room}")).messages[0]
    assert shown.command == "324" and "m" in shown.params[2] and "n" in shown.params[2]
    anna.put(f"MODE {room} -m")
    await bruno.expect("MODE", room, "-m", source="anna")
    assert (await bruno.answer(f"PRIVMSG {room} :thanks")).commands == ["PRIVMSG"]
    assert (await carla.answer(f"PRIVMSG {room} :may I?")).commands[0] in ("403", "404")
    anna.put(f"MODE {room} -n")
    await bruno.expect("MODE", room, "-n", source="anna")
    carla.put(f"PRIVMSG {room} :from outside")
    await bruno.expect_text("carla", "from outside", room)
    anna.put(f"MODE {room} +n")
    await bruno.expect("MODE", room, "+n", source="anna")
    assert (await carla.answer(f"PRIVMSG {room} :again?")).commands[0] in ("403", "404")


async def test_moderators_are_named_and_dismissed(house: IrcHouse) -> None:
    room = f"#{house.room}"
    anna = await house.account("anna", 0, house.room)
    bruno = await house.account("bruno", 1, house.room)
    carla = await house.irc("carla", 1, house.room)
    assert (await anna.answer(f"MODE {room} +o carla")).commands[-1] not in ("MODE", "ACK")
    anna.put(f"MODE {room} +o bruno")
    for client in (anna, bruno, carla):
        await client.expect("MODE", room, "+o", "bruno", source="anna")
    assert carla.channels[house.room].members["bruno"] == "@"
    bruno.put(f"TOPIC {room} :by bruno")
    await carla.expect("TOPIC", room, "by bruno", source="bruno")
    late = await house.irc("late", 0, house.room)
    assert late.channels[house.room].members["bruno"] == "@"
    anna.put(f"MODE {room} -o bruno")
    await carla.expect("MODE", room, "-o", "bruno", source="anna")
    assert (await bruno.answer(f"TOPIC {room} :again")).commands == ["482"]


async def test_a_message_is_withdrawn(house: IrcHouse) -> None:
    room = f"#{house.room}"
    anna = await house.account("anna", 0, house.room)
    bruno = await house.irc("bruno", 1, house.room)
    plain = await house.enter(PlainIrcClient, "plain", 1, house.room)
    carla = await house.enter(BrowserClient, "carla", 1, house.room)
    bruno.say("quinces", house.room)
    said = await anna.expect_text("bruno", "quinces", room)
    msgid = said.tags["msgid"]
    failed = (await bruno.answer(f"REDACT {room} {msgid}")).messages[0]
    assert failed.params[:2] == ("REDACT", "REDACT_FORBIDDEN")
    failed = (await anna.answer(f"REDACT {room} no-such-id")).messages[0]
    assert failed.params[:2] == ("REDACT", "UNKNOWN_MSGID")
    anna.put(f"REDACT {room} {msgid} :not here")
    for client in (anna, bruno):
        await client.expect("REDACT", room, msgid, source="anna")
    await plain.expect("NOTICE", room)
    await carla.wait_for(
        lambda: any(
            isinstance(it.event, frames.RedactedEvent) for it in carla.rooms[house.room].events
        ),
        60,
        "the mark",
    )
    past = await bruno.answer(f"CHATHISTORY LATEST {room} * 10")
    assert not any("quinces" in it.text for it in past.messages)


async def test_what_operators_do_in_a_room(house: IrcHouse) -> None:
    room, admin = f"#{house.room}", house.admin
    anna = await house.irc("anna", 0, house.room)
    bruno = await house.irc("bruno", 1, house.room)
    assert (await admin("say", "--room", house.room, "maintenance at 5")).status == 0
    for client in (anna, bruno):
        await client.expect("NOTICE", room, "maintenance at 5", source=NETWORK)
    await admin.json("topic", "--room", house.room, "releases")
    await anna.expect("TOPIC", room, "releases", source=NETWORK)
    await admin.json("mute", "bruno", "--room", house.room, "--reason", "spam")
    await anna.expect("MODE", room, "+q", source=NETWORK)
    assert (await bruno.answer(f"PRIVMSG {room} :x")).commands[0] == "404"
    await admin.json("unmute", "bruno", "--room", house.room)
    await anna.expect("MODE", room, "-q", source=NETWORK)
    await admin.json("slow", "30", "--room", house.room)
    await anna.expect("NOTICE", room, test=lambda it: "30" in it.text)
    await admin.json("slow", "0", "--room", house.room)
    await anna.expect("NOTICE", room)
    await admin.json("kick", "bruno", "--room", house.room, "--reason", "too loud")
    await bruno.expect("KICK", room, "bruno", source=NETWORK)
    await anna.expect("KICK", room, "bruno", source=NETWORK)
    assert not bruno.closed


async def test_what_operators_do_in_the_chat(house: IrcHouse) -> None:
    anna = await house.irc("anna")
    bruno = await house.irc("bruno", 1)
    carla = await house.enter(ChatteClient, "carla", 1)
    assert (await house.admin("say", "to everybody")).status == 0
    await anna.expect("NOTICE", LOBBY, "to everybody", source=NETWORK)
    await house.admin.json("kick", "bruno", "--reason", "too loud")
    await bruno.expect("ERROR")
    await bruno.disconnected()
    assert any("too loud" in it for it in bruno.lines)
    await carla.expect_line("151 bruno just left the chat")
    await anna.wait_for(lambda: "bruno" not in anna.channels[""].members, 60, "his going")
    await house.admin.json("ban", "anna", "--for", "2h")
    await anna.expect("ERROR")
    await anna.disconnected()
    again = await house.ask(IrcClient, "anna")
    assert not again.welcomed


async def test_a_moderator_of_the_lobby(house: IrcHouse) -> None:
    anna = await house.account("anna")
    bruno = await house.irc("bruno", 1)
    assert (await anna.answer(f"TOPIC {LOBBY} :mine")).commands == ["482"]
    await house.admin.json("moderator", "add", "anna")
    for client in (anna, bruno):
        await client.expect("MODE", LOBBY, "+o", "anna")
    anna.put(f"TOPIC {LOBBY} :welcome all")
    await bruno.expect("TOPIC", LOBBY, "welcome all", source="anna")
    anna.put(f"KICK {LOBBY} bruno :out")
    await bruno.disconnected()
    assert bruno.got("KICK") or bruno.got("ERROR")
    await anna.wait_for(lambda: "bruno" not in anna.channels[""].members, 60, "his going")
    assert len(anna.got("KICK")) == 1
    again = await house.ask(IrcClient, "anna2", node=1)
    assert again.channels[""].topic == "welcome all"
    anna.put(f"TOPIC {LOBBY} :")
    await again.expect("TOPIC", LOBBY, "")
    await house.admin.json("moderator", "remove", "anna")
    await again.expect("MODE", LOBBY, "-o", "anna")
    assert SECRET not in "".join(again.lines)
