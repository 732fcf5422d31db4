"""TLS of a node's own: every dialect, hostile and hasty clients, new certificates, bad ones."""

import asyncio
import contextlib
import itertools
import json
import os
import signal
import socket
import ssl
import struct
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path

import pytest
from cryptography import x509

from harness import processes
from harness.browser_client import BrowserClient
from harness.certificates import Made, make, trusting
from harness.chatte_client import GREETING, ChatteClient
from harness.device_client import DeviceClient, leave_messages, show, sign_up
from harness.dialects import launch, listener
from harness.irc_client import IrcClient
from harness.load import assert_promises_kept, connect_many, settle
from harness.node import Node, NodeFactory
from harness.protocollo_client import ProtocolloClient
from harness.proxy_headers import v1, v2
from harness.redis_server import RedisServer
from harness.waiting import DeadlineError, until

DIALECTS = (ChatteClient, ProtocolloClient, BrowserClient, IrcClient)
FAR = "203.0.113.7"
NAME = "chatte:0"
"""What a listener on any free port is called."""


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return make(tmp_path)


async def start(
    factory: NodeFactory, made: Made, *dialects: type[ChatteClient], **settings: str
) -> Node:
    """Start a node that speaks TLS with these clients, and chatte in the clear in the same chat."""
    private = {"certificate": str(made.certificate), "key": str(made.key)}
    listeners = [listener(dialect, **private) for dialect in dialects]
    node = launch(factory, listeners, **settings)
    await node.ready()
    return node


async def over_tls(node: Node, made: Made, name: str, **options: object) -> ChatteClient:
    client = await ChatteClient.connect(node.port(), name, tls=trusting(made), **options)  # type: ignore[arg-type]
    assert await client.enter(name)
    return client


async def quiet(node: Node) -> None:
    """Wait until the node has no connection any more."""

    async def empty() -> bool:
        found = {it.name: it.value for it in await node.metrics() if not it.labels}
        return found["tertulia_connections"] == 0

    await until(empty, 30, "every connection to be gone")


def files(node: Node) -> int:
    return sum(1 for _ in Path(f"/proc/{node.pid}/fd").iterdir())


def said(node: Node, *words: str) -> list[str]:
    return [line for line in node.lines if any(word in line for word in words)]


async def test_every_dialect_speaks_tls_and_meets_who_does_not(
    node_factory: NodeFactory, redis_server: RedisServer, made: Made
) -> None:
    private = {"certificate": str(made.both)}
    node = launch(
        node_factory,
        [
            *(listener(dialect, **private) for dialect in DIALECTS),
            {"dialect": "device", "port": 0, **private},
        ],
    )
    clear = node_factory.launch()
    await node.ready()
    await clear.ready()
    clients = []
    for dialect in DIALECTS:
        name = dialect.__name__
        port = node.port(dialect.__name__.removesuffix("Client").lower())
        client = await dialect.connect(port, name, tls=trusting(made))
        assert await client.enter(name), client.describe()
        clients.append(client)
    clients += await connect_many([clear.port()], 2, "clear")
    for client in clients:
        client.say("x" * 3000)
        for other in clients:
            client.whisper(other.nickname)
    await settle(clients)
    await assert_promises_kept(clients)
    async with await DeviceClient.connect(node.port("device"), tls=trusting(made)) as device:
        for value, expected in ((1, 1), ("anna", 0), ("s3cret", 0), (5001, 0)):
            device.send(value)
            assert await device.integer() == expected
    assert redis_server.control.hget("{main}:device:anna", "port") == "5001"


async def test_who_came_by_tls_once_is_told_to_come_by_tls_alone(
    node_factory: NodeFactory, made: Made
) -> None:
    """The page, its parts, what is not there and what is not for it; not where it is in the clear."""
    name = {"hosts": ["localhost"]}
    both = [
        {"dialect": "browser", "port": 0, "certificate": str(made.both), **name},
        {"dialect": "browser", "port": 0, "chat": "clear", **name},
    ]
    node = launch(node_factory, both)
    await node.ready()

    def ask(path: str, host: str, *, tls: bool) -> tuple[int, str | None]:
        port = node.port("browser", "main" if tls else "clear")
        if tls:
            connection: HTTPConnection = HTTPSConnection("localhost", port, context=trusting(made))
        else:
            connection = HTTPConnection("localhost", port)
        with contextlib.closing(connection):
            connection.request("GET", path, headers={"Host": host})
            answer = connection.getresponse()
            return answer.status, answer.getheader("Strict-Transport-Security")

    for path, host, status in (
        *(("/", "localhost", 200), ("/page.js", "localhost:8443", 200)),
        *(("/nothing", "localhost", 404), ("/", "evil.example", 421)),
    ):
        told = await asyncio.to_thread(ask, path, host, tls=True)
        assert told == (status, "max-age=31536000"), path
        assert await asyncio.to_thread(ask, path, host, tls=False) == (status, None), path


