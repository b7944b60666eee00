"""Russian words lead to all their forms, others to themselves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_library_bot.index.morphology import forms
from ai_library_bot.text import fold


@pytest.mark.parametrize(
    ("word", "others"),
    [
        ("идти", "идет шел шла шли идущий иду"),
        ("шел", "идти идет"),
        ("люди", "человек человека людей людьми"),
        ("человека", "люди человек"),
        ("дети", "ребенок детей ребенку"),
        ("елки", "елка елкой"),
        ("мать", "матери матерью"),
        ("пес", "псы псу"),
        ("лучше", "хорошо хороший"),
    ],
)
def test_a_russian_word_has_all_its_forms(word: str, others: str) -> None:
    assert set(others.split()) <= forms(word)


@pytest.mark.parametrize("word", ["keeper", "12", "шкандыбулька", "№", "", "x" * 10_000, "ъ", "ах-ах", "日本"])
def test_a_word_that_no_dictionary_knows_has_only_itself(word: str) -> None:
    assert forms(word) == {word}


@given(st.text(st.sampled_from("абвгдеийклмнопрстуыья"), min_size=1, max_size=8))
def test_a_word_is_a_form_of_itself_and_forms_are_folded(word: str) -> None:
    found = forms(word)
    assert word in found
    assert all(form == fold(form) for form in found)
