"""The order of passages: each sign of a good one counts, and nothing hangs on how they came."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_library_bot.index.ranking import Scored, asks_number, rank
from ai_library_bot.types import Passage, Term, passage_id

TERMS = (Term("lamp", frozenset(["lamp", "lantern"]), 4.0), Term("keeper", frozenset(["keeper"]), 2.0))
FILLING = " ".join(["sea"] * 100)

Entry = tuple[Passage, list[str], frozenset[str]]


def entry(text: str, *, number: int = 0, book: str = "b", context: str = "") -> Entry:
    passage = Passage(passage_id(book, number), book, 0, (), 0, len(text), text, 0.0)
    return passage, text.split(), frozenset(context.split())


def ranked(*entries: Entry, number_wanted: bool = False) -> list[Scored]:
    return rank(entries, TERMS, (0, 1), number_wanted=number_wanted)


def best(*texts: str, number_wanted: bool = False) -> str:
    """The text that comes first; each is the only passage of a book of its own."""
    first = ranked(*(entry(text, book=f"b{place}") for place, text in enumerate(texts)), number_wanted=number_wanted)[0]
    return texts[first.number]


WORD = st.sampled_from(["lamp", "lantern", "keeper", "sea", "1911", "the"])
ENTRIES = st.lists(st.tuples(st.lists(WORD, max_size=30), st.booleans()), min_size=1, max_size=8).map(
    lambda drawn: [
        entry(" ".join(stems), number=number % 4, book=f"b{number // 4}", context="keeper" if under else "")
        for number, (stems, under) in enumerate(drawn)
    ]
)


@given(ENTRIES, st.randoms(use_true_random=False), st.booleans())
def test_the_order_of_the_input_makes_no_difference(entries: list[Entry], random: object, number_wanted: bool) -> None:
    shuffled = list(entries)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = (
        [
            (given[scored.number][0].id, scored.score, scored.relevance)
            for scored in ranked(*given, number_wanted=number_wanted)
        ]
        for given in (entries, shuffled)
    )
    assert one == other


@given(ENTRIES)
def test_scores_fall_and_relevance_with_them(entries: list[Entry]) -> None:
    found = ranked(*entries)
    assert sorted(scored.number for scored in found) == list(range(len(entries)))
    assert [scored.score for scored in found] == sorted((scored.score for scored in found), reverse=True)
    assert [scored.relevance for scored in found] == sorted((scored.relevance for scored in found), reverse=True)
    assert all(0 <= scored.relevance <= 1 for scored in found)


@given(ENTRIES, st.floats(0.1, 20))
def test_relevance_is_the_same_whatever_the_scale_of_the_weights(entries: list[Entry], scale: float) -> None:
    scaled = tuple(Term(term.word, term.stems, term.weight * scale) for term in TERMS)
    relevances = [
        sorted(one.relevance for one in rank(entries, terms, (0, 1), number_wanted=False)) for terms in (TERMS, scaled)
    ]
    assert relevances[0] == pytest.approx(relevances[1], abs=2e-4)


@given(ENTRIES)
def test_a_passage_without_any_term_beside_none_that_has_one_is_worth_nothing(entries: list[Entry]) -> None:
    strange = entry("sea the", book="other")
    found = {scored.number: scored for scored in ranked(*entries, strange)}
    assert (found[len(entries)].score, found[len(entries)].relevance) == (0, 0)


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ("lamp sea", "keeper sea"),  # the rarer word
        ("lamp keeper sea", "lamp lamp sea"),  # more words of the query
        ("lamp lamp sea sea", "lamp sea sea sea"),  # the word more often
        ("lamp keeper sea sea", f"lamp keeper {FILLING}"),  # the shorter passage
        ("sea lamp keeper sea", "sea keeper lamp sea"),  # the order of the query
        ("lamp keeper sea sea", "lamp sea sea keeper"),  # side by side
        (f"lantern keeper {FILLING}", f"lantern {FILLING} keeper"),  # in one sentence
    ],
)
def test_signs_of_a_good_passage(better: str, worse: str) -> None:
    assert best(better, worse) == best(worse, better) == better


def test_a_number_in_the_sentence_counts_only_when_one_is_asked_for() -> None:
    with_number, without = "lamp keeper 1911 sea", "lamp keeper sea sea"
    assert best(without, with_number, number_wanted=True) == with_number
    assert best(without, with_number) == without  # equal, so the first id


def test_a_number_far_from_the_words_does_not_count() -> None:
    far, without = f"lamp keeper {FILLING} 1911", f"lamp keeper {FILLING} sea"
    assert best(without, far, number_wanted=True) == without


def test_words_of_title_or_chapter_count() -> None:
    found = ranked(entry("lamp sea", book="a"), entry("lamp sea", book="b", context="the keeper"))
    assert found[0].number == 1


def test_a_good_passage_lifts_the_one_beside_it() -> None:
    good, beside, elsewhere = (
        entry("lamp keeper lamp keeper", number=1, book="a"),
        entry("keeper sea", number=2, book="a"),
        entry("keeper sea", number=9, book="a"),
    )
    found = {scored.number: scored.score for scored in ranked(good, beside, elsewhere)}
    assert found[1] > found[2]


def test_nothing_to_rank_is_ranked() -> None:
    assert ranked() == []


@pytest.mark.parametrize(
    "question",
    [
        "when did the keeper die",
        "how many stairs are there",
        "in which year was it built",
        "what percentage was lost",
        "сколько дней прослужил мост",
        "когда рухнул мост",
        "в каком году это было",
        "какое количество людей",
    ],
)
def test_questions_that_ask_for_a_number(question: str) -> None:
    assert asks_number(question)


@pytest.mark.parametrize(
    "question",
    ["why did he stop", "how did he write", "who was whenever", "почему рухнул мост", "какой мост", "никогда"],
)
def test_questions_that_do_not(question: str) -> None:
    assert not asks_number(question)
