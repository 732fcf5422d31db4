"""Live chats of two and of many, on a simulated network. Source: docs/protocols/device.md."""

import random
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.device_network import STRANGER, Device, Network
from tertulia.clients.device import peer
from tertulia.clients.device.callers import CALLS_BURST, CALLS_PER_SECOND, MAX_WAITING, TOLD
from tertulia.clients.device.effects import (
    Came,
    NoPlace,
    Over,
    Parting,
    PartnerSaid,
    PeerPlace,
    SharesAddress,
    Slowed,
    TurnedAway,
    Went,
)
from tertulia.clients.device.hearing import (
    BYTES_BURST,
    BYTES_PER_SECOND,
    COMINGS_BURST,
    COMINGS_PER_SECOND,
    IN_ALL,
    LINES_BURST,
    LINES_PER_SECOND,
    MAX_HEARD,
)
from tertulia.clients.device.live_chat import (
    COME_SECONDS,
    DIAL_SECONDS,
    DOUBT_SECONDS,
    HANDSHAKE_BYTES,
    HANDSHAKE_SECONDS,
    LIST_SECONDS,
    TURN_SECONDS,
)
from tertulia.clients.device.peer import MAX_MEMBERS, AddsSomebody, File
from tertulia.clients.device.wire import integer, string

SEEDS = st.integers(0, 2**32)


def two(network: Network, first: str = "anna", second: str = "bob") -> tuple[Device, Device]:
    """Two in a live chat: the first waited for the second."""
    anna, bob = network.device(first, second), network.device(second, first)
    anna.expect(bob)
    bob.dial(anna)
    network.settle()
    assert anna.told == [Came(second, group=False)]
    assert bob.told == [Came(first, group=False)]
    return anna, bob


def added(network: Network, inviter: Device, name: str) -> Device:
    """Somebody whom a member has asked in, and who came."""
    inviter.invite(name)
    network.settle()
    newcomer = network.device(name, inviter.member.name)
    newcomer.dial(inviter)
    network.settle()
    return newcomer


def group(network: Network, size: int) -> list[Device]:
    """So many in a group, each asked in by one who was there."""
    order = random.Random(network.now)
    members = [*two(network)]
    for number in range(size - 2):
        members.append(added(network, order.choice(members), f"user{number}"))
    return members


def names(devices: list[Device], but: Device) -> list[str]:
    return sorted(it.member.name for it in devices if it is not but)


# Two


@given(SEEDS)
def test_two_talk(seed: int) -> None:
    network = Network(seed)
    anna, bob = two(network)
    anna.say("ciao")
    bob.say("ehi")
    anna.say("come stai?")
    network.settle()
    assert bob.heard == [("anna", "ciao"), ("anna", "come stai?")]
    assert anna.heard == [("bob", "ehi")]
    assert (anna.chat.settled, bob.chat.settled) == (True, True)
    assert (anna.chat.members, bob.chat.members) == (("bob",), ("anna",))


def test_who_dials_before_the_other_was_told_waits() -> None:
    network = Network()
    anna, bob = network.device("anna", "bob"), network.device("bob", "anna")
    bob.dial(anna)
    network.advance(1)
    assert (anna.told, bob.told) == ([], [])
    assert not bob.chat.settled
    anna.expect(bob)
    network.settle()
    assert anna.told == [Came("bob", group=False)]
    assert bob.told == [Came("anna", group=False)]


def test_leaving_ends_it_for_both() -> None:
    network = Network()
    anna, bob = two(network)
    anna.say("ciao")
    anna.leave()
    network.settle()
    assert bob.heard == [("anna", "ciao")]
    assert bob.told[-2:] == [Went("anna", Parting.LEFT), Over(came=True)]
    assert not anna.over  # it left by itself
    assert (anna.ends, bob.ends) == ({}, {})
    assert (anna.chat.deadline, bob.chat.deadline) == (None, None)


def test_a_peer_that_dies_is_noticed() -> None:
    network = Network()
    anna, bob = two(network)
    bob.say("ciao")
    bob.vanish()
    network.settle()
    assert anna.told[-2:] == [Went("bob", Parting.BROKE), Over(came=True)]


def test_one_that_never_comes_is_not_waited_for() -> None:
    network = Network()
    anna, bob = network.device("anna", "bob"), network.device("bob", "anna")
    bob.reachable = False
    anna.expect(bob)
    network.advance(COME_SECONDS - 1)
    assert anna.told == []
    network.advance(1)
    assert anna.told == [Over(came=False)]


