"""People enter by an issuer's word: as themselves, and as nobody else."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from harness import browser_frames as frames
from harness.browser_client import BrowserClient, Position
from harness.chatte_client import ChatteClient
from harness.dialects import launch, listener, port
from harness.issuer import CLIENT, Issuer
from harness.node import Node, NodeFactory
from harness.redis_server import RedisServer, running_redis
from harness.waiting import until


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with Issuer() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with running_redis(fsync="no") as server:
        yield server


@pytest.fixture(scope="module")
def nodes(
    tmp_path_factory: pytest.TempPathFactory, redis: RedisServer, issuer: Issuer
) -> Iterator[list[Node]]:
    factory = NodeFactory(tmp_path_factory.mktemp("nodes"), redis.url)
    oidc = {"issuer": issuer.url, "client_id": CLIENT}
    browser = {**listener(BrowserClient), "oidc": oidc}
    try:
        yield [launch(factory, [browser, listener(ChatteClient)]) for _ in range(2)]
    finally:
        factory.end()


@pytest.fixture
async def connections(nodes: list[Node]) -> AsyncIterator[list[BrowserClient]]:
    """Connections, one to each node and one more to the first."""
    for node in nodes:
        await node.ready()
    made = [await BrowserClient.connect(port(nodes[it], BrowserClient)) for it in (0, 1, 0)]
    yield made
    for connection in made:
        connection.close()


async def sign_in(client: BrowserClient, token: str, **more: object) -> str:
    """Enter with an ID token; return the nickname, or why it was refused."""
    seen = len(client.frames)
    client.put(type="enter", nickname="", id_token=token, **more)

    def answers() -> list[frames.WelcomeFrame | frames.RefusedFrame]:
        kinds = (frames.WelcomeFrame, frames.RefusedFrame)
        return [it for it in client.frames[seen:] if isinstance(it, kinds)]

    await client.wait_for(lambda: bool(answers()), 30, "an answer")
    answer = answers()[0]
    return answer.nickname if isinstance(answer, frames.WelcomeFrame) else answer.reason


async def test_one_is_who_the_issuer_says_on_every_node(
    issuer: Issuer, connections: list[BrowserClient]
) -> None:
    first, elsewhere, _ = connections

    assert await sign_in(first, issuer.token(sub="a", preferred_username="anna")) == "anna"
    # Who comes again takes one's own place.
    assert await sign_in(elsewhere, issuer.token(sub="a", preferred_username="Anna")) == "Anna"
    await until(lambda: first.closed, 30, "the first connection to end")
    assert first.close_reason == "displaced"


async def test_nobody_else_gets_that_name(
    issuer: Issuer, nodes: list[Node], connections: list[BrowserClient]
) -> None:
    first, elsewhere, third = connections
    assert await sign_in(first, issuer.token(sub="b", preferred_username="bruno")) == "bruno"
    first.leave()
    await until(lambda: first.closed, 30, "bruno to be gone")

    other = issuer.token(sub="c", preferred_username="bruno")
    assert await sign_in(elsewhere, other) == "nickname_taken"
    third.put(type="enter", nickname="bruno", password="oidc:")
    await third.wait_for(lambda: "nickname_taken" in "".join(third.lines), 30, "a refusal")
    guest = await ChatteClient.connect(nodes[1].port("chatte"), "bruno")
    guest.ask("bruno")
    await guest.wait_for(lambda: guest.refused, 30, "a refusal")
    guest.close()


async def test_a_guest_or_an_account_is_not_pushed_away(
    issuer: Issuer, nodes: list[Node], connections: list[BrowserClient]
) -> None:
    guest = await ChatteClient.enter_chat(nodes[0].port("chatte"), "dora")

    token = issuer.token(sub="d", preferred_username="dora")
    assert await sign_in(connections[1], token) == "nickname_taken"

    guest.close()
    await until(lambda: guest.closed, 30, "the guest to be gone")


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"aud": "another"}, "not_signed_in"),
        ({"exp": 1}, "not_signed_in"),
        ({"preferred_username": "two words"}, "invalid_nickname"),
        ({"preferred_username": ""}, "invalid_nickname"),
    ],
)
async def test_what_proves_nothing_lets_nobody_in(
    issuer: Issuer, connections: list[BrowserClient], claims: dict[str, Any], reason: str
) -> None:
    client = connections[0]

    assert await sign_in(client, issuer.token(**claims)) == reason
    # The connection stays, and the next try may be better.
    assert await sign_in(client, issuer.token(sub="e", preferred_username="eva")) == "eva"


async def test_a_session_goes_on_without_another_id_token(
    issuer: Issuer, connections: list[BrowserClient]
) -> None:
    first, elsewhere, _ = connections
    await sign_in(first, issuer.token(sub="f", preferred_username="fred"))
    welcome = next(it for it in first.frames if isinstance(it, frames.WelcomeFrame))
    place = Position(welcome.token, welcome.epoch, welcome.offset)

    welcome = await elsewhere.resume("fred", place)

    assert welcome.resumed


async def test_where_no_issuer_is_named_an_id_token_proves_nothing(
    node_factory: NodeFactory, issuer: Issuer
) -> None:
    node = launch(node_factory, [listener(BrowserClient)])
    await node.ready()
    client = await BrowserClient.connect(port(node, BrowserClient))

    assert await sign_in(client, issuer.token()) == "not_signed_in"
    client.close()


async def test_no_token_is_in_a_log(nodes: list[Node], issuer: Issuer) -> None:
    for node in nodes:
        assert not any("eyJ" in line for line in node.lines)
