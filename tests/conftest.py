"""Fixtures for tests against real processes."""

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from harness.node import NodeFactory
from harness.redis_server import RedisServer, running_redis
from harness.requirements import to_run_the_rest

# How long an example takes is the machine's business: others may be busy on it.
settings.register_profile(
    "ours", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("ours")


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """Run a real Redis, on a free port of 127.0.0.1, that writes everything to disk at once."""
    with running_redis() as server:
        yield server


@pytest.fixture
def node_factory(tmp_path: Path, redis_server: RedisServer) -> Iterator[NodeFactory]:
    """Start nodes on ``redis_server``; all are ended afterwards."""
    factory = NodeFactory(tmp_path, redis_server.url)
    try:
        yield factory
    finally:
        factory.end()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the last log lines of a failed test's nodes."""
    report = yield
    if report.failed:
        for value in getattr(item, "funcargs", {}).values():
            if isinstance(value, NodeFactory):
                report.sections.extend(value.report())
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    """End with what to install to run what was left out."""
    yield
    skipped = terminalreporter.stats.get("skipped", [])
    count, commands = to_run_the_rest(
        it.longrepr[2] for it in skipped if isinstance(it.longrepr, tuple)
    )
    if count:
        terminalreporter.section(f"{count} tests were left out; to run them as well")
        for command in commands:
            terminalreporter.line(command)
