"""Moderating and operating over the API, by a process of it, as people on two real nodes see it.

And the first section of docs/api.md, as it is printed there.
"""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from deploy.tools import packaged
from harness import browser_frames as frames
from harness.api_process import OPERATOR, ApiProcess
from harness.browser_client import BrowserClient
from harness.chatte_client import ChatteClient
from harness.dialects import launch, listener, port
from harness.irc_client import IrcClient
from harness.node import Node, NodeFactory
from harness.redis_server import running_redis
from harness.waiting import until
from tertulia.api.tokens import digest

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
GUARD = "tertulia_the-guards-token"
TOKENS = f"""
[[tokens]]
name = "operator"
sha256 = "{digest(OPERATOR)}"
scopes = ["say", "read", "moderate", "operate"]

[[tokens]]
name = "guard"
sha256 = "{digest(GUARD)}"
scopes = ["moderate"]
rooms = ["ops"]
"""


class House:
    """Two nodes and the API: Anna (browser) and Bruno (IRC) are in #ops; Carla (chatte) is in the lobby."""

    api: ApiProcess
    nodes: list[Node]
    anna: BrowserClient
    bruno: IrcClient
    carla: ChatteClient

    async def done(
        self, method: str, path: str, body: Any = None, token: str = OPERATOR, status: int = 204
    ) -> Any:
        """Ask the API, which has to answer so; return what it says."""
        page = await self.api.ask(method, path, body, token)
        assert page.status == status, page
        return page.json() if page.body else None

    async def heard(self) -> None:
        """Wait until both nodes have heard all that was done: what is said after it comes after it."""
        text = self.carla.unique("heard")
        await self.done("POST", "/rooms/lobby/announcements", {"text": text})
        await self.anna.expect_event(frames.SaidEvent("G", text))
        await self.bruno.expect("NOTICE", "#lobby", text)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    with running_redis(fsync="no") as server:
        factory = NodeFactory(tmp_path, server.url)
        it = House()
        try:
            it.api = ApiProcess(tmp_path / "api", server.url, tokens=TOKENS)
            kinds = [listener(kind) for kind in (ChatteClient, BrowserClient, IrcClient)]
            it.nodes = [launch(factory, kinds) for _ in range(2)]
            for node in it.nodes:
                await node.ready()
            await it.api.ready()
            one, two = it.nodes
            it.anna = await BrowserClient.enter_chat(port(one, BrowserClient), "anna")
            it.bruno = await IrcClient.enter_chat(port(two, IrcClient), "bruno")
            it.carla = await ChatteClient.enter_chat(port(two, ChatteClient), "carla")
            await it.anna.join_room("ops")
            await it.bruno.join_room("ops")
            yield it
            for guest in (it.anna, it.bruno, it.carla):
                guest.close()
        finally:
            if hasattr(it, "api"):
                it.api.end()
            factory.end()


