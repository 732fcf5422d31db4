"""What one message costs a node beside its deliveries, in calls: times say nothing on a busy machine."""

import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Final

import tertulia
from fakes.wire import ENTER, WiredClient
from tertulia.chat.ports import Member, SayOp, WhisperOp
from tertulia.settings.sections import LimitSettings
from tertulia.store.batch import Batch, Seen
from tertulia.store.keys import Keys

SOURCE: Final = str(Path(tertulia.__file__).parent)
AT_ONCE: Final = 16
TURNS: Final = 10
MOST_CALLS: Final = 17
"""Python calls for a message, from its bytes to the answer, with those of the store, a fake."""
MOST_CALLS_OF_IRC: Final = 26
"""The same in a dialect in which who says something reads nothing of it."""
MOST_CALLS_OF_STORE: Final = 2.5
"""Of its way into a batch."""
MOST_CALLS_OF_A_PRIVATE_ONE: Final = 18
"""Python calls for a message to somebody here, with its delivery."""
MOST_CALLS_OF_A_PRIVATE_ONE_IN_STORE: Final = 1.5
MOST_CALLS_OF_ONE_WHOSE_ENDS_ARE_HERE: Final = 1.1
UNBOUND = LimitSettings(messages_per_second=1e9, messages_burst=10**9)


class Calls:
    """Counts the calls of the service's functions while it is entered."""

    def __init__(self) -> None:
        self.of: Counter[str] = Counter()

    def __enter__(self) -> "Calls":
        self._before = sys.getprofile()
        sys.setprofile(self._called)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(self._before)

    def _called(self, frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith((SOURCE, "<string>")):
            self.of[code.co_qualname] += 1


def test_a_public_message_takes_few_calls() -> None:
    client = WiredClient("chatte", UNBOUND)
    client.enter(ENTER["chatte"])
    with Calls() as calls:
        for _ in range(TURNS):
            client.send(b"100 tea\n" * AT_ONCE)
            client.clock.run()
    messages = TURNS * AT_ONCE
    assert client.house.counted("messages_total", kind="public", dialect="chatte") == messages
    assert sum(calls.of.values()) / messages <= MOST_CALLS, calls.of.most_common(30)


def test_a_public_message_of_irc_takes_few_calls() -> None:
    client = WiredClient("irc", UNBOUND)
    client.enter(ENTER["irc"])
    with Calls() as calls:
        for _ in range(TURNS):
            client.send(b"PRIVMSG #lobby :tea\r\n" * AT_ONCE)
            client.clock.run()
    messages = TURNS * AT_ONCE
    assert client.house.counted("messages_total", kind="public", dialect="irc") == messages
    assert sum(calls.of.values()) / messages <= MOST_CALLS_OF_IRC, calls.of.most_common(30)


def test_a_private_message_takes_few_calls() -> None:
    client = WiredClient("chatte", UNBOUND)
    client.enter(ENTER["chatte"])
    with Calls() as calls:
        for _ in range(TURNS):
            client.send(b"102 anna tea\n" * AT_ONCE)
            client.clock.run()
    messages = TURNS * AT_ONCE
    assert client.house.counted("messages_total", kind="private", dialect="chatte") == messages
    assert sum(calls.of.values()) / messages <= MOST_CALLS_OF_A_PRIVATE_ONE, calls.of.most_common(
        30
    )


def test_private_messages_are_one_argument_of_a_batch() -> None:
    ops = [
        WhisperOp(f"n:{i % 10}", f"nick{i % 10}", f"Nick{i % 10}", "nick1", "tea")
        for i in range(160)
    ]
    with Calls() as calls:
        batch = Batch(Keys("main"), 9, "n")
        batch.add(*ops)
    assert len(batch.args) == 2
    most = MOST_CALLS_OF_A_PRIVATE_ONE_IN_STORE
    assert sum(calls.of.values()) / len(ops) <= most, calls.of.most_common()


def test_one_from_and_to_sessions_of_the_node_takes_fewer_calls() -> None:
    here = {f"nick{i}": Member(f"Nick{i}", f"n:{i}", "chatte") for i in range(10)}
    ops = [WhisperOp(f"n:{i % 10}", f"nick{i % 10}", "X", "nick1", "tea") for i in range(160)]
    with Calls() as calls:
        batch = Batch(Keys("main"), 9, "n", known=Seen(here, 0, 0))
        batch.add(*ops)
    assert len(batch.written) == len(ops)
    most = MOST_CALLS_OF_ONE_WHOSE_ENDS_ARE_HERE
    assert sum(calls.of.values()) / len(ops) <= most, calls.of.most_common()


def test_its_way_into_a_batch_takes_few_calls() -> None:
    ops = [SayOp(f"n:{i % 10}", f"nick{i % 10}", f"Nick{i % 10}", "tea") for i in range(160)]
    with Calls() as calls:
        batch = Batch(Keys("main"), 9, "n")
        batch.add(*ops)
    assert sum(calls.of.values()) / len(ops) <= MOST_CALLS_OF_STORE, calls.of.most_common()
