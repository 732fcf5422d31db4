"""How one comes in by irc on two nodes: registration, capabilities, proofs. Source: docs/protocols/irc.md."""

import base64
import itertools
import re
from collections.abc import AsyncIterator, Iterator

import pytest

from harness.chatte_client import ChatteClient
from harness.irc_client import LOBBY, NETWORK, IrcClient, PlainIrcClient
from harness.irc_house import OTHERS, SECRET, IrcHouse, everybody_leaves, running_nodes
from harness.node import Node
from harness.redis_server import RedisServer

pytestmark = pytest.mark.slow

_rooms = itertools.count(1)
OFFERED = {
    *("message-tags", "server-time", "echo-message", "labeled-response", "batch", "account-tag"),
    *("account-notify", "extended-join", "multi-prefix", "userhost-in-names", "away-notify"),
    *("standard-replies", "sasl", "draft/chathistory", "draft/message-redaction"),
    *("draft/account-registration", "cap-notify"),
}
each_other = pytest.mark.parametrize("kind", OTHERS, ids=["chatte", "protocollo", "browser"])


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[Node], RedisServer]]:
    with running_nodes(tmp_path_factory.mktemp("nodes")) as both:
        yield both


@pytest.fixture
async def house(nodes: tuple[list[Node], RedisServer]) -> AsyncIterator[IrcHouse]:
    house = IrcHouse(*nodes, f"ops-{next(_rooms)}")
    yield house
    await everybody_leaves(house)


async def test_who_comes_is_told_where_it_is(house: IrcHouse) -> None:
    anna = await house.enter(PlainIrcClient, "Anna")
    for number in ("001", "002", "003", "004", "005"):
        told = await anna.expect(number, "Anna", source=NETWORK)
    assert told.text.endswith("supported by this server")
    tokens = {it for line in anna.got("005") for it in line.params[1:-1]}
    assert {"CASEMAPPING=ascii", "CHANTYPES=#", "PREFIX=(o)@", "NICKLEN=32", "UTF8ONLY"} <= tokens
    assert f"NETWORK={NETWORK}" in tokens
    order = [it.command for it in anna.messages]
    assert order.index("JOIN") > max(order.index(it) for it in order if it in ("376", "422"))
    joined = await anna.expect("JOIN", LOBBY)
    assert joined.source.startswith("Anna!") and joined.source.endswith(f"@{NETWORK}")
    listed = await anna.expect("353", "Anna", None, LOBBY)
    assert listed.text.split() == ["Anna"]
    await anna.expect("366", "Anna", LOBBY)


async def test_what_is_offered(house: IrcHouse) -> None:
    anna = await house.connect(IrcClient)
    assert await anna.enter("anna")
    assert {*anna.offered} >= OFFERED
    assert anna.offered["sasl"].split(",")[0] == "PLAIN"
    assert anna.capabilities == {*anna.wanted} & {*anna.offered}
    anna.put("CAP LIST")
    listed = await anna.expect("CAP", None, "LIST")
    assert {*listed.text.split()} >= anna.capabilities


async def test_a_capability_that_is_not_there_is_refused_with_all_that_was_asked(
    house: IrcHouse,
) -> None:
    anna = await house.connect(PlainIrcClient)
    anna.put("CAP LS 302", "CAP REQ :server-time no-such-thing", "CAP LIST")
    refused = await anna.expect("CAP", "*", "NAK")
    assert refused.text.split() == ["server-time", "no-such-thing"]
    # A client of 302 has cap-notify without asking.
    assert (await anna.expect("CAP", "*", "LIST")).text in ("", "cap-notify")


async def test_who_negotiates_is_not_let_in_before_the_end(house: IrcHouse) -> None:
    anna = await house.connect(PlainIrcClient)
    anna.put("CAP LS 302", "NICK anna", "USER anna 0 * :Anna", "PING :still there")
    await anna.expect("PONG", None, "still there")
    assert not anna.got("001")
    anna.put("CAP END")
    await anna.expect("001", "anna")


