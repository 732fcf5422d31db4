"""Tokens of those who only read: of the store on a real Redis."""

import pytest

from contract.chat_stores import RedisStores
from contract.node import WITHIN
from harness.waiting import until
from tertulia.chat.accounts import Changed, Holder
from tertulia.domain.operator_commands import Action
from tertulia.store import renewing
from tertulia.store.chat_store import ChatStore
from tertulia.store.renewing import TOKEN_MS

HERE, GONE, KICKED = "a" * 32, "b" * 32, "c" * 32


async def test_who_is_here_keeps_the_token_and_nobody_else(
    chat_stores: RedisStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renewing, "EVERY_SECONDS", 0.1)
    node, control = await chat_stores.node(), chat_stores.server.control
    reader, gone, kicked = node.guest("anna"), node.guest("bruno"), node.guest("carla")
    for guest, token in ((reader, HERE), (gone, GONE), (kicked, KICKED)):
        guest.join(token)
    gone.leave()
    await node.store.settle()
    keys = {it: chat_stores.keys.token(it) for it in (HERE, GONE, KICKED)}
    for key in keys.values():
        control.pexpire(key, 60_000)
    node.follower.held_tokens = [HERE, "d" * 32]
    await until(lambda: control.pttl(keys[HERE]) > 60_000, WITHIN, "the token to be renewed")
    assert control.pttl(keys[HERE]) > TOKEN_MS - WITHIN * 1000
    assert control.pttl(keys[GONE]) <= 60_000
    assert not control.exists(chat_stores.keys.token("d" * 32)), "what is gone stays gone"
    # A token that was kicked proves nothing for as long as one renewed just before is known.
    await chat_stores.dismiss(Action.KICK, "carla")
    assert control.pttl(chat_stores.keys.ended("carla")) > TOKEN_MS


async def test_a_token_that_a_moderator_or_its_owner_ended_proves_nothing_as_long(
    chat_stores: RedisStores,
) -> None:
    node, control = await chat_stores.node(), chat_stores.server.control
    chat_stores.give_password("anna", "secret")
    await chat_stores.appoint("anna")
    anna, bruno = node.guest("anna"), node.guest("bruno")
    anna.join(proven=True)
    bruno.join(GONE)
    await node.store.settle()
    await node.sees(lambda it: "anna" in it.rules.moderators, "a moderator")

    anna.moderate(Action.KICK, "bruno")
    await node.store.settle()
    assert isinstance(node.store, ChatStore)
    accounts = node.store.accounts
    stored = await accounts.password_hash("anna")
    assert stored is not None
    holder = Holder(anna.session, "anna", "anna", "", Action.LOG_OUT)
    changed = await accounts.change(holder, stored, stored)

    assert changed == (Changed.DONE, 1)  # since when it is there, which stays
    for nickname in ("bruno", "anna"):
        assert control.pttl(chat_stores.keys.ended(nickname)) > TOKEN_MS