async def as_the_page_says(house: House, directory: Path) -> None:
    """Run the commands of the page's first section, and that of an error; each prints what stands there."""
    packaged("curl")
    text = PAGE.read_text()
    commands = re.findall(
        r"^\$ (curl .*)\n((?:[^$`].*\n)*)", text.partition("\n## Said once")[0], re.M
    )
    errors = text.partition("\n## Errors")[2]
    commands += re.findall(r"^\$ (curl .*)\n((?:[^$`].*\n)*)", errors, re.M)
    assert len(commands) == 6
    environment = {
        **os.environ,
        "API": f"http://127.0.0.1:{house.api.ports['api']}/v1",
        "TOKEN": OPERATOR,
    }

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, env=environment, cwd=directory, capture_output=True, text=True, timeout=200
        )

    said = []
    for command, printed in commands:
        ran = await asyncio.to_thread(run, "bash", "-c", command)
        pattern = ".*".join(map(re.escape, printed.strip().split("…")))
        assert re.fullmatch(pattern, ran.stdout.strip()), f"$ {command}\n{ran.stdout}{ran.stderr}"
        said.append(ran.stdout)
    assert said[3] == said[4], "what is said twice is said once"
    await house.carla.expect_line("100 operator Deploying.")
    assert house.carla.lines.count("100 operator Deploying.") == 1

    (program,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (shell,) = re.findall(r"^\$ (curl -sN .*\n)> +(.*)\n", text, re.M)

    async def hears(*texts: str, said: bool, command: tuple[str, ...]) -> None:
        """Run a listener until it has heard some texts, which are said when it listens, or were before."""
        listening = await asyncio.create_subprocess_exec(
            *command, env=environment, cwd=directory, stdout=subprocess.PIPE, start_new_session=True
        )
        try:
            async with asyncio.timeout(200):
                assert listening.stdout is not None
                assert b"position" in await listening.stdout.readline(), "hello"
                for text in texts:
                    if not said:
                        await house.done("POST", "/rooms/lobby/announcements", {"text": text})
                    while text.encode() not in (line := await listening.stdout.readline()):
                        assert line, "it has ended"
        finally:
            os.killpg(listening.pid, signal.SIGKILL)
            await listening.wait()

    await hears("news", said=False, command=(sys.executable, "-c", program))
    in_shell = ("bash", "-c", "".join(shell))
    await hears("one", "two", said=False, command=in_shell)
    await house.done("POST", "/rooms/lobby/announcements", {"text": "while nobody listens"})
    await hears("while nobody listens", said=True, command=in_shell)


async def test_what_a_moderator_does_is_read_in_every_dialect(house: House, tmp_path: Path) -> None:
    await as_the_page_says(house, tmp_path)
    anna, bruno = house.anna, house.bruno

    async def as_guard(method: str, path: str, body: Any = None, status: int = 204) -> Any:
        return await house.done(method, f"/rooms/ops/{path}", body, GUARD, status)

    await as_guard("PUT", "topic", {"text": "releases"})
    await bruno.expect("TOPIC", "#ops", "releases")
    await anna.expect_event(frames.TopicEvent("releases", "G"), room="ops")
    await as_guard("PUT", "slow", {"seconds": 30})
    await anna.expect_event(frames.SlowEvent(30, "G"), room="ops")
    await as_guard("PUT", "slow", {"seconds": 0})

    said = bruno.say("rude", room="ops")
    await anna.expect_event(frames.SaidEvent("bruno", said), room="ops")
    (message,) = (await as_guard("GET", "messages", status=200))["items"]
    assert (message["nickname"], message["text"]) == ("bruno", said)
    await as_guard("DELETE", f"messages/{message['id']}?reason=rude")
    offset, index = map(int, message["id"].split("."))
    await anna.expect_event(frames.RedactedEvent(offset, index, "G"), room="ops")
    (message,) = (await as_guard("GET", "messages", status=200))["items"]
    assert (message["text"], message["is_redacted"]) == ("", True)

    await as_guard("PUT", "mutes/BRUNO", {"seconds": 600, "reason": "spam"})
    await bruno.expect("MODE", "#ops", "+q")
    (mute,) = (await house.done("GET", "/rooms/ops", token=GUARD, status=200))["mutes"]
    assert (mute["nickname"], mute["reason"]) == ("bruno", "spam")
    bruno.say("nobody reads this", room="ops")
    await bruno.expect("404", None, "#ops")
    await as_guard("DELETE", "mutes/bruno")
    again = bruno.say("again", room="ops")
    await anna.expect_event(frames.SaidEvent("bruno", again), room="ops")

    await as_guard("DELETE", "people/bruno?reason=too%20loud")
    await bruno.expect("KICK", "#ops", "bruno", "too loud")
    people = (await as_guard("GET", "people", status=200))["items"]
    assert [(it["nickname"], it["dialect"]) for it in people] == [("anna", "browser")]

    await as_guard("POST", "announcements", {"text": "all is well"})
    await anna.expect_event(frames.SaidEvent("G", "all is well"), room="ops")
    told = (await as_guard("GET", "audit", status=200))["items"]
    assert [(it["action"], it["by"]) for it in told] == [
        (action, "guard (api)")
        for action in ("topic", "slow", "slow", "redact", "mute", "unmute", "kick", "say")
    ]
    lobby = await house.api.ask("PUT", "/rooms/lobby/slow", {"seconds": 1}, GUARD)
    assert (lobby.status, lobby.json()["type"]) == (403, "urn:tertulia:room-not-yours")


async def test_what_an_operator_does_holds_for_the_whole_chat(house: House) -> None:
    anna, carla, done = house.anna, house.carla, house.done
    rooms = (await done("GET", "/rooms", status=200))["items"]
    assert [(it["name"], it["members"]) for it in rooms] == [("lobby", 3), ("ops", 2)]
    assert rooms[1]["shard"].startswith("127.0.0.1:")
    people = (await done("GET", "/rooms/lobby/people", status=200))["items"]
    assert {(it["nickname"], it["address"]) for it in people} == {
        (name, "127.0.0.1") for name in ("anna", "bruno", "carla")
    }

    await done("POST", "/rooms/lobby/announcements", {"text": "Maintenance"})
    await carla.expect_line("100 G Maintenance")
    banned = await done("PUT", "/bans/nickname/carla", {"reason": "spam"}, status=200)
    assert banned["removed"] == ["carla"]
    await carla.disconnected()
    await house.heard()
    back = await ChatteClient.connect(port(house.nodes[0], ChatteClient), "carla")
    assert not await back.enter("carla")
    await done("DELETE", "/bans/nickname/carla")
    await house.heard()
    again = await ChatteClient.enter_chat(port(house.nodes[0], ChatteClient), "carla")
    again.close()

    await done("PUT", "/accounts/dora", {"password": "a secret"}, status=201)
    dora = await ChatteClient.connect(port(house.nodes[1], ChatteClient), "dora")
    assert await dora.enter("dora:a secret")
    dora.close()
    await done("PUT", "/rooms/ops/moderators/dora")
    await anna.expect_event(frames.ModeratorEvent("dora", True, "G"), room="ops")
    await done("PUT", "/rooms/ops/lasting", {"on": True})
    assert (await done("GET", "/rooms/ops", status=200))["is_lasting"] is True

    async def are_up() -> bool:  # whose heartbeat is late is silent for a moment
        nodes = (await done("GET", "/nodes", status=200))["items"]
        return {(it["node"], it["state"]) for it in nodes} == {
            (it.node_id, "up") for it in house.nodes
        }

    await until(are_up, 60, "both nodes to be up")
    two = house.nodes[1]
    drained = await done("POST", f"/nodes/{two.node_id}/drain", status=202)
    assert drained["node"] == two.node_id
    await house.bruno.disconnected()
    assert await two.exit_status(60) == 0
    text = anna.say("still here")
    await anna.expect_event(frames.SaidEvent("anna", text))
    by = {it["by"] for it in (await done("GET", "/rooms/lobby/audit", status=200))["items"]}
    assert by == {"operator (api)"}
    logged = str(house.api.lines)
    assert "a secret" not in logged
    assert OPERATOR not in logged
