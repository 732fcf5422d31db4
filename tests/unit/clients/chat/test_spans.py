"""What a text is made of."""

import pytest

from tertulia.clients.chat.spans import Made, is_named, links_of, parts_of


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "see https://a.example/x, anna",
        "`code` and ``more`` anna",
        "```\nblock https://a.example\n```\nafter",
        "(https://a.example/x_(y))",
        "",
    ],
)
def test_put_together_again_the_parts_are_the_text(text: str) -> None:
    assert "".join(it.text for it in parts_of(text, "anna")) == text


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("see https://a.example/x.", ["https://a.example/x"]),
        ("(https://a.example/x)", ["https://a.example/x"]),
        ("https://a.example/x_(y)", ["https://a.example/x_(y)"]),
        ("https://bank.example@elsewhere.example", []),
        ("`https://a.example`", []),
        ("javascript:alert(1) http://", []),
        ("HTTP://A.example", ["HTTP://A.example"]),
        ("xhttps://a.example", []),
    ],
)
def test_links_are_addresses_without_what_ends_the_sentence(text: str, links: list[str]) -> None:
    assert links_of(text) == links


@pytest.mark.parametrize(
    ("text", "nickname", "named"),
    [
        ("anna: look", "anna", True),
        ("ask ANNA.", "anna", True),
        ("@anna!", "anna", True),
        ("annabel", "anna", False),
        ("hanna", "anna", False),
        ("anna@example.org", "anna", False),
        ("`anna`", "anna", False),
        ("https://a.example/anna", "anna", False),
        ("I am at home", "am", False),
        ("am: there?", "am", True),
        ("so @am", "am", True),
        ("a.b+c", "a.b+c", True),
    ],
)
def test_a_text_names_the_reader(text: str, nickname: str, named: bool) -> None:
    assert is_named(text, nickname) is named


def test_code_is_told_apart() -> None:
    parts = parts_of("do `rm -r x` now", "")
    assert [it.made for it in parts] == [Made.WORDS, Made.CODE, Made.WORDS]
