"""The load tool itself: it counts right, and notices whatever a service does wrong."""

import asyncio
import json
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from harness.node import Listener, NodeFactory
from harness.unfaithful_service import Deliver, Faults, Session, UnfaithfulService, unfaithful
from harness.waiting import elapse, until
from tertulia_load.outcome import Outcome
from tertulia_load.plan import Plan
from tertulia_load.run import run
from tertulia_load.targets import target

DIALECTS = ("chatte", "protocollo", "browser")
ALL = (*DIALECTS, "irc")
COMMAND_SECONDS = 200.0
"""Within which a command starts and ends, on a busy machine."""


async def load(addresses: list[str], **given: Any) -> Outcome:
    """Run the tool against addresses: a short run, unless told otherwise."""
    plan: dict[str, Any] = {
        "clients": 8,
        "senders": 3,
        "seconds": 20.0,
        "messages": 60,
        "settle": 0.4,
        "tag": "test",
        **given,
    }
    return await run(Plan(targets=tuple(target(it) for it in addresses), **plan), _show_nothing)


def _show_nothing(*_: object) -> None:
    pass


def faults_of(outcome: Outcome) -> dict[str, int]:
    """Return what was wrong with deliveries, by name."""
    delivered = outcome.delivered
    found = {
        "lost": delivered.lost,
        "duplicated": delivered.duplicated,
        "out of order": delivered.out_of_order,
        "stray": delivered.stray,
        "disconnected": delivered.disconnected,
        "orders": delivered.orders - 1,
    }
    return {name: count for name, count in found.items() if count}


# --- Faults ----------------------------------------------------------------------------------------


def at_one_reader(nth: int, change: Callable[[bytes], list[bytes]]) -> Deliver:
    """Change one message of the client that bears the number 5, which is no sender."""

    def deliver(session: Session, messages: list[bytes]) -> list[bytes]:
        if session.nickname.endswith("-5") and session.delivered == nth:
            return [changed for message in messages for changed in change(message)]
        return messages

    return deliver


def lost(nth: int) -> Deliver:
    return at_one_reader(nth, lambda message: [])


def doubled(nth: int) -> Deliver:
    return at_one_reader(nth, lambda message: [message, message])


def swapped(nth: int) -> Deliver:
    """Give one reader a message only after the one that follows."""
    held: list[bytes] = []

    def deliver(session: Session, messages: list[bytes]) -> list[bytes]:
        if session.nickname.endswith("-5"):
            if session.delivered == nth:
                held.extend(messages)
                return []
            if session.delivered == nth + 1:
                return [*messages, *held]
        return messages

    return deliver


def one_of_each() -> Deliver:
    """Lose one message, double another, and swap two."""
    faults = (lost(12), doubled(24), swapped(36))

    def deliver(session: Session, messages: list[bytes]) -> list[bytes]:
        for fault in faults:
            messages = fault(session, messages)
        return messages

    return deliver


ONE_OF_EACH = {"lost": 1, "duplicated": 1, "out of order": 1}


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_faithful_service_passes_and_is_counted_right(dialect: str) -> None:
    async with unfaithful() as service:
        outcome = await load(service.addresses(dialect), acknowledge=True)
    readers = 7 if dialect == "protocollo" else 8
    assert outcome.trouble == []
    assert outcome.sent.public == service.said == 60
    assert outcome.delivered.public == outcome.delivered.expected == 60 * readers
    assert outcome.joins[0].clients == 8
    assert outcome.joins[0].notices == 28
    assert outcome.verified.readers == 8
    assert outcome.verified.taken_apart + outcome.verified.compared == 60 * readers
    assert outcome.sent.answered == (0 if dialect == "protocollo" else 60)
    assert service.acknowledged == (60 * 8 if dialect == "chatte" else 0)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_lost_a_doubled_and_a_swapped_message_are_noticed(dialect: str) -> None:
    async with unfaithful(Faults(public=one_of_each())) as service:
        outcome = await load(service.addresses(dialect))
    assert faults_of(outcome) == ONE_OF_EACH
    assert len(outcome.trouble) == 3


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_the_same_is_noticed_of_private_messages(dialect: str) -> None:
    async with unfaithful(Faults(private=one_of_each())) as service:
        outcome = await load(
            service.addresses(dialect), private=1.0, senders=8, in_flight=2, messages=400
        )
    assert outcome.sent.private == service.whispered == 400
    assert faults_of(outcome) == ONE_OF_EACH


