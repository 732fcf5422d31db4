"""What is said by irc and to irc on two nodes, with every other dialect. Source: docs/protocols/irc.md."""

import itertools
import re
from collections.abc import AsyncIterator, Iterator

import pytest

from harness import browser_frames as frames
from harness.browser_client import BrowserClient
from harness.chatte_client import UNKNOWN, ChatteClient
from harness.irc_client import LOBBY, NETWORK, IrcClient, PlainIrcClient, joined_texts
from harness.irc_house import (
    OTHERS,
    IrcHouse,
    everybody_leaves,
    hears,
    hears_alone,
    running_nodes,
)
from harness.load import assert_promises_kept, settle
from harness.node import Node
from harness.redis_server import RedisServer

pytestmark = pytest.mark.slow

_rooms = itertools.count(1)
ACCENTS = "perché è già là, señor: ¿qué? € 漢字 👋🏽"
LONG = "".join(f"{number:04d} è già là, 漢 " for number in range(185))
"""As long as a text may be, with signs of one to three bytes."""
IN_ISO = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
each_other = pytest.mark.parametrize("kind", OTHERS, ids=["chatte", "protocollo", "browser"])
each_irc = pytest.mark.parametrize("irc", [IrcClient, PlainIrcClient], ids=["ircv3", "plain"])


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[Node], RedisServer]]:
    with running_nodes(tmp_path_factory.mktemp("nodes"), history=0) as both:
        yield both


@pytest.fixture
async def house(nodes: tuple[list[Node], RedisServer]) -> AsyncIterator[IrcHouse]:
    house = IrcHouse(*nodes, f"ops-{next(_rooms)}")
    yield house
    await everybody_leaves(house)


@each_irc
@each_other
async def test_both_ways_with_every_other_dialect(
    house: IrcHouse, kind: type[ChatteClient], irc: type[IrcClient]
) -> None:
    anna = await house.enter(irc, "anna")
    other = await house.enter(kind, "bruno", 1)
    await anna.expect("JOIN", LOBBY, source="bruno")
    for speaker, reader in ((anna, other), (other, anna)):
        speaker.say(ACCENTS)
        await hears(reader, speaker.nickname, ACCENTS)
        speaker.whisper(reader.nickname, f"psst {ACCENTS}")
        await hears_alone(reader, speaker.nickname, f"psst {ACCENTS}")
    other.close()
    await anna.expect("QUIT", source="bruno")
    anna.say("alone")
    if irc is IrcClient:
        await anna.answered()
        await settle([anna])
        await assert_promises_kept([anna, other])


@each_other
async def test_coming_and_going_of_irc_in_every_other_dialect(
    house: IrcHouse, kind: type[ChatteClient]
) -> None:
    other = await house.enter(kind, "bruno", 1)
    anna = await house.irc("anna")
    await anna.expect("353", "anna", None, LOBBY)
    assert "bruno" in anna.channels[""].members
    anna.leave()
    if isinstance(other, BrowserClient):
        await other.expect_event(frames.JoinedEvent("anna"))
        await other.expect_event(frames.LeftEvent("anna"))
    else:
        await other.wait_for(
            lambda: sum("anna" in it for it in other.lines) == 2, 60, "her coming and going"
        )


async def test_a_text_of_four_thousand_bytes_is_read_whole(house: IrcHouse) -> None:
    assert 4000 < len(LONG.encode()) <= 4096
    anna = await house.irc("anna")
    plain = await house.enter(PlainIrcClient, "plain")
    bruno = await house.enter(BrowserClient, "bruno", 1)
    carla = await house.enter(ChatteClient, "carla", 1)
    bruno.say(LONG)
    await hears(carla, "bruno", LONG)
    bruno.say("the end")
    await plain.expect_text("bruno", "the end")
    read = [it for it in plain.got("PRIVMSG") if it.nickname == "bruno"][:-1]
    assert joined_texts(read) == LONG
    assert len(read) > 8
    await anna.expect_text("bruno", "the end")
    if "draft/multiline" in anna.capabilities:
        anna.say(LONG)  # in a batch: it is one text
        await hears(carla, "anna", LONG)
        await hears(bruno, "anna", LONG)
        await anna.answered()


