"""A private message that was answered 101 is delivered, or its sender is told that it was not."""

import pytest

from harness.chatte_client import ChatteClient
from harness.load import assert_promises_kept, lost, settle, under_load
from harness.node import QUICK, NodeFactory
from harness.waiting import until
from history.record import AckedPrivate, ReceivedPrivate, RefusedPrivate, Reported

pytestmark = pytest.mark.slow

BURIED_SECONDS = 30.0


def acknowledged(client: ChatteClient) -> set[str]:
    return {record.text for record in client.history.of(AckedPrivate)}


def reported(client: ChatteClient, texts: set[str]) -> set[str]:
    """Return which of some texts the server's notices quote."""
    notices = [record.text for record in client.history.of(Reported)]
    return {text for text in texts if any(text in notice for notice in notices)}


def delivered(client: ChatteClient) -> set[str]:
    return {record.text for record in client.history.of(ReceivedPrivate)}


async def test_messages_to_a_node_that_is_killed_are_delivered_or_reported(
    node_factory: NodeFactory,
) -> None:
    nodes = await node_factory.start_many(2, **QUICK)
    senders = [await ChatteClient.enter_chat(nodes[0].port(), f"sender-{i}") for i in range(3)]
    recipients = [
        await ChatteClient.enter_chat(nodes[1].port(), f"recipient-{i}", acknowledges=i % 2 == 0)
        for i in range(4)
    ]
    await node_factory.seasoned()

    async def kill() -> None:
        await until(lambda: len(delivered(recipients[0])) > 20, 60, "traffic to flow")
        lost(recipients)
        nodes[1].kill()
        for recipient in recipients:
            left = f"151 {recipient.nickname} just left the chat"
            await until(lambda left=left: left in senders[0].lines, 30, left)  # type: ignore[misc]

    await under_load(
        senders, kill(), per_second=60, whisper_to=[client.nickname for client in recipients]
    )
    await settle(senders)
    for recipient in recipients:
        await recipient.disconnected()  # and so has read all that was written to it
    arrived = set().union(*(delivered(client) for client in recipients))
    for sender in senders:
        missing = acknowledged(sender) - arrived
        await until(
            lambda s=sender, m=missing: reported(s, m) == m,  # type: ignore[misc]
            BURIED_SECONDS + 4,
            lambda s=sender, m=missing: f"reports of {m - reported(s, m)}",  # type: ignore[misc]
        )
        # Now that they are gone, it is said at once.
        late = sender.whisper(recipients[0].nickname)
        await sender.answered()
        assert late in {record.text for record in sender.history.of(RefusedPrivate)}
    await assert_promises_kept([*senders, *recipients])


async def test_messages_that_never_reached_a_dying_node_are_all_reported(
    node_factory: NodeFactory,
) -> None:
    """Frozen first, so that for certain nothing was written to a recipient."""
    nodes = await node_factory.start_many(2, **QUICK)
    ana = await ChatteClient.enter_chat(nodes[0].port(), "ana")
    bea = await ChatteClient.enter_chat(nodes[1].port(), "bea")
    await settle([ana, bea])
    await node_factory.seasoned()
    nodes[1].freeze()
    texts = {ana.whisper("bea") for _ in range(20)}
    await ana.answered()
    assert acknowledged(ana) == texts
    lost([bea])
    nodes[1].kill()
    await ana.expect_line("151 bea just left the chat", BURIED_SECONDS + 8)
    await until(
        lambda: reported(ana, texts) == texts,
        30,
        lambda: f"reports of {texts - reported(ana, texts)}; {ana.describe()}",
    )
    notices = [line for line in ana.lines if line.startswith("102 ")]
    assert all(notice.startswith("102 G ") for notice in notices)
    assert not delivered(bea)
    await settle([ana])
    await assert_promises_kept([ana, bea])


async def test_a_recipient_that_vanishes_while_it_is_written_to(node_factory: NodeFactory) -> None:
    nodes = await node_factory.start_many(2)
    sender = await ChatteClient.enter_chat(nodes[0].port(), "sender")
    witness = await ChatteClient.enter_chat(nodes[1].port(), "witness")
    everybody = [sender, witness]
    for turn in range(6):
        recipient = await ChatteClient.enter_chat(
            nodes[turn % 2].port(), f"recipient-{turn}", acknowledges=turn % 3 != 0
        )
        everybody.append(recipient)

        async def vanish(recipient: ChatteClient = recipient) -> None:
            await until(lambda: len(delivered(recipient)) > 5, 30, "traffic to flow")
            recipient.abort()
            await sender.expect_line(f"151 {recipient.nickname} just left the chat")

        await under_load([sender], vanish(), per_second=200, whisper_to=[recipient.nickname])
    await settle([sender, witness])
    await assert_promises_kept(everybody)


async def test_what_a_client_that_acknowledges_did_not_acknowledge_is_reported_when_it_breaks(
    node_factory: NodeFactory,
) -> None:
    nodes = await node_factory.start_many(2)
    ana = await ChatteClient.enter_chat(nodes[0].port(), "ana")
    bea = await ChatteClient.enter_chat(nodes[1].port(), "bea")
    first = ana.whisper("bea")
    await until(lambda: first in delivered(bea), 30, "the first message")
    ana.say()  # whose acknowledgement follows the first one's, on the same connection
    await ana.answered()
    await settle([ana, bea])
    # It no longer reads, as a client whose network is gone: what is written to it is in the air.
    bea.stop_reading()
    texts = {ana.whisper("bea") for _ in range(3)}
    await ana.answered()
    bea.abort()
    await ana.expect_line("151 bea just left the chat")
    await until(
        lambda: reported(ana, texts) == texts,
        30,
        lambda: f"reports of {texts - reported(ana, texts)}; {ana.describe()}",
    )
    assert first not in reported(ana, {first})
    await settle([ana])
    await assert_promises_kept([ana, bea])


async def test_a_report_for_a_sender_that_is_gone_too_troubles_nobody(
    node_factory: NodeFactory,
) -> None:
    nodes = await node_factory.start_many(2, **QUICK)
    ana = await ChatteClient.enter_chat(nodes[0].port(), "ana")
    bea = await ChatteClient.enter_chat(nodes[1].port(), "bea")
    witness = await ChatteClient.enter_chat(nodes[0].port(), "witness")
    await settle([ana, bea, witness])
    await node_factory.seasoned()
    nodes[1].freeze()
    ana.whisper("bea")
    await ana.answered()
    lost([bea])
    nodes[1].kill()
    ana.close()
    await witness.expect_line("151 ana just left the chat")
    heir = await ChatteClient.enter_chat(nodes[0].port(), "ana")  # not whom the report is for
    await witness.expect_line("151 bea just left the chat", BURIED_SECONDS + 8)
    await settle([witness, heir])
    assert not any(heir.history.of(Reported))
    await assert_promises_kept([ana, bea, witness, heir])