def test_one_that_can_t_be_dialled_is_not_there() -> None:
    network = Network()
    anna, bob = network.device("anna", "bob"), network.device("bob", "anna")
    bob.reachable = False
    anna.dial(bob)
    network.settle()
    assert anna.told == [Over(came=False)]


def test_one_that_never_answers_is_not_waited_for() -> None:
    network = Network()
    anna, bob = network.device("anna", "bob"), network.device("bob", "anna")
    anna.dial(bob)  # who is never told
    network.advance(HANDSHAKE_SECONDS)
    assert anna.told == [Over(came=False)]
    assert bob.told == []
    assert bob.ends == {}


def test_a_connection_that_is_never_made_is_not_waited_for() -> None:
    network = Network()
    anna, bob = network.device("anna", "bob"), network.device("bob", "anna")
    anna.dial(bob)
    network.dialled.clear()
    network.advance(DIAL_SECONDS)
    assert anna.told == [Over(came=False)]
    assert anna.chat.connected(1, network.now) == []  # too late
    assert anna.chat.located("bob", bob.place, network.now) == []


@pytest.mark.parametrize("names_", [("anna", "bob"), ("bob", "anna")])
def test_who_was_told_to_listen_dials_where_nobody_comes(names_: tuple[str, str]) -> None:
    """The other one has asked me in by operation 20, and waits for me."""
    network = Network()
    first, second = names_
    waits = network.device(first, second)
    carol, dora = two(network, second, "carol")
    waits.expect(carol)
    carol.invite(first)
    network.advance(2 * TURN_SECONDS)
    assert waits.told[0] == Came(second, group=True)
    assert sorted(waits.chat.members) == sorted([second, "carol"])
    assert first in carol.chat.members
    assert first in dora.chat.members


@given(SEEDS)
def test_two_who_were_both_told_to_dial_agree(seed: int) -> None:
    network = Network(seed)
    anna, bob = network.device("anna", "bob"), network.device("bob", "anna")
    anna.dial(bob)
    bob.dial(anna)
    network.advance(TURN_SECONDS + HANDSHAKE_SECONDS)
    anna.say("ciao")
    bob.say("ehi")
    network.settle()
    assert (anna.heard, bob.heard) == ([("bob", "ehi")], [("anna", "ciao")])
    assert (len(anna.ends), len(bob.ends)) == (1, 1)


@given(SEEDS)
def test_two_who_were_both_told_to_listen_agree(seed: int) -> None:
    network = Network(seed)
    anna, bob = network.device("anna", "bob"), network.device("bob", "anna")
    anna.expect(bob)
    bob.expect(anna)
    network.advance(2 * TURN_SECONDS)
    anna.say("ciao")
    network.settle()
    assert bob.heard == [("anna", "ciao")]
    assert (len(anna.ends), len(bob.ends)) == (1, 1)


# Strangers


def test_a_stranger_that_speaks_before_it_is_asked_is_dropped_while_one_waits() -> None:
    network = Network()
    anna = network.device("anna", "bob")
    stranger = network.connect(anna)
    network.send(stranger, b"GET / HTTP/1.1\r\n\r\n")
    network.settle()
    assert anna.told == [TurnedAway(STRANGER, "", Parting.GARBLED)]
    assert stranger.closed
    assert stranger.received == b""


def test_a_garbling_peer_is_dropped() -> None:
    network = Network()
    anna, bob = two(network)
    bob.say("ciao")
    network.send(bob.ends[1], b"GET / HTTP/1.1\r\n\r\n")
    network.settle()
    assert anna.heard == [("bob", "ciao")]
    assert anna.told[-2:] == [Went("bob", Parting.GARBLED), Over(came=True)]


@given(SEEDS)
def test_strangers_who_came_first_are_not_taken_for_the_partner(seed: int) -> None:
    """Not before the service has said where he is, nor after, and he is not held up."""
    network = Network(seed)
    anna, bob = network.device("anna", "bob"), network.device("bob", "anna")
    strangers = [network.connect(anna) for _ in range(20)]
    network.settle()
    anna.expect(bob)
    strangers += [network.connect(anna) for _ in range(5)]
    bob.dial(anna)
    strangers += [network.connect(anna) for _ in range(5)]
    network.settle()
    assert anna.told[-1] == Came("bob", group=False)
    away = TurnedAway(STRANGER, "bob", Parting.ELSEWHERE, bob.place.host)
    assert anna.turned_away()[0] == away
    for stranger in strangers:
        assert stranger.received == b"", "nobody has told it that it is in a chat"
        network.send(stranger, string("sono bob"))
    network.advance(HANDSHAKE_SECONDS)
    assert all(it.closed for it in strangers)
    bob.say("ciao")
    anna.say("ehi")
    network.settle()
    assert anna.heard == [("bob", "ciao")]
    assert bob.heard == [("anna", "ehi")]


