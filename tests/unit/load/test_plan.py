"""What may be asked for, and of whom."""

import resource
import socket
from typing import Any

import pytest

from tertulia.clients.targets import TargetError
from tertulia.domain.nicknames import is_valid
from tertulia_load import control
from tertulia_load.plan import Plan, PlanError
from tertulia_load.targets import CLIENTS_PER_SOURCE, Target, target
from tertulia_load.texts import MAX_CLIENTS

HERE = Target("chatte", "localhost", "127.0.0.1", 1234)
DEVICES = Target("device", "localhost", "127.0.0.1", 4242)
THERE = Target("browser", "chat.example", "192.0.2.1", 8080)
IRC = Target("irc", "localhost", "127.0.0.1", 6667)


def plan(**given: Any) -> Plan:
    return Plan(**{"targets": (HERE,), **given})


def test_a_plan_as_it_comes_is_fine() -> None:
    plan().check()


@pytest.mark.parametrize(
    ("given", "option"),
    [
        ({"targets": ()}, "nobody"),
        ({"clients": 0}, "--clients"),
        ({"clients": MAX_CLIENTS + 1}, "--clients"),
        ({"senders": 101}, "--senders"),
        ({"senders": -1}, "--senders"),
        ({"processes": 0}, "--processes"),
        ({"processes": 60}, "too few"),
        ({"rate": 0.0}, "--rate"),
        ({"rate": float("nan")}, "--rate"),
        ({"in_flight": 0}, "--in-flight"),
        ({"private": 1.5}, "--private"),
        ({"sizes": (10, 64)}, "--size"),
        ({"sizes": (100, 64)}, "--size"),
        ({"sizes": (64, 5000)}, "--size"),
        ({"sizes": (64, 401), "targets": (IRC,)}, "a line of irc has room for 400 bytes"),
        ({"prefix": "my.load", "targets": (HERE, IRC)}, "no . and no"),
        ({"prefix": "9load", "targets": (IRC,)}, "begin with a letter"),
        ({"seconds": 0.0}, "--duration"),
        ({"seconds": 4000.0}, "--duration"),
        ({"seconds": float("inf")}, "--duration"),
        ({"messages": 0}, "--messages"),
        ({"ramp": 0.0}, "--ramp"),
        ({"storm": 9.95}, "--storm"),
        ({"storm": 0.0}, "--storm"),
        ({"jitter": -1.0}, "--jitter"),
        ({"settle": 0.0}, "--settle"),
        ({"prefix": ""}, "--prefix"),
        ({"prefix": "a b"}, "--prefix"),
        ({"prefix": "x" * 21}, "--prefix"),
    ],
)
def test_a_plan_without_sense_or_end_is_refused(given: dict[str, Any], option: str) -> None:
    with pytest.raises(PlanError, match=option):
        plan(**given).check()


@pytest.mark.parametrize(
    "given",
    [
        {"targets": (DEVICES, HERE)},
        {"targets": (DEVICES,), "processes": 2},
        {"targets": (DEVICES,), "storm": 1.0},
        {"targets": (DEVICES,), "acknowledge": True},
    ],
)
def test_devices_are_loaded_by_themselves(given: dict[str, Any]) -> None:
    plan(targets=(DEVICES,)).check()
    with pytest.raises(PlanError, match="devices"):
        plan(**given).check()


def test_more_clients_than_open_files_are_refused() -> None:
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if not 0 < allowed < MAX_CLIENTS:
        pytest.skip("this machine lets a process open more files than there may be clients")
    with pytest.raises(PlanError, match="--processes"):
        plan(clients=allowed + 1).check()


def test_every_client_is_of_one_process_and_neighbours_go_elsewhere() -> None:
    targets = (HERE, THERE, Target("chatte", "localhost", "127.0.0.1", 1))
    it = plan(targets=targets, clients=100, senders=7, processes=3)
    shares = [it.ids(process) for process in range(3)]
    assert sorted(id_ for share in shares for id_ in share) == list(range(100))
    for share in shares:
        assert [it.target(id_) for id_ in share][:6] == [*targets, *targets]
        assert len(share) in (33, 34)
        assert sum(id_ < it.senders for id_ in share) in (2, 3)