async def test_capabilities_change_on_the_way(house: IrcHouse) -> None:
    anna = await house.enter(PlainIrcClient, "anna")
    bruno = await house.irc("bruno", 1)
    bruno.say("without")
    assert not (await anna.expect_text("bruno", "without")).tags
    anna.put("CAP REQ :server-time")
    await anna.expect("CAP", "anna", "ACK")
    bruno.say("with")
    assert {*(await anna.expect_text("bruno", "with")).tags} == {"time"}
    anna.put("CAP REQ :-server-time")
    await anna.expect("CAP", "anna", "ACK")
    bruno.say("without again")
    assert not (await anna.expect_text("bruno", "without again")).tags


@each_other
async def test_a_nickname_in_use_is_433_and_another_one_may_follow(
    house: IrcHouse, kind: type[ChatteClient]
) -> None:
    await house.enter(kind, "anna", 1)
    second = await house.connect(IrcClient)
    assert not await second.enter("ANNA")
    await second.expect("433", "*", "ANNA")
    assert await second.enter("annika")
    third = await house.connect(kind, 1)
    assert not await third.enter("Annika")


@pytest.mark.parametrize("nickname", ["G", "stop", "ñandú", "a!b", "x" * 33])
async def test_a_nickname_that_nobody_may_have_is_432(house: IrcHouse, nickname: str) -> None:
    anna = await house.connect(IrcClient)
    assert not await anna.enter(nickname)
    assert anna.got("432")
    assert await anna.enter("anna")


async def test_what_is_answered_to_who_is_not_in_yet(house: IrcHouse) -> None:
    anna = await house.connect(PlainIrcClient)
    for line, number in (
        ("PRIVMSG bruno :hi", "451"),
        ("JOIN #ops", "451"),
        ("NICK", "431"),
        ("USER anna", "461"),
    ):
        anna.put(line)
        await anna.expect(number, "*")
    assert await anna.enter("anna")


async def test_what_is_answered_to_who_is_in(house: IrcHouse) -> None:
    anna = await house.enter(PlainIrcClient, "anna")
    for line, number in (
        ("USER anna 0 * :Anna", "462"),
        ("PASS secret", "462"),
        ("NICK annika", "447"),
        ("JUMP high", "421"),
        ("JOIN", "461"),
        ("PRIVMSG", "411"),
        ("PRIVMSG #lobby", "412"),
        ("AUTHENTICATE PLAIN", "462"),
    ):
        anna.put(line)
        told = await anna.expect(number, "anna", source=NETWORK)
        assert "Anna" not in told.text
    anna.put("PING :here")
    await anna.expect("PONG", NETWORK, "here")


async def test_a_line_that_is_too_long_is_417_and_the_next_one_is_read(house: IrcHouse) -> None:
    anna = await house.enter(PlainIrcClient, "anna")
    anna.put(f"PRIVMSG #lobby :{'x' * 600}", "PING :next")
    await anna.expect("417", "anna")
    await anna.expect("PONG", None, "next")


async def test_lines_in_any_split_and_with_lf_alone(house: IrcHouse) -> None:
    anna = await house.connect(PlainIrcClient)
    bruno = await house.irc("bruno", 1)
    for byte in b"nick anna\nuser anna 0 * :Anna\n\r\nprivmsg #LOBBY :split\n":
        anna.send(bytes([byte]))
    await bruno.expect_text("anna", "split")


async def test_an_account_is_proved_with_sasl(house: IrcHouse) -> None:
    (await house.account("anna")).close()
    bruno = await house.irc("bruno", 1)
    again = await house.connect(IrcClient, 1)
    again.sasl = ("anna", SECRET)
    assert await again.enter("anna")
    assert again.got("900")[0].params[2] == "anna"
    assert again.got("903")
    joined = await bruno.expect("JOIN", LOBBY, source="anna")
    assert joined.params[1] == "anna"  # extended-join: the account
    again.say("it is me")
    assert (await bruno.expect_text("anna", "it is me")).tags["account"] == "anna"


