"""The dialect device over the wire, spoken to two nodes on one Redis."""

import asyncio
import itertools
import json
import re
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import pytest

from harness.device_chat import Chat, Cluster, both_framings, converse, hold, running_cluster
from harness.device_client import (
    BINARY,
    PASSWORD,
    TEXT,
    DeviceClient,
    Framing,
    chat,
    hanging,
    leave_messages,
    log_in,
    log_out,
    show,
    sign_up,
    take,
)
from harness.node import Listener, Node, NodeFactory
from harness.redis_server import RedisServer
from harness.waiting import elapse, until

DAY_MS = 86_400_000
ELSEWHERE = "127.0.0.2"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("nodes")) as cluster:
        yield cluster


@pytest.fixture
def here(cluster: Cluster) -> Chat:
    return cluster.emptied()


# The operations table, row by row


@both_framings
async def test_1_signup_makes_an_account_and_logs_it_in(here: Chat, framing: Framing) -> None:
    await hold(here.ports[0], framing, converse((1, 1), ("Anna", 0), (PASSWORD, 0), (5001, 0)))
    assert here.device("anna") == {"nickname": "Anna", "address": "127.0.0.1", "port": "5001"}
    account = cast(dict[str, str], here.redis.control.hgetall(here.key("account:anna")))
    assert account["nickname"] == "Anna"
    assert account["hash"].startswith("$argon2id$")
    assert PASSWORD not in str(account)


@both_framings
async def test_1_signup_refuses_names_that_are_taken_malformed_or_reserved(
    here: Chat, framing: Framing
) -> None:
    await here.users("anna")
    for name in ("anna", "ANNA", "", "a b", "a:b", "x" * 33, "G", "fine", "Stop", "close", "null"):
        await hold(here.ports[1], framing, converse((1, 1), (name, 1)))
    assert len(here.keys("account:*")) == 1


@both_framings
async def test_1_signup_refuses_a_bad_password_and_a_bad_port(here: Chat, framing: Framing) -> None:
    await hold(here.ports[0], framing, converse((1, 1), ("anna", 0), ("ab", 1)))
    for port in (0, 1023, 65_536):
        await hold(here.ports[0], framing, converse((1, 1), ("anna", 0), (PASSWORD, 0), (port, 1)))
    assert here.kept() == {}


@both_framings
async def test_2_in_logs_in_with_the_password(here: Chat, framing: Framing) -> None:
    await here.users("Anna")
    assert await log_out(here.ports[0], "Anna") == 0
    await hold(here.ports[1], framing, converse((2, 1), ("anna", 0), (PASSWORD, 0), (6001, 0)))
    assert here.device("anna") == {"nickname": "Anna", "address": "127.0.0.1", "port": "6001"}


@both_framings
async def test_2_in_refuses_who_is_unknown_a_wrong_password_and_a_bad_port(
    here: Chat, framing: Framing
) -> None:
    await here.users("anna")
    before = here.kept()
    await hold(here.ports[0], framing, converse((2, 1), ("bruno", 1)))
    await hold(here.ports[0], framing, converse((2, 1), ("anna", 0), ("wrong", 1)))
    await hold(here.ports[0], framing, converse((2, 1), ("anna", 0), (PASSWORD, 0), (80, 1)))
    assert here.kept() == before


@both_framings
async def test_3_out_logs_out(here: Chat, framing: Framing) -> None:
    await here.users("anna")
    await hold(here.ports[1], framing, converse((3, 1), ("anna", 0)))
    assert here.device("anna") == {}
    await hold(here.ports[0], framing, converse((3, 1), ("anna", 1)))
    await hold(here.ports[0], framing, converse((3, 1), ("nobody", 1)))


@both_framings
async def test_10_chat_with_nobody_is_answered_0(here: Chat, framing: Framing) -> None:
    await here.users("anna")
    for dest in ("bruno", "", "a b", "anna"):
        await hold(here.ports[0], framing, converse((10, 1), ("anna", 1), (dest, 0)))
    assert "onchat" not in here.device("anna")


@both_framings
async def test_10_chat_offchat_leaves_messages_until_q(here: Chat, framing: Framing) -> None:
    await here.users("anna", "bruno")
    await hold(
        here.ports[0],
        framing,
        converse(
            *((10, 1), ("anna", 1), ("bruno", 1)),
            *(("ciao", None), ("", None), ("200", None), ("\\q", None)),
        ),
        closes=False,
    )
    assert "onchat" not in here.device("anna")
    assert await take(here.ports[1], "bruno", "anna") == ["ciao", "", "200"]