@pytest.mark.parametrize(("messages", "processes", "senders"), [(100, 3, 10), (7, 4, 2), (1, 1, 1)])
def test_messages_are_shared_among_the_processes_that_send(
    messages: int, processes: int, senders: int
) -> None:
    it = plan(messages=messages, processes=processes, senders=senders)
    assert sum(it.most_messages(process) for process in range(processes)) == messages


def test_nicknames_are_valid_and_not_the_same_after_a_storm() -> None:
    it = plan(clients=MAX_CLIENTS, prefix="x" * 20)
    for round_ in (0, 1):
        assert is_valid(it.nickname(MAX_CLIENTS - 1, round_))
        assert it.nickname(12, round_).startswith(it.joined_prefix(round_))
    assert it.nickname(1, 0) != it.nickname(1, 1)
    assert it.round_tag(0) != it.round_tag(1)


def test_a_storm_makes_two_rounds() -> None:
    assert plan(seconds=10.0).rounds == (10.0,)
    assert plan(seconds=10.0, storm=4.0).rounds == (4.0, 6.0)


def test_a_plan_goes_to_the_processes_whole() -> None:
    it = plan(targets=(HERE, THERE), rate=3.5, sizes=(64, 100))
    assert control.decode_order(control.encode(control.Begin(it, 1))) == control.Begin(it, 1)


# --- Targets -----------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "[::1]", "[::ffff:127.0.0.1]"])
def test_this_machine_may_be_loaded(host: str) -> None:
    found = target(f"chatte={host}:1234")
    assert (found.dialect, found.port) == ("chatte", 1234)
    assert str(found) == f"chatte {host}:1234"


@pytest.mark.parametrize(
    "host", ["192.0.2.1", "[2001:db8::1]", "0.0.0.0", "[::ffff:192.0.2.1]", "169.254.1.1"]
)
def test_another_machine_may_not_unless_it_is_named(host: str) -> None:
    with pytest.raises(TargetError, match="--yes-this-is-my-service"):
        target(f"chatte={host}:1234")
    with pytest.raises(TargetError, match="--yes-this-is-my-service"):
        target(f"chatte={host}:1234", ["192.0.2.2"])
    assert target(f"chatte={host}:1234", [host.strip("[]")]).port == 1234


def test_a_name_is_judged_by_its_address_and_looked_up_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = {"innocent.example": "192.0.2.1", "home.example": "127.0.0.1"}
    asked = []

    def look_up(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        if host not in answers:
            raise socket.gaierror(-2, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers[host], port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(TargetError, match=r"192\.0\.2\.1"):
        target("chatte=innocent.example:1")
    assert target("chatte=home.example:1").address == "127.0.0.1"
    with pytest.raises(TargetError, match="unknown"):
        target("chatte=nowhere.example:1")
    assert len(asked) == 3


@pytest.mark.parametrize(
    "value",
    ["", "chatte", "chatte=", "chatte=host", "chatte=:1", "chatte=::1:1", "icq=127.0.0.1:1"]
    + [f"chatte=127.0.0.1:{port}" for port in ("", "0", "65536", "x", "-1", "1.5", "²")],
)
def test_a_malformed_address_is_refused(value: str) -> None:
    with pytest.raises(TargetError):
        target(value)


def test_many_clients_come_from_several_addresses() -> None:
    sources = [HERE.source(id_) for id_ in (0, CLIENTS_PER_SOURCE - 1, CLIENTS_PER_SOURCE)]
    assert sources == [None, None, "127.0.0.2"]
    assert HERE.source(MAX_CLIENTS - 1) == "127.0.0.5"
    assert THERE.source(MAX_CLIENTS - 1) is None
    assert Target("chatte", "::1", "::1", 1).source(MAX_CLIENTS - 1) is None
