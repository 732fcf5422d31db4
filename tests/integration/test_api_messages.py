"""A program says something over the API: people read it once, in every dialect, though it was sent twice."""

import asyncio
from collections.abc import Iterator

import pytest

from harness import browser_frames as frames
from harness.admin import Admin
from harness.api_process import ApiProcess
from harness.browser_client import BrowserClient
from harness.chatte_client import ChatteClient
from harness.dialects import launch, listener, port
from harness.irc_client import IrcClient
from harness.node import Node, NodeFactory
from harness.protocollo_client import ProtocolloClient
from harness.redis_server import running_redis
from harness.waiting import until
from tertulia.api.tokens import digest

pytestmark = pytest.mark.slow

BOT = "tertulia_bot"
TOKENS = f"""
[[tokens]]
name = "bot"
sha256 = "{digest(BOT)}"
scopes = ["say", "read"]
rooms = ["ops", "chess", "lobby"]
"""
DIALECTS: list[type[ChatteClient]] = [ChatteClient, ProtocolloClient, BrowserClient, IrcClient]


class Service:
    """A node with a listener of each dialect, and an API; the account ``bot`` is there."""

    node: Node
    api: ApiProcess
    admin: Admin

    async def places(self) -> list[str]:
        """Return where what was said in the lobby stands in the log."""
        lines = (await self.admin("log", "--json")).lines()
        return [f"{it['offset']}.{it['index']}" for it in lines if it["event"] == "said"]

    async def say(self, room: str, key: str, text: str) -> tuple[int, dict[str, object]]:
        page = await self.api.ask(
            "POST",
            f"/rooms/{room}/messages",
            {"text": text},
            BOT,
            **{"Idempotency-Key": key},
        )
        return page.status, page.json()


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Start all of it once, for all tests here."""
    directory = tmp_path_factory.mktemp("api")
    with running_redis(fsync="no") as server:
        factory = NodeFactory(directory, server.url)
        api = ApiProcess(directory / "api", server.url, tokens=TOKENS)
        it = Service()
        it.api, it.admin = api, Admin(server.url)
        it.node = launch(factory, map(listener, DIALECTS))
        yield it
        api.end()
        factory.end()


@pytest.fixture
async def service(started: Service) -> Service:
    await started.node.ready()
    await started.api.ready()
    await started.admin.account("add", "bot", password="a long password")
    return started


async def test_it_is_read_once_in_every_dialect(service: Service) -> None:
    node = service.node
    chatte = await ChatteClient.enter_chat(node.port(), "anna@ops")
    protocollo = await ProtocolloClient.enter_chat(port(node, ProtocolloClient), "bruno@ops")
    page = await BrowserClient.enter_chat(port(node, BrowserClient), "carla")
    irc = await IrcClient.enter_chat(port(node, IrcClient), "dora")
    for client in (page, irc):
        await client.join_room("ops")
    answers = await asyncio.gather(*(service.say("ops", "k1", "disk is full") for _ in range(4)))
    assert sorted(status for status, _ in answers) == [200, 200, 200, 201]
    assert len({str(body) for _, body in answers}) == 1
    (_, told), *_ = answers
    assert (told["nickname"], told["text"]) == ("bot", "disk is full")
    status, _ = await service.say("ops", "k2", "two\nlines")
    assert status == 201
    await page.expect_event(frames.SaidEvent("bot", "two\nlines", account=True), room="ops")
    said = [it.event for it in page.rooms["ops"].events if isinstance(it.event, frames.SaidEvent)]
    assert [it.text for it in said] == ["disk is full", "two\nlines"]
    await until(lambda: "100 bot lines" in " ".join(chatte.lines), 60, lambda: str(chatte.lines))
    assert [it for it in chatte.lines if " bot " in it] == [
        "100 bot disk is full",
        "100 bot two",
        "100 bot lines",
    ]
    await until(lambda: "lines" in " ".join(protocollo.lines), 60, lambda: str(protocollo.lines))
    assert sum("disk is full" in it for it in protocollo.lines) == 1
    await until(lambda: len(irc.got("PRIVMSG")) == 3, 60, lambda: str(irc.got("PRIVMSG")))
    assert [(it.nickname, it.target, it.text) for it in irc.got("PRIVMSG")] == [
        ("bot", "#ops", "disk is full"),
        ("bot", "#ops", "two"),
        ("bot", "#ops", "lines"),
    ]
    everybody: list[ChatteClient] = [chatte, protocollo, page, irc]
    for each in everybody:
        each.close()


async def test_what_holds_for_people_holds_for_it(service: Service) -> None:
    """Redacted, muted, slow mode; and what was said before it is read by who comes later."""
    node, admin = service.node, service.admin
    anna = await ChatteClient.enter_chat(node.port(), "anna")
    assert (await service.say("chess", "k1", "nobody made that room"))[0] == 404
    assert (await service.say("lobby", "k1", "to be withdrawn"))[0] == 201
    _, told = await service.say("lobby", "k2", "kept")
    withdrawn, kept = await service.places()
    assert kept == told["id"]
    assert (await admin("redact", *withdrawn.split("."))).status == 0
    page = (await service.api.ask("GET", "/rooms/lobby/messages", token=BOT)).json()
    assert [(it["text"], it["is_redacted"], it["is_account"]) for it in page["items"]] == [
        ("", True, True),
        ("kept", False, True),
    ]
    assert page["items"][1]["id"] == told["id"]
    assert page["next"] is None
    assert (await admin("mute", "bot")).status == 0
    status, problem = await service.say("lobby", "k3", "never read")
    assert (status, problem["type"], problem["until"]) == (403, "urn:tertulia:muted", None)
    assert (await service.say("lobby", "k2", "kept"))[0] == 200, "it was said before the mute"
    assert (await admin("unmute", "bot")).status == 0
    assert (await admin("slow", "60")).status == 0
    assert (await service.say("lobby", "k4", "slowly"))[0] == 201
    status, problem = await service.say("lobby", "k5", "too soon")
    assert (status, problem["type"]) == (429, "urn:tertulia:slow-mode")
    await anna.expect_line(lambda it: "slowly" in it)
    assert not any("never read" in it or "too soon" in it for it in anna.lines)
    anna.close()
