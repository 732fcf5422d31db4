"""Long texts in lines of IRC."""

from hypothesis import given
from hypothesis import strategies as st

from harness.cases import each
from tertulia.dialects.irc.wrapping import wrapped

ANY_TEXT = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from(" é€😀"), max_size=400
)


@given(text=ANY_TEXT, most=st.integers(4, 100))
def test_the_parts_are_short_and_joined_they_are_the_text(text: str, most: int) -> None:
    parts = wrapped(text, most)
    assert "".join(parts) == text
    assert all(len(part.encode()) <= most for part in parts)


@given(text=ANY_TEXT.filter(bool), most=st.integers(4, 100))
def test_no_part_is_shorter_than_it_has_to_be(text: str, most: int) -> None:
    parts = wrapped(text, most)
    for part in parts[:-1]:
        whole = len(part.encode()) > most - 4
        assert whole or (part.endswith(" ") and len(part.encode()) > most // 2)
    assert all(parts)


@each(
    ("text", "most", "parts"),
    [
        ("", 10, [""]),
        ("short", 10, ["short"]),
        ("a" * 10, 10, ["a" * 10]),
        ("a" * 11, 10, ["a" * 10, "a"]),
        ("one two three", 10, ["one two ", "three"]),
        ("one twothreefour", 10, ["one twothr", "eefour"]),  # the space is too far from the end
        ("       x", 4, ["    ", "   x"]),
        ("😀😀😀", 10, ["😀😀", "😀"]),
        ("aé", 3, ["aé"]),
        ("aaaé", 4, ["aaa", "é"]),
    ],
)
def test_where_a_text_is_cut(text: str, most: int, parts: list[str]) -> None:
    assert wrapped(text, most) == parts


def test_half_a_surrogate_pair_is_no_reason_to_fail() -> None:
    assert "".join(wrapped("\ud800" * 5, 4)).isprintable()
