"""Fixtures for tests against real processes, and what makes all tests quick."""

import gc
import os
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, settings

import harness.quick_hashes  # noqa: F401  # of accounts that tests make without a node
from harness import forking
from harness.node import NodeFactory
from harness.redis_server import RedisServer, running_redis
from harness.requirements import to_run_the_rest

# How long an example takes is the machine's business: others may be busy on it. Where a checkout is
# judged, its examples are the same each time; new ones are tried on people's machines.
settings.register_profile(
    "ours",
    settings(),
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
# Of `make test-unit`, which one runs again and again; `make test` tries more examples of each.
settings.register_profile("quick", settings.get_profile("ours"), max_examples=40)
settings.load_profile("ours")

forking.is_wanted = True
UNIT = Path(__file__).with_name("unit")

# As in a node: looking for cycles among all that was loaded takes a tenth of the time of quick tests.
gc.set_threshold(100_000)

# rich, which came with a tool, would draw each error in a box: a second for one that is expected.
structlog.configure(
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that in the end no process waits long for another's file."""
    slow = Counter(it.path for it in items if it.get_closest_marker("slow"))
    patient = {it.path for it in items if it.get_closest_marker("timeout")}
    items.sort(key=lambda it: (it.path not in patient, -slow[it.path], UNIT in it.path.parents))


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