@both_framings
async def test_10_chat_onchat_tells_both(here: Chat, framing: Framing) -> None:
    await here.users("anna", "bruno")
    anna, answer = await chat(here.ports[0], "anna", "bruno", framing=framing)
    assert answer == 1
    assert here.device("anna")["onchat"] == "bruno"
    comes = converse((10, 1), ("bruno", 1), ("anna", 5001))
    await hold(here.ports[1], framing, comes, closes=framing is TEXT)
    await anna.exactly(framing.write(5002))
    assert await anna.close() == b""
    assert here.device("anna")["onchat"] == "bruno"
    assert here.device("bruno")["onchat"] == "anna"


async def test_10_who_disconnects_while_waiting_is_not_onchat_any_more(here: Chat) -> None:
    await here.users("anna", "bruno")
    for how in (DeviceClient.close_at_once, DeviceClient.reset):
        anna, answer = await chat(here.ports[0], "anna", "bruno")
        assert answer == 1
        how(anna)
        await until(lambda: "onchat" not in here.device("anna"), 60, "anna to be offchat")
        bruno, answer = await chat(here.ports[1], "bruno", "anna")
        assert answer == 1
        await bruno.close()


async def test_10_show_on_the_same_connection_before_the_messages(here: Chat) -> None:
    await here.users("anna", "bruno")
    await leave_messages(here.ports[1], "bruno", "anna", "uno", "due")
    anna, answer = await chat(here.ports[0], "anna", "bruno")
    assert answer == 1
    _, lines = await show(0, "anna", "bruno", on=anna)
    assert lines == ["uno", "due"]
    anna.send("tre", "\\q")
    assert await anna.close() == b""
    await until(lambda: not here.redis.control.exists(here.key("senders:anna")), 60, "no messages")
    assert await take(here.ports[1], "bruno", "anna") == ["tre"]


async def test_10_in_text_200_is_a_message(here: Chat) -> None:
    await here.users("anna", "bruno")
    anna, _ = await chat(here.ports[0], "anna", "bruno", framing=TEXT)
    anna.send("200", "anna", "bruno", "\\q")
    assert await anna.close() == b""
    assert await take(here.ports[1], "bruno", "anna") == ["200", "anna", "bruno"]


@both_framings
async def test_12_address_is_told_to_who_is_onchat_and_to_whom_one_is_onchat_with(
    here: Chat, framing: Framing
) -> None:
    await here.users("anna", "bruno", "carla")
    anna, _ = await chat(here.ports[0], "anna", "bruno")
    for me, user, host in (
        *(("anna", "bruno", "127.0.0.1"), ("bruno", "anna", "127.0.0.1")),
        *(("anna", "carla", ""), ("carla", "anna", ""), ("anna", "nobody", ""), ("anna", "", "")),
    ):
        await hold(here.ports[1], framing, converse((12, 1), (me, 1), (user, host)))
    await anna.close()
    await until(lambda: "onchat" not in here.device("anna"), 60, "anna to be offchat")
    await hold(here.ports[1], framing, converse((12, 1), ("anna", 1), ("bruno", "")))


@both_framings
async def test_20_add_lists_who_is_online_and_puts_me_onchat(here: Chat, framing: Framing) -> None:
    await hold(
        here.ports[0], framing, converse((20, "nessun utente online"), ("x", 0), ("y", None))
    )
    await here.users("carla", "anna", "Bruno")
    online = "Bruno,anna,carla,"
    await hold(here.ports[0], framing, converse((20, online), ("nobody", 0), ("anna", None)))
    assert "onchat" not in here.device("anna")
    await hold(here.ports[1], framing, converse((20, online), ("bruno", 5003), ("anna", None)))
    assert here.device("anna")["onchat"] == "bruno"
    comes = converse((10, 1), ("Bruno", 1), ("anna", 5002))
    await hold(here.ports[0], framing, comes, closes=framing is TEXT)


@both_framings
async def test_30_leave_puts_me_offchat(here: Chat, framing: Framing) -> None:
    await here.users("anna", "bruno")
    await hold(
        here.ports[1], framing, converse((20, "anna,bruno,"), ("bruno", 5002), ("anna", None))
    )
    assert here.device("anna")["onchat"] == "bruno"
    await hold(here.ports[0], framing, converse((30, 1), ("anna", None)))
    assert "onchat" not in here.device("anna")