@pytest.mark.parametrize(
    ("fault", "name"), [(lost, "lost"), (doubled, "duplicated"), (swapped, "out of order")]
)
async def test_each_is_told_from_the_others(fault: Callable[[int], Deliver], name: str) -> None:
    async with unfaithful(Faults(public=fault(20))) as service:
        outcome = await load(service.addresses("chatte"))
    assert faults_of(outcome) == {name: 1}


async def test_dialects_mixed_in_several_processes_are_counted_right() -> None:
    async with unfaithful() as service:
        outcome = await load(
            service.addresses(*DIALECTS),
            clients=13,
            senders=5,
            processes=2,
            private=0.25,
            sizes=(50, 400),
            acknowledge=True,
        )
    assert outcome.trouble == []
    assert outcome.sent.public == service.said
    assert outcome.sent.private == service.whispered
    assert outcome.sent.public + outcome.sent.private == 60
    assert 12 <= outcome.sent.private <= 18
    assert outcome.delivered.private == service.whispered
    assert service.acknowledged > 0
    assert outcome.joins[0].notices == 13 * 12 // 2


async def test_what_nobody_gets_is_lost_for_everybody() -> None:
    taken = 0

    def deliver(session: Session, messages: list[bytes]) -> list[bytes]:
        return [] if session.delivered == 20 else messages

    async with unfaithful(Faults(public=deliver)) as service:
        outcome = await load(service.addresses("chatte"), in_flight=4)
        taken = service.said
    assert taken == 60
    assert faults_of(outcome) == {"lost": 8}
    assert outcome.delivered.expected == 60 * 8


async def test_the_last_message_is_missed_as_well() -> None:
    async with unfaithful(Faults(public=lost(60))) as service:
        outcome = await load(service.addresses("chatte"))
    assert faults_of(outcome) == {"lost": 1}


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_message_that_comes_again_after_the_last_is_noticed(dialect: str) -> None:
    def deliver(session: Session, messages: list[bytes]) -> list[bytes]:
        if session.nickname.endswith("-7") and session.delivered == 57:
            asyncio.get_running_loop().call_later(0.1, session.write, messages[0])
        return messages

    async with unfaithful(Faults(public=deliver)) as service:
        outcome = await load(service.addresses(dialect), messages=57)
    assert faults_of(outcome) == {"duplicated": 1}


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_fault_at_a_sender_is_noticed(dialect: str) -> None:
    def deliver(session: Session, messages: list[bytes]) -> list[bytes]:
        first = session.nickname.endswith("-0") and session.delivered == 20
        return messages * 2 if first else messages

    async with unfaithful(Faults(public=deliver)) as service:
        outcome = await load(service.addresses(dialect))
    assert faults_of(outcome) == {"duplicated": 1}


async def test_processes_that_read_in_another_order_are_noticed() -> None:
    held: dict[Session, list[bytes]] = {}

    def deliver(session: Session, messages: list[bytes]) -> list[bytes]:
        # All odd clients are in the second process.
        if int(session.nickname.rpartition("-")[2]) % 2:
            if session.delivered == 20:
                held[session] = messages
                return []
            if session.delivered == 21:
                return messages + held.pop(session)
        return messages

    async with unfaithful(Faults(public=deliver)) as service:
        outcome = await load(service.addresses("chatte"), processes=2, senders=2, in_flight=2)
    assert faults_of(outcome)
    assert outcome.trouble


