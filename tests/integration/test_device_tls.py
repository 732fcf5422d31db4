"""Devices over TLS, which has no halves, so that an end is the end of both."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from harness.certificates import make, trusting
from harness.device_client import DeviceClient, hanging, leave_messages, show, sign_up, take
from harness.dialects import launch
from harness.node import Node, NodeFactory
from harness.waiting import until


async def over_tls_and_clear(
    factory: NodeFactory, folder: Path
) -> tuple[Node, int, Callable[[], Awaitable[DeviceClient]]]:
    """Start a node that speaks TLS, and one that does not; sign two up.

    Gives the first, the other's port, and what connects to the first.
    """
    made = make(folder)
    listener: dict[str, object] = {"dialect": "device", "host": "127.0.0.1", "port": 0}
    private = {"certificate": str(made.certificate), "key": str(made.key)}
    over_tls = launch(factory, [listener | private])
    clear = launch(factory, [listener])
    for node in (over_tls, clear):
        await node.ready()
    port = clear.port("device")
    for name in ("anna", "bruno"):
        await sign_up(port, name)

    async def connect() -> DeviceClient:
        return await DeviceClient.connect(over_tls.port("device"), tls=trusting(made))

    return over_tls, port, connect


async def test_what_was_shown_goes_when_the_device_closes_and_stays_when_it_breaks(
    node_factory: NodeFactory, tmp_path: Path
) -> None:
    over_tls, port, connect = await over_tls_and_clear(node_factory, tmp_path)
    await leave_messages(port, "bruno", "anna", "uno")

    async def nobody() -> bool:
        pages = await over_tls.metrics()
        return all(it.value == 0 for it in pages if it.name == "tertulia_connections")

    for _ in range(5):
        _, lines = await show(0, "anna", "bruno", on=(broken := await connect()))
        assert lines == ["uno"]
        broken.reset()
        dead = await connect()
        dead.send(200)
        assert await dead.integer() == 1
        dead.send("anna")
        assert await dead.integer() == 1
        # The end comes with the question: else its system may take the answer, as if it had read it.
        dead.cork()
        dead.send("bruno")
        dead.close_at_once()
        await until(nobody, 60, "the connections to be gone")
        assert len(await hanging(port, "anna")) == 1
    device, lines = await show(0, "anna", "bruno", on=await connect())
    assert lines == ["uno"]
    device.close_at_once()
    await until(nobody, 60, "the connection to be gone")
    assert await hanging(port, "anna") == []


@pytest.mark.slow
async def test_who_waits_is_heard_for_a_moment_when_the_node_drains_and_then_reset(
    node_factory: NodeFactory, tmp_path: Path
) -> None:
    over_tls, port, connect = await over_tls_and_clear(node_factory, tmp_path)
    bruno = await connect()
    bruno.send(10, "bruno", "anna")
    assert [await bruno.integer() for _ in range(3)] == [1, 1, 1]
    bruno.send("uno")
    over_tls.terminate()
    await over_tls.drains()
    bruno.send("due")
    with pytest.raises(ConnectionError):
        await bruno.ends_in_order()
    assert await over_tls.exit_status(60) == 0
    assert await take(port, "anna", "bruno") in (["uno", "due"], ["uno"])  # if it came too late


async def test_what_a_device_said_before_it_closed_is_kept(
    node_factory: NodeFactory, tmp_path: Path
) -> None:
    _, port, connect = await over_tls_and_clear(node_factory, tmp_path)
    bruno = await connect()
    bruno.send(10, "bruno", "anna")
    assert [await bruno.integer() for _ in range(3)] == [1, 1, 1]
    texts = [f"m{n}" for n in range(50)]
    bruno.send(*texts)
    bruno.close_at_once()

    async def all_are_kept() -> bool:
        lines = await hanging(port, "anna")
        return bool(lines) and lines[0].startswith(f"bruno: {len(texts)} ")

    await until(all_are_kept, 60, "all to be kept")
    assert await take(port, "anna", "bruno") == texts
