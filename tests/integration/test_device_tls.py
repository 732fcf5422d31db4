"""Devices over TLS, which has no halves: what was shown goes when the device closes, and only then."""

from pathlib import Path

from harness.certificates import make, trusting
from harness.device_client import DeviceClient, hanging, leave_messages, show, sign_up
from harness.dialects import launch
from harness.node import NodeFactory
from harness.waiting import until


async def test_what_was_shown_goes_when_the_device_closes_and_stays_when_it_breaks(
    node_factory: NodeFactory, tmp_path: Path
) -> None:
    made = make(tmp_path)
    listener: dict[str, object] = {"dialect": "device", "host": "127.0.0.1", "port": 0}
    private = {"certificate": str(made.certificate), "key": str(made.key)}
    over_tls = launch(node_factory, [listener | private])
    clear = launch(node_factory, [listener])
    for node in (over_tls, clear):
        await node.ready()
    port = clear.port("device")
    for name in ("anna", "bruno"):
        await sign_up(port, name)
    await leave_messages(port, "bruno", "anna", "uno")

    async def connect() -> DeviceClient:
        return await DeviceClient.connect(over_tls.port("device"), tls=trusting(made))

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
        await until(nobody, 10, "the connections to be gone")
        assert len(await hanging(port, "anna")) == 1
    device, lines = await show(0, "anna", "bruno", on=await connect())
    assert lines == ["uno"]
    device.close_at_once()
    await until(nobody, 10, "the connection to be gone")
    assert await hanging(port, "anna") == []
