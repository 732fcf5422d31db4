"""``tertulia admin``: as a process of its own, as operators run it, or quicker, within the test's."""

import asyncio
import json
import os
from dataclasses import dataclass
from typing import Any

import click
from click.testing import CliRunner

from harness import processes
from harness.node import Node
from tertulia.clients.account_command import account
from tertulia.clients.admin.commands import admin

SECONDS = 60.0
"""Within which a command has to end, on a busy machine."""


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended, and what it wrote."""

    status: int
    out: str
    err: str

    def json(self) -> Any:
        """Return what it answered. Raises AssertionError where it failed."""
        assert self.status == 0, self
        return json.loads(self.out)

    def lines(self) -> list[Any]:
        """Return what it answered, where that is an object a line."""
        assert self.status == 0, self
        return [json.loads(line) for line in self.out.splitlines()]

    def rows(self) -> list[list[str]]:
        """Return a table's rows, in words, without its headings."""
        assert self.status == 0, self
        return [line.split() for line in self.out.splitlines()[1:]]


class Admin:
    """Runs commands on one deployment."""

    def __init__(self, redis_url: str | None, **settings: str) -> None:
        """``settings``: further environment variables, without ``TERTULIA_``."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("TERTULIA_")}
        self.environment = kept | {f"TERTULIA_{name}": it for name, it in settings.items()}
        if redis_url is not None:
            self.environment["TERTULIA_REDIS_URL"] = redis_url

    async def start(self, *words: str) -> asyncio.subprocess.Process:
        """Start a command."""
        return await asyncio.create_subprocess_exec(
            *processes.TERTULIA,
            "admin",
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self.environment,
        )

    async def __call__(self, *words: str) -> Ran:
        """Run a command within this process, and wait for it."""
        return await asyncio.to_thread(self._invoke, admin, words)

    async def account(self, *words: str, password: str = "") -> Ran:
        """Do the same with ``tertulia account``, and a password on standard input."""
        typed = f"{password}\n" if password else ""
        return await asyncio.to_thread(self._invoke, account, words, typed)

    def _invoke(self, command: click.Command, words: tuple[str, ...], typed: str = "") -> Ran:
        others = {name: None for name in os.environ if name.startswith("TERTULIA_")}
        ours = {n: it for n, it in self.environment.items() if n.startswith("TERTULIA_")}
        told = CliRunner().invoke(command, list(words), typed, env={**others, **ours})
        if told.exception is not None and not isinstance(told.exception, SystemExit):
            raise told.exception
        return Ran(told.exit_code, told.stdout, told.stderr)

    async def apart(self, *words: str) -> Ran:
        """Run a command as a process of its own, and wait for it."""
        process = await self.start(*words)
        try:
            async with asyncio.timeout(SECONDS):
                out, err = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
        assert process.returncode is not None
        return Ran(process.returncode, out.decode(), err.decode())

    async def heard_by(self, *nodes: Node) -> None:
        """Wait until nodes have heard of the last order in the audit log: Redis was told of it first."""
        (order,) = await self.json("audit", "-n", "1")
        for node in nodes:
            await node.hears(order["id"])

    async def json(self, *words: str) -> Any:
        """Run a command that answers in JSON, and return its answer."""
        return (await self(*words, "--json")).json()
