"""The API as a process of its own: where it listens, what it logs, and its signals."""

import asyncio
import json
import os
import signal
import subprocess
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from harness import processes
from harness.node import Page, Sample, samples
from harness.waiting import until
from tertulia.api.tokens import digest

START_SECONDS = 60.0
SECONDS = 30.0
OPERATOR = "tertulia_the-operators-token"
"""A token that may do everything."""
_TOKENS = f"""
[[tokens]]
name = "operator"
sha256 = "{digest(OPERATOR)}"
scopes = ["say", "read", "moderate", "operate"]
"""


class ApiProcess:
    """One process of the API, on free ports. It is started at once, and to be ended by ``end``."""

    def __init__(
        self,
        directory: Path,
        redis_url: str,
        *,
        tokens: str = _TOKENS,
        settings: dict[str, str] | None = None,
    ) -> None:
        """``tokens``: what is in their file. ``settings``: environment variables, without ``TERTULIA_``."""
        directory.mkdir(parents=True, exist_ok=True)
        self.tokens = directory / "tokens.toml"
        """The file of its tokens."""
        self.tokens.write_text(tokens)
        environment = {k: v for k, v in os.environ.items() if not k.startswith("TERTULIA_")}
        environment |= {
            "TERTULIA_REDIS_URL": redis_url,
            "TERTULIA_API__PORT": "0",
            "TERTULIA_API__TOKENS": str(self.tokens),
            "TERTULIA_OPS": json.dumps({"host": "127.0.0.1", "port": 0}),
            "TERTULIA_LOG__FORMAT": "json",
        }
        environment |= {f"TERTULIA_{name}": value for name, value in (settings or {}).items()}
        self.lines: list[dict[str, Any]] = []
        """What it logged."""
        self.ports: dict[str, int] = {}
        self.process = processes.start(
            [*processes.TERTULIA, "api"],
            output=subprocess.PIPE,
            environment=environment,
            directory=directory,
        )
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()

    async def ready(self) -> None:
        """Wait until it listens."""
        await until(
            lambda: len(self.ports) == 2 or self.process.poll() is not None,
            START_SECONDS,
            lambda: f"the API to listen: {self.lines}",
        )
        assert self.process.poll() is None, self.lines

    def events(self, event: str) -> list[dict[str, Any]]:
        """Return the lines of one kind that it logged."""
        return [it for it in self.lines if it.get("event") == event]

    async def ask(
        self, method: str, path: str, body: Any = None, token: str = OPERATOR, **headers: str
    ) -> Page:
        """Ask for something under ``/v1``."""
        return await asyncio.to_thread(self._ask, method, path, body, token, headers)

    async def metrics(self) -> list[Sample]:
        """Return every value of the metrics page."""
        url = f"http://127.0.0.1:{self.ports['ops']}/metrics"

        def asked() -> str:
            with urllib.request.urlopen(url, timeout=SECONDS) as answer:
                return str(answer.read().decode())

        return samples(await asyncio.to_thread(asked))

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self.process.kill()
        self.process.wait(30)

    async def stop(self) -> int:
        """Have it end in order, and return its status."""
        self.process.send_signal(signal.SIGTERM)
        await until(lambda: self.process.poll() is not None, SECONDS, "the API to end")
        return self.process.wait()

    def end(self) -> None:
        """End it whatever it does."""
        self.kill()
        self._reader.join(30)

    def _ask(self, method: str, path: str, body: Any, token: str, headers: dict[str, str]) -> Page:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.ports['api']}/v1{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {token}",
                "Content-Type": "application/json",
                **headers,
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:
                return Page(answer.status, answer.read().decode(), answer.headers["Content-Type"])
        except urllib.error.HTTPError as error:
            with error:
                return Page(error.code, error.read().decode(), error.headers["Content-Type"])

    def _read_log(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as log:
            for raw in log:
                try:
                    line = json.loads(raw)
                except ValueError:
                    line = {"event": raw.decode(errors="replace")}
                self.lines.append(line)
                match line:
                    case {"event": "listening", "dialect": str(what), "port": int(port)}:
                        self.ports[what] = port
