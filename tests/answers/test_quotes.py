"""A citation is a stretch of its passage. What was not said there, word for word, never becomes one."""

from __future__ import annotations

import ast
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

import ai_library_bot
from ai_library_bot.answers.quotes import find, verify
from ai_library_bot.text import clean, fold, fold_with_offsets, words
from ai_library_bot.types import Citation, Claim, Hit
from tests.fakes import BOOKS, PASSAGES
from tests.texts import ANY_TEXT, prose

TEXT = (
    "Смотритель перестал писать письма, потому что слеп: строка, сползающая вниз, «выдала бы» его — и он это знал. "
    "The keeper’s lamp was lit at six – on every evening – since 1911. Ёлка стояла у окна… Она ждала."
)
PASSAGE = replace(PASSAGES[0], text=TEXT)
HITS = {hit.passage.id: hit for hit in (Hit(1, 1.0, 1.0, PASSAGE, BOOKS[PASSAGE.book_id]),)}


def cited(quote: str) -> list[str]:
    return [citation.quote for citation in verify([Claim(1, PASSAGE.id, quote)], HITS)]


@st.composite
def quoted(draw: st.DrawFn) -> tuple[str, str]:
    """A text and a stretch of it that begins and ends with whole words."""
    text = clean(draw(prose(most_sentences=4, most_blocks=3)))
    found = list(words(text))
    first = draw(st.integers(0, len(found) - 1))
    last = draw(st.integers(first, min(len(found) - 1, first + 12)))
    return text, text[found[first].start : found[last].end]