@pytest.mark.parametrize(("times", "word"), [(0, "lost"), (2, "twice")])
async def test_a_notice_of_who_came_that_is_lost_or_doubled_is_noticed(
    times: int, word: str
) -> None:
    first = iter([times])
    faults = Faults(notice=lambda _session, notices: notices * next(first, 1))
    async with unfaithful(faults) as service:
        outcome = await load(service.addresses("browser"))
    (trouble,) = outcome.trouble
    assert trouble.startswith("1 notices of who came")
    assert word in trouble


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_who_is_not_let_in_is_told(dialect: str) -> None:
    faults = Faults(refuses=lambda nickname: nickname.endswith("-3"))
    async with unfaithful(faults) as service:
        outcome = await load(service.addresses(dialect))
    (trouble,) = outcome.trouble
    assert trouble.startswith("1 clients could not enter: ")
    assert outcome.joins[0].clients == 7
    assert outcome.sent.public == 0


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_who_is_disconnected_is_told_and_has_lost_nothing(dialect: str) -> None:
    def deliver(session: Session, messages: list[bytes]) -> list[bytes]:
        if session.nickname.endswith("-5") and session.delivered == 20:
            session.drop()
        return messages

    async with unfaithful(Faults(public=deliver)) as service:
        outcome = await load(service.addresses(dialect))
    assert faults_of(outcome) == {"disconnected": 1}
    why = "closed with 4000 slow_reader" if dialect == "browser" else "closed by the service"
    assert outcome.delivered.farewells == {why: 1}
    assert outcome.verified.readers == 7


async def test_who_is_refused_in_a_storm_tries_again() -> None:
    tried: list[str] = []

    def refuses(nickname: str) -> bool:
        tried.append(nickname)
        return "_1-3" in nickname and tried.count(nickname) == 1

    async with unfaithful(Faults(refuses=refuses)) as service:
        outcome = await load(service.addresses("chatte"), seconds=0.3, storm=0.1)
    assert outcome.trouble == []
    assert [joins.retries for joins in outcome.joins] == [0, 1]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_refused_message_is_told(dialect: str) -> None:
    async with unfaithful(Faults(unknown=True)) as service:
        outcome = await load(service.addresses(dialect), private=1.0)
    assert outcome.sent.refused == 60
    assert outcome.delivered.lost == 60


async def test_after_a_storm_everybody_is_back_and_reads_on() -> None:
    async with unfaithful() as service:
        outcome = await load(
            service.addresses(*DIALECTS), seconds=0.4, storm=0.2, jitter=0.1, messages=10_000
        )
    assert outcome.trouble == []
    assert [joins.clients for joins in outcome.joins] == [8, 8]
    assert [joins.notices for joins in outcome.joins] == [28, 28]
    assert outcome.sent.public == service.said


async def test_a_message_from_before_a_storm_is_noticed_after_it() -> None:
    told: list[bytes] = []

    def repeat(session: Session, messages: list[bytes]) -> list[bytes]:
        if not told:
            told.extend(messages)
        elif "_1-5" in session.nickname and session.delivered == 3:
            return messages + told
        return messages

    async with unfaithful(Faults(public=repeat)) as service:
        outcome = await load(service.addresses("chatte"), seconds=1.0, storm=0.2, messages=10_000)
    assert faults_of(outcome) == {"stray": 1}


async def test_a_stall_in_open_loop_is_in_the_latency_of_all_it_delays() -> None:
    """A closed loop would send nothing meanwhile, and see one slow message."""

    async def stall(service: UnfaithfulService) -> None:
        await until(lambda: service.said >= 20, 30, "some messages")
        service.reads.clear()
        await elapse(0.5)
        service.reads.set()

    async with unfaithful() as service:
        stalling = asyncio.create_task(stall(service))
        began = time.monotonic()
        outcome = await load(
            service.addresses("chatte"),
            rate=200.0,
            seconds=1.0,
            messages=10_000,
            senders=3,
            settle=5.0,  # on a busy machine it stalls for longer
        )
        await stalling
    took = (time.monotonic() - began) * 1000
    latency = outcome.latency
    assert outcome.trouble == []
    assert latency.corrected
    assert 180 < outcome.sent.public <= 200  # a closed loop would send half of them
    # Half of the messages were due while it stalled, and waited for a quarter second on average.
    assert latency.p90 is not None and latency.max is not None
    assert 300 < latency.p90 <= latency.max < took
    assert latency.max > 400


