"""Who dials a program, who is dialled by it, and what its peers can make it do: attacks that worked."""

import contextlib
import select
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.device_nodes import DeviceNodes
from harness.device_people import People, are_live
from harness.device_person import Person
from harness.device_socket import DeviceSocket, connection
from harness.node import NodeFactory
from harness.waiting import until_sync
from tertulia.clients.device import peer
from tertulia.clients.device.exchange import Steps
from tertulia.clients.device.hearing import LINES_BURST, LINES_PER_SECOND
from tertulia.clients.device.operations import add_user, enter_chat, log_out, online_users
from tertulia.clients.device.wire import integer, string

pytestmark = pytest.mark.slow

HOSTS = {"anna": "127.0.0.2", "bob": "127.0.0.3", "carol": "127.0.0.4"}
STRANGER = "127.0.0.66"
FLOOD_SECONDS = 4.0
PORTS = 30
COLUMNS = 100
"""Of the terminals that people sit at."""


@pytest.fixture
def device_service(node_factory: NodeFactory) -> DeviceNodes:
    return DeviceNodes(node_factory)


@pytest.fixture
def people(tmp_path: Path, device_service: DeviceNodes) -> Iterator[People]:
    everybody = People(tmp_path, device_service)
    everybody.hosts = HOSTS
    try:
        yield everybody
    finally:
        everybody.end()


def dialled(person: Person, host: str, source: str = STRANGER) -> socket.socket:
    """Dial a program from an address."""
    return connection(f"{host}:{person.port}", source)


def rest(sock: socket.socket) -> bytes:
    """Return what still comes until the other side closes."""
    read = b""
    with contextlib.suppress(ConnectionResetError):
        while data := sock.recv(65_536):
            read += data
    return read


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def has_unread(host: str, port: int) -> bool:
    """Say whether a program at an address has something to read of whoever listens on a port."""
    there, mine = f":{port:04X}", socket.inet_aton(host)[::-1].hex().upper()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, _, queues, *_ = line.split()
        if local.startswith(mine) and remote.endswith(there) and not queues.endswith(":00000000"):
            return True
    return False


def test_a_stranger_who_dials_first_is_not_taken_for_the_partner(people: People) -> None:
    anna, bob = people.signs_up("anna", "bob")
    anna.types("chat bob")
    anna.expects("-- bob is not in this chat")
    strangers = [dialled(anna, HOSTS["anna"]) for _ in range(10)]
    bob.types("chat anna")
    anna.expects(
        f"-- Somebody at {STRANGER} dialled, as bob, and was hung up on: the service says that bob's "
        "device is at 127.0.0.3"
    )
    anna.expects("-- bob is here")
    bob.expects("-- anna is here")
    for stranger in strangers:
        assert rest(stranger) == b"", "nothing tells it that it is in a chat"
        stranger.close()
    anna.asked("[bob] ")
    late = dialled(anna, HOSTS["anna"])
    late.sendall(string("sono bob"))
    assert rest(late) == b""
    late.close()
    bob.types("ciao")
    anna.expects("   bob: ciao")
    anna.types("ehi")
    bob.expects("   anna: ehi")
    assert "sono bob" not in anna.screen


def test_not_even_the_partner_is_taken_from_another_address(
    people: People, device_service: DeviceNodes
) -> None:
    (anna,) = people.signs_up("anna")
    bob = DeviceSocket(device_service.addresses[1], "bob", HOSTS["bob"])
    anna.types("chat bob")
    anna.expects("-- bob is not in this chat")
    assert bob.asks(enter_chat("bob", "anna")) == anna.port
    elsewhere = dialled(anna, HOSTS["anna"])
    anna.expects(f"-- Somebody at {STRANGER} dialled, as bob, and was hung up on")
    assert rest(elsewhere) == b""
    elsewhere.close()
    with dialled(anna, HOSTS["anna"], HOSTS["bob"]) as theirs:
        assert theirs.recv(4) == integer(0)
        anna.expects("-- bob is here")
        theirs.sendall(string("ciao"))
        anna.expects("   bob: ciao")
    bob.close()


@pytest.mark.parametrize("silence", ["it says nothing", "it hangs"])
def test_where_the_service_does_not_say_nobody_is_taken_for_the_partner(
    people: People, device_service: DeviceNodes, silence: str
) -> None:
    """Not even who comes from the right address. The partner is gone, or the service, when it is asked."""
    (anna,) = people.signs_up("anna")
    bob = DeviceSocket(device_service.addresses[1], "bob", HOSTS["bob"])
    anna.types("chat bob")
    anna.expects("-- bob is not in this chat")
    anna.freeze()
    assert bob.asks(enter_chat("bob", "anna")) == anna.port
    with dialled(anna, HOSTS["anna"], HOSTS["bob"]) as theirs:
        if silence == "it says nothing":
            assert bob.asks(log_out("bob"))
            why = "the service does not say where bob's device is"
        else:
            node = int(device_service.addresses[0].rpartition(":")[2])
            until_sync(
                lambda: has_unread(HOSTS["anna"], node), 60, "the service's word that bob comes"
            )
            device_service.freeze()
            why = "the service does not say in time|the service can't be asked"
        anna.thaw()
        anna.expects(f"-- bob's device can't be told from a stranger's: ({why})", within=60)
        anna.expects("-- bob's device does not answer: the chat is over")
        assert rest(theirs) == b""
    device_service.thaw()
    anna.asked("anna> ", within=60)
    bob.close()