@both_framings
async def test_100_hanging_counts_by_sender(here: Chat, framing: Framing) -> None:
    await here.users("anna", "bruno", "carla")
    await hold(here.ports[0], framing, converse((100, 1), ("anna", "")))
    await leave_messages(here.ports[0], "bruno", "anna", "uno", "due")
    await leave_messages(here.ports[1], "carla", "anna", "tre")
    lines = await hanging(here.ports[1], "anna", framing)
    date = r"\d\d-\d\d-\d{4} \d\d:\d\d:\d\d"
    assert [bool(re.fullmatch(date, line.split(", ")[1])) for line in lines] == [True, True]
    assert [line.split(", ")[0] for line in lines] == ["bruno: 2 messaggi", "carla: 1 messaggi"]


@both_framings
async def test_200_show_tells_a_senders_messages_or_null(here: Chat, framing: Framing) -> None:
    await here.users("anna", "bruno")
    nothing = converse((200, 1), ("anna", 1), ("bruno", "null"))
    await hold(here.ports[0], framing, nothing, closes=False)
    await leave_messages(here.ports[1], "bruno", "anna", "uno", "due è")
    shown = converse((200, 1), ("ANNA", 1), ("Bruno", "uno\ndue è\n"))
    await hold(here.ports[0], framing, shown, closes=False)
    await until(lambda: not here.redis.control.exists(here.key("senders:anna")), 60, "no messages")
    await hold(here.ports[1], framing, nothing, closes=False)
    assert not here.redis.control.exists(here.key("pending:anna:bruno"))


# Pending messages: removed when the device has closed in order, and only then


async def test_what_was_shown_stays_when_the_device_resets(here: Chat) -> None:
    await here.users("anna", "bruno")
    await leave_messages(here.ports[1], "bruno", "anna", "uno", "due")
    for _ in range(3):
        device, lines = await show(here.ports[0], "anna", "bruno")
        assert lines == ["uno", "due"]
        device.reset()
    await here.quiet()
    assert await take(here.ports[1], "anna", "bruno") == ["uno", "due"]


async def test_what_was_shown_is_pending_no_more_once_the_service_has_closed_too(
    here: Chat,
) -> None:
    await here.users("anna", "bruno")
    for turn in range(100):
        await leave_messages(here.ports[0], "bruno", "anna", f"m{turn}")
        assert await take(here.ports[0], "anna", "bruno") == [f"m{turn}"]
        assert await hanging(here.ports[1], "anna") == []


async def test_what_came_after_a_show_is_not_removed_with_it(here: Chat) -> None:
    await here.users("anna", "bruno")
    await leave_messages(here.ports[1], "bruno", "anna", "uno")
    device, lines = await show(here.ports[0], "anna", "bruno")
    await leave_messages(here.ports[1], "bruno", "anna", "due")
    assert lines == ["uno"]
    await device.close()
    await here.quiet()
    assert await take(here.ports[0], "anna", "bruno") == ["due"]


async def test_a_device_that_closed_before_it_was_shown_anything_loses_nothing(
    here: Chat,
) -> None:
    """As one does that is killed within the exchange: its system closes in order, and reads nothing."""
    await here.users("anna", "bruno")
    await leave_messages(here.ports[1], "bruno", "anna", "uno")
    for _ in range(20):
        device = await DeviceClient.connect(here.ports[0])
        device.send(200, "anna", "bruno")
        device.close_at_once()
    await here.quiet()
    assert await take(here.ports[1], "anna", "bruno") == ["uno"]


@both_framings
async def test_a_device_that_died_before_its_answer_came_loses_nothing(
    here: Chat, framing: Framing
) -> None:
    """Its system closes in order, as it had read all that came, and refuses the answer."""
    await here.users("anna", "bruno")
    await leave_messages(here.ports[1], "bruno", "anna", "uno")
    for _ in range(20):
        device = await DeviceClient.connect(here.ports[0], framing)
        device.send(200)
        assert await device.integer() == 1
        device.send("anna")
        assert await device.integer() == 1
        device.send("bruno")
        device.close_at_once()
    await here.quiet()
    assert await take(here.ports[1], "anna", "bruno") == ["uno"]