async def test_tls_1_2_and_1_3_are_spoken_and_nothing_older(
    node_factory: NodeFactory, made: Made
) -> None:
    node = await start(node_factory, made, ChatteClient)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = trusting(made)
        context.minimum_version = context.maximum_version = version
        client = await ChatteClient.connect(node.port(), tls=context)
        assert await client.enter(f"v{version.value}")
    old = trusting(made)
    old.set_ciphers("DEFAULT:@SECLEVEL=0")  # else the client itself refuses
    with pytest.warns(DeprecationWarning):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(OSError):  # an alert, or just the end
        await ChatteClient.connect(node.port(), tls=old)
    with pytest.raises(ssl.SSLCertVerificationError):
        await ChatteClient.connect(node.port(), tls=ssl.create_default_context())

    async def counted() -> bool:
        return await node.disconnects("tls_handshake") == 2

    await until(counted, 30, "both to be counted")


async def test_who_speaks_no_tls_or_nothing_is_sent_away_and_counts_until_then(
    node_factory: NodeFactory, made: Made
) -> None:
    node = await start(
        node_factory,
        made,
        ChatteClient,
        LIMITS__ENTER_SECONDS="3",
        LIMITS__CONNECTIONS_PER_ADDRESS="2",
    )
    clear = await ChatteClient.connect(node.port(), "clear")
    clear.send(b"andy\n100 hello\n")
    await clear.disconnected()
    await quiet(node)  # it counts until the node has done with it
    silent = [await ChatteClient.connect(node.port(), "silent") for _ in range(2)]
    one_too_many = await ChatteClient.connect(node.port(), "one too many")
    await one_too_many.disconnected()
    assert await node.disconnects("too_many_from_address") == 1
    for client in silent:
        await client.disconnected(30)
    assert GREETING not in [line for client in (clear, *silent) for line in client.lines]
    await quiet(node)
    assert await node.disconnects("tls_handshake") == 3
    await over_tls(node, made, "andy")
    await over_tls(node, made, "achury")
    assert not said(node, "hello", "Traceback", '"error"')


async def test_a_proxy_s_header_comes_before_tls_in_whatever_pieces(
    node_factory: NodeFactory, redis_server: RedisServer, made: Made
) -> None:
    node = await start(node_factory, made, ChatteClient, TRUSTED_PROXIES='["127.0.0.1"]')
    for i, header in enumerate((v1(FAR, 1), v2(FAR, 2)), 1):
        client = await ChatteClient.connect(node.port(), header=header, tls=trusting(made))
        assert await client.enter(f"user-{i}")
        assert redis_server.control.hget(f"{{main}}:nick:user-{i}", "address") == FAR
    direct = await ChatteClient.connect(node.port(), source="127.0.0.2", tls=trusting(made))
    assert await direct.enter("direct")
    # Header and first words of TLS in one piece, in two that are cut anywhere, and byte by byte.
    for i, cuts in enumerate(([], [20], [28], [29], [100], range(1, 400)), 10):
        line = await asyncio.to_thread(by_hand, node.port(), v2(FAR, 3), made, f"user-{i}", cuts)
        assert line == b"200 Welcome to the chatte.\n"


