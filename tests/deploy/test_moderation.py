"""Moderation on two real nodes, Redis as shipped: three dialects, one order, and what outlives a death."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from deploy.shipped_nodes import ShippedNodes, shipped_nodes
from harness.browser_client import BrowserClient, Happened
from harness.chatte_client import WITHIN, ChatteClient
from harness.protocollo_client import ProtocolloClient
from harness.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.server]

PASSWORD = "anna's password"


class Place(ShippedNodes):
    """Two nodes on one Redis, and what people and operators do there."""

    async def enter(
        self, kind: type[ChatteClient], nickname: str, node: int, password: str = ""
    ) -> ChatteClient:
        dialect = {ChatteClient: "chatte", BrowserClient: "browser"}.get(kind, "protocollo")
        client = await kind.connect(self.nodes[node].port(dialect), nickname)
        client.nickname = nickname
        if isinstance(client, BrowserClient) and password:
            client.put(type="enter", nickname=nickname, password=password)
        else:
            client.ask(nickname)
        await client.wait_for(lambda: client.welcomed, WITHIN, "a welcome")
        return client

    async def operate(self, *words: str) -> str:
        told = await self.admin(*words)
        assert told.status == 0, told
        return told.out


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("moderation")
    with shipped_nodes(folder, "chatte", "browser", "protocollo") as there:
        subprocess.run(
            [sys.executable, "-m", "tertulia", "account", "add", "anna"],
            env=there.admin.environment, input=f"{PASSWORD}\n", text=True, check=True, timeout=200,
            capture_output=True,
        )  # fmt: skip
        yield Place(there.server, there.nodes, there.admin)


def begins(start: str, *then: str) -> "Begins":
    return Begins(start, then)


@dataclass(frozen=True)
class Begins:
    """A line that begins in a way, and has certain words."""

    start: str
    then: tuple[str, ...]

    def __call__(self, line: str) -> bool:
        return line.startswith(self.start) and all(it in line for it in self.then)


async def test_a_moderator_mutes_kicks_and_redacts_and_all_read_it(place: Place) -> None:
    with_nobody = await place.admin("moderator", "add", "nobody")
    assert with_nobody.status == 1
    assert "a moderator needs one" in with_nobody.err
    await place.operate("moderator", "add", "anna", "--as", "carla")
    assert await place.operate("moderator", "list") == "anna\n"
    bruno = await place.enter(ChatteClient, "bruno", 0)
    dora = await place.enter(ProtocolloClient, "dora", 1)
    anna = await place.enter(BrowserClient, "anna", 1, PASSWORD)
    assert isinstance(anna, BrowserClient)
    assert anna.welcome is not None
    assert anna.welcome.moderator

    text = bruno.say()
    event = await _said(anna, text)
    mute = {"nickname": "bruno", "seconds": 600, "reason": "too loud"}
    anna.put(type="moderate", action="mute", **mute)
    told = await bruno.expect_line(begins("102 G bruno was muted by anna until ", ": too loud"))
    moment = told.partition(" until ")[2]
    await dora.expect_line(begins("G> bruno non può più scrivere fino al ", "anna: too loud"))
    bruno.send(b"100 am I heard?\n")
    await bruno.expect_line(f"102 G Your message was not sent: you are muted until {moment}")
    anna.put(type="moderate", action="redact", offset=event.offset, index=0)
    await bruno.expect_line("102 G anna withdrew a message")

    # What holds outlives the node and Redis.
    place.nodes[0].kill()
    place.server.stop()
    await place.nodes[1].becomes_unready(30)  # else it may be as ready as before
    place.server.start()
    await place.nodes[1].becomes_ready(30)
    again = await place.enter(ChatteClient, "bruno2", 1)
    again.close()
    await until(
        lambda: not place.server.client("admin").exists("{main}:nick:bruno"), 30, "bruno buried"
    )
    back = await place.enter(ChatteClient, "bruno", 1)
    back.send(b"100 and now?\n")
    await back.expect_line(f"102 G Your message was not sent: you are muted until {moment}")

    anna.put(type="moderate", action="kick", nickname="bruno", reason="enough")
    await back.expect_line("102 G You were removed from the chat: enough")
    await dora.expect_line("G> bruno è stato allontanato da anna: enough")

    log = await place.operate("log", "--places", "-n", "100")
    assert "bruno: [withdrawn by a moderator]" in log
    assert text not in log
    assert f"*** anna (moderator): redact {event.offset}.0" in log
    assert "*** anna (moderator): mute bruno 600 s (too loud)" in log
    assert "*** carla: moderator-add anna" in log
    audit = await place.operate("audit")
    assert "anna (moderator)" in audit
    assert "too loud" in await place.operate("mute")
    for words in (
        ("slow", "5"), ("slow", "0"), ("accounts-only", "on"), ("accounts-only", "off"),
        ("topic", "caffè"), ("unmute", "bruno"), ("moderator", "remove", "anna"),
    ):  # fmt: skip
        await place.operate(*words)
    await dora.expect_line("G> anna non è più moderatore")
    for client in (dora, anna):
        client.close()
    await asyncio.sleep(0)


async def _said(client: BrowserClient, text: str) -> Happened:
    def found() -> list[Happened]:
        return [it for it in client.events if getattr(it.event, "text", None) == text]

    await client.wait_for(lambda: bool(found()), WITHIN, text)
    return found()[0]
