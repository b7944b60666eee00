"""A query understood: its words once each, all their forms, their weights by how rare they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from ai_library_bot.index.lexical import LEXICAL, LexicalIndex
from ai_library_bot.index.query import LONGEST_QUERY, asked_for, understand
from ai_library_bot.text import spans_of_words
from ai_library_bot.types import Term
from tests.shelves import Shelf


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> LexicalIndex:
    shelf = Shelf(tmp_path_factory.mktemp("shelf"))
    for number in range(9):
        shelf.put(f"{number}.md", "Смотритель маяка молчал, и море было тихим весь день.")
    shelf.put("rare.md", "Смотритель маяка писал письма о людях и о том, что будет с ними, когда погаснет лампа.")
    shelf.ingest()
    return LexicalIndex(shelf.generations.current().folder / LEXICAL)


def words(query: str, index: LexicalIndex) -> list[str]:
    return [term.word for term in understand(query, index).terms]


def test_a_word_counts_once_however_often_and_in_whatever_form_it_is_written(index: LexicalIndex) -> None:
    assert words("маяк, Маяка маяку МАЯК!", index) == ["маяк"]


def test_the_order_of_the_query_is_kept(index: LexicalIndex) -> None:
    understood = understand("письма смотрителя, письма маяка", index)
    assert [understood.terms[number].word for number in understood.order] == ["письма", "смотрителя", "письма", "маяка"]


def test_every_form_of_a_word_is_looked_for(index: LexicalIndex) -> None:
    (term,) = understand("человек", index).terms
    assert index.stem("людях") in term.stems
    assert index.frequency(term.stems) == 1


def test_the_rarer_word_weighs_more(index: LexicalIndex) -> None:
    keeper, letters = understand("смотритель письма", index).terms
    assert letters.weight > keeper.weight > 0


def test_words_of_the_question_weigh_less_than_what_it_asks_about(index: LexicalIndex) -> None:
    when, lamp = understand("когда погаснет", index).terms
    assert index.frequency(when.stems) == index.frequency(lamp.stems)
    assert when.weight < lamp.weight


def test_unless_there_are_no_others(index: LexicalIndex) -> None:
    alone = understand("когда", index).terms[0]
    beside = understand("когда лампа", index).terms[0]
    assert alone.weight > beside.weight


def test_a_word_that_stands_nowhere_is_taken_for_the_most_similar_that_does(index: LexicalIndex) -> None:
    understood = understand("смотрителъ маякк", index)
    assert understood.corrections == (("смотрителъ", "смотритель"), ("маякк", "маяка"))
    assert [index.frequency(term.stems) for term in understood.terms] == [10, 10]


def test_a_word_of_the_dictionary_is_no_typing_error_though_it_stand_nowhere(index: LexicalIndex) -> None:
    assert understand("лампб", index).corrections == (("лампб", "лампа"),)
    assert understand("рампа", index).corrections == ()


@pytest.mark.parametrize("query", ["хзщ", "лмп", "l4mp", "абракадабра", "смртл"])
def test_short_words_and_such_as_are_like_no_other_stay_as_they_are(index: LexicalIndex, query: str) -> None:
    assert understand(query, index).corrections == ()


def test_only_so_many_words_are_looked_for(index: LexicalIndex) -> None:
    query = " ".join(f"слово{number}" for number in range(LONGEST_QUERY * 3)) + " маяк"
    understood = understand(query, index)
    assert len(understood.terms) == LONGEST_QUERY
    assert set(understood.order) == set(range(LONGEST_QUERY))


def test_a_query_without_words_has_no_terms(index: LexicalIndex) -> None:
    assert understand("?!", index) == ((), (), ())


def test_matches_are_the_words_of_the_text_in_any_form_without_common_ones(index: LexicalIndex) -> None:
    text = "Когда людей нет, пишут письма."
    terms = understand("когда человеку писать письмо", index).terms
    spans = spans_of_words(text, asked_for(terms, index.stem))
    assert [text[start:end] for start, end in spans] == ["людей", "пишут", "письма"]


def test_where_only_common_words_were_asked_for_they_are_the_matches(index: LexicalIndex) -> None:
    text = "Когда людей нет."
    terms = understand("когда", index).terms
    assert [text[start:end] for start, end in spans_of_words(text, asked_for(terms, index.stem))] == ["Когда"]


def test_a_term_without_stems_matches_nothing(index: LexicalIndex, tmp_path: Path) -> None:
    assert list(spans_of_words("лампа", asked_for((Term("x", frozenset(), 1.0),), index.stem))) == []