def by_hand(port: int, header: bytes, made: Made, nickname: str, cuts: Sequence[int]) -> bytes:
    """Enter over TLS, the header and the first flight cut at these places; return the third line."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = trusting(made).wrap_bio(there, back, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    first = header + back.read()
    with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        places = [0, *(cut for cut in cuts if cut < len(first)), len(first)]
        for begin, end in itertools.pairwise(places):
            sock.sendall(first[begin:end])
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                there.write(sock.recv(65_536))
        tls.write(nickname.encode() + b"\n")
        # The end of the handshake and the first words in one piece: they are there before the node
        # has made a client of this.
        sock.sendall(back.read())
        got = b""
        while got.count(b"\n") < 2:
            try:
                got += tls.read(65_536)
            except ssl.SSLWantReadError:
                there.write(sock.recv(65_536))
    return got.splitlines(keepends=True)[1]


async def close_notify(client: ChatteClient) -> None:
    client.close()


async def reset(client: ChatteClient) -> None:
    sock = client._transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.abort()


async def end_without_a_word(client: ChatteClient) -> None:
    client._transport.get_extra_info("socket").shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("go", [close_notify, reset, end_without_a_word])
async def test_however_a_client_goes_nothing_is_left_of_it(
    node_factory: NodeFactory, made: Made, go: Callable[[ChatteClient], object]
) -> None:
    node = await start(node_factory, made, ChatteClient, BrowserClient)
    before = files(node)
    stays = await over_tls(node, made, "stays")
    for kind in (ChatteClient, BrowserClient):
        port = node.port(kind.__name__.removesuffix("Client").lower())
        clients = [await kind.connect(port, f"u-{i}", tls=trusting(made)) for i in range(5)]
        for client in clients:
            assert await client.enter(client.nickname)
            client.say()
            await client.answered()
            await go(client)  # type: ignore[misc]
        for client in clients:
            await stays.expect_line(f"151 {client.nickname} just left the chat")
    stays.say()
    await settle([stays])
    stays.close()
    await quiet(node)
    await until(lambda: files(node) <= before, 30, "all sockets to be closed")
    assert not said(node, "eof_received", "SSL connection is closed", "Traceback")


async def test_what_was_kept_for_a_client_goes_with_it(
    node_factory: NodeFactory, made: Made
) -> None:
    node = await start(node_factory, made, ChatteClient)
    await over_tls(node, made, "stays")

    async def come_and_go(count: int) -> int:
        for _ in range(count // 20):
            for client in await asyncio.gather(
                *(over_tls(node, made, f"user-{i}") for i in range(20))
            ):
                client.close()
            await until(lambda: is_alone(node), 30, "all to be gone")
        return resident_kb(node)

    before = await come_and_go(100)
    assert await come_and_go(200) - before < 200 * 20, "each took 45 kB while it was garbage"


async def is_alone(node: Node) -> bool:
    found = {it.name: it.value for it in await node.metrics() if not it.labels}
    return found["tertulia_connections"] == 1


def resident_kb(node: Node) -> int:
    lines = Path(f"/proc/{node.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


async def test_the_last_words_before_the_end_are_carried_out(
    node_factory: NodeFactory, made: Made
) -> None:
    node = await start(node_factory, made, ChatteClient)
    stays = await over_tls(node, made, "stays")
    hasty = await over_tls(node, made, "hasty")
    hasty.send(b"100 one\n100 two\n100 last words\n")
    hasty.close()
    await stays.expect_line("100 hasty last words")
    await stays.expect_line("151 hasty just left the chat")
    await settle([stays])
    assert not said(node, "eof_received", "SSL connection is closed", "Traceback")


@pytest.mark.parametrize("in_order", [True, False])
async def test_what_a_device_was_shown_over_tls_is_forgotten_when_it_says_goodbye(
    node_factory: NodeFactory, redis_server: RedisServer, made: Made, in_order: bool
) -> None:
    device = {"dialect": "device", "port": 0}
    private = {**device, "chat": "main", "certificate": str(made.both)}
    node = launch(node_factory, [private])
    clear = launch(node_factory, [device])
    await node.ready()
    await clear.ready()
    for name in ("anna", "bruno"):
        await sign_up(clear.port("device"), name)
    await leave_messages(clear.port("device"), "bruno", "anna", "uno", "due")
    client = await DeviceClient.connect(node.port("device"), tls=trusting(made))
    _, lines = await show(node.port("device"), "anna", "bruno", on=client)
    assert lines == ["uno", "due"]
    if in_order:
        client.close_at_once()

        def forgotten() -> bool:
            return not redis_server.control.exists("{main}:senders:anna")

        await until(forgotten, 30, "what was shown to be forgotten")
    else:
        client.reset()
        await quiet(node)
        assert redis_server.control.exists("{main}:senders:anna")


@pytest.mark.slow
async def test_a_slow_reader_is_bounded_and_slows_nobody(
    node_factory: NodeFactory, made: Made
) -> None:
    node = await start(node_factory, made, ChatteClient, LIMITS__OUTBOX_BYTES="262144")
    clients = [await over_tls(node, made, f"user-{i}") for i in range(3)]
    sleeper = await ChatteClient.connect(
        node.port(), "sleeper", acknowledges=False, receive_buffer=4096, tls=trusting(made)
    )
    assert await sleeper.enter("sleeper")
    sleeper.stop_reading()
    gone = asyncio.create_task(clients[0].expect_line("151 sleeper just left the chat", 200))
    for i in range(4000):
        await until(lambda: clients[0].unanswered < 8, 30, "answers", every=0.001)
        if gone.done():
            break
        clients[0].say(f"{i} {'x' * 3900}")
    await gone
    assert await node.disconnects("slow_reader") == 1
    sleeper.go_on_reading()
    await sleeper.disconnected()
    await settle(clients)
    await assert_promises_kept([*clients, sleeper])


async def serial(port: int) -> int:
    """Return which certificate a newcomer is shown."""

    def ask() -> int:
        pem = ssl.get_server_certificate(("127.0.0.1", port), timeout=30)
        return x509.load_pem_x509_certificate(pem.encode()).serial_number

    return await asyncio.to_thread(ask)


async def value(node: Node, name: str) -> float:
    (found,) = [it.value for it in await node.metrics() if it.name == name]
    return found


async def test_a_new_certificate_is_for_newcomers_and_a_bad_one_for_nobody(
    node_factory: NodeFactory, made: Made, tmp_path: Path
) -> None:
    node = await start(node_factory, made, ChatteClient)
    first = await over_tls(node, made, "first")
    assert await serial(node.port()) == made.number
    name = "tertulia_certificate_expiry_timestamp_seconds"
    assert await value(node, name) == made.ends.timestamp()

    def put(new: Made) -> None:
        made.certificate.write_bytes(new.certificate.read_bytes())
        made.key.write_bytes(new.key.read_bytes())

    async def is_shown(new: Made) -> bool:
        return await serial(node.port()) == new.number

    by_change = make(tmp_path, "by-change", ends=timedelta(days=30))
    put(by_change)
    await until(lambda: is_shown(by_change), 30, "the new certificate", every=0.2)
    assert await value(node, name) == by_change.ends.timestamp()
    for attempt in range(3):  # a busy machine may be too late, once
        by_signal = make(tmp_path, f"by-signal-{attempt}", ends=timedelta(days=60))
        put(by_signal)
        os.kill(node.pid, signal.SIGHUP)
        with contextlib.suppress(DeadlineError):
            await until(partial(is_shown, by_signal), 0.9, "it, sooner than they are looked at")
            break
    else:
        pytest.fail("a signal was never quicker than the look at the files")
    made.key.write_bytes(made.certificate.read_bytes())
    os.kill(node.pid, signal.SIGHUP)

    async def failed() -> bool:
        return await value(node, "tertulia_certificate_reload_failures_total") >= 1

    await until(failed, 30, "the bad one to be counted")
    why = f"{made.key}: there is no private key in it"
    await until(lambda: said(node, why), 30, "the log to say so")
    assert all("certificate not taken" in it for it in said(node, why))
    assert await is_shown(by_signal)
    second = await over_tls(node, by_signal, "second")
    await settle([first, second])
    await assert_promises_kept([first, second])


async def test_hangup_without_certificates_ends_nobody(node_factory: NodeFactory) -> None:
    node = await node_factory.start()
    client = await ChatteClient.enter_chat(node.port(), "andy")
    os.kill(node.pid, signal.SIGHUP)
    client.say()
    await settle([client])


def run(directory: Path, *command: str, **settings: str) -> tuple[int, str]:
    """Run the command, and return its exit status and what it told."""
    process = processes.start(
        [sys.executable, "-m", "tertulia", *command],
        output=subprocess.PIPE,
        environment={
            **{k: v for k, v in os.environ.items() if not k.startswith("TERTULIA_")},
            **{f"TERTULIA_{k}": v for k, v in settings.items()},
            "TERTULIA_DATA_DIR": str(directory),
            "TERTULIA_OPS": '{"port": 0}',
        },
    )
    try:
        told, _ = process.communicate(timeout=200)  # 5 s where the machine is not busy
    finally:
        process.kill()
        process.wait(30)
    return process.returncode, told.decode()


@pytest.mark.parametrize("command", ["serve", "check"])
def test_a_certificate_that_can_t_be_used_is_one_line_and_status_2(
    tmp_path: Path, made: Made, command: str
) -> None:
    other = make(tmp_path, "other")
    ended = make(tmp_path, "ended", begins=-timedelta(days=9), ends=-timedelta(days=1))
    for certificate, key, expected in (
        (tmp_path / "none.pem", made.key, "cannot be read (No such file or directory)"),
        (made.certificate, other.key, f"this key is not that of {made.certificate}"),
        (ended.certificate, ended.key, "it ended on "),
    ):
        with_tls = {"dialect": "chatte", "certificate": str(certificate), "key": str(key)}
        listeners = [{"dialect": "chatte", "port": 0}, {**with_tls, "port": 0}]
        status, told = run(tmp_path, command, LISTENERS=json.dumps(listeners))
        (line,) = told.splitlines()
        assert (status, line.startswith("tertulia: listeners[1]: ")) == (2, True), told
        assert expected in line


def test_a_port_that_is_taken_is_one_line_and_status_2(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for settings in (
            {"LISTENERS": json.dumps([{"dialect": "chatte", "port": port}])},
            {"LISTENERS": '[{"dialect": "chatte", "port": 0}]', "OPS__PORT": str(port)},
        ):
            status, told = run(tmp_path, "serve", **settings)
            line = told.splitlines()[-1]
            assert status == 2
            assert f"port {port} " in line
            assert "ddress already in use" in line and "another port" in line