# --- Devices ---------------------------------------------------------------------------------------


async def test_devices_that_are_served_well_are_counted_right() -> None:
    async with unfaithful() as service:
        outcome = await load(service.addresses("device"), in_flight=3)
        assert service.sessions == []  # all have logged out
    assert outcome.trouble == []
    assert outcome.joins[0].clients == 8
    assert outcome.sent.private == outcome.delivered.private == service.whispered == 60
    assert outcome.latency.recorded == 60


async def test_a_lost_a_doubled_and_a_swapped_message_of_devices_are_noticed() -> None:
    async with unfaithful(Faults(private=one_of_each())) as service:
        outcome = await load(service.addresses("device"), senders=8, in_flight=4, messages=400)
    assert faults_of(outcome) == ONE_OF_EACH


async def test_devices_leave_messages_at_a_rate() -> None:
    async with unfaithful() as service:
        outcome = await load(service.addresses("device"), rate=100.0, seconds=0.5)
    assert outcome.trouble == []
    assert 10 <= outcome.sent.private <= 51  # as far as a busy machine keeps up
    assert outcome.latency.corrected


async def test_a_device_that_is_refused_or_cut_off_is_told() -> None:
    async with unfaithful(Faults(refuses=lambda nickname: nickname.endswith("-3"))) as service:
        outcome = await load(service.addresses("device"))
    assert outcome.trouble == ["1 clients could not enter: signup, name: answered 1 instead of 0"]

    def cut(session: Session, messages: list[bytes]) -> list[bytes]:
        if session.delivered == 3:
            raise ConnectionError
        return messages

    async with unfaithful(Faults(private=cut)) as service:
        outcome = await load(service.addresses("device"), senders=1)
    # Cut off after the last word, or served: that looks the same until nothing is shown.
    assert faults_of(outcome) == {"lost": 1}


# --- The command -----------------------------------------------------------------------------------


