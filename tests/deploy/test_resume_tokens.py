"""A resume token proves what was proven when it was issued, no more: two nodes, Redis as shipped.

`browser` is the one dialect that resumes.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import msgspec
import pytest

from deploy.shipped_nodes import ShippedNodes, shipped_nodes
from deploy.shipped_redis import PASSWORDS
from harness import browser_frames as frames
from harness.admin import Admin
from harness.browser_client import BrowserClient, Position
from harness.chatte_client import WITHIN, ChatteClient
from harness.device_client import PASSWORD, leave_messages, sign_up
from harness.waiting import until
from history.record import ReceivedPrivate

pytestmark = [pytest.mark.slow, pytest.mark.server]

OTHER = "another password"
SECRET = "for nobody but andy"


@dataclass
class Place(ShippedNodes):
    """Two nodes on one Redis, and the clients of a test."""

    clients: list[ChatteClient] = field(default_factory=list)

    async def connect(self, node: int) -> BrowserClient:
        client = await BrowserClient.connect(self.nodes[node].port("browser"), "andy")
        self.clients.append(client)
        return client

    async def enter(self, node: int = 0, password: str | None = None) -> Position:
        """Let andy in, with his password or as a guest, and return what he could resume by."""
        client = await self.connect(node)
        client.nickname = "andy"
        proof = {} if password is None else {"password": password}
        client.put(type="enter", nickname="andy", **proof)
        await client.wait_for(lambda: client.welcomed or client.refused, WITHIN, "an answer")
        assert client.position is not None, client.describe()
        return client.position

    async def resume(self, position: Position, node: int = 1) -> frames.Frame | None:
        """Try to go on as andy, and return the first answer, without the names that it offers instead."""
        client = await self.connect(node)
        client.ask_again("andy", position)
        await client.wait_for(lambda: client.welcomed or client.refused, WITHIN, "an answer")
        answer = client.frames[0]
        if isinstance(answer, frames.RefusedFrame):
            return msgspec.structs.replace(answer, suggestions=())
        return answer

    async def lose(self) -> None:
        """Cut andy's connections, and wait until his nickname is free."""
        for client in self.clients:
            client.abort()
        await self.empty()

    async def leave(self) -> None:
        """Let andy leave in order."""
        client = self.clients[-1]
        assert isinstance(client, BrowserClient)
        client.leave()
        await client.disconnected()
        await self.empty()

    async def empty(self) -> None:
        control = self.server.client("admin")
        await until(lambda: not control.exists("{main}:nick:andy"), WITHIN, "andy to be gone")

    async def account(self, *words: str, password: str = PASSWORD) -> None:
        """Run `tertulia account`, with a password on standard input."""
        told = await self.admin.account(*words, password=password)
        assert told.status == 0, told

    async def operate(self, *words: str) -> None:
        told = await self.admin(*words)
        assert told.status == 0, told


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with shipped_nodes(tmp_path_factory.mktemp("tokens"), "chatte", "browser", "device") as there:
        yield Place(there.server, there.nodes, there.admin)


@pytest.fixture
async def place(running: Place) -> AsyncIterator[Place]:
    for node in running.nodes:  # one that stood still for a test may have stood still for too long
        await node.becomes_ready(WITHIN)
    yield running
    for client in running.clients:
        with suppress(OSError):
            client.close()
    running.clients.clear()
    control = running.server.client("admin")
    await until(lambda: not control.exists("{main}:order"), WITHIN, "an empty room")
    for kind in (
        "account",
        "device",
        "token",
        "ended",
        "pending",
        "mailbox",
        "senders",
        "sign-ups",
    ):
        for key in control.scan_iter(f"{{main}}:{kind}:*"):
            control.delete(key)
    control.delete("{main}:devices")


TAKEN = frames.RefusedFrame("nickname_taken")


def is_resumed(answer: frames.Frame | None) -> bool:
    return isinstance(answer, frames.WelcomeFrame) and answer.resumed


def assert_newcomer(answer: frames.Frame | None, position: Position) -> None:
    """The answer is the welcome of somebody who is not remembered."""
    assert isinstance(answer, frames.WelcomeFrame)
    assert not answer.resumed
    assert answer.token != position.token


# What a token is for


@pytest.mark.parametrize("password", [None, PASSWORD], ids=["guest", "account"])
async def test_who_lost_the_connection_resumes_on_another_node(
    place: Place, password: str | None
) -> None:
    if password is not None:
        await place.account("add", "andy")
    position = await place.enter(0, password)
    assert is_resumed(await place.resume(position, 1)), "the old one is still there"
    await place.lose()
    assert is_resumed(await place.resume(position, 0))


# A guest's, when there is an account of that name


