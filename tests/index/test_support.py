"""What an answer may rest on: a passage that has enough of the question, and its names as names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_library_bot.index.search import SearchIndex
from ai_library_bot.index.support import Support
from ai_library_bot.types import Book, Hit, Passage, Term, passage_id
from tests.shelves import Shelf

BALL = (
    "Гости пришли в масках. Лицо хозяина походило на маску, и никто его не узнал. Маски сняли в полночь. "
    "Старуха у дверей смеялась громче всех."
)
LAMP = "Никита Вельский зажигал лампу каждый вечер. Однажды ждали Вельского до утра: он уехал в Тумрань."
MILL = "Two gates led to the mill. The miller paid every bill at the gates, and Mr. Harrow kept the keys."


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> SearchIndex:
    shelf = Shelf(tmp_path_factory.mktemp("shelf"))
    shelf.put("ball.md", BALL, title="Бал", language="ru")
    shelf.put("lamp.md", LAMP, title="Маяк", author="Олег Дымов", language="ru")
    shelf.put("mill.md", MILL, title="The Mill", author="John Frost", language="en")
    shelf.put("orchard.md", *(f"Orchard number {n} bears apples and pears every autumn." for n in range(20)))
    shelf.ingest()
    return shelf.open()


def supporting(index: SearchIndex, question: str) -> list[str]:
    """The titles of the books whose passages support an answer, of all that share a word with the question."""
    return [hit.book.title for hit in index.supporting(index.search(question, 10))]


@pytest.mark.parametrize(
    "question",
    [
        "Кто такой Илон Маск?",
        "кто такой илон маск",
        "Илон Маск — кто это?",
        "Что написали о Маске?",
        "Кто убил старуху-процентщицу?",
        "кто изобрёл лампу накаливания",
        "Где живёт Никита Поттер?",
        "Who is Bill Gates?",
        "Who kept Gates?",
        "who invented the telephone of the mill",
    ],
)
def test_a_short_question_is_not_answered_by_a_part_of_it(index: SearchIndex, question: str) -> None:
    assert index.search(question, 10).hits
    assert supporting(index, question) == []


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("Кто такой Вельский?", "Маяк"),
        ("кто такой вельский", "Маяк"),
        ("КТО ТАКОЙ ВЕЛЬСКИЙ?", "Маяк"),
        ("Вельский — кто это?", "Маяк"),
        ("Кто такой Никита?", "Маяк"),
        ("Что говорили о Вельском?", "Маяк"),
        ("Кто такой Вельскый?", "Маяк"),
        ("кто такой велский", "Маяк"),
        ("Кто такой Пётр Вельский?", "Маяк"),
        ("где находится тумрань", "Маяк"),
        ("Что написал Олег Дымов?", "Маяк"),
        ("Чьё лицо походило на маску?", "Бал"),
        ("Who is Mr. Harrow?", "The Mill"),
        ("who is mr harrow", "The Mill"),
        ("Where did Harrow sleep?", "The Mill"),
    ],
)
def test_a_name_is_known_in_any_form_and_however_it_is_typed(index: SearchIndex, question: str, title: str) -> None:
    assert supporting(index, question) == [title]


def test_of_a_long_question_a_part_is_enough(index: SearchIndex) -> None:
    assert supporting(index, "Почему старуха у дверей хохотала громче прочих приглашённых?") == ["Бал"]


def test_what_was_found_by_meaning_may_say_it_in_other_words(index: SearchIndex) -> None:
    found = replace(index.search("Кто такой Илон Маск?", 10), mode="hybrid")
    assert index.supporting(found) == found


# By hand: words of one weight, each its own stem


def asks(query: str, *asked: str) -> Support:
    return Support(query, tuple(Term(word, frozenset([word]), 1.0) for word in asked), lambda word: word)


def hit(text: str, title: str = "", chapter: tuple[str, ...] = ()) -> Hit:
    book = Book("b", Path("b.md"), title, (), "en", None, "markdown", 1, 1, 1, len(text))
    return Hit(1, 1.0, 1.0, Passage(passage_id("b", 0), "b", 0, chapter, 0, len(text), text, 0.0), book)


@pytest.mark.parametrize(("asked", "enough"), [(1, 1), (2, 2), (3, 2), (4, 1), (8, 2)])
def test_the_fewer_words_the_more_of_them_must_be_met(asked: int, enough: int) -> None:
    query = [f"word{number}" for number in range(asked)]
    supports = asks(" ".join(query), *query)
    assert [supports(hit(" ".join(query[:met]))) for met in range(asked + 1)] == [
        met >= enough for met in range(asked + 1)
    ]


def test_a_passage_that_calls_it_by_name_may_put_the_rest_in_other_words() -> None:
    supports = asks("where does harrow sleep", "harrow", "sleep")
    assert supports(hit("In winter Harrow lay in the loft."))
    assert not supports(hit("The harrow lay in the loft."))
    assert not supports(hit("They said that Harrow took the harrow."))  # which of the two is asked for?
    assert not supports(hit("Deep snow lay there\nHarrow and plough\nwere buried"))  # a verse begins with a capital


def test_a_first_word_is_the_name_only_as_it_was_asked_for() -> None:
    supports = Support("Who is Mask?", (Term("mask", frozenset(["mask", "masks"]), 1.0),), lambda word: word)
    assert supports(hit("Mask was his name."))
    assert not supports(hit("Masks were worn."))


def test_of_one_name_the_last_word_is_enough_but_of_two_names_each_is_asked_for() -> None:
    boating = hit("At noon Harrow took the boat.")
    assert asks("who is Nathan Harrow", "nathan", "harrow")(boating)
    assert asks("who is Nathan-Harrow", "nathan", "harrow")(boating)
    assert not asks("what of Nathan, then Harrow", "nathan", "harrow")(boating)
    assert not asks("who is Harrow Nathan", "harrow", "nathan")(boating)


@pytest.mark.parametrize("question", ["WHO IS BILL MASK", "Who Is Bill Mask"])
def test_where_every_word_has_a_capital_none_is_a_name_by_it(question: str) -> None:
    assert asks(question, "bill", "mask")(hit("They paid the bill and took the mask."))
    assert not asks("who is Bill Mask", "bill", "mask")(hit("They paid the bill and took the mask."))


def test_what_the_passage_stands_under_counts() -> None:
    supports = asks("Who is Harrow?", "harrow")
    assert supports(hit("He kept the keys.", title="The Life of Harrow"))
    assert supports(hit("He kept the keys.", chapter=("Part One", "Harrow")))


@given(st.lists(st.sampled_from(["Lamp", "lamp", "Keeper", "sea", "SEA", "of", "1911"]), min_size=1, max_size=9))
def test_a_passage_that_says_the_whole_question_supports_it(query: list[str]) -> None:
    supports = asks(" ".join(query), *dict.fromkeys(word.lower() for word in query))
    assert supports(hit(" ".join(query)))