async def test_a_text_of_four_thousand_bytes_in_private(house: IrcHouse) -> None:
    anna = await house.enter(PlainIrcClient, "anna")
    bruno = await house.enter(BrowserClient, "bruno", 1)
    bruno.whisper("anna", LONG)
    bruno.whisper("anna", "the end")
    await anna.expect("PRIVMSG", "anna", "the end", source="bruno")
    read = [it for it in anna.got("PRIVMSG") if it.nickname == "bruno"][:-1]
    assert joined_texts(read) == LONG


async def test_lines_of_a_text_are_lines_or_one_batch(house: IrcHouse) -> None:
    anna = await house.irc("anna")
    plain = await house.enter(PlainIrcClient, "plain")
    bruno = await house.enter(BrowserClient, "bruno", 1)
    bruno.say("one\ntwo\nthree")
    for text in ("one", "two", "three"):
        await plain.expect_text("bruno", text)
    if "draft/multiline" in anna.capabilities:
        await anna.wait_for(lambda: any("three" in it for it in anna.lines), 60, "it")
        bruno.say("end")
        await anna.expect_text("bruno", "end")
        assert any(getattr(it, "text", "") == "one\ntwo\nthree" for it in anna.history.records), (
            anna.describe()
        )
        anna.say("a\nb")
        await bruno.expect_event(frames.SaidEvent("anna", "a\nb"))


async def test_a_text_is_divided_where_its_sender_did(house: IrcHouse) -> None:
    """On the other node as well, and in ``irc`` alone."""
    anna, bruno = await house.irc("anna"), await house.irc("bruno", 1)
    plain = await house.enter(PlainIrcClient, "plain", 1)
    carla = await house.enter(ChatteClient, "carla", 1)
    lines = (":", ":how is ", ":everyone?")
    concat = "draft/multiline-concat"
    for target in (LOBBY, "bruno"):
        tags = ("", "", f";{concat}")
        parts = [
            f"@batch=1{tag} PRIVMSG {target} {line}" for tag, line in zip(tags, lines, strict=True)
        ]
        anna.put(f"BATCH +1 draft/multiline {target}", *parts, "BATCH -1")
        await bruno.expect("PRIVMSG", target, "everyone?", source="anna")
    read = [it for it in bruno.got("PRIVMSG") if it.nickname == "anna"]
    assert [it.text for it in read] == ["", "how is ", "everyone?"] * 2
    assert [concat in it.tags for it in read] == [False, False, True] * 2
    assert len({it.tags["batch"] for it in read}) == 1
    await plain.expect_text("anna", "how is ")
    await plain.expect_text("anna", "everyone?")
    await hears(carla, "anna", "how is everyone?")


async def test_what_one_says_comes_back_with_its_label(house: IrcHouse) -> None:
    anna = await house.irc("anna")
    bruno = await house.irc("bruno", 1)
    (copy,) = (await anna.answer(f"PRIVMSG {LOBBY} :to all")).messages
    read = await bruno.expect_text("anna", "to all")
    assert (copy.command, copy.params) == ("PRIVMSG", (LOBBY, "to all"))
    assert copy.tags["msgid"] == read.tags["msgid"]
    assert copy.source == read.source
    (copy,) = (await anna.answer("PRIVMSG bruno :to you")).messages
    private = await bruno.expect("PRIVMSG", "bruno", "to you")
    assert copy.tags["msgid"] == private.tags["msgid"]
    assert (copy.command, copy.params) == ("PRIVMSG", ("bruno", "to you"))
    for it in (read, private):
        assert re.fullmatch(IN_ISO, it.tags["time"])
    assert "label" not in read.tags
    assert len([it for it in anna.got("PRIVMSG") if it.text == "to all"]) == 1


async def test_a_message_has_one_id_for_all_and_it_is_of_the_log(house: IrcHouse) -> None:
    anna, bruno = await house.irc("anna"), await house.irc("bruno", 1)
    browser = await house.enter(BrowserClient, "carla", 1)
    anna.say("id")
    one, two = [await it.expect_text("anna", "id") for it in (anna, bruno)]
    assert one.tags["msgid"] == two.tags["msgid"]
    await browser.expect_event(frames.SaidEvent("anna", "id"))
    where = browser.events[-1]
    assert one.tags["msgid"].startswith(f"{where.epoch}-{where.offset}-")
    anna.say("id")
    assert (await bruno.expect_text("anna", "id")).tags["msgid"] != two.tags["msgid"]


