"""An API over a Redis in memory."""

import pytest

from fakes.api import FakeApi
from tertulia.operators import deployment
from tertulia.redis.access import Access


@pytest.fixture
async def api(monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    """Give an API where a node serves the chat."""
    made = FakeApi()
    monkeypatch.setattr(Access, "connect", made.connect)
    monkeypatch.setattr(deployment, "chats", made.chats)
    await made.begin()
    return made