def test_a_stranger_who_dials_while_the_partner_is_awaited_is_hung_up_on_at_once() -> None:
    network = Network()
    anna, bob = network.device("anna", "bob"), network.device("bob", "anna")
    anna.expect(bob)
    network.settle()
    stranger = network.connect(anna)
    network.settle()
    assert stranger.closed
    assert anna.told == [TurnedAway(STRANGER, "bob", Parting.ELSEWHERE, bob.place.host)]


def test_the_partner_is_waited_for_when_strangers_came_and_never_he() -> None:
    network = Network()
    anna, bob = network.device("anna", "bob"), network.device("bob", "anna")
    bob.reachable = False
    anna.expect(bob)
    for _ in range(10):
        network.connect(anna)
        network.advance(COME_SECONDS / 10)
    assert anna.over
    assert not any(isinstance(it, Came) for it in anna.told)


def test_nobody_is_taken_in_before_the_service_has_said_where_the_partner_is() -> None:
    network = Network()
    anna, bob = network.device("anna", "bob"), network.device("bob", "anna")
    anna.expect(bob)
    asked = network.asked.copy()
    network.asked.clear()
    bob.dial(anna)
    network.advance(1)
    assert anna.told == []
    network.asked.extend(asked)
    network.settle()
    assert anna.told == [Came("bob", group=False)]


@pytest.mark.parametrize("place", [NoPlace("the service does not say"), None])
def test_where_the_service_does_not_say_nobody_is_taken_for_the_partner(
    place: NoPlace | None,
) -> None:
    network = Network()
    anna, bob = network.device("anna", "bob"), network.device("bob", "anna")
    if place is not None:
        network.places["bob"] = place
    else:  # it has not even answered
        network.asked = deque(maxlen=0)
    anna.expect(bob)
    bob.chat.dial(anna.member.port, network.now)
    pretender = network.connect(anna, bob.place.host)
    network.settle()
    if place is not None:
        assert anna.told == [Went("bob", Parting.UNPLACED, place.why), Over(came=False)]
    network.advance(COME_SECONDS)
    assert pretender.received == b""
    assert pretender.closed
    assert anna.told[-1] == Over(came=False)


def test_where_the_service_does_not_say_the_partner_is_not_dialled() -> None:
    network = Network()
    anna, bob = network.device("anna", "bob"), network.device("bob", "anna")
    network.places["anna"] = NoPlace("the service can't be asked")
    bob.dial(anna)
    network.settle()
    assert not network.dialled
    assert bob.told == [
        Went("anna", Parting.UNPLACED, "the service can't be asked"),
        Over(came=False),
    ]


def test_two_who_share_an_address_are_told_apart_by_nothing_and_that_is_told() -> None:
    network = Network()
    anna, bob = network.device("anna", "bob"), network.device("bob", "anna")
    neighbour = network.connect(anna, bob.place.host)
    anna.expect(bob)
    bob.dial(anna)
    network.settle()
    network.send(neighbour, string("sono bob"))
    network.advance(DOUBT_SECONDS)
    assert SharesAddress("bob", bob.place.host) in anna.told
    network.connect(anna, bob.place.host)
    network.advance(DOUBT_SECONDS)
    assert sum(isinstance(it, SharesAddress) for it in anna.told) == 1, "it is told once"


def test_a_neighbour_that_sat_and_waited_is_not_taken_where_the_partner_has_dialled() -> None:
    network = Network()
    anna, bob = network.device("anna", "bob"), network.device("bob", "anna")
    neighbour = network.connect(anna, bob.place.host)
    bob.dial(anna)
    network.settle()
    anna.expect(bob)
    network.settle()
    bob.say("ciao")
    network.settle()
    assert anna.heard == [("bob", "ciao")]
    assert neighbour.received == b""
    network.advance(DOUBT_SECONDS)
    assert SharesAddress("bob", bob.place.host) in anna.told


