"""What has no end is begun again where it fails."""

import asyncio

import pytest
from structlog.testing import capture_logs

from tertulia.api import unending


async def test_what_fails_is_done_again_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unending, "_AFTER_DEFECT_SECONDS", 0)
    went_on = asyncio.Event()

    async def fails_once() -> None:
        if not logs:
            raise ImportError("socksio")
        went_on.set()
        await asyncio.Event().wait()

    with capture_logs() as logs:
        doing = asyncio.create_task(unending.again_and_again(fails_once))
        await asyncio.wait_for(went_on.wait(), 20)
        doing.cancel()
    assert [it["event"] for it in logs] == ["a task failed"]
