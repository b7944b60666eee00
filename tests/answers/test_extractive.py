"""The writer without a model quotes whole sentences, verbatim, few and the best ones, and adds nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_library_bot.answers import quotes
from ai_library_bot.answers.extractive import ExtractiveWriter
from ai_library_bot.text import fold, sentences
from ai_library_bot.types import Book, Claim, Draft, Hit, Passage, SearchResult, Term, passage_id
from tests.texts import prose

BOOK = Book("b3f2", Path("b.md"), "The Lamp", (), "en", None, "md", 1, 0, 1, 1)
LAMP = "The keeper had lit the lamp before the storm came."
BLIND = "He stopped writing letters because he was going blind."
WEATHER = "Nobody on the pier had seen such weather."


def hit(text: str, *, number: int = 0, score: float = 10.0) -> Hit:
    passage = Passage(passage_id(BOOK.id, number), BOOK.id, 0, (), 0, len(text), text, 0.0)
    return Hit(number + 1, score, 0.9, passage, BOOK)


def found(*hits: Hit, ask: str) -> SearchResult:
    """The result of a search for the words of `ask`, each with a weight by its length."""
    terms = tuple(Term(word, frozenset([word]), float(len(word))) for word in ask.split())
    return SearchResult(ask, 1, "lexical", hits, terms=terms)


def write(result: SearchResult, stem: Callable[[str], str] = lambda word: word) -> Draft:
    return asyncio.run(ExtractiveWriter(stem).write(result, lambda _: (), lambda _: None))


def claims(result: SearchResult) -> list[Claim]:
    return [claim for statement in write(result).statements for claim in statement.claims]


def quoted(*texts: str, ask: str) -> list[str]:
    return [claim.quote for claim in claims(found(*(hit(text, number=n) for n, text in enumerate(texts)), ask=ask))]


def test_the_sentence_that_holds_most_of_the_question_comes_first() -> None:
    text = f"{LAMP} {BLIND} {WEATHER}"
    assert quoted(text, ask="writing letters")[0] == BLIND
    assert quoted(text, ask="weather pier")[0] == WEATHER


def test_the_heavier_word_decides() -> None:
    assert quoted(f"{LAMP} {WEATHER}", ask="lamp weather") == [WEATHER]


def test_a_sentence_of_a_better_passage_comes_before_the_same_words_in_a_worse_one() -> None:
    good, bad = (
        hit("In the first one the keeper slept.", score=10),
        hit("In this one the keeper woke.", number=1, score=4),
    )
    assert claims(found(good, bad, ask="keeper"))[0].passage_id == good.passage.id


def test_a_passage_that_hardly_matches_is_not_quoted_beside_a_good_one() -> None:
    good, bad = hit("In the first one the keeper slept."), hit("In this one the keeper woke.", number=1, score=1)
    assert [claim.passage_id for claim in claims(found(good, bad, ask="keeper"))] == [good.passage.id]


def test_a_sentence_that_goes_on_about_the_one_before_may_answer() -> None:
    text = f"Pascoe was the keeper of the lamp. He was born in the village in 1856. {WEATHER}"
    assert "He was born in the village in 1856." in quoted(text, ask="pascoe born")


def test_the_same_sentence_is_quoted_once() -> None:
    assert quoted(LAMP, LAMP, f"{LAMP} {WEATHER}", ask="lamp storm") == [LAMP]


def test_neither_is_the_same_sentence_with_other_line_ends() -> None:
    assert quoted(LAMP, LAMP.replace(" before", "\nbefore"), ask="lamp storm") == [LAMP]


def test_there_are_never_more_than_three_quotes() -> None:
    text = " ".join(f"The keeper lit lamp number {number}." for number in range(9))
    assert len(quoted(text, ask="keeper lamp")) == 3


def test_a_much_weaker_sentence_is_left_out() -> None:
    assert quoted(f"{LAMP} {WEATHER} Somebody had seen the storm.", ask="keeper lamp storm") == [LAMP]


@pytest.mark.parametrize("text", ["The lamp!", "A lamp, yes.", WEATHER, "…", "Lamp"])
def test_fragments_and_sentences_without_a_word_of_the_question_answer_nothing(text: str) -> None:
    assert write(found(hit(text), ask="lamp")) == Draft(())


def test_without_hits_there_is_nothing_to_say() -> None:
    assert write(found(ask="lamp")) == Draft(())


def test_words_are_compared_by_their_stems() -> None:
    result = replace(found(hit(LAMP), ask="x"), terms=(Term("keeping", frozenset(["keep"]), 1.0),))
    assert [statement.text for statement in write(result, lambda word: word[:4]).statements] == [LAMP]


ASKED = st.lists(st.sampled_from("смотритель фонари keeper harbour lamp he он 1911".split()), min_size=1, unique=True)


@given(st.lists(prose(), min_size=1, max_size=7), ASKED)
def test_every_draft_is_made_of_sentences_of_its_passages_and_their_numbers(texts: list[str], asked: list[str]) -> None:
    hits = [hit(text, number=number, score=10 - number) for number, text in enumerate(texts)]
    draft = write(found(*hits, ask=" ".join(asked)))
    by_id = {one.passage.id: one for one in hits}
    for statement in draft.statements:
        (claim,) = statement.claims
        assert statement.text == claim.quote
        text = by_id[claim.passage_id].passage.text
        assert claim.quote in [text[start:end] for start, end in sentences(text)]
        assert any(word in fold(claim.quote) for word in asked)


@given(st.lists(prose(), min_size=1, max_size=7), ASKED)
def test_every_quote_of_every_draft_is_verified(texts: list[str], asked: list[str]) -> None:
    hits = [hit(text, number=number, score=10 - number) for number, text in enumerate(texts)]
    draft = write(found(*hits, ask=" ".join(asked)))
    checked = quotes.verify(draft, {one.passage.id: one for one in hits}, lambda *_: ())
    said = [fold(statement.text).split() for statement in draft.statements]
    assert [fold(citation.quote).split() for citation in checked.citations] == said
    assert checked.text == " ".join(f"{one.text} [{number}]" for number, one in enumerate(draft.statements, 1))
    assert checked.faults == ()