def test_an_attempt_of_the_partner_s_own_is_no_neighbour() -> None:
    network = Network()
    anna, bob = two(network)
    network.close(network.connect(anna, bob.place.host))
    network.advance(DOUBT_SECONDS)
    assert anna.told == [Came("bob", group=False)]


def test_a_neighbour_that_came_first_and_garbles_does_not_take_the_peer_s_place() -> None:
    network = Network()
    anna, bob = network.device("anna", "bob"), network.device("bob", "anna")
    neighbour = network.connect(anna, bob.place.host)
    anna.expect(bob)
    network.settle()
    bob.dial(anna)
    network.settle()
    network.send(neighbour, b"\x16\x03\x01\x02\x00")
    network.settle()
    assert anna.told == [Came("bob", False), Went("bob", Parting.GARBLED), Came("bob", False)]
    bob.say("ciao")
    network.settle()
    assert anna.heard == [("bob", "ciao")]


def test_nobody_comes_into_a_chat_of_two_unasked() -> None:
    network = Network()
    anna, bob = two(network)
    stranger = network.connect(anna)
    network.advance(HANDSHAKE_SECONDS)
    assert stranger.received == b""
    assert stranger.closed
    assert anna.told == [Came("bob", group=False)]
    bob.say("ciao")
    network.settle()
    assert anna.heard == [("bob", "ciao")]


def test_a_silent_stranger_is_dropped_from_a_group() -> None:
    network = Network()
    members = group(network, 3)
    stranger = network.connect(members[0])
    network.advance(HANDSHAKE_SECONDS)
    assert stranger.received == integer(1)
    assert stranger.closed
    assert members[0].told[-1] == TurnedAway(STRANGER, "", Parting.SILENT)
    assert len(members[0].chat.members) == 2


@pytest.mark.parametrize("name", ["anna", "ANNA", "G", "", "a b", "\x1b[2J", "x" * 33])
def test_nobody_comes_in_under_such_a_name(name: str) -> None:
    network = Network()
    anna, *_ = group(network, 3)
    stranger = network.connect(anna)
    network.send(stranger, string(name) + integer(9000))
    network.settle()
    assert stranger.closed
    assert anna.told[-1] == TurnedAway(STRANGER, "", Parting.GARBLED)


@given(SEEDS)
def test_nobody_comes_into_a_group_under_another_s_name(seed: int) -> None:
    """Nor is what he says at once shown as that one's, nor a member's connection taken."""
    network = Network(seed)
    anna, bob = two(network)
    anna.invite("carol")
    network.settle()
    carol = network.device("carol", "anna")
    for name in ("carol", "bob", "BOB", "nobody"):
        stranger = network.connect(anna)
        network.send(stranger, string(name) + integer(9000) + string("ciao"))
        network.settle()
        assert stranger.closed
        assert stranger.received == integer(1)
        place = network.places.get(name.lower())
        away = anna.turned_away()[-1]
        assert (away.host, away.name) == (STRANGER, name)
        if isinstance(place, PeerPlace):
            assert (away.parting, away.why) == (Parting.ELSEWHERE, place.host)
        else:
            assert away.parting is Parting.UNPLACED
    assert anna.heard == []
    carol.dial(anna)
    network.settle()
    assert anna.told[-1] == Came("carol", group=True)
    bob.say("ciao")
    network.settle()
    assert anna.heard == [("bob", "ciao")]


def test_what_somebody_says_before_it_is_known_waits_and_is_then_heard() -> None:
    network = Network()
    anna, _ = two(network)
    anna.invite("carol")
    network.settle()
    network.places["carol"] = PeerPlace("10.0.0.99", 7000)
    carol = network.connect(anna, "::ffff:10.0.0.99")
    asked = network.asked
    network.asked = deque(maxlen=0)
    network.send(carol, string("carol") + integer(9000) + string("ciao"))
    network.settle()
    assert anna.heard == []
    network.asked = asked
    anna.do(anna.chat.located("carol", network.places["carol"], network.now))
    assert anna.heard == [("carol", "ciao")]


def test_somebody_who_sends_a_lot_before_it_is_known_is_dropped() -> None:
    network = Network()
    anna, *_ = group(network, 3)
    network.asked = deque(maxlen=0)
    stranger = network.connect(anna)
    network.send(stranger, string("carol") + integer(9000) + string("x" * HANDSHAKE_BYTES))
    network.settle()
    assert stranger.closed
    assert anna.turned_away()[-1].parting is Parting.GARBLED
    assert stranger.received == integer(1)


