"""What could stand where somebody is writing a word."""

import pytest

from fakes.talk_service import TalkService, said
from tertulia.clients.chat.completion import complete
from tertulia.clients.chat.known_chat import KnownChat


@pytest.fixture
def chat() -> KnownChat:
    service = TalkService()
    service.enter("anna", "Bruno", "brenda", "carla")
    service.happen(11, said("brenda", "hi"))
    service.deliver("rooms", rooms=[{"room": "ops"}, {"room": "open-air"}])
    return service.talk.chat


@pytest.mark.parametrize(
    ("before", "options"),
    [
        ("br", ["brenda: ", "Bruno: "]),
        ("hello BRU", ["Bruno "]),
        ("@bru", ["Bruno "]),
        ("an", None),
        ("/ms", ["/msg "]),
        ("/m", ["/msg ", "/me "]),
        ("/msg br", ["brenda ", "Bruno "]),
        ("/w c", ["carla "]),
        ("/join #o", ["#open-air ", "#ops "]),
        ("see #op", ["#open-air ", "#ops "]),
        ("xyz", None),
        ("", None),
        ("bruno ", None),
    ],
)
def test_names_rooms_and_commands_are_completed(
    chat: KnownChat, before: str, options: list[str] | None
) -> None:
    found = complete(before, chat)
    assert (found and found.options) == options


def test_what_is_completed_is_what_was_typed(chat: KnownChat) -> None:
    found = complete("hello @bru", chat)
    assert found is not None
    assert found.length == 3
