"""Two nodes that speak irc and every other dialect, and who was let in."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from harness import browser_frames as frames
from harness.admin import Admin
from harness.browser_client import BrowserClient
from harness.chatte_client import ChatteClient
from harness.dialects import ask_to_enter, launch, listener, port
from harness.irc_client import IrcClient, Message
from harness.node import Node, NodeFactory
from harness.protocollo_client import ClassicClient, ProtocolloClient
from harness.redis_groups import LOGIN, denied, shipped_user
from harness.redis_server import RedisServer, running_redis
from harness.waiting import until

Kind = TypeVar("Kind", bound=ChatteClient)

SECRET = "s3cret-enough"
OTHERS: tuple[type[ChatteClient], ...] = (ChatteClient, ProtocolloClient, BrowserClient)
"""Who speaks something else."""


@dataclass(slots=True)
class IrcHouse:
    """A chat on two nodes, its operator, and whoever is in it."""

    nodes: list[Node]
    redis: RedisServer
    room: str
    """A room that no other test has."""
    guests: list[ChatteClient] = field(default_factory=list)
    admin: Admin = field(init=False)

    def __post_init__(self) -> None:
        self.admin = Admin(self.redis.url)

    async def connect(self, kind: type[Kind], node: int = 0, source: str | None = None) -> Kind:
        """Let somebody connect, and not yet enter."""
        client = await kind.connect(port(self.nodes[node], kind), source=source)
        self.guests.append(client)
        return client

    async def ask(
        self, kind: type[Kind], nickname: str, password: str | None = None, node: int = 0
    ) -> Kind:
        """Let somebody ask for a nickname; the answer has come when this returns."""
        client = await self.connect(kind, node)
        await ask_to_enter(client, nickname, password)
        return client

    async def enter(
        self,
        kind: type[Kind],
        nickname: str,
        node: int = 0,
        *rooms: str,
        password: str | None = None,
    ) -> Kind:
        """Let somebody in, into further rooms as well where its dialect shows several."""
        client = await self.connect(kind, node)
        if password is None:
            await client.enter(nickname)
        else:
            await ask_to_enter(client, nickname, password)
        assert client.welcomed, client.describe()
        for room in rooms:
            assert isinstance(client, IrcClient | BrowserClient)
            await client.join_room(room)
        return client

    async def irc(self, nickname: str, node: int = 0, *rooms: str) -> IrcClient:
        """Let somebody in who speaks irc with all that there is."""
        return await self.enter(IrcClient, nickname, node, *rooms)

    async def account(self, nickname: str, node: int = 0, *rooms: str) -> IrcClient:
        """Let somebody in who makes an account, and then makes the rooms that are not there yet."""
        client = await self.irc(nickname, node)
        client.put(f"REGISTER * * {SECRET}")
        await client.expect("REGISTER", "SUCCESS")

        async def is_known() -> bool:  # which is told to all in the lobby's order
            return "330" in (await client.answer(f"WHOIS {nickname}")).commands

        await until(is_known, 30, f"{nickname} to be known for an account")
        for room in rooms:
            await client.join_room(room)
        return client


@contextlib.contextmanager
def running_nodes(
    directory: Path, settings: Mapping[str, str] | None = None, *, history: int = 50
) -> Iterator[tuple[list[Node], RedisServer]]:
    """Run two nodes on a Redis with the rights that are shipped, as long as the block lasts."""
    with running_redis(fsync="no", options=shipped_user()) as server:
        factory = NodeFactory(directory, server.url.replace("//", f"//{LOGIN}@"))
        listeners = [
            *map(listener, OTHERS),
            listener(ClassicClient, "old"),
            listener(IrcClient, history=history),
        ]
        try:
            for _ in range(2):
                launch(factory, listeners, **(settings or {}))
            for node in factory.nodes:
                node.ready_sync()
            yield factory.nodes, server
            assert denied([server]) == []
            assert complaints(factory.nodes) == []
        finally:
            factory.end()


async def everybody_leaves(house: IrcHouse) -> None:
    """Let everybody go, take back what operators and moderators did, and forget all accounts."""
    for guest in house.guests:
        guest.close()
    control = house.redis.control
    await until(lambda: not control.exists("{main}:order"), 30, "an empty chat")
    for ban in await house.admin.json("bans"):
        flag = [f"--{ban['kind']}"] if ban["kind"] in ("nickname", "account") else []
        await house.admin("unban", ban["subject"], *flag)
        await house.admin.heard_by(*house.nodes)
    for kind in ("account:*", "failures:*", "changes:*", "token:*"):
        for key in control.scan_iter(f"{{main}}:{kind}"):
            control.delete(key)


async def hears(client: ChatteClient, nickname: str, text: str, room: str = "") -> None:
    """Wait until somebody has read what was said in a room that it is shown, in its own words."""
    match client:
        case IrcClient():
            await client.expect_text(nickname, text, f"#{room}" if room else "#lobby")
        case BrowserClient():
            await client.expect_event(frames.SaidEvent(nickname, text), room=room)
        case ProtocolloClient():
            await client.expect_line(client.wording.said(nickname, text))
        case _:
            await client.expect_line(f"100 {nickname} {text}")


async def hears_alone(client: ChatteClient, nickname: str, text: str) -> None:
    """Wait until somebody has read what was said to it alone."""
    match client:
        case IrcClient():
            await client.expect("PRIVMSG", client.nickname, text, source=nickname)
        case BrowserClient():
            await client.expect_frame(
                frames.WhisperedFrame, lambda it: (it.sender, it.text) == (nickname, text)
            )
        case ProtocolloClient():
            await client.expect_line(f"{nickname}> {text}")
        case _:
            await client.expect_line(f"102 {nickname} {text}")


def commands(messages: list[Message]) -> list[str]:
    """Return what messages are, without what they say."""
    return [it.command for it in messages]


def complaints(nodes: Iterable[Node]) -> list[str]:
    """Return what nodes logged of errors of their own."""
    return [it for node in nodes for it in node.lines if '"level":"error"' in it.replace(" ", "")]
