"""Requests to receivers over TLS, in the clear, by a proxy; and where none goes."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from harness.authority import Authority
from harness.hook_receiver import SECRET, HookReceiver
from tertulia.api.webhooks.deliveries import HookDelivery
from tertulia.api.webhooks.hooks import Signed, Webhook
from tertulia.api.webhooks.sending import HookSender
from tertulia.api.webhooks.trying import ReceiverAnswer
from tertulia.domain.position import Position

HERE = Position("e", 1)
DELIVERY = HookDelivery("id", HERE, HERE, b'{"events": []}', 0, is_pinned=False)


@pytest.fixture
async def receiver() -> AsyncIterator[HookReceiver]:
    async with HookReceiver() as receiver:
        yield receiver


async def sent(
    url: str, *, seconds: float = 10.0, proxy: str | None = None, **more: Any
) -> ReceiverAnswer:
    hook = Webhook(name="x", url=url, secret=SecretStr(SECRET), rooms=("ops",), **more)
    sender = HookSender(Signed(hook=hook, key=SecretStr(SECRET)), seconds, proxy)
    try:
        return await sender.send(DELIVERY)
    finally:
        await sender.close()


async def test_over_tls_the_receivers_name_has_to_be_in_its_certificate(tmp_path: Path) -> None:
    ours, others = Authority(tmp_path / "ours"), Authority(tmp_path / "others")
    for name, authority, is_taken in (
        ("localhost", ours, True),
        ("somewhere.example", ours, False),
        ("localhost", others, False),
    ):
        made = authority.sign(name)
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(made.file, made.key)
        async with HookReceiver(tls) as receiver:
            answer = await sent(receiver.url("localhost"), ca_file=ours.file)
        assert (answer.status == 200) is is_taken, answer
        assert len(receiver.taken) == is_taken
        if is_taken:
            (came,) = receiver.taken
            assert came.headers["host"] == f"localhost:{receiver.port}"
            assert came.headers["user-agent"].startswith("Tertulia/")
            assert came.headers["content-type"] == "application/json"
            assert came.is_signed()
        else:
            assert "no connection" in answer.why


async def test_no_redirect_is_followed_no_cookie_is_kept_and_no_answer_read_for_ever(
    receiver: HookReceiver,
) -> None:
    there = f"302 Found\r\nSet-Cookie: a=b\r\nLocation: {receiver.url()}"
    receiver.ways.extend([there, "endless"])
    hook = Webhook(name="x", url=receiver.url(), secret=SecretStr(SECRET), rooms=("ops",))
    sender = HookSender(Signed(hook=hook, key=SecretStr(SECRET)), 10)
    assert await sender.send(DELIVERY) == ReceiverAnswer(302)
    assert await sender.send(DELIVERY) == ReceiverAnswer(200), "it has it"
    await sender.close()
    assert len(receiver.received) == 2
    assert "cookie" not in receiver.received[1].headers


async def test_what_is_wrong_on_the_way_is_an_answer_without_the_url(
    receiver: HookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.ways.extend(["hang", "cut", "503 Later\r\nRetry-After: 7"])
    # By then it has it, on however busy a machine.
    assert (await sent(receiver.url(), seconds=1.5)).why == "it did not answer within 1.5 s"
    assert "a broken one" in (await sent(receiver.url())).why
    assert await sent(receiver.url()) == ReceiverAnswer(503, retry_after=7)
    assert "ConnectError" in (await sent("http://127.0.0.1:9/private")).why
    nowhere = await sent("https://private.invalid/private")
    assert "gaierror" in nowhere.why
    assert "private" not in nowhere.why


async def test_a_name_that_leads_to_a_clouds_metadata_is_refused(
    receiver: HookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()

    async def found(*_: object, **__: object) -> list[Any]:
        addresses = ["127.0.0.1", "169.254.169.254"]
        return [(2, 1, 6, "", (address, receiver.port)) for address in addresses]

    monkeypatch.setattr(loop, "getaddrinfo", found)
    answer = await sent(receiver.url("metadata.example"), allow_http=True)
    assert "169.254.169.254" in answer.why
    assert not receiver.received


async def test_a_proxy_is_used_where_it_is_set_and_that_of_the_environment_is_not(
    receiver: HookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert (await sent(receiver.url())).status == 200
    proxy = f"http://127.0.0.1:{receiver.port}"
    answer = await sent("http://tickets.example/hook", proxy=proxy, allow_http=True)
    assert answer.status == 200
    assert receiver.taken[-1].path == "http://tickets.example/hook"
    assert receiver.taken[-1].headers["host"] == "tickets.example"