async def test_who_has_no_capability_reads_no_tag_and_nothing_of_its_own(house: IrcHouse) -> None:
    anna = await house.enter(PlainIrcClient, "anna")
    bruno = await house.irc("bruno", 1)
    anna.say("mine")
    await bruno.expect_text("anna", "mine")
    bruno.say("yours")
    await anna.expect_text("bruno", "yours")
    assert not any(it.startswith("@") for it in anna.lines)
    assert not [it for it in anna.got("PRIVMSG") if it.nickname == "anna"]


async def test_labels_of_every_kind(house: IrcHouse) -> None:
    anna = await house.irc("anna")
    assert (await anna.answer("PING :x")).commands == ["PONG"]
    whois = await anna.answer("WHOIS anna")
    assert (whois.kind, whois.commands[0], whois.commands[-1]) == ("labeled-response", "311", "318")
    assert (await anna.answer("PONG :x")).commands == ["ACK"]
    assert (await anna.answer("NOSUCH")).commands == ["421"]
    assert (await anna.answer("PRIVMSG nobody :x")).commands == ["401"]
    joined = await anna.answer(f"JOIN #{house.room}")
    assert joined.commands[0] == "JOIN" and joined.commands[-1] == "366"
    assert (await anna.answer(f"PART #{house.room}")).commands == ["PART"]
    assert (await anna.answer("AWAY :out")).commands[0] == "306"


async def test_many_answers_come_in_the_order_of_what_was_asked(house: IrcHouse) -> None:
    anna = await house.irc("anna")
    await house.irc("bruno", 1)
    labels = []
    for number in range(20):
        labels.append(anna.ask_for(f"PRIVMSG {LOBBY} :{number}"))
        labels.append(anna.ask_for(f"PRIVMSG bruno :{number}"))
        labels.append(anna.ask_for(f"PRIVMSG nobody :{number}"))
        labels.append(anna.ask_for("WHOIS bruno"))
        labels.append(anna.ask_for(f"PING :{number}"))
    await anna.wait_for(lambda: len(anna.answers) == len(labels), 60, "all answers")
    private = [it for it in anna.answers if "bruno" in anna.answers[it].messages[0].params]
    assert private == [it for it in labels if it in private]
    assert len(private) == 40


@each_other
async def test_nobody_is_401(house: IrcHouse, kind: type[ChatteClient]) -> None:
    anna = await house.enter(PlainIrcClient, "anna")
    anna.whisper("nobody")
    await anna.expect("401", "anna", "nobody", source=NETWORK)
    anna.put("PRIVMSG not!a!nick :x")
    await anna.expect("401", "anna")
    anna.put("PRIVMSG #nowhere :x")
    assert (await anna.expect("404", "anna", "#nowhere")).text
    other = await house.enter(kind, "other", 1)
    await anna.expect("JOIN", source="other")
    anna.whisper("OTHER", "any case")
    await hears_alone(other, "anna", "any case")


async def test_a_line_has_one_recipient(house: IrcHouse) -> None:
    anna = await house.irc("anna")
    bruno = await house.irc("bruno", 1)
    assert any("PRIVMSG:1" in it.line for it in anna.got("005"))
    anna.put(f"PRIVMSG bruno,{LOBBY} :both", "PING :x")
    await anna.expect("407", "anna")
    await anna.expect("PONG")
    anna.whisper("bruno", "alone")
    await hears_alone(bruno, "anna", "alone")
    assert not any("both" in it for it in bruno.lines)


async def test_a_notice_is_one_in_irc_and_a_message_to_the_others(house: IrcHouse) -> None:
    anna, carla = await house.irc("anna"), await house.irc("carla", 1)
    bruno = await house.enter(ChatteClient, "bruno", 1)
    anna.put(f"NOTICE {LOBBY} :noted", "NOTICE bruno :noted too", "NOTICE nobody :x")
    anna.put("NOTICE carla :noted as well")
    await bruno.expect_line("100 anna noted")
    await bruno.expect_line("102 anna noted too")
    for text, target in (("noted", LOBBY), ("noted as well", "carla")):
        assert (await carla.expect("NOTICE", target, text, source="anna")).params[0] == target
    copy = await anna.expect("NOTICE", "carla", "noted as well", source="anna")
    assert copy.tags["msgid"] == carla.got("NOTICE")[-1].tags["msgid"]
    assert not carla.got("PRIVMSG")


