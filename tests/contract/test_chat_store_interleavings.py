"""Redis loses data, and people come and go meanwhile: in every order in which nodes can get on with it.

Every way with a few switches from one node to another is gone, on a real Redis. In the end whoever is
connected is in the room, in Redis and on every node, in one order; all others are gone, and nobody hears of
who was gone before.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from itertools import pairwise
from typing import cast

import pytest

from contract.node import Guest
from contract.stepping import Action, SteppedNode, SteppedStore, SteppedStores, all_ways
from contract.test_chat_store_epochs import Backup
from harness.redis_server import RedisServer
from tertulia.chat.ports import JoinOp, Outcome
from tertulia.store.failure_detector import Lease

COMMIT, FOLLOW, LOOK = SteppedStore.commit, SteppedStore.follow, SteppedStore.look
GET_ON = (COMMIT, FOLLOW, LOOK)
Programs = dict[SteppedNode, tuple[Action, ...]]


class Chat:
    """Some nodes, and who is connected to them."""

    def __init__(self, stores: SteppedStores) -> None:
        self.stores = stores
        self.nodes: list[SteppedNode] = []
        self.guests: list[Guest] = []
        """Who is connected, and has not been refused."""
        self.gone_before: set[str] = set()
        """Sessions that everybody knew to be gone when Redis lost its data."""
        self.comes_back: set[str] = set()
        """Sessions that may be told as come again after they went."""
        self._heard_before: dict[SteppedNode, int] = {}

    async def begin(self, *who: str) -> list[SteppedNode]:
        """Start a node for each, with these people."""
        for name, _ in zip("abc", who, strict=False):
            self.nodes.append(await self.stores.stepped(name))
        for node, nicknames in zip(self.nodes, who, strict=True):
            for nickname in nicknames.split():
                await self.enters(node, nickname)
        await self.all_follow()
        return self.nodes

    async def enters(self, node: SteppedNode, nickname: str, token: str = "") -> Guest:
        """Let somebody in."""
        guest, _ = self.asks(node, nickname, token)
        await node.does(COMMIT)
        return guest

    def asks(
        self, node: SteppedNode, nickname: str, token: str = "", *, resumed: bool = False
    ) -> tuple[Guest, JoinOp]:
        """Let somebody ask to come in."""
        guest = node.guest(nickname)
        self.guests.append(guest)
        return guest, guest.join(token, resumed=resumed)

    def leaves(self, guest: Guest) -> None:
        """Let somebody close its connection."""
        self.guests.remove(guest)
        guest.leave()

    def is_refused(self, guest: Guest) -> None:
        """Note that somebody was not let in."""
        self.guests.remove(guest)
        guest.lose()

    async def left(self, guest: Guest) -> None:
        """Let somebody leave, and everybody hear of it."""
        self.leaves(guest)
        await cast(SteppedNode, guest.node).does(COMMIT)
        await self.all_follow()
        self.gone_before.add(guest.session)

    def dies(self, node: SteppedNode) -> None:
        """End a node without a word."""
        node.store.kill()
        self.nodes.remove(node)
        self.guests = [guest for guest in self.guests if guest.node is not node]

    async def all_follow(self) -> None:
        for node in self.nodes:
            await node.does(FOLLOW)

    def lose_everything(self) -> None:
        """Empty Redis."""
        self.stores.server.control.flushall()
        self._note()

    def restore(self, backup: Backup) -> None:
        """Have Redis come back older."""
        backup.restore()
        self._note()

    def _note(self) -> None:
        self._heard_before = {node: len(node.follower.told) for node in self.nodes}

    async def settle(self) -> None:
        """Let everybody get on until nothing is left to do; who is dead is buried."""
        control, leases = self.stores.server.control, self.stores.keys.leases
        for _ in range(3):
            for node in self.nodes:
                await node.does(*GET_ON, COMMIT)
            alive = {node.store.node for node in self.nodes}
            found = control.zrange(leases, 0, -1, withscores=True)
            for name, expiry in cast(list[tuple[str, float]], found):
                if name not in alive:
                    lease = Lease(name, expiry)
                    await self.nodes[-1].does(partial(SteppedStore.bury, lease=lease))
            await self.all_follow()

    def check(self) -> None:
        """See that all is as it has to be."""
        control, keys = self.stores.server.control, self.stores.keys
        order = cast(list[str], control.zrange(keys.members, 0, -1))
        held = [control.hget(keys.nick(key), "session") for key in order]
        assert sorted(map(str, held)) == sorted(guest.session for guest in self.guests)
        for node in self.nodes:
            follower = node.follower
            assert [member.session for member in follower.roster] == held
            assert follower.broken == []
            self._check_told(node)
        nicks = {
            key for node in self.nodes for key in control.smembers(keys.nicks(node.store.node))
        }
        assert nicks == set(order)

    def _check_told(self, node: SteppedNode) -> None:
        told = node.follower.told
        of_session: dict[str, list[str]] = {}
        of_nickname: dict[str, list[str]] = {}
        for what, nickname, session in told:
            of_session.setdefault(session, []).append(what)
            of_nickname.setdefault(nickname, []).append(what)
        for session, its in of_session.items():
            assert its in (["came"], ["came", "went"]) or session in self.comes_back, told
        for its in of_nickname.values():
            assert all(one != then for one, then in pairwise(["went", *its])), told
        news = {session for _, _, session in told[self._heard_before.get(node, 0) :]}
        assert not news & self.gone_before


Setting = Callable[[Chat], Awaitable[tuple[Programs, Callable[[], None]]]]


def nothing() -> None:
    """Have nothing to look at in the end."""


def act(do: Callable[..., object], *args: object) -> Action:
    """Make an action of something that is done in a moment."""

    async def action(_: SteppedStore) -> None:
        do(*args)

    return action


async def somebody_leaves(chat: Chat) -> tuple[Programs, Callable[[], None]]:
    """The oldest; the other node may write it down again."""
    a, b = await chat.begin("andy anna", "betty")
    chat.lose_everything()
    return {a: (act(chat.leaves, chat.guests[0]), *GET_ON, COMMIT), b: GET_ON}, nothing


async def somebody_left_unheard(chat: Chat) -> tuple[Programs, Callable[[], None]]:
    """Its own node has heard of it, and others have not."""
    a, b = await chat.begin("andy anna", "betty")
    chat.leaves(chat.guests[0])
    await a.does(COMMIT, FOLLOW)
    chat.lose_everything()
    return {a: GET_ON, b: GET_ON}, nothing


async def somebody_came_unheard(chat: Chat) -> tuple[Programs, Callable[[], None]]:
    """Others have heard of it and write it down; its own node has not."""
    a, b = await chat.begin("andy", "betty")
    chat.asks(b, "dora", "0" * 32)
    await b.does(COMMIT)
    await a.does(FOLLOW)
    chat.lose_everything()
    return {a: GET_ON, b: GET_ON}, nothing


async def somebody_comes_and_goes(chat: Chat) -> tuple[Programs, Callable[[], None]]:
    a, b = await chat.begin("andy", "betty")
    chat.lose_everything()
    dora = b.guest("dora")

    def comes() -> None:
        chat.guests.append(dora)
        dora.join()

    programs: Programs = {
        a: (act(chat.leaves, chat.guests[0]), COMMIT, *GET_ON),
        b: (act(comes), COMMIT, COMMIT, FOLLOW, act(lambda: chat.leaves(dora)), *GET_ON),
    }
    return programs, nothing


async def an_older_state_has_who_left(chat: Chat) -> tuple[Programs, Callable[[], None]]:
    a, b = await chat.begin("andy anna", "betty")
    backup = Backup(chat.stores.server)
    await chat.left(chat.guests[0])
    await chat.enters(b, "dora")
    await chat.all_follow()
    chat.restore(backup)
    return {a: GET_ON, b: GET_ON}, nothing


async def an_older_state_has_who_had_the_nickname(
    chat: Chat,
) -> tuple[Programs, Callable[[], None]]:
    """Who has it now has come on another node, and stays."""
    a, b = await chat.begin("andy anna", "betty")
    backup = Backup(chat.stores.server)
    await chat.left(chat.guests[0])
    await chat.enters(b, "andy")
    await chat.all_follow()
    chat.restore(backup)
    return {a: (*GET_ON, COMMIT), b: GET_ON}, nothing


async def an_older_state_is_from_before_a_closing(
    chat: Chat,
) -> tuple[Programs, Callable[[], None]]:
    a, b = await chat.begin("andy anna", "betty")
    backup = Backup(chat.stores.server)
    chat.guests[0].close_chat()
    await a.does(COMMIT)
    await chat.all_follow()
    chat.gone_before |= {guest.session for guest in chat.guests}
    chat.guests.clear()
    for node, nickname in ((b, "andy"), (a, "dora")):
        await chat.enters(node, nickname)
    await chat.all_follow()
    chat.restore(backup)
    return {a: GET_ON, b: GET_ON}, nothing


async def an_older_state_has_who_moved(chat: Chat) -> tuple[Programs, Callable[[], None]]:
    """A lost session went on elsewhere, and only its new node has heard of it: one of both is there."""
    a, b = await chat.begin("", "betty")
    andy = await chat.enters(a, "andy", "0" * 32)
    await chat.all_follow()
    backup = Backup(chat.stores.server)
    again, _ = chat.asks(b, "andy", "0" * 32, resumed=True)
    await b.does(COMMIT, FOLLOW)
    chat.restore(backup)

    # Its old node may not know that it went, and then it comes back for those who did.
    chat.comes_back.add(andy.session)

    def one_is_there() -> None:
        chat.guests.remove(again if again.session not in b.follower.here else andy)

    return {a: GET_ON, b: GET_ON}, one_is_there


async def somebody_moves(chat: Chat) -> tuple[Programs, Callable[[], None]]:
    """Its token is lost: it may be refused, or its earlier session is displaced, but there is one of them."""
    a, b = await chat.begin("", "betty")
    andy = await chat.enters(a, "andy", "0" * 32)
    await chat.all_follow()
    chat.lose_everything()
    again: list[tuple[Guest, JoinOp]] = []

    def moves() -> None:
        again.append(chat.asks(b, "andy", "0" * 32, resumed=True))

    def one_is_there() -> None:
        ((guest, join),) = again
        if join.outcome is Outcome.TAKEN:
            chat.is_refused(guest)
        else:
            assert join.outcome is Outcome.DONE
            chat.guests.remove(andy)

    return {a: GET_ON, b: (act(moves), COMMIT, *GET_ON)}, one_is_there


async def the_chat_is_closed(chat: Chat) -> tuple[Programs, Callable[[], None]]:
    a, b = await chat.begin("andy anna", "betty")
    chat.lose_everything()
    closing = []

    def closes() -> None:
        closing.append(chat.guests[0].close_chat())

    def nobody_is_there() -> None:
        if closing[0].outcome is Outcome.DONE:  # else it was not known again as the administrator
            chat.guests.clear()

    return {a: (act(closes), COMMIT, *GET_ON), b: GET_ON}, nobody_is_there


async def a_node_died_with_the_data(chat: Chat) -> tuple[Programs, Callable[[], None]]:
    a, b, c = await chat.begin("andy", "betty", "carl")
    chat.dies(a)
    chat.lose_everything()
    return {b: GET_ON, c: GET_ON}, nothing


async def a_node_dies_meanwhile(chat: Chat) -> tuple[Programs, Callable[[], None]]:
    a, b, c = await chat.begin("andy", "betty", "carl")
    chat.lose_everything()
    return {a: GET_ON, b: GET_ON, c: (COMMIT, act(chat.dies, a), FOLLOW)}, nothing


async def a_node_had_been_fenced(chat: Chat) -> tuple[Programs, Callable[[], None]]:
    """It goes on under another id, and its former people are still to be announced as gone."""
    a, b = await chat.begin("andy", "betty")
    chat.stores.condemn(a.store.node)
    await a.does(COMMIT)
    assert a.follower.fencings == 1
    chat.guests.pop(0)
    await chat.enters(a, "anna")
    chat.lose_everything()
    return {a: GET_ON, b: GET_ON}, nothing


async def three_write_down_at_once(chat: Chat) -> tuple[Programs, Callable[[], None]]:
    a, b, c = await chat.begin("andy", "betty", "carl")
    chat.lose_everything()
    return {a: GET_ON, b: (act(chat.leaves, chat.guests[1]), *GET_ON), c: GET_ON}, nothing


SETTINGS = [
    (somebody_leaves, 2),
    (somebody_left_unheard, 2),
    (somebody_came_unheard, 2),
    (somebody_comes_and_goes, 2),
    (an_older_state_has_who_left, 2),
    (an_older_state_has_who_had_the_nickname, 2),
    (an_older_state_is_from_before_a_closing, 2),
    (an_older_state_has_who_moved, 2),
    (somebody_moves, 2),
    (the_chat_is_closed, 2),
    (a_node_died_with_the_data, 2),
    (a_node_dies_meanwhile, 1),
    (a_node_had_been_fenced, 2),
    (three_write_down_at_once, 1),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setting", "switches"), SETTINGS, ids=[setting.__name__ for setting, _ in SETTINGS]
)
async def test_whatever_comes_first(
    shared_redis: RedisServer, setting: Setting, switches: int
) -> None:
    ways = 0
    for way in all_ways(switches):
        stores = SteppedStores(shared_redis)
        chat = Chat(stores)
        try:
            programs, finally_ = await setting(chat)
            await stores.turns.play([partial(n.then, *does) for n, does in programs.items()], way)
            await chat.settle()
            finally_()
            chat.check()
        except BaseException as error:
            error.add_note(f"in the way {way.made}")
            raise
        finally:
            for node in chat.nodes:
                node.store.kill()
            shared_redis.control.flushall()
        ways += 1
    assert ways > 1
