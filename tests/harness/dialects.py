"""Clients of every dialect, and nodes that listen for them."""

import json
from collections.abc import Iterable, Sequence

from harness.browser_client import BrowserClient
from harness.chatte_client import WITHIN, ChatteClient
from harness.irc_client import IrcClient, PlainIrcClient
from harness.node import Node, NodeFactory
from harness.protocollo_client import ClassicClient, ProtocolloClient
from harness.waiting import until

DIALECT: dict[type[ChatteClient], str] = {
    ChatteClient: "chatte",
    ProtocolloClient: "protocollo",
    ClassicClient: "protocollo",
    BrowserClient: "browser",
    IrcClient: "irc",
    PlainIrcClient: "irc",
}
"""What each client speaks."""
_OWN: dict[type[ChatteClient], dict[str, object]] = {
    ClassicClient: {"wording": "classic"},
    PlainIrcClient: {"history": 0},  # it could not tell what is past from what is said now
}
"""What a client needs of its listener."""


def listener(
    dialect: type[ChatteClient], chat: str = "main", **options: object
) -> dict[str, object]:
    """Return what a node has to listen with for a client, on a free port of 127.0.0.1."""
    own = _OWN.get(dialect, {})
    name = DIALECT[dialect]
    return {"dialect": name, "host": "127.0.0.1", "port": 0, "chat": chat, **own, **options}


def launch(
    factory: NodeFactory,
    listeners: Iterable[dict[str, object]],
    *,
    redis_url: str | None = None,
    **settings: str,
) -> Node:
    """Start a node with such listeners, and don't wait for it."""
    settings |= {"LISTENERS": json.dumps(list(listeners))}
    return factory.launch(settings=settings, redis_url=redis_url)


async def start(
    factory: NodeFactory, *dialects: Sequence[type[ChatteClient]], **settings: str
) -> list[Node]:
    """Start a node for each sequence of dialects, and wait for all.

    A node's protocollo is either the page's or the classic one.
    """
    nodes = [launch(factory, map(listener, each), **settings) for each in dialects]
    for node in nodes:
        await node.ready()
    return nodes


async def ask_to_enter(client: ChatteClient, nickname: str, password: str | None = None) -> None:
    """Ask for a nickname, with a password as its dialect has it; the answer has come when this returns."""
    client.nickname = nickname
    if isinstance(client, BrowserClient):
        proof = {} if password is None else {"password": password}
        client.put(type="enter", nickname=nickname, **proof)
    elif isinstance(client, IrcClient):
        client.password = password or ""
        client.ask(nickname)
    else:
        proven = nickname if password is None else f"{nickname}:{password}"
        client.send(proven.encode() + b"\n")
    await client.wait_for(
        lambda: client.welcomed or client.refused or client.closed, WITHIN, "an answer"
    )


async def until_empty(nodes: Iterable[Node], chat: str = "main", within: float = 30.0) -> None:
    """Wait until nobody is in a chat any more, as every node knows."""
    for node in nodes:

        async def is_empty(node: Node = node) -> bool:
            return all(
                it.value == 0
                for it in await node.metrics()
                if it.name == "tertulia_roster_size" and it.labels["chat"] == chat
            )

        await until(is_empty, within, f"{node.node_id} to have nobody in {chat}")


def port(node: Node, dialect: type[ChatteClient], chat: str = "main") -> int:
    """Return the port on which a node listens for a client."""
    return node.port(next(DIALECT[it] for it in dialect.__mro__ if it in DIALECT), chat)