async def test_a_device_that_died_before_it_was_shown_anything_in_a_chat_loses_nothing(
    here: Chat,
) -> None:
    await here.users("anna", "bruno")
    await leave_messages(here.ports[1], "bruno", "anna", "uno")
    for turn in range(20):
        anna, answer = await chat(here.ports[turn % 2], "anna", "bruno")
        assert answer == 1
        anna.send(200)
        assert await anna.integer() == 1
        anna.send("anna")
        assert await anna.integer() == 1
        anna.send("bruno")
        anna.close_at_once()
        await here.quiet()
        assert "onchat" not in here.device("anna")
    assert await take(here.ports[1], "anna", "bruno") == ["uno"]


@pytest.mark.parametrize("in_order", [True, False])
async def test_what_was_shown_before_the_other_came_goes_when_the_device_closes_in_order(
    here: Chat, in_order: bool
) -> None:
    """The service closes first then."""
    await here.users("anna", "bruno")
    await leave_messages(here.ports[1], "bruno", "anna", "uno")
    anna, _ = await chat(here.ports[0], "anna", "bruno")
    _, lines = await show(0, "anna", "bruno", on=anna)
    assert lines == ["uno"]
    bruno, answer = await chat(here.ports[1], "bruno", "anna")
    assert answer == 5001
    assert await anna.integer() == 5002
    if in_order:
        await anna.close()
    else:
        anna.reset()
    await bruno.close()
    await here.quiet()
    assert await take(here.ports[1], "anna", "bruno") == ([] if in_order else ["uno"])


async def test_a_device_that_closed_its_half_before_its_answer_came_has_been_shown_it(
    here: Chat,
) -> None:
    await here.users("anna", "bruno")
    for _ in range(20):
        await leave_messages(here.ports[1], "bruno", "anna", "uno")
        async with await DeviceClient.connect(here.ports[0], TEXT) as device:
            device.send(200, "anna", "bruno")
            device.half_close()
            assert await device.rest() == b"1\n1\nuno\n\n"
        assert await hanging(here.ports[1], "anna") == []


async def test_more_than_one_string_holds_is_shown_in_parts_and_nothing_is_lost(
    here: Chat,
) -> None:
    await here.users("anna", "bruno")
    texts = [f"{i}" + "x" * 30_000 for i in range(5)]
    await leave_messages(here.ports[1], "bruno", "anna", *texts)
    shown: list[str] = []
    for _ in texts:
        more = await take(here.ports[0], "anna", "bruno")
        await here.quiet()
        shown += more
    assert [text[:2] for text in shown] == [text[:2] for text in texts]
    assert shown == texts


async def test_the_longest_message_is_kept_and_shown_or_refused(here: Chat) -> None:
    await here.users("anna", "bruno")
    bruno, _ = await chat(here.ports[1], "bruno", "anna")
    for raw in (b"x" * 65_535, b"\x80" * 65_535):
        bruno.send(raw)
    await bruno.close()
    await here.quiet()
    for _ in range(2):
        waiting = await hanging(here.ports[0], "anna")
        lines = await take(here.ports[0], "anna", "bruno")
        assert bool(waiting) == any(lines), "what hangs can't be shown"
        await here.quiet()
    assert await hanging(here.ports[0], "anna") == []


# Cut after every single byte

ANNA_TO_BRUNO = (10, "anna", "bruno")
CUT = {
    "signup": (1, "nobody", PASSWORD, 5009),
    "in": (2, "anna", PASSWORD, 5009),
    "out": (3, "anna"),
    "chat": ANNA_TO_BRUNO,
    "add": (20, "carla", "anna"),
    "leave": (30, "carla"),
    "hanging": (100, "anna"),
    "show": (200, "anna", "carla"),
    "address": (12, "anna", "carla"),
}


async def cut(port: int, framing: Framing, data: bytes, how: str) -> None:
    device = await DeviceClient.connect(port, framing)
    device.send_raw(data)
    if how == "closed":
        await device.close()
    else:
        # So that what was sent arrives before the reset throws it away.
        await device.sent()
        device.reset()


@pytest.mark.slow
@both_framings
@pytest.mark.parametrize("how", ["closed", "reset"])
async def test_an_exchange_that_is_cut_anywhere_changes_nothing(
    here: Chat, framing: Framing, how: str
) -> None:
    await here.users("anna", "bruno", "carla")
    await leave_messages(here.ports[0], "carla", "anna", "kept")
    carla = converse((20, "anna,bruno,carla,"), ("bruno", 5002), ("carla", None))
    await hold(here.ports[0], framing, carla)
    await here.quiet()
    before = here.kept()
    assert here.device("carla")["onchat"] == "bruno"
    for name, values in CUT.items():
        data = framing.write(*values)
        await asyncio.gather(
            *(cut(here.ports[end % 2], framing, data[:end], how) for end in range(len(data)))
        )
        await here.quiet()
        assert here.kept() == before, name
    assert await hanging(here.ports[0], "anna", framing)


