"""A snippet shows the stretch of a passage with the most matches, cut between words."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ai_library_bot.snippet import snippet
from ai_library_bot.text import words

TEXTS = st.lists(st.sampled_from(["lamp", "sea", "и", "keeper", "a", "\n", "мост,"]), max_size=120).map(" ".join)


@given(TEXTS, st.integers(10, 200), st.sampled_from(["lamp", "мост", "a"]))
def test_a_snippet_is_about_as_long_as_asked_and_cuts_no_word(text: str, length: int, word: str) -> None:
    matches = [(found.start, found.end) for found in words(text) if found.folded == word]
    start, end = snippet(text, matches, length)
    assert 0 <= start <= end <= len(text)
    assert end - start <= length * 1.2 + 2 * len("keeper")
    assert start == 0 or text[start - 1].isspace()
    assert end == len(text) or text[end].isspace()
    assert not matches or any(start <= match[0] and match[1] <= end for match in matches)


def test_a_short_text_is_taken_whole() -> None:
    assert snippet("The lamp was lit.", [(4, 8)]) == (0, 17)


def test_without_matches_it_is_the_beginning() -> None:
    start, end = snippet("word " * 100, (), 50)
    assert (start, end) == (0, 54)


def test_matches_close_together_win_over_one_that_stands_alone() -> None:
    text = "lamp " + "filler " * 50 + "keeper letters " + "filler " * 50
    matches = [(word.start, word.end) for word in words(text) if word.folded in ("lamp", "keeper", "letters")]
    start, end = snippet(text, matches, 60)
    assert "keeper letters" in text[start:end]


def test_a_match_longer_than_the_snippet_does_no_harm() -> None:
    assert snippet("x" * 500 + " end", [(0, 500)], 100) == (0, 500)
