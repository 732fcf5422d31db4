"""Brings the cluster up, does what it is told from another terminal, and takes it down."""

import asyncio
import json
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import parts
from layout import ClusterError, Layout
from processes import Child, wait

SOCKET: Final = "control"
"""Where it is told what to do, in its folder: relative, as a socket's name may have 107 bytes at most."""
_STOP_SECONDS: Final = 15.0
_WATCH_SECONDS: Final = 0.2
_DRAIN_SECONDS: Final = 60.0

_KILLED: Final = {
    "redis": "the nodes wait for it",
    "haproxy": "who came in through it is disconnected, and nobody comes in",
    "prometheus": "nothing is measured",
    "api": "no program gets in over HTTP, and no console",
    "probe": "nobody looks what people see",
    "redis-exporter": "Redis is not measured",
}
"""What that means; a node is buried by the others."""

Say = Callable[[str], None]


class Supervisor:
    """The running cluster."""

    def __init__(self, layout: Layout, programs: dict[str, str]) -> None:
        self._layout = layout
        self._programs = programs
        self._children: dict[str, Child] = {}
        self._meant = set(layout.first_nodes)
        """The nodes that should run: Prometheus looks at these."""
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Bring it up, and keep it until a signal or ``stop``. Whatever happens, nothing is left."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop)
        up = asyncio.create_task(self._up())
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait([up, stopping], return_when=asyncio.FIRST_COMPLETED)
            if not up.done():
                up.cancel()
                return
            up.result()
            await self._serve()
        finally:
            stopping.cancel()
            await self._down()

    def _stop(self) -> None:
        if self._stopping.is_set():
            for child in self._children.values():
                child.send(signal.SIGKILL)
        self._stopping.set()

    # --- Up and down -----------------------------------------------------------------------------

    async def _up(self) -> None:
        layout = self._layout
        print(f"Starting; logs are in {layout.shown_folder}.", flush=True)
        await self._start(parts.redis(layout, self._programs["redis-server"])).well()
        nodes = [self._start(parts.node(layout, name)) for name in layout.first_nodes]
        for node in nodes:
            await node.well()
        balancer = self._start(parts.balancer(layout, self._programs["haproxy"]))
        prometheus = self._start(parts.prometheus(layout, self._programs["prometheus"]))
        await balancer.well()
        others = [prometheus, self._start(parts.probe(layout)), self._start(parts.api(layout))]
        if "redis-exporter" in self._programs:
            program = self._programs["redis-exporter"]
            others.append(self._start(parts.redis_exporter(layout, program)))
        for other in others:
            await other.well()

    async def _down(self) -> None:
        print("Stopping.", flush=True)
        began = time.monotonic()
        nodes = [child for name, child in self._children.items() if name in self._layout.nodes]
        # SIGINT: everybody goes, so there is nobody to spread clients over.
        await asyncio.gather(*(node.end(signal.SIGINT, _STOP_SECONDS) for node in nodes))
        others = [child for name, child in self._children.items() if name not in self._layout.nodes]
        await asyncio.gather(*(other.end(signal.SIGTERM, _STOP_SECONDS) for other in others))
        print(f"Stopped after {time.monotonic() - began:.1f} s.", flush=True)

    def _start(self, part: parts.Part) -> Child:
        self._children[part.name] = Child(part, self._layout)
        return self._children[part.name]

    def _where(self) -> str:
        layout = self._layout
        lines = ["", "The cluster is up. Everybody comes in through the balancer:", ""]
        lines += [
            f"    chatte      nc 127.0.0.1 {layout.ports['chatte']}",
            f"    protocollo  nc 127.0.0.1 {layout.ports['protocollo']}",
            f"    device      tertulia device 5001 --server {layout.address('device')}",
            f"    the page    http://{layout.address('browser')}/",
            f"    irc         irc://{layout.address('irc')}/lobby",
            f"    the API     http://{layout.address('api')}/; the token of one who may do everything: "
            f"{layout.shown_folder}/passwords/api-token",
            "",
            f"    balancer    http://{layout.address('balancer')}/",
            f"    prometheus  http://{layout.address('prometheus')}/",
            f"    probe       http://{layout.address('probe-metrics')}/readyz",
            *(f"    {name}       http://{layout.address(f'{name}.ops')}/readyz"
              for name in layout.first_nodes),
            f"    redis       {layout.address('redis')}; for tertulia admin: . {layout.shown_folder}/env",
            f"    logs        {layout.shown_folder}/*.log",
            "",
            "From another terminal: deploy/cluster/ctl. Stop with Ctrl-C.",
        ]  # fmt: skip
        return "\n".join(lines)

    # --- What it is told -------------------------------------------------------------------------

    async def _serve(self) -> None:
        server = await asyncio.start_unix_server(self._told, SOCKET)
        print(self._where(), flush=True)
        while not self._stopping.is_set():
            self._report()
            with suppress(TimeoutError):
                async with asyncio.timeout(_WATCH_SECONDS):
                    await self._stopping.wait()
        server.close()

    def _report(self) -> None:
        """Say who has ended without being told to."""
        for name, child in self._children.items():
            if not child.is_running and not child.expected:
                child.expected = True
                print(f"{name} has ended with {child.status}.", flush=True)

    async def _told(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def say(text: str) -> None:
            writer.write(json.dumps({"say": text}).encode() + b"\n")

        try:
            order = json.loads(await reader.readline())
            await self._do(order["do"], order["what"], say)
            writer.write(b'{"end": 0}\n')
        except (ClusterError, ValueError, KeyError) as error:
            say(f"ctl: {error}")
            writer.write(b'{"end": 1}\n')
        with suppress(ConnectionError):
            await writer.drain()
        writer.close()

    async def _do(self, what: str, whom: str, say: Say) -> None:
        if what == "status":
            self._tell_status(say)
        elif what == "stop":
            self._stopping.set()
        elif what == "restart":
            await self._restart(whom, say)
        elif what == "start":
            await self._start_again(whom, say)
        elif what == "kill":
            child = self._running(whom)
            child.send(signal.SIGKILL)
            await child.ended(5)
            say(f"{whom} is killed; {_KILLED.get(whom, 'the others bury it')}.")
        else:
            await self._drain(whom, say)

    def _tell_status(self, say: Say) -> None:
        for name, child in sorted(self._children.items()):
            how = "runs" if child.is_running else f"ended with {child.status}"
            if name in self._layout.nodes and child.is_running:
                how = parts.reasons(self._layout, name)
            say(f"{name:<14} {child.pid:>7}  {how}")

    def _running(self, name: str) -> Child:
        child = self._children.get(name)
        if child is None or not child.is_running:
            running = ", ".join(n for n, c in sorted(self._children.items()) if c.is_running)
            raise ClusterError(f"{name} does not run; these do: {running}")
        return child

    async def _drain(self, name: str, say: Say) -> None:
        child = self._running(name)
        if name not in self._layout.nodes:
            raise ClusterError(f"only nodes drain: deploy/cluster/ctl restart {name}")
        began = time.monotonic()
        # Out of the targets first: what goes because it is meant to is no alert.
        self._meant.discard(name)
        parts.watch(self._layout, sorted(self._meant))
        child.send(signal.SIGTERM)
        await wait(
            lambda: not child.is_running or parts.reasons(self._layout, name) != "ready",
            30,
            f"{name} did not become unready",
        )
        say(f"{name} drains: the balancer sends newcomers elsewhere, then its clients go.")
        if not await child.ended(_DRAIN_SECONDS):
            raise ClusterError(f"{name} has not ended after {_DRAIN_SECONDS:g} s")
        say(f"{name} has ended with {child.status} after {time.monotonic() - began:.0f} s.")

    async def _start_again(self, name: str, say: Say) -> None:
        known = self._children.get(name)
        if known is not None and known.is_running:
            raise ClusterError(f"{name} runs already")
        if name in self._layout.nodes:
            await self._start_node(name, say)
        elif known is not None:
            await self._start(known.part).well()
            say(f"{name} runs again.")
        else:
            names = ", ".join(sorted({*self._layout.nodes, *self._children}))
            raise ClusterError(f"there is no {name}: there are {names}")

    async def _start_node(self, name: str, say: Say) -> None:
        child = self._start(parts.node(self._layout, name))
        await child.well()
        self._meant.add(name)
        parts.watch(self._layout, sorted(self._meant))
        if not self._children["haproxy"].is_running:
            say(f"{name} is ready, but the balancer does not run: deploy/cluster/ctl start haproxy")
            return
        await wait(
            lambda: parts.takes_newcomers(self._layout, name), 60, f"the balancer does not see {name}"
        )  # fmt: skip
        say(f"{name} is ready, and the balancer sends newcomers there.")

    async def _restart(self, name: str, say: Say) -> None:
        child = self._running(name)
        began = time.monotonic()
        await child.end(signal.SIGTERM, _STOP_SECONDS)
        await self._start(child.part).well()
        say(f"{name} was away for {time.monotonic() - began:.1f} s.")