@pytest.mark.slow
@both_framings
@pytest.mark.parametrize("how", ["closed", "reset"])
async def test_a_message_that_is_not_read_to_its_end_is_none(
    here: Chat, framing: Framing, how: str
) -> None:
    await here.users("anna", "bruno")
    beginning = framing.write(*ANNA_TO_BRUNO)
    messages = [framing.write("first"), framing.write("second"), framing.write("\\q")]
    data = b"".join(messages)
    least, most = 0, 0
    for end in range(len(data) + 1):
        whole = sum(it <= end for it in itertools.accumulate(map(len, messages[:2])))
        most += whole
        device = await DeviceClient.connect(here.ports[end % 2], framing)
        device.send_raw(beginning)
        await device.exactly(framing.write(1, 1, 1))
        device.send_raw(data[:end])
        if how == "closed":
            least += whole
            assert await device.close() == b""
        else:
            await device.sent()
            device.reset()
    await here.quiet()
    lines = await take(here.ports[0], "bruno", "anna")
    assert least <= len(lines) <= most
    assert set(lines) <= {"first", "second"}
    assert "onchat" not in here.device("anna")


# Who may


OTHERS = {
    "out": converse((3, 1), ("anna", None)),
    "chat": converse((10, 1), ("anna", None)),
    "leave": converse((30, 1), ("anna", None)),
    "hanging": converse((100, 1), ("anna", None)),
    "show": converse((200, 1), ("anna", 1), ("bruno", None)),
    "address": converse((12, 1), ("anna", 1), ("bruno", None)),
    "add": converse((20, "anna,bruno,"), ("bruno", 5002), ("anna", None)),
}


@both_framings
@pytest.mark.parametrize("name", OTHERS)
async def test_from_another_address_nobody_speaks_for_a_user(
    here: Chat, framing: Framing, name: str
) -> None:
    await here.users("anna", "bruno")
    await leave_messages(here.ports[1], "bruno", "anna", "uno")
    before = here.kept()
    async with await DeviceClient.connect(here.ports[1], framing, source=ELSEWHERE) as device:
        for said, answer in OTHERS[name]:
            device.send(said)
            if answer is not None:
                await device.exactly(framing.write(answer))
        assert await device.rest() == b""
    assert here.kept() == before


@both_framings
@pytest.mark.parametrize("name", sorted(set(OTHERS) - {"out", "add"}))
async def test_who_is_not_logged_in_is_hung_up_on(here: Chat, framing: Framing, name: str) -> None:
    await here.users("anna", "bruno")
    await log_out(here.ports[0], "anna")
    before = here.kept()
    await hold(here.ports[0], framing, OTHERS[name])
    assert here.kept() == before


async def test_a_login_moves_to_where_the_account_logs_in_again(here: Chat) -> None:
    await here.users("anna", "bruno")
    assert await log_in(here.ports[1], "anna", 6001, source=ELSEWHERE) == [1, 0, 0, 0]
    assert here.device("anna")["address"] == ELSEWHERE
    await hold(here.ports[0], BINARY, OTHERS["hanging"])
    device, answer = await chat(here.ports[0], "anna", "bruno", source=ELSEWHERE)
    assert answer == 1
    await device.close()


async def test_a_waiting_device_whose_account_moved_leaves_no_more_messages(here: Chat) -> None:
    await here.users("anna", "bruno")
    anna, _ = await chat(here.ports[0], "anna", "bruno")
    assert await log_in(here.ports[1], "anna", 6001, source=ELSEWHERE) == [1, 0, 0, 0]
    anna.send("ciao")
    assert await anna.rest() == b""
    assert await hanging(here.ports[1], "bruno") == []