def test_a_service_that_never_says_where_somebody_is_does_not_let_it_in() -> None:
    network = Network()
    anna, *_ = group(network, 3)
    network.asked = deque(maxlen=0)
    stranger = network.connect(anna)
    network.send(stranger, string("carol") + integer(9000))
    network.advance(HANDSHAKE_SECONDS)
    assert stranger.closed
    assert anna.turned_away()[-1].parting is Parting.UNPLACED


def test_a_newcomer_s_port_is_the_one_that_the_service_has() -> None:
    network = Network()
    anna, _ = two(network)
    for name in ("carol", "dora"):
        anna.invite(name)
    network.settle()
    network.places["carol"] = PeerPlace("10.0.0.99", 7000)
    carol = network.connect(anna, "10.0.0.99")
    network.send(carol, string("carol") + integer(2222))
    network.settle()
    network.places["dora"] = PeerPlace("10.0.0.98", 7000)
    dora = network.connect(anna, "10.0.0.98")
    network.send(dora, string("dora") + integer(7000))
    network.settle()
    assert string("carol") + integer(7000) in dora.received


def test_many_strangers_are_not_all_kept() -> None:
    network = Network()
    anna = network.device("anna", "bob")
    strangers = [network.connect(anna) for _ in range(200)]
    network.settle()
    assert sum(not it.closed for it in strangers) == MAX_WAITING
    network.advance(HANDSHAKE_SECONDS)
    assert all(it.closed for it in strangers)


def test_many_strangers_from_everywhere_do_not_keep_the_partner_out() -> None:
    network = Network()
    anna, bob = network.device("anna", "bob"), network.device("bob", "anna")
    for number in range(300):
        network.connect(anna, f"198.51.100.{number % 250}")
    bob.dial(anna)
    network.settle()
    network.connect(anna, "203.0.113.1")
    anna.expect(bob)
    network.settle()
    assert anna.told[-1] == Came("bob", group=False)


def test_neighbours_in_the_partner_s_network_do_not_keep_it_out() -> None:
    network = Network()
    anna, bob = network.device("anna", "bob"), network.device("bob", "anna")
    bob.place = network.places["bob"] = PeerPlace("2001:db8::b", bob.member.port)
    for number in range(300):
        network.connect(anna, f"2001:db8::1:{number:x}")
    bob.dial(anna)
    network.settle()
    anna.expect(bob)
    network.settle()
    assert anna.told[-1] == Came("bob", group=False)


def test_strangers_can_t_fill_the_screen() -> None:
    network = Network()
    anna, *_ = group(network, 3)
    before = len(anna.told)
    for number in range(300):
        stranger = network.connect(anna, f"198.51.100.{number}")
        network.send(stranger, b"GET / HTTP/1.1\r\n\r\n")
        network.settle()
    told = anna.told[before:]
    assert len(told) == TOLD
    assert [it.is_last for it in anna.turned_away()] == [False] * (TOLD - 1) + [True]


def test_one_network_can_t_have_the_service_asked_for_ever() -> None:
    network = Network()
    anna, *_ = group(network, 3)
    before = network.answered
    for number in range(2000):
        stranger = network.connect(anna, f"2001:db8::{number:x}")
        network.send(stranger, string(f"user{number}") + integer(9000))
        network.advance(0.01)
    assert network.answered - before <= CALLS_BURST + 2000 * 0.01 * CALLS_PER_SECOND + 1


# What a peer can make a device do


def test_nobody_is_dialled_where_a_peer_says_but_only_where_the_service_does() -> None:
    network = Network()
    carol, anna = network.device("carol", "anna"), network.device("anna", "carol")
    network.places["dora"] = PeerPlace("10.0.0.77", 6001)
    carol.dial(anna)
    network.asked.clear()
    carol.ends[1] = network.connect(anna)
    carol.do(carol.chat.located("anna", anna.place, network.now))
    network.dialled.clear()
    carol.do(carol.chat.connected(1, network.now))
    listed = [peer.Partner(f"user{number}", 2000 + number) for number in range(29)]
    invitation = peer.invitation([*listed, peer.Partner("dora", 2222)])
    carol.do(carol.chat.received(1, integer(1) + invitation, network.now))
    for device, asked in list(network.asked):
        place = network.places.get(asked.name, NoPlace("the service does not say"))
        device.do(device.chat.located(asked.name, place, network.now))
    assert [place for _, _, place in network.dialled] == [PeerPlace("10.0.0.77", 6001)]
    unplaced = [it for it in carol.partings() if it.parting is Parting.UNPLACED]
    assert [it.name for it in unplaced] == [it.name for it in listed]


