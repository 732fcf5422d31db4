"""Where the chat is, as people write it."""

import pytest

from tertulia.clients.chat.addresses import DEFAULT, WrongAddress, address_of


@pytest.mark.parametrize(
    ("written", "url", "room"),
    [
        (DEFAULT, "ws://127.0.0.1:8080/ws", ""),
        ("https://chat.example/#Ops", "wss://chat.example/ws", "ops"),
        ("chat.example:8080", "ws://chat.example:8080/ws", ""),
        ("wss://chat.example/ws", "wss://chat.example/ws", ""),
        ("https://chat.example/tertulia/", "wss://chat.example/tertulia/ws", ""),
        ("http://[::1]:80/#%6fps", "ws://[::1]:80/ws", "ops"),
    ],
)
def test_the_address_of_the_page_is_understood(written: str, url: str, room: str) -> None:
    found = address_of(written)
    assert (found.url, found.room) == (url, room)


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("ftp://a.example", "should be the address of the page"),
        ("http://", "should be the address of the page"),
        ("http://a.example:99999", "should be the address of the page"),
        ("http://a b", "should be the address of the page"),
        ("http://anna:secret@a.example/", "password in the address"),
        ("http://a.example/#-x", "no room's name"),
    ],
)
def test_what_is_none_is_refused_without_a_secret(written: str, why: str) -> None:
    with pytest.raises(WrongAddress, match=why) as refused:
        address_of(written)
    assert "secret" not in str(refused.value)


def test_no_proxy_leads_to_this_machine() -> None:
    assert address_of("http://localhost:1/").is_here
    assert address_of("http://[::1]:1/").is_here
    assert not address_of("http://192.0.2.1:1/").is_here