@pytest.mark.parametrize("signs_up", ["device", "operator"])
@pytest.mark.parametrize("goes", ["left", "lost"])
async def test_a_guests_token_does_not_enter_as_the_account_that_was_made_since(
    place: Place, goes: str, signs_up: str
) -> None:
    position = await place.enter(0)
    await (place.leave() if goes == "left" else place.lose())
    if signs_up == "device":
        await sign_up(place.nodes[0].port("device"), "andy")
    else:
        await place.account("add", "andy")
    await sign_up(place.nodes[1].port("device"), "betty")
    await leave_messages(place.nodes[1].port("device"), "betty", "andy", SECRET)

    for node in (0, 1):
        assert await place.resume(position, node) == TAKEN
    thief = place.clients[-1]
    assert not [it for it in thief.history.records if isinstance(it, ReceivedPrivate)]
    assert place.server.client("admin").exists("{main}:pending:andy:betty")

    owner = await place.connect(1)
    owner.put(type="enter", nickname="andy", password=PASSWORD, resume=_fields(position))
    await owner.wait_for(lambda: owner.welcomed or owner.refused, WITHIN, "an answer")
    assert_newcomer(owner.frames[0], position)
    await owner.wait_for(lambda: any(SECRET in line for line in owner.lines), WITHIN, "his message")


# An account's


async def test_a_token_from_before_another_password_is_over(place: Place) -> None:
    await place.account("add", "andy")
    position = await place.enter(0, PASSWORD)
    await place.account("passwd", "andy", password=OTHER)
    assert await place.resume(position, 1) == TAKEN, "who is in stays, and nobody takes over"
    await place.lose()
    for node in (0, 1):
        assert await place.resume(position, node) == TAKEN
    again = await place.enter(1, OTHER)
    await place.lose()
    assert is_resumed(await place.resume(again, 0))


async def test_the_same_password_given_anew_is_another_one(place: Place) -> None:
    await place.account("add", "andy")
    position = await place.enter(0, PASSWORD)
    await place.lose()
    await place.account("passwd", "andy")
    assert await place.resume(position, 1) == TAKEN


@pytest.mark.parametrize("is_made_again", [False, True])
async def test_a_token_of_an_account_that_was_deleted_proves_nothing(
    place: Place, is_made_again: bool
) -> None:
    await place.account("add", "andy")
    position = await place.enter(0, PASSWORD)
    await place.lose()
    await place.account("delete", "andy")
    if is_made_again:
        await place.account("add", "andy")
        assert await place.resume(position, 1) == TAKEN
    else:
        assert_newcomer(await place.resume(position, 1), position)


# Whoever's


@pytest.mark.parametrize("password", [None, PASSWORD], ids=["guest", "account"])
@pytest.mark.parametrize("how", ["left", "kicked", "kicked after coming back"])
async def test_leaving_and_being_kicked_end_a_token(
    place: Place, how: str, password: str | None
) -> None:
    if password is not None:
        await place.account("add", "andy")
    position = await place.enter(0, password)
    if how == "left":
        await place.leave()
    elif how == "kicked":
        await place.operate("kick", "andy")
        await place.clients[-1].disconnected()
        await place.empty()
    else:
        await place.lose()
        assert is_resumed(await place.resume(position, 1))
        await place.operate("kick", "andy")
        await place.empty()
    for node in (0, 1):
        answer = await place.resume(position, node)
        if password is not None:
            assert answer == TAKEN
        else:
            assert_newcomer(answer, position)
            await place.leave()


@pytest.mark.parametrize("password", [None, PASSWORD], ids=["guest", "account"])
async def test_being_kicked_ends_a_token_also_while_its_node_stands_still(
    place: Place, password: str | None
) -> None:
    """So it is not the leaving of the session that ends it."""
    if password is not None:
        await place.account("add", "andy")
    position = await place.enter(0, password)
    place.nodes[0].freeze()
    try:
        await place.operate("kick", "andy")
        answer = await place.resume(position, 1)
    finally:
        place.nodes[0].thaw()
    if password is not None:
        assert answer == TAKEN
    else:
        assert_newcomer(answer, position)


async def test_a_ban_on_the_name_ends_its_tokens_beyond_its_own_end(place: Place) -> None:
    position = await place.enter(0)
    await place.operate("ban", "andy")
    await place.clients[-1].disconnected()
    await place.empty()
    await place.operate("unban", "andy")
    answer: frames.Frame | None = None

    async def is_let_in() -> bool:
        """The other node hears of the ban's end a moment after the operator."""
        nonlocal answer
        answer = await place.resume(position, 1)
        return isinstance(answer, frames.WelcomeFrame)

    await until(is_let_in, WITHIN, lambda: f"andy to be let in: {answer}")
    assert_newcomer(answer, position)


async def test_erasing_somebody_ends_his_tokens(place: Place) -> None:
    await place.account("add", "andy")
    position = await place.enter(0, PASSWORD)
    await place.lose()
    # It renames keys, which only the operators' own user may.
    admin = Admin(f"redis://admin@127.0.0.1:{place.server.port}/0")
    password = place.server.directory / "admin-password"
    password.write_text(PASSWORDS["admin"] + "\n")
    admin.environment["TERTULIA_REDIS_PASSWORD_FILE"] = str(password)
    told = await admin.apart("erase", "andy")
    assert told.status == 0, told
    assert_newcomer(await place.resume(position, 1), position)


async def test_nobody_renews_a_token_by_resuming_for_ever(place: Place) -> None:
    """However often it was used before: the end comes with the account."""
    position = await place.enter(0)
    for turn in range(4):
        await place.lose()
        assert is_resumed(await place.resume(position, turn % 2))
    await place.lose()
    await sign_up(place.nodes[0].port("device"), "andy")
    assert await place.resume(position, 1) == TAKEN


def _fields(position: Position) -> dict[str, str | int]:
    return {"token": position.token, "epoch": position.epoch, "offset": position.offset}