class TestAnyQuote:
    @given(quoted())
    def test_what_stands_in_the_text_is_found_as_it_stands(self, case: tuple[str, str]) -> None:
        text, quote = case
        span = find(quote, text)
        assert span is not None
        assert fold(text[slice(*span)]).split() == fold(quote).split()

    @example("ﬁ", "fi")
    @given(ANY_TEXT, ANY_TEXT)
    def test_whatever_is_found_says_what_the_quote_says(self, quote: str, text: str) -> None:
        span = find(quote, quote + text)
        if span is not None:
            found = fold_with_offsets((quote + text)[slice(*span)])[0]
            assert " ".join(fold(quote).split()) in " ".join(found.split())

    @given(quoted(), st.data())
    def test_with_a_letter_changed_it_is_refused(self, case: tuple[str, str], data: st.DataObject) -> None:
        text, quote = case
        place = data.draw(st.sampled_from([place for place, letter in enumerate(quote) if letter.isalnum()]))
        wrong = quote[:place] + "ъ" + quote[place + 1 :]  # a letter of no sample sentence
        assert find(wrong, text) is None

    @given(quoted(), st.data())
    def test_with_a_word_added_it_is_refused(self, case: tuple[str, str], data: st.DataObject) -> None:
        text, quote = case
        place = data.draw(st.sampled_from([word.start for word in words(quote)]))
        assert find(f"{quote[:place]}отнюдь {quote[place:]}", text) is None

    @given(quoted(), st.data())
    def test_with_a_word_dropped_it_is_refused_unless_the_text_says_that_as_well(
        self, case: tuple[str, str], data: st.DataObject
    ) -> None:
        text, quote = case
        found = list(words(quote))
        assume(len(found) > 2)
        dropped = data.draw(st.sampled_from(found[1:-1]))
        shorter = quote[: dropped.start] + quote[dropped.end :].lstrip()
        assume(" ".join(fold(shorter).split()) not in " ".join(fold(text).split()))
        assert find(shorter, text) is None

    @given(quoted(), st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
    def test_every_unicode_form_is_the_same_quote(self, case: tuple[str, str], form: str) -> None:
        text, quote = case
        assert find(unicodedata.normalize(form, quote), text) == find(quote, text)  # type: ignore[arg-type]


class TestSameWords:
    @pytest.mark.parametrize(
        "quote",
        [
            "Смотритель перестал писать письма",
            "смотритель ПЕРЕСТАЛ писать письма",
            "Смотритель\u00a0перестал\n писать  письма",
            "смотри\u00adтель перестал",
            "сполза\u0301ющая вниз",
            'сползающая вниз, "выдала бы" его',
            "сползающая вниз, “выдала бы” его - и он это знал.",
            "The keeper's lamp",
            "The keeper`s lamp",
            "at six - on every evening — since 1911",
            "Елка стояла у окна...",
            "Е\u0308лка стояла у окна…",
            "ｌａｍｐ ｗａｓ lit",
            "  lamp was lit  ",
        ],
    )
    def test_case_and_typography_make_no_difference(self, quote: str) -> None:
        assert len(cited(quote)) == 1

    def test_the_citation_is_the_text_of_the_passage_not_of_the_claim(self) -> None:
        assert cited("елка стояла У ОКНА...") == ["Ёлка стояла у окна…"]

    def test_a_citation_knows_its_number_its_book_and_its_page(self) -> None:
        passage = replace(PASSAGE, pages=((0, 12), (100, 13)))
        hits = {passage.id: replace(HITS[passage.id], passage=passage)}
        (citation,) = verify([Claim(3, passage.id, "Она ждала")], hits)
        assert (citation.number, citation.passage, citation.book, citation.page) == (
            3,
            passage,
            hits[passage.id].book,
            13,
        )


class TestRefused:
    @pytest.mark.parametrize(
        "quote",
        [
            "",
            "   ",
            "…",
            "«—»",
            "Смотритель перестал писать книги",
            "Смотритель не перестал писать письма",
            "перестал Смотритель писать письма",
            "Смотритель писать письма",
            "перестал писать письма потому что слеп",  # the comma is gone
            "мотритель перестал",
            "Смотритель перестал писать письм",
            "amp was lit",
            "since 191",
            "Смотритель перестал писать письма … Она ждала",
            "Смотритель перестал писать письма, Она ждала",
            "потому что слеп. The keeper’s lamp",
            TEXT + " И всё.",
        ],
    )
    def test_what_does_not_stand_there_word_for_word(self, quote: str) -> None:
        assert cited(quote) == []

    def test_a_quote_of_another_passage(self) -> None:
        assert verify([Claim(1, "77c0de:0000", "Она ждала")], HITS) == []
        assert verify([Claim(1, "", "Она ждала")], HITS) == []

    def test_one_false_claim_takes_no_true_one_with_it(self) -> None:
        claims = [Claim(number, PASSAGE.id, quote) for number, quote in enumerate(["Она ждала", "Он ждал", "Ёлка"], 1)]
        assert [(citation.number, citation.quote) for citation in verify(claims, HITS)] == [
            (1, "Она ждала"),
            (3, "Ёлка"),
        ]

    def test_a_part_of_a_word_is_passed_over_for_the_whole_word_behind_it(self) -> None:
        assert find("кот", "Который кот?") == (8, 11)


@pytest.mark.parametrize(("start", "end"), [(-1, 3), (3, 3), (5, 4), (0, len(TEXT) + 1)])
def test_a_citation_cannot_reach_outside_its_passage(start: int, end: int) -> None:
    with pytest.raises(ValueError, match="no quotation at"):
        Citation(1, PASSAGE, BOOKS[PASSAGE.book_id], start, end)


def test_only_this_module_makes_citations() -> None:
    package = Path(ai_library_bot.__file__).parent
    makers = {str(path.relative_to(package)) for path in package.rglob("*.py") if any(_makes_citation(path))}
    assert makers == {str(Path("answers/quotes.py"))}


def _makes_citation(path: Path) -> Iterator[bool]:
    """Calls of `Citation`, under whatever dots, and of `replace` on one."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func).rpartition(".")[2]
            yield called == "Citation" or (called == "replace" and "citation" in ast.unparse(node.args[0]).lower())
