"""The examples of docs/proxies.md before a real node; what page and log say where one changes Host."""

import asyncio
import json
import re
import ssl
import subprocess
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.typing import Origin

from deploy.tools import ROOT, installed, packaged
from harness import processes
from harness.browser_client import BrowserClient
from harness.certificates import Made, make
from harness.dialects import launch, listener
from harness.node import Node, NodeFactory
from harness.redis_server import RedisServer, free_port, running_redis
from harness.waiting import until
from web.chat_page import running_browser, window

PAGE = (ROOT / "docs" / "proxies.md").read_text()
NGINX = """\
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log {directory}/nginx.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxied;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
{example}
}}
"""
"""What Debian's file has around those in conf.d."""

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("proxies")


@pytest.fixture(scope="module")
def certificate(directory: Path) -> Made:
    return make(directory)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def nodes(redis: RedisServer, directory: Path) -> AsyncIterator[list[Node]]:
    """Run a node that trusts nobody's header, and one that wants it of this machine."""
    factory = NodeFactory(directory, redis.url)
    try:
        plain = launch(factory, [listener(BrowserClient)])
        trusting = launch(
            factory, [listener(BrowserClient)], TRUSTED_PROXIES=json.dumps(["127.0.0.1"])
        )
        for node in (plain, trusting):
            await node.ready()
        yield [plain, trusting]
    finally:
        factory.end()


def example(language: str) -> str:
    """Return the one example of a language that the page has."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.M | re.S)
    return str(found)


def placed(text: str, node: Node, certificate: Made, others: dict[str, str]) -> str:
    """Put a test's places where the example has an operator's; each has to be there."""
    places = {
        "192.0.2.11:8080": f"127.0.0.1:{node.port('browser')}",
        **others,
    }
    for it, place in [
        ("/etc/ssl/chat.pem", certificate.certificate),
        ("/etc/ssl/chat.key", certificate.key),
        ("/etc/ssl/chat.both", certificate.both),
    ]:
        text = text.replace(it, str(place))
    for old, new in places.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


@asynccontextmanager
async def running(command: list[str], directory: Path, port: int) -> AsyncIterator[None]:
    """Run a proxy, from when its port is open."""
    log = directory / f"proxy-{port}.log"
    with log.open("wb") as output:
        process = processes.start(
            command,
            output=output.fileno(),
            environment={"HOME": str(directory), "PATH": "/usr/sbin:/usr/bin:/bin"},
            directory=directory,
        )

    async def is_open() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    try:
        await until(is_open, 30, "the proxy to listen")
        yield
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(30)


@asynccontextmanager
async def nginx(text: str, directory: Path, port: int) -> AsyncIterator[None]:
    file = directory / f"nginx-{port}.conf"
    file.write_text(NGINX.format(directory=directory, example=text))
    command = [packaged("nginx"), "-p", str(directory), "-c", str(file)]
    async with running(command, directory, port):
        yield


async def converse(port: int, certificate: Made, name: str) -> None:
    """Come in through a proxy as a browser does, say something and hear it."""
    trusting = ssl.create_default_context(cafile=str(certificate.certificate))
    here = f"localhost:{port}"
    async with (
        asyncio.timeout(30),
        connect(f"wss://{here}/ws", ssl=trusting, origin=Origin(f"https://{here}")) as socket,
    ):
        await socket.send(json.dumps({"type": "enter", "nickname": name}))
        assert json.loads(await socket.recv())["type"] == "welcome"
        await socket.send(json.dumps({"type": "say", "id": 1, "text": f"hello of {name}"}))
        while f"hello of {name}" not in str(await socket.recv()):
            pass


def for_nginx(node: Node, certificate: Made, port: int) -> str:
    others = {
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "chat.example.org": "localhost",
    }
    return placed(example("nginx"), node, certificate, others)


async def test_nginx(nodes: list[Node], directory: Path, certificate: Made) -> None:
    port = free_port()
    async with nginx(for_nginx(nodes[0], certificate, port), directory, port):
        await converse(port, certificate, "nginx")


async def test_caddy(nodes: list[Node], directory: Path, certificate: Made) -> None:
    port, file = free_port(), directory / "Caddyfile"
    others = {"chat.example.org": f"https://localhost:{port}"}
    text = placed(example("caddyfile"), nodes[0], certificate, others)
    # Ports 80 and 2019 are this machine's.
    file.write_text("{\n\tadmin off\n\tauto_https disable_redirects\n}\n" + text)
    command = [packaged("caddy"), "run", "--adapter", "caddyfile", "--config", str(file)]
    async with running(command, directory, port):
        await converse(port, certificate, "caddy")


async def test_haproxy(nodes: list[Node], directory: Path, certificate: Made) -> None:
    port, file = free_port(), directory / "haproxy.cfg"
    others = {"bind :443": f"bind 127.0.0.1:{port}"}
    file.write_text(placed(example("haproxy"), nodes[1], certificate, others))
    async with running([packaged("haproxy"), "-db", "-f", str(file)], directory, port):
        await converse(port, certificate, "haproxy")


async def test_traefik(nodes: list[Node], directory: Path, certificate: Made) -> None:
    port, file = free_port(), directory / "chat.yaml"  # not its own traefik.yaml
    others = {"chat.example.org": "localhost"}
    file.write_text(placed(example("yaml"), nodes[0], certificate, others))
    command = [
        installed("traefik"),
        f"--providers.file.filename={file}",
        f"--entryPoints.websecure.address=127.0.0.1:{port}",
        "--global.checkNewVersion=false",
        "--global.sendAnonymousUsage=false",
    ]
    # It listens before it has read the file: until then there is no such site.
    async with running(command, directory, port):
        trusting = ssl.create_default_context(cafile=str(certificate.certificate))

        def is_there() -> bool:
            try:
                with urllib.request.urlopen(f"https://localhost:{port}/", context=trusting) as page:
                    return bool(page.headers["Strict-Transport-Security"] == "max-age=31536000")
            except OSError:
                return False

        async def answers() -> bool:
            return await asyncio.to_thread(is_there)

        await until(answers, 60, "Traefik to have read its file")
        await converse(port, certificate, "traefik")


async def test_where_a_proxy_changes_host_page_and_log_say_so_until_it_does_not(
    nodes: list[Node], directory: Path, certificate: Made
) -> None:
    node, port = nodes[0], free_port()
    right = for_nginx(node, certificate, port)
    wrong = right.replace("$http_host", "$proxy_host")
    assert wrong != right
    async with (
        running_browser() as browser,
        window(browser, ignore_https_errors=True) as page,
    ):
        async with nginx(wrong, directory, port):
            await page.open(f"https://localhost:{port}/")
            await page.ask_for("anna")
            told = page.page.locator("#enter-progress", has_text="proxy")
            await told.wait_for()
            assert "Host" in await told.inner_text()
            await until(
                lambda: any('"code": "origin-refused"' in line for line in node.lines),
                30,
                node.tail,
            )
        async with nginx(right, directory, port):
            await page.inside()