async def test_an_action_and_colours_are_text_to_the_others(house: IrcHouse) -> None:
    anna = await house.irc("anna")
    bruno = await house.enter(ChatteClient, "bruno", 1)
    anna.put(
        f"PRIVMSG {LOBBY} :\x01ACTION waves\x01",
        f"PRIVMSG {LOBBY} :\x0304,01red\x03 \x02bold\x02 \x1ditalic\x0f plain",
        f"PRIVMSG {LOBBY} :\x01VERSION\x01",
        f"PRIVMSG {LOBBY} :end",
    )
    for text in ("* waves", "red bold italic plain", "end"):
        line = await bruno.expect_line(lambda it: it.startswith("100 "))
        assert line == f"100 anna {text}"


async def test_what_is_not_utf_8_harms_nobody(house: IrcHouse) -> None:
    anna = await house.enter(PlainIrcClient, "anna")
    bruno = await house.enter(ChatteClient, "bruno", 1)
    anna.send(b"PRIVMSG #lobby :caff\xe8\r\nPRIVMSG #lobby :end\r\n")
    line = await bruno.expect_line(lambda it: it.startswith("100 "))
    assert line in ("100 anna caffè", "100 anna end")
    anna.put("PING :x")
    await anna.expect("PONG")
    assert line == "100 anna caffè" or anna.got("FAIL") or anna.got("NOTICE")


async def test_who_is_away_says_so_once_asked_or_written_to(house: IrcHouse) -> None:
    anna = await house.irc("anna")
    bruno = await house.irc("bruno", 1)
    anna.put("AWAY :tomorrow again")
    await anna.expect("306", "anna")
    assert (await bruno.expect("AWAY", source="anna")).text == "tomorrow again"
    bruno.whisper("anna", "are you there?")
    await bruno.expect("301", "bruno", "anna", "tomorrow again")
    await anna.expect("PRIVMSG", "anna", "are you there?")
    whois = await bruno.answer("WHOIS anna")
    assert ("301", "tomorrow again") in [(it.command, it.text) for it in whois.messages]
    who = await bruno.answer("WHO anna")
    assert who.messages[0].params[6].startswith("G")
    late = await house.irc("late", 1)
    whois = await late.answer("WHOIS anna")
    assert "301" in whois.commands
    anna.put("AWAY")
    await anna.expect("305", "anna")
    assert (await bruno.expect("AWAY", source="anna")).params == ()
    assert "301" not in (await bruno.answer("WHOIS anna")).commands


async def test_a_whisper_that_could_not_be_delivered_comes_back(house: IrcHouse) -> None:
    anna = await house.irc("anna")
    gone = await house.enter(BrowserClient, "gone", 1)
    await anna.expect("JOIN", source="gone")
    gone.close()
    await anna.expect("QUIT", source="gone")
    anna.whisper("gone", "too late")
    await anna.expect("401", "anna", "gone")
    chatte = await house.enter(ChatteClient, "chatte", 1)
    chatte.whisper("gone")
    await chatte.expect_line(UNKNOWN)


async def test_tags_of_clients_are_read_by_clients_that_have_asked(house: IrcHouse) -> None:
    """Typing, a reaction and an answer pass over two nodes; nobody else reads anything of it."""
    anna, bruno = await house.irc("anna", 0, house.room), await house.irc("bruno", 1, house.room)
    plain = await house.enter(PlainIrcClient, "carla", 1, house.room)
    others = [await house.enter(kind, f"other-{kind.__name__}", 1) for kind in OTHERS]
    channel = f"#{house.room}"
    for target, where in ((channel, channel), (LOBBY, LOBBY), ("bruno", "bruno")):
        anna.put(f"@+typing=active TAGMSG {target}")
        message = await bruno.expect("TAGMSG", where, source="anna")
        assert message.tags["+typing"] == "active"
    anna.put(f"@+typing=active TAGMSG {plain.nickname}")
    for other in others:
        anna.put(f"@+typing=active TAGMSG {other.nickname}")
    anna.put(f"@+draft/reply=a-1-0;+a=b\\sc PRIVMSG {LOBBY} :yes")
    message = await bruno.expect_text("anna", "yes", LOBBY)
    assert (message.tags["+draft/reply"], message.tags["+a"]) == ("a-1-0", "b c")
    await plain.expect_text("anna", "yes", LOBBY)
    for other in others:
        await hears(other, "anna", "yes")
        anna.whisper(other.nickname, "last")
        await hears_alone(other, "anna", "last")
    assert not any("typing" in it for other in others for it in other.lines)
    assert not [it for it in plain.messages if it.command == "TAGMSG" or it.tags]