def test_a_peer_that_says_a_lot_is_read_more_slowly_and_nothing_is_lost() -> None:
    network = Network()
    anna, bob = two(network)
    texts = [str(number) for number in range(LINES_BURST * 2)]
    for text in texts:
        bob.say(text)
    network.settle()
    assert [text for _, text in anna.heard] == texts[: len(anna.heard)]
    assert LINES_BURST <= len(anna.heard) <= LINES_BURST + 5
    assert anna.told.count(Slowed("bob")) == 1
    network.advance(1)
    assert len(anna.heard) <= LINES_BURST + LINES_PER_SECOND + 5
    network.advance(LINES_BURST / LINES_PER_SECOND + 1)
    assert [text for _, text in anna.heard] == texts
    assert anna.told.count(Slowed("bob")) == 1
    assert not any(end.paused for end in anna.ends.values())
    bob.say("finito")
    bob.leave()
    network.settle()
    assert anna.heard[-1] == ("bob", "finito")
    assert anna.over


@pytest.mark.parametrize("frame", [b"", b"\\u", b"\x07", b"x"], ids=["empty", "u", "control", "x"])
def test_no_string_is_free(frame: bytes) -> None:
    network = Network()
    anna, bob = two(network)
    network.send(bob.ends[1], string(frame) * 20_000)
    network.settle()
    assert len(anna.told) <= LINES_BURST + 10
    (end,) = anna.ends.values()
    (link,) = anna.chat._links
    unread = len(link.frames) + sum(len(data) for data in end.coming if data)
    assert unread >= (20_000 - LINES_BURST - 10) * len(string(frame))
    assert end.paused, "what is not read stays with who sends it"


@pytest.mark.slow
def test_a_whole_group_is_not_read_faster_than_a_person_can_look_away() -> None:
    network = Network()
    anna, *others = group(network, 12)
    for it in others:
        for number in range(LINES_BURST):
            it.say(str(number))
    network.settle()
    assert IN_ALL * LINES_BURST <= len(anna.heard) <= IN_ALL * LINES_BURST + len(others) + 20
    assert not any(isinstance(it, Slowed) for it in anna.told), "none of them is too fast itself"
    network.advance(1)
    assert len(anna.heard) <= IN_ALL * (LINES_BURST + LINES_PER_SECOND) + 2 * len(others) + 20
    network.advance(120)
    assert len(anna.heard) == len(others) * LINES_BURST


def test_long_words_are_read_more_slowly_too() -> None:
    network = Network()
    anna, bob = two(network)
    for _ in range(100):
        bob.say("x" * 65_000)
    network.settle()
    heard = sum(len(text) for _, text in anna.heard)
    assert heard <= BYTES_BURST + 65_000
    network.advance(10)
    heard = sum(len(text) for _, text in anna.heard)
    assert heard <= BYTES_BURST + 11 * BYTES_PER_SECOND + 65_000
    assert Slowed("bob") in anna.told


def test_a_peer_that_says_more_than_may_be_kept_is_dropped() -> None:
    network = Network()
    anna, bob = two(network)
    while not anna.over:
        bob.say("x" * 65_000)
        network.advance(1)
    assert anna.told[-2:] == [Went("bob", Parting.TOO_MUCH), Over(came=True)]
    heard = sum(len(text) for _, text in anna.heard)
    assert MAX_HEARD - 200_000 <= heard <= MAX_HEARD


def test_who_comes_again_has_not_more_to_say() -> None:
    network = Network()
    anna, _ = two(network)
    carol = added(network, anna, "carol")
    while Went("carol", Parting.TOO_MUCH) not in anna.told:
        carol.say("x" * 65_000)
        network.advance(1)
    again = added(network, anna, "carol")
    again.say("x" * 65_000)
    network.settle()
    assert anna.told.count(Went("carol", Parting.TOO_MUCH)) == 2
    assert ("bob" in anna.chat.members, "carol" in anna.chat.members) == (True, False)


