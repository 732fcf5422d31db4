"""A node: everything wired together, started in order, drained in order. Knows every part."""

import asyncio
import gc
import os
import socket
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from importlib.metadata import version

import structlog
import uvloop
from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from tertulia.chat.accounts import Passwords
from tertulia.chat.devices import Devices
from tertulia.chat.hashing import Hashing
from tertulia.chat.operator_commands import OperatorCommands
from tertulia.chat.own_accounts import OwnAccounts
from tertulia.chat.room import Room, RoomLimits
from tertulia.chat.signing_up import AccountRules
from tertulia.dialects.browser import BrowserEncoder
from tertulia.dialects.chatte import ChatteEncoder
from tertulia.dialects.contract import Encoder
from tertulia.dialects.protocollo import ProtocolloEncoder
from tertulia.domain.addresses import host_port
from tertulia.edge import ops
from tertulia.edge.binding import explain
from tertulia.edge.draining import AT_ONCE, DrainSchedule, send_away
from tertulia.edge.lag import LagTimer
from tertulia.node import open_files
from tertulia.node.errors import Misconfigured
from tertulia.node.errors import StartError as StartError  # raised by run
from tertulia.node.listeners import DEVICE, IRC, Listeners, name_of
from tertulia.node.sd_notify import Notifier, Pulse
from tertulia.node.signals import Stop, heed_hangup, heed_signals
from tertulia.redis.access import Access
from tertulia.redis.embedded import EmbeddedRedis
from tertulia.redis.multiplexer import Multiplexer
from tertulia.redis.server_program import DataDirUnusable, EmbeddedError, NoServer
from tertulia.settings.listener import ListenerSettings
from tertulia.settings.model import Settings, default_node_id
from tertulia.store.chat_store import USES, ChatStore, StoreFailed
from tertulia.telemetry import logs, tracing
from tertulia.telemetry.counters import Counter
from tertulia.telemetry.log_writer import LogWriter
from tertulia.telemetry.metrics import Metrics
from tertulia.telemetry.tracer import TracingError

_log = structlog.get_logger("tertulia.node")

ENCODERS: dict[str, Callable[[ListenerSettings], Encoder]] = {
    "chatte": lambda listener: ChatteEncoder(listener.encoding, listener.wording, listener.history),
    "protocollo": lambda listener: ProtocolloEncoder(
        listener.wording, listener.encoding, listener.prompt, listener.history
    ),
    "browser": lambda listener: BrowserEncoder(listener.history),
}
"""Dialects of a room, beside ``irc``: how a listener's settings make the encoder."""
_HURRY_SECONDS = 1.0
"""What is left for leaving in order after a second signal."""
_LAST_WORDS_SECONDS = 1.0
"""For the last lines of the log to be written, where nobody reads it."""


def run(settings: Settings) -> int:
    """Run a node until it is told to stop; return the process' exit status. Raises StartError."""
    node_id = settings.node_id or default_node_id()
    settings = settings.model_copy(update={"node_id": node_id})
    log = logs.begin(settings.log, node=node_id)
    # A second series for each counter, which no query here uses. (The library left it untyped.)
    disable_created_metrics()  # type: ignore[no-untyped-call]
    if (files := open_files.allow_all()) < open_files.LEAST:
        raise Misconfigured(
            f"a process may have {files} open files here, and a node needs {open_files.LEAST} and one for "
            "each client: allow it more (ulimit -n, LimitNOFILE)"
        )
    # Connections come and go by counting references. Looking for cycles among all of them again and
    # again costs about a tenth of the CPU time of a busy room. What is new is looked through before there is
    # too much of it: each object takes a microsecond, in which nobody is served.
    gc.freeze()
    gc.set_threshold(25_000, 200, 1000)
    try:
        return uvloop.run(_serve(settings, log))
    except StartError:
        raise
    except Exception:
        # In its place behind all other lines; Python itself would wait for the log reader.
        _log.exception("the node failed")
        return StartError.status
    finally:
        log.flush(_LAST_WORDS_SECONDS)