async def test_who_proves_to_be_an_account_comes_under_its_nickname(house: IrcHouse) -> None:
    (await house.account("anna")).close()
    again = await house.connect(IrcClient)
    again.sasl = ("anna", SECRET)
    assert await again.enter("somebody")
    assert again.nickname == "anna"
    assert (await again.expect("001")).target == "anna"


async def test_a_wrong_password_by_sasl_is_904_and_the_nickname_stays_taken(
    house: IrcHouse,
) -> None:
    (await house.account("anna")).close()
    thief = await house.connect(IrcClient)
    thief.sasl = ("anna", "guessed")
    assert not await thief.enter("anna")
    assert thief.got("904") and not thief.got("900") and thief.got("433")
    assert await thief.enter("annika")


async def test_what_is_wrong_with_a_proof_is_told(house: IrcHouse) -> None:
    anna = await house.connect(PlainIrcClient)
    anna.put("CAP LS 302", "CAP REQ :sasl")
    await anna.expect("CAP", "*", "ACK")
    anna.put("AUTHENTICATE SCRAM-SHA-256")
    assert "PLAIN" in (await anna.expect("908", "*")).params[1]
    anna.put("AUTHENTICATE PLAIN")
    await anna.expect("AUTHENTICATE", "+")
    anna.put("AUTHENTICATE *")
    await anna.expect("906", "*")
    anna.put("AUTHENTICATE PLAIN", f"AUTHENTICATE {'x' * 401}")
    await anna.expect("905", "*")
    anna.put("AUTHENTICATE PLAIN", "AUTHENTICATE %%%")
    await anna.expect("904", "*")
    proof = base64.b64encode(b"\0anna\0nothing").decode()
    anna.put("AUTHENTICATE PLAIN", f"AUTHENTICATE {proof}")
    await anna.expect("904", "*")
    anna.put("CAP END", "NICK anna", "USER anna 0 * :Anna")
    await anna.expect("001", "anna")


async def test_an_account_is_proved_with_pass(house: IrcHouse) -> None:
    (await house.account("anna")).close()
    guest = await house.ask(PlainIrcClient, "anna")
    assert guest.refused and guest.got("433")
    wrong = await house.ask(PlainIrcClient, "anna", "guessed", 1)
    assert wrong.refused
    again = await house.ask(PlainIrcClient, "anna", SECRET, 1)
    assert again.welcomed


@each_other
async def test_an_account_that_was_made_by_irc_is_one_everywhere(
    house: IrcHouse, kind: type[ChatteClient]
) -> None:
    bruno = await house.irc("bruno", 1)
    anna = await house.irc("anna")
    anna.put("REGISTER * * s3cret-enough")
    done = await anna.expect("REGISTER", "SUCCESS", "anna")
    assert done.text
    await bruno.expect("ACCOUNT", "anna", source="anna")
    assert SECRET not in "".join([*anna.lines, *bruno.lines])
    anna.close()
    await bruno.expect("QUIT", source="anna")
    assert (await house.ask(kind, "anna")).refused
    assert (await house.ask(kind, "anna", SECRET)).welcomed