def test_who_comes_and_goes_all_the_time_is_turned_away() -> None:
    network = Network()
    anna, _ = two(network)
    for _ in range(2 * COMINGS_BURST):
        added(network, anna, "carol").leave()
        network.advance(1)
    came = Came("carol", group=True)
    assert anna.told.count(came) == COMINGS_BURST
    assert {it.parting for it in anna.turned_away()} == {Parting.OFTEN}
    network.advance(2 / COMINGS_PER_SECOND)
    added(network, anna, "carol")
    assert anna.told[-1] == came


# Groups


@pytest.mark.parametrize("size", [3, 5])
@given(seed=SEEDS)
@settings(deadline=None, max_examples=40)
def test_a_group_forms_talks_and_dissolves_in_any_order(size: int, seed: int) -> None:
    network = Network(seed)
    members = group(network, size)
    for it in members:
        assert sorted(it.chat.members) == names(members, but=it)
        assert it.chat.settled
    present = list(members)
    order = random.Random(seed)
    said = 0
    while len(present) > 1:
        heard = {id(it): len(it.heard) for it in present}
        for it in present:
            it.say(f"{it.member.name} {said}")
        network.settle()
        for it in present:
            new = sorted(it.heard[heard[id(it)] :])
            assert new == [(name, f"{name} {said}") for name in names(present, but=it)]
        said += 1
        goes = present.pop(order.randrange(len(present)))
        in_order = order.random() < 0.5
        goes.leave() if in_order else goes.vanish()
        network.settle()
        for it in present:
            expected = Went(goes.member.name, Parting.LEFT if in_order else Parting.BROKE)
            assert it.partings()[-1] == expected
    assert present[0].over
    assert present[0].ends == {}


def test_the_peers_are_told_that_somebody_is_added() -> None:
    network = Network()
    anna, bob = two(network)
    added(network, bob, "carol")
    assert anna.told[1:] == [PartnerSaid("bob", AddsSomebody()), Came("carol", group=True)]


def test_a_newcomer_learns_who_is_there_and_all_are_told() -> None:
    network = Network()
    anna, bob = two(network)
    carol = added(network, anna, "carol")
    assert carol.told == [Came("anna", group=True), Came("bob", group=True)]
    assert bob.told[-1] == anna.told[-1] == Came("carol", group=True)


def test_two_who_are_asked_in_before_either_comes_find_each_other() -> None:
    network = Network()
    anna, bob = two(network)
    anna.invite("carol")
    anna.invite("dora")
    network.settle()
    carol = network.device("carol", "anna")
    carol.dial(anna)
    network.settle()
    dora = network.device("dora", "anna")
    dora.dial(anna)
    network.settle()
    everybody = [anna, bob, carol, dora]
    assert [sorted(it.chat.members) for it in everybody] == [
        names(everybody, but=it) for it in everybody
    ]


def test_one_whom_two_have_asked_in_comes_in_once() -> None:
    network = Network()
    anna, bob = two(network)
    anna.invite("carol")
    bob.invite("carol")
    network.settle()
    carol = network.device("carol", "anna")
    carol.dial(anna)
    network.settle()
    assert sorted(carol.chat.members) == ["anna", "bob"]
    assert bob.chat.members == ("anna", "carol")


def test_who_has_asked_somebody_in_waits_when_the_others_have_gone() -> None:
    network = Network()
    anna, bob = two(network)
    anna.invite("carol")
    bob.leave()
    network.settle()
    assert not anna.over
    assert list(anna.chat.members) == []
    carol = network.device("carol", "anna")
    carol.dial(anna)
    network.settle()
    assert list(anna.chat.members) == ["carol"]


def test_one_that_died_and_is_back_before_that_was_noticed_takes_its_own_place() -> None:
    network = Network()
    anna, bob = two(network)
    carol = added(network, bob, "carol")
    for end in carol.ends.values():
        end.other.coming.clear()
    carol.reachable = False  # nothing was heard of its end
    again = added(network, bob, "carol")
    assert Came("carol", group=True, again=True) in bob.told
    anna.say("ciao")
    network.settle()
    assert again.heard == [("anna", "ciao")]
    assert carol.heard == []
    assert sorted(bob.chat.members) == ["anna", "carol"]


def test_a_member_that_can_t_be_reached_is_told_and_the_chat_goes_on() -> None:
    network = Network()
    anna, bob = two(network)
    bob.reachable = False
    carol = added(network, anna, "carol")
    assert carol.told == [Came("anna", group=True), Went("bob", Parting.UNREACHABLE)]
    assert carol.chat.settled
    anna.say("ciao")
    network.settle()
    assert carol.heard == [("anna", "ciao")]