def test_nobody_comes_into_a_group_under_another_s_name(people: People) -> None:
    anna, bob, carol = people.signs_up("anna", "bob", "carol")
    are_live(anna, "anna", bob, "bob")
    anna.types(r"\a carol")
    anna.expects("-- carol comes in by typing")
    for name, why in (
        ("carol", "the service does not say where carol's device is|.*at 127.0.0.4"),
        ("bob", "the service says that bob's device is at 127.0.0.3"),
        ("nobody", "the service does not say where nobody's device is"),
    ):
        with dialled(anna, HOSTS["anna"]) as stranger:
            stranger.sendall(string(name) + integer(9000) + string(f"parla {name}"))
            anna.expects(
                f"-- Somebody at {STRANGER} dialled, as {name}, and was hung up on: ({why})"
            )
            assert rest(stranger) == integer(1)
    carol.types("chat anna")
    carol.expects("-- bob is in the chat")
    anna.expects("-- carol is in the chat")
    carol.types("ciao")
    anna.expects("   carol: ciao")
    bob.types("ehi")
    anna.expects("   bob: ehi")
    assert "parla" not in anna.screen


def test_two_at_one_address_can_t_be_told_apart_and_that_is_told(people: People) -> None:
    people.hosts = {}
    anna, bob = people.signs_up("anna", "bob")
    anna.types("chat bob")
    anna.expects("-- bob is not in this chat")
    with dialled(anna, "127.0.0.1", "127.0.0.1"):
        bob.types("chat anna")
        anna.expects("-- bob is here")
        anna.expects("-- Somebody else dialled from bob's address, 127.0.0.1. Where several people")


def test_a_flood_of_words_fills_neither_screen_nor_disk(
    people: People, device_service: DeviceNodes
) -> None:
    (anna,) = people.signs_up("anna")
    mallory = DeviceSocket(device_service.addresses[0], "mallory", STRANGER)
    with mallory.waiting_for("anna"):
        anna.types("chat mallory")
        with mallory.accept() as floods:
            floods.sendall(integer(0))
            anna.expects("-- mallory is here")
            floods.settimeout(0.5)
            since = time.monotonic()
            with contextlib.suppress(TimeoutError):
                while time.monotonic() - since < FLOOD_SECONDS:
                    floods.sendall(string("x" * 40) * 1000)
            until_sync(
                lambda: time.monotonic() - since > FLOOD_SECONDS, 2 * FLOOD_SECONDS, "the flood"
            )
            anna.expects("-- mallory says a lot at once: you will read it bit by bit")
            kept = size_of(anna.folder / "kept")
            lines = anna.screen.count("mallory: x")
            seconds = time.monotonic() - since
            assert lines <= LINES_BURST + LINES_PER_SECOND * seconds + 2
            assert kept <= 100 * (LINES_BURST + LINES_PER_SECOND * seconds + 2)
            anna.types("basta")
            anna.types(r"\q")
            anna.asked("anna> ")
    mallory.close()


def test_a_peer_s_words_can_t_pass_for_the_program_s(
    people: People, device_service: DeviceNodes
) -> None:
    (anna,) = people.signs_up("anna")
    mallory = DeviceSocket(device_service.addresses[0], "mallory", STRANGER)
    with mallory.waiting_for("anna"):
        anna.types("chat mallory")
        with mallory.accept() as pretends:
            pretends.sendall(integer(0))
            anna.expects("-- mallory is here")
            for indent in range(COLUMNS - 20, COLUMNS):
                pretends.sendall(string("x" + " " * indent + "-- bob is here"))
            pretends.sendall(string("fine"))
            anna.expects("   mallory: fine")
    mallory.close()
    rows = [line[at : at + COLUMNS] for line in anna.lines for at in range(0, len(line), COLUMNS)]
    assert not [row for row in rows if row.startswith("-- bob")]


def test_a_peer_can_t_have_others_dialled(people: People, device_service: DeviceNodes) -> None:
    (anna,) = people.signs_up("anna")
    mallory = DeviceSocket(device_service.addresses[0], "mallory", STRANGER)
    dora = DeviceSocket(device_service.addresses[1], "dora", HOSTS["bob"])
    # On any host: the program used to dial beside the peer, and beside the service.
    attacked = [socket.create_server(("0.0.0.0", 0)) for _ in range(PORTS)]
    ports = [it.getsockname()[1] for it in attacked]
    names = [f"user{number}" for number in range(PORTS - 1)]
    listed = [peer.Partner(name, port) for name, port in zip([*names, "dora"], ports, strict=True)]
    with mallory.waiting_for("anna"):
        anna.types("chat mallory")
        with mallory.accept() as lies:
            mallory.asks(adds("dora", "mallory"))
            assert dora.asks(enter_chat("dora", "mallory")) == mallory.port
            lies.sendall(integer(1) + peer.invitation(listed))
            anna.expects("-- mallory is here, in a group")
            with dora.accept() as honest:  # where the service says that she listens
                honest.sendall(integer(1) + peer.introduction(peer.Partner("dora", dora.port)))
                anna.screen_has("-- dora is in the chat")
                for name in names:
                    anna.screen_has(
                        f"-- {name}'s device can't be told from a stranger's: the service does not "
                        f"say where {name}'s device is"
                    )
            readable, _, _ = select.select(attacked, [], [], 0)
            assert readable == [], "nobody was dialled at a port of a peer's choice"
    for listening in attacked:
        listening.close()
    mallory.close()
    dora.close()


def adds(name: str, me: str) -> Steps[bool]:
    """Run operation 20."""
    yield from online_users()
    return (yield from add_user(name, me))