async def command(*arguments: str) -> tuple[int, str, str]:
    """Run the command, and return its status and what it wrote."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tertulia", "load", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), COMMAND_SECONDS)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


SHORT = ("--clients", "6", "--senders", "2", "--messages", "40", "--settle", "0.3")


async def test_the_command_prints_a_table_and_ends_with_0() -> None:
    async with unfaithful() as service:
        status, out, err = await command(*service.addresses("chatte"), *SHORT)
    assert (status, err) == (0, "")
    assert "lost 0  duplicated 0  out of order 0" in out
    assert out.splitlines()[-1].startswith("result")


async def test_the_command_ends_with_1_when_something_was_lost() -> None:
    async with unfaithful(Faults(public=lost(20))) as service:
        status, out, err = await command(*service.addresses("chatte"), *SHORT, "--json")
    assert (status, err) == (1, "")
    outcome = json.loads(out)
    assert outcome["delivered"]["lost"] == 1
    assert outcome["trouble"] == ["1 messages were lost"]
    assert set(outcome["latency"]) >= {"p50", "p90", "p99", "p99.9", "max"}


async def test_the_command_draws_up_the_account_when_it_is_interrupted() -> None:
    async with unfaithful() as service:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tertulia", "load", *service.addresses("chatte")),
            *("--clients", "6", "--senders", "2", "--settle", "0.3", "--duration", "60", "--json"),
            stdout=asyncio.subprocess.PIPE,
        )
        await until(lambda: service.said >= 20, COMMAND_SECONDS, "some messages")
        process.send_signal(signal.SIGINT)
        out, _ = await asyncio.wait_for(process.communicate(), COMMAND_SECONDS)
    outcome = json.loads(out)
    assert process.returncode == 0
    assert outcome["interrupted"]
    assert outcome["sent"]["public"] == service.said
    assert outcome["delivered"]["lost"] == 0


async def test_the_command_says_when_nobody_is_there() -> None:
    async with unfaithful() as service:
        addresses = service.addresses("chatte")
    status, out, _ = await command(*addresses, *SHORT)
    assert status == 1
    assert "6 clients could not enter: Connection refused" in out


# --- The real service ------------------------------------------------------------------------------


@pytest.mark.slow
async def test_a_real_node_is_clean_in_every_dialect_and_mixed(node_factory: NodeFactory) -> None:
    node = node_factory.launch(listeners=tuple(Listener(dialect) for dialect in (*ALL, "device")))
    await node.ready()
    addresses = {it: f"{it}=127.0.0.1:{node.port(it)}" for it in ALL}
    short = {"clients": 20, "senders": 5, "messages": 120, "settle": 5.0}
    runs: list[tuple[list[str], dict[str, Any]]] = [
        *(([address], {**short, "acknowledge": True}) for address in addresses.values()),
        *(([address], {**short, "private": 1.0}) for address in addresses.values()),
        (
            list(addresses.values()),
            {
                **short,
                "processes": 2,
                "private": 0.3,
                "sizes": (48, 400),
                "rate": 300.0,
                "seconds": 1.0,
            },
        ),
        (list(addresses.values()), {**short, "seconds": 1.0, "storm": 0.5, "jitter": 0.2}),
        (
            [f"device=127.0.0.1:{node.port('device')}"],
            {"clients": 3, "senders": 2, "in_flight": 4, "messages": 100},
        ),
    ]
    for number, (where, how) in enumerate(runs):
        # Other names each time: in irc a newcomer reads what was said, and by whom, as what is said now.
        outcome = await load(where, **how, prefix=f"load{number}")
        assert outcome.trouble == [], (where, how)
        assert outcome.sent.public + outcome.sent.private > 0
        assert outcome.delivered.expected == outcome.delivered.public + outcome.delivered.private


@pytest.mark.slow
async def test_two_real_nodes_show_one_order_to_several_processes(
    node_factory: NodeFactory,
) -> None:
    first, second = await node_factory.start_many(2)
    addresses = [f"chatte=127.0.0.1:{node.port()}" for node in (first, second)]
    outcome = await load(
        addresses, clients=24, senders=8, processes=2, in_flight=4, messages=600, settle=5.0
    )
    assert outcome.trouble == []
    assert outcome.delivered.orders == 1
    assert outcome.sent.answered == 600


@pytest.mark.slow
async def test_two_real_nodes_show_each_room_one_order_of_its_own(
    node_factory: NodeFactory,
) -> None:
    nodes = [node_factory.launch(listeners=tuple(map(Listener, ALL))) for _ in range(2)]
    for node in nodes:
        await node.ready()
    addresses = {it: [f"{it}=127.0.0.1:{node.port(it)}" for node in nodes] for it in ALL}
    short = {"clients": 24, "senders": 24, "messages": 600, "settle": 5.0, "in_flight": 2}
    runs: list[tuple[list[str], dict[str, Any]]] = [
        (addresses["browser"], {"rooms": 12, "rooms_per_client": 4, "processes": 2}),
        (addresses["irc"], {"rooms": 12, "rooms_per_client": 4, "processes": 2}),
        (addresses["chatte"] + addresses["protocollo"], {"rooms": 4}),
        ([it for those in addresses.values() for it in those], {"rooms": 3}),
        (
            addresses["browser"] + addresses["chatte"],
            {"rooms": 4, "seconds": 1.0, "storm": 0.5, "jitter": 0.2},
        ),
    ]
    for number, (where, how) in enumerate(runs):
        outcome = await load(where, **{**short, **how}, prefix=f"load{number}")
        assert outcome.trouble == [], (where, how)
        assert outcome.delivered.orders == 1
        assert outcome.sent.public > 0
        assert outcome.delivered.expected == outcome.delivered.public
        seats = 24 * how.get("rooms_per_client", 1)
        assert [it.seats for it in outcome.joins] == [seats] * len(outcome.joins)