async def test_an_account_is_made_before_one_enters(house: IrcHouse) -> None:
    carla = await house.enter(PlainIrcClient, "carla", 1)
    anna = await house.connect(PlainIrcClient)
    anna.put("CAP LS 302", f"REGISTER * * {SECRET}")
    await anna.expect("FAIL", "REGISTER", "NEED_NICK", "*")
    anna.put("NICK Carla", f"REGISTER * * {SECRET}")  # a guest has it, on another node
    await anna.expect("FAIL", "REGISTER", "ACCOUNT_EXISTS", "Carla")
    anna.put("NICK anna", "REGISTER * * ab")
    await anna.expect("FAIL", "REGISTER", "WEAK_PASSWORD", "anna")
    anna.put(f"REGISTER * * {SECRET}")
    await anna.expect("REGISTER", "SUCCESS", "anna")
    await anna.expect("900", "*", None, "anna")
    anna.put(f"REGISTER * * {SECRET}")
    await anna.expect("FAIL", "REGISTER", "ALREADY_AUTHENTICATED")
    other = await house.ask(PlainIrcClient, "anna", None, 1)
    assert other.refused and other.got("433")
    anna.put("USER anna 0 * :Anna", "CAP END", "WHOIS anna")
    await anna.expect("001", "anna")
    await anna.expect("330", "anna", "anna", "anna")
    anna.close()
    await carla.expect("QUIT", source="anna")
    assert (await house.ask(PlainIrcClient, "anna", SECRET, 1)).welcomed


async def test_who_can_make_no_account_before_entering_tries_only_so_often(house: IrcHouse) -> None:
    (await house.account("anna")).close()
    guesser = await house.connect(PlainIrcClient)
    guesser.put("CAP LS 302", "NICK anna", *[f"REGISTER * * {SECRET}"] * 21)
    await guesser.disconnected()
    assert len(guesser.got("FAIL")) == 20


async def test_why_no_account_is_made(house: IrcHouse) -> None:
    anna = await house.irc("anna")
    assert anna.offered["draft/account-registration"] is not None
    anna.put("REGISTER * * ab")
    await anna.expect("FAIL", "REGISTER", "WEAK_PASSWORD")
    anna.put(f"REGISTER bruno * {SECRET}")
    await anna.expect("FAIL", "REGISTER", "ACCOUNT_NAME_MUST_BE_NICK")
    anna.put(f"REGISTER anna * {SECRET}")
    await anna.expect("REGISTER", "SUCCESS", "anna")
    anna.put(f"REGISTER anna * {SECRET}")
    failed = await anna.expect("FAIL", "REGISTER")
    assert failed.params[1] in ("ALREADY_AUTHENTICATED", "ACCOUNT_EXISTS")
    anna.put("VERIFY anna 1234")
    await anna.expect("FAIL", "VERIFY")


async def test_the_account_words_of_g(house: IrcHouse) -> None:
    anna = await house.enter(PlainIrcClient, "anna")
    anna.put(f"PRIVMSG G :register {SECRET}")
    await anna.expect("NOTICE", "anna", test=lambda it: "account" in it.text.lower())
    anna.close()
    assert (await house.ask(PlainIrcClient, "anna", SECRET)).welcomed


async def test_who_is_banned_is_told_and_not_let_in(house: IrcHouse) -> None:
    assert (await house.admin("ban", "anna", "--reason", "spam")).status == 0
    await house.admin.heard_by(house.nodes[0])
    anna = await house.connect(IrcClient)
    assert not await anna.enter("anna")
    assert anna.got("465")
    assert await anna.enter("annika")  # it was the nickname that is banned


async def test_who_quits_is_told_goodbye_and_everybody_reads_it(house: IrcHouse) -> None:
    bruno = await house.enter(ChatteClient, "bruno", 1)
    carla = await house.irc("carla", 1)
    anna = await house.irc("anna")
    anna.put("QUIT :see you")
    await anna.expect("ERROR")
    await anna.disconnected()
    await bruno.expect_line("151 anna just left the chat")
    await carla.expect("QUIT", source="anna")


async def test_no_address_of_anybody_is_shown(house: IrcHouse) -> None:
    anna = await house.connect(IrcClient, 0, source="127.0.0.9")
    assert await anna.enter("anna")
    bruno = await house.irc("bruno", 1)
    for line in ("WHOIS anna", f"WHO {LOBBY}", "USERHOST anna", f"WHO {LOBBY} %tcuhnfar,7"):
        await bruno.answer(line)
    assert not re.search(r"127\.0\.0\.9", "".join(bruno.lines))