async def test_a_login_lasts_a_day_after_its_last_operation(here: Chat) -> None:
    await here.users("anna", "bruno")
    control, key = here.redis.control, here.key("device:anna")

    def lasts_a_day() -> bool:
        until_then = cast(float, control.zscore(here.key("devices"), "anna"))
        expires = control.pttl(key)
        return (
            DAY_MS - 60_000 < expires <= DAY_MS
            and abs(until_then - time.time() * 1000 - DAY_MS) < 60_000
        )

    assert lasts_a_day()

    async def chats() -> None:
        device, _ = await chat(here.ports[0], "anna", "bruno")
        await device.close()

    async def shows() -> None:
        await take(here.ports[0], "anna", "bruno")

    async def hangs() -> None:
        await hanging(here.ports[1], "anna")

    async def leaves() -> None:
        await hold(here.ports[0], BINARY, converse((30, 1), ("anna", None)))

    async def asks_where() -> None:
        await hold(here.ports[0], BINARY, converse((12, 1), ("anna", 1), ("bruno", "")))

    for operation in (chats, shows, hangs, leaves, asks_where):
        control.pexpire(key, 20_000)
        control.zadd(here.key("devices"), {"anna": time.time() * 1000 + 20_000})
        assert not lasts_a_day()
        await operation()
        assert lasts_a_day(), operation
    control.pexpire(key, 1)
    await until(lambda: not control.exists(key), 60, "the login to expire")
    await hold(here.ports[0], BINARY, OTHERS["hanging"])
    await hold(here.ports[0], TEXT, converse((20, "bruno,"), ("anna", 0), ("bruno", None)))


# Passwords


async def test_five_failures_a_minute_from_one_address_are_refused_for_a_minute(
    here: Chat,
) -> None:
    await here.users("anna")
    for turn in range(5):
        assert await log_in(here.ports[turn % 2], "anna", password="wrong") == [1, 0, 1]
    for node in (0, 1):
        assert await log_in(here.ports[node], "anna") == [1, 0, 1]
    assert await log_in(here.ports[0], "anna", source=ELSEWHERE) == [1, 0, 0, 0]
    guesses = here.key("failures:127.0.0.1:anna")
    here.redis.control.hincrby(guesses, "at", -61_000)  # a minute later
    assert await log_in(here.ports[0], "anna") == [1, 0, 0, 0]


async def test_unknown_users_count_as_failures(here: Chat) -> None:
    await here.users("anna")
    for _ in range(5):
        assert await log_in(here.ports[0], "nobody") == [1, 1]
    assert here.redis.control.hget(here.key("failures:127.0.0.1:nobody"), "count") == "5"
    assert await log_in(here.ports[0], "anna") == [1, 0, 0, 0]


@pytest.mark.slow
async def test_a_wrong_password_and_an_unknown_user_take_equally_long(
    node_factory: NodeFactory, redis_server: RedisServer
) -> None:
    it = await alone(node_factory, True)
    await sign_up(it.port, "anna")
    hashed = cast(str, redis_server.control.hget("{main}:account:anna", "hash"))
    assert hashed.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    wrong: list[float] = []
    unknown: list[float] = []
    for turn in range(7):
        source = f"127.0.1.{turn + 1}"
        begun = time.monotonic()
        assert await log_in(it.port, "anna", password="wrong", source=source) == [1, 0, 1]
        between = time.monotonic()
        assert await log_in(it.port, "nobody", source=source) == [1, 1]
        wrong.append(between - begun)
        unknown.append(time.monotonic() - between)
    # Without a hash to verify, it would be fifty times as quick.
    assert 1 / 3 < statistics.median(wrong) / statistics.median(unknown) < 3


# Bounds


@dataclass
class Alone:
    """A node with settings of its own."""

    node: Node
    port: int


async def alone(factory: NodeFactory, in_earnest: bool = False, /, **settings: str) -> Alone:
    devices = (Listener("device"),)
    node = factory.launch(listeners=devices, settings=settings, in_earnest=in_earnest)
    await node.ready()
    return Alone(node, node.port("device"))