async def _serve(settings: Settings, log: LogWriter) -> int:
    stop = Stop()
    heed_signals(stop, partial(log.flush, _LAST_WORDS_SECONDS))
    notifier = Notifier.from_environment()
    async with AsyncExitStack() as stack:
        try:
            node = Node(settings, stop, notifier, log.dropped)
            heed_hangup(stop, node.reload)
            if not await _started(node, stack, stop):
                return 0
        except (NoServer, DataDirUnusable) as error:
            raise Misconfigured(str(error)) from error
        except EmbeddedError as error:
            raise StartError(str(error)) from error
        except StoreFailed as error:
            kind = Misconfigured if error.is_final else StartError
            raise kind(str(error)) from error
        failed = await node.run()
        await node.drain(failed=failed)
    _log.info("stopped")
    return 1 if failed else 0


async def _started(node: "Node", stack: AsyncExitStack, stop: Stop) -> bool:
    """Start a node; False where it was told to stop while it waited for something."""
    starting = asyncio.create_task(node.start(stack))
    asked = asyncio.create_task(stop.asked.wait())
    await asyncio.wait((starting, asked), return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    if starting.done():
        await starting
        return True
    starting.cancel()
    await asyncio.wait((starting,))
    return False


class Node:
    """The parts of a node, and the order in which they come and go."""

    def __init__(
        self, settings: Settings, stop: Stop, notifier: Notifier, dropped_lines: Counter
    ) -> None:
        self._settings = settings
        self._stop = stop
        self._notifier = notifier
        self._loop = asyncio.get_running_loop()
        self._node_id = settings.node_id or default_node_id()
        self._rooms: dict[str, Room] = {}
        self._stores: dict[str, ChatStore] = {}
        self._starting = True
        self._draining = False
        self._started = round(time.time() * 1000)
        self._began = time.monotonic()
        self._version = version("tertulia")
        registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=registry)
        self._metrics = Metrics(
            registry,
            dialects=(*ENCODERS, IRC, DEVICE),
            chats={listener.chat for listener in settings.listeners},
            version=self._version,
            certificates=(
                name_of(listener) for listener in settings.listeners if listener.certificate
            ),
            dropped_lines=dropped_lines,
        )
        self._listeners = Listeners(settings, ENCODERS, self._metrics, self._loop)
        self._connections = self._listeners.connections
        try:
            self._tracer = tracing.start(settings.tracing, self._node_id, version("tertulia"))
        except TracingError as error:
            raise Misconfigured(str(error)) from error
        self._hashing = Hashing(settings.limits.logins_waiting, self._metrics)
        self._lag = LagTimer(self._loop, self._metrics)

    async def start(self, stack: AsyncExitStack) -> None:
        """Come up; what has to be undone at the end is put on ``stack``.

        Raises StartError, EmbeddedError or StoreFailed.
        """
        settings = self._settings
        self._listeners.bind(stack)
        await self._serve_ops(stack)
        alone = settings.redis_url is None
        if settings.redis_url is None:
            fsync = settings.cluster.embedded_fsync
            embedded = await stack.enter_async_context(
                EmbeddedRedis(settings.data_dir, fsync, structlog.get_logger("tertulia.redis"))
            )
            url = embedded.url
        else:
            url = settings.redis_url.get_secret_value()
        redis = Multiplexer(Access.to(url, settings), settings.cluster.redis_timeout_seconds)
        self._watching = asyncio.create_task(redis.watch(settings.cluster.heartbeat_seconds))
        stack.callback(self._watching.cancel)
        chats = {listener.chat for listener in settings.listeners}
        await asyncio.gather(*(self._open(chat, redis, alone) for chat in chats))
        if not alone:
            for advice in sorted(
                {sentence for store in self._stores.values() for sentence in store.advice}
            ):
                _log.warning("redis should be set otherwise", advice=advice)
        self._observe()
        stack.callback(self._lag.stop)
        others = open_files.Others(redis.most_connections(len(USES)), ops.MOST_CONNECTIONS)
        await self._listeners.open(self._rooms, others)
        self._starting = False
        self._notifier.ready(self._status())
        stack.callback(Pulse(self._notifier, self._loop, self._status).stop)
        _log.info("ready", url=self._listeners.url)

    def reload(self) -> None:
        """Take what there is of new certificates and filters in use."""
        serving = not (self._starting or self._draining)
        if serving:
            self._notifier.reloading()
        self._listeners.reload()
        if serving:
            self._notifier.ready(self._status())

    async def run(self) -> bool:
        """Wait for the order to stop; True where a part failed instead."""
        stopping = asyncio.create_task(self._stop.asked.wait())
        lives = [asyncio.create_task(store.failed()) for store in self._stores.values()]
        await asyncio.wait([stopping, self._watching, *lives], return_when=asyncio.FIRST_COMPLETED)
        for task in (stopping, *lives):
            task.cancel()
        if self._watching.done():
            self._watching.result()
        return not self._stop.asked.is_set()

    def ask_to_drain(self) -> None:
        """Drain, and end the process, as after a SIGTERM. Returns at once."""
        self._stop.drain(gently=True)

    async def drain(self, *, failed: bool = False) -> None:
        """Go in order: readiness red, notice, no newcomers, everybody away, goodbye to Redis.

        All that was read of a session is committed and answered before the session goes. ``failed``:
        without its store a node can't take leave of anybody; the others bury it.
        """
        settings, stop = self._settings, self._stop
        self._draining = True
        self._notifier.stopping(self._status())
        _log.info("draining", gently=stop.gently, connections=len(self._connections))
        if stop.gently:
            await self._give_notice()
        self._listeners.close()
        spread = AT_ONCE
        if stop.gently:
            spread = DrainSchedule(
                settings.drain_spread_seconds, settings.drain_sessions_per_second
            )
        deadline = self._loop.time() + (0.0 if failed else settings.drain_seconds)
        hurrying = None
        try:
            async with asyncio.timeout_at(deadline) as limit:
                hurrying = asyncio.create_task(self._hurry(limit))
                await send_away(self._connections, spread, stop.hurried)
                await self._leave()
        except TimeoutError:
            _log.error("not everything could be committed in time")
            for room in self._rooms.values():
                room.drain()
            if stop.hurried.is_set():
                await self._abort_connections()
                return
        finally:
            if hurrying is not None:
                hurrying.cancel()
        await self._close_connections(max(deadline, self._loop.time() + 1.0))
        for store in self._stores.values():
            await store.stop()
        if self._tracer is not None:
            await self._tracer.stop()

    # --- Parts -----------------------------------------------------------------------------------

    async def _serve_ops(self, stack: AsyncExitStack) -> None:
        host, port = self._settings.ops.host, self._settings.ops.port
        most = open_files.set_aside(ops.MOST_CONNECTIONS, open_files.allowed())
        try:
            servers = await ops.serve(
                host, port, registry=self._metrics.registry, not_ready=self._not_ready,
                most_connections=most, evicting=self._metrics.ops_evictions.inc,
            )  # fmt: skip
        except OSError as error:
            raise Misconfigured(
                explain(error, "ops", host, port, "ops (--ops, TERTULIA_OPS__PORT)")
            ) from error
        stack.callback(servers.close)
        port = servers.sockets[0].getsockname()[1]
        self._ops_address = host_port(host, port)
        url = f"http://{self._ops_address}"
        _log.info("listening", dialect="ops", host=host, port=port, chat=None, tls=False, url=url)

    async def _open(self, chat: str, redis: Multiplexer, alone: bool) -> None:
        settings, limits = self._settings, self._settings.limits
        store = ChatStore(chat, redis, self._node_id, settings.cluster, self._metrics,
            alone=alone, is_replicated=settings.durability == "replicated",
            most_rooms=limits.rooms, most_room_members=limits.room_members,
            node_info=self._node_info, tracer=self._tracer,
        )  # fmt: skip
        operator_commands = OperatorCommands(chat, self._node_id, self.ask_to_drain)
        passwords = Passwords(store.accounts, self._hashing)
        rules = AccountRules(
            settings.accounts.registration,
            settings.accounts.sign_ups_per_hour,
            settings.accounts.device_addresses == "onchat",
        )
        devices = Devices(store, store.accounts, passwords, operator_commands, rules, self._metrics)
        room = Room(
            chat,
            store,
            self._loop,
            RoomLimits(
                limits.enter_tries,
                limits.outbox_bytes,
                chat not in settings.lasting_chats,
                settings.cluster.confirm_seconds,
                max(
                    (listener.history for listener in settings.listeners if listener.chat == chat),
                    default=0,
                ),
                settings.cluster.log_age_seconds,
                settings.cluster.away_seconds,
                limits.rooms_per_session,
            ),
            passwords,
            devices,
            OwnAccounts(store, store.accounts, passwords, operator_commands, rules, self._metrics),
            operator_commands,
            self._metrics,
            self._listeners.broadcast,
        )
        self._stores[chat] = store  # readiness says what it waits for
        await store.start(room)
        self._rooms[chat] = room

    # --- Draining --------------------------------------------------------------------------------

    async def _give_notice(self) -> None:
        try:
            async with asyncio.timeout(self._settings.drain_notice_seconds):
                await self._stop.hurried.wait()
        except TimeoutError:
            pass

    async def _hurry(self, limit: asyncio.Timeout) -> None:
        """Shorten a time limit when there is a hurry."""
        await self._stop.hurried.wait()
        sooner = self._loop.time() + _HURRY_SECONDS
        limit.reschedule(min(sooner, limit.when() or sooner))

    async def _leave(self) -> None:
        """Wait until everybody has left, as far as Redis is concerned."""
        for room in self._rooms.values():
            room.drain()
        for store in self._stores.values():
            await store.settle()

    async def _close_connections(self, deadline: float) -> None:
        for connection in self._connections:
            connection.close_unless_closing()
        try:
            async with asyncio.timeout_at(deadline):
                await self._connections.wait_for_none()
        except TimeoutError:
            await self._abort_connections()

    async def _abort_connections(self) -> None:
        for connection in self._connections:
            connection.abort()
        await asyncio.sleep(0)

    # --- What operators see ----------------------------------------------------------------------

    def _not_ready(self) -> list[str]:
        reasons = []
        if self._starting:
            reasons.append("starting")
        if self._draining:
            reasons.append("draining")
        for chat, store in self._stores.items():
            health = store.health()
            if store.refused:
                reasons.append(
                    f"redis refuses {store.user} {', '.join(store.refused)} (chat {chat})"
                )
            if not health.get("replica", True):
                reasons.append(f"no replica of redis has what was written last (chat {chat})")
            elif not health["redis"]:
                reasons.append(f"redis is away (chat {chat})")
            if not health["bus"]:
                reasons.append(f"the bus does not bring this node's probes (chat {chat})")
        return reasons

    def _status(self) -> str:
        """Say in a line how the node is."""
        return f"{', '.join(self._not_ready()) or 'ready'}; {len(self._connections)} connections"

    def _node_info(self) -> dict[str, str | int | float]:
        """Say what operators want to know of this node, wherever they are."""
        return {
            "state": "draining" if self._draining else "up",
            "version": self._version,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "ops": self._ops_address,
            "started": self._started,
            "lag": round(self._lag.worst, 4),
        }

    def _all_stores(self, part: str) -> bool:
        return all(store.health()[part] for store in self._stores.values())

    def _observe(self) -> None:
        metrics = self._metrics
        metrics.ready.set_function(lambda: not self._not_ready())
        metrics.draining.set_function(lambda: self._draining)
        metrics.uptime.set_function(lambda: time.monotonic() - self._began)
        metrics.redis_up.set_function(lambda: self._all_stores("redis"))
        metrics.bus_up.set_function(lambda: self._all_stores("bus"))
        metrics.slow_readers.set_function(
            lambda: sum(room.lagging for room in self._rooms.values())
        )
        metrics.rooms.set_function(lambda: sum(len(it.further) for it in self._rooms.values()))
        metrics.room_seats.set_function(
            lambda: sum(it.further.seats for it in self._rooms.values())
        )
        for chat, room in self._rooms.items():
            metrics.roster_size(chat).set_function(partial(len, room.roster))
            metrics.commit_queue_length(chat).set_function(partial(len, self._stores[chat]))