def test_a_group_has_32_members_and_no_more() -> None:
    network = Network()
    members = group(network, MAX_MEMBERS)
    assert all(len(it.chat.members) == 31 for it in members)
    members[0].invite("late")
    network.settle()
    late = network.device("late", "anna")
    late.dial(members[0])
    network.settle()
    assert members[0].told[-1] == TurnedAway(late.place.host, "late", Parting.FULL)
    assert late.told == [Over(came=False)]


def test_a_foreign_member_s_word_is_told_though_its_list_is_awaited() -> None:
    """Its author's program counts, and sends no list."""
    network = Network()
    carol, anna = network.device("carol", "anna"), network.device("anna", "carol")
    network.places["bob"] = PeerPlace("10.0.0.9", 9999)
    carol.dial(anna)
    anna.reachable = False
    network.asked.clear()
    carol.do(carol.chat.located("anna", anna.place, network.now))
    network.dialled.clear()
    carol.ends[1] = network.connect(anna)
    carol.do(carol.chat.connected(1, network.now))
    invitation = integer(1) + integer(1) + string("bob") + integer(9999)
    carol.do(carol.chat.received(1, invitation, network.now))
    carol.ends[2] = network.connect(anna)
    network.asked.clear()
    carol.do(carol.chat.located("bob", network.places["bob"], network.now))
    network.dialled.clear()
    carol.do(carol.chat.connected(2, network.now))
    answer = integer(1) + string("bob") + integer(9999) + integer(2) + string("ciao")
    carol.do(carol.chat.received(2, answer, network.now))
    assert carol.heard == []
    network.advance(LIST_SECONDS)
    assert carol.heard == [("bob", "ciao")]


def test_who_is_listed_twice_or_is_me_is_not_dialled() -> None:
    network = Network()
    carol, anna = network.device("carol", "anna"), network.device("anna", "carol")
    carol.dial(anna)
    network.asked.clear()
    carol.ends[1] = network.connect(anna)
    carol.do(carol.chat.connected(1, network.now))
    listed = [peer.Partner(name, 7000) for name in ("bob", "CAROL", "Bob", "Anna", "dora")]
    carol.do(carol.chat.received(1, integer(1) + peer.invitation(listed), network.now))
    assert [asked.name for _, asked in network.asked] == ["bob", "dora"]
    assert carol.told == [Came("anna", group=True)]


def test_a_file_reaches_all() -> None:
    network = Network()
    anna, *others = group(network, 3)
    anna.do(anna.chat.share(b"../../x", b"\0\xff" * 9))
    network.settle()
    for it in others:
        assert it.told[-1] == PartnerSaid("anna", File("../../x", b"\0\xff" * 9))


@given(st.binary(max_size=60), SEEDS)
def test_garbage_hurts_only_who_sends_it(garbage: bytes, seed: int) -> None:
    network = Network(seed)
    anna, bob, carol = group(network, 3)
    stranger = network.connect(anna)
    network.send(stranger, garbage)
    network.advance(HANDSHAKE_SECONDS)
    before = len(bob.heard)
    anna.say("ciao")
    bob.say("ehi")
    network.settle()
    assert bob.heard[before:] == [("anna", "ciao")]
    assert ("bob", "ehi") in anna.heard
    assert ("bob", "ehi") in carol.heard


def test_leaving_says_so_on_the_wire() -> None:
    network = Network()
    network.places["bob"] = PeerPlace("10.0.0.9", 6000)
    anna = network.device("anna", "bob")
    bob = network.connect(anna, "10.0.0.9")
    anna.do(anna.chat.expect(6000, network.now))
    network.settle()
    anna.say("ciao")
    anna.leave()
    network.settle()
    assert bob.received == integer(0) + string("ciao") + string(r"\q")
    assert bob.closed


def test_adding_says_so_on_the_wire() -> None:
    network = Network()
    network.places["bob"] = PeerPlace("10.0.0.9", 6000)
    network.places["carol"] = PeerPlace("10.0.0.8", 7000)
    anna = network.device("anna", "bob")
    bob = network.connect(anna, "10.0.0.9")
    anna.do(anna.chat.expect(6000, network.now))
    network.settle()
    anna.invite("carol")
    carol = network.connect(anna, "10.0.0.8")
    network.send(carol, string("carol") + integer(7000))
    network.settle()
    assert bob.received == integer(0) + string(r"\u")
    assert carol.received == integer(1) + peer.invitation([peer.Partner("bob", 6000)])