@pytest.mark.slow
async def test_silence_inside_an_operation_is_hung_up_on(node_factory: NodeFactory) -> None:
    it = await alone(node_factory, LIMITS__OPERATION_SECONDS="3")
    patient = await alone(node_factory)
    for name in ("anna", "bruno", "carla"):
        await sign_up(patient.port, name)
    beginnings: list[bytes] = [
        *(b"", b"\0", b"1", b"1\n", BINARY.write(1), BINARY.write(2, "anna")),
        *(BINARY.write(20), BINARY.write(10, "anna"), BINARY.write(200, "anna", "bruno")),
        BINARY.write(10, "anna", "bruno") + b"\0",
    ]
    begun = time.monotonic()
    devices = [await DeviceClient.connect(it.port) for _ in beginnings]
    for device, beginning in zip(devices, beginnings, strict=True):
        device.send_raw(beginning)
    waiting = await DeviceClient.connect(it.port)
    waiting.send(10, "bruno", "carla")
    assert [await waiting.integer() for _ in range(3)] == [1, 1, 1]
    await asyncio.gather(*(device.rest() for device in devices))
    assert 2.9 < time.monotonic() - begun < 29  # it is 30 where nothing is set
    assert await it.node.disconnects("operation_timeout") == len(beginnings)
    for device in devices:
        device.close_at_once()
    # Who waits for its chat partner may be silent.
    await elapse(3.5)
    waiting.send("still here", "\\q")
    assert await waiting.close() == b""
    assert await take(patient.port, "carla", "bruno") == ["still here"]


@pytest.mark.slow
async def test_what_was_shown_to_who_was_silent_afterwards_stays(node_factory: NodeFactory) -> None:
    it = await alone(node_factory, LIMITS__OPERATION_SECONDS="3")
    patient = await alone(node_factory)
    for name in ("anna", "bruno"):
        await sign_up(patient.port, name)
    await leave_messages(patient.port, "bruno", "anna", "uno")
    device = await DeviceClient.connect(it.port)
    device.send(200, "anna", "bruno")
    assert [await device.integer() for _ in range(2)] == [1, 1]
    assert await device.lines() == ["uno"]
    assert await device.rest() == b""  # the service's end, after three seconds
    await device.close()
    assert await take(patient.port, "anna", "bruno") == ["uno"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bound", "texts", "kept"),
    [
        ({"CLUSTER__PENDING_MESSAGES": "3"}, ["1", "2", "3", "4"], 3),
        ({"CLUSTER__PENDING_BYTES": "65536"}, ["x" * 30_000] * 3, 2),
    ],
)
async def test_a_full_mailbox_closes_the_connection_and_is_counted(
    node_factory: NodeFactory, bound: dict[str, str], texts: list[str], kept: int
) -> None:
    it = await alone(node_factory, **bound)
    for name in ("anna", "bruno", "carla"):
        await sign_up(it.port, name)
    device, answer = await chat(it.port, "anna", "bruno")
    assert answer == 1
    device.send(*texts)
    assert await device.rest() == b""
    assert await it.node.disconnects("mailbox_full") == 1
    assert await take(it.port, "bruno", "anna") == texts[:kept]
    # There is room again, and nobody's connection is closed.
    await leave_messages(it.port, "anna", "bruno", "again")
    assert await take(it.port, "bruno", "anna") == ["again"]
    assert await it.node.disconnects("mailbox_full") == 1


@pytest.mark.slow
async def test_who_logs_in_where_too_many_do_is_hung_up_on_and_counted(
    node_factory: NodeFactory,
) -> None:
    it = await alone(node_factory, True, LIMITS__LOGINS_WAITING="1")
    await sign_up(it.port, "anna")
    logins = [log_in(it.port, "anna") for _ in range(12)]
    answers = await asyncio.gather(*logins, return_exceptions=True)
    refused = [it for it in answers if isinstance(it, EOFError)]
    assert all(it == [1, 0, 0, 0] for it in answers if it not in refused)
    assert 0 < len(refused) < len(answers)
    assert await it.node.disconnects("too_many_logins") == len(refused)
    assert await log_in(it.port, "anna") == [1, 0, 0, 0]


async def test_how_long_a_login_lasts_is_for_the_operator_to_say(
    node_factory: NodeFactory, redis_server: RedisServer
) -> None:
    devices = [{"dialect": "device", "host": "127.0.0.1", "port": 0, "chat": "main"}]
    settings = {"LISTENERS": json.dumps(devices), "CLUSTER__DEVICE_LOGIN_SECONDS": "100"}
    node = await node_factory.start(**settings)
    control = redis_server.control

    def lasts() -> bool:
        until_then = cast(float, control.zscore("{main}:devices", "anna")) - time.time() * 1000
        return 40_000 < control.pttl("{main}:device:anna") <= 100_000 and until_then <= 100_000

    await sign_up(node.port("device"), "anna")
    assert lasts()
    control.pexpire("{main}:device:anna", 20_000)
    await hanging(node.port("device"), "anna")
    assert lasts()
